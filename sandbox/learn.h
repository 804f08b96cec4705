/*
 * From what an observed program uses to the least policy under which it does the same.
 *
 * What the default policy grants needs nothing. Of the rest files are joined to directories where
 * several of one were used, but never to one that gives away more than was meant: HOME, a place
 * where the workspace or a secret is in, places of the system for writing.
 */
#ifndef SANDTAPE_SANDBOX_LEARN_H
#define SANDTAPE_SANDBOX_LEARN_H

#include "sandbox/observe.h"
#include "sandbox/policy.h"
#include <sys/resource.h>

/* --- learn_join.c: from used paths to roots ----------------------------------------------------
 */

enum learn_access {
	LEARN_READ = 1,
	LEARN_WRITE = 2,
	LEARN_EXEC = 4,
	LEARN_LIST = 8,	  /* it is a directory */
	LEARN_MAKE = 16,  /* names in this directory were made or removed */
	LEARN_ENTER = 32, /* nothing but a working directory */
	LEARN_USED = 63,

	LEARN_MADE = 64,       /* the program has made it */
	LEARN_SECRET = 128,    /* the policy denies it by name */
	LEARN_WRITTEN = 256,   /* its size counts */
	LEARN_BOUND = 512,     /* a unix socket of the program's own */
	LEARN_SOCKET = 1024,   /* one of somebody else */
	LEARN_NAMED = 2048,    /* it is not joined to others */
	LEARN_NEW = 4096,      /* its name was made where its directory is not granted */
	LEARN_APART = 8192,    /* it was moved or linked to where it cannot be under the policy */
	LEARN_LINKED = 16384,  /* it got a name in another directory */
	LEARN_WHITEOUT = 32768 /* a whiteout was left there */
};

struct learn_path {
	const char *path;
	unsigned access;
};

struct learn_root {
	char *path;
	enum sandbox_root kind; /* SANDBOX_ROOT_READ, _EXEC, _WRITE */
	size_t uses;		/* paths that it stands for */
	bool is_dir;
	bool named;
	bool is_new;  /* it need not be there */
	bool refused; /* too much to be granted */
};

struct learn_roots {
	struct learn_root *item;
	size_t count;
};

/* `base` has the places, and the roots that are denied. */
int learn_join(const struct sandbox_policy *base, const struct learn_path *used, size_t count,
	       struct learn_roots *ret, struct error *err);
void learn_roots_free(struct learn_roots *roots);
/* Whether all in the directory may be granted. */
bool learn_may_grant(const struct sandbox_policy *base, const char *dir, enum sandbox_root kind);
/* In a /tmp: the program will have another one, with mounts of what the policy grants in it. */
bool learn_is_hidden(const char *path);
const struct policy_root *learn_denies(const struct sandbox_policy *base, const char *path);

/* --- learn_net.c -------------------------------------------------------------------------------
 */

enum learn_ports {
	LEARN_BIND,	     /* asked for */
	LEARN_GOT,	     /* that binding has led to */
	LEARN_CONNECT,	     /* on other hosts */
	LEARN_CONNECT_LOCAL, /* on the loopback */
	LEARN_PORTS
};

struct learn_net {
	bool inet;     /* there was a socket, or one that asks for networks */
	bool any_port; /* TCP was bound to a port that the system chose */
	uint8_t tcp[LEARN_PORTS][65536 / 8];
	uint8_t udp[LEARN_PORTS][65536 / 8];
};

void learn_net_see(struct learn_net *net, const struct observe_use *use);
enum sandbox_net learn_net_mode(const struct learn_net *net);
bool learn_net_has(const struct learn_net *net, enum sandbox_port kind, unsigned port);

/* --- learn.c: collecting -----------------------------------------------------------------------
 */

#define LEARN_PATHS_MAX 65536

struct learn {
	const struct sandbox_policy *base;
	struct sandbox_paths *paths;
	bool with_secrets;
	struct timespec began;
	struct arena texts;
	struct learn_path *path; /* LEARN_PATHS_MAX */
	size_t count;
	uint32_t *slot; /* 1 + an index, at its hash or behind */
	uint64_t *recent;
	uint64_t more;	     /* paths that there was no room for */
	unsigned operations; /* that were used of the workspace */
	bool moved_out;	     /* something of the workspace, to what grants all operations */
	uint64_t groups;     /* a bit for each that was let go */
	bool processes;
	bool any_abstract; /* unix sockets without a file, of others */
	bool any_queue;	   /* of messages, of POSIX */
	long most_fds;
	uint64_t raised[SANDBOX_LIMITS]; /* that processes have set for themselves; 0: none */
	struct learn_net net;
	struct error failure; /* the first one */
};

/* `base` is the default policy, and lives longer. `with_secrets`: what it denies by name is granted
 * when it was used. */
int learn_new(const struct sandbox_policy *base, bool with_secrets, struct learn **ret,
	      struct error *err);
void learn_free(struct learn *l);
/* `ctx` is the struct learn. */
void learn_see(void *ctx, const struct observe_use *use);

/* --- learn_write.c ------------------------------------------------------------------------------
 */

struct learn_end {
	struct rusage usage;
	unsigned most_tasks;
	bool with_env; /* the variables of `base` are not the default ones */
};

/* The policy as JSON, with comments. `say` is told what the program has used and is not granted. */
int learn_write(const struct learn *l, const struct learn_end *end, struct buf *out,
		sandbox_say say, void *say_ctx, struct error *err);

#endif
