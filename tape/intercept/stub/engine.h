/* What carries out an answer, in the stub as in the shim. */
#ifndef SANDTAPE_TAPE_INTERCEPT_STUB_ENGINE_H
#define SANDTAPE_TAPE_INTERCEPT_STUB_ENGINE_H

#include "tape/intercept/stub/answer.h"

/* The system call itself: its result, or -errno. */
long stub_call(long number, long a, long b, long c, long d, long e, long f);

/* Carries out room->answer, and whatever the player puts there when it is asked. */
_Noreturn void stub_play(struct stub_room *room);

/* Of the program around it: asks the player (enum stub_ask), and returns its reply. */
long stub_ask(enum stub_ask ask, unsigned long address, unsigned long len);

/* Of the program around it: whether the signal may have come before this program could block it,
 * and have had no effect. */
int stub_may_have_missed(int signal);

/* Of the program around it: this is a child of the stub, which goes on by itself. */
void stub_forked(void);

/* Stops this process by the signal, until somebody sends SIGCONT; leaves it unblocked. */
void stub_stop(int signal);

/* Ends this process by the signal; without a core unless keep_core. */
_Noreturn void stub_die(int signal, int keep_core);

#endif
