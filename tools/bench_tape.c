/*
 * bench_tape write|sync|group DIR COUNT: records COUNT commands with the writer and prints the
 * nanoseconds of the records and of the end of the recording. `sync` has each on the disk before
 * the next one, and `group` has 16 share that, as commands do that end at about the same time.
 *
 * bench_tape read DIR COUNT: opens such a tape as the library does, with its causal order, and
 * prints the nanoseconds to the first answer, the median of further answers from all over the tape,
 * and the bytes of anonymous memory then.
 */
#include "base/buf.h"
#include "tape/matcher.h"
#include "tape/orders.h"
#include "tape/writer.h"
#include "tools/bench.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWERS 20000
#define BATCH	1000
#define GROUP	16

static void check(int rc, const struct error *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "bench_tape: %s\n", rc == ERR_NOMEM ? "out of memory" : err->text);
	exit(1);
}

static int add_arg(struct unit *u, const char *text)
{
	return unit_add_arg(u, text, strlen(text));
}

/* What the subject asks: of eight commands, one is the same each time. */
static void make_command(struct unit *u, size_t i)
{
	char text[64];

	memset(u, 0, sizeof(*u));
	check(add_arg(u, i % 8 ? "/usr/bin/git" : "date"), NULL);
	if (i % 8) {
		snprintf(text, sizeof(text), "--format=%%h %%s \"%zu\"", i);
		check(add_arg(u, "log"), NULL);
		check(add_arg(u, text), NULL);
	}
	check(buf_add_str(&u->parent, "0"), NULL);
	check(buf_addf(&u->cwd, "$WORK/module-%zu", i % 8 ? i % 100 : 0), NULL);
	check(unit_key(u, &u->id.key), NULL);
}

static void add_end(struct unit *u, size_t i)
{
	struct stream *in = unit_add_stream(u, 0);
	struct stream *out = unit_add_stream(u, 1);
	struct stream *err = unit_add_stream(u, 2);

	check(in && out && err ? 0 : ERR_NOMEM, NULL);
	in = unit_stream(u, 0);
	out = unit_stream(u, 1);
	in->kind = STREAM_NULL;
	out->kind = STREAM_PIPE;
	err->kind = STREAM_PIPE;
	out->data.form = PAYLOAD_INLINE;
	check(buf_addf(&out->data.bytes, "%07zx the change number %zu\n", i * 7919, i), NULL);
	out->data.size = out->data.bytes.len;
	u->end.how = END_EXITED;
	u->time.known = true;
	u->time.pid = 1000 + (int64_t)(i % 30000);
	u->time.start_ns = i * 1000000;
	u->time.duration_ns = 700000;
	check(buf_add_str(&u->time.program, "/usr/bin/git"), NULL);
	check(unit_add_chunk(u, 1, out->data.size, 500000), NULL);
}

/* Returns the nanoseconds of the writer: making the units is the work of who records. */
static uint64_t write_units(struct tape_writer *w, size_t first, size_t count, size_t group)
{
	static struct unit units[BATCH];
	struct error err = {0};
	uint64_t took;

	for (size_t i = 0; i < count; i++) {
		make_command(&units[i], first + i);
		add_end(&units[i], first + i);
	}
	took = monotonic_ns();
	for (size_t i = 0; i < count; i++) {
		check(tape_writer_spawn(w, &units[i], &err), &err);
		check(tape_writer_exit(w, &units[i], &err), &err);
		if ((first + i + 1) % group == 0)
			check(tape_writer_sync(w, &err), &err);
	}
	took = monotonic_ns() - took;
	for (size_t i = 0; i < count; i++)
		unit_clear(&units[i]);
	return took;
}

static int record(const char *path, size_t count, const char *how)
{
	static char root[] = "WORK";
	static char *root_list[] = {root};
	struct tape_head head = {.version = TAPE_FORMAT_VERSION, .roots = {root_list, 1}};
	struct error err = {0};
	struct tape_writer *w;
	size_t group = strcmp(how, "group") == 0 ? GROUP : 1;
	uint64_t began, written = 0;

	check(tape_writer_open(path, &head, strcmp(how, "write") != 0, &w, &err), &err);
	for (size_t i = 0; i < count; i += BATCH)
		written += write_units(w, i, count - i < BATCH ? count - i : BATCH, group);
	began = monotonic_ns();
	check(tape_writer_finish(w, &err), &err);
	printf("%" PRIu64 " %" PRIu64 "\n", written, monotonic_ns() - began);
	tape_writer_free(w);
	return 0;
}

static void answer(struct matcher *m, const struct tape_reader *r, size_t i, uint64_t *ret_ns)
{
	struct payload_view view = {0};
	struct error err = {0};
	struct unit command, taken;
	size_t index, count;
	uint64_t began;

	make_command(&command, i);
	began = monotonic_ns();
	check(matcher_find(m, &command, &index, 1, &count, &err), &err);
	if (count != 1) {
		fprintf(stderr, "bench_tape: no record for command %zu\n", i);
		exit(1);
	}
	check(matcher_take(m, index, &taken, &err), &err);
	check(tape_reader_payload(r, &unit_stream(&taken, 1)->data, NULL, &view, &err), &err);
	*ret_ns = monotonic_ns() - began;
	payload_view_clear(&view);
	unit_clear(&taken);
	unit_clear(&command);
}

static unsigned long anonymous_bytes(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long kilobytes = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f) &&
	       sscanf(line, "RssAnon: %lu kB", &kilobytes) != 1)
		;
	if (f)
		fclose(f);
	return kilobytes * 1024;
}

static int answer_all(const char *path, size_t count)
{
	size_t answers = count < ANSWERS ? count : ANSWERS;
	uint64_t *took = calloc(answers, sizeof(*took));
	struct error err = {0};
	struct tape_reader *r;
	struct matcher *m;
	struct orders *o;
	uint64_t began = monotonic_ns(), first;

	check(took ? 0 : ERR_NOMEM, NULL);
	check(tape_reader_open(path, &r, &err), &err);
	m = matcher_new(r);
	check(m ? 0 : ERR_NOMEM, NULL);
	check(orders_new(r, m, TAPE_ORDER_CAUSAL, &o, &err), &err);
	answer(m, r, count / 2, &took[0]);
	first = monotonic_ns() - began;
	/* A prime step, so that neighbours on the tape are not asked for one after the other. */
	for (size_t i = 1; i < answers; i++)
		answer(m, r, (count / 2 + i * 611953) % count, &took[i]);
	printf("%" PRIu64 " %" PRIu64 " %lu\n", first, bench_median(took, answers),
	       anonymous_bytes());
	orders_free(o);
	matcher_free(m);
	tape_reader_free(r);
	free(took);
	return 0;
}

int main(int argc, char **argv)
{
	size_t count = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;

	if (count && strcmp(argv[1], "read") == 0)
		return answer_all(argv[2], count);
	if (count)
		return record(argv[2], count, argv[1]);
	fprintf(stderr, "usage: bench_tape write|sync|group|read DIR COUNT\n");
	return 2;
}
