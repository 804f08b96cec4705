#include "tape/head.h"
#include "base/error.h"
#include <stdlib.h>
#include <string.h>

int strings_add(struct strings *s, const char *text)
{
	char **item;
	char *copy;

	copy = strdup(text);
	if (!copy)
		return ERR_NOMEM;
	item = reallocarray(s->item, s->count + 1, sizeof(*item));
	if (!item) {
		free(copy);
		return ERR_NOMEM;
	}
	item[s->count++] = copy;
	s->item = item;
	return 0;
}

void strings_clear(struct strings *s)
{
	size_t i;

	for (i = 0; i < s->count; i++)
		free(s->item[i]);
	free(s->item);
	memset(s, 0, sizeof(*s));
}

void tape_head_clear(struct tape_head *h)
{
	free(h->backend);
	strings_clear(&h->command);
	strings_clear(&h->roots);
	strings_clear(&h->env);
	strings_clear(&h->through);
	strings_clear(&h->real);
	strings_clear(&h->restricted);
	memset(h, 0, sizeof(*h));
}
