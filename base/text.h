/* Text encodings: UTF-8 checking, base64 (RFC 4648, padded), lower-case hex. */
#ifndef SANDTAPE_BASE_TEXT_H
#define SANDTAPE_BASE_TEXT_H

#include "base/buf.h"
#include "base/error.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

/* Well-formed UTF-8 by Unicode 15 table 3-7: no overlong forms, no surrogates, up to U+10FFFF.
 * NUL is a character like any other. */
bool text_is_utf8(const char *bytes, size_t len);

/* How many bytes from the first on are ASCII and stand for themselves in a JSON string. */
size_t text_json_run(const char *bytes, size_t len);

int text_base64_encode(struct buf *out, const void *bytes, size_t len);
/* ERR_FORMAT on anything that text_base64_encode() would not have written. */
int text_base64_decode(struct buf *out, const char *text, size_t len, struct error *err);

/* As vasprintf(); NULL when there is no memory. */
char *text_formatted(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

#define TEXT_DECIMAL_MAX 20
/* Writes the digits, no NUL, and returns how many they are. */
size_t text_decimal(uint64_t value, char *ret_digits);

#define TEXT_HEX64_LEN 16
/* Writes exactly 16 digits, no NUL. */
void text_hex64(uint64_t value, char *ret_digits);
/* Reads 16 bytes, always. false when one of them is no lower-case digit. */
bool text_parse_hex64(const char *digits, uint64_t *ret_value);

/* Appends the bytes as one word of a POSIX shell command line: as they are when that is safe, else
 * quoted ('…', or $'…' with escapes when there are control characters or bytes that are not UTF-8).
 * 0 or ERR_NOMEM. */
int text_quote(struct buf *out, const char *bytes, size_t len);

#endif
