/* sandtape-probe KEY=VALUE...: the supervisor and the actor, or the victim of others. */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

char probe_victims_secret[PROBE_TEXT_SIZE];

/* --- for the acts ------------------------------------------------------------------------------
 */

long probe_call(long number, long a, long b, long c, long d, long e, long f)
{
	long result = syscall(number, a, b, c, d, e, f);

	return result == -1 ? -errno : result;
}

void probe_stage(struct probe *p, const char *stage)
{
	snprintf(p->report->stage, sizeof(p->report->stage), "%s", stage);
}

void probe_unprepared(struct probe *p, const char *stage, long result)
{
	probe_stage(p, stage);
	p->report->error = (int32_t)-result;
	p->report->state = PROBE_SET_UP_FAILED;
	_exit(0);
}

long probe_need(struct probe *p, const char *stage, long result)
{
	if (result < 0)
		probe_unprepared(p, stage, result);
	return result;
}

const char *probe_path(const char *dir, const char *name, int which)
{
	static char paths[3][PATH_MAX];

	snprintf(paths[which], sizeof(paths[which]), "%s/%s", dir, name);
	return paths[which];
}

long probe_close(long fd)
{
	if (fd >= 0)
		close((int)fd);
	return fd < 0 ? fd : 0;
}

long probe_read_text(struct probe *p, long fd)
{
	long n;

	if (fd < 0)
		return fd;
	n = CALL3(SYS_read, fd, p->report->text, sizeof(p->report->text) - 1);
	close((int)fd);
	return n;
}

long probe_fork(void)
{
	return CALL5(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

long probe_wait(pid_t child)
{
	int status;
	long got;

	do {
		got = CALL4(SYS_wait4, child, &status, __WALL, 0);
	} while (got == -EINTR);
	if (got < 0)
		return got;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void probe_go_on_in_child(struct probe *p, void (*after)(struct probe *p))
{
	long child = probe_need(p, "fork", probe_fork()), end;

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return;
	}
	end = probe_wait((pid_t)child);
	if (after)
		after(p);
	if (end > 128)
		p->report->signal = (int32_t)(end - 128);
	_exit(0);
}

/* --- the actor ---------------------------------------------------------------------------------
 */

/* A core that is handed to a program is made for 0, too, but not for 1. */
static void dump_nothing(void)
{
	const struct rlimit no_core = {1, 1}, nothing = {0, 0};

	if (setrlimit(RLIMIT_CORE, &no_core) < 0)
		setrlimit(RLIMIT_CORE, &nothing);
}

static void set_up(struct probe *p)
{
	const struct probe_setup_row *setup = &probe_setups[p->setup];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (p->act != ACT_dump_core)
		dump_nothing();
	probe_stage(p, "prepare");
	if (setup->prepare)
		probe_need(p, p->report->stage, setup->prepare(p));
	probe_stage(p, probe_setup_name(p->setup));
	if (setup->restrict_it && strcmp(p->restricts, "none") != 0)
		probe_need(p, p->report->stage,
			   setup->restrict_it(p, strcmp(p->restricts, "granted") == 0));
}

static _Noreturn void be_actor(struct probe *p)
{
	set_up(p);
	p->report->state = PROBE_ACTING;
	p->report->result = probe_acts[p->act](p);
	p->report->state = PROBE_DONE;
	_exit(0);
}

/* --- the supervisor ----------------------------------------------------------------------------
 */

static void say(const char *line, int len)
{
	for (int at = 0; at < len;) {
		ssize_t n = write(1, line + at, (size_t)(len - at));

		if (n <= 0)
			return;
		at += (int)n;
	}
}

/* What was read may be any bytes. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			*text = '?';
}

static void tell(struct probe *p)
{
	struct probe_report r = *p->report;
	char line[1024];

	r.text[sizeof(r.text) - 1] = '\0';
	make_printable(r.text);
	make_printable(r.stage);
	say(line,
	    snprintf(line, sizeof(line),
		     "sandtape-probe %s ended %d %d %lld %d %d %d %d %d %u %s %s\n", p->nonce,
		     r.state, r.error, (long long)r.result, r.signal, r.caught, r.code, r.data,
		     r.call, r.arch, r.stage[0] ? r.stage : "-", r.text[0] ? r.text : "-"));
}

static int supervise(struct probe *p)
{
	char line[128];
	long actor;

	say(line, snprintf(line, sizeof(line), "sandtape-probe %s began\n", p->nonce));
	p->report->state = PROBE_BEGAN;
	actor = probe_fork();
	if (actor == 0)
		be_actor(p);
	if (actor < 0) {
		probe_stage(p, "fork");
		p->report->error = (int32_t)-actor;
		p->report->state = PROBE_SET_UP_FAILED;
	} else {
		long end = probe_wait((pid_t)actor);

		if (end > 128)
			p->report->signal = (int32_t)(end - 128);
	}
	tell(p);
	return 0;
}

/* --- the victim --------------------------------------------------------------------------------
 */

static struct probe_report *victims;

/* What was sent before the one that asks has been noted then: one is handled after the other, in
 * the order of their numbers. */
static void note_signal(int signal)
{
	if (signal == PROBE_ASKS)
		victims->state = PROBE_DONE;
	else
		victims->signalled = signal;
}

/* Lives until it is killed, or who made it is gone. */
static _Noreturn void be_victim(struct probe *p)
{
	const int noted[] = {SIGUSR1, SIGUSR2, SIGIO, SIGURG, SIGTERM, SIGHUP, PROBE_ASKS};
	struct sigaction action = {.sa_handler = note_signal};
	const char *secret = getenv(PROBE_VARIABLE);

	victims = p->report;
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	snprintf(probe_victims_secret, sizeof(probe_victims_secret), "%s", secret ? secret : "");
	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(noted) / sizeof(noted[0]); i++)
		sigaction(noted[i], &action, NULL);
	p->report->state = PROBE_ACTING;
	say("+", 1);
	close(1);
	for (;;)
		pause();
}

/* --- its command line --------------------------------------------------------------------------
 */

static int find_act(const char *name)
{
	for (int i = 0; i < ACTS; i++)
		if (strcmp(probe_act_name((enum probe_act)i), name) == 0)
			return i;
	return -1;
}

static int find_setup(const char *name)
{
	for (int i = 0; i < SETUPS; i++)
		if (strcmp(probe_setup_name((enum probe_setup)i), name) == 0)
			return i;
	return -1;
}

static bool take_text(struct probe *p, const char *key, size_t len, const char *value)
{
	const struct {
		const char *key, **to;
	} texts[] = {
		{"nonce", &p->nonce},
		{"report", &p->report_file},
		{"restrict", &p->restricts},
		{"in", &p->in},
		{"out", &p->out},
		{"socket", &p->socket},
		{"abstract", &p->abstract},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strlen(texts[i].key) == len && memcmp(key, texts[i].key, len) == 0) {
			*texts[i].to = value;
			return true;
		}
	return false;
}

static bool take_number(struct probe *p, const char *key, size_t len, const char *value)
{
	uint64_t number = strtoull(value, NULL, 0);

	if (len == 3 && memcmp(key, "arg", len) == 0)
		p->arg = number;
	else if (len == 9 && memcmp(key, "setup_arg", len) == 0)
		p->setup_arg = number;
	else if (len == 3 && memcmp(key, "tcp", len) == 0)
		p->tcp = (unsigned)number;
	else if (len == 3 && memcmp(key, "udp", len) == 0)
		p->udp = (unsigned)number;
	else if (len == 6 && memcmp(key, "victim", len) == 0)
		p->victim = (pid_t)number;
	else if (len == 13 && memcmp(key, "shared_memory", len) == 0)
		p->shared_memory = (int)number;
	else
		return false;
	return true;
}

static bool take(struct probe *p, const char *argument)
{
	const char *value = strchr(argument, '=');
	size_t len = value ? (size_t)(value - argument) : 0;
	int found;

	if (!value)
		return false;
	value++;
	if (len == 3 && memcmp(argument, "act", len) == 0) {
		found = find_act(value);
		p->act = (enum probe_act)found;
		return found >= 0;
	}
	if (len == 5 && memcmp(argument, "setup", len) == 0) {
		found = find_setup(value);
		p->setup = (enum probe_setup)found;
		return found >= 0;
	}
	return take_text(p, argument, len, value) || take_number(p, argument, len, value);
}

/* The file, where it is to be had; a page that the two processes share else. */
static struct probe_report *map_report(const struct probe *p)
{
	int fd = p->report_file ? open(p->report_file, O_RDWR | O_CLOEXEC) : -1;
	struct probe_report *report = MAP_FAILED;

	if (fd >= 0) {
		report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
	}
	if (report == MAP_FAILED)
		report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED)
		return NULL;
	snprintf(report->nonce, sizeof(report->nonce), "%s", p->nonce);
	return report;
}

int main(int argc, char **argv)
{
	struct probe p = {.argv = argv,
			  .nonce = "",
			  .restricts = "none",
			  .in = ".",
			  .out = ".",
			  .shared_memory = -1,
			  .disconnected = -1,
			  .queue = -1,
			  .semaphores = -1,
			  .names = -1};
	bool victim = argc > 1 && strcmp(argv[1], "victim") == 0;

	if (argc > 1 && strcmp(argv[1], "hello") == 0) /* it was executed */
		return 42;
	if (argc > 1 && strcmp(argv[1], "gains") == 0)
		return probe_gains();
	for (int i = 1 + victim; i < argc; i++)
		if (!take(&p, argv[i])) {
			fprintf(stderr, "sandtape-probe: cannot use %s\n", argv[i]);
			return 2;
		}
	if (!p.nonce[0]) {
		fprintf(stderr, "sandtape-probe: it is run by sandtape conformance\n");
		return 2;
	}
	p.report = map_report(&p);
	if (!p.report) {
		fprintf(stderr, "sandtape-probe: out of memory\n");
		return 2;
	}
	if (victim)
		be_victim(&p);
	return supervise(&p);
}
