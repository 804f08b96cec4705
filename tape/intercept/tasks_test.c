#include "tape/intercept/tasks.h"
#include "tools/tests.h"
#include <stdlib.h>

/* Numbers that fall into one bucket, and some that do not. */
static const pid_t numbers[] = {
	7,
	7 + TASK_BUCKETS,
	7 + 2 * TASK_BUCKETS,
	7 + 4000 * TASK_BUCKETS,
	8,
	6,
	1,
	TASK_BUCKETS,
	TASK_BUCKETS - 1,
	4194303,
};

#define COUNT (sizeof(numbers) / sizeof(numbers[0]))

/* Static: the tables are large. */
static struct tasks tasks;

static void clear(void)
{
	tasks_clear(&tasks);
}

static void add_all(void)
{
	for (size_t i = 0; i < COUNT; i++) {
		struct task *task = tasks_add(&tasks, numbers[i]);
		struct process *p = tasks_add_process(&tasks, numbers[i]);

		ck_assert_ptr_nonnull(task);
		ck_assert_ptr_nonnull(p);
		task->process = p;
	}
}

START_TEST(what_was_added_is_found)
{
	add_all();
	ck_assert_uint_eq(tasks.count, COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		struct task *task = tasks_find(&tasks, numbers[i]);

		ck_assert_ptr_nonnull(task);
		ck_assert_int_eq(task->tid, numbers[i]);
		ck_assert_ptr_eq(task->process, tasks_find_process(&tasks, numbers[i]));
		ck_assert_int_eq(task->process->pid, numbers[i]);
	}
}
END_TEST

START_TEST(what_was_not_added_is_not_found)
{
	ck_assert_ptr_null(tasks_find(&tasks, 7));
	ck_assert_ptr_null(tasks_find_process(&tasks, 7));
	add_all();
	ck_assert_ptr_null(tasks_find(&tasks, 7 + 3 * TASK_BUCKETS));
	ck_assert_ptr_null(tasks_find_process(&tasks, 7 + 3 * TASK_BUCKETS));
	ck_assert_ptr_null(tasks_find(&tasks, 9));
	ck_assert_ptr_null(tasks_find_process(&tasks, 9));
}
END_TEST

START_TEST(a_new_one_is_empty)
{
	struct task *task = tasks_add(&tasks, 7);
	struct process *p = tasks_add_process(&tasks, 7);

	ck_assert_ptr_null(task->process);
	ck_assert(!task->stopped_early);
	ck_assert_int_eq(task->watch, WATCH_NONE);
	ck_assert_ptr_null(task->injection);
	ck_assert_int_eq(p->role, ROLE_SUBJECT);
	ck_assert(!p->in_place && !p->main && !p->ended && !p->held);
	ck_assert_ptr_null(p->unit);
	ck_assert_ptr_null(p->attempt);
	ck_assert_uint_eq(p->threads, 0);
}
END_TEST

/* The first, a middle or the last of its bucket, or one that is alone in it. */
START_TEST(only_the_one_that_was_removed_is_gone)
{
	add_all();
	tasks_remove(&tasks, tasks_find(&tasks, numbers[_i]));
	tasks_remove_process(&tasks, tasks_find_process(&tasks, numbers[_i]));
	ck_assert_uint_eq(tasks.count, COUNT - 1);
	for (size_t i = 0; i < COUNT; i++) {
		bool wanted = i != (size_t)_i;

		ck_assert_int_eq(tasks_find(&tasks, numbers[i]) != NULL, wanted);
		ck_assert_int_eq(tasks_find_process(&tasks, numbers[i]) != NULL, wanted);
	}
}
END_TEST

START_TEST(a_removed_number_may_come_again)
{
	add_all();
	tasks_remove(&tasks, tasks_find(&tasks, 7));
	tasks_add(&tasks, 7)->call_number = 42;
	ck_assert_uint_eq(tasks_find(&tasks, 7)->call_number, 42);
	ck_assert_uint_eq(tasks.count, COUNT);
}
END_TEST

START_TEST(an_injection_goes_with_its_task)
{
	struct task *task = tasks_add(&tasks, 7);

	task->injection = calloc(1, 100);
	tasks_remove(&tasks, task);
	task = tasks_add(&tasks, 8);
	task->injection = calloc(1, 100);
	/* And with all of them; the sanitizer would see a leak. */
}
END_TEST

struct visits {
	unsigned seen[COUNT];
	bool remove_odd;
};

static void visit(void *ctx, struct task *task)
{
	struct visits *v = ctx;
	size_t i = 0;

	while (i < COUNT && numbers[i] != task->tid)
		i++;
	ck_assert_uint_lt(i, COUNT);
	v->seen[i]++;
	if (v->remove_odd && i % 2)
		tasks_remove(&tasks, task);
}

START_TEST(each_task_is_visited_once)
{
	struct visits v = {.remove_odd = _i};

	add_all();
	tasks_each(&tasks, visit, &v);
	for (size_t i = 0; i < COUNT; i++) {
		ck_assert_uint_eq(v.seen[i], 1);
		ck_assert_int_eq(tasks_find(&tasks, numbers[i]) != NULL, !_i || i % 2 == 0);
	}
	ck_assert_uint_eq(tasks.count, _i ? COUNT / 2 : COUNT);
}
END_TEST

START_TEST(nothing_is_left_after_a_clear)
{
	struct visits v = {{0}, false};

	add_all();
	tasks_clear(&tasks);
	ck_assert_uint_eq(tasks.count, 0);
	tasks_each(&tasks, visit, &v);
	for (size_t i = 0; i < COUNT; i++) {
		ck_assert_uint_eq(v.seen[i], 0);
		ck_assert_ptr_null(tasks_find(&tasks, numbers[i]));
		ck_assert_ptr_null(tasks_find_process(&tasks, numbers[i]));
	}
	tasks_clear(&tasks);
}
END_TEST

Suite *intercept_tasks_suite(void)
{
	Suite *suite = suite_create("tape/intercept/tasks");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, NULL, clear);
	tcase_add_test(all, what_was_added_is_found);
	tcase_add_test(all, what_was_not_added_is_not_found);
	tcase_add_test(all, a_new_one_is_empty);
	tcase_add_loop_test(all, only_the_one_that_was_removed_is_gone, 0, COUNT);
	tcase_add_test(all, a_removed_number_may_come_again);
	tcase_add_test(all, an_injection_goes_with_its_task);
	tcase_add_loop_test(all, each_task_is_visited_once, 0, 2);
	tcase_add_test(all, nothing_is_left_after_a_clear);
	suite_add_tcase(suite, all);
	return suite;
}
