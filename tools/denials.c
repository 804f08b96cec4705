#include "tools/denials.h"

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/text.h"
#include "sandbox/compiled.h"
#include "tape/names.h"
#include "tools/json.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum text { ARGUMENTS, WHAT, WHY, OPTION, POLICY, PROCESS, TEXTS };

/* Equal ones have the same mechanism, call, error, signal and WHAT. */
struct denial {
	enum sandbox_mechanism mechanism;
	enum sandbox_evidence evidence;
	const char *call;
	int error, signal;
	pid_t pid; /* the first one that it happened to, and its name */
	uint64_t count;
	uint64_t hash;
	char *text[TEXTS];
};

#define SLOTS 2048 /* a power of two, and more than DENIALS_MAX */

/* Big, and most programs are denied nothing: it is made for the first observation. */
struct table {
	struct denial item[DENIALS_MAX];
	uint16_t slot[SLOTS]; /* 1 + the index in `item`, at its hash or behind */
	struct sandbox_denial found;
};

struct denials {
	const struct sandbox_plan *plan;
	bool known;
	struct table *table; /* NULL: there is none yet */
	size_t count;
	uint64_t more;	      /* times of those that are not kept */
	struct error failure; /* the first one */
};

struct denials *denials_new(const struct sandbox_plan *plan)
{
	struct denials *d = calloc(1, sizeof(*d));

	if (d)
		d->plan = plan;
	return d;
}

static void clear(struct denial *denial)
{
	for (int i = 0; i < TEXTS; i++)
		free(denial->text[i]);
}

void denials_free(struct denials *d)
{
	for (size_t i = 0; d && i < d->count; i++)
		clear(&d->table->item[i]);
	if (d)
		free(d->table);
	free(d);
}

void denials_set_known(struct denials *d)
{
	d->known = true;
}

int denials_failure(const struct denials *d, struct error *err)
{
	if (d->failure.code && err)
		*err = d->failure;
	return d->failure.code;
}

static void fail(struct denials *d, const struct error *err)
{
	if (!d->failure.code)
		d->failure = *err;
}

/* --- collecting ------------------------------------------------------------------------------- */

static bool is_same(const struct denial *a, const struct sandbox_denial *b)
{
	return a->mechanism == b->mechanism && a->error == b->error && a->signal == b->signal &&
	       (a->call && b->call ? strcmp(a->call, b->call) == 0 : a->call == b->call) &&
	       strcmp(a->text[WHAT], b->what) == 0;
}

static uint64_t hash_of(const struct sandbox_denial *denial)
{
	const struct {
		uint64_t what, call;
		int mechanism, error, signal, none;
	} key = {
		hash64(denial->what, strlen(denial->what)),
		denial->call ? hash64(denial->call, strlen(denial->call)) : 0,
		denial->mechanism,
		denial->error,
		denial->signal,
		0,
	};

	return hash64(&key, sizeof(key));
}

/* The slot where it is, or would be. */
static uint16_t *find_slot(struct table *table, const struct sandbox_denial *denial, uint64_t hash)
{
	size_t at = hash % SLOTS;

	while (table->slot[at] > 0) {
		const struct denial *there = &table->item[table->slot[at] - 1];

		if (there->hash == hash && is_same(there, denial))
			break;
		at = (at + 1) % SLOTS;
	}
	return &table->slot[at];
}

/* As a process names itself, which may be anything. "" when it has gone. */
static char *process_name(pid_t pid)
{
	cleanup_buf struct buf quoted = BUF_INIT;
	cleanup_close int fd = -1;
	char path[40], name[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, name, sizeof(name)) : 0;
	if (n > 0 && name[n - 1] == '\n')
		n--;
	if (n <= 0)
		return strdup("");
	return text_quote(&quoted, name, (size_t)n) < 0 ? NULL : buf_steal(&quoted);
}

static bool copy(struct denial *to, const struct sandbox_denial *from)
{
	*to = (struct denial){
		.mechanism = from->mechanism,
		.evidence = from->evidence,
		.call = from->call,
		.error = from->error,
		.signal = from->signal,
		.pid = from->pid,
		.count = 1,
		.text = {[ARGUMENTS] = strdup(from->arguments),
			 [WHAT] = strdup(from->what),
			 [WHY] = strdup(from->why),
			 [OPTION] = strdup(from->option),
			 [POLICY] = strdup(from->policy),
			 [PROCESS] = process_name(from->pid)},
	};
	for (int i = 0; i < TEXTS; i++)
		if (!to->text[i])
			return false;
	return true;
}

static bool add_new(struct denials *d, const struct sandbox_denial *denial, uint64_t hash,
		    uint16_t *slot)
{
	struct denial *new = &d->table->item[d->count];

	if (!copy(new, denial)) {
		clear(new);
		return false;
	}
	new->hash = hash;
	*slot = (uint16_t)++d->count;
	return true;
}

/* false: out of memory. */
static bool add(struct denials *d, const struct sandbox_denial *denial)
{
	uint64_t hash = hash_of(denial);
	uint16_t *slot = find_slot(d->table, denial, hash);

	if (*slot > 0)
		d->table->item[*slot - 1].count++;
	else if (d->count == DENIALS_MAX)
		d->more++;
	else
		return add_new(d, denial, hash, slot);
	return true;
}

/* The end by a signal that was delivered where somebody looked: it was told then, or was no denial.
 * SIGKILL is delivered to nobody. */
static bool was_looked_at(const struct denials *d, const struct sandbox_observation *seen)
{
	return d->known && seen->what == SANDBOX_SEEN_END &&
	       seen->result->end == SANDBOX_END_SIGNAL && seen->result->status != SIGKILL;
}

static int see(struct denials *d, const struct sandbox_observation *seen, struct error *err)
{
	struct sandbox_denial *found;
	int rc;

	if (was_looked_at(d, seen))
		return 0;
	if (!d->table && !(d->table = calloc(1, sizeof(*d->table))))
		return error_no_memory(err);
	found = &d->table->found;
	rc = sandbox_explain(d->plan, seen, found, err);
	if (rc <= 0)
		return rc;
	return add(d, found) ? 0 : error_no_memory(err);
}

void denials_see(void *denials, const struct sandbox_observation *seen)
{
	struct error err = {0};

	if (see(denials, seen, &err) < 0)
		fail(denials, &err);
}

/* --- to a human ------------------------------------------------------------------------------- */

static const char *errno_name(const struct denial *n, char number[24])
{
	const char *name = error_errno_name(n->error);

	if (!name)
		snprintf(number, 24, "error %d", n->error);
	return name ? name : number;
}

static const char *name_of_signal(const struct denial *n, char name[SIGNAL_NAME_SIZE])
{
	if (!signal_name(n->signal, name))
		snprintf(name, SIGNAL_NAME_SIZE, "signal %d", n->signal);
	return name;
}

/* "openat(AT_FDCWD, "f", O_RDONLY) of /srv/f: EACCES" */
static int add_what(const struct denial *n, struct buf *out)
{
	const char *what = n->text[WHAT];
	bool hidden = *what && !(n->call && strstr(n->text[ARGUMENTS], what));
	char number[24], signal[SIGNAL_NAME_SIZE];
	int rc = 0;

	if (n->call)
		rc = buf_addf(out, "%s(%s)", n->call, n->text[ARGUMENTS]);
	if (rc == 0 && hidden)
		rc = buf_addf(out, "%s%s", n->call ? " of " : "", what);
	if (rc == 0 && n->error)
		rc = buf_addf(out, ": %s", errno_name(n, number));
	if (rc == 0 && n->signal)
		rc = buf_addf(out, "%s%s",
			      n->error		  ? ", "
			      : n->call || hidden ? ": "
						  : "",
			      name_of_signal(n, signal));
	return rc;
}

static int add_who(const struct denial *n, struct buf *out)
{
	int rc = n->count > 1 ? buf_addf(out, ", %llu times", (unsigned long long)n->count) : 0;

	if (rc == 0 && n->pid > 0)
		rc = buf_addf(out, ", in process %d", (int)n->pid);
	if (rc == 0 && n->pid > 0 && *n->text[PROCESS])
		rc = buf_addf(out, " (%s)", n->text[PROCESS]);
	return rc;
}

static int add_way_out(const struct denial *n, struct buf *out)
{
	const char *option = n->text[OPTION], *policy = n->text[POLICY];

	if (!*option && !*policy)
		return buf_add_str(out, "        nothing that a policy can say allows it\n");
	return buf_addf(out, "        to allow it: %s%s%s\n", option,
			*option && *policy ? ", or "
			: *policy	   ? "in a policy "
					   : "",
			policy);
}

static int describe(const struct denial *n, struct buf *out)
{
	int rc = buf_add_str(out, "    ");

	if (rc == 0)
		rc = add_what(n, out);
	if (rc == 0)
		rc = add_who(n, out);
	if (rc == 0)
		rc = buf_addf(out, "\n        by %s (%s): %s\n",
			      sandbox_mechanism_name(n->mechanism),
			      sandbox_evidence_name(n->evidence), n->text[WHY]);
	return rc < 0 ? rc : add_way_out(n, out);
}

/* Calls of other ABIs, which nobody looks at, are let go on. */
static bool lets_foreign(const struct sandbox_policy *policy)
{
	const enum sandbox_action_kind kind = policy->syscalls[SANDBOX_SYSCALLS_FOREIGN_ABI].kind;

	return kind == SANDBOX_ACTION_ALLOW || kind == SANDBOX_ACTION_LOG ||
	       policy->strictness[SANDBOX_MECH_SECCOMP] == SANDBOX_STRICT_OFF;
}

int denials_print(const struct denials *d, struct error *err)
{
	if (lets_foreign(d->plan->policy))
		fprintf(stderr, "sandtape: what 32-bit programs are denied is not seen\n");
	if (d->count == 0) {
		fprintf(stderr, "sandtape: the sandbox denied nothing%s\n",
			lets_foreign(d->plan->policy) ? " else" : "");
		return 0;
	}
	fprintf(stderr, "sandtape: %zu denial%s:\n", d->count, d->count == 1 ? "" : "s");
	for (size_t i = 0; i < d->count; i++) {
		cleanup_buf struct buf text = BUF_INIT;

		if (describe(&d->table->item[i], &text) < 0)
			return error_no_memory(err);
		fputs(text.data, stderr);
	}
	if (d->more > 0)
		fprintf(stderr, "    and %llu more, each unlike the %d above\n",
			(unsigned long long)d->more, DENIALS_MAX);
	return 0;
}

/* --- in the report ---------------------------------------------------------------------------- */

/* null for what there is none of. */
static json_t *text_or_null(const char *text)
{
	return text && *text ? json_of_text(text) : json_null();
}

static json_t *policy_or_null(const char *text)
{
	json_t *policy = *text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;

	return policy ? policy : json_null();
}

static json_t *to_json(const struct denial *n)
{
	char number[24], signal[SIGNAL_NAME_SIZE];

	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:i, s:o}",
			 "mechanism", sandbox_mechanism_name(n->mechanism), "evidence",
			 sandbox_evidence_name(n->evidence), "call", text_or_null(n->call),
			 "arguments", n->call ? json_of_text(n->text[ARGUMENTS]) : json_null(),
			 "what", text_or_null(n->text[WHAT]), "errno",
			 text_or_null(n->error ? errno_name(n, number) : NULL), "signal",
			 text_or_null(n->signal ? name_of_signal(n, signal) : NULL), "why",
			 json_of_text(n->text[WHY]), "option", text_or_null(n->text[OPTION]),
			 "policy", policy_or_null(n->text[POLICY]), "count", (json_int_t)n->count,
			 "pid", (int)n->pid, "process", text_or_null(n->text[PROCESS]));
}

int denials_report(const struct denials *d, json_t *report)
{
	const bool known = d->known && !lets_foreign(d->plan->policy);
	json_t *list = json_array();

	for (size_t i = 0; i < d->count; i++)
		if (json_array_append_new(list, to_json(&d->table->item[i])) < 0) {
			json_decref(list);
			return ERR_NOMEM;
		}
	if (json_object_set_new(report, "denials", list) < 0 ||
	    json_object_set_new(report, "denials_more", json_integer((json_int_t)d->more)) < 0 ||
	    json_object_set_new(report, "denials_known", json_boolean(known)) < 0)
		return ERR_NOMEM;
	return 0;
}
