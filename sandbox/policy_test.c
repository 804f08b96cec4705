#include "sandbox/policy.h"

#include "base/cleanup.h"
#include "tools/tests.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct sandbox_places places = {"/work", "/home/me", "/tmp/mine"};

static struct sandbox_policy *policy;
static struct error err;

static void make_policy(void)
{
	err = (struct error){0};
	ck_assert_int_eq(sandbox_policy_new(SANDBOX_LEVEL_PROCESS_EXEC, &places, &policy, &err), 0);
}

static void drop_policy(void)
{
	sandbox_policy_free(policy);
	policy = NULL;
}

static const struct {
	const char *path;
	const char *normal; /* NULL: it is refused */
} paths[] = {
	{"/", "/"},
	{"//", "/"},
	{"/.", "/"},
	{"/a", "/a"},
	{"/a/", "/a"},
	{"//a///b/.//./c/", "/a/b/c"},
	{"/a/...", "/a/..."},
	{"/a/..b/.c", "/a/..b/.c"},
	{"/a\nb", "/a\nb"},
	{"/\xff\xfe", "/\xff\xfe"},
	{"/$WORK", "/$WORK"},
	{"$WORK", "/work"},
	{"$WORK/", "/work"},
	{"$WORK/a", "/work/a"},
	{"$HOME/.x", "/home/me/.x"},
	{"$TMP//x", "/tmp/mine/x"},
	{"", NULL},
	{"a", NULL},
	{"./a", NULL},
	{"~/a", NULL},
	{"..", NULL},
	{"/..", NULL},
	{"/a/../b", NULL},
	{"/a/..", NULL},
	{"$WORK/..", NULL},
	{"$WORKS", NULL},
	{"$", NULL},
	{"$PWD/a", NULL},
};

START_TEST(a_path_is_absolute_and_made_normal)
{
	cleanup_free char *got = NULL;
	int rc = policy_path(policy, paths[_i].path, &got, &err);

	ck_assert_int_eq(rc, paths[_i].normal ? 0 : ERR_INVALID);
	if (paths[_i].normal)
		ck_assert_str_eq(got, paths[_i].normal);
	else
		ck_assert_str_ne(err.text, "");
}
END_TEST

START_TEST(a_path_has_a_longest_length)
{
	char path[PATH_MAX + 1];
	cleanup_free char *got = NULL;

	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[PATH_MAX] = '\0';
	ck_assert_int_eq(policy_path(policy, path, &got, &err), ERR_INVALID);
	path[PATH_MAX - 1] = '\0';
	ck_assert_int_eq(policy_path(policy, path, &got, &err), 0);
	ck_assert_str_eq(got, path);
}
END_TEST

START_TEST(a_place_that_is_not_known_is_an_error_where_it_is_used)
{
	struct sandbox_policy *p;

	ck_assert_int_eq(sandbox_policy_new(SANDBOX_LEVEL_NONE, NULL, &p, &err), 0);
	p->places[POLICY_HOME] = NULL;
	ck_assert_int_eq(sandbox_policy_add_root(p, SANDBOX_ROOT_READ, "$HOME/x", false, &err),
			 ERR_INVALID);
	ck_assert_str_eq(err.text, "HOME is not set, and /etc/passwd has none");
	ck_assert_int_eq(sandbox_policy_add_root(p, SANDBOX_ROOT_READ, "$WORK", false, &err), 0);
	ck_assert(!p->home_missed);
	/* Presets leave out what is in no HOME. */
	for (int i = 0; i < SANDBOX_PRESETS; i++)
		ck_assert_int_eq(sandbox_policy_add_preset(p, (enum sandbox_preset)i, &err), 0);
	ck_assert(p->home_missed);
	sandbox_policy_free(p);
}
END_TEST

/* NULL: not set. */
static const char *const no_homes[] = {NULL, "", "not/absolute", "/a/../b"};

START_TEST(a_home_that_is_none_is_that_of_the_user)
{
	const char *home = getenv("HOME"), *wrong = no_homes[_i];
	cleanup_free char *before = home ? strdup(home) : NULL;
	char found[PATH_MAX];
	struct sandbox_policy *p;
	bool known = policy_find_home("/etc/passwd", getuid(), found) == 0;

	if (wrong)
		setenv("HOME", wrong, 1);
	else
		unsetenv("HOME");
	ck_assert_int_eq(sandbox_policy_new(SANDBOX_LEVEL_NONE, NULL, &p, &err), 0);
	ck_assert_int_eq(p->home_found, known);
	ck_assert_int_eq(p->places[POLICY_HOME] != NULL, known);
	if (known)
		ck_assert_str_eq(p->places[POLICY_HOME], found);
	sandbox_policy_free(p);
	if (before)
		setenv("HOME", before, 1);
}
END_TEST

static const struct {
	unsigned user;
	const char *home; /* NULL: there is none */
} users[] = {{0, "/root"},	     {7, "/home/seven"}, {8, NULL},  {9, "/home/no shell"},
	     {4294967295U, "/last"}, {10, NULL},	 {11, NULL}, {12, NULL}};

START_TEST(the_home_of_a_user_is_in_passwd)
{
	char name[] = "/tmp/sandtape-test-XXXXXX", found[PATH_MAX];
	int fd = mkstemp(name);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	ck_assert_ptr_nonnull(file);
	fputs("root:x:0:0:root:/root:/bin/sh\n# seven:x:7:7::/comment:\n+nis\n:::\n\n"
	      "seven:x:7:7:Seven,,:/home/seven:/bin/sh\nother:x:7:7::/other:/bin/sh\n"
	      "eight:x:8:8::relative:/bin/sh\nnine:x:9:9::/home/no shell\n"
	      "last:x:4294967295:1::/last:\nsigned:x:-10:1::/signed:\nten:x:10x:1::/ten:\n"
	      "short:x:11:11\nnone::12:12:::\n",
	      file);
	fclose(file);
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		int rc = policy_find_home(name, users[i].user, found);

		ck_assert_int_eq(rc, users[i].home ? 0 : ERR_NOTFOUND);
		if (users[i].home)
			ck_assert_str_eq(found, users[i].home);
	}
	unlink(name);
	ck_assert_int_eq(policy_find_home(name, 0, found), ERR_NOTFOUND);
}
END_TEST

/* As the shell may have made it: no policy would be to be had. */
START_TEST(a_variable_with_dots_is_not_set)
{
	const char *tmp = getenv("TMPDIR");
	cleanup_free char *before = tmp ? strdup(tmp) : NULL;
	struct sandbox_policy *p;

	setenv("TMPDIR", "/var/tmp/../x", 1);
	ck_assert_int_eq(sandbox_policy_new(SANDBOX_LEVEL_NONE, NULL, &p, &err), 0);
	ck_assert_int_eq(sandbox_policy_add_root(p, SANDBOX_ROOT_READ, "$TMP/x", false, &err), 0);
	sandbox_policy_free(p);
	if (before)
		setenv("TMPDIR", before, 1);
	else
		unsetenv("TMPDIR");
}
END_TEST

START_TEST(places_are_absolute)
{
	const struct sandbox_places wrong[] = {{.work = "w"}, {.home = "h"}, {.tmp = "t"}};
	struct sandbox_policy *p = NULL;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_int_eq(sandbox_policy_new(SANDBOX_LEVEL_NONE, &wrong[i], &p, &err),
				 ERR_INVALID);
	ck_assert_ptr_null(p);
}
END_TEST

START_TEST(a_root_is_there_once)
{
	ck_assert_int_eq(sandbox_policy_add_root(policy, SANDBOX_ROOT_READ, "/a", true, &err), 0);
	ck_assert_int_eq(sandbox_policy_add_root(policy, SANDBOX_ROOT_READ, "/b", true, &err), 0);
	ck_assert_int_eq(sandbox_policy_add_root(policy, SANDBOX_ROOT_READ, "//a/", false, &err),
			 0);
	ck_assert_int_eq(sandbox_policy_add_root(policy, SANDBOX_ROOT_EXEC, "/a", false, &err), 0);
	ck_assert_uint_eq(policy->roots.count, 3);
	/* Who names it without a question mark needs it. */
	ck_assert(!policy->roots.item[0].optional);
	ck_assert(policy->roots.item[1].optional);
}
END_TEST

START_TEST(there_can_be_many_roots_but_not_any_number)
{
	char path[32];
	int rc = 0;

	for (int i = 0; i < POLICY_ROOTS_MAX; i++) {
		snprintf(path, sizeof(path), "/data/%d", i);
		rc = sandbox_policy_add_root(policy, SANDBOX_ROOT_READ, path, false, &err);
		ck_assert_msg(rc == 0, "%s", err.text);
	}
	ck_assert_int_eq(sandbox_policy_check(policy, &err), 0);
	rc = sandbox_policy_add_root(policy, SANDBOX_ROOT_READ, "/more", false, &err);
	ck_assert_int_eq(rc, ERR_LIMIT);
	ck_assert_uint_eq(policy->roots.count, POLICY_ROOTS_MAX);
	rc = sandbox_policy_add_preset(policy, SANDBOX_PRESET_SYSTEM, &err);
	ck_assert_int_eq(rc, ERR_LIMIT);
	ck_assert_uint_eq(policy->roots.count, POLICY_ROOTS_MAX);
}
END_TEST

START_TEST(numbers_are_sorted_and_there_once)
{
	static const unsigned added[] = {443, 80, 8080, 443, 1, 80, 65535};
	static const unsigned sorted[] = {1, 80, 443, 8080, 65535};
	const struct policy_numbers *got = &policy->ports[SANDBOX_PORT_CONNECT];

	for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++)
		ck_assert_int_eq(
			sandbox_policy_add_port(policy, SANDBOX_PORT_CONNECT, added[i], &err), 0);
	ck_assert_uint_eq(got->count, sizeof(sorted) / sizeof(sorted[0]));
	ck_assert_mem_eq(got->item, sorted, sizeof(sorted));
	ck_assert_int_eq(sandbox_policy_add_fd(policy, 1, &err), 0);
	ck_assert_uint_eq(policy->fds.count, 0);
}
END_TEST

#define BIG ((unsigned)-1)

#define NO_CALL 1

/* Each is refused, and changes nothing. NO_CALL: there are no more of the kind. */
static int refused_action(int which)
{
	struct sandbox_policy *p = policy;
	const struct sandbox_action no_errno = {SANDBOX_ACTION_ERRNO, 0},
				    odd_errno = {SANDBOX_ACTION_ERRNO, 4000},
				    odd_kill = {SANDBOX_ACTION_KILL, EPERM},
				    odd_kind = {SANDBOX_ACTIONS, 0},
				    fine = {SANDBOX_ACTION_ALLOW, 0};

	switch (which) {
	case 0:
		return sandbox_policy_set_syscalls(p, SANDBOX_SYSCALLS_COUNT, fine, &err);
	case 1:
		return sandbox_policy_set_syscalls(p, SANDBOX_SYSCALLS_BPF, no_errno, &err);
	case 2:
		return sandbox_policy_set_syscalls(p, SANDBOX_SYSCALLS_BPF, odd_errno, &err);
	case 3:
		return sandbox_policy_set_syscalls(p, SANDBOX_SYSCALLS_BPF, odd_kill, &err);
	case 4:
		return sandbox_policy_set_syscalls(p, SANDBOX_SYSCALLS_BPF, odd_kind, &err);
	default:
		return NO_CALL;
	}
}

static int refused_number(int which)
{
	struct sandbox_policy *p = policy;

	switch (which) {
	case 0:
		return sandbox_policy_set_operations(p, 64, &err);
	case 1:
		return sandbox_policy_add_port(p, SANDBOX_PORTS, 1, &err);
	case 2:
		return sandbox_policy_add_port(p, SANDBOX_PORT_CONNECT, 0, &err);
	case 3:
		return sandbox_policy_add_port(p, SANDBOX_PORT_BIND, 65536, &err);
	case 4:
		return sandbox_policy_set_limit(p, SANDBOX_LIMITS, 1, &err);
	case 5:
		return sandbox_policy_set_limit(p, SANDBOX_LIMIT_PROCESSES, 0, &err);
	case 6:
		return sandbox_policy_set_limit(p, SANDBOX_LIMIT_MEMORY_MB, UINT64_MAX - 1, &err);
	case 7:
		return sandbox_policy_add_capability(p, POLICY_CAPS, &err);
	case 8:
		return sandbox_policy_add_fd(p, -1, &err);
	default:
		return NO_CALL;
	}
}

static int refused_choice(int which)
{
	struct sandbox_policy *p = policy;

	switch (which) {
	case 0:
		return sandbox_policy_add_preset(p, SANDBOX_PRESETS, &err);
	case 1:
		return sandbox_policy_set_tmp(p, SANDBOX_TMPS, &err);
	case 2:
		return sandbox_policy_set_net(p, SANDBOX_NETS, &err);
	case 3:
		return sandbox_policy_set_namespace(p, SANDBOX_NS_COUNT, SANDBOX_USE_ON, &err);
	case 4:
		return sandbox_policy_set_namespace(p, SANDBOX_NS_PID, SANDBOX_USES, &err);
	case 5:
		return sandbox_policy_set_unix(p, SANDBOX_UNIXES, &err);
	case 6:
		return sandbox_policy_set_tty(p, SANDBOX_TTYS, &err);
	case 7:
		return sandbox_policy_set_strictness(p, SANDBOX_MECHS, SANDBOX_STRICT_OFF, &err);
	case 8:
		return sandbox_policy_set_strictness(p, SANDBOX_MECH_FDS, SANDBOX_STRICTNESSES,
						     &err);
	default:
		return NO_CALL;
	}
}

static int refused_text(int which)
{
	struct sandbox_policy *p = policy;

	switch (which) {
	case 0:
		return sandbox_policy_add_root(p, SANDBOX_ROOTS, "/a", false, &err);
	case 1:
		return sandbox_policy_add_root(p, (enum sandbox_root)BIG, "/a", false, &err);
	case 2:
		return sandbox_policy_keep_env(p, "", &err);
	case 3:
		return sandbox_policy_keep_env(p, "A=B", &err);
	case 4:
		return sandbox_policy_keep_env(p, "LD_LIBRARY_PATH", &err);
	case 5:
		return sandbox_policy_remove_env(p, "=", &err);
	case 6:
		return sandbox_policy_set_env(p, "LD_PRELOAD", "x", &err);
	case 7:
		return sandbox_policy_set_env(p, "A*", "x", &err);
	case 8:
		return sandbox_policy_add_unix_path(p, "socket", false, &err);
	default:
		return NO_CALL;
	}
}

static int (*const refused_calls[])(int which) = {refused_action, refused_number, refused_choice,
						  refused_text};

START_TEST(what_is_out_of_bounds_is_refused_and_changes_nothing)
{
	cleanup_free char *before = NULL;
	int which = 0, rc;

	ck_assert_int_eq(sandbox_policy_json(policy, &before, &err), 0);
	while ((rc = refused_calls[_i](which)) != NO_CALL) {
		cleanup_free char *after = NULL;

		ck_assert_msg(rc == ERR_INVALID, "call %d: %d", which, rc);
		ck_assert_str_ne(err.text, "");
		err = (struct error){0};
		ck_assert_int_eq(sandbox_policy_json(policy, &after, &err), 0);
		ck_assert_str_eq(before, after);
		which++;
	}
	ck_assert_int_ge(which, 5);
}
END_TEST

START_TEST(a_level_that_is_none_is_refused)
{
	struct sandbox_policy *p = NULL;

	ck_assert_int_eq(sandbox_policy_new(SANDBOX_LEVELS, NULL, &p, &err), ERR_INVALID);
	ck_assert_ptr_null(p);
}
END_TEST

/* Each level has the side effects of the one before, and more. */
START_TEST(levels_grow)
{
	unsigned operations = 0;

	for (int level = 0; level < SANDBOX_LEVELS; level++) {
		struct sandbox_policy *p;

		ck_assert_int_eq(sandbox_policy_new((enum sandbox_level)level, &places, &p, &err),
				 0);
		ck_assert_uint_eq(p->operations & operations, operations);
		operations = (unsigned)p->operations;
		ck_assert_int_eq(p->syscalls[SANDBOX_SYSCALLS_PROCESSES].kind ==
					 SANDBOX_ACTION_ALLOW,
				 level >= SANDBOX_LEVEL_PROCESS_EXEC);
		ck_assert_int_eq(p->net, level == SANDBOX_LEVEL_NETWORK ? SANDBOX_NET_FULL
									: SANDBOX_NET_NONE);
		ck_assert_uint_eq(p->roots.count, 0);
		ck_assert_int_eq(sandbox_policy_check(p, &err), 0);
		sandbox_policy_free(p);
	}
	ck_assert_uint_eq(operations, POLICY_OPS_ALL);
}
END_TEST

START_TEST(all_groups_but_processes_are_refused_by_default)
{
	for (int i = 0; i < SANDBOX_SYSCALLS_COUNT; i++) {
		bool refused = policy->syscalls[i].kind == SANDBOX_ACTION_ERRNO &&
			       error_errno_name(policy->syscalls[i].number);

		ck_assert_int_eq(refused, i != SANDBOX_SYSCALLS_PROCESSES);
	}
}
END_TEST

static const struct {
	const char *pattern;
	const char *name;
	bool matches;
} matches[] = {
	{"A", "A", true},	    {"A", "AB", false},
	{"AB", "A", false},	    {"*", "", true},
	{"*", "X", true},	    {"LC_*", "LC_ALL", true},
	{"LC_*", "LC", false},	    {"*_KEY", "A_KEY", true},
	{"*_KEY", "A_KEYS", false}, {"*A*B*", "xAyABz", true},
	{"*A*B", "xAyABz", false},  {"a*a", "a", false},
	{"a*a", "aa", true},	    {"", "", true},
	{"", "A", false},	    {"**", "A", true},
};

START_TEST(a_star_stands_for_any_characters)
{
	ck_assert_int_eq(policy_matches(matches[_i].pattern, matches[_i].name),
			 matches[_i].matches);
}
END_TEST

START_TEST(a_contradiction_names_its_key)
{
	ck_assert_int_eq(sandbox_policy_add_root(policy, SANDBOX_ROOT_EXEC, "/a\nb", false, &err),
			 0);
	ck_assert_int_eq(sandbox_policy_check(policy, &err), 0);
	ck_assert_int_eq(sandbox_policy_add_root(policy, SANDBOX_ROOT_DENY, "/a\nb", false, &err),
			 0);
	ck_assert_int_eq(sandbox_policy_check(policy, &err), ERR_INVALID);
	ck_assert_str_eq(err.text, "fs.deny: $'/a\\nb' is in fs.exec, too: it cannot be both");
	ck_assert_int_eq(sandbox_policy_check(policy, NULL), ERR_INVALID);
}
END_TEST

/* What a builder makes is what JSON says, bytes and all. */
START_TEST(what_is_built_reads_back)
{
	cleanup_free char *text = NULL, *again = NULL;
	struct sandbox_policy *p = NULL;

	ck_assert_int_eq(sandbox_policy_add_root(policy, SANDBOX_ROOT_WRITE, "/\xff\n", true, &err),
			 0);
	ck_assert_int_eq(sandbox_policy_add_root(policy, SANDBOX_ROOT_DENY, "/?x", false, &err), 0);
	ck_assert_int_eq(sandbox_policy_set_env(policy, "A", "\xff", &err), 0);
	ck_assert_int_eq(sandbox_policy_set_env(policy, "A", "\xfe", &err), 0);
	ck_assert_int_eq(sandbox_policy_set_env(policy, "B", "", &err), 0);
	ck_assert_int_eq(sandbox_policy_keep_env(policy, "\xff*", &err), 0);
	ck_assert_int_eq(sandbox_policy_add_unix_path(policy, "/run/x", true, &err), 0);
	ck_assert_int_eq(sandbox_policy_add_capability(policy, 40, &err), 0);
	ck_assert_int_eq(sandbox_policy_add_fd(policy, 7, &err), 0);
	ck_assert_int_eq(
		sandbox_policy_set_limit(policy, SANDBOX_LIMIT_FILES, SANDBOX_NO_LIMIT, &err), 0);
	ck_assert_int_eq(sandbox_policy_json(policy, &text, &err), 0);
	ck_assert_msg(sandbox_policy_parse(text, strlen(text), "text", NULL, &p, &err) == 0, "%s",
		      err.text);
	ck_assert_int_eq(sandbox_policy_json(p, &again, &err), 0);
	ck_assert_str_eq(text, again);
	ck_assert_uint_eq(p->roots.count, 2);
	ck_assert_str_eq(p->roots.item[0].path, "/\xff\n");
	ck_assert(p->roots.item[0].optional);
	ck_assert_str_eq(p->set.item[0].value, "\xfe");
	sandbox_policy_free(p);
	/* A key of JSON is UTF-8. */
	ck_assert_int_eq(sandbox_policy_set_env(policy, "\xff", "1", &err), 0);
	ck_assert_int_eq(sandbox_policy_json(policy, &again, &err), ERR_INVALID);
}
END_TEST

/* With a variable of so many bytes. */
static int write_long(size_t len, char **ret)
{
	cleanup_free char *value = calloc(1, len + 1);

	ck_assert_ptr_nonnull(value);
	memset(value, 'a', len);
	ck_assert_int_eq(sandbox_policy_set_env(policy, "LONG", value, &err), 0);
	return sandbox_policy_json(policy, ret, &err);
}

START_TEST(what_is_too_long_to_be_read_back_is_not_written)
{
	cleanup_free char *text = NULL, *longest = NULL, *none = NULL;
	struct sandbox_policy *p = NULL;
	size_t room;

	ck_assert_int_eq(write_long(0, &text), 0);
	room = POLICY_FILE_MAX - strlen(text);
	ck_assert_int_eq(write_long(room + 1, &none), ERR_LIMIT);
	ck_assert_ptr_null(none);
	ck_assert_str_eq(err.text, "as JSON the policy is larger than 4194304 bytes, and could not "
				   "be read back");
	ck_assert_int_eq(write_long(room, &longest), 0);
	ck_assert_int_eq(sandbox_policy_parse(longest, strlen(longest), "text", &places, &p, &err),
			 0);
	ck_assert_uint_eq(strlen(p->set.item[0].value), room);
	sandbox_policy_free(p);
}
END_TEST

START_TEST(nothing_is_a_policy_that_can_be_freed)
{
	sandbox_policy_free(NULL);
}
END_TEST

Suite *sandbox_policy_suite(void)
{
	Suite *s = suite_create("sandbox_policy");
	TCase *tc = tcase_create("policy");

	tcase_add_checked_fixture(tc, make_policy, drop_policy);
	tcase_add_loop_test(tc, a_path_is_absolute_and_made_normal, 0,
			    sizeof(paths) / sizeof(paths[0]));
	tcase_add_test(tc, a_path_has_a_longest_length);
	tcase_add_test(tc, a_place_that_is_not_known_is_an_error_where_it_is_used);
	tcase_add_loop_test(tc, a_home_that_is_none_is_that_of_the_user, 0,
			    sizeof(no_homes) / sizeof(no_homes[0]));
	tcase_add_test(tc, the_home_of_a_user_is_in_passwd);
	tcase_add_test(tc, a_variable_with_dots_is_not_set);
	tcase_add_test(tc, places_are_absolute);
	tcase_add_test(tc, a_root_is_there_once);
	tcase_add_test(tc, there_can_be_many_roots_but_not_any_number);
	tcase_add_test(tc, numbers_are_sorted_and_there_once);
	tcase_add_loop_test(tc, what_is_out_of_bounds_is_refused_and_changes_nothing, 0,
			    sizeof(refused_calls) / sizeof(refused_calls[0]));
	tcase_add_test(tc, a_level_that_is_none_is_refused);
	tcase_add_test(tc, levels_grow);
	tcase_add_test(tc, all_groups_but_processes_are_refused_by_default);
	tcase_add_loop_test(tc, a_star_stands_for_any_characters, 0,
			    sizeof(matches) / sizeof(matches[0]));
	tcase_add_test(tc, a_contradiction_names_its_key);
	tcase_add_test(tc, what_is_built_reads_back);
	tcase_add_test(tc, what_is_too_long_to_be_read_back_is_not_written);
	tcase_add_test(tc, nothing_is_a_policy_that_can_be_freed);
	suite_add_tcase(s, tc);
	return s;
}
