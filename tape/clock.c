#include "tape/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

struct tape_clock {
	bool mock;
	uint64_t begin_ns; /* of the real clock: CLOCK_MONOTONIC when it was made */
	pthread_mutex_t lock;
	/* Of a mock, under the lock. */
	uint64_t now_ns;
	uint64_t wall_ns;
};

static uint64_t read_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static int clock_new(bool mock, uint64_t wall_ns, struct tape_clock **ret, struct error *err)
{
	struct tape_clock *c = calloc(1, sizeof(*c));

	if (!c)
		return error_no_memory(err);
	c->mock = mock;
	c->wall_ns = wall_ns;
	c->begin_ns = read_ns(CLOCK_MONOTONIC);
	pthread_mutex_init(&c->lock, NULL); /* cannot fail without attributes (glibc, musl) */
	*ret = c;
	return 0;
}

int tape_clock_real_new(struct tape_clock **ret, struct error *err)
{
	return clock_new(false, 0, ret, err);
}

int tape_clock_mock_new(uint64_t wall_ns, struct tape_clock **ret, struct error *err)
{
	return clock_new(true, wall_ns, ret, err);
}

void tape_clock_free(struct tape_clock *c)
{
	if (!c)
		return;
	pthread_mutex_destroy(&c->lock);
	free(c);
}

bool tape_clock_is_mock(const struct tape_clock *c)
{
	return c->mock;
}

static uint64_t read_mock(struct tape_clock *c, const uint64_t *time_ns)
{
	uint64_t value;

	pthread_mutex_lock(&c->lock);
	value = *time_ns;
	pthread_mutex_unlock(&c->lock);
	return value;
}

uint64_t tape_clock_now(struct tape_clock *c)
{
	return c->mock ? read_mock(c, &c->now_ns) : read_ns(CLOCK_MONOTONIC) - c->begin_ns;
}

uint64_t tape_clock_wall(struct tape_clock *c)
{
	return c->mock ? read_mock(c, &c->wall_ns) : read_ns(CLOCK_REALTIME);
}

static int check_mock(const struct tape_clock *c, struct error *err)
{
	return c->mock ? 0
		       : error_set(err, ERR_UNSUPPORTED,
				   "the real clock cannot be moved: take a mock clock");
}

int tape_clock_set_wall(struct tape_clock *c, uint64_t wall_ns, struct error *err)
{
	int r = check_mock(c, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&c->lock);
	c->wall_ns = wall_ns;
	pthread_mutex_unlock(&c->lock);
	return 0;
}

/* With the lock. */
static int move(struct tape_clock *c, uint64_t by_ns, struct error *err)
{
	if (by_ns > UINT64_MAX - c->now_ns || by_ns > UINT64_MAX - c->wall_ns)
		return error_set(err, ERR_LIMIT, "the mock clock would pass the year 2554");
	c->now_ns += by_ns;
	c->wall_ns += by_ns;
	return 0;
}

int tape_clock_advance(struct tape_clock *c, uint64_t by_ns, struct error *err)
{
	int r = check_mock(c, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&c->lock);
	r = move(c, by_ns, err);
	pthread_mutex_unlock(&c->lock);
	return r;
}

int tape_clock_advance_to(struct tape_clock *c, uint64_t now_ns, struct error *err)
{
	int r = check_mock(c, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&c->lock);
	if (now_ns > c->now_ns)
		r = move(c, now_ns - c->now_ns, err);
	pthread_mutex_unlock(&c->lock);
	return r;
}

int tape_clock_sleep(struct tape_clock *c, uint64_t for_ns, struct error *err)
{
	struct timespec left = {(time_t)(for_ns / NS_PER_S), (long)(for_ns % NS_PER_S)};
	int r;

	if (c->mock)
		return tape_clock_advance(c, for_ns, err);
	do
		r = clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left);
	while (r == EINTR);
	return r ? error_sys(err, r, "cannot sleep") : 0;
}
