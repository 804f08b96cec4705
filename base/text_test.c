#include "base/text.h"
#include "tools/tests.h"
#include <stdint.h>
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* The bytes of a string literal, NULs within included. */
#define BYTES(literal) literal, sizeof(literal) - 1

static const struct {
	const char *bytes;
	size_t len;
	bool good;
} utf8_rows[] = {
	{BYTES(""), true},
	{BYTES("plain ascii, longer than one word"), true},
	{BYTES("a\0b"), true},
	{BYTES("\x7f"), true},
	/* First and last of each row of table 3-7. */
	{BYTES("\xc2\x80"), true},
	{BYTES("\xdf\xbf"), true},
	{BYTES("\xe0\xa0\x80"), true},
	{BYTES("\xe0\xbf\xbf"), true},
	{BYTES("\xe1\x80\x80"), true},
	{BYTES("\xec\xbf\xbf"), true},
	{BYTES("\xed\x80\x80"), true},
	{BYTES("\xed\x9f\xbf"), true},
	{BYTES("\xee\x80\x80"), true},
	{BYTES("\xef\xbf\xbf"), true},
	{BYTES("\xf0\x90\x80\x80"), true},
	{BYTES("\xf0\xbf\xbf\xbf"), true},
	{BYTES("\xf1\x80\x80\x80"), true},
	{BYTES("\xf3\xbf\xbf\xbf"), true},
	{BYTES("\xf4\x80\x80\x80"), true},
	{BYTES("\xf4\x8f\xbf\xbf"), true},
	/* Noncharacters are well-formed. */
	{BYTES("\xef\xbf\xbe"), true},
	/* Overlong forms. */
	{BYTES("\xc0\x80"), false},
	{BYTES("\xc0\xaf"), false},
	{BYTES("\xc1\xbf"), false},
	{BYTES("\xe0\x80\x80"), false},
	{BYTES("\xe0\x9f\xbf"), false},
	{BYTES("\xf0\x80\x80\x80"), false},
	{BYTES("\xf0\x8f\xbf\xbf"), false},
	/* Surrogates. */
	{BYTES("\xed\xa0\x80"), false},
	{BYTES("\xed\xaf\xbf"), false},
	{BYTES("\xed\xb0\x80"), false},
	{BYTES("\xed\xbf\xbf"), false},
	{BYTES("\xed\xa0\xbd\xed\xb8\x80"), false},
	/* Beyond U+10FFFF, and the five- and six-byte forms of long ago. */
	{BYTES("\xf4\x90\x80\x80"), false},
	{BYTES("\xf5\x80\x80\x80"), false},
	{BYTES("\xf8\x88\x80\x80\x80"), false},
	{BYTES("\xfc\x84\x80\x80\x80\x80"), false},
	{BYTES("\xfe"), false},
	{BYTES("\xff"), false},
	/* A continuation without a lead, and a lead without its continuations. */
	{BYTES("\x80"), false},
	{BYTES("\xbf"), false},
	{BYTES("\xc3"), false},
	{BYTES("\xe2\x82"), false},
	{BYTES("\xf0\x9f\x98"), false},
	{BYTES("\xc3(xxxxxxxxxxx"), false},
	{BYTES("\xe2\x82(xxxxxxxxxxx"), false},
	{BYTES("\xe2(\x82xxxxxxxxxxx"), false},
	{BYTES("\xf0\x9f\x98(xxxxxxxxxxx"), false},
	{BYTES("\xc3\xa4\xa4"), false},
};

/* Each row is tried alone and at each place of a machine word, for the fast path over ASCII. */
START_TEST(utf8_rows_are_judged)
{
	char text[64];

	for (size_t i = 0; i < COUNT(utf8_rows); i++) {
		for (size_t before = 0; before < 17; before++) {
			size_t len = before + utf8_rows[i].len;

			memset(text, 'a', before);
			memcpy(text + before, utf8_rows[i].bytes, utf8_rows[i].len);
			ck_assert_msg(text_is_utf8(text, len) == utf8_rows[i].good,
				      "row %zu after %zu bytes", i, before);
		}
	}
}
END_TEST

/* Encodes each number below 0x110000 by the definition: exactly the scalar values are text. */
START_TEST(utf8_knows_every_scalar_value)
{
	for (uint32_t c = 0x800; c < 0x120000; c++) {
		char text[4];
		size_t len = c < 0x10000 ? 3 : 4;
		uint32_t rest = c;

		for (size_t i = len - 1; i > 0; i--, rest >>= 6)
			text[i] = (char)(0x80 | (rest & 0x3f));
		text[0] = (char)((len == 3 ? 0xe0 : 0xf0) | rest);

		bool good = (c < 0xd800 || c > 0xdfff) && c < 0x110000;

		if (text_is_utf8(text, len) != good)
			ck_abort_msg("U+%04X", (unsigned int)c);
	}
}
END_TEST

/* RFC 4648, section 10, and each digit once. */
static const struct {
	const char *bytes;
	size_t len;
	const char *text;
} base64_rows[] = {
	{BYTES(""), ""},
	{BYTES("f"), "Zg=="},
	{BYTES("fo"), "Zm8="},
	{BYTES("foo"), "Zm9v"},
	{BYTES("foob"), "Zm9vYg=="},
	{BYTES("fooba"), "Zm9vYmE="},
	{BYTES("foobar"), "Zm9vYmFy"},
	{BYTES("\0"), "AA=="},
	{BYTES("\0\0\0"), "AAAA"},
	{BYTES("\xff\xff\xff"), "////"},
	{BYTES("\xfb\xef\xbe"), "++++"},
	{BYTES("\xff\xff"), "//8="},
	{BYTES("\xff"), "/w=="},
};

START_TEST(base64_goes_both_ways)
{
	for (size_t i = 0; i < COUNT(base64_rows); i++) {
		cleanup_buf struct buf text = BUF_INIT, bytes = BUF_INIT;
		struct error err = {0};

		ck_assert_int_eq(buf_add_str(&text, "x"), 0);
		ck_assert_int_eq(buf_add_str(&bytes, "y"), 0);
		ck_assert_int_eq(
			text_base64_encode(&text, base64_rows[i].bytes, base64_rows[i].len), 0);
		ck_assert_int_eq(text.data[0], 'x');
		ck_assert_str_eq(text.data + 1, base64_rows[i].text);
		ck_assert_int_eq(text_base64_decode(&bytes, text.data + 1, text.len - 1, &err), 0);
		ck_assert_uint_eq(bytes.len, base64_rows[i].len + 1);
		ck_assert_int_eq(bytes.data[0], 'y');
		ck_assert_mem_eq(bytes.data + 1, base64_rows[i].bytes, base64_rows[i].len);
		ck_assert_int_eq(bytes.data[bytes.len], '\0');
		ck_assert_int_eq(err.code, 0);
	}
}
END_TEST

START_TEST(base64_carries_every_byte_at_every_length)
{
	unsigned char all[256 * 3];

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)(i * 167 + i / 256);
	for (size_t len = 0; len <= sizeof(all); len++) {
		cleanup_buf struct buf text = BUF_INIT, bytes = BUF_INIT;

		ck_assert_int_eq(text_base64_encode(&text, all, len), 0);
		ck_assert_uint_eq(text.len, (len + 2) / 3 * 4);
		ck_assert_int_eq(text_base64_decode(&bytes, text.data, text.len, NULL), 0);
		ck_assert_uint_eq(bytes.len, len);
		ck_assert_mem_eq(bytes.data, all, len);
	}
}
END_TEST

static const struct {
	const char *text;
	size_t len;
} bad_base64_rows[] = {
	/* A length that is no multiple of four, missing padding included. */
	{BYTES("Z")},
	{BYTES("Zg")},
	{BYTES("Zg=")},
	{BYTES("Zm8")},
	{BYTES("Zm9vY")},
	/* Not canonical: bits below the last byte. */
	{BYTES("Zh==")},
	{BYTES("Zg/=")},
	{BYTES("Zm9=")},
	{BYTES("//9=")},
	{BYTES("/x==")},
	/* Padding in the wrong place or too much of it. */
	{BYTES("====")},
	{BYTES("Z===")},
	{BYTES("Zg==Zg==")},
	{BYTES("Zm8=Zm9v")},
	{BYTES("Z=g=")},
	{BYTES("=Zg=")},
	{BYTES("Zg=a")},
	/* Not in the alphabet: space, newline, the URL alphabet, NUL, a high byte. */
	{BYTES("Zm9v\n")},
	{BYTES(" Zm9")},
	{BYTES("Zm9v\n   ")},
	{BYTES("-_-_")},
	{BYTES("Zm9\0")},
	{BYTES("Zm9\xff")},
	{BYTES("Z*9v")},
};

START_TEST(base64_refuses_what_it_would_not_write)
{
	for (size_t i = 0; i < COUNT(bad_base64_rows); i++) {
		cleanup_buf struct buf out = BUF_INIT, text = BUF_INIT;
		struct error err = {0};

		/* Good groups in front must be taken back. */
		ck_assert_int_eq(buf_add_str(&out, "kept"), 0);
		ck_assert_int_eq(buf_add_str(&text, "Zm9vZm9v"), 0);
		ck_assert_int_eq(buf_add(&text, bad_base64_rows[i].text, bad_base64_rows[i].len),
				 0);
		ck_assert_msg(text_base64_decode(&out, text.data, text.len, &err) == ERR_FORMAT,
			      "row %zu was accepted", i);
		ck_assert_int_eq(err.code, ERR_FORMAT);
		ck_assert_uint_eq(out.len, 4);
		ck_assert_str_eq(out.data, "kept");
	}
}
END_TEST

static const struct {
	uint64_t value;
	const char *digits;
} hex_rows[] = {
	{0, "0000000000000000"},
	{1, "0000000000000001"},
	{UINT64_C(0x0123456789abcdef), "0123456789abcdef"},
	{UINT64_C(0x8000000000000000), "8000000000000000"},
	{UINT64_MAX, "ffffffffffffffff"},
};

START_TEST(hex64_goes_both_ways)
{
	for (size_t i = 0; i < COUNT(hex_rows); i++) {
		char digits[TEXT_HEX64_LEN + 1] = "................";
		uint64_t value = ~hex_rows[i].value;

		digits[TEXT_HEX64_LEN] = '!';
		text_hex64(hex_rows[i].value, digits);
		ck_assert_mem_eq(digits, hex_rows[i].digits, TEXT_HEX64_LEN);
		ck_assert_int_eq(digits[TEXT_HEX64_LEN], '!');
		ck_assert(text_parse_hex64(digits, &value));
		ck_assert_uint_eq(value, hex_rows[i].value);
	}
}
END_TEST

/* Any byte in any place. */
START_TEST(hex64_takes_digits_and_nothing_else)
{
	static const char all[] = "0123456789abcdef";

	for (int place = 0; place < TEXT_HEX64_LEN; place++) {
		for (int c = 0; c < 256; c++) {
			char digits[] = "0123456789abcdef";
			const char *at = c ? strchr(all, c) : NULL;
			uint64_t value = 1, wanted = 0;

			digits[place] = (char)c;
			for (int i = 0; at && i < TEXT_HEX64_LEN; i++)
				wanted = wanted << 4 | (uint64_t)(i == place ? at - all : i);
			ck_assert(text_parse_hex64(digits, &value) == (at != NULL));
			ck_assert_uint_eq(value, at ? wanted : 1);
		}
	}
}
END_TEST

START_TEST(hex64_takes_lower_case_digits_only)
{
	static const char rows[][TEXT_HEX64_LEN + 1] = {
		"", /* zeros behind it: there are always 16 bytes */
		"0",
		"000000000000000",
		"00000000000000g0",
		"000000000000000A",
		"0x00000000000000",
		" 000000000000000",
		"-000000000000001",
		"000000000000000/",
		"000000000000000:",
		"000000000000000`",
		"000000000000000\xff",
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char digits[TEXT_HEX64_LEN] = {0}; /* so many are read */
		uint64_t value = 77;

		memcpy(digits, rows[i], strlen(rows[i]));
		ck_assert_msg(!text_parse_hex64(digits, &value), "row %zu was accepted", i);
		ck_assert_uint_eq(value, 77);
	}
}
END_TEST

Suite *base_text_suite(void)
{
	Suite *suite = suite_create("base_text");
	TCase *tcase = tcase_create("text");

	/* A million characters take their time under valgrind and sanitizers. */
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, utf8_rows_are_judged);
	tcase_add_test(tcase, utf8_knows_every_scalar_value);
	tcase_add_test(tcase, base64_goes_both_ways);
	tcase_add_test(tcase, base64_carries_every_byte_at_every_length);
	tcase_add_test(tcase, base64_refuses_what_it_would_not_write);
	tcase_add_test(tcase, hex64_goes_both_ways);
	tcase_add_test(tcase, hex64_takes_digits_and_nothing_else);
	tcase_add_test(tcase, hex64_takes_lower_case_digits_only);
	suite_add_tcase(suite, tcase);
	return suite;
}
