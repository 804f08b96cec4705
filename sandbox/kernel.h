/* System calls of a layer while it is applied: perhaps in the memory of the parent, so that the
 * parent's errno must not change. */
#ifndef SANDTAPE_SANDBOX_KERNEL_H
#define SANDTAPE_SANDBOX_KERNEL_H

#include <errno.h>
#include <unistd.h>

/* What the call returns, or a negative errno. */
static inline long kernel_call4(long number, long a, long b, long c, long d)
{
	int saved = errno;
	long rc = syscall(number, a, b, c, d, 0L);

	if (rc < 0)
		rc = -errno;
	errno = saved;
	return rc;
}

static inline long kernel_call(long number, long a, long b, long c)
{
	return kernel_call4(number, a, b, c, 0);
}

#endif
