#pragma once
/* The counter that the kernel makes its clock of: the time-stamp counter (SDM vol. 2B, RDTSC). */
#include <stdint.h>

/** Not before what comes before. Where a clock page does not say CLOCK_PAGE_COUNTER it may fault. */
static inline uint64_t arch_counter(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}
