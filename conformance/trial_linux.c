/* Runs the probe once: starts it, reads what it says, and lets nothing of it live on. */
#include "conformance/trial.h"

#include "base/cleanup.h"
#include "base/monotonic.h"
#include "conformance/fixture.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* More is no probe: a launcher that floods is read, and forgotten. */
#define OUTPUT_SIZE 16384

/* What is written behind the end of the process that was started: by a launcher that has left. */
#define GRACE_DIVISOR 4

struct running {
	pid_t pid;
	int pidfd, output;
	char text[OUTPUT_SIZE];
	size_t len;
	bool open; /* somebody can write still */
};

/* --- reading -----------------------------------------------------------------------------------
 */

static void take_output(struct running *r)
{
	char more[4096];
	size_t room = sizeof(r->text) - 1 - r->len;
	ssize_t n = read(r->output, more, sizeof(more));

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		r->open = false;
	if (n <= 0)
		return;
	if ((size_t)n < room)
		room = (size_t)n;
	memcpy(r->text + r->len, more, room);
	r->len += room;
	r->text[r->len] = '\0';
}

static bool has_ended(const struct running *r, const char *nonce)
{
	char end[64];
	const char *line;

	snprintf(end, sizeof(end), "sandtape-probe %s ended ", nonce);
	line = strstr(r->text, end);
	return line && strchr(line, '\n');
}

/* So often somebody looks whether it is still wanted. */
static int pause_ms(uint64_t left_ns)
{
	return left_ns < UINT64_C(100000000) ? (int)(left_ns / 1000000 + 1) : 100;
}

/* Until all is said and the process is gone; whether there was the time for it. */
static bool follow(struct running *r, const char *nonce, const struct trial *trial)
{
	uint64_t end = monotonic_ns() + trial->timeout_ns;
	bool alive = true;

	while (alive || (r->open && !has_ended(r, nonce))) {
		struct pollfd fds[2] = {{r->open ? r->output : -1, POLLIN, 0},
					{alive ? r->pidfd : -1, POLLIN, 0}};
		uint64_t now = monotonic_ns();

		if (now >= end || *trial->stop)
			return !alive;
		if (poll(fds, 2, pause_ms(end - now)) < 0 && errno != EINTR)
			return false;
		if (fds[0].revents)
			take_output(r);
		if (fds[1].revents) {
			alive = false;
			end = monotonic_ns() + trial->timeout_ns / GRACE_DIVISOR;
		}
	}
	return true;
}

/* --- nothing lives on --------------------------------------------------------------------------
 */

/* Children of this process but the victim; orphans come to it. Whether there was one. */
static bool kill_children(pid_t but)
{
	cleanup_fclose FILE *list = NULL;
	char path[64];
	bool any = false;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	list = fopen(path, "re");
	while (list && fscanf(list, "%d", &pid) == 1)
		if (pid != but) {
			kill(pid, SIGKILL);
			any = true;
		}
	return any;
}

/* A group that forks faster than it is killed has an end: the limit of tries. */
static void clear_up(pid_t group, pid_t victim)
{
	for (int i = 0; i < 1000; i++) {
		pid_t pid;

		kill(-group, SIGKILL);
		if (!kill_children(victim))
			return;
		do {
			pid = waitpid(-1, NULL, WNOHANG);
		} while (pid > 0 && pid != victim);
		usleep(i < 10 ? 100 : 5000);
	}
}

/* --- one run -----------------------------------------------------------------------------------
 */

static int launch(const struct trial *trial, const struct fixture *f, struct trial_told *told,
		  struct running *ret, struct error *err)
{
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_sys(err, errno, "cannot make a pipe");
	ret->pid = fork();
	if (ret->pid == 0)
		trial_inside(trial, f, pipe_fds[1], told);
	close(pipe_fds[1]);
	if (ret->pid < 0) {
		close(pipe_fds[0]);
		return error_sys(err, errno, "cannot fork");
	}
	ret->output = pipe_fds[0];
	fcntl(ret->output, F_SETFL, O_NONBLOCK);
	ret->open = true;
	ret->pidfd = (int)syscall(SYS_pidfd_open, ret->pid, 0);
	return 0;
}

static void take_told(const struct trial_told *told, struct conf_seen *ret)
{
	trial_read_end(told->signal, ret);
	if (!told->code)
		return;
	snprintf(ret->why, sizeof(ret->why), "%s", told->why);
	ret->refused = told->code == ERR_UNSUPPORTED;
}

/* The first words of a launcher that has not run the probe. */
static void take_said(const struct trial *trial, const char *text, struct conf_seen *ret)
{
	const size_t blank = strspn(text, " \t\r\n");
	const size_t len = strcspn(text + blank, "\r\n");

	if (trial->layer == CONF_LAUNCHER && !ret->nonce && !ret->why[0] && len > 0)
		snprintf(ret->why, sizeof(ret->why), "it says: %.*s", (int)len, text + blank);
}

static int observe(const struct trial *trial, struct fixture *f, struct trial_told *told,
		   struct conf_seen *ret, struct error *err)
{
	struct running running = {.pidfd = -1, .output = -1};
	char text[PROBE_TEXT_SIZE];
	int rc = launch(trial, f, told, &running, err);

	if (rc < 0)
		return rc;
	ret->ran = true;
	ret->timed_out = !follow(&running, f->nonce, trial);
	clear_up(running.pid, f->victim);
	trial_read(running.text, f->nonce, f->report, ret, text);
	take_told(told, ret);
	take_said(trial, running.text, ret);
	ret->effect = fixture_has(f, conf_act_effect(trial->c->act), text);
	close(running.output);
	cleanup_close_fn(&running.pidfd);
	return 0;
}

int trial_run(const struct trial *trial, struct conf_seen *ret, struct error *err)
{
	struct fixture f;
	struct trial_told *told;
	int rc;

	*ret = (struct conf_seen){.ran = false};
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED)
		return error_no_memory(err);
	rc = fixture_make(&f, trial->dir, trial->probe, err);
	if (rc == 0) {
		rc = observe(trial, &f, told, ret, err);
		fixture_clear(&f);
	}
	munmap(told, sizeof(*told));
	return rc;
}
