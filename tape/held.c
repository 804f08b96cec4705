/*
 * Units in which the recording broke off: nobody knows how they went on. The program may kill one
 * before its end, and then nothing is missing; so each waits until the program waits for it.
 */
#include "tape/player.h"

#include "tape/intercept/intercept.h"

/* So long nothing at all happens when the program waits for the unit, and not for somebody else. */
#define REST_NS UINT64_C(1000000000)

/* A program that sleeps, computes or asks again and again may kill it afterwards: within this. */
#define HELD_NS UINT64_C(5000000000)

/* Of several it is most likely the last one that is waited for. */
static bool is_last(const struct played_unit *of)
{
	const struct played_unit *u = of->player->units;

	while (u && (!u->held || u->ended))
		u = u->next;
	return u == of;
}

/* Stubs that wait for their turn, or for what tells their records apart, go on by themselves. */
static bool any_goes_on(const struct player *player)
{
	const struct played_unit *u = player->units;

	while (u && (u->ended || (!u->waiting && !u->choice && !intercept_runs(u->pid))))
		u = u->next;
	return u != NULL || player->put_off_count > 0;
}

static bool any_moves(const struct player *player)
{
	return player->rest_ns < player->stirred_ns || any_goes_on(player) ||
	       intercept_subject_rest(player->interceptor) == SUBJECT_WORKS ||
	       intercept_subject_sleeps(player->interceptor);
}

bool held_is_waited_for(struct played_unit *u)
{
	struct player *player = u->player;
	uint64_t now_ns = session_now(&player->session);

	if (!is_last(u) || player->running > 0)
		return false;
	if (player->held_ns == 0)
		player->held_ns = now_ns;
	if (any_moves(player))
		player->rest_ns = now_ns;
	if (now_ns - player->rest_ns < REST_NS && now_ns - player->held_ns < HELD_NS)
		return false;
	player->held_ns = 0;
	player->stirred_ns = now_ns;
	return true;
}
