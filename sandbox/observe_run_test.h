/* What tests of observed programs share: runs with an observer and without, what was told: what was
 * denied, or what was used. */
#ifndef SANDTAPE_SANDBOX_OBSERVE_RUN_TEST_H
#define SANDTAPE_SANDBOX_OBSERVE_RUN_TEST_H

#include "sandbox/observe.h"

struct seen {
	enum sandbox_seen what;
	pid_t pid;
	int number, error, signal, code;
	bool filtered;
	enum sandbox_outside outside;
	uint64_t limit;
	uint64_t args[6];
	char path[256], path2[256];
	char last[256]; /* of what interprets it */
	size_t levels;
	struct sockaddr_storage address;
};

#define OBSERVE_SEEN_MAX 4096

struct all_seen {
	size_t count;
	struct seen item[OBSERVE_SEEN_MAX];
};

/* What observe_see() was called with, since the last run began. */
extern struct all_seen observe_all;
void observe_see(void *ctx, const struct sandbox_observation *o);

/* A call; `path` may be NULL. NULL: it was not told. */
const struct seen *observe_find(long number, int error, const char *path);
const struct seen *observe_find_signal(int signal);
/* All of it, for whoever reads a failure. */
const char *observe_list(void);

/* What is used. */
struct used {
	int group, number;
	enum observed_need need;
	unsigned flags, port;
	char path[256], path2[256];
	struct sockaddr_storage address;
	socklen_t address_len;
	int socket_type;
	long fd;
	int resource;
	uint64_t limit;
};

#define OBSERVE_USED_MAX 4096

struct all_used {
	size_t count;
	unsigned most_tasks;
	struct used item[OBSERVE_USED_MAX];
};

/* Since the last observe_run_uses() began. */
extern struct all_used observe_used;
/* `path` may be NULL, which is any; those of groups are left out. NULL: it was not told. */
const struct used *observe_find_used(enum observed_need need, const char *path);
size_t observe_count_group(int group);
const char *observe_list_used(void);

struct observed_run {
	int rc;
	int status; /* of the runner: the program's exit status, or 100 and its signal */
	char out[4096];
	struct error err;
};

/* Whether the runner is one that kills all that the program has left; at first it is. */
extern bool observe_dedicated;

/* What `sh -c` does under the policy of started_test.h: without an observer; with one, which fails
 * the test when something is left; the same, and it must go well. */
void observe_plainly(const char *script, struct observed_run *run);
void observe_try(const char *script, struct observed_run *run);
void observe_run(const char *script, struct observed_run *run);
/* What it uses; the policy is to refuse nothing. */
void observe_run_uses(const char *script, struct observed_run *run);

/* The program of fixtures/, as the workspace has it under another name. */
void observe_copy_fixture(const char *name, const char *as);

/* Whoever runs the tests; and, when that is root, an ordinary user. */
enum { OBSERVE_USERS = 2 };
void observe_become(int which);

#endif
