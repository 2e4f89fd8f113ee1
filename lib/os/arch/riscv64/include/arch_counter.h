#pragma once
/* The counter that the kernel makes its clock of: the time register (unprivileged specification, Zicntr). */
#include <stdint.h>

/** Not before what comes before. Where a clock page does not say CLOCK_PAGE_COUNTER it may fault. */
static inline uint64_t arch_counter(void)
{
    uint64_t ticks;

    __asm__ volatile("fence r, i\n\trdtime %0" : "=r"(ticks) : : "memory");
    return ticks;
}
