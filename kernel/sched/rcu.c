/* Grace periods.
 *
 * Periods are numbered. A CPU notes the number of the running period when it leaves the kernel or idles; the period is over when all
 * CPUs have noted it. Idle CPUs are quiescent by definition: a CPU marks itself busy with a full barrier before it looks at shared
 * data, and who begins a period reads the marks after a full barrier, so one of the two sees the other.
 * A frame freed by a callback must be in no TLB. So a CPU on its way out reads the number of the period, then looks whether its
 * translations are stale, then notes that period and no later one: who unmaps raises the generation before its callback's period
 * begins, so a CPU that read the period sees the generation.
 * The kernel's own addresses may be used again after a period, too (mm/blocks.c): a CPU has caught up with blocks_generation before
 * it notes a period, with the lock held, so it sees what was raised before that period was asked for; and before it looks at anything if
 * it was noted while it idled, by the same two barriers.
 * Callbacks are kept per CPU: rcu_next collects; when it is big or a timer fires it becomes rcu_current, bound to a period that
 * begins after that moment; when that period is over they run, in batches, and interrupts come in between: where nothing else is done. */
#include "rcu.h"

#include "arch.h"
#include "arch_cpu.h"
#include "mm/blocks.h"
#include "mm/phys.h"
#include "sched.h"

#define RCU_DELAY_NS 1000000ull
#define RCU_BATCH 64
#define RCU_START_AT 64

static struct spinlock lock;
uint64_t rcu_period;                            /* running or last; atomic, rcu_lock to write */
static uint64_t completed;                      /* atomic */
static uint64_t needed GUARDED_BY(rcu_lock);    /* begin periods up to this one */
static uint32_t remaining GUARDED_BY(rcu_lock); /* CPUs that have not noted the running period */

static void note(struct cpu *cpu) REQUIRES(rcu_lock);

static COLD void begin_period(void) REQUIRES(rcu_lock)
{
    struct cpu *self = arch_cpu_local();
    remaining = 0;
    for (uint32_t i = 0; i < cpu_count; i++)
        remaining += cpus[i]->online;
    __atomic_store_n(&rcu_period, rcu_period + 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < cpu_count; i++) {
        struct cpu *cpu = cpus[i];
        if (cpu == self || !cpu->online)
            continue;
        if (__atomic_load_n(&cpu->idle, __ATOMIC_SEQ_CST)) {
            note(cpu);
        } else {
            arch_ipi_send(i);
        }
    }
}

/* @cpu has been quiescent in the running period. */
static COLD void note(struct cpu *cpu)
{
    if (cpu->quiescent == rcu_period)
        return;
    __atomic_store_n(&cpu->quiescent, rcu_period, __ATOMIC_RELAXED);
    if (--remaining != 0)
        return;
    __atomic_store_n(&completed, rcu_period, __ATOMIC_RELEASE);
    arch_cpu_local()->rcu_due = true;
    for (uint32_t i = 0; i < cpu_count; i++)
        if (cpus[i] != arch_cpu_local() &&
            __atomic_load_n(&cpus[i]->rcu_current, __ATOMIC_RELAXED) != NULL)
            arch_ipi_send(i);
}

void rcu_quiescent(uint64_t period)
{
    struct cpu *cpu = arch_cpu_local();
    if (likely(__atomic_load_n(&cpu->quiescent, __ATOMIC_RELAXED) == period))
        return;
    bool nothing_loaded = cpu->aspace == NULL;
    frames_unmaps_pass(cpu);
    rcu_lock_acquire(&lock);
    blocks_catch_up(cpu);
    if (nothing_loaded || period == rcu_period)
        note(cpu);
    /* An idle CPU would not come back; the others look for stale translations first. */
    while (completed == rcu_period && needed > completed) {
        begin_period();
        if (nothing_loaded)
            note(cpu);
    }
    rcu_lock_release(&lock);
}

static void timer_fired(struct ktimer *timer, uint64_t now_ns)
{
    (void)timer;
    (void)now_ns;
    rcu_expedite(); /* what has become due is done on the way out */
}

void rcu_call(struct rcu_head *head, void (*function)(struct rcu_head *))
{
    struct cpu *cpu = arch_cpu_local();
    head->function = function;
    head->next = cpu->rcu_next;
    cpu->rcu_next = head;
    if (cpu->rcu_count++ == 0 || cpu->rcu_count == RCU_START_AT)
        cpu->rcu_due = true;
}

static void period_need(uint64_t period) REQUIRES(rcu_lock)
{
    needed = MAX(needed, period);
    if (completed == rcu_period)
        begin_period();
}

/* The collected callbacks wait for a period that begins from now on. */
static void start_current(struct cpu *cpu)
{
    __atomic_store_n(&cpu->rcu_current, cpu->rcu_next, __ATOMIC_RELAXED);
    cpu->rcu_next = NULL;
    cpu->rcu_count = 0;
    rcu_lock_acquire(&lock);
    cpu->rcu_current_period = rcu_period + 1;
    period_need(rcu_period + 1);
    rcu_lock_release(&lock);
}

static void run_current(struct cpu *cpu)
{
    for (uint32_t i = 0; i < RCU_BATCH && cpu->rcu_current != NULL; i++) {
        struct rcu_head *head = cpu->rcu_current;
        __atomic_store_n(&cpu->rcu_current, head->next, __ATOMIC_RELAXED);
        head->function(head);
        sched_let_interrupts_in(); /* it may have been long */
    }
}

/* What comes later makes it due again: the end of the period (note), the timer, the callback that is one too many. */
bool rcu_poll(void)
{
    struct cpu *cpu = arch_cpu_local();
    cpu->rcu_due = false;
    bool over = cpu->rcu_current != NULL &&
                __atomic_load_n(&completed, __ATOMIC_ACQUIRE) >= cpu->rcu_current_period;
    if (over)
        run_current(cpu);
    if (cpu->rcu_current != NULL) {
        cpu->rcu_due = over;
        return over;
    }
    if (cpu->rcu_next == NULL) {
        cpu->rcu_count = 0; /* the timer came for what was one too many before */
        return over;
    }
    if (cpu->rcu_count >= RCU_START_AT) {
        start_current(cpu);
        return true;
    }
    if (cpu->rcu_timer.armed == 0)
        ktimer_arm(&cpu->rcu_timer, arch_time_now_ns() + RCU_DELAY_NS, timer_fired);
    return over;
}

void rcu_expedite(void)
{
    struct cpu *cpu = arch_cpu_local();
    cpu->rcu_count |= RCU_START_AT;
    cpu->rcu_due = true;
}

uint64_t rcu_period_next(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(&rcu_period, __ATOMIC_SEQ_CST) + 1;
}

bool rcu_is_over(uint64_t period)
{
    if (likely(__atomic_load_n(&completed, __ATOMIC_ACQUIRE) >= period))
        return true;
    rcu_lock_acquire(&lock);
    period_need(period);
    rcu_lock_release(&lock);
    arch_cpu_local()->rcu_due = true; /* this CPU notes it on its way out */
    return false;
}

uint64_t rcu_completed(void)
{
    return __atomic_load_n(&completed, __ATOMIC_ACQUIRE);
}

bool rcu_others_idle(void)
{
    const struct cpu *self = arch_cpu_local();
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < cpu_count; i++)
        if (cpus[i] != self && cpu_is_online(cpus[i]) &&
            !__atomic_load_n(&cpus[i]->idle, __ATOMIC_SEQ_CST))
            return false;
    return true;
}

void rcu_cpu_online(struct cpu *cpu)
{
    rcu_lock_acquire(&lock);
    cpu->quiescent = rcu_period; /* a running period has not counted it */
    __atomic_store_n(&cpu->online, true, __ATOMIC_RELEASE);
    blocks_catch_up(cpu);
    rcu_lock_release(&lock);
}
