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

#define ARCH_DEBUG_REGISTERS 10u

/* System calls (lib/os/arch/aarch64/include/arch_syscall.h): number in x8,
 * arguments x0 to x7; status in x8, results x1 to x4. Message calls: x8 number and status, x0 handle or badge, x1 info, x20 to x24 and x4
 * words, x2 deadline, x5 queue.
 * See <accessors.h>. */
#define ARCH_SYSCALL_BYTES 4u
#define ARCH_NUMBER x[8]
#define ARCH_STATUS x[8]
#define ARCH_ARG(i) x[(i) & 7]
#define ARCH_RESULT(i) x[1 + ((i) & 3)]
#define ARCH_HANDLE x[0]
#define ARCH_INFO x[1]
#define ARCH_WORD(i) x[(i) < 5 ? 20 + (i) : 4]
#define ARCH_DEADLINE x[2]
#define ARCH_QUEUE x[5]
#define ARCH_FOREIGN_RESULT x[0]
#define ARCH_PC pc
#define ARCH_FRAME x[29]
#define ARCH_FRAME_BASE 0u
#define ARCH_TLS tls

/** FP and SIMD state, and the scalable vectors' of who uses them. */
struct arch_fpu;
