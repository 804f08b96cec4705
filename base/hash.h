/*
 * Hashes. 64-bit: XXH3 of libxxhash with its default secret and seed 0 (the XXH3 output has been
 * frozen since xxHash 0.8.0), for keys and checksums, which guard against accidents. SHA-256 (FIPS
 * 180-4) of libmd names payloads, which people share and must not be able to forge.
 */
#ifndef SANDTAPE_BASE_HASH_H
#define SANDTAPE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash64(const void *bytes, size_t len);

#define HASH_SHA256_HEX 64

struct hash_sha256; /* a running SHA-256 */

/* NULL when out of memory. */
struct hash_sha256 *hash_sha256_new(void);
void hash_sha256_add(struct hash_sha256 *h, const void *bytes, size_t len);
/* Writes 64 lower-case digits and a NUL. `h` can then only be freed. */
void hash_sha256_hex(struct hash_sha256 *h, char ret_hex[HASH_SHA256_HEX + 1]);
void hash_sha256_free(struct hash_sha256 *h);

#endif
