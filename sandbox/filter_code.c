#include "sandbox/filter_code.h"

#include "sandbox/kernel_calls_linux.h"
#include <linux/seccomp.h>

/* A jump has 255 at most; two copies may come between. */
#define REACH 253U

static unsigned emit(struct code *c, struct sock_filter op)
{
	if (c->len == BPF_MAXINSNS) {
		c->full = true;
		return c->len - 1;
	}
	c->op[c->len] = op;
	return c->len++;
}

static bool can_reach(const struct code *c, unsigned target)
{
	return c->len - target <= REACH;
}

static unsigned emit_return(struct code *c, uint32_t action)
{
	return emit(c, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static struct code_return *find_return(struct code *c, uint32_t action)
{
	for (unsigned i = 0; i < c->return_count; i++)
		if (c->returns[i].action == action)
			return &c->returns[i];
	return NULL;
}

unsigned code_return(struct code *c, uint32_t action)
{
	struct code_return *known = find_return(c, action);
	unsigned at;

	if (known)
		return known->first;
	at = emit_return(c, action);
	if (c->return_count < CODE_RETURNS)
		c->returns[c->return_count++] = (struct code_return){action, at, at};
	return at;
}

/* A copy of a return is as good as the first, and costs a call nothing. */
static unsigned reach_return(struct code *c, unsigned target)
{
	struct code_return *known = find_return(c, c->op[target].k);

	if (!known)
		return emit_return(c, c->op[target].k);
	if (!can_reach(c, known->newest))
		known->newest = emit_return(c, known->action);
	return known->newest;
}

/* Where the next jump has to go to in order to get to `target`. */
static unsigned reach(struct code *c, unsigned target)
{
	if (can_reach(c, target))
		return target;
	if (c->op[target].code == (BPF_RET | BPF_K))
		return reach_return(c, target);
	return emit(c, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, c->len - target - 1));
}

static unsigned emit_jump(struct code *c, unsigned op, uint32_t k, unsigned yes, unsigned no)
{
	yes = reach(c, yes);
	no = reach(c, no);
	return emit(c, (struct sock_filter)BPF_JUMP((unsigned short)(BPF_JMP | op | BPF_K), k,
						    (unsigned char)(c->len - yes - 1),
						    (unsigned char)(c->len - no - 1)));
}

static unsigned emit_load(struct code *c, unsigned offset)
{
	return emit(c, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

/* Both machines that are thought of have the low half first. */
#define LOW_HALF(arg) ((unsigned)(offsetof(struct seccomp_data, args) + (arg) * sizeof(__u64)))

static unsigned code_test(struct code *c, const struct call_test *test, unsigned yes, unsigned no)
{
	bool is_value = test->match == CALL_MATCH_IN || test->match == CALL_MATCH_NOT_IN;
	bool is_not = test->match == CALL_MATCH_NOT_IN || test->match == CALL_MATCH_NO_BITS;
	unsigned then = is_not ? no : yes, otherwise = is_not ? yes : no;

	if (is_value) {
		if (test->value[1] != test->value[0])
			otherwise = emit_jump(c, BPF_JEQ, test->value[1], then, otherwise);
		emit_jump(c, BPF_JEQ, test->value[0], then, otherwise);
		if (test->mask != UINT32_MAX)
			emit(c,
			     (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, test->mask));
	} else {
		emit_jump(c, BPF_JSET, test->mask, then, otherwise);
	}
	return emit_load(c, LOW_HALF(test->arg));
}

unsigned code_rule(struct code *c, const struct call_rule *rule, unsigned yes, unsigned no)
{
	size_t count = 0;

	while (count < CALL_TESTS && rule->tests[count].match != CALL_MATCH_NONE)
		count++;
	while (count > 0)
		yes = code_test(c, &rule->tests[--count], yes, no);
	return yes;
}

/* --- the search ------------------------------------------------------------------------------- */

/* How many numbers that kernels have are below `number`; a span behind them counts as one. */
static uint32_t calls_below(const struct code_span *spans, size_t i)
{
	return spans[i].first < KERNEL_CALLS_END ? spans[i].first : KERNEL_CALLS_END + (uint32_t)i;
}

/* Where both sides have about as many calls: when a filter is installed, the kernel tries it for
 * each number, so what counts is the sum over all of them. */
static size_t middle(const struct code_span *spans, size_t from, size_t to)
{
	uint32_t all = calls_below(spans, from) + calls_below(spans, to);
	size_t mid = from + 1;

	while (mid + 1 < to && calls_below(spans, mid) + calls_below(spans, mid + 1) <= all)
		mid++;
	return mid;
}

/* One number between others that all go to the same place. */
static bool is_single(const struct code_span *spans, size_t from, size_t to)
{
	return to - from == 3 && spans[from].at == spans[from + 2].at &&
	       spans[from + 1].first + 1 == spans[from + 2].first;
}

/* From `from` up to, and without, `to`. The depth is that of a balanced tree. */
static unsigned search(struct code *c, const struct code_span *spans, size_t from, size_t to)
{
	unsigned low, high;
	size_t mid;

	if (to - from == 1)
		return spans[from].at;
	if (is_single(spans, from, to))
		return emit_jump(c, BPF_JEQ, spans[from + 1].first, spans[from + 1].at,
				 spans[from].at);
	mid = middle(spans, from, to);
	high = search(c, spans, mid, to);
	low = search(c, spans, from, mid);
	return emit_jump(c, BPF_JGE, spans[mid].first, high, low);
}

unsigned code_search(struct code *c, const struct code_span *spans, size_t count)
{
	return search(c, spans, 0, count);
}

void code_begin(struct code *c, unsigned search, unsigned foreign)
{
	unsigned native;

	/* Without a jump of its own, the search would have to follow right here. */
	if (search != c->len - 1)
		emit(c, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, c->len - search - 1));
	native = emit_load(c, offsetof(struct seccomp_data, nr));
	emit_jump(c, BPF_JEQ, call_audit_arch, native, foreign);
	emit_load(c, offsetof(struct seccomp_data, arch));
}

void code_finish(struct code *c)
{
	for (unsigned i = 0; i < c->len / 2; i++) {
		struct sock_filter op = c->op[i];

		c->op[i] = c->op[c->len - 1 - i];
		c->op[c->len - 1 - i] = op;
	}
}
