/* Reading a text from its front: what is taken is passed over. */
#ifndef SANDTAPE_BASE_CURSOR_H
#define SANDTAPE_BASE_CURSOR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* What is left to read. */
struct cursor {
	const char *at;
	const char *end;
};

static inline bool cursor_take(struct cursor *c, const char *literal)
{
	size_t len = strlen(literal);

	if ((size_t)(c->end - c->at) < len || memcmp(c->at, literal, len) != 0)
		return false;
	c->at += len;
	return true;
}

static inline bool cursor_is_at_digit(const struct cursor *c)
{
	return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

/* A non-negative number below 10^18, without leading zeros: only one spelling of a number may have
 * the checksum. */
static inline bool cursor_take_number(struct cursor *c, uint64_t *ret)
{
	const char *first = c->at;
	uint64_t value = 0;

	while (cursor_is_at_digit(c) && c->at - first < 18)
		value = value * 10 + (uint64_t)(*c->at++ - '0');
	if (c->at == first || (*first == '0' && c->at - first > 1) || cursor_is_at_digit(c))
		return false;
	*ret = value;
	return true;
}

#endif
