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

/** F and D registers, and behind them the vector registers if the thread has used any (fpu.c). */
struct arch_fpu;
