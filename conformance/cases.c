/* The cases, and what is known of one without running it. */
#include "conformance/conformance.h"

#include "sandbox/kernel_linux.h"
#include <linux/audit.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define BIT(mechanism) (1U << SANDBOX_MECH_##mechanism)
#define CAP(name)      (UINT64_C(1) << CAP_##name)

/* A byte for each. */
#define CASE(...) 0,
enum {
	CASES = sizeof((const char[]){
#include "conformance/cases.def"
	})
};
#undef CASE

const size_t conf_case_count = CASES;

#define CASE(name, mech, action, ...)                                                              \
	*to++ = (struct conf_case){                                                                \
		.id = name, .mechanism = SANDBOX_MECH_##mech, .act = ACT_##action, __VA_ARGS__};

/* A row names what it has, and the rest is nothing. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static void make_cases(struct conf_case *to)
{
#include "conformance/cases.def"
}
#pragma GCC diagnostic pop

const struct conf_case *conf_cases(void)
{
	static struct conf_case cases[CASES];

	if (!cases[0].id)
		make_cases(cases);
	return cases;
}

const char *conf_layer_name(enum conf_layer layer)
{
	static const char *const names[] = {"raw", "policy", "launcher"};

	return names[layer];
}

bool conf_case_has(const struct conf_case *c, enum conf_layer layer)
{
	return conf_case_expected(c, layer) != NULL;
}

/* A foreign sandbox may deny as it likes; what it lets pass is the same for all. */
const char *conf_case_expected(const struct conf_case *c, enum conf_layer layer)
{
	if (layer == CONF_RAW)
		return c->raw.expected;
	return c->policy.expected;
}

bool conf_layer_mounts(enum conf_layer layer, int abi)
{
	return layer == CONF_POLICY && abi > 0 && abi < 3;
}

const char *conf_case_expected_there(const struct conf_case *c, enum conf_layer layer, int abi,
				     char ret[CONF_EXPECTED_SIZE])
{
	const char *expected = layer == CONF_LAUNCHER ? "" : conf_case_expected(c, layer);
	const bool mounts = conf_layer_mounts(layer, abi) &&
			    conf_expects_word(expected, "EACCES") &&
			    c->mechanism != SANDBOX_MECH_LANDLOCK_NET;

	snprintf(ret, CONF_EXPECTED_SIZE, "%s%s", expected, mounts ? "|" CONF_MOUNTS_SAY : "");
	return ret;
}

unsigned conf_case_held(const struct conf_case *c, enum conf_layer layer)
{
	if (layer == CONF_POLICY && c->policy.held)
		return c->policy.held;
	return 1U << c->mechanism;
}

enum probe_effect conf_act_effect(enum probe_act act)
{
	static const enum probe_effect effects[] = {
#define ACT(name, effect) [ACT_##name] = (effect),
#include "conformance/probe/acts.def"
#undef ACT
	};

	return effects[act];
}

bool conf_expects_word(const char *expected, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = expected; *at;) {
		size_t size = strcspn(at, "|");

		if (size == len && memcmp(at, word, len) == 0)
			return true;
		at += size + (at[size] == '|');
	}
	return false;
}

bool conf_expects(const char *expected, int error, int signal)
{
	const char *name = error ? error_errno_name(error) : NULL;
	const char *abbreviated = error || !signal ? NULL : sigabbrev_np(signal);
	char text[32];

	if (abbreviated) {
		snprintf(text, sizeof(text), "SIG%s", abbreviated);
		name = text;
	}
	return name && conf_expects_word(expected, name);
}
