#pragma once
/* Per-CPU data of the running CPU: GS points at it whenever the kernel runs. */
#include <cpu.h>

static inline struct cpu *arch_cpu_local(void)
{
    struct cpu *cpu;

    __asm__("movq %%gs:0, %0"
            : "=r"(cpu)); /* cpu->self; the same for as long as a function runs, so not volatile */
    return cpu;
}
