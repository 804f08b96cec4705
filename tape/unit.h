/*
 * One unit (one command that the subject spawned) in memory, as the recorder makes it and the
 * reader gives it back. All strings here are *encoded* (roots already replaced by placeholders)
 * and may hold any bytes.
 */
#ifndef SANDTAPE_TAPE_UNIT_H
#define SANDTAPE_TAPE_UNIT_H

#include "base/buf.h"
#include "base/denied.h"
#include <stdbool.h>
#include <stdint.h>

/* Where the bytes of a stream are. */
enum payload_form {
	PAYLOAD_EMPTY = 0, /* nothing was read or written */
	PAYLOAD_INLINE,	   /* in `bytes` */
	PAYLOAD_BLOB	   /* in blobs/<sha256> */
};

struct payload {
	enum payload_form form;
	bool rooted;	  /* stored with root placeholders: decode before use */
	struct buf bytes; /* PAYLOAD_INLINE, owned */
	char sha256[65];  /* PAYLOAD_BLOB */
	uint64_t size;	  /* bytes as stored (inline or in the blob) */
};

/* What the unit had as one of its streams when it started. */
enum stream_kind {
	STREAM_CLOSED = 0, /* no such fd */
	STREAM_NULL,	   /* /dev/null: captured only where it is sandtape's own output */
	STREAM_PIPE,
	STREAM_SOCKET,
	STREAM_FILE,
	STREAM_TTY,
	STREAM_OTHER, /* a device and the like: passed through, not captured */
	STREAM_SAME   /* the same open file as the stream number `same_as` */
};

/* Set in the `fd` of a stream, or of a chunk: what the unit read from a descriptor above 2. */
#define STREAM_INPUT 0x40000000

struct stream {
	int fd; /* 0 stdin, 1 stdout, 2 stderr, then passed fds; then inputs above 2 */
	enum stream_kind kind;
	int same_as; /* STREAM_SAME */
	/* input: the unit read up to the end of the stream; output of an unfinished unit: it had
	 * been closed */
	bool eof;
	bool unseen;  /* fd 0: what else it read of it is not known */
	bool packets; /* output: each chunk is one packet, for whoever receives it */
	int rows;     /* of a terminal, at the unit's start; 0 when not known */
	int columns;
	struct payload data;
	struct payload tail; /* output after the unit's first process had ended, from descendants */
};

/* What else than bytes of a stream can be in the order of what a unit did. */
#define CHUNK_SIGNAL (-1) /* `len`: the signal that it was sent */
#define CHUNK_MODE   (-2) /* `len`: which of its `modes` it set */
#define CHUNK_STOP   (-3) /* `len`: which of its `stops` stopped it */
#define CHUNK_SENT   (-4) /* `len`: which of its `sent` it sent */

/* A run of output or input as it came, or what happened in between. */
struct chunk {
	int fd;		  /* a stream, or one of the above */
	uint64_t len;	  /* bytes as written or read by the unit */
	uint64_t time_ns; /* since the unit's start */
};

/* A terminal's modes as a unit set them (tcsetattr(3)). */
enum mode_when { MODE_NOW = 0, MODE_DRAIN, MODE_FLUSH };

struct mode {
	enum mode_when when;
	struct buf termios; /* the kernel's struct termios or termios2 (TCSETS(2const)) */
};

/* What restricted the unit kept it from this (denied.h). */
struct unit_denial {
	struct buf text[DENIED_TEXTS];
	int error;  /* an errno, or 0 */
	int signal; /* or 0 */
};

/* Of one of them. */
struct unit_denial_time {
	int64_t pid;	/* that it first happened to; 0 when it is not known */
	uint64_t count; /* how often */
};

/* Whether a stream, or a chunk, of this number is what the unit read. */
static inline bool stream_is_input(int fd)
{
	return fd == 0 || (fd > 0 && (fd & STREAM_INPUT));
}

struct env_pair {
	struct buf name;
	struct buf value;
};

/* How a unit ended. Exactly one of the three is meaningful, by `how`. */
enum end_how {
	END_UNFINISHED = 0, /* the tape ends before the unit did */
	END_EXITED,	    /* code */
	END_SIGNALED,	    /* signal, core */
	END_EXEC_FAILED	    /* error: the program never ran */
};

struct unit_end {
	enum end_how how;
	int code;
	int signal;
	bool core;
	int exec_errno; /* Linux number; named on the tape */
	bool timeout;	/* END_EXITED, END_SIGNALED: it was killed because its time was over */
};

/* The volatile part: kept in timing.jsonl. */
struct unit_time {
	int64_t pid;
	uint64_t start_ns; /* since the start of the recording */
	uint64_t duration_ns;
	struct buf program; /* the file that was executed, as the kernel was given it */
	struct chunk *chunks;
	size_t chunk_count;
	struct unit_denial_time *denied; /* one for each of the unit's `denied` */
	size_t denied_count;
	uint64_t denied_more; /* how often it was denied what is not there */
	uint32_t episode;     /* which recording the times are of: only those are comparable */
	bool known;	      /* false: the tape has no timing for this unit */
};

struct unit_id {
	uint64_t key;	  /* unit_key() of argv, cwd, env */
	uint32_t ordinal; /* 0, 1, … among the units with this key, in the order of the tape */
};

struct unit {
	struct unit_id id;
	struct buf parent; /* the subject process that spawned it: "0" the root process */
	struct buf *argv;
	size_t argc;
	struct buf cwd;
	struct env_pair *env; /* in the order of names, bytewise */
	size_t env_count;
	bool cwd_any; /* a hand-written record without cwd: matches any */

	struct unit_end end;
	struct stream *streams;
	size_t stream_count;
	int *signals; /* signals that the subject sent to the unit, in order */
	size_t signal_count;
	struct mode *modes; /* that the unit gave to its terminal */
	size_t mode_count;
	int *stops; /* signals by which the unit stopped itself, in order */
	size_t stop_count;
	int *sent; /* signals that it sent to the process that spawned it, in order */
	size_t sent_count;
	struct chunk
		*order; /* of a unit with a terminal, or stops, ...: its chunks, without times */
	size_t order_count;
	bool explained;		    /* all is known that it was denied, of what can be told */
	struct unit_denial *denied; /* by the policy that the unit ran under */
	size_t denied_count;
	struct unit_denial *late; /* likewise, after its first process had ended */
	size_t late_count;
	bool late_more; /* there were more of these than are kept */

	struct unit_time time;
};

/* Frees everything inside and zeroes it. */
void unit_clear(struct unit *u);
void payload_clear(struct payload *p);
void unit_time_clear(struct unit_time *t);

/* NULL when the unit has no such stream. */
struct stream *unit_stream(struct unit *u, int fd);
const struct stream *unit_stream_const(const struct unit *u, int fd);
/* Adds a stream (zeroed but for fd) keeping the order of fds. NULL when out of memory. */
struct stream *unit_add_stream(struct unit *u, int fd);

/* These return 0 or ERR_NOMEM. */
int unit_add_arg(struct unit *u, const void *bytes, size_t len);
/* Keeps the order of names. Of a name that is there already the first value stays, since that is
 * the one that getenv() finds. */
int unit_add_env(struct unit *u, struct bytes name, struct bytes value);
int unit_add_signal(struct unit *u, int signal);
int unit_add_mode(struct unit *u, enum mode_when when, struct bytes termios);
int unit_add_stop(struct unit *u, int signal);
int unit_add_sent(struct unit *u, int signal);
/* The last one of these, with its chunk, was not sent. */
void unit_drop_sent(struct unit *u, int signal);
/* The last of its stops, with its chunk, was none. */
void unit_drop_stop(struct unit *u);
/* Likewise merges what it can. */
int unit_add_order(struct unit *u, const struct chunk *chunk);
/* Merges neighbours of the same fd. */
int unit_add_chunk(struct unit *u, int fd, uint64_t len, uint64_t time_ns);
/* Never merges: something else happened in between, or `len` is 0 (the end of stdin). */
int unit_add_chunk_apart(struct unit *u, int fd, uint64_t len, uint64_t time_ns);
/* As if nothing were known of when it wrote to the stream. */
void unit_forget_chunks(struct unit *u, int fd);

/*
 * The matching key (FORMAT.md, "Keys"). argv[0] counts by its last path component only, so that
 * /usr/bin/git and /opt/git/bin/git are the same command; cwd_any leaves cwd out.
 * Returns 0 or ERR_NOMEM.
 */
int unit_key(const struct unit *u, uint64_t *ret_key);
/* The comparison behind the hash: same argv (argv[0] as above), cwd, env. */
bool unit_same_command(const struct unit *a, const struct unit *b);

bool unit_same_modes(const struct unit *a, const struct unit *b);
bool unit_same_order(const struct unit *a, const struct unit *b);

/* "8f3a2b1c9d0e4f55.0" */
#define UNIT_ID_SIZE 32
void unit_id_format(struct unit_id id, char ret_text[UNIT_ID_SIZE]);
/* Back; false for anything that unit_id_format() does not write. */
bool unit_id_parse(const char *text, struct unit_id *ret);

/* The command as words for a shell, and where: "git log -1   (in $WORK)". 0 or ERR_NOMEM. */
int unit_add_text(struct buf *out, const struct unit *u);

#endif
