/* Waiting, cancelling, attention: how a thread stops waiting other than by what it waits for.
 *
 * wait_class says what the thread waits on; it is set and cleared under the lock of that thing. Whoever wants to end the wait reads it
 * without a lock and lets the class look again under the lock. A thread that is about to wait publishes wait_class and then looks at
 * its attention bits; whoever sets a bit then looks at wait_class: with full barriers between, one of the two sees the other.
 * Between a canceller's look and its lock the thread may be woken and wait on something else, of another kind and with its lock elsewhere.
 * So what it waits on is stored before the class, is read before the class is read again (wait_cancel_listed), and is taken only if both belong
 * to one wait. It lives then: it ends no wait of its own without its lock, and is freed a grace period later. */
#include "arch.h"
#include "arch_accessors.h"
#include "arch_cpu.h"
#include "process.h"
#include "sched.h"

/* The timer is out of its heap, so meanwhile the thread may have been woken and have armed it anew for another wait: then the sequence
 * is that wait's, and its deadline has not passed. The fence: caller_await_answer() publishes the wait and then looks whether the timer
 * is still armed. */
static COLD void deadline_passed(struct ktimer *timer, uint64_t now_ns)
{
    struct thread *thread = container_of(timer, struct thread, deadline);
    uint64_t sequence = __atomic_load_n(&thread->deadline_sequence, __ATOMIC_ACQUIRE);
    const struct wait_class *wait_class;
    if (__atomic_load_n(&timer->deadline_ns, __ATOMIC_RELAXED) > now_ns)
        return;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    while ((wait_class = __atomic_load_n(&thread->wait_class, __ATOMIC_SEQ_CST)) != NULL) {
        if (__atomic_load_n(&thread->wait_sequence, __ATOMIC_ACQUIRE) != sequence)
            return;
        if (wait_cancel(thread, wait_class, sequence)) {
            thread_wake_status(thread,
                               wait_class->deadline_is_success ? STATUS_OK : STATUS_TIMED_OUT);
            return;
        }
        if (wait_class == __atomic_load_n(&thread->wait_class, __ATOMIC_SEQ_CST))
            return;
    }
}

void thread_arm_deadline(struct thread *thread, uint64_t deadline_ns)
{
    __atomic_store_n(&thread->timed, true, __ATOMIC_RELAXED);
    ktimer_arm(&thread->deadline, deadline_ns, deadline_passed);
    __atomic_store_n(&thread->deadline_sequence, thread->wait_sequence, __ATOMIC_RELEASE);
}

/* The last that @self does before it can be found waiting. */
static void settle(struct thread *self)
{
    struct cpu *cpu = arch_cpu_local();
    sched_save_fpu(cpu, self);
    (void)sched_account(cpu);
    turn_rest(&self->turn, cpu->last_clock_ns);
}

COLD void thread_wait_uncancellable(struct thread *self, const struct wait_class *wait_class)
{
    settle(self);
    __atomic_store_n(&self->state, THREAD_WAITING, __ATOMIC_RELAXED);
    __atomic_store_n(&self->wait_class, wait_class, __ATOMIC_SEQ_CST);
}

bool thread_wait_begin_here(struct thread *self, const struct wait_class *wait_class, void *object,
                            uint64_t deadline_ns)
{
    __atomic_store_n(&self->wait_object, object, __ATOMIC_RELEASE);
    __atomic_store_n(&self->wait_sequence, self->wait_sequence + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&self->state, THREAD_WAITING, __ATOMIC_RELAXED);
    __atomic_store_n(&self->wait_class, wait_class, __ATOMIC_SEQ_CST);
    if (unlikely(__atomic_load_n(&self->attention, __ATOMIC_SEQ_CST) != 0)) {
        __atomic_store_n(&self->wait_class, NULL, __ATOMIC_RELEASE);
        __atomic_store_n(&self->state, THREAD_RUNNING, __ATOMIC_RELAXED);
        if (!thread_is_foreign(self)) /* else its personality is told */
            __atomic_fetch_and(&self->attention, ~(uint32_t)ATTENTION_INTERRUPT, __ATOMIC_RELAXED);
        return false;
    }
    if (unlikely(deadline_ns != DEADLINE_NEVER))
        thread_arm_deadline(self, deadline_ns);
    return true;
}

bool thread_wait_begin(struct thread *self, const struct wait_class *wait_class, void *object,
                       uint64_t deadline_ns)
{
    settle(self);
    return thread_wait_begin_here(self, wait_class, object, deadline_ns);
}

void thread_restart_on_wake(struct thread *self)
{
    self->wait_restarts = true;
    if (self->in_syscall)
        arch_syscall_restart(self);
}

bool thread_cancel_wait(struct thread *thread, status_t status)
{
    const struct wait_class *wait_class;
    while ((wait_class = __atomic_load_n(&thread->wait_class, __ATOMIC_SEQ_CST)) != NULL) {
        if (wait_cancel(thread, wait_class,
                        __atomic_load_n(&thread->wait_sequence, __ATOMIC_ACQUIRE))) {
            thread_wake_status(thread, status);
            return true;
        }
        if (wait_class == __atomic_load_n(&thread->wait_class, __ATOMIC_SEQ_CST))
            return false;
    }
    return false;
}

COLD void thread_set_attention(struct thread *thread, uint32_t bits)
{
    __atomic_fetch_or(&thread->attention, bits, __ATOMIC_SEQ_CST);
    if ((bits & (ATTENTION_KILL | ATTENTION_INTERRUPT)) != 0 &&
        thread_cancel_wait(thread, STATUS_INTERRUPTED) && !thread_is_foreign(thread)) {
        __atomic_fetch_and(&thread->attention, ~(uint32_t)ATTENTION_INTERRUPT, __ATOMIC_RELAXED);
        return;
    }
    struct cpu *cpu = cpus[__atomic_load_n(&thread->cpu, __ATOMIC_RELAXED)];
    if (cpu != arch_cpu_local())
        arch_ipi_send(cpu->id);
    else
        cpu->changed = true;
}

/* Grace periods end by themselves, soon. */

static COLD bool grace_cancel(struct thread *thread, uint64_t sequence)
{
    (void)thread;
    (void)sequence;
    return false;
}

static const struct wait_class grace_wait = {.name = "grace period", .cancel = grace_cancel};

static COLD void grace_over(struct rcu_head *head)
{
    struct thread *thread = container_of(head, struct thread, rcu_wait);
    thread_wait_end(thread);
    thread_wake(thread);
}

COLD void thread_wait_grace(struct thread *self)
{
    thread_wait_uncancellable(self, &grace_wait);
    sched_forget_current();
    rcu_call(&self->rcu_wait, grace_over);
    rcu_expedite();
}

/* Suspended threads wait for nothing but the bit to go. */

static bool suspended_cancel(struct thread *thread, uint64_t sequence);

static const struct wait_class suspended_wait = {.name = "suspended", .cancel = suspended_cancel};

/* Taken off by whoever changes wait_class from suspended to NULL. */
static COLD bool suspended_cancel(struct thread *thread, uint64_t sequence)
{
    const struct wait_class *expected = &suspended_wait;
    (void)sequence;
    return __atomic_compare_exchange_n(&thread->wait_class, &expected, NULL, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

bool thread_is_suspended(const struct thread *thread)
{
    return __atomic_load_n(&thread->wait_class, __ATOMIC_SEQ_CST) == &suspended_wait;
}

bool thread_has_frame(const struct thread *thread)
{
    return thread_is_suspended(thread) || raise_is_accepted(thread);
}

void thread_unsuspend(struct thread *thread)
{
    __atomic_fetch_and(&thread->attention, ~(uint32_t)ATTENTION_SUSPEND, __ATOMIC_SEQ_CST);
    if (thread_is_suspended(thread) && suspended_cancel(thread, 0))
        thread_wake(thread);
}

/* Returns true if the caller must choose another thread. */
COLD bool thread_attend(struct thread *thread)
{
    uint32_t attention = __atomic_load_n(&thread->attention, __ATOMIC_SEQ_CST);
    if ((attention & ATTENTION_KILL) != 0) {
        thread->continuation = thread_die;
        return true;
    }
    if ((attention & ATTENTION_SUSPEND) == 0) {
        if (!thread_is_foreign(thread))
            return false; /* an interruption waits for the next wait */
        foreign_interrupted(thread);
        return true;
    }
    thread->wait_restarts = true; /* woken, it goes on with the registers it has */
    thread_wait_uncancellable(thread, &suspended_wait);
    sched_forget_current();
    attention = __atomic_load_n(&thread->attention, __ATOMIC_SEQ_CST);
    if (((attention & ATTENTION_SUSPEND) == 0 || (attention & ATTENTION_KILL) != 0) &&
        suspended_cancel(thread, 0))
        thread_wake(thread);
    return true;
}
