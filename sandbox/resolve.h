/* Paths without links, of files that need not be there. */
#ifndef SANDTAPE_SANDBOX_RESOLVE_H
#define SANDTAPE_SANDBOX_RESOLVE_H

#include "base/buf.h"
#include "base/error.h"
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* What lstat(2) told of a path. */
struct look {
	bool known; /* it was asked */
	int error;  /* an errno; 0: it is there */
	mode_t mode;
	uid_t uid;
	dev_t dev;
	ino_t ino;
};

/* Asks. Whether it is there; errno otherwise. */
bool look_at(const char *path, struct look *ret);

/* A link that was followed, by the path of itself. Anything but 0 ends the walk with it. */
typedef int resolve_link_fn(void *ctx, const char *link, struct error *err);

struct resolve_options {
	bool keep_last;		  /* a link at the end is meant itself, unless a slash follows it */
	resolve_link_fn *on_link; /* may be NULL */
	void *ctx;
	struct look *ret_look; /* may be NULL: what is at the end, when that is known */
};

/*
 * The absolute path as the kernel would walk it: "..", links and slashes are gone. From the first
 * component on that is not there the names stay, and ".." takes back one. ERR_SYSTEM: it cannot be
 * walked. A link of /proc that is more than its text is ERR_UNSUPPORTED. `out` is emptied first.
 */
int resolve_path(const char *path, const struct resolve_options *options, struct buf *out,
		 struct error *err);

enum resolve_plain {
	RESOLVE_THERE,	/* it is there, and no component is a link */
	RESOLVE_ABSENT, /* no link before the first component that is not there */
	RESOLVE_WALK	/* it has to be walked to be known */
};

/* The way to the path that was looked at last. The next one is most often beside it, and goes on
 * from where both are the same, as that has been found. Begins zeroed. */
struct resolve_trail {
	char path[PATH_MAX];
	size_t dirs; /* so much of it are directories, and no links */
	size_t gone; /* so much of it is not there; 0: nobody knows */
};

/* What one look at each component tells of a normal absolute path. */
enum resolve_plain resolve_plainly(struct resolve_trail *trail, const char *path, size_t len,
				   struct look *ret);

/* resolve_linux.c */

/* Whether following the link leads elsewhere than its text says. */
bool resolve_is_magic(const char *link, const char *target);

#endif
