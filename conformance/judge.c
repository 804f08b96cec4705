/* Verdicts, from what was seen. */
#include "conformance/conformance.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What a verdict does to the suite: nothing, fails it (1), or says that it is broken itself (2). */
static const struct {
	const char *name;
	int status;
} verdicts[CONF_VERDICTS] = {
	[CONF_CONFORMS] = {"conforms", 0},	     [CONF_ESCAPED] = {"escaped", 1},
	[CONF_MISCLASSIFIED] = {"misclassified", 1}, [CONF_OVERREFUSED] = {"overrefused", 1},
	[CONF_CONTRADICTION] = {"contradiction", 1}, [CONF_NOT_MEASURED] = {"not_measured", 0},
	[CONF_NOT_ENFORCED] = {"not_enforced", 0},   [CONF_NOT_APPLICABLE] = {"not_applicable", 0},
	[CONF_PROBE_BROKEN] = {"probe_broken", 2},
};

const char *conf_verdict_name(enum conf_verdict verdict)
{
	return verdicts[verdict].name;
}

enum conf_verdict conf_verdict_number(const char *name)
{
	for (int i = 0; i < CONF_VERDICTS; i++)
		if (strcmp(verdicts[i].name, name) == 0)
			return (enum conf_verdict)i;
	return CONF_VERDICTS;
}

int conf_verdict_status(enum conf_verdict verdict)
{
	return verdicts[verdict].status;
}

/* --- one run -----------------------------------------------------------------------------------
 */

enum outcome { OUTCOME_DONE, OUTCOME_DENIED, OUTCOME_UNPREPARED, OUTCOME_REFUSED, OUTCOME_BROKEN };

static enum outcome outcome_of(const struct conf_seen *s)
{
	if (s->refused)
		return OUTCOME_REFUSED;
	if (!s->nonce || s->disagrees || s->state == PROBE_ABSENT || s->state == PROBE_BEGAN)
		return OUTCOME_BROKEN;
	if (s->state == PROBE_SET_UP_FAILED)
		return OUTCOME_UNPREPARED;
	/* An act that was ended by a signal has no result; one that hangs has none either. */
	if (s->signal)
		return OUTCOME_DENIED;
	if (s->timed_out || s->state == PROBE_ACTING)
		return OUTCOME_BROKEN;
	return s->error ? OUTCOME_DENIED : OUTCOME_DONE;
}

const char *conf_seen_text(const struct conf_seen *s, char *ret, size_t size)
{
	const char *error = s->error ? error_errno_name(s->error) : NULL;
	const char *name = s->signal ? sigabbrev_np(s->signal) : NULL;

	if (!s->ran)
		snprintf(ret, size, "not run");
	else if (s->refused)
		snprintf(ret, size, "no sandbox");
	else if (!s->nonce)
		snprintf(ret, size, "no probe");
	else if (s->disagrees)
		snprintf(ret, size, "its lines say something else than its file");
	else if (s->state == PROBE_SET_UP_FAILED)
		snprintf(ret, size, "%s: %s", s->stage, error ? error : "failed");
	else if (name)
		snprintf(ret, size, "SIG%s", name);
	else if (s->signal)
		snprintf(ret, size, "signal %d", s->signal);
	else if (s->timed_out || s->state != PROBE_DONE)
		snprintf(ret, size, "hung");
	else if (s->error)
		snprintf(ret, size, "%s", error ? error : "an unknown errno");
	else
		snprintf(ret, size, "done");
	return ret;
}

/* --- all runs ----------------------------------------------------------------------------------
 */

struct judging {
	const struct conf_case *c;
	enum conf_layer layer;
	const struct conf_seen *seen;
	bool has_effect; /* the act leaves something behind that can be found */
	bool mounts;	 /* conf_layer_mounts() */
	const char *expected;
	char *why;
};

__attribute__((format(printf, 3, 4))) static enum conf_verdict
say(const struct judging *j, enum conf_verdict verdict, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(j->why, CONF_WHY_SIZE, format, args);
	va_end(args);
	return verdict;
}

/* CONF_CONFORMS: go on. */
static enum conf_verdict judge_control(const struct judging *j)
{
	const struct conf_seen *s = &j->seen[CONF_CONTROL];
	enum outcome outcome = outcome_of(s);
	char text[64];

	if (outcome == OUTCOME_BROKEN)
		return say(j, CONF_PROBE_BROKEN, "the probe alone: %s",
			   conf_seen_text(s, text, sizeof(text)));
	if (outcome != OUTCOME_DONE)
		return say(j, CONF_NOT_MEASURED, "without a sandbox it fails, too: %s",
			   conf_seen_text(s, text, sizeof(text)));
	if (j->has_effect && !s->effect)
		return say(j, CONF_NOT_MEASURED,
			   "without a sandbox it succeeds and leaves nothing behind");
	return CONF_CONFORMS;
}

/* What keeps a sandbox from being made is no answer of the act. */
static enum conf_verdict judge_set_up(const struct judging *j, const struct conf_seen *s,
				      const char *which)
{
	char text[64];

	switch (outcome_of(s)) {
	case OUTCOME_REFUSED:
		return say(j, CONF_NOT_ENFORCED, "%s", s->why);
	case OUTCOME_BROKEN:
		return say(j, CONF_PROBE_BROKEN, "%s: %s", which,
			   s->nonce || !s->why[0] ? conf_seen_text(s, text, sizeof(text)) : s->why);
	case OUTCOME_UNPREPARED:
		return say(j, j->layer == CONF_RAW ? CONF_NOT_ENFORCED : CONF_NOT_MEASURED,
			   "%s: %s", which, conf_seen_text(s, text, sizeof(text)));
	default:
		return CONF_CONFORMS;
	}
}

/* What mounts refuse that are read-only, or are others where it is granted to write. */
static bool is_of_mounts(const struct judging *j, const struct conf_seen *s)
{
	return j->mounts && conf_expects(CONF_MOUNTS_SAY, s->error, s->signal);
}

static enum conf_verdict judge_allowed(const struct judging *j)
{
	const struct conf_seen *s = &j->seen[CONF_ALLOWED];
	enum conf_verdict verdict;
	char text[64];

	if (!s->ran)
		return CONF_CONFORMS;
	verdict = judge_set_up(j, s, "where it is granted");
	if (verdict != CONF_CONFORMS)
		return verdict;
	if (outcome_of(s) == OUTCOME_DENIED && is_of_mounts(j, s))
		return say(j, CONF_NOT_MEASURED,
			   "where it is granted it fails by the mounts that this kernel needs: %s",
			   conf_seen_text(s, text, sizeof(text)));
	if (outcome_of(s) == OUTCOME_DENIED)
		return say(j, CONF_OVERREFUSED, "where it is granted it fails: %s",
			   conf_seen_text(s, text, sizeof(text)));
	if (j->has_effect && !s->effect)
		return say(j, CONF_CONTRADICTION,
			   "where it is granted it succeeds and leaves nothing behind");
	return CONF_CONFORMS;
}

/* It says that it has succeeded. Most acts are not to; of some the kernel says nothing else. In a
 * foreign sandbox it may have succeeded on what is the sandbox's own: a network, a copy of files.
 */
static enum conf_verdict judge_done(const struct judging *j, const struct conf_seen *s)
{
	const char *expected = j->expected;
	const bool silent = j->has_effect && !s->effect;

	if (silent && (j->layer == CONF_LAUNCHER || conf_expects_word(expected, "silent")))
		return CONF_CONFORMS;
	if (silent)
		return say(j, CONF_CONTRADICTION,
			   "it says that it has succeeded, and left nothing behind");
	if (conf_expects_word(expected, "done"))
		return CONF_CONFORMS;
	return say(j, CONF_ESCAPED, "%s", j->c->why);
}

static enum conf_verdict judge_denied(const struct judging *j)
{
	const struct conf_seen *s = &j->seen[CONF_DENIED];
	enum conf_verdict verdict = judge_set_up(j, s, "where it is denied");
	const char *expected = j->expected;
	char text[64];

	if (verdict != CONF_CONFORMS)
		return verdict;
	if (outcome_of(s) == OUTCOME_DONE)
		return judge_done(j, s);
	conf_seen_text(s, text, sizeof(text));
	if (s->effect)
		return say(j, CONF_CONTRADICTION, "it was told %s, and yet it was done", text);
	if (conf_expects_word(expected, "done"))
		return say(j, CONF_OVERREFUSED, "it is not to be denied: %s", text);
	if (j->layer != CONF_LAUNCHER && !conf_expects(expected, s->error, s->signal))
		return say(j, CONF_MISCLASSIFIED, "it was told %s instead of %s", text, expected);
	return CONF_CONFORMS;
}

/* The denial must vanish with the mechanism that is said to be its cause. */
static enum conf_verdict judge_ablated(const struct judging *j)
{
	const struct conf_seen *s = &j->seen[CONF_ABLATED];
	enum conf_verdict verdict;
	char text[64];

	if (!s->ran)
		return CONF_CONFORMS;
	if (outcome_of(s) == OUTCOME_REFUSED)
		return say(j, CONF_NOT_MEASURED, "without its mechanism there is no sandbox: %s",
			   s->why);
	verdict = judge_set_up(j, s, "without its mechanism");
	if (verdict != CONF_CONFORMS)
		return verdict;
	if (outcome_of(s) == OUTCOME_DENIED)
		return say(j, CONF_MISCLASSIFIED, "it is denied without its mechanism, too: %s",
			   conf_seen_text(s, text, sizeof(text)));
	return CONF_CONFORMS;
}

enum conf_verdict conf_judge(const struct conf_case *c, enum conf_layer layer, int abi,
			     const struct conf_seen seen[CONF_RUNS], char ret_why[CONF_WHY_SIZE])
{
	char expected[CONF_EXPECTED_SIZE];
	const struct judging j = {.c = c,
				  .layer = layer,
				  .seen = seen,
				  .has_effect = conf_act_effect(c->act) != EFFECT_NONE,
				  .mounts = conf_layer_mounts(layer, abi),
				  .expected = conf_case_expected_there(c, layer, abi, expected),
				  .why = ret_why};
	enum conf_verdict (*const steps[])(const struct judging *) = {judge_control, judge_allowed,
								      judge_denied, judge_ablated};
	enum conf_verdict verdict = CONF_CONFORMS;

	ret_why[0] = '\0';
	for (size_t i = 0; verdict == CONF_CONFORMS && i < sizeof(steps) / sizeof(steps[0]); i++)
		verdict = steps[i](&j);
	return verdict;
}
