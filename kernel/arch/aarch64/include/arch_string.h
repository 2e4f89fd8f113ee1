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

/** Store @word @words times. */
static inline void arch_fill_words(void *to, uint64_t word, size_t words)
{
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

/** Zero a page of 512 words, by the CPU's blocks if it has them (Arm ARM D19.2.31, DCZID_EL0). */
static inline void arch_zero_page(void *page)
{
    uint64_t id;

    __asm__("mrs %0, dczid_el0" : "=r"(id));
    if ((id & 0x10) != 0) {
        arch_fill_words(page, 0, 512);
        return;
    }
    for (uintptr_t at = (uintptr_t)page, end = at + 4096; at < end; at += 4ull << (id & 0xf))
        __asm__ volatile("dc zva, %0" : : "r"(at) : "memory");
}
