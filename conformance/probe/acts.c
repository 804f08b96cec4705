/* The acts by their numbers. */
#include "conformance/probe/probe.h"

const probe_act_fn probe_acts[ACTS] = {
#define ACT(name, effect) [ACT_##name] = act_##name,
#include "conformance/probe/acts.def"
#undef ACT
};
