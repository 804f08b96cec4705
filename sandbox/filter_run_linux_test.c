#include "sandbox/filter_run_test.h"

#include "base/bpf_test.h"
#include "sandbox/calls.h"
#include "sandbox/kernel_calls_linux.h"
#include "tools/tests.h"
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(void *ctx, const char *text)
{
	struct filter_fixture *f = ctx;

	snprintf(f->told, sizeof(f->told), "%s", text);
}

void filter_setup(struct filter_fixture *f, enum sandbox_level level)
{
	memset(f, 0, sizeof(*f));
	ck_assert_int_eq(sandbox_policy_new(level, NULL, &f->policy, NULL), 0);
}

int filter_try_prepare(struct filter_fixture *f)
{
	struct judge judge = {f->policy, &f->layers, say, f, &f->err};

	filter_free(&f->filter);
	memset(&f->layers, 0, sizeof(f->layers));
	return filter_prepare(&judge, &f->needs, &f->filter);
}

void filter_teardown(struct filter_fixture *f)
{
	filter_free(&f->filter);
	sandbox_policy_free(f->policy);
}

void filter_set_group(struct filter_fixture *f, int group, enum sandbox_action_kind kind,
		      int number)
{
	ck_assert_int_eq(sandbox_policy_set_syscalls(f->policy, group,
						     (struct sandbox_action){kind, number}, NULL),
			 0);
}

void filter_set_all_groups(struct filter_fixture *f, enum sandbox_action_kind kind, int number)
{
	for (int i = 0; i < SANDBOX_SYSCALLS_COUNT; i++)
		filter_set_group(f, i, kind, number);
}

void filter_set_net(struct filter_fixture *f, enum sandbox_net net)
{
	ck_assert_int_eq(sandbox_policy_set_net(f->policy, net, NULL), 0);
}

void filter_set_unix(struct filter_fixture *f, enum sandbox_unix mode)
{
	ck_assert_int_eq(sandbox_policy_set_unix(f->policy, mode, NULL), 0);
}

struct sandbox_layer *filter_layer(struct filter_fixture *f)
{
	return &f->layers.layer[SANDBOX_MECH_SECCOMP];
}

/* --- the kernel's part ------------------------------------------------------------------------ */

uint32_t filter_run(const struct filter *p, const struct seccomp_data *call, unsigned *ret_steps)
{
	return bpf_run(p->code, p->len, call, ret_steps);
}

void filter_assert_is_sound(const struct filter *p)
{
	ck_assert_uint_gt(p->len, 0);
	ck_assert_uint_le(p->len, BPF_MAXINSNS);
	ck_assert_uint_eq(p->code[p->len - 1].code, BPF_RET | BPF_K);
	for (unsigned at = 0; at < p->len; at++) {
		const struct sock_filter *i = &p->code[at];
		unsigned far = i->jt > i->jf ? i->jt : i->jf;

		if (BPF_CLASS(i->code) == BPF_JMP)
			ck_assert_uint_lt(at + 1 + (i->code == (BPF_JMP | BPF_JA) ? i->k : far),
					  p->len);
	}
}

uint32_t filter_answer(const struct filter *p, uint32_t arch, uint32_t number,
		       const uint64_t args[6])
{
	struct seccomp_data call = {.arch = arch, .nr = (int)number};
	unsigned steps;

	memcpy(call.args, args, sizeof(call.args));
	return filter_run(p, &call, &steps);
}

/* --- what the table says, read another way ---------------------------------------------------- */

static bool test_holds(const struct call_test *test, const uint64_t args[6])
{
	unsigned shift = test->arg & CALL_HIGH ? 32 : 0;
	uint32_t value = (uint32_t)(args[test->arg % CALL_HIGH] >> shift) & test->mask;
	bool is_in = value == test->value[0] || value == test->value[1];

	switch (test->match) {
	case CALL_MATCH_IN:
		return is_in;
	case CALL_MATCH_NOT_IN:
		return !is_in;
	case CALL_MATCH_BITS:
		return value != 0;
	case CALL_MATCH_NO_BITS:
		return value == 0;
	default:
		return true;
	}
}

static bool rule_holds(const struct call_rule *rule, const uint64_t args[6])
{
	for (int i = 0; i < CALL_TESTS; i++)
		if (!test_holds(&rule->tests[i], args))
			return false;
	return true;
}

uint32_t filter_action_of(const struct sandbox_policy *policy, int group, int refusal)
{
	const struct sandbox_action *action = &policy->syscalls[group];

	if (action->kind == SANDBOX_ACTION_ALLOW)
		return ALLOWED;
	if (action->kind == SANDBOX_ACTION_LOG)
		return SECCOMP_RET_LOG;
	if (refusal)
		return FAILS((uint32_t)refusal);
	if (action->kind == SANDBOX_ACTION_KILL)
		return SECCOMP_RET_KILL_PROCESS;
	if (action->kind == SANDBOX_ACTION_TRAP)
		return SECCOMP_RET_TRAP | (uint32_t)(group + 1);
	return FAILS((uint32_t)action->number);
}

/* As the kernel takes the stronger of the answers of two filters. */
static uint32_t stronger(uint32_t a, uint32_t b)
{
	int32_t x = (int32_t)(a & SECCOMP_RET_ACTION_FULL);
	int32_t y = (int32_t)(b & SECCOMP_RET_ACTION_FULL);

	return y < x ? b : a;
}

uint32_t filter_wanted(const struct sandbox_policy *policy, uint32_t number, const uint64_t args[6])
{
	uint32_t action = number >= KERNEL_CALLS_END ? FAILS(ENOSYS) : ALLOWED;
	unsigned modes = 1U << policy->net | 0x100U << policy->unix_sockets;

	if (policy->net == SANDBOX_NET_TCP && !policy->ports[SANDBOX_PORT_BIND].count)
		modes |= CALL_UNBOUND;
	for (size_t i = 0; i < call_rule_count; i++) {
		const struct call_rule *rule = &call_rules[i];

		if ((uint32_t)rule->number == number && rule->group == CALL_RULE &&
		    (rule->when & modes) && rule_holds(rule, args))
			return rule->refusal ? FAILS((uint32_t)rule->refusal) : ALLOWED;
	}
	for (size_t i = 0; i < call_rule_count; i++) {
		const struct call_rule *rule = &call_rules[i];

		if ((uint32_t)rule->number == number && rule->group != CALL_RULE &&
		    rule_holds(rule, args))
			action = stronger(action,
					  filter_action_of(policy, rule->group, rule->refusal));
	}
	return action;
}

/* --- children under a filter ------------------------------------------------------------------ */

const uid_t filter_users[FILTER_USERS] = {0, 65534};

void filter_become(uid_t uid)
{
	if (uid == 0 || geteuid() != 0)
		return;
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		_exit(99);
}

static void run_child(struct filter_outcome *shared, const struct filter *filter, uid_t uid,
		      filter_act act, const void *arg)
{
	filter_become(uid);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		_exit(98);
	if (filter)
		shared->applied = filter_apply(filter);
	if (shared->applied == 0) {
		shared->result = act(arg);
		shared->done = true;
	}
	_exit(0);
}

static void *map_shared(size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(map, MAP_FAILED);
	return map;
}

struct filter_outcome filter_in_child(const struct filter *filter, uid_t uid, filter_act act,
				      const void *arg)
{
	struct filter_outcome got, *shared = map_shared(sizeof(*shared));
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		run_child(shared, filter, uid, act, arg);
	ck_assert_int_eq(waitpid(pid, &shared->status, 0), pid);
	got = *shared;
	munmap(shared, sizeof(*shared));
	ck_assert_int_eq(got.applied, 0);
	return got;
}

long filter_result(const struct filter *filter, uid_t uid, filter_act act, const void *arg)
{
	struct filter_outcome got = filter_in_child(filter, uid, act, arg);

	ck_assert_msg(got.done, "ended with status %#x", got.status);
	return got.result;
}

long filter_make_call(const void *arg)
{
	const struct filter_call *call = arg;
	const unsigned long *a = call->args;
	long got = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);

	return got < 0 ? -errno : got;
}

struct batch {
	const struct filter_call *calls;
	size_t count;
	long *results; /* shared with the parent */
};

static long make_batch(const void *arg)
{
	const struct batch *batch = arg;

	for (size_t i = 0; i < batch->count; i++)
		batch->results[i] = filter_make_call(&batch->calls[i]);
	return 0;
}

long *filter_results(const struct filter *filter, uid_t uid, const struct filter_call *calls,
		     size_t count)
{
	size_t size = count * sizeof(long);
	struct batch batch = {calls, count, map_shared(size)};
	long *copy = malloc(size);

	ck_assert_ptr_nonnull(copy);
	filter_result(filter, uid, make_batch, &batch);
	memcpy(copy, batch.results, size);
	munmap(batch.results, size);
	return copy;
}

void filter_prepare_well(struct filter_fixture *f)
{
	ck_assert_msg(filter_try_prepare(f) == 0, "%s", f->err.text);
}

void filter_setup_rare(struct filter_fixture *f)
{
	filter_setup(f, SANDBOX_LEVEL_NETWORK);
	filter_set_all_groups(f, SANDBOX_ACTION_ERRNO, RARE);
	filter_prepare_well(f);
}
