/* Denials by limits, by signals that the kernel sends, and by the end of a program. */
#include "sandbox/denial_parts.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* --- which limits the sandbox has set -----------------------------------------------------------
 */

static const struct {
	enum sandbox_limit limit;
	int resource;
	uint64_t unit;
	const char *name, *resource_name;
} limits[] = {
	{SANDBOX_LIMIT_MEMORY_MB, RLIMIT_DATA, 1 << 20, "limits.memory_mb", "RLIMIT_DATA"},
	{SANDBOX_LIMIT_CPU_S, RLIMIT_CPU, 1, "limits.cpu_s", "RLIMIT_CPU"},
	{SANDBOX_LIMIT_PROCESSES, RLIMIT_NPROC, 1, "limits.processes", "RLIMIT_NPROC"},
	{SANDBOX_LIMIT_FILES, RLIMIT_NOFILE, 1, "limits.files", "RLIMIT_NOFILE"},
	{SANDBOX_LIMIT_FILE_MB, RLIMIT_FSIZE, 1 << 20, "limits.file_mb", "RLIMIT_FSIZE"},
	{SANDBOX_LIMIT_CORE_MB, RLIMIT_CORE, 1 << 20, "limits.core_mb", "RLIMIT_CORE"},
};

#define LIMITS (sizeof(limits) / sizeof(limits[0]))

static size_t row_of(enum sandbox_limit limit)
{
	size_t i = 0;

	while (i + 1 < LIMITS && limits[i].limit != limit)
		i++;
	return i;
}

/* The soft limit that a process of the sandbox begins with; false: the sandbox sets none, or the
 * caller's own was lower. */
static bool is_set(const struct explained *e, enum sandbox_limit limit, uint64_t *ret)
{
	const struct rlimits *rlimits = &e->variant->rlimits;
	size_t row = row_of(limit);
	uint64_t asked = e->plan->policy->limits[limit];

	for (size_t i = 0; i < rlimits->count; i++) {
		if (rlimits->item[i].resource != limits[row].resource)
			continue;
		*ret = rlimits->item[i].limit.rlim_cur;
		return *ret >= asked * limits[row].unit;
	}
	return false;
}

/* Twice as much, and as much as is needed. */
static void raise_limit(struct explained *e, enum sandbox_limit limit, uint64_t needed)
{
	uint64_t value = e->plan->policy->limits[limit], most = policy_limit_max(limit);

	if (value == SANDBOX_NO_LIMIT || value > most / 2 || needed > most)
		value = SANDBOX_NO_LIMIT;
	else
		value = value * 2 > needed ? value * 2 : needed;
	e->fix.limit = (int)limit;
	e->fix.limit_value = value == 0 ? 1 : value;
}

static int by_limit(struct explained *e, enum sandbox_mechanism mechanism,
		    enum sandbox_evidence evidence, enum sandbox_limit limit, uint64_t needed)
{
	raise_limit(e, limit, needed);
	return explain_by(e, mechanism, evidence, "%s is %llu", limits[row_of(limit)].name,
			  (unsigned long long)e->plan->policy->limits[limit]);
}

/* Of a limit that the process has still as the sandbox has set it. */
static int by_rlimit(struct explained *e, enum sandbox_limit limit, uint64_t needed)
{
	uint64_t set;

	if (!is_set(e, limit, &set) || e->seen->limit != set)
		return 0;
	return by_limit(e, SANDBOX_MECH_RLIMITS, SANDBOX_EVIDENCE_OBSERVED, limit, needed);
}

/* --- calls -------------------------------------------------------------------------------------
 */

static uint64_t megabytes(uint64_t bytes)
{
	return bytes > UINT64_MAX / 2 ? UINT64_MAX : (bytes + (1 << 20) - 1) >> 20;
}

/* How long the file would be, as far as the call says it. */
static uint64_t length_needed(const struct sandbox_observation *seen)
{
	const uint64_t *a = seen->args;

	switch (seen->number) {
	case SYS_truncate:
	case SYS_ftruncate:
		return a[1];
	case SYS_fallocate:
	case SYS_pwrite64:
		return a[2] > INT64_MAX || a[3] > INT64_MAX ? UINT64_MAX : a[2] + a[3];
	default:
		return 0;
	}
}

/* RLIMIT_DATA counts what is private and can be written. */
static bool takes_memory(const struct sandbox_observation *seen)
{
	const uint64_t *a = seen->args;

	if (seen->number == SYS_mmap)
		return (a[2] & PROT_WRITE) && (a[3] & MAP_TYPE) == MAP_PRIVATE;
	return seen->number != SYS_mprotect || (a[2] & PROT_WRITE);
}

static int explain_memory(struct explained *e)
{
	uint64_t all = e->plan->policy->limits[SANDBOX_LIMIT_MEMORY_MB];
	uint64_t more = megabytes(e->seen->args[e->seen->number == SYS_mremap ? 2 : 1]);

	if (!takes_memory(e->seen))
		return 0;
	return by_rlimit(e, SANDBOX_LIMIT_MEMORY_MB,
			 more > UINT64_MAX - all ? UINT64_MAX : all + more);
}

/* A group answers the same, whatever the process's own limit is; and so does a host that has had
 * enough. */
static int explain_spawn(struct explained *e)
{
	if (cgroup_keeps(e->plan->cgroup, SANDBOX_LIMIT_PROCESSES))
		return by_limit(e, SANDBOX_MECH_CGROUP, SANDBOX_EVIDENCE_INFERRED,
				SANDBOX_LIMIT_PROCESSES, 0);
	return by_rlimit(e, SANDBOX_LIMIT_PROCESSES, 0);
}

/* The hard limit that a process of the sandbox begins with; as is_set(). */
static bool is_set_hard(const struct explained *e, size_t row, uint64_t *ret)
{
	const struct rlimits *rlimits = &e->variant->rlimits;
	uint64_t soft;

	if (!is_set(e, limits[row].limit, &soft))
		return false;
	for (size_t i = 0; i < rlimits->count; i++)
		if (rlimits->item[i].resource == limits[row].resource)
			*ret = rlimits->item[i].limit.rlim_max;
	return true;
}

static uint64_t units(uint64_t value, uint64_t unit)
{
	return value == RLIM_INFINITY ? UINT64_MAX : value / unit + (value % unit > 0);
}

/* A hard limit cannot be raised. What counts is the one that the process has still as the sandbox
 * has set it, and that may be as high outside without a capability. */
static int explain_raise(struct explained *e)
{
	const struct sandbox_observation *seen = e->seen;
	const int resource = (int)seen->args[seen->number == SYS_prlimit64 ? 1 : 0];
	uint64_t set = 0;
	size_t row = 0;

	if ((seen->number != SYS_prlimit64 && seen->number != SYS_setrlimit) ||
	    seen->wanted <= seen->limit || seen->outside != SANDBOX_OUTSIDE_YES)
		return 0;
	while (row < LIMITS && limits[row].resource != resource)
		row++;
	if (row == LIMITS || !is_set_hard(e, row, &set) || seen->limit != set)
		return 0;
	snprintf(e->ret->what, sizeof(e->ret->what), "%s", limits[row].resource_name);
	return by_limit(e, SANDBOX_MECH_RLIMITS, SANDBOX_EVIDENCE_OBSERVED, limits[row].limit,
			units(seen->wanted, limits[row].unit));
}

int explain_limit(struct explained *e)
{
	enum act act = (enum act)e->call->act;

	if (!explain_may_be(e))
		return 0;
	switch (e->seen->error) {
	case EMFILE:
		return act == ACT_WATCH ? 0 : by_rlimit(e, SANDBOX_LIMIT_FILES, 0);
	case EFBIG:
		return by_rlimit(e, SANDBOX_LIMIT_FILE_MB, megabytes(length_needed(e->seen)));
	case EAGAIN:
		return act == ACT_SPAWN ? explain_spawn(e) : 0;
	case ENOMEM:
		return act == ACT_MAP ? explain_memory(e) : 0;
	case EPERM:
		return explain_raise(e);
	default:
		return 0;
	}
}

/* --- signals -----------------------------------------------------------------------------------
 */

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1 /* si_code of SIGSYS */
#endif

/* A limit that the process has lowered is its own. It is not always told: no process has none
 * where the sandbox has set one. */
static int explain_soft_limit(struct explained *e, enum sandbox_limit limit,
			      enum sandbox_evidence evidence)
{
	uint64_t set, own = e->seen->limit;

	if (!is_set(e, limit, &set) || (own && own != RLIM_INFINITY && own != set))
		return 0;
	return by_limit(e, SANDBOX_MECH_RLIMITS, evidence, limit, 0);
}

/* The kernel sends SIGXCPU for this limit only; SIGXFSZ it sends as if the process had done so
 * itself. */
int explain_signal(struct explained *e)
{
	const struct sandbox_observation *seen = e->seen;

	if (seen->signal == SIGSYS && seen->code == SYS_SECCOMP)
		return explain_filter(e);
	e->call = NULL;
	if (seen->signal == SIGXCPU && seen->code == SI_KERNEL)
		return explain_soft_limit(e, SANDBOX_LIMIT_CPU_S, SANDBOX_EVIDENCE_KERNEL);
	if (seen->signal == SIGXFSZ && (seen->code == SI_KERNEL || seen->code == SI_USER))
		return explain_soft_limit(e, SANDBOX_LIMIT_FILE_MB, SANDBOX_EVIDENCE_INFERRED);
	return 0;
}

/* --- the end -----------------------------------------------------------------------------------
 */

static uint64_t milliseconds_used(const struct rusage *usage)
{
	int64_t us = usage->ru_utime.tv_usec + usage->ru_stime.tv_usec;

	return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000 +
	       (uint64_t)us / 1000;
}

/* The limit is held against ticks, which on a busy machine are far from the time that was used: a
 * quarter less is taken for as much. */
static bool has_used(const struct rusage *usage, uint64_t seconds)
{
	return milliseconds_used(usage) / 750 >= seconds;
}

/* A program that has used as much; SIGKILL comes some time later than SIGXCPU. */
static int explain_cpu_end(struct explained *e, int signal)
{
	const struct rlimits *rlimits = &e->variant->rlimits;
	uint64_t set;

	if (!is_set(e, SANDBOX_LIMIT_CPU_S, &set))
		return 0;
	for (size_t i = 0; signal == SIGKILL && i < rlimits->count; i++)
		if (rlimits->item[i].resource == RLIMIT_CPU)
			set = rlimits->item[i].limit.rlim_max;
	if (!has_used(&e->seen->result->usage, set))
		return 0;
	return by_limit(e, SANDBOX_MECH_RLIMITS, SANDBOX_EVIDENCE_INFERRED, SANDBOX_LIMIT_CPU_S, 0);
}

static int explain_file_end(struct explained *e)
{
	uint64_t set;

	return is_set(e, SANDBOX_LIMIT_FILE_MB, &set)
		       ? by_limit(e, SANDBOX_MECH_RLIMITS, SANDBOX_EVIDENCE_INFERRED,
				  SANDBOX_LIMIT_FILE_MB, 0)
		       : 0;
}

/* Which call it was is not known. */
static int explain_filter_end(struct explained *e)
{
	bool kills = false;

	for (int i = 0; e->variant->filter.len && i < SANDBOX_SYSCALLS_COUNT; i++) {
		enum sandbox_action_kind kind = e->plan->policy->syscalls[i].kind;

		kills |= kind == SANDBOX_ACTION_KILL || kind == SANDBOX_ACTION_TRAP;
	}
	return kills ? explain_by(e, SANDBOX_MECH_SECCOMP, SANDBOX_EVIDENCE_INFERRED,
				  "a group of system calls is refused by a signal")
		     : 0;
}

static int explain_killed(struct explained *e)
{
	int signal = e->seen->result->status;

	e->ret->signal = signal;
	switch (signal) {
	case SIGXCPU:
	case SIGKILL:
		return explain_cpu_end(e, signal);
	case SIGXFSZ:
		return explain_file_end(e);
	case SIGSYS:
		return explain_filter_end(e);
	default:
		return 0;
	}
}

/* What sandbox_wait() itself keeps is told as a limit of this kind. */
static int explain_stopped(struct explained *e, enum sandbox_limit limit, const char *name)
{
	uint64_t value = e->plan->policy->limits[limit];

	if (value == SANDBOX_NO_LIMIT)
		return 0;
	e->ret->signal = SIGKILL;
	raise_limit(e, limit, 0);
	return explain_by(e, SANDBOX_MECH_RLIMITS, SANDBOX_EVIDENCE_OBSERVED,
			  "%s is %llu: all of it was killed then", name, (unsigned long long)value);
}

int explain_end(struct explained *e)
{
	switch (e->seen->result->end) {
	case SANDBOX_END_SIGNAL:
		return explain_killed(e);
	case SANDBOX_END_TIMEOUT:
		return explain_stopped(e, SANDBOX_LIMIT_WALL_MS, "limits.wall_ms");
	case SANDBOX_END_OUTPUT:
		return explain_stopped(e, SANDBOX_LIMIT_OUTPUT_BYTES, "limits.output_bytes");
	case SANDBOX_END_MEMORY:
		e->ret->signal = SIGKILL;
		if (e->plan->policy->limits[SANDBOX_LIMIT_MEMORY_MB] == SANDBOX_NO_LIMIT)
			return 0;
		return by_limit(e, SANDBOX_MECH_CGROUP, SANDBOX_EVIDENCE_KERNEL,
				SANDBOX_LIMIT_MEMORY_MB, 0);
	default:
		return 0;
	}
}
