/*
 * Policies: what a program may do, built by calls or read from JSON, and checks of paths against
 * them.
 *
 * A policy is one value with a member for every promise; the format is in sandtape-policy(5). Paths
 * in it are absolute. What is granted by several roots adds up, from the innermost root outwards,
 * as far as a workspace or a read-only or denied root: that cuts off what the roots around it
 * grant. So a level promises what it says of a workspace below /usr, too. Roots inside a workspace,
 * and others at the same place, grant what they grant besides it.
 *
 * Every function returns 0 or a negative ERR_* (sandtape/error.h) and describes the failure in
 * *err when err is not NULL; all can fail with ERR_NOMEM. On failure outputs and the policy are as
 * they were. Nothing here prints or exits. Inputs are borrowed for the call. Different policies may
 * be used by different threads; one that nobody changes, by many at once.
 */
#ifndef SANDTAPE_SANDBOX_SANDBOX_H
#define SANDTAPE_SANDBOX_SANDBOX_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SANDBOX_API __attribute__((visibility("default")))

struct sandbox_policy;

/* Side effects, each level with those of the ones before. A level sets members of a policy, all of
 * which can be set otherwise afterwards. */
enum sandbox_level {
	SANDBOX_LEVEL_NONE,	       /* the workspace is not to be seen, no new processes */
	SANDBOX_LEVEL_READ_ONLY,       /* the workspace can be read */
	SANDBOX_LEVEL_WORKSPACE_WRITE, /* and written */
	SANDBOX_LEVEL_PROCESS_EXEC,    /* and programs be started, those of the workspace, too */
	SANDBOX_LEVEL_NETWORK,	       /* and the network be used */
	SANDBOX_LEVELS
};

/* What can be done with the files of the workspace: bits. */
enum sandbox_operation {
	SANDBOX_OP_READ_TEXT = 1,  /* the content of files */
	SANDBOX_OP_LIST = 2,	   /* the names in directories */
	SANDBOX_OP_EXISTS = 4,	   /* whether something is there, and what it is */
	SANDBOX_OP_WRITE_TEXT = 8, /* make and change files, make directories */
	SANDBOX_OP_DELETE = 16,	   /* remove and rename */
	SANDBOX_OP_EXEC = 32	   /* execute programs */
};

enum sandbox_root {
	SANDBOX_ROOT_WORKSPACE, /* what the policy's operations say; cuts off, too */
	SANDBOX_ROOT_READ_ONLY, /* read_text, list, exists; cuts off what is granted around it */
	SANDBOX_ROOT_READ,	/* read_text, list, exists, besides what is granted around it */
	SANDBOX_ROOT_WRITE,	/* all operations */
	SANDBOX_ROOT_EXEC,	/* read_text, list, exists, exec */
	SANDBOX_ROOT_DENY,	/* nothing; cuts off what is granted around it */
	SANDBOX_ROOTS
};

/* Sets of roots that need not be there. */
enum sandbox_preset {
	SANDBOX_PRESET_SYSTEM,	   /* programs, libraries, configuration; no shadow, no keys */
	SANDBOX_PRESET_DEV,	   /* the devices that programs need */
	SANDBOX_PRESET_TOOLCHAINS, /* configuration of git and of toolchains in HOME; no tokens */
	SANDBOX_PRESET_SECRETS,	   /* denies keys and tokens in HOME */
	SANDBOX_PRESETS
};

enum sandbox_tmp {
	SANDBOX_TMP_PRIVATE, /* an own /tmp and /dev/shm, where the host allows it, else TMPDIR */
	SANDBOX_TMP_SHARED,  /* those of the host, which can be read and written */
	SANDBOX_TMP_NONE,    /* none but what roots grant */
	SANDBOX_TMPS
};

enum sandbox_net {
	SANDBOX_NET_NONE,
	SANDBOX_NET_LOOPBACK, /* an own loopback, which others on this host cannot reach */
	SANDBOX_NET_TCP,      /* TCP to and on the ports of the policy, nothing else */
	SANDBOX_NET_FULL,
	SANDBOX_NETS
};

enum sandbox_port { SANDBOX_PORT_CONNECT, SANDBOX_PORT_BIND, SANDBOX_PORTS };

/* Groups of system calls. */
enum sandbox_syscalls {
	SANDBOX_SYSCALLS_PROCESSES,   /* new processes; new threads are none */
	SANDBOX_SYSCALLS_FOREIGN_ABI, /* calls by the ABI of other machines: 32 bit, x32 */
	SANDBOX_SYSCALLS_SOCKETS,     /* sockets other than unix, TCP and UDP */
	SANDBOX_SYSCALLS_TTY_INJECT,  /* TIOCSTI, TIOCLINUX */
	SANDBOX_SYSCALLS_NAMESPACES,  /* unshare, setns, the flags of clone */
	SANDBOX_SYSCALLS_MOUNT,	      /* the old and the new interface; chroot, pivot_root */
	SANDBOX_SYSCALLS_DEBUG,	      /* ptrace, process_vm_*, pidfd_getfd, kcmp,
					 prlimit of others */
	SANDBOX_SYSCALLS_IO_URING,
	SANDBOX_SYSCALLS_BPF,
	SANDBOX_SYSCALLS_PERF,
	SANDBOX_SYSCALLS_USERFAULTFD,
	SANDBOX_SYSCALLS_KEYRINGS,
	SANDBOX_SYSCALLS_IPC,	  /* System V IPC and POSIX message queues */
	SANDBOX_SYSCALLS_HANDLES, /* open_by_handle_at */
	SANDBOX_SYSCALLS_PERSONALITY,
	SANDBOX_SYSCALLS_MODULES,
	SANDBOX_SYSCALLS_KEXEC,
	SANDBOX_SYSCALLS_RAW_IO, /* iopl, ioperm, modify_ldt */
	SANDBOX_SYSCALLS_CLOCK,	 /* setting it */
	SANDBOX_SYSCALLS_ADMIN,	 /* reboot, swapon, quotas, host names, the kernel's log */
	SANDBOX_SYSCALLS_OBSOLETE,
	SANDBOX_SYSCALLS_SETID, /* making files set-user-ID */
	SANDBOX_SYSCALLS_COUNT
};

enum sandbox_action_kind {
	SANDBOX_ACTION_ALLOW,
	SANDBOX_ACTION_ERRNO, /* fails with `number` */
	SANDBOX_ACTION_KILL,  /* SIGSYS, which cannot be caught */
	SANDBOX_ACTION_TRAP,  /* SIGSYS, which can be; si_errno is 1 + the group */
	SANDBOX_ACTION_LOG,   /* allowed, and in the kernel's log */
	SANDBOX_ACTIONS
};

struct sandbox_action {
	enum sandbox_action_kind kind;
	int number; /* an errno with a name; 0 for all kinds but SANDBOX_ACTION_ERRNO */
};

#define SANDBOX_NO_LIMIT UINT64_MAX

enum sandbox_limit {
	SANDBOX_LIMIT_MEMORY_MB,    /* 2048 */
	SANDBOX_LIMIT_CPU_S,	    /* 300 */
	SANDBOX_LIMIT_PROCESSES,    /* 64, threads counted */
	SANDBOX_LIMIT_FILES,	    /* 1024 open ones in a process */
	SANDBOX_LIMIT_FILE_MB,	    /* 256, each */
	SANDBOX_LIMIT_CORE_MB,	    /* 0 */
	SANDBOX_LIMIT_WALL_MS,	    /* no limit */
	SANDBOX_LIMIT_OUTPUT_BYTES, /* no limit; of stdout and stderr, each */
	SANDBOX_LIMITS
};

enum sandbox_namespace {
	SANDBOX_NS_USER,
	SANDBOX_NS_MOUNT,
	SANDBOX_NS_PID,
	SANDBOX_NS_NET,
	SANDBOX_NS_IPC,
	SANDBOX_NS_UTS,
	SANDBOX_NS_COUNT
};

enum sandbox_use {
	SANDBOX_USE_AUTO, /* where the host allows it and the rest of the policy has a use for it */
	SANDBOX_USE_ON,	  /* always; a host that cannot is refused */
	SANDBOX_USE_OFF,
	SANDBOX_USES
};

enum sandbox_unix {
	SANDBOX_UNIX_NONE,   /* no unix sockets but pairs */
	SANDBOX_UNIX_INSIDE, /* those of the sandbox itself, and paths that the policy names */
	SANDBOX_UNIX_ALL,
	SANDBOX_UNIXES
};

enum sandbox_tty {
	SANDBOX_TTY_KEEP, /* the controlling terminal stays */
	SANDBOX_TTY_NONE, /* a session of its own */
	SANDBOX_TTYS
};

enum sandbox_mechanism {
	SANDBOX_MECH_SECCOMP,
	SANDBOX_MECH_LANDLOCK_FS,
	SANDBOX_MECH_LANDLOCK_NET,
	SANDBOX_MECH_LANDLOCK_SCOPE,
	SANDBOX_MECH_NAMESPACES,
	SANDBOX_MECH_CAPABILITIES,
	SANDBOX_MECH_NO_NEW_PRIVS,
	SANDBOX_MECH_RLIMITS,
	SANDBOX_MECH_CGROUP,
	SANDBOX_MECH_FDS,
	SANDBOX_MECH_ENV,
	SANDBOX_MECH_TTY,
	SANDBOX_MECH_PROC,
	SANDBOX_MECHS
};

/* What becomes of a promise that a host cannot keep. */
enum sandbox_strictness {
	SANDBOX_STRICT_ENFORCE, /* it is an error */
	SANDBOX_STRICT_WARN,	/* it is told */
	SANDBOX_STRICT_OFF,	/* the mechanism is not used */
	SANDBOX_STRICTNESSES
};

/* What $WORK, $HOME and $TMP at the beginning of a path stand for. NULL: the working directory,
 * $HOME or else the home of the user in /etc/passwd, and $TMPDIR or /tmp. Each is an absolute
 * path. */
struct sandbox_places {
	const char *work;
	const char *home;
	const char *tmp;
};

/*
 * A policy of a level with its defaults, but no roots at all. `places` may be NULL: each then has
 * its default. ERR_INVALID when one of them is not absolute or has a ".."; ERR_SYSTEM: the working
 * directory cannot be told; a home that nothing tells is no error until something refers to it.
 * Freed with sandbox_policy_free().
 */
SANDBOX_API int sandbox_policy_new(enum sandbox_level level, const struct sandbox_places *places,
				   struct sandbox_policy **ret, struct error *err);
SANDBOX_API void sandbox_policy_free(struct sandbox_policy *policy);

/*
 * Reads a policy from JSON. What it leaves out has the defaults: `{"version": 1}` is the default
 * policy of a workspace. Errors name file, line and key. ERR_FORMAT: it is no policy, or one that
 * contradicts itself; ERR_VERSION: of a version that is not known; ERR_LIMIT: longer than 4 MiB, or
 * with more than 4096 roots, or of anything else; ERR_SYSTEM: the file cannot be read; ERR_INVALID:
 * it is no regular file. The places are as above, and so are their errors. `name` is what errors
 * call a text.
 */
SANDBOX_API int sandbox_policy_load(const char *file, const struct sandbox_places *places,
				    struct sandbox_policy **ret, struct error *err);
SANDBOX_API int sandbox_policy_parse(const char *text, size_t len, const char *name,
				     const struct sandbox_places *places,
				     struct sandbox_policy **ret, struct error *err);

/*
 * All of the policy as JSON that reads back to the same policy, whatever the places are then;
 * unless it contradicts itself, see below. Roots of presets are named in it, and give way no more
 * when more is added to what was read. ERR_LIMIT: it would be longer than 4 MiB, and not be
 * read; ERR_INVALID: the name of a variable that is set is no UTF-8, which a key of JSON has to be.
 * The caller frees it.
 */
SANDBOX_API int sandbox_policy_json(const struct sandbox_policy *policy, char **ret_text,
				    struct error *err);

/* ERR_INVALID when the policy contradicts itself; the text names the key. Looks at nothing on this
 * host. A policy that was read has passed it. */
SANDBOX_API int sandbox_policy_check(const struct sandbox_policy *policy, struct error *err);

/*
 * The builder. ERR_INVALID for a value that is out of bounds, ERR_LIMIT for too many. What is added
 * twice is there once.
 *
 * A path is absolute or begins with $WORK, $HOME or $TMP, and has no "..", whose meaning depends on
 * links; any bytes may be in it. With `optional` it need not be there when the policy is used.
 */
SANDBOX_API int sandbox_policy_add_root(struct sandbox_policy *policy, enum sandbox_root kind,
					const char *path, bool optional, struct error *err);
/* In whatever order they are added, a root of a preset gives way to one that is added by name at
 * the same place, and what grants something gives way inside what is denied or read-only so. */
SANDBOX_API int sandbox_policy_add_preset(struct sandbox_policy *policy, enum sandbox_preset preset,
					  struct error *err);
/* Bits of enum sandbox_operation. */
SANDBOX_API int sandbox_policy_set_operations(struct sandbox_policy *policy, unsigned operations,
					      struct error *err);
SANDBOX_API int sandbox_policy_set_tmp(struct sandbox_policy *policy, enum sandbox_tmp tmp,
				       struct error *err);
SANDBOX_API int sandbox_policy_set_net(struct sandbox_policy *policy, enum sandbox_net net,
				       struct error *err);
/* Ports from 1 to 65535; to bind to, 0 is one that the system chooses. */
SANDBOX_API int sandbox_policy_add_port(struct sandbox_policy *policy, enum sandbox_port kind,
					unsigned port, struct error *err);
SANDBOX_API int sandbox_policy_set_syscalls(struct sandbox_policy *policy,
					    enum sandbox_syscalls group,
					    struct sandbox_action action, struct error *err);
/* In the unit of its name. What is set is asked for, be it the number of the default: where it
 * cannot be kept, there is no plan. */
SANDBOX_API int sandbox_policy_set_limit(struct sandbox_policy *policy, enum sandbox_limit limit,
					 uint64_t value, struct error *err);
/*
 * Variables: what a pattern of the kept ones matches stays, unless a removed one matches it, too;
 * but a kept one without "*" stays. Then those are set that are given a value. Names may have "*"
 * for any characters. LD_* is always removed: keeping or setting one is ERR_INVALID.
 */
SANDBOX_API int sandbox_policy_keep_env(struct sandbox_policy *policy, const char *name,
					struct error *err);
SANDBOX_API int sandbox_policy_remove_env(struct sandbox_policy *policy, const char *name,
					  struct error *err);
SANDBOX_API int sandbox_policy_set_env(struct sandbox_policy *policy, const char *name,
				       const char *value, struct error *err);
SANDBOX_API int sandbox_policy_set_namespace(struct sandbox_policy *policy,
					     enum sandbox_namespace which, enum sandbox_use use,
					     struct error *err);
SANDBOX_API int sandbox_policy_set_unix(struct sandbox_policy *policy, enum sandbox_unix sockets,
					struct error *err);
SANDBOX_API int sandbox_policy_add_unix_path(struct sandbox_policy *policy, const char *path,
					     bool optional, struct error *err);
SANDBOX_API int sandbox_policy_set_tty(struct sandbox_policy *policy, enum sandbox_tty tty,
				       struct error *err);
/* The number of a capability, of capabilities(7). */
SANDBOX_API int sandbox_policy_add_capability(struct sandbox_policy *policy, unsigned capability,
					      struct error *err);
/* A descriptor that stays open besides 0, 1 and 2. */
SANDBOX_API int sandbox_policy_add_fd(struct sandbox_policy *policy, int fd, struct error *err);
SANDBOX_API int sandbox_policy_set_strictness(struct sandbox_policy *policy,
					      enum sandbox_mechanism mechanism,
					      enum sandbox_strictness strictness,
					      struct error *err);
/* From enforce to warn; off stays. */
SANDBOX_API int sandbox_policy_relax(struct sandbox_policy *policy,
				     enum sandbox_mechanism mechanism, struct error *err);

/* --- Paths -------------------------------------------------------------------------------------
 *
 * For programs that guard their own use of files by a policy. Such a check is as good as the names:
 * what somebody renames between the check and the use, or what has a second name (a hard link)
 * inside a root, is not seen. What the kernel enforces on a program has no such gaps.
 */

enum sandbox_access {
	SANDBOX_ACCESS_READ,   /* the content of a file */
	SANDBOX_ACCESS_LIST,   /* the names in a directory */
	SANDBOX_ACCESS_EXISTS, /* whether it is there */
	SANDBOX_ACCESS_WRITE,  /* make or change it */
	SANDBOX_ACCESS_DELETE, /* remove it with all that is in it; a link itself, not what it names
				*/
	SANDBOX_ACCESS_EXEC,   /* execute it */
	SANDBOX_ACCESS_CWD,    /* work in this directory, which must be there */
	SANDBOX_ACCESSES
};

/* The roots of a policy as they are on this host. It does not refer to the policy any more. */
struct sandbox_paths;

/* Text for a human, without a last newline. */
typedef void (*sandbox_say)(void *ctx, const char *text);

/*
 * Resolves the links in the roots of the policy. A root that cannot be used is an error:
 * ERR_NOTFOUND: it is not there; ERR_INVALID: the policy itself lets programs change a link that
 * leads to it, or a link leads into what is denied or read-only; ERR_SYSTEM: it cannot be resolved
 * (too many links, a directory that cannot be searched); ERR_UNSUPPORTED: it goes through a link
 * like /proc/self/fd/3. But when the root is optional or the strictness of landlock-fs is less than
 * enforce it grants nothing, and `say` is told; not of optional ones that are not there. `say` may
 * be NULL.
 *
 * What is denied need not be there, and is denied by its name all the same; when it cannot be
 * looked for, this is told. It is denied also where its name leads later, when programs can make a
 * directory or change a link that it needs.
 *
 * SANDBOX_TMP_SHARED grants /tmp and /dev/shm here, too; a private /tmp is not the one that the
 * caller sees, so it grants nothing. Freed with sandbox_paths_free().
 */
SANDBOX_API int sandbox_paths_new(const struct sandbox_policy *policy, sandbox_say say,
				  void *say_ctx, struct sandbox_paths **ret, struct error *err);
SANDBOX_API void sandbox_paths_free(struct sandbox_paths *paths);

#define SANDBOX_PATH_SIZE 4096

struct sandbox_path {
	bool allowed;
	const char *root; /* that decided, as `paths` has it; NULL when none holds the path */
	char path[SANDBOX_PATH_SIZE]; /* absolute, and without links; of what is not there, as far
					 as it is, and then as it was written */
	char why[128];		      /* a phrase, without the path */
};

/*
 * Whether the policy lets `path` be used so. A path that is not absolute begins at `cwd`, which is
 * absolute; NULL: the working directory. Being refused is no error. ERR_INVALID: an empty path, a
 * `cwd` that is not absolute; ERR_SYSTEM: it cannot be resolved (too many links, too long, a
 * directory that cannot be searched); ERR_UNSUPPORTED: it goes through a link like /proc/self/fd/3,
 * whose text does not tell where it leads, or a denied name has come to do so. Thread-safe.
 */
SANDBOX_API int sandbox_paths_check(const struct sandbox_paths *paths, enum sandbox_access access,
				    const char *cwd, const char *path, struct sandbox_path *ret,
				    struct error *err);

/* --- Profiles of container engines ------------------------------------------------------------ */

/*
 * The default policy, as `{"version": 1}` has it, with what a seccomp profile says of system calls:
 * one as the runtime specification of OCI has it, or a file of Docker's or Podman's, or a
 * container's configuration with one in it. Its rules are taken as for this machine, its kernel,
 * and a program without capabilities.
 *
 * A group of calls of which the profile refuses one is refused, and so are io_uring and calls by
 * other ABIs; where the profile refuses unix sockets their mode is SANDBOX_UNIX_NONE. What cannot
 * be kept so is told to `say`, which may be NULL, in lines that begin with `name`: calls that the
 * profile allows and the policy does not, calls that it refuses and that no group has, rules on
 * arguments, names that are not known. A call that is allowed although the profile refuses it is
 * always told.
 *
 * ERR_FORMAT: it is no profile, or has an action that is not known; ERR_LIMIT: longer than 4 MiB,
 * more than 4096 rules or 64 conditions of one. Both name line and key.
 */
SANDBOX_API int sandbox_policy_import_oci(const char *text, size_t len, const char *name,
					  const struct sandbox_places *places, sandbox_say say,
					  void *say_ctx, struct sandbox_policy **ret,
					  struct error *err);

#ifdef __cplusplus
}
#endif

#endif
