/* The names of values in policies. */
#include "sandbox/policy.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define NAMES(array)                                                                               \
	{                                                                                          \
		array, (int)(sizeof(array) / sizeof((array)[0]))                                   \
	}

static const char *const levels[SANDBOX_LEVELS] = {
	[SANDBOX_LEVEL_NONE] = "none",
	[SANDBOX_LEVEL_READ_ONLY] = "read_only",
	[SANDBOX_LEVEL_WORKSPACE_WRITE] = "workspace_write",
	[SANDBOX_LEVEL_PROCESS_EXEC] = "process_exec",
	[SANDBOX_LEVEL_NETWORK] = "network",
};
const struct policy_names policy_levels = NAMES(levels);

/* In the order of the bits. */
static const char *const operations[] = {"read_text",  "list",	 "exists",
					 "write_text", "delete", "exec"};
const struct policy_names policy_operations = NAMES(operations);

static const char *const tmps[SANDBOX_TMPS] = {
	[SANDBOX_TMP_PRIVATE] = "private",
	[SANDBOX_TMP_SHARED] = "shared",
	[SANDBOX_TMP_NONE] = "none",
};
const struct policy_names policy_tmps = NAMES(tmps);

static const char *const nets[SANDBOX_NETS] = {
	[SANDBOX_NET_NONE] = "none",
	[SANDBOX_NET_LOOPBACK] = "loopback",
	[SANDBOX_NET_TCP] = "tcp",
	[SANDBOX_NET_FULL] = "full",
};
const struct policy_names policy_nets = NAMES(nets);

static const char *const uses[SANDBOX_USES] = {
	[SANDBOX_USE_AUTO] = "auto",
	[SANDBOX_USE_ON] = "on",
	[SANDBOX_USE_OFF] = "off",
};
const struct policy_names policy_uses = NAMES(uses);

static const char *const unixes[SANDBOX_UNIXES] = {
	[SANDBOX_UNIX_NONE] = "none",
	[SANDBOX_UNIX_INSIDE] = "inside",
	[SANDBOX_UNIX_ALL] = "all",
};
const struct policy_names policy_unixes = NAMES(unixes);

static const char *const ttys[SANDBOX_TTYS] = {
	[SANDBOX_TTY_KEEP] = "keep",
	[SANDBOX_TTY_NONE] = "none",
};
const struct policy_names policy_ttys = NAMES(ttys);

static const char *const strictnesses[SANDBOX_STRICTNESSES] = {
	[SANDBOX_STRICT_ENFORCE] = "enforce",
	[SANDBOX_STRICT_WARN] = "warn",
	[SANDBOX_STRICT_OFF] = "off",
};
const struct policy_names policy_strictnesses = NAMES(strictnesses);

static const char *const presets[SANDBOX_PRESETS] = {
	[SANDBOX_PRESET_SYSTEM] = "system",
	[SANDBOX_PRESET_DEV] = "dev",
	[SANDBOX_PRESET_TOOLCHAINS] = "toolchains",
	[SANDBOX_PRESET_SECRETS] = "secrets",
};
const struct policy_names policy_presets = NAMES(presets);

/* Their keys. */
static const char *const limits[SANDBOX_LIMITS] = {
	[SANDBOX_LIMIT_MEMORY_MB] = "memory_mb", [SANDBOX_LIMIT_CPU_S] = "cpu_s",
	[SANDBOX_LIMIT_PROCESSES] = "processes", [SANDBOX_LIMIT_FILES] = "files",
	[SANDBOX_LIMIT_FILE_MB] = "file_mb",	 [SANDBOX_LIMIT_CORE_MB] = "core_mb",
	[SANDBOX_LIMIT_WALL_MS] = "wall_ms",	 [SANDBOX_LIMIT_OUTPUT_BYTES] = "output_bytes",
};
const struct policy_names policy_limits = NAMES(limits);

/* SANDBOX_ACTION_ERRNO has the name of its errno. */
static const char *const actions[SANDBOX_ACTIONS] = {
	[SANDBOX_ACTION_ALLOW] = "allow", [SANDBOX_ACTION_ERRNO] = "",
	[SANDBOX_ACTION_KILL] = "kill",	  [SANDBOX_ACTION_TRAP] = "trap",
	[SANDBOX_ACTION_LOG] = "log",
};
const struct policy_names policy_action_kinds = NAMES(actions);

/* linux/capability.h, in the order of the numbers. */
static const char *const capabilities[POLICY_CAPS] = {
	"chown",
	"dac_override",
	"dac_read_search",
	"fowner",
	"fsetid",
	"kill",
	"setgid",
	"setuid",
	"setpcap",
	"linux_immutable",
	"net_bind_service",
	"net_broadcast",
	"net_admin",
	"net_raw",
	"ipc_lock",
	"ipc_owner",
	"sys_module",
	"sys_rawio",
	"sys_chroot",
	"sys_ptrace",
	"sys_pacct",
	"sys_admin",
	"sys_boot",
	"sys_nice",
	"sys_resource",
	"sys_time",
	"sys_tty_config",
	"mknod",
	"lease",
	"audit_write",
	"audit_control",
	"setfcap",
	"mac_override",
	"mac_admin",
	"syslog",
	"wake_alarm",
	"block_suspend",
	"audit_read",
	"perfmon",
	"bpf",
	"checkpoint_restore",
};
const struct policy_names policy_capabilities = NAMES(capabilities);

int policy_name_find(const struct policy_names *names, const char *name)
{
	for (int i = 0; *name && i < names->count; i++)
		if (strcmp(names->name[i], name) == 0)
			return i;
	return -1;
}

#define NEAR_LEN 32

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* How many letters have to be added, left out or changed, whatever their case; `b` has at most
 * NEAR_LEN. */
static size_t letters_apart(const char *a, const char *b)
{
	size_t row[NEAR_LEN + 1];
	size_t len = strlen(b);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			size_t changed = diagonal + (tolower((unsigned char)a[i]) !=
						     tolower((unsigned char)b[j]));

			diagonal = row[j + 1];
			row[j + 1] = least(changed, row[j] + 1, diagonal + 1);
		}
	}
	return row[len];
}

const char *policy_name_near(const char *const *names, size_t count, const char *name)
{
	size_t best;
	const char *near = NULL;

	if (strncasecmp(name, "CAP_", 4) == 0) /* as others write capabilities */
		name += 4;
	best = 1 + strlen(name) / 3;
	for (size_t i = 0; i < count && strlen(name) <= NEAR_LEN; i++) {
		size_t apart = letters_apart(names[i], name);

		if (*names[i] && apart <= best && (!near || apart < best)) {
			best = apart;
			near = names[i];
		}
	}
	return near;
}
