/* Limits of processes and users. */
#include "sandbox/rlimits.h"

#include "base/cleanup.h"
#include "sandbox/kernel.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

/* What a program has to clean up after SIGXCPU, before SIGKILL. */
#define CPU_GRACE_S 2

/* The limits that hold for each process, whatever the other layers keep. */
static const struct row {
	enum sandbox_limit limit;
	int resource;
	uint64_t unit;
	uint64_t grace; /* the hard limit is so much above the soft one */
} rows[] = {
	{SANDBOX_LIMIT_CPU_S, RLIMIT_CPU, 1, CPU_GRACE_S},
	{SANDBOX_LIMIT_FILES, RLIMIT_NOFILE, 1, 0},
	{SANDBOX_LIMIT_FILE_MB, RLIMIT_FSIZE, 1 << 20, 0},
	{SANDBOX_LIMIT_CORE_MB, RLIMIT_CORE, 1 << 20, 0},
};

/*
 * Not RLIMIT_AS: node, java and go reserve many gigabytes of addresses that they never touch, and
 * fail under it. RLIMIT_DATA counts what can be written and is private, from Linux 4.7 on.
 */
static const struct row memory = {SANDBOX_LIMIT_MEMORY_MB, RLIMIT_DATA, 1 << 20, 0};

static rlim_t lower(rlim_t a, rlim_t b)
{
	return a < b ? a : b;
}

static void add(struct rlimits *rlimits, const struct row *row, uint64_t value)
{
	rlim_t soft = value * row->unit;

	rlimits->item[rlimits->count].resource = row->resource;
	rlimits->item[rlimits->count++].limit = (struct rlimit){soft, soft + row->grace};
}

static void add_from_policy(const struct judge *judge, struct rlimits *rlimits,
			    const struct row *row)
{
	uint64_t value = judge->policy->limits[row->limit];

	if (value == SANDBOX_NO_LIMIT)
		return;
	add(rlimits, row, value);
	/* A core that core_pattern hands to a program is not bounded by 0, but not made for 1,
	 * which no core is small enough for. */
	if (row->resource == RLIMIT_CORE && value == 0)
		rlimits->item[rlimits->count - 1].limit = (struct rlimit){1, 1};
}

static void prepare_memory(const struct judge *judge, struct rlimits *rlimits)
{
	if (judge->policy->limits[SANDBOX_LIMIT_MEMORY_MB] == SANDBOX_NO_LIMIT)
		return;
	add_from_policy(judge, rlimits, &memory);
	judge_partial(judge, SANDBOX_MECH_RLIMITS,
		      "memory: private memory of each process, not of all together");
}

/* Whether the kernel does not count for this process: not the root of a container, who is an
 * ordinary user outside. */
static bool is_exempt(void)
{
	cleanup_fclose FILE *map = getuid() == 0 ? fopen("/proc/self/uid_map", "re") : NULL;
	unsigned long inner, outer = 0;

	if (getuid() != 0)
		return false;
	return !map || fscanf(map, "%lu %lu", &inner, &outer) != 2 || outer == 0;
}

/* No error for a limit that nobody has asked for: root could start nothing without cgroups. */
static int judge_exempt(const struct judge *judge)
{
	if (policy_limit_is_asked_for(judge->policy, SANDBOX_LIMIT_PROCESSES))
		return judge_missing(judge, SANDBOX_MECH_RLIMITS, SANDBOX_STATE_PARTIAL,
				     "the number of processes: root is exempt, and no cgroup can "
				     "be made");
	judge_partial(judge, SANDBOX_MECH_RLIMITS, "processes: root is exempt");
	return 0;
}

/* What else a user runs may become more by so many threads before a limit that nobody has asked
 * for fails a program in the sandbox: it is there to end a fork bomb. */
#define MORE_OUTSIDE 1024

/*
 * The kernel counts the threads of a user in a user namespace, and root's without limit. So the
 * count is that of the sandbox in a namespace of its own, and that of all that the user runs on
 * this host otherwise, which is another one a moment later.
 */
static int prepare_processes(const struct judge *judge, const struct rlimits_needs *needs,
			     struct rlimits *rlimits)
{
	static const struct row row = {SANDBOX_LIMIT_PROCESSES, RLIMIT_NPROC, 1, 0};
	uint64_t value = judge->policy->limits[SANDBOX_LIMIT_PROCESSES], others = 0;
	int rc;

	if (value == SANDBOX_NO_LIMIT)
		return 0;
	if (is_exempt())
		return judge_exempt(judge);
	if (needs->own_user_namespace) {
		add(rlimits, &row, value);
		judge_enforced(judge, SANDBOX_MECH_RLIMITS,
			       "processes: of the sandbox's own user namespace");
		return 0;
	}
	rc = rlimits_count_threads(getuid(), &others, judge->err);
	if (rc < 0)
		return rc;
	value += others;
	if (!policy_limit_is_asked_for(judge->policy, SANDBOX_LIMIT_PROCESSES))
		value += MORE_OUTSIDE;
	add(rlimits, &row, value);
	judge_partial(judge, SANDBOX_MECH_RLIMITS,
		      "processes: counted with those of this user outside, %llu in all",
		      (unsigned long long)value);
	return 0;
}

/* Never above what the caller may have. */
static void clamp(struct rlimits *rlimits)
{
	for (size_t i = 0; i < rlimits->count; i++) {
		struct rlimit *limit = &rlimits->item[i].limit, own;

		if (getrlimit((__rlimit_resource_t)rlimits->item[i].resource, &own) < 0)
			continue;
		limit->rlim_max = lower(limit->rlim_max, own.rlim_max);
		limit->rlim_cur = lower(limit->rlim_cur, limit->rlim_max);
	}
}

int rlimits_prepare(const struct judge *judge, const struct rlimits_needs *needs,
		    struct rlimits *ret)
{
	struct rlimits rlimits = {.count = 0};
	int rc = 0;

	if (judge_is_off(judge, SANDBOX_MECH_RLIMITS)) {
		*ret = rlimits;
		return 0;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		add_from_policy(judge, &rlimits, &rows[i]);
	if (needs->memory)
		prepare_memory(judge, &rlimits);
	if (needs->processes)
		rc = prepare_processes(judge, needs, &rlimits);
	if (rc < 0)
		return rc;
	if (rlimits.count)
		judge_enforced(judge, SANDBOX_MECH_RLIMITS,
			       "CPU time, open files and sizes of files: of each process");
	clamp(&rlimits);
	*ret = rlimits;
	return 0;
}

/* --- how many there are ----------------------------------------------------------------------- */

/* The number that follows a key of /proc/PID/status; false when it is not there. */
static bool find_number(const char *status, const char *key, uint64_t *ret)
{
	const char *at = strstr(status, key);

	if (!at)
		return false;
	*ret = strtoull(at + strlen(key), NULL, 10);
	return true;
}

/* A process that has just ended has none. */
static uint64_t count_threads_of(int proc, const char *pid, unsigned user)
{
	char path[300], status[2048];
	uint64_t owner, threads;
	cleanup_close int fd = -1;
	ssize_t len;

	snprintf(path, sizeof(path), "%s/status", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, status, sizeof(status) - 1);
	if (len <= 0)
		return 0;
	status[len] = '\0';
	return find_number(status, "\nUid:", &owner) && owner == user &&
			       find_number(status, "\nThreads:", &threads)
		       ? threads
		       : 0;
}

int rlimits_count_threads(unsigned user, uint64_t *ret, struct error *err)
{
	cleanup_closedir DIR *proc = opendir("/proc");
	const struct dirent *entry;
	uint64_t count = 0;

	if (!proc && errno == ENOMEM)
		return error_no_memory(err);
	if (!proc)
		return error_sys(err, errno, "cannot count the processes of the user: /proc");
	while ((entry = readdir(proc))) {
		if (isdigit((unsigned char)entry->d_name[0]))
			count += count_threads_of(dirfd(proc), entry->d_name, user);
	}
	if (count == 0)
		return error_set(err, ERR_UNSUPPORTED,
				 "cannot count the processes of the user: /proc hides them");
	*ret = count;
	return 0;
}

/* --- in the process --------------------------------------------------------------------------- */

static int set(int resource, const struct rlimit *limit)
{
	return (int)kernel_call4(SYS_prlimit64, 0, resource, (long)limit, 0);
}

/* The hard limit of the caller has become lower since the plan was made. */
static int set_lower(int resource, const struct rlimit *limit)
{
	struct rlimit own;
	int rc = (int)kernel_call4(SYS_prlimit64, 0, resource, 0, (long)&own);

	if (rc < 0)
		return rc;
	own.rlim_max = lower(own.rlim_max, limit->rlim_max);
	own.rlim_cur = lower(limit->rlim_cur, own.rlim_max);
	return set(resource, &own);
}

int rlimits_apply(const struct rlimits *rlimits)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < rlimits->count; i++) {
		rc = set(rlimits->item[i].resource, &rlimits->item[i].limit);
		if (rc == -EPERM)
			rc = set_lower(rlimits->item[i].resource, &rlimits->item[i].limit);
	}
	return rc;
}
