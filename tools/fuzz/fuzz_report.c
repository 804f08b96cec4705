/*
 * What comes from outside to the conformance suite: reports (baselines, shards), and what a
 * launcher writes in the place of the probe. What is no report is refused with one sentence that
 * names the line; what is one reads back to the same, can be shown in each form, and differs from
 * itself in nothing.
 */
#include "conformance/gate.h"
#include "conformance/show.h"
#include "conformance/trial.h"
#include "tools/fuzz/fuzz.h"
#include <string.h>

#define NONCE "0123456789abcdef0123456789abcdef"

static void check_error(int rc, const struct error *err)
{
	fuzz_require(rc == ERR_FORMAT || rc == ERR_VERSION || rc == ERR_LIMIT, err->text);
	fuzz_require(rc == err->code, "another code in the error");
	fuzz_require(strncmp(err->text, "input:", 6) == 0 && !strchr(err->text, '\n'), err->text);
	fuzz_require(strtol(err->text + 6, NULL, 10) > 0, err->text);
}

static void check_forms(const struct conf_report *report)
{
	const struct conf_look look = {.width = 80, .colour = true};

	for (int form = 0; form < CONF_FORMATS; form++) {
		struct buf out = BUF_INIT;
		struct error err = {0};

		fuzz_require(conf_show(report, (enum conf_format)form, &look, &out, &err) == 0,
			     err.text);
		fuzz_require(out.len > 0, "nothing is shown");
		buf_free(&out);
	}
}

static void check_same(struct conf_report *report, const struct conf_report *again)
{
	struct conf_gate gate = {.required = 0};
	struct conf_counts counts;
	struct error err = {0};
	int status;

	fuzz_require(conf_gate_compare(report, again, CONF_WHOLE, &err) == 0, err.text);
	conf_report_count(report, &counts);
	for (int change = 0; change < CONF_CHANGES; change++)
		fuzz_require(change == CONF_SAME || change == CONF_KNOWN || !counts.change[change],
			     conf_change_name((enum conf_change)change));
	status = conf_gate_status(report, &gate);
	fuzz_require(status >= 0 && status <= 2, "a status that there is not");
}

static void check_report(struct conf_report *report)
{
	struct conf_report again;
	struct buf text = BUF_INIT, text_again = BUF_INIT;
	struct error err = {0};

	fuzz_require(conf_report_json(report, CONF_JSON_FILE, &text, &err) == 0, err.text);
	fuzz_require(conf_report_parse((struct bytes){text.data, text.len}, "written", &again,
				       &err) == 0,
		     err.text);
	fuzz_require(conf_report_json(&again, CONF_JSON_FILE, &text_again, &err) == 0, err.text);
	fuzz_require(text.len == text_again.len &&
			     memcmp(text.data, text_again.data, text.len) == 0,
		     "another report when read back");
	check_same(report, &again);
	check_forms(report);
	conf_report_free(&again);
	buf_free(&text);
	buf_free(&text_again);
}

/* A launcher may write what it likes, and map what it likes into the file of the report. */
static void check_written(const char *text, size_t len)
{
	struct probe_report mapped;
	struct conf_seen seen = {.ran = true};
	char read[PROBE_TEXT_SIZE], shown[64];

	memset(&mapped, 0, sizeof(mapped));
	memcpy(&mapped, text, len < sizeof(mapped) ? len : sizeof(mapped));
	trial_read(text, NONCE, &mapped, &seen, read);
	fuzz_require(seen.state >= 0 && seen.state < PROBE_STATES, "a state that there is not");
	fuzz_require(memchr(read, '\0', sizeof(read)), "a text without an end");
	fuzz_require(memchr(seen.stage, '\0', sizeof(seen.stage)), "a stage without an end");
	fuzz_require(seen.nonce || seen.state == PROBE_ABSENT, "believed without the nonce");
	fuzz_require(conf_seen_text(&seen, shown, sizeof(shown))[0], "nothing to show");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* An own copy, so that a read beyond its end is one beyond a block. */
	char *copy = malloc(size + 1);
	struct conf_report report;
	struct error err = {0};
	int rc;

	fuzz_require(copy, "out of memory");
	if (size)
		memcpy(copy, data, size);
	copy[size] = '\0';
	check_written(copy, size);
	rc = conf_report_parse((struct bytes){copy, size}, "input", &report, &err);
	if (rc < 0) {
		check_error(rc, &err);
	} else {
		check_report(&report);
		conf_report_free(&report);
	}
	free(copy);
	return 0;
}
