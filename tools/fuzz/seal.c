/*
 * The mutator of fuzz_tape for libFuzzer: most mutations break the checksum of a line, and then no
 * more than the checksum would ever be tested. So most mutants are sealed again: keys, ordinals and
 * checksums are made to fit. The corpus holds tapes as they are, sealed or not.
 */
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/text.h"
#include "tape/codec.h"
#include "tools/fuzz/fuzz.h"
#include <string.h>

#define KEY_AT	  ((size_t)6)  /* behind `{"k":"` */
#define SUM_SIZE  ((size_t)24) /* `,"c":"` + digits + `"}` */
#define NAMES_MAX 64

/* What a key was called before its content was changed, and what it is now. */
struct renamed {
	uint64_t was;
	uint64_t is;
};

struct names {
	struct renamed item[NAMES_MAX];
	size_t count;
};

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

static void put_sum(char *text, size_t len)
{
	text_hex64(hash64(text, len - SUM_SIZE), text + len - 2 - TEXT_HEX64_LEN);
}

static uint64_t renamed(const struct names *names, uint64_t key)
{
	for (size_t i = names->count; i-- > 0;)
		if (names->item[i].was == key)
			return names->item[i].is;
	return key;
}

/* The key that the content calls for; `was` when it cannot be read. */
static uint64_t fitting_key(const struct line *line, uint64_t was)
{
	struct unit u = {0};
	uint64_t key = was;

	if (codec_read_spawn(line, &u, NULL) < 0 || unit_key(&u, &key) < 0)
		key = was;
	unit_clear(&u);
	return key;
}

static void seal_line(char *text, size_t len, struct names *names)
{
	struct line line;

	if (len < KEY_AT + TEXT_HEX64_LEN + SUM_SIZE || memcmp(text, "{\"k\":\"", KEY_AT) != 0)
		return;
	memcpy(text + len - SUM_SIZE, ",\"c\":\"", 6);
	memcpy(text + len - 2, "\"}", 2);
	put_sum(text, len);
	if (line_parse(text, len, &line) != LINE_OK || line.type == LINE_HEAD)
		return;
	if (line.type == LINE_SPAWN && names->count < NAMES_MAX)
		names->item[names->count++] =
			(struct renamed){line.id.key, fitting_key(&line, line.id.key)};
	text_hex64(renamed(names, line.id.key), text + KEY_AT);
	put_sum(text, len);
}

static void seal(char *data, size_t size)
{
	struct names names = {.count = 0};
	size_t start = 0;

	for (size_t i = 0; i <= size; i++) {
		if (i < size && data[i] != '\n' && data[i] != FUZZ_FILE_END)
			continue;
		seal_line(data + start, i - start, &names);
		start = i + 1;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	size_t len = LLVMFuzzerMutate(data, size, max_size);

	if (seed % 16 != 0)
		seal((char *)data, len);
	return len;
}
