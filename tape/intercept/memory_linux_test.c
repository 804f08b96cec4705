#include "tape/intercept/memory.h"

#include "base/cleanup.h"
#include "tools/tests.h"
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/*
 * The arena: where all that is read stands. It lies low, so that its addresses fit into four
 * bytes, and nothing is mapped behind it. A forked child has a copy at the same address.
 */
#define ARENA_ADDRESS 0x10000000ul
#define ARENA_SIZE    ((size_t)24 << 20)
#define PAGE	      4096ul

static char *arena;
static size_t arena_used;
static pid_t tracee;

static void enter(void)
{
	char *all = mmap((void *)ARENA_ADDRESS, ARENA_SIZE + PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	ck_assert_ptr_eq(all, (void *)ARENA_ADDRESS);
	ck_assert_int_eq(munmap(all + ARENA_SIZE, PAGE), 0);
	arena = all;
	arena_used = 0;
	tracee = 0;
}

/* A child with all that is in the arena now, in a ptrace stop. */
static void fork_tracee(void)
{
	int status;

	tracee = fork();
	ck_assert_int_ge(tracee, 0);
	if (tracee == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(tracee, &status, 0), tracee);
	ck_assert(WIFSTOPPED(status));
}

static void end_tracee(void)
{
	kill(tracee, SIGKILL);
	waitpid(tracee, NULL, 0);
}

static void leave(void)
{
	if (tracee > 0)
		end_tracee();
	munmap(arena, ARENA_SIZE);
}

static unsigned long address_of(const void *p)
{
	return (unsigned long)p;
}

START_TEST(the_memory_of_the_other_is_read)
{
	char got[6] = "";

	memcpy(arena, "child", 6);
	fork_tracee();
	memcpy(arena, "ours!", 6);
	ck_assert_int_eq(memory_read(tracee, address_of(arena), got, 6), 0);
	ck_assert_str_eq(got, "child");
}
END_TEST

START_TEST(the_memory_of_the_other_is_written)
{
	char got[6] = "";

	memcpy(arena + PAGE - 3, "child", 6);
	fork_tracee();
	ck_assert_int_eq(memory_write(tracee, address_of(arena + PAGE - 3), "other", 6), 0);
	ck_assert_int_eq(memory_read(tracee, address_of(arena + PAGE - 3), got, 6), 0);
	ck_assert_str_eq(got, "other");
	ck_assert_str_eq(arena + PAGE - 3, "child");
}
END_TEST

static const struct {
	size_t before_end; /* where it begins, in bytes before the end of the arena */
	size_t len;
	int result;
} edge_rows[] = {
	{8, 8, 0},
	{8, 9, -EFAULT},
	{PAGE, PAGE, 0},
	{PAGE, PAGE + 1, -EFAULT},
	{0, 1, -EFAULT},
	{3 * PAGE + 5, 3 * PAGE + 5, 0},
	{3 * PAGE + 5, 3 * PAGE + 6, -EFAULT},
};

START_TEST(a_transfer_is_whole_or_an_error)
{
	cleanup_free char *bytes = calloc(1, 4 * PAGE);
	unsigned long at = address_of(arena + ARENA_SIZE - edge_rows[_i].before_end);

	fork_tracee();
	ck_assert_int_eq(memory_read(tracee, at, bytes, edge_rows[_i].len), edge_rows[_i].result);
	ck_assert_int_eq(memory_write(tracee, at, bytes, edge_rows[_i].len), edge_rows[_i].result);
}
END_TEST

START_TEST(what_is_not_mapped_is_bad)
{
	struct memory_strings strings;
	struct buf out = BUF_INIT;
	char byte = 0;

	fork_tracee();
	ck_assert_int_eq(memory_read(tracee, 0, &byte, 1), -EFAULT);
	ck_assert_int_eq(memory_write(tracee, 1, &byte, 1), -EFAULT);
	ck_assert_int_eq(memory_read(tracee, ~0ul, &byte, 1), -EFAULT);
	ck_assert_int_eq(memory_read_string(tracee, 1, 100, &out), -EFAULT);
	ck_assert_int_eq(memory_read_strings(tracee, 8, 8, &strings), -EFAULT);
	ck_assert_int_lt(memory_poke(tracee, 8, "12345678", 8), 0);
	buf_free(&out);
}
END_TEST

START_TEST(a_process_that_is_gone_is_told)
{
	struct memory_strings strings;
	struct buf out = BUF_INIT;
	char bytes[8] = "";

	fork_tracee();
	end_tracee();
	ck_assert_int_eq(memory_read(tracee, address_of(arena), bytes, 8), -ESRCH);
	ck_assert_int_eq(memory_write(tracee, address_of(arena), bytes, 8), -ESRCH);
	ck_assert_int_eq(memory_poke(tracee, address_of(arena), bytes, 8), -ESRCH);
	ck_assert_int_eq(memory_read_string(tracee, address_of(arena), 9, &out), -ESRCH);
	ck_assert_int_eq(memory_read_strings(tracee, address_of(arena), 8, &strings), -ESRCH);
	buf_free(&out);
	tracee = 0;
}
END_TEST

START_TEST(only_a_poke_writes_to_a_read_only_page)
{
	char bytes[3 * sizeof(long)], got[sizeof(bytes)];
	unsigned long at = address_of(arena + PAGE - sizeof(long));

	memset(bytes, 'x', sizeof(bytes));
	ck_assert_int_eq(mprotect(arena, 2 * PAGE, PROT_READ), 0);
	fork_tracee();
	ck_assert_int_eq(memory_write(tracee, at, bytes, sizeof(bytes)), -EFAULT);
	ck_assert_int_eq(memory_poke(tracee, at, bytes, sizeof(bytes)), 0);
	ck_assert_int_eq(memory_read(tracee, at, got, sizeof(got)), 0);
	ck_assert_mem_eq(got, bytes, sizeof(got));
	ck_assert_int_eq(arena[PAGE], 0);
}
END_TEST

static char *put_bytes(const void *bytes, size_t len)
{
	char *at = arena + arena_used;

	ck_assert_uint_le(arena_used + len, ARENA_SIZE);
	memcpy(at, bytes, len);
	arena_used += len;
	return at;
}

static const struct {
	size_t before_end;
	size_t len; /* NUL follows where there is room */
	size_t max;
	int result;
} string_rows[] = {
	{100, 0, 10, 0},
	{100, 10, 10, 0},
	{100, 11, 10, -E2BIG},
	/* The NUL is the last byte of the mapping, or is missing. */
	{1, 0, 10, 0},
	{11, 10, 10, 0},
	{10, 10, 20, -EFAULT},
	/* Across the borders of pages. */
	{PAGE + 5, 10, 10, 0},
	{PAGE + 5, 4, 10, 0},
	{PAGE + 5, 5, 10, 0},
	{4 * PAGE, PAGE - 1, 4 * PAGE, 0},
	{4 * PAGE, PAGE, 4 * PAGE, 0},
	{4 * PAGE, PAGE + 1, 4 * PAGE, 0},
	{4 * PAGE, 4 * PAGE - 1, 4 * PAGE, 0},
	{4 * PAGE, 4 * PAGE, 5 * PAGE, -EFAULT},
	{4 * PAGE, 3 * PAGE, 3 * PAGE - 1, -E2BIG},
};

START_TEST(a_string_is_read_to_its_end)
{
	char *at = arena + ARENA_SIZE - string_rows[_i].before_end;
	size_t len = string_rows[_i].len;
	struct buf out = BUF_INIT;

	memset(at, 's', len);
	buf_add_str(&out, "before ");
	fork_tracee();
	ck_assert_int_eq(memory_read_string(tracee, address_of(at), string_rows[_i].max, &out),
			 string_rows[_i].result);
	if (string_rows[_i].result == 0) {
		ck_assert_uint_eq(out.len, 7 + len);
		ck_assert_int_eq(strncmp(out.data, "before ", 7), 0);
		ck_assert_mem_eq(out.data + 7, at, len);
	}
	buf_free(&out);
}
END_TEST

/* Strings in the arena, and where the array of their addresses is to stand. */
#define STRINGS_MAX 400

struct list {
	const char *string[STRINGS_MAX];
	size_t count;
};

static void list_add(struct list *list, const char *bytes, size_t len)
{
	ck_assert_uint_lt(list->count, STRINGS_MAX);
	list->string[list->count++] = put_bytes(bytes, len);
	put_bytes("", 1);
}

static void write_array(const struct list *list, char *at, unsigned word)
{
	for (size_t i = 0; i <= list->count; i++) {
		uint64_t wide = i < list->count ? address_of(list->string[i]) : 0;
		uint32_t narrow = (uint32_t)wide;

		memcpy(at + i * word, word == 4 ? (void *)&narrow : (void *)&wide, word);
	}
}

static void assert_strings(const struct list *list, unsigned long array, unsigned word)
{
	struct memory_strings got = {.count = 12345};

	ck_assert_int_eq(memory_read_strings(tracee, array, word, &got), 0);
	ck_assert_uint_eq(got.count, list->count);
	for (size_t i = 0; i < list->count; i++) {
		ck_assert_uint_eq(got.item[i].len, strlen(list->string[i]));
		ck_assert_str_eq(got.item[i].data, list->string[i]);
	}
	memory_strings_clear(&got);
	ck_assert_uint_eq(got.count, 0);
	ck_assert_ptr_null(got.item);
}

static const unsigned words[] = {8, 4};

START_TEST(an_argv_is_read)
{
	struct list list = {.count = 0};
	char *array = arena + PAGE;

	list_add(&list, "git", 3);
	list_add(&list, "", 0);
	list_add(&list, "two words\n", 10);
	write_array(&list, array, words[_i]);
	fork_tracee();
	assert_strings(&list, address_of(array), words[_i]);
}
END_TEST

START_TEST(no_array_and_an_empty_one_are_empty)
{
	struct list none = {.count = 0};

	fork_tracee();
	assert_strings(&none, 0, words[_i]);
	assert_strings(&none, address_of(arena), words[_i]);
	assert_strings(&none, address_of(arena + ARENA_SIZE - words[_i]), words[_i]);
}
END_TEST

/* Longer and shorter than what is looked at at once, at all places of a page. */
START_TEST(many_strings_of_all_lengths_are_read)
{
	static const size_t lengths[] = {0, 1, 2, 100, 254, 255, 256, 257, 511, 512, 513, 5000};
	struct list list = {.count = 0};
	cleanup_free char *bytes = malloc(5000);
	char *array = arena + ARENA_SIZE - 301ul * words[_i]; /* to the very end */

	for (size_t i = 0; i < 5000; i++)
		bytes[i] = (char)('a' + i % 26);
	for (size_t i = 0; i < 300; i++)
		list_add(&list, bytes, lengths[i * 7 % COUNT(lengths)]);
	write_array(&list, array, words[_i]);
	fork_tracee();
	assert_strings(&list, address_of(array), words[_i]);
}
END_TEST

/* The border of a page at each place in and around a string. */
START_TEST(strings_at_the_border_of_a_page_are_read)
{
	struct list list = {.count = 0};
	char *array = arena + (64ul << 12);

	for (size_t i = 0; i < 20; i++) {
		arena_used = (i + 1) * PAGE - i;
		list_add(&list, "0123456789", 10);
	}
	write_array(&list, array, 8);
	fork_tracee();
	assert_strings(&list, address_of(array), 8);
}
END_TEST

START_TEST(a_string_at_the_end_of_a_mapping_is_read)
{
	struct list list = {.count = 0};

	arena_used = ARENA_SIZE - 5;
	list_add(&list, "last", 4);
	write_array(&list, arena, 8);
	fork_tracee();
	assert_strings(&list, address_of(arena), 8);
}
END_TEST

START_TEST(a_very_long_string_is_read)
{
	struct list list = {.count = 0};
	cleanup_free char *bytes = malloc(200 * 1024);
	char *array = arena + (4ul << 20);

	memset(bytes, 'l', 200 * 1024);
	list_add(&list, "sh", 2);
	list_add(&list, bytes, 200 * 1024);
	list_add(&list, "after", 5);
	write_array(&list, array, 8);
	fork_tracee();
	assert_strings(&list, address_of(array), 8);
}
END_TEST

/* The array itself crosses from page to page. */
START_TEST(a_long_array_is_read)
{
	struct list list = {.count = 0};
	char *array = arena + (1ul << 20) + PAGE - 16;

	list_add(&list, "same", 4);
	for (list.count = 1; list.count < STRINGS_MAX; list.count++)
		list.string[list.count] = list.string[0];
	list.count = STRINGS_MAX - 1;
	write_array(&list, array, words[_i]);
	fork_tracee();
	assert_strings(&list, address_of(array), words[_i]);
}
END_TEST

/* The kernel does not ask for alignment. */
START_TEST(an_array_need_not_be_aligned)
{
	struct list list = {.count = 0};
	char *array = arena + (1ul << 20) + PAGE - 16 + _i;

	list_add(&list, "one", 3);
	list_add(&list, "two", 3);
	list_add(&list, "three", 5);
	write_array(&list, array, 8);
	fork_tracee();
	assert_strings(&list, address_of(array), 8);
}
END_TEST

static int read_error(const char *array)
{
	struct memory_strings got = {.count = 12345};
	int r = memory_read_strings(tracee, address_of(array), 8, &got);

	ck_assert_uint_eq(got.count, 12345);
	return r;
}

START_TEST(a_bad_address_among_good_ones_is_an_error)
{
	static const uint64_t bad[] = {1, ARENA_ADDRESS + ARENA_SIZE, UINT64_MAX, 1ull << 63};
	struct list list = {.count = 0};
	char *array = arena + PAGE;

	list_add(&list, "one", 3);
	list_add(&list, "two", 3);
	list_add(&list, "three", 5);
	write_array(&list, array, 8);
	memcpy(array + 8, &bad[_i], 8);
	fork_tracee();
	ck_assert_int_eq(read_error(array), -EFAULT);
}
END_TEST

START_TEST(a_string_without_an_end_is_an_error)
{
	struct list list = {.count = 1};

	list.string[0] = arena + ARENA_SIZE - 300;
	memset(arena + ARENA_SIZE - 300, 's', 300);
	write_array(&list, arena, 8);
	fork_tracee();
	ck_assert_int_eq(read_error(arena), -EFAULT);
}
END_TEST

START_TEST(an_array_without_an_end_is_an_error)
{
	struct list list = {.count = 0};
	char *array = arena + ARENA_SIZE - 8;

	list_add(&list, "one", 3);
	memcpy(array, &list.string[0], 8);
	fork_tracee();
	ck_assert_int_eq(read_error(array), -EFAULT);
}
END_TEST

START_TEST(one_string_beyond_the_limit_is_too_big)
{
	struct list list = {.count = 1};

	list.string[0] = arena + PAGE;
	memset(arena + PAGE, 's', MEMORY_STRINGS_MAX + 1);
	write_array(&list, arena, 8);
	fork_tracee();
	ck_assert_int_eq(read_error(arena), -E2BIG);
}
END_TEST

/* Small strings, but more bytes in all, or more of them, than the kernel would take. */
START_TEST(too_many_strings_are_too_big)
{
	static const struct {
		size_t count, len;
	} rows[] = {{MEMORY_STRINGS_MAX / 10000 + 1, 9999}, {MEMORY_STRINGS_MAX / 8 + 1, 0}};
	uint64_t pointer = ARENA_ADDRESS;
	char *array = arena + (1ul << 20);

	memset(arena, 's', rows[_i].len);
	for (size_t i = 0; i < rows[_i].count; i++)
		memcpy(array + 8 * i, &pointer, 8);
	fork_tracee();
	ck_assert_int_eq(read_error(array), -E2BIG);
}
END_TEST

Suite *intercept_memory_suite(void)
{
	Suite *suite = suite_create("tape/intercept/memory");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, enter, leave);
	tcase_add_test(all, the_memory_of_the_other_is_read);
	tcase_add_test(all, the_memory_of_the_other_is_written);
	tcase_add_loop_test(all, a_transfer_is_whole_or_an_error, 0, COUNT(edge_rows));
	tcase_add_test(all, what_is_not_mapped_is_bad);
	tcase_add_test(all, a_process_that_is_gone_is_told);
	tcase_add_test(all, only_a_poke_writes_to_a_read_only_page);
	tcase_add_loop_test(all, a_string_is_read_to_its_end, 0, COUNT(string_rows));
	tcase_add_loop_test(all, an_argv_is_read, 0, COUNT(words));
	tcase_add_loop_test(all, no_array_and_an_empty_one_are_empty, 0, COUNT(words));
	tcase_add_loop_test(all, many_strings_of_all_lengths_are_read, 0, COUNT(words));
	tcase_add_test(all, strings_at_the_border_of_a_page_are_read);
	tcase_add_test(all, a_string_at_the_end_of_a_mapping_is_read);
	tcase_add_test(all, a_very_long_string_is_read);
	tcase_add_loop_test(all, a_long_array_is_read, 0, COUNT(words));
	tcase_add_loop_test(all, an_array_need_not_be_aligned, 0, 9);
	tcase_add_loop_test(all, a_bad_address_among_good_ones_is_an_error, 0, 4);
	tcase_add_test(all, a_string_without_an_end_is_an_error);
	tcase_add_test(all, an_array_without_an_end_is_an_error);
	tcase_add_test(all, one_string_beyond_the_limit_is_too_big);
	tcase_add_loop_test(all, too_many_strings_are_too_big, 0, 2);
	suite_add_tcase(suite, all);
	return suite;
}
