#include "bench.h"

uint64_t cycles(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

uint64_t bench_tls(void)
{
    uint64_t tls;
    __asm__("movq %%fs:0, %0" : "=r"(tls));
    return tls;
}
