/* The scheduler: 64 levels, one run queue per CPU, preemption, stealing by idle CPUs, from the nearest first. What level a thread has: policy.c.
 *
 * A thread is on at most one run queue (state READY, under that queue's lock), or is some CPU's current (RUNNING), or waits, or belongs to a
 * waker that is about to call thread_wake(). Every entry from user mode ends in sched_leave(). A wake-up on another CPU sends that CPU an
 * interrupt, and it chooses again. IPC hands the CPU over directly (sched_handoff) and passes no queue.
 * thread.cpu tells whom thread_set_attention() interrupts: it sets the bits and then reads thread.cpu; a CPU that takes a thread over
 * from another stores thread.cpu and then reads the bits, with full barriers between (the run queue's lock, or thread_moved()).
 * While anybody is queued on a CPU its turn timer is armed; a CPU that idles or has one thread alone takes no interrupt. The end of a turn is
 * where threads climb that were passed over, and where a thread goes over to a CPU where fewer wait, so equals get equal time on all CPUs.
 * FPU state: a thread that waits in the slow path or is preempted has its state saved, so it may be stolen or woken anywhere; a direct
 * handoff leaves it in the registers and the thread is then bound to this CPU until it is saved: when it is ready and another runs there. */
#include "sched.h"

#include "arch.h"
#include "arch_accessors.h"
#include "arch_cpu.h"
#include "inject.h"
#include "level.h"
#include "mm/aspace.h"
#include "mm/kernelmap.h"
#include "mm/phys.h"
#include "process.h"
#include "rcu.h"
#include "trace.h"

struct cpu *cpus[CPU_MAX];
uint32_t cpu_count;
/* CPUs whose turn timer is armed, so that who idles finds where others wait without looking at each: a bit changes once a turn at most. */
static uint64_t crowded[CPU_MAX / 64];

/* ── Queues ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* This CPU looks at its own queue's bitmap without the lock: who makes somebody ready here interrupts it afterwards. */
static void bitmap_store(struct runqueue *queue, uint64_t bitmap) REQUIRES(runqueue_lock)
{
    __atomic_store_n(&queue->bitmap, bitmap, __ATOMIC_RELAXED);
}

static void queue_insert(struct runqueue *queue, struct thread *thread, bool front)
    REQUIRES(runqueue_lock)
{
    uint32_t priority = thread_level(thread);
    __atomic_store_n(&thread->state, THREAD_READY, __ATOMIC_RELAXED);
    thread->queued_priority = (uint8_t)priority;
    __atomic_store_n(&thread->queued, queue, __ATOMIC_RELAXED);
    if (front)
        list_push_front(&queue->threads[priority], &thread->run_link);
    else
        list_push_back(&queue->threads[priority], &thread->run_link);
    bitmap_store(queue, queue->bitmap | 1ull << priority);
    add_owned(&queue->count, 1);
}

static void queue_remove(struct runqueue *queue, struct thread *thread) REQUIRES(runqueue_lock)
{
    uint32_t priority = thread->queued_priority;
    list_remove(&thread->run_link);
    __atomic_store_n(&thread->queued, NULL, __ATOMIC_RELAXED);
    if (list_is_empty(&queue->threads[priority]))
        bitmap_store(queue, queue->bitmap & ~(1ull << priority));
    add_owned(&queue->count, -1);
}

static void enqueue_on(struct cpu *cpu, struct thread *thread, bool front)
{
    runqueue_lock_acquire(&cpu->queue.lock);
    __atomic_store_n(&thread->cpu, cpu->id, __ATOMIC_RELAXED);
    queue_insert(&cpu->queue, thread, front);
    runqueue_lock_release(&cpu->queue.lock);
}

/* A CPU that handles an interrupt out of idling counts too. */
static bool is_idle(const struct cpu *cpu)
{
    return __atomic_load_n(&cpu->idle, __ATOMIC_RELAXED) ||
           (cpu == arch_cpu_local() && cpu->current == NULL);
}

/* How far CPUs are from each other: the bits in which the hardware's names for them differ, of which the highest counts. APIC ids (Intel SDM vol. 3, 10.9.1:
 * thread, core, package, from the lowest bits up) and MPIDR affinities (Arm ARM D19.2) say what CPUs share. Hart ids need not (RISC-V Privileged, 3.1.5). */
static inline uint32_t distance(const struct cpu *left, const struct cpu *right)
{
    return (left->arch_id ^ right->arch_id) | 1;
}

/* Where a woken thread goes: where it ran last unless that CPU is busy and another idles; of those the nearest to who wakes it. */
static struct cpu *choose_cpu(const struct thread *thread)
{
    struct cpu *last = cpus[__atomic_load_n(&thread->cpu, __ATOMIC_RELAXED)];
    struct cpu *choice = sched_may_run_on(thread, last) ? last : NULL;
    uint32_t nearest = UINT32_MAX;
    if (choice != NULL &&
        (is_idle(last) || __atomic_load_n(&thread->fpu_cpu, __ATOMIC_RELAXED) == last->id))
        return last;
    const struct cpu *here = arch_cpu_local();
    for (uint32_t i = 0; i < cpu_count && nearest > 1; i++) {
        struct cpu *cpu = cpus[i];
        if (!cpu_is_online(cpu) || !sched_may_run_on(thread, cpu))
            continue;
        if (is_idle(cpu) && distance(cpu, here) < nearest) {
            nearest = distance(cpu, here);
            choice = cpu;
        } else if (choice == NULL) {
            choice = cpu;
        }
    }
    return choice != NULL ? choice : last;
}

/* @thread is ready on @cpu, behind its equals: that CPU chooses again if it has to, or sees that somebody waits now. */
static inline void make_ready_on(struct cpu *cpu, struct thread *thread)
{
    struct cpu *here = arch_cpu_local();
    enqueue_on(cpu, thread, false);
    if (cpu != here)
        arch_ipi_send(cpu->id);
    else if (here->current == NULL || thread_level(here->current) <= thread_level(thread) ||
             here->turn.armed == 0)
        here->resched = true;
}

/* The same where time matters less. */
static COLD void make_ready_again(struct cpu *cpu, struct thread *thread)
{
    make_ready_on(cpu, thread);
}

void thread_wake(struct thread *thread)
{
    if (unlikely(__atomic_load_n(&thread->priority, __ATOMIC_RELAXED) !=
                 __atomic_load_n(&thread->base, __ATOMIC_RELAXED)))
        level_rise(thread);
    if (trace_is_on())
        trace_record(TRACE_WAKE, thread->id, 0, 0); /* before it may run */
    make_ready_on(choose_cpu(thread), thread);
}

void thread_wake_status(struct thread *thread, status_t status)
{
    if (!thread->wait_restarts)
        arch_syscall_status_set(thread, status);
    thread_wake(thread);
}

/* The thread of highest priority that may run on @cpu from the queue of @victim. */
static COLD struct thread *steal_from(struct cpu *victim, struct cpu *cpu)
{
    struct thread *found = NULL;
    if (__atomic_load_n(&victim->queue.count, __ATOMIC_RELAXED) == 0)
        return NULL;
    runqueue_lock_acquire(&victim->queue.lock);
    uint64_t bitmap = victim->queue.bitmap;
    while (bitmap != 0 && found == NULL) {
        uint32_t priority = 63 - (uint32_t)__builtin_clzll(bitmap);
        uint32_t looked = 0;
        list_for_each (node, &victim->queue.threads[priority]) {
            struct thread *thread = list_entry(node, struct thread, run_link);
            if (sched_may_run_on(thread, cpu)) {
                found = thread;
                break;
            }
            if (++looked == 8)
                break;
        }
        bitmap &= ~(1ull << priority);
    }
    if (found != NULL)
        queue_remove(&victim->queue, found);
    runqueue_lock_release(&victim->queue.lock);
    return found;
}

/* The crowded CPU with the least id that is not below @id; NULL: none. */
static COLD struct cpu *crowded_from(uint32_t id)
{
    for (; id < cpu_count; id = (id | 63) + 1) {
        uint64_t rest = __atomic_load_n(&crowded[id / 64], __ATOMIC_ACQUIRE) >> id % 64;
        if (rest != 0)
            return cpus[id + (uint32_t)__builtin_ctzll(rest)];
    }
    return NULL;
}

/* From those whose distance has @bit as its highest. */
static COLD struct thread *steal_at(struct cpu *cpu, uint32_t bit)
{
    struct cpu *victim = crowded_from(0);
    for (; victim != NULL; victim = crowded_from(victim->id + 1u)) {
        bool is_there = distance(victim, cpu) >> bit == 1;
        struct thread *thread = is_there ? steal_from(victim, cpu) : NULL;
        if (thread != NULL) {
            thread_moved(thread, cpu);
            return thread;
        }
    }
    return NULL;
}

/* From the nearest CPU first. */
static COLD struct thread *steal(struct cpu *cpu)
{
    struct thread *thread = NULL;
    struct cpu *victim = crowded_from(0);
    uint32_t bits = 0;
    for (; victim != NULL; victim = crowded_from(victim->id + 1u))
        bits |= 1u << (31 - __builtin_clz(distance(victim, cpu)));
    for (; bits != 0 && thread == NULL; bits &= bits - 1)
        thread = steal_at(cpu, (uint32_t)__builtin_ctz(bits));
    return thread;
}

/* How many threads are ready on @cpu, with who runs there. */
static uint32_t load_of(const struct cpu *cpu)
{
    return __atomic_load_n(&cpu->queue.count, __ATOMIC_RELAXED) + (is_idle(cpu) ? 0 : 1);
}

/* Where @thread, which others have gone before on @cpu, waits least: there, or where no more than @most are ready. That as many will do
 * makes the odd thread go round; else those of one CPU would for ever have less than others. */
static COLD struct cpu *lightest(const struct thread *thread, struct cpu *cpu, uint32_t most)
{
    struct cpu *choice = cpu;
    for (uint32_t i = 1; i < cpu_count; i++) {
        struct cpu *other = cpus[(cpu->id + i) % cpu_count];
        uint32_t load = load_of(other);
        if (load > most || !cpu_is_online(other) || !sched_may_run_on(thread, other))
            continue;
        choice = other;
        if (load == 0)
            break;
        most = load - 1;
    }
    return choice;
}

/* Each first of its level on the queue of @cpu that is passed over by the current thread has waited another while. Who has waited too long
 * climbs: one of them, taken off the queue, or NULL. */
static COLD struct thread *take_passed_over(struct cpu *cpu)
{
    struct runqueue *queue = &cpu->queue;
    struct thread *ripest = NULL;
    uint8_t most = TURN_PATIENCE;
    runqueue_lock_acquire(&queue->lock);
    uint64_t normal = (2ull << PRIORITY_NORMAL_MAX) - (2ull << PRIORITY_IDLE);
    uint64_t bitmap = queue->bitmap & normal & ((1ull << thread_level(cpu->current)) - 1);
    while (bitmap != 0) {
        uint32_t level = 63 - (uint32_t)__builtin_clzll(bitmap);
        struct thread *first =
            list_entry(list_first(&queue->threads[level]), struct thread, run_link);
        bitmap &= ~(1ull << level);
        uint8_t passed = turn_passed_over(&first->turn);
        if (passed > most) {
            ripest = first;
            most = passed;
        }
    }
    if (ripest != NULL) {
        queue_remove(queue, ripest);
        __atomic_store_n(&ripest->turn.passed, 0, __ATOMIC_RELAXED);
        uint8_t level = (uint8_t)MIN(ripest->queued_priority + 1u, PRIORITY_NORMAL_MAX);
        __atomic_store_n(&ripest->priority, level, __ATOMIC_RELAXED);
        __atomic_store_n(&ripest->effective, level, __ATOMIC_RELAXED);
    }
    runqueue_lock_release(&queue->lock);
    return ripest;
}

static COLD void turn_timer(struct ktimer *timer, uint64_t now_ns)
{
    (void)timer;
    (void)now_ns;
    struct cpu *cpu = arch_cpu_local();
    (void)__atomic_fetch_and(&crowded[cpu->id / 64], ~(1ull << cpu->id % 64), __ATOMIC_RELAXED);
    struct thread *climber = cpu->current == NULL ? NULL : take_passed_over(cpu);
    if (climber != NULL)
        make_ready_again(lightest(climber, cpu, load_of(cpu)), climber);
    cpu->resched = true;
}

static COLD void turn_limit(struct cpu *cpu, struct thread *thread)
{
    ktimer_arm(&cpu->turn, cpu->last_clock_ns + level_left_ns(thread), turn_timer);
    (void)__atomic_fetch_or(&crowded[cpu->id / 64], 1ull << cpu->id % 64, __ATOMIC_RELEASE);
}

/* @thread runs now; if others wait, its turn ends. */
static void turn_arm(struct cpu *cpu, struct thread *thread)
{
    if (__atomic_load_n(&cpu->queue.count, __ATOMIC_RELAXED) != 0 &&
        (cpu->turn.armed == 0 || unlikely(thread_level(thread) > PRIORITY_NORMAL_MAX)))
        turn_limit(cpu, thread);
}

/* The best thread of this CPU's queue, or NULL. */
static struct thread *dequeue_best(struct cpu *cpu)
{
    struct runqueue *queue = &cpu->queue;
    if (__atomic_load_n(&queue->count, __ATOMIC_RELAXED) == 0)
        return NULL;
    runqueue_lock_acquire(&queue->lock);
    struct thread *best = NULL;
    if (queue->bitmap != 0) {
        uint32_t priority = 63 - (uint32_t)__builtin_clzll(queue->bitmap);
        best = list_entry(list_first(&queue->threads[priority]), struct thread, run_link);
        queue_remove(queue, best);
    }
    runqueue_lock_release(&queue->lock);
    return best;
}

/* Take @thread off the queue that it is on, if any. Only that queue's lock makes thread->queued point to it and not any more, so what
 * is read under the lock is true. */
static COLD bool unqueue(struct thread *thread)
{
    struct runqueue *queue = __atomic_load_n(&thread->queued, __ATOMIC_RELAXED);
    if (queue == NULL)
        return false;
    runqueue_lock_acquire(&queue->lock);
    bool queued = __atomic_load_n(&thread->queued, __ATOMIC_RELAXED) == queue;
    if (queued)
        queue_remove(queue, thread);
    runqueue_lock_release(&queue->lock);
    return queued;
}

/* ── The current thread ──────────────────────────────────────────────────────────────────────────────────────────── */

bool sched_account(struct cpu *cpu)
{
    return sched_account_here(cpu);
}

/* @thread, which was current, goes over to another CPU, or at the end of its turn behind its equals. */
static COLD void requeue_elsewhere(struct cpu *cpu, struct thread *thread)
{
    uint32_t waiting = __atomic_load_n(&cpu->queue.count, __ATOMIC_RELAXED);
    struct cpu *to =
        sched_may_run_on(thread, cpu) ? lightest(thread, cpu, waiting) : choose_cpu(thread);
    make_ready_again(to, thread);
}

void sched_forget_current(void)
{
    arch_cpu_local()->current = NULL;
}

void sched_yield_current(void)
{
    struct cpu *cpu = arch_cpu_local();
    cpu->yielded = true;
    cpu->resched = true;
}

__attribute__((noinline)) bool sched_should_yield(void)
{
    struct cpu *cpu = arch_cpu_local();
    if (unlikely(cpu->traced))
        trace_point();
    return inject_here(cpu->current) || cpu->resched || arch_irq_pending();
}

void sched_let_interrupts_in(void)
{
    struct cpu *cpu = arch_cpu_local();
#ifdef CONFIG_DEBUG
    ASSERT(cpu->held_count == 0);
#endif
    if (cpu->lets_in)
        return;
    cpu->lets_in = true;
    arch_irq_window();
    cpu->lets_in = false;
}

/* Whose FPU state keeps it on @cpu goes where a CPU idles, if it is ready and another runs here. */
static COLD void owner_leave(struct cpu *cpu, struct thread *owner)
{
    if (owner == cpu->current || __atomic_load_n(&owner->queued, __ATOMIC_RELAXED) != &cpu->queue)
        return;
    sched_save_fpu(cpu, owner);
    struct cpu *to = choose_cpu(owner);
    if (to != cpu && unqueue(owner))
        make_ready_again(to, owner);
}

/* @thread runs on @cpu now. */
static void goes_on(struct cpu *cpu, struct thread *thread)
{
    turn_arm(cpu, thread);
    struct thread *owner = __atomic_load_n(&cpu->fpu_owner, __ATOMIC_RELAXED);
    if (unlikely(owner != NULL))
        owner_leave(cpu, owner);
}

/* The current thread gives way if something as good (its turn over) or better waits. */
static void preempt(struct cpu *cpu) NO_THREAD_SAFETY
{
    struct thread *thread = cpu->current;
    cpu->resched = false;
    if (thread == NULL)
        return;
    level_look_again(thread);
    bool over = sched_account(cpu), yielded = cpu->yielded, here = sched_may_run_on(thread, cpu);
    uint64_t bitmap = __atomic_load_n(&cpu->queue.bitmap, __ATOMIC_RELAXED) >> thread_level(thread);
    cpu->yielded = false;
    if (bitmap < (over || yielded ? 1 : 2) && likely(here)) {
        goes_on(cpu, thread);
        return;
    }
    sched_save_fpu(cpu, thread);
    cpu->current = NULL;
    if (unlikely(over || !here))
        requeue_elsewhere(cpu, thread);
    else
        enqueue_on(cpu, thread, !yielded);
}

/* As the fast path of message calls asks (ipc/fastpath.c); after a change of its affinity it is looked at once. */
static inline bool ran_here(struct thread *thread, const struct cpu *cpu)
{
    uint64_t handoff = __atomic_load_n(&thread->handoff, __ATOMIC_RELAXED);
    return likely(handoff == cpu->id) ||
           (sched_may_be_handed(thread, cpu) &&
            __atomic_load_n(&thread->handoff, __ATOMIC_RELAXED) == cpu->id);
}

/* As thread_wake() and the way out would decide, where that is plain:
 *   - @next ran here last and still may, its time is not limited, it has no deadline and no attention;
 *   - it is at its own level, of the normal band and above the current thread's, and nobody as good waits;
 *   - nothing has come up on this CPU (cpu->work), and the turn timer is armed, as it is to be while somebody waits.
 * Who changes any of this meanwhile interrupts this CPU afterwards. */
bool sched_give_way(struct thread *next) NO_THREAD_SAFETY
{
    struct cpu *cpu = arch_cpu_local();
    struct thread *self = cpu->current;
    uint8_t level = thread_level(next);
    uint64_t bitmap = __atomic_load_n(&cpu->queue.bitmap, __ATOMIC_RELAXED);
    if (unlikely(!ran_here(next, cpu)) ||
        unlikely(__atomic_load_n(&next->priority, __ATOMIC_RELAXED) !=
                 __atomic_load_n(&next->base, __ATOMIC_RELAXED)) ||
        level <= thread_level(self) || unlikely(level > PRIORITY_NORMAL_MAX) ||
        unlikely(bitmap >> level != 0) || unlikely(cpu->work != 0) ||
        unlikely(cpu->turn.armed == 0))
        return false;
    bool over = sched_account(cpu);
    sched_save_fpu(cpu, self);
    enqueue_on(cpu, self, !over);
    __atomic_store_n(&next->state, THREAD_RUNNING, __ATOMIC_RELAXED);
    cpu->current = next;
    return true;
}

static bool has_callbacks(const struct cpu *cpu)
{
    return cpu->rcu_next != NULL || cpu->rcu_current != NULL;
}

/* Nothing to run: quiescent, with no user page tables loaded, until an interrupt, or until some callbacks have run. */
static __attribute__((noinline)) void idle(struct cpu *cpu)
{
    if (cpu->aspace != NULL) {
        aspace_deactivate(cpu);
        arch_aspace_activate(kernelmap_root, 0);
    }
    if (trace_is_on())
        trace_leave(cpu, NULL);
    rcu_quiescent(rcu_period_now());
    if (has_callbacks(cpu) && rcu_poll())
        return;
    sched_idle_set(cpu, true);
    cpu->lets_in = true;
    if (__atomic_load_n(&cpu->queue.count, __ATOMIC_RELAXED) == 0)
        arch_cpu_idle();
    cpu->lets_in = false;
    sched_idle_set(cpu, false);
}

COLD bool sched_look_at_move(struct thread *thread)
{
    bool never = __atomic_load_n(&thread->limited, __ATOMIC_RELAXED) || thread_is_debugged(thread);
    (void)__atomic_exchange_n(&thread->moved, never, __ATOMIC_ACQUIRE);
    return never;
}

/* Whose affinity has changed since @cpu was chosen for it goes on to another. */
static COLD bool stays(struct cpu *cpu, struct thread *thread)
{
    (void)sched_look_at_move(thread);
    if (sched_may_run_on(thread, cpu))
        return true;
    make_ready_again(choose_cpu(thread), thread);
    return false;
}

static void choose(struct cpu *cpu)
{
    struct thread *thread;
    do {
        while ((thread = dequeue_best(cpu)) == NULL && (thread = steal(cpu)) == NULL) {
            idle(cpu);
            cpu->last_clock_ns = arch_time_now_ns();
        }
    } while (unlikely(__atomic_load_n(&thread->moved, __ATOMIC_RELAXED)) && !stays(cpu, thread));
    __atomic_store_n(&thread->state, THREAD_RUNNING, __ATOMIC_RELAXED);
    cpu->current = thread;
    cpu->resched = false;
    goes_on(cpu, thread);
    if (unlikely(thread_is_debugged(thread)))
        arch_debug_load(thread);
}

NORETURN void sched_leave(void)
{
    struct cpu *cpu = arch_cpu_local();
    for (;;) {
        if (unlikely(cpu->rcu_due))
            rcu_poll();
        cpu->changed = false;
        if (unlikely(cpu->resched))
            preempt(cpu);
        if (unlikely(cpu->current == NULL)) {
            choose(cpu);
            if (unlikely(cpu->rcu_due) && has_callbacks(cpu))
                continue; /* it came while this CPU idled; the thread may not be back for long */
        }
        struct thread *thread = cpu->current;
        if (unlikely(thread->continuation != NULL)) {
            kcov_pause(false);
            thread->continuation(thread);
            sched_let_interrupts_in(); /* it may go on for long, with nobody else to run */
            continue;
        }
        if (unlikely(__atomic_load_n(&thread->attention, __ATOMIC_RELAXED) != 0) &&
            thread_attend(thread))
            continue;
        uint64_t period = rcu_period_now(); /* before the flush: see rcu.c */
        frames_unmaps_see(cpu);             /* all that the period waits for */
        if (unlikely(!aspace_is_current(thread->aspace, cpu)))
            aspace_load(thread->aspace, cpu);
        if (unlikely(__atomic_load_n(&cpu->quiescent, __ATOMIC_RELAXED) != period)) {
            rcu_quiescent(period);
            continue; /* another period may have begun */
        }
        if (unlikely(!arch_fpu_is_settled(thread, cpu)))
            arch_fpu_switch(thread);
        if (unlikely(cpu->traced))
            trace_leave(cpu, thread);
        kcov_pause(false);
        arch_thread_resume(thread);
    }
}

COLD void sched_cpu_init(struct cpu *cpu) NO_THREAD_SAFETY
{
    for (uint32_t i = 0; i < PRIORITIES; i++)
        list_init(&cpu->queue.threads[i]);
    cpu->timers.armed_ns = DEADLINE_NEVER;
    cpu->last_clock_ns = arch_time_now_ns();
    rcu_cpu_online(cpu);
}

/* ── Parameters ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Who has chosen a CPU for the thread meanwhile, or taken it off a queue, stores thread.cpu, and who runs it then looks at what has been
 * changed here: choose(). */
COLD void sched_requeue_ready(struct thread *thread)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (unqueue(thread)) {
        make_ready_again(choose_cpu(thread), thread);
        return;
    }
    struct cpu *cpu = cpus[__atomic_load_n(&thread->cpu, __ATOMIC_RELAXED)];
    if (cpu == arch_cpu_local())
        cpu->resched = true;
    else
        arch_ipi_send(cpu->id);
}

COLD void sched_settle_syscall_limit(struct thread *thread)
{
    uint64_t limit;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    do {
        limit = thread_syscall_limit(thread);
        __atomic_store_n(&thread->syscall_limit, limit, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    } while (limit != thread_syscall_limit(thread));
}

COLD void sched_set_priority(struct thread *thread, uint8_t priority)
{
    __atomic_store_n(&thread->limited, false, __ATOMIC_RELAXED);
    sched_settle_syscall_limit(thread);
    __atomic_store_n(&thread->base, priority, __ATOMIC_RELAXED);
    level_update(thread);
    level_follow(thread);
}

COLD void sched_set_realtime(struct thread *thread, uint8_t priority, struct allowance allowance)
{
    level_limit(thread, &allowance);
    sched_settle_syscall_limit(thread);
    __atomic_store_n(&thread->moved, true, __ATOMIC_RELEASE);
    __atomic_store_n(&thread->base, priority, __ATOMIC_RELAXED);
    level_update(thread);
    level_follow(thread);
}

COLD void sched_set_affinity(struct thread *thread, uint32_t index, uint64_t mask)
{
    __atomic_store_n(&thread->affinity[index], mask, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->moved, true, __ATOMIC_RELEASE);
    sched_requeue_ready(thread);
}
