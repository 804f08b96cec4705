/* What becomes of the promises of a policy, layer by layer. */
#include "sandbox/layers.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const state_names[SANDBOX_STATES] = {
	[SANDBOX_STATE_UNUSED] = "unused",	     [SANDBOX_STATE_OFF] = "off",
	[SANDBOX_STATE_UNAVAILABLE] = "unavailable", [SANDBOX_STATE_PARTIAL] = "partial",
	[SANDBOX_STATE_ENFORCED] = "enforced",
};

const char *sandbox_state_name(enum sandbox_state state)
{
	return (unsigned)state < SANDBOX_STATES ? state_names[state] : NULL;
}

const char *sandbox_mechanism_name(enum sandbox_mechanism mechanism)
{
	for (size_t i = 0; i < policy_key_count; i++) {
		const struct policy_key *key = &policy_keys[i];

		if (key->names == &policy_strictnesses &&
		    key->offset == offsetof(struct sandbox_policy, strictness[mechanism]))
			return key->name;
	}
	return NULL;
}

enum sandbox_strictness judge_strictness(const struct judge *judge, enum sandbox_mechanism which)
{
	return (enum sandbox_strictness)judge->policy->strictness[which];
}

static void add_phrase(struct sandbox_layer *layer, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* Phrases add up, and what does not fit is cut. */
static void add_phrase(struct sandbox_layer *layer, const char *format, va_list args)
{
	size_t len = strlen(layer->why);

	if (len > 0 && len + 2 < sizeof(layer->why)) {
		memcpy(layer->why + len, "; ", 3);
		len += 2;
	}
	vsnprintf(layer->why + len, sizeof(layer->why) - len, format, args);
}

bool judge_is_off(const struct judge *judge, enum sandbox_mechanism which)
{
	if (judge_strictness(judge, which) != SANDBOX_STRICT_OFF)
		return false;
	judge->layers->layer[which] = (struct sandbox_layer){
		.state = SANDBOX_STATE_OFF, .why = "the policy's strictness switches it off"};
	return true;
}

void judge_enforced(const struct judge *judge, enum sandbox_mechanism which, const char *how, ...)
{
	struct sandbox_layer *layer = &judge->layers->layer[which];
	va_list args;

	if (layer->state == SANDBOX_STATE_UNUSED)
		layer->state = SANDBOX_STATE_ENFORCED;
	va_start(args, how);
	add_phrase(layer, how, args);
	va_end(args);
}

/* The worse state stays; none of what adds up here is "unused" or "off". */
static void worsen(struct sandbox_layer *layer, enum sandbox_state state)
{
	if (layer->state == SANDBOX_STATE_UNUSED || layer->state > state)
		layer->state = state;
}

void judge_partial(const struct judge *judge, enum sandbox_mechanism which, const char *why, ...)
{
	struct sandbox_layer *layer = &judge->layers->layer[which];
	va_list args;

	worsen(layer, SANDBOX_STATE_PARTIAL);
	va_start(args, why);
	add_phrase(layer, why, args);
	va_end(args);
}

int judge_missing(const struct judge *judge, enum sandbox_mechanism which, enum sandbox_state state,
		  const char *why, ...)
{
	struct sandbox_layer *layer = &judge->layers->layer[which];
	const char *name = sandbox_mechanism_name(which);
	char phrase[sizeof(layer->why)];
	struct error told;
	va_list args;

	va_start(args, why);
	vsnprintf(phrase, sizeof(phrase), why, args);
	va_end(args);
	va_start(args, why);
	worsen(layer, state);
	add_phrase(layer, why, args);
	va_end(args);
	switch (judge_strictness(judge, which)) {
	case SANDBOX_STRICT_ENFORCE:
		return error_set(judge->err, ERR_UNSUPPORTED,
				 "%s: %s; strictness.%s = \"warn\" goes on without it", name,
				 phrase, name);
	case SANDBOX_STRICT_WARN:
		error_set(&told, ERR_UNSUPPORTED, "%s: %s", name, phrase);
		if (judge->say)
			judge->say(judge->say_ctx, told.text);
		return 0;
	default:
		return 0;
	}
}
