#include "tape/intercept/served_test.h"

#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct served served;

static void log_add(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void log_add(const char *format, ...)
{
	char text[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_addf(&served.log, "%s%s", served.log.len ? " " : "", text);
}

void served_expect_log(const char *wanted)
{
	ck_assert_str_eq(served.log.data ? served.log.data : "", wanted);
	buf_clear(&served.log);
}

static int on_exec(void *ctx, struct process *p, const struct exec_request *request,
		   struct exec_decision *ret, struct error *err)
{
	(void)ctx, (void)p, (void)err;
	log_add("exec %s", request->path.data);
	for (size_t i = 0; i < request->argc; i++)
		log_add("'%s'", request->argv[i].data);
	for (size_t i = 0; i < request->env_count; i++)
		log_add("[%s]", request->env[i].data);
	*ret = (struct exec_decision){.action = served.action, .error = EBUSY};
	ck_assert_uint_lt(served.unit_count, sizeof(served.units) / sizeof(served.units[0]));
	if (served.action == EXEC_UNIT || served.action == EXEC_STUB)
		ret->unit = &served.units[served.unit_count++];
	return 0;
}

static int swapped(void *ctx, struct error *err)
{
	(void)ctx, (void)err;
	for (unsigned i = 0; i < served.swaps.count; i++) {
		if (served.swaps.swap[i].same_as < 0)
			close(served.swaps.swap[i].ours);
	}
	return 0;
}

static int on_streams(void *ctx, struct process *p, struct task *task, struct error *err)
{
	(void)ctx;
	for (int fd = 0; fd <= 2; fd++) {
		int copy = intercept_unit_fd(served.t, p, fd);

		served.unit_fd_errno[fd] = copy < 0 ? -copy : 0;
		if (copy >= 0)
			close(copy);
	}
	served.swaps.done = swapped;
	return served.swaps.count ? intercept_swap_streams(served.t, p, task, &served.swaps, err)
				  : 0;
}

static int on_started(void *ctx, struct process *p, bool *ret_detach, struct error *err)
{
	(void)ctx, (void)ret_detach, (void)err;
	log_add("%s", p->role == ROLE_STUB ? "stands in" : "started");
	return 0;
}

static int on_exec_failed(void *ctx, struct process *p, int sys_errno, struct error *err)
{
	(void)ctx, (void)p, (void)err;
	log_add("failed %d", sys_errno);
	return 0;
}

static int on_ended(void *ctx, struct process *p, int wait_status, bool *ret_hold,
		    struct error *err)
{
	(void)ctx, (void)err;
	log_add("%s %d", p->main ? "unit ended" : "ended", wait_status);
	*ret_hold = served.hold;
	return 0;
}

static int on_unit_gone(void *ctx, struct traced_unit *unit, struct error *err)
{
	(void)ctx, (void)unit, (void)err;
	log_add("gone");
	return 0;
}

static int on_signalled(void *ctx, struct process *p, int signal, struct error *err)
{
	(void)ctx, (void)p, (void)err;
	log_add("signal %d", signal);
	return 0;
}

static int on_stopped(void *ctx, struct process *p, int signal, struct error *err)
{
	(void)ctx, (void)p, (void)err;
	log_add("stopped %d", signal);
	return 0;
}

static int on_hypercall(void *ctx, struct process *p, const uint64_t args[6], long *ret_result,
			bool *ret_later, struct error *err)
{
	(void)ctx, (void)p, (void)ret_later, (void)err;
	log_add("asks %d", (int)args[0]);
	*ret_result = 42;
	return 0;
}

static int no_patience(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct intercept_ops ops = {
	.exec = on_exec,
	.streams = on_streams,
	.started = on_started,
	.exec_failed = on_exec_failed,
	.ended = on_ended,
	.unit_gone = on_unit_gone,
	.signalled = on_signalled,
	.stopped = on_stopped,
	.hypercall = on_hypercall,
	.patience_us = no_patience,
};

void served_enter(void)
{
	static char *const argv[] = {(char *)"/bin/true", NULL};
	const struct intercept_options options = {.backend = INTERCEPT_PRELOAD,
						  .argv = argv,
						  .shim_path = "/none",
						  .library_path = "/none"};

	scratch_enter();
	memset(&served, 0, sizeof(served));
	setenv("TMPDIR", "/tmp", 1);
	ck_assert_msg(intercept_new(&options, &ops, NULL, &served.t, &served.err) == 0, "%s",
		      served.err.text);
	served.s = server_of(served.t);
	ck_assert_msg(served.t->backend->prepare(served.t, &served.err) == 0, "%s",
		      served.err.text);
}

void served_leave(void)
{
	intercept_free(served.t);
	buf_free(&served.log);
	scratch_leave();
}

int served_try(void)
{
	int r = 0;

	for (int i = 0; r == 0 && i < 20; i++)
		r = served.t->backend->serve(served.t, &served.err);
	return r;
}

void served_serve(void)
{
	ck_assert_msg(served_try() == 0, "%s", served.err.text);
}

int served_connect(void)
{
	int sock = wire_connect(served.s->dir);

	ck_assert_int_ge(sock, 0);
	return sock;
}

void served_say(int sock, struct wire_ask ask)
{
	ck_assert_int_eq(wire_send(sock, &ask, NULL, 0), 0);
}

int served_reply(int sock, struct wire_reply *ret)
{
	struct pollfd ready = {.fd = sock, .events = POLLIN};
	int fds[WIRE_FDS];
	size_t count = 0;

	*ret = (struct wire_reply){0};
	if (poll(&ready, 1, 0) < 1 || wire_receive(sock, ret, fds, &count) < 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	return (int)ret->kind;
}

int64_t served_expect(int sock, enum wire_reply_kind kind)
{
	struct wire_reply reply;

	served_serve();
	ck_assert_int_eq(served_reply(sock, &reply), kind);
	return reply.number;
}

void served_say_text(int sock, struct wire_ask ask, const void *text, size_t len)
{
	struct iovec io[2] = {{&ask, sizeof(ask)}, {(void *)text, len}};
	struct msghdr message = {.msg_iov = io, .msg_iovlen = 2};

	ck_assert_int_eq(sendmsg(sock, &message, MSG_NOSIGNAL), (ssize_t)(sizeof(ask) + len));
}

void served_say_exec(int sock, uint64_t token, int known_errno)
{
	const struct wire_ask ask = {
		.kind = WIRE_EXEC, .token = token, .argc = 2, .number = known_errno};

	served_say_text(sock, ask, SERVED_TEXT, SERVED_TEXT_LEN);
}
