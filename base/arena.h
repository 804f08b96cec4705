/*
 * Texts that live equally long: none is freed by itself. A zeroed struct is an empty arena. Not
 * thread-safe.
 */
#ifndef SANDTAPE_BASE_ARENA_H
#define SANDTAPE_BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *last; /* with the ones before it; owned */
	size_t left;		  /* bytes in it */
};

/* A copy with a NUL behind it, which stays where it is until the arena is freed. NULL: there is no
 * memory. `text` has no NUL inside its `len` bytes, and may be in the arena. */
char *arena_add(struct arena *arena, const char *text, size_t len);
char *arena_add_str(struct arena *arena, const char *text);

void arena_free(struct arena *arena); /* back to a zeroed struct */

#endif
