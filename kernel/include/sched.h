#pragma once
/* Scheduling: per-CPU queues of 64 levels, preemption, stealing by idle CPUs (sched/sched.c). */
#include "arch.h"
#include "arch_cpu.h"
#include "cpu.h"
#include "kcov.h"
#include "mm/aspace.h"
#include "mm/blocks.h"
#include "thread.h"

/** How many servers that call one another a level and its time are lent through. */
#define LENT_DEPTH 16u

/** The number of the running grace period, or of the last one; atomic (sched/rcu.c). */
extern uint64_t rcu_period;
/** The grace period that the way out notes: read before it looks whether translations are stale (sched_leave). */
static inline uint64_t rcu_period_now(void)
{
    return __atomic_load_n(&rcu_period, __ATOMIC_ACQUIRE);
}

/** Choose what to run and leave the kernel; runs continuations, handles attention, flushes the TLB, notes quiescence; idles when
 *  there is nothing. Every kernel entry that came from user mode ends here if something has come up (cpu->work) or the thread is
 *  another. Where it is the same one and work is 0 there is nothing to be seen to: what other CPUs ask for comes with an interrupt, which is
 *  taken before the next instruction of user mode; what this CPU did itself it has noted in work. */
NORETURN void sched_leave(void);
/** Finish a system call of @self, the current thread, as its handler says. With KERNEL_BLOCKED the thread may run elsewhere by now. */
void trap_finish(struct thread *self, status_t status);
/** System call @number of @self, a native thread, that came the way of foreign ones: there is none of that number, or it is traced. */
NORETURN void trap_native(struct thread *self, uint64_t number);
/** After a direct handoff (sched_handoff): the new thread's own side has to be looked at too. Returns if something has come up. */
static inline __attribute__((always_inline)) void sched_leave_quickly(void)
{
    struct cpu *cpu = arch_cpu_local();
    struct thread *thread = cpu->current;
    if (unlikely(cpu->work != 0 || thread == NULL || thread->continuation != NULL) ||
        unlikely(__atomic_load_n(&thread->attention, __ATOMIC_RELAXED) != 0))
        return;
    if (!aspace_is_current(thread->aspace, cpu))
        aspace_load(thread->aspace, cpu);
    if (unlikely(!arch_fpu_is_settled(thread, cpu)))
        arch_fpu_switch(thread);
    arch_thread_resume(thread);
}
/** Its thread is dead: no time is kept for it any more, though who serves its last call may be charging it yet. */
void level_end(struct realtime *realtime);
/** Whose time @thread runs on: its own, or that of the caller whose level it has. */
struct thread *level_payer(struct thread *thread);
/** @thread has the level that follows from its own and those that are lent to it now, whoever changes one of them meanwhile and does this afterwards. */
void level_settle(struct thread *thread);
/** @thread has answered, or answers later: whoever helps it lends it a level still. Its own CPU, after the store to its current_reply. */
static inline void level_served(struct thread *thread)
{
    uint8_t level = __atomic_load_n(&thread->priority, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->effective, level, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    const struct thread *helper = __atomic_load_n(&thread->helper, __ATOMIC_RELAXED);
    if (unlikely(helper != NULL) && thread_level(helper) > level)
        level_settle(thread);
}
/** The level of @thread may have changed: if it is ready or runs it is where it belongs, and so is who works for it, through LENT_DEPTH servers
 *  (ipc/help.c). No lock held; a grace period may not end meanwhile. */
void level_follow(struct thread *thread);
static inline bool level_is_lent(const struct thread *thread)
{
    return thread_level(thread) > __atomic_load_n(&thread->priority, __ATOMIC_RELAXED);
}
/** The turn of @payer, for whom @thread has run for @ran_ns, is over; of one that is limited that is only found out here. True: it is. */
bool level_turn_over(struct thread *payer, struct thread *thread, uint64_t ran_ns, uint64_t now_ns);
/** The time since the last look at the clock was the current thread's, if there is one, and its caller's that it serves. True: with it the turn
 *  of that thread is over that lends its level; a new one has begun, on the level that it has now. */
bool sched_account(struct cpu *cpu);
/** The same for paths that count instructions. */
static inline __attribute__((always_inline)) bool sched_account_here(struct cpu *cpu)
{
    uint64_t now_ns = arch_time_now_ns(), ran_ns = now_ns - cpu->last_clock_ns;
    struct thread *thread = cpu->current, *payer = thread;
    cpu->last_clock_ns = now_ns;
    if (thread == NULL)
        return false;
    struct thread *caller = __atomic_load_n(&thread->current_reply, __ATOMIC_RELAXED);
    add_owned(&thread->cpu_time_ns, ran_ns);
    if (caller != NULL)
        add_owned(&caller->served_ns, ran_ns);
    if (unlikely(level_is_lent(thread)))
        payer = level_payer(thread);
    else if (caller != NULL)
        payer = caller;
    if (likely(!turn_charge(&payer->turn, ran_ns)))
        return false;
    return level_turn_over(payer, thread, ran_ns, now_ns);
}
/** The current thread blocked (already published): forget it without touching it. */
void sched_forget_current(void);
/** The current thread gives way: it stays runnable and another is chosen on the way out. */
void sched_yield_current(void);
static inline bool sched_may_run_on(const struct thread *thread, const struct cpu *cpu)
{
    uint32_t fpu_cpu = __atomic_load_n(&thread->fpu_cpu, __ATOMIC_RELAXED);
    uint64_t affinity = __atomic_load_n(&thread->affinity[cpu->id / 64], __ATOMIC_RELAXED);
    return (affinity >> (cpu->id % 64) & 1) != 0 && (fpu_cpu == UINT32_MAX || fpu_cpu == cpu->id);
}
/* @thread is this CPU's from now on: who sets attention bits sees that, or we see the bits on the way out. */
static inline void thread_moved(struct thread *thread, const struct cpu *cpu)
{
    __atomic_store_n(&thread->cpu, cpu->id, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
/** The caller of @thread may have risen between its call and its wait, when who made it rise did not find the two together. */
static inline void level_look_again(struct thread *thread)
{
    const struct thread *caller = __atomic_load_n(&thread->current_reply, __ATOMIC_RELAXED);
    if (unlikely(caller != NULL) && unlikely(thread_level(caller) > thread_level(thread)))
        level_settle(thread);
}
/** The affinity of @thread is looked at after this: thread.moved is taken back, but of those who are never handed a CPU. True: it is one of them. */
bool sched_look_at_move(struct thread *thread);
/** May @next be handed @cpu? Looks at its affinity if that has changed. */
static inline bool sched_may_be_handed(struct thread *next, const struct cpu *cpu)
{
    bool never =
        unlikely(__atomic_load_n(&next->moved, __ATOMIC_RELAXED)) && sched_look_at_move(next);
    return likely(!never && sched_may_run_on(next, cpu));
}
/** Direct handoff on this CPU: @next (which belongs to the caller) becomes current without passing the queue. The former current
 *  must be published or requeued. */
static inline void sched_handoff(struct thread *next) NO_THREAD_SAFETY
{
    struct cpu *cpu = arch_cpu_local();
    if (unlikely(!sched_may_be_handed(next, cpu))) {
        cpu->current = NULL;
        cpu->last_clock_ns = arch_time_now_ns(); /* what was before is not its time */
        level_look_again(next);
        thread_wake(next);
        return;
    }
    __atomic_store_n(&next->state, THREAD_RUNNING, __ATOMIC_RELAXED);
    if (unlikely(next->cpu != cpu->id))
        thread_moved(next, cpu);
    cpu->current = next;
    if (unlikely(__atomic_load_n(&cpu->queue.bitmap, __ATOMIC_RELAXED) >> thread_level(next) > 1))
        cpu->resched = true;
}
/** @next, ours, goes before the current thread, which becomes ready: hand the CPU over to it at once, if it may be. True: it is current, and the
 *  former one, whose system call must be finished, may run elsewhere. False: nothing is changed. */
MUST_CHECK bool sched_give_way(struct thread *next);
/** Take the FPU state of @thread out of the registers of @cpu, this one: it may run anywhere then. */
static inline void sched_save_fpu(struct cpu *cpu, struct thread *thread)
{
    if (__atomic_load_n(&thread->fpu_cpu, __ATOMIC_RELAXED) != cpu->id)
        return;
    arch_fpu_save(thread);
    cpu->changed = true;
}
/** Set attention bits and make @thread notice: cancel its wait, or interrupt its CPU. */
void thread_set_attention(struct thread *thread, uint32_t bits);
/** True if a preemption point should give way: an interrupt is pending or a higher priority is ready. */
bool sched_should_yield(void);
/** In the middle of long work that cannot be cut: interrupts that wait are taken here, and whom they wake runs after that work. No lock is
 *  held. In an interrupt that came in kernel mode itself none is taken: they do not pile up, and entry code need not expect it. */
void sched_let_interrupts_in(void);
/** Run queues and the idle state of this CPU. Called once per CPU before sched_leave. */
void sched_cpu_init(struct cpu *cpu);
/** @thread, whose level or affinity may have changed, is where it belongs then, if it is ready or runs. */
void sched_requeue_ready(struct thread *thread);
/** Which calls of @thread, which is not traced, go the short way may have changed. Who changes that does this afterwards: who comes last has seen it all. */
void sched_settle_syscall_limit(struct thread *thread);
/** Priority and affinity of any thread; requeues it where needed. */
void sched_set_priority(struct thread *thread, uint8_t priority);
/** The same of the real-time band, with thread->realtime there. */
void sched_set_realtime(struct thread *thread, uint8_t priority, struct allowance allowance);
void sched_set_affinity(struct thread *thread, uint32_t index, uint64_t mask);
/** Store whether @cpu, this one, idles, before every later access. The fence says it: an atomic exchange is one access to C, to LL/SC
 *  machines, and to whoever reads plainly afterwards, and orders only what is atomic too. */
static inline void sched_idle_set(struct cpu *cpu, bool idle)
{
    __atomic_store_n(&cpu->idle, idle, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!idle)
        blocks_catch_up(cpu);
}
/** First thing in every interrupt handler: a CPU that idles is about to look at shared data, so grace periods must wait for it again. */
static inline void sched_interrupt_begin(void)
{
    struct cpu *cpu = arch_cpu_local();
    kcov_pause(true);
    if (cpu->idle)
        sched_idle_set(cpu, false);
}
