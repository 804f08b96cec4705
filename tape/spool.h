/*
 * Collects the bytes of one stream while a unit runs: in memory while small, then in a temporary
 * file of the tape directory that becomes the blob, so that a unit may print more than fits in
 * memory.
 */
#ifndef SANDTAPE_TAPE_SPOOL_H
#define SANDTAPE_TAPE_SPOOL_H

#include "base/error.h"
#include "tape/roots.h"
#include "tape/unit.h"

struct spool;

/* `tape_dir` is the directory that holds blobs/; copied. NULL when out of memory. Up to 1 MiB is
 * kept in memory. */
struct spool *spool_new(const char *tape_dir);
int spool_add(struct spool *s, const void *bytes, size_t len, struct error *err);
uint64_t spool_size(const struct spool *s);
/*
 * Decides the form by FORMAT.md ("Payloads"): inline text, inline base64, or a blob, which is then
 * on its final name (written completely before it is renamed, so that a blob with a name is
 * always whole). `roots` may be NULL: no placeholders. The spool can then only be freed.
 */
int spool_finish(struct spool *s, const struct roots *roots, struct payload *ret,
		 struct error *err);
/* Removes the temporary file of a spool that was not finished. */
void spool_free(struct spool *s);

#endif
