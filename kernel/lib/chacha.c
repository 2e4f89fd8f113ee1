/* ChaCha20 (RFC 8439): a state of 16 words, ten double rounds of quarter rounds over its columns and diagonals, the input added. */
#include <chacha.h>
#include <kstring.h>

#define WORDS 16
#define DOUBLE_ROUNDS 10

static uint32_t rotate_left(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static uint32_t load_le32(const uint8_t *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

static void store_le32(uint8_t *to, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

/* Section 2.1. */
static void quarter_round(uint32_t s[WORDS], unsigned a, unsigned b, unsigned c, unsigned d)
{
    s[a] += s[b];
    s[d] = rotate_left(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = rotate_left(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = rotate_left(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = rotate_left(s[b] ^ s[c], 7);
}

/* Section 2.3: the constants, the key, the counter, the nonce. */
static void state_init(uint32_t s[WORDS], const uint8_t *key, uint32_t counter,
                       const uint8_t *nonce)
{
    s[0] = 0x61707865;
    s[1] = 0x3320646e;
    s[2] = 0x79622d32;
    s[3] = 0x6b206574;
    for (unsigned i = 0; i < 8; i++)
        s[4 + i] = load_le32(key + 4 * i);
    s[12] = counter;
    for (unsigned i = 0; i < 3; i++)
        s[13 + i] = load_le32(nonce + 4 * i);
}

static void double_round(uint32_t s[WORDS])
{
    for (unsigned i = 0; i < 4; i++)
        quarter_round(s, i, 4 + i, 8 + i, 12 + i);
    for (unsigned i = 0; i < 4; i++)
        quarter_round(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
}

void chacha20_block(uint8_t block[CHACHA_BLOCK_BYTES], const uint8_t key[CHACHA_KEY_BYTES],
                    uint32_t counter, const uint8_t nonce[CHACHA_NONCE_BYTES])
{
    uint32_t input[WORDS];
    uint32_t state[WORDS];

    state_init(input, key, counter, nonce);
    memcpy(state, input, sizeof(state));
    for (unsigned i = 0; i < DOUBLE_ROUNDS; i++)
        double_round(state);
    for (unsigned i = 0; i < WORDS; i++)
        store_le32(block + 4 * i, state[i] + input[i]);
}
