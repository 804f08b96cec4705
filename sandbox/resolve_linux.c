/* What only Linux tells of paths. */
#include "sandbox/resolve.h"

#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

/* Links of /proc: /proc/PID/exe, cwd, root and fd/N lead to an object, whatever their text says.
 * Those that are links like others (self, mounts, net) have relative text without a colon. */
bool resolve_is_magic(const char *link, const char *target)
{
	char dir[4096];
	const char *slash = strrchr(link, '/');
	size_t len = slash && slash > link ? (size_t)(slash - link) : 1;
	struct statfs fs;

	if (target[0] != '/' && !strchr(target, ':'))
		return false;
	if (len >= sizeof(dir))
		return true;
	memcpy(dir, link, len);
	dir[len] = '\0';
	/* In doubt it is one: it is refused then. */
	return statfs(dir, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC;
}
