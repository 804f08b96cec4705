/*
 * What restricted units are denied, told by the stops of their tracer, which is not ours: it hands
 * on what it gets. Signals and ends tell something of every unit; calls those of a plan that is
 * observed, whose filters stop (observed.h).
 */
#include "sandbox/compiled.h"

#include "base/cleanup.h"
#include "sandbox/observe.h"
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct confine_observer {
	struct observer observer; /* borrows the filter of the plan */
	const struct sandbox_plan *plan;
	/* of the function that is at work */
	const struct denied_ear *ear;
	struct error *err;
	int rc;

	struct sandbox_denial found; /* too big for a stack */
};

static struct confine_observer *units_of(const struct confiner *confiner)
{
	return plan_of_confiner(confiner)->units;
}

/* --- telling -----------------------------------------------------------------------------------
 */

enum {
	LEAST_DIGITS = 9
}; /* of an address in memory, in hexadecimal, but for programs that are
      always at the same one */

/* Addresses are others in each run, and lead to nothing afterwards. */
static void hide_addresses(char *text)
{
	bool quoted = false;
	char *to = text;

	for (const char *from = text; *from;) {
		size_t digits = strncmp(from, "0x", 2) == 0 && !quoted
					? strspn(from + 2, "0123456789abcdef")
					: 0;

		if (digits >= LEAST_DIGITS) {
			to = stpcpy(to, "0x...");
			from += 2 + digits;
			continue;
		}
		if (quoted && *from == '\\' && from[1])
			*to++ = *from++;
		else if (*from == '"')
			quoted = !quoted;
		*to++ = *from++;
	}
	*to = '\0';
}

static bool sends_signal(const char *call)
{
	static const char *const calls[] = {"kill", "tkill", "tgkill"};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(call, calls[i]) == 0)
			return true;
	return false;
}

/* Numbers of processes likewise, but for those that mean many, or the first one. */
static void hide_processes(char *text, size_t size)
{
	char copy[sizeof(((struct sandbox_denial *)NULL)->arguments)];
	const char *from = copy;
	size_t len = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	while (*from == '-' || isdigit((unsigned char)*from)) {
		char *end;
		long number = strtol(from, &end, 10);

		if (end == from || labs(number) <= 1)
			break;
		len += (size_t)snprintf(text + len, size - len, "%sPID%.2s", number < 0 ? "-" : "",
					end);
		from = end + strnlen(end, 2);
	}
	snprintf(text + len, size - len, "%s", from);
}

static struct denied denied_of(struct sandbox_denial *d)
{
	hide_addresses(d->arguments);
	if (d->call && sends_signal(d->call))
		hide_processes(d->arguments, sizeof(d->arguments));
	return (struct denied){
		.text =
			{
				[DENIED_MECHANISM] = sandbox_mechanism_name(d->mechanism),
				[DENIED_EVIDENCE] = sandbox_evidence_name(d->evidence),
				[DENIED_CALL] = d->call ? d->call : "",
				[DENIED_ARGUMENTS] = d->arguments,
				[DENIED_WHAT] = d->what,
				[DENIED_WHY] = d->why,
				[DENIED_OPTION] = d->option,
				[DENIED_POLICY] = d->policy,
			},
		.error = d->error,
		.signal = d->signal,
		.pid = d->pid,
	};
}

static void see(void *ctx, const struct sandbox_observation *seen)
{
	struct confine_observer *u = ctx;
	struct denied denied;
	int rc = sandbox_explain(u->plan, seen, &u->found, u->err);

	if (rc > 0) {
		denied = denied_of(&u->found);
		rc = u->ear->hear(u->ear->ctx, &denied, u->err);
	}
	if (rc < 0)
		u->rc = rc;
}

static struct observer *begin(struct confine_observer *u, const struct denied_ear *ear,
			      struct error *err)
{
	u->ear = ear;
	u->err = err;
	u->rc = 0;
	return &u->observer;
}

/* --- the stops ---------------------------------------------------------------------------------
 */

/* What cannot be refused would be done. */
static void check(pid_t tid, int rc)
{
	if (rc < 0 && rc != -ESRCH)
		kill(tid, SIGKILL);
}

/* As on_seccomp() of observe_linux.c: the policy's word is that of its filter, whichever filter it
 * was that the stop tells of. */
static int call_begins(const struct confiner *confiner, pid_t tid,
		       const struct confined_call *stopped, const struct denied_ear *ear,
		       enum confined_next *ret, struct error *err)
{
	struct confine_observer *u = units_of(confiner);
	struct observer *o = begin(u, ear, err);
	struct observe_call call = {
		.arch = stopped->arch, .number = stopped->number, .filtered = true};
	uint32_t answer;

	memcpy(call.args, stopped->args, sizeof(call.args));
	answer = observe_policy(o, call.arch, call.number, call.args);
	if ((answer & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE) {
		call.error = (int)(answer & OBSERVED_ERRNO);
		observe_tell_call(o, tid, &call);
		check(tid, observed_skip(tid, -call.error));
		*ret = CONFINED_REFUSED;
		return u->rc;
	}
	*ret = observed_find(call.arch, call.number) ? CONFINED_WATCH : CONFINED_GO;
	if (*ret == CONFINED_WATCH && call.number == SYS_clone)
		check(tid, observed_keep_traced(tid));
	return 0;
}

static int call_ends(const struct confiner *confiner, pid_t tid, uint32_t arch, int error,
		     const struct denied_ear *ear, struct error *err)
{
	struct confine_observer *u = units_of(confiner);
	struct observer *o = begin(u, ear, err);
	struct observe_call call = {.arch = arch, .error = error};

	if (observe_may_be_denied(error) && observed_args(tid, &call.number, call.args) == 0)
		observe_tell_call(o, tid, &call);
	return u->rc;
}

static int signalled(const struct confiner *confiner, pid_t tid, int signal,
		     const struct denied_ear *ear, struct error *err)
{
	struct confine_observer *u = units_of(confiner);

	observe_tell_signal(begin(u, ear, err), tid, signal);
	return u->rc;
}

static int exits(const struct confiner *confiner, pid_t tid, int status,
		 const struct denied_ear *ear, struct error *err)
{
	struct confine_observer *u = units_of(confiner);

	observe_tell_exit(begin(u, ear, err), tid, status);
	return u->rc;
}

/* --- the end -----------------------------------------------------------------------------------
 */

static struct timeval time_of(unsigned long ticks)
{
	unsigned long each = (unsigned long)sysconf(_SC_CLK_TCK);

	return (struct timeval){.tv_sec = (time_t)(ticks / each),
				.tv_usec = (suseconds_t)(ticks % each * 1000000 / each)};
}

/* Of its threads only, as the limit of the processor's time counts it. */
static void read_usage(pid_t pid, struct rusage *ret)
{
	char path[64], text[512];
	cleanup_fclose FILE *f = NULL;
	unsigned long user, system;
	const char *after;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f || !fgets(text, sizeof(text), f))
		return;
	after = strrchr(text, ')');
	if (!after || sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			     &user, &system) != 2)
		return;
	ret->ru_utime = time_of(user);
	ret->ru_stime = time_of(system);
}

/* SIGKILL is not delivered in a stop. All other signals were. */
static int ended(const struct confiner *confiner, pid_t pid, int wait_status,
		 const struct denied_ear *ear, struct error *err)
{
	struct confine_observer *u = units_of(confiner);
	struct sandbox_result result = {.end = SANDBOX_END_SIGNAL, .status = SIGKILL};
	const struct sandbox_observation end = {
		.what = SANDBOX_SEEN_END, .pid = pid, .result = &result};

	if (!WIFSIGNALED(wait_status) || WTERMSIG(wait_status) != SIGKILL)
		return 0;
	read_usage(pid, &result.usage);
	begin(u, ear, err);
	see(u, &end);
	return u->rc;
}

/* --- execs -------------------------------------------------------------------------------------
 */

/* By the plan, before the call. Its arguments are of no matter, but for the path. */
int plan_tell_exec(const struct sandbox_plan *plan, pid_t pid, const char *path,
		   const struct denied_ear *ear, struct error *err)
{
	const struct sandbox_observation seen = {
		.what = SANDBOX_SEEN_CALL,
		.pid = pid,
		.arch = call_audit_arch,
		.number = SYS_execve,
		.args = {UINT64_MAX, UINT64_MAX, UINT64_MAX},
		.error = EACCES,
		.path = path,
		.outside = observe_outside(OBSERVED_EXECUTE, 0, path, NULL),
		.there = SANDBOX_OUTSIDE_YES,
		.limit = RLIM_INFINITY,
	};

	begin(plan->units, ear, err);
	see(plan->units, &seen);
	return plan->units->rc;
}

/* --- the plan ----------------------------------------------------------------------------------
 */

int plan_prepare_units(struct sandbox_plan *plan, struct error *err)
{
	const struct filter *filter = &plan->variant[NAMESPACES_NONE]->filter;

	plan->units = calloc(1, sizeof(*plan->units));
	if (!plan->units)
		return error_no_memory(err);
	plan->units->plan = plan;
	plan->units->observer =
		(struct observer){.policys = *filter, .see = see, .ctx = plan->units};
	plan->confiner.signalled = signalled;
	plan->confiner.ended = ended;
	if (observe_has_kills(filter))
		plan->confiner.exits = exits;
	if (plan->observed) {
		plan->confiner.call_begins = call_begins;
		plan->confiner.call_ends = call_ends;
	}
	return 0;
}

void plan_free_units(struct confine_observer *units)
{
	if (!units)
		return;
	observe_free_paths(&units->observer);
	free(units);
}
