#pragma once
/* Beyond <accessors.h>: plain fields. */
#include <accessors.h>

static inline void arch_ipc_words_copy(struct thread *to, const struct thread *from)
{
    for (unsigned i = 0; i < IPC_WORDS; i++)
        to->context.words[i] = from->context.words[i];
}

static inline void arch_context_init(struct thread *thread, uint64_t pc, uint64_t sp,
                                     uint64_t argument, uint64_t tls)
{
    thread->context = (struct arch_context){.pc = pc, .sp = sp, .argument = argument, .tls = tls};
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

/** None. */
static inline uint32_t arch_debug_takes(uint32_t index)
{
    (void)index;
    return 0;
}

static inline bool arch_debug_encode(uint32_t index, const struct debug_register *debug)
{
    (void)index;
    (void)debug;
    return false;
}
