/*
 * What harn (a language with a test bench) writes down of processes: its process tape, one JSON
 * array, and its event tape, a JSON object a line, of which the process_spawn records count.
 */
#ifndef SANDTAPE_TAPE_IMPORT_HARN_H
#define SANDTAPE_TAPE_IMPORT_HARN_H

#include "base/buf.h"
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

struct import_pair {
	const char *name;
	struct bytes value;
};

/* All of it is borrowed for the call. */
struct import_record {
	struct bytes *argv;
	size_t argc;
	const char *cwd; /* NULL: any */
	struct import_pair *env;
	size_t env_count;
	struct bytes out;
	struct bytes err;
	int code; /* 0 to 255 */
	uint64_t duration_ns;
};

struct import_sink {
	int (*record)(void *ctx, const struct import_record *record, struct error *err);
	void *ctx;
	size_t *skipped; /* records of other kinds */
};

/*
 * `content` is that of `file`, which names it in messages, and beside which larger payloads of an
 * event tape are (FILE.cas/). ERR_FORMAT for what is not such a tape, with the line or the number
 * of the entry; ERR_VERSION for a later version; ERR_SYSTEM when a payload cannot be read.
 */
int import_harn(const char *file, struct bytes content, const struct import_sink *sink,
		struct error *err);

#endif
