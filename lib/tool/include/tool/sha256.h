#pragma once
/* SHA-256 (FIPS 180-4). */
#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32u
#define SHA256_BLOCK_BYTES 64u

struct sha256 {
    uint32_t state[8];
    uint64_t bytes;                    /**< so far */
    uint8_t block[SHA256_BLOCK_BYTES]; /**< the bytes behind the last whole block */
};

void sha256_begin(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const void *data, size_t bytes);
void sha256_end(struct sha256 *sha, uint8_t digest[SHA256_BYTES]);
