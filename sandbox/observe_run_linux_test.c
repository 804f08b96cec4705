#include "sandbox/observe_run_test.h"

#include "sandbox/started_test.h"
#include <check.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- what is seen ------------------------------------------------------------------------------
 */

struct all_seen observe_all;
bool observe_dedicated = true;

void observe_see(void *ctx, const struct sandbox_observation *o)
{
	struct all_seen *list = ctx;
	struct seen *s;

	ck_assert_uint_lt(list->count, OBSERVE_SEEN_MAX);
	s = &list->item[list->count++];
	*s = (struct seen){
		.what = o->what,
		.pid = o->pid,
		.number = o->number,
		.error = o->error,
		.signal = o->signal,
		.code = o->code,
		.filtered = o->filtered,
		.outside = o->outside,
		.limit = o->limit,
	};
	memcpy(s->args, o->args, sizeof(s->args));
	snprintf(s->path, sizeof(s->path), "%s", o->path ? o->path : "");
	snprintf(s->path2, sizeof(s->path2), "%s", o->path2 ? o->path2 : "");
	for (; o->interpreters && o->interpreters[s->levels]; s->levels++)
		snprintf(s->last, sizeof(s->last), "%s", o->interpreters[s->levels]);
	if (o->address)
		memcpy(&s->address, o->address, o->address_len);
}

const struct seen *observe_find(long number, int error, const char *path)
{
	for (size_t i = 0; i < observe_all.count; i++) {
		const struct seen *s = &observe_all.item[i];

		if (s->what == SANDBOX_SEEN_CALL && s->number == number && s->error == error &&
		    (!path || strcmp(s->path, path) == 0))
			return s;
	}
	return NULL;
}

const struct seen *observe_find_signal(int signal)
{
	for (size_t i = 0; i < observe_all.count; i++)
		if (observe_all.item[i].what == SANDBOX_SEEN_SIGNAL &&
		    observe_all.item[i].signal == signal)
			return &observe_all.item[i];
	return NULL;
}

/* Of what failed, for whoever reads the failure. */
const char *observe_list(void)
{
	static char text[4096];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < observe_all.count && len < sizeof(text) - 400; i++) {
		const struct seen *s = &observe_all.item[i];

		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"[call %d: %d %s %s; signal %d] ", s->number, s->error,
					s->path, s->filtered ? "filtered" : "", s->signal);
	}
	return text;
}

/* --- what is used ------------------------------------------------------------------------------
 */

struct all_used observe_used;

static void see_use(void *ctx, const struct observe_use *use)
{
	struct all_used *list = ctx;
	struct used *u;

	ck_assert_uint_lt(list->count, OBSERVE_USED_MAX);
	u = &list->item[list->count++];
	*u = (struct used){
		.group = use->group,
		.number = use->number,
		.need = use->need,
		.flags = use->flags,
		.port = use->port,
		.address_len = use->address_len,
		.socket_type = use->socket_type,
		.fd = use->fd,
		.resource = use->resource,
		.limit = use->limit,
	};
	snprintf(u->path, sizeof(u->path), "%s", use->path ? use->path : "");
	snprintf(u->path2, sizeof(u->path2), "%s", use->path2 ? use->path2 : "");
	if (use->address)
		memcpy(&u->address, use->address, use->address_len);
}

const struct used *observe_find_used(enum observed_need need, const char *path)
{
	for (size_t i = 0; i < observe_used.count; i++) {
		const struct used *u = &observe_used.item[i];

		if (u->group < 0 && u->need == need && (!path || strcmp(u->path, path) == 0))
			return u;
	}
	return NULL;
}

size_t observe_count_group(int group)
{
	size_t count = 0;

	for (size_t i = 0; i < observe_used.count; i++)
		count += observe_used.item[i].group == group;
	return count;
}

const char *observe_list_used(void)
{
	static char text[4096];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < observe_used.count && len < sizeof(text) - 600; i++) {
		const struct used *u = &observe_used.item[i];

		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"[group %d, need %d, flags %#x, %s %s] ", u->group,
					(int)u->need, u->flags, u->path, u->path2);
	}
	return text;
}

/* --- runs --------------------------------------------------------------------------------------
 */

struct runner {
	const char *script;
	enum sandbox_plan_use use;
	int socket, out;
};

static int run_script(const struct runner *r)
{
	const char *const argv[] = {"sh", "-c", r->script, NULL};
	const struct sandbox_start start = {
		.argv = argv,
		.cwd = started_scratch,
		.stdin_fd = -1,
		.out = {.kind = SANDBOX_OUTPUT_FD, .fd = r->out},
		.err = {.kind = SANDBOX_OUTPUT_FD, .fd = r->out},
		.dedicated = observe_dedicated,
		.observer = r->socket,
	};
	struct sandbox_plan *plan = NULL;
	struct sandbox_child *child = NULL;
	struct sandbox_result result;
	struct error err = {0};

	if (sandbox_plan_new(started_policy, r->use, NULL, NULL, &plan, &err) < 0 ||
	    sandbox_start(plan, &start, &child, &err) < 0 ||
	    sandbox_wait(child, &result, &err) < 0) {
		dprintf(r->out, "%s\n", err.text);
		return 99;
	}
	sandbox_child_free(child);
	sandbox_plan_free(plan);
	return result.end == SANDBOX_END_EXIT ? result.status : 100 + result.status;
}

static pid_t fork_runner(const char *script, enum sandbox_plan_use use, int ends[2], int out)
{
	struct runner runner = {.script = script, .use = use, .out = out};
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	if (ends) {
		close(ends[0]);
		runner.socket = ends[1];
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(run_script(&runner));
}

static int make_output(void)
{
	int fd = memfd_create("output", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void take_output(int fd, char text[4096])
{
	ssize_t n = pread(fd, text, 4095, 0);

	text[n > 0 ? n : 0] = '\0';
	close(fd);
}

void observe_plainly(const char *script, struct observed_run *run)
{
	int out = make_output(), status;
	pid_t pid = fork_runner(script, SANDBOX_PLAN_START, NULL, out);

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	run->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	take_output(out, run->out);
}

static void run_observed(const char *script,
			 int (*observe)(int socket, pid_t runner, int *ret_status,
					struct error *err),
			 struct observed_run *run)
{
	int ends[2], out = make_output(), status = -1;
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	pid = fork_runner(script, SANDBOX_PLAN_OBSERVED, ends, out);
	close(ends[1]);
	run->err = (struct error){0};
	run->rc = observe(ends[0], pid, &status, &run->err);
	close(ends[0]);
	run->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	take_output(out, run->out);
	ck_assert_int_eq(waitpid(-1, NULL, __WALL | WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

static int observe_denials(int socket, pid_t runner, int *ret_status, struct error *err)
{
	observe_all.count = 0;
	return sandbox_observe(socket, runner, observe_see, &observe_all, ret_status, err);
}

void observe_try(const char *script, struct observed_run *run)
{
	run_observed(script, observe_denials, run);
}

void observe_run(const char *script, struct observed_run *run)
{
	observe_try(script, run);
	ck_assert_msg(run->rc == 0, "%s", run->err.text);
}

static int observe_all_uses(int socket, pid_t runner, int *ret_status, struct error *err)
{
	struct observe_uses uses = {.see = see_use, .ctx = &observe_used};
	int rc;

	observe_used.count = 0;
	rc = observe_uses(socket, runner, &uses, ret_status, err);
	observe_used.most_tasks = uses.most_tasks;
	return rc;
}

void observe_run_uses(const char *script, struct observed_run *run)
{
	run_observed(script, observe_all_uses, run);
	ck_assert_msg(run->rc == 0, "%s", run->err.text);
}

void observe_copy_fixture(const char *name, const char *as)
{
	char self[4096], command[8600];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	ck_assert_int_gt(n, 0);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(command, sizeof(command), "cp '%s/fixtures/%s' '%s/%s'", self, name,
		 started_scratch, as);
	ck_assert_int_eq(system(command), 0);
}

/* --- users -------------------------------------------------------------------------------------
 */

void observe_become(int which)
{
	const uid_t user = 65534;

	if (which == 0 || geteuid() != 0)
		return;
	ck_assert_int_eq(chown(started_scratch, user, user), 0);
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setresgid(user, user, user), 0);
	ck_assert_int_eq(setresuid(user, user, user), 0);
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}
