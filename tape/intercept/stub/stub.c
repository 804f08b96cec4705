/*
 * The stub: stands in for a recorded command. The kernel executes it with the argv, environment,
 * descriptors, process group and pid that the command would have had; before its first instruction
 * the player writes the answer into it (answer.h). Freestanding: no libc, no start-up work.
 */
#include "tape/intercept/stub/engine.h"

_Noreturn void stub_main(void);

struct stub_room stub_room __attribute__((section(".answer,\"aw\",@nobits#")));

/* Stops at the tracer. */
long stub_ask(enum stub_ask ask, unsigned long address, unsigned long len)
{
	return stub_call(HYPER_CALL, ask, (long)address, (long)len, 0, 0, 0);
}

/* Signals to what has not executed yet are held back, and the tracer blocks them before the first
 * instruction. */
int stub_may_have_missed(int signal)
{
	(void)signal;
	return 0;
}

/* The tracer has it already. */
void stub_forked(void)
{
}

_Noreturn void stub_main(void)
{
	stub_play(&stub_room);
}
