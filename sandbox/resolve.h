/* Paths without links, of files that need not be there. */
#ifndef SANDTAPE_SANDBOX_RESOLVE_H
#define SANDTAPE_SANDBOX_RESOLVE_H

#include "base/buf.h"
#include "base/error.h"
#include <stdbool.h>

/* A link that was followed, by the path of itself. Anything but 0 ends the walk with it. */
typedef int resolve_link_fn(void *ctx, const char *link, struct error *err);

struct resolve_options {
	bool keep_last;		  /* a link at the end is meant itself, unless a slash follows it */
	resolve_link_fn *on_link; /* may be NULL */
	void *ctx;
};

/*
 * The absolute path as the kernel would walk it: "..", links and slashes are gone. From the first
 * component on that is not there the names stay, and ".." takes back one. ERR_SYSTEM: it cannot be
 * walked. A link of /proc that is more than its text is ERR_UNSUPPORTED. `out` is emptied first.
 */
int resolve_path(const char *path, const struct resolve_options *options, struct buf *out,
		 struct error *err);

/* resolve_linux.c */

enum resolve_plain {
	RESOLVE_THERE,	/* it is there, and no component is a link */
	RESOLVE_ABSENT, /* no link before the first component that is not there */
	RESOLVE_WALK	/* it has to be walked to be known */
};

/* What one look tells of a normal absolute path. */
enum resolve_plain resolve_plainly(const char *path);

/* Whether following the link leads elsewhere than its text says. */
bool resolve_is_magic(const char *link, const char *target);

#endif
