#pragma once
/* The running CPU is whichever the test says. */
#include <cpu.h>

extern struct cpu *host_cpu;

static inline struct cpu *arch_cpu_local(void)
{
    return host_cpu;
}

/** Has arch_fpu_switch() nothing to do to run @thread on @cpu, this one? */
static inline bool arch_fpu_is_settled(const struct thread *thread, const struct cpu *cpu)
{
    return (__atomic_load_n(&cpu->fpu_owner, __ATOMIC_RELAXED) == thread) == cpu->fpu_on;
}

static inline uint64_t arch_root_slot(uint64_t root)
{
    (void)root;
    return 0;
}
