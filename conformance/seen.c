/* What the probe has told, read from its lines, or from the file when there is no last line. */
#include "conformance/trial.h"

#include <stdio.h>
#include <string.h>

static void take_report(const struct probe_report *report, struct conf_seen *ret,
			char ret_text[PROBE_TEXT_SIZE])
{
	const bool known = report->state >= 0 && report->state < PROBE_STATES;

	ret->state = known ? (enum probe_state)report->state : PROBE_ABSENT;
	ret->error = report->error;
	if (ret->state == PROBE_DONE)
		ret->error = report->result < 0 ? (int)-report->result : 0;
	ret->signal = report->signal;
	ret->code = report->code;
	ret->data = report->data;
	ret->call = report->call;
	snprintf(ret->stage, sizeof(ret->stage), "%.*s", (int)sizeof(report->stage), report->stage);
	snprintf(ret_text, PROBE_TEXT_SIZE, "%.*s", (int)sizeof(report->text), report->text);
}

/* The last line that the supervisor writes. false: there is none. */
static bool read_line(const char *text, const char *nonce, struct probe_report *ret)
{
	char begin[64];
	const char *line;
	long long result;
	int n;

	snprintf(begin, sizeof(begin), "sandtape-probe %s ended ", nonce);
	line = strstr(text, begin);
	if (!line)
		return false;
	*ret = (struct probe_report){.state = PROBE_ABSENT};
	n = sscanf(line + strlen(begin), "%d %d %lld %d %d %d %d %d %u %31s %127s", &ret->state,
		   &ret->error, &result, &ret->signal, &ret->caught, &ret->code, &ret->data,
		   &ret->call, &ret->arch, ret->stage, ret->text);
	ret->result = result;
	return n == 11;
}

/* Both are of one report, unless the probe has not got the file: then that has no nonce. */
static bool disagree(const struct probe_report *line, const struct probe_report *file)
{
	return line->state != file->state || line->error != file->error ||
	       line->result != file->result || line->signal != file->signal;
}

void trial_read_end(int signal, struct conf_seen *ret)
{
	if (ret->state == PROBE_ACTING && !ret->signal)
		ret->signal = signal;
}

void trial_read(const char *text, const char *nonce, const struct probe_report *report,
		struct conf_seen *ret, char ret_text[PROBE_TEXT_SIZE])
{
	const bool has_file = strncmp(report->nonce, nonce, PROBE_NONCE_SIZE) == 0;
	struct probe_report line;
	char begin[64];
	bool has_line;

	snprintf(begin, sizeof(begin), "sandtape-probe %s began\n", nonce);
	ret->nonce = has_file || strstr(text, begin) != NULL;
	ret_text[0] = '\0';
	if (!ret->nonce)
		return;
	has_line = read_line(text, nonce, &line);
	take_report(has_line ? &line : report, ret, ret_text);
	ret->disagrees = has_line && has_file && disagree(&line, report);
}
