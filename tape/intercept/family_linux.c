/* The processes below us, as /proc has them (proc(5): stat, task/<tid>/children). */
#include "tape/intercept/server.h"

#include "base/cleanup.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* State and parent of a process or thread: 'X' and 0 when it is gone. */
static char read_stat(const char *path, pid_t *ret_parent)
{
	char stat[512];
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
	const char *paren;
	char state = 'X';
	int parent = 0;

	if (n > 0) {
		stat[n] = '\0';
		paren = strrchr(stat, ')'); /* the name before it may hold anything */
		if (paren)
			sscanf(paren + 1, " %c %d", &state, &parent);
	}
	*ret_parent = parent;
	return state;
}

static char state_of(pid_t pid, pid_t *ret_parent)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	return read_stat(path, ret_parent);
}

pid_t family_parent(pid_t pid)
{
	pid_t parent;

	state_of(pid, &parent);
	return parent;
}

bool family_is_below(pid_t pid, pid_t ancestor)
{
	while (pid > 1) {
		if (pid == ancestor)
			return true;
		pid = family_parent(pid);
	}
	return false;
}

static void visit_children(pid_t pid, pid_t tid, family_visit visit, void *ctx);

static void visit_threads(pid_t pid, family_visit visit, void *ctx)
{
	char path[64];
	const struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (tid > 0)
			visit_children(pid, tid, visit, ctx);
	}
	if (dir)
		closedir(dir);
}

/* A line of numbers. */
static void visit_children(pid_t pid, pid_t tid, family_visit visit, void *ctx)
{
	char path[96];
	cleanup_fclose FILE *file = NULL;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)tid);
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &child) == 1) {
		if (visit(ctx, child))
			visit_threads(child, visit, ctx);
	}
}

void family_each(family_visit visit, void *ctx)
{
	visit_threads(getpid(), visit, ctx);
}

static bool is_alive(pid_t pid)
{
	pid_t parent;
	char state = state_of(pid, &parent);

	return state != 'X' && state != 'Z';
}

static bool count_one(void *ctx, pid_t pid)
{
	size_t *count = ctx;

	*count += is_alive(pid);
	return true;
}

size_t server_left(const struct interceptor *t)
{
	size_t count = 0;

	(void)t;
	family_each(count_one, &count);
	return count;
}

struct subject_search {
	const struct server *server;
	bool found;
};

/* What stands for a unit, and what is let alone, is not the subject's, nor what is below. */
static bool is_of_subject(const struct server *s, pid_t pid)
{
	const struct peer *peer = peer_find(s, pid);

	return !peer || peer->process->role == ROLE_SUBJECT;
}

static bool look_for_fork(void *ctx, pid_t pid)
{
	struct subject_search *search = ctx;
	const struct peer *peer = peer_find(search->server, pid);

	if (!is_of_subject(search->server, pid))
		return false;
	search->found |= is_alive(pid) && !(peer && peer->process->in_place);
	return true;
}

bool server_any_fork(struct interceptor *t)
{
	struct subject_search search = {server_of(t), false};

	family_each(look_for_fork, &search);
	return search.found;
}

static bool threads_are_idle(pid_t pid)
{
	char path[96];
	const struct dirent *entry;
	bool idle = true;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		pid_t parent;
		char state;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid,
			 atoi(entry->d_name));
		state = read_stat(path, &parent);
		idle &= state == 'S' || state == 'X' || state == 'Z';
	}
	if (dir)
		closedir(dir);
	return idle;
}

static bool look_for_work(void *ctx, pid_t pid)
{
	struct subject_search *search = ctx;

	if (search->found || !is_of_subject(search->server, pid))
		return false;
	search->found = !threads_are_idle(pid);
	return true;
}

/* Who sleeps until it is told how an exec went is at work; and what a shim was told to do, its
 * parent has not seen before the shim is over. */
static bool waits_for_us(const struct server *s, pid_t pid)
{
	const struct conn *c = s->conns;

	while (c && !(c->waits && c->pid == pid))
		c = c->next;
	return c || s->leaving || s->ends;
}

/* A shim that was told to end may wait for a processor, and its parent for that end. */
static bool any_leaves(const struct server *s)
{
	return s->ends || (s->leaving && intercept_runs(s->leaving->process->pid));
}

enum subject_rest server_rest(struct interceptor *t, pid_t of)
{
	struct subject_search search = {server_of(t), false};

	if (of)
		search.found = waits_for_us(search.server, of) || !threads_are_idle(of);
	else if (any_leaves(search.server))
		search.found = true;
	else
		family_each(look_for_work, &search);
	return search.found ? SUBJECT_WORKS : SUBJECT_SEEMS_TO_REST;
}

static bool kill_one(void *ctx, pid_t pid)
{
	(void)ctx;
	kill(pid, SIGKILL);
	return true;
}

/* What a killed process leaves becomes ours: again, until nothing is left. */
void server_end_all(struct interceptor *t)
{
	if (t->started.pid == 0 || t->keeping)
		return;
	do {
		family_each(kill_one, NULL);
	} while (waitpid(-1, NULL, __WALL) > 0);
}
