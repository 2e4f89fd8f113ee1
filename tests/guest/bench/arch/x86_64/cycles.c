#include "bench.h"

uint64_t cycles(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

void bench_mark_begin(void)
{
    __asm__ volatile("nopl 0x7eca5d01(%%rax)" : : : "memory");
}

void bench_mark_end(void)
{
    __asm__ volatile("nopl 0x7eca5d02(%%rax)" : : : "memory");
}

void bench_turn_begin(void)
{
    __asm__ volatile("nopl 0x7eca5d03(%%rax)" : : : "memory");
}

void bench_turn_end(void)
{
    __asm__ volatile("nopl 0x7eca5d04(%%rax)" : : : "memory");
}

uint64_t bench_foreign_call(uint64_t number)
{
    __asm__ volatile("syscall" : "+a"(number) : : "rcx", "r11", "memory");
    return number;
}
