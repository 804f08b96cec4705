/* Runs the programs over made-up calls, as the kernel would: no call is made. */
#include "tape/intercept/filter.h"

#include "base/bpf_test.h"
#include "tape/intercept/arch.h"
#include "tools/tests.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

#define TRACE_CALL (SECCOMP_RET_TRACE | COOKIE_CALL)
#define TRACE_IO   (SECCOMP_RET_TRACE | COOKIE_IO)
#define SIGNAL	   15

struct program {
	struct sock_filter code[FILTER_MAX];
	unsigned len;
};

static struct program tracer_program(void)
{
	struct program p;

	p.len = filter_build(p.code);
	ck_assert_uint_le(p.len, FILTER_MAX);
	return p;
}

static struct program io_program(unsigned what)
{
	struct program p;

	p.len = filter_build_io(p.code, what);
	ck_assert_uint_le(p.len, FILTER_MAX);
	return p;
}

static uint32_t answer_to(const struct program *p, uint32_t arch, uint32_t number, uint64_t arg0,
			  uint64_t arg1)
{
	struct seccomp_data call = {.arch = arch, .nr = (int)number, .args = {arg0, arg1}};

	return bpf_run(p->code, p->len, &call, NULL);
}

static bool is_kill(const struct arch_call *call)
{
	return call->kind == CALL_KILL || call->kind == CALL_PIDFD_KILL;
}

START_TEST(every_call_of_the_table_is_traced)
{
	struct program p = tracer_program();

	for (size_t i = 0; i < arch_call_count; i++)
		ck_assert_msg(answer_to(&p, arch_calls[i].audit_arch, arch_calls[i].number, 1,
					SIGNAL) == TRACE_CALL,
			      "row %zu", i);
}
END_TEST

/* The table itself has what it must have. */
START_TEST(the_calls_of_this_machine_are_traced)
{
	static const uint32_t numbers[] = {SYS_execve,		SYS_execveat,	       SYS_kill,
					   SYS_rt_sigqueueinfo, SYS_pidfd_send_signal, HYPER_CALL};
	struct program p = tracer_program();

	for (size_t i = 0; i < COUNT(numbers); i++)
		ck_assert_msg(answer_to(&p, arch_native_audit, numbers[i], 1, SIGNAL) == TRACE_CALL,
			      "call %u", numbers[i]);
}
END_TEST

static const struct {
	uint64_t signal;
	bool traced;
} signal_rows[] = {
	{0, false},
	{1, true},
	{9, true},
	{64, true},
	{UINT32_MAX, true},
	/* The kernel takes an int. */
	{UINT64_C(1) << 32, false},
	{(UINT64_C(1) << 32) + 9, true},
};

START_TEST(only_a_kill_that_signals_is_traced)
{
	struct program p = tracer_program();
	uint32_t wanted = signal_rows[_i].traced ? TRACE_CALL : SECCOMP_RET_ALLOW;

	for (size_t i = 0; i < arch_call_count; i++) {
		const struct arch_call *call = &arch_calls[i];

		if (is_kill(call))
			ck_assert_msg(answer_to(&p, call->audit_arch, call->number, 0,
						signal_rows[_i].signal) == wanted,
				      "row %zu", i);
		else
			ck_assert_uint_eq(answer_to(&p, call->audit_arch, call->number, 0,
						    signal_rows[_i].signal),
					  TRACE_CALL);
	}
}
END_TEST

static bool is_in_table(uint32_t arch, uint32_t number)
{
	for (size_t i = 0; i < arch_call_count; i++) {
		if (arch_calls[i].audit_arch == arch && arch_calls[i].number == number)
			return true;
	}
	return false;
}

/* By architecture: each sees only its own numbers. */
static void assert_others_are_allowed(const struct program *p, uint32_t arch, uint32_t from)
{
	for (uint32_t number = from; number < from + 1000; number++) {
		uint32_t wanted = is_in_table(arch, number) ? TRACE_CALL : SECCOMP_RET_ALLOW;

		ck_assert_msg(answer_to(p, arch, number, 1, SIGNAL) == wanted, "%#x of %#x", number,
			      arch);
	}
}

#define X32 0x40000000u

START_TEST(all_other_calls_are_allowed)
{
	struct program p = tracer_program();

	for (size_t i = 0; i < arch_call_count; i++) {
		assert_others_are_allowed(&p, arch_calls[i].audit_arch, 0);
		assert_others_are_allowed(&p, arch_calls[i].audit_arch, X32);
		ck_assert_uint_eq(answer_to(&p, arch_calls[i].audit_arch, UINT32_MAX, 1, SIGNAL),
				  SECCOMP_RET_ALLOW);
	}
}
END_TEST

START_TEST(a_clone_that_asks_for_no_tracer_is_seen)
{
	struct program p = tracer_program();

	ck_assert_uint_eq(answer_to(&p, arch_native_audit, SYS_clone, 0x00800700, 0),
			  SECCOMP_RET_TRACE | COOKIE_UNTRACED);
	ck_assert_uint_eq(answer_to(&p, arch_native_audit, SYS_clone, 0x00000700, 0),
			  SECCOMP_RET_ALLOW);
}
END_TEST

START_TEST(unknown_architectures_are_let_be)
{
	static const uint32_t unknown[] = {0, AUDIT_ARCH_S390X, AUDIT_ARCH_PPC64LE, UINT32_MAX};
	struct program p = tracer_program(), on_stdin = io_program(FILTER_STDIN);

	for (size_t i = 0; i < arch_call_count; i++) {
		for (size_t k = 0; k < COUNT(unknown); k++)
			ck_assert_uint_eq(
				answer_to(&p, unknown[k], arch_calls[i].number, 1, SIGNAL),
				SECCOMP_RET_ALLOW);
	}
	for (size_t k = 0; k < COUNT(unknown); k++)
		ck_assert_uint_eq(answer_to(&on_stdin, unknown[k], SYS_read, 0, 0),
				  SECCOMP_RET_ALLOW);
}
END_TEST

static const struct {
	uint32_t number;
	uint64_t args[2];
	uint32_t answer;
} stdin_rows[] = {
	{SYS_read, {0, 1}, TRACE_IO},
	{SYS_readv, {0, 1}, TRACE_IO},
	{SYS_recvfrom, {0, 1}, TRACE_IO},
	{SYS_recvmsg, {0, 1}, TRACE_IO},
	{SYS_read, {1, 0}, SECCOMP_RET_ALLOW},
	{SYS_read, {UINT32_MAX, 0}, SECCOMP_RET_ALLOW},
	{SYS_read, {UINT64_C(1) << 32, 0}, TRACE_IO}, /* the kernel takes an int */
	{SYS_readv, {3, 0}, SECCOMP_RET_ALLOW},
	{SYS_recvfrom, {3, 0}, SECCOMP_RET_ALLOW},
	{SYS_recvmsg, {3, 0}, SECCOMP_RET_ALLOW},
	/* From fd 0 to elsewhere. */
	{SYS_splice, {0, 5}, SECCOMP_RET_ERRNO | EINVAL},
	{SYS_splice, {5, 0}, SECCOMP_RET_ALLOW},
	{SYS_sendfile, {5, 0}, SECCOMP_RET_ERRNO | EINVAL},
	{SYS_sendfile, {0, 5}, SECCOMP_RET_ALLOW},
	/* Nothing else. */
	{SYS_write, {0, 0}, SECCOMP_RET_ALLOW},
	{SYS_close, {0, 0}, SECCOMP_RET_ALLOW},
	{SYS_execve, {0, 0}, SECCOMP_RET_ALLOW},
	{SYS_kill, {0, 0}, SECCOMP_RET_ALLOW},
	{SYS_lseek, {0, 0}, SECCOMP_RET_ALLOW},
	{UINT32_MAX, {0, 0}, SECCOMP_RET_ALLOW},
};

START_TEST(a_unit_stops_where_it_reads_its_stdin)
{
	struct program p = io_program(FILTER_STDIN);

	ck_assert_uint_eq(answer_to(&p, arch_native_audit, stdin_rows[_i].number,
				    stdin_rows[_i].args[0], stdin_rows[_i].args[1]),
			  stdin_rows[_i].answer);
}
END_TEST

#define TERMINAL FILTER_TERMINAL
#define OUTPUT	 FILTER_TERMINAL_OUTPUT
#define READS	 FILTER_READS
#define WRITES	 FILTER_WRITES
#define BACK	 FILTER_STDIN_WRITES
#define TCSETSW_ 0x5403
#define TCSETS2_ 0x402c542b
#define TCGETS_	 0x5401

static const struct {
	unsigned what;
	uint32_t number;
	uint64_t args[2];
	uint32_t answer;
} stream_rows[] = {
	{TERMINAL, SYS_read, {0, 1}, TRACE_IO},
	{TERMINAL, SYS_readv, {9, 1}, TRACE_IO},
	{TERMINAL, SYS_write, {1, 1}, TRACE_IO},
	{TERMINAL, SYS_writev, {7, 1}, TRACE_IO},
	{TERMINAL, SYS_write, {UINT32_MAX, 1}, SECCOMP_RET_ALLOW},
	{TERMINAL, SYS_recvfrom, {0, 1}, SECCOMP_RET_ALLOW},
	{TERMINAL | FILTER_STDIN, SYS_recvfrom, {0, 1}, TRACE_IO},
	{TERMINAL | FILTER_STDIN, SYS_read, {5, 1}, TRACE_IO},
	{TERMINAL, SYS_ioctl, {0, TCSETSW_}, TRACE_IO},
	{TERMINAL, SYS_ioctl, {5, TCSETS2_}, TRACE_IO},
	{TERMINAL, SYS_ioctl, {0, TCGETS_}, SECCOMP_RET_ALLOW},
	{TERMINAL, SYS_sendfile, {1, 5}, SECCOMP_RET_ERRNO | EINVAL},
	{TERMINAL, SYS_sendfile, {3, 5}, SECCOMP_RET_ALLOW},
	{TERMINAL, SYS_pwritev2, {1, 5}, SECCOMP_RET_ERRNO | ENOSYS},
	{OUTPUT, SYS_write, {2, 1}, TRACE_IO},
	{OUTPUT, SYS_write, {3, 1}, SECCOMP_RET_ALLOW},
	{OUTPUT, SYS_read, {0, 1}, SECCOMP_RET_ALLOW},
	{OUTPUT, SYS_ioctl, {0, TCSETS2_ + 2}, TRACE_IO},
	{OUTPUT, SYS_ioctl, {0, TCSETS2_ + 3}, SECCOMP_RET_ALLOW},
	{FILTER_STDIN, SYS_ioctl, {0, TCSETSW_}, SECCOMP_RET_ALLOW},
	{TERMINAL | OUTPUT | FILTER_STDIN, SYS_execve, {0, 0}, SECCOMP_RET_ALLOW},
	/* Wherever it reads or writes. */
	{READS, SYS_read, {0, 1}, TRACE_IO},
	{READS, SYS_readv, {63, 1}, TRACE_IO},
	{READS, SYS_recvfrom, {3, 1}, TRACE_IO},
	{READS, SYS_recvmsg, {3, 1}, TRACE_IO},
	{READS, SYS_recvmmsg, {3, 1}, SECCOMP_RET_ERRNO | ENOSYS},
	{READS, SYS_splice, {3, 1}, SECCOMP_RET_ERRNO | EINVAL},
	{READS, SYS_sendfile, {1, 3}, SECCOMP_RET_ERRNO | EINVAL},
	{READS, SYS_write, {3, 1}, SECCOMP_RET_ALLOW},
	{READS, SYS_sendmsg, {3, 1}, SECCOMP_RET_ALLOW},
	{READS, SYS_ioctl, {0, TCSETSW_}, SECCOMP_RET_ALLOW},
	{WRITES, SYS_write, {1, 1}, TRACE_IO},
	{WRITES, SYS_writev, {63, 1}, TRACE_IO},
	{WRITES, SYS_sendto, {3, 1}, TRACE_IO},
	{WRITES, SYS_sendmsg, {3, 1}, TRACE_IO},
	{WRITES, SYS_sendmmsg, {3, 1}, SECCOMP_RET_ERRNO | ENOSYS},
	{WRITES, SYS_sendfile, {3, 1}, SECCOMP_RET_ERRNO | EINVAL},
	{WRITES, SYS_pwritev2, {3, 1}, SECCOMP_RET_ERRNO | ENOSYS},
	{WRITES, SYS_read, {3, 1}, SECCOMP_RET_ALLOW},
	{WRITES, SYS_recvmsg, {3, 1}, SECCOMP_RET_ALLOW},
	{BACK, SYS_write, {0, 1}, TRACE_IO},
	{BACK, SYS_sendmsg, {0, 1}, TRACE_IO},
	{BACK, SYS_write, {1, 1}, SECCOMP_RET_ALLOW},
	{BACK, SYS_read, {0, 1}, SECCOMP_RET_ALLOW},
	{BACK, SYS_sendfile, {0, 1}, SECCOMP_RET_ERRNO | EINVAL},
	{BACK, SYS_sendfile, {1, 0}, SECCOMP_RET_ALLOW},
	{READS | WRITES | FILTER_STDIN, SYS_execve, {0, 0}, SECCOMP_RET_ALLOW},
};

START_TEST(a_unit_stops_where_it_uses_a_terminal_or_another_stream)
{
	struct program p = io_program(stream_rows[_i].what);

	ck_assert_uint_eq(answer_to(&p, arch_native_audit, stream_rows[_i].number,
				    stream_rows[_i].args[0], stream_rows[_i].args[1]),
			  stream_rows[_i].answer);
}
END_TEST

/* The kernel runs it for every call of the subject. */
START_TEST(the_program_is_short)
{
	ck_assert_uint_lt(tracer_program().len, 100);
	ck_assert_uint_lt(io_program(FILTER_STDIN).len, 100);
	ck_assert_uint_lt(io_program(TERMINAL | READS | WRITES | FILTER_STDIN).len, 150);
}
END_TEST

Suite *intercept_filter_suite(void)
{
	Suite *suite = suite_create("tape/intercept/filter");
	TCase *all = tcase_create("all");

	tcase_add_test(all, every_call_of_the_table_is_traced);
	tcase_add_test(all, the_calls_of_this_machine_are_traced);
	tcase_add_loop_test(all, only_a_kill_that_signals_is_traced, 0, COUNT(signal_rows));
	tcase_add_test(all, all_other_calls_are_allowed);
	tcase_add_test(all, a_clone_that_asks_for_no_tracer_is_seen);
	tcase_add_test(all, unknown_architectures_are_let_be);
	tcase_add_loop_test(all, a_unit_stops_where_it_reads_its_stdin, 0, COUNT(stdin_rows));
	tcase_add_loop_test(all, a_unit_stops_where_it_uses_a_terminal_or_another_stream, 0,
			    COUNT(stream_rows));
	tcase_add_test(all, the_program_is_short);
	suite_add_tcase(suite, all);
	return suite;
}
