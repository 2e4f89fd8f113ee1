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
    return (__atomic_load_n(&cpu->fpu_owner, __ATOMIC_RELAXED) == thread) == cpu->fpu_on;
}

/** Numbers for the translations of address spaces, of each hart. */
#define ASID_SLOTS 64u

/** What a CPU holds of address spaces: own CPU only. */
struct asids {
    uint64_t fetch_generation; /* of code, when this CPU last looked at it anew */
    struct asid {
        uint64_t generation; /* whose translations carry the slot's number here; 0: nobody's */
        uint64_t satp;
    } slots[ASID_SLOTS];
};

extern uint64_t arch_code_generation; /* atomic; aspace.c */

/** The slot of @root, in bytes from the first. */
static inline uint64_t arch_root_slot(uint64_t root)
{
    return (root >> 12) % ASID_SLOTS * sizeof(struct asid);
}

/** A generation is of one address space only, so it says the root as well. Behind the fence after the announcement of the address space. */
static inline uint64_t arch_root_find(const struct cpu *cpu, uint64_t root, uint64_t slot,
                                      uint64_t generation)
{
    const struct asids *asids = cpu->arch;
    const struct asid *asid = (const struct asid *)((uintptr_t)asids->slots + slot);

    (void)root;
    if (unlikely(asid->generation != generation) ||
        unlikely(asids->fetch_generation !=
                 __atomic_load_n(&arch_code_generation, __ATOMIC_RELAXED)))
        return 0;
    if (asid->satp == 0)
        __builtin_unreachable();
    return asid->satp;
}
