#include "sandbox/kept_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CAPABILITY(which) (UINT64_C(1) << (which))

/* Files of /proc whose opening asks for a capability in the first user namespace, whatever their
 * mode; 0: nothing can be read there. */
static const struct {
	const char *path;
	uint64_t capabilities; /* any of them */
} guarded[] = {
	{"/proc/kcore", CAPABILITY(CAP_SYS_RAWIO)},
	{"/proc/kmsg", CAPABILITY(CAP_SYSLOG) | CAPABILITY(CAP_SYS_ADMIN)},
	{"/proc/sysrq-trigger", 0},
};

static bool has_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	return syscall(SYS_capget, &header, data) < 0 || data[0].permitted || data[1].permitted;
}

void kept_find(struct kept *kept, const struct sandbox_policy *policy)
{
	bool drops = policy->strictness[SANDBOX_MECH_CAPABILITIES] == SANDBOX_STRICT_ENFORCE;

	getresuid(&kept->uid[0], &kept->uid[1], &kept->uid[2]);
	kept->by_modes = kept->uid[0] && kept->uid[1] && kept->uid[2] && !has_capabilities();
	kept->capabilities = drops || kept->by_modes ? policy->capabilities : ~UINT64_C(0);
}

static bool is_guarded(const struct kept *kept, const char *path)
{
	struct statfs fs;

	for (size_t i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++) {
		if (strcmp(guarded[i].path, path) == 0)
			return !(guarded[i].capabilities & kept->capabilities) &&
			       statfs("/proc", &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
	}
	return false;
}

static bool is_own(const struct kept *kept, const struct look *look)
{
	return look->uid == kept->uid[0] || look->uid == kept->uid[1] || look->uid == kept->uid[2];
}

static bool may(const char *path, int how)
{
	return faccessat(AT_FDCWD, path, how, AT_EACCESS | AT_SYMLINK_NOFOLLOW) == 0;
}

/* Of what is not there, or where it cannot be seen. */
static bool refuses_in_parent(const struct kept *kept, const char *path, int why)
{
	char parent[PATH_MAX];
	struct look look;
	size_t len = strlen(path);

	if (len >= sizeof(parent))
		return false;
	memcpy(parent, path, len + 1);
	do {
		char *slash = strrchr(parent, '/');

		slash[slash == parent] = '\0';
	} while (!look_at(parent, &look) && parent[1]);
	return !is_own(kept, &look) && !S_ISLNK(look.mode) &&
	       !may(parent, why == EACCES ? X_OK : W_OK);
}

bool kept_by_modes(const struct kept *kept, const char *path, const struct look *look)
{
	return kept->by_modes && !is_own(kept, look) && !S_ISLNK(look->mode) && !may(path, R_OK) &&
	       !may(path, W_OK) && !may(path, X_OK);
}

bool kept_refuses(const struct kept *kept, const char *path)
{
	struct look look;

	if (is_guarded(kept, path))
		return true;
	if (!kept->by_modes)
		return false;
	if (!look_at(path, &look))
		return refuses_in_parent(kept, path, look.error);
	return kept_by_modes(kept, path, &look);
}
