/* Whether a text is JSON, and how much is in it, without asking for memory: jansson cannot be asked
 * when it had none. */
#ifndef SANDTAPE_BASE_JSON_SCAN_H
#define SANDTAPE_BASE_JSON_SCAN_H

#include "base/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a whole value must have, too. */
struct json_sums {
	size_t bytes;	   /* of all strings, keys too, as UTF-8 */
	uint64_t integers; /* all of them, modulo 2^64 */
};

/* false when the text is not one array or object by RFC 8259, or nested too deep for jansson. What
 * is UTF-8, and which integers are too large, is not looked at. */
bool json_scan(struct bytes text, struct json_sums *ret);

#endif
