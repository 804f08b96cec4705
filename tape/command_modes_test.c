/* Orders, modes and clocks of commands through a tape. */
#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/command.h"
#include "tape/scratch_test.h"
#include "tape/taped_test.h"
#include "tools/tests.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES	TAPE "/tape.jsonl"
#define TIMING	TAPE "/timing.jsonl"
#define JOURNAL TAPE "/journal.jsonl"

/* The command of a name is `echo NAME`. */
static int try_spawn(struct tape *t, const char *name, struct tape_child **ret)
{
	const char *const argv[] = {"echo", name, NULL};

	return tape_spawn(t, &(struct tape_command){.argv = argv}, ret, NULL);
}

static struct tape_child *spawn_echo(struct tape *t, const char *name)
{
	struct tape_child *child = NULL;

	ck_assert_int_eq(try_spawn(t, name, &child), 0);
	return child;
}

static uint64_t collect(struct tape_child *child)
{
	struct tape_result got;
	struct error err = {0};
	uint64_t duration_ns;

	ck_assert_msg(tape_collect(child, &got, &err) == 0, "%s", err.text);
	duration_ns = got.duration_ns;
	tape_result_clear(&got);
	tape_child_free(child);
	return duration_ns;
}

/* "a b c": one after the other; a name that must diverge for its order has a "!" before it, and one
 * for which there is no record a "?". */
static void run_all(struct tape *t, const char *names)
{
	cleanup_free char *copy = strdup(names);
	char *place = NULL;

	for (char *name = strtok_r(copy, " ", &place); name; name = strtok_r(NULL, " ", &place)) {
		bool refused = name[0] == '!' || name[0] == '?';
		struct tape_child *child = NULL;
		int rc = try_spawn(t, name + refused, &child);

		ck_assert_msg(rc == (refused ? ERR_DIVERGED : 0), "%s: %d", name, rc);
		if (!refused)
			collect(child);
		else
			ck_assert_int_eq(tape_divergence_kind(tape_last_divergence(t)),
					 name[0] == '!' ? TAPE_OUT_OF_ORDER : TAPE_NO_RECORD);
	}
}

static void record_all(const char *names)
{
	struct tape *t = open_as(TAPE_RECORD);

	run_all(t, names);
	close_it(t);
}

/* --- Orders --------------------------------------------------------------------------------- */

/* play() of the recording, and what may then be asked in which order. */
static const struct order_row {
	const char *events; /* times are their positions; names are those of programs */
	enum tape_order order;
	const char *asked; /* as for run_all() */
} order_rows[] = {
	{"A( A)1 B( B)2 C( C)3", TAPE_ORDER_STRICT, "A B C"},
	{"A( A)1 B( B)2 C( C)3", TAPE_ORDER_STRICT, "!B A !C B !A"},
	{"A( A)1 B( B)2 C( C)3", TAPE_ORDER_CAUSAL, "!B !C A !C B C"},
	{"A( A)1 B( B)2 C( C)3", TAPE_ORDER_ANY, "C B A"},
	/* A and B overlapped, and C began after A alone had ended. */
	{"A( B( A)1 C( B)2 C)3", TAPE_ORDER_CAUSAL, "B !C A C"},
	{"A( B( A)1 C( B)2 C)3", TAPE_ORDER_CAUSAL, "A C B"},
	{"A( B( A)1 C( B)2 C)3", TAPE_ORDER_STRICT, "!B A !C B C"},
	/* Nothing waits for what did not end. */
	{"A( B( B)1 C( C)2", TAPE_ORDER_CAUSAL, "!C B C"},
	/* Of equal commands, the first is first. */
	{"A( A)1 B( B)2 A( A)3", TAPE_ORDER_STRICT, "A !A B A"},
	{"A( A)1 B( B)2 A( A)3", TAPE_ORDER_CAUSAL, "A !A B A"},
	{"A( A)1 B( B)2 A( A)3", TAPE_ORDER_ANY, "A A B"},
};

static void ask(struct tape *t, const char *name)
{
	bool refused = name[0] == '!';
	const char *const argv[] = {name + refused, NULL};
	struct tape_command command = {.argv = argv};
	struct tape_result got;
	int rc = tape_run(t, &command, &got, NULL);

	ck_assert_msg(rc == (refused ? ERR_DIVERGED : 0), "%s: %d", name, rc);
	if (rc == 0)
		tape_result_clear(&got);
}

START_TEST(an_order_lets_answer)
{
	const struct order_row *row = &order_rows[_i];
	cleanup_free char *copy = strdup(row->asked);
	char *place = NULL;
	struct tape *t;

	record(TAPE, row->events);
	t = open_with(&(struct tape_config){.tape = TAPE, .order = row->order});
	for (char *name = strtok_r(copy, " ", &place); name; name = strtok_r(NULL, " ", &place))
		ask(t, name);
	close_it(t);
}
END_TEST

START_TEST(what_has_to_come_first_is_told)
{
	const struct tape_divergence *d;
	struct tape *t;
	char *text;

	record_all("a b c");
	t = open_as(TAPE_REPLAY);
	run_all(t, "!b");
	d = tape_last_divergence(t);
	ck_assert_int_eq(tape_unused_text(t, 0, &text, NULL), 0);
	ck_assert_int_eq(strncmp(text, tape_divergence_nearest(d), 18), 0);
	free(text);
	ck_assert_ptr_nonnull(strstr(tape_divergence_text(d), "the one that was to come"));
	ck_assert_ptr_nonnull(strstr(tape_divergence_text(d), "echo a   (in $WORK)"));
	close_it(t);
}
END_TEST

START_TEST(without_times_strict_is_the_order_of_the_tape_and_causal_knows_none)
{
	struct tape *t;

	record_all("a b c");
	ck_assert_int_eq(unlink(TIMING), 0);
	t = open_with(&(struct tape_config){.tape = TAPE, .order = TAPE_ORDER_STRICT});
	run_all(t, "!b a !c b c");
	close_it(t);
	t = open_as(TAPE_REPLAY);
	run_all(t, "c a b");
	close_it(t);
}
END_TEST

/* --- Modes ---------------------------------------------------------------------------------- */

START_TEST(once_records_and_then_replays)
{
	struct tape *t = open_as(TAPE_ONCE);

	ck_assert(tape_is_recording(t));
	run_all(t, "a");
	close_it(t);
	t = open_as(TAPE_ONCE);
	ck_assert(!tape_is_recording(t));
	run_all(t, "a ?a ?b");
	close_it(t);
}
END_TEST

/* What was given up or killed before it was finished is not a tape to go by. */
START_TEST(once_records_again_what_was_not_finished)
{
	struct tape *t = open_as(TAPE_ONCE);

	run_all(t, "a");
	tape_free(t);
	ck_assert(is_file(JOURNAL));
	t = open_as(TAPE_ONCE);
	ck_assert(tape_is_recording(t));
	run_all(t, "b");
	close_it(t);
	t = open_as(TAPE_ONCE);
	run_all(t, "?a b");
	close_it(t);
}
END_TEST

START_TEST(a_recording_that_is_given_up_leaves_the_tape)
{
	cleanup_buf struct buf before = BUF_INIT;
	cleanup_buf struct buf after = BUF_INIT;
	struct tape *t;

	record_all("a");
	get_file(LINES, &before);
	t = open_as(TAPE_RECORD);
	run_all(t, "b");
	tape_free(t);
	get_file(LINES, &after);
	assert_same_bytes(after.data, after.len, before.data, before.len);
}
END_TEST

START_TEST(new_episodes_are_added)
{
	struct tape *t = open_as(TAPE_NEW_EPISODES);

	run_all(t, "a b");
	close_it(t);
	t = open_as(TAPE_NEW_EPISODES);
	run_all(t, "b c a a");
	ck_assert_uint_eq(tape_unused(t), 0);
	ck_assert_uint_eq(tape_divergence_count(t), 0);
	close_it(t);
	ck_assert(!is_file(JOURNAL));
	t = open_with(&(struct tape_config){.tape = TAPE, .order = TAPE_ORDER_STRICT});
	run_all(t, "a b c a ?a");
	close_it(t);
}
END_TEST

/* Those of an old tape that were not asked for stay, with their times. */
START_TEST(new_episodes_leave_what_is_there)
{
	cleanup_buf struct buf before = BUF_INIT, after = BUF_INIT;
	cleanup_buf struct buf times = BUF_INIT, new_times = BUF_INIT;
	struct tape *t;

	record_all("a b");
	get_file(LINES, &before);
	get_file(TIMING, &times);
	t = open_as(TAPE_NEW_EPISODES);
	run_all(t, "c");
	close_it(t);
	get_file(LINES, &after);
	get_file(TIMING, &new_times);
	ck_assert_uint_gt(after.len, before.len);
	ck_assert_uint_gt(new_times.len, times.len);
	assert_same_bytes(after.data, before.len, before.data, before.len);
	assert_same_bytes(new_times.data, times.len, times.data, times.len);
}
END_TEST

START_TEST(without_a_new_episode_nothing_is_touched)
{
	struct stat before, after;
	struct tape *t;

	record_all("a b");
	ck_assert_int_eq(stat(TAPE, &before), 0);
	ck_assert_int_eq(chmod(TAPE, 0555), 0);
	t = open_as(TAPE_NEW_EPISODES);
	run_all(t, "b a");
	close_it(t);
	ck_assert_int_eq(stat(TAPE, &after), 0);
	ck_assert_int_eq(chmod(TAPE, 0777), 0);
	ck_assert_int_eq(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}
END_TEST

START_TEST(new_episodes_of_a_killed_recording_go_on_with_it)
{
	struct tape *t = open_as(TAPE_RECORD);

	run_all(t, "a");
	tape_free(t);
	t = open_as(TAPE_NEW_EPISODES);
	run_all(t, "a b");
	close_it(t);
	t = open_as(TAPE_REPLAY);
	run_all(t, "a b ?c");
	close_it(t);
}
END_TEST

/* The tape is taken at the first new episode, and can be somebody else's then. */
START_TEST(new_episodes_of_a_busy_tape_are_refused)
{
	struct tape *t, *other;
	struct tape_child *child = NULL;

	record_all("a");
	t = open_as(TAPE_NEW_EPISODES);
	other = open_as(TAPE_RECORD);
	run_all(t, "a");
	ck_assert_int_eq(try_spawn(t, "b", &child), ERR_BUSY);
	ck_assert_ptr_null(child);
	tape_free(other);
	run_all(t, "b");
	close_it(t);
	t = open_as(TAPE_REPLAY);
	run_all(t, "a b");
	close_it(t);
}
END_TEST

START_TEST(new_episodes_need_the_roots_of_the_tape)
{
	const char *const roots[] = {"DATA=/usr", NULL};
	struct tape *t =
		open_with(&(struct tape_config){.tape = TAPE, .mode = TAPE_RECORD, .roots = roots});
	struct tape_child *child = NULL;

	run_all(t, "/usr/a");
	close_it(t);
	t = open_as(TAPE_NEW_EPISODES);
	ck_assert_int_eq(try_spawn(t, "b", &child), ERR_INVALID);
	close_it(t);
	t = open_with(
		&(struct tape_config){.tape = TAPE, .mode = TAPE_NEW_EPISODES, .roots = roots});
	run_all(t, "/usr/a b");
	close_it(t);
}
END_TEST

/* --- Clocks --------------------------------------------------------------------------------- */

static struct tape_clock *mock(void)
{
	struct tape_clock *clock = NULL;

	ck_assert_int_eq(tape_clock_mock_new(0, &clock, NULL), 0);
	return clock;
}

static void advance(struct tape_clock *clock, uint64_t by_ns)
{
	ck_assert_int_eq(tape_clock_advance(clock, by_ns, NULL), 0);
}

/* A random plan of commands: some run one after the other, some at the same time. */
#define UNITS 40

struct plan {
	size_t group[UNITS]; /* how many are spawned before all of them are collected */
	uint64_t step_ns[UNITS];
	size_t groups;
	uint64_t think_ns;
};

static void make_plan(struct plan *plan, uint64_t seed, size_t most)
{
	struct random random = {seed};
	size_t left = UNITS;

	memset(plan, 0, sizeof(*plan));
	while (left > 0) {
		size_t size = 1 + random_below(&random, most);

		size = size < left ? size : left;
		plan->group[plan->groups++] = size;
		left -= size;
	}
	for (size_t i = 0; i < UNITS; i++)
		plan->step_ns[i] = 1 + random_below(&random, 1000000);
}

/* Carries it out. In a recording the clock moves by step_ns before each is collected, so that each
 * one of a group lasts longer than the one before. In a replay the tape moves it. */
static uint64_t follow(const struct plan *plan, struct tape *t, struct tape_clock *clock,
		       bool recording, uint64_t *durations_ns)
{
	uint64_t last = tape_clock_now(clock);
	size_t unit = 0;

	for (size_t g = 0; g < plan->groups; g++) {
		struct tape_child *child[UNITS];
		uint64_t began = tape_clock_now(clock), longest = 0;
		char name[16];

		for (size_t i = 0; i < plan->group[g]; i++) {
			snprintf(name, sizeof(name), "%zu", unit + i);
			child[i] = spawn_echo(t, name);
		}
		for (size_t i = 0; i < plan->group[g]; i++, unit++) {
			if (recording)
				advance(clock, plan->step_ns[unit]);
			durations_ns[unit] = collect(child[i]);
			longest = durations_ns[unit] > longest ? durations_ns[unit] : longest;
			ck_assert_uint_ge(tape_clock_now(clock), last);
			last = tape_clock_now(clock);
		}
		/* They overlapped: the time that passed is that of the longest. */
		ck_assert_uint_eq(last, began + longest);
		if (recording)
			advance(clock, plan->think_ns);
	}
	return tape_clock_now(clock);
}

static uint64_t follow_as(const struct plan *plan, enum tape_mode mode, uint64_t begin_ns,
			  uint64_t *durations_ns)
{
	struct tape_clock *clock = mock();
	struct tape *t;
	uint64_t took_ns;

	advance(clock, begin_ns);
	t = open_with(&(struct tape_config){.tape = TAPE, .mode = mode, .clock = clock});
	took_ns = follow(plan, t, clock, mode == TAPE_RECORD, durations_ns) - begin_ns;
	close_it(t);
	tape_clock_free(clock);
	return took_ns;
}

/* Random plans, with what a replay must keep: each duration, their sum where one ran after the
 * other, and the longest where several ran at once. */
START_TEST(a_replay_takes_the_recorded_time)
{
	struct plan plan;
	uint64_t recorded[UNITS], replayed[UNITS];
	uint64_t took_ns, sum_ns = 0;

	make_plan(&plan, (uint64_t)_i + 1, _i % 2 ? 5 : 1);
	took_ns = follow_as(&plan, TAPE_RECORD, (uint64_t)_i * 1000, recorded);
	ck_assert_uint_eq(follow_as(&plan, TAPE_REPLAY, 77, replayed), took_ns);
	for (size_t i = 0; i < UNITS; i++) {
		ck_assert_uint_eq(replayed[i], recorded[i]);
		sum_ns += recorded[i];
	}
	if (plan.groups == UNITS)
		ck_assert_uint_eq(took_ns, sum_ns);
	else
		ck_assert_uint_lt(took_ns, sum_ns);
}
END_TEST

/* What the caller did between the commands is the caller's time, and not a part of theirs. */
START_TEST(the_callers_own_time_is_not_repeated)
{
	struct plan plan;
	uint64_t recorded[UNITS], replayed[UNITS];
	uint64_t took_ns;

	make_plan(&plan, 5, 3);
	plan.think_ns = 1000;
	took_ns = follow_as(&plan, TAPE_RECORD, 0, recorded);
	ck_assert_uint_eq(follow_as(&plan, TAPE_REPLAY, 0, replayed),
			  took_ns - plan.groups * plan.think_ns);
}
END_TEST

START_TEST(a_real_clock_stamps_real_time)
{
	const char *const argv[] = {"sleep", "0.05", NULL};
	struct tape_command command = {.argv = argv};
	struct tape_result got, again;
	struct tape *t = open_as(TAPE_RECORD);

	ck_assert_int_eq(tape_run(t, &command, &got, NULL), 0);
	ck_assert_uint_ge(got.duration_ns, 50000000);
	close_it(t);
	t = open_as(TAPE_REPLAY);
	ck_assert_int_eq(tape_run(t, &command, &again, NULL), 0);
	ck_assert_uint_eq(again.duration_ns, got.duration_ns);
	close_it(t);
	tape_result_clear(&got);
	tape_result_clear(&again);
}
END_TEST

/* Of what one recording left and another added, neither has to be asked for before the other. */
START_TEST(episodes_do_not_wait_for_one_another)
{
	struct tape *t;

	record_all("a b");
	for (int i = 0; i < 2; i++) {
		t = open_as(TAPE_NEW_EPISODES);
		run_all(t, i ? "c d e f" : "c d");
		close_it(t);
	}
	t = open_as(TAPE_REPLAY);
	run_all(t, "!f !d c d !f e f");
	ck_assert_uint_eq(tape_unused(t), 2);
	run_all(t, "!b a b");
	close_it(t);
}
END_TEST

/* New episodes are stamped as after the end of the old ones. */
START_TEST(new_episodes_come_after_the_old_ones)
{
	struct tape_clock *clock = mock();
	struct tape_child *child;
	struct tape *t =
		open_with(&(struct tape_config){.tape = TAPE, .mode = TAPE_RECORD, .clock = clock});

	child = spawn_echo(t, "a");
	advance(clock, 500);
	collect(child);
	close_it(t);
	t = open_as(TAPE_NEW_EPISODES);
	run_all(t, "b");
	close_it(t);
	t = open_with(&(struct tape_config){.tape = TAPE, .order = TAPE_ORDER_STRICT});
	run_all(t, "!b a b");
	close_it(t);
	tape_clock_free(clock);
}
END_TEST

/* Also when the last of the old ones took no time, and making room for the new one does. */
START_TEST(new_episodes_come_after_one_without_duration)
{
	struct tape_clock *clock = mock();
	struct tape *t =
		open_with(&(struct tape_config){.tape = TAPE, .mode = TAPE_RECORD, .clock = clock});

	run_all(t, "a");
	advance(clock, UINT64_C(10000000000));
	run_all(t, "b");
	close_it(t);
	t = open_as(TAPE_NEW_EPISODES);
	run_all(t, "c");
	close_it(t);
	t = open_with(&(struct tape_config){.tape = TAPE, .order = TAPE_ORDER_STRICT});
	run_all(t, "a !c b c");
	close_it(t);
	tape_clock_free(clock);
}
END_TEST

Suite *tape_command_modes_suite(void)
{
	Suite *s = suite_create("tape/command_modes");
	TCase *all = tcase_create("all");

	tcase_set_timeout(all, 20);
	tcase_add_checked_fixture(all, scratch_enter, scratch_leave);
	tcase_add_loop_test(all, an_order_lets_answer, 0, COUNT(order_rows));
	tcase_add_test(all, what_has_to_come_first_is_told);
	tcase_add_test(all, without_times_strict_is_the_order_of_the_tape_and_causal_knows_none);
	tcase_add_test(all, once_records_and_then_replays);
	tcase_add_test(all, once_records_again_what_was_not_finished);
	tcase_add_test(all, a_recording_that_is_given_up_leaves_the_tape);
	tcase_add_test(all, new_episodes_are_added);
	tcase_add_test(all, new_episodes_leave_what_is_there);
	tcase_add_test(all, without_a_new_episode_nothing_is_touched);
	tcase_add_test(all, new_episodes_of_a_killed_recording_go_on_with_it);
	tcase_add_test(all, new_episodes_of_a_busy_tape_are_refused);
	tcase_add_test(all, new_episodes_need_the_roots_of_the_tape);
	tcase_add_loop_test(all, a_replay_takes_the_recorded_time, 0, 6);
	tcase_add_test(all, the_callers_own_time_is_not_repeated);
	tcase_add_test(all, a_real_clock_stamps_real_time);
	tcase_add_test(all, new_episodes_come_after_the_old_ones);
	tcase_add_test(all, new_episodes_come_after_one_without_duration);
	tcase_add_test(all, episodes_do_not_wait_for_one_another);
	suite_add_tcase(s, all);
	return s;
}
