#pragma once
/* The counter that the kernel makes its clock of: the generic timer's virtual counter (Arm ARM D11). */
#include <stdint.h>

/** Not before what comes before. Where a clock page does not say CLOCK_PAGE_COUNTER it may fault. */
static inline uint64_t arch_counter(void)
{
    uint64_t ticks;

    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks) : : "memory");
    return ticks;
}
