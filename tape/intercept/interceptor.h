/*
 * What all backends have in common, and what each of them does in its own way. Private to the
 * interceptor; intercept.h has the contracts.
 */
#ifndef SANDTAPE_TAPE_INTERCEPT_INTERCEPTOR_H
#define SANDTAPE_TAPE_INTERCEPT_INTERCEPTOR_H

#include "tape/intercept/intercept.h"
#include "tape/intercept/loop.h"
#include "tape/intercept/start.h"
#include "tape/intercept/tasks.h"

struct intercept_backend {
	size_t size; /* of its struct, which begins with a struct interceptor */
	/* Before the subject is started. */
	int (*prepare)(struct interceptor *t, struct error *err);
	int (*start)(struct interceptor *t, struct error *err); /* fills t->started, t->root */
	/* Waits for something to happen, and serves it. */
	int (*serve)(struct interceptor *t, struct error *err);
	/* Whether a fork of the subject is left that may still execute something. */
	bool (*any_fork)(struct interceptor *t);
	/* After the subject has run: whether it was seen at all. May be NULL. */
	int (*check_end)(struct interceptor *t, struct error *err);
	void (*end_all)(struct interceptor *t); /* every process that is left */
	void (*close)(struct interceptor *t);	/* undoes `prepare` */
	size_t (*left)(const struct interceptor *t);
	enum subject_rest (*rest)(struct interceptor *t, pid_t of); /* 0: of all the subject */
	int (*release)(struct interceptor *t, struct process *p, struct error *err);
	int (*reply)(struct interceptor *t, struct process *p, long result, struct error *err);
	int (*read)(struct interceptor *t, struct process *p, unsigned long address, void *into,
		    size_t len, struct error *err);
	int (*write)(struct interceptor *t, struct process *p, unsigned long address,
		     const void *from, size_t len, struct error *err);
	int (*block_signals)(struct interceptor *t, struct process *p, uint64_t mask,
			     struct error *err);
	/* Before intercept_keep() serves: releases what is held. */
	int (*keep)(struct interceptor *t, struct error *err);
	/* Whether anything is left for intercept_keep() to serve. */
	bool (*is_kept)(const struct interceptor *t);
	int (*unit_fd)(struct interceptor *t, struct process *p, int fd);
	int (*swap)(struct interceptor *t, struct process *p, struct task *task,
		    struct stream_swaps *swaps, struct error *err);
};

extern const struct intercept_backend intercept_ptrace;
extern const struct intercept_backend intercept_server; /* preload, path */

struct interceptor {
	const struct intercept_backend *backend;
	struct intercept_options options;
	struct intercept_ops ops;
	void *ctx;
	struct loop loop;

	struct tasks tasks;
	struct started started;
	struct process *root;
	unsigned put_off; /* how many processes wait in their exec */
	bool root_ended;
	bool keeping;	       /* in intercept_keep() */
	uint64_t root_gone_ns; /* since when that was so, see interceptor_is_over() */
	int root_status;
};

/* How long forks of the subject may take after its end to execute something. */
#define LINGER_US	 UINT64_C(200000)
/* And what the client says (`lingers`): more than a replay waits for an order in vain. */
#define LINGER_ENDING_US UINT64_C(500000)

/* Whether the subject has ended, and its forks had their moment. */
bool interceptor_is_over(struct interceptor *t);
/* How long the client and the linger let the loop sleep: µs, -1 for ever. */
int interceptor_patience_us(struct interceptor *t);

#endif
