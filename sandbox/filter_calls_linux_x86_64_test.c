/* What was decided about each call, by the numbers of x86-64. */
#include "sandbox/filter_run_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct decided {
	long number;
	uint64_t args[4];
	uint32_t action;
};

static void assert_decided(const struct filter_fixture *f, const struct decided *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct decided *row = &rows[i];
		uint64_t args[6] = {row->args[0], row->args[1], row->args[2], row->args[3]};
		uint32_t got =
			filter_answer(&f->filter, AUDIT_ARCH_X86_64, (uint32_t)row->number, args);

		ck_assert_msg(got == row->action, "row %zu, call %ld: %#x, not %#x", i, row->number,
			      got, row->action);
	}
}

#define NEWNS_THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

/* By their numbers, as in the kernel's own table. */
static const struct decided by_default[] = {
	{0, {0}, ALLOWED},		    /* read */
	{16, {0, 0x5401}, ALLOWED},	    /* ioctl(TCGETS) */
	{16, {0, TIOCSTI}, FAILS(EPERM)},   /* ioctl */
	{16, {0, TIOCLINUX}, FAILS(EPERM)}, /* ioctl */
	{16, {0, UINT64_C(0xffffffff00005412)}, FAILS(EPERM)},
	{29, {0}, FAILS(ENOSYS)}, /* shmget */
	{56, {SIGCHLD}, ALLOWED}, /* clone: a process */
	{56, {NEWNS_THREAD}, ALLOWED},
	{56, {CLONE_NEWUSER | SIGCHLD}, FAILS(EPERM)},
	{56, {NEWNS_THREAD | CLONE_NEWNET}, FAILS(EPERM)},
	{56, {CLONE_NEWNS}, FAILS(EPERM)},
	{56, {CLONE_NEWCGROUP}, FAILS(EPERM)},
	{57, {0}, ALLOWED},	   /* fork */
	{58, {0}, ALLOWED},	   /* vfork */
	{59, {0}, ALLOWED},	   /* execve */
	{101, {0}, FAILS(EPERM)},  /* ptrace */
	{103, {0}, FAILS(EPERM)},  /* syslog */
	{110, {0}, ALLOWED},	   /* getppid */
	{134, {0}, FAILS(ENOSYS)}, /* uselib */
	{135, {UINT32_MAX}, ALLOWED},
	{135, {UINT64_MAX}, ALLOWED},
	{135, {0}, ALLOWED},		  /* personality(PER_LINUX) */
	{135, {0x0040000}, FAILS(EPERM)}, /* ADDR_NO_RANDOMIZE */
	{135, {0x0400000}, FAILS(EPERM)}, /* READ_IMPLIES_EXEC */
	{135, {8}, FAILS(EPERM)},	  /* PER_LINUX32 */
	{154, {0}, FAILS(EPERM)},	  /* modify_ldt */
	{155, {0}, FAILS(EPERM)},	  /* pivot_root */
	{157, {0}, ALLOWED},		  /* prctl */
	{161, {0}, FAILS(EPERM)},	  /* chroot */
	{165, {0}, FAILS(EPERM)},	  /* mount */
	{169, {0}, FAILS(EPERM)},	  /* reboot */
	{172, {0}, FAILS(EPERM)},	  /* iopl */
	{175, {0}, FAILS(EPERM)},	  /* init_module */
	{227, {0}, FAILS(EPERM)},	  /* clock_settime */
	{246, {0}, FAILS(EPERM)},	  /* kexec_load */
	{248, {0}, FAILS(ENOSYS)},	  /* add_key */
	{272, {CLONE_NEWUSER}, FAILS(EPERM)},
	{272, {CLONE_NEWTIME}, FAILS(EPERM)},
	{272, {0x00100000}, FAILS(EPERM)}, /* unshare: a flag that is new */
	{272, {CLONE_FS | CLONE_FILES}, ALLOWED},
	{298, {0}, FAILS(EPERM)},	/* perf_event_open */
	{302, {0, 0, 0x1000}, ALLOWED}, /* prlimit64: its own */
	{302, {UINT64_C(0xffffffff00000000), 0, 0x1000}, ALLOWED},
	{302, {17, 0, 0, 0x1000}, ALLOWED}, /* only asks */
	{302, {17, 0, 0x1000}, FAILS(EPERM)},
	{302, {17, 0, UINT64_C(0x7fff00000000)}, FAILS(EPERM)},
	{303, {0}, ALLOWED},	   /* name_to_handle_at */
	{304, {0}, FAILS(EPERM)},  /* open_by_handle_at */
	{308, {0}, FAILS(EPERM)},  /* setns */
	{310, {0}, FAILS(EPERM)},  /* process_vm_readv */
	{312, {0}, FAILS(EPERM)},  /* kcmp */
	{317, {0}, ALLOWED},	   /* seccomp */
	{321, {0}, FAILS(EPERM)},  /* bpf */
	{323, {0}, FAILS(EPERM)},  /* userfaultfd */
	{334, {0}, ALLOWED},	   /* rseq */
	{335, {0}, ALLOWED},	   /* uretprobe */
	{336, {0}, ALLOWED},	   /* uprobe */
	{424, {0}, ALLOWED},	   /* pidfd_send_signal */
	{425, {0}, FAILS(ENOSYS)}, /* io_uring_setup */
	{426, {0}, FAILS(ENOSYS)},
	{427, {0}, FAILS(ENOSYS)},
	{428, {0}, FAILS(EPERM)},  /* open_tree */
	{429, {0}, FAILS(EPERM)},  /* move_mount */
	{430, {0}, FAILS(EPERM)},  /* fsopen */
	{431, {0}, FAILS(EPERM)},  /* fsconfig */
	{432, {0}, FAILS(EPERM)},  /* fsmount */
	{433, {0}, FAILS(EPERM)},  /* fspick */
	{434, {0}, ALLOWED},	   /* pidfd_open */
	{435, {0}, FAILS(ENOSYS)}, /* clone3 */
	{438, {0}, FAILS(EPERM)},  /* pidfd_getfd */
	{440, {0}, ALLOWED},	   /* process_madvise */
	{442, {0}, FAILS(EPERM)},  /* mount_setattr */
	{444, {0}, ALLOWED},	   /* landlock_create_ruleset */
	{446, {0}, ALLOWED},	   /* landlock_restrict_self */
	{467, {0}, FAILS(EPERM)},  /* open_tree_attr */
	{471, {0}, ALLOWED},	   /* rseq_slice_yield */
	{472, {0}, FAILS(ENOSYS)}, /* not there yet */
	{1023, {0}, FAILS(ENOSYS)},
	{1024, {0}, ALLOWED},
	{2, {0, O_RDONLY, 04000}, ALLOWED}, /* open: what is no mode */
	{2, {0, O_CREAT, 0777}, ALLOWED},
	{2, {0, O_CREAT | O_WRONLY, 04755}, FAILS(EPERM)},
	{2, {0, O_TMPFILE | O_RDWR, 02755}, FAILS(EPERM)},
	{2, {0, O_DIRECTORY, 06000}, ALLOWED},
	{85, {0, 02755}, FAILS(EPERM)}, /* creat */
	{90, {0, 04755}, FAILS(EPERM)}, /* chmod */
	{90, {0, UINT64_C(0xffffffff00000000) | 04000}, FAILS(EPERM)},
	{90, {0, 02775}, ALLOWED},
	{90, {0, 01777}, ALLOWED},
	{91, {0, 06755}, FAILS(EPERM)},		       /* fchmod */
	{133, {0, 0104755}, FAILS(EPERM)},	       /* mknod */
	{257, {0, 0, O_CREAT, 04755}, FAILS(EPERM)},   /* openat */
	{257, {0, 0, O_TMPFILE, 04755}, FAILS(EPERM)}, /* openat */
	{257, {0, 0, O_RDWR, 04755}, ALLOWED},	       /* openat */
	{259, {0, 0, 0102644}, FAILS(EPERM)},	       /* mknodat */
	{259, {0, 0, 0010644}, ALLOWED},	       /* mknodat: a pipe */
	{268, {0, 0, 04755}, FAILS(EPERM)},	       /* fchmodat */
	{268, {0, 0, 0755}, ALLOWED},
	{452, {0, 0, 04755}, FAILS(EPERM)}, /* fchmodat2 */
	{7540321, {0}, ALLOWED},	    /* what a tracer has made up */
	{0x3fffffff, {0}, ALLOWED},
	{0x40000000, {0}, FAILS(ENOSYS)}, /* read of x32 */
	{0x40000000 + 512, {0}, FAILS(ENOSYS)},
	{0xfffffffe, {0}, FAILS(ENOSYS)},
	{0xffffffff, {0}, ALLOWED}, /* what a tracer has skipped */
};

START_TEST(the_default_is_as_decided)
{
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_PROCESS_EXEC);
	ck_assert_int_eq(filter_try_prepare(&f), 0);
	ck_assert_int_eq(filter_layer(&f)->state, SANDBOX_STATE_ENFORCED);
	assert_decided(&f, by_default, COUNT(by_default));
	filter_teardown(&f);
}
END_TEST

static const struct decided without_processes[] = {
	{56, {SIGCHLD}, FAILS(EPERM)},
	{56, {CLONE_VM | CLONE_VFORK | SIGCHLD}, FAILS(EPERM)},
	{56, {NEWNS_THREAD}, ALLOWED},
	{56, {NEWNS_THREAD | CLONE_NEWUSER}, FAILS(EPERM)},
	{57, {0}, FAILS(EPERM)},
	{58, {0}, FAILS(EPERM)},
	{59, {0}, ALLOWED},
	{435, {0}, FAILS(ENOSYS)},
};

START_TEST(without_processes_there_are_threads)
{
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_WORKSPACE_WRITE);
	ck_assert_int_eq(filter_try_prepare(&f), 0);
	assert_decided(&f, without_processes, COUNT(without_processes));
	/* clone3 stays away for the sake of one group alone, too. */
	filter_set_group(&f, SANDBOX_SYSCALLS_NAMESPACES, SANDBOX_ACTION_ALLOW, 0);
	ck_assert_int_eq(filter_try_prepare(&f), 0);
	assert_decided(&f, &without_processes[7], 1);
	filter_teardown(&f);
}
END_TEST

#define SOCKET(domain, type, protocol, action)                                                     \
	{                                                                                          \
		41, {domain, type, protocol}, action                                               \
	}
#define OTHER FAILS(EAFNOSUPPORT)

static const struct decided net_none[] = {
	SOCKET(AF_UNIX, SOCK_STREAM, 0, ALLOWED),
	SOCKET(AF_INET, SOCK_STREAM, 0, FAILS(EACCES)),
	SOCKET(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP, FAILS(EACCES)),
	SOCKET(AF_INET, SOCK_DGRAM, 0, FAILS(EACCES)),
	SOCKET(AF_INET, SOCK_RAW, IPPROTO_ICMP, FAILS(EACCES)),
	SOCKET(UINT64_C(0xffffffff00000002), SOCK_STREAM, 0, FAILS(EACCES)),
	SOCKET(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, FAILS(EACCES)),
	SOCKET(AF_PACKET, SOCK_RAW, 0, OTHER),
	SOCKET(AF_VSOCK, SOCK_STREAM, 0, OTHER),
	SOCKET(AF_ALG, SOCK_SEQPACKET, 0, OTHER),
	{53, {AF_UNIX, SOCK_STREAM}, ALLOWED}, /* socketpair */
	{53, {AF_TIPC, SOCK_STREAM}, OTHER},
	{44, {0, 0, 0, MSG_FASTOPEN}, ALLOWED}, /* sendto: there is nothing to send to */
};

static const struct decided net_tcp[] = {
	SOCKET(AF_UNIX, SOCK_DGRAM, 0, ALLOWED),
	SOCKET(AF_INET, SOCK_STREAM, 0, ALLOWED),
	SOCKET(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP, ALLOWED),
	SOCKET(AF_INET, SOCK_DGRAM, 0, FAILS(EACCES)),
	SOCKET(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP, FAILS(EACCES)),
	SOCKET(AF_INET, SOCK_STREAM, 262, OTHER), /* MPTCP */
	SOCKET(AF_INET, SOCK_STREAM, IPPROTO_SCTP, OTHER),
	SOCKET(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP, OTHER),
	SOCKET(AF_INET, SOCK_STREAM, 256, OTHER),	     /* IPPROTO_SMC */
	SOCKET(43, SOCK_STREAM, 0, OTHER),		     /* AF_SMC */
	SOCKET(AF_INET, SOCK_DCCP, IPPROTO_DCCP, OTHER),     /* DCCP */
	SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, OTHER), /* UDP-Lite */
	SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_ICMP, OTHER),    /* ping */
	SOCKET(AF_INET, SOCK_RAW, IPPROTO_TCP, OTHER),
	SOCKET(AF_INET, SOCK_PACKET, 0, OTHER),
	SOCKET(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, ALLOWED),
	SOCKET(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, OTHER),
	{44, {0, 0, 0, 0}, ALLOWED}, /* sendto */
	{44, {0, 0, 0, MSG_FASTOPEN | MSG_NOSIGNAL}, FAILS(EOPNOTSUPP)},
	{46, {0, 0, MSG_FASTOPEN}, FAILS(EOPNOTSUPP)},	   /* sendmsg */
	{307, {0, 0, 0, MSG_FASTOPEN}, FAILS(EOPNOTSUPP)}, /* sendmmsg */
	{54, {0, IPPROTO_TCP, TCP_ULP}, FAILS(ENOENT)},	   /* setsockopt */
	{54, {0, IPPROTO_TCP, TCP_NODELAY}, ALLOWED},
	{54, {0, SOL_SOCKET, TCP_ULP}, ALLOWED},
};

static const struct decided net_full[] = {
	SOCKET(AF_INET, SOCK_STREAM, 0, ALLOWED),
	SOCKET(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP, ALLOWED),
	SOCKET(AF_INET, SOCK_DGRAM, 0, ALLOWED),
	SOCKET(AF_INET, SOCK_DGRAM, IPPROTO_ICMP, OTHER),
	SOCKET(AF_INET, SOCK_STREAM, 262, OTHER),
	SOCKET(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE, ALLOWED),
	SOCKET(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT, OTHER),
	{44, {0, 0, 0, MSG_FASTOPEN}, ALLOWED},
	{54, {0, IPPROTO_TCP, TCP_ULP}, ALLOWED},
};

static const struct {
	enum sandbox_net net;
	const struct decided *rows;
	size_t count;
} by_net[] = {
	{SANDBOX_NET_NONE, net_none, COUNT(net_none)},
	{SANDBOX_NET_TCP, net_tcp, COUNT(net_tcp)},
	{SANDBOX_NET_LOOPBACK, net_full, COUNT(net_full)},
	{SANDBOX_NET_FULL, net_full, COUNT(net_full)},
};

START_TEST(each_net_has_its_sockets)
{
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	filter_set_net(&f, by_net[_i].net);
	ck_assert_int_eq(filter_try_prepare(&f), 0);
	assert_decided(&f, by_net[_i].rows, by_net[_i].count);
	filter_teardown(&f);
}
END_TEST

static const struct decided listen_refused[] = {{50, {0}, FAILS(EACCES)}};
static const struct decided listen_allowed[] = {{50, {0}, ALLOWED}};

START_TEST(without_a_port_to_bind_to_nothing_listens)
{
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	ck_assert_int_eq(filter_try_prepare(&f), 0);
	assert_decided(&f, listen_allowed, COUNT(listen_allowed));
	filter_set_net(&f, SANDBOX_NET_TCP);
	ck_assert_int_eq(sandbox_policy_add_port(f.policy, SANDBOX_PORT_CONNECT, 1, NULL), 0);
	ck_assert_int_eq(filter_try_prepare(&f), 0);
	assert_decided(&f, listen_refused, COUNT(listen_refused));
	ck_assert_int_eq(sandbox_policy_add_port(f.policy, SANDBOX_PORT_BIND, 0, NULL), 0);
	ck_assert_int_eq(filter_try_prepare(&f), 0);
	assert_decided(&f, listen_allowed, COUNT(listen_allowed));
	filter_teardown(&f);
}
END_TEST

static const struct decided unix_none[] = {
	SOCKET(AF_UNIX, SOCK_STREAM, 0, FAILS(EACCES)),
	SOCKET(AF_INET, SOCK_STREAM, 0, ALLOWED),
	{53, {AF_UNIX, SOCK_STREAM}, ALLOWED},
};

START_TEST(without_unix_sockets_there_are_pairs)
{
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	filter_set_unix(&f, SANDBOX_UNIX_NONE);
	ck_assert_int_eq(filter_try_prepare(&f), 0);
	assert_decided(&f, unix_none, COUNT(unix_none));
	filter_teardown(&f);
}
END_TEST

/* Where there is no namespace that has nothing but a loopback, and no mounts that hide sockets. */
START_TEST(what_nothing_else_keeps_away_is_refused)
{
	struct filter_fixture f;

	filter_setup(&f, SANDBOX_LEVEL_NETWORK);
	filter_set_net(&f, SANDBOX_NET_LOOPBACK);
	f.needs.no_ip = true;
	ck_assert_int_eq(filter_try_prepare(&f), 0);
	ck_assert_int_eq(filter_layer(&f)->state, SANDBOX_STATE_PARTIAL);
	assert_decided(&f, net_none, COUNT(net_none));

	filter_set_net(&f, SANDBOX_NET_FULL);
	f.needs = (struct filter_needs){.no_unix = true};
	ck_assert_int_eq(filter_try_prepare(&f), 0);
	ck_assert_int_eq(filter_layer(&f)->state, SANDBOX_STATE_PARTIAL);
	assert_decided(&f, unix_none, COUNT(unix_none));
	filter_teardown(&f);
}
END_TEST

Suite *sandbox_filter_calls_suite(void)
{
	Suite *suite = suite_create("sandbox_filter_calls");
	TCase *tc = tcase_create("calls");

	tcase_add_test(tc, the_default_is_as_decided);
	tcase_add_test(tc, without_processes_there_are_threads);
	tcase_add_loop_test(tc, each_net_has_its_sockets, 0, COUNT(by_net));
	tcase_add_test(tc, without_a_port_to_bind_to_nothing_listens);
	tcase_add_test(tc, without_unix_sockets_there_are_pairs);
	tcase_add_test(tc, what_nothing_else_keeps_away_is_refused);
	suite_add_tcase(suite, tc);
	return suite;
}
