/*
 * The backends without ptrace. A private directory holds a socket, and what leads the subject's
 * commands to it: a library for LD_PRELOAD, or links for PATH. ARCHITECTURE.md, "Without ptrace",
 * tells the whole story.
 */
#include "tape/intercept/server.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/tmpdir.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIR_PREFIX "sandtape-shims-"

int server_watch(struct server *s, int fd, intercept_ready ready, void *ctx, void **ret_watch,
		 struct error *err)
{
	int r = loop_watch(&s->common.loop, fd, EPOLLIN, ready, ctx, ret_watch, err);

	s->own_watches += r == 0;
	return r;
}

void server_unwatch(struct server *s, void **watch)
{
	if (!*watch)
		return;
	loop_unwatch(&s->common.loop, *watch);
	s->own_watches--;
	*watch = NULL;
}

/* The private directory */

static int make_dir(struct server *s, struct error *err)
{
	const char *tmp = getenv("TMPDIR");

	/* A socket's path has 108 bytes (unix(7)), and LD_PRELOAD and PATH know no quotes. */
	if (!tmp || tmp[0] != '/' || strpbrk(tmp, ": \t\n") ||
	    strlen(tmp) + sizeof("/" DIR_PREFIX "XXXXXX/" WIRE_SOCKET) >
		    sizeof(((struct sockaddr_un *)0)->sun_path))
		tmp = "/tmp";
	tmpdir_sweep(tmp, DIR_PREFIX);
	return tmpdir_make(tmp, DIR_PREFIX, &s->dir, &s->lock, err);
}

static int add_link(const struct server *s, const char *name, const char *target, struct error *err)
{
	cleanup_free char *link = fs_join(s->dir, name);

	if (!link)
		return error_no_memory(err);
	if (symlink(target, link) < 0 && errno != EEXIST)
		return error_sys(err, errno, "cannot make the link %s", link);
	return 0;
}

static bool is_program(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, 0) == 0 && S_ISREG(st.st_mode) &&
	       faccessat(dirfd, name, X_OK, AT_EACCESS) == 0;
}

/* One more name of the link to the shim: on some file systems a new link takes a millisecond, and
 * PATH has thousands of programs. Where that cannot be, a link of its own. */
static int add_program(const struct server *s, const char *name, struct error *err)
{
	cleanup_free char *shim = fs_join(s->dir, WIRE_SHIM);
	cleanup_free char *at = fs_join(s->dir, name);

	if (!shim || !at)
		return error_no_memory(err);
	if (link(shim, at) == 0 || errno == EEXIST)
		return 0;
	return add_link(s, name, s->common.options.shim_path, err);
}

/* What is not a directory, or may not be read, holds nothing that a search would find. */
static int link_programs_of(const struct server *s, const char *dir, struct error *err)
{
	const struct dirent *entry;
	DIR *d = opendir(dir);
	int r = 0;

	while (d && r == 0 && (entry = readdir(d))) {
		char name[300];

		if (!is_program(dirfd(d), entry->d_name))
			continue;
		snprintf(name, sizeof(name), "%s/%s", WIRE_BIN, entry->d_name);
		r = add_program(s, name, err);
	}
	if (d)
		closedir(d);
	return r;
}

/* A directory that PATH names again, perhaps by another name (/bin and /usr/bin), adds nothing. */
static bool was_linked(struct buf *seen, const char *dir)
{
	struct stat st;
	struct file_id {
		dev_t dev;
		ino_t ino;
	} id;

	if (stat(dir, &st) < 0)
		return true;
	id = (struct file_id){st.st_dev, st.st_ino};
	for (size_t at = 0; at < seen->len; at += sizeof(id)) {
		struct file_id other;

		memcpy(&other, seen->data + at, sizeof(other));
		if (other.dev == id.dev && other.ino == id.ino)
			return true;
	}
	buf_add(seen, &id, sizeof(id)); /* without memory it is only looked at again */
	return false;
}

static int link_programs(const struct server *s, struct error *err)
{
	cleanup_buf struct buf seen = {0};
	cleanup_free char *bin = fs_join(s->dir, WIRE_BIN);
	cleanup_free char *path = strdup(start_path());
	const char *append = s->common.options.path_append;
	char *at = path;
	int r = 0;

	if (!bin || !path)
		return error_no_memory(err);
	if (mkdir(bin, 0700) < 0)
		return error_sys(err, errno, "cannot make the directory %s", bin);
	while (r == 0 && at) {
		const char *dir = strsep(&at, ":");

		if (!was_linked(&seen, dir[0] ? dir : "."))
			r = link_programs_of(s, dir[0] ? dir : ".", err);
	}
	return r < 0 || !append ? r : link_programs_of(s, append, err);
}

static int fill_dir(const struct server *s, struct error *err)
{
	const struct intercept_options *o = &s->common.options;
	int r = add_link(s, WIRE_SHIM, o->shim_path, err);

	if (r == 0 && o->backend == INTERCEPT_PRELOAD)
		r = add_link(s, WIRE_LIBRARY, o->library_path, err);
	if (r == 0 && o->backend == INTERCEPT_PATH)
		r = link_programs(s, err);
	return r;
}

static int listen_in_dir(struct server *s, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", s->dir, WIRE_SOCKET);
	s->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listen_fd < 0 ||
	    bind(s->listen_fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(s->listen_fd, SOMAXCONN) < 0)
		return error_sys(err, errno, "cannot listen at %s", address.sun_path);
	return server_watch(s, s->listen_fd, server_accept, s, &s->listen_watch, err);
}

/* Open for both, so that it has a writer as long as we live, and opening it waits for nobody. */
static int make_life(struct server *s, struct error *err)
{
	cleanup_free char *path = fs_join(s->dir, WIRE_LIFE);

	if (!path)
		return error_no_memory(err);
	if (mkfifo(path, 0600) < 0)
		return error_sys(err, errno, "cannot make the FIFO %s", path);
	s->life_fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	return s->life_fd < 0 ? error_sys(err, errno, "cannot open %s", path) : 0;
}

static int check_root(const struct interceptor *t, struct error *err)
{
	cleanup_free char *path = NULL;

	if (t->options.backend != INTERCEPT_PRELOAD)
		return 0;
	path = start_find(t->options.argv[0]);
	return path ? program_check_preload(path, err) : 0;
}

/* Whether this host lets us: told now, and not in the middle. */
static int server_prepare(struct interceptor *t, struct error *err)
{
	struct server *s = server_of(t);
	int r = check_root(t, err);

	s->listen_fd = s->life_fd = -1;
	if (r == 0)
		r = make_dir(s, err);
	if (r == 0)
		r = make_life(s, err);
	if (r == 0)
		r = fill_dir(s, err);
	if (r == 0)
		r = listen_in_dir(s, err);
	if (r < 0)
		return r;
	if (access("/proc/thread-self/children", R_OK) < 0)
		return error_set(
			err, ERR_UNSUPPORTED,
			"/proc is not mounted, or tells no children (CONFIG_PROC_CHILDREN): "
			"without it this backend cannot tell the processes of the subject");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return error_sys(err, errno, "cannot become the reaper of orphans");
	s->is_reaper = true;
	return 0;
}

static int server_start(struct interceptor *t, struct error *err)
{
	struct server *s = server_of(t);
	cleanup_free char *bin = fs_join(s->dir, WIRE_BIN);
	cleanup_free char *library = fs_join(s->dir, WIRE_LIBRARY);
	struct start_options options = {
		.argv = t->options.argv,
		.path_append = t->options.path_append,
		.path_prepend = t->options.backend == INTERCEPT_PATH ? bin : NULL,
		.preload = t->options.backend == INTERCEPT_PRELOAD ? library : NULL,
		.mask = &t->loop.old_mask,
		.sigpipe = &t->loop.old_sigpipe,
		.sigchld = &t->loop.old_sigchld,
		.nofile = &t->loop.old_nofile,
	};
	struct peer *root = NULL;
	int r;

	if (!bin || !library)
		return error_no_memory(err);
	r = start_subject(&options, &t->started, err);
	if (r == 0)
		r = peer_new(s, t->started.pid, -1, &root, err);
	if (r < 0 || !root)
		return r;
	t->root = root->process;
	t->root->in_place = true;
	return 0;
}

/* The subject has ended. */
static int root_ended(struct interceptor *t, int status, struct error *err)
{
	struct process *root = t->root;
	bool hold = false;

	t->root_ended = true;
	t->root_status = status;
	t->root = NULL;
	root->ended = true;
	return t->ops.ended(t->ctx, root, status, &hold, err);
}

/* The subject, and what it has left behind. */
static int reap(struct interceptor *t, struct error *err)
{
	pid_t pid;
	int status;
	int r = 0;

	while (r == 0 && (pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
		if (t->root && pid == t->root->pid)
			r = root_ended(t, status, err);
	}
	return r;
}

/* What was said before the subject ended has to be heard: what is ready now, and what that makes
 * ready. What is left behind may go on for ever. */
#define DRAIN_ROUNDS 256

static int drain(struct interceptor *t, struct error *err)
{
	struct epoll_event events[LOOP_EVENTS];
	int count = 1;
	int r = 0;

	for (unsigned i = 0; r == 0 && count > 0 && i < DRAIN_ROUNDS; i++) {
		r = loop_wait(&t->loop, 0, events, &count, err);
		if (r == 0 && count > 0)
			r = loop_serve(&t->loop, events, count, err);
	}
	return r;
}

static int server_serve(struct interceptor *t, struct error *err)
{
	bool had_ended = t->root_ended;
	struct epoll_event events[LOOP_EVENTS];
	int patience;
	int of_ends;
	bool is_ours;
	int count = 0;
	int r = t->ops.idle ? t->ops.idle(t->ctx, err) : 0;

	if (r == 0)
		r = ends_go_on(server_of(t), err);
	if (r < 0)
		return r;
	patience = interceptor_patience_us(t);
	of_ends = ends_patience_us(server_of(t));
	is_ours = of_ends >= 0 && (patience < 0 || of_ends < patience);
	r = loop_wait(&t->loop, is_ours ? of_ends : patience, events, &count, err);
	if (r == 0 && count <= 0 && !is_ours && patience >= 0 && t->ops.timeout)
		r = t->ops.timeout(t->ctx, err);
	if (r == 0 && count > 0)
		r = loop_serve(&t->loop, events, count, err);
	if (r == 0)
		r = reap(t, err);
	return r < 0 || had_ended || !t->root_ended ? r : drain(t, err);
}

/* What a program that does not load the library spawned, nobody has seen. */
static int server_check_end(struct interceptor *t, struct error *err)
{
	if (t->options.backend != INTERCEPT_PRELOAD || server_of(t)->said_hello)
		return 0;
	return error_set(err, ERR_UNSUPPORTED,
			 "%s did not load sandtape's library, so its commands were not seen: it "
			 "may be made for another C library (use --backend path, or ptrace)",
			 t->options.argv[0]);
}

static void server_close(struct interceptor *t)
{
	struct server *s = server_of(t);

	while (s->conns)
		conn_close(s->conns);
	while (s->peers)
		peer_free(s->peers);
	server_unwatch(s, &s->listen_watch);
	if (s->dir && s->listen_fd >= 0)
		close(s->listen_fd);
	if (s->dir && s->life_fd >= 0)
		close(s->life_fd);
	if (s->is_reaper)
		prctl(PR_SET_CHILD_SUBREAPER, 0);
	/* Links and a socket of our own: a failure leaves nothing but clutter. */
	if (s->dir)
		fs_remove_all(s->dir, NULL);
	if (s->dir)
		close(s->lock);
	free(s->dir);
}

static struct peer *peer_with(const struct interceptor *t, const struct process *p)
{
	struct peer *peer = server_of(t)->peers;

	while (peer->process != p)
		peer = peer->next;
	return peer;
}

static int server_release(struct interceptor *t, struct process *p, struct error *err)
{
	struct peer *peer = peer_with(t, p);

	p->held = false;
	return peer->conn ? ends_add(peer, err) : peer_left(peer, err);
}

static int server_reply(struct interceptor *t, struct process *p, long result, struct error *err)
{
	const struct wire_reply reply = {.kind = WIRE_RESULT, .number = result};
	const struct peer *peer = peer_with(t, p);

	return peer->conn ? conn_reply(peer->conn, &reply, NULL, 0, err) : 0;
}

/* The shim says where the stub would have it. NULL when it is not all in the room. */
static char *in_room(const struct peer *peer, unsigned long address, size_t len)
{
	unsigned long offset = address - STUB_ANSWER_ADDRESS;

	if (!peer->room || offset > sizeof(*peer->room) || len > sizeof(*peer->room) - offset)
		return NULL;
	return (char *)peer->room + offset;
}

static int server_read(struct interceptor *t, struct process *p, unsigned long address, void *into,
		       size_t len, struct error *err)
{
	const char *from = in_room(peer_with(t, p), address, len);

	if (!from)
		return error_set(err, ERR_SYSTEM, "process %d names no room of its own",
				 (int)p->pid);
	memcpy(into, from, len);
	return 0;
}

static int server_write(struct interceptor *t, struct process *p, unsigned long address,
			const void *from, size_t len, struct error *err)
{
	char *into = in_room(peer_with(t, p), address, len);

	if (!into)
		return error_set(err, ERR_SYSTEM, "process %d has no room for an answer",
				 (int)p->pid);
	memcpy(into, from, len);
	return 0;
}

static int server_block_signals(struct interceptor *t, struct process *p, uint64_t mask,
				struct error *err)
{
	(void)err;
	peer_with(t, p)->signal_mask = mask;
	return 0;
}

static int server_unit_fd(struct interceptor *t, struct process *p, int fd)
{
	const struct peer *peer = peer_with(t, p);
	int copy;

	if (fd > 2 || peer->unit_fd[fd] < 0)
		return -EBADF;
	copy = fcntl(peer->unit_fd[fd], F_DUPFD_CLOEXEC, 3);
	return copy < 0 ? -errno : copy;
}

static int make_pair(struct stream_swap *swap, int *ret_theirs, struct error *err)
{
	int pair[2];
	int r = swap->is_socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)
				: pipe2(pair, O_CLOEXEC);

	if (r < 0)
		return error_sys(err, errno, "cannot make a pipe");
	swap->ours = pair[0];
	*ret_theirs = pair[1];
	return 0;
}

static int server_swap(struct interceptor *t, struct process *p, struct task *task,
		       struct stream_swaps *swaps, struct error *err)
{
	struct peer *peer = peer_with(t, p);
	int r = 0;

	(void)task;
	swaps->observe = 0;
	for (unsigned i = 0; r == 0 && i < swaps->count && i < WIRE_PLACES; i++) {
		struct stream_swap *swap = &swaps->swap[i];

		peer->places.place[peer->places.place_count++] =
			(struct wire_place){swap->fd, swap->same_as};
		if (swap->same_as >= 0)
			continue;
		r = make_pair(swap, &peer->place_fd[peer->place_fd_count], err);
		peer->place_fd_count += r == 0;
	}
	return r < 0 ? r : swaps->done(swaps->ctx, err);
}

static int server_keep(struct interceptor *t, struct error *err)
{
	int r = 0;

	for (const struct peer *peer = server_of(t)->peers; r == 0 && peer;) {
		const struct peer *next = peer->next;

		if (peer->process->held)
			r = server_release(t, peer->process, err);
		peer = next;
	}
	return r;
}

/* Shims that wait for us in the end, streams that pass through us, and what may yet ask. */
static bool server_is_kept(const struct interceptor *t)
{
	const struct server *s = server_of(t);

	return s->conns || t->loop.watch_count > s->own_watches || server_left(t) > 0;
}

const struct intercept_backend intercept_server = {
	.size = sizeof(struct server),
	.prepare = server_prepare,
	.start = server_start,
	.serve = server_serve,
	.any_fork = server_any_fork,
	.check_end = server_check_end,
	.end_all = server_end_all,
	.close = server_close,
	.left = server_left,
	.rest = server_rest,
	.release = server_release,
	.reply = server_reply,
	.read = server_read,
	.write = server_write,
	.block_signals = server_block_signals,
	.keep = server_keep,
	.is_kept = server_is_kept,
	.unit_fd = server_unit_fd,
	.swap = server_swap,
};
