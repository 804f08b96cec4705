#include "tape/notice.h"

#include <unistd.h>

/* Who has reaped its child is about to do what it does upon that; and who has not, but computes
 * for so long, does not mean to. What counts is what it has computed: a busy machine may not have
 * let it run at all. */
#define REAPED_NS	  UINT64_C(500000)
#define UNREAPED_NS	  UINT64_C(50000000)
/* It may be stopped. */
#define PATIENCE_NS	  UINT64_C(1000000000)
/* When that was in vain so often, one as this is taken to go on like this. */
#define IN_VAIN_MAX	  3
#define UNREAPED_SHORT_NS UINT64_C(2000000)
#define PATIENCE_SHORT_NS UINT64_C(10000000)

/* Where it only seems to rest, it must for so long. */
#define REST_NS UINT64_C(300000)

/* A look takes time that the parent may need itself. */
#define LOOK_NS UINT64_C(30000)

void notice_begin(struct notice *n, pid_t of, uint64_t now_ns)
{
	pid_t parent;

	intercept_state_of(of, &parent);
	*n = (struct notice){.of = of, .parent = parent, .told_ns = now_ns, .in_vain = n->in_vain};
	if (parent <= 1 || parent == getpid()) /* an orphan */
		n->of = 0;
	else
		n->computed_ns = intercept_cpu_ns(parent);
}

static bool rests(struct notice *n, struct interceptor *interceptor, uint64_t now_ns)
{
	switch (intercept_rest_of(interceptor, n->parent)) {
	case SUBJECT_RESTS:
		return true;
	case SUBJECT_SEEMS_TO_REST:
		if (n->rests_ns == 0)
			n->rests_ns = now_ns;
		return now_ns - n->rests_ns >= REST_NS;
	default:
		n->rests_ns = 0;
		return false;
	}
}

/* Whether it has had its time. *ret_in_vain: and nothing came of it. */
static bool is_past(const struct notice *n, bool is_reaped, uint64_t now_ns, bool *ret_in_vain)
{
	bool short_ones = n->in_vain >= IN_VAIN_MAX;
	uint64_t computed_ns = intercept_cpu_ns(n->parent);
	uint64_t unreaped_ns = short_ones ? UNREAPED_SHORT_NS : UNREAPED_NS;

	if (computed_ns == UINT64_MAX || n->computed_ns == UINT64_MAX)
		return true;
	if (is_reaped && computed_ns - n->computed_ns >= REAPED_NS)
		return true;
	*ret_in_vain = computed_ns - n->computed_ns >= unreaped_ns ||
		       now_ns - n->told_ns >= (short_ones ? PATIENCE_SHORT_NS : PATIENCE_NS);
	return *ret_in_vain;
}

static bool is_taken(struct notice *n, struct interceptor *interceptor, uint64_t now_ns)
{
	bool in_vain = false;
	pid_t parent;
	char state = intercept_state_of(n->of, &parent);
	bool is_over = state == 'X' || state == 'Z'; /* without ptrace it may take a while to end */

	if (is_past(n, state == 'X', now_ns, &in_vain)) {
		n->in_vain = in_vain ? n->in_vain + 1 : 0;
		return true;
	}
	if (!is_over || !rests(n, interceptor, now_ns))
		return false;
	n->in_vain = 0;
	return true;
}

bool notice_is_taken(struct notice *n, struct interceptor *interceptor, uint64_t now_ns)
{
	if (n->of == 0)
		return true;
	if (now_ns < n->next_look_ns)
		return false;
	n->next_look_ns = now_ns + LOOK_NS;
	if (!is_taken(n, interceptor, now_ns))
		return false;
	n->of = 0;
	return true;
}
