#include "tape/workers.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define THREADS_MAX 8

struct work {
	size_t count;
	void (*job)(void *ctx, size_t index, bool is_caller);
	void *ctx;
	atomic_size_t next;
};

static void run_jobs(struct work *w, bool is_caller)
{
	size_t i;

	while ((i = atomic_fetch_add(&w->next, 1)) < w->count)
		w->job(w->ctx, i, is_caller);
}

static void *be_worker(void *work)
{
	run_jobs(work, false);
	return NULL;
}

/* Signals are for the threads of the application. */
static size_t start_workers(struct work *w, pthread_t *threads, size_t wanted)
{
	sigset_t all, before;
	size_t started = 0;

	sigfillset(&all);
	sigdelset(&all, SIGBUS); /* of the thread that touched a lost page */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (started < wanted && pthread_create(&threads[started], NULL, be_worker, w) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return started;
}

void workers_run(size_t count, void (*job)(void *ctx, size_t index, bool is_caller), void *ctx)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t wanted = processors > 1 ? (size_t)processors - 1 : 0;
	struct work work = {.count = count, .job = job, .ctx = ctx};
	pthread_t threads[THREADS_MAX];
	size_t started;

	if (wanted > THREADS_MAX)
		wanted = THREADS_MAX;
	if (wanted >= count)
		wanted = count ? count - 1 : 0;
	started = start_workers(&work, threads, wanted);
	run_jobs(&work, true);
	while (started > 0)
		pthread_join(threads[--started], NULL);
}
