#include "tape/taped_test.h"

#include "tools/tests.h"
#include <string.h>

struct tape *open_with(const struct tape_config *config)
{
	struct tape *t = NULL;
	struct error err = {0};

	ck_assert_msg(tape_open(config, &t, &err) == 0, "%s", err.text);
	return t;
}

struct tape *open_as(enum tape_mode mode)
{
	return open_with(&(struct tape_config){.tape = TAPE, .mode = mode});
}

void close_it(struct tape *t)
{
	struct error err = {0};

	ck_assert_msg(tape_close(t, &err) == 0, "%s", err.text);
	tape_free(t);
}

struct tape_result run(struct tape *t, const struct tape_command *command)
{
	struct tape_result result;
	struct error err = {0};

	ck_assert_msg(tape_run(t, command, &result, &err) == 0, "%s", err.text);
	return result;
}

struct tape_child *spawn(struct tape *t, const struct tape_command *command)
{
	struct tape_child *child = NULL;
	struct error err = {0};

	ck_assert_msg(tape_spawn(t, command, &child, &err) == 0, "%s", err.text);
	return child;
}

void expect_out(struct tape *t, const char *script, const char *wanted)
{
	struct tape_result result = run(t, &(struct tape_command){.argv = SH(script)});

	ck_assert_str_eq(result.out, wanted);
	ck_assert_int_eq(result.replayed, !tape_is_recording(t));
	tape_result_clear(&result);
}

void expect_divergence(struct tape *t, const struct tape_command *command,
		       enum tape_divergence_kind kind)
{
	size_t before = tape_divergence_count(t);
	struct tape_child *child = NULL;
	const struct tape_divergence *d;
	struct error err = {0};

	ck_assert_int_eq(tape_spawn(t, command, &child, &err), ERR_DIVERGED);
	ck_assert_ptr_null(child);
	ck_assert_uint_eq(tape_divergence_count(t), before + 1);
	d = tape_last_divergence(t);
	ck_assert_ptr_eq(d, tape_divergence_at(t, before));
	ck_assert_int_eq(tape_divergence_kind(d), kind);
	ck_assert_ptr_nonnull(strstr(err.text, tape_divergence_command(d)));
}
