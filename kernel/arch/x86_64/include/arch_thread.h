#pragma once
/* What a thread holds of this architecture. Included by thread.h; the accessors are in arch_accessors.h.
 *
 * Entry code (entry.S) stores the user's registers here with cpu->current as base; the order is free, offsets.c hands the
 * offsets to the assembler. Segment selectors are not kept: user mode has one code and one data segment. */
#include <stdbool.h>
#include <stdint.h>

struct arch_context {
    uint64_t rip, rflags, rsp, rbp; /* what message calls need comes first */
    uint64_t
        fs_base; /* TLS pointer: what the kernel was told, loaded on each return to user mode */
    uint64_t gs_base;
    union {
        struct {
            uint64_t rdi, rsi, rdx, r10, r8, r9; /* arguments of a call, which go on in r12 */
            uint64_t rbx, r12, r13, r14, r15;    /* words of a message, the sixth is in r8 */
        };
        uint64_t x[11];
    };
    uint64_t
        by_syscall; /* entered by syscall, or in user mode: rcx and r11 are dead, sysret may be used */
    uint64_t rax, rcx, r11;
};

/** FPU state: an XSAVE area with alignment slack; its layout is the CPU's. */
struct arch_fpu;
