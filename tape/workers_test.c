#include "tape/workers.h"
#include "tools/tests.h"
#include <pthread.h>
#include <stdatomic.h>

#define JOBS 1000

struct work {
	atomic_int done[JOBS];
	atomic_int by_caller;
	atomic_int wrong;
	pthread_t caller;
};

static void job(void *ctx, size_t index, bool is_caller)
{
	struct work *w = ctx;

	atomic_fetch_add(&w->done[index], 1);
	atomic_fetch_add(&w->by_caller, is_caller);
	atomic_fetch_add(&w->wrong, is_caller != (pthread_equal(w->caller, pthread_self()) != 0));
}

START_TEST(each_job_is_done_once)
{
	static struct work w;

	w.caller = pthread_self();
	workers_run(JOBS, job, &w);
	for (size_t i = 0; i < JOBS; i++)
		ck_assert_int_eq(w.done[i], 1);
	ck_assert_int_eq(w.wrong, 0);
}
END_TEST

START_TEST(few_jobs_and_none)
{
	static struct work w;

	w.caller = pthread_self();
	workers_run(0, job, &w);
	ck_assert_int_eq(w.done[0], 0);
	workers_run(1, job, &w);
	ck_assert_int_eq(w.done[0], 1);
	/* One job is not worth a thread. */
	ck_assert_int_eq(w.by_caller, 1);
}
END_TEST

Suite *tape_workers_suite(void)
{
	Suite *suite = suite_create("tape/workers");
	TCase *all = tcase_create("all");

	tcase_add_test(all, each_job_is_done_once);
	tcase_add_test(all, few_jobs_and_none);
	suite_add_tcase(suite, all);
	return suite;
}
