#pragma once
/* What of <accessors.h> each architecture does itself. */
#include <accessors.h>

static inline void arch_ipc_words_copy(struct thread *to, const struct thread *from)
{
    for (unsigned i = 0; i < IPC_WORDS; i++)
        arch_ipc_word_set(to, i, arch_ipc_word(from, i));
}

/** A fresh context: everything that is not given is zero. */
static inline void arch_context_init(struct thread *thread, uint64_t pc, uint64_t sp,
                                     uint64_t argument, uint64_t tls)
{
    thread->context = (struct arch_context){{{.pc = pc, .sp = sp, .a0 = argument, .tp = tls}}};
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

/** The triggers of Sdtrig are machine mode's (README.md): none. */
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
