#pragma once
/* The loops of lib/string.c for long copies: eight words a turn, so that the loop itself costs little. */
#include <stddef.h>
#include <stdint.h>

/** Copy @words 64-bit words, forwards. The ranges do not overlap. */
static inline void arch_copy_words(void *to, const void *from, size_t words)
{
    uint64_t *t = to;
    const uint64_t *f = from;

    for (; words >= 8; words -= 8, t += 8, f += 8) {
        uint64_t a = f[0], b = f[1], c = f[2], d = f[3];
        uint64_t e = f[4], g = f[5], h = f[6], i = f[7];

        t[0] = a;
        t[1] = b;
        t[2] = c;
        t[3] = d;
        t[4] = e;
        t[5] = g;
        t[6] = h;
        t[7] = i;
    }
    for (; words != 0; words--)
        *t++ = *f++;
}

/** Store @word @words times. */
static inline void arch_fill_words(void *to, uint64_t word, size_t words)
{
    uint64_t *t = to;

    for (; words >= 8; words -= 8, t += 8) {
#pragma clang loop unroll(full)
        for (unsigned i = 0; i < 8; i++)
            t[i] = word;
    }
    for (; words != 0; words--)
        *t++ = word;
}

/** Zero a page of 512 words. */
static inline void arch_zero_page(void *page)
{
    uint64_t *end = (uint64_t *)page + 512;

    for (uint64_t *t = page; t != end; t += 64) {
#pragma clang loop unroll(full)
        for (unsigned i = 0; i < 64; i++)
            t[i] = 0;
    }
}
