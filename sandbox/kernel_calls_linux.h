/* System calls that are newer than the headers which sandtape builds with. All machines have the
 * same numbers from 424 on. */
#ifndef SANDTAPE_SANDBOX_KERNEL_CALLS_LINUX_H
#define SANDTAPE_SANDBOX_KERNEL_CALLS_LINUX_H

#include <sys/syscall.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* Linux 6.6 */
#endif
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467 /* Linux 6.15 */
#endif

/* Behind the last one that calls.def was read against: rseq_slice_yield of Linux 7.0. */
#define KERNEL_CALLS_END 472

/* Below that, kernels may have calls one day; above, tracers have made-up ones. */
#define KERNEL_CALLS_ROOM 1024

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#endif
