/* Which programs a unit may not execute: as Landlock has it for a child that is in force for. */
#include "sandbox/compiled.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "sandbox/planned_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "/bin/true"
#define BIG	(1 << 20)

static char inside[64], outside[64];
static const struct planned restricted = {.work = inside, .use = SANDBOX_PLAN_UNITS};
static const struct planned applied = {.work = inside, .use = SANDBOX_PLAN_APPLY};

static void write_file(const char *dir, const char *name, const void *bytes, size_t len,
		       mode_t mode)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	ck_assert_msg(fd >= 0, "%s", path);
	ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static size_t read_file(const char *path, char *bytes)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, bytes, BIG);

	ck_assert_msg(len > 0 && len < BIG, "%s", path);
	return (size_t)len;
}

/* A program whose loader is "ld" in the working directory. */
static void write_loaded(const char *program, size_t len)
{
	static const char loader[] = "/lib64/ld-linux-x86-64.so.2";
	cleanup_free char *copy = malloc(len), *bytes = malloc(BIG);
	char *at;

	memcpy(copy, program, len);
	at = memmem(copy, len, loader, sizeof(loader));
	ck_assert_ptr_nonnull(at);
	memset(at, 0, sizeof(loader));
	memcpy(at, "ld", 2);
	write_file(inside, "loaded", copy, len, 0755);
	len = read_file(loader, bytes);
	write_file(inside, "ld", bytes, len, 0755);
	write_file(outside, "ld", bytes, len, 0755);
}

static void setup(void)
{
	cleanup_free char *program = malloc(BIG);
	size_t len = read_file(PROGRAM, program);

	strcpy(inside, "/tmp/sandtape-exec-XXXXXX");
	strcpy(outside, "/tmp/sandtape-exec-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(inside));
	ck_assert_ptr_nonnull(mkdtemp(outside));
	write_file(inside, "file", program, len, 0755);
	write_file(outside, "file", program, len, 0755);
	write_file(inside, "plain", program, len, 0644);
	write_file(outside, "plain", program, len, 0644);
	write_loaded(program, len);
}

static void teardown(void)
{
	fs_remove_all(inside, NULL);
	fs_remove_all(outside, NULL);
}

/* Counts what it hears, and keeps the last path. */
struct heard {
	unsigned count;
	char what[128];
	char mechanism[32];
};

static int hear(void *ctx, const struct denied *denied, struct error *err)
{
	struct heard *h = ctx;

	(void)err;
	h->count++;
	snprintf(h->what, sizeof(h->what), "%s", denied->text[DENIED_WHAT]);
	snprintf(h->mechanism, sizeof(h->mechanism), "%s", denied->text[DENIED_MECHANISM]);
	ck_assert_str_eq(denied->text[DENIED_CALL], "execve");
	ck_assert_int_eq(denied->error, EACCES);
	ck_assert_int_eq(denied->pid, 7);
	ck_assert_ptr_null(strstr(denied->text[DENIED_ARGUMENTS], "0xf"));
	return 0;
}

static bool refuses(const struct confiner *confiner, const char *cwd, const char *path,
		    struct heard *heard)
{
	const struct denied_ear ear = {hear, heard};
	bool refused = false;
	struct error err = {0};

	*heard = (struct heard){0};
	ck_assert_msg(confiner->refuses(confiner, 7, cwd, path, &ear, &refused, &err) == 0, "%s",
		      err.text);
	ck_assert(refused || heard->count == 0);
	return refused;
}

START_TEST(programs_are_looked_at_before)
{
	static const struct {
		const char *dir, *name;
		bool refused;
	} rows[] = {
		{inside, "file", false},    {outside, "file", true},
		{outside, "none", false},   {outside, "file/x", false},
		{"/usr/bin", "env", false}, {"/", "proc/self/exe", false},
	};
	struct sandbox_plan *plan = planned(&restricted, "");
	struct sandbox_plan *lax =
		planned(&restricted, ", \"strictness\": {\"landlock-fs\": \"off\"}");
	const struct confiner *confiner = sandbox_plan_confiner(plan);
	const struct confiner *free = sandbox_plan_confiner(lax);
	struct heard heard;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[96];

		snprintf(path, sizeof(path), "%s/%s", rows[i].dir, rows[i].name);
		ck_assert_msg(refuses(confiner, "/", path, &heard) == rows[i].refused, "%s", path);
		ck_assert_msg(refuses(confiner, rows[i].dir, rows[i].name, &heard) ==
				      rows[i].refused,
			      "%s", rows[i].name);
		ck_assert_uint_eq(heard.count, rows[i].refused);
		ck_assert(!refuses(free, "/", path, &heard));
	}
	sandbox_plan_free(lax);
	sandbox_plan_free(plan);
}
END_TEST

/* --- interpreters ------------------------------------------------------------------------------
 */

/* What the kernel has of it: 0, or an errno. A child that Landlock holds for is in `dir`. */
static int execute(const struct sandbox_plan *plan, const char *dir, const char *path)
{
	char *const argv[] = {(char *)path, NULL};
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct sandbox_failure failure;

		if (chdir(dir) < 0 || sandbox_plan_apply(plan, &failure) < 0)
			_exit(255);
		execve(path, argv, argv + 1);
		_exit(errno);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) != 255, "%s: %x", path,
		      (unsigned)status);
	return WEXITSTATUS(status);
}

/* As a child has it that is in the same directory, inside or outside. What modes refuse the kernel
 * is asked for. */
static void assert_executes(const char *name, const char *cwd, int expected, bool by_modes)
{
	struct sandbox_plan *units = planned(&restricted, "");
	struct sandbox_plan *own = planned(&applied, "");
	const struct confiner *confiner = sandbox_plan_confiner(units);
	struct heard heard;
	char path[96];
	int got;

	snprintf(path, sizeof(path), "%s/%s", inside, name);
	got = execute(own, cwd, path);
	ck_assert_msg(got == expected, "the kernel: %s in %s: %s", name, cwd, strerror(got));
	ck_assert_msg(refuses(confiner, cwd, path, &heard) == (expected == EACCES && !by_modes),
		      "%s in %s", name, cwd);
	if (heard.count > 0)
		ck_assert_str_eq(heard.mechanism, "landlock-fs");
	sandbox_plan_free(own);
	sandbox_plan_free(units);
}

/* In a script `I` stands for the directory inside, `O` for the one outside. */
static void write_script(const char *name, const char *text)
{
	char script[1024];
	size_t len = 0;

	for (; *text; text++) {
		if (*text == 'I' || *text == 'O')
			len = (size_t)(stpcpy(script + len, *text == 'I' ? inside : outside) -
				       script);
		else
			script[len++] = *text == '0' ? '\0' : *text;
	}
	write_file(inside, name, script, len, 0755);
}

static const struct {
	const char *text;
	int expected;
	bool by_modes;
} scripts[] = {
	{"#!I/file\n", 0, false},
	{"#!O/file\n", EACCES, false},
	{"#! \t O/file \t argument\n", EACCES, false},
	{"#!O/file", EACCES, false}, /* the file ends */
	{"#!\tI/file\t", 0, false},
	{"#!I/file0/x\n", 0, false},
	{"#!O/file0/x\n", EACCES, false},
	{"#!O/none\n", ENOENT, false},
	{"#!I/none\n", ENOENT, false},
	{"#!I/plain\n", EACCES, true},
	{"#!O/plain\n", EACCES, false},
	{"#!\n", ENOEXEC, false},
	{"#!0O/file\n", EACCES, true}, /* an empty name */
	{"#\n!O/file\n", ENOEXEC, false},
	{"", ENOEXEC, false},
	{"#", ENOEXEC, false},
	{"#!file\n", 0, false}, /* in the working directory */
};

START_TEST(a_script_needs_its_interpreter)
{
	write_script("script", scripts[_i].text);
	assert_executes("script", inside, scripts[_i].expected, scripts[_i].by_modes);
}
END_TEST

START_TEST(a_path_of_an_interpreter_begins_in_the_working_directory)
{
	write_script("script", "#!file\n");
	assert_executes("script", outside, EACCES, false);
}
END_TEST

/* 256 bytes are looked at: a name that fills them is cut, and so none; a line need not end there.
 */
START_TEST(a_long_first_line)
{
	static const struct {
		size_t length; /* of the name */
		const char *behind;
		int expected;
	} rows[] = {{60, " argument", EACCES},
		    {253, "\n", EACCES},
		    {253, " ", EACCES},
		    {253, "", ENOEXEC},
		    {254, "\n", ENOEXEC}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char script[600] = "#!", name[96];
		size_t len = (size_t)snprintf(name, sizeof(name), "%s/file", outside);
		char *at = script + 2;

		memset(at, '/', rows[i].length - len);
		at = stpcpy(stpcpy(at + rows[i].length - len, name), rows[i].behind);
		if (rows[i].behind[0] != '\n')
			memset(at, 'x', 300);
		write_file(inside, "script", script, strlen(script), 0755);
		assert_executes("script", inside, rows[i].expected, false);
	}
}
END_TEST

START_TEST(scripts_of_scripts)
{
	write_script("1", "#!O/file\n");
	write_script("2", "#!I/1\n");
	write_script("3", "#!I/2\n");
	write_script("4", "#!I/3\n");
	write_script("5", "#!I/4\n");
	write_script("6", "#!I/5\n");
	assert_executes("2", inside, EACCES, false);
	assert_executes("5", inside, EACCES, false);
	write_script("round", "#!I/round\n");
	assert_executes("round", inside, ELOOP, false);
	write_script("1", "#!I/file\n");
	assert_executes("5", inside, 0, false);
	assert_executes("6", inside, ELOOP, false);
}
END_TEST

START_TEST(a_program_needs_its_loader)
{
	assert_executes("loaded", inside, 0, false);
	assert_executes("loaded", outside, EACCES, false);
	write_script("script", "#!I/loaded\n");
	assert_executes("script", outside, EACCES, false);
	assert_executes("script", inside, 0, false);
}
END_TEST

/* --- formats that a host registers -------------------------------------------------------------
 */

static bool put_text(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* In namespaces of its own, so that the host has no other formats then (Linux 6.7). */
static bool have_formats(void)
{
	char users[64], groups[64];

	snprintf(users, sizeof(users), "0 %d 1", (int)geteuid());
	snprintf(groups, sizeof(groups), "0 %d 1", (int)getegid());
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
	       put_text("/proc/self/setgroups", "deny") && put_text("/proc/self/uid_map", users) &&
	       put_text("/proc/self/gid_map", groups) &&
	       mount("none", "/proc/sys/fs/binfmt_misc", "binfmt_misc", 0, NULL) == 0;
}

static void register_format(const char *name, const char *kind, const char *dir)
{
	char text[256];

	snprintf(text, sizeof(text), ":%s:%s:%s/file:", name, kind, dir);
	ck_assert_msg(put_text("/proc/sys/fs/binfmt_misc/register", text), "%s", text);
}

START_TEST(a_registered_format_needs_its_interpreter)
{
	static const struct {
		const char *name, *text;
		int expected;
	} rows[] = {
		{"in", "sandtape-a", 0},	  {"out", "sandtape-b", EACCES},
		{"masked", "zxndtape-x", EACCES}, {"behind", "....SANDTAPE", EACCES},
		{"x.sandtape", "", EACCES},	  {"x.other", "", ENOEXEC},
		{"short", "SANDTAPE", ENOEXEC},	  {"script", "#!I/out\n", EACCES},
	};

	if (!have_formats())
		return;
	register_format("in", "M::sandtape-a:", inside);
	register_format("out", "M::sandtape-b:", outside);
	register_format("masked",
			"M::zandtape-\\x00:\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x80",
			outside);
	register_format("behind", "M:4:SANDTAPE:", outside);
	register_format("ending", "E::sandtape:", outside);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_script(rows[i].name, rows[i].text);
		assert_executes(rows[i].name, inside, rows[i].expected, false);
	}
	ck_assert(put_text("/proc/sys/fs/binfmt_misc/out", "0"));
	assert_executes("out", inside, ENOEXEC, false);
	ck_assert(put_text("/proc/sys/fs/binfmt_misc/status", "0"));
	assert_executes("masked", inside, ENOEXEC, false);
}
END_TEST

/* Of a file that only looks like one no more is taken than is there. */
START_TEST(what_is_no_program_has_no_loader)
{
	cleanup_free char *bytes = malloc(BIG);
	char path[96];
	size_t len;

	snprintf(path, sizeof(path), "%s/loaded", inside);
	len = read_file(path, bytes);
	for (size_t part = 0; part < 800 && part < len; part += 7) {
		struct sandbox_plan *units = planned(&restricted, "");
		struct heard heard;

		write_file(inside, "part", bytes, part, 0755);
		snprintf(path, sizeof(path), "%s/part", inside);
		ck_assert(!refuses(sandbox_plan_confiner(units), inside, path, &heard));
		sandbox_plan_free(units);
	}
}
END_TEST

Suite *sandbox_confine_exec_suite(void)
{
	Suite *suite = suite_create("sandbox_confine_exec");
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, programs_are_looked_at_before);
	tcase_add_loop_test(tcase, a_script_needs_its_interpreter, 0,
			    (int)(sizeof(scripts) / sizeof(scripts[0])));
	tcase_add_test(tcase, a_registered_format_needs_its_interpreter);
	tcase_add_test(tcase, a_path_of_an_interpreter_begins_in_the_working_directory);
	tcase_add_test(tcase, a_long_first_line);
	tcase_add_test(tcase, scripts_of_scripts);
	tcase_add_test(tcase, a_program_needs_its_loader);
	tcase_add_test(tcase, what_is_no_program_has_no_loader);
	suite_add_tcase(suite, tcase);
	return suite;
}
