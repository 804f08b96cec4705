/* What a processor does better than a library: behind hash.h, one file for each (hash_<cpu>.c). */
#ifndef SANDTAPE_BASE_HASH_PARTS_H
#define SANDTAPE_BASE_HASH_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_SHA256_BLOCK 64

/* Whether this processor has instructions for SHA-256. Asked once. */
bool hash_has_sha256(void);

/* Hashes whole blocks into the eight words of the state (FIPS 180-4, 6.2.2). Only when
 * hash_has_sha256() says so. */
void hash_sha256_blocks(uint32_t state[8], const unsigned char *bytes, size_t blocks);

#endif
