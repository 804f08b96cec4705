#include "base/hash.h"
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
	if (len > 0)
		SHA256Update(&h->context, bytes, len);
}

void hash_sha256_hex(struct hash_sha256 *h, char ret_hex[HASH_SHA256_HEX + 1])
{
	SHA256End(&h->context, ret_hex);
}

void hash_sha256_free(struct hash_sha256 *h)
{
	free(h);
}
