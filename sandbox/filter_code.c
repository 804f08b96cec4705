#include "sandbox/filter_code.h"

#include "sandbox/kernel_calls_linux.h"
#include <linux/seccomp.h>
#include <stdlib.h>

/* A jump has 255 at most; two copies may come between. */
#define REACH 253U

int code_new(struct code *ret, struct error *err)
{
	*ret = (struct code){.op = malloc(BPF_MAXINSNS * sizeof(*ret->op))};
	return ret->op ? 0 : error_no_memory(err);
}

int code_take(struct code *c, const char *what, struct filter *ret, struct error *err)
{
	struct sock_filter *op = c->op, *shrunk;

	c->op = NULL;
	if (c->full) {
		free(op);
		return error_set(err, ERR_LIMIT, "%s gets too long", what);
	}
	shrunk = realloc(op, c->len * sizeof(*op));
	*ret = (struct filter){shrunk ? shrunk : op, (unsigned short)c->len};
	return 0;
}

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
static unsigned half_of(unsigned arg)
{
	size_t at = offsetof(struct seccomp_data, args) + (arg & ~CALL_HIGH) * sizeof(__u64);

	return (unsigned)(arg & CALL_HIGH ? at + sizeof(__u32) : at);
}

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
	return emit_load(c, half_of(test->arg));
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

/*
 * Installing a filter takes the kernel, besides what any filter takes, some 0.3 us for each of its
 * instructions, and some 3.5 ns for each one that a call passes, since it tries the filter for each
 * number there is. So the code is to be short first, and then the way of most calls through it.
 *
 * Spans are put into groups: single numbers among others that all go to the same place are compared
 * one after the other, an instruction for each. The groups are the leaves of a tree.
 */
#define SINGLES 4U

struct groups {
	const struct code_span *spans;
	unsigned short first[CODE_SPANS + 1]; /* the span that a group begins with */
	size_t count;
};

static bool is_single(const struct code_span *span)
{
	return span[0].first + 1 == span[1].first;
}

/* How many spans from the first one on are a group; `left` are there. */
static size_t group_len(const struct code_span *span, size_t left)
{
	size_t len = 1;

	while (len + 2 <= left && len < 2 * SINGLES && is_single(&span[len]) &&
	       span[len + 1].at == span[0].at)
		len += 2;
	return len;
}

static void make_groups(struct groups *groups, const struct code_span *spans, size_t count)
{
	groups->spans = spans;
	groups->count = 0;
	for (size_t i = 0; i < count; i += group_len(&spans[i], count - i))
		groups->first[groups->count++] = (unsigned short)i;
	groups->first[groups->count] = (unsigned short)count;
}

static unsigned emit_group(struct code *c, const struct code_span *span, size_t len)
{
	unsigned at = span[0].at;

	for (size_t i = len; i > 1; i -= 2)
		at = emit_jump(c, BPF_JEQ, span[i - 2].first, span[i - 2].at, at);
	return at;
}

/* How many numbers that kernels have are below a group; one behind them counts as a number. */
static uint32_t calls_below(const struct groups *groups, size_t i)
{
	uint32_t first = groups->spans[groups->first[i]].first;

	return first < KERNEL_CALLS_END ? first : KERNEL_CALLS_END + (uint32_t)i;
}

/* Where both sides have about as many calls. */
static size_t middle(const struct groups *groups, size_t from, size_t to)
{
	uint32_t all = calls_below(groups, from) + calls_below(groups, to);
	size_t mid = from + 1;

	while (mid + 1 < to && calls_below(groups, mid) + calls_below(groups, mid + 1) <= all)
		mid++;
	return mid;
}

/* From `from` up to, and without, `to`. The depth is that of a balanced tree. */
static unsigned search(struct code *c, const struct groups *groups, size_t from, size_t to)
{
	const struct code_span *span = &groups->spans[groups->first[from]];
	unsigned low, high;
	size_t mid;

	if (to - from == 1)
		return emit_group(c, span, groups->first[to] - groups->first[from]);
	mid = middle(groups, from, to);
	high = search(c, groups, mid, to);
	low = search(c, groups, from, mid);
	return emit_jump(c, BPF_JGE, groups->spans[groups->first[mid]].first, high, low);
}

unsigned code_search(struct code *c, const struct code_span *spans, size_t count)
{
	struct groups groups = {.count = 0};

	make_groups(&groups, spans, count);
	return search(c, &groups, 0, groups.count);
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
