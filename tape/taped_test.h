/*
 * What the tests of commands through a tape share. All must succeed, but where a divergence is
 * expected.
 */
#ifndef SANDTAPE_TAPE_TAPED_TEST_H
#define SANDTAPE_TAPE_TAPED_TEST_H

#include "tape/command.h"

#define TAPE "t.tape"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define ARGV(...)   ((const char *const[]){__VA_ARGS__, NULL})
#define SH(script)  ARGV("sh", "-c", script)

struct tape *open_with(const struct tape_config *config);
/* The tape TAPE. */
struct tape *open_as(enum tape_mode mode);
/* And frees it. */
void close_it(struct tape *t);

struct tape_result run(struct tape *t, const struct tape_command *command);
struct tape_child *spawn(struct tape *t, const struct tape_command *command);

/* Runs `script` by sh, and compares what it wrote to its stdout. */
void expect_out(struct tape *t, const char *script, const char *wanted);

/* The spawn fails, and its divergence is the latest. */
void expect_divergence(struct tape *t, const struct tape_command *command,
		       enum tape_divergence_kind kind);

#endif
