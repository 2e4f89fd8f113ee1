#pragma once
/* What a thread holds of this architecture. Included by thread.h; the accessors are in arch_accessors.h.
 *
 * Entry code (entry.S) stores the user's registers here with cpu->current as base; the order is free, offsets.c hands the offsets
 * to the assembler. sstatus is not kept: user mode has no say in it but for the floating-point state, which is the CPU's (fpu.c). */
#include <stdbool.h>
#include <stdint.h>

struct arch_context {
    union {
        struct {
            uint64_t pc;
            uint64_t ra, sp, gp, tp;
            uint64_t t0, t1, t2;
            uint64_t s0, s1;
            uint64_t a0, a1, a2, a3, a4, a5, a6, a7;
            uint64_t s2, s3, s4, s5, s6, s7, s8, s9, s10, s11;
            uint64_t t3, t4, t5, t6;
        };
        uint64_t x[32]; /* by number; x[0]: the pc */
    };
};
_Static_assert(sizeof(struct arch_context) == 32 * 8, "x1 to x31 follow the pc in their order");

/* System calls (lib/os/arch/riscv64/include/arch_syscall.h): number in
 * a7, arguments a0 to a6 and t0; status in a7, results a1 to a4. Message calls: a0 handle or badge, a1 info, s2 to s6 and a4 words,
 * a2 deadline, a5 queue.
 * See <accessors.h>. */
#define ARCH_DEBUG_REGISTERS 0u
#define ARCH_SYSCALL_BYTES 4u /* ecall has no compressed form */
#define ARCH_NUMBER a7
#define ARCH_STATUS a7
#define ARCH_ARG(i) x[(i) < 7 ? 10 + (i) : 5]
#define ARCH_RESULT(i) x[11 + (i)]
#define ARCH_HANDLE a0
#define ARCH_INFO a1
#define ARCH_WORD(i) x[(i) < 5 ? 18 + (i) : 14]
#define ARCH_DEADLINE a2
#define ARCH_QUEUE a5
#define ARCH_FOREIGN_RESULT a0
#define ARCH_PC pc
#define ARCH_FRAME s0
#define ARCH_FRAME_BASE -16ull
#define ARCH_TLS tp

/** F and D registers, and behind them the vector registers if the thread has used any (fpu.c). */
struct arch_fpu;
