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
    return (__atomic_load_n(&cpu->fpu_owner, __ATOMIC_RELAXED) == thread) == cpu->fpu_on;
}

/** Address spaces whose translations a CPU keeps apart: sets of two. */
#define ASID_COUNT 128u
#define ASID_WAYS 2u

/** What a CPU holds by one identifier: translations of @generation of the root in @ttbr; generation 0: none. */
struct asid {
    uint64_t generation;
    uint64_t ttbr; /* root and identifier, as TTBR0 has them */
};

/** The set of @root, in bytes from cpu->arch. */
static inline uint64_t arch_root_slot(uint64_t root)
{
    return ((root >> 12) * ASID_WAYS & (ASID_COUNT - 1)) * sizeof(struct asid);
}

/** A generation is of one address space only, so it says the root as well. */
static inline uint64_t arch_root_find(const struct cpu *cpu, uint64_t root, uint64_t slot,
                                      uint64_t generation)
{
    const struct asid *set = (const struct asid *)((uintptr_t)cpu->arch + slot);

    (void)root;
    for (unsigned way = 0; way < ASID_WAYS; way++) {
        struct asid asid = set[way];
        if (asid.ttbr == 0)
            __builtin_unreachable();
        if (likely(asid.generation == generation))
            return asid.ttbr;
    }
    return 0;
}
