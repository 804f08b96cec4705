/* The process that puts the sandbox around the probe, or becomes the launcher that does. */
#include "conformance/trial.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "conformance/fixture.h"
#include "sandbox/plan.h"
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARGUMENTS 32

static _Noreturn void give_up(struct trial_told *told, int code, const char *why)
{
	snprintf(told->why, sizeof(told->why), "%s", why);
	told->code = code;
	_exit(125);
}

/* --- the probe's command line ------------------------------------------------------------------
 */

struct command_line {
	const char *argv[CONF_LAUNCHER_MAX + ARGUMENTS + 1];
	size_t count;
	char text[4096];
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void add(struct command_line *line, const char *format,
						      ...)
{
	char *at = line->text + line->used;
	size_t room = sizeof(line->text) - line->used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(at, room, format, args);
	va_end(args);
	line->argv[line->count++] = at;
	line->used += (size_t)n < room ? (size_t)n + 1 : room;
	line->argv[line->count] = NULL;
}

/* Only the layer raw has the probe restrict itself. */
static const char *restriction(const struct trial *trial)
{
	if (trial->layer != CONF_RAW || trial->run == CONF_CONTROL ||
	    trial->off >> trial->c->mechanism & 1)
		return "none";
	return trial->run == CONF_ALLOWED ? "granted" : "denied";
}

static void name_command(const struct trial *trial, const struct fixture *f,
			 struct command_line *line)
{
	if (trial->layer == CONF_LAUNCHER && trial->run != CONF_CONTROL)
		for (size_t i = 0; trial->launcher[i] && i < CONF_LAUNCHER_MAX; i++)
			line->argv[line->count++] = trial->launcher[i];
	add(line, "%s", f->probe);
	add(line, "nonce=%s", f->nonce);
	add(line, "report=%s", f->report_file);
	add(line, "act=%s", probe_act_name(trial->c->act));
	add(line, "arg=%llu", (unsigned long long)trial->c->arg);
	if (trial->layer == CONF_RAW)
		add(line, "setup=%s", probe_setup_name(trial->c->raw.setup));
	add(line, "setup_arg=%llu", (unsigned long long)trial->c->raw.arg);
	add(line, "restrict=%s", restriction(trial));
	add(line, "in=%s", f->in);
	add(line, "out=%s", f->out);
	add(line, "tcp=%u", f->tcp);
	add(line, "udp=%u", f->udp);
	add(line, "socket=%s", f->socket);
	add(line, "abstract=%s", f->abstract);
	add(line, "victim=%d", (int)f->victim);
	if (f->shared_memory >= 0)
		add(line, "shared_memory=%d", f->shared_memory);
}

/* --- the policy --------------------------------------------------------------------------------
 */

static int add_placeholder(const struct fixture *f, const char **at, struct buf *out)
{
	const struct {
		const char *name, *text;
		unsigned number;
	} known[] = {
		{"$OUT", f->out, 0},
		{"$SOCKET", f->socket, 0},
		{"$TCP", NULL, f->tcp},
		{"$UDP", NULL, f->udp},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t len = strlen(known[i].name);

		if (strncmp(*at, known[i].name, len) != 0)
			continue;
		*at += len;
		return known[i].text ? buf_add_str(out, known[i].text)
				     : buf_addf(out, "%u", known[i].number);
	}
	return buf_add_char(out, *(*at)++);
}

static int add_part(const struct fixture *f, const char *part, struct buf *out)
{
	int rc = buf_add_str(out, ", ");

	while (rc == 0 && *part)
		rc = *part == '$' ? add_placeholder(f, &part, out) : buf_add_char(out, *part++);
	return rc;
}

/* Some promises need two mechanisms: what is not off does without the other. */
static int add_strictness(unsigned off, struct buf *out)
{
	const char *between = ", \"strictness\": {";
	int rc = 0;

	if (!off)
		return 0;
	for (int i = 0; rc == 0 && i < SANDBOX_MECHS; i++) {
		rc = buf_addf(out, "%s\"%s\": \"%s\"", between, sandbox_mechanism_name(i),
			      off >> i & 1 ? "off" : "warn");
		between = ", ";
	}
	return rc == 0 ? buf_add_char(out, '}') : rc;
}

/* The mechanisms that are left out of a run. */
static unsigned left_out(const struct trial *trial)
{
	const struct conf_case *c = trial->c;
	const bool all =
		trial->run == CONF_ABLATED || (trial->run == CONF_ALLOWED && !c->policy.grant);

	return trial->off | c->policy.without | (all ? conf_case_held(c, CONF_POLICY) : 0);
}

/* The default policy, with a grant or without a mechanism. Without a user namespace the number of
 * processes is that of all that the user runs on this host, which others change: where the case is
 * not about limits, it is not what keeps the probe from a fork. */
static int write_policy(const struct trial *trial, const struct fixture *f, struct buf *out,
			struct error *err)
{
	const struct conf_policy *policy = &trial->c->policy;
	const char *part =
		trial->run == CONF_ALLOWED && policy->grant ? policy->grant : policy->asks;
	int rc = buf_add_str(out, "{\"version\": 1");

	if (rc == 0 && part)
		rc = add_part(f, part, out);
	if (rc == 0 && (!part || !strstr(part, "\"limits\"")))
		rc = buf_add_str(out, ", \"limits\": {\"processes\": null}");
	if (rc == 0)
		rc = add_strictness(left_out(trial), out);
	if (rc == 0)
		rc = buf_add_char(out, '}');
	return rc < 0 ? error_no_memory(err) : 0;
}

/* What stands in for a mechanism that this host lacks is not what the case is about. */
static int check_layer(const struct trial *trial, const struct sandbox_plan *plan,
		       struct error *err)
{
	const enum sandbox_mechanism which = trial->c->mechanism;
	const struct sandbox_layer *layer;
	struct sandbox_layers layers;

	if (!trial->c->policy.alone || left_out(trial) >> which & 1)
		return 0;
	sandbox_plan_layers(plan, &layers);
	layer = &layers.layer[which];
	if (layer->state == SANDBOX_STATE_ENFORCED)
		return 0;
	return error_set(err, ERR_UNSUPPORTED, "%s: %s", sandbox_mechanism_name(which), layer->why);
}

/* For want of memory the kernel kills all of a group of v2, the probe's supervisor, too. */
static int start(const struct trial *trial, const struct fixture *f, const char *const *argv,
		 struct trial_told *told, struct error *err)
{
	const struct sandbox_start how = {.argv = argv, .cwd = f->in, .dedicated = true};
	struct sandbox_policy *policy = NULL;
	struct sandbox_plan *plan = NULL;
	struct sandbox_child *child = NULL;
	struct sandbox_result result = {.end = SANDBOX_END_UNKNOWN};
	cleanup_buf struct buf text = BUF_INIT;
	int rc = write_policy(trial, f, &text, err);

	if (rc == 0)
		rc = sandbox_policy_parse(text.data, text.len, "the policy of the case", NULL,
					  &policy, err);
	if (rc == 0)
		rc = sandbox_plan_new(policy, SANDBOX_PLAN_START, NULL, NULL, &plan, err);
	if (rc == 0)
		rc = check_layer(trial, plan, err);
	if (rc == 0)
		rc = sandbox_start(plan, &how, &child, err);
	if (rc == 0)
		rc = sandbox_wait(child, &result, err);
	if (result.end == SANDBOX_END_MEMORY)
		told->signal = SIGKILL;
	sandbox_child_free(child);
	sandbox_plan_free(plan);
	sandbox_policy_free(policy);
	return rc;
}

/* --- what is around it -------------------------------------------------------------------------
 */

/* Makes it known by a number, which the program that is executed has, too. */
static int plant(int fd, int number)
{
	return fd < 0 || dup2(fd, number) < 0 ? -1 : 0;
}

/* The numbers may be taken, by one another: all of them are moved out of the way first. */
static int plant_all(const struct fixture *f)
{
	int secret = fcntl(f->secret_fd, F_DUPFD_CLOEXEC, PROBE_SOCKET_FD + 1);
	int directory = fcntl(f->out_fd, F_DUPFD_CLOEXEC, PROBE_SOCKET_FD + 1);
	int connected = fcntl(f->connected_fd, F_DUPFD_CLOEXEC, PROBE_SOCKET_FD + 1);

	if (plant(secret, PROBE_FD) < 0 || plant(directory, PROBE_DIRECTORY_FD) < 0 ||
	    plant(connected, PROBE_SOCKET_FD) < 0 || lseek(PROBE_FD, 0, SEEK_SET) < 0)
		return -1;
	return setenv(PROBE_VARIABLE, f->secret, 1) < 0
		       ? -1
		       : setenv(PROBE_LOADER_VARIABLE, f->secret, 1);
}

/* A queue of POSIX has a name for as long as its namespace is there: so that none is left by who is
 * killed, it is in one of this process. Who may make none does not find a queue, sandbox or not. */
static void make_queue(const struct fixture *f)
{
	struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = PROBE_TEXT_SIZE - 1};
	cleanup_close int fd = -1;

	if (unshare(CLONE_NEWIPC) < 0)
		return;
	fd = (int)syscall(SYS_mq_open, f->nonce, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600,
			  &attr);
	syscall(SYS_mq_timedsend, fd, f->secret, strlen(f->secret), 0, NULL);
}

/* A session of its own, with the terminal; the secrets are planted. -errno. */
static int settle(const struct fixture *f, int output)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (setsid() < 0 || ioctl(f->terminals_end, TIOCSCTTY, 0) < 0)
		return -errno;
	if (null < 0 || dup2(f->terminals_end, 0) < 0 || dup2(output, 1) < 0 || dup2(null, 2) < 0)
		return -errno;
	return chdir(f->in) < 0 || plant_all(f) < 0 ? -errno : 0;
}

void trial_inside(const struct trial *trial, const struct fixture *f, int output,
		  struct trial_told *told)
{
	struct command_line line = {.count = 0};
	struct error err = {0};
	int r;

	fixture_live_with(f->maker);
	r = settle(f, output);
	signal(SIGPIPE, SIG_DFL); /* the suite ignores it */
	/* Why a launcher does not run the probe it says there. */
	if (r == 0 && trial->layer == CONF_LAUNCHER && trial->c->act == ACT_nothing &&
	    dup2(output, 2) < 0)
		r = -errno;
	if (r < 0)
		give_up(told, ERR_INVALID, strerror(-r));
	if (trial->layer != CONF_RAW && trial->c->act == ACT_read_queue)
		make_queue(f);
	name_command(trial, f, &line);
	if (trial->layer == CONF_POLICY && trial->run != CONF_CONTROL) {
		int rc = start(trial, f, line.argv, told, &err);

		if (rc < 0)
			give_up(told, rc, err.text);
		_exit(0);
	}
	execvp(line.argv[0], (char *const *)line.argv);
	error_sys(&err, errno, "cannot execute %s", line.argv[0]);
	give_up(told, ERR_SYSTEM, err.text);
}
