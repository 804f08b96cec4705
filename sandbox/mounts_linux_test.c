/* What a mount namespace shows to a program, on the kernel that the tests run on. */
#include "sandbox/child.h"

#include "base/fs.h"
#include "base/text.h"
#include "sandbox/planned_test.h"
#include "tools/tests.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char out[8192]; /* of the last script, both streams */
static int status;

/* A scratch directory in `dir`, with a tree of files; "@" in scripts and policies. */
static char base[64];

static void make_tree(const char *dir)
{
	static const char *const dirs[] = {"ws/a/s", "ws/a/ro", "other/d"};
	static const char *const files[] = {"ws/f",	 "ws/a/s/key", "ws/a/ro/f",
					    "ws/a/.env", "other/f",    "other/d/f"};
	char path[128];

	snprintf(base, sizeof(base), "%s/sandtape-mounts-XXXXXX", dir);
	ck_assert_ptr_nonnull(mkdtemp(base));
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", base, dirs[i]);
		ck_assert_int_eq(fs_mkdir_all(path, NULL), 0);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", base, files[i]);
		file = fopen(path, "we");
		ck_assert_ptr_nonnull(file);
		fprintf(file, "#!/bin/sh\necho old\n");
		ck_assert_int_eq(fclose(file), 0);
		ck_assert_int_eq(chmod(path, 0755), 0);
	}
}

/* With the scratch directory for every "@". */
static const char *at(const char *text)
{
	static char filled[4096];
	size_t n = 0;

	for (; *text; text++) {
		size_t len = *text == '@' ? strlen(base) : 1;

		ck_assert_uint_lt(n + len, sizeof(filled));
		memcpy(filled + n, *text == '@' ? base : text, len);
		n += len;
	}
	filled[n] = '\0';
	return filled;
}

static void shell_outside(const char *script)
{
	ck_assert_int_eq(system(at(script)), 0); /* NOLINT(cert-env33-c): a test's own words */
}

/* What mv could not rename it may have copied, with the modes of what hides. */
static void remove_tree(void)
{
	shell_outside("chmod -R u+rwx @");
	ck_assert_int_eq(fs_remove_all(base, NULL), 0);
}

static struct sandbox_plan *plan_of(const char *text)
{
	char work[80];
	struct sandbox_places places = {.work = work, .home = "/no/home"};
	struct sandbox_policy *policy;
	struct sandbox_plan *plan = NULL;
	struct error err = {0};

	snprintf(work, sizeof(work), "%s/ws", base);
	policy = planned_policy(at(text), &places);
	ck_assert_msg(sandbox_plan_new(policy, SANDBOX_PLAN_START, NULL, NULL, &plan, &err) == 0,
		      "%s", err.text);
	sandbox_policy_free(policy);
	return plan;
}

static int try_shell(struct sandbox_plan *plan, const char *script, struct error *err)
{
	const char *const argv[] = {"/bin/sh", "-c", at(script), NULL};
	const struct sandbox_start start = {
		.argv = argv,
		.cwd = "/",
		.stdin_fd = -1,
		.out = {.kind = SANDBOX_OUTPUT_BUFFER},
		.err = {.kind = SANDBOX_OUTPUT_BUFFER},
	};
	struct sandbox_child *child = NULL;
	struct sandbox_result result;
	int rc = sandbox_start(plan, &start, &child, err);

	if (rc < 0)
		return rc;
	ck_assert_int_eq(sandbox_wait(child, &result, NULL), 0);
	ck_assert_int_eq(result.end, SANDBOX_END_EXIT);
	status = result.status;
	snprintf(out, sizeof(out), "%.*s%.*s", (int)result.out_len, (const char *)result.out,
		 (int)result.err_len, (const char *)result.err);
	sandbox_child_free(child);
	return 0;
}

/* Whether this host let the mounts be made; then the script has run. */
static bool run_in(struct sandbox_plan *plan, const char *script)
{
	struct error err = {0};

	ck_assert_msg(try_shell(plan, script, &err) == 0, "%s", err.text);
	return namespaces_have_mounts(&plan_likely(plan)->namespaces);
}

static bool run(const char *policy, const char *script)
{
	struct sandbox_plan *plan = plan_of(policy);
	bool mounts = run_in(plan, script);

	sandbox_plan_free(plan);
	return mounts;
}

/* The script's lines are acts, which end well or not: "+" and "-" in the order of the acts. */
static void expect_acts(const char *policy, const char *const *act, size_t acts, const char *want)
{
	char script[4096] = "", *end = script;

	for (size_t i = 0; i < acts; i++)
		end += snprintf(end, sizeof(script) - (size_t)(end - script),
				"if ( %s ) >/dev/null 2>&1; then printf +; else printf -; fi\n",
				act[i]);
	run(policy, script);
	ck_assert_str_eq(out, want);
}

/* --- roots in private directories ------------------------------------------------------------- */

static const char *const acts[] = {
	"cat @/other/f",    "ls @/other/d",	 "@/other/f",	   "echo new >> @/other/f",
	"echo > @/other/g", "mkdir @/other/d/d", "rm @/other/d/f", "mv @/other/d @/other/e",
};

#define ACTS (sizeof(acts) / sizeof(acts[0]))

static const char *const privates[] = {"/tmp", "/dev/shm"};

#define PLACES (int)(sizeof(privates) / sizeof(privates[0]))

static const struct {
	const char *policy;
	const char *want;
} kinds[] = {
	{"{\"version\":1, \"fs\":{\"write\":[\"@/other\"]}}", "++++++++"},
	{"{\"version\":1, \"fs\":{\"read_only\":[\"@/other\"]}}", "++------"},
	{"{\"version\":1, \"fs\":{\"read\":[\"@/other\"]}}", "++------"},
	{"{\"version\":1, \"fs\":{\"exec\":[\"@/other\"]}}", "+++-----"},
	{"{\"version\":1, \"fs\":{\"read\":[\"@/other\"], \"deny\":[\"@/other/d\"]}}", "+-------"},
	{"{\"version\":1, \"fs\":{\"read\":[\"@/other/f\"]}}", "+---+---"},
	{"{\"version\":1, \"unix_sockets\":{\"paths\":[\"@/other\"]}}", "++------"},
	{"{\"version\":1, \"fs\":{\"workspace\":[\"@/other\"], \"operations\":[\"read_text\", "
	 "\"list\", \"exists\", \"write_text\", \"delete\"]}}",
	 "++-+++++"},
};

#define KINDS (int)(sizeof(kinds) / sizeof(kinds[0]))

/* What is around a root that is kept is granted whole, and private. */
START_TEST(roots_in_private_directories_have_their_own_rights)
{
	char file[128];
	struct stat st;

	make_tree(privates[_i % PLACES]);
	expect_acts(kinds[_i / PLACES].policy, acts, ACTS, kinds[_i / PLACES].want);
	snprintf(file, sizeof(file), "%s/other/g", base);
	ck_assert_int_eq(stat(file, &st) == 0,
			 kinds[_i / PLACES].want[4] == '+' && kinds[_i / PLACES].want[6] == '+');
	remove_tree();
}
END_TEST

/* --- directories above what is denied --------------------------------------------------------- */

/* What a rename takes along is at another path in the next run. */
START_TEST(what_is_above_a_denial_stays_in_its_place)
{
	static const char *const moves[] = {
		"mv @/ws/a @/ws/b",	"mv @/ws/a/s @/ws/s",
		"rmdir @/ws/a/s",	"mv @/ws @/ws2",
		"mv @/ws/f @/ws/moved", "mkdir @/ws/c; mv @/ws/c @/ws/d",
		"mv -T @/ws/d @/ws/a",	"echo new > @/ws/a/new && mv @/ws/a/new @/ws/a/newer",
	};
	static const char *const policies[] = {
		"{\"version\":1, \"fs\":{\"deny\":[\"@/ws/a/s\"]}}",
		"{\"version\":1, \"fs\":{\"read_only\":[\"@/ws/a/s\"]}}",
		"{\"version\":1, \"fs\":{\"deny\":[\"@/ws/a/s/key\"]}}",
	};

	make_tree("/var/tmp");
	expect_acts(policies[_i], moves, sizeof(moves) / sizeof(moves[0]), "----++-+");
	run("{\"version\":1, \"fs\":{\"deny\":[\"@/ws/a/s\"]}}",
	    "cat @/ws/b/s/key @/ws/a/s/key && echo seen");
	ck_assert_ptr_null(strstr(out, "seen"));
	remove_tree();
}
END_TEST

/* Each is one mount, however deep they are. */
START_TEST(deep_directories_are_pinned_once)
{
	char deep[1024] = "ws", path[2048], policy[4096];
	int mounts = 0;

	make_tree("/var/tmp");
	for (int i = 0; i < 20; i++)
		snprintf(deep + strlen(deep), sizeof(deep) - strlen(deep), "/d");
	snprintf(path, sizeof(path), "%s/%s/secret", base, deep);
	ck_assert_int_eq(fs_mkdir_all(path, NULL), 0);
	snprintf(policy, sizeof(policy), "{\"version\":1, \"fs\":{\"deny\":[\"%s\"]}}", path);
	if (run(policy, "grep -c ' @/ws/d' /proc/self/mountinfo")) {
		mounts = atoi(out);
		/* over the last one lies what hides it, on top of what that was cloned from */
		ck_assert_int_eq(mounts, 22);
	}
	run(policy, "mv @/ws/d @/ws/e || mv @/ws/d/d @/ws/d/e || mv @/ws/d/d/d @/ws/e");
	ck_assert_int_ne(status, 0);
	remove_tree();
}
END_TEST

/* --- what has been replaced since the plan was made ------------------------------------------- */

START_TEST(a_directory_that_has_been_replaced_fails_the_start)
{
	static const struct {
		const char *policy;
		const char *change;
	} rows[] = {
		{"{\"version\":1, \"fs\":{\"deny\":[\"@/ws/a/s\"]}}",
		 "mv @/ws/a/s @/ws/t; mkdir @/ws/a/s"},
		{"{\"version\":1, \"fs\":{\"deny\":[\"@/ws/a/s\"]}}", "mv @/ws/a/s @/ws/t"},
		{"{\"version\":1, \"fs\":{\"read_only\":[\"@/ws/a/s\"]}}",
		 "mv @/ws/a/s @/ws/t; mkdir @/ws/a/s"},
		{"{\"version\":1, \"fs\":{\"deny\":[\"@/ws/a/s/key\"]}}",
		 "mv @/ws/a @/ws/b; mkdir -p @/ws/a/s; : >@/ws/a/s/key"},
		{"{\"version\":1, \"fs\":{\"deny\":[\"@/ws/a\"], \"read\":[\"@/ws/a/ro\"]}}",
		 "mv @/ws/a @/ws/b; mkdir -p @/ws/a/ro"},
		{"{\"version\":1, \"fs\":{\"deny\":[\"@/ws/f\"]}}", "rm @/ws/f; mkdir @/ws/f"},
	};
	struct sandbox_plan *plan;
	struct error err = {0};

	make_tree("/var/tmp");
	plan = plan_of(rows[_i].policy);
	if (run_in(plan, "true")) {
		shell_outside(rows[_i].change);
		ck_assert_int_lt(try_shell(plan, "true", &err), 0);
		ck_assert_ptr_nonnull(strstr(err.text, "has been replaced since the plan"));
	}
	sandbox_plan_free(plan);
	remove_tree();
}
END_TEST

START_TEST(a_file_that_has_been_written_anew_is_denied_as_before)
{
	struct sandbox_plan *plan;

	make_tree("/var/tmp");
	plan = plan_of("{\"version\":1, \"fs\":{\"deny\":[\"@/ws/a/.env\"]}}");
	run_in(plan, "cat @/ws/f");
	ck_assert_int_eq(status, 0);
	shell_outside("cp @/ws/f @/ws/a/n; mv @/ws/a/n @/ws/a/.env");
	run_in(plan, "cat @/ws/a/.env");
	ck_assert_ptr_nonnull(strstr(out, "Permission denied"));
	sandbox_plan_free(plan);
	remove_tree();
}
END_TEST

/* --- terminals -------------------------------------------------------------------------------- */

/* One of the same user, of which only this process has the other end. */
static int open_terminal(char *name, size_t size)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(grantpt(fd), 0);
	ck_assert_int_eq(unlockpt(fd), 0);
	ck_assert_int_eq(ptsname_r(fd, name, size), 0);
	return fd;
}

START_TEST(terminals_of_the_host_are_not_there)
{
	char name[64], script[256];
	int fd = open_terminal(name, sizeof(name));

	make_tree("/var/tmp");
	snprintf(script, sizeof(script), "echo injected > %s && echo done", name);
	if (run("{\"version\":1}", script)) {
		ck_assert_ptr_null(strstr(out, "done"));
		run("{\"version\":1}", "ls /dev/pts");
		ck_assert_str_eq(out, "ptmx\n");
	}
	run("{\"version\":1, \"strictness\":{\"tty\":\"off\"}}", script);
	ck_assert_str_eq(out, "done\n");
	close(fd);
	remove_tree();
}
END_TEST

START_TEST(a_program_makes_terminals_of_its_own)
{
	make_tree("/var/tmp");
	ck_assert_int_eq(system("command -v script >/dev/null"), 0); /* NOLINT(cert-env33-c) */
	if (run("{\"version\":1}", "script -qec 'tty; test -t 0 && echo is one' /dev/null"))
		ck_assert_str_eq(out, "/dev/pts/0\r\nis one\r\n");
	remove_tree();
}
END_TEST

START_TEST(without_mounts_the_layer_tells_of_other_terminals)
{
	struct sandbox_layers layers;
	struct sandbox_plan *plan;

	make_tree("/var/tmp");
	plan = plan_of("{\"version\":1, \"namespaces\":{\"mount\":\"off\"}}");
	sandbox_plan_layers(plan, &layers);
	ck_assert_int_eq(layers.layer[SANDBOX_MECH_TTY].state, SANDBOX_STATE_PARTIAL);
	ck_assert_ptr_nonnull(strstr(layers.layer[SANDBOX_MECH_TTY].why, "other terminals"));
	sandbox_plan_free(plan);
	remove_tree();
}
END_TEST

/* --- the kernel's own files ------------------------------------------------------------------- */

/* For root, who may write them outside; nothing is changed when it can. */
START_TEST(a_root_around_them_does_not_grant_to_change_the_kernel)
{
	static const char *const kernel[] = {
		"v=$(cat /proc/sys/kernel/domainname); echo \"$v\" > /proc/sys/kernel/domainname",
		": >> /sys/kernel/mm/transparent_hugepage/enabled",
		"cat /proc/sys/kernel/domainname",
		"echo new > @/ws/new",
	};

	make_tree("/var/tmp");
	if (run("{\"version\":1, \"fs\":{\"workspace\":[\"/\"]}}", "true"))
		expect_acts("{\"version\":1, \"fs\":{\"workspace\":[\"/\"]}}", kernel, 4, "--++");
	if (geteuid() == 0)
		expect_acts("{\"version\":1, \"fs\":{\"workspace\":[\"/\"], "
			    "\"write\":[\"/proc/sys/kernel\"]}}",
			    kernel, 1, "+");
	remove_tree();
}
END_TEST

/* --- all -------------------------------------------------------------------------------------- */

Suite *sandbox_mounts_suite(void)
{
	Suite *s = suite_create("sandbox_mounts");
	TCase *tc = tcase_create("mounts");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, roots_in_private_directories_have_their_own_rights, 0,
			    KINDS * PLACES);
	tcase_add_loop_test(tc, what_is_above_a_denial_stays_in_its_place, 0, 3);
	tcase_add_test(tc, deep_directories_are_pinned_once);
	tcase_add_loop_test(tc, a_directory_that_has_been_replaced_fails_the_start, 0, 6);
	tcase_add_test(tc, a_file_that_has_been_written_anew_is_denied_as_before);
	tcase_add_test(tc, terminals_of_the_host_are_not_there);
	tcase_add_test(tc, a_program_makes_terminals_of_its_own);
	tcase_add_test(tc, without_mounts_the_layer_tells_of_other_terminals);
	tcase_add_test(tc, a_root_around_them_does_not_grant_to_change_the_kernel);
	suite_add_tcase(s, tc);
	return s;
}
