/* What of the host is kept from the user of this process anyway, by the modes of files or by the
 * kernel, from the inside. */
#ifndef SANDTAPE_SANDBOX_KEPT_LINUX_H
#define SANDTAPE_SANDBOX_KEPT_LINUX_H

#include "sandbox/policy.h"
#include "sandbox/resolve.h"
#include <sys/types.h>

struct kept {
	bool by_modes; /* whether they hold for this user, who has no capability */
	uid_t uid[3];
	uint64_t capabilities; /* that programs may have */
};

void kept_find(struct kept *kept, const struct sandbox_policy *policy);

/*
 * Whether the modes let the user neither read, write nor execute what is there, nor list or search
 * it, nor change its mode. Of a directory's content it is as true as of itself. `look` is at it.
 */
bool kept_by_modes(const struct kept *kept, const char *path, const struct look *look);

/* The same, or the kernel refuses to read it whatever the modes are; of what is not there, whether
 * the user cannot make it. */
bool kept_refuses(const struct kept *kept, const char *path);

#endif
