/* The fast path of the two message calls that servers live on.
 *
 * A call that finds a worker waiting here, and an answer whose caller waits here, need no queue, no choice and no timer: the pair is linked or
 * unlinked, and the CPU goes over to the other thread. The words stay in the registers in which they came: entry code does not save them,
 * C preserves five and hands on the last, since all functions here are of one type and end in tail calls (IPC_FAST in arch.h).
 * The fast path first looks whether all of this holds, and has changed nothing if not; then the words are saved, and the general path
 * (endpoint.c) does the call from the start, with the same outcome (tests/guest/kernel/test_fastpath.c; in brackets: a test that fails without):
 *   - who calls is not foreign, its calls are not traced (test_trace_tells_of_system_calls), and its time is not limited
 *     (test_real_time_budgets_hold_through_calls): entry code leads those elsewhere, by thread.syscall_limit;
 *   - the message is its label and six words: no bytes, capabilities, grants or NOWAIT; there is no deadline (test_fastpath_deadlines,
 *     test_fastpath_foreign_deadline);
 *   - the capability is there, of the type and with the right, and not of an older epoch; what is waited through is not dead
 *     (test_fastpath_endpoint_is_revoked, test_fastpath_queue_is_revoked; a call that is accepted needs no look at that: it was made before the
 *     revocation returned, see 3.3 of the architecture);
 *   - nobody holds the lock of this CPU's lane, nor the caller's reply_lock;
 *   - call: a worker waits in that lane. Answer: there is a caller, it waits for us still, for an answer of that kind
 *     (test_fastpath_exception_gets_a_plain_answer, test_fastpath_exception_gets_a_value), and no call, notice or event is there to be received first;
 *   - the other thread is of another address space, ran on this CPU last, its affinity is as it was then, it has no deadline and no
 *     attention; it is not debugged (test_debug_across_message_calls), nor is its time limited: then thread.moved stays set. Once it runs nobody
 *     better is ready (test_fastpath_better_thread_goes_first). A worker runs at its caller's priority at least, so a call need not look;
 *   - nothing has come up on this CPU (cpu->work).
 * The system call of a foreign thread, and the value that answers it, go the same way if their table and the answer say no more than the six
 * words and that value; such a thread has registers of its own, so both sides' are saved and loaded whole, and the address space may be the same.
 * What can come in between is seen afterwards: who sets attention bits of the thread that waits now does so before our fence, and we end
 * its wait as the general path would, or after it, and then finds the wait. The same fence stands between announcing the other address space
 * and reading its generation (mm/aspace.h). A round trip has three atomic operations and two fences. */
#include "arch.h"
#include "arch_accessors.h"
#include "arch_cpu.h"
#include "handlers.h"
#include "reply.h"
#include "sched.h"

#include <veridian/syscall_numbers.h>

/* What is held while the pair is changed. */
struct fast_locks {
    struct lane *lane;
    struct thread *caller; /* its reply_lock; or NULL */
};

/* For who asks what the thread waits in, and for who ends the wait. */
static inline void enter(struct thread *self)
{
    self->in_syscall = true;
    self->wait_restarts = false;
}

/* May the CPU go over to @next, of @aspace? What is looked at may change meanwhile: who changes it interrupts this CPU afterwards. */
static inline bool is_ready_here(const struct thread *next, const struct aspace *aspace,
                                 const struct cpu *cpu)
{
    return __atomic_load_n(&next->handoff, __ATOMIC_RELAXED) == cpu->id && aspace != cpu->aspace;
}

/* The same in whatever address space. */
static inline bool is_here(const struct thread *next, const struct cpu *cpu)
{
    return __atomic_load_n(&next->handoff, __ATOMIC_RELAXED) == cpu->id;
}

/* Is somebody ready who goes before @next? */
static inline bool has_better(const struct cpu *cpu, const struct thread *next) NO_THREAD_SAFETY
{
    uint64_t bitmap = __atomic_load_n(&cpu->queue.bitmap, __ATOMIC_RELAXED);
    return bitmap >> thread_level(next) > 1;
}

/* Under the lane's lock, by which an event looks for a worker after it came. */
static inline bool queue_is_quiet(const struct cap *cap, const struct endpoint *endpoint)
{
    const struct queue *queue = queue_of(cap->object);
    return __atomic_load_n(&queue->endpoint, __ATOMIC_ACQUIRE) == endpoint && !cap_is_dead(cap) &&
           !queue_has_events(queue);
}

/* The thread around its list node, to be addressed from its beginning: offsets from the middle are out of some machines' reach. */
static inline struct thread *waiting_thread(struct list *node)
{
    struct thread *thread = list_entry(node, struct thread, wait_link);
    __asm__("" : "+r"(thread));
    return thread;
}

#if __has_attribute(musttail)
#define GO_ON(...) __attribute__((musttail)) return __VA_ARGS__
#else
#define GO_ON(...) return __VA_ARGS__ /* the second compiler, whose code nobody runs */
#endif

/* The call of @self by the general path, from its start. */
#define GO_SLOWLY(self, number, last) \
    GO_ON(arch_ipc_save((uintptr_t)(self), number, (uintptr_t)ipc_slowly, self, last, 0))

/* @self, the former current thread, waits in @wait_class from now on, after all that it wrote (see wait_cancel_listed() for the order), and anybody
 * may take it. @locks are given back. */
static inline void publish(struct thread *self, uint64_t sequence,
                           const struct wait_class *wait_class, struct fast_locks locks)
    NO_THREAD_SAFETY
{
    __atomic_store_n(&self->wait_sequence, sequence, __ATOMIC_RELAXED);
    __atomic_store_n(&self->wait_class, wait_class, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    endpoint_lock_release_fenced(&locks.lane->lock);
    if (locks.caller != NULL)
        reply_lock_release_fenced(&locks.caller->reply);
}

/* The CPU goes over from @self, which waits with @sequence, to @next, ours, of @aspace: what to load for the other address space, or 0 if there is
 * more to be done. */
static inline uint64_t switch_to(struct cpu *cpu, struct thread *next, struct aspace *aspace,
                                 struct thread *self, uint64_t sequence,
                                 const struct wait_class *wait_class, struct fast_locks locks)
{
    cpu->current = next;
    __atomic_store_n(&cpu->aspace_generation, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&cpu->aspace, aspace, __ATOMIC_RELAXED);
    publish(self, sequence, wait_class, locks);
    if (unlikely(__atomic_load_n(&self->attention, __ATOMIC_RELAXED) != 0))
        return 0;
    uint64_t generation = __atomic_load_n(&aspace->generation, __ATOMIC_RELAXED);
    __atomic_store_n(&cpu->aspace_generation, generation, __ATOMIC_RELAXED);
    if (unlikely(!arch_fpu_is_settled(next, cpu)))
        return 0;
    return arch_root_find(cpu, aspace->root, aspace->root_slot, generation);
}

/* What else there is to be done: @former, which waits with @sequence, has got attention meanwhile, or the address space or the FPU of
 * @next is not at hand. */
static __attribute__((noinline)) status_t switch_slowly(IPC_FAST(badge, info, former, next, last,
                                                                 sequence))
{
    struct cpu *cpu = arch_cpu_local();
    struct thread *self = (struct thread *)(uintptr_t)former;
    if (__atomic_load_n(&self->attention, __ATOMIC_RELAXED) != 0) {
        arch_ipc_set(next, STATUS_OK, badge, info);
        GO_ON(arch_ipc_save(former, sequence, (uintptr_t)ipc_interrupted, next, last, 0));
    }
    aspace_load(next->aspace, cpu);
    if (!arch_fpu_is_settled(next, cpu))
        arch_fpu_switch(next);
    GO_ON(arch_ipc_resume(badge, info, 0, next, last, 0));
}

/* ── Foreign threads ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* @next runs, @self waits in @wait_class, each with all its registers in its context. */
static NORETURN inline __attribute__((always_inline)) void switch_whole(
    struct cpu *cpu, struct thread *next, struct thread *self, const struct wait_class *wait_class,
    struct fast_locks locks)
{
    uint64_t sequence = self->wait_sequence + 1;
    cpu->current = next;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    publish(self, sequence, wait_class, locks);
    if (unlikely(__atomic_load_n(&self->attention, __ATOMIC_RELAXED) != 0))
        ipc_interrupted(self, sequence);
    sched_leave_quickly();
    sched_leave();
}

void fast_foreign_call(struct thread *self, const struct raise_target *target, uint64_t info)
    NO_THREAD_SAFETY
{
    struct cpu *cpu = arch_cpu_local();
    struct endpoint *endpoint = target->endpoint;
    struct lane *lane = endpoint_lane(endpoint, cpu);
    if (unlikely(cpu->work != 0) || unlikely(lane == NULL) ||
        unlikely(!endpoint_lock_try(&lane->lock)))
        return;
    struct list *node = lane->workers.next;
    struct thread *worker = waiting_thread(node);
    if (unlikely(node == &lane->workers) || unlikely(!is_here(worker, cpu)) ||
        unlikely(lane->epoch != target->epoch)) { /* as it is once the endpoint is dead */
        endpoint_lock_release(&lane->lock);
        return;
    }
    __atomic_store_n(&lane->workers.next, node->next, __ATOMIC_RELAXED);
    node->next->prev = &lane->workers;
    __atomic_store_n(&worker->wait_class, NULL, __ATOMIC_RELAXED);

    self->raised = info;
    self->raised_to = endpoint;
    self->wait_restarts = true;
    for (unsigned i = 0; i < IPC_WORDS; i++)
        arch_ipc_word_set(worker, i, arch_syscall_arg(self, i));
    arch_ipc_set(worker, STATUS_OK, target->cookie, info);
    reply_link(self, worker);
    switch_whole(cpu, worker, self, &raised_wait, (struct fast_locks){lane, NULL});
}

status_t fast_call(IPC_FAST(handle, info, deadline_ns, self, last, queue)) NO_THREAD_SAFETY
{
    (void)queue;
    struct cpu *cpu = arch_cpu_local();
    status_t status;
    enter(self);
    struct cap *cap = cap_find(self->process, handle, OBJECT_ENDPOINT, RIGHT_CALL, &status);
    if (unlikely(cap == NULL) || unlikely((info & INFO_EXTRA_MASK) != 0) ||
        unlikely(deadline_ns != DEADLINE_NEVER) || unlikely(cpu->work != 0))
        GO_SLOWLY(self, SYS_ENDPOINT_CALL, last);
    struct lane *lane = endpoint_lane(endpoint_of(cap->object), cpu);
    if (unlikely(lane == NULL) || unlikely(!endpoint_lock_try(&lane->lock)))
        GO_SLOWLY(self, SYS_ENDPOINT_CALL, last);
    struct list *node = lane->workers.next;
    struct thread *worker = waiting_thread(node);
    struct aspace *aspace = worker->aspace;
    uint64_t badge = cap->badge;
    if (unlikely(node == &lane->workers) || unlikely(!is_ready_here(worker, aspace, cpu)) ||
        unlikely(badge_is_stale(badge, cap->epoch, lane))) {
        endpoint_lock_release(&lane->lock);
        GO_SLOWLY(self, SYS_ENDPOINT_CALL, last);
    }
    __atomic_store_n(&lane->workers.next, node->next,
                     __ATOMIC_RELAXED); /* its own links are written when it waits again */
    node->next->prev = &lane->workers;
    __atomic_store_n(&worker->wait_class, NULL, __ATOMIC_RELAXED);

    reply_link(self, worker);
    uint64_t sequence = self->wait_sequence + 1;
    uint64_t root = switch_to(cpu, worker, aspace, self, sequence, &answer_wait,
                              (struct fast_locks){lane, NULL});
    if (unlikely(root == 0))
        GO_ON(switch_slowly(badge, info, (uintptr_t)self, worker, last, sequence));
    GO_ON(arch_ipc_switch(badge, info, root, worker, last, 0));
}

/* Has a worker that waits in @lane through @cap and @queue_cap (NULL: none) nothing to receive before? Under the lane's lock. */
static inline bool is_quiet(const struct cap *cap, const struct cap *queue_cap,
                            const struct lane *lane) NO_THREAD_SAFETY
{
    return likely(!__atomic_load_n(&cap->dead, __ATOMIC_RELAXED)) &&
           likely(!__atomic_load_n(&lane->pending, __ATOMIC_RELAXED)) &&
           (queue_cap == NULL || likely(queue_is_quiet(queue_cap, endpoint_of(cap->object))));
}

/* @self, which has answered, is the first of the lane's workers; nobody takes it before it is published. */
static inline __attribute__((always_inline)) void receive(struct thread *self,
                                                          const struct cap *cap,
                                                          const struct cap *queue_cap,
                                                          struct lane *lane) NO_THREAD_SAFETY
{
    __atomic_store_n(&self->current_reply, NULL, __ATOMIC_RELAXED);
    thread_level_own(self);
    self->call_cap_id = cap->id;
    self->wait_queue = NULL;
    if (queue_cap != NULL) {
        self->wait_queue = queue_of(queue_cap->object);
        self->wait_data = queue_cap->id;
    }
    struct list *first = lane->workers.next;
    self->wait_link.next = first;
    self->wait_link.prev = &lane->workers;
    first->prev = &self->wait_link;
    __atomic_store_n(&lane->workers.next, &self->wait_link, __ATOMIC_RELAXED);
    __atomic_store_n(&self->wait_object, lane, __ATOMIC_RELAXED);
}

/* What came with more than words: is it no more than a value for the foreign thread whose call @self serves? */
static NORETURN void answer_foreign(struct thread *self, uint64_t number) NO_THREAD_SAFETY
{
    struct cpu *cpu = arch_cpu_local();
    status_t status;
    const uint64_t value = INFO_KIND(IPC_KIND_FOREIGN) | ANSWER_VALUE;
    handle_t queue_handle = arch_ipc_queue(self);
    struct thread *caller = __atomic_load_n(&self->current_reply, __ATOMIC_RELAXED);
    struct cap *cap =
        cap_find(self->process, arch_ipc_handle(self), OBJECT_ENDPOINT, RIGHT_RECEIVE, &status);
    struct cap *queue_cap = NULL;
    if (queue_handle != 0) {
        queue_cap = cap_find(self->process, queue_handle, OBJECT_QUEUE, RIGHT_RECEIVE, &status);
        if (unlikely(queue_cap == NULL))
            ipc_slowly(self, number);
    }
    if (unlikely(cap == NULL) || unlikely(caller == NULL) || arch_ipc_info(self) != value ||
        unlikely(arch_ipc_deadline(self) != DEADLINE_NEVER) || unlikely(cpu->work != 0))
        ipc_slowly(self, number);
    struct lane *lane = endpoint_lane(endpoint_of(cap->object), cpu);
    if (unlikely(lane == NULL) || unlikely(!reply_lock_try(&caller->reply)))
        ipc_slowly(self, number);
    if (unlikely(!endpoint_lock_try(&lane->lock))) {
        reply_lock_release(&caller->reply);
        ipc_slowly(self, number);
    }
    if (unlikely(reply_worker(caller) != self) ||
        unlikely(__atomic_load_n(&caller->wait_class, __ATOMIC_RELAXED) != &raised_wait) ||
        unlikely(info_kind(caller->raised) != IPC_KIND_FOREIGN) ||
        unlikely(!is_here(caller, cpu)) || unlikely(has_better(cpu, caller)) ||
        unlikely(!is_quiet(cap, queue_cap, lane))) {
        endpoint_lock_release(&lane->lock);
        reply_lock_release(&caller->reply);
        ipc_slowly(self, number);
    }
    cpu->resched |= sched_account_here(cpu); /* while it is known for whom we worked */
    arch_foreign_result_set(caller, arch_ipc_word(self, 0));
    arch_syscall_skip(caller);
    caller->reply_worker = NULL;
    __atomic_store_n(&caller->wait_class, NULL, __ATOMIC_RELAXED);
    receive(self, cap, queue_cap, lane);
    switch_whole(cpu, caller, self, &receive_wait, (struct fast_locks){lane, caller});
}

status_t fast_reply_receive(IPC_FAST(handle, info, deadline_ns, self, last, queue_handle))
    NO_THREAD_SAFETY
{
    struct cpu *cpu = arch_cpu_local();
    status_t status;
    enter(self);
    if (unlikely((info & INFO_EXTRA_MASK) != 0))
        GO_ON(arch_ipc_save((uintptr_t)self, SYS_ENDPOINT_REPLY_RECEIVE, (uintptr_t)answer_foreign,
                            self, last, 0));
    struct cap *cap = cap_find(self->process, handle, OBJECT_ENDPOINT, RIGHT_RECEIVE, &status);
    struct thread *caller = __atomic_load_n(&self->current_reply, __ATOMIC_RELAXED);
    if (unlikely(cap == NULL) || unlikely(caller == NULL) ||
        unlikely(deadline_ns != DEADLINE_NEVER) || unlikely(cpu->work != 0))
        GO_SLOWLY(self, SYS_ENDPOINT_REPLY_RECEIVE, last);
    struct lane *lane = endpoint_lane(endpoint_of(cap->object), cpu);
    if (unlikely(lane == NULL))
        GO_SLOWLY(self, SYS_ENDPOINT_REPLY_RECEIVE, last);
    struct cap *queue_cap = NULL;
    if (queue_handle != 0) {
        queue_cap = cap_find(self->process, queue_handle, OBJECT_QUEUE, RIGHT_RECEIVE, &status);
        if (unlikely(queue_cap == NULL))
            GO_SLOWLY(self, SYS_ENDPOINT_REPLY_RECEIVE, last);
    }
    if (unlikely(!reply_lock_try(&caller->reply)))
        GO_SLOWLY(self, SYS_ENDPOINT_REPLY_RECEIVE, last);
    if (unlikely(!endpoint_lock_try(&lane->lock))) {
        reply_lock_release(&caller->reply);
        GO_SLOWLY(self, SYS_ENDPOINT_REPLY_RECEIVE, last);
    }
    struct aspace *aspace = caller->aspace;
    if (unlikely(reply_worker(caller) != self) ||
        unlikely(__atomic_load_n(&caller->wait_class, __ATOMIC_RELAXED) != &answer_wait) ||
        unlikely(!is_ready_here(caller, aspace, cpu)) || unlikely(has_better(cpu, caller)) ||
        unlikely(!is_quiet(cap, queue_cap, lane))) {
        endpoint_lock_release(&lane->lock);
        reply_lock_release(&caller->reply);
        GO_SLOWLY(self, SYS_ENDPOINT_REPLY_RECEIVE, last);
    }
    caller->reply_worker = NULL;
    __atomic_store_n(&caller->wait_class, NULL, __ATOMIC_RELAXED);

    receive(self, cap, queue_cap, lane);
    uint64_t sequence = self->wait_sequence + 1;
    uint64_t root = switch_to(cpu, caller, aspace, self, sequence, &receive_wait,
                              (struct fast_locks){lane, caller});
    if (unlikely(root == 0))
        GO_ON(switch_slowly(0, info, (uintptr_t)self, caller, last, sequence));
    GO_ON(arch_ipc_switch(0, info, root, caller, last, 0));
}
