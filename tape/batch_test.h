/* What the tests of answers share: a unit's streams, and the operations of the stub in words. */
#ifndef SANDTAPE_TAPE_BATCH_TEST_H
#define SANDTAPE_TAPE_BATCH_TEST_H

#include "base/buf.h"
#include "tape/answer.h"
#include "tape/unit.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* The tape that the answers are of. */
#define BATCH_TAPE "t.tape"

/* The fixture: an empty tape in a directory of its own; WORK is /work/app, and HOME /home/me. */
void batch_enter(void);
void batch_leave(void);

/* Of the fixture. */
extern struct tape_reader *batch_reader;
extern struct roots *batch_roots;

/* The latest operations. */
extern struct stub_answer batch;

struct stream *add_stream(struct unit *u, int fd, const void *bytes, size_t len);

/* "1:3 2:2": three bytes of stdout, then two of stderr. */
void add_chunks(struct unit *u, const char *chunks);

struct answer *answer_of(const struct unit *u);

/* The next operations, of which nothing is left of the ones before. */
void next_batch(struct answer *a, size_t *ret_data_len);

/* The operations as words: "1:out 2:err wait15 leave more". */
void add_ops(struct buf *out, size_t data_len);

#endif
