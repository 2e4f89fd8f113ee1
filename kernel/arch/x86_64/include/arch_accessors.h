#pragma once
/* What of <accessors.h> each architecture does itself. */
#include <accessors.h>

/** The flags that user mode may set itself: CF PF AF ZF SF TF DF OF, AC, ID; and RF, which a fault leaves set (SDM vol. 3, 17.3.1.1). */
#define ARCH_USER_RFLAGS 0x0000000000250dd5ull
#define ARCH_RFLAGS_RF (1ull << 16)
#define ARCH_RFLAGS_FIXED 0x0000000000000202ull /* bit 1 always, IF in user mode */

static inline void arch_ipc_words_copy(struct thread *to, const struct thread *from)
{
    to->context.rbx = from->context.rbx;
    to->context.r12 = from->context.r12;
    to->context.r13 = from->context.r13;
    to->context.r14 = from->context.r14;
    to->context.r15 = from->context.r15;
    to->context.r8 = from->context.r8;
}

/** A fresh context: everything that is not given is zero. */
static inline void arch_context_init(struct thread *thread, uint64_t pc, uint64_t sp,
                                     uint64_t argument, uint64_t tls)
{
    thread->context = (struct arch_context){
        .rip = pc, .rsp = sp, .rdi = argument, .fs_base = tls, .rflags = ARCH_RFLAGS_FIXED};
}

/** gpr: rax rcx rdx rbx (rsp: 0) rbp rsi rdi r8 … r15 in the order of their numbers, then gs_base in gpr[16]. */
static inline void arch_regs_get(const struct thread *thread, struct thread_regs *regs)
{
    const struct arch_context *c = &thread->context;

    *regs = (struct thread_regs){.pc = c->rip,
                                 .sp = c->rsp,
                                 .tls = c->fs_base,
                                 .flags = c->rflags,
                                 .gpr = {c->rax, c->rcx, c->rdx, c->rbx, 0, c->rbp, c->rsi, c->rdi,
                                         c->r8, c->r9, c->r10, c->r11, c->r12, c->r13, c->r14,
                                         c->r15, c->gs_base}};
}

/** INVALID: privileged bits in the flags, or an address outside the user's half. */
MUST_CHECK static inline status_t arch_regs_set(struct thread *thread,
                                                const struct thread_regs *regs)
{
    const uint64_t *g = regs->gpr;

    if ((regs->flags & ~(ARCH_USER_RFLAGS | ARCH_RFLAGS_FIXED)) != 0 || regs->pc >= ARCH_USER_END ||
        regs->tls >= ARCH_USER_END || g[16] >= ARCH_USER_END)
        return STATUS_INVALID;
    thread->context = (struct arch_context){.rax = g[0],
                                            .rcx = g[1],
                                            .rdx = g[2],
                                            .rbx = g[3],
                                            .rbp = g[5],
                                            .rsi = g[6],
                                            .rdi = g[7],
                                            .r8 = g[8],
                                            .r9 = g[9],
                                            .r10 = g[10],
                                            .r11 = g[11],
                                            .r12 = g[12],
                                            .r13 = g[13],
                                            .r14 = g[14],
                                            .r15 = g[15],
                                            .rip = regs->pc,
                                            .rsp = regs->sp,
                                            .rflags = regs->flags | ARCH_RFLAGS_FIXED,
                                            .fs_base = regs->tls,
                                            .gs_base = g[16]};
    return STATUS_OK;
}

static inline uint32_t arch_debug_takes(uint32_t index)
{
    return index < ARCH_DEBUG_REGISTERS ? MAP_READ | MAP_WRITE | MAP_EXECUTE : 0;
}

/** Its part of DR7 (SDM vol. 3, 17.2.4): L, R/W and LEN. The kernel executes nothing at users' addresses, nor touches any, so they are user mode's. */
static inline bool arch_debug_encode(uint32_t index, struct debug_register *debug)
{
    uint32_t bytes = debug->bytes;
    uint64_t type = debug->access == MAP_WRITE                ? 1
                    : debug->access == (MAP_READ | MAP_WRITE) ? 3
                                                              : 0;
    uint64_t length = bytes == 8 ? 2 : bytes - 1;

    debug->value = debug->address;
    debug->control = 1ull << 2 * index;
    if (debug->access == MAP_EXECUTE)
        return bytes == 0;
    debug->control |= (type | length << 2) << (16 + 4 * index);
    return type != 0 && bytes - 1 < 8 && (bytes & (bytes - 1)) == 0 &&
           (debug->address & (bytes - 1)) == 0;
}
