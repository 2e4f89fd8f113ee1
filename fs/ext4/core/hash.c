/* Hashes of names for directory indexes (section "Hash Tree Directories", table dirhash): the
 * legacy one, a cut-down MD4 and TEA, each taking the characters as signed or unsigned, as the
 * machine that made the file system did. */
#include "internal.h"

#include <string.h>

#define HASH_END 0x7fffffffu
#define MD4_WORDS 8u
#define TEA_WORDS 4u
#define TEA_DELTA 0x9e3779b9u
#define TEA_ROUNDS 16

static uint32_t character(char c, bool is_unsigned)
{
    return is_unsigned ? (uint32_t)(unsigned char)c : (uint32_t)(int32_t)(signed char)c;
}

static uint32_t rotate(uint32_t v, unsigned int bits)
{
    return v << bits | v >> (32 - bits);
}

static uint32_t hash_legacy(const char *name, size_t bytes, bool is_unsigned)
{
    uint32_t hash0 = 0x12a3fe2d;
    uint32_t hash1 = 0x37abe8f9;
    for (size_t i = 0; i < bytes; i++) {
        uint32_t hash = hash1 + (hash0 ^ character(name[i], is_unsigned) * 7152373u);
        if ((hash & 0x80000000u) != 0)
            hash -= 0x7fffffffu;
        hash1 = hash0;
        hash0 = hash;
    }
    return hash0 << 1;
}

/* Spread up to @count * 4 characters over words, high first, the rest filled up by the length that
 * is left. */
static void words_from_name(const char *name, size_t left, uint32_t *words, size_t count,
                            bool is_unsigned)
{
    uint32_t pad = (uint32_t)left | (uint32_t)left << 8;
    pad |= pad << 16;
    size_t taken = left < count * 4 ? left : count * 4;
    uint32_t value = pad;
    size_t word = 0;
    for (size_t i = 0; i < taken; i++) {
        value = character(name[i], is_unsigned) + (value << 8);
        if (i % 4 == 3) {
            words[word++] = value;
            value = pad;
        }
    }
    if (word < count)
        words[word++] = value;
    while (word < count)
        words[word++] = pad;
}

static uint32_t md4_f(uint32_t x, uint32_t y, uint32_t z)
{
    return z ^ (x & (y ^ z));
}

static uint32_t md4_g(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) + ((x ^ y) & z);
}

static uint32_t md4_h(uint32_t x, uint32_t y, uint32_t z)
{
    return x ^ y ^ z;
}

struct md4_round {
    uint32_t (*mix)(uint32_t x, uint32_t y, uint32_t z);
    uint32_t add;
    uint8_t order[MD4_WORDS];
    uint8_t bits[4];
};

static const struct md4_round md4_rounds[] = {
    {md4_f, 0, {0, 1, 2, 3, 4, 5, 6, 7}, {3, 7, 11, 19}},
    {md4_g, 0x5a827999, {1, 3, 5, 7, 0, 2, 4, 6}, {3, 5, 9, 13}},
    {md4_h, 0x6ed9eba1, {3, 7, 2, 6, 1, 5, 0, 4}, {3, 9, 11, 15}},
};

static void md4_transform(uint32_t state[4], const uint32_t words[MD4_WORDS])
{
    uint32_t s[4];
    memcpy(s, state, sizeof(s));
    for (size_t r = 0; r < sizeof(md4_rounds) / sizeof(md4_rounds[0]); r++) {
        const struct md4_round *round = &md4_rounds[r];
        for (size_t i = 0; i < MD4_WORDS; i++) {
            /* a, d, c, b take turns as the word that changes. */
            size_t a = (4 - i % 4) % 4;
            uint32_t mixed = round->mix(s[(a + 1) % 4], s[(a + 2) % 4], s[(a + 3) % 4]);
            s[a] = rotate(s[a] + mixed + words[round->order[i]] + round->add, round->bits[i % 4]);
        }
    }
    for (size_t i = 0; i < 4; i++)
        state[i] += s[i];
}

static void tea_transform(uint32_t state[4], const uint32_t key[TEA_WORDS])
{
    uint32_t sum = 0;
    uint32_t b0 = state[0];
    uint32_t b1 = state[1];
    for (int round = 0; round < TEA_ROUNDS; round++) {
        sum += TEA_DELTA;
        b0 += ((b1 << 4) + key[0]) ^ (b1 + sum) ^ ((b1 >> 5) + key[1]);
        b1 += ((b0 << 4) + key[2]) ^ (b0 + sum) ^ ((b0 >> 5) + key[3]);
    }
    state[0] += b0;
    state[1] += b1;
}

static void state_init(uint32_t state[4], const struct le32 seed[4])
{
    static const uint32_t standard[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    bool seeded = false;
    for (size_t i = 0; i < 4; i++)
        seeded = seeded || le32(seed[i]) != 0;
    for (size_t i = 0; i < 4; i++)
        state[i] = seeded ? le32(seed[i]) : standard[i];
}

static uint32_t hash_blocks(bool md4, const struct le32 seed[4], const char *name, size_t bytes,
                            bool is_unsigned)
{
    uint32_t state[4];
    uint32_t words[MD4_WORDS];
    size_t count = md4 ? MD4_WORDS : TEA_WORDS;
    state_init(state, seed);
    for (size_t at = 0; at < bytes; at += count * 4) {
        words_from_name(name + at, bytes - at, words, count, is_unsigned);
        if (md4)
            md4_transform(state, words);
        else
            tea_transform(state, words);
    }
    return md4 ? state[1] : state[0];
}

status_t hash_name(uint32_t version, const struct le32 seed[4], const char *name, size_t name_bytes,
                   uint32_t *hash)
{
    bool is_unsigned = version >= HASH_LEGACY_UNSIGNED;
    uint32_t value;
    if (version == HASH_LEGACY || version == HASH_LEGACY_UNSIGNED)
        value = hash_legacy(name, name_bytes, is_unsigned);
    else if (version <= HASH_TEA_UNSIGNED)
        value = hash_blocks(version == HASH_HALF_MD4 || version == HASH_HALF_MD4_UNSIGNED, seed,
                            name, name_bytes, is_unsigned);
    else
        return STATUS_UNSUPPORTED;
    value &= ~1u;
    /* The highest value means the end of a directory. */
    *hash = value == HASH_END << 1 ? (HASH_END - 1) << 1 : value;
    return STATUS_OK;
}
