/* Calls that the filter refuses and that take a capability, which the caller has outside or not. */
#include "sandbox/denial_test.h"

#include "sandbox/tree_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define NOTHING .want = NULL
#define FILTERED(call_, error_, ...)                                                               \
	SEEN_CALL(call_, error_), .filtered = true, .args = {__VA_ARGS__}
#define GROUP(name)	    "seccomp kernel: the group " name " of system calls is refused"
#define GROUP_ALLOWED(name) "{\"syscalls\": {\"" name "\": \"allow\"}}"

static const struct denial_row privileged[] = {
	{"",
	 {FILTERED(sethostname, EPERM)},
	 .had = CAP(SYS_ADMIN),
	 .want = GROUP("admin"),
	 .option = "--allow admin",
	 .policy_want = GROUP_ALLOWED("admin")},
	{"", {FILTERED(sethostname, EPERM)}, NOTHING},
	{"", {FILTERED(sethostname, EPERM)}, .had = CAP(SYS_TIME)},
	{"\"syscalls\": {\"admin\": \"ENOSYS\"}", {FILTERED(sethostname, ENOSYS)}, NOTHING},
	{"", {FILTERED(mount, EPERM)}, NOTHING},
	{"", {FILTERED(clock_settime, EPERM)}, NOTHING},
	{"", {FILTERED(iopl, EPERM, 3)}, NOTHING},
	{"", {FILTERED(ioperm, EPERM, 0, 1, 1)}, NOTHING},
	{"", {FILTERED(unshare, EPERM, CLONE_NEWNS)}, NOTHING},
	{"", {FILTERED(clone, EPERM, CLONE_NEWNET)}, NOTHING},
	{"", {FILTERED(socket, EPERM, AF_PACKET, SOCK_RAW | SOCK_CLOEXEC)}, NOTHING},
	{"", {FILTERED(socket, EACCES, AF_INET6, SOCK_RAW, 58)}, NOTHING},
	/* These do not take it. */
	{"",
	 {FILTERED(iopl, EPERM, 0)},
	 .want = GROUP("raw_io"),
	 .option = "--allow raw_io",
	 .policy_want = GROUP_ALLOWED("raw_io")},
	{"",
	 {FILTERED(clone, EPERM, CLONE_NEWUSER | CLONE_NEWNET)},
	 .want = GROUP("namespaces"),
	 .option = "--allow namespaces",
	 .policy_want = GROUP_ALLOWED("namespaces")},
	{"",
	 {FILTERED(adjtimex, EPERM)},
	 .want = GROUP("clock"),
	 .option = "--allow clock",
	 .policy_want = GROUP_ALLOWED("clock")},
	/* In a user namespace that is the sandbox's, or the program's own, it may have it. */
	{"\"capabilities\": [\"sys_admin\"]",
	 {FILTERED(sethostname, EPERM)},
	 .want = GROUP("admin"),
	 .option = "--allow admin",
	 .policy_want = GROUP_ALLOWED("admin")},
	{"\"syscalls\": {\"namespaces\": \"allow\"}",
	 {FILTERED(sethostname, EPERM)},
	 .want = GROUP("admin"),
	 .option = "--allow admin",
	 .policy_want = GROUP_ALLOWED("admin")},
	/* Outside the program would have gone on. */
	{"\"syscalls\": {\"admin\": \"trap\"}",
	 {.what = SANDBOX_SEEN_SIGNAL, .signal = SIGSYS, .code = 1, .number = SYS_sethostname},
	 .want = GROUP("admin"),
	 .option = "--allow admin",
	 .policy_want = GROUP_ALLOWED("admin")},
};

DENIAL_ROWS(privileged_rows, privileged)

Suite *sandbox_denial_privileged_suite(void)
{
	Suite *s = suite_create("sandbox_denial_privileged");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, tree_enter, tree_leave);
	tcase_add_loop_test(t, privileged_rows, 0, DENIAL_COUNT(privileged));
	suite_add_tcase(s, t);
	return s;
}
