#pragma once
/* The loops of lib/string.c, in C, for unit tests. */
#include <stddef.h>
#include <stdint.h>

struct __attribute__((packed, may_alias)) arch_word {
    uint64_t value;
};

static inline void arch_copy_words(void *to, const void *from, size_t words)
{
    for (size_t i = 0; i < words; i++)
        ((struct arch_word *)to)[i].value = ((const struct arch_word *)from)[i].value;
}

static inline void arch_fill_words(void *to, uint64_t word, size_t words)
{
    for (size_t i = 0; i < words; i++)
        ((struct arch_word *)to)[i].value = word;
}

static inline void arch_zero_page(void *page)
{
    arch_fill_words(page, 0, 512);
}
