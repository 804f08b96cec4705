#include "base/hash.h"
#include "tools/tests.h"
#include <string.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Computed with libxxhash 0.8.1. They are on tapes, so they may never change. */
static const struct {
	const char *text;
	uint64_t hash;
} hash64_rows[] = {
	{"", UINT64_C(0x2d06800538d394c2)},
	{"a", UINT64_C(0xe6c632b61e964e1f)},
	{"abc", UINT64_C(0x78af5f94892f3950)},
	{"sandtape", UINT64_C(0x1d74831fe2f54896)},
};

START_TEST(hash64_is_frozen)
{
	for (size_t i = 0; i < COUNT(hash64_rows); i++)
		ck_assert_uint_eq(hash64(hash64_rows[i].text, strlen(hash64_rows[i].text)),
				  hash64_rows[i].hash);
	ck_assert_uint_eq(hash64(NULL, 0), hash64_rows[0].hash);
}
END_TEST

/* XXH3 works in another way for each of these ranges of length. */
START_TEST(hash64_is_frozen_for_every_kind_of_length)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} rows[] = {
		{3, UINT64_C(0x5f4299fc161c9cbb)},    {8, UINT64_C(0x3a1c2d7c85af88f8)},
		{16, UINT64_C(0x8355e3a6f61770db)},   {128, UINT64_C(0x85c6174c7ff4c46b)},
		{240, UINT64_C(0x375a384d957fe865)},  {241, UINT64_C(0x02e8cd95421c6d02)},
		{1000, UINT64_C(0x33ef703fb2b20ed1)},
	};
	unsigned char bytes[1000];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i % 251);
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_uint_eq(hash64(bytes, rows[i].len), rows[i].hash);
}
END_TEST

START_TEST(hash64_sees_every_byte_and_the_length)
{
	char bytes[600] = {0};
	uint64_t plain = hash64(bytes, sizeof(bytes));

	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = 1;
		ck_assert_uint_ne(hash64(bytes, sizeof(bytes)), plain);
		bytes[i] = 0;
		ck_assert_uint_ne(hash64(bytes, i), plain);
	}
}
END_TEST

/* FIPS 180-4 examples (NIST), and around the 64-byte block, where the padding changes. */
static const struct {
	const char *text;
	const char *hex;
} sha256_rows[] = {
	{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

START_TEST(sha256_gives_the_published_values)
{
	for (size_t i = 0; i < COUNT(sha256_rows); i++) {
		struct hash_sha256 *h = hash_sha256_new();
		char hex[HASH_SHA256_HEX + 2];

		ck_assert_ptr_nonnull(h);
		memset(hex, '!', sizeof(hex));
		hash_sha256_add(h, sha256_rows[i].text, strlen(sha256_rows[i].text));
		hash_sha256_hex(h, hex);
		hash_sha256_free(h);
		ck_assert_int_eq(hex[HASH_SHA256_HEX + 1], '!');
		ck_assert_str_eq(hex, sha256_rows[i].hex);
	}
}
END_TEST

START_TEST(sha256_of_a_million_letters)
{
	struct hash_sha256 *h = hash_sha256_new();
	char letters[1000], hex[HASH_SHA256_HEX + 1];

	ck_assert_ptr_nonnull(h);
	memset(letters, 'a', sizeof(letters));
	for (int i = 0; i < 1000; i++)
		hash_sha256_add(h, letters, sizeof(letters));
	hash_sha256_hex(h, hex);
	hash_sha256_free(h);
	ck_assert_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

static void sha256_in_two(const char *text, size_t len, size_t first, char *ret_hex)
{
	struct hash_sha256 *h = hash_sha256_new();

	ck_assert_ptr_nonnull(h);
	hash_sha256_add(h, text, first);
	hash_sha256_add(h, NULL, 0);
	hash_sha256_add(h, text + first, len - first);
	hash_sha256_hex(h, ret_hex);
	hash_sha256_free(h);
}

START_TEST(sha256_does_not_depend_on_the_pieces)
{
	char text[150], whole[HASH_SHA256_HEX + 1], parts[HASH_SHA256_HEX + 1];

	memset(text, 'z', sizeof(text));
	sha256_in_two(text, sizeof(text), 0, whole);
	for (size_t first = 1; first <= sizeof(text); first++) {
		sha256_in_two(text, sizeof(text), first, parts);
		ck_assert_str_eq(parts, whole);
	}
	text[149] = 'y';
	sha256_in_two(text, sizeof(text), 64, parts);
	ck_assert_str_ne(parts, whole);
}
END_TEST

Suite *base_hash_suite(void)
{
	Suite *suite = suite_create("base_hash");
	TCase *tcase = tcase_create("hash");

	tcase_add_test(tcase, hash64_is_frozen);
	tcase_add_test(tcase, hash64_is_frozen_for_every_kind_of_length);
	tcase_add_test(tcase, hash64_sees_every_byte_and_the_length);
	tcase_add_test(tcase, sha256_gives_the_published_values);
	tcase_add_test(tcase, sha256_of_a_million_letters);
	tcase_add_test(tcase, sha256_does_not_depend_on_the_pieces);
	suite_add_tcase(suite, tcase);
	return suite;
}
