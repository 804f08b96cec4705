/* What is said of denials whatever they are, and the rows that other suites have. */
#include "sandbox/denial_test.h"

#include "base/buf.h"
#include "base/chaos_test.h"
#include "base/cleanup.h"
#include "sandbox/calls.h"
#include "sandbox/denial_parts.h"
#include "sandbox/kernel_calls_linux.h"
#include "sandbox/planned_test.h"
#include "sandbox/tree_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- what the suites share ----------------------------------------------------------------------
 */

char *denial_text(const char *text)
{
	struct buf out = BUF_INIT;

	ck_assert_int_eq(buf_add_str(&out, ""), 0);
	for (; *text; text++)
		ck_assert_int_eq(
			*text == '@' ? buf_add_str(&out, tree_base) : buf_add_char(&out, *text), 0);
	return buf_steal(&out);
}

static struct sandbox_plan *compile(const char *text, enum sandbox_plan_use use)
{
	cleanup_free char *work = denial_text("@/root");
	const struct sandbox_places places = {work, tree_base, "/tmp"};
	struct sandbox_policy *policy = planned_policy(text, &places);
	struct sandbox_plan *plan = NULL;
	struct error err = {0};

	ck_assert_msg(sandbox_plan_new(policy, use, NULL, NULL, &plan, &err) == 0, "%s: %s", text,
		      err.text);
	sandbox_policy_free(policy);
	return plan;
}

struct sandbox_plan *denial_plan(const char *policy, enum sandbox_plan_use use)
{
	cleanup_free char *rest = denial_text(policy);
	char text[8192];

	snprintf(text, sizeof(text), "{\"version\": 1%s%s}", *rest ? ", " : "", rest);
	return compile(text, use);
}

/* The same with the part merged in; what is at one key is replaced. */
static struct sandbox_plan *merged_plan(const char *policy, const char *part,
					enum sandbox_plan_use use)
{
	cleanup_free char *rest = denial_text(policy), *text = NULL;
	struct sandbox_plan *plan;
	char whole[8192];
	json_t *base, *more;

	snprintf(whole, sizeof(whole), "{\"version\": 1%s%s}", *rest ? ", " : "", rest);
	base = json_loads(whole, 0, NULL);
	more = json_loads(part, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_msg(base && more, "%s", part);
	ck_assert_int_eq(json_object_update_recursive(base, more), 0);
	text = json_dumps(base, 0);
	ck_assert_ptr_nonnull(text);
	plan = compile(text, use);
	json_decref(base);
	json_decref(more);
	return plan;
}

static int explain_row(const struct denial_row *row, struct sandbox_plan *plan,
		       struct sandbox_denial *ret)
{
	struct sandbox_observation seen = row->seen;
	cleanup_free char *path = seen.path ? denial_text(seen.path) : NULL;
	cleanup_free char *path2 = seen.path2 ? denial_text(seen.path2) : NULL;
	struct error err = {0};
	int rc;

	seen.pid = 7;
	seen.arch = seen.arch ? seen.arch : call_audit_arch;
	seen.path = path;
	seen.path2 = path2;
	plan->privileges.had = row->had;
	memset(ret, 0xee, sizeof(*ret));
	rc = sandbox_explain(plan, &seen, ret, &err);
	ck_assert_msg(rc >= 0, "%s", err.text);
	return rc;
}

static void expect_text(const char *got, const char *want)
{
	cleanup_free char *text = denial_text(want ? want : "");

	ck_assert_str_eq(got, text);
}

static void expect_gone(const struct denial_row *row, const struct sandbox_denial *denial,
			enum sandbox_plan_use use)
{
	struct sandbox_plan *plan = merged_plan(row->policy, denial->policy, use);
	struct sandbox_denial again;

	ck_assert_msg(explain_row(row, plan, &again) == 0, "with %s: %s", denial->policy,
		      again.why);
	sandbox_plan_free(plan);
}

/* What is seen of a signal or an end is the same with another limit, when the process's own is not
 * told. */
static bool shows_in_row(const struct denial_row *row)
{
	const struct sandbox_observation *seen = &row->seen;

	return seen->what == SANDBOX_SEEN_CALL || seen->signal == SIGSYS ||
	       (seen->what == SANDBOX_SEEN_SIGNAL && seen->limit && seen->limit != RLIM_INFINITY);
}

void denial_check(const struct denial_row *row)
{
	enum sandbox_plan_use use = row->in_place ? SANDBOX_PLAN_APPLY : SANDBOX_PLAN_START;
	struct sandbox_plan *plan = denial_plan(row->policy, use);
	struct sandbox_denial got;
	char text[512];
	int rc = explain_row(row, plan, &got);

	sandbox_plan_free(plan);
	if (!row->want) {
		ck_assert_msg(rc == 0, "%s", got.why);
		return;
	}
	ck_assert_msg(rc == 1, "no denial: %s", row->want);
	snprintf(text, sizeof(text), "%s %s: %s", sandbox_mechanism_name(got.mechanism),
		 sandbox_evidence_name(got.evidence), got.why);
	expect_text(text, row->want);
	expect_text(got.option, row->option);
	expect_text(got.policy, row->policy_want);
	ck_assert_int_eq(got.pid, 7);
	ck_assert_int_eq(got.error, row->seen.what == SANDBOX_SEEN_CALL ? row->seen.error : 0);
	if (*got.policy && shows_in_row(row))
		expect_gone(row, &got, use);
}

/* --- what is shown ------------------------------------------------------------------------------
 */

static const struct sockaddr_in6 ten_six = {
	.sin6_family = AF_INET6, .sin6_port = 0x5000, .sin6_addr.s6_addr = {[0] = 0x20, [15] = 1}};

/* With a policy that refuses each. */
static const struct {
	const char *policy;
	struct sandbox_observation seen;
	const char *call, *arguments, *what;
} shown[] = {
	{"",
	 {SEEN_CALL(openat, EACCES), .args = {(uint32_t)AT_FDCWD, 1, O_RDONLY | O_CLOEXEC},
	  .path = "/nowhere/a"},
	 "openat",
	 "AT_FDCWD, \"/nowhere/a\", O_RDONLY|O_CLOEXEC",
	 "/nowhere/a"},
	{"",
	 {SEEN_CALL(openat, EACCES), .args = {5, 1, O_WRONLY | O_CREAT | O_TRUNC, 0640},
	  .path = "/nowhere/a b"},
	 "openat",
	 "5, \"/nowhere/a b\", O_WRONLY|O_CREAT|O_TRUNC, 0640",
	 "'/nowhere/a b'"},
	{"",
	 {SEEN_CALL(openat2, EACCES), .args = {5, 1, 77, 24}, .path = "/nowhere/a",
	  .flags = O_WRONLY | O_CREAT},
	 "openat2",
	 "5, \"/nowhere/a\", {flags=O_WRONLY|O_CREAT}, 24",
	 "/nowhere/a"},
	{"",
	 {SEEN_CALL(mkdirat, EACCES), .args = {(uint32_t)AT_FDCWD, 1, 0755},
	  .path = "/nowhere/\n\"\\"},
	 "mkdirat",
	 "AT_FDCWD, \"/nowhere/\\n\\\"\\\\\", 0755",
	 "$'/nowhere/\\n\"\\\\'"},
	{"",
	 {SEEN_CALL(renameat2, EACCES), .args = {3, 1, 4, 1, 1}, .path = "/nowhere/a",
	  .path2 = "/nowhere/b"},
	 "renameat2",
	 "3, \"/nowhere/a\", 4, \"/nowhere/b\", RENAME_NOREPLACE",
	 "/nowhere/a"},
	{"",
	 {SEEN_CALL(socket, EACCES), .filtered = true,
	  .args = {AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 6}},
	 "socket",
	 "AF_INET6, SOCK_STREAM|SOCK_CLOEXEC, 6",
	 ""},
	{"\"net\": {\"mode\": \"tcp\", \"tcp_connect\": [443]}",
	 {SEEN_CALL(connect, EACCES), .args = {3, 1, 28}, .address = (const void *)&ten_six,
	  .address_len = sizeof(ten_six)},
	 "connect",
	 "3, [2000::1]:80, 28",
	 "[2000::1]:80"},
	{"",
	 {SEEN_CALL(ioctl, EPERM), .filtered = true, .args = {0, 0x5412, 0x7f0000}},
	 "ioctl",
	 "0, TIOCSTI, 0x7f0000",
	 ""},
	{"",
	 {SEEN_CALL(unshare, EPERM), .filtered = true, .args = {CLONE_NEWUSER | CLONE_NEWNS}},
	 "unshare",
	 "CLONE_NEWNS|CLONE_NEWUSER",
	 ""},
	{"",
	 {SEEN_CALL(personality, EPERM), .filtered = true, .args = {0x40000}},
	 "personality",
	 "0x40000",
	 ""},
	{"",
	 {.what = SANDBOX_SEEN_CALL,
	  .error = EPERM,
	  .filtered = true,
	  .arch = 0x40000003,
	  .number = 20},
	 "syscall",
	 "20",
	 ""},
};

START_TEST(calls_are_shown_as_they_were_made)
{
	struct sandbox_plan *plan = denial_plan(shown[_i].policy, SANDBOX_PLAN_START);
	const struct denial_row row = {.seen = shown[_i].seen};
	struct sandbox_denial got;

	ck_assert_int_eq(explain_row(&row, plan, &got), 1);
	ck_assert_str_eq(got.call, shown[_i].call);
	ck_assert_str_eq(got.arguments, shown[_i].arguments);
	ck_assert_str_eq(got.what, shown[_i].what);
	sandbox_plan_free(plan);
}
END_TEST

/* What is too long is cut, or not said at all: an option that is half of one is another one. */
START_TEST(what_is_too_long_is_cut)
{
	struct sandbox_plan *plan = denial_plan("", SANDBOX_PLAN_START);
	struct denial_row row = {.seen = {SEEN_CALL(openat, EACCES)}};
	char path[4096];
	struct sandbox_denial got;

	memset(path, '\'', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	row.seen.path = path;
	ck_assert_int_eq(explain_row(&row, plan, &got), 1);
	ck_assert_str_eq(got.option, "");
	ck_assert_uint_lt(strlen(got.arguments), sizeof(got.arguments));
	ck_assert_uint_eq(strlen(got.what), sizeof(got.what) - 1);
	ck_assert_str_eq(got.what + sizeof(got.what) - 4, "...");
	/* JSON needs no more for it. */
	ck_assert_ptr_nonnull(strstr(got.policy, path));
	sandbox_plan_free(plan);
}
END_TEST

/* --- what is suggested ---------------------------------------------------------------------------
 */

static const char *const odd_names[] = {
	"/nowhere/plain",      "/nowhere/a b",	    "/nowhere/it's",	 "/nowhere/a\nb",
	"/nowhere/$(id)`id`;", "/nowhere/\\\\n",    "/nowhere/\x80\xff", "/nowhere/*\t\"",
	"/nowhere/-\x01",      "/nowhere/\xc3\xa4",
};

/* What sh makes of the option, a NUL behind each word. */
static size_t words_of(const char *option, char *ret, size_t size)
{
	int out[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;
	char script[3 * SANDBOX_DENIAL_TEXT];

	snprintf(script, sizeof(script), "printf '%%s\\0' %s", option);
	ck_assert_int_eq(pipe(out), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(out[1], 1);
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	while ((n = read(out[0], ret + len, size - len)) > 0)
		len += (size_t)n;
	close(out[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	return len;
}

START_TEST(options_come_back_right_through_sh)
{
	struct sandbox_plan *plan = denial_plan("", SANDBOX_PLAN_START);
	const char *path = odd_names[_i];
	struct denial_row row = {.seen = {SEEN_CALL(openat, EACCES), .path = path}};
	struct sandbox_denial got;
	char words[1024], want[1024];
	int len = snprintf(want, sizeof(want), "--read-only%c%s", '\0', path);

	ck_assert_int_eq(explain_row(&row, plan, &got), 1);
	ck_assert_uint_eq(words_of(got.option, words, sizeof(words)), (size_t)len + 1);
	ck_assert_mem_eq(words, want, (size_t)len + 1);
	sandbox_plan_free(plan);
}
END_TEST

/* A policy reads the path as it was. */
START_TEST(policies_have_paths_of_any_bytes)
{
	struct sandbox_plan *plan = denial_plan("", SANDBOX_PLAN_START);
	const char *path = odd_names[_i];
	struct denial_row row = {.seen = {SEEN_CALL(openat, EACCES), .path = path}};
	struct sandbox_policy *policy;
	struct sandbox_denial got;
	char text[SANDBOX_DENIAL_TEXT + 64];
	bool found = false;

	ck_assert_int_eq(explain_row(&row, plan, &got), 1);
	snprintf(text, sizeof(text), "{\"version\": 1, %s", got.policy + 1);
	policy = planned_policy(text, NULL);
	for (size_t i = 0; i < policy->roots.count; i++)
		found |= strcmp(policy->roots.item[i].path, path) == 0 &&
			 policy->roots.item[i].kind == SANDBOX_ROOT_READ_ONLY;
	ck_assert(found);
	sandbox_policy_free(policy);
	sandbox_plan_free(plan);
}
END_TEST

/* --- the table of calls --------------------------------------------------------------------------
 */

START_TEST(each_call_that_is_refused_has_a_name)
{
	for (size_t i = 0; i < call_rule_count; i++)
		ck_assert_msg(call_known(call_rules[i].number) != NULL, "%d", call_rules[i].number);
	ck_assert_ptr_null(call_known(-1));
	ck_assert_ptr_null(call_known(KERNEL_CALLS_END));
}
END_TEST

/* --- observations that cannot be
 * ------------------------------------------------------------------ */

static const struct sandbox_result strange_end = {.end = (enum sandbox_end)77};

static const char *const relative[] = {"/c", "d", NULL};

static const struct sandbox_observation impossible[] = {
	{.what = (enum sandbox_seen)9, .error = EACCES},
	{.what = (enum sandbox_seen) - 1, .error = EACCES},
	{SEEN_CALL(openat, 0)},
	{SEEN_CALL(openat, -EACCES)},
	{SEEN_CALL(openat, 5000)},
	{SEEN_CALL(openat, EACCES), .pid = -1},
	{SEEN_CALL(openat, EACCES), .path = "relative"},
	{SEEN_CALL(openat, EACCES), .path = ""},
	{SEEN_CALL(renameat2, EACCES), .path = "/a", .path2 = "b"},
	{SEEN_CALL(renameat2, EACCES), .path2 = "/b"},
	{SEEN_CALL(execve, EACCES), .path = "/a", .path2 = "/b", .interpreters = relative},
	{SEEN_CALL(execve, EACCES), .path = "/a", .interpreters = relative + 2},
	{SEEN_CALL(openat, EACCES), .path = "/a", .outside = (enum sandbox_outside)3},
	{SEEN_CALL(connect, EACCES), .address_len = 16},
	{SEEN_CALL(connect, EACCES), .address = (const void *)&ten_six},
	{SEEN_CALL(connect, EACCES), .address = (const void *)&ten_six, .address_len = 4096},
	{.what = SANDBOX_SEEN_SIGNAL},
	{.what = SANDBOX_SEEN_SIGNAL, .signal = -1},
	{.what = SANDBOX_SEEN_SIGNAL, .signal = 65},
	{.what = SANDBOX_SEEN_END},
	{.what = SANDBOX_SEEN_END, .result = &strange_end},
};

START_TEST(what_cannot_be_is_invalid)
{
	struct sandbox_plan *plan = denial_plan("", SANDBOX_PLAN_START);
	struct sandbox_denial got;
	struct error err = {0};

	got.why[0] = 'x';
	ck_assert_int_eq(sandbox_explain(plan, &impossible[_i], &got, &err), ERR_INVALID);
	ck_assert_int_eq(err.code, ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(err.text, "cannot be"));
	ck_assert_int_eq(sandbox_explain(plan, &impossible[_i], &got, NULL), ERR_INVALID);
	ck_assert_int_eq(got.why[0], 'x');
	sandbox_plan_free(plan);
}
END_TEST

START_TEST(evidence_has_names)
{
	ck_assert_str_eq(sandbox_evidence_name(SANDBOX_EVIDENCE_KERNEL), "kernel");
	ck_assert_str_eq(sandbox_evidence_name(SANDBOX_EVIDENCE_OBSERVED), "observed");
	ck_assert_str_eq(sandbox_evidence_name(SANDBOX_EVIDENCE_INFERRED), "inferred");
	ck_assert_ptr_null(sandbox_evidence_name((enum sandbox_evidence)3));
	ck_assert_ptr_null(sandbox_evidence_name((enum sandbox_evidence) - 1));
}
END_TEST

/* Whatever the bytes of an address are. */
START_TEST(odd_addresses_are_read_within_their_length)
{
	struct sandbox_plan *plan = denial_plan(
		"\"net\": {\"mode\": \"tcp\", \"tcp_connect\": [443]}", SANDBOX_PLAN_START);
	static const int families[] = {AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, 999};
	struct sandbox_denial got;

	for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
		for (socklen_t len = 1; len <= sizeof(struct sockaddr_storage); len++) {
			struct sockaddr *address = malloc(len < 2 ? 2 : len);
			struct sandbox_observation seen = {SEEN_CALL(connect, EACCES),
							   .arch = call_audit_arch,
							   .address = address, .address_len = len};

			memset(address, 'a', len < 2 ? 2 : len);
			address->sa_family = (sa_family_t)families[f];
			ck_assert_int_ge(sandbox_explain(plan, &seen, &got, NULL), 0);
			free(address);
		}
	}
	sandbox_plan_free(plan);
}
END_TEST

/* --- memory that runs out
 * ------------------------------------------------------------------------- */

static const struct sandbox_observation needy[] = {
	{SEEN_CALL(openat, EACCES), .path = "/nowhere/\x80"},
	{SEEN_CALL(renameat2, EACCES), .path = "/nowhere/a", .path2 = "/nowhere/b/c"},
	{SEEN_CALL(io_uring_setup, EPERM), .filtered = true},
	{SEEN_CALL(chown, EPERM), .path = "/nowhere/x"},
	{SEEN_CALL(openat, EMFILE), .limit = 1024},
};

START_TEST(memory_may_run_out_anywhere)
{
	struct sandbox_plan *plan;
	struct sandbox_observation seen = needy[_i];
	long call = 0;

	chaos_prepare();
	plan = denial_plan("\"fs\": {\"write\": [\"@/root\"]}", SANDBOX_PLAN_START);
	plan->privileges.had = UINT64_MAX;
	seen.arch = call_audit_arch;
	do {
		struct sandbox_denial got;
		struct error err = {0};
		int rc;

		memset(&got, 0x55, sizeof(got));
		chaos_arm(CHAOS_ONCE, call++);
		rc = sandbox_explain(plan, &seen, &got, &err);
		chaos_disarm();
		ck_assert_msg(rc == 1 || rc == ERR_NOMEM, "%d: %s", rc, err.text);
		ck_assert(rc == 1 || (err.code == ERR_NOMEM && got.why[0] == 0x55));
		ck_assert(rc == 1 || chaos_met());
		ck_assert(rc < 0 || (*got.why && *got.policy));
	} while (chaos_met() && call < CHAOS_CALLS_MAX);
	ck_assert_int_gt(call, 4);
	sandbox_plan_free(plan);
}
END_TEST

Suite *sandbox_denial_suite(void)
{
	Suite *s = suite_create("sandbox_denial");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, tree_enter, tree_leave);
	tcase_add_loop_test(t, calls_are_shown_as_they_were_made, 0, DENIAL_COUNT(shown));
	tcase_add_test(t, what_is_too_long_is_cut);
	tcase_add_loop_test(t, options_come_back_right_through_sh, 0, DENIAL_COUNT(odd_names));
	tcase_add_loop_test(t, policies_have_paths_of_any_bytes, 0, DENIAL_COUNT(odd_names));
	tcase_add_test(t, each_call_that_is_refused_has_a_name);
	tcase_add_loop_test(t, what_cannot_be_is_invalid, 0, DENIAL_COUNT(impossible));
	tcase_add_test(t, evidence_has_names);
	tcase_add_test(t, odd_addresses_are_read_within_their_length);
	tcase_add_loop_test(t, memory_may_run_out_anywhere, 0, DENIAL_COUNT(needy));
	suite_add_tcase(s, t);
	return s;
}
