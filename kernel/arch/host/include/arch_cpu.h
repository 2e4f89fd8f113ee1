#pragma once
/* The running CPU is whichever the test says. */
#include <cpu.h>

extern struct cpu *host_cpu;

static inline struct cpu *arch_cpu_local(void)
{
    return host_cpu;
}
