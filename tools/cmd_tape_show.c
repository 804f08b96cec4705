/* sandtape tape show */
#include "tools/command.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "tape/names.h"
#include "tape/reader.h"
#include "tape/show.h"
#include "tools/options.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct show_options {
	bool json;
	bool help;
};

static const struct option options[] = {
	{"--json", 0, OPTION_FLAG, NULL, offsetof(struct show_options, json),
	 "one JSON object a command, one a line"},
	{"--help", 'h', OPTION_FLAG, NULL, offsetof(struct show_options, help), "print this help"},
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

static int show_json(const struct tape_reader *r, size_t index, struct error *err)
{
	cleanup_free char *json = NULL;
	int rc = tape_reader_json(r, index, &json, err);

	if (rc == 0)
		puts(json);
	return rc;
}

static void print_duration(const struct unit_time *time)
{
	double ms = (double)time->duration_ns / 1e6;

	if (!time->known)
		printf("%10s", "-");
	else if (ms < 1000)
		printf("%7.1f ms", ms);
	else
		printf("%8.2f s", ms / 1000);
}

static void print_end(const struct unit_end *end)
{
	char name[SIGNAL_NAME_SIZE];
	char text[32];
	const char *error;

	switch (end->how) {
	case END_EXITED:
		snprintf(text, sizeof(text), "exit %d", end->code);
		break;
	case END_SIGNALED:
		if (!signal_name(end->signal, name))
			snprintf(name, sizeof(name), "signal %d", end->signal);
		snprintf(text, sizeof(text), "%s%s", name, end->core ? "+core" : "");
		break;
	case END_EXEC_FAILED:
		error = error_errno_name(end->exec_errno);
		snprintf(text, sizeof(text), "%s", error ? error : "not executed");
		break;
	default:
		snprintf(text, sizeof(text), "unfinished");
		break;
	}
	printf("  %-11s", text);
}

static int print_quoted(const char *bytes, size_t len, struct error *err)
{
	cleanup_buf struct buf quoted = BUF_INIT;

	if (text_quote(&quoted, bytes, len) < 0)
		return error_no_memory(err);
	fputs(quoted.data, stdout);
	return 0;
}

#define PREVIEW 60 /* bytes */

static int print_stream(const struct tape_reader *r, const struct roots *shown, const char *name,
			const struct payload *p, struct error *err)
{
	struct payload_view view = {0};
	size_t len;
	int rc;

	if (p->form == PAYLOAD_EMPTY)
		return 0;
	rc = tape_reader_payload(r, p, shown, &view, err);
	if (rc < 0)
		return rc;
	len = view.len < PREVIEW ? view.len : PREVIEW;
	/* Not in the middle of a character. */
	while (len < view.len && len > 0 && ((unsigned char)view.data[len] & 0xc0) == 0x80)
		len--;
	printf("%26s%-7s %8zu B  ", "", name, view.len);
	rc = print_quoted(view.data, len, err);
	puts(len < view.len ? " ..." : "");
	payload_view_clear(&view);
	return rc;
}

/* Texts that have been quoted already, if the tape is what a recording made. */
static void print_text(const struct buf *text)
{
	for (size_t i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->data[i];

		putchar(c < ' ' || c == 0x7f ? '?' : c);
	}
}

static void print_failure(const struct unit_denial *d)
{
	const char *error = error_errno_name(d->error);
	char signal[SIGNAL_NAME_SIZE];

	if (d->error)
		printf(": %s", error ? error : "an error without a name");
	if (d->signal)
		printf(": %s", signal_name(d->signal, signal) ? signal : "a signal");
}

/* Whether the arguments have it already. */
static bool is_shown(const struct unit_denial *d)
{
	const struct buf *arguments = &d->text[DENIED_ARGUMENTS], *what = &d->text[DENIED_WHAT];

	return what->len == 0 ||
	       (arguments->len && memmem(arguments->data, arguments->len, what->data, what->len));
}

/* "openat(AT_FDCWD, "f", O_RDONLY) of $WORK/f: EACCES" */
static void print_denial(const struct unit_denial *d, const struct unit_denial_time *time,
			 const char *when)
{
	printf("%26sdenied%s  ", "", when);
	print_text(&d->text[DENIED_CALL]);
	if (d->text[DENIED_CALL].len) {
		putchar('(');
		print_text(&d->text[DENIED_ARGUMENTS]);
		fputs(is_shown(d) ? ")" : ") of ", stdout);
	}
	if (!d->text[DENIED_CALL].len || !is_shown(d))
		print_text(&d->text[DENIED_WHAT]);
	print_failure(d);
	if (time && time->count > 1)
		printf(", %llu times", (unsigned long long)time->count);
}

static void print_reason(const struct unit_denial *d)
{
	printf("\n%34sby ", "");
	print_text(&d->text[DENIED_MECHANISM]);
	fputs(" (", stdout);
	print_text(&d->text[DENIED_EVIDENCE]);
	fputs("): ", stdout);
	print_text(&d->text[DENIED_WHY]);
	if (d->text[DENIED_POLICY].len)
		printf("\n%34sto allow it, in the policy: ", "");
	print_text(&d->text[DENIED_POLICY]);
	putchar('\n');
}

static void print_denied(const struct unit *u)
{
	const bool timed = u->time.denied_count == u->denied_count;

	for (size_t i = 0; i < u->denied_count; i++) {
		print_denial(&u->denied[i], timed ? &u->time.denied[i] : NULL, "");
		print_reason(&u->denied[i]);
	}
	if (u->time.denied_more)
		printf("%26sdenied  %llu times more, unlike the above\n", "",
		       (unsigned long long)u->time.denied_more);
	for (size_t i = 0; i < u->late_count; i++) {
		print_denial(&u->late[i], NULL, " later");
		print_reason(&u->late[i]);
	}
	if (u->late_more)
		printf("%26sdenied later  more, unlike the above\n", "");
}

static const char *const stream_names[] = {"stdin", "stdout", "stderr"};

static int show_text(const struct tape_reader *r, size_t index, const struct roots *shown,
		     struct error *err)
{
	struct unit u = {0};
	int rc = show_unit(r, index, shown, &u, err);

	if (rc < 0)
		return rc;
	print_duration(&u.time);
	print_end(&u.end);
	for (size_t i = 0; rc == 0 && i < u.argc; i++) {
		putchar(' ');
		rc = print_quoted(u.argv[i].data, u.argv[i].len, err);
	}
	if (!u.cwd_any && strcmp(u.cwd.len ? u.cwd.data : "", "$WORK") != 0)
		printf("   (in %s)", u.cwd.len ? u.cwd.data : "a removed directory");
	putchar('\n');
	for (int fd = 0; rc == 0 && fd < 3; fd++) {
		const struct stream *s = unit_stream_const(&u, fd);

		if (s)
			rc = print_stream(r, shown, stream_names[fd], &s->data, err);
		if (rc == 0 && s)
			rc = print_stream(r, shown, "later", &s->tail, err);
	}
	if (rc == 0)
		print_denied(&u);
	unit_clear(&u);
	return rc;
}

static int print_decoded(const struct roots *shown, const char *stored, struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	if (roots_decode(shown, stored, strlen(stored), &text) < 0)
		return error_no_memory(err);
	return print_quoted(text.data ? text.data : "", text.len, err);
}

static int print_head(const struct tape_reader *r, const struct roots *shown, struct error *err)
{
	const struct tape_head *head = tape_reader_head(r);
	size_t count = tape_reader_count(r);
	int rc = 0;

	printf("%s: %zu command%s of:", tape_reader_path(r), count, count == 1 ? "" : "s");
	for (size_t i = 0; rc == 0 && i < head->command.count; i++) {
		putchar(' ');
		rc = print_decoded(shown, head->command.item[i], err);
	}
	putchar('\n');
	return rc;
}

static int show(const char *path, bool json, struct error *err)
{
	struct roots *shown = NULL;
	struct tape_reader *r;
	int rc = tape_reader_open(path, &r, err);

	if (rc < 0)
		return rc;
	shown = roots_new();
	if (!shown)
		rc = error_no_memory(err);
	for (size_t i = 0; i < tape_reader_warning_count(r); i++)
		fprintf(stderr, "sandtape: warning: %s\n", tape_reader_warning(r, i));
	if (rc == 0 && !json)
		rc = print_head(r, shown, err);
	for (size_t i = 0; rc == 0 && i < tape_reader_count(r) && !ferror(stdout); i++)
		rc = json ? show_json(r, i, err) : show_text(r, i, shown, err);
	roots_free(shown);
	tape_reader_free(r);
	return rc;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct show_options o = {0};
	struct error err = {0};
	int first, status;
	int rc = options_parse(&table, argc, argv, &o, &first, &err);

	if (rc == 0 && !o.help && first + 1 != argc)
		rc = error_set(&err, ERR_INVALID, "which tape? name one");
	if (!command_goes_on(command, rc, o.help, &err, &status))
		return status;
	return show(argv[first], o.json, &err) < 0 ? command_fail(&err) : command_finish(EXIT_OK);
}

const struct command tape_show_command = {
	"tape show", "[--json] TAPE",
	"Prints the commands of a tape. Paths below a root are shown as they are stored, as\n"
	"$WORK/..., $HOME/..., $TMP/....",
	run, help};
