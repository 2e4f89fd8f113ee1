#pragma once
/* The ChaCha20 block function, RFC 8439 section 2.3. */
#include "kernel.h"

#define CHACHA_KEY_BYTES 32
#define CHACHA_NONCE_BYTES 12
#define CHACHA_BLOCK_BYTES 64

/** Write the 64 bytes of key stream that @key, @counter and @nonce give to @block. */
void chacha20_block(uint8_t block[CHACHA_BLOCK_BYTES], const uint8_t key[CHACHA_KEY_BYTES],
                    uint32_t counter, const uint8_t nonce[CHACHA_NONCE_BYTES]);
