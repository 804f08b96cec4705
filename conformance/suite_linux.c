/* All cases, several at a time: workers take the next one and write its result into memory that
 * all share. A worker that dies leaves its case broken, and no other. */
#include "conformance/conformance.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/monotonic.h"
#include "conformance/fixture.h"
#include "conformance/scratch.h"
#include "conformance/trial.h"
#include "sandbox/plan.h"
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A run takes some ms, and a second of CPU time in one case. On a machine that is so much slower
 * than the time of one run tells, or that others use, it has this much of it. */
#define TIMEOUT_LEAST_NS  UINT64_C(10000000000)
#define TIMEOUT_FACTOR	  200
#define LAUNCHER_LEAST_NS UINT64_C(10000000000)

#define ORDINARY_ID 65534

/* Shared by all. */
struct board {
	atomic_size_t next, done;
	size_t count;
	uint64_t timeout_ns;
	struct error failure; /* of a worker, the first one */
	atomic_bool failed;
	atomic_bool stop; /* nobody wants more */
	struct conf_result result[];
};

struct suite {
	const struct conf_options *options;
	const struct conf_host *host;
	struct scratch scratch;
	char probe[SCRATCH_PATH_SIZE + 32]; /* of the calling process */
	struct board *board;
	size_t size; /* of the board */
};

/* --- what needs no run -------------------------------------------------------------------------
 */

static enum conf_verdict settle(struct conf_result *r, enum conf_verdict verdict, const char *why)
{
	snprintf(r->why, sizeof(r->why), "%s", why);
	r->verdict = verdict;
	return verdict;
}

static enum conf_user user_of(const struct conf_result *r)
{
	return r->layer == CONF_RAW ? r->c->raw.user : r->c->policy.user;
}

/* CONF_VERDICTS: it has to be run. */
static enum conf_verdict decide(const struct suite *s, struct conf_result *r)
{
	const struct conf_host *host = s->host;
	int abi = r->layer == CONF_RAW ? r->c->raw.abi : r->c->policy.abi;
	char why[CONF_WHY_SIZE];

	if (user_of(r) == CONF_ROOT && !r->root)
		return settle(r, CONF_NOT_APPLICABLE, "only root can do it");
	if (user_of(r) == CONF_ORDINARY && r->root)
		return settle(r, CONF_NOT_APPLICABLE,
			      "root is exempt, or denied it by something else");
	if (abi > 0 && host->landlock_abi == 0)
		return settle(r, CONF_NOT_ENFORCED, "this kernel has no Landlock, or it is off");
	if (abi > host->landlock_abi) {
		snprintf(why, sizeof(why), "it needs ABI %d of Landlock, this kernel has %d", abi,
			 host->landlock_abi);
		return settle(r, CONF_NOT_APPLICABLE, why);
	}
	if (r->layer == CONF_POLICY && s->scratch.hidden)
		return settle(
			r, CONF_NOT_MEASURED,
			"the scratch directory is in /tmp or /dev/shm, of which a sandbox has "
			"its own: --scratch names another one");
	return CONF_VERDICTS;
}

/* --- one case ----------------------------------------------------------------------------------
 */

/* What a layer has to be tried in; a foreign sandbox grants nothing that we know of. */
static bool has_run(const struct conf_options *options, const struct conf_result *r,
		    enum conf_run run)
{
	if (run == CONF_ALLOWED)
		return r->layer != CONF_LAUNCHER;
	if (run == CONF_ABLATED)
		return options->ablate && r->layer == CONF_POLICY;
	return true;
}

static int run_case(struct suite *s, struct conf_result *r, unsigned worker, struct error *err)
{
	struct trial trial = {.c = r->c,
			      .layer = r->layer,
			      .launcher = s->options->launcher,
			      .probe = s->probe,
			      .stop = &s->board->stop,
			      .timeout_ns = s->board->timeout_ns};
	char dir[SCRATCH_PATH_SIZE + 32];
	int rc = 0;

	trial.dir = dir;
	for (int run = 0; rc == 0 && run < CONF_RUNS; run++) {
		if (!has_run(s->options, r, run))
			continue;
		snprintf(dir, sizeof(dir), "%s/%u-%d", s->scratch.dir, worker, run);
		trial.run = run;
		trial.off = run == CONF_DENIED ? s->options->sabotage : 0;
		rc = trial_run(&trial, &r->seen[run], err);
	}
	if (rc == 0)
		r->verdict = conf_judge(r->c, r->layer, s->host->landlock_abi, r->seen, r->why);
	return rc;
}

/* --- workers -----------------------------------------------------------------------------------
 */

static int become_ordinary(pid_t suite)
{
	if (setgroups(0, NULL) < 0 || setresgid(ORDINARY_ID, ORDINARY_ID, ORDINARY_ID) < 0 ||
	    setresuid(ORDINARY_ID, ORDINARY_ID, ORDINARY_ID) < 0)
		return -1;
	fixture_live_with(suite);
	/* A change of the user takes /proc/self away from it. */
	return prctl(PR_SET_DUMPABLE, 1);
}

static void fail(struct board *board, const struct error *err)
{
	if (!atomic_exchange(&board->failed, true))
		board->failure = *err;
}

static void work(struct suite *s, unsigned worker, bool root)
{
	struct board *board = s->board;
	size_t at;

	while (!board->failed && !board->stop &&
	       (at = atomic_fetch_add(&board->next, 1)) < board->count) {
		struct conf_result *r = &board->result[at];
		struct error err = {0};

		if (r->root != root || r->done)
			continue;
		if (decide(s, r) == CONF_VERDICTS && run_case(s, r, worker, &err) < 0) {
			fail(board, &err);
			return;
		}
		r->done = !board->stop;
		atomic_fetch_add(&board->done, 1);
	}
}

/* What is left behind comes to it. */
static void be_reaper(pid_t suite)
{
	fixture_live_with(suite);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
}

static _Noreturn void be_worker(struct suite *s, unsigned worker, bool root, pid_t suite)
{
	struct error err = {0};
	char name[32];

	be_reaper(suite);
	setenv("HOME", s->scratch.home, 1);
	unsetenv("TMPDIR");
	snprintf(name, sizeof(name), "probe-%u", worker);
	if (geteuid() == 0 && !root && become_ordinary(suite) < 0)
		error_sys(&err, errno, "cannot become the user %d", ORDINARY_ID);
	else if (scratch_copy_probe(&s->scratch, s->options->probe, name, s->probe, &err) == 0 &&
		 (!root || scratch_copy_helper(&s->scratch, s->options->probe, name, &err) == 0))
		work(s, worker, root);
	if (err.code)
		fail(s->board, &err);
	_exit(0);
}

/* The caller's flag is in its memory only. */
static void look_at_stop(const struct suite *s)
{
	if (s->options->stop && *s->options->stop)
		s->board->stop = true;
}

static void tell(const struct suite *s)
{
	if (s->options->progress)
		s->options->progress(s->options->ctx, s->board->done, s->board->count);
}

/* Until all of them are gone. */
static void wait_for(const struct suite *s, const pid_t *pids, unsigned count)
{
	unsigned left = count;

	while (left > 0) {
		left = 0;
		for (unsigned i = 0; i < count; i++)
			left += pids[i] > 0 && waitpid(pids[i], NULL, WNOHANG) == 0;
		look_at_stop(s);
		tell(s);
		if (left > 0)
			usleep(20000);
	}
}

/* The cases of one user. */
static int run_user(struct suite *s, bool root, struct error *err)
{
	unsigned jobs = s->options->jobs;
	const pid_t self = getpid();
	pid_t pids[64] = {0};

	if (jobs == 0)
		jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	if (jobs > 64)
		jobs = 64;
	s->board->next = 0;
	fflush(NULL);
	for (unsigned i = 0; i < jobs; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			be_worker(s, (root ? 100 : 0) + i, root, self);
		if (pids[i] < 0 && i == 0)
			return error_sys(err, errno, "cannot fork");
	}
	wait_for(s, pids, jobs);
	return 0;
}

/* --- the list ----------------------------------------------------------------------------------
 */

static size_t list_cases(const struct conf_options *o, struct conf_result *to)
{
	const enum conf_layer first = o->launcher ? CONF_LAUNCHER : CONF_RAW;
	const enum conf_layer last = o->launcher ? CONF_LAUNCHER : CONF_POLICY;
	size_t count = 0;

	for (int root = 1; root >= 0; root--)
		for (size_t i = 0; i < conf_case_count; i++)
			for (int layer = first; layer <= (int)last; layer++) {
				const struct conf_case *c = &conf_cases()[i];

				if (!(root ? o->as_root : o->as_ordinary) ||
				    !conf_case_has(c, layer) ||
				    (o->wants && !o->wants(o->ctx, c, layer)))
					continue;
				if (to)
					to[count] = (struct conf_result){
						.c = c, .layer = layer, .root = root};
				count++;
			}
	return count;
}

static int make_board(struct suite *s, struct error *err)
{
	size_t count = list_cases(s->options, NULL);

	if (count == 0)
		return error_set(err, ERR_INVALID, "there is no such case: --list names them");
	s->size = sizeof(*s->board) + count * sizeof(s->board->result[0]);
	s->board = mmap(NULL, s->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->board == MAP_FAILED) {
		s->board = NULL;
		return error_no_memory(err);
	}
	s->board->count = list_cases(s->options, s->board->result);
	return 0;
}

/* --- before the cases --------------------------------------------------------------------------
 */

static const struct conf_case nothing = {.id = "nothing", .act = ACT_nothing};

/* How long the probe takes here, and that it runs: else there is nothing to be measured. */
static int try_probe(struct suite *s, struct error *err)
{
	struct trial trial = {.c = &nothing,
			      .layer = CONF_RAW,
			      .run = CONF_CONTROL,
			      .probe = s->probe,
			      .stop = &s->board->stop,
			      .timeout_ns = 4 * TIMEOUT_LEAST_NS};
	char dir[SCRATCH_PATH_SIZE + 32], text[64];
	struct conf_seen seen;
	uint64_t began = monotonic_ns();
	int rc;

	snprintf(dir, sizeof(dir), "%s/first", s->scratch.dir);
	trial.dir = dir;
	rc = trial_run(&trial, &seen, err);
	if (rc == 0 && (!seen.nonce || seen.state != PROBE_DONE))
		return error_set(err, ERR_SYSTEM, "the probe does not run: %s",
				 seen.why[0] ? seen.why
					     : conf_seen_text(&seen, text, sizeof(text)));
	s->board->timeout_ns = TIMEOUT_FACTOR * (monotonic_ns() - began);
	if (s->board->timeout_ns < TIMEOUT_LEAST_NS)
		s->board->timeout_ns = TIMEOUT_LEAST_NS;
	return rc;
}

/* A launcher that cannot even start the probe would have every case wait for it in vain: all of
 * them are settled. */
static int try_launcher(struct suite *s, struct error *err)
{
	struct trial trial = {.c = &nothing,
			      .layer = CONF_LAUNCHER,
			      .run = CONF_DENIED,
			      .launcher = s->options->launcher,
			      .probe = s->probe,
			      .stop = &s->board->stop,
			      .timeout_ns = s->board->timeout_ns};
	char dir[SCRATCH_PATH_SIZE + 32];
	struct conf_seen seen = {.ran = false};
	bool broken;
	int rc;

	if (trial.timeout_ns < LAUNCHER_LEAST_NS)
		trial.timeout_ns = LAUNCHER_LEAST_NS;
	snprintf(dir, sizeof(dir), "%s/launcher", s->scratch.dir);
	trial.dir = dir;
	rc = trial_run(&trial, &seen, err);
	broken = rc == 0 && (!seen.nonce || seen.disagrees || seen.state != PROBE_DONE);
	for (size_t i = 0; broken && i < s->board->count; i++) {
		struct conf_result *r = &s->board->result[i];
		char text[64], why[CONF_WHY_SIZE];

		snprintf(why, sizeof(why), "the launcher does not run the probe: %s",
			 seen.why[0] ? seen.why : conf_seen_text(&seen, text, sizeof(text)));
		r->seen[CONF_DENIED] = seen;
		r->done = settle(r, CONF_PROBE_BROKEN, why) == CONF_PROBE_BROKEN;
	}
	return rc;
}

static int try_first(struct suite *s, struct error *err)
{
	int rc = try_probe(s, err);

	return rc == 0 && s->options->launcher ? try_launcher(s, err) : rc;
}

/* In a process of its own, to which comes what a launcher leaves behind; the caller's other
 * children are not ours. */
static int begin(struct suite *s, struct error *err)
{
	const pid_t self = getpid();
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return error_sys(err, errno, "cannot fork");
	if (pid == 0) {
		struct error why = {0};

		be_reaper(self);
		if (try_first(s, &why) < 0)
			fail(s->board, &why);
		_exit(0);
	}
	wait_for(s, &pid, 1);
	if (s->board->failed) {
		*err = s->board->failure;
		return err->code;
	}
	return s->board->timeout_ns > 0
		       ? 0
		       : error_set(err, ERR_SYSTEM, "the process that tries the probe was killed");
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static int run_users(struct suite *s, struct error *err)
{
	int rc = 0;

	if (s->options->as_root)
		rc = run_user(s, true, err);
	if (rc == 0 && s->options->as_ordinary)
		rc = run_user(s, false, err);
	if (rc == 0 && s->board->failed) {
		*err = s->board->failure;
		return err->code;
	}
	if (rc == 0 && s->board->stop)
		return error_sys(err, EINTR, "the suite was stopped");
	for (size_t i = 0; rc == 0 && i < s->board->count; i++)
		if (!s->board->result[i].done)
			settle(&s->board->result[i], CONF_PROBE_BROKEN, "the suite's worker died");
	return rc;
}

static int run(struct suite *s, struct conf_suite *ret, struct error *err)
{
	struct sigaction was, dfl = {.sa_handler = SIG_DFL};
	int rc;

	sigaction(SIGCHLD, &dfl, &was); /* who ignores it gets no child's end */
	rc = begin(s, err);
	if (rc == 0)
		rc = run_users(s, err);
	sigaction(SIGCHLD, &was, NULL);
	if (rc < 0)
		return rc;
	ret->count = s->board->count;
	ret->result = malloc(ret->count * sizeof(*ret->result));
	if (!ret->result)
		return error_no_memory(err);
	memcpy(ret->result, s->board->result, ret->count * sizeof(*ret->result));
	return 0;
}

int conf_suite_run(const struct conf_options *options, struct conf_suite *ret, struct error *err)
{
	struct suite s = {.options = options, .host = &ret->host};
	struct error local = {0};
	uint64_t began = monotonic_ns();
	int rc;

	*ret = (struct conf_suite){.count = 0};
	err = err ? err : &local;
	conf_host_read(&ret->host);
	if (access("/proc/self/stat", R_OK) < 0)
		return error_sys(err, errno, "/proc is needed to see what the probe leaves behind");
	rc = make_board(&s, err);
	if (rc == 0)
		rc = scratch_make(&s.scratch, options, err);
	if (rc == 0)
		rc = scratch_copy_probe(&s.scratch, options->probe, "probe", s.probe, err);
	if (rc == 0)
		rc = run(&s, ret, err);
	scratch_clear(&s.scratch);
	if (s.board)
		munmap(s.board, s.size);
	ret->duration_ns = monotonic_ns() - began;
	return rc;
}

void conf_suite_free(struct conf_suite *suite)
{
	free(suite->result);
	suite->result = NULL;
	suite->count = 0;
}
