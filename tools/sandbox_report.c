/* The report of sandtape run: how the program ended, and what was enforced. */
#include "base/buf.h"
#include "base/fs.h"
#include "tape/json_values.h"
#include "tools/denials.h"
#include "tools/json.h"
#include "tools/run.h"

#include <stdlib.h>
#include <string.h>

static const char *const ends[] = {
	[SANDBOX_END_EXIT] = "exit",	   [SANDBOX_END_SIGNAL] = "signal",
	[SANDBOX_END_TIMEOUT] = "timeout", [SANDBOX_END_OUTPUT] = "output",
	[SANDBOX_END_MEMORY] = "memory",   [SANDBOX_END_UNKNOWN] = "unknown",
};

json_t *sandbox_report_layers(const struct sandbox_layers *layers)
{
	json_t *all = json_object();

	for (int i = 0; i < SANDBOX_MECHS; i++) {
		const struct sandbox_layer *layer = &layers->layer[i];

		json_object_set_new(all, sandbox_mechanism_name(i),
				    json_pack("{s:s, s:o}", "state",
					      sandbox_state_name(layer->state), "why",
					      json_of_text(layer->why)));
	}
	return all;
}

static double seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static json_t *arguments(const char *const *argv)
{
	json_t *list = json_array();

	for (; *argv; argv++)
		json_array_append_new(list, json_of_bytes(*argv, strlen(*argv)));
	return list;
}

static json_t *make(const char *const *argv, const struct sandbox_layers *layers,
		    const struct sandbox_result *r)
{
	return json_pack("{s:i, s:o, s:s, s:i, s:f, s:f, s:f, s:I, s:I, s:o}", "version", 1, "argv",
			 arguments(argv), "end", ends[r->end], "status", r->status, "duration_s",
			 (double)r->duration_ns / 1e9, "user_s", seconds(&r->usage.ru_utime),
			 "system_s", seconds(&r->usage.ru_stime), "max_rss_kb",
			 (json_int_t)r->usage.ru_maxrss, "killed", (json_int_t)r->killed, "layers",
			 sandbox_report_layers(layers));
}

/* Takes `report`. */
static int write_take(int fd, const char *file, json_t *report, struct error *err)
{
	char *text = report ? json_dumps(report, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
	size_t len = text ? strlen(text) : 0;
	int rc;

	json_decref(report);
	if (!text)
		return error_no_memory(err);
	text[len] = '\n'; /* in place of the NUL, which nobody needs any more */
	rc = fs_report_write(fd, file, text, len + 1, err);
	free(text);
	return rc < 0 ? error_wrap(err, rc, "there is no report") : 0;
}

int sandbox_report_write(int fd, const char *file, const char *const *argv,
			 const struct sandbox_layers *layers, const struct sandbox_result *result,
			 const struct denials *denials, struct error *err)
{
	json_t *report = make(argv, layers, result);

	if (report && denials_report(denials, report) < 0) {
		json_decref(report);
		report = NULL;
	}
	return write_take(fd, file, report, err);
}

int sandbox_report_failure(int fd, const char *file, const char *const *argv, int status,
			   const char *why, struct error *err)
{
	return write_take(fd, file,
			  json_pack("{s:i, s:o, s:s, s:i, s:o}", "version", 1, "argv",
				    arguments(argv), "end", "failed", "status", status, "error",
				    json_of_text(why)),
			  err);
}
