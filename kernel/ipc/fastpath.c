/* The entry points of the message calls, and the fast path of the two that servers live on.
 *
 * A call that finds a worker waiting here, and an answer whose caller waits here, need no queue, no choice and no timer: the words go from
 * context to context, the pair is linked or unlinked, and the CPU goes over to the other thread. The fast path first looks whether all of this
 * holds, and has changed nothing if not; then the general path (endpoint.c) does the call from the start, with the same outcome:
 *   - the message is its label and six words: no bytes, capabilities, grants or NOWAIT; there is no deadline;
 *   - the capability is there, of the type and with the right, and not of an older epoch; what is waited through is not dead
 *     (a call that is accepted needs no look at that: it was made before the revocation returned, see 3.3 of the architecture);
 *   - nobody holds the endpoint's lock, nor the caller's reply_lock;
 *   - call: a worker waits. Answer: there is a caller, it waits for us still, and no call, notice or event is there to be received first;
 *   - the other thread ran on this CPU last, its affinity is as it was then, it has no deadline and no attention; once it
 *     runs nobody better is ready. A worker runs at its caller's priority at least, so a call need not look;
 *   - nothing has come up on this CPU (cpu->work).
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
    struct endpoint *endpoint;
    struct thread *caller; /* its reply_lock; or NULL */
};

/* The number is for who executes the call again, and for who asks what the thread waits in. */
static inline void enter(struct thread *self, uint64_t number)
{
    arch_syscall_number_set(self, number);
    self->in_syscall = true;
    self->wait_restarts = false;
}

/* May the CPU go over to @next? Its attention and affinity may change meanwhile: who does that interrupts this CPU afterwards. */
static inline bool is_ready_here(const struct thread *next, const struct cpu *cpu)
{
    return __atomic_load_n(&next->cpu, __ATOMIC_RELAXED) == cpu->id &&
           __atomic_load_n(&next->handoff_checks, __ATOMIC_RELAXED) == 0 &&
           __atomic_load_n(&next->deadline.armed, __ATOMIC_RELAXED) == 0;
}

/* Is somebody ready who goes before @next? */
static inline bool has_better(const struct cpu *cpu, const struct thread *next) NO_THREAD_SAFETY
{
    uint64_t bitmap = __atomic_load_n(&cpu->queue.bitmap, __ATOMIC_RELAXED);
    return bitmap >> __atomic_load_n(&next->effective, __ATOMIC_RELAXED) > 1;
}

/* Under the endpoint's lock, by which an event looks for a worker after it came. */
static inline bool queue_is_quiet(const struct queue *queue, const struct cap *cap,
                                  const struct endpoint *endpoint)
{
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

/* The FPU is not as @next needs it. */
static __attribute__((noinline)) status_t switch_with_fpu(struct thread *next, paddr_t root,
                                                          uint64_t generation)
{
    arch_fpu_switch(next);
    return arch_thread_switch(next, root, generation);
}

/* @self, the former current thread, waits in @wait_class from now on, after all that it wrote (see thread_waits_on() for the order), and anybody
 * may take it. @locks are given back. */
static inline void publish(struct thread *self, uint64_t sequence,
                           const struct wait_class *wait_class, struct fast_locks locks)
    NO_THREAD_SAFETY
{
    __atomic_store_n(&self->wait_sequence, sequence, __ATOMIC_RELAXED);
    __atomic_store_n(&self->wait_class, wait_class, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    endpoint_lock_release_fenced(&locks.endpoint->lock);
    if (locks.caller != NULL)
        reply_lock_release_fenced(&locks.caller->reply);
}

/* Both are of one address space. */
static __attribute__((noinline)) status_t switch_within(struct thread *self, uint64_t sequence,
                                                        const struct wait_class *wait_class,
                                                        struct fast_locks locks)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
    publish(self, sequence, wait_class, locks);
    if (__atomic_load_n(&self->attention, __ATOMIC_RELAXED) != 0)
        return ipc_interrupted(self, sequence);
    sched_leave_quickly();
    sched_leave();
}

/* The CPU goes over from @self to @next, ours. */
static inline status_t switch_to(struct cpu *cpu, struct thread *next, struct thread *self,
                                 const struct wait_class *wait_class, struct fast_locks locks)
{
    struct aspace *aspace = next->aspace;
    uint64_t sequence = self->wait_sequence + 1;
    cpu->current = next;
    if (unlikely(cpu->aspace == aspace))
        return switch_within(self, sequence, wait_class, locks);
    __atomic_store_n(&cpu->aspace_generation, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&cpu->aspace, aspace, __ATOMIC_RELAXED);
    publish(self, sequence, wait_class, locks);
    if (unlikely(__atomic_load_n(&self->attention, __ATOMIC_RELAXED) != 0))
        return ipc_interrupted(self, sequence);
    uint64_t generation = __atomic_load_n(&aspace->generation, __ATOMIC_RELAXED);
    __atomic_store_n(&cpu->aspace_generation, generation, __ATOMIC_RELAXED);
    if (unlikely(!arch_fpu_is_settled(next, cpu)))
        return switch_with_fpu(next, aspace->root, generation);
    return arch_thread_switch(next, aspace->root, generation);
}

status_t raw_endpoint_call(struct thread *self) NO_THREAD_SAFETY
{
    struct cpu *cpu = arch_cpu_local();
    status_t status;
    enter(self, SYS_ENDPOINT_CALL);
    struct cap *cap =
        cap_find(self->process, arch_ipc_handle(self), OBJECT_ENDPOINT, RIGHT_CALL, &status);
    if (unlikely(cap == NULL))
        return ipc_call_slowly(self);
    uint64_t info = arch_ipc_info(self);
    if (unlikely((info & INFO_EXTRA_MASK) != 0) ||
        unlikely(arch_ipc_deadline(self) != DEADLINE_NEVER) || unlikely(cpu->work != 0))
        return ipc_call_slowly(self);
    struct endpoint *endpoint = endpoint_of(cap->object);
    if (unlikely(!endpoint_lock_try(&endpoint->lock)))
        return ipc_call_slowly(self);
    struct list *node = endpoint->workers.next;
    struct thread *worker = waiting_thread(node);
    if (unlikely(node == &endpoint->workers) || unlikely(!is_ready_here(worker, cpu)) ||
        unlikely(cap->badge != 0 && cap->epoch != endpoint->epoch)) {
        endpoint_lock_release(&endpoint->lock);
        return ipc_call_slowly(self);
    }
    endpoint->workers.next = node->next; /* its own links are written when it waits again */
    node->next->prev = &endpoint->workers;
    __atomic_store_n(&worker->wait_class, NULL, __ATOMIC_RELAXED);

    arch_ipc_words_copy(worker, self);
    arch_ipc_set(worker, STATUS_OK, cap->badge, info);
    self->call_sequence++;
    reply_link(self, worker);
    return switch_to(cpu, worker, self, &answer_wait, (struct fast_locks){endpoint, NULL});
}

status_t raw_endpoint_reply_receive(struct thread *self) NO_THREAD_SAFETY
{
    struct cpu *cpu = arch_cpu_local();
    status_t status;
    enter(self, SYS_ENDPOINT_REPLY_RECEIVE);
    struct cap *cap =
        cap_find(self->process, arch_ipc_handle(self), OBJECT_ENDPOINT, RIGHT_RECEIVE, &status);
    if (unlikely(cap == NULL))
        return ipc_reply_receive_slowly(self);
    uint64_t info = arch_ipc_info(self);
    struct thread *caller = __atomic_load_n(&self->current_reply, __ATOMIC_RELAXED);
    if (unlikely(caller == NULL) || unlikely((info & INFO_EXTRA_MASK) != 0) ||
        unlikely(arch_ipc_deadline(self) != DEADLINE_NEVER) || unlikely(cpu->work != 0))
        return ipc_reply_receive_slowly(self);
    struct endpoint *endpoint = endpoint_of(cap->object);
    struct cap *queue_cap = NULL;
    struct queue *queue = NULL;
    if (arch_ipc_queue(self) != 0) {
        queue_cap =
            cap_find(self->process, arch_ipc_queue(self), OBJECT_QUEUE, RIGHT_RECEIVE, &status);
        if (unlikely(queue_cap == NULL))
            return ipc_reply_receive_slowly(self);
        queue = queue_of(queue_cap->object);
    }
    if (unlikely(!endpoint_lock_try(&endpoint->lock)))
        return ipc_reply_receive_slowly(self);
    if (unlikely(!reply_lock_try(&caller->reply))) {
        endpoint_lock_release(&endpoint->lock);
        return ipc_reply_receive_slowly(self);
    }
    if (unlikely(caller->reply_worker != self) || unlikely(caller->wait_class != &answer_wait) ||
        unlikely(!is_ready_here(caller, cpu)) || unlikely(has_better(cpu, caller)) ||
        unlikely(__atomic_load_n(&cap->dead, __ATOMIC_RELAXED)) ||
        unlikely(!list_is_empty(&endpoint->closed)) ||
        unlikely(!list_is_empty(&endpoint->callers)) ||
        (queue != NULL && unlikely(!queue_is_quiet(queue, queue_cap, endpoint)))) {
        reply_lock_release(&caller->reply);
        endpoint_lock_release(&endpoint->lock);
        return ipc_reply_receive_slowly(self);
    }
    caller->reply_worker = NULL;
    __atomic_store_n(&caller->wait_class, NULL, __ATOMIC_RELAXED);
    arch_ipc_words_copy(caller, self);
    arch_ipc_set(caller, STATUS_OK, 0, info);

    self->current_reply = NULL;
    self->effective = self->priority;
    self->call_cap_id = cap->id;
    self->wait_queue = queue;
    if (queue != NULL)
        self->wait_data = queue_cap->id;
    struct list *first = endpoint->workers.next;
    self->wait_link.next = first;
    self->wait_link.prev = &endpoint->workers;
    first->prev = &self->wait_link;
    endpoint->workers.next = &self->wait_link;
    __atomic_store_n(&self->wait_object, endpoint, __ATOMIC_RELAXED);
    return switch_to(cpu, caller, self, &receive_wait, (struct fast_locks){endpoint, caller});
}

status_t raw_endpoint_receive(struct thread *self)
{
    enter(self, SYS_ENDPOINT_RECEIVE);
    return trap_leave(self, ipc_receive(self));
}

status_t raw_endpoint_reply(struct thread *self)
{
    enter(self, SYS_ENDPOINT_REPLY);
    return trap_leave(self, ipc_reply(self));
}
