/* Filters that let an observer look at calls. */
#include "sandbox/observed.h"

#include "sandbox/filter_code.h"
#include "sandbox/kernel_calls_linux.h"
#include <linux/seccomp.h>
#include <string.h>

static uint32_t action_of(const struct observed_call *call)
{
	return call->refusal ? SECCOMP_RET_ERRNO | (uint32_t)call->refusal
			     : SECCOMP_RET_TRACE | OBSERVED_COOKIE;
}

static unsigned emit_call(struct code *c, uint32_t number)
{
	unsigned at = code_return(c, SECCOMP_RET_ALLOW);

	for (size_t i = observed_call_count; i-- > 0;) {
		const struct observed_call *call = &observed_calls[i];
		struct call_rule rule = {.number = call->number};

		if ((uint32_t)call->number != number)
			continue;
		for (size_t t = 0; t < CALL_TESTS; t++)
			rule.tests[t] = call->tests[t];
		at = code_rule(c, &rule, code_return(c, action_of(call)), at);
	}
	return at;
}

struct build {
	struct code code;
	struct code_span spans[CODE_SPANS + 1];
};

static void compose(struct build *b)
{
	unsigned allow = code_return(&b->code, SECCOMP_RET_ALLOW);
	size_t count = 0;

	for (uint32_t number = 0; number < KERNEL_CALLS_END; number++) {
		unsigned at = emit_call(&b->code, number);

		if (count == 0 || b->spans[count - 1].at != at)
			b->spans[count++] = (struct code_span){number, at};
	}
	b->spans[count++] = (struct code_span){KERNEL_CALLS_END, allow};
	b->spans[count] = (struct code_span){UINT32_MAX, allow};
	code_begin(&b->code, code_search(&b->code, b->spans, count), allow);
	code_finish(&b->code);
}

int observed_filter_new(struct filter *ret, struct error *err)
{
	struct build b;
	int rc = code_new(&b.code, err);

	if (rc < 0)
		return rc;
	compose(&b);
	return code_take(&b.code, "the filter of observed calls", ret, err);
}

void observed_hand_over(struct filter *policys)
{
	for (unsigned i = 0; i < policys->len; i++) {
		struct sock_filter *op = &policys->code[i];

		if (op->code == (BPF_RET | BPF_K) &&
		    (op->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
			op->k = SECCOMP_RET_TRACE | OBSERVED_COOKIE |
				(op->k & SECCOMP_RET_DATA & OBSERVED_ERRNO);
	}
}

static uint32_t load(const struct seccomp_data *call, uint32_t offset)
{
	uint32_t word = 0;

	if (offset <= sizeof(*call) - sizeof(word))
		memcpy(&word, (const char *)call + offset, sizeof(word));
	return word;
}

static bool jumps(const struct sock_filter *op, uint32_t value)
{
	switch (op->code) {
	case BPF_JMP | BPF_JEQ | BPF_K:
		return value == op->k;
	case BPF_JMP | BPF_JGE | BPF_K:
		return value >= op->k;
	default: /* BPF_JSET */
		return value & op->k;
	}
}

/* An end that is missing kills, as does what is no instruction. */
uint32_t observed_run(const struct filter *f, const struct seccomp_data *call)
{
	uint32_t value = 0;

	if (f->len == 0)
		return SECCOMP_RET_ALLOW;
	for (unsigned at = 0; at < f->len; at++) {
		const struct sock_filter *op = &f->code[at];

		if (op->code == (BPF_RET | BPF_K))
			return op->k;
		if (op->code == (BPF_LD | BPF_W | BPF_ABS))
			value = load(call, op->k);
		else if (op->code == (BPF_ALU | BPF_AND | BPF_K))
			value &= op->k;
		else if (op->code == (BPF_JMP | BPF_JA))
			at += op->k;
		else
			at += jumps(op, value) ? op->jt : op->jf;
	}
	return SECCOMP_RET_KILL_PROCESS;
}
