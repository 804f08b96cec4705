#include "base/text.h"
#include <endian.h>
#include <stdio.h>
#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* Unicode 15 table 3-7: after the lead byte, only the second byte has a range of its own. */
static const struct {
	unsigned char lead_min, lead_max, second_min, second_max, len;
} utf8_rows[] = {
	{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
	{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
	{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

#define UTF8_ROWS (sizeof(utf8_rows) / sizeof(utf8_rows[0]))

/* The length of the well-formed non-ASCII character at `s`, 0 when there is none. */
static size_t utf8_character_len(const unsigned char *s, size_t len)
{
	size_t row = 0;

	while (row < UTF8_ROWS && s[0] > utf8_rows[row].lead_max)
		row++;
	if (row == UTF8_ROWS || s[0] < utf8_rows[row].lead_min || len < utf8_rows[row].len)
		return 0;
	if (s[1] < utf8_rows[row].second_min || s[1] > utf8_rows[row].second_max)
		return 0;
	for (size_t i = 2; i < utf8_rows[row].len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return utf8_rows[row].len;
}

static size_t ascii_run(const unsigned char *s, size_t len)
{
	size_t i = 0;

	/* Command output is mostly ASCII: eight bytes a step. */
	for (uint64_t word; len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, s + i, sizeof(word));
		if (word & HIGH_BITS)
			break;
	}
	while (i < len && s[i] < 0x80)
		i++;
	return i;
}

bool text_is_utf8(const char *bytes, size_t len)
{
	const unsigned char *s = (const unsigned char *)bytes;
	size_t i = 0;

	while (i < len) {
		i += ascii_run(s + i, len - i);
		if (i == len)
			break;

		size_t step = utf8_character_len(s + i, len - i);

		if (step == 0)
			return false;
		i += step;
	}
	return true;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Bit 7 of each byte that is 0, and perhaps of bytes behind one. */
static uint64_t zero_bytes(uint64_t x)
{
	return (x - EACH(1)) & ~x & HIGH_BITS;
}

size_t text_json_run(const char *bytes, size_t len)
{
	size_t i = 0;

	for (uint64_t x; len - i >= sizeof(x); i += sizeof(x)) {
		memcpy(&x, bytes + i, sizeof(x));
		if ((x | zero_bytes(x ^ EACH('"')) | zero_bytes(x ^ EACH('\\')) |
		     (x - EACH(0x20))) &
		    HIGH_BITS)
			break;
	}
	while (i < len && (signed char)bytes[i] >= 0x20 && bytes[i] != '"' && bytes[i] != '\\')
		i++;
	return i;
}

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Writes the four digits of one to three bytes. */
static void base64_encode_group(char *out, const unsigned char *in, size_t len)
{
	unsigned int bits = (unsigned int)in[0] << 16;

	if (len > 1)
		bits |= (unsigned int)in[1] << 8;
	if (len > 2)
		bits |= in[2];
	out[0] = base64_digits[bits >> 18];
	out[1] = base64_digits[bits >> 12 & 63];
	out[2] = len > 1 ? base64_digits[bits >> 6 & 63] : '=';
	out[3] = len > 2 ? base64_digits[bits & 63] : '=';
}

int text_base64_encode(struct buf *out, const void *bytes, size_t len)
{
	const unsigned char *in = bytes;

	if (len > SIZE_MAX / 4 * 3 - 3 || buf_reserve(out, (len + 2) / 3 * 4) < 0)
		return ERR_NOMEM;
	for (size_t i = 0; i < len; i += 3, out->len += 4)
		base64_encode_group(out->data + out->len, in + i, len - i < 3 ? len - i : 3);
	out->data[out->len] = '\0';
	return 0;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Returns the number of bytes of a four-digit group, or 0 when it is not canonical. */
static size_t base64_decode_group(unsigned char *out, const char *in, bool is_last)
{
	size_t digits = in[3] != '=' ? 4 : in[2] != '=' ? 3 : 2;
	unsigned int bits = 0;

	if (digits < 4 && !is_last)
		return 0;
	for (size_t i = 0; i < 4; i++) {
		int value = i < digits ? base64_value(in[i]) : 0;

		if (value < 0)
			return 0;
		bits = bits << 6 | (unsigned int)value;
	}
	/* Bits below the last byte must be zero, or two texts would mean the same bytes. */
	if (bits & ((1U << (4 - digits) * 8) - 1))
		return 0;
	out[0] = (unsigned char)(bits >> 16);
	out[1] = (unsigned char)(bits >> 8);
	out[2] = (unsigned char)bits;
	return digits - 1;
}

int text_base64_decode(struct buf *out, const char *text, size_t len, struct error *err)
{
	size_t start = out->len;

	if (len % 4 != 0)
		return error_set(err, ERR_FORMAT, "base64 text of %zu characters is cut short",
				 len);
	if (buf_reserve(out, len / 4 * 3) < 0)
		return error_no_memory(err);
	for (size_t i = 0; i < len; i += 4) {
		unsigned char group[3];
		size_t bytes = base64_decode_group(group, text + i, i + 4 == len);

		if (bytes == 0) {
			out->len = start;
			out->data[start] = '\0';
			return error_set(err, ERR_FORMAT, "bad base64 text at character %zu", i);
		}
		memcpy(out->data + out->len, group, bytes);
		out->len += bytes;
	}
	out->data[out->len] = '\0';
	return 0;
}

char *text_formatted(const char *format, va_list args)
{
	char *text;

	return vasprintf(&text, format, args) < 0 ? NULL : text;
}

size_t text_decimal(uint64_t value, char *ret_digits)
{
	char digits[TEXT_DECIMAL_MAX];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	memcpy(ret_digits, digits + at, sizeof(digits) - at);
	return sizeof(digits) - at;
}

void text_hex64(uint64_t value, char *ret_digits)
{
	for (int i = TEXT_HEX64_LEN - 1; i >= 0; i--, value >>= 4)
		ret_digits[i] = "0123456789abcdef"[value & 15];
}

/* Eight digits at once, each in a byte of its own: a line has 32, and a tape has many lines. */
static bool parse_hex32(const char *digits, uint64_t *ret_value)
{
	uint64_t x, letters, values;

	memcpy(&x, digits, sizeof(x));
	x = be64toh(x);
	letters = x >> 6 & EACH(1);
	values = (x & EACH(15)) + letters * 9;
	/* 0x30 to 0x39 for 0 to 9, and 0x61 to 0x66 for 10 to 15. */
	if ((x & EACH(0xf0)) != EACH(0x30) + letters * 0x30 ||
	    ((values + EACH(0x76)) >> 7 & EACH(1)) != letters || (values & EACH(0xf0)))
		return false;
	values = (values | values >> 4) & UINT64_C(0x00ff00ff00ff00ff);
	values = (values | values >> 8) & UINT64_C(0x0000ffff0000ffff);
	*ret_value = (values | values >> 16) & UINT64_C(0xffffffff);
	return true;
}

bool text_parse_hex64(const char *digits, uint64_t *ret_value)
{
	uint64_t high, low;

	if (!parse_hex32(digits, &high) || !parse_hex32(digits + 8, &low))
		return false;
	*ret_value = high << 32 | low;
	return true;
}
