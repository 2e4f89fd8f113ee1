#pragma once
/* Registers of a thread that is not in user mode, by meaning. System calls (lib/os/arch/riscv64/include/arch_syscall.h): number in
 * a7, arguments a0 to a6 and t0; status in a7, results a1 to a4. Message calls: a0 handle or badge, a1 info, s2 to s6 and a4 words,
 * a2 deadline, a5 queue. */
#include <arch_pt.h>
#include <thread.h>
#include <veridian/syscall_numbers.h>

/** ecall has no compressed form. */
#define ARCH_SYSCALL_BYTES 4u

static inline uint64_t arch_syscall_number(const struct thread *thread)
{
    return thread->context.a7;
}

/** What a restart executes: the numbers of one object's calls share their registers. */
static inline void arch_syscall_number_set(struct thread *thread, uint64_t number)
{
    thread->context.a7 = number;
}

static inline uint64_t arch_syscall_arg(const struct thread *thread, unsigned i)
{
    return i < 7 ? thread->context.x[10 + i] : thread->context.t0;
}

/** Progress of a call that is about to restart: argument @i is @value then. */
static inline void arch_syscall_arg_set(struct thread *thread, unsigned i, uint64_t value)
{
    if (i < 7)
        thread->context.x[10 + i] = value;
    else
        thread->context.t0 = value;
}

static inline void arch_syscall_status_set(struct thread *thread, status_t status)
{
    thread->context.a7 = (uint64_t)(int64_t)status_code(status);
}

static inline void arch_syscall_result_set(struct thread *thread, unsigned i, uint64_t value)
{
    thread->context.x[11 + i] = value;
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
    thread->context.a0 = value;
}

/** A reply_receive whose reply is done: what is executed again is the receive alone. */
static inline void arch_ipc_restart_as_receive(struct thread *thread)
{
    thread->context.a7 = SYS_ENDPOINT_RECEIVE;
}

static inline uint64_t arch_ipc_handle(const struct thread *thread)
{
    return thread->context.a0;
}

static inline uint64_t arch_ipc_info(const struct thread *thread)
{
    return thread->context.a1;
}

static inline uint64_t arch_ipc_word(const struct thread *thread, unsigned i)
{
    return i < 5 ? thread->context.x[18 + i] : thread->context.a4;
}

static inline void arch_ipc_word_set(struct thread *thread, unsigned i, uint64_t value)
{
    thread->context.x[i < 5 ? 18 + i : 14] = value;
}

static inline uint64_t arch_ipc_deadline(const struct thread *thread)
{
    return thread->context.a2;
}

static inline uint64_t arch_ipc_queue(const struct thread *thread)
{
    return thread->context.a5;
}

static inline void arch_ipc_set(struct thread *thread, status_t status, uint64_t badge,
                                uint64_t info)
{
    thread->context.a7 = (uint64_t)(int64_t)status_code(status);
    thread->context.a0 = badge;
    thread->context.a1 = info;
}

static inline void arch_ipc_words_copy(struct thread *to, const struct thread *from)
{
    for (unsigned i = 0; i < IPC_WORDS; i++)
        arch_ipc_word_set(to, i, arch_ipc_word(from, i));
}

static inline bool arch_user_address_is_valid(uint64_t address)
{
    return address >= ARCH_USER_START && address < ARCH_USER_END;
}

/** A fresh context: everything that is not given is zero. */
static inline void arch_context_init(struct thread *thread, uint64_t pc, uint64_t sp,
                                     uint64_t argument, uint64_t tls)
{
    thread->context = (struct arch_context){{{.pc = pc, .sp = sp, .a0 = argument, .tp = tls}}};
}

static inline void arch_tls_set(struct thread *thread, uint64_t tls)
{
    thread->context.tp = tls;
}

/** tp is a register like any other: no value of it can do harm. Zero or an address of the user's half, as elsewhere. */
static inline bool arch_tls_is_valid(uint64_t tls)
{
    return tls < ARCH_USER_END;
}

/** gpr[n] is xn; x0, sp and tp are 0 there. */
static inline void arch_regs_get(const struct thread *thread, struct thread_regs *regs)
{
    const struct arch_context *c = &thread->context;

    *regs = (struct thread_regs){.pc = c->pc, .sp = c->sp, .tls = c->tp};
    for (unsigned i = 1; i < 32; i++)
        regs->gpr[i] = i == 2 || i == 4 ? 0 : c->x[i];
}

/** INVALID: flags, of which there are none, an odd pc, or an address outside the user's half. */
MUST_CHECK static inline status_t arch_regs_set(struct thread *thread,
                                                const struct thread_regs *regs)
{
    struct arch_context *c = &thread->context;

    if (regs->flags != 0 || regs->pc >= ARCH_USER_END || (regs->pc & 1) != 0 ||
        regs->tls >= ARCH_USER_END)
        return STATUS_INVALID;
    for (unsigned i = 1; i < 32; i++)
        c->x[i] = regs->gpr[i];
    c->pc = regs->pc;
    c->sp = regs->sp;
    c->tp = regs->tls;
    return STATUS_OK;
}
