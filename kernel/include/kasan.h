#pragma once
/* KASAN: in the kasan build every access of compiled code is checked against shadow memory, a byte for 8 bytes: 0 means all of
 * them may be touched, 1 to 7 only so many of the first, anything else none. Allocators say what may be touched. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KASAN_FREE_FRAME = 0xff, /* a frame that the physical allocator has */
    KASAN_FREE_HEAP = 0xfb,  /* freed, or never given out */
    KASAN_REDZONE = 0xfc,    /* behind the bytes asked for */
    KASAN_GLOBAL = 0xf9,     /* behind a global variable */
};

#ifdef CONFIG_KASAN
#define KASAN_IS_ON true
/* At least so many bytes behind each of the heap's objects are nobody's. */
#define KASAN_HEAP_GAP 16u
/** Once, when shadow memory is mapped: the redzones of global variables. */
void kasan_init(void);
/** The shadow of [@start, @start + @bytes), both multiples of 8, says @why. */
void kasan_poison(const void *start, size_t bytes, uint8_t why);
/** [@start, @start + @bytes) may be touched; @start is a multiple of 8. */
void kasan_unpoison(const void *start, size_t bytes);
/** For code that the compiler does not see through: panics unless the whole range may be touched. */
void kasan_check(const void *start, size_t bytes, bool write);
#else
#define KASAN_IS_ON false
#define KASAN_HEAP_GAP 0u
#define KASAN_SHADOW_OFFSET 0ull
static inline void kasan_init(void)
{
}
static inline void kasan_poison(const void *start, size_t bytes, uint8_t why)
{
    (void)start;
    (void)bytes;
    (void)why;
}
static inline void kasan_unpoison(const void *start, size_t bytes)
{
    (void)start;
    (void)bytes;
}
static inline void kasan_check(const void *start, size_t bytes, bool write)
{
    (void)start;
    (void)bytes;
    (void)write;
}
#endif
