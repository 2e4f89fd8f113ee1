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

/** Which of a thread's are breakpoints; the others are watchpoints. */
#define DEBUG_BREAKPOINTS 0xf3u
/** Where the CPU has six breakpoints and four watchpoints; else there are the first, the two and two that every CPU has. */
#define DEBUG_FEW 4u

/** ID_AA64DFR0_EL1 (Arm ARM D19.2.59): BRPs, WRPs. */
static inline bool debug_has_all(void)
{
    uint64_t features;

    __asm__("mrs %0, id_aa64dfr0_el1" : "=r"(features));
    return (features >> 12 & 0xf) >= 5 && (features >> 20 & 0xf) >= 3;
}

static inline uint32_t arch_debug_takes(uint32_t index)
{
    if (index >= (debug_has_all() ? ARCH_DEBUG_REGISTERS : DEBUG_FEW))
        return 0;
    return (DEBUG_BREAKPOINTS >> index & 1) != 0 ? MAP_EXECUTE : MAP_READ | MAP_WRITE;
}

/** DBGBCR and DBGWCR (Arm ARM D19.3.2, D19.3.11): enabled, in EL0; loads and stores are where `map` has them. */
static inline bool arch_debug_encode(uint32_t index, struct debug_register *debug)
{
    uint64_t offset = debug->address & 7;

    debug->value = debug->address;
    debug->control = 0xf << 5 | 2 << 1 | 1;
    if ((DEBUG_BREAKPOINTS >> index & 1) != 0)
        return debug->access == MAP_EXECUTE && debug->bytes == 0 && (offset & 3) == 0;
    if (debug->access >= MAP_EXECUTE || debug->bytes - 1 >= 8 - offset)
        return false;
    debug->value -= offset;
    debug->control = ((1u << debug->bytes) - 1) << offset << 5 | debug->access << 3 | 2 << 1 | 1;
    return true;
}
