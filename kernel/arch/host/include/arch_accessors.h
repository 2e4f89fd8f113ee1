#pragma once
/* Registers of a thread by meaning: plain fields. */
#include <arch_pt.h>
#include <thread.h>
#include <veridian/syscall_numbers.h>

static inline uint64_t arch_syscall_number(const struct thread *thread)
{
    return thread->context.number;
}

/** What a restart executes: the numbers of one object's calls share their registers. */
static inline void arch_syscall_number_set(struct thread *thread, uint64_t number)
{
    thread->context.number = number;
}

static inline uint64_t arch_syscall_arg(const struct thread *thread, unsigned i)
{
    return thread->context.args[i];
}

/** Progress of a call that is about to restart: argument @i is @value then. */
static inline void arch_syscall_arg_set(struct thread *thread, unsigned i, uint64_t value)
{
    thread->context.args[i] = value;
}

static inline void arch_syscall_status_set(struct thread *thread, status_t status)
{
    thread->context.status = (uint64_t)(int64_t)status_code(status);
}

static inline void arch_syscall_result_set(struct thread *thread, unsigned i, uint64_t value)
{
    thread->context.results[i] = value;
}

static inline void arch_syscall_restart(struct thread *thread)
{
    thread->context.restarts++;
}

static inline void arch_syscall_skip(struct thread *thread)
{
    thread->context.restarts--;
}

static inline void arch_foreign_result_set(struct thread *thread, uint64_t value)
{
    thread->context.status = value;
}

static inline void arch_ipc_restart_as_receive(struct thread *thread)
{
    thread->context.number = SYS_ENDPOINT_RECEIVE;
}

static inline uint64_t arch_ipc_handle(const struct thread *thread)
{
    return thread->context.handle;
}

static inline uint64_t arch_ipc_info(const struct thread *thread)
{
    return thread->context.info;
}

static inline uint64_t arch_ipc_word(const struct thread *thread, unsigned i)
{
    return thread->context.words[i];
}

static inline void arch_ipc_word_set(struct thread *thread, unsigned i, uint64_t value)
{
    thread->context.words[i] = value;
}

static inline uint64_t arch_ipc_deadline(const struct thread *thread)
{
    return thread->context.deadline;
}

static inline uint64_t arch_ipc_queue(const struct thread *thread)
{
    return thread->context.queue;
}

static inline void arch_ipc_set(struct thread *thread, status_t status, uint64_t badge,
                                uint64_t info)
{
    arch_syscall_status_set(thread, status);
    thread->context.handle = badge;
    thread->context.info = info;
}

static inline void arch_ipc_words_copy(struct thread *to, const struct thread *from)
{
    for (unsigned i = 0; i < IPC_WORDS; i++)
        to->context.words[i] = from->context.words[i];
}

static inline bool arch_user_address_is_valid(uint64_t address)
{
    return address >= ARCH_USER_START && address < ARCH_USER_END;
}

static inline void arch_context_init(struct thread *thread, uint64_t pc, uint64_t sp,
                                     uint64_t argument, uint64_t tls)
{
    thread->context = (struct arch_context){.pc = pc, .sp = sp, .argument = argument, .tls = tls};
}

static inline bool arch_tls_is_valid(uint64_t tls)
{
    return tls < ARCH_USER_END;
}

static inline void arch_tls_set(struct thread *thread, uint64_t tls)
{
    thread->context.tls = tls;
}

static inline void arch_regs_get(const struct thread *thread, struct thread_regs *regs)
{
    *regs = (struct thread_regs){.pc = thread->context.pc,
                                 .sp = thread->context.sp,
                                 .tls = thread->context.tls};
}

MUST_CHECK static inline status_t arch_regs_set(struct thread *thread,
                                                const struct thread_regs *regs)
{
    if (regs->pc >= ARCH_USER_END || regs->tls >= ARCH_USER_END || regs->flags != 0)
        return STATUS_INVALID;
    thread->context.pc = regs->pc;
    thread->context.sp = regs->sp;
    thread->context.tls = regs->tls;
    return STATUS_OK;
}
