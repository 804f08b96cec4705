/* What is known of the system calls of x86-64. */
#include "sandbox/denial_parts.h"

#include "sandbox/kernel_calls_linux.h"
#include <linux/capability.h>

#ifndef CAP_PERFMON
#define CAP_PERFMON 38 /* Linux 5.8 */
#endif

#define KNOWN(name_, act_, capability_, show_)                                                     \
	[SYS_##name_] = {#name_, ACT_##act_, capability_, show_, 0}
/* The same, of a call that takes the capability whoever owns what. */
#define NEEDS(name_, act_, capability_, show_, must_)                                              \
	[SYS_##name_] = {#name_, ACT_##act_, capability_, show_, must_}

static const struct call_known calls[KERNEL_CALLS_END] = {
#include "sandbox/denial_calls.def"

	KNOWN(open, OPEN, NO_CAPABILITY, "pom"),
	KNOWN(creat, CREATE, NO_CAPABILITY, "pm"),
	KNOWN(stat, SEE, NO_CAPABILITY, "px"),
	KNOWN(lstat, SEE, NO_CAPABILITY, "px"),
	KNOWN(access, SEE, NO_CAPABILITY, "pA"),
	KNOWN(readlink, SEE, NO_CAPABILITY, "pxu"),
	KNOWN(chmod, CHANGE, CAP_FOWNER, "pm"),
	KNOWN(chown, CHANGE, CAP_CHOWN, "pdd"),
	KNOWN(lchown, CHANGE, CAP_CHOWN, "pdd"),
	KNOWN(utime, CHANGE, CAP_FOWNER, "px"),
	KNOWN(utimes, CHANGE, CAP_FOWNER, "px"),
	KNOWN(futimesat, CHANGE, CAP_FOWNER, "fpx"),
	KNOWN(mkdir, MAKE, NO_CAPABILITY, "pm"),
	KNOWN(mknod, MAKE, CAP_MKNOD, "pmd"),
	KNOWN(symlink, MAKE, NO_CAPABILITY, "xp"),
	KNOWN(unlink, REMOVE, NO_CAPABILITY, "p"),
	KNOWN(rmdir, REMOVE, NO_CAPABILITY, "p"),
	KNOWN(rename, RENAME, NO_CAPABILITY, "pp"),
	KNOWN(renameat, RENAME, NO_CAPABILITY, "fpfp"),
	KNOWN(link, LINK, NO_CAPABILITY, "pp"),
	KNOWN(fork, SPAWN, NO_CAPABILITY, ""),
	KNOWN(vfork, SPAWN, NO_CAPABILITY, ""),
	KNOWN(dup2, OTHER, NO_CAPABILITY, "ff"),
	KNOWN(pipe, OTHER, NO_CAPABILITY, "x"),
	KNOWN(epoll_create, OTHER, NO_CAPABILITY, "d"),
	KNOWN(eventfd, OTHER, NO_CAPABILITY, "u"),
	KNOWN(signalfd, OTHER, NO_CAPABILITY, "fxu"),
	KNOWN(inotify_init, WATCH, NO_CAPABILITY, ""),
	NEEDS(iopl, OTHER, CAP_SYS_RAWIO, "d", CALL_MUST_IF(0)),
	NEEDS(ioperm, OTHER, CAP_SYS_RAWIO, "xud", CALL_MUST_IF(2)),
	KNOWN(modify_ldt, OTHER, NO_CAPABILITY, "dxu"),
	KNOWN(uselib, OTHER, NO_CAPABILITY, "p"),
	KNOWN(ustat, OTHER, NO_CAPABILITY, "xx"),
	KNOWN(sysfs, OTHER, NO_CAPABILITY, "dxx"),
};

const struct call_known *call_known(int number)
{
	if (number < 0 || number >= KERNEL_CALLS_END || !calls[number].name)
		return NULL;
	return &calls[number];
}
