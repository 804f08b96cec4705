/* Policies as JSON: the files in fixtures/policies, their errors, and the JSON Schema. */
#include "sandbox/compiled.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "tools/tests.h"
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLICIES "fixtures/policies/"

static const struct sandbox_places places = {"/work", "/home/me", "/tmp/mine"};

static struct sandbox_policy *parse(const char *text)
{
	struct sandbox_policy *p = NULL;
	struct error err = {0};

	ck_assert_msg(sandbox_policy_parse(text, strlen(text), "text", &places, &p, &err) == 0,
		      "%s", err.text);
	return p;
}

static char *json_of(const struct sandbox_policy *p)
{
	struct error err = {0};
	char *text = NULL;

	ck_assert_msg(sandbox_policy_json(p, &text, &err) == 0, "%s", err.text);
	return text;
}

typedef void file_fn(const char *path);

static void each_file(const char *dir, size_t least, file_fn *check)
{
	cleanup_closedir DIR *d = opendir(dir);
	const struct dirent *e;
	size_t files = 0;

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d))) {
		char path[512];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s%s", dir, e->d_name);
		check(path);
		files++;
	}
	ck_assert_uint_ge(files, least);
}

/* With other places, too: nothing of them is left in what is written. */
static void reads_back(const char *path)
{
	struct sandbox_policy *p = NULL, *again = NULL;
	cleanup_free char *text = NULL, *text_again = NULL;
	struct error err = {0};

	ck_assert_msg(sandbox_policy_load(path, &places, &p, &err) == 0, "%s", err.text);
	text = json_of(p);
	ck_assert_msg(sandbox_policy_parse(text, strlen(text), path, NULL, &again, &err) == 0, "%s",
		      err.text);
	text_again = json_of(again);
	ck_assert_str_eq(text, text_again);
	sandbox_policy_free(p);
	sandbox_policy_free(again);
}

START_TEST(good_files_read_and_read_back)
{
	each_file(POLICIES "good/", 5, reads_back);
}
END_TEST

static void is_refused(const char *path)
{
	struct sandbox_policy *p = NULL;
	struct error err = {0};
	int rc = sandbox_policy_load(path, &places, &p, &err);

	ck_assert_msg(rc == ERR_FORMAT || rc == ERR_VERSION, "%s: %d", path, rc);
	ck_assert_ptr_null(p);
	ck_assert_msg(strncmp(err.text, path, strlen(path)) == 0 && err.text[strlen(path)] == ':',
		      "%s", err.text);
	ck_assert_ptr_null(strchr(err.text, '\n'));
	ck_assert_int_eq(err.code, rc);
	ck_assert_int_eq(sandbox_policy_load(path, &places, &p, NULL), rc);
}

START_TEST(bad_files_are_refused)
{
	each_file(POLICIES "bad/", 30, is_refused);
	each_file(POLICIES "refused/", 10, is_refused);
}
END_TEST

/* However a file is cut off, it is no policy. */
START_TEST(truncated_text_is_refused)
{
	cleanup_buf struct buf text = BUF_INIT;

	ck_assert_int_eq(fs_read_file(POLICIES "good/everything.json", 1 << 20, &text, NULL), 0);
	while (text.len > 0 && text.data[text.len - 1] != '}')
		text.len--;
	ck_assert_uint_gt(text.len, 1000);
	for (size_t len = 0; len < text.len; len++) {
		struct sandbox_policy *p = NULL;
		struct error err = {0};

		ck_assert_int_eq(sandbox_policy_parse(text.data, len, "text", &places, &p, &err),
				 ERR_FORMAT);
		ck_assert_ptr_null(p);
	}
}
END_TEST

/* Too long to be a slip of any key. */
#define TEN	 "abcdefghij"
#define LONG_KEY TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
	const char *text;
	const char *error;
} errors[] = {
	{"{", "text:1: string or '}' expected near end of file"},
	{"{\"version\": 1,\n\n\"tyy\": 1}",
	 "text:3: tyy: there is no such key; did you mean \"tty\"?"},
	{"{\"version\": 1,\n\"fs\": {\n\"deny\": [],\n\"wirte\": []}}",
	 "text:4: fs.wirte: there is no such key; did you mean \"write\"?"},
	{"{\"version\": 1,\n\"" LONG_KEY "\": 1}", "text:2: " LONG_KEY ": there is no such key"},
	{"{\"version\": 1,\n\"zebra\\n\": 1}", "text:2: $'zebra\\n': there is no such key"},
	{"{\"version\": 1,\n\"fs\": {\"deny\": [\"/a\",\n\"b\"]}}",
	 "text:3: fs.deny[1]: a path must be absolute, or begin with $WORK, $HOME or $TMP"},
	{"{\"version\": 1,\n\"limits\": {\n\"cpu_s\":\n0}}",
	 "text:3: limits.cpu_s: it must be from 1 to 1000000000000, or no limit"},
	{"{\"version\": 1,\n\"limits\": {\"cpu_s\": 1.5}}",
	 "text:2: limits.cpu_s: it must be a whole number, or null for no limit"},
	{"{\"version\": 2.0}", "text:1: version: this program knows version 1 only"},
	{"{\"version\": 1,\n\"net\":\n{\"tcp_connect\": [443]}}",
	 "text:2: net.mode: ports are for the mode \"tcp\", and this is \"none\""},
	{"{\"version\": 1,\n\"level\": \"netwrk\"}",
	 "text:2: level: there is no netwrk; did you mean \"network\"?"},
	{"{\"version\": 1,\n\"syscalls\": {\"bpf\": \"EXPERM\"}}",
	 "text:2: syscalls.bpf: there is no EXPERM: it must be one of allow, kill, trap, log, or "
	 "the "
	 "name of an errno, like EPERM"},
	{"{\"version\": 1,\n\"syscalls\": {\"bpf\": \"x\"}}",
	 "text:2: syscalls.bpf: there is no x: it must be one of allow, kill, trap, log, or the "
	 "name "
	 "of an errno, like EPERM"},
	{"{\"version\": 1,\n\"syscalls\": {\"bpf\": 1}}",
	 "text:2: syscalls.bpf: it must be one of allow, kill, trap, log, or the name of an errno, "
	 "like EPERM"},
	{"{\"version\": 1,\n\"net\": {\"mode\": \"off\"}}",
	 "text:2: net.mode: there is no off: it must be one of none, loopback, tcp, full"},
	{"{\"version\": 1,\n\"tty\": true}", "text:2: tty: it must be one of keep, none"},
	{"{\"version\": 1,\n\"FS\": {}}", "text:2: FS: there is no such key; did you mean \"fs\"?"},
	{"{\"version\": 1,\n\"capabilities\": [\"CAP_BPF\"]}",
	 "text:2: capabilities[0]: there is no CAP_BPF; did you mean \"bpf\"?"},
	{"{\"version\": 1,\n\"capabilities\": [\"everything\"]}",
	 "text:2: capabilities[0]: there is no everything: it must be the name of a capability, in "
	 "lower case and without CAP_"},
	{"{\"version\": 1,\n\"fs\": {\"presets\": [\"home\"]}}",
	 "text:2: fs.presets[0]: there is no home: it must be one of system, dev, toolchains, "
	 "secrets"},
	{"{\"version\": 1,\n\"env\": {\"set\": {\"LD_PRELOAD\": \"x\"}}}",
	 "text:2: env.set.LD_PRELOAD: variables of the loader (LD_*) are always removed"},
	{"{\"version\": 1,\n\"env\": {\"set\": {\"A\": \"\\u0000\"}}}",
	 "text:2: env.set.A: it must be a string without NUL, or {\"base64\": ...}"},
	{"{\n\n\"version\": 3}", "text:3: version: this program knows version 1 only"},
	{"[]", "text:1: a policy must be an object"},
	{"{}", "text:1: \"version\" is missing: it must be 1"},
};

START_TEST(an_error_names_line_and_key)
{
	struct sandbox_policy *p = NULL;
	struct error err = {0};
	int rc = sandbox_policy_parse(errors[_i].text, strlen(errors[_i].text), "text", &places, &p,
				      &err);

	ck_assert_int_lt(rc, 0);
	ck_assert_str_eq(err.text, errors[_i].error);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_named)
{
	struct sandbox_policy *p = NULL;
	struct error err = {0};

	ck_assert_int_eq(sandbox_policy_load("/nowhere/x.json", &places, &p, &err), ERR_SYSTEM);
	ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/x.json"));
	ck_assert_int_eq(sandbox_policy_load("/", &places, &p, &err), ERR_INVALID);
}
END_TEST

START_TEST(a_pipe_is_no_policy)
{
	const struct sandbox_places wrong = {.home = "h"};
	struct sandbox_policy *p = NULL;
	struct error err = {0};
	char path[64];
	int pipes[2];

	ck_assert_int_eq(pipe(pipes), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pipes[0]);
	ck_assert_int_eq(sandbox_policy_load(path, &places, &p, &err), ERR_INVALID);
	close(pipes[0]);
	close(pipes[1]);
	ck_assert_int_eq(sandbox_policy_load(POLICIES "good/least.json", &wrong, &p, &err),
			 ERR_INVALID);
	ck_assert_ptr_null(p);
}
END_TEST

START_TEST(text_that_is_too_long_is_refused)
{
	cleanup_free char *text = calloc(1, POLICY_FILE_MAX + 1);
	struct sandbox_policy *p = NULL;
	struct error err = {0};

	memset(text, ' ', POLICY_FILE_MAX + 1);
	memcpy(text, "{\"version\": 1}", 14);
	ck_assert_int_eq(sandbox_policy_parse(text, POLICY_FILE_MAX + 1, "text", &places, &p, &err),
			 ERR_LIMIT);
	ck_assert_int_eq(sandbox_policy_parse(text, POLICY_FILE_MAX, "text", &places, &p, &err), 0);
	sandbox_policy_free(p);
}
END_TEST

/* The default policy of a workspace. */
START_TEST(what_is_left_out_has_its_default)
{
	struct sandbox_policy *p = parse("{\"version\": 1}");

	ck_assert_int_eq(p->level, SANDBOX_LEVEL_PROCESS_EXEC);
	ck_assert_str_eq(p->roots.item[0].path, "/work");
	ck_assert_int_eq(p->roots.item[0].kind, SANDBOX_ROOT_WORKSPACE);
	ck_assert(!p->roots.item[0].optional);
	ck_assert_uint_gt(p->roots.count, 50); /* the presets */
	ck_assert_uint_eq(p->operations, POLICY_OPS_ALL);
	ck_assert_int_eq(p->net, SANDBOX_NET_NONE);
	ck_assert_int_eq(p->tmp, SANDBOX_TMP_PRIVATE);
	ck_assert_int_eq(p->unix_sockets, SANDBOX_UNIX_INSIDE);
	ck_assert_uint_eq(p->limits[SANDBOX_LIMIT_MEMORY_MB], 2048);
	ck_assert_uint_eq(p->limits[SANDBOX_LIMIT_CPU_S], 300);
	ck_assert_uint_eq(p->limits[SANDBOX_LIMIT_PROCESSES], 64);
	ck_assert_uint_eq(p->limits[SANDBOX_LIMIT_FILES], 1024);
	ck_assert_uint_eq(p->limits[SANDBOX_LIMIT_FILE_MB], 256);
	ck_assert_uint_eq(p->limits[SANDBOX_LIMIT_CORE_MB], 0);
	ck_assert_uint_eq(p->limits[SANDBOX_LIMIT_WALL_MS], SANDBOX_NO_LIMIT);
	ck_assert_uint_eq(p->capabilities, 0);
	ck_assert_uint_eq(p->fds.count, 0);
	for (int i = 0; i < SANDBOX_MECHS; i++)
		ck_assert_int_eq(p->strictness[i], SANDBOX_STRICT_ENFORCE);
	sandbox_policy_free(p);
}
END_TEST

/* Wherever the level stands, and it says nothing about what is said. */
START_TEST(a_level_is_where_the_rest_begins)
{
	struct sandbox_policy *p = parse("{\"net\": {\"mode\": \"full\"}, \"level\": \"none\","
					 "\"fs\": {\"presets\": []}, \"version\": 1}");

	ck_assert_int_eq(p->net, SANDBOX_NET_FULL);
	ck_assert_uint_eq(p->operations, 0);
	ck_assert_int_eq(p->syscalls[SANDBOX_SYSCALLS_PROCESSES].number, EPERM);
	ck_assert_uint_eq(p->roots.count, 1);
	sandbox_policy_free(p);
}
END_TEST

/* Whether the number of processes of this policy was asked for; it is the same when it is written
 * out and read again. */
static bool asks_for_processes(const char *text)
{
	struct sandbox_policy *p = parse(text), *again, *copy = NULL;
	cleanup_free char *written = json_of(p);
	bool asked = policy_limit_is_asked_for(p, SANDBOX_LIMIT_PROCESSES);

	again = parse(written);
	ck_assert_int_eq(policy_copy(p, &copy, NULL), 0);
	ck_assert_uint_eq(again->by_default, p->by_default);
	ck_assert_uint_eq(copy->by_default, p->by_default);
	ck_assert(!policy_limit_is_asked_for(again, SANDBOX_LIMIT_MEMORY_MB));
	sandbox_policy_free(p);
	sandbox_policy_free(again);
	sandbox_policy_free(copy);
	return asked;
}

/* It is the name that tells, not the number. */
START_TEST(a_limit_that_is_named_is_asked_for)
{
	ck_assert(!asks_for_processes("{\"version\": 1}"));
	ck_assert(!asks_for_processes("{\"version\": 1, \"limits\": {\"cpu_s\": 300}}"));
	ck_assert(asks_for_processes("{\"version\": 1, \"limits\": {\"processes\": 64}}"));
	ck_assert(asks_for_processes("{\"version\": 1, \"limits\": {\"processes\": 65}}"));
	ck_assert(!asks_for_processes("{\"version\": 1, \"limits\": {\"processes\": null}}"));
	ck_assert(!asks_for_processes("{\"version\": 1, \"limits\": {\"processes\": 64,"
				      "\"by_default\": [\"processes\", \"memory_mb\"]}}"));
	ck_assert(!asks_for_processes("{\"version\": 1, \"limits\": {\"by_default\":"
				      "[\"memory_mb\", \"processes\"], \"processes\": 64}}"));
	ck_assert(asks_for_processes("{\"version\": 1, \"limits\": {\"processes\": 64,"
				     "\"by_default\": [\"memory_mb\"]}}"));
}
END_TEST

/* As the JSON Schema has it. */
START_TEST(a_whole_number_may_have_a_point_or_an_exponent)
{
	struct sandbox_policy *p = NULL;
	struct error err = {0};

	ck_assert_msg(sandbox_policy_load(POLICIES "good/whole_numbers.json", &places, &p, &err) ==
			      0,
		      "%s", err.text);
	ck_assert_uint_eq(p->ports[SANDBOX_PORT_CONNECT].item[1], 8000);
	ck_assert_uint_eq(p->ports[SANDBOX_PORT_BIND].item[0], 0);
	ck_assert_uint_eq(p->limits[SANDBOX_LIMIT_MEMORY_MB], 512);
	ck_assert_uint_eq(p->limits[SANDBOX_LIMIT_WALL_MS], UINT64_C(1000000000000));
	ck_assert_uint_eq(p->limits[SANDBOX_LIMIT_CORE_MB], 0);
	ck_assert_uint_eq(p->fds.item[0], 3);
	sandbox_policy_free(p);
}
END_TEST

START_TEST(a_list_takes_the_place_of_the_default)
{
	struct sandbox_policy *p =
		parse("{\"version\": 1, \"fs\": {\"workspace\": [\"/a\", \"?$HOME/b\"],"
		      "\"operations\": [\"list\"], \"presets\": []}, \"env\": {\"keep\": [\"X\"],"
		      "\"remove\": []}}");

	ck_assert_uint_eq(p->roots.count, 2);
	ck_assert_str_eq(p->roots.item[0].path, "/a");
	ck_assert_str_eq(p->roots.item[1].path, "/home/me/b");
	ck_assert(!p->roots.item[0].optional && p->roots.item[1].optional);
	ck_assert_uint_eq(p->operations, SANDBOX_OP_LIST);
	ck_assert_uint_eq(p->keep.count, 1);
	ck_assert_uint_eq(p->remove.count, 0);
	sandbox_policy_free(p);
}
END_TEST

START_TEST(a_thousand_roots_are_read)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct sandbox_policy *p;

	buf_add_str(&text, "{\"version\": 1, \"fs\": {\"presets\": [], \"read\": [\"/data/0\"");
	for (int i = 1; i < 1000; i++)
		buf_addf(&text, ",\n\"/data/%d\"", i);
	buf_add_str(&text, "]}}");
	p = parse(text.data);
	ck_assert_uint_eq(p->roots.count, 1001);
	ck_assert_str_eq(p->roots.item[1000].path, "/data/999");
	sandbox_policy_free(p);
}
END_TEST

START_TEST(roots_beyond_the_bound_are_named)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct sandbox_policy *p = NULL;
	struct error err = {0};

	buf_add_str(&text, "{\"version\": 1, \"fs\": {\"read\": [\"/data/0\"");
	for (int i = 1; i <= POLICY_ROOTS_MAX; i++)
		buf_addf(&text, ",\n\"/data/%d\"", i);
	buf_add_str(&text, "]}}");
	ck_assert_int_eq(sandbox_policy_parse(text.data, text.len, "text", &places, &p, &err),
			 ERR_LIMIT);
	ck_assert_ptr_nonnull(strstr(err.text, "text:4096: fs.read[4095]: "));
}
END_TEST

/* --- the JSON Schema ---------------------------------------------------------------------------
 */

static const json_t *properties(const json_t *schema)
{
	ck_assert(json_is_false(json_object_get(schema, "additionalProperties")));
	return json_object_get(schema, "properties");
}

static size_t count_keys(const char *section)
{
	size_t count = 0;

	for (size_t i = 0; i < policy_key_count; i++) {
		const char *own = policy_keys[i].section;

		count += section ? own && !strcmp(own, section) : !own;
	}
	return count;
}

/* The names of a choice or a set are those of the table, in its order. */
static void same_names(const json_t *schema, const struct policy_key *key)
{
	const json_t *list = json_object_get(schema, "items");
	const json_t *names = json_object_get(list ? list : schema, "enum");

	if (!key->names || json_object_get(schema, "$ref"))
		return;
	ck_assert_int_eq((int)json_array_size(names), key->names->count);
	for (int i = 0; i < key->names->count; i++)
		ck_assert_str_eq(json_string_value(json_array_get(names, (size_t)i)),
				 key->names->name[i]);
}

START_TEST(the_schema_has_the_keys_of_the_parser)
{
	json_t *schema = json_load_file("sandbox/policy.schema.json", JSON_REJECT_DUPLICATES, NULL);
	size_t sections = 0;
	const char *name;
	const json_t *value;

	ck_assert_ptr_nonnull(schema);
	for (size_t i = 0; i < policy_key_count; i++) {
		const struct policy_key *key = &policy_keys[i];
		const json_t *at = properties(schema);

		if (key->section)
			at = properties(json_object_get(at, key->section));
		at = json_object_get(at, key->name);
		ck_assert_msg(at != NULL, "%s", key->name);
		same_names(at, key);
	}
	json_object_foreach((json_t *)properties(schema), name, value)
	{
		if (count_keys(name) == 0)
			continue;
		sections++;
		/* And a comment. */
		ck_assert_uint_eq(json_object_size(properties(value)), count_keys(name) + 1);
	}
	/* And the version. */
	ck_assert_uint_eq(json_object_size(properties(schema)), sections + count_keys(NULL) + 2);
	json_decref(schema);
}
END_TEST

START_TEST(every_member_has_one_key)
{
	for (size_t i = 0; i < policy_key_count; i++)
		ck_assert_ptr_eq(policy_key_find(policy_keys[i].section, policy_keys[i].name),
				 &policy_keys[i]);
	ck_assert_uint_eq(count_keys("syscalls"), SANDBOX_SYSCALLS_COUNT);
	/* And which of them are the defaults. */
	ck_assert_uint_eq(count_keys("limits"), SANDBOX_LIMITS + 1);
	for (int i = 0; i < SANDBOX_LIMITS; i++)
		ck_assert_int_eq(policy_key_find("limits", policy_limits.name[i])->index, i);
	ck_assert_uint_eq(count_keys("namespaces"), SANDBOX_NS_COUNT);
	ck_assert_uint_eq(count_keys("strictness"), SANDBOX_MECHS);
}
END_TEST

Suite *sandbox_policy_read_suite(void)
{
	Suite *s = suite_create("sandbox_policy_read");
	TCase *tc = tcase_create("read");

	tcase_add_test(tc, good_files_read_and_read_back);
	tcase_add_test(tc, bad_files_are_refused);
	tcase_add_test(tc, truncated_text_is_refused);
	tcase_add_loop_test(tc, an_error_names_line_and_key, 0, sizeof(errors) / sizeof(errors[0]));
	tcase_add_test(tc, a_file_that_is_not_there_is_named);
	tcase_add_test(tc, a_pipe_is_no_policy);
	tcase_add_test(tc, text_that_is_too_long_is_refused);
	tcase_add_test(tc, what_is_left_out_has_its_default);
	tcase_add_test(tc, a_level_is_where_the_rest_begins);
	tcase_add_test(tc, a_limit_that_is_named_is_asked_for);
	tcase_add_test(tc, a_whole_number_may_have_a_point_or_an_exponent);
	tcase_add_test(tc, a_list_takes_the_place_of_the_default);
	tcase_add_test(tc, a_thousand_roots_are_read);
	tcase_add_test(tc, roots_beyond_the_bound_are_named);
	tcase_add_test(tc, the_schema_has_the_keys_of_the_parser);
	tcase_add_test(tc, every_member_has_one_key);
	suite_add_tcase(s, tc);
	return s;
}
