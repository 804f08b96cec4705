/*
 * Spawns that come too early. Who asks which of its children have ended finds those that had: a
 * unit that had ended before another began does so before that one is spawned, however little time
 * the subject leaves. So the process waits in its exec (EXEC_LATER), but not for long.
 */
#include "tape/player.h"

#include <string.h>

#define WAIT_NS UINT64_C(200000000)
#define US_NS	1000

/* After so many waits in vain the subject does otherwise than it did. */
#define IN_VAIN_MAX 8

static struct put_off *find(struct player *player, const struct process *p)
{
	for (unsigned i = 0; i < player->put_off_count; i++) {
		if (player->put_off[i].p == p)
			return &player->put_off[i];
	}
	return NULL;
}

void put_off_forget(struct player *player, const struct process *p)
{
	struct put_off *found = find(player, p);

	if (found)
		*found = player->put_off[--player->put_off_count];
}

static bool is_over(const struct player *player, const struct put_off *one)
{
	return session_now(&player->session) - one->since_ns >= WAIT_NS;
}

static bool must_wait(struct player *player, struct process *p, size_t index)
{
	const struct put_off *found = find(player, p);

	if (player->puts_in_vain >= IN_VAIN_MAX || !score_is_early(player->score, index))
		return false;
	if (!found && player->put_off_count == PUT_OFF_MAX)
		return false;
	if (!found)
		player->put_off[player->put_off_count++] =
			(struct put_off){p, session_now(&player->session)};
	else if (player->let_put_off_go || is_over(player, found))
		return false;
	return true;
}

bool put_off_exec(struct player *player, struct process *p, size_t index)
{
	if (must_wait(player, p, index))
		return true;
	/* It goes though one has not ended: the others need not wait for that one, either. */
	if (find(player, p) && score_is_early(player->score, index)) {
		score_do_without(player->score, index);
		player->puts_in_vain++;
	}
	put_off_forget(player, p);
	return false;
}

int put_off_ask_again(struct player *player, struct error *err)
{
	struct put_off list[PUT_OFF_MAX];
	unsigned count = player->put_off_count;
	int r = 0;

	player->any_end = false;
	/* One that is asked may go, and its place be taken by another. */
	memcpy(list, player->put_off, count * sizeof(*list));
	for (unsigned i = 0; r == 0 && i < count; i++) {
		r = intercept_ask_again(player->interceptor, list[i].p, err);
		if (!list[i].p->put_off) /* it goes, or another of its threads has executed */
			put_off_forget(player, list[i].p);
	}
	return r;
}

int put_off_let_go(struct player *player, struct error *err)
{
	int r;

	player->let_put_off_go = true;
	r = put_off_ask_again(player, err);
	player->let_put_off_go = false;
	return r;
}

int put_off_patience_us(const struct player *player)
{
	uint64_t now_ns = session_now(&player->session);
	uint64_t left_ns = WAIT_NS;

	if (player->put_off_count == 0)
		return -1;
	for (unsigned i = 0; i < player->put_off_count; i++) {
		uint64_t passed_ns = now_ns - player->put_off[i].since_ns;

		if (passed_ns >= WAIT_NS)
			return 0;
		if (WAIT_NS - passed_ns < left_ns)
			left_ns = WAIT_NS - passed_ns;
	}
	return (int)(left_ns / US_NS) + 1;
}
