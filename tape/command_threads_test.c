/* Many threads on one tape. */
#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/command.h"
#include "tape/scratch_test.h"
#include "tools/tests.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAPE	"t.tape"
#define THREADS 8
#define ROUNDS	3

/* What all threads of a test share. */
struct team {
	struct tape *tape;
	pthread_barrier_t barrier;
	bool in_step; /* all of a round are spawned before one is collected */
	int rounds;
};

struct member {
	struct team *team;
	pthread_t thread;
	int number;
	const char *trouble; /* NULL: none */
};

static struct tape *open_as(enum tape_mode mode, enum tape_order order)
{
	struct tape *t = NULL;
	struct error err = {0};

	ck_assert_msg(tape_open(&(struct tape_config){.tape = TAPE, .mode = mode, .order = order},
				&t, &err) == 0,
		      "%s", err.text);
	return t;
}

static void close_it(struct tape *t)
{
	struct error err = {0};

	ck_assert_msg(tape_close(t, &err) == 0, "%s", err.text);
	tape_free(t);
}

static void wait_for_others(struct team *team)
{
	if (team->in_step)
		pthread_barrier_wait(&team->barrier);
}

/* Some commands are the same in all threads, some are not. */
static const char *play_round(const struct member *m, int round)
{
	char text[32];
	const char *const argv[] = {"printf", "%s\n", text, NULL};
	struct tape_command command = {.argv = argv};
	struct tape_child *child = NULL;
	struct tape_result got;
	const char *trouble = NULL;

	snprintf(text, sizeof(text), "%d-%d", round, m->number % 5);
	if (tape_spawn(m->team->tape, &command, &child, NULL) < 0)
		return "not spawned";
	wait_for_others(m->team);
	if (tape_collect(child, &got, NULL) < 0)
		trouble = "not collected";
	else if (got.code != 0 || strncmp(got.out, text, strlen(text)) != 0)
		trouble = "not its own answer";
	if (!trouble)
		tape_result_clear(&got);
	tape_child_free(child);
	wait_for_others(m->team);
	return trouble;
}

static void *play_all(void *member)
{
	struct member *m = member;

	for (int round = 0; round < m->team->rounds && !m->trouble; round++)
		m->trouble = play_round(m, round);
	return NULL;
}

static void run_team(struct tape *t, bool in_step, int rounds, void *(*play_part)(void *))
{
	struct team team = {.tape = t, .in_step = in_step, .rounds = rounds};
	struct member member[THREADS];

	ck_assert_int_eq(pthread_barrier_init(&team.barrier, NULL, THREADS), 0);
	for (int i = 0; i < THREADS; i++) {
		member[i] = (struct member){.team = &team, .number = i};
		ck_assert_int_eq(pthread_create(&member[i].thread, NULL, play_part, &member[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(member[i].thread, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_msg(!member[i].trouble, "thread %d: %s", i, member[i].trouble);
	pthread_barrier_destroy(&team.barrier);
}

static void record_by_team(void)
{
	struct tape *t = open_as(TAPE_RECORD, TAPE_ORDER_CAUSAL);

	run_team(t, true, ROUNDS, play_all);
	close_it(t);
}

/* Chance decides which thread comes first, and must not show. */
START_TEST(threads_record_the_same_tape_again)
{
	cleanup_buf struct buf tape = BUF_INIT, timing = BUF_INIT;
	cleanup_buf struct buf tape_after = BUF_INIT, timing_after = BUF_INIT;

	record_by_team();
	get_file(TAPE "/tape.jsonl", &tape);
	get_file(TAPE "/timing.jsonl", &timing);
	record_by_team();
	get_file(TAPE "/tape.jsonl", &tape_after);
	get_file(TAPE "/timing.jsonl", &timing_after);
	assert_same_bytes(tape_after.data, tape_after.len, tape.data, tape.len);
	assert_same_bytes(timing_after.data, timing_after.len, timing.data, timing.len);
}
END_TEST

/* What ran at the same time may be asked for in any order, and in step all of a round is asked for
 * before the next one: the causal order lets all of it be. */
START_TEST(threads_are_answered_from_one_tape)
{
	struct tape *t;

	record_by_team();
	t = open_as(TAPE_REPLAY, TAPE_ORDER_CAUSAL);
	run_team(t, true, ROUNDS, play_all);
	ck_assert_uint_eq(tape_unused(t), 0);
	ck_assert_uint_eq(tape_divergence_count(t), 0);
	close_it(t);
	t = open_as(TAPE_REPLAY, TAPE_ORDER_ANY);
	run_team(t, false, ROUNDS, play_all);
	ck_assert_uint_eq(tape_unused(t), 0);
	close_it(t);
}
END_TEST

START_TEST(threads_add_new_episodes)
{
	struct tape *t;

	record_by_team();
	t = open_as(TAPE_NEW_EPISODES, TAPE_ORDER_ANY);
	run_team(t, false, ROUNDS + 2, play_all);
	ck_assert_uint_eq(tape_unused(t), 0);
	close_it(t);
	t = open_as(TAPE_REPLAY, TAPE_ORDER_ANY);
	ck_assert_uint_eq(tape_unused(t), (size_t)THREADS * (ROUNDS + 2));
	run_team(t, false, ROUNDS + 2, play_all);
	close_it(t);
}
END_TEST

/* Each thread asks for what is not there, and looks at its own divergence. */
static void *diverge_all(void *member)
{
	struct member *m = member;
	char text[32];
	const char *const argv[] = {"printf", text, NULL};
	struct tape_command command = {.argv = argv};

	for (int round = 0; round < m->team->rounds && !m->trouble; round++) {
		const struct tape_divergence *d;
		struct tape_child *child = NULL;

		snprintf(text, sizeof(text), "missing-%d-%d", round, m->number);
		if (tape_spawn(m->team->tape, &command, &child, NULL) != ERR_DIVERGED)
			m->trouble = "it did not diverge";
		d = tape_last_divergence(m->team->tape);
		if (!d || !strstr(tape_divergence_command(d), text))
			m->trouble = "not its own divergence";
		tape_child_free(child);
	}
	return NULL;
}

/* A new thread may get the place of one that has ended, but not its divergences. */
static void *expect_none(void *member)
{
	struct member *m = member;

	if (tape_last_divergence(m->team->tape))
		m->trouble = "the divergence of another thread";
	return NULL;
}

START_TEST(each_thread_has_its_last_divergence)
{
	struct tape *t;

	record_by_team();
	t = open_as(TAPE_REPLAY, TAPE_ORDER_CAUSAL);
	run_team(t, false, ROUNDS, diverge_all);
	ck_assert_uint_eq(tape_divergence_count(t), (size_t)THREADS * ROUNDS);
	run_team(t, false, 0, expect_none);
	close_it(t);
}
END_TEST

/* While the others run commands, one asks what can be asked. */
static void *meddle(void *member)
{
	struct member *m = member;
	char *text;

	if (m->number > 0)
		return play_all(member);
	for (int i = 0; i < 200; i++) {
		text = NULL;
		tape_unused(m->team->tape);
		tape_divergence_at(m->team->tape, 0);
		tape_is_recording(m->team->tape);
		if (tape_unused_text(m->team->tape, 0, &text, NULL) == 0)
			free(text);
	}
	return NULL;
}

START_TEST(a_tape_may_be_asked_while_it_is_used)
{
	struct tape *t;

	record_by_team();
	t = open_as(TAPE_REPLAY, TAPE_ORDER_ANY);
	run_team(t, false, ROUNDS, meddle);
	ck_assert_uint_eq(tape_unused(t), ROUNDS);
	close_it(t);
}
END_TEST

Suite *tape_command_threads_suite(void)
{
	Suite *s = suite_create("tape/command_threads");
	TCase *all = tcase_create("all");

	tcase_set_timeout(all, 30);
	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_loop_test(all, threads_record_the_same_tape_again, 0, 20);
	tcase_add_test(all, threads_are_answered_from_one_tape);
	tcase_add_test(all, threads_add_new_episodes);
	tcase_add_test(all, each_thread_has_its_last_divergence);
	tcase_add_test(all, a_tape_may_be_asked_while_it_is_used);
	suite_add_tcase(s, all);
	return s;
}
