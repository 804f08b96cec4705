#include "tape/notice.h"

#include <errno.h>
#include <signal.h>

/* Who has reaped its child is about to do what it does upon that; and who has not, but computes
 * for so long, does not mean to. What counts is what it has computed: a busy machine may not have
 * let it run at all. */
#define REAPED_NS	  UINT64_C(1000000)
#define REAPED_ANYHOW_NS  UINT64_C(3000000) /* from when it was told */
#define UNREAPED_NS	  UINT64_C(50000000)
/* It may be stopped. */
#define PATIENCE_NS	  UINT64_C(1000000000)
/* When that was in vain so often, one as this is taken to go on like this. */
#define IN_VAIN_MAX	  3
#define UNREAPED_SHORT_NS UINT64_C(2000000)
#define PATIENCE_SHORT_NS UINT64_C(10000000)

/* Where it only seems to rest, it must for so long. */
#define REST_NS UINT64_C(300000)

/* For so long it is taken to go on reaping as it does. */
#define ASK_NS UINT64_C(100000000)

/* A look takes time that the parent may need itself. */
#define LOOK_NS UINT64_C(30000)

static struct notice *find(struct notices *notices, pid_t parent)
{
	for (unsigned i = 0; i < NOTICES_MAX; i++) {
		if (notices->of[i].parent == parent)
			return &notices->of[i];
	}
	return NULL;
}

static struct notice *find_oldest(struct notices *notices)
{
	struct notice *oldest = &notices->of[0];

	for (unsigned i = 1; i < NOTICES_MAX; i++) {
		if (notices->of[i].told_ns < oldest->told_ns)
			oldest = &notices->of[i];
	}
	return oldest;
}

void notice_begin(struct notices *notices, pid_t parent, pid_t of, uint64_t now_ns)
{
	struct notice *n = find(notices, parent);

	if (parent == 0)
		return;
	if (!n) {
		n = find_oldest(notices);
		*n = (struct notice){.parent = parent};
	}
	n->of = of;
	n->told_ns = now_ns;
	n->computed_ns = intercept_cpu_ns(parent);
	n->reaped_ns = 0;
	n->rests_ns = 0;
	n->next_look_ns = 0;
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
static bool is_past(struct notice *n, bool is_reaped, uint64_t now_ns, bool *ret_in_vain)
{
	bool short_ones = n->in_vain >= IN_VAIN_MAX;
	uint64_t now_computed_ns = intercept_cpu_ns(n->parent);
	uint64_t unreaped_ns = short_ones ? UNREAPED_SHORT_NS : UNREAPED_NS;
	uint64_t computed_ns = now_computed_ns - n->computed_ns;

	if (now_computed_ns == UINT64_MAX || n->computed_ns == UINT64_MAX)
		return true; /* it is gone */
	if (is_reaped && n->reaped_ns == 0)
		n->reaped_ns = now_computed_ns;
	if (is_reaped &&
	    (computed_ns >= REAPED_ANYHOW_NS || now_computed_ns - n->reaped_ns >= REAPED_NS))
		return true;
	*ret_in_vain = (!is_reaped && computed_ns >= unreaped_ns) ||
		       now_ns - n->told_ns >= (short_ones ? PATIENCE_SHORT_NS : PATIENCE_NS);
	return *ret_in_vain;
}

/* It is not asked for each end: it may take longer than what the end itself costs. */
static bool reaps_any(struct notice *n, uint64_t now_ns)
{
	if (n->asked_ns == 0 || now_ns - n->asked_ns > ASK_NS) {
		n->reaps_any = intercept_reaps_any(n->parent);
		n->asked_ns = now_ns;
	}
	return n->reaps_any;
}

static bool is_taken(struct notice *n, struct interceptor *interceptor, uint64_t now_ns)
{
	bool in_vain = false;

	if (!reaps_any(n, now_ns))
		return true;
	if (is_past(n, kill(n->of, 0) < 0 && errno == ESRCH, now_ns, &in_vain)) {
		n->in_vain = in_vain ? n->in_vain + 1 : 0;
		return true;
	}
	if (!rests(n, interceptor, now_ns))
		return false;
	n->in_vain = 0;
	return true;
}

bool notice_is_taken(struct notices *notices, pid_t parent, struct interceptor *interceptor,
		     uint64_t now_ns)
{
	struct notice *n = find(notices, parent);

	if (!n || n->of == 0)
		return true;
	if (now_ns < n->next_look_ns)
		return false;
	n->next_look_ns = now_ns + LOOK_NS;
	if (!is_taken(n, interceptor, now_ns))
		return false;
	n->of = 0;
	return true;
}
