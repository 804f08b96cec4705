/* Observations of calls that have no path, of signals and of ends. */
#include "sandbox/denial_test.h"

#include "sandbox/kernel_linux.h"
#include "sandbox/tree_test.h"
#include "tools/tests.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define NOTHING .want = NULL
#define YES	.outside = SANDBOX_OUTSIDE_YES
#define NO	.outside = SANDBOX_OUTSIDE_NO

/* --- the filter of system calls
 * ------------------------------------------------------------------- */

#define FILTERED(call_, error_, ...)                                                               \
	SEEN_CALL(call_, error_), .filtered = true, .args = {__VA_ARGS__}
#define TCP_443		    "\"net\": {\"mode\": \"tcp\", \"tcp_connect\": [443]}"
#define SECCOMP		    "seccomp kernel: "
#define GROUP(name)	    SECCOMP "the group " name " of system calls is refused"
#define GROUP_ALLOWED(name) "{\"syscalls\": {\"" name "\": \"allow\"}}"
/* No option takes ports away, which contradict the mode. */
#define NO_PORTS	    "{\"net\": {\"mode\": \"full\", \"tcp_connect\": []}}"
#define NET_FULL	    "{\"net\": {\"mode\": \"full\"}}"

static const struct denial_row filters[] = {
	{"",
	 {FILTERED(ptrace, EPERM)},
	 .want = GROUP("debug"),
	 .option = "--allow debug",
	 .policy_want = GROUP_ALLOWED("debug")},
	{"",
	 {FILTERED(unshare, EPERM, CLONE_NEWUSER)},
	 .want = GROUP("namespaces"),
	 .option = "--allow namespaces",
	 .policy_want = GROUP_ALLOWED("namespaces")},
	{"", {FILTERED(unshare, EPERM, CLONE_FS)}, NOTHING},
	{"",
	 {FILTERED(shmget, EPERM)},
	 .want = GROUP("ipc"),
	 .option = "--allow ipc",
	 .policy_want = GROUP_ALLOWED("ipc")},
	{"",
	 {FILTERED(fchmodat, EPERM, 0, 0, 04755)},
	 .want = GROUP("setid"),
	 .option = "--allow setid",
	 .policy_want = GROUP_ALLOWED("setid")},
	{"",
	 {FILTERED(ioctl, EPERM, 0, 0x5412)},
	 .want = GROUP("tty_inject"),
	 .option = "--allow tty_inject",
	 .policy_want = GROUP_ALLOWED("tty_inject")},
	{"\"level\": \"read_only\"",
	 {FILTERED(fork, EPERM)},
	 .want = GROUP("processes"),
	 .option = "--allow processes",
	 .policy_want = GROUP_ALLOWED("processes")},
	/* Two groups refuse it. */
	{"\"level\": \"read_only\"",
	 {FILTERED(clone, EPERM, CLONE_NEWPID)},
	 .had = CAP(SYS_ADMIN),
	 .want = GROUP("processes"),
	 .option = "--allow processes --allow namespaces",
	 .policy_want = "{\"syscalls\": {\"processes\": \"allow\", \"namespaces\": \"allow\"}}"},
	/* The C library goes back to clone. */
	{"", {FILTERED(clone3, ENOSYS)}, NOTHING},
	{"",
	 {.what = SANDBOX_SEEN_CALL, .number = 600, .error = ENOSYS, .filtered = true},
	 NOTHING},
	/* A filter of the program's own. */
	{"", {FILTERED(getpid, EPERM)}, NOTHING},
	{"\"syscalls\": {\"debug\": \"allow\"}", {FILTERED(ptrace, EPERM)}, NOTHING},
	{"\"syscalls\": {\"debug\": \"log\"}", {FILTERED(ptrace, EPERM)}, NOTHING},
	{"", {SEEN_CALL(ptrace, EPERM)}, NOTHING},
	{"",
	 {FILTERED(socket, EACCES, AF_INET, SOCK_STREAM)},
	 .want = SECCOMP "net.mode is \"none\"",
	 .option = "--net full",
	 .policy_want = NET_FULL},
	{"",
	 {FILTERED(socket, EACCES, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)},
	 .want = SECCOMP "net.mode is \"none\"",
	 .option = "--net full",
	 .policy_want = NET_FULL},
	{TCP_443,
	 {FILTERED(socket, EACCES, AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 17)},
	 .want = SECCOMP "net.mode is \"tcp\"",
	 .policy_want = NO_PORTS},
	{TCP_443, {FILTERED(socket, EACCES, AF_INET, SOCK_STREAM, IPPROTO_TCP)}, NOTHING},
	/* The network is not all that a raw socket takes. */
	{"",
	 {FILTERED(socket, EACCES, AF_INET, SOCK_RAW, 1)},
	 .had = CAP(NET_RAW),
	 .want = SECCOMP "net.mode is \"none\"",
	 .option = "--allow sockets --net full",
	 .policy_want = "{\"net\": {\"mode\": \"full\"}, \"syscalls\": {\"sockets\": \"allow\"}}"},
	{"",
	 {FILTERED(socket, EPERM, AF_PACKET, SOCK_RAW)},
	 .had = CAP(NET_RAW),
	 .want = GROUP("sockets"),
	 .option = "--allow sockets",
	 .policy_want = GROUP_ALLOWED("sockets")},
	{TCP_443,
	 {FILTERED(sendto, EOPNOTSUPP, 3, 0, 1, MSG_FASTOPEN)},
	 .want = SECCOMP "net.mode is \"tcp\", whose ports this would go around",
	 .policy_want = NO_PORTS},
	{TCP_443,
	 {FILTERED(setsockopt, ENOENT, 3, IPPROTO_TCP, TCP_ULP)},
	 .want = SECCOMP "net.mode is \"tcp\", whose ports this would go around",
	 .policy_want = NO_PORTS},
	{"\"unix_sockets\": {\"mode\": \"none\"}",
	 {FILTERED(socket, EACCES, AF_UNIX, SOCK_STREAM)},
	 .want = SECCOMP "unix_sockets.mode is \"none\"",
	 .policy_want = "{\"unix_sockets\": {\"mode\": \"inside\"}}"},
	/* It makes sockets past the filter. */
	{"",
	 {FILTERED(io_uring_setup, EPERM)},
	 .want = GROUP("io_uring"),
	 .option = "--allow io_uring --net loopback",
	 .policy_want =
		 "{\"net\": {\"mode\": \"loopback\"}, \"syscalls\": {\"io_uring\": \"allow\"}}"},
	{"\"unix_sockets\": {\"mode\": \"all\"}",
	 {FILTERED(io_uring_setup, EPERM)},
	 .in_place = true,
	 .want = GROUP("io_uring"),
	 .option = "--allow io_uring --net full",
	 .policy_want = "{\"net\": {\"mode\": \"full\"}, \"syscalls\": {\"io_uring\": \"allow\"}}"},
	{"\"net\": {\"mode\": \"full\"}",
	 {FILTERED(io_uring_setup, EPERM)},
	 .want = GROUP("io_uring"),
	 .option = "--allow io_uring",
	 .policy_want = GROUP_ALLOWED("io_uring")},
	{"\"net\": {\"mode\": \"full\"}",
	 {.what = SANDBOX_SEEN_CALL,
	  .arch = 0x40000003,
	  .number = 20,
	  .error = EPERM,
	  .filtered = true},
	 .want = GROUP("foreign_abi") ": this one is of another machine (32 bit)",
	 .option = "--allow foreign_abi",
	 .policy_want = GROUP_ALLOWED("foreign_abi")},
	{"\"net\": {\"mode\": \"full\"}",
	 {.what = SANDBOX_SEEN_CALL, .number = 0x40000014, .error = EPERM, .filtered = true},
	 .want = GROUP("foreign_abi") ": this one is of x32",
	 .option = "--allow foreign_abi",
	 .policy_want = GROUP_ALLOWED("foreign_abi")},
	{"\"syscalls\": {\"debug\": \"trap\"}",
	 {.what = SANDBOX_SEEN_SIGNAL, .signal = SIGSYS, .code = 1, .number = SYS_ptrace},
	 .want = GROUP("debug"),
	 .option = "--allow debug",
	 .policy_want = GROUP_ALLOWED("debug")},
	{"\"syscalls\": {\"debug\": \"kill\"}",
	 {.what = SANDBOX_SEEN_SIGNAL, .signal = SIGSYS, .code = SI_USER, .number = SYS_ptrace},
	 NOTHING},
	{"\"strictness\": {\"seccomp\": \"off\"}", {FILTERED(ptrace, EPERM)}, NOTHING},
};

/* --- the network
 * ------------------------------------------------------------------------------------ */

#define IP4(a, port)                                                                               \
	{                                                                                          \
		.sin_family = AF_INET, .sin_port = (in_port_t)((port) >> 8 | ((port)&255) << 8),   \
		.sin_addr.s_addr = (a)                                                             \
	}

static const struct sockaddr_in web = IP4(0x01020304, 443), www = IP4(0x01020304, 80),
				home = IP4(0x0100007f, 8080), any = IP4(0, 0),
				all = IP4(0xffffffff, 9), low = IP4(0, 25);
static const struct sockaddr_un abstract = {AF_UNIX, "\0bus"}, file = {AF_UNIX, "/run/x/bus"};

#define TO(address_) .address = (const void *)&(address_), .address_len = sizeof(address_)
#define SCOPE	     "unix_sockets.mode is \"inside\", and it was made outside"

static const struct denial_row networks[] = {
	{TCP_443,
	 {SEEN_CALL(connect, EACCES), TO(www)},
	 .want = "landlock-net observed: the port 80 is not in net.tcp_connect",
	 .option = "--tcp-connect 80",
	 .policy_want = "{\"net\": {\"mode\": \"tcp\", \"tcp_connect\": [443, 80]}}"},
	{TCP_443, {SEEN_CALL(connect, EACCES), TO(web)}, NOTHING},
	{TCP_443, {SEEN_CALL(connect, ECONNREFUSED), TO(www)}, NOTHING},
	{TCP_443, {SEEN_CALL(connect, ENETUNREACH), TO(www)}, NOTHING},
	{TCP_443, {SEEN_CALL(connect, EACCES), TO(all)}, NOTHING},
	{TCP_443, {SEEN_CALL(connect, EACCES), TO(www), NO}, NOTHING},
	{"",
	 {SEEN_CALL(connect, EACCES), TO(www)},
	 .want = "landlock-net observed: net.mode is \"none\"",
	 .option = "--tcp-connect 80",
	 .policy_want = "{\"net\": {\"mode\": \"tcp\", \"tcp_connect\": [80]}}"},
	{TCP_443,
	 {SEEN_CALL(listen, EACCES), .filtered = true, .args = {3, 5}},
	 .want = "seccomp kernel: net.mode is \"tcp\" without a port in net.tcp_bind: nothing "
		 "listens, since the system could choose a port",
	 .option = "--tcp-bind 0",
	 .policy_want = "{\"net\": {\"mode\": \"tcp\", \"tcp_bind\": [0]}}"},
	{TCP_443,
	 {SEEN_CALL(bind, EACCES), TO(home)},
	 .want = "landlock-net observed: the port 8080 is not in net.tcp_bind",
	 .option = "--tcp-bind 8080",
	 .policy_want = "{\"net\": {\"mode\": \"tcp\", \"tcp_bind\": [8080]}}"},
	{TCP_443,
	 {SEEN_CALL(bind, EACCES), TO(any)},
	 .want = "landlock-net observed: the port 0 is not in net.tcp_bind",
	 .option = "--tcp-bind 0",
	 .policy_want = "{\"net\": {\"mode\": \"tcp\", \"tcp_bind\": [0]}}"},
	/* An ordinary user may not bind to it anyway; root may. */
	{TCP_443, {SEEN_CALL(bind, EACCES), TO(low)}, NOTHING},
	{TCP_443,
	 {SEEN_CALL(bind, EACCES), TO(low), YES},
	 .want = "landlock-net observed: the port 25 is not in net.tcp_bind",
	 .option = "--tcp-bind 25",
	 .policy_want = "{\"net\": {\"mode\": \"tcp\", \"tcp_bind\": [25]}}"},
	{"\"net\": {\"mode\": \"full\"}", {SEEN_CALL(bind, EACCES), TO(low)}, NOTHING},
	{"\"net\": {\"mode\": \"full\"}",
	 {SEEN_CALL(bind, EACCES), TO(low)},
	 .had = CAP(NET_BIND_SERVICE),
	 .want = "capabilities observed: the capability net_bind_service has been dropped",
	 .policy_want = "{\"capabilities\": [\"net_bind_service\"]}"},
	{"\"net\": {\"mode\": \"full\"}", {SEEN_CALL(connect, EACCES), TO(www)}, NOTHING},
	{"\"net\": {\"mode\": \"loopback\"}",
	 {SEEN_CALL(connect, ENETUNREACH), TO(www)},
	 .want = "namespaces inferred: the network is one of its own: a loopback",
	 .option = "--net full",
	 .policy_want = NET_FULL},
	{"\"net\": {\"mode\": \"loopback\"}",
	 {SEEN_CALL(bind, EADDRNOTAVAIL), TO(web)},
	 .want = "namespaces inferred: the network is one of its own: a loopback",
	 .option = "--net full",
	 .policy_want = NET_FULL},
	{"\"net\": {\"mode\": \"loopback\"}",
	 {SEEN_CALL(connect, ECONNREFUSED), TO(home)},
	 NOTHING},
	{"\"net\": {\"mode\": \"loopback\"}",
	 {SEEN_CALL(connect, EADDRNOTAVAIL), TO(home)},
	 NOTHING},
	{"",
	 {SEEN_CALL(connect, EPERM), TO(abstract)},
	 .want = "landlock-scope observed: " SCOPE,
	 .policy_want = "{\"unix_sockets\": {\"mode\": \"all\"}}"},
	{"", {SEEN_CALL(connect, ECONNREFUSED), TO(abstract)}, NOTHING},
	{"\"net\": {\"mode\": \"loopback\"}",
	 {SEEN_CALL(connect, ECONNREFUSED), TO(abstract), YES},
	 .want = "namespaces inferred: the network is one of its own, with its own abstract names",
	 .policy_want = "{\"net\": {\"mode\": \"full\"}, \"unix_sockets\": {\"mode\": \"all\"}}"},
	{"\"unix_sockets\": {\"mode\": \"all\"}",
	 {SEEN_CALL(connect, EPERM), TO(abstract)},
	 NOTHING},
	{"", {SEEN_CALL(connect, EACCES), TO(file), .path = "/run/x/bus", NO}, NOTHING},
	{"", {SEEN_CALL(connect, EACCES), .address = NULL}, NOTHING},
};

/* Of kernels that this one may not be. */
START_TEST(sockets_in_files_are_landlocks_from_linux_7_1_on)
{
	struct sandbox_plan *plan =
		denial_plan("\"unix_sockets\": {\"paths\": [\"?/run/x\"]}", SANDBOX_PLAN_START);
	struct landlock *l = &((struct variant *)plan_likely(plan))->landlock;
	struct sandbox_observation seen = {SEEN_CALL(connect, EACCES), TO(file), .arch = 0xc000003e,
					   .path = "/srv/bus"};
	struct sandbox_denial got;

	l->fs &= ~LL_FS_RESOLVE_UNIX;
	ck_assert_int_eq(sandbox_explain(plan, &seen, &got, NULL), 0);
	l->fs |= LL_FS_RESOLVE_UNIX;
	ck_assert_int_eq(sandbox_explain(plan, &seen, &got, NULL), 1);
	ck_assert_int_eq(got.mechanism, SANDBOX_MECH_LANDLOCK_FS);
	ck_assert_str_eq(got.policy,
			 "{\"unix_sockets\": {\"paths\": [\"?/run/x\", \"/srv/bus\"]}}");
	ck_assert_str_eq(got.option, "");
	sandbox_plan_free(plan);
}
END_TEST

/* --- processes
 * --------------------------------------------------------------------------------------- */

#define NO_PIDS "\"namespaces\": {\"pid\": \"off\"}"
#define SIGNALS "processes outside are sent no signals"
#define SCOPE_OFF                                                                                  \
	.option = "--strictness landlock-scope=off",                                               \
	.policy_want = "{\"strictness\": {\"landlock-scope\": \"off\"}}"

static const struct denial_row processes[] = {
	{NO_PIDS,
	 {SEEN_CALL(kill, EPERM), .args = {500, SIGTERM}},
	 .want = "landlock-scope inferred: " SIGNALS,
	 SCOPE_OFF},
	{NO_PIDS,
	 {SEEN_CALL(kill, EPERM), .args = {1, SIGTERM}},
	 .had = CAP(KILL),
	 .want = "landlock-scope observed: " SIGNALS,
	 SCOPE_OFF},
	{NO_PIDS,
	 {SEEN_CALL(tgkill, EPERM), .args = {500, 500, SIGTERM}, YES},
	 .want = "landlock-scope observed: " SIGNALS,
	 SCOPE_OFF},
	/* Nobody but root could do that outside. */
	{NO_PIDS, {SEEN_CALL(kill, EPERM), .args = {1, SIGTERM}}, NOTHING},
	{NO_PIDS, {SEEN_CALL(kill, EPERM), .args = {500, SIGTERM}, NO}, .had = CAP(KILL)},
	{NO_PIDS, {SEEN_CALL(kill, ESRCH), .args = {500, SIGTERM}, YES}, NOTHING},
	{"", {SEEN_CALL(kill, EPERM), .args = {500, SIGTERM}}, NOTHING},
	{"", {SEEN_CALL(kill, ESRCH), .args = {500, SIGTERM}}, NOTHING},
	{"",
	 {SEEN_CALL(kill, ESRCH), .args = {500, SIGTERM}, YES},
	 .want = "namespaces inferred: the processes are those of the sandbox's own pid namespace",
	 .policy_want = "{\"namespaces\": {\"pid\": \"off\"}, \"strictness\": "
			"{\"landlock-scope\": \"off\"}}"},
	{"",
	 {SEEN_CALL(setuid, EPERM)},
	 .had = CAP(SETUID),
	 .want = "capabilities observed: the capability setuid has been dropped",
	 .policy_want = "{\"capabilities\": [\"setuid\"]}"},
	{"", {SEEN_CALL(setuid, EPERM)}, NOTHING},
	{"", {SEEN_CALL(setuid, EINVAL)}, .had = CAP(SETUID)},
	{"",
	 {SEEN_CALL(setpriority, EACCES)},
	 .had = CAP(SYS_NICE),
	 .want = "capabilities observed: the capability sys_nice has been dropped",
	 .policy_want = "{\"capabilities\": [\"sys_nice\"]}"},
	{"\"strictness\": {\"capabilities\": \"off\"}",
	 {SEEN_CALL(setuid, EPERM)},
	 .had = CAP(SETUID)},
	{"\"syscalls\": {\"namespaces\": \"allow\"}",
	 {SEEN_CALL(unshare, EPERM), .args = {CLONE_NEWNS}},
	 .had = CAP(SYS_ADMIN),
	 .want = "capabilities observed: the capability sys_admin has been dropped",
	 .policy_want = "{\"capabilities\": [\"sys_admin\"]}"},
	{"\"syscalls\": {\"namespaces\": \"allow\"}",
	 {SEEN_CALL(unshare, EPERM), .args = {CLONE_NEWUSER}},
	 .had = CAP(SYS_ADMIN)},
};

/* --- limits
 * ------------------------------------------------------------------------------------------- */

/* No groups, whatever the host lets be made. */
#define LIMITS(rest) "\"limits\": {" rest "}, \"strictness\": {\"cgroup\": \"off\"}"
#define BIG	     (UINT64_C(3) << 30)
#define PRIVATE_MAP                                                                                \
	{                                                                                          \
		0, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS                        \
	}
#define SHARED_MAP                                                                                 \
	{                                                                                          \
		0, BIG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS                         \
	}

static const struct denial_row limit_rows[] = {
	{LIMITS("\"files\": 64"),
	 {SEEN_CALL(dup, EMFILE), .limit = 64},
	 .want = "rlimits observed: limits.files is 64",
	 .option = "--files 128",
	 .policy_want = "{\"limits\": {\"files\": 128}}"},
	/* The program's own. */
	{LIMITS("\"files\": 64"), {SEEN_CALL(dup, EMFILE), .limit = 32}, NOTHING},
	{LIMITS("\"files\": null"), {SEEN_CALL(dup, EMFILE), .limit = 1024}, NOTHING},
	{LIMITS("\"files\": 64"), {SEEN_CALL(inotify_init1, EMFILE), .limit = 64}, NOTHING},
	{LIMITS("\"files\": 64"), {SEEN_CALL(dup, ENFILE), .limit = 64}, NOTHING},
	{"\"limits\": {\"files\": 64}, \"strictness\": {\"rlimits\": \"off\", \"cgroup\": \"off\"}",
	 {SEEN_CALL(dup, EMFILE), .limit = 64},
	 NOTHING},
	/* Its hard limit is raised. */
	{LIMITS("\"files\": 64"),
	 {SEEN_CALL(prlimit64, EPERM), .args = {0, RLIMIT_NOFILE, 1}, YES, .limit = 64,
	  .wanted = 500},
	 .want = "rlimits observed: limits.files is 64",
	 .option = "--files 500",
	 .policy_want = "{\"limits\": {\"files\": 500}}"},
	{LIMITS(""),
	 {SEEN_CALL(setrlimit, EPERM), .args = {RLIMIT_CORE}, YES, .limit = 1, .wanted = 2 << 20},
	 .want = "rlimits observed: limits.core_mb is 0",
	 .policy_want = "{\"limits\": {\"core_mb\": 2}}"},
	{LIMITS("\"cpu_s\": 10"),
	 {SEEN_CALL(setrlimit, EPERM), .args = {RLIMIT_CPU}, YES, .limit = 12,
	  .wanted = RLIM_INFINITY},
	 .want = "rlimits observed: limits.cpu_s is 10",
	 .option = "--cpu none",
	 .policy_want = "{\"limits\": {\"cpu_s\": null}}"},
	/* The program's own, the caller's, and one that nobody has set. */
	{LIMITS("\"files\": 64"),
	 {SEEN_CALL(setrlimit, EPERM), .args = {RLIMIT_NOFILE}, YES, .limit = 32, .wanted = 60},
	 NOTHING},
	{LIMITS("\"files\": 64"),
	 {SEEN_CALL(setrlimit, EPERM), .args = {RLIMIT_NOFILE}, .limit = 64, .wanted = 1 << 30},
	 NOTHING},
	{LIMITS(""),
	 {SEEN_CALL(setrlimit, EPERM), .args = {RLIMIT_STACK}, YES, .limit = 64, .wanted = 65},
	 NOTHING},
	{LIMITS("\"file_mb\": 1"),
	 {SEEN_CALL(write, EFBIG), .limit = 1 << 20},
	 .want = "rlimits observed: limits.file_mb is 1",
	 .option = "--fsize 2M",
	 .policy_want = "{\"limits\": {\"file_mb\": 2}}"},
	{LIMITS("\"file_mb\": 512"),
	 {SEEN_CALL(ftruncate, EFBIG), .args = {3, BIG + 1}, .limit = 512 << 20},
	 .want = "rlimits observed: limits.file_mb is 512",
	 .option = "--fsize 3073M",
	 .policy_want = "{\"limits\": {\"file_mb\": 3073}}"},
	{LIMITS("\"file_mb\": 1"), {SEEN_CALL(write, EFBIG), .limit = 1 << 19}, NOTHING},
	{LIMITS("\"memory_mb\": 512"),
	 {SEEN_CALL(mmap, ENOMEM), .args = PRIVATE_MAP, .limit = 512 << 20},
	 .want = "rlimits observed: limits.memory_mb is 512",
	 .option = "--mem 3584M",
	 .policy_want = "{\"limits\": {\"memory_mb\": 3584}}"},
	/* What is shared is not counted. */
	{LIMITS("\"memory_mb\": 512"),
	 {SEEN_CALL(mmap, ENOMEM), .args = SHARED_MAP, .limit = 512 << 20},
	 NOTHING},
	{LIMITS("\"memory_mb\": 512"),
	 {SEEN_CALL(mmap, ENOMEM), .args = PRIVATE_MAP, .limit = RLIM_INFINITY},
	 NOTHING},
	{LIMITS(""), {SEEN_CALL(read, EAGAIN), .limit = 10}, NOTHING},
	{LIMITS("\"cpu_s\": 10"),
	 {.what = SANDBOX_SEEN_SIGNAL, .signal = SIGXCPU, .code = 0x80},
	 .want = "rlimits kernel: limits.cpu_s is 10",
	 .option = "--cpu 20s",
	 .policy_want = "{\"limits\": {\"cpu_s\": 20}}"},
	{LIMITS("\"cpu_s\": 30"),
	 {.what = SANDBOX_SEEN_SIGNAL, .signal = SIGXCPU, .code = 0x80, .limit = RLIM_INFINITY},
	 .want = "rlimits kernel: limits.cpu_s is 30",
	 .option = "--cpu 1m",
	 .policy_want = "{\"limits\": {\"cpu_s\": 60}}"},
	{LIMITS("\"cpu_s\": 10"),
	 {.what = SANDBOX_SEEN_SIGNAL, .signal = SIGXCPU, .code = 0x80, .limit = 2},
	 NOTHING},
	{LIMITS("\"cpu_s\": 10"), {.what = SANDBOX_SEEN_SIGNAL, .signal = SIGXCPU}, NOTHING},
	{LIMITS("\"file_mb\": 1"),
	 {.what = SANDBOX_SEEN_SIGNAL, .signal = SIGXFSZ, .limit = 1 << 20},
	 .want = "rlimits inferred: limits.file_mb is 1",
	 .option = "--fsize 2M",
	 .policy_want = "{\"limits\": {\"file_mb\": 2}}"},
	{LIMITS("\"file_mb\": 1"),
	 {.what = SANDBOX_SEEN_SIGNAL, .signal = SIGXFSZ, .limit = 9},
	 NOTHING},
	{"", {.what = SANDBOX_SEEN_SIGNAL, .signal = SIGSEGV}, NOTHING},
	{"", {.what = SANDBOX_SEEN_SIGNAL, .signal = SIGKILL}, NOTHING},
};

/* --- ends
 * --------------------------------------------------------------------------------------------- */

static const struct sandbox_result exit_0 = {SANDBOX_END_EXIT, .status = 0},
				   exit_126 = {SANDBOX_END_EXIT, .status = 126},
				   exit_159 = {SANDBOX_END_EXIT, .status = 159},
				   timeout = {SANDBOX_END_TIMEOUT, .status = SIGKILL},
				   output = {SANDBOX_END_OUTPUT, .status = SIGKILL},
				   memory = {SANDBOX_END_MEMORY, .status = SIGKILL},
				   unknown = {SANDBOX_END_UNKNOWN, .status = 0},
				   sigsys = {SANDBOX_END_SIGNAL, .status = SIGSYS},
				   sigxfsz = {SANDBOX_END_SIGNAL, .status = SIGXFSZ},
				   killed = {SANDBOX_END_SIGNAL, .status = SIGKILL},
				   tired = {SANDBOX_END_SIGNAL, .status = SIGXCPU,
					    .usage.ru_utime = {9, 990000}},
				   fresh = {SANDBOX_END_SIGNAL, .status = SIGXCPU,
					    .usage.ru_utime = {1, 0}},
				   stubborn = {SANDBOX_END_SIGNAL, .status = SIGKILL,
					       .usage.ru_utime = {8, 0}, .usage.ru_stime = {4, 0}};

#define END(result_) .what = SANDBOX_SEEN_END, .result = &(result_)

static const struct denial_row ends[] = {
	{"", {END(exit_0)}, NOTHING},
	{"", {END(exit_126)}, NOTHING},
	{"", {END(exit_159)}, NOTHING},
	{"", {END(unknown)}, NOTHING},
	{"", {END(killed)}, NOTHING},
	{"", {END(sigsys)}, NOTHING},
	{"\"syscalls\": {\"debug\": \"kill\"}",
	 {END(sigsys)},
	 .want = "seccomp inferred: a group of system calls is refused by a signal"},
	{LIMITS("\"file_mb\": 1"),
	 {END(sigxfsz)},
	 .want = "rlimits inferred: limits.file_mb is 1",
	 .option = "--fsize 2M",
	 .policy_want = "{\"limits\": {\"file_mb\": 2}}"},
	{LIMITS("\"file_mb\": null"), {END(sigxfsz)}, NOTHING},
	{LIMITS("\"cpu_s\": 10"),
	 {END(tired)},
	 .want = "rlimits inferred: limits.cpu_s is 10",
	 .option = "--cpu 20s",
	 .policy_want = "{\"limits\": {\"cpu_s\": 20}}"},
	{LIMITS("\"cpu_s\": 10"), {END(fresh)}, NOTHING},
	{LIMITS("\"cpu_s\": 10"),
	 {END(stubborn)},
	 .want = "rlimits inferred: limits.cpu_s is 10",
	 .option = "--cpu 20s",
	 .policy_want = "{\"limits\": {\"cpu_s\": 20}}"},
	{LIMITS("\"cpu_s\": 20"), {END(stubborn)}, NOTHING},
	{LIMITS("\"wall_ms\": 1500"),
	 {END(timeout)},
	 .want = "rlimits observed: limits.wall_ms is 1500: all of it was killed then",
	 .option = "--timeout 3s",
	 .policy_want = "{\"limits\": {\"wall_ms\": 3000}}"},
	{LIMITS("\"wall_ms\": 600"),
	 {END(timeout)},
	 .want = "rlimits observed: limits.wall_ms is 600: all of it was killed then",
	 .option = "--timeout 1200ms",
	 .policy_want = "{\"limits\": {\"wall_ms\": 1200}}"},
	{LIMITS("\"output_bytes\": 1000"),
	 {END(output)},
	 .want = "rlimits observed: limits.output_bytes is 1000: all of it was killed then",
	 .policy_want = "{\"limits\": {\"output_bytes\": 2000}}"},
	{"",
	 {END(memory)},
	 .want = "cgroup kernel: limits.memory_mb is 2048",
	 .option = "--mem 4G",
	 .policy_want = "{\"limits\": {\"memory_mb\": 4096}}"},
	{LIMITS("\"memory_mb\": 900000000000"),
	 {END(memory)},
	 .want = "cgroup kernel: limits.memory_mb is 900000000000",
	 .option = "--mem none",
	 .policy_want = "{\"limits\": {\"memory_mb\": null}}"},
};

/* --- the number of processes, which root is exempt from
 * ------------------------------------------------ */

static int try_fork(struct sandbox_plan *plan, uint64_t limit, struct sandbox_denial *ret)
{
	const struct sandbox_observation seen = {SEEN_CALL(clone, EAGAIN), .arch = 0xc000003e,
						 .limit = limit};

	return sandbox_explain(plan, &seen, ret, NULL);
}

START_TEST(processes_are_counted_by_a_group_or_by_a_limit)
{
	struct sandbox_plan *plan = denial_plan(LIMITS(""), SANDBOX_PLAN_START);
	struct rlimits *rlimits = &((struct variant *)plan_likely(plan))->rlimits;
	struct sandbox_denial got;

	for (size_t i = 0; i < rlimits->count; i++)
		if (rlimits->item[i].resource == RLIMIT_NPROC)
			rlimits->item[i] = rlimits->item[--rlimits->count];
	ck_assert_int_eq(try_fork(plan, 64, &got), 0);
	rlimits->item[rlimits->count].resource = RLIMIT_NPROC;
	rlimits->item[rlimits->count++].limit = (struct rlimit){64, 64};
	ck_assert_int_eq(try_fork(plan, 63, &got), 0);
	ck_assert_int_eq(try_fork(plan, 64, &got), 1);
	ck_assert_int_eq(got.mechanism, SANDBOX_MECH_RLIMITS);
	ck_assert_int_eq(got.evidence, SANDBOX_EVIDENCE_OBSERVED);
	ck_assert_str_eq(got.option, "--procs 128");
	sandbox_plan_free(plan);
}
END_TEST

DENIAL_ROWS(filter_rows, filters)
DENIAL_ROWS(network_rows, networks)
DENIAL_ROWS(process_rows, processes)
DENIAL_ROWS(rows_of_limits, limit_rows)
DENIAL_ROWS(end_rows, ends)

Suite *sandbox_denial_calls_suite(void)
{
	Suite *s = suite_create("sandbox_denial_calls");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, tree_enter, tree_leave);
	tcase_add_loop_test(t, filter_rows, 0, DENIAL_COUNT(filters));
	tcase_add_loop_test(t, network_rows, 0, DENIAL_COUNT(networks));
	tcase_add_test(t, sockets_in_files_are_landlocks_from_linux_7_1_on);
	tcase_add_loop_test(t, process_rows, 0, DENIAL_COUNT(processes));
	tcase_add_loop_test(t, rows_of_limits, 0, DENIAL_COUNT(limit_rows));
	tcase_add_test(t, processes_are_counted_by_a_group_or_by_a_limit);
	tcase_add_loop_test(t, end_rows, 0, DENIAL_COUNT(ends));
	suite_add_tcase(s, t);
	return s;
}
