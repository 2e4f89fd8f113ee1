#pragma once
#include <stdint.h>

/** The time stamp counter, which counts from reset; of no known frequency. @hz 0: not known. */
static inline uint64_t ticks(uint64_t *hz)
{
    uint32_t a, d;

    __asm__ volatile("rdtsc" : "=a"(a), "=d"(d));
    *hz = 0;
    return (uint64_t)d << 32 | a;
}
