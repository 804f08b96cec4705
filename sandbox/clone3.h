/* clone3(2) with a stack for the child, which libc does not offer. */
#ifndef SANDTAPE_SANDBOX_CLONE3_H
#define SANDTAPE_SANDBOX_CLONE3_H

#include <linux/sched.h>
#include <stddef.h>

/* In the parent the child's pid or a negative errno; the child, on the stack of `args`, calls
 * fn(arg), which must not return. */
long sandbox_clone3(struct clone_args *args, size_t size, void (*fn)(void *), void *arg);

#endif
