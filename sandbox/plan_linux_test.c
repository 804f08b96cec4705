/* Plans on a host that lets nobody make namespaces: what stands in for them, and what is said. */
#include "sandbox/compiled.h"

#include "base/fs.h"
#include "sandbox/calls.h"
#include "sandbox/filter_run_test.h"
#include "sandbox/planned_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char scratch[64];
static char told[4096];
static int told_times;

static void say(void *ctx, const char *text)
{
	ck_assert_ptr_eq(ctx, scratch);
	told_times++;
	snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s\n", text);
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_msg(fd >= 0, "%s", path);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* Without namespaces of its own it may be that nobody here can make any, which is what is wanted.
 * Without capabilities root cannot make them either. */
static void lose_namespaces(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0}};
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "%u %u 1", geteuid(), geteuid());
	snprintf(gids, sizeof(gids), "%u %u 1", getegid(), getegid());
	if (unshare(CLONE_NEWUSER) == 0) {
		write_text("/proc/self/setgroups", "deny");
		write_text("/proc/self/uid_map", uids);
		write_text("/proc/self/gid_map", gids);
		write_text("/proc/sys/user/max_user_namespaces", "0");
	}
	ck_assert_int_eq(syscall(SYS_capset, &header, none), 0);
	ck_assert_int_lt(unshare(CLONE_NEWUSER), 0);
	ck_assert_int_lt(unshare(CLONE_NEWNS), 0);
}

static void setup(void)
{
	char denied[96];

	told[0] = '\0';
	strcpy(scratch, "/tmp/sandtape-plan-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	snprintf(denied, sizeof(denied), "%s/denied", scratch);
	write_text(denied, "secret\n");
	lose_namespaces();
}

static void teardown(void)
{
	fs_remove_all(scratch, NULL);
}

static const struct planned started = {scratch, SANDBOX_PLAN_START, say, scratch};
static const struct planned applied = {scratch, SANDBOX_PLAN_APPLY, say, scratch};

static int start_bash(struct sandbox_plan *plan, const char *script, struct sandbox_child **ret,
		      struct error *err)
{
	const char *const argv[] = {"bash", "-c", script, NULL};
	const struct sandbox_start start = {
		.argv = argv,
		.cwd = scratch,
		.stdin_fd = -1,
		.out = {.kind = SANDBOX_OUTPUT_BUFFER},
		.err = {.kind = SANDBOX_OUTPUT_BUFFER},
		.dedicated = true,
	};

	return sandbox_start(plan, &start, ret, err);
}

/* What it prints, stderr first. */
static const char *run_bash(struct sandbox_plan *plan, const char *script)
{
	static char out[4096];
	struct sandbox_child *child = NULL;
	struct sandbox_result result;
	struct error err = {0};

	ck_assert_msg(start_bash(plan, script, &child, &err) == 0, "%s", err.text);
	ck_assert_msg(sandbox_wait(child, &result, &err) == 0, "%s", err.text);
	snprintf(out, sizeof(out), "%.*s%.*s", (int)result.err_len, (const char *)result.err,
		 (int)result.out_len, (const char *)result.out);
	sandbox_child_free(child);
	return out;
}

/* Of the filter that programs start under by now. */
static uint32_t answer_to_socket(const struct sandbox_plan *plan, int domain)
{
	const uint64_t args[6] = {(uint64_t)domain, SOCK_STREAM};
	const struct filter *filter = &plan_likely(plan)->filter;

	return filter->len ? filter_answer(filter, call_audit_arch, SYS_socket, args) : ALLOWED;
}

static const char *why_of(const struct sandbox_plan *plan, enum sandbox_mechanism which)
{
	static struct sandbox_layers layers;

	sandbox_plan_layers(plan, &layers);
	return layers.layer[which].why;
}

/* bash says of 127.0.0.1, whose port 9 nobody listens on. */
#define CONNECT "exec 3<>/dev/tcp/127.0.0.1/9"

START_TEST(the_default_policy_starts_programs)
{
	struct sandbox_plan *plan = planned(&started, ", \"fs\": {\"deny\": [\"$WORK/denied\"]}");

	ck_assert_str_eq(run_bash(plan, "echo x > $TMPDIR/mine && cat $TMPDIR/mine"), "x\n");
	ck_assert_ptr_nonnull(strstr(run_bash(plan, "echo $TMPDIR"), "/sandtape-"));
	ck_assert_ptr_nonnull(strstr(run_bash(plan, "cat denied"), "Permission denied"));
	ck_assert_ptr_nonnull(strstr(run_bash(plan, CONNECT), "Permission denied"));
	ck_assert_int_eq(atomic_load(plan->level), NAMESPACES_NONE);
	sandbox_plan_free(plan);
}
END_TEST

START_TEST(unix_sockets_outside_are_out_of_reach)
{
	struct sandbox_plan *plan = planned(&started, "");
	const bool landlock = landlock_abi() >= 9;

	ck_assert_uint_eq(answer_to_socket(plan, AF_UNIX), ALLOWED);
	run_bash(plan, "true");
	ck_assert_uint_eq(answer_to_socket(plan, AF_UNIX), landlock ? ALLOWED : FAILS(EACCES));
	ck_assert_int_eq(!strstr(why_of(plan, SANDBOX_MECH_SECCOMP), "unix sockets are refused"),
			 landlock);
	sandbox_plan_free(plan);
}
END_TEST

START_TEST(unix_sockets_stay_where_they_are_not_enforced)
{
	struct sandbox_plan *plan =
		planned(&started, ", \"strictness\": {\"landlock-fs\": \"warn\"}");

	run_bash(plan, "true");
	ck_assert_uint_eq(answer_to_socket(plan, AF_UNIX), ALLOWED);
	if (landlock_abi() < 9)
		ck_assert_ptr_nonnull(strstr(told, "landlock-fs: unix sockets outside can be"));
	sandbox_plan_free(plan);
}
END_TEST

#define LOOPBACK ", \"net\": {\"mode\": \"loopback\"}"

START_TEST(a_loopback_is_refused_under_enforce)
{
	struct sandbox_plan *plan = planned(&started, LOOPBACK);
	struct sandbox_child *child = NULL;
	struct error err = {0};

	ck_assert_int_eq(start_bash(plan, "true", &child, &err), ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(err.text, "does not let a net namespace be made"));
	sandbox_plan_free(plan);
}
END_TEST

/* Never the whole network instead: the control is a policy that allows it. */
START_TEST(without_a_loopback_of_its_own_there_is_no_network)
{
	static const char *const rest[] = {
		LOOPBACK ", \"strictness\": {\"namespaces\": \"warn\"}",
		LOOPBACK ", \"strictness\": {\"namespaces\": \"off\"}",
	};
	struct sandbox_plan *plan = planned(&started, ", \"net\": {\"mode\": \"full\"}");

	ck_assert_ptr_null(strstr(run_bash(plan, CONNECT), "Permission denied"));
	sandbox_plan_free(plan);
	for (size_t i = 0; i < COUNT(rest); i++) {
		plan = planned(&started, rest[i]);
		ck_assert_ptr_nonnull(strstr(run_bash(plan, CONNECT), "Permission denied"));
		ck_assert_uint_eq(answer_to_socket(plan, AF_NETLINK), FAILS(EACCES));
		ck_assert_ptr_nonnull(
			strstr(why_of(plan, SANDBOX_MECH_SECCOMP), "sockets of IP are refused"));
		sandbox_plan_free(plan);
	}
}
END_TEST

START_TEST(what_is_lost_at_a_start_is_told_once)
{
	struct sandbox_plan *plan =
		planned(&started, LOOPBACK ", \"strictness\": {\"namespaces\": \"warn\"}");

	ck_assert_str_eq(told, "");
	run_bash(plan, "true");
	ck_assert_ptr_nonnull(strstr(told, "does not let a net namespace be made"));
	ck_assert_int_eq(told_times, 1);
	run_bash(plan, "true");
	ck_assert_int_eq(told_times, 1);
	sandbox_plan_free(plan);
}
END_TEST

/* Nothing is left that could keep it. */
START_TEST(without_a_filter_either_it_is_refused)
{
	static const struct {
		const char *rest;
		const char *why; /* NULL: that needs no filter */
	} rows[] = {
		{LOOPBACK ", \"strictness\": {\"namespaces\": \"off\", \"seccomp\": \"off\"}",
		 "landlock-net: net.mode is \"loopback\""},
		{LOOPBACK ", \"strictness\": {\"namespaces\": \"off\", \"seccomp\": \"off\", "
			  "\"landlock-net\": \"off\"}, \"unix_sockets\": {\"mode\": \"all\"}",
		 NULL},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sandbox_plan *plan = NULL;
		struct error err = {0};
		int rc = planned_try(&started, rows[i].rest, &plan, &err);

		ck_assert_int_eq(rc, rows[i].why ? ERR_UNSUPPORTED : 0);
		if (rows[i].why)
			ck_assert_msg(strstr(err.text, rows[i].why) != NULL, "%s", err.text);
		sandbox_plan_free(plan);
	}
}
END_TEST

START_TEST(unix_sockets_without_a_filter_are_refused)
{
	struct sandbox_plan *plan = NULL;
	struct error err = {0};
	int rc = planned_try(&applied, ", \"strictness\": {\"seccomp\": \"off\"}", &plan, &err);

	if (landlock_abi() >= 9) {
		ck_assert_int_eq(rc, 0);
	} else {
		ck_assert_int_eq(rc, ERR_UNSUPPORTED);
		ck_assert_ptr_nonnull(strstr(err.text, "landlock-fs: unix sockets outside"));
	}
	sandbox_plan_free(plan);
}
END_TEST

Suite *sandbox_plan_suite(void)
{
	Suite *suite = suite_create("sandbox_plan");
	TCase *tc = tcase_create("no namespaces");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_default_policy_starts_programs);
	tcase_add_test(tc, unix_sockets_outside_are_out_of_reach);
	tcase_add_test(tc, unix_sockets_stay_where_they_are_not_enforced);
	tcase_add_test(tc, a_loopback_is_refused_under_enforce);
	tcase_add_test(tc, without_a_loopback_of_its_own_there_is_no_network);
	tcase_add_test(tc, what_is_lost_at_a_start_is_told_once);
	tcase_add_test(tc, without_a_filter_either_it_is_refused);
	tcase_add_test(tc, unix_sockets_without_a_filter_are_refused);
	suite_add_tcase(suite, tc);
	return suite;
}
