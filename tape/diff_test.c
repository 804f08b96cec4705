#include "base/cleanup.h"
#include "tape/codec.h"
#include "tape/denied.h"
#include "tape/scratch_test.h"
#include "tape/tape.h"
#include "tools/tests.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct told {
	struct buf text; /* of all differences, a newline behind each */
	struct tape_diff_result result;
};

static void tell(void *ctx, const struct tape_difference *d)
{
	struct told *t = ctx;

	ck_assert((d->text == NULL) != (d->json == NULL));
	buf_addf(&t->text, "%s\n", d->text ? d->text : d->json);
}

static int compare(const char *a, const char *b, enum tape_fidelity fidelity, bool json,
		   struct told *ret, struct error *err)
{
	const struct tape_diff_options options = {
		.fidelity = fidelity, .json = json, .tell = tell, .tell_ctx = ret};

	memset(ret, 0, sizeof(*ret));
	buf_add_str(&ret->text, "");
	return tape_diff(a, b, &options, &ret->result, err);
}

static void assert_diff(enum tape_fidelity fidelity, const char *wanted)
{
	struct error err = {0};
	struct told t;

	ck_assert_msg(compare("a.tape", "b.tape", fidelity, false, &t, &err) == 0, "%s", err.text);
	ck_assert_msg(strcmp(t.text.data, wanted) == 0, "got:\n%swanted:\n%s", t.text.data, wanted);
	ck_assert_uint_eq(t.result.differences != 0, *wanted != '\0');
	buf_free(&t.text);
}

/* Events as play() has them, and what each fidelity tells. */
static const struct {
	const char *a;
	const char *b;
	const char *byte;
	const char *semantic;
	const char *outcome;
} rows[] = {
	{"", "", "", "", ""},
	{"A( A)1 B( B)2", "A( A)1 B( B)2", "", "", ""},
	{"A( A)1", "", "- A   (in $WORK)\n", "- A   (in $WORK)\n", "- A   (in $WORK)\n"},
	{"", "A( A)1", "+ A   (in $WORK)\n", "+ A   (in $WORK)\n", "+ A   (in $WORK)\n"},
	{"A( A)1 B( B)2 C( C)3", "A( A)1 C( C)3", "- B   (in $WORK)\n", "- B   (in $WORK)\n",
	 "- B   (in $WORK)\n"},
	{"A( A)12", "A( A)13",
	 "~ A   (in $WORK)\n    stdout       A 2 B 12\n                 B 2 B 13\n",
	 "~ A   (in $WORK)\n    stdout       A 2 B 12\n                 B 2 B 13\n", ""},
	{"A( A)1 B( B)2", "B( B)2 A( A)1",
	 "> A   (in $WORK)\n    place        A 1\n                 B 2\n",
	 "> A   (in $WORK)\n    place        A 1\n                 B 2\n", ""},
	/* They overlapped: chance. */
	{"A( B( A)1 B)2", "B( B)2 A( A)1",
	 "> A   (in $WORK)\n    place        A 1\n                 B 2\n", "", ""},
	/* A and B did, but C came after both. */
	{"A( B( A)1 B)2 C( C)3", "C( C)3 B( B)2 A( A)1",
	 "> A   (in $WORK)\n    place        A 1\n                 B 3\n"
	 "> B   (in $WORK)\n    place        A 2\n                 B 2\n",
	 "> A   (in $WORK)\n    place        A 1\n                 B 3\n"
	 "> B   (in $WORK)\n    place        A 2\n                 B 2\n",
	 ""},
	/* Nothing was read of it. */
	{"A( A)1", "A( A|1", "~ A   (in $WORK)\n    stdin kind   A null\n                 B pipe\n",
	 "", ""},
	/* Whether it came before or after the end of the first process. */
	{"A( A)12", "A( A)1 A}2",
	 "~ A   (in $WORK)\n    stdout       A 2 B 12\n                 B 1 B 1\n"
	 "    stdout later A 0 B\n                 B 1 B 2\n",
	 "", ""},
	{"A(", "A( A)",
	 "~ A   (in $WORK)\n    end          A unfinished\n                 B exit 0\n"
	 "    stdin kind   A (nothing)\n                 B null\n"
	 "    stdout kind  A (nothing)\n                 B pipe\n",
	 "~ A   (in $WORK)\n    end          A unfinished\n                 B exit 0\n"
	 "    stdout kind  A (nothing)\n                 B pipe\n",
	 "~ A   (in $WORK)\n    end          A unfinished\n                 B exit 0\n"},
};

START_TEST(each_fidelity_tells_what_counts)
{
	record("a.tape", rows[_i].a);
	record("b.tape", rows[_i].b);
	assert_diff(TAPE_BYTE, rows[_i].byte);
	assert_diff(TAPE_SEMANTIC, rows[_i].semantic);
	assert_diff(TAPE_OUTCOME, rows[_i].outcome);
}
END_TEST

/* One unit, changed before it is written. */
static void record_unit(const char *path, void (*change)(struct unit *u))
{
	struct tape_writer *w = writer_at(path);
	struct error err = {0};
	struct unit u;

	make_unit(&u, "A", "out\n");
	unit_add_stream(&u, 0)->kind = STREAM_PIPE;
	if (change)
		change(&u);
	ck_assert_msg(tape_writer_spawn(w, &u, &err) == 0, "%s", err.text);
	ck_assert_msg(tape_writer_exit(w, &u, &err) == 0, "%s", err.text);
	if (u.late_count)
		ck_assert_msg(tape_writer_tail(w, &u, &err) == 0, "%s", err.text);
	ck_assert_msg(tape_writer_finish(w, &err) == 0, "%s", err.text);
	tape_writer_free(w);
	unit_clear(&u);
}

static void set_program(struct unit *u)
{
	buf_clear(&u->argv[0]);
	buf_add_str(&u->argv[0], "/bin/A");
}

static void set_parent(struct unit *u)
{
	buf_clear(&u->parent);
	buf_add_str(&u->parent, "1");
}

static void set_code(struct unit *u)
{
	u->end.code = 3;
}

static void set_core(struct unit *u)
{
	u->end = (struct unit_end){.how = END_SIGNALED, .signal = 11, .core = true};
}

static void set_error(struct unit *u)
{
	u->end = (struct unit_end){.how = END_EXEC_FAILED, .exec_errno = 2};
}

static void add_signal(struct unit *u)
{
	ck_assert_int_eq(unit_add_signal(u, 15), 0);
}

static void add_stop(struct unit *u)
{
	ck_assert_int_eq(unit_add_stop(u, 19), 0);
}

static void add_sent(struct unit *u)
{
	ck_assert_int_eq(unit_add_sent(u, 10), 0);
}

static void add_mode(struct unit *u)
{
	ck_assert_int_eq(unit_add_mode(u, MODE_NOW, (struct bytes){"abcdefghijkl", 12}), 0);
}

static void add_order(struct unit *u)
{
	ck_assert_int_eq(unit_add_order(u, &(struct chunk){1, 4, 0}), 0);
}

static void add_denial(struct unit *u)
{
	struct unit_denial *d = denied_append(u);

	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(buf_add_str(&d->text[DENIED_MECHANISM], "seccomp"), 0);
}

static void add_late_denial(struct unit *u)
{
	struct unit_denial *d = denied_append_late(u);

	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(buf_add_str(&d->text[DENIED_MECHANISM], "seccomp"), 0);
}

static void set_explained(struct unit *u)
{
	u->explained = true;
}

static void read_stdin(struct unit *u)
{
	set_payload(&unit_stream(u, 0)->data, "in\n", 3);
}

static void end_stdin(struct unit *u)
{
	unit_stream(u, 0)->eof = true;
}

static void hide_stdin(struct unit *u)
{
	unit_stream(u, 0)->unseen = true;
}

static void set_size(struct unit *u)
{
	unit_stream(u, 1)->kind = STREAM_TTY;
	unit_stream(u, 1)->rows = 24;
	unit_stream(u, 1)->columns = 80;
}

static void set_file(struct unit *u)
{
	unit_stream(u, 1)->kind = STREAM_FILE;
}

static void set_same(struct unit *u)
{
	struct stream *s = unit_add_stream(u, 2);

	s->kind = STREAM_SAME;
	s->same_as = 1;
}

static void add_high(struct unit *u)
{
	struct stream *s = unit_add_stream(u, 5);

	s->kind = STREAM_PIPE;
	set_payload(&s->data, "high", 4);
}

static void root(struct unit *u)
{
	unit_stream(u, 1)->data.rooted = true; /* as it would be with a "$" that stands for one */
}

static const struct {
	void (*change)(struct unit *u);
	const char *byte; /* the field that is told, and what it was and is */
	const char *values;
	bool semantic;
	bool outcome;
} fields[] = {
	{set_program, "argv[0]", "A A\n                 B /bin/A", false, false},
	{set_parent, "parent", "A 0\n                 B 1", false, false},
	{set_code, "end", "A exit 0\n                 B exit 3", true, true},
	{set_core, "end", "A exit 0\n                 B SIGSEGV and a core", true, true},
	{set_error, "end", "A exit 0\n                 B not executed: ENOENT", true, true},
	{add_signal, "signals", "A (nothing)\n                 B SIGTERM", true, true},
	{add_sent, "sent", "A (nothing)\n                 B SIGUSR1", true, false},
	{add_stop, "stops", "A (nothing)\n                 B SIGSTOP", true, false},
	{add_mode, "modes", "A 0 of them\n                 B 1 of them", true, false},
	{set_explained, "explained", "A (nothing)\n                 B all", false, false},
	{add_denial, "denied", "A 0 of them\n                 B 1 of them", false, false},
	{add_late_denial, "denied later", "A 0 of them\n                 B 1 of them", false,
	 false},
	{add_order, "order", "A 0 of them\n                 B 1 of them", true, false},
	{read_stdin, "stdin", "A 0 B\n                 B 3 B $'in\\n'", true, false},
	{end_stdin, "stdin kind", "A pipe\n                 B pipe, to its end", true, false},
	{hide_stdin, "stdin kind", "A pipe\n                 B pipe, unseen", false, false},
	{set_size, "stdout kind", "A pipe\n                 B tty of 80x24", true, false},
	{set_file, "stdout kind", "A pipe\n                 B file", false, false},
	{set_same, "stderr kind", "A (nothing)\n                 B same as 1", true, false},
	{add_high, "fd 5", "A 0 B\n                 B 4 B high", true, false},
	{root, "stdout", "A the same bytes, stored otherwise", false, false},
};

START_TEST(each_field_is_compared)
{
	struct told t;

	record_unit("a.tape", NULL);
	record_unit("b.tape", fields[_i].change);
	ck_assert_int_eq(compare("a.tape", "b.tape", TAPE_BYTE, false, &t, NULL), 0);
	ck_assert_uint_eq(t.result.changed, 1);
	ck_assert_msg(strstr(t.text.data, fields[_i].byte) &&
			      strstr(t.text.data, fields[_i].values),
		      "%s", t.text.data);
	buf_free(&t.text);
	ck_assert_int_eq(compare("a.tape", "b.tape", TAPE_SEMANTIC, false, &t, NULL), 0);
	ck_assert_msg(t.result.changed == fields[_i].semantic, "%s", t.text.data);
	buf_free(&t.text);
	ck_assert_int_eq(compare("b.tape", "a.tape", TAPE_OUTCOME, false, &t, NULL), 0);
	ck_assert_uint_eq(t.result.changed, fields[_i].outcome);
	buf_free(&t.text);
}
END_TEST

/* A unit with a blob of 6000 bytes, the last of which is `last`. */
static void record_blob(const char *path, char last)
{
	struct tape_writer *w = writer_at(path);
	char bytes[6000];
	struct error err = {0};
	struct unit u;

	memset(bytes, 'b', sizeof(bytes));
	bytes[sizeof(bytes) - 1] = last;
	make_unit(&u, "A", "");
	ck_assert_int_eq(tape_writer_spawn(w, &u, &err), 0);
	set_spooled(&unit_stream(&u, 1)->data, path, bytes, sizeof(bytes), NULL);
	ck_assert_int_eq(tape_writer_exit(w, &u, &err), 0);
	ck_assert_int_eq(tape_writer_finish(w, &err), 0);
	tape_writer_free(w);
	unit_clear(&u);
}

START_TEST(blobs_are_compared_by_their_bytes)
{
	struct error err = {0};
	struct told t;

	record_blob("a.tape", 'x');
	record_blob("b.tape", 'y');
	assert_diff(TAPE_SEMANTIC, "~ A   (in $WORK)\n"
				   "    stdout       A 6000 B ... bbbbbbbbx\n"
				   "                 B 6000 B ... bbbbbbbby\n");
	/* Equal ones are not even read. */
	ck_assert_int_eq(system("rm -r b.tape && cp -r a.tape b.tape && rm -r b.tape/blobs"), 0);
	assert_diff(TAPE_BYTE, "");
	record_blob("b.tape", 'y');
	ck_assert_int_eq(system("rm -r a.tape/blobs"), 0);
	ck_assert_int_eq(compare("a.tape", "b.tape", TAPE_SEMANTIC, false, &t, &err), ERR_NOTFOUND);
	ck_assert_ptr_nonnull(strstr(err.text, "a.tape/blobs/"));
	ck_assert_ptr_nonnull(strstr(err.text, " is missing"));
	buf_free(&t.text);
}
END_TEST

static void write_tape(const char *path, const char *head, const char *argument, const char *env)
{
	cleanup_buf struct buf lines = BUF_INIT;
	cleanup_buf struct buf name = BUF_INIT;
	struct error err;
	struct unit u;

	make_unit(&u, "A", "x");
	ck_assert_int_eq(unit_add_arg(&u, argument, strlen(argument)), 0);
	if (env)
		ck_assert_int_eq(unit_add_env(&u, bytes_of_str("E"), bytes_of_str(env)), 0);
	ck_assert_int_eq(unit_key(&u, &u.id.key), 0);
	line_add(&lines, LINE_HEAD, (struct unit_id){0, 0}, bytes_of_str(head), &err);
	ck_assert_int_eq(codec_write_spawn(&lines, &u, &err), 0);
	ck_assert_int_eq(codec_write_exit(&lines, &u, &err), 0);
	unit_clear(&u);
	ck_assert_int_eq(mkdir(path, 0777), 0);
	buf_addf(&name, "%s/tape.jsonl", path);
	put_file(name.data, lines.data, lines.len);
}

START_TEST(roots_may_be_spelled_otherwise)
{
	write_tape("a.tape", ",\"version\":1,\"roots\":[\"WORK\",\"D\"]", "$$D/x", NULL);
	write_tape("b.tape", ",\"version\":1,\"roots\":[\"WORK\"]", "$D/x", NULL);
	assert_diff(TAPE_SEMANTIC, "");
	assert_diff(TAPE_BYTE, "~ the heads\n    roots        A WORK D\n                 B WORK\n"
			       "- A '$D/x'   (in $WORK)\n+ A '$D/x'   (in $WORK)\n");
}
END_TEST

START_TEST(variables_that_count_on_one_side_only)
{
	write_tape("a.tape", ",\"version\":1,\"env\":[\"E\"]", "x", "1");
	write_tape("b.tape", ",\"version\":1", "x", NULL);
	assert_diff(TAPE_OUTCOME, "");
	assert_diff(TAPE_SEMANTIC,
		    "~ the heads\n    env          A E\n                 B (nothing)\n"
		    "~ A x   (in $WORK)\n    env.E        A 1\n                 B (nothing)\n");
}
END_TEST

START_TEST(heads_with_what_this_version_does_not_know)
{
	write_tape("a.tape", ",\"version\":1,\"later\":1", "x", NULL);
	write_tape("b.tape", ",\"version\":1,\"later\":2", "x", NULL);
	assert_diff(TAPE_SEMANTIC, "");
	assert_diff(TAPE_BYTE, "~ the heads\n    record       A written otherwise\n"
			       "                 B written otherwise\n");
}
END_TEST

START_TEST(json_says_the_same)
{
	struct told t;
	json_t *object;
	const char *kind, *field;

	record("a.tape", "A( A)1 B( B)2");
	record("b.tape", "A( A)9 C( C)3");
	ck_assert_int_eq(compare("a.tape", "b.tape", TAPE_SEMANTIC, true, &t, NULL), 0);
	ck_assert_uint_eq(t.result.differences, 3);
	*strchr(t.text.data, '\n') = '\0';
	object = json_loads(t.text.data, 0, NULL);
	ck_assert_ptr_nonnull(object);
	ck_assert_int_eq(json_unpack(object, "{s:s,s:[{s:s}]}", "difference", &kind, "fields",
				     "field", &field),
			 0);
	ck_assert_str_eq(kind, "changed");
	ck_assert_str_eq(field, "stdout");
	json_decref(object);
	buf_free(&t.text);
}
END_TEST

START_TEST(damage_is_an_error)
{
	struct error err = {0};
	struct told t;

	record("a.tape", "A( A)1");
	ck_assert_int_eq(compare("a.tape", "none.tape", TAPE_BYTE, false, &t, &err), ERR_NOTFOUND);
	ck_assert_ptr_nonnull(strstr(err.text, "none.tape"));
	buf_free(&t.text);
	ck_assert_int_eq(compare("none.tape", "a.tape", TAPE_BYTE, false, &t, NULL), ERR_NOTFOUND);
	buf_free(&t.text);
	put_file("a.tape/tape.jsonl", "x\n", 2);
	ck_assert_int_eq(compare("a.tape", "a.tape", TAPE_BYTE, false, &t, &err), ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "line 1"));
	buf_free(&t.text);
}
END_TEST

static void random_events(struct random *r, struct buf *out)
{
	buf_clear(out);
	buf_add_str(out, "");
	for (size_t i = random_below(r, 10); i > 0; i--) {
		char name = (char)('A' + random_below(r, 4));

		buf_addf(out, "%c( %c)%zu ", name, name, random_below(r, 3));
	}
}

/* What is only in A one way is only in B the other way, and nothing is lost. */
START_TEST(both_directions_agree)
{
	struct random r = {77};

	for (int round = 0; round < 60; round++) {
		cleanup_buf struct buf a = BUF_INIT, b = BUF_INIT;
		struct told there, back;

		random_events(&r, &a);
		random_events(&r, &b);
		ck_assert_int_eq(system("rm -rf a.tape b.tape"), 0);
		record("a.tape", a.data);
		record("b.tape", b.data);
		ck_assert_int_eq(compare("a.tape", "b.tape", TAPE_BYTE, false, &there, NULL), 0);
		ck_assert_int_eq(compare("b.tape", "a.tape", TAPE_BYTE, false, &back, NULL), 0);
		ck_assert_uint_eq(there.result.only_a, back.result.only_b);
		ck_assert_uint_eq(there.result.only_b, back.result.only_a);
		ck_assert_uint_eq(there.result.differences == 0, strcmp(a.data, b.data) == 0);
		ck_assert_uint_eq(there.result.a_units + there.result.only_b,
				  there.result.b_units + there.result.only_a);
		buf_free(&there.text);
		buf_free(&back.text);
	}
}
END_TEST

Suite *tape_diff_suite(void)
{
	Suite *suite = suite_create("tape/diff");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_set_timeout(all, 60);
	tcase_add_loop_test(all, each_fidelity_tells_what_counts, 0,
			    (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_loop_test(all, each_field_is_compared, 0,
			    (int)(sizeof(fields) / sizeof(fields[0])));
	tcase_add_test(all, blobs_are_compared_by_their_bytes);
	tcase_add_test(all, roots_may_be_spelled_otherwise);
	tcase_add_test(all, variables_that_count_on_one_side_only);
	tcase_add_test(all, heads_with_what_this_version_does_not_know);
	tcase_add_test(all, json_says_the_same);
	tcase_add_test(all, damage_is_an_error);
	tcase_add_test(all, both_directions_agree);
	suite_add_tcase(suite, all);
	return suite;
}
