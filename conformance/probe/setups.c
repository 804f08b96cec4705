/* The set-ups by their numbers. */
#include "conformance/probe/probe.h"

const struct probe_setup_row probe_setups[SETUPS] = {
#define SETUP(name, prepare, restrict_it) [SETUP_##name] = {prepare, restrict_it},
#include "conformance/probe/setups.def"
#undef SETUP
};
