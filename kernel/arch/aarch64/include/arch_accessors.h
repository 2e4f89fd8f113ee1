#pragma once
/* Registers of a thread that is not in user mode, by meaning. System calls (lib/os/arch/aarch64/include/arch_syscall.h): number in x8,
 * arguments x0 to x7; status in x8, results x1 to x4. Message calls: x8 number and status, x0 handle or badge, x1 info, x20 to x24 and x4
 * words, x2 deadline, x5 queue. */
#include <arch_pt.h>
#include <process.h>
#include <thread.h>
#include <veridian/syscall_numbers.h>

/** The bits of PSTATE that user mode may set itself: N Z C V, DIT, SSBS, BTYPE. All others are 0 there: EL0, nothing masked. */
#define ARCH_USER_PSTATE 0x00000000f1001c00ull
#define ARCH_SYSCALL_BYTES 4u

static inline uint64_t arch_syscall_number(const struct thread *thread)
{
    return thread->context.x[8];
}

/** What a restart executes: the numbers of one object's calls share their registers. */
static inline void arch_syscall_number_set(struct thread *thread, uint64_t number)
{
    thread->context.x[8] = number;
}

static inline uint64_t arch_syscall_arg(const struct thread *thread, unsigned i)
{
    return thread->context.x[i & 7];
}

/** Progress of a call that is about to restart: argument @i is @value then. */
static inline void arch_syscall_arg_set(struct thread *thread, unsigned i, uint64_t value)
{
    thread->context.x[i & 7] = value;
}

static inline void arch_syscall_status_set(struct thread *thread, status_t status)
{
    thread->context.x[8] = (uint64_t)(int64_t)status_code(status);
}

static inline void arch_syscall_result_set(struct thread *thread, unsigned i, uint64_t value)
{
    thread->context.x[1 + (i & 3)] = value;
}

/** Execute the call again: no register of it may have been written. */
static inline void arch_syscall_restart(struct thread *thread)
{
    thread->context.pc -= ARCH_SYSCALL_BYTES;
}

static inline void arch_syscall_skip(struct thread *thread)
{
    thread->context.pc += ARCH_SYSCALL_BYTES;
}

/** System calls of foreign threads have number and arguments where ours have them, the result elsewhere. */
static inline void arch_foreign_result_set(struct thread *thread, uint64_t value)
{
    thread->context.x[0] = value;
}

/** A reply_receive whose reply is done: what is executed again is the receive alone. */
static inline void arch_ipc_restart_as_receive(struct thread *thread)
{
    thread->context.x[8] = SYS_ENDPOINT_RECEIVE;
}

static inline uint64_t arch_ipc_handle(const struct thread *thread)
{
    return thread->context.x[0];
}

static inline uint64_t arch_ipc_info(const struct thread *thread)
{
    return thread->context.x[1];
}

static inline uint64_t arch_ipc_word(const struct thread *thread, unsigned i)
{
    return thread->context.x[i < 5 ? 20 + i : 4];
}

static inline void arch_ipc_word_set(struct thread *thread, unsigned i, uint64_t value)
{
    thread->context.x[i < 5 ? 20 + i : 4] = value;
}

static inline uint64_t arch_ipc_deadline(const struct thread *thread)
{
    return thread->context.x[2];
}

static inline uint64_t arch_ipc_queue(const struct thread *thread)
{
    return thread->context.x[5];
}

static inline void arch_ipc_set(struct thread *thread, status_t status, uint64_t badge,
                                uint64_t info)
{
    thread->context.x[8] = (uint64_t)(int64_t)status_code(status);
    thread->context.x[0] = badge;
    thread->context.x[1] = info;
}

static inline void arch_ipc_words_copy(struct thread *to, const struct thread *from)
{
    __builtin_memcpy(&to->context.x[20], &from->context.x[20], 5 * sizeof(uint64_t));
    to->context.x[4] = from->context.x[4];
}

static inline bool arch_user_address_is_valid(uint64_t address)
{
    return address >= ARCH_USER_START && address < ARCH_USER_END;
}

/** A half of a process's pointer authentication key: the finaliser of SplitMix64 over its secret, which nobody else knows. */
static inline uint64_t arch_key_half(uint64_t secret, uint64_t half)
{
    uint64_t x = secret + (half + 1) * 0x9e3779b97f4a7c15ull;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

/** A fresh context: everything that is not given is zero. */
static inline void arch_context_init(struct thread *thread, uint64_t pc, uint64_t sp,
                                     uint64_t argument, uint64_t tls)
{
    uint64_t secret = ~thread->process->secret;

    thread->context = (struct arch_context){
        .x = {argument},
        .pc = pc,
        .sp = sp,
        .tls = tls,
        .key = {arch_key_half(secret, 0), arch_key_half(secret, 1)},
    };
}

/** @tls is below ARCH_USER_END or 0; the caller checks with arch_tls_is_valid. */
static inline void arch_tls_set(struct thread *thread, uint64_t tls)
{
    thread->context.tls = tls;
}

/** Any value would do no harm; what is refused elsewhere is refused here. */
static inline bool arch_tls_is_valid(uint64_t tls)
{
    return tls < ARCH_USER_END;
}

/** gpr: x0 to x30. */
static inline void arch_regs_get(const struct thread *thread, struct thread_regs *regs)
{
    const struct arch_context *c = &thread->context;

    *regs = (struct thread_regs){.pc = c->pc, .sp = c->sp, .tls = c->tls, .flags = c->pstate};
    for (unsigned i = 0; i < 31; i++)
        regs->gpr[i] = c->x[i];
}

/** INVALID: privileged bits in the flags, or an address outside the user's half. */
MUST_CHECK static inline status_t arch_regs_set(struct thread *thread,
                                                const struct thread_regs *regs)
{
    struct arch_context *c = &thread->context;

    if ((regs->flags & ~ARCH_USER_PSTATE) != 0 || regs->pc >= ARCH_USER_END ||
        regs->tls >= ARCH_USER_END)
        return STATUS_INVALID;
    for (unsigned i = 0; i < 31; i++)
        c->x[i] = regs->gpr[i];
    c->pc = regs->pc;
    c->sp = regs->sp;
    c->tls = regs->tls;
    c->pstate = regs->flags;
    return STATUS_OK;
}
