#pragma once
/* Registers of a thread that is not in user mode, by meaning. Where each is in struct arch_context arch_thread.h says (arch.h). */
#include <arch_pt.h>
#include <thread.h>
#include <veridian/syscall_numbers.h>

static inline uint64_t arch_syscall_number(const struct thread *thread)
{
    return thread->context.ARCH_NUMBER;
}

/** What a restart executes: the numbers of one object's calls share their registers. */
static inline void arch_syscall_number_set(struct thread *thread, uint64_t number)
{
    thread->context.ARCH_NUMBER = number;
}

static inline uint64_t arch_syscall_arg(const struct thread *thread, unsigned i)
{
    return thread->context.ARCH_ARG(i);
}

/** Progress of a call that is about to restart: argument @i is @value then. */
static inline void arch_syscall_arg_set(struct thread *thread, unsigned i, uint64_t value)
{
    thread->context.ARCH_ARG(i) = value;
}

static inline void arch_syscall_status_set(struct thread *thread, status_t status)
{
    thread->context.ARCH_STATUS = (uint64_t)(int64_t)status_code(status);
}

static inline void arch_syscall_result_set(struct thread *thread, unsigned i, uint64_t value)
{
    thread->context.ARCH_RESULT(i) = value;
}

/** Execute the call again: no register of it may have been written. */
static inline void arch_syscall_restart(struct thread *thread)
{
    thread->context.ARCH_PC -= ARCH_SYSCALL_BYTES;
}

static inline void arch_syscall_skip(struct thread *thread)
{
    thread->context.ARCH_PC += ARCH_SYSCALL_BYTES;
}

/** System calls of foreign threads have number and arguments where ours have them, the result elsewhere. */
static inline void arch_foreign_result_set(struct thread *thread, uint64_t value)
{
    thread->context.ARCH_FOREIGN_RESULT = value;
}

/** A reply_receive whose reply is done: what is executed again is the receive alone. */
static inline void arch_ipc_restart_as_receive(struct thread *thread)
{
    thread->context.ARCH_NUMBER = SYS_ENDPOINT_RECEIVE;
}

static inline uint64_t arch_ipc_handle(const struct thread *thread)
{
    return thread->context.ARCH_HANDLE;
}

static inline uint64_t arch_ipc_info(const struct thread *thread)
{
    return thread->context.ARCH_INFO;
}

static inline uint64_t arch_ipc_word(const struct thread *thread, unsigned i)
{
    return thread->context.ARCH_WORD(i);
}

static inline void arch_ipc_word_set(struct thread *thread, unsigned i, uint64_t value)
{
    thread->context.ARCH_WORD(i) = value;
}

static inline uint64_t arch_ipc_deadline(const struct thread *thread)
{
    return thread->context.ARCH_DEADLINE;
}

static inline uint64_t arch_ipc_queue(const struct thread *thread)
{
    return thread->context.ARCH_QUEUE;
}

static inline void arch_ipc_set(struct thread *thread, status_t status, uint64_t badge,
                                uint64_t info)
{
    arch_syscall_status_set(thread, status);
    thread->context.ARCH_HANDLE = badge;
    thread->context.ARCH_INFO = info;
}

static inline bool arch_user_address_is_valid(uint64_t address)
{
    return address >= ARCH_USER_START && address < ARCH_USER_END;
}

/** Zero, or an address of the user's half: elsewhere loading it might fault, and what one refuses all refuse. */
static inline bool arch_tls_is_valid(uint64_t tls)
{
    return tls < ARCH_USER_END;
}

/** @tls is valid. */
static inline void arch_tls_set(struct thread *thread, uint64_t tls)
{
    thread->context.ARCH_TLS = tls;
}
