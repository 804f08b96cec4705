#include "tape/intercept/memory.h"

#include "base/cleanup.h"
#include "base/error.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#define PAGE 4096ul /* the smallest page of any architecture: never crosses into a missing one */

int memory_read(pid_t pid, unsigned long address, void *into, size_t len)
{
	struct iovec local = {into, len};
	struct iovec remote = {(void *)address, len};
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EFAULT;
}

int memory_write(pid_t pid, unsigned long address, const void *from, size_t len)
{
	struct iovec local = {(void *)from, len};
	struct iovec remote = {(void *)address, len};
	ssize_t n = process_vm_writev(pid, &local, 1, &remote, 1, 0);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EFAULT;
}

int memory_poke(pid_t tid, unsigned long address, const void *from, size_t len)
{
	for (size_t at = 0; at < len; at += sizeof(long)) {
		long word;

		memcpy(&word, (const char *)from + at, sizeof(word));
		if (ptrace(PTRACE_POKEDATA, tid, address + at, word) < 0)
			return -errno;
	}
	return 0;
}

static size_t to_page_end(unsigned long address, size_t at_most)
{
	size_t left = PAGE - (address & (PAGE - 1));

	return left < at_most ? left : at_most;
}

int memory_read_string(pid_t pid, unsigned long address, size_t max, struct buf *out)
{
	size_t had = out->len;

	for (;;) {
		char page[PAGE];
		size_t want = to_page_end(address, sizeof(page));
		int r = memory_read(pid, address, page, want);
		size_t len;

		if (r < 0)
			return r;
		len = strnlen(page, want);
		if (buf_add(out, page, len) < 0)
			return -ENOMEM;
		if (out->len - had > max)
			return -E2BIG;
		if (len < want)
			return 0;
		address += want;
	}
}

static uint64_t pointer_at(const char *at, unsigned word)
{
	uint64_t wide;
	uint32_t narrow;

	if (word == sizeof(narrow)) {
		memcpy(&narrow, at, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, at, sizeof(wide));
	return wide;
}

/* The addresses in an array that ends with NULL. */
static int read_pointers(pid_t pid, unsigned long array, unsigned word, struct buf *out)
{
	while (array != 0) {
		char page[PAGE];
		size_t want = to_page_end(array, sizeof(page)) / word * word;
		int r;

		if (want == 0)
			want = word; /* an unaligned pointer lies across the border */
		r = memory_read(pid, array, page, want);
		if (r < 0)
			return r;
		for (size_t at = 0; at < want; at += word) {
			uint64_t pointer = pointer_at(page + at, word);

			if (pointer == 0)
				return 0;
			if (buf_add(out, &pointer, sizeof(pointer)) < 0)
				return -ENOMEM;
			if (out->len > MEMORY_STRINGS_MAX)
				return -E2BIG;
		}
		array += want;
	}
	return 0;
}

#define BATCH	   128
#define FIRST_LOOK 256ul /* most arguments are shorter */

/* One system call for the beginnings of up to BATCH strings; 0 or -errno. */
static int read_beginnings(pid_t pid, const uint64_t *pointers, size_t count, char *into)
{
	struct iovec local[BATCH];
	struct iovec remote[BATCH];
	size_t total = 0;
	ssize_t n;

	for (size_t i = 0; i < count; i++) {
		size_t len = to_page_end(pointers[i], FIRST_LOOK);

		local[i] = (struct iovec){into + i * FIRST_LOOK, len};
		remote[i] = (struct iovec){(void *)pointers[i], len};
		total += len;
	}
	n = process_vm_readv(pid, local, count, remote, count, 0);
	if (n < 0)
		return -errno;
	return (size_t)n == total ? 0 : -EFAULT;
}

static int add_string(pid_t pid, uint64_t pointer, const char *beginning, struct buf *text)
{
	size_t looked = to_page_end(pointer, FIRST_LOOK);
	size_t len = strnlen(beginning, looked);
	int r = 0;

	if (buf_add(text, beginning, len) < 0)
		return -ENOMEM;
	if (len == looked)
		r = memory_read_string(pid, pointer + len, MEMORY_STRINGS_MAX, text);
	if (r == 0 && buf_add_char(text, '\0') < 0)
		r = -ENOMEM;
	return r == 0 && text->len > MEMORY_STRINGS_MAX ? -E2BIG : r;
}

static int add_batch(pid_t pid, const uint64_t *pointers, size_t count, struct buf *text)
{
	char beginnings[BATCH * FIRST_LOOK];
	int r = read_beginnings(pid, pointers, count, beginnings);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_string(pid, pointers[i], beginnings + i * FIRST_LOOK, text);
	return r;
}

/* The text has stopped moving: point to its strings. */
static int point_to_strings(struct memory_strings *s, size_t count)
{
	const char *at = s->text.data;

	s->item = calloc(count ? count : 1, sizeof(*s->item));
	if (!s->item)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		s->item[i] = bytes_of_str(at);
		at += s->item[i].len + 1;
	}
	s->count = count;
	return 0;
}

int memory_read_strings(pid_t pid, unsigned long array, unsigned word, struct memory_strings *ret)
{
	cleanup_buf struct buf pointers = BUF_INIT;
	struct memory_strings s = {0};
	int r = read_pointers(pid, array, word, &pointers);
	size_t count = pointers.len / sizeof(uint64_t);

	for (size_t at = 0; r == 0 && at < count; at += BATCH) {
		size_t n = count - at < BATCH ? count - at : BATCH;

		r = add_batch(pid, (const uint64_t *)(const void *)pointers.data + at, n, &s.text);
	}
	if (r == 0)
		r = point_to_strings(&s, count);
	if (r < 0) {
		memory_strings_clear(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void memory_strings_clear(struct memory_strings *s)
{
	buf_free(&s->text);
	free(s->item);
	*s = (struct memory_strings){0};
}
