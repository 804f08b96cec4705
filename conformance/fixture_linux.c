/* What a run finds around it, and what is left of it. */
#include "conformance/fixture.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/text.h"
#include "conformance/scratch.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a victim has to answer. */
#define VICTIM_TRIES	10000
#define VICTIM_PAUSE_US 500

/* --- files -------------------------------------------------------------------------------------
 */

static int write_file(const char *dir, const char *name, const char *text, int *ret_fd)
{
	char path[FIXTURE_PATH_SIZE + 64];
	size_t len = strlen(text);
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	if (write(fd, text, len) != (ssize_t)len) {
		close(fd);
		return -1;
	}
	if (ret_fd)
		*ret_fd = fd;
	else
		close(fd);
	return 0;
}

static int make_dir(const char *dir, const char *name)
{
	char path[FIXTURE_PATH_SIZE + 64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return mkdir(path, 0755);
}

/* Only root has one, see scratch_copy_helper(). */
static int link_helper(const struct fixture *f, const char *probe)
{
	char from[FIXTURE_PATH_SIZE + 64], to[FIXTURE_PATH_SIZE + 64];

	snprintf(from, sizeof(from), "%s" SCRATCH_HELPER, probe);
	snprintf(to, sizeof(to), "%s/helper", f->in);
	return link(from, to) < 0 && errno != ENOENT ? -1 : 0;
}

static int make_files(struct fixture *f, const char *probe)
{
	char path[FIXTURE_PATH_SIZE + 64];

	if (mkdir(f->dir, 0755) < 0 || mkdir(f->in, 0755) < 0 || mkdir(f->out, 0755) < 0 ||
	    make_dir(f->in, "dir") < 0 || make_dir(f->out, "empty") < 0 ||
	    make_dir(f->out, "dir") < 0 || make_dir(f->out, "other") < 0)
		return -1;
	if (write_file(f->in, "file", "inside\n", NULL) < 0 ||
	    write_file(f->out, "file", f->secret, &f->secret_fd) < 0 ||
	    write_file(f->out, "dir/inner", f->secret, NULL) < 0)
		return -1;
	f->out_fd = open(f->out, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/link", f->out);
	if (f->out_fd < 0 || symlink("file", path) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/fifo", f->out);
	if (mkfifo(path, 0644) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/program", f->out);
	if (link(probe, path) < 0 || link(probe, f->probe) < 0)
		return -1;
	return link_helper(f, probe);
}

static struct probe_report *map_report(const char *path)
{
	cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	void *at;

	if (fd < 0 || ftruncate(fd, sizeof(struct probe_report)) < 0)
		return NULL;
	at = mmap(NULL, sizeof(struct probe_report), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

/* --- sockets -----------------------------------------------------------------------------------
 */

static int serve_inet(int type, unsigned *ret_port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	const int queue = 5;
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	/* It answers a SYN with data as well; that is no failure where it cannot. */
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 8) < 0) ||
	    getsockname(fd, (struct sockaddr *)&at, &len) < 0) {
		close(fd);
		return -1;
	}
	*ret_port = ntohs(at.sin_port);
	return fd;
}

/* `name` without a slash has no file. */
static int serve_unix(const char *name, int type)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	size_t len = strlen(name), skip = name[0] != '/';

	if (fd < 0)
		return -1;
	if (skip + len >= sizeof(at.sun_path)) {
		close(fd);
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(at.sun_path + skip, name, len);
	if (bind(fd, (struct sockaddr *)&at,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + skip + len + !skip)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 8) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* One that has been connected before it is handed on. */
static int connect_inet(unsigned port)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_port = htons((uint16_t)port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int make_sockets(struct fixture *f)
{
	char datagrams[sizeof(f->abstract) + sizeof(PROBE_DATAGRAMS)];

	snprintf(datagrams, sizeof(datagrams), "%s" PROBE_DATAGRAMS, f->abstract);
	f->tcp_fd = serve_inet(SOCK_STREAM, &f->tcp);
	f->udp_fd = serve_inet(SOCK_DGRAM, &f->udp);
	f->socket_fd = serve_unix(f->socket, SOCK_STREAM);
	f->abstract_fd = serve_unix(f->abstract, SOCK_STREAM);
	f->datagrams_fd = serve_unix(datagrams, SOCK_DGRAM);
	f->connected_fd = connect_inet(f->udp);
	return f->tcp_fd < 0 || f->udp_fd < 0 || f->socket_fd < 0 || f->abstract_fd < 0 ||
			       f->datagrams_fd < 0 || f->connected_fd < 0
		       ? -1
		       : 0;
}

static bool has_come(int listener, bool connects)
{
	cleanup_close int fd = connects ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
	char byte;

	return recv(connects ? fd : listener, &byte, 1, MSG_DONTWAIT) == 1;
}

/* --- shared memory -----------------------------------------------------------------------------
 */

/* Nobody can forget to remove it: it is gone with this process. */
static void make_memory(struct fixture *f)
{
	char *at;

	f->shared_memory = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
	if (f->shared_memory < 0)
		return;
	at = shmat(f->shared_memory, NULL, 0);
	shmctl(f->shared_memory, IPC_RMID, NULL);
	if (at == (char *)-1) {
		f->shared_memory = -1;
		return;
	}
	f->attached = at;
	snprintf(at, 4096, "%s", f->secret);
}

/* --- the terminal ------------------------------------------------------------------------------
 */

static int make_terminal(struct fixture *f)
{
	char name[64];

	f->terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (f->terminal < 0 || grantpt(f->terminal) < 0 || unlockpt(f->terminal) < 0 ||
	    ptsname_r(f->terminal, name, sizeof(name)) != 0)
		return -1;
	f->terminals_end = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return f->terminals_end < 0 ? -1 : 0;
}

/* What was typed is echoed. */
static bool was_used(const struct fixture *f)
{
	struct winsize size = {0};
	struct pollfd output = {.fd = f->terminal, .events = POLLIN};

	return (ioctl(f->terminal, TIOCGWINSZ, &size) == 0 && size.ws_row) ||
	       (poll(&output, 1, 0) == 1 && output.revents & POLLIN);
}

/* --- the victim --------------------------------------------------------------------------------
 */

void fixture_live_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
}

/* The secret, as PROBE_FD. */
static bool keep_open(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, PROBE_FD + 1);

	return copy >= 0 && dup2(copy, PROBE_FD) == PROBE_FD;
}

static _Noreturn void be_victim(const struct fixture *f, const char *report, int ready)
{
	char nonce[64], at[FIXTURE_PATH_SIZE + 32];

	fixture_live_with(f->maker); /* an exec leaves it so */
	setsid();
	snprintf(nonce, sizeof(nonce), "nonce=%s", f->nonce);
	snprintf(at, sizeof(at), "report=%s", report);
	if (dup2(ready, 1) == 1 && keep_open(f->secret_fd) && chdir(f->out) == 0 &&
	    setenv(PROBE_VARIABLE, f->secret, 1) == 0)
		execl(f->probe, f->probe, "victim", nonce, at, NULL);
	_exit(127);
}

/* Comes back when it is ready. */
static int make_victim(struct fixture *f)
{
	char report[FIXTURE_PATH_SIZE + 16], byte;
	int ready[2];
	ssize_t n;

	snprintf(report, sizeof(report), "%s/victim", f->dir);
	f->victims = map_report(report);
	if (!f->victims || pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	f->victim = fork();
	if (f->victim == 0)
		be_victim(f, report, ready[1]);
	close(ready[1]);
	do {
		n = read(ready[0], &byte, 1);
	} while (n < 0 && errno == EINTR);
	close(ready[0]);
	return f->victim > 0 && n == 1 ? 0 : -1;
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static int random_hex(char ret[PROBE_NONCE_SIZE])
{
	unsigned char bytes[(PROBE_NONCE_SIZE - 1) / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -1;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static int name_all(struct fixture *f, const char *dir)
{
	*f = (struct fixture){.maker = getpid(),
			      .tcp_fd = -1,
			      .udp_fd = -1,
			      .socket_fd = -1,
			      .abstract_fd = -1,
			      .datagrams_fd = -1,
			      .terminal = -1,
			      .terminals_end = -1,
			      .shared_memory = -1,
			      .secret_fd = -1,
			      .out_fd = -1,
			      .connected_fd = -1};
	snprintf(f->dir, sizeof(f->dir), "%s", dir);
	snprintf(f->in, sizeof(f->in), "%s/in", f->dir);
	snprintf(f->out, sizeof(f->out), "%s/out", f->dir);
	snprintf(f->probe, sizeof(f->probe), "%s/in/probe", f->dir);
	snprintf(f->report_file, sizeof(f->report_file), "%s/in/report", f->dir);
	snprintf(f->socket, sizeof(f->socket), "%s/out/socket", f->dir);
	if (random_hex(f->nonce) < 0 || random_hex(f->secret) < 0)
		return -1;
	snprintf(f->abstract, sizeof(f->abstract), "sandtape-%s", f->nonce);
	return 0;
}

int fixture_make(struct fixture *f, const char *dir, const char *probe, struct error *err)
{
	const char *what = "name";
	int rc = name_all(f, dir);

	if (rc == 0) {
		what = "make files in";
		rc = make_files(f, probe);
	}
	if (rc == 0) {
		f->report = map_report(f->report_file);
		rc = f->report ? 0 : -1;
	}
	if (rc == 0) {
		what = "make sockets for";
		rc = make_sockets(f);
	}
	if (rc == 0) {
		make_memory(f);
		what = "make a terminal for";
		rc = make_terminal(f);
	}
	if (rc == 0) {
		what = "start a victim in";
		rc = make_victim(f);
	}
	if (rc == 0)
		return 0;
	error_sys(err, errno, "cannot %s %s", what, dir);
	fixture_clear(f);
	return ERR_SYSTEM;
}

static bool is_there(const struct fixture *f, const char *name)
{
	char path[FIXTURE_PATH_SIZE + 64];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", f->out, name);
	return lstat(path, &st) == 0;
}

/* Its bytes, its mode, its owner; or it is another file. */
static bool has_changed(const struct fixture *f)
{
	char now[2 * PROBE_NONCE_SIZE] = "", path[FIXTURE_PATH_SIZE + 64];
	struct stat was, is;

	snprintf(path, sizeof(path), "%s/file", f->out);
	if (fstat(f->secret_fd, &was) < 0 || pread(f->secret_fd, now, sizeof(now) - 1, 0) < 0)
		return true;
	return strcmp(now, f->secret) != 0 || (was.st_mode & 07777) != 0644 ||
	       was.st_uid != geteuid() || lstat(path, &is) < 0 || is.st_ino != was.st_ino;
}

/* Asks it, since a signal that was sent need not have come yet. One that is dead has got one. */
static bool was_signalled(const struct fixture *f)
{
	siginfo_t end = {.si_pid = 0};

	kill(f->victim, PROBE_ASKS);
	for (int i = 0; i < VICTIM_TRIES && f->victims->state != PROBE_DONE; i++) {
		if (waitid(P_PID, (id_t)f->victim, &end, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    end.si_pid)
			return true;
		usleep(VICTIM_PAUSE_US);
	}
	return f->victims->signalled || f->victims->state != PROBE_DONE;
}

/* By whatever name core_pattern has. */
static bool has_core(const struct fixture *f)
{
	char path[FIXTURE_PATH_SIZE + 64];
	cleanup_closedir DIR *dir = NULL;
	const struct dirent *entry;

	snprintf(path, sizeof(path), "%s/dir", f->in);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return true;
	return false;
}

static bool is_our_network(const struct fixture *f, const char *text)
{
	unsigned long long network;
	socklen_t size = sizeof(network);
	char ours[64];

	if (getsockopt(f->tcp_fd, SOL_SOCKET, SO_NETNS_COOKIE, &network, &size) < 0)
		return false;
	snprintf(ours, sizeof(ours), PROBE_NETWORK, network);
	return strcmp(text, ours) == 0;
}

bool fixture_has(struct fixture *f, enum probe_effect effect, const char *text)
{
	switch (effect) {
	case EFFECT_MADE:
		return is_there(f, "made");
	case EFFECT_GONE:
		return !is_there(f, "file") || !is_there(f, "empty");
	case EFFECT_CHANGED:
		return has_changed(f);
	case EFFECT_BYTE:
		return has_come(f->tcp_fd, true) || has_come(f->udp_fd, false) ||
		       has_come(f->socket_fd, true) || has_come(f->abstract_fd, true) ||
		       has_come(f->datagrams_fd, false);
	case EFFECT_SIGNAL:
		return was_signalled(f);
	case EFFECT_TTY:
		return was_used(f);
	case EFFECT_SECRET:
		return strstr(text, f->secret) != NULL;
	case EFFECT_CORE:
		return has_core(f);
	case EFFECT_PORT:
		return is_our_network(f, text);
	default:
		return false;
	}
}

void fixture_clear(struct fixture *f)
{
	int *const fds[] = {&f->tcp_fd,	      &f->udp_fd,      &f->socket_fd,	  &f->abstract_fd,
			    &f->datagrams_fd, &f->terminal,    &f->terminals_end, &f->secret_fd,
			    &f->out_fd,	      &f->connected_fd};

	if (f->victim > 0) {
		kill(f->victim, SIGKILL);
		while (waitpid(f->victim, NULL, 0) < 0 && errno == EINTR)
			;
	}
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		cleanup_close_fn(fds[i]);
	if (f->report)
		munmap(f->report, sizeof(*f->report));
	if (f->victims)
		munmap(f->victims, sizeof(*f->victims));
	if (f->attached)
		shmdt(f->attached);
	if (f->dir[0])
		fs_remove_all(f->dir, NULL);
	f->victim = 0;
	f->report = f->victims = NULL;
	f->attached = NULL;
	f->dir[0] = '\0';
}
