/*
 * What a run of the probe finds around it: a working directory, an outer directory with files of
 * others, sockets of ours, a process of ours, a descriptor and a variable with a secret, and a
 * controlling terminal. All of it is made anew for each run.
 */
#ifndef SANDTAPE_CONFORMANCE_FIXTURE_H
#define SANDTAPE_CONFORMANCE_FIXTURE_H

#include "base/error.h"
#include "conformance/probe/report.h"

#include <stdbool.h>
#include <sys/types.h>

#define FIXTURE_PATH_SIZE 512

struct fixture {
	char dir[FIXTURE_PATH_SIZE];
	/* Its working directory, writable: file, dir/, probe; as root helper, which is set-user-ID.
	 */
	char in[FIXTURE_PATH_SIZE + 8];
	char out[FIXTURE_PATH_SIZE + 8];    /* file, empty/, dir/inner, link, program, fifo */
	char probe[FIXTURE_PATH_SIZE + 16]; /* in the working directory */
	char report_file[FIXTURE_PATH_SIZE + 16];
	char socket[FIXTURE_PATH_SIZE + 16]; /* in the outer directory */
	char abstract[48];
	char nonce[PROBE_NONCE_SIZE];
	char secret[PROBE_NONCE_SIZE];
	int tcp_fd, udp_fd, socket_fd, abstract_fd, datagrams_fd; /* that listen */
	unsigned tcp, udp;					  /* ports on 127.0.0.1 */
	int terminal, terminals_end;				  /* ours, the probe's */
	int secret_fd, out_fd;
	int connected_fd;  /* to udp_fd */
	int shared_memory; /* of System V IPC, with the secret; -1: this kernel has none */
	const void *attached;
	pid_t maker, victim;
	struct probe_report *report, *victims;
};

/* For a child, right after the fork, and after a change of its user, which takes that away: it does
 * not outlive `parent`, which may be dead already. */
void fixture_live_with(pid_t parent);

/* `dir` is not there yet; `probe` is the program, in the same file system. On failure what was made
 * is cleared away. */
int fixture_make(struct fixture *f, const char *dir, const char *probe, struct error *err);
/* Whether the act has left its effect. Looks once: when the probe is gone. */
bool fixture_has(struct fixture *f, enum probe_effect effect, const char *text);
/* Kills the victim and removes the directory. */
void fixture_clear(struct fixture *f);

#endif
