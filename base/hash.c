#include "base/hash.h"
#include "base/hash_parts.h"
#include <sha2.h>
#include <stdlib.h>
#include <xxhash.h>

_Static_assert(SHA256_DIGEST_STRING_LENGTH == HASH_SHA256_HEX + 1, "SHA256End() must fit");

struct hash_sha256 {
	SHA2_CTX context;
};

uint64_t hash64(const void *bytes, size_t len)
{
	return XXH3_64bits(bytes, len);
}

struct hash_sha256 *hash_sha256_new(void)
{
	struct hash_sha256 *h = malloc(sizeof(*h));

	if (h)
		SHA256Init(&h->context);
	return h;
}

void hash_sha256_add(struct hash_sha256 *h, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	size_t begun = (size_t)(h->context.bitcount[0] / 8 % HASH_SHA256_BLOCK);

	if (hash_has_sha256() && len >= (size_t)2 * HASH_SHA256_BLOCK) {
		size_t rest = begun ? HASH_SHA256_BLOCK - begun : 0;
		size_t blocks = (len - rest) / HASH_SHA256_BLOCK;

		if (rest)
			SHA256Update(&h->context, at, rest);
		hash_sha256_blocks(h->context.state.st32, at + rest, blocks);
		h->context.bitcount[0] += (uint64_t)blocks * HASH_SHA256_BLOCK * 8;
		at += rest + blocks * HASH_SHA256_BLOCK;
		len -= rest + blocks * HASH_SHA256_BLOCK;
	}
	if (len > 0)
		SHA256Update(&h->context, at, len);
}

void hash_sha256_hex(struct hash_sha256 *h, char ret_hex[HASH_SHA256_HEX + 1])
{
	SHA256End(&h->context, ret_hex);
}

void hash_sha256_free(struct hash_sha256 *h)
{
	free(h);
}
