/* tape_check(): whether what a unit did in its order fits what there is of its streams. */
#include "base/cleanup.h"
#include "tape/check_parts.h"
#include <inttypes.h>
#include <stdlib.h>

static void add_size(uint64_t *sum, uint64_t more)
{
	*sum = more > UINT64_MAX - *sum ? UINT64_MAX : *sum + more;
}

static int judge(const struct stream *s, uint64_t sum, const char *member, struct error *err)
{
	bool is_input = stream_is_input(s->fd);

	/* With roots it has another size than what was written or read. */
	if (sum <= s->data.size || s->data.rooted)
		return 0;
	return error_set(err, ERR_FORMAT,
			 "\"%s\" has %" PRIu64
			 " bytes that were %s %d, of which there are %" PRIu64,
			 member, sum, is_input ? "read from the descriptor" : "written to stream",
			 s->fd & ~STREAM_INPUT, s->data.size);
}

static int add_chunk(const struct unit *u, const struct chunk *c, const char *member,
		     uint64_t *sums, struct error *err)
{
	const struct stream *s = unit_stream_const(u, c->fd);

	if (c->fd == CHUNK_MODE && c->len >= u->mode_count)
		return error_set(err, ERR_FORMAT, "\"%s\" names a mode that is not there", member);
	if (c->fd == CHUNK_STOP && c->len >= u->stop_count)
		return error_set(err, ERR_FORMAT, "\"%s\" names a stop that is not there", member);
	if (c->fd == CHUNK_SENT && c->len >= u->sent_count)
		return error_set(err, ERR_FORMAT, "\"%s\" names a signal that was not sent",
				 member);
	if (c->fd < 0 || c->len == 0)
		return 0;
	if (!s)
		return error_set(err, ERR_FORMAT, "\"%s\" names the stream %d, which is not there",
				 member, c->fd & ~STREAM_INPUT);
	add_size(&sums[s - u->streams], c->len);
	return 0;
}

int check_sizes(const struct unit *u, const struct chunk *chunks, size_t count, const char *member,
		struct error *err)
{
	cleanup_free uint64_t *sums = NULL;
	int rc = 0;

	if (!count)
		return 0;
	sums = calloc(u->stream_count + 1, sizeof(*sums));
	if (!sums)
		return error_no_memory(err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = add_chunk(u, &chunks[i], member, sums, err);
	for (size_t i = 0; rc == 0 && i < u->stream_count; i++)
		rc = judge(&u->streams[i], sums[i], member, err);
	return rc;
}
