#include "bench.h"

uint64_t cycles(void)
{
    uint64_t count;
    __asm__ volatile("rdcycle %0" : "=r"(count) : : "memory");
    return count;
}

void bench_mark_begin(void)
{
    __asm__ volatile("lui zero, 0x7eca1" : : : "memory");
}

void bench_mark_end(void)
{
    __asm__ volatile("lui zero, 0x7eca2" : : : "memory");
}

void bench_turn_begin(void)
{
    __asm__ volatile("lui zero, 0x7eca3" : : : "memory");
}

void bench_turn_end(void)
{
    __asm__ volatile("lui zero, 0x7eca4" : : : "memory");
}

uint64_t bench_foreign_call(uint64_t number)
{
    register uint64_t a7 __asm__("a7") = number;
    register uint64_t a0 __asm__("a0");
    __asm__ volatile("ecall" : "=r"(a0) : "r"(a7) : "memory");
    return a0;
}
