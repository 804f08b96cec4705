/*
 * Observed programs: which of their calls an observer looks at, the filter that makes them stop
 * there, and how it meets them.
 *
 * Filters return SECCOMP_RET_TRACE with OBSERVED_COOKIE and an errno: the policy's, of a call that
 * it refuses, which the observer has to carry out; or 0, of one whose result is to be looked at. A
 * filter of the program's own that asks for a tracer has another number, and gets none.
 */
#ifndef SANDTAPE_SANDBOX_OBSERVED_H
#define SANDTAPE_SANDBOX_OBSERVED_H

#include "sandbox/calls.h"
#include "sandbox/filter.h"
#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/types.h>

#define OBSERVED_COOKIE 0x5000U
#define OBSERVED_ERRNO	0x0fffU

/* --- observed_linux_<cpu>.c, observed.def: the calls -------------------------------------------
 */

/* What a call needs of the files that it names, for it to succeed. */
enum observed_need {
	OBSERVED_NOTHING,  /* it has no path, or nobody can tell */
	OBSERVED_OPEN,	   /* as the flags say; an argument, or a constant */
	OBSERVED_OPEN_HOW, /* openat2: the flags are in memory */
	OBSERVED_EXECUTE,
	OBSERVED_MAKE,	 /* a name */
	OBSERVED_REMOVE, /* a name */
	OBSERVED_RENAME, /* the first is removed, the second is made; or both are exchanged */
	OBSERVED_LINK,	 /* the first is there, the second is made */
	OBSERVED_WRITE,
	OBSERVED_ENTER,
	OBSERVED_CHANGE, /* its owner */
	OBSERVED_BIND,	 /* an address: its name is made when it is one of a file */
	OBSERVED_CONNECT
};

/* Indices of arguments; of a path that it does not have OBSERVED_NONE, of others 0, which no call
 * has them at. A path without a directory is one of the working directory. */
#define OBSERVED_NONE 7

struct observed_path {
	unsigned char dir, path;
};

struct observed_call {
	int number;
	int refusal; /* an errno: nobody looks, it fails; 0 */
	enum observed_need need;
	struct observed_path paths[2];
	unsigned char flags;		    /* of open or renameat2, or AT_* */
	unsigned char address;		    /* its length follows it */
	unsigned constant;		    /* flags that are no argument */
	struct call_test tests[CALL_TESTS]; /* it is looked at when all hold */
};

/* A call has a row for each set of tests; what is said of its arguments is in all of them. */
extern const struct observed_call observed_calls[];
extern const size_t observed_call_count;

/* NULL: none of this machine's ABI, or none that is looked at. */
const struct observed_call *observed_find(uint32_t arch, int number);

/* Of a task in a stop at a call of whatever ABI: 0 or -errno. The call is skipped, and the program
 * sees `result`. */
int observed_skip(pid_t tid, long result);
/* At its end. */
int observed_args(pid_t tid, int *ret_number, uint64_t ret[6]);
/* clone(2): what it makes is traced, whatever its flags say. */
int observed_keep_traced(pid_t tid);

/* --- observed_filter_linux.c -------------------------------------------------------------------
 */

/* The filter of the calls. It is installed before the policy's, so that the policy's word holds
 * where both want a stop. ERR_NOMEM, ERR_LIMIT. */
int observed_filter_new(struct filter *ret, struct error *err);

/* What the policy's filter refuses with an errno is handed over to the observer. */
void observed_hand_over(struct filter *policys);

/* What a filter answers: SECCOMP_RET_*. It has instructions that filter_code.c makes only. */
uint32_t observed_run(const struct filter *f, const struct seccomp_data *call);

/* --- observed_start_linux.c --------------------------------------------------------------------
 */

/* In the program's process, which may share its parent's memory: waits until it is observed. 0 or
 * -errno. `hidden`: it is not to be looked into by its own user. */
int observed_meet(int socket, const struct filter *policys, bool hidden);

/* The other side. 0: a program waits, *ret_pid is it, and *ret its policy's filter; ERR_NOTFOUND:
 * the runner, which `runner` is a pidfd of, has ended, or nobody has the other end any more. */
int observed_await(int socket, int runner, pid_t *ret_pid, struct filter *ret, struct error *err);
/* It may go on. */
int observed_answer(int socket, struct error *err);

#endif
