/* The table of system calls for x86-64. */
#include "sandbox/calls.h"

#include "sandbox/kernel_calls_linux.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

const struct call_rule call_rules[] = {
#include "sandbox/calls.def"

	CALL(PROCESSES, fork, 0),
	CALL(PROCESSES, vfork, 0),

	/* modify_ldt makes segments of 16 bits, for what runs programs of DOS and Windows. */
	CALL(RAW_IO, iopl, 0),
	CALL(RAW_IO, ioperm, 0),
	CALL(RAW_IO, modify_ldt, 0),

	CALL(OBSOLETE, uselib, 0),
	CALL(OBSOLETE, ustat, 0),
	CALL(OBSOLETE, sysfs, 0),

	CALL(SETID, chmod, 0, ARG_BITS(1, S_ISUID)),
	CALL(SETID, open, 0, ARG_BITS(1, O_CREAT | CALL_O_TMPFILE), ARG_BITS(2, S_ISUID | S_ISGID)),
	CALL(SETID, creat, 0, ARG_BITS(1, S_ISUID | S_ISGID)),
	CALL(SETID, mknod, 0, ARG_BITS(1, S_ISUID | S_ISGID)),
};

const size_t call_rule_count = sizeof(call_rules) / sizeof(call_rules[0]);
_Static_assert(sizeof(call_rules) / sizeof(call_rules[0]) <= CALL_RULES_MAX, "too many rules");

const uint32_t call_audit_arch = AUDIT_ARCH_X86_64;
const uint32_t call_foreign_from = 0x40000000; /* __X32_SYSCALL_BIT */
