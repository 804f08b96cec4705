/* The memory of another process. The caller must be allowed to trace it; 0 or -errno. */
#ifndef SANDTAPE_TAPE_INTERCEPT_MEMORY_H
#define SANDTAPE_TAPE_INTERCEPT_MEMORY_H

#include "base/buf.h"
#include <sys/types.h>

/* All or nothing: a short transfer is -EFAULT. */
int memory_read(pid_t pid, unsigned long address, void *into, size_t len);
int memory_write(pid_t pid, unsigned long address, const void *from, size_t len);
/* Writes to read-only pages too (a private copy is made), `len` a multiple of sizeof(long). */
int memory_poke(pid_t tid, unsigned long address, const void *from, size_t len);

/* A NUL-terminated string, appended to `out` without its NUL; -E2BIG beyond `max` bytes. */
int memory_read_string(pid_t pid, unsigned long address, size_t max, struct buf *out);

/* Strings of one array, as in argv. `text` holds them one after the other, each with its NUL;
 * `item` points into it. Released by memory_strings_clear(). */
struct memory_strings {
	struct buf text;
	struct bytes *item;
	size_t count;
};

#define MEMORY_STRINGS_MAX                                                                         \
	(8u << 20) /* bytes; the kernel's own limit for argv and env is 6 MiB                      \
		    */

/* `word` is the size of a pointer in the array (4 or 8). A NULL array is an empty one. */
int memory_read_strings(pid_t pid, unsigned long array, unsigned word, struct memory_strings *ret);
void memory_strings_clear(struct memory_strings *s);

#endif
