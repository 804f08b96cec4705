#include "base/buf.h"
#include "tape/align.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <stdlib.h>
#include <string.h>

#define MOST 64

struct side {
	struct align_item item[MOST];
	uint32_t partner[MOST];
	bool moved[MOST];
	struct align_side side;
};

/* A letter is the key, and a letter with the digit behind it the content. */
static void fill(struct side *s, const char *text)
{
	memset(s, 0, sizeof(*s));
	s->side = (struct align_side){s->item, s->partner, s->moved, 0};
	for (; *text; text += 2 + (text[2] == ' ')) {
		s->item[s->side.count].key = (uint64_t)text[0];
		s->item[s->side.count++].content = (uint64_t)text[0] * 256 + (uint64_t)text[1];
	}
}

/* As a diff: "=" equal, "~" same key, "-" and "+" alone; "<" moved, "(" moved and changed, where it
 * was. */
static void assert_aligned(const char *left, const char *right, const char *wanted)
{
	cleanup_buf struct buf got = BUF_INIT;
	struct side a, b;
	size_t k = 0;

	fill(&a, left);
	fill(&b, right);
	ck_assert_int_eq(align(&a.side, &b.side), 0);
	for (size_t i = 0; i <= a.side.count; i++) {
		uint32_t partner = i < a.side.count ? a.partner[i] : (uint32_t)b.side.count;
		bool equal = partner < b.side.count && a.item[i].content == b.item[partner].content;

		if (partner == ALIGN_NONE || (i < a.side.count && a.moved[i])) {
			buf_add_char(&got, partner == ALIGN_NONE ? '-' : equal ? '<' : '(');
			continue;
		}
		for (; k < partner; k++) {
			if (b.partner[k] == ALIGN_NONE)
				buf_add_char(&got, '+');
		}
		if (i < a.side.count)
			buf_add_char(&got, equal ? '=' : '~');
		k++;
	}
	ck_assert_msg(strcmp(got.data ? got.data : "", wanted) == 0, "%s | %s: %s, not %s", left,
		      right, got.data ? got.data : "", wanted);
}

static const struct {
	const char *a;
	const char *b;
	const char *wanted;
} rows[] = {
	{"", "", ""},
	{"a1 b1 c1", "a1 b1 c1", "==="},
	{"", "a1", "+"},
	{"a1", "", "-"},
	{"a1 b1 c1", "a1 c1", "=-="},
	{"a1 c1", "a1 b1 c1", "=+="},
	{"a1 b1 c1", "a1 b2 c1", "=~="},
	{"a1 b1 c1", "a1 d1 c1", "=-+="},
	{"a1 b1", "c1 d1", "--++"},
	/* Equal commands: what is equal belongs together, even when one more is in front. */
	{"a1 a2 a3", "a9 a1 a2 a3", "+==="},
	{"a1 a2 a3", "a1 a3", "=-="},
	{"a1 a1 a1", "a1 a1", "==-"},
	{"a1 a2 a3 a4", "a1 a9 a3 a4", "=~=="},
	{"d0 u1 d0 v1 d0", "d0 d0 u1 d0 v1 d0", "=+===="},
	/* Another order. */
	{"a1 b1", "b1 a1", "<="},
	{"a1 b1 c1", "c1 a1 b1", "==<"},
	{"a1 b1 c1 d1", "b2 c1 d1 a1", "<~=="},
	{"a1 b1 c1 d1", "d1 c1 b1 a1", "<<<="},
	{"a1 b1 c1", "b1 c1 a2", "(=="},
};

START_TEST(partners_are_found)
{
	assert_aligned(rows[_i].a, rows[_i].b, rows[_i].wanted);
}
END_TEST

static size_t count_ordered(const struct side *a, const struct side *b)
{
	size_t ordered = 0;
	uint32_t before = 0;

	for (size_t i = 0; i < a->side.count; i++) {
		uint32_t partner = a->partner[i];

		if (partner == ALIGN_NONE)
			continue;
		ck_assert_uint_lt(partner, b->side.count);
		ck_assert_uint_eq(b->partner[partner], i);
		ck_assert_uint_eq(a->item[i].key, b->item[partner].key);
		ck_assert(a->moved[i] == b->moved[partner]);
		if (a->moved[i])
			continue;
		ck_assert_uint_ge(partner, before);
		before = partner + 1;
		ordered++;
	}
	return ordered;
}

/* Of each key, as many are paired as both sides have. */
static void assert_all_paired(const struct side *a, const struct side *b)
{
	for (int key = 'a'; key < 'f'; key++) {
		size_t in_a = 0, in_b = 0, paired = 0;

		for (size_t i = 0; i < a->side.count; i++) {
			in_a += a->item[i].key == (uint64_t)key;
			paired += a->item[i].key == (uint64_t)key && a->partner[i] != ALIGN_NONE;
		}
		for (size_t i = 0; i < b->side.count; i++)
			in_b += b->item[i].key == (uint64_t)key;
		ck_assert_uint_eq(paired, in_a < in_b ? in_a : in_b);
	}
}

START_TEST(random_tapes_are_paired_in_order)
{
	struct random r = {12345};

	for (int round = 0; round < 3000; round++) {
		char text[2][2 * MOST + 2] = {{0}};
		struct side a, b;

		for (int s = 0; s < 2; s++) {
			size_t count = random_below(&r, MOST);

			for (size_t i = 0; i < count; i++) {
				text[s][2 * i] = (char)('a' + random_below(&r, 5));
				text[s][2 * i + 1] = (char)('0' + random_below(&r, 3));
			}
			text[s][2 * count] = '\0';
		}
		fill(&a, text[0]);
		fill(&b, text[1]);
		ck_assert_int_eq(align(&a.side, &b.side), 0);
		if (a.side.count && b.side.count && strcmp(text[0], text[1]) == 0)
			ck_assert_uint_eq(count_ordered(&a, &b), a.side.count);
		count_ordered(&a, &b);
		assert_all_paired(&a, &b);
	}
}
END_TEST

#define MANY 200000

/* The worst orders take no longer than others: this would not end if it were not so. */
START_TEST(long_tapes_in_the_worst_order)
{
	struct align_item *item[2];
	uint32_t *partner[2];
	bool *moved[2];
	struct align_side side[2];

	for (int s = 0; s < 2; s++) {
		item[s] = calloc(MANY, sizeof(*item[s]));
		partner[s] = calloc(MANY, sizeof(*partner[s]));
		moved[s] = calloc(MANY, sizeof(*moved[s]));
		for (size_t i = 0; i < MANY; i++) {
			uint64_t value = s ? MANY - i : i;

			item[s][i] =
				(struct align_item){value % 1000 * 7 + value % 3, value % 1000};
		}
		side[s] = (struct align_side){item[s], partner[s], moved[s], MANY};
	}
	ck_assert_int_eq(align(&side[0], &side[1]), 0);
	for (size_t i = 0; i < MANY; i++)
		ck_assert_uint_eq(partner[1][partner[0][i]], i);
	for (int s = 0; s < 2; s++) {
		free(item[s]);
		free(partner[s]);
		free(moved[s]);
	}
}
END_TEST

Suite *tape_align_suite(void)
{
	Suite *suite = suite_create("tape/align");
	TCase *all = tcase_create("all");

	tcase_set_timeout(all, 60);
	tcase_add_loop_test(all, partners_are_found, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(all, random_tapes_are_paired_in_order);
	tcase_add_test(all, long_tapes_in_the_worst_order);
	suite_add_tcase(suite, all);
	return suite;
}
