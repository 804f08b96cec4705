/* clone3(2) and clone(2) with a stack for the child, which libc does not offer as they are. */
#ifndef SANDTAPE_SANDBOX_CLONE_H
#define SANDTAPE_SANDBOX_CLONE_H

#include <linux/sched.h>
#include <stddef.h>

/* In the parent the child's pid or a negative errno; the child, on the stack of `args`, calls
 * fn(arg), which must not return. */
long sandbox_clone3(struct clone_args *args, size_t size, void (*fn)(void *), void *arg);

/* The same by the older call: `top` is the end of the stack, the low byte of the flags the signal.
 */
long sandbox_clone(unsigned long flags, void *top, int *pidfd, void (*fn)(void *), void *arg);

#endif
