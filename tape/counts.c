#include "tape/counts.h"
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 64

struct count {
	uint64_t key;
	uint64_t seen; /* 0: the slot is free */
};

/* The key is a hash already, so its low bits are as good as any. */
static struct count *probe(const struct counts *c, uint64_t key)
{
	size_t i = (size_t)key & (c->slot_count - 1);

	while (c->slot[i].seen && c->slot[i].key != key)
		i = (i + 1) & (c->slot_count - 1);
	return &c->slot[i];
}

static int make_room(struct counts *c)
{
	struct counts bigger = {.used = c->used};
	size_t i;

	if (c->used < c->slot_count / 2)
		return 0;
	bigger.slot_count = c->slot_count ? c->slot_count * 2 : FIRST_SLOTS;
	bigger.slot = calloc(bigger.slot_count, sizeof(*bigger.slot));
	if (!bigger.slot)
		return ERR_NOMEM;
	for (i = 0; i < c->slot_count; i++) {
		if (c->slot[i].seen)
			*probe(&bigger, c->slot[i].key) = c->slot[i];
	}
	free(c->slot);
	*c = bigger;
	return 0;
}

static int find(struct counts *c, uint64_t key, struct count **ret, struct error *err)
{
	if (make_room(c) < 0)
		return error_no_memory(err);
	*ret = probe(c, key);
	return (*ret)->seen > UINT32_MAX ? error_set(err, ERR_LIMIT, "too many units with one key")
					 : 0;
}

int counts_peek(struct counts *c, uint64_t key, uint32_t *ret_ordinal, struct error *err)
{
	struct count *count;
	int rc = find(c, key, &count, err);

	if (rc == 0)
		*ret_ordinal = (uint32_t)count->seen;
	return rc;
}

int counts_next(struct counts *c, uint64_t key, uint32_t *ret_ordinal, struct error *err)
{
	struct count *count;
	int rc = find(c, key, &count, err);

	if (rc < 0)
		return rc;
	*ret_ordinal = (uint32_t)count->seen;
	c->used += !count->seen;
	count->key = key;
	count->seen++;
	return 0;
}

void counts_clear(struct counts *c)
{
	free(c->slot);
	memset(c, 0, sizeof(*c));
}
