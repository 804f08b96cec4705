#include "base/bpf_test.h"

#include "tools/tests.h"
#include <stdbool.h>
#include <string.h>

static uint32_t load(const struct seccomp_data *call, uint32_t at)
{
	uint32_t word;

	/* Not asserted, since each assertion that holds takes its time, too. */
	if (at > sizeof(*call) - sizeof(word) || at % sizeof(word) != 0)
		ck_abort_msg("a load at %u", at);
	memcpy(&word, (const char *)call + at, sizeof(word));
	return word;
}

static bool jumps(const struct sock_filter *i, uint32_t a)
{
	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		return a == i->k;
	case BPF_JGT:
		return a > i->k;
	case BPF_JGE:
		return a >= i->k;
	case BPF_JSET:
		return (a & i->k) != 0;
	default:
		ck_abort_msg("jump %#x", i->code);
		return false;
	}
}

uint32_t bpf_run(const struct sock_filter *code, unsigned len, const struct seccomp_data *call,
		 unsigned *ret_steps)
{
	uint32_t a = 0;

	for (unsigned at = 0, steps = 1; at < len; at++, steps++) {
		const struct sock_filter *i = &code[at];

		if (ret_steps)
			*ret_steps = steps;
		if (i->code == (BPF_LD | BPF_W | BPF_ABS)) {
			a = load(call, i->k);
		} else if (i->code == (BPF_ALU | BPF_AND | BPF_K)) {
			a &= i->k;
		} else if (i->code == (BPF_JMP | BPF_JA)) {
			at += i->k;
		} else if (BPF_CLASS(i->code) == BPF_JMP) {
			at += jumps(i, a) ? i->jt : i->jf;
		} else {
			if (i->code != (BPF_RET | BPF_K))
				ck_abort_msg("instruction %#x", i->code);
			return i->k;
		}
	}
	ck_abort_msg("the program has no end");
	return 0;
}
