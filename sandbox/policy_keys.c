/* The keys of the format, in the order in which they are written. The reader, the writer and the
 * test of the JSON Schema go by this table. */
#include "sandbox/policy.h"

#include <stddef.h>
#include <string.h>

#define AT(member) offsetof(struct sandbox_policy, member)

#define CHOICE(section, name, member, names)                                                       \
	{                                                                                          \
		section, name, POLICY_CHOICE, 0, AT(member), &(names)                              \
	}
#define SET(section, name, member, names)                                                          \
	{                                                                                          \
		section, name, POLICY_SET, 0, AT(member), &(names)                                 \
	}
#define LIST(section, name, kind, index)                                                           \
	{                                                                                          \
		section, name, kind, index, 0, NULL                                                \
	}
#define ROOT(name, kind)    LIST("fs", name, POLICY_ROOT_LIST, kind)
#define CALLS(name, group)  LIST("syscalls", name, POLICY_ACTION, group)
#define LIMIT(name, limit)  LIST("limits", name, POLICY_LIMIT, limit)
#define NAMESPACE(name, ns) CHOICE("namespaces", name, namespaces[ns], policy_uses)
#define MECHANISM(name, m)  CHOICE("strictness", name, strictness[m], policy_strictnesses)

const struct policy_key policy_keys[] = {
	CHOICE(NULL, "level", level, policy_levels),

	ROOT("workspace", SANDBOX_ROOT_WORKSPACE),
	SET("fs", "operations", operations, policy_operations),
	ROOT("read_only", SANDBOX_ROOT_READ_ONLY),
	ROOT("read", SANDBOX_ROOT_READ),
	ROOT("write", SANDBOX_ROOT_WRITE),
	ROOT("exec", SANDBOX_ROOT_EXEC),
	ROOT("deny", SANDBOX_ROOT_DENY),
	{"fs", "presets", POLICY_PRESETS, 0, 0, &policy_presets},
	CHOICE("fs", "tmp", tmp, policy_tmps),

	CHOICE("net", "mode", net, policy_nets),
	LIST("net", "tcp_connect", POLICY_PORT_LIST, SANDBOX_PORT_CONNECT),
	LIST("net", "tcp_bind", POLICY_PORT_LIST, SANDBOX_PORT_BIND),

	CALLS("processes", SANDBOX_SYSCALLS_PROCESSES),
	CALLS("foreign_abi", SANDBOX_SYSCALLS_FOREIGN_ABI),
	CALLS("sockets", SANDBOX_SYSCALLS_SOCKETS),
	CALLS("tty_inject", SANDBOX_SYSCALLS_TTY_INJECT),
	CALLS("namespaces", SANDBOX_SYSCALLS_NAMESPACES),
	CALLS("mount", SANDBOX_SYSCALLS_MOUNT),
	CALLS("debug", SANDBOX_SYSCALLS_DEBUG),
	CALLS("io_uring", SANDBOX_SYSCALLS_IO_URING),
	CALLS("bpf", SANDBOX_SYSCALLS_BPF),
	CALLS("perf", SANDBOX_SYSCALLS_PERF),
	CALLS("userfaultfd", SANDBOX_SYSCALLS_USERFAULTFD),
	CALLS("keyrings", SANDBOX_SYSCALLS_KEYRINGS),
	CALLS("ipc", SANDBOX_SYSCALLS_IPC),
	CALLS("handles", SANDBOX_SYSCALLS_HANDLES),
	CALLS("personality", SANDBOX_SYSCALLS_PERSONALITY),
	CALLS("modules", SANDBOX_SYSCALLS_MODULES),
	CALLS("kexec", SANDBOX_SYSCALLS_KEXEC),
	CALLS("raw_io", SANDBOX_SYSCALLS_RAW_IO),
	CALLS("clock", SANDBOX_SYSCALLS_CLOCK),
	CALLS("admin", SANDBOX_SYSCALLS_ADMIN),
	CALLS("obsolete", SANDBOX_SYSCALLS_OBSOLETE),
	CALLS("setid", SANDBOX_SYSCALLS_SETID),

	LIMIT("memory_mb", SANDBOX_LIMIT_MEMORY_MB),
	LIMIT("cpu_s", SANDBOX_LIMIT_CPU_S),
	LIMIT("processes", SANDBOX_LIMIT_PROCESSES),
	LIMIT("files", SANDBOX_LIMIT_FILES),
	LIMIT("file_mb", SANDBOX_LIMIT_FILE_MB),
	LIMIT("core_mb", SANDBOX_LIMIT_CORE_MB),
	LIMIT("wall_ms", SANDBOX_LIMIT_WALL_MS),
	LIMIT("output_bytes", SANDBOX_LIMIT_OUTPUT_BYTES),
	SET("limits", "by_default", by_default, policy_limits),

	LIST("env", "keep", POLICY_KEEP_LIST, 0),
	LIST("env", "remove", POLICY_REMOVE_LIST, 0),
	LIST("env", "set", POLICY_SET_MAP, 0),

	NAMESPACE("user", SANDBOX_NS_USER),
	NAMESPACE("mount", SANDBOX_NS_MOUNT),
	NAMESPACE("pid", SANDBOX_NS_PID),
	NAMESPACE("net", SANDBOX_NS_NET),
	NAMESPACE("ipc", SANDBOX_NS_IPC),
	NAMESPACE("uts", SANDBOX_NS_UTS),

	CHOICE("unix_sockets", "mode", unix_sockets, policy_unixes),
	LIST("unix_sockets", "paths", POLICY_UNIX_LIST, 0),

	CHOICE(NULL, "tty", tty, policy_ttys),
	SET(NULL, "capabilities", capabilities, policy_capabilities),
	LIST(NULL, "inherit_fds", POLICY_FD_LIST, 0),

	MECHANISM("seccomp", SANDBOX_MECH_SECCOMP),
	MECHANISM("landlock-fs", SANDBOX_MECH_LANDLOCK_FS),
	MECHANISM("landlock-net", SANDBOX_MECH_LANDLOCK_NET),
	MECHANISM("landlock-scope", SANDBOX_MECH_LANDLOCK_SCOPE),
	MECHANISM("namespaces", SANDBOX_MECH_NAMESPACES),
	MECHANISM("capabilities", SANDBOX_MECH_CAPABILITIES),
	MECHANISM("no-new-privs", SANDBOX_MECH_NO_NEW_PRIVS),
	MECHANISM("rlimits", SANDBOX_MECH_RLIMITS),
	MECHANISM("cgroup", SANDBOX_MECH_CGROUP),
	MECHANISM("fds", SANDBOX_MECH_FDS),
	MECHANISM("env", SANDBOX_MECH_ENV),
	MECHANISM("tty", SANDBOX_MECH_TTY),
	MECHANISM("proc", SANDBOX_MECH_PROC),
};

const size_t policy_key_count = sizeof(policy_keys) / sizeof(policy_keys[0]);

static bool same_section(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

const struct policy_key *policy_key_find(const char *section, const char *name)
{
	for (size_t i = 0; i < policy_key_count; i++) {
		if (same_section(policy_keys[i].section, section) &&
		    strcmp(policy_keys[i].name, name) == 0)
			return &policy_keys[i];
	}
	return NULL;
}

/* 13 digits: what nobody needs more of, and far from where units could overflow. */
#define LIMIT_MAX UINT64_C(1000000000000)

static const struct {
	uint64_t min;
	uint64_t max;
} bounds[SANDBOX_LIMITS] = {
	[SANDBOX_LIMIT_MEMORY_MB] = {1, LIMIT_MAX},
	[SANDBOX_LIMIT_CPU_S] = {1, LIMIT_MAX},
	[SANDBOX_LIMIT_PROCESSES] = {1, LIMIT_MAX},
	[SANDBOX_LIMIT_FILES] = {4, LIMIT_MAX}, /* a program opens its libraries */
	[SANDBOX_LIMIT_FILE_MB] = {0, LIMIT_MAX},
	[SANDBOX_LIMIT_CORE_MB] = {0, LIMIT_MAX},
	[SANDBOX_LIMIT_WALL_MS] = {1, LIMIT_MAX},
	[SANDBOX_LIMIT_OUTPUT_BYTES] = {0, LIMIT_MAX},
};

uint64_t policy_limit_min(enum sandbox_limit limit)
{
	return bounds[limit].min;
}

uint64_t policy_limit_max(enum sandbox_limit limit)
{
	return bounds[limit].max;
}

const char *policy_group_name(int group)
{
	for (size_t i = 0; i < policy_key_count; i++)
		if (policy_keys[i].kind == POLICY_ACTION && policy_keys[i].index == group)
			return policy_keys[i].name;
	return "";
}
