#pragma once
/* A bitmap that finds its first set bit quickly: level 0 holds the bits, and a bit of level n + 1 says whether a word of level n is not
 * zero. Setting, clearing and finding touch one word a level: 3 levels for 1 GiB of frames, 6 for 256 TiB. */
#include "kernel.h"

#define BITMAP_LEVELS 7u

struct bitmap {
    uint64_t *level[BITMAP_LEVELS];
    uint32_t levels;
    uint64_t bits;
};

static inline uint64_t bitmap_words(uint64_t bits)
{
    return (bits + 63) / 64;
}

/** Words of memory that a bitmap of @bits needs. */
static inline uint64_t bitmap_size_words(uint64_t bits)
{
    uint64_t total = 0;
    do {
        bits = bitmap_words(bits);
        total += bits;
    } while (bits > 1);
    return total;
}

/** Build over zeroed @memory; returns the first word after it. */
static inline uint64_t *bitmap_init(struct bitmap *bitmap, uint64_t bits, uint64_t *memory)
{
    bitmap->bits = bits;
    bitmap->levels = 0;
    do {
        bits = bitmap_words(bits);
        bitmap->level[bitmap->levels++] = memory;
        memory += bits;
    } while (bits > 1);
    return memory;
}

static inline bool bitmap_test(const struct bitmap *bitmap, uint64_t bit)
{
    return (bitmap->level[0][bit / 64] >> (bit % 64) & 1) != 0;
}

static inline void bitmap_set(struct bitmap *bitmap, uint64_t bit)
{
    for (uint32_t l = 0; l < bitmap->levels; l++) {
        uint64_t *word = &bitmap->level[l][bit / 64];
        uint64_t old = *word;
        *word = old | 1ull << (bit % 64);
        if (old != 0)
            return;
        bit /= 64;
    }
}

static inline void bitmap_clear(struct bitmap *bitmap, uint64_t bit)
{
    for (uint32_t l = 0; l < bitmap->levels; l++) {
        uint64_t *word = &bitmap->level[l][bit / 64];
        *word &= ~(1ull << (bit % 64));
        if (*word != 0)
            return;
        bit /= 64;
    }
}

/** The least bit that is set; false if there is none. */
static inline bool bitmap_first(const struct bitmap *bitmap, uint64_t *bit)
{
    uint64_t index = 0;
    for (uint32_t l = bitmap->levels; l-- > 0;) {
        uint64_t word = bitmap->level[l][index];
        if (word == 0)
            return false;
        index = index * 64 + (uint32_t)__builtin_ctzll(word);
    }
    *bit = index;
    return true;
}
