#pragma once
/* What a thread holds of this architecture. Included by thread.h; the accessors are in arch_accessors.h.
 *
 * Entry code (entry.S) stores the user's registers here with cpu->current as base; the order is free, offsets.c hands the
 * offsets to the assembler. Segment selectors are not kept: user mode has one code and one data segment. */
#include <stdbool.h>
#include <stdint.h>

struct arch_context {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rip, rflags;
    uint64_t
        fs_base; /* TLS pointer: what the kernel was told, loaded on each return to user mode */
    uint64_t gs_base;
    uint64_t
        by_syscall; /* entered by syscall, or in user mode: rcx and r11 are dead, sysret may be used */
};

/** FPU state: an XSAVE area with alignment slack; its layout is the CPU's. */
struct arch_fpu;
