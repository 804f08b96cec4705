#include "tape/intercept/client_test.h"

#include "tape/intercept/tracer.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct fake_unit {
	struct traced_unit traced;
	char name[32];
	struct fake_unit *next; /* of all that are not gone */
};

struct client client;

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
	char word[128];
	va_list args;

	if (!client.keep_log)
		return;
	va_start(args, format);
	vsnprintf(word, sizeof(word), format, args);
	va_end(args);
	buf_add_str(&client.log, client.log.len ? " " : "");
	buf_add_str(&client.log, word);
}

static const char *last_component(struct bytes path)
{
	const char *slash = path.len ? memrchr(path.data, '/', path.len) : NULL;

	return slash ? slash + 1 : path.data;
}

static int on_exec(void *ctx, struct process *p, const struct exec_request *request,
		   struct exec_decision *ret, struct error *err)
{
	const char *name = last_component(request->path);
	struct fake_unit *u;

	(void)err;
	ck_assert_ptr_eq(ctx, &client);
	ck_assert_int_eq(p->role, ROLE_SUBJECT);
	if (p->in_place) {
		tell("stays:%s", name);
		*ret = (struct exec_decision){.action = EXEC_SUBJECT};
		return 0;
	}
	tell("exec:%s", name);
	if (client.on_request)
		client.on_request(request);
	*ret = (struct exec_decision){.action = client.action, .error = client.error};
	if (client.action != EXEC_UNIT)
		return 0;
	free(p->attempt);
	u = calloc(1, sizeof(*u));
	snprintf(u->name, sizeof(u->name), "%s", name);
	ret->unit = &u->traced;
	p->attempt = u;
	return 0;
}

static const char *name_of(const struct process *p)
{
	return ((const struct fake_unit *)p->unit)->name;
}

/* Two lists: the second knows that the first one worked. */
static int injected(void *ctx, struct process *p, struct inject_list *list,
		    enum inject_next *ret_next, struct error *err)
{
	int *round = ctx;

	(void)err;
	tell("injected:%d", (*round)++);
	ck_assert_int_eq((int64_t)list->call[0].result, *round == 1 ? p->pid : -EBADF);
	if (*round == 1) {
		ck_assert_int_eq((int64_t)list->call[1].result, 0);
		list->count = 0;
		list->call[list->count++] =
			(struct runner_call){SYS_close, {9999, 0, 0, 0, 0, 0}, 0};
		*ret_next = INJECT_AGAIN;
		return 0;
	}
	strcpy(list->data, "/");
	list->data_len = 2;
	list->count = 1;
	list->call[0] = (struct runner_call){SYS_chdir, {INJECT_DATA(0), 0, 0, 0, 0, 0}, 0};
	*ret_next = INJECT_LAST;
	return 0;
}

static int inject(struct task *task, struct error *err)
{
	static int round;
	struct inject_list list = {.count = 2};

	list.call[0] = (struct runner_call){SYS_getpid, {0, 0, 0, 0, 0, 0}, 0};
	list.call[1] = (struct runner_call){SYS_uname, {INJECT_DATA(16), 0, 0, 0, 0, 0}, 0};
	list.data_len = 512;
	return tracer_inject(client.t, task, &list, injected, &round, err);
}

static int on_streams(void *ctx, struct process *p, struct task *task, struct error *err)
{
	(void)ctx;
	(void)p;
	return client.inject ? inject(task, err) : 0;
}

static int on_started(void *ctx, struct process *p, bool *ret_detach, struct error *err)
{
	struct fake_unit *u = (struct fake_unit *)p->unit;
	struct process *to_release = client.held;

	(void)ctx;
	(void)ret_detach;
	ck_assert_ptr_eq(p->attempt, u);
	ck_assert(p->main);
	ck_assert_uint_ge(u->traced.processes, 1);
	p->attempt = NULL;
	u->next = client.units;
	client.units = u;
	if (client.starts < UNITS_MAX)
		client.pids[client.starts] = p->pid;
	client.starts++;
	tell("started:%s", u->name);
	if (!to_release || strcmp(u->name, client.release_at) != 0)
		return 0;
	tell("release");
	client.held = NULL;
	return intercept_release(client.t, to_release, err);
}

static int on_exec_failed(void *ctx, struct process *p, int sys_errno, struct error *err)
{
	(void)ctx;
	(void)err;
	ck_assert_ptr_nonnull(p->attempt);
	tell("failed:%s", error_errno_name(sys_errno));
	return 0;
}

static int on_ended(void *ctx, struct process *p, int wait_status, bool *ret_hold,
		    struct error *err)
{
	(void)ctx;
	(void)err;
	free(p->attempt);
	p->attempt = NULL;
	if (!p->main)
		return 0;
	client.ends++;
	if (WIFSIGNALED(wait_status))
		tell("ended:%s:signal%d", name_of(p), WTERMSIG(wait_status));
	else
		tell("ended:%s:%d", name_of(p), WEXITSTATUS(wait_status));
	/* On a busy machine the second unit may have started already. */
	if (client.hold && strcmp(client.hold, name_of(p)) == 0 && client.starts == 1) {
		client.held = p;
		*ret_hold = true;
	}
	return 0;
}

static void unit_free(struct fake_unit *u)
{
	struct fake_unit **at = &client.units;

	while (*at != u)
		at = &(*at)->next;
	*at = u->next;
	free(u);
}

static int on_unit_gone(void *ctx, struct traced_unit *unit, struct error *err)
{
	(void)ctx;
	(void)err;
	ck_assert_uint_eq(unit->processes, 0);
	client.gones++;
	tell("gone:%s", ((struct fake_unit *)unit)->name);
	unit_free((struct fake_unit *)unit);
	return 0;
}

static int on_signalled(void *ctx, struct process *target, int signal, struct error *err)
{
	(void)ctx;
	(void)err;
	client.signals++;
	tell("signal:%s:%d", ((const struct fake_unit *)intercept_unit_of(target))->name, signal);
	return 0;
}

const struct intercept_ops client_ops = {
	.exec = on_exec,
	.streams = on_streams,
	.started = on_started,
	.exec_failed = on_exec_failed,
	.ended = on_ended,
	.unit_gone = on_unit_gone,
	.signalled = on_signalled,
};

void client_enter(void)
{
	scratch_enter();
	memset(&client, 0, sizeof(client));
	client.action = EXEC_UNIT;
	client.keep_log = true;
	put_file("data", "x", 1);
	put_file("garbage", "\x01\x02", 2);
	put_file("script", "#!/nowhere/interpreter\n", 23);
	ck_assert_int_eq(chmod("garbage", 0755) | chmod("script", 0755), 0);
}

void client_leave(void)
{
	while (client.units)
		unit_free(client.units);
	buf_free(&client.log);
	scratch_leave();
}

void open_interceptor(char *const *argv)
{
	struct intercept_options options = {.argv = argv, .want_env = true};
	struct error err = {0};

	ck_assert_msg(intercept_new(&options, &client_ops, &client, &client.t, &err) == 0, "%s",
		      err.text);
}

int run_to_end(void)
{
	struct error err = {0};
	int status = -1;

	ck_assert_msg(intercept_run(client.t, &status, &err) == 0, "%s", err.text);
	ck_assert_str_eq(err.text, "");
	return status;
}

int run_argv(char *const *argv)
{
	int status;

	open_interceptor(argv);
	status = run_to_end();
	intercept_free(client.t);
	return status;
}

char *const *subject_argv(const char *name)
{
	static char *argv[] = {"/proc/self/exe", "--as-subject", NULL, NULL};

	argv[2] = (char *)name;
	return argv;
}

int run_subject(const char *name)
{
	int status = run_argv(subject_argv(name));

	ck_assert_msg(WIFEXITED(status), "wait status %#x", (unsigned)status);
	return WEXITSTATUS(status);
}

void assert_log(const char *wanted)
{
	const char *own = "stays:exe";
	const char *log = client.log.data ? client.log.data : "";

	if (strncmp(log, own, strlen(own)) == 0)
		log += strlen(own) + (log[strlen(own)] == ' ');
	ck_assert_str_eq(log, wanted);
}
