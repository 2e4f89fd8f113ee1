/* Memory and string functions.
 *
 * Short copies take 8 bytes at a time with the last word overlapping, so that a structure of any size needs no byte loop; long
 * ones go through arch_copy_words(), which each architecture writes as its cheapest loop. Unaligned words are fine on every
 * architecture that we run on (RISC-V: RVA22 and QEMU). no_builtin keeps the compiler from turning these loops back into calls of
 * themselves. */
#include <arch_string.h>
#include <kasan.h>
#include <kstring.h>
#include <stdint.h>

#if defined(__clang__)
#define NO_BUILTIN __attribute__((no_builtin))
#else
#define NO_BUILTIN __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif

/** A word at any address, of any type. */
struct __attribute__((packed, may_alias)) word {
    uint64_t value;
};

static inline uint64_t word_load(const unsigned char *from)
{
    return ((const struct word *)from)->value;
}

static inline void word_store(unsigned char *to, uint64_t value)
{
    ((struct word *)to)->value = value;
}

NO_BUILTIN void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    unsigned char *t = to;
    const unsigned char *f = from;

    kasan_check(from, bytes, false);
    kasan_check(to, bytes, true);
    if (bytes < 8) {
        while (bytes-- != 0)
            *t++ = *f++;
        return to;
    }
    uint64_t last = word_load(f + bytes - 8);
    unsigned char *last_to = t + bytes - 8;
    size_t words = (bytes - 1) / 8;

    if (words > 8) {
        arch_copy_words(t, f, words);
    } else {
        for (; words != 0; words--, t += 8, f += 8)
            word_store(t, word_load(f));
    }
    word_store(last_to, last);
    return to;
}

NO_BUILTIN static void copy_backwards(unsigned char *to, const unsigned char *from, size_t bytes)
{
    for (; bytes >= 8; bytes -= 8)
        word_store(to + bytes - 8, word_load(from + bytes - 8));
    while (bytes-- != 0)
        to[bytes] = from[bytes];
}

NO_BUILTIN static void copy_forwards(unsigned char *to, const unsigned char *from, size_t bytes)
{
    for (; bytes >= 8; bytes -= 8, to += 8, from += 8)
        word_store(to, word_load(from));
    while (bytes-- != 0)
        *to++ = *from++;
}

NO_BUILTIN void *memmove(void *to, const void *from, size_t bytes)
{
    /* Each word is loaded before the store that may overlap it, since the loops run away from the overlap. */
    if ((uintptr_t)to - (uintptr_t)from < bytes)
        copy_backwards(to, from, bytes);
    else
        copy_forwards(to, from, bytes);
    return to;
}

NO_BUILTIN void *memset(void *to, int value, size_t bytes)
{
    unsigned char *t = to;

    kasan_check(to, bytes, true);
    uint64_t word = (unsigned char)value * UINT64_C(0x0101010101010101);

    if (bytes < 8) {
        while (bytes-- != 0)
            *t++ = (unsigned char)value;
        return to;
    }
    word_store(t + bytes - 8, word);
    size_t words = (bytes - 1) / 8;

    if (words > 8) {
        arch_fill_words(t, word, words);
    } else {
        for (; words != 0; words--, t += 8)
            word_store(t, word);
    }
    return to;
}

NO_BUILTIN int memcmp(const void *left, const void *right, size_t bytes)
{
    const unsigned char *l = left;
    const unsigned char *r = right;

    for (; bytes >= 8 && word_load(l) == word_load(r); bytes -= 8, l += 8, r += 8)
        continue;
    for (; bytes != 0; bytes--, l++, r++) {
        if (*l != *r)
            return *l - *r;
    }
    return 0;
}

NO_BUILTIN size_t strlen(const char *string)
{
    size_t length = 0;

    while (string[length] != '\0')
        length++;
    return length;
}

NO_BUILTIN size_t strnlen(const char *string, size_t limit)
{
    size_t length = 0;

    while (length < limit && string[length] != '\0')
        length++;
    return length;
}

int strncmp(const char *left, const char *right, size_t limit)
{
    for (; limit != 0; limit--, left++, right++) {
        if (*left != *right || *left == '\0')
            return (unsigned char)*left - (unsigned char)*right;
    }
    return 0;
}
