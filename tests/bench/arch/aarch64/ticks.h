#pragma once
#include <stdint.h>

/** The virtual counter (Arm ARM D12.1.2). @hz 0: not known. */
static inline uint64_t ticks(uint64_t *hz)
{
    uint64_t v, f;

    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(f));
    *hz = f;
    return v;
}
