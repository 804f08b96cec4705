/* Acts on processes outside. */
#include "conformance/probe/probe.h"

#include <signal.h>

long act_signal_victim(struct probe *p)
{
	return CALL2(SYS_kill, p->victim, SIGUSR1);
}
