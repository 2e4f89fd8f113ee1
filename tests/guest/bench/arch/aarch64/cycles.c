#include "bench.h"

#define GHZ 1000000000u

/* The virtual counter, in the emulator's nanoseconds: its ticks are coarser than an instruction, but what is measured takes many. */
uint64_t cycles(void)
{
    uint64_t ticks, hz;
    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks) : : "memory");
    __asm__("mrs %0, cntfrq_el0" : "=r"(hz));
    return ticks * (GHZ / hz);
}

void bench_mark_begin(void)
{
    __asm__ volatile("movz xzr, #0xeca1" : : : "memory");
}

void bench_mark_end(void)
{
    __asm__ volatile("movz xzr, #0xeca2" : : : "memory");
}

void bench_turn_begin(void)
{
    __asm__ volatile("movz xzr, #0xeca3" : : : "memory");
}

void bench_turn_end(void)
{
    __asm__ volatile("movz xzr, #0xeca4" : : : "memory");
}

uint64_t bench_foreign_call(uint64_t number)
{
    register uint64_t x8 __asm__("x8") = number;
    register uint64_t x0 __asm__("x0");
    __asm__ volatile("svc #0" : "=r"(x0) : "r"(x8) : "memory");
    return x0;
}
