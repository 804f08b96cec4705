/* Descriptors that stay open, and those that do not. */
#include "sandbox/fds.h"

#include "sandbox/kernel.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>

/* Of <linux/close_range.h>, which glibc before 2.34 lacks. */
#define RANGE_CLOEXEC 4

#define FIRST 3U

int fds_prepare(const struct judge *judge, struct fds *ret)
{
	const struct policy_numbers *numbers = &judge->policy->fds;
	struct fds fds = {.off = judge_is_off(judge, SANDBOX_MECH_FDS)};

	if (!fds.off && numbers->count) {
		fds.kept = malloc(numbers->count * sizeof(*fds.kept));
		if (!fds.kept)
			return error_no_memory(judge->err);
		memcpy(fds.kept, numbers->item, numbers->count * sizeof(*fds.kept));
		fds.count = numbers->count;
	}
	if (!fds.off)
		judge_enforced(judge, SANDBOX_MECH_FDS,
			       fds.count ? "0 to 2 and those that the policy keeps" : "0 to 2");
	*ret = fds;
	return 0;
}

void fds_free(struct fds *fds)
{
	free(fds->kept);
	*fds = (struct fds){0};
}

int fds_check(const struct fds *fds, struct error *err)
{
	for (size_t i = 0; i < fds->count; i++) {
		if (fcntl((int)fds->kept[i], F_GETFD) < 0)
			return error_set(err, ERR_INVALID,
					 "the policy keeps descriptor %u, which is not open",
					 fds->kept[i]);
	}
	return 0;
}

/* --- in the process --------------------------------------------------------------------------- */

static int set_flags(unsigned fd, int flags)
{
	return (int)kernel_call(SYS_fcntl, (long)fd, F_SETFD, flags);
}

static int keep(const struct fds *fds)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < fds->count; i++)
		rc = set_flags(fds->kept[i], 0);
	return rc;
}

static int mark_range(unsigned first, unsigned last)
{
	return first > last
		       ? 0
		       : (int)kernel_call(SYS_close_range, (long)first, (long)last, RANGE_CLOEXEC);
}

/* What lies between those that are kept, and after the last. */
static int mark_others(const struct fds *fds)
{
	unsigned next = FIRST;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < fds->count; i++) {
		rc = mark_range(next, fds->kept[i] - 1);
		next = fds->kept[i] + 1;
	}
	return rc < 0 ? rc : mark_range(next, UINT_MAX);
}

/* -1 for "." and "..". No more than ten digits. */
static long parse_fd(const char *name)
{
	long fd = 0;

	if (!*name)
		return -1;
	for (; *name; name++) {
		if (*name < '0' || *name > '9')
			return -1;
		fd = fd * 10 + (*name - '0');
	}
	return fd;
}

static int mark_entries(const char *entries, long len)
{
	int rc = 0;

	for (long at = 0; rc == 0 && at < len;) {
		const struct dirent64 *entry = (const void *)(entries + at);
		long fd = parse_fd(entry->d_name);

		if (fd >= (long)FIRST)
			rc = set_flags((unsigned)fd, FD_CLOEXEC);
		at += entry->d_reclen;
	}
	return rc;
}

int fds_apply_listed(const struct fds *fds)
{
	_Alignas(struct dirent64) char entries[2048];
	long list, len;
	int rc = 0;

	if (fds->off)
		return 0;
	list = kernel_call(SYS_openat, AT_FDCWD, (long)"/proc/self/fd",
			   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (list < 0)
		return (int)list;
	do {
		len = kernel_call(SYS_getdents64, list, (long)entries, sizeof(entries));
		rc = len < 0 ? (int)len : mark_entries(entries, len);
	} while (rc == 0 && len > 0);
	kernel_call(SYS_close, list, 0, 0);
	return rc < 0 ? rc : keep(fds);
}

int fds_apply(const struct fds *fds)
{
	int rc = fds->off ? 0 : mark_others(fds);

	if (rc == -ENOSYS || rc == -EINVAL)
		return fds_apply_listed(fds);
	return rc < 0 ? rc : keep(fds);
}
