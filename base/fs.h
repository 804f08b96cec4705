/* Files and directories: whole-file reads and writes that survive EINTR and short counts. */
#ifndef SANDTAPE_BASE_FS_H
#define SANDTAPE_BASE_FS_H

#include "base/buf.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

/* Writes everything to a blocking fd. `what` names the file in the error. */
int fs_write_all(int fd, const void *bytes, size_t len, const char *what, struct error *err);

/* Reads a whole regular file. ERR_LIMIT beyond `max` bytes. */
int fs_read_file(const char *path, size_t max, struct buf *out, struct error *err);

/* Replaces `path` in one step (temporary file beside it, then rename), mode 0666 less umask.
 * With `sync` the bytes and the name are on the disk when it returns. */
int fs_write_atomic(const char *path, const void *bytes, size_t len, bool sync, struct error *err);

/*
 * Reports, which are written at the end and whose place is looked at before anything runs. Opens
 * what is no regular file (a pipe, a device: nothing may replace them), or is the standard output
 * or error, for the caller to close; else *ret_fd is -1, and the directory can be written to.
 */
int fs_report_open(const char *path, int *ret_fd, struct error *err);
int fs_report_write(int fd, const char *path, const void *bytes, size_t len, struct error *err);

/* fsync of a directory, so that renames in it last. */
int fs_sync_dir(const char *path, struct error *err);

/* mkdir -p, mode 0777 less umask. */
int fs_mkdir_all(const char *path, struct error *err);

/* Removes a tree without following symbolic links; own directories in it may have any mode. A
 * missing tree is no error. */
int fs_remove_all(const char *path, struct error *err);

/* "dir/name" in a new buffer; the caller frees. NULL when out of memory. */
char *fs_join(const char *dir, const char *name);

#endif
