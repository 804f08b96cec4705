/* The inside of a capture, shared by its files. */
#ifndef SANDTAPE_TAPE_CAPTURE_PARTS_H
#define SANDTAPE_TAPE_CAPTURE_PARTS_H

#include "tape/capture.h"
#include "tape/streams.h"
#include <sys/types.h>

/* stdin, stdout, stderr, and those above that it was given. */
#define STREAMS_MAX 32

enum method {
	METHOD_NONE = 0, /* nothing to capture */
	METHOD_PUMP,	 /* replaced by a pipe or socket of ours */
	METHOD_RANGE,	 /* a regular file: from where to where */
	METHOD_READS,	 /* an input: told by the reads */
	METHOD_WRITES,	 /* an output that stays in place: told by the writes */
	METHOD_TERMINAL	 /* told by reads and writes */
};

struct stream_capture {
	struct capture *owner;
	int fd; /* in the unit, with STREAM_INPUT for what it reads there */
	enum stream_kind kind;
	enum method method;
	int original; /* ours, of the same open file; owned */
	int source;   /* our end of the replacement; owned; -1 when the stream has ended */
	dev_t device; /* which pipe or socket it is, */
	ino_t inode;
	dev_t terminal; /* or which terminal */
	off_t start;	/* METHOD_RANGE */
	struct spool *spool;
	struct buf pending; /* taken, and not yet passed on */
	size_t pending_at;
	bool reader_gone;
	uint64_t closed_ns; /* when the source ended (session_now) */
	bool packets;
	struct stream_capture *same_as; /* the same open file: its bytes are there */
	void *source_watch;
	void *original_watch; /* NULL when epoll cannot watch it (a regular file) */
};

struct capture {
	struct capture_host *host;
	struct process *process;
	struct unit *unit;
	void *unit_ctx;
	struct stream_capture stream[STREAMS_MAX]; /* the first three are always there */
	unsigned count;
	struct stream_swaps swaps; /* until they are done */
	bool own_terminal;	   /* its terminal is the one that sandtape runs on */
	bool stdin_anywhere;	   /* it has its stdin above 2, too */
	bool told_of_fds;	   /* that it passes descriptors, */
	bool told_of_stdin;	   /* and that it writes to its stdin */
	bool finished;		   /* what comes now is a tail */
	bool gone;		   /* no process of the unit is left */
};

/* Bytes of a stream that was passed on, or read: to the spool, and to the order of events. */
int capture_note(struct stream_capture *s, const char *bytes, size_t len, uint64_t now_ns,
		 struct error *err);
int capture_add_chunk(struct capture *c, int fd, uint64_t len, uint64_t now_ns, struct error *err);
/* The stream in the unit, which has one above 2 only when it was used; NULL: out of memory. */
struct stream *capture_stream_of(struct stream_capture *s);

void capture_stream_init(struct capture *c, struct stream_capture *s, int fd);
int capture_new_spool(struct stream_capture *s, struct error *err);

/* pump_linux.c: our end of a replacement, s->source, from the moment that there is one. */
int capture_watch_source(struct stream_capture *s, struct error *err);
void capture_close_source(struct stream_capture *s);

/* look_linux.c: fills c->stream and the streams of the unit. */
int capture_look(struct capture *c, struct error *err);

/* observe_linux.c: which calls the unit's filter is to stop (enum filter_io); 0: none. */
unsigned capture_observed(const struct capture *c);

#endif
