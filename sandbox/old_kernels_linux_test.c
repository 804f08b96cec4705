/* What namespaces do where Landlock is too old, as if this kernel's were. */
#include "sandbox/child.h"

#include "base/fs.h"
#include "sandbox/planned_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { OLD = 2 };

/* Scratch directories: "@" and "%" in paths and policies. What they hold is what can be emptied. */
static char base[64], below_tmp[64];
static char fixtures[PATH_MAX]; /* "!" */
static char work[80];

static const char *meaning(const char *of)
{
	static char one[2];

	one[0] = *of;
	return *of == '@' ? base : *of == '%' ? below_tmp : *of == '!' ? fixtures : one;
}

/* Good for three calls more. */
static const char *at(const char *text)
{
	static char filled[4][2048];
	static unsigned next;
	char *to = filled[next++ % 4];
	size_t n = 0;

	for (; *text; text++)
		n += (size_t)snprintf(to + n, sizeof(filled[0]) - n, "%s", meaning(text));
	ck_assert_uint_lt(n, sizeof(filled[0]));
	return to;
}

static void put_file(const char *path)
{
	FILE *file = fopen(at(path), "we");

	ck_assert_ptr_nonnull(file);
	fprintf(file, "old\n");
	ck_assert_int_eq(fclose(file), 0);
}

static long size_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(at(path), &st), 0);
	return (long)st.st_size;
}

static void enter(void)
{
	static const char *const dirs[] = {"@/ws/ro", "@/ws/secret", "@/out", "@/other",
					   "@/w",     "%/w",	     "%/r"};
	char *end;

	strcpy(base, "/var/tmp/sandtape-old-XXXXXX");
	strcpy(below_tmp, "/tmp/sandtape-old-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	ck_assert_ptr_nonnull(mkdtemp(below_tmp));
	snprintf(work, sizeof(work), "%s/ws", base);
	ck_assert_int_gt(readlink("/proc/self/exe", fixtures, sizeof(fixtures) - 16), 0);
	end = strrchr(fixtures, '/');
	memcpy(end, "/fixtures", sizeof("/fixtures"));
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		char file[64];

		ck_assert_int_eq(fs_mkdir_all(at(dirs[i]), NULL), 0);
		snprintf(file, sizeof(file), "%s/f", dirs[i]);
		put_file(file);
	}
	put_file("@/ws/f");
	put_file("@/one");
}

static void leave(void)
{
	ck_assert_int_eq(fs_remove_all(base, NULL), 0);
	ck_assert_int_eq(fs_remove_all(below_tmp, NULL), 0);
}

static int try_plan(const char *text, enum sandbox_plan_use use, int abi, struct sandbox_plan **ret,
		    struct error *err)
{
	struct sandbox_places places = {.work = work, .home = "/no/home"};
	struct sandbox_policy *policy = planned_policy(at(text), &places);
	int rc = plan_new(policy, use, NULL, NULL, abi, ret, err);

	sandbox_policy_free(policy);
	return rc;
}

struct row {
	const char *act, *path, *want;
};

#define ROWS(rows) rows, sizeof(rows) / sizeof((rows)[0])
#define ROWS_MAX   40

/* Runs the acts; false where this host lets no mounts be made, and so the policy is refused. */
static bool try_acts(const char *text, int abi, const struct row *row, size_t rows, char *ret,
		     size_t size)
{
	char paths[ROWS_MAX + 1][PATH_MAX];
	const char *argv[2 * ROWS_MAX + 2] = {paths[ROWS_MAX]};
	const struct sandbox_start start = {.argv = argv,
					    .cwd = work,
					    .stdin_fd = -1,
					    .out = {.kind = SANDBOX_OUTPUT_BUFFER},
					    .err = {.kind = SANDBOX_OUTPUT_BUFFER}};
	struct sandbox_plan *plan = NULL;
	struct sandbox_child *child = NULL;
	struct sandbox_result result;
	struct error err = {0};
	int rc;

	ck_assert_uint_le(rows, ROWS_MAX);
	snprintf(paths[ROWS_MAX], sizeof(paths[0]), "%s", at("!/acts_static"));
	for (size_t i = 0; i < rows; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s", at(row[i].path));
		argv[2 * i + 1] = row[i].act;
		argv[2 * i + 2] = paths[i];
	}
	ck_assert_msg(try_plan(text, SANDBOX_PLAN_START, abi, &plan, &err) == 0, "%s", err.text);
	rc = sandbox_start(plan, &start, &child, &err);
	ck_assert_msg(rc == 0 || rc == ERR_UNSUPPORTED, "%s", err.text);
	if (rc == 0) {
		ck_assert_int_eq(sandbox_wait(child, &result, NULL), 0);
		snprintf(ret, size, "%.*s%.*s", (int)result.out_len, (const char *)result.out,
			 (int)result.err_len, (const char *)result.err);
		sandbox_child_free(child);
	}
	sandbox_plan_free(plan);
	return rc == 0;
}

static bool expect(const char *text, int abi, const struct row *row, size_t rows)
{
	char out[2048], *line, *rest = NULL;

	if (!try_acts(text, abi, row, rows, out, sizeof(out)))
		return false;
	for (size_t i = 0; i < rows; i++) {
		line = strtok_r(i ? NULL : out, "\n", &rest);
		ck_assert_msg(line && strcmp(line, row[i].want) == 0, "%s %s: %s, not %s",
			      row[i].act, row[i].path, line ? line : "nothing", row[i].want);
	}
	return true;
}

/* --- what can be emptied ---------------------------------------------------------------------- */

#define POLICY                                                                                     \
	"{\"version\": 1, \"fs\": {\"write\": [\"@/w\", \"%/w\", \"@/one\"], "                     \
	"\"read\": [\"@/out\", \"%/r\"], \"read_only\": [\"@/ws/ro\"], "                           \
	"\"deny\": [\"@/ws/secret\"], \"exec\": [\"!\"]}"

static const struct row acts[] = {
	{"truncate", "@/out/f", "EROFS"},
	{"read-trunc", "@/out/f", "EROFS"},
	{"creat", "@/out/f", "EROFS"},
	{"creat", "@/out/new", "EROFS"},
	{"write", "@/out/f", "EROFS"},
	{"read", "@/out/f", "ok"},
	{"truncate", "@/other/f", "EROFS"},
	{"truncate", "@/ws/ro/f", "EROFS"},
	{"read-trunc", "@/ws/ro/f", "EROFS"},
	{"read", "@/ws/ro/f", "ok"},
	{"truncate", "@/ws/secret/f", "EACCES"},
	{"truncate", "%/r/f", "EROFS"},
	{"read", "%/r/f", "ok"},
	{"truncate", "/proc/self/comm", "EROFS"},
	{"write", "/proc/self/comm", "EROFS"},
	{"read", "/proc/self/comm", "ok"},
	{"remount", "/", "EPERM"},
	{"write", "@/out/f", "EROFS"},
	/* What is granted. */
	{"truncate", "@/ws/f", "ok"},
	{"creat", "@/ws/new", "ok"},
	{"truncate", "@/w/f", "ok"},
	{"truncate", "@/one", "ok"},
	{"truncate", "%/w/f", "ok"},
	{"creat", "%/w/new", "ok"},
	{"creat", "/tmp/new", "ok"},
	{"truncate", "/tmp/new", "ok"},
	{"creat", "/dev/shm/new", "ok"},
	{"write", "/dev/null", "ok"},
	{"creat", "/dev/null", "ok"},
	{"write", "/dev/zero", "ok"},
	{"write", "/dev/ptmx", "ok"},
};

START_TEST(only_what_can_be_written_can_be_emptied)
{
	if (landlock_abi() < 1 || !expect(POLICY "}", OLD - _i, ROWS(acts)))
		return;
	ck_assert_int_eq(size_of("@/out/f"), 4);
	ck_assert_int_eq(size_of("@/other/f"), 4);
	ck_assert_int_eq(size_of("@/ws/ro/f"), 4);
	ck_assert_int_eq(size_of("@/ws/secret/f"), 4);
	ck_assert_int_eq(size_of("%/r/f"), 4);
	ck_assert_int_eq(size_of("@/ws/f"), 0);
	ck_assert_int_eq(size_of("@/one"), 0);
	ck_assert_int_eq(size_of("%/w/f"), 0);
	ck_assert_int_eq(size_of("@/ws/new"), 0);
}
END_TEST

/* The control, without which the test above would show nothing. */
START_TEST(without_mounts_an_old_landlock_lets_all_be_emptied)
{
	static const struct row open_to_all[] = {{"truncate", "@/out/f", "ok"},
						 {"read-trunc", "@/other/f", "EACCES"},
						 {"write", "@/out/f", "EACCES"}};

	if (landlock_abi() < 1)
		return;
	ck_assert(expect(POLICY ", \"namespaces\": {\"mount\": \"off\"}, \"strictness\": "
				"{\"landlock-fs\": \"warn\", \"landlock-scope\": \"warn\"}}",
			 OLD, ROWS(open_to_all)));
	ck_assert_int_eq(size_of("@/out/f"), 0);
}
END_TEST

START_TEST(a_workspace_around_everything_is_lessened_only)
{
	const struct row all[] = {
		{"truncate", "@/out/f", "ok"},
		{"truncate", "@/ws/ro/f", "EROFS"},
		{"truncate", "@/ws/secret/f", "EACCES"},
		{"write", "/proc/sys/kernel/domainname", geteuid() == 0 ? "EROFS" : "EACCES"}};

	if (landlock_abi() < 1)
		return;
	expect("{\"version\": 1, \"fs\": {\"workspace\": [\"/\"], \"read_only\": [\"@/ws/ro\"], "
	       "\"deny\": [\"@/ws/secret\"]}}",
	       OLD, ROWS(all));
}
END_TEST

/* --- where it is not done --------------------------------------------------------------------- */

START_TEST(newer_kernels_make_no_mount_read_only)
{
	struct sandbox_plan *plan = NULL;
	struct error err = {0};

	for (int abi = 1; abi <= 4 && abi <= landlock_abi(); abi++) {
		ck_assert_msg(try_plan(POLICY "}", SANDBOX_PLAN_START, abi, &plan, &err) == 0, "%s",
			      err.text);
		ck_assert_int_eq(plan_likely(plan)->namespaces.holes.read_only, abi < 3);
		ck_assert_int_eq(plan_likely(plan)->namespaces.holes.writables != 0, abi < 3);
		sandbox_plan_free(plan);
	}
}
END_TEST

static const struct {
	const char *policy; /* behind POLICY */
	enum sandbox_plan_use use;
	const char *why; /* a part of the error; NULL: none */
} refusals[] = {
	{"}", SANDBOX_PLAN_START, NULL},
	{"}", SANDBOX_PLAN_APPLY, "can be emptied by truncate"},
	{", \"namespaces\": {\"mount\": \"off\"}}", SANDBOX_PLAN_START,
	 "can be emptied by truncate"},
	{", \"strictness\": {\"namespaces\": \"off\"}}", SANDBOX_PLAN_START,
	 "can be emptied by truncate"},
};

START_TEST(without_mounts_it_is_refused_as_before)
{
	char text[1024];
	struct sandbox_plan *plan = NULL;
	struct error err = {0};
	int rc;

	if (landlock_abi() < 1)
		return;
	snprintf(text, sizeof(text), "%s%s", POLICY, refusals[_i].policy);
	rc = try_plan(text, refusals[_i].use, OLD, &plan, &err);
	ck_assert_int_eq(rc, refusals[_i].why ? ERR_UNSUPPORTED : 0);
	if (refusals[_i].why)
		ck_assert_msg(strstr(err.text, refusals[_i].why) != NULL, "%s", err.text);
	else
		ck_assert_ptr_nonnull(
			strstr(plan_likely(plan)->layers.layer[SANDBOX_MECH_LANDLOCK_FS].why,
			       "refused by read-only mounts"));
	sandbox_plan_free(plan);
}
END_TEST

/* No mount tells the one from the other. */
START_TEST(what_can_be_deleted_but_not_written_is_refused)
{
	struct sandbox_plan *plan = NULL;
	struct error err = {0};
	int rc = try_plan("{\"version\": 1, \"fs\": {\"operations\": [\"read_text\", \"list\", "
			  "\"exists\", \"delete\"]}}",
			  SANDBOX_PLAN_START, OLD, &plan, &err);

	ck_assert_int_eq(rc, ERR_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(err.text, "can be emptied by truncate"));
}
END_TEST

/* As Landlock's rules, which are made anew by their paths. */
START_TEST(what_is_gone_since_the_plan_is_left_out)
{
	static const char *const argv[] = {"/bin/sh", "-c", "echo x >f && echo x >../one", NULL};
	const struct sandbox_start start = {.argv = argv,
					    .cwd = work,
					    .stdin_fd = -1,
					    .out = {.kind = SANDBOX_OUTPUT_NULL},
					    .err = {.kind = SANDBOX_OUTPUT_NULL}};
	struct sandbox_plan *plan = NULL;
	struct sandbox_child *child = NULL;
	struct sandbox_result result;
	struct error err = {0};

	if (landlock_abi() < 1)
		return;
	ck_assert_msg(try_plan(POLICY "}", SANDBOX_PLAN_START, OLD, &plan, &err) == 0, "%s",
		      err.text);
	ck_assert_int_eq(fs_remove_all(at("@/w"), NULL), 0);
	ck_assert_int_eq(symlink("other", at("@/w")), 0);
	if (sandbox_start(plan, &start, &child, &err) == 0) {
		ck_assert_int_eq(sandbox_wait(child, &result, NULL), 0);
		ck_assert_int_eq(result.status, 0);
		sandbox_child_free(child);
	} else {
		ck_assert_msg(strstr(err.text, "can be emptied") != NULL, "%s", err.text);
	}
	sandbox_plan_free(plan);
}
END_TEST

/* --- signals and abstract sockets ------------------------------------------------------------- */

static int listen_abstract(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s", name);
	ck_assert_int_eq(
		bind(fd, (struct sockaddr *)&address,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))),
		0);
	ck_assert_int_eq(listen(fd, 8), 0);
	return fd;
}

static const struct {
	const char *policy; /* behind {"version": 1, "fs": {"exec": ["!"]} */
	int abi;
	const char *abstract, *signal;
} scopes[] = {
	{"}", 1, "ECONNREFUSED", "ESRCH"},
	{"}", 5, "ECONNREFUSED", "ESRCH"},
	{", \"unix_sockets\": {\"mode\": \"none\"}}", 5, "EACCES", "ESRCH"},
	{", \"unix_sockets\": {\"mode\": \"all\"}}", 5, "ok", "ESRCH"},
	{", \"strictness\": {\"landlock-scope\": \"off\"}}", 5, "ok", "ESRCH"},
	/* The control. */
	{", \"strictness\": {\"landlock-scope\": \"off\"}, \"namespaces\": {\"pid\": \"off\"}}", 5,
	 "ok", "ok"},
	/* Newer ones need no namespace for that. */
	{"}", 6, "EPERM", "ESRCH"},
	{", \"namespaces\": {\"pid\": \"off\"}}", 6, "EPERM", "EPERM"},
};

START_TEST(namespaces_stand_in_for_scopes)
{
	char text[512], name[64], pid[16];
	const struct row rows[] = {{"abstract", name, scopes[_i].abstract},
				   {"signal", pid, scopes[_i].signal}};
	int fd;

	if (landlock_abi() < scopes[_i].abi)
		return;
	snprintf(name, sizeof(name), "sandtape-old-%d", getpid());
	snprintf(pid, sizeof(pid), "%d", getpid());
	fd = listen_abstract(name);
	snprintf(text, sizeof(text), "{\"version\": 1, \"fs\": {\"exec\": [\"!\"]}%s",
		 scopes[_i].policy);
	expect(text, scopes[_i].abi, ROWS(rows));
	close(fd);
}
END_TEST

static const struct {
	const char *policy; /* behind {"version": 1 */
	int abi;
	const char *why; /* a part of the error; NULL: none */
	bool net;	 /* whether a network namespace is made */
} scope_plans[] = {
	{"}", 5, NULL, true},
	{"}", 6, NULL, false},
	{", \"unix_sockets\": {\"mode\": \"none\"}}", 5, NULL, false},
	{", \"net\": {\"mode\": \"full\"}}", 5, "cannot refuse abstract sockets", false},
	{", \"namespaces\": {\"net\": \"off\"}}", 5, "cannot refuse abstract sockets", false},
	{", \"namespaces\": {\"pid\": \"off\"}}", 5, "cannot refuse signals", false},
	{", \"strictness\": {\"namespaces\": \"off\"}}", 5, "cannot refuse signals", false},
};

START_TEST(what_no_namespace_keeps_is_refused)
{
	struct sandbox_plan *plan = NULL;
	struct error err = {0};
	char text[512];
	int rc;

	if (landlock_abi() < scope_plans[_i].abi)
		return;
	snprintf(text, sizeof(text), "{\"version\": 1%s", scope_plans[_i].policy);
	rc = try_plan(text, SANDBOX_PLAN_START, scope_plans[_i].abi, &plan, &err);
	ck_assert_int_eq(rc, scope_plans[_i].why ? ERR_UNSUPPORTED : 0);
	if (scope_plans[_i].why)
		ck_assert_msg(strstr(err.text, scope_plans[_i].why) != NULL, "%s", err.text);
	else
		ck_assert_int_eq(namespaces_have_net(&plan_likely(plan)->namespaces),
				 scope_plans[_i].net);
	sandbox_plan_free(plan);
}
END_TEST

/* --- no Landlock, and no mount_setattr -------------------------------------------------------- */

/* As before Linux 5.12, for this process and its children. */
static void lose_mount_setattr(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mount_setattr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

START_TEST(without_mount_setattr_there_are_no_mounts)
{
	static const struct row rows[] = {{"creat", "@/ws/new", "ok"}};

	lose_mount_setattr();
	ck_assert(expect("{\"version\": 1, \"strictness\": {\"landlock-fs\": \"warn\", "
			 "\"landlock-scope\": \"warn\"}, \"fs\": {\"exec\": [\"!\"]}}",
			 -ENOSYS, ROWS(rows)));
}
END_TEST

#define COUNT(rows) (int)(sizeof(rows) / sizeof((rows)[0]))

Suite *sandbox_old_kernels_suite(void)
{
	Suite *suite = suite_create("sandbox_old_kernels");
	TCase *tc = tcase_create("old kernels");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, enter, leave);
	tcase_add_loop_test(tc, only_what_can_be_written_can_be_emptied, 0, OLD);
	tcase_add_test(tc, without_mounts_an_old_landlock_lets_all_be_emptied);
	tcase_add_test(tc, a_workspace_around_everything_is_lessened_only);
	tcase_add_test(tc, newer_kernels_make_no_mount_read_only);
	tcase_add_loop_test(tc, without_mounts_it_is_refused_as_before, 0,
			    sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(tc, what_can_be_deleted_but_not_written_is_refused);
	tcase_add_test(tc, what_is_gone_since_the_plan_is_left_out);
	tcase_add_loop_test(tc, namespaces_stand_in_for_scopes, 0, COUNT(scopes));
	tcase_add_loop_test(tc, what_no_namespace_keeps_is_refused, 0, COUNT(scope_plans));
	tcase_add_test(tc, without_mount_setattr_there_are_no_mounts);
	suite_add_tcase(suite, tc);
	return suite;
}
