/* What the tests of the tape share: a directory to work in, files, and units to write. */
#ifndef SANDTAPE_TAPE_SCRATCH_TEST_H
#define SANDTAPE_TAPE_SCRATCH_TEST_H

#include "base/buf.h"
#include "base/random_test.h"
#include "base/scratch_test.h"
#include "tape/head.h"
#include "tape/reader.h"
#include "tape/roots.h"
#include "tape/unit.h"
#include "tape/writer.h"

void put_file(const char *path, const void *bytes, size_t len);
void get_file(const char *path, struct buf *ret);
bool is_file(const char *path);
void assert_same_bytes(const void *got, size_t got_len, const void *wanted, size_t wanted_len);

/* A head with WORK and HOME as its roots. */
void make_head(struct tape_head *h);
/* argv {name}, in $WORK, that wrote `output` and ended with 0. */
void make_unit(struct unit *u, const char *name, const char *output);
void set_payload(struct payload *p, const void *bytes, size_t len);
/* As a recorder of the tape at `path` stores it: in a blob when it is large. */
void set_spooled(struct payload *p, const char *path, const void *bytes, size_t len,
		 const struct roots *roots);

/* Both ends must succeed. */
struct tape_writer *writer_at(const char *path);
struct tape_reader *reader_at(const char *path);

/*
 * Plays events: "A( B( B)1 A|0 A}2" is a spawn of A, a spawn of B, the end of B with the output
 * "1", the end of A with the output "0" and a tail "2" of A. B had /dev/null as stdin, and A had a
 * pipe. A unit without its end is unfinished. Times are the positions of the events.
 */
void play(struct tape_writer *w, const char *events);
/* The same for a whole recording. */
void record(const char *path, const char *events);
/* The names and outputs on a tape in its order: "A0 B1", "A?" for an unfinished one. */
void assert_order(const char *path, const char *wanted);

/* "LANG=C git status": the variables that count, then argv; "_" is an empty argument. */
struct command_line {
	const char *line;
	const char *cwd; /* or ANY */
};
#define ANY NULL /* the cwd of a record that matches in every directory */

/* With its key. The caller clears it. */
struct unit command_of(const char *line, const char *cwd);
/* Records a second apart, each with its number as its exit code. */
void write_commands(const char *path, const struct command_line *records, size_t count);

#endif
