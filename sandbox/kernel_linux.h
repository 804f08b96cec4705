/*
 * The interface of Landlock as the kernel has it up to ABI 11, for headers that are older: Debian
 * 12's end with ABI 2. The names are our own, so that newer headers do not get in the way; a test
 * holds the values against those that the headers have.
 *
 * By ABI and the first Linux with it (include/uapi/linux/landlock.h and
 * Documentation/userspace-api/landlock.rst of the kernel):
 *
 *	1  5.13  files and directories
 *	2  5.19  REFER
 *	3  6.2   TRUNCATE
 *	4  6.7   TCP ports
 *	5  6.10  IOCTL_DEV
 *	6  6.12  scopes
 *	7  6.15  flags for the audit log
 *	8  7.0   TSYNC
 *	9  7.1   RESOLVE_UNIX
 *	10 7.2   UDP ports; rules that are quiet in the audit log
 *	11 7.3   NO_NEW_PRIVS, a flag
 *
 * What only the log is concerned with, TSYNC and NO_NEW_PRIVS are not used: the first changes no
 * access, and the thread that applies a plan sets no_new_privs itself and restricts nobody else.
 */
#ifndef SANDTAPE_SANDBOX_KERNEL_LINUX_H
#define SANDTAPE_SANDBOX_KERNEL_LINUX_H

#include <stdint.h>
#include <sys/syscall.h>

/* Of 5.13, and the same on every architecture. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule	    445
#define SYS_landlock_restrict_self  446
#endif

#define LL_ABI_LAST 11

/* ABI 1. Files have EXECUTE, WRITE_FILE and READ_FILE; the rest is of directories. */
#define LL_FS_EXECUTE	   (UINT64_C(1) << 0)
#define LL_FS_WRITE_FILE   (UINT64_C(1) << 1)
#define LL_FS_READ_FILE	   (UINT64_C(1) << 2)
#define LL_FS_READ_DIR	   (UINT64_C(1) << 3)
#define LL_FS_REMOVE_DIR   (UINT64_C(1) << 4)
#define LL_FS_REMOVE_FILE  (UINT64_C(1) << 5)
#define LL_FS_MAKE_CHAR	   (UINT64_C(1) << 6)
#define LL_FS_MAKE_DIR	   (UINT64_C(1) << 7)
#define LL_FS_MAKE_REG	   (UINT64_C(1) << 8)
#define LL_FS_MAKE_SOCK	   (UINT64_C(1) << 9)
#define LL_FS_MAKE_FIFO	   (UINT64_C(1) << 10)
#define LL_FS_MAKE_BLOCK   (UINT64_C(1) << 11)
#define LL_FS_MAKE_SYM	   (UINT64_C(1) << 12)
/* ABI 2. Before it, and where it is not handled, nothing is moved between directories. */
#define LL_FS_REFER	   (UINT64_C(1) << 13)
/* ABI 3; of files. */
#define LL_FS_TRUNCATE	   (UINT64_C(1) << 14)
/* ABI 5; of files. */
#define LL_FS_IOCTL_DEV	   (UINT64_C(1) << 15)
/* ABI 9; of files. Of sockets that were made outside the domain only. */
#define LL_FS_RESOLVE_UNIX (UINT64_C(1) << 16)

/* ABI 4. */
#define LL_NET_BIND_TCP		(UINT64_C(1) << 0)
#define LL_NET_CONNECT_TCP	(UINT64_C(1) << 1)
/* ABI 10. */
#define LL_NET_BIND_UDP		(UINT64_C(1) << 2)
#define LL_NET_CONNECT_SEND_UDP (UINT64_C(1) << 3)

/* ABI 6. */
#define LL_SCOPE_ABSTRACT_UNIX (UINT64_C(1) << 0)
#define LL_SCOPE_SIGNAL	       (UINT64_C(1) << 1)

/* Flags of landlock_create_ruleset(). */
#define LL_CREATE_VERSION 1U

/* Kinds of rules. */
#define LL_RULE_PATH_BENEATH 1
#define LL_RULE_NET_PORT     2 /* ABI 4 */

/* 8 bytes of it in ABI 1, 16 in 4, 24 in 6, 48 in 10. A kernel that knows less of it takes all of
 * it when what it does not know is zero. */
struct ll_ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

struct ll_path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

struct ll_net_port_attr {
	uint64_t allowed_access;
	uint64_t port; /* in the order of the host's bytes */
};

#endif
