#include "tape/codec.h"
#include "tape/codec_parts.h"
#include "tape/codec_quick.h"
#include <jansson.h>
#include <limits.h>

/* Times are the part that a tape can do without: absent is 0. */
static int read_number(const json_t *object, const char *key, uint64_t *ret, struct error *err)
{
	const json_t *value = json_object_get(object, key);
	int64_t ns = 0;
	int rc = value ? codec_read_integer(value, key, 0, INT64_MAX, &ns, err) : 0;

	if (rc == 0)
		*ret = (uint64_t)ns;
	return rc;
}

int codec_read_time(const struct line *line, struct unit *u, struct error *err)
{
	cleanup_json json_t *object = NULL;
	const json_t *value;
	int64_t episode = 0;
	uint64_t pid = 0;
	int rc;

	if (codec_quick_time(line, u))
		return 0;
	rc = codec_load_json(line->all, &object, err);
	if (rc < 0)
		return rc;
	rc = read_number(object, "pid", &pid, err);
	if (rc == 0)
		rc = read_number(object, "start_ns", &u->time.start_ns, err);
	if (rc == 0)
		rc = read_number(object, "duration_ns", &u->time.duration_ns, err);
	if (rc == 0)
		rc = codec_read_bytes(json_object_get(object, "program"), "program",
				      &u->time.program, err);
	if (rc == 0)
		rc = codec_read_chunks(json_object_get(object, "chunks"), u, err);
	if (rc == 0)
		rc = codec_read_denied_times(json_object_get(object, "denied"), &u->time, err);
	if (rc == 0)
		rc = read_number(object, "denied_more", &u->time.denied_more, err);
	value = json_object_get(object, "episode");
	if (rc == 0 && value)
		rc = codec_read_integer(value, "episode", 0, INT_MAX, &episode, err);
	if (rc < 0)
		return rc;
	u->time.episode = (uint32_t)episode;
	u->time.pid = (int64_t)pid;
	u->time.known = true;
	return 0;
}
