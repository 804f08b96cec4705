/* From a seccomp profile to a policy, and what of it a policy cannot say. */
#include "sandbox/oci.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "sandbox/policy.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS	  (SANDBOX_SYSCALLS_COUNT + 2)
#define LINES_MAX 32 /* of rules on arguments */
#define SHOWN_MAX 64 /* bytes of a name */

/* Points of a call that nothing here tells apart. */
struct cell {
	unsigned call;
	uint32_t keys;
	int refusal;
	struct sandbox_action action; /* of the profile */
};

struct import {
	struct bytes text;
	const char *name;
	struct oci_profile profile;
	struct sandbox_policy *policy;
	struct cell *cell; /* those of a call are together */
	size_t cell_count;
	unsigned char unclear[CALL_NAMES_MAX]; /* calls that could not be weighed */
	uint32_t refused;		       /* keys whose calls the policy refuses */
	struct sandbox_action before[SANDBOX_SYSCALLS_COUNT]; /* of the default policy */
	sandbox_say say;
	void *ctx;
	struct error *err;
};

/* --- what there is to be told apart ----------------------------------------------------------- */

static bool same_action(struct sandbox_action a, struct sandbox_action b)
{
	return a.kind == b.kind && a.number == b.number;
}

static int add_cell(struct import *m, const struct cell *new)
{
	struct cell *grown;

	for (size_t i = m->cell_count; i-- > 0 && m->cell[i].call == new->call;)
		if (m->cell[i].keys == new->keys &&
		    m->cell[i].refusal ==
			    new->refusal &&same_action(m->cell[i].action, new->action))
			return 0;
	grown = array_grow(m->cell, m->cell_count, sizeof(*grown));
	if (!grown)
		return error_no_memory(m->err);
	m->cell = grown;
	m->cell[m->cell_count++] = *new;
	return 0;
}

static int take_point(void *ctx, const struct oci_point *point)
{
	struct import *m = ctx;

	return add_cell(m, &(struct cell){point->call, point->keys, point->refusal,
					  oci_action_at(&m->profile, point)});
}

/* Of all that the call may come to, the mildest and the strictest. */
static void find_range(const struct oci_profile *p, unsigned call, struct sandbox_action *ret_least,
		       struct sandbox_action *ret_most)
{
	*ret_least = *ret_most = p->otherwise;
	for (unsigned at = p->last_use[call]; at; at = p->use[at - 1].next) {
		struct sandbox_action action = p->rule[p->use[at - 1].rule].action;

		if (oci_is_stricter(action, *ret_most))
			*ret_most = action;
		if (oci_is_stricter(*ret_least, action))
			*ret_least = action;
	}
}

/* As if whatever it is of could be refused and allowed. */
static int take_unclear(struct import *m, unsigned call)
{
	struct sandbox_action range[2];
	int rc = 0;

	m->unclear[call] = 1;
	find_range(&m->profile, call, &range[0], &range[1]);
	for (size_t i = 0; rc == 0 && i < 2; i++)
		rc = add_cell(m, &(struct cell){call, 0, 0, range[i]});
	for (size_t i = 0; rc == 0 && i < call_rule_count; i++) {
		const struct call_rule *rule = &call_rules[i];
		bool is_unix = rule->group == CALL_RULE && rule->when & CALL_UNIX(INSIDE);
		uint32_t key = rule->group == CALL_RULE ? OCI_KEY_UNIX : 1U << rule->group;

		if (rule->number != (int)call || (rule->group == CALL_RULE && !is_unix))
			continue;
		for (size_t k = 0; rc == 0 && k < 2; k++)
			rc = add_cell(m, &(struct cell){call, key, rule->refusal, range[k]});
	}
	return rc;
}

static int look_at_calls(struct import *m)
{
	int rc = 0;

	for (unsigned call = 0; rc == 0 && call < call_name_count; call++) {
		bool all = true;

		if (!call_names[call])
			continue;
		rc = oci_each_point(&m->profile, call, take_point, m, &all);
		if (rc == 0 && !all)
			rc = take_unclear(m, call);
	}
	return rc;
}

/* --- what becomes of the groups --------------------------------------------------------------- */

/* Whether the profile refuses what the policy would not without this key. */
static bool must_refuse(const struct import *m, uint32_t key)
{
	for (size_t i = 0; i < m->cell_count; i++) {
		const struct cell *c = &m->cell[i];

		if (c->keys & key && !(c->keys & m->refused) && oci_refuses(c->action))
			return true;
	}
	return false;
}

/* How many of the group's cells have the same action. */
static size_t votes_for(const struct import *m, uint32_t key, struct sandbox_action action)
{
	size_t votes = 0;

	for (size_t i = 0; i < m->cell_count; i++)
		votes += m->cell[i].keys & key && !m->cell[i].refusal &&
			 same_action(m->cell[i].action, action);
	return votes;
}

/* The strictest one; of several errnos the one that most calls have. What has an errno of its own
 * has that in any case. */
static struct sandbox_action group_action(const struct import *m, int group)
{
	struct sandbox_action best = {SANDBOX_ACTION_ALLOW, 0};
	bool refused = m->refused >> group & 1;
	size_t best_votes = 0;

	for (size_t i = 0; i < m->cell_count; i++) {
		const struct cell *c = &m->cell[i];
		size_t votes;

		if (!(c->keys >> group & 1) || c->refusal || oci_refuses(c->action) != refused ||
		    oci_is_stricter(best, c->action))
			continue;
		votes = votes_for(m, 1U << group, c->action);
		if (!oci_is_stricter(c->action, best) && votes <= best_votes)
			continue;
		best = c->action;
		best_votes = votes;
	}
	/* All that is refused has its own. */
	return refused && !oci_refuses(best) ? m->policy->syscalls[group] : best;
}

/* From the last group on: where a call is of several, the first one, that of processes, is what a
 * program can do without least. */
static void decide_groups(struct import *m)
{
	m->refused = OCI_KEY_NET;
	if (must_refuse(m, OCI_KEY_UNIX)) {
		m->refused |= OCI_KEY_UNIX;
		m->policy->unix_sockets = SANDBOX_UNIX_NONE;
	}
	for (int group = SANDBOX_SYSCALLS_COUNT - 1; group >= 0; group--)
		if (must_refuse(m, 1U << group))
			m->refused |= 1U << group;
	/* It makes sockets past the filter, which the network of the policy does not allow. */
	m->refused |= 1U << SANDBOX_SYSCALLS_IO_URING;
	for (int group = 0; group < SANDBOX_SYSCALLS_COUNT; group++)
		m->policy->syscalls[group] = group_action(m, group);
	/* No call is of this one. libseccomp kills what calls by an ABI that was not named. */
	m->policy->syscalls[SANDBOX_SYSCALLS_FOREIGN_ABI] =
		m->profile.has_foreign ? (struct sandbox_action){SANDBOX_ACTION_ERRNO, ENOSYS}
				       : (struct sandbox_action){SANDBOX_ACTION_KILL, 0};
}

/* What becomes of rules on arguments: those that hold where the policy does otherwise. */
static int mark_rules(void *ctx, const struct oci_point *point)
{
	struct import *m = ctx;
	bool refused = point->keys & m->refused;

	for (unsigned at = m->profile.last_use[point->call]; at; at = m->profile.use[at - 1].next) {
		struct oci_rule *rule = &m->profile.rule[m->profile.use[at - 1].rule];

		if (oci_refuses(rule->action) == refused ||
		    (refused ? rule->allows_more : rule->refuses_more) ||
		    !oci_rule_holds(rule, point->args))
			continue;
		if (refused)
			rule->allows_more = call_names[point->call];
		else
			rule->refuses_more = call_names[point->call];
	}
	return 0;
}

static void mark_unclear(struct import *m, unsigned call)
{
	for (unsigned at = m->profile.last_use[call]; at; at = m->profile.use[at - 1].next) {
		struct oci_rule *rule = &m->profile.rule[m->profile.use[at - 1].rule];

		if (oci_refuses(rule->action))
			rule->refuses_more = call_names[call];
		else
			rule->allows_more = call_names[call];
	}
}

static int look_at_rules(struct import *m)
{
	int rc = 0;

	for (unsigned call = 0; rc == 0 && call < call_name_count; call++) {
		bool all = true;

		if (!call_names[call] || oci_is_decided(&m->profile, call))
			continue;
		rc = oci_each_point(&m->profile, call, mark_rules, m, &all);
		if (!all)
			mark_unclear(m, call);
	}
	return rc;
}

/* --- what is told ----------------------------------------------------------------------------- */

/* "FILE: WHAT: LIST", when there is anything in the list. */
static int tell(const struct import *m, const char *what, const struct buf *list)
{
	cleanup_buf struct buf line = BUF_INIT;

	if (list && list->len == 0)
		return 0;
	if (buf_addf(&line, "%s: %s%s%s", m->name, what, list ? ": " : "", list ? list->data : "") <
	    0)
		return error_no_memory(m->err);
	m->say(m->ctx, line.data);
	return 0;
}

static int add_item(struct buf *list, const char *name, const char *more)
{
	return buf_addf(list, "%s%s%s%s%s", list->len ? ", " : "", name, more ? " (" : "",
			more ? more : "", more ? ")" : "");
}

static int add_quoted(struct buf *list, const char *name)
{
	cleanup_buf struct buf quoted = BUF_INIT;
	size_t len = strlen(name);

	if (text_quote(&quoted, name, len < SHOWN_MAX ? len : SHOWN_MAX) < 0 ||
	    (len > SHOWN_MAX && buf_add_str(&quoted, "...") < 0))
		return ERR_NOMEM;
	return add_item(list, quoted.data ? quoted.data : "''", NULL);
}

static int tell_names(const struct import *m, const char *what, const struct oci_names *names)
{
	cleanup_buf struct buf list = BUF_INIT;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < names->count; i++)
		rc = add_quoted(&list, names->item[i]);
	if (rc == 0 && names->more)
		rc = buf_addf(&list, " and %zu more", names->more);
	return rc < 0 ? error_no_memory(m->err) : tell(m, what, &list);
}

typedef bool cell_fn(const struct import *m, const struct cell *c, int key);

static bool is_refused_more(const struct import *m, const struct cell *c, int key)
{
	(void)m;
	return c->keys >> key & 1 && !oci_refuses(c->action);
}

static bool is_allowed_more(const struct import *m, const struct cell *c, int key)
{
	(void)key;
	return !(c->keys & m->refused) && oci_refuses(c->action);
}

static bool is_not_logged(const struct import *m, const struct cell *c, int key)
{
	(void)key;
	if (c->keys & m->refused || c->action.kind != SANDBOX_ACTION_LOG)
		return false;
	for (int group = 0; group < SANDBOX_SYSCALLS_COUNT; group++)
		if (c->keys >> group & 1 && m->policy->syscalls[group].kind == SANDBOX_ACTION_LOG)
			return false;
	return true;
}

/* Of each call with a cell that is meant its name, and whether all of its cells are. */
static int list_calls(const struct import *m, cell_fn *is_meant, int key, struct buf *list)
{
	int rc = 0;

	for (size_t i = 0, next; rc == 0 && i < m->cell_count; i = next) {
		size_t meant = 0;

		for (next = i; next < m->cell_count && m->cell[next].call == m->cell[i].call;
		     next++)
			meant += is_meant(m, &m->cell[next], key);
		if (meant)
			rc = add_item(list, call_names[m->cell[i].call],
				      meant < next - i ? "some arguments" : NULL);
	}
	return rc;
}

static int tell_calls(const struct import *m, const char *what, cell_fn *is_meant, int key)
{
	cleanup_buf struct buf list = BUF_INIT;

	return list_calls(m, is_meant, key, &list) < 0 ? error_no_memory(m->err)
						       : tell(m, what, &list);
}

static const char *action_name(struct sandbox_action action)
{
	return action.kind == SANDBOX_ACTION_ERRNO ? error_errno_name(action.number)
						   : policy_action_kinds.name[action.kind];
}

/* The key of a group, of the network or of unix sockets. */
static const char *key_name(int key, char *buffer, size_t size)
{
	if (key >= SANDBOX_SYSCALLS_COUNT)
		return 1U << key == OCI_KEY_NET ? "net.mode" : "unix_sockets.mode";
	snprintf(buffer, size, "syscalls.%s", policy_group_name(key));
	return buffer;
}

/* What fails, but in another way. */
static int list_others(const struct import *m, int group, struct buf *list)
{
	unsigned last = CALL_NAMES_MAX;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < m->cell_count; i++) {
		const struct cell *c = &m->cell[i];
		struct sandbox_action own = {SANDBOX_ACTION_ERRNO, c->refusal};

		if (!(c->keys >> group & 1) || !oci_refuses(c->action) || c->call == last ||
		    same_action(c->action, c->refusal ? own : m->policy->syscalls[group]))
			continue;
		last = c->call;
		rc = add_item(list, call_names[c->call], action_name(c->action));
	}
	return rc;
}

static int tell_group(const struct import *m, int key)
{
	cleanup_buf struct buf others = BUF_INIT;
	char name[64], what[160];
	int rc;

	if (!(m->refused >> key & 1))
		return 0;
	snprintf(what, sizeof(what), "%s refuses what the profile allows",
		 key_name(key, name, sizeof(name)));
	rc = tell_calls(m, what, is_refused_more, key);
	if (rc < 0 || key >= SANDBOX_SYSCALLS_COUNT)
		return rc;
	if (list_others(m, key, &others) < 0)
		return error_no_memory(m->err);
	snprintf(what, sizeof(what), "%s is %s, and in the profile fail otherwise", name,
		 action_name(m->policy->syscalls[key]));
	return tell(m, what, &others);
}

/* What the caller may not expect of a profile that is strict otherwise. */
static int tell_allowed(const struct import *m)
{
	cleanup_buf struct buf list = BUF_INIT;
	char name[64];
	int rc = 0;

	for (int group = 0; rc == 0 && group < SANDBOX_SYSCALLS_COUNT; group++)
		if (oci_refuses(m->before[group]) && !oci_refuses(m->policy->syscalls[group]))
			rc = add_item(&list, key_name(group, name, sizeof(name)), NULL);
	if (rc < 0)
		return error_no_memory(m->err);
	return tell(m, "allowed as in the profile, and refused by default", &list);
}

static int tell_rule(const struct import *m, size_t index, const char *call, const char *what)
{
	const struct jsontext_step steps[] = {
		{"linux", 0}, {"seccomp", 0}, {"syscalls", 0}, {NULL, index}};
	size_t skip = m->profile.in_config ? 0 : 2;
	struct error line = {0};

	error_set(&line, ERR_FORMAT, "arguments with which it %s %s are %s here", what, call,
		  *what == 'a' ? "refused" : "allowed");
	if (jsontext_error_at(m->text, m->name, steps + skip, 4 - skip, ERR_FORMAT, &line) ==
	    ERR_NOMEM)
		return error_no_memory(m->err);
	m->say(m->ctx, line.text);
	return 0;
}

static int tell_rules(const struct import *m)
{
	char more[80];
	size_t told = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < m->profile.rule_count; i++) {
		const struct oci_rule *rule = &m->profile.rule[i];

		if (!rule->allows_more && !rule->refuses_more)
			continue;
		if (told++ >= LINES_MAX)
			continue;
		if (rule->allows_more)
			rc = tell_rule(m, rule->index, rule->allows_more, "allows");
		if (rc == 0 && rule->refuses_more)
			rc = tell_rule(m, rule->index, rule->refuses_more, "refuses");
	}
	if (rc < 0 || told <= LINES_MAX)
		return rc;
	snprintf(more, sizeof(more), "%zu more rules on arguments are not kept", told - LINES_MAX);
	return tell(m, more, NULL);
}

static int tell_unclear(const struct import *m)
{
	cleanup_buf struct buf list = BUF_INIT;
	int rc = 0;

	for (unsigned call = 0; rc == 0 && call < call_name_count; call++)
		if (m->unclear[call])
			rc = add_item(&list, call_names[call], NULL);
	if (rc < 0)
		return error_no_memory(m->err);
	return tell(m,
		    "the rules on arguments are too many to be weighed, and the strictest is taken",
		    &list);
}

static const struct {
	unsigned bit;
	const char *text;
} inexact[] = {
	{OCI_INEXACT_FOR_SOME,
	 "what is for some capabilities, machines or kernels is taken as for a "
	 "program without capabilities, this machine and its kernel"},
	{OCI_INEXACT_THREAD, "SCMP_ACT_KILL and SCMP_ACT_KILL_THREAD end a thread; here all of the "
			     "process is killed"},
	{OCI_INEXACT_TRACE, "SCMP_ACT_TRACE cannot be kept: such calls fail with ENOSYS"},
	{OCI_INEXACT_NOTIFY, "SCMP_ACT_NOTIFY cannot be kept: such calls fail with ENOSYS"},
	{OCI_INEXACT_ERRNO, "an errno without a name cannot be kept: such calls fail with EPERM"},
};

static int tell_machines(const struct import *m)
{
	int rc = 0;

	if (m->profile.has_machines && !m->profile.has_this_machine)
		rc = tell(m, "it is for other machines, and is taken for this one all the same",
			  NULL);
	if (rc == 0 && m->profile.has_foreign)
		rc = tell(m,
			  "it has rules for programs of other ABIs (32 bits, x32), which "
			  "syscalls.foreign_abi refuses",
			  NULL);
	return rc;
}

static int tell_all(const struct import *m)
{
	int rc = tell_names(m, "keys that nothing is known of", &m->profile.unknown_keys);

	for (size_t i = 0; rc == 0 && i < sizeof(inexact) / sizeof(inexact[0]); i++)
		if (m->profile.inexact & inexact[i].bit)
			rc = tell(m, inexact[i].text, NULL);
	if (rc == 0)
		rc = tell_machines(m);
	if (rc == 0)
		rc = tell_names(m, "flags that cannot be kept", &m->profile.flags);
	if (rc == 0)
		rc = tell_names(m, "no calls of this machine that are known here",
				&m->profile.unknown_calls);
	if (rc == 0)
		rc = tell_unclear(m);
	for (int key = 0; rc == 0 && key < KEYS; key++)
		rc = tell_group(m, key);
	if (rc == 0)
		rc = tell_rules(m);
	if (rc == 0)
		rc = tell_allowed(m);
	if (rc == 0)
		rc = tell_calls(
			m, "only allowed here, since no group has them, and logged by the profile",
			is_not_logged, 0);
	if (rc == 0)
		rc = tell_calls(m,
				"allowed here, since no group has them, and refused by the profile",
				is_allowed_more, 0);
	return rc;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int import(struct import *m, const json_t *top)
{
	int rc = oci_read(m->text, m->name, top, &m->profile, m->err);

	memcpy(m->before, m->policy->syscalls, sizeof(m->before));
	if (rc == 0)
		rc = look_at_calls(m);
	if (rc < 0)
		return rc;
	decide_groups(m);
	rc = look_at_rules(m);
	return rc == 0 && m->say ? tell_all(m) : rc;
}

int sandbox_policy_import_oci(const char *text, size_t len, const char *name,
			      const struct sandbox_places *places, sandbox_say say, void *say_ctx,
			      struct sandbox_policy **ret, struct error *err)
{
	static const char least[] = "{\"version\": 1}";
	struct import m = {
		.text = {text, len}, .name = name, .say = say, .ctx = say_ctx, .err = err};
	json_t *top = NULL;
	int rc = jsontext_load_file(m.text, name, POLICY_FILE_MAX, &top, err);

	if (rc == 0)
		rc = sandbox_policy_parse(least, strlen(least), name, places, &m.policy, err);
	if (rc == 0)
		rc = import(&m, top);
	oci_clear(&m.profile);
	json_decref(top);
	free(m.cell);
	if (rc == 0)
		*ret = m.policy;
	else
		sandbox_policy_free(m.policy);
	return rc;
}
