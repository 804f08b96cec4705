/*
 * What the player writes into the stub, and the stub carries out: a short program of operations
 * at a fixed address. The stub has nothing else: no arguments, no files, no environment of ours.
 */
#ifndef SANDTAPE_TAPE_INTERCEPT_STUB_ANSWER_H
#define SANDTAPE_TAPE_INTERCEPT_STUB_ANSWER_H

#include <stdint.h>

/* The linker puts the stub's room here (Makefile, STUB_LDFLAGS). */
#define STUB_ANSWER_ADDRESS 0x440000ul

enum stub_op_kind {
	STUB_END = 0, /* carry out `end` */
	STUB_WRITE,   /* data[offset, offset+len) to the stream `arg` */
	STUB_READ,    /* take stdin until `len` bytes of it in all, or to its end; `arg`: and ask
			 when nothing has come for so many ms */
	STUB_SEND,    /* like STUB_WRITE, in one piece */
	STUB_TAKE,    /* take `len` bytes from the descriptor `arg`, or all up to its end */
	STUB_WAIT_SIGNAL, /* until the signal `arg` comes; who may have missed it asks every `len`
			     ms */
	STUB_MODE,	  /* ioctl(terminal, arg, data[offset, offset+len)): sets its modes */
	STUB_STOP,	  /* stops itself by the signal `arg` */
	STUB_TELL,	  /* sends the signal `arg` to `parent` */
	STUB_CLOSE,	  /* the descriptor `arg` */
	STUB_HOLD,	  /* wait to be killed, and ask every `len` ms whether to go on with it */
	STUB_LEAVE,	  /* fork: the parent carries out `end`, the child what follows */
	STUB_MORE	  /* ask the player for the next operations */
};

enum stub_end_kind {
	STUB_EXIT = 0, /* with the code `arg` */
	STUB_KILL,     /* by the signal `arg`, sent by itself */
	STUB_KILLED    /* by the signal `arg`, sent by somebody else: wait for it */
};

struct stub_op {
	uint32_t kind;
	int32_t arg;
	uint64_t offset;
	uint64_t len;
};

#define STUB_OPS_MAX  64
#define STUB_DATA_MAX (256u * 1024)

/* STUB_READ, STUB_TAKE: all of it, up to its end. */
#define STUB_STDIN_ALL UINT64_MAX

struct stub_answer {
	uint64_t stdin_want;	 /* all that STUB_READ will ask for: may be taken early when a write
				    has to wait */
	uint64_t signal_mask;	 /* bit n - 1: STUB_WAIT_SIGNAL will ask for the signal n */
	uint32_t report_blocked; /* tell the player when a write has to wait */
	uint32_t keep_core;	 /* STUB_KILL: leave RLIMIT_CORE as it is */
	uint32_t end_kind;
	int32_t end_arg;
	int32_t parent; /* who has spawned it; another parent is sent nothing */
	uint32_t op_count;
	struct stub_op op[STUB_OPS_MAX];
	char data[STUB_DATA_MAX];
};

/* All that the player and the stub share; the player writes to the first, and reads the other. */
struct stub_room {
	struct stub_answer answer;
	char taken[65536]; /* from stdin, or another input: STUB_ASK_STDIN, STUB_ASK_INPUT */
};

/* A number far above every system call: without a tracer the kernel answers ENOSYS. */
#define HYPER_CALL 7540321

/*
 * What the stub says with HYPER_CALL(ask, …). The player answers STUB_GO_ON; or STUB_ANEW when it
 * has put other operations in place, which then start at the first; or to STUB_ASK_NO_SIGNAL
 * STUB_DO_WITHOUT, and the stub goes on as though it had come.
 */
enum stub_ask {
	STUB_ASK_MORE = 1,  /* the operations are carried out: always STUB_ANEW */
	STUB_ASK_STDIN,	    /* (address, len) was taken from stdin; len 0: its end */
	STUB_ASK_BLOCKED,   /* a write has to wait for its reader */
	STUB_ASK_NOTHING,   /* nothing has come on stdin for a while */
	STUB_ASK_INPUT,	    /* as STUB_ASK_STDIN, from the descriptor STUB_INPUT_FD(len) */
	STUB_ASK_NO_SIGNAL, /* a signal has not come yet that may have come too early; len: how
			       often this was asked for it, with this time */
	STUB_ASK_HELD	    /* STUB_HOLD: nobody has killed it yet */
};

/* STUB_ASK_INPUT: both in one argument. */
#define STUB_INPUT(fd, len)   ((uint64_t)(fd) << 32 | (len))
#define STUB_INPUT_FD(input)  ((int)((input) >> 32))
#define STUB_INPUT_LEN(input) ((input)&UINT32_MAX)

enum stub_reply { STUB_GO_ON = 0, STUB_ANEW = 1, STUB_DO_WITHOUT = 2 };

#endif
