/* sandtape run: a program in a sandbox. With -t, the program's commands come from a tape. */
#include "tools/run.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What it passes on to the program. */
static const int forwarded[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};
#define FORWARDED (sizeof(forwarded) / sizeof(forwarded[0]))

static volatile sig_atomic_t running; /* the program's process, or 0 */
static volatile sig_atomic_t early;   /* what came before it was there */
static bool leaves_terminal;

/* A signal that the terminal sends reaches the program without us, unless it has left it. */
static void forward(int sig, siginfo_t *info, void *context)
{
	int before = errno;

	(void)context;
	if (info->si_code > 0 && !leaves_terminal)
		return;
	if (running > 0)
		kill((pid_t)running, sig);
	else
		early = sig;
	errno = before;
}

static void begin_to_forward(pid_t pid)
{
	running = (sig_atomic_t)pid;
	if (early)
		kill(pid, (int)early);
}

/* What is ignored stays so: nohup. */
static void catch_signals(void)
{
	struct sigaction action = {.sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigaction before;

	for (size_t i = 0; i < FORWARDED; i++)
		if (sigaction(forwarded[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(forwarded[i], &action, NULL);
}

static void say(void *ctx, const char *text)
{
	const struct sandbox_options *o = ctx;

	if (!o->quiet)
		fprintf(stderr, "sandtape: %s\n", text);
}

static void ignore(int sig)
{
	(void)sig;
}

struct through {
	int fd;
	const struct sandbox_child *const *child;
};

/* Where the program would wait for who reads its output, we do, as long as it has time. */
static bool wait_for_reader(const struct through *to)
{
	struct pollfd out = {.fd = to->fd, .events = POLLOUT};

	return poll(&out, 1, sandbox_child_left_ms(*to->child)) != 0;
}

/* Who reads our output may have gone: then the program is the one to be told. */
static bool write_through(void *ctx, const void *bytes, size_t len)
{
	const struct through *to = ctx;
	const char *at = bytes;

	while (len > 0) {
		ssize_t n;

		if (!wait_for_reader(to))
			return true; /* its time is over */
		/* As much as a pipe that has room takes at once. */
		n = write(to->fd, at, len < PIPE_BUF ? len : PIPE_BUF);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* Ours only: a handler is not inherited, and who was started with the signal ignored has it so. */
static void outlive_readers(void)
{
	struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART}, before;

	if (sigaction(SIGPIPE, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
		sigaction(SIGPIPE, &action, NULL);
}

static int end_status(const struct sandbox_options *o, const struct sandbox_result *r)
{
	if (r->end == SANDBOX_END_TIMEOUT && !o->quiet)
		fprintf(stderr, "sandtape: the program was killed: its time was over\n");
	if (r->end == SANDBOX_END_OUTPUT && !o->quiet)
		fprintf(stderr, "sandtape: the program was killed: it wrote more than it may\n");
	if (r->end == SANDBOX_END_MEMORY && !o->quiet)
		fprintf(stderr, "sandtape: the program was killed: it needed more memory than it "
				"may have\n");
	if (r->killed > 0 && !o->quiet)
		fprintf(stderr, "sandtape: %u process%s that the program left behind %s killed\n",
			r->killed, r->killed == 1 ? "" : "es", r->killed == 1 ? "was" : "were");
	if (r->end == SANDBOX_END_TIMEOUT)
		return EXIT_TIMEOUT;
	return r->end == SANDBOX_END_EXIT ? r->status : 128 + r->status;
}

static int wait_for(const struct sandbox_options *o, struct sandbox_child *child,
		    const char *const *argv, int report)
{
	struct sandbox_result result;
	struct sandbox_layers layers;
	struct error err = {0};
	int status;

	begin_to_forward(sandbox_child_pid(child));
	if (sandbox_wait(child, &result, &err) < 0)
		command_fail(&err); /* the program's own status counts more, where there is one */
	running = 0;
	status = result.end == SANDBOX_END_UNKNOWN ? EXIT_SANDTAPE : end_status(o, &result);
	sandbox_child_layers(child, &layers);
	if (o->report && sandbox_report_write(report, o->report, argv, &layers, &result, &err) < 0)
		command_fail(&err);
	return status;
}

/* Ways out that the library does not know: they are options. */
static const struct {
	const char *text; /* in that of the error */
	const char *way;
} ways[] = {
	{"the policy does not let it",
	 "--write DIR lets programs in DIR be executed, and so does exec in a policy"},
	{"cannot go to the working directory",
	 "go to what the policy grants, or grant it by --write"},
};

static const char *way_out(const struct error *err, const char *program)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strstr(err->text, ways[i].text))
			return ways[i].way;
	if (err->code == ERR_FORMAT)
		return "sandtape-policy(5) tells what a policy can say";
	if (err->code == ERR_NOTFOUND && err->sys == ENOENT && *program && !strchr(program, '/'))
		return "no directory of PATH has it in the sandbox: give its path, or --env "
		       "PATH=...";
	return NULL;
}

static int fail(const struct error *err, const char *program)
{
	const char *way = way_out(err, program);

	if (!way)
		return command_fail(err);
	fprintf(stderr, "sandtape: %s; %s\n", err->text, way);
	return EXIT_SANDTAPE;
}

/* `report` is of fs_report_open(). Returns `status`. */
static int not_started(const struct sandbox_options *o, int report, const char *const *argv,
		       int status, const struct error *why)
{
	struct error err = {0};

	if (o->report &&
	    sandbox_report_failure(report, o->report, argv, status, why->text, &err) < 0)
		command_fail(&err);
	return status;
}

static int start_failed(const struct error *err, const char *program)
{
	int status = fail(err, program);

	return err->code == ERR_NOTFOUND && err->sys == ENOENT ? EXIT_NOT_FOUND
	       : err->code == ERR_SYSTEM && strncmp(err->text, "cannot execute", 14) == 0
		       ? EXIT_CANNOT_EXEC
		       : status;
}

/* The report is opened behind the plan, which looks at the caller's descriptors. */
static int no_plan(const struct sandbox_options *o, const char *const *argv,
		   const struct error *why)
{
	cleanup_close int report = -1;
	int status = fail(why, "");
	struct error err = {0};

	if (o->report && fs_report_open(o->report, &report, &err) < 0)
		return command_fail(&err);
	return not_started(o, report, argv, status, why);
}

static int start(const struct sandbox_options *o, struct sandbox_plan *plan, bool limited,
		 const char *const *argv)
{
	struct sandbox_child *child = NULL;
	const struct through streams[] = {
		{STDOUT_FILENO, (const struct sandbox_child *const *)&child},
		{STDERR_FILENO, (const struct sandbox_child *const *)&child}};
	struct sandbox_start start = {.argv = argv, .dedicated = true};
	cleanup_close int report = -1;
	struct error err = {0};
	int status;

	if (o->report && fs_report_open(o->report, &report, &err) < 0)
		return command_fail(&err);
	if (limited) {
		outlive_readers();
		start.out = (struct sandbox_sink){SANDBOX_OUTPUT_CALL, -1, write_through,
						  (void *)&streams[0]};
		start.err = (struct sandbox_sink){SANDBOX_OUTPUT_CALL, -1, write_through,
						  (void *)&streams[1]};
	}
	leaves_terminal = sandbox_plan_leaves_terminal(plan);
	catch_signals();
	if (sandbox_start(plan, &start, &child, &err) < 0)
		return not_started(o, report, argv, start_failed(&err, argv[0]), &err);
	status = wait_for(o, child, argv, report);
	sandbox_child_free(child);
	return status;
}

static int run_sandboxed(const struct sandbox_options *o, const char *const *argv)
{
	struct sandbox_policy *policy = NULL;
	struct sandbox_plan *plan = NULL;
	struct error err = {0};
	int status, rc = sandbox_options_policy(o, say, (void *)o, &policy, &err);

	if (rc == 0)
		rc = sandbox_plan_new(policy, SANDBOX_PLAN_START, say, (void *)o, &plan, &err);
	status = rc < 0 ? no_plan(o, argv, &err)
			: start(o, plan, sandbox_plan_limits_output(plan), argv);
	sandbox_plan_free(plan);
	sandbox_policy_free(policy);
	return status;
}

static int run(const struct command *command, int argc, char **argv)
{
	const struct option_table *const tables[] = {&sandbox_options_table, &run_tape_table};
	struct sandbox_options o = {0};
	struct error err = {0};
	int first, status, rc;

	if (options_mention(tables, 2, argc, argv, "--tape"))
		return run_tape(command, argc, argv);
	rc = options_parse(&sandbox_options_table, argc, argv, &o, &first, &err);
	if (rc == 0 && !o.help && first >= argc)
		rc = error_set(&err, ERR_INVALID,
			       "there is no program to run: name it behind the options, as in "
			       "sandtape run -- make test");
	if (rc < 0) {
		status = command_misused(command, &err);
	} else if (o.help) {
		command_help(command);
		status = command_finish(EXIT_OK);
	} else {
		status = run_sandboxed(&o, (const char *const *)argv + first);
	}
	sandbox_options_free(&o);
	return status;
}

static void help(void)
{
	options_print_help(&sandbox_options_table);
	printf("\nWith a tape:\n");
	options_print_help(&run_tape_table);
}

const struct command run_command = {
	"run", "[-t TAPE [--mode MODE]] [options] -- PROGRAM [ARG...]",
	"Runs the program in a sandbox: the working directory can be read, written and executed,\n"
	"the system read and executed, and there is no network. sandtape-policy(5) tells what a\n"
	"policy can say.\n\n"
	"With a tape it records the program, or replays it, by its mode. once: replays the tape\n"
	"when there is one, else records it. new-episodes: answers what is on the tape, and runs\n"
	"and adds what is not.",
	run, help};
