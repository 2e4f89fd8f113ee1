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

/** Has arch_fpu_switch() nothing to do to run @thread on @cpu, this one? */
static inline bool arch_fpu_is_settled(const struct thread *thread, const struct cpu *cpu)
{
    return (__atomic_load_n(&cpu->fpu_owner, __ATOMIC_RELAXED) == thread) == cpu->fpu_on;
}

/** No PCIDs: loading the root flushes what is not global. */
static inline uint64_t arch_root_slot(uint64_t root)
{
    (void)root;
    return 0;
}
static inline uint64_t arch_root_find(const struct cpu *cpu, uint64_t root, uint64_t slot,
                                      uint64_t generation)
{
    (void)cpu;
    (void)slot;
    (void)generation;
    if (root == 0)
        __builtin_unreachable();
    return root;
}
