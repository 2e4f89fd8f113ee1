#pragma once
/* Registers of a thread that is not in user mode, by meaning. System calls (lib/os/arch/x86_64/include/arch_syscall.h): number in rax,
 * arguments rdi rsi rdx r10 r8 r9 r12 r13; status in rax, results rdx r10 r8 r9. Message calls: rdi handle or badge, rsi info,
 * rbx r12 r13 r14 r15 r8 words, rdx deadline, r9 queue. */
#include <arch_pt.h>
#include <thread.h>
#include <veridian/syscall_numbers.h>

/** The flags that user mode may set itself: CF PF AF ZF SF TF DF OF, AC, ID; and RF, which a fault leaves set (SDM vol. 3, 17.3.1.1). */
#define ARCH_USER_RFLAGS 0x0000000000250dd5ull
#define ARCH_RFLAGS_FIXED 0x0000000000000202ull /* bit 1 always, IF in user mode */
#define ARCH_SYSCALL_BYTES 2u

static inline uint64_t arch_syscall_number(const struct thread *thread)
{
    return thread->context.rax;
}

/** What a restart executes: the numbers of one object's calls share their registers. */
static inline void arch_syscall_number_set(struct thread *thread, uint64_t number)
{
    thread->context.rax = number;
}

static inline uint64_t arch_syscall_arg(const struct thread *thread, unsigned i)
{
    return thread->context.x[i < 6 ? i : 7 + (i & 1)];
}

/** Progress of a call that is about to restart: argument @i is @value then. */
static inline void arch_syscall_arg_set(struct thread *thread, unsigned i, uint64_t value)
{
    thread->context.x[i < 6 ? i : 7 + (i & 1)] = value;
}

static inline void arch_syscall_status_set(struct thread *thread, status_t status)
{
    thread->context.rax = (uint64_t)(int64_t)status_code(status);
}

static inline void arch_syscall_result_set(struct thread *thread, unsigned i, uint64_t value)
{
    thread->context.x[2 + (i & 3)] = value;
}

/** Execute the call again: no register of it may have been written. */
static inline void arch_syscall_restart(struct thread *thread)
{
    thread->context.rip -= ARCH_SYSCALL_BYTES;
}

static inline void arch_syscall_skip(struct thread *thread)
{
    thread->context.rip += ARCH_SYSCALL_BYTES;
}

/** System calls of foreign threads have number and arguments where ours have them, the result elsewhere. */
static inline void arch_foreign_result_set(struct thread *thread, uint64_t value)
{
    thread->context.rax = value;
}

/** A reply_receive whose reply is done: what is executed again is the receive alone. */
static inline void arch_ipc_restart_as_receive(struct thread *thread)
{
    thread->context.rax = SYS_ENDPOINT_RECEIVE;
}

static inline uint64_t arch_ipc_handle(const struct thread *thread)
{
    return thread->context.rdi;
}

static inline uint64_t arch_ipc_info(const struct thread *thread)
{
    return thread->context.rsi;
}

static inline uint64_t arch_ipc_word(const struct thread *thread, unsigned i)
{
    return thread->context.x[i < 5 ? 6 + i : 4];
}

static inline void arch_ipc_word_set(struct thread *thread, unsigned i, uint64_t value)
{
    thread->context.x[i < 5 ? 6 + i : 4] = value;
}

static inline uint64_t arch_ipc_deadline(const struct thread *thread)
{
    return thread->context.rdx;
}

static inline uint64_t arch_ipc_queue(const struct thread *thread)
{
    return thread->context.r9;
}

static inline void arch_ipc_set(struct thread *thread, status_t status, uint64_t badge,
                                uint64_t info)
{
    thread->context.rax = (uint64_t)(int64_t)status_code(status);
    thread->context.rdi = badge;
    thread->context.rsi = info;
}

static inline void arch_ipc_words_copy(struct thread *to, const struct thread *from)
{
    to->context.rbx = from->context.rbx;
    to->context.r12 = from->context.r12;
    to->context.r13 = from->context.r13;
    to->context.r14 = from->context.r14;
    to->context.r15 = from->context.r15;
    to->context.r8 = from->context.r8;
}

static inline bool arch_user_address_is_valid(uint64_t address)
{
    return address >= ARCH_USER_START && address < ARCH_USER_END;
}

/** A fresh context: everything that is not given is zero. */
static inline void arch_context_init(struct thread *thread, uint64_t pc, uint64_t sp,
                                     uint64_t argument, uint64_t tls)
{
    thread->context = (struct arch_context){
        .rip = pc, .rsp = sp, .rdi = argument, .fs_base = tls, .rflags = ARCH_RFLAGS_FIXED};
}

/** @tls is below ARCH_USER_END or 0; the caller checks with arch_tls_is_valid. */
static inline void arch_tls_set(struct thread *thread, uint64_t tls)
{
    thread->context.fs_base = tls;
}

/** Zero, or an address of the user's half: wrfsbase faults on a non-canonical one. */
static inline bool arch_tls_is_valid(uint64_t tls)
{
    return tls < ARCH_USER_END;
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
