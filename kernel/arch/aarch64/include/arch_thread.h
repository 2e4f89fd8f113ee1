#pragma once
/* What a thread holds of this architecture. Included by thread.h; the accessors are in arch_accessors.h.
 *
 * While user code runs, SP_EL1 points at the running thread's context, so that entry code stores the user's registers without needing
 * one of them. entry.S knows the offsets; offsets.c checks them. */
#include <stdbool.h>
#include <stdint.h>

struct __attribute__((aligned(16))) arch_context { /* SP is aligned in the kernel */
    uint64_t x[31];
    uint64_t sp; /* SP_EL0 */
    uint64_t pc; /* ELR_EL1 */
    uint64_t pstate;
    uint64_t tls;    /* TPIDR_EL0: user code writes it itself */
    uint64_t key[2]; /* APIAKey of its process */
    uint64_t zeros[2];
};

/** FP and SIMD state, and the scalable vectors' of who uses them. */
struct arch_fpu;
