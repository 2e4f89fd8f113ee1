/* The scheduler: 64 fixed priorities, one run queue per CPU, preemption, stealing by idle CPUs.
 *
 * A thread is on at most one run queue (state READY, under that queue's lock), or is some CPU's current (RUNNING), or waits, or belongs to a
 * waker that is about to call thread_wake(). Every entry from user mode ends in sched_leave(). A wake-up on another CPU sends that CPU an
 * interrupt, and it chooses again. IPC hands the CPU over directly (sched_handoff) and passes no queue.
 * thread.cpu tells whom thread_set_attention() interrupts: it sets the bits and then reads thread.cpu; a CPU that takes a thread over
 * from another stores thread.cpu and then reads the bits, with full barriers between (the run queue's lock, or thread_moved()).
 * FPU state: a thread that waits in the slow path or is preempted has its state saved, so it may be stolen or woken anywhere; a direct
 * handoff leaves it in the registers and the thread is then bound to this CPU until it is saved. */
#include "sched.h"

#include "arch.h"
#include "arch_accessors.h"
#include "arch_cpu.h"
#include "inject.h"
#include "mm/aspace.h"
#include "mm/kernelmap.h"
#include "process.h"
#include "rcu.h"

struct cpu *cpus[CPU_MAX];
uint32_t cpu_count;

/* ── Queues ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* This CPU looks at its own queue's bitmap without the lock: who makes somebody ready here interrupts it afterwards. */
static void bitmap_store(struct runqueue *queue, uint64_t bitmap) REQUIRES(runqueue_lock)
{
    __atomic_store_n(&queue->bitmap, bitmap, __ATOMIC_RELAXED);
}

static void queue_insert(struct runqueue *queue, struct thread *thread, bool front)
    REQUIRES(runqueue_lock)
{
    uint32_t priority = __atomic_load_n(&thread->effective, __ATOMIC_RELAXED);
    thread->state = THREAD_READY;
    thread->queued_priority = (uint8_t)priority;
    __atomic_store_n(&thread->queued, queue, __ATOMIC_RELAXED);
    if (front)
        list_push_front(&queue->threads[priority], &thread->run_link);
    else
        list_push_back(&queue->threads[priority], &thread->run_link);
    bitmap_store(queue, queue->bitmap | 1ull << priority);
    queue->count++;
}

static void queue_remove(struct runqueue *queue, struct thread *thread) REQUIRES(runqueue_lock)
{
    uint32_t priority = thread->queued_priority;
    list_remove(&thread->run_link);
    __atomic_store_n(&thread->queued, NULL, __ATOMIC_RELAXED);
    if (list_is_empty(&queue->threads[priority]))
        bitmap_store(queue, queue->bitmap & ~(1ull << priority));
    queue->count--;
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

/* Where a woken thread goes: where it ran last unless that CPU is busy and another idles. */
static struct cpu *choose_cpu(const struct thread *thread)
{
    struct cpu *last = cpus[__atomic_load_n(&thread->cpu, __ATOMIC_RELAXED)];
    if (sched_may_run_on(thread, last) && (is_idle(last) || thread->fpu_cpu == last->id))
        return last;
    struct cpu *choice = sched_may_run_on(thread, last) ? last : NULL;
    for (uint32_t i = 0; i < cpu_count; i++) {
        struct cpu *cpu = cpus[i];
        if (!cpu_is_online(cpu) || !sched_may_run_on(thread, cpu))
            continue;
        if (is_idle(cpu))
            return cpu;
        if (choice == NULL)
            choice = cpu;
    }
    return choice != NULL ? choice : last;
}

void thread_wake(struct thread *thread)
{
    struct cpu *here = arch_cpu_local();
    struct cpu *cpu = choose_cpu(thread);
    enqueue_on(cpu, thread, false);
    if (cpu != here) {
        arch_ipi_send(cpu->id);
    } else if (here->current == NULL || here->current->effective <= thread->effective) {
        here->resched = true;
    }
}

void thread_wake_status(struct thread *thread, status_t status)
{
    arch_syscall_status_set(thread, status);
    thread_wake(thread);
}

/* The thread of highest priority that may run on @cpu from the queue of @victim. */
static struct thread *steal_from(struct cpu *victim, struct cpu *cpu)
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

static struct thread *steal(struct cpu *cpu)
{
    for (uint32_t i = 1; i < cpu_count; i++) {
        struct cpu *victim = cpus[(cpu->id + i) % cpu_count];
        struct thread *thread = cpu_is_online(victim) ? steal_from(victim, cpu) : NULL;
        if (thread != NULL) {
            thread_moved(thread, cpu);
            return thread;
        }
    }
    return NULL;
}

static void slice_ended(struct ktimer *timer, uint64_t now_ns)
{
    (void)timer;
    (void)now_ns;
    struct cpu *cpu = arch_cpu_local();
    cpu->slice_over = true;
    cpu->resched = true;
}

/* The best thread of this CPU's queue, or NULL. Arms the slice timer if others wait at its priority. */
static struct thread *dequeue_best(struct cpu *cpu)
{
    struct runqueue *queue = &cpu->queue;
    if (__atomic_load_n(&queue->count, __ATOMIC_RELAXED) == 0)
        return NULL;
    runqueue_lock_acquire(&queue->lock);
    struct thread *best = NULL;
    bool more = false;
    if (queue->bitmap != 0) {
        uint32_t priority = 63 - (uint32_t)__builtin_clzll(queue->bitmap);
        best = list_entry(list_first(&queue->threads[priority]), struct thread, run_link);
        queue_remove(queue, best);
        more = !list_is_empty(&queue->threads[priority]);
    }
    runqueue_lock_release(&queue->lock);
    if (more && cpu->slice.armed == 0)
        ktimer_arm(&cpu->slice, arch_time_now_ns() + SLICE_NS, slice_ended);
    return best;
}

/* ── The current thread ──────────────────────────────────────────────────────────────────────────────────────────── */

void sched_account(struct cpu *cpu)
{
    uint64_t now_ns = arch_time_now_ns();
    struct thread *thread = cpu->current;
    if (thread != NULL) {
        struct thread *caller = __atomic_load_n(&thread->current_reply, __ATOMIC_RELAXED);
        thread->cpu_time_ns += now_ns - cpu->last_clock_ns;
        if (caller != NULL)
            caller->served_ns += now_ns - cpu->last_clock_ns;
    }
    cpu->last_clock_ns = now_ns;
}

void sched_requeue_current(bool front)
{
    struct cpu *cpu = arch_cpu_local();
    struct thread *thread = cpu->current;
    sched_account(cpu);
    sched_save_fpu(cpu, thread);
    cpu->current = NULL;
    bool here = sched_may_run_on(thread, cpu);
    struct cpu *to = here ? cpu : choose_cpu(thread);
    enqueue_on(to, thread, front && here);
    if (!here)
        arch_ipi_send(to->id);
}

void sched_forget_current(void)
{
    arch_cpu_local()->current = NULL;
}

void sched_yield_current(void)
{
    struct cpu *cpu = arch_cpu_local();
    cpu->slice_over = true;
    cpu->resched = true;
}

bool sched_should_yield(void)
{
    struct cpu *cpu = arch_cpu_local();
    return inject_here(cpu->current) || cpu->resched || arch_irq_pending();
}

/* The current thread gives way if something as good (its slice over) or better waits. */
static void preempt(struct cpu *cpu) NO_THREAD_SAFETY
{
    struct thread *thread = cpu->current;
    bool slice_over = cpu->slice_over;
    cpu->resched = false;
    cpu->slice_over = false;
    if (thread == NULL)
        return;
    uint64_t bitmap = __atomic_load_n(&cpu->queue.bitmap, __ATOMIC_RELAXED) >> thread->effective;
    if (bitmap > 1 || (bitmap == 1 && slice_over) || !sched_may_run_on(thread, cpu))
        sched_requeue_current(!slice_over);
    else if (bitmap == 1 && cpu->slice.armed == 0)
        ktimer_arm(&cpu->slice, arch_time_now_ns() + SLICE_NS, slice_ended);
}

/* Nothing to run: quiescent, with no user page tables loaded, until an interrupt. */
static void idle(struct cpu *cpu)
{
    if (cpu->aspace != NULL) {
        aspace_deactivate(cpu);
        arch_aspace_activate(kernelmap_root, 0);
    }
    do {
        rcu_quiescent(rcu_period_now());
    } while ((cpu->rcu_next != NULL || cpu->rcu_current != NULL) && rcu_poll());
    sched_idle_set(cpu, true);
    if (__atomic_load_n(&cpu->queue.count, __ATOMIC_RELAXED) == 0)
        arch_cpu_idle();
    sched_idle_set(cpu, false);
}

static void choose(struct cpu *cpu)
{
    struct thread *thread;
    while ((thread = dequeue_best(cpu)) == NULL && (thread = steal(cpu)) == NULL)
        idle(cpu);
    cpu->last_clock_ns = arch_time_now_ns();
    thread->state = THREAD_RUNNING;
    cpu->current = thread;
    cpu->resched = false;
}

NORETURN void sched_leave(void)
{
    struct cpu *cpu = arch_cpu_local();
    for (;;) {
        cpu->changed = false;
        if (unlikely(cpu->resched))
            preempt(cpu);
        if (unlikely(cpu->current == NULL))
            choose(cpu);
        struct thread *thread = cpu->current;
        if (unlikely(thread->continuation != NULL)) {
            thread->continuation(thread);
            arch_irq_window(); /* it may go on for long, with nobody else to run */
            continue;
        }
        if (unlikely(__atomic_load_n(&thread->attention, __ATOMIC_RELAXED) != 0) &&
            thread_attend(thread))
            continue;
        if (unlikely(cpu->rcu_due))
            rcu_poll();
        uint64_t period = rcu_period_now(); /* before the flush: see rcu.c */
        if (unlikely(!aspace_is_current(thread->aspace, cpu)))
            aspace_load(thread->aspace, cpu);
        if (unlikely(cpu->quiescent != period)) {
            rcu_quiescent(period);
            continue; /* another period may have begun */
        }
        if (unlikely(!arch_fpu_is_settled(thread, cpu)))
            arch_fpu_switch(thread);
        arch_thread_resume(thread);
    }
}

void sched_cpu_init(struct cpu *cpu) NO_THREAD_SAFETY
{
    for (uint32_t i = 0; i < PRIORITIES; i++)
        list_init(&cpu->queue.threads[i]);
    cpu->timers.armed_ns = DEADLINE_NEVER;
    cpu->last_clock_ns = arch_time_now_ns();
    rcu_cpu_online(cpu);
}

/* ── Parameters ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Take @thread off the queue that it is on, if any. Only that queue's lock makes thread->queued point to it and not any more, so what
 * is read under the lock is true. */
static bool unqueue(struct thread *thread)
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

/* Change the queue position of a thread that may be queued. */
static void requeue_ready(struct thread *thread)
{
    struct cpu *cpu = cpus[__atomic_load_n(&thread->cpu, __ATOMIC_RELAXED)];
    if (unqueue(thread))
        thread_wake(thread);
    else if (cpu == arch_cpu_local())
        cpu->resched = true;
    else
        arch_ipi_send(cpu->id);
}

void sched_set_priority(struct thread *thread, uint8_t priority)
{
    __atomic_store_n(&thread->priority, priority, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->effective, priority, __ATOMIC_RELAXED);
    requeue_ready(thread);
}

void sched_set_affinity(struct thread *thread, uint32_t index, uint64_t mask)
{
    __atomic_store_n(&thread->affinity[index], mask, __ATOMIC_RELAXED);
    __atomic_store_n(&thread->moved, true, __ATOMIC_RELEASE);
    requeue_ready(thread);
}
