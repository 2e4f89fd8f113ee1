#pragma once
/* What libfdt asks of a C library, for the kernel: it runs before the kernel's own string functions may (in the kasan build they look at
 * shadow memory, which needs page tables, which need the RAM that the device tree tells of). They behave as the C standard says. */
#include <stddef.h>

static inline size_t fdt_strnlen(const char *string, size_t limit)
{
    size_t length = 0;

    while (length < limit && string[length] != '\0')
        length++;
    return length;
}

static inline size_t fdt_strlen(const char *string)
{
    size_t length = 0;

    while (string[length] != '\0')
        length++;
    return length;
}

static inline int fdt_memcmp(const void *left, const void *right, size_t bytes)
{
    const unsigned char *l = left;
    const unsigned char *r = right;

    for (; bytes != 0; bytes--, l++, r++) {
        if (*l != *r)
            return *l - *r;
    }
    return 0;
}

static inline void *fdt_memchr(const void *where, int c, size_t bytes)
{
    const unsigned char *at = where;

    for (; bytes != 0; bytes--, at++) {
        if (*at == (unsigned char)c)
            return (void *)(size_t)at;
    }
    return NULL;
}

static inline char *fdt_strrchr(const char *string, int c)
{
    const char *last = NULL;

    for (; *string != '\0'; string++) {
        if (*string == (char)c)
            last = string;
    }
    return (char *)(size_t)last;
}

static inline void *fdt_memmove(void *to, const void *from, size_t bytes)
{
    unsigned char *t = to;
    const unsigned char *f = from;

    if ((size_t)t - (size_t)f < bytes) {
        while (bytes-- != 0)
            t[bytes] = f[bytes];
    } else {
        while (bytes-- != 0)
            *t++ = *f++;
    }
    return to;
}

#define strlen fdt_strlen
#define strnlen fdt_strnlen
#define strrchr fdt_strrchr
#define memcmp fdt_memcmp
#define memchr fdt_memchr
#define memcpy fdt_memmove
#define memmove fdt_memmove
