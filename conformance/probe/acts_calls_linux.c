/* Acts that are system calls, and nothing else. */
#include "conformance/probe/probe.h"

#include <errno.h>

long probe_answer(long rc)
{
	return rc == -EFAULT || rc == -EINVAL || rc == -EBADF || rc == -E2BIG ? 0 : rc;
}

/* The call whose number is `arg`, with arguments that no call can use. */
long act_bad_call(struct probe *p)
{
	return probe_answer(CALL6(p->arg, -1, -1, -1, -1, -1, -1));
}
