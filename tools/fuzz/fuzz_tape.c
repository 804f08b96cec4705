/*
 * Reads a tape made of the input, and what can be read of it must survive being written: the
 * canonical tape of what was read says the same, and its own canonical tape is byte for byte
 * itself. What tape_check() calls whole must be readable, and tape_diff() must find every tape to
 * be like itself.
 *
 * The input is tape.jsonl, timing.jsonl, journal.jsonl and any number of blobs, in this order, with
 * FUZZ_FILE_END between them. A file without a byte is not there. A blob gets the name that its
 * bytes call for.
 */
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/hash.h"
#include "tape/canon.h"
#include "tape/codec.h"
#include "tape/files.h"
#include "tape/reader.h"
#include "tools/fuzz/fuzz.h"
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where all of it is: in memory, when there is such a place. */
static char scratch[] = "/dev/shm/sandtape-fuzz.XXXXXX";
static char scratch_on_disk[] = "/tmp/sandtape-fuzz.XXXXXX";

/* The tape of the input, and what is written anew. */
static char *read_dir, *written_dir, *read_blobs, *written_blobs;

static void remove_scratch(void)
{
	fs_remove_all(scratch, NULL);
	fs_remove_all(scratch_on_disk, NULL);
	free(read_dir);
	free(written_dir);
	free(read_blobs);
	free(written_blobs);
}

static void make_scratch(void)
{
	const char *made;

	if (read_dir)
		return;
	made = mkdtemp(scratch);
	if (!made)
		made = mkdtemp(scratch_on_disk);
	fuzz_require(made, "no directory to work in");
	read_dir = fs_join(made, "read.tape");
	written_dir = fs_join(made, "written.tape");
	read_blobs = fs_join(read_dir, BLOBS_DIR);
	written_blobs = fs_join(written_dir, BLOBS_DIR);
	fuzz_require(read_blobs && written_blobs, "out of memory");
	atexit(remove_scratch);
}

static void put_file(const char *dir, const char *name, struct bytes content)
{
	cleanup_free char *path = fs_join(dir, name);
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	struct error err = {0};

	fuzz_require(fd >= 0, path);
	fuzz_require(fs_write_all(fd, content.data, content.len, path, &err) == 0, err.text);
}

static void put_blob(struct bytes content)
{
	struct hash_sha256 *hash = hash_sha256_new();
	char hex[HASH_SHA256_HEX + 1];

	fuzz_require(hash, "out of memory");
	hash_sha256_add(hash, content.data, content.len);
	hash_sha256_hex(hash, hex);
	hash_sha256_free(hash);
	put_file(read_blobs, hex, content);
}

/* The tape of the input. */
static void make_tape(const char *data, size_t size)
{
	static const char *const names[] = {TAPE_FILE, TIMING_FILE, JOURNAL_FILE};
	const size_t named = sizeof(names) / sizeof(names[0]);
	const char *end = data + size;

	fs_remove_all(read_dir, NULL);
	fs_remove_all(written_dir, NULL);
	fuzz_require(fs_mkdir_all(read_blobs, NULL) == 0, read_dir);
	for (size_t i = 0; data < end; i++) {
		const char *stop = memchr(data, FUZZ_FILE_END, (size_t)(end - data));
		struct bytes content = {data, (size_t)((stop ? stop : end) - data)};

		if (content.len && i < named)
			put_file(read_dir, names[i], content);
		else if (content.len)
			put_blob(content);
		data += content.len + 1;
	}
}

/* An error is one sentence on one line. */
static void check_error(int rc, const struct error *err)
{
	fuzz_require(rc < 0 && rc == err->code, "a failure without an error");
	fuzz_require(err->text[0] && !strchr(err->text, '\n'), err->text);
	fuzz_require(rc != ERR_NOMEM && rc != ERR_INVALID, err->text);
}

static void read_payload(const struct tape_reader *r, const struct payload *p)
{
	struct payload_view view;
	struct error err = {0};
	int rc = tape_reader_payload(r, p, NULL, &view, &err);

	if (rc < 0) {
		check_error(rc, &err);
		return;
	}
	fuzz_require(view.data && view.len == p->size, "a payload of another size");
	payload_view_clear(&view);
}

/* Whether the unit could be read. */
static bool read_unit(const struct tape_reader *r, size_t index)
{
	struct unit u = {0};
	struct error err = {0};
	uint64_t start_ns, duration_ns;
	int rc = tape_reader_unit(r, index, &u, &err);

	tape_reader_span(r, index, &start_ns, &duration_ns);
	if (rc < 0) {
		check_error(rc, &err);
		return false;
	}
	for (size_t i = 0; i < u.stream_count; i++) {
		read_payload(r, &u.streams[i].data);
		read_payload(r, &u.streams[i].tail);
	}
	fuzz_require(tape_reader_find(r, u.id.key, u.id.ordinal) == (long)index,
		     "lost in the table");
	unit_clear(&u);
	return true;
}

/* Adds what a unit is on the tape as lines of a journal. */
static void add_unit(const struct tape_reader *r, const struct tape_index *index, size_t i,
		     struct buf *journal)
{
	const struct index_unit *at = &index->units[i];
	struct error err = {0};
	struct unit u = {0};

	fuzz_require(tape_reader_unit(r, i, &u, &err) == 0, err.text);
	fuzz_require(codec_write_spawn(journal, &u, &err) == 0, err.text);
	if (at->exit != INDEX_NONE)
		fuzz_require(codec_write_exit(journal, &u, &err) == 0, err.text);
	if (u.time.known)
		fuzz_require(codec_write_time(journal, &u, &err) == 0, err.text);
	if (at->tail != INDEX_NONE)
		fuzz_require(codec_write_tail(journal, &u, &err) == 0, err.text);
	unit_clear(&u);
}

static struct tape_index *index_of(const char *dir, const char *name, enum index_kind kind)
{
	cleanup_free char *path = fs_join(dir, name), *timing = fs_join(dir, TIMING_FILE);
	struct tape_index *index = NULL;
	struct timing_damage damage;
	struct error err = {0};

	fuzz_require(tape_index_open(path, kind, &index, &err) == 0, err.text);
	if (kind == INDEX_TAPE)
		tape_index_add_timing(index, timing, &damage, NULL);
	return index;
}

static enum index_kind kind_of(const char *dir)
{
	return tape_file_exists(dir, TAPE_FILE) ? INDEX_TAPE : INDEX_JOURNAL;
}

/* Writes what `from` says as a journal of the written tape, and that as a tape, over `old` when not
 * NULL. */
static void write_anew(const char *from, const struct tape_index *old)
{
	enum index_kind kind = kind_of(from);
	struct tape_index *index =
		index_of(from, kind == INDEX_TAPE ? TAPE_FILE : JOURNAL_FILE, kind);
	cleanup_buf struct buf journal = BUF_INIT;
	struct tape_reader *r = NULL;
	cleanup_free char *path = fs_join(written_dir, JOURNAL_FILE);
	struct tape_index *fresh;
	struct error err = {0};

	fuzz_require(tape_reader_open(from, &r, &err) == 0, err.text);
	fuzz_require(codec_write_head(&journal, tape_reader_head(r), &err) == 0, err.text);
	for (size_t i = 0; i < index->count; i++)
		add_unit(r, index, i, &journal);
	tape_reader_free(r);
	tape_index_free(index);
	put_file(written_dir, JOURNAL_FILE, (struct bytes){journal.data, journal.len});
	fresh = index_of(written_dir, JOURNAL_FILE, INDEX_JOURNAL);
	fuzz_require(tape_canon_write(written_dir, fresh, old, false, &err) == 0, err.text);
	tape_index_free(fresh);
	unlink(path);
}

/* The content of the written tape, which becomes that of `ret`. */
static void get_written(struct buf ret[2])
{
	struct error err = {0};

	for (int i = 0; i < 2; i++) {
		cleanup_free char *path = fs_join(written_dir, i ? TIMING_FILE : TAPE_FILE);

		buf_clear(&ret[i]);
		fuzz_require(fs_read_file(path, SIZE_MAX / 4, &ret[i], &err) == 0, err.text);
	}
}

static void require_same(const struct buf was[2], const char *what)
{
	struct buf now[2] = {BUF_INIT, BUF_INIT};

	get_written(now);
	for (int i = 0; i < 2; i++) {
		fuzz_require(bytes_equal((struct bytes){was[i].data, was[i].len},
					 (struct bytes){now[i].data, now[i].len}),
			     what);
		buf_free(&now[i]);
	}
}

/* One line for each unit. */
static void show_all(const char *dir, struct buf *out)
{
	struct tape_reader *r = NULL;
	struct error err = {0};

	fuzz_require(tape_reader_open(dir, &r, &err) == 0, err.text);
	for (size_t i = 0; i < tape_reader_count(r); i++) {
		char *json = NULL;
		int rc = tape_reader_json(r, i, &json, &err);

		if (rc < 0)
			check_error(rc, &err);
		fuzz_require(buf_addf(out, "%s\n", rc < 0 ? "?" : json) == 0, "out of memory");
		free(json);
	}
	tape_reader_free(r);
}

static void check_writing(void)
{
	struct buf shown = BUF_INIT, shown_anew = BUF_INIT, first[2] = {BUF_INIT, BUF_INIT};
	struct tape_index *old;

	show_all(read_dir, &shown);
	fuzz_require(mkdir(written_dir, 0777) == 0, written_dir);
	write_anew(read_dir, NULL);
	/* The blobs go along. */
	fuzz_require(rename(read_blobs, written_blobs) == 0, BLOBS_DIR);
	show_all(written_dir, &shown_anew);
	if (!bytes_equal((struct bytes){shown.data, shown.len},
			 (struct bytes){shown_anew.data, shown_anew.len})) {
		fprintf(stderr, "was:\n%s\nis:\n%s\n", shown.data, shown_anew.data);
		abort(); /* what was written says something else */
	}
	get_written(first);
	write_anew(written_dir, NULL);
	require_same(first, "the canonical tape of a canonical tape is another");
	old = index_of(written_dir, TAPE_FILE, INDEX_TAPE);
	write_anew(written_dir, old);
	tape_index_free(old);
	require_same(first, "recording the same again changes the tape");
	buf_free(&first[0]);
	buf_free(&first[1]);
	buf_free(&shown);
	buf_free(&shown_anew);
}

static void count_finding(void *ctx, enum tape_finding kind, const char *text)
{
	size_t *damages = ctx;

	fuzz_require(text && *text, "a finding without words");
	*damages += kind == TAPE_DAMAGE;
}

/* What is whole can be read. */
static void check_check(bool all_read)
{
	size_t damages = 0;
	const struct tape_check_options options = {.find = count_finding, .find_ctx = &damages};
	struct tape_check_result result;
	struct error err = {0};

	fuzz_require(tape_check(read_dir, &options, &result, &err) == 0, err.text);
	fuzz_require(result.damages == damages, "findings are counted wrongly");
	fuzz_require(all_read || damages, "a tape that cannot be read is called whole");
}

static void refuse_difference(void *ctx, const struct tape_difference *d)
{
	(void)ctx;
	fuzz_require(false, d->text);
}

/* Every tape is like itself. */
static void check_diff(void)
{
	struct tape_diff_options options = {.tell = refuse_difference};
	struct tape_diff_result result;
	struct error err = {0};

	for (int fidelity = TAPE_BYTE; fidelity <= TAPE_OUTCOME; fidelity++) {
		options.fidelity = (enum tape_fidelity)fidelity;
		fuzz_require(tape_diff(read_dir, read_dir, &options, &result, &err) == 0, err.text);
		fuzz_require(result.alike == result.a_units, "a unit without a partner");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tape_reader *r = NULL;
	struct error err = {0};
	bool all_read = true;
	int rc;

	make_scratch();
	make_tape((const char *)data, size);
	rc = tape_reader_open(read_dir, &r, &err);
	if (rc < 0) {
		check_error(rc, &err);
		return 0;
	}
	for (size_t i = 0; i < tape_reader_count(r); i++)
		all_read &= read_unit(r, i);
	tape_reader_free(r);
	check_check(all_read);
	check_diff();
	if (all_read)
		check_writing();
	return 0;
}
