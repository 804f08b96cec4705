/* The names inside a tape directory, and new files in it. */
#ifndef SANDTAPE_TAPE_FILES_H
#define SANDTAPE_TAPE_FILES_H

#include "base/error.h"
#include <stdbool.h>

#define TAPE_FILE    "tape.jsonl"
#define JOURNAL_FILE "journal.jsonl"
#define TIMING_FILE  "timing.jsonl"
#define BLOBS_DIR    "blobs"
#define SPOOL_PREFIX ".spool."
/* Only the holder of the lock writes them, so a fixed name is enough. */
#define NEW_SUFFIX   ".new"

/* The way out of damage. */
#define TAPE_REPAIR "restore it or record the tape again"

/* "dir/name", or ERR_NOMEM. The caller frees. */
int tape_file_path(const char *dir, const char *name, char **ret, struct error *err);

/* A new string without trailing slashes; NULL when out of memory. */
char *tape_dir_name(const char *path);

/* ERR_NOTFOUND when there is nothing of this name, ERR_FORMAT when it is no directory. */
int tape_dir_check(const char *dir, struct error *err);

/* Where there is nothing of this name: why no tape can be made there. ERR_NOTFOUND when the
 * directory that shall hold it is missing, ERR_FORMAT for a link that leads nowhere. */
int tape_place_check(const char *dir, struct error *err);

/* Whether there is a file of this name. */
bool tape_file_exists(const char *dir, const char *name);
/* A journal without a byte is no recording: a lock made it, or is making it. */
bool tape_has_recording(const char *dir);

/* Makes a file or directory of a name that nobody has, "<stem><16 random digits>", with the usual
 * mode less umask. The caller frees the name. */
int tape_unique_file(const char *stem, char **ret_path, int *ret_fd, struct error *err);
int tape_unique_dir(const char *stem, char **ret_path, struct error *err);

#endif
