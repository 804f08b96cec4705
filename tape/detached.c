/*
 * Stubs that nobody holds any more: they write what the unit wrote, and end. What comes after the
 * unit in the recording comes after its end.
 */
#include "tape/player.h"

#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One that sleeps has no reader. One that does not may be kept from a processor by others. */
#define SLEEPING_MS 500
#define BUSY_MS	    5000
#define BLOCKED_MS  1000 /* where nothing but it is waited for */
#define NS_PER_MS   UINT64_C(1000000)

/* pidfd_open(2): it can be read from when the process has ended, before its parent learns of that.
 */
static bool is_over(const struct detached *d, int timeout_ms)
{
	struct pollfd ended = {d->pidfd, POLLIN, 0};
	int r;

	do {
		r = poll(&ended, 1, timeout_ms);
	} while (r < 0 && errno == EINTR);
	return r > 0;
}

/* A stub without a pidfd (no descriptor is free) is not waited for. */
void detached_add(struct player *player, pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (player->detached_count == DETACHED_MAX)
		detached_wait(player);
	if (fd >= 0)
		player->detached[player->detached_count++] = (struct detached){fd, pid};
}

static void forget_ended(struct player *player)
{
	unsigned left = 0;

	for (unsigned i = 0; i < player->detached_count; i++) {
		const struct detached *d = &player->detached[i];

		if (is_over(d, 0))
			close(d->pidfd);
		else
			player->detached[left++] = *d;
	}
	player->detached_count = left;
}

static bool any_runs(const struct player *player)
{
	for (unsigned i = 0; i < player->detached_count; i++) {
		if (intercept_runs(player->detached[i].pid))
			return true;
	}
	return false;
}

bool detached_is_awaited(struct player *player, uint64_t waited_ns)
{
	forget_ended(player);
	if (player->detached_count == 0)
		return false;
	if (waited_ns <= SLEEPING_MS * NS_PER_MS ||
	    (waited_ns <= BUSY_MS * NS_PER_MS && any_runs(player)))
		return true;
	detached_forget(player);
	return false;
}

void detached_wait(struct player *player)
{
	for (unsigned i = 0; i < player->detached_count; i++)
		is_over(&player->detached[i], BLOCKED_MS);
	detached_forget(player);
}

void detached_forget(struct player *player)
{
	for (unsigned i = 0; i < player->detached_count; i++)
		close(player->detached[i].pidfd);
	player->detached_count = 0;
}
