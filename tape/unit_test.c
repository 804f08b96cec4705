#include "base/cleanup.h"
#include "base/error.h"
#include "base/hash.h"
#include "tape/unit.h"
#include "tools/tests.h"
#include <signal.h>
#include <string.h>

static void add_args(struct unit *u, const char *const *args)
{
	for (; *args; args++)
		ck_assert_int_eq(unit_add_arg(u, *args, strlen(*args)), 0);
}

static void add_env(struct unit *u, const char *name, const char *value)
{
	ck_assert_int_eq(unit_add_env(u, bytes_of_str(name), bytes_of_str(value)), 0);
}

static struct unit git_status(const char *program)
{
	struct unit u = {0};

	add_args(&u, (const char *const[]){program, "status", NULL});
	buf_add_str(&u.cwd, "$WORK");
	return u;
}

static uint64_t key_of(const struct unit *u)
{
	uint64_t key = 0;

	ck_assert_int_eq(unit_key(u, &key), 0);
	return key;
}

START_TEST(the_directory_of_the_program_is_no_part_of_the_key)
{
	struct unit a = git_status("/usr/bin/git");
	struct unit b = git_status("git");

	ck_assert_uint_eq(key_of(&a), key_of(&b));
	ck_assert(unit_same_command(&a, &b));
	unit_clear(&a);
	unit_clear(&b);
}
END_TEST

START_TEST(every_other_part_is_part_of_the_key)
{
	struct unit u = git_status("git");
	uint64_t keys[7];
	size_t i, k, n = 0;

	keys[n++] = key_of(&u);
	unit_add_arg(&u, "", 0);
	keys[n++] = key_of(&u);
	add_env(&u, "A", "b");
	keys[n++] = key_of(&u);
	add_env(&u, "", "Ab");
	keys[n++] = key_of(&u);
	buf_add_char(&u.cwd, '/');
	keys[n++] = key_of(&u);
	buf_clear(&u.cwd);
	keys[n++] = key_of(&u);
	u.cwd_any = true;
	keys[n++] = key_of(&u);
	for (i = 0; i < n; i++)
		for (k = 0; k < i; k++)
			ck_assert_uint_ne(keys[i], keys[k]);
	unit_clear(&u);
}
END_TEST

/* The bytes that FORMAT.md prescribes, written out. */
START_TEST(the_key_is_the_one_of_the_standard)
{
	static const char serial[] = "sandtape unit key 1\0"
				     "\2\0\0\0\0\0\0\0"
				     "\3\0\0\0\0\0\0\0git"
				     "\6\0\0\0\0\0\0\0status"
				     "\1"
				     "\5\0\0\0\0\0\0\0$WORK"
				     "\1\0\0\0\0\0\0\0"
				     "\2\0\0\0\0\0\0\0LC"
				     "\1\0\0\0\0\0\0\0C";
	struct unit u = git_status("/usr/bin/git");

	add_env(&u, "LC", "C");
	ck_assert_uint_eq(key_of(&u), hash64(serial, sizeof(serial) - 1));
	unit_clear(&u);
}
END_TEST

START_TEST(a_unit_without_argv_has_a_key)
{
	struct unit u = {0};

	ck_assert_uint_ne(key_of(&u), 0);
	unit_clear(&u);
}
END_TEST

START_TEST(env_is_kept_in_bytewise_order_and_the_first_of_a_name_counts)
{
	struct unit u = {0};

	add_env(&u, "b", "1");
	add_env(&u, "a", "2");
	add_env(&u, "ab", "3");
	add_env(&u, "B", "4");
	add_env(&u, "a", "5");
	ck_assert_uint_eq(u.env_count, 4);
	ck_assert_str_eq(u.env[0].name.data, "B");
	ck_assert_str_eq(u.env[1].name.data, "a");
	ck_assert_str_eq(u.env[1].value.data, "2");
	ck_assert_str_eq(u.env[2].name.data, "ab");
	ck_assert_str_eq(u.env[3].name.data, "b");
	unit_clear(&u);
}
END_TEST

START_TEST(commands_that_differ_are_told_apart)
{
	struct unit a = git_status("git");
	struct unit b = git_status("git");

	ck_assert(unit_same_command(&a, &b));
	add_env(&a, "A", "1");
	ck_assert(!unit_same_command(&a, &b));
	add_env(&b, "A", "2");
	ck_assert(!unit_same_command(&a, &b));
	unit_clear(&b);
	b = git_status("git");
	add_env(&b, "A", "1");
	buf_add_char(&b.cwd, 'x');
	ck_assert(!unit_same_command(&a, &b));
	b.cwd_any = true;
	ck_assert(!unit_same_command(&a, &b));
	unit_clear(&a);
	unit_clear(&b);
}
END_TEST

START_TEST(streams_are_kept_in_the_order_of_fds)
{
	static const int fds[] = {7, 1, 0, 12, 2};
	static const int sorted[] = {0, 1, 2, 7, 12};
	struct unit u = {0};
	size_t i;

	for (i = 0; i < 5; i++)
		unit_add_stream(&u, fds[i])->same_as = fds[i];
	for (i = 0; i < 5; i++) {
		ck_assert_int_eq(u.streams[i].fd, sorted[i]);
		ck_assert_int_eq(unit_stream(&u, sorted[i])->same_as, sorted[i]);
	}
	ck_assert_ptr_null(unit_stream_const(&u, 3));
	unit_clear(&u);
}
END_TEST

START_TEST(chunks_of_one_stream_in_a_row_are_one)
{
	struct unit u = {0};

	unit_add_chunk(&u, 1, 10, 100);
	unit_add_chunk(&u, 1, 5, 200);
	unit_add_chunk(&u, 2, 1, 300);
	unit_add_chunk(&u, 1, 2, 400);
	ck_assert_uint_eq(u.time.chunk_count, 3);
	ck_assert_uint_eq(u.time.chunks[0].len, 15);
	ck_assert_uint_eq(u.time.chunks[0].time_ns, 100);
	ck_assert_uint_eq(u.time.chunks[2].len, 2);
	unit_clear(&u);
}
END_TEST

START_TEST(packets_in_a_row_stay_apart)
{
	struct unit u = {0};

	unit_add_stream(&u, 1);
	unit_add_stream(&u, 3)->packets = true;
	for (int i = 0; i < 4; i++)
		unit_add_order(&u, &(struct chunk){.fd = i < 2 ? 1 : 3, .len = 5});
	ck_assert_uint_eq(u.order_count, 3);
	ck_assert_uint_eq(u.order[0].len, 10);
	ck_assert_uint_eq(u.order[2].len, 5);
	unit_clear(&u);
}
END_TEST

START_TEST(a_stop_that_was_none_is_gone_with_its_chunk)
{
	struct unit u = {0};

	unit_drop_stop(&u);
	for (unsigned i = 0; i < 2; i++) {
		unit_add_stop(&u, SIGSTOP);
		unit_add_chunk_apart(&u, CHUNK_STOP, i, i);
		unit_add_chunk(&u, 1, 5, 10 + i);
	}
	unit_drop_stop(&u);
	ck_assert_uint_eq(u.stop_count, 1);
	ck_assert_uint_eq(u.time.chunk_count, 3);
	ck_assert_int_eq(u.time.chunks[0].fd, CHUNK_STOP);
	ck_assert_uint_eq(u.time.chunks[2].time_ns, 11);
	unit_clear(&u);
}
END_TEST

START_TEST(what_was_not_sent_is_gone_with_its_chunk)
{
	static const int sent[] = {SIGUSR1, SIGHUP, SIGUSR1, SIGUSR2};
	struct unit u = {0};

	unit_drop_sent(&u, SIGUSR1);
	for (unsigned i = 0; i < 4; i++) {
		unit_add_sent(&u, sent[i]);
		unit_add_chunk_apart(&u, CHUNK_SENT, i, i);
		unit_add_chunk(&u, 1, 5, 10 + i);
	}
	unit_drop_sent(&u, SIGTERM);
	ck_assert_uint_eq(u.sent_count, 4);
	unit_drop_sent(&u, SIGUSR1);
	ck_assert_uint_eq(u.sent_count, 3);
	ck_assert_int_eq(u.sent[0], SIGUSR1);
	ck_assert_int_eq(u.sent[2], SIGUSR2);
	ck_assert_uint_eq(u.time.chunk_count, 7);
	ck_assert_int_eq(u.time.chunks[4].fd, 1);
	ck_assert_int_eq(u.time.chunks[5].fd, CHUNK_SENT);
	ck_assert_uint_eq(u.time.chunks[5].len, 2);
	unit_clear(&u);
}
END_TEST

START_TEST(an_id_has_a_text)
{
	struct unit_id id = {UINT64_C(0x8f3a2b1c9d0e4f55), UINT32_MAX};
	char text[UNIT_ID_SIZE];

	unit_id_format(id, text);
	ck_assert_str_eq(text, "8f3a2b1c9d0e4f55.4294967295");
}
END_TEST

static const char *const no_ids[] = {
	"",
	"8f3a2b1c9d0e4f55",
	"8f3a2b1c9d0e4f55.",
	"8f3a2b1c9d0e4f55.x",
	"8f3a2b1c9d0e4f55.01",
	"8f3a2b1c9d0e4f55. 1",
	"8f3a2b1c9d0e4f55.-1",
	"8f3a2b1c9d0e4f55.4294967296",
	"8f3a2b1c9d0e4f55.99999999999999999999999",
	"8F3a2b1c9d0e4f55.0",
	"8f3a2b1c9d0e4f5.00",
	"8f3a2b1c9d0e4f55,0",
	"8f3a2b1c9d0e4f55.0 ",
};

START_TEST(an_id_is_parsed_as_it_is_written)
{
	struct unit_id id = {0, 0};

	ck_assert(unit_id_parse("8f3a2b1c9d0e4f55.4294967295", &id));
	ck_assert(id.key == UINT64_C(0x8f3a2b1c9d0e4f55) && id.ordinal == UINT32_MAX);
	ck_assert(unit_id_parse("0000000000000000.0", &id));
	ck_assert(id.key == 0 && id.ordinal == 0);
	for (size_t i = 0; i < sizeof(no_ids) / sizeof(no_ids[0]); i++)
		ck_assert_msg(!unit_id_parse(no_ids[i], &id), "'%s' is no id", no_ids[i]);
}
END_TEST

Suite *tape_unit_suite(void)
{
	Suite *suite = suite_create("tape/unit");
	TCase *all = tcase_create("all");

	tcase_add_test(all, the_directory_of_the_program_is_no_part_of_the_key);
	tcase_add_test(all, every_other_part_is_part_of_the_key);
	tcase_add_test(all, the_key_is_the_one_of_the_standard);
	tcase_add_test(all, a_unit_without_argv_has_a_key);
	tcase_add_test(all, env_is_kept_in_bytewise_order_and_the_first_of_a_name_counts);
	tcase_add_test(all, commands_that_differ_are_told_apart);
	tcase_add_test(all, streams_are_kept_in_the_order_of_fds);
	tcase_add_test(all, chunks_of_one_stream_in_a_row_are_one);
	tcase_add_test(all, packets_in_a_row_stay_apart);
	tcase_add_test(all, a_stop_that_was_none_is_gone_with_its_chunk);
	tcase_add_test(all, what_was_not_sent_is_gone_with_its_chunk);
	tcase_add_test(all, an_id_has_a_text);
	tcase_add_test(all, an_id_is_parsed_as_it_is_written);
	suite_add_tcase(suite, all);
	return suite;
}
