/*
 * The encodings beneath a tape: roots, base64, UTF-8, hexadecimal numbers, quoting. Whatever goes
 * in must come back. And what is imported, which may be anything. The first byte of the input
 * chooses the roots.
 */
#include "base/text.h"
#include "tape/import_harn.h"
#include "tape/roots.h"
#include "tools/fuzz/fuzz.h"
#include <stdbool.h>
#include <string.h>

static const struct {
	const char *name;
	const char *dir;
} all_roots[] = {
	{"WORK", "/w"},	    {"HOME", "/w/h"},	 {"TMP", "/t"},	      {"A", "/w/h/$"},
	{"AB", "/w/h/$$A"}, {"A_B", "/t/$WORK"}, {"X9", "/\303\244"}, {"Z", "/w"},
};

#define ROOTS (sizeof(all_roots) / sizeof(all_roots[0]))

static struct bytes bytes_of_buf(const struct buf *b)
{
	return (struct bytes){b->data, b->len};
}

static void check_roots(uint8_t chosen, struct bytes in)
{
	cleanup_buf struct buf stored = BUF_INIT, back = BUF_INIT;
	struct roots *roots = roots_new();

	fuzz_require(roots, "out of memory");
	for (size_t i = 0; i < ROOTS; i++)
		if (chosen >> i & 1)
			fuzz_require(roots_add(roots, all_roots[i].name, all_roots[i].dir, NULL) ==
					     0,
				     all_roots[i].name);
	fuzz_require(roots_encode(roots, in.data, in.len, &stored) == 0, "out of memory");
	fuzz_require(roots_decode(roots, stored.data, stored.len, &back) == 0, "out of memory");
	fuzz_require(bytes_equal(in, bytes_of_buf(&back)), "not decoded as it was encoded");
	/* Not everything is a code, but nothing may break the decoder. */
	buf_clear(&back);
	fuzz_require(roots_decode(roots, in.data, in.len, &back) == 0, "out of memory");
	roots_free(roots);
}

static void check_base64(struct bytes in)
{
	cleanup_buf struct buf text = BUF_INIT, back = BUF_INIT;
	struct error err = {0};

	fuzz_require(text_base64_encode(&text, in.data, in.len) == 0, "out of memory");
	fuzz_require(text_base64_decode(&back, text.data, text.len, &err) == 0, err.text);
	fuzz_require(bytes_equal(in, bytes_of_buf(&back)), "not decoded as it was encoded");
	/* One text for the same bytes. */
	buf_clear(&back);
	if (text_base64_decode(&back, in.data, in.len, NULL) < 0)
		return;
	buf_clear(&text);
	fuzz_require(text_base64_encode(&text, back.data, back.len) == 0, "out of memory");
	fuzz_require(bytes_equal(in, bytes_of_buf(&text)), "another text for the same bytes");
}

static void check_numbers(struct bytes in)
{
	char digits[TEXT_HEX64_LEN];
	uint64_t value;

	if (in.len < TEXT_HEX64_LEN || !text_parse_hex64(in.data, &value))
		return;
	text_hex64(value, digits);
	fuzz_require(!memcmp(digits, in.data, TEXT_HEX64_LEN), "another text for the same number");
}

static void check_text(struct bytes in)
{
	cleanup_buf struct buf quoted = BUF_INIT;
	bool whole = text_is_utf8(in.data, in.len), halves = true;

	/* A text is UTF-8 when both of its parts are; cut anywhere else, neither is. */
	for (size_t cut = 0; cut <= in.len && cut < 64; cut++) {
		halves = text_is_utf8(in.data, cut) && text_is_utf8(in.data + cut, in.len - cut);
		fuzz_require(!halves || whole, "two texts together are none");
	}
	fuzz_require(text_quote(&quoted, in.data, in.len) == 0, "out of memory");
	fuzz_require(quoted.len && text_is_utf8(quoted.data, quoted.len), "not fit to be printed");
}

static int take_record(void *ctx, const struct import_record *r, struct error *err)
{
	(void)ctx;
	(void)err;
	fuzz_require(r->argc && r->argv[0].len, "a record without a program");
	fuzz_require(r->code >= 0 && r->code < 256, "a status that no process has");
	fuzz_require(!r->out.len || r->out.data, "output that is nowhere");
	return 0;
}

static void check_import(struct bytes in)
{
	size_t skipped = 0;
	const struct import_sink sink = {take_record, NULL, &skipped};
	struct error err = {0};
	int rc = import_harn("/nowhere", in, &sink, &err);

	fuzz_require(rc == 0 || err.text[0], "an error without words");
	/* Where jansson and json_scan() were of two opinions, this would be the verdict. */
	fuzz_require(rc != ERR_NOMEM, err.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* An own copy, so that a read beyond its end is one beyond a block. */
	char *copy = malloc(size ? size : 1);
	struct bytes in = {copy, size ? size - 1 : 0};

	fuzz_require(copy, "out of memory");
	if (size > 1)
		memcpy(copy, data + 1, size - 1);
	check_roots(size ? data[0] : 0, in);
	check_base64(in);
	check_numbers(in);
	check_text(in);
	check_import(in);
	free(copy);
	return 0;
}
