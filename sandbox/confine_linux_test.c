/* The calls by which a process restricts itself, made by a child that takes them from memory which
 * it shares with the plan's process, as the interceptor's runner would. */
#include "sandbox/compiled.h"

#include "base/fs.h"
#include "sandbox/planned_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char inside[64], outside[64];
static const struct planned units = {.work = inside, .use = SANDBOX_PLAN_UNITS};
static const struct planned applied = {.work = inside, .use = SANDBOX_PLAN_APPLY};

/* One byte over a socket is the word that a list is there, or has been made. */
struct meeting {
	int socket[2];
	struct inject_list *list;
	pid_t child;
};

static void write_text(const char *dir, const char *name, mode_t mode)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
	ck_assert_msg(fd >= 0, "%s", path);
	ck_assert_int_eq(write(fd, "text\n", 5), 5);
	close(fd);
}

static void setup(void)
{
	strcpy(inside, "/tmp/sandtape-confine-XXXXXX");
	strcpy(outside, "/tmp/sandtape-confine-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(inside));
	ck_assert_ptr_nonnull(mkdtemp(outside));
	write_text(inside, "file", 0755);
	write_text(outside, "file", 0755);
}

static void teardown(void)
{
	fs_remove_all(inside, NULL);
	fs_remove_all(outside, NULL);
}

/* --- the child -------------------------------------------------------------------------------- */

static uint64_t resolve(struct inject_list *list, uint64_t arg)
{
	uint64_t offset = arg - INJECT_DATA(0);

	return offset < sizeof(list->data) ? (uint64_t)(list->data + offset) : arg;
}

static void make_calls(struct inject_list *list)
{
	for (unsigned i = 0; i < list->pointers; i++) {
		uint64_t pointer;

		memcpy(&pointer, list->data + list->pointer_at[i], sizeof(pointer));
		pointer = resolve(list, pointer);
		memcpy(list->data + list->pointer_at[i], &pointer, sizeof(pointer));
	}
	list->pointers = 0;
	for (unsigned i = 0; i < list->count; i++) {
		struct runner_call *call = &list->call[i];
		uint64_t a[6];
		long rc;

		for (int k = 0; k < 6; k++)
			a[k] = resolve(list, call->args[k]);
		rc = syscall((long)call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
		call->result = (uint64_t)(rc < 0 ? -errno : rc);
	}
}

static int opens(const char *dir)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/file", dir);
	return open(path, O_RDONLY | O_CLOEXEC) >= 0 ? 0 : errno;
}

/* Says by a bit what is not as a policy with `files: 50` has it. */
static int look(void)
{
	struct rlimit files = {0};

	return (opens(inside) != 0) + 2 * (opens(outside) != EACCES) +
	       4 * (socket(AF_INET, SOCK_STREAM, 0) >= 0) +
	       8 * (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) +
	       16 * (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_max != 50) +
	       32 * (fcntl(20, F_GETFD) >= 0) + 64 * (fcntl(21, F_GETFD) < 0) +
	       128 * (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 0, 0, 0) != 0);
}

static _Noreturn void be_restricted(struct meeting *meeting)
{
	char word;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(STDERR_FILENO, 20);
	dup2(meeting->socket[1], 21);
	while (read(21, &word, 1) == 1 && word == 'l') {
		make_calls(meeting->list);
		if (write(21, &word, 1) != 1)
			break;
	}
	_exit(look());
}

/* --- what holds it ---------------------------------------------------------------------------- */

static void begin(struct meeting *meeting)
{
	meeting->list = mmap(NULL, sizeof(*meeting->list), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(meeting->list, MAP_FAILED);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, meeting->socket), 0);
	meeting->child = fork();
	ck_assert_int_ge(meeting->child, 0);
	if (meeting->child == 0)
		be_restricted(meeting);
}

static void let_make(const struct meeting *meeting)
{
	char word = 'l';

	ck_assert_int_eq(write(meeting->socket[0], &word, 1), 1);
	ck_assert_int_eq(read(meeting->socket[0], &word, 1), 1);
}

static int end(struct meeting *meeting)
{
	int status;

	ck_assert_int_eq(write(meeting->socket[0], "e", 1), 1);
	ck_assert_int_eq(waitpid(meeting->child, &status, 0), meeting->child);
	close(meeting->socket[0]);
	close(meeting->socket[1]);
	munmap(meeting->list, sizeof(*meeting->list));
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int ask(const struct sandbox_plan *plan, const struct meeting *meeting, unsigned step,
	       enum inject_next *ret_next, struct error *err)
{
	const struct confiner *confiner = sandbox_plan_confiner(plan);

	return confiner->next(confiner, meeting->child, step, meeting->list, ret_next, err);
}

#define POLICY ", \"limits\": {\"files\": 50}, \"inherit_fds\": [21]"

START_TEST(a_process_restricts_itself)
{
	struct sandbox_plan *plan = planned(&units, POLICY);
	enum inject_next next = INJECT_GO;
	struct meeting meeting;
	struct error err = {0};

	begin(&meeting);
	for (unsigned step = 0; step < 2; step++) {
		ck_assert_msg(ask(plan, &meeting, step, &next, &err) == 0, "%s", err.text);
		ck_assert_int_eq(next, INJECT_AGAIN);
		let_make(&meeting);
	}
	ck_assert_msg(ask(plan, &meeting, 2, &next, &err) == 0, "%s", err.text);
	ck_assert_int_eq(next, INJECT_GO);
	ck_assert_int_eq(end(&meeting), 0);
	sandbox_plan_free(plan);
}
END_TEST

START_TEST(without_the_calls_that_is_seen)
{
	struct meeting meeting;

	begin(&meeting);
	ck_assert_int_eq(end(&meeting) & 62, 62);
}
END_TEST

/* Each call of both lists in turn: it must not be taken for done. */
START_TEST(a_call_that_fails_is_an_error)
{
	struct sandbox_plan *plan = planned(&units, POLICY);
	enum inject_next next = INJECT_GO;
	struct meeting meeting;
	struct error err = {0};
	unsigned failures = 0;

	begin(&meeting);
	for (unsigned step = 0; step < 2; step++) {
		ck_assert_int_eq(ask(plan, &meeting, step, &next, &err), 0);
		let_make(&meeting);
		for (unsigned i = 0; i < meeting.list->count; i++) {
			struct inject_list spoilt = *meeting.list;
			const struct confiner *confiner = sandbox_plan_confiner(plan);

			if (spoilt.call[i].number == SYS_setsid)
				continue;
			spoilt.call[i].result = (uint64_t)-EINVAL;
			ck_assert_int_eq(confiner->next(confiner, meeting.child, step + 1, &spoilt,
							&next, &err),
					 ERR_SYSTEM);
			ck_assert_ptr_nonnull(strstr(err.text, "cannot restrict process"));
			ck_assert_ptr_null(strstr(err.text, "(null)"));
			failures++;
		}
	}
	ck_assert_uint_ge(failures, 10);
	end(&meeting);
	sandbox_plan_free(plan);
}
END_TEST

START_TEST(a_plan_says_what_a_unit_cannot_have)
{
	struct sandbox_plan *plan = planned(&units, "");
	struct sandbox_layers layers;

	sandbox_plan_layers(plan, &layers);
	ck_assert_int_eq(layers.layer[SANDBOX_MECH_CGROUP].state, SANDBOX_STATE_UNAVAILABLE);
	ck_assert_int_eq(layers.layer[SANDBOX_MECH_ENV].state, SANDBOX_STATE_UNAVAILABLE);
	ck_assert_int_ne(layers.layer[SANDBOX_MECH_RLIMITS].state, SANDBOX_STATE_UNUSED);
	sandbox_plan_free(plan);
}
END_TEST

START_TEST(what_units_cannot_be_restricted_by_is_refused)
{
	struct sandbox_plan *plan = NULL;
	struct error err = {0};

	ck_assert_int_eq(
		planned_try(&units, ", \"strictness\": {\"no-new-privs\": \"off\"}", &plan, &err),
		ERR_UNSUPPORTED);
	/* An ordinary user is told first what else needs it. */
	ck_assert_ptr_nonnull(strstr(err.text, "new_privs") ?: strstr(err.text, "new-privs"));
	ck_assert_int_eq(planned_try(&applied, "", &plan, &err), 0);
	ck_assert_ptr_null(sandbox_plan_confiner(plan));
	sandbox_plan_free(plan);
}
END_TEST

Suite *sandbox_confine_suite(void)
{
	Suite *suite = suite_create("sandbox_confine");
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_process_restricts_itself);
	tcase_add_test(tcase, without_the_calls_that_is_seen);
	tcase_add_test(tcase, a_call_that_fails_is_an_error);
	tcase_add_test(tcase, a_plan_says_what_a_unit_cannot_have);
	tcase_add_test(tcase, what_units_cannot_be_restricted_by_is_refused);
	suite_add_tcase(suite, tcase);
	return suite;
}
