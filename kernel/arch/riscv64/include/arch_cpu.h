#pragma once
/* Per-CPU data of the running CPU: tp points at it whenever the kernel runs. */
#include <cpu.h>

static inline struct cpu *arch_cpu_local(void)
{
    return __builtin_thread_pointer(); /* tp; nothing in the kernel is thread-local */
}

/** Has arch_fpu_switch() nothing to do to run @thread on @cpu, this one? */
static inline bool arch_fpu_is_settled(const struct thread *thread, const struct cpu *cpu)
{
    return (cpu->fpu_owner == thread) == cpu->fpu_on;
}
