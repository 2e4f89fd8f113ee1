#pragma once
/* What of <accessors.h> each architecture does itself. */
#include <accessors.h>
#include <process.h>

/** The bits of PSTATE that user mode may set itself: N Z C V, DIT, SSBS, BTYPE; and a debugger SS: the next instruction is a single step. All
 * others are 0 there: EL0, nothing masked. */
#define ARCH_USER_PSTATE 0x00000000f1201c00ull
#define ARCH_PSTATE_SS (1ull << 21)

static inline void arch_ipc_words_copy(struct thread *to, const struct thread *from)
{
    __builtin_memcpy(&to->context.x[20], &from->context.x[20], 5 * sizeof(uint64_t));
    to->context.x[4] = from->context.x[4];
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

/** gpr: x0 to x30. Who is stepped has SS set until it is cleared, though the CPU clears it with each instruction. */
static inline void arch_regs_get(const struct thread *thread, struct thread_regs *regs)
{
    const struct arch_context *c = &thread->context;

    regs->pc = c->pc;
    regs->sp = c->sp;
    regs->tls = c->tls;
    regs->flags =
        c->pstate | (__atomic_load_n(&thread->stepped, __ATOMIC_RELAXED) ? ARCH_PSTATE_SS : 0);
    __builtin_memcpy(regs->gpr, c->x, sizeof(c->x));
    regs->gpr[31] = 0;
}

/** INVALID: privileged bits in the flags, or an address outside the user's half. */
MUST_CHECK static inline status_t arch_regs_set(struct thread *thread,
                                                const struct thread_regs *regs)
{
    struct arch_context *c = &thread->context;

    if ((regs->flags & ~ARCH_USER_PSTATE) != 0 || regs->pc >= ARCH_USER_END ||
        regs->tls >= ARCH_USER_END)
        return STATUS_INVALID;
    __builtin_memcpy(c->x, regs->gpr, sizeof(c->x));
    c->pc = regs->pc;
    c->sp = regs->sp;
    c->tls = regs->tls;
    c->pstate = regs->flags;
    bool stepped = (regs->flags & ARCH_PSTATE_SS) != 0;

    __atomic_store_n(&thread->stepped, stepped, __ATOMIC_RELAXED);
    if (stepped)
        __atomic_store_n(&thread->moved, true, __ATOMIC_RELEASE);
    return STATUS_OK;
}
