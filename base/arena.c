#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 4000 /* with its head and that of malloc, less than a page */

struct arena_block {
	struct arena_block *before;
	size_t size;
	char text[];
};

static int add_block(struct arena *arena, size_t needed)
{
	size_t size = needed > BLOCK_SIZE ? needed : BLOCK_SIZE;
	struct arena_block *block = malloc(sizeof(*block) + size);

	if (!block)
		return -1;
	block->before = arena->last;
	block->size = size;
	arena->last = block;
	arena->left = size;
	return 0;
}

char *arena_add(struct arena *arena, const char *text, size_t len)
{
	char *copy;

	if (len >= SIZE_MAX / 2 || (arena->left <= len && add_block(arena, len + 1) < 0))
		return NULL;
	copy = arena->last->text + (arena->last->size - arena->left);
	arena->left -= len + 1;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *arena_add_str(struct arena *arena, const char *text)
{
	return arena_add(arena, text, strlen(text));
}

void arena_free(struct arena *arena)
{
	while (arena->last) {
		struct arena_block *before = arena->last->before;

		free(arena->last);
		arena->last = before;
	}
	arena->left = 0;
}
