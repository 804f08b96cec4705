#include "tape/report.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "tape/again.h"
#include "tape/json_values.h"
#include "tape/names.h"
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct report {
	const char *path;
	int fd; /* of what is no regular file, or -1 */
	json_t *divergences;
	size_t left_out;
};

int report_new(const char *path, struct report **ret, struct error *err)
{
	struct report *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return error_no_memory(err);
	r->path = path;
	r->fd = -1;
	r->divergences = json_array();
	rc = r->divergences ? fs_report_open(path, &r->fd, err) : error_no_memory(err);
	if (rc < 0) {
		report_free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	json_decref(r->divergences);
	free(r);
}

int report_add(struct report *r, const struct divergence *d, struct error *err)
{
	if (json_array_size(r->divergences) == REPORT_MAX)
		r->left_out++;
	else if (json_array_append(r->divergences, d->json) < 0)
		return error_no_memory(err);
	return 0;
}

static json_t *json_of_args(char *const *argv)
{
	json_t *array = json_array();

	for (; array && *argv; argv++) {
		if (json_array_append_new(array, json_of_bytes(*argv, strlen(*argv))) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *json_of_unused(const struct matcher *matcher)
{
	const struct tape_reader *reader = matcher_reader(matcher);
	size_t count = tape_reader_count(reader);
	json_t *array = json_array();

	for (size_t i = 0; array && i < count && json_array_size(array) < REPORT_MAX; i++) {
		char id[UNIT_ID_SIZE];

		if (matcher_is_used(matcher, i))
			continue;
		unit_id_format(tape_reader_id(reader, i), id);
		if (json_array_append_new(array, json_string(id)) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

/* As in a record: "code" or "signal". */
static int set_status(json_t *object, int wait_status)
{
	char name[SIGNAL_NAME_SIZE];

	if (WIFEXITED(wait_status))
		return json_object_set_new(object, "code", json_integer(WEXITSTATUS(wait_status)));
	return json_object_set_new(object, "signal",
				   signal_name(WTERMSIG(wait_status), name)
					   ? json_string(name)
					   : json_integer(WTERMSIG(wait_status)));
}

static json_t *integer(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *make(struct report *r, const struct tape_options *options,
		    const struct matcher *matcher, const struct tape_replay_result *result)
{
	cleanup_buf struct buf again = BUF_INIT;
	json_t *object = json_object();

	if (again_add_command(&again, options, tape_reader_head(matcher_reader(matcher))) == 0 &&
	    object &&
	    !(json_object_set_new(object, "version", json_integer(1)) |
	      json_object_set_new(object, "tape",
				  json_of_bytes(options->tape, strlen(options->tape))) |
	      json_object_set_new(object, "command", json_of_args(options->argv)) |
	      set_status(object, result->wait_status) |
	      json_object_set_new(object, "answered", integer(result->units)) |
	      json_object_set_new(object, "diverged", integer(result->misses)) |
	      json_object_set_new(object, "not_asked_for", integer(result->unused)) |
	      json_object_set(object, "divergences", r->divergences) |
	      json_object_set_new(object, "divergences_left_out", integer(r->left_out)) |
	      json_object_set_new(object, "unused", json_of_unused(matcher)) |
	      json_object_set_new(object, "record_again", json_of_buf(&again))))
		return object;
	json_decref(object);
	return NULL;
}

int report_finish(struct report *r, const struct tape_options *options,
		  const struct matcher *matcher, const struct tape_replay_result *result,
		  struct error *err)
{
	json_t *object = make(r, options, matcher, result);
	cleanup_free char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
	cleanup_buf struct buf line = BUF_INIT;

	json_decref(object);
	if (!text || buf_add_str(&line, text) < 0 || buf_add_char(&line, '\n') < 0)
		return error_no_memory(err);
	return fs_report_write(r->fd, r->path, line.data, line.len, err);
}
