#pragma once
/* The loops of lib/string.c for long copies: pairs of registers, and for zeros the CPU's own block operation. */
#include <stddef.h>
#include <stdint.h>

/** Copy @words 64-bit words, forwards. The ranges do not overlap. */
static inline void arch_copy_words(void *to, const void *from, size_t words)
{
    uint64_t a, b, c, d;

    for (; words >= 8; words -= 8) {
        __asm__ volatile("ldp %2, %3, [%1], #16\n\t"
                         "ldp %4, %5, [%1], #16\n\t"
                         "stp %2, %3, [%0], #16\n\t"
                         "stp %4, %5, [%0], #16\n\t"
                         "ldp %2, %3, [%1], #16\n\t"
                         "ldp %4, %5, [%1], #16\n\t"
                         "stp %2, %3, [%0], #16\n\t"
                         "stp %4, %5, [%0], #16"
                         : "+r"(to), "+r"(from), "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d)
                         :
                         : "memory");
    }
    for (; words != 0; words--)
        __asm__ volatile("ldr %2, [%1], #8\n\t"
                         "str %2, [%0], #8"
                         : "+r"(to), "+r"(from), "=&r"(a)
                         :
                         : "memory");
}

#define ARCH_ZERO_WORDS \
    512u /* a page: worth asking for the block's size (Arm ARM D19.2.31, DCZID_EL0) */

/** Zero whole blocks of [@to, @to + @words * 8), page-aligned both. False: the CPU has no such operation. */
static inline _Bool arch_zero_blocks(void *to, size_t words)
{
    uint64_t id;
    uintptr_t at = (uintptr_t)to, end = at + words * 8;

    __asm__("mrs %0, dczid_el0" : "=r"(id));
    if ((id & 0x10) != 0)
        return 0;
    for (; at < end; at += 4ull << (id & 0xf))
        __asm__ volatile("dc zva, %0" : : "r"(at) : "memory");
    return 1;
}

/** Store @word @words times. */
static inline void arch_fill_words(void *to, uint64_t word, size_t words)
{
    if (word == 0 && words % ARCH_ZERO_WORDS == 0 && ((uintptr_t)to & 4095) == 0 &&
        arch_zero_blocks(to, words))
        return;
    for (; words >= 8; words -= 8)
        __asm__ volatile("stp %1, %1, [%0], #16\n\t"
                         "stp %1, %1, [%0], #16\n\t"
                         "stp %1, %1, [%0], #16\n\t"
                         "stp %1, %1, [%0], #16"
                         : "+r"(to)
                         : "r"(word)
                         : "memory");
    for (; words != 0; words--)
        __asm__ volatile("str %1, [%0], #8" : "+r"(to) : "r"(word) : "memory");
}
