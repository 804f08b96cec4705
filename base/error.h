/*
 * Errors: every function that can fail returns 0 or a negative code of enum error_code and takes
 * a `struct error *err` (may be NULL) as its last argument, which receives one sentence for a
 * human and the raw system code. Nothing here allocates, so reporting "out of memory" works.
 *
 * A caller that passes an error upwards may add what it was doing with error_wrap():
 *	"cannot open the tape a.tape: line 7: bad checksum"
 */
#ifndef SANDTAPE_BASE_ERROR_H
#define SANDTAPE_BASE_ERROR_H

enum error_code {
	ERR_SYSTEM = -1,       /* a system call failed; err->sys is its errno */
	ERR_NOMEM = -2,	       /* out of memory */
	ERR_INVALID = -3,      /* the caller's argument is wrong */
	ERR_FORMAT = -4,       /* input is damaged or not what it claims to be */
	ERR_VERSION = -5,      /* input is of a format version that this program does not know */
	ERR_NOTFOUND = -6,     /* there is no such thing */
	ERR_EXISTS = -7,       /* it is there already */
	ERR_BUSY = -8,	       /* somebody else holds it */
	ERR_LIMIT = -9,	       /* a documented size limit was passed */
	ERR_UNSUPPORTED = -10, /* this host cannot do it; never passed over in silence */
	ERR_DIVERGED = -11     /* a replay is asked for what is not on the tape */
};

/* A path of PATH_MAX bytes, and a sentence around it. */
#define ERROR_TEXT_SIZE (4096 + 512)

struct error {
	int code;		    /* enum error_code, 0 when unused */
	int sys;		    /* errno of the failed system call, or 0 */
	char text[ERROR_TEXT_SIZE]; /* one sentence, no newline, always terminated */
};

/* Each returns `code` (error_sys: ERR_SYSTEM), so that `return error_set(...)` reads well.
 * Text that does not fit is cut. errno is left as it was. */
int error_set(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The text gets ": " and the system's own words for sys_errno. */
int error_sys(struct error *err, int sys_errno, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static inline int error_no_memory(struct error *err)
{
	return error_set(err, ERR_NOMEM, "out of memory");
}

/* Puts context in front of the text that is there: "<context>: <text>". Keeps code and sys. */
int error_wrap(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts the way out behind the text that is there: "<text>; <advice>". Returns `code`. */
int error_advise(struct error *err, int code, const char *advice);

/* What a user can do about ENOSPC, EMFILE and their kin, as a part of a sentence ("make room
 * there"); NULL for an error that has no way out of its own. */
const char *error_way_out(int sys_errno);

/* "ENOENT" for 2, NULL for a number without a name; and back (0 when unknown). */
const char *error_errno_name(int sys_errno);
int error_errno_number(const char *name);

#endif
