#pragma once
/* Per-CPU data of the running CPU: TPIDR_EL1 points at it always, SP_EL0 while the kernel runs (compiled code looks for its stack
 * guard there). */
#include <cpu.h>

static inline struct cpu *arch_cpu_local(void)
{
    struct cpu *cpu;

    /* The same for as long as a function runs, so not volatile. */
    __asm__("mrs %0, tpidr_el1" : "=r"(cpu));
    return cpu;
}

/** Has arch_fpu_switch() nothing to do to run @thread on @cpu, this one? */
static inline bool arch_fpu_is_settled(const struct thread *thread, const struct cpu *cpu)
{
    return (cpu->fpu_owner == thread) == cpu->fpu_on;
}
