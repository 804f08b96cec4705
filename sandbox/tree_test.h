/* What the tests of paths share: a tree of files and links, and a policy for it. */
#ifndef SANDTAPE_SANDBOX_TREE_TEST_H
#define SANDTAPE_SANDBOX_TREE_TEST_H

#include "sandbox/sandbox.h"
#include <limits.h>

/*
 * In the scratch directory, which is "@" in the tables of the tests:
 *
 *	root/		workspace
 *	  file dir/file bin/tool
 *	  secret/key	denied; so are nested/deep/secret and later, which is not there
 *	  ref/file	read-only; ref/out/ in it can be written
 *	  in -> dir, out -> ../outside, file-out -> @/outside/file, new -> ../outside/new,
 *	  loop -> loop, up -> ..
 *	root-other/file
 *	outside/file
 *	readable/file	read
 *	tools/tool	exec
 *	root-link -> root
 */
extern char tree_base[PATH_MAX];
extern struct sandbox_policy *tree_policy; /* without roots, to begin with */
extern struct sandbox_paths *tree_paths;
extern struct error tree_err;

/* A checked fixture. */
void tree_enter(void);
void tree_leave(void);

/* The path, with the directory for a "@" at its beginning; good for three calls more. */
const char *tree_at(const char *name);
void tree_put_file(const char *name);
/* Adds a root that must be there. */
void tree_add(enum sandbox_root kind, const char *path);
/* Makes tree_paths of tree_policy. */
void tree_compile(void);
/* From the directory. */
void tree_check(enum sandbox_access access, const char *path, struct sandbox_path *ret);

#define READ   SANDBOX_ACCESS_READ
#define LIST   SANDBOX_ACCESS_LIST
#define EXISTS SANDBOX_ACCESS_EXISTS
#define WRITE  SANDBOX_ACCESS_WRITE
#define DELETE SANDBOX_ACCESS_DELETE
#define EXEC   SANDBOX_ACCESS_EXEC
#define CWD    SANDBOX_ACCESS_CWD

#endif
