#pragma once
/* The loops of lib/string.c for long copies. `rep movsq` moves a word in each iteration, which beats any loop of plain moves both on
 * hardware with fast strings and where iterations are counted. The direction flag is clear in the kernel (ABI; entry clears it). */
#include <stddef.h>
#include <stdint.h>

/** Copy @words 64-bit words, forwards. The ranges do not overlap. */
static inline void arch_copy_words(void *to, const void *from, size_t words)
{
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

/** Store @word @words times. */
static inline void arch_fill_words(void *to, uint64_t word, size_t words)
{
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(word) : "memory");
}

/** Zero a page of 512 words. */
static inline void arch_zero_page(void *page)
{
    arch_fill_words(page, 0, 512);
}
