/* What an observer is made of. All functions act on a task in a ptrace stop of the calling thread,
 * which may be killed at any moment: then they know nothing more of it. */
#ifndef SANDTAPE_SANDBOX_OBSERVE_H
#define SANDTAPE_SANDBOX_OBSERVE_H

#include "base/buf.h"
#include "sandbox/denial.h"
#include "sandbox/observed.h"

/* --- observe_paths_linux.c: what a task means by a path ----------------------------------------
 */

/* What is at an address of a task: 0 or -errno. */
int observe_read(pid_t tid, uint64_t address, void *into, size_t len);

/* In the view of the task: absolute, without links as far as there are files. `keep_last`: a link
 * at the end is meant itself; `or_dir`: an empty path is that of `dir`. false: nobody knows. */
struct observe_named {
	int dir; /* of the task, or AT_FDCWD */
	uint64_t address;
	bool keep_last, or_dir;
};
bool observe_path(pid_t tid, const struct observe_named *named, struct buf *out);
/* The same of a path that has been read. */
bool observe_resolve(pid_t tid, int dir, const char *path, bool keep_last, struct buf *out);

/* --- observe_outside_linux.c: whether it would succeed here ------------------------------------
 */

/* `path2` may be NULL; `flags` are those of open. */
enum sandbox_outside observe_outside(enum observed_need need, unsigned flags, const char *path,
				     const char *path2);

/* --- observe_tell_linux.c: from stops to observations ------------------------------------------
 */

struct observer {
	pid_t runner;
	struct filter policys; /* the program's; no code: it has none */
	sandbox_see see;
	void *ctx;
	struct buf path, path2; /* kept from one call to the next */
};

struct observe_call {
	uint32_t arch;
	int number;
	uint64_t args[6];
	int error;
	bool filtered;
};

void observe_tell_call(struct observer *o, pid_t tid, const struct observe_call *call);
/* A signal is about to be delivered. */
void observe_tell_signal(struct observer *o, pid_t tid, int signal);
/* A task exits, as wait(2) would have its status. */
void observe_tell_exit(struct observer *o, pid_t tid, int status);

/* What becomes of a call by the policy's filter: SECCOMP_RET_*. */
uint32_t observe_policy(const struct observer *o, uint32_t arch, int number,
			const uint64_t args[6]);

#endif
