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

#define ARCH_DEBUG_REGISTERS 4u

/* System calls (lib/os/arch/x86_64/include/arch_syscall.h): number in rax,
 * arguments rdi rsi rdx r10 r8 r9 r12 r13; status in rax, results rdx r10 r8 r9. Message calls: rdi handle or badge, rsi info,
 * rbx r12 r13 r14 r15 r8 words, rdx deadline, r9 queue.
 * See <accessors.h>. */
#define ARCH_SYSCALL_BYTES 2u
#define ARCH_NUMBER rax
#define ARCH_STATUS rax
#define ARCH_ARG(i) x[(i) < 6 ? (i) : 7 + ((i) & 1)]
#define ARCH_RESULT(i) x[2 + ((i) & 3)]
#define ARCH_HANDLE rdi
#define ARCH_INFO rsi
#define ARCH_WORD(i) x[(i) < 5 ? 6 + (i) : 4]
#define ARCH_DEADLINE rdx
#define ARCH_QUEUE r9
#define ARCH_FOREIGN_RESULT rax
#define ARCH_PC rip
#define ARCH_FRAME rbp
#define ARCH_FRAME_BASE 0u
#define ARCH_TLS fs_base

/** FPU state: an XSAVE area with alignment slack; its layout is the CPU's. */
struct arch_fpu;
