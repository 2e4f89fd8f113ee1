/* Endpoints: synchronous calls with direct handoff.
 *
 * A call finds a worker waiting in receive: the message goes from context to context, the caller becomes the worker's current reply, and the
 * worker runs at once on this CPU, at the better of the two priorities. If no worker waits the caller queues. The reply is named by the
 * caller itself and the wait_sequence of its wait for the answer; the worker's current_reply points to the caller, and the caller's reply_worker back. Both ends are
 * changed under the caller's reply_lock, so a caller that dies or times out unlinks itself without the server's help, and the server's
 * answer then finds the pair broken and gets GONE. If the reply was saved with a notice, that is posted under the same lock: never
 * both come, the notice and an answer that is taken; one does if the endpoint and its epoch go on.
 *
 * States of a caller: queued (wait class queued_wait, on endpoint.callers under endpoint_lock), accepted (answer_wait, under its reply_lock),
 * and in between owned by the CPU that moves it. The fast path needs: a worker waits; both may run on this CPU; no capability travels
 * that must be waited for. Everything else takes the same code with a queue in it. Where workers wait: lanes.c. */
#include "endpoint.h"

#include "../cap/tree.h"
#include "arch.h"
#include "arch_accessors.h"
#include "arch_cpu.h"
#include "budget.h"
#include "handlers.h"
#include "kmem.h"
#include "mm/aspace.h"
#include "mm/phys.h"
#include "obj_create.h"
#include "process.h"
#include "reply.h"
#include "sched.h"
#include "waiters.h"

#include "kstring.h"
#include <veridian/syscall_numbers.h>

static bool queued_cancel(struct thread *thread, uint64_t sequence);
static bool answer_cancel(struct thread *thread, uint64_t sequence);

const struct wait_class queued_wait = {.name = "call",
                                       WAIT_CLASS_LIST(endpoint, home.lock, endpoint_lock, callers),
                                       .cancel = queued_cancel};
const struct wait_class answer_wait = {.name = "reply", .cancel = answer_cancel};
const struct wait_class receive_wait = {.name = "receive",
                                        WAIT_CLASS_LIST(lane, lock, endpoint_lock, workers)};

static inline uint32_t info_caps(uint64_t info)
{
    return (uint32_t)(info >> IPC_INFO_CAPS_SHIFT & IPC_INFO_CAPS_MASK);
}

static inline uint32_t info_grants(uint64_t info)
{
    return (uint32_t)(info >> IPC_INFO_GRANTS_SHIFT & IPC_INFO_GRANTS_MASK);
}

#define INFO_NOWAIT (1ull << IPC_INFO_NOWAIT_SHIFT)

/* ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Check an outgoing message that has more than words, and turn its capabilities into message nodes, waiting until @deadline_ns for their
 * revocations. On failure nothing is changed, but for capabilities that were moved: those are dropped. */
static COLD status_t message_prepare(struct thread *self, uint64_t info, uint64_t deadline_ns)
{
    uint32_t caps = info_caps(info);
    if (self->buffer == NULL || info_data(info) > IPC_DATA_MAX || caps > IPC_CAPS_MAX ||
        info_grants(info) > IPC_GRANTS_MAX)
        return STATUS_INVALID;
    ASSERT(self->message_cap_count == 0);
    if (caps == 0)
        return STATUS_OK;
    struct cap_out out[IPC_CAPS_MAX];
    struct cap *nodes[IPC_CAPS_MAX];
    memcpy(out, self->buffer->caps, sizeof(out));
    bool waits = (info & INFO_NOWAIT) == 0;
    status_t status = cap_messages_make(self, out, caps, waits ? deadline_ns : 0, nodes);
    if (status == KERNEL_BLOCKED)
        sched_forget_current(); /* for a revocation; @self may run elsewhere by now */
    if (status != STATUS_OK)
        return status == STATUS_TIMED_OUT && !waits ? STATUS_BUSY : status;
    memcpy(self->message_caps, nodes, caps * sizeof(*nodes));
    self->message_cap_count = caps;
    return STATUS_OK;
}

/* Message bytes, grants' lengths and capabilities: what does not travel in registers. Neither thread can run. Returns the info word
 * as the receiver sees it. No lock held. */
static COLD uint64_t message_deliver_extra(struct thread *from, struct thread *to, uint64_t info)
{
    struct ipc_buffer *target = to->buffer;
    uint64_t kept = cap_messages_install(to, from->message_caps, from->message_cap_count);
    from->message_cap_count = 0;
    uint32_t bytes = info_data(info);
    if (target == NULL || from->buffer == NULL)
        return info & (uint32_t)~0u;
    if (bytes != 0)
        memcpy(target->data, from->buffer->data, bytes);
    for (uint32_t i = 0; i < info_grants(info); i++)
        target->grant_lengths[i] =
            __atomic_load_n(&from->buffer->grants[i].length, __ATOMIC_RELAXED);
    return (info & ~(INFO_NOWAIT | IPC_INFO_CAPS_MASK << IPC_INFO_CAPS_SHIFT |
                     INFO_KIND(IPC_INFO_KIND_MASK))) |
           kept << IPC_INFO_CAPS_SHIFT;
}

static inline uint64_t message_deliver(struct thread *from, struct thread *to, uint64_t info)
{
    arch_ipc_words_copy(to, from);
    if (likely((info & INFO_EXTRA_MASK) == 0))
        return info;
    return message_deliver_extra(from, to, info);
}

/* ── Callers ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Deliver the call of @caller (ours) to @worker (ours), which accepts it. */
static inline void accept_call(struct thread *caller, struct thread *worker) NO_THREAD_SAFETY
{
    uint64_t info = message_deliver(caller, worker, arch_ipc_info(caller));
    arch_ipc_set(worker, STATUS_OK, caller->call_badge, info);
    reply_link(caller, worker);
}

/* The caller that was queued and has been accepted waits for the answer now; attention and deadline may have come meanwhile. */
static void caller_await_answer(struct thread *caller)
{
    uint64_t sequence = caller->wait_sequence;
    bool timed = caller->call_deadline_ns != DEADLINE_NEVER; /* while it is ours */
    __atomic_store_n(&caller->wait_class, &answer_wait, __ATOMIC_SEQ_CST);
    if (unlikely(__atomic_load_n(&caller->attention, __ATOMIC_SEQ_CST) != 0)) {
        if (answer_cancel(caller, sequence))
            thread_wake_status(caller, STATUS_INTERRUPTED);
    } else if (unlikely(timed && __atomic_load_n(&caller->deadline.armed, __ATOMIC_SEQ_CST) == 0)) {
        if (answer_cancel(caller, sequence))
            thread_wake_status(caller, STATUS_TIMED_OUT);
    }
}

static COLD bool queued_cancel(struct thread *thread, uint64_t sequence)
{
    return caller_cancel(thread, &queued_wait, sequence);
}

COLD void reply_take(struct thread *caller, bool gone)
{
    struct thread *worker = caller->reply_worker;
    struct notice *notice = NULL;
    if (worker != NULL && __atomic_load_n(&worker->current_reply, __ATOMIC_RELAXED) == caller)
        __atomic_store_n(&worker->current_reply, NULL, __ATOMIC_RELAXED);
    if (worker == NULL && caller->reply_server != NULL) {
        futex_lock_acquire(&caller->reply_server->saved_lock);
        list_remove(&caller->call_link);
        notice = caller->gone;
        futex_lock_release(&caller->reply_server->saved_lock);
    }
    caller->reply_worker = NULL;
    caller->reply_server = NULL;
    thread_wait_end(caller);
    if (notice != NULL && gone)
        endpoint_notify(notice); /* queued before anybody finds the caller gone */
    else if (notice != NULL)
        notice_retire(notice);
}

COLD bool answer_cancel_class(struct thread *thread, uint64_t sequence,
                              const struct wait_class *wait_class)
{
    reply_lock_acquire(&thread->reply);
    /* Published without the lock: acquire, so that its pair is seen too. */
    bool waits = __atomic_load_n(&thread->wait_class, __ATOMIC_ACQUIRE) == wait_class &&
                 __atomic_load_n(&thread->wait_sequence, __ATOMIC_RELAXED) == sequence;
    struct thread *worker = waits ? thread->reply_worker : NULL;
    if (waits)
        reply_take(thread, true);
    if (worker != NULL)
        level_settle(worker); /* what was lent is taken back */
    reply_lock_release(&thread->reply);
    if (worker != NULL)
        level_follow(worker);
    return waits;
}

static COLD bool answer_cancel(struct thread *thread, uint64_t sequence)
{
    return answer_cancel_class(thread, sequence, &answer_wait);
}

/* Take the caller whose answer is due from @worker: ours afterwards. NULL: it is gone, or waits for an answer of another kind. */
static inline struct thread *take_current(struct thread *worker)
{
    struct thread *caller = __atomic_load_n(&worker->current_reply, __ATOMIC_RELAXED);
    if (caller == NULL)
        return NULL;
    reply_lock_acquire(&caller->reply);
    bool ours = reply_worker(caller) == worker &&
                __atomic_load_n(&caller->wait_class, __ATOMIC_RELAXED) == &answer_wait;
    if (likely(ours)) {
        caller->reply_worker = NULL;
        /* what was done for it was no wait */
        turn_rest(&caller->turn, arch_cpu_local()->last_clock_ns);
        thread_wait_end(caller);
    }
    reply_lock_release(&caller->reply);
    if (unlikely(!ours))
        raised_abandon(worker, caller);
    __atomic_store_n(&worker->current_reply, NULL, __ATOMIC_RELAXED);
    level_served(worker);
    return ours ? caller : NULL;
}

/* ── Call ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static inline __attribute__((always_inline)) status_t call_queue(struct thread *self,
                                                                 struct endpoint *endpoint,
                                                                 struct cap *cap, uint64_t info)
    RELEASE(endpoint_lock)
{
    if ((info & INFO_NOWAIT) != 0) {
        endpoint_lock_release(&endpoint->home.lock);
        cap_messages_drop_all(self);
        return STATUS_BUSY;
    }
    status_t status = caller_queue(self, endpoint, cap, &queued_wait);
    if (unlikely(status != KERNEL_BLOCKED))
        cap_messages_drop_all(self);
    return status;
}

/* Checked under the endpoint's lock: nothing is queued through a capability that is dead or of an older epoch. */
static inline status_t call_check(const struct endpoint *endpoint, const struct cap *cap)
    REQUIRES(endpoint_lock)
{
    if (unlikely(endpoint->dead))
        return STATUS_PEER_DIED;
    if (unlikely(cap_is_dead(cap)))
        return STATUS_BAD_HANDLE;
    if (unlikely(badge_is_stale(cap->badge, cap->epoch, &endpoint->home)))
        return STATUS_STALE;
    return STATUS_OK;
}

status_t raw_endpoint_call(struct thread *self)
{
    status_t status = STATUS_OK;
    struct cap *cap =
        cap_find(self->process, arch_ipc_handle(self), OBJECT_ENDPOINT, RIGHT_CALL, &status);
    if (unlikely(cap == NULL))
        return status;
    uint64_t info = arch_ipc_info(self);
    if (unlikely((info & INFO_EXTRA_MASK & ~INFO_NOWAIT) != 0)) {
        status = message_prepare(self, info, arch_ipc_deadline(self));
        if (status != STATUS_OK)
            return status;
    }
    struct endpoint *endpoint = endpoint_of(cap->object);
    self->call_badge = cap->badge;
    self->call_cap_id = cap->id;
    self->call_deadline_ns = arch_ipc_deadline(self);
    struct thread *worker =
        worker_here(endpoint, (cap->badge & IPC_BADGE_SESSION) != 0, cap->epoch);
    if (likely(worker == NULL)) {
        endpoint_lock_acquire(&endpoint->home.lock);
        status = call_check(endpoint, cap);
        if (unlikely(status != STATUS_OK)) {
            endpoint_lock_release(&endpoint->home.lock);
            cap_messages_drop_all(self);
            return status;
        }
        worker = waiter_take(&endpoint->home.workers);
        if (unlikely(worker == NULL) && unlikely(endpoint->lanes != NULL))
            worker = lanes_take(endpoint);
        if (unlikely(worker == NULL))
            return call_queue(self, endpoint, cap, info);
        endpoint_lock_release(&endpoint->home.lock);
    }
    (void)sched_account(arch_cpu_local()); /* until now it was its own */
    accept_call(self, worker);
    add_owned(&self->wait_sequence, 1);
    __atomic_store_n(&self->state, THREAD_WAITING, __ATOMIC_RELAXED);
    if (unlikely(self->call_deadline_ns != DEADLINE_NEVER))
        thread_arm_deadline(self, self->call_deadline_ns);
    caller_await_answer(self); /* from here on it may be cancelled, and run elsewhere */
    sched_handoff(worker);
    return KERNEL_BLOCKED;
}

/* ── Receive ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void deliver_event(struct thread *worker, const struct event *event)
{
    arch_ipc_set(worker, STATUS_OK, event->cookie, INFO_KIND(IPC_KIND_EVENT));
    arch_ipc_word_set(worker, 0, event->kind);
    arch_ipc_word_set(worker, 1, event->data);
}

static void deliver_notice(struct thread *worker, struct notice *notice)
{
    arch_ipc_set(worker, STATUS_OK, notice->cookie, INFO_KIND(notice->kind));
    notice_retire(notice);
}

/* The oldest event of @queue to @self; false: another worker was quicker. */
static __attribute__((noinline)) bool receive_event(struct thread *self, struct queue *queue)
{
    struct event event;
    if (!queue_take(queue, &event))
        return false;
    deliver_event(self, &event);
    return true;
}

/* What a receive names: @queue may be NULL. */
struct receive_caps {
    struct cap *endpoint, *queue;
};

static inline struct endpoint *receive_endpoint(struct receive_caps caps)
{
    return endpoint_of(caps.endpoint->object);
}

static inline struct queue *receive_queue(struct receive_caps caps)
{
    return caps.queue == NULL ? NULL : queue_of(caps.queue->object);
}

/* Checked under the lane's lock: nobody waits through a capability that is dead, since its end or revocation has looked for waiters
 * already. An object's capabilities are all dead before it ends. */
static inline status_t receive_check(struct receive_caps caps) REQUIRES(endpoint_lock)
{
    if (unlikely(cap_is_dead(caps.endpoint)))
        return __atomic_load_n(&receive_endpoint(caps)->dead, __ATOMIC_RELAXED) ? STATUS_GONE
                                                                                : STATUS_BAD_HANDLE;
    if (unlikely(caps.queue != NULL && cap_is_dead(caps.queue)))
        return STATUS_BAD_HANDLE;
    return STATUS_OK;
}

/* What is queued at @endpoint, whose lock is held, goes to @self of @lane: a notice, or a call. Gives the lock back if there was something. */
static inline __attribute__((always_inline)) bool receive_queued(struct thread *self,
                                                                 struct endpoint *endpoint,
                                                                 struct lane *lane) NO_THREAD_SAFETY
{
    struct list *node = list_take(&endpoint->notices);
    if (unlikely(node != NULL)) {
        endpoint_lock_release(&endpoint->home.lock);
        deliver_notice(self, list_entry(node, struct notice, link));
        return true;
    }
    node = list_take(&endpoint->callers);
    if (list_is_empty(&endpoint->callers))
        __atomic_store_n(&lane->pending, 0, __ATOMIC_RELAXED);
    if (unlikely(node == NULL))
        return false;
    struct thread *caller = list_entry(node, struct thread, wait_link);
    bool raised = caller->wait_class == &raised_queued_wait;
    list_remove(&caller->call_link);
    __atomic_store_n(&caller->wait_class, NULL, __ATOMIC_RELEASE);
    struct thread *helped = caller_taken(endpoint, self);
    endpoint_lock_release(&endpoint->home.lock);
    if (unlikely(raised)) {
        raised_accept(caller, self);
        raised_await(caller);
    } else {
        accept_call(caller, self);
        caller_await_answer(caller);
    }
    if (unlikely(helped != NULL))
        level_follow(helped);
    return true;
}

/* What @self gets at once: a notice, an event, a queued call; or it waits. */
static status_t receive_from(struct thread *self, struct receive_caps caps, uint64_t deadline_ns)
    NO_THREAD_SAFETY
{
    struct endpoint *endpoint = receive_endpoint(caps);
    struct queue *queue = receive_queue(caps);
    if (queue != NULL && unlikely(queue_has_events(queue)) && receive_event(self, queue))
        return KERNEL_DONE;
    if (unlikely(__atomic_load_n(&self->serves, __ATOMIC_RELAXED) != endpoint))
        serve(self, endpoint);
    struct lane *lane = endpoint_lane(endpoint, arch_cpu_local());
    if (unlikely(lane == NULL) ||
        unlikely(__atomic_load_n(&endpoint->home.workers.next, __ATOMIC_RELAXED) !=
                 &endpoint->home.workers))
        lane = lane_choose(endpoint);
    for (uint32_t rounds = 0;; rounds++) {
        endpoint_lock_acquire(&lane->lock);
        status_t status = receive_check(caps);
        if (unlikely(status != STATUS_OK)) {
            endpoint_lock_release(&lane->lock);
            return status;
        }
        if (__atomic_load_n(&lane->pending, __ATOMIC_RELAXED) == 0)
            break;
        if (unlikely(lane != &endpoint->home)) {
            endpoint_lock_release(&lane->lock);
            endpoint_lock_acquire(&endpoint->home.lock);
        }
        if (receive_queued(self, endpoint, lane))
            return KERNEL_DONE;
        if (likely(lane == &endpoint->home))
            break;
        endpoint_lock_release(&endpoint->home.lock);
        if (unlikely(rounds == 3)) /* callers that do not wait mark it again and again */
            return KERNEL_RESTART;
    }
    if (queue != NULL && queue_has_events(queue)) {
        endpoint_lock_release(&lane->lock);
        return KERNEL_RESTART;
    }
    self->call_cap_id = caps.endpoint->id;
    self->wait_queue = queue;
    if (queue != NULL)
        self->wait_data = caps.queue->id;
    list_push_front(&lane->workers, &self->wait_link);
    bool waits = thread_wait_begin_here(self, &receive_wait, lane, deadline_ns);
    if (!waits)
        list_remove(&self->wait_link);
    endpoint_lock_release(&lane->lock);
    return waits ? KERNEL_BLOCKED : STATUS_INTERRUPTED;
}

static COLD status_t queue_associate(struct queue *queue, struct endpoint *endpoint)
{
    status_t status = STATUS_OK;
    queue_lock_acquire(&queue->lock);
    if (queue->dead) {
        status = STATUS_GONE; /* it would keep the endpoint for ever */
    } else if (queue->endpoint == NULL && object_try_ref(&endpoint->object)) {
        __atomic_store_n(&queue->endpoint, endpoint, __ATOMIC_RELEASE);
    } else if (queue->endpoint != endpoint) {
        status = STATUS_BUSY;
    }
    queue_lock_release(&queue->lock);
    return status;
}

/* Find what @self receives from. */
static __attribute__((noinline)) status_t receive_find(struct thread *self,
                                                       struct receive_caps *caps)
{
    status_t status = STATUS_OK;
    caps->queue = NULL;
    caps->endpoint =
        cap_find(self->process, arch_ipc_handle(self), OBJECT_ENDPOINT, RIGHT_RECEIVE, &status);
    handle_t handle = arch_ipc_queue(self);
    if (likely(handle == 0) || unlikely(caps->endpoint == NULL))
        return status;
    caps->queue = cap_find(self->process, handle, OBJECT_QUEUE, RIGHT_RECEIVE, &status);
    if (unlikely(caps->queue == NULL))
        return status;
    struct queue *queue = receive_queue(*caps);
    struct endpoint *endpoint = receive_endpoint(*caps);
    if (unlikely(__atomic_load_n(&queue->endpoint, __ATOMIC_ACQUIRE) != endpoint))
        status = queue_associate(queue, endpoint);
    return status;
}

/* A worker that receives without having answered gives its caller PEER_DIED: there is no way back to it. */
static COLD void abandon_current(struct thread *self)
{
    struct thread *caller = take_current(self);
    if (caller != NULL)
        thread_wake_status(caller, STATUS_PEER_DIED);
}

COLD status_t raw_endpoint_receive(struct thread *self)
{
    struct receive_caps caps;
    status_t status = receive_find(self, &caps);
    if (status != STATUS_OK)
        return status;
    (void)sched_account(arch_cpu_local());
    abandon_current(self);
    status = receive_from(self, caps, arch_ipc_deadline(self));
    if (status == KERNEL_BLOCKED)
        sched_forget_current();
    return status;
}

/* ── Reply ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static inline void deliver_reply(struct thread *from, struct thread *caller, uint64_t info)
{
    uint64_t delivered = message_deliver(from, caller, info);
    arch_ipc_set(caller, STATUS_OK, 0, delivered);
}

/* A reply_receive has answered @caller (NULL: it is gone), and received with @status. */
static __attribute__((noinline)) status_t replied(struct thread *self, struct thread *caller,
                                                  status_t status)
{
    if (likely(status == KERNEL_BLOCKED && caller != NULL)) {
        sched_handoff(caller);
        return KERNEL_BLOCKED;
    }
    if (caller != NULL)
        thread_wake(caller);
    if (status == KERNEL_BLOCKED)
        sched_forget_current();
    else if (status == KERNEL_RESTART)
        arch_syscall_number_set(self, SYS_ENDPOINT_RECEIVE);
    return status;
}

/* Answer, then wait: the message leaves before the worker is published, and the CPU goes straight to the caller. */
status_t raw_endpoint_reply_receive(struct thread *self)
{
    struct receive_caps caps;
    status_t status = receive_find(self, &caps);
    if (unlikely(status != STATUS_OK))
        return status;
    uint64_t info = arch_ipc_info(self);
    struct thread *caller;
    if (unlikely((info & INFO_EXTRA_MASK) != 0)) {
        if (info_kind(info) != 0) {
            status = raised_answer(self, 0, info, &caller);
            if (status != STATUS_OK && status != STATUS_GONE)
                return status;
            if (caller == NULL)
                abandon_current(self);
            return replied(self, caller, receive_from(self, caps, arch_ipc_deadline(self)));
        }
        status = message_prepare(self, info, DEADLINE_NEVER);
        if (status != STATUS_OK)
            return status;
    }
    uint64_t deadline_ns = arch_ipc_deadline(self);
    (void)sched_account(arch_cpu_local()); /* while it is known for whom we worked */
    caller = take_current(self);
    if (likely(caller != NULL))
        deliver_reply(self, caller, info);
    else
        cap_messages_drop_all(self);
    return replied(self, caller, receive_from(self, caps, deadline_ns));
}

/* ── Saved replies ───────────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t reply_token(const struct thread *caller)
{
    return (uint64_t)(caller->index + 1) << 32 |
           (uint32_t)__atomic_load_n(&caller->wait_sequence, __ATOMIC_RELAXED);
}

struct thread *reply_find(const struct thread *self, uint64_t token)
{
    return token == 0 ? __atomic_load_n(&self->current_reply, __ATOMIC_RELAXED)
                      : thread_by_index((uint32_t)(token >> 32) - 1);
}

static bool is_saved_by(const struct thread *caller, const struct process *server, uint64_t token)
    REQUIRES(reply_lock)
{
    return caller->reply_server == server && reply_worker(caller) == NULL &&
           reply_token(caller) == token;
}

bool reply_is_owed(const struct thread *self, struct thread *caller, uint64_t token)
{
    return token != 0 ? is_saved_by(caller, self->process, token) : reply_worker(caller) == self;
}

/* Take a saved caller that waits as @wait_class: ours afterwards. */
static COLD struct thread *take_saved(struct thread *caller, const struct process *server,
                                      uint64_t token, const struct wait_class *wait_class)
{
    if (caller == NULL)
        return NULL;
    reply_lock_acquire(&caller->reply);
    bool ours = is_saved_by(caller, server, token) &&
                __atomic_load_n(&caller->wait_class, __ATOMIC_RELAXED) == wait_class;
    if (ours)
        reply_take(caller, false);
    reply_lock_release(&caller->reply);
    return ours ? caller : NULL;
}

COLD status_t raw_endpoint_reply(struct thread *self)
{
    uint64_t token = arch_ipc_handle(self);
    uint64_t info = arch_ipc_info(self);
    struct thread *caller;
    if (info_kind(info) != 0) {
        status_t status = raised_answer(self, token, info, &caller);
        if (caller != NULL)
            thread_wake(caller);
        return status;
    }
    if ((info & INFO_EXTRA_MASK) != 0) {
        status_t status = message_prepare(self, info, DEADLINE_NEVER);
        if (status != STATUS_OK)
            return status;
    }
    (void)sched_account(arch_cpu_local());
    caller = token == 0 ? take_current(self)
                        : take_saved(reply_find(self, token), self->process, token, &answer_wait);
    if (caller == NULL) {
        cap_messages_drop_all(self);
        return STATUS_GONE;
    }
    deliver_reply(self, caller, info);
    thread_wake(caller);
    return STATUS_OK;
}

COLD status_t sys_endpoint_reply_save(struct thread *self, handle_t handle, uint64_t cookie,
                                      uint64_t *token)
{
    struct thread *caller = __atomic_load_n(&self->current_reply, __ATOMIC_RELAXED);
    struct process *server = self->process;
    struct notice *notice = NULL;
    if (caller == NULL)
        return STATUS_NOT_FOUND;
    if (handle != 0) {
        struct cap *cap;
        status_t status = cap_lookup(server, handle, OBJECT_ENDPOINT, RIGHT_RECEIVE, &cap);
        if (status != STATUS_OK)
            return status;
        notice =
            notice_create(server->object.budget, endpoint_of(cap->object), IPC_KIND_GONE, cookie);
        if (notice == NULL)
            return STATUS_NO_MEMORY;
    }
    (void)sched_account(arch_cpu_local());
    reply_lock_acquire(&caller->reply);
    bool ours = reply_worker(caller) == self;
    if (ours) {
        caller->reply_worker = NULL;
        caller->reply_server = server;
        turn_rest(&caller->turn, arch_cpu_local()->last_clock_ns); /* now it waits */
        caller->gone = notice;
        *token = reply_token(caller);
        futex_lock_acquire(&server->saved_lock);
        list_push_back(&server->saved, &caller->call_link);
        futex_lock_release(&server->saved_lock);
    }
    reply_lock_release(&caller->reply);
    if (!ours && notice != NULL)
        notice_retire(notice);
    __atomic_store_n(&self->current_reply, NULL, __ATOMIC_RELAXED);
    level_served(self);
    return ours ? STATUS_OK : STATUS_NOT_FOUND;
}

/* ── Granted buffers ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* The part [@offset, @offset + @bytes) of a grant, or of the whole user range if the kernel made the call: its address in the caller's space, cut to the grant's end. The caller waits, its
 * buffer is its own memory: what other threads of it write there meanwhile can only hurt itself. */
static status_t grant_range(struct thread *caller, uint32_t index, uint32_t access, uint64_t offset,
                            uint64_t *bytes, uint64_t *address)
{
    if (__atomic_load_n(&caller->wait_class, __ATOMIC_RELAXED) == &raised_wait) {
        *address = offset; /* all that user code has, whatever @index */
        return STATUS_OK;
    }
    if (index >= info_grants(arch_ipc_info(caller)) || caller->buffer == NULL)
        return STATUS_RANGE;
    struct grant grant = caller->buffer->grants[index];
    if ((grant.access & access) != access)
        return STATUS_DENIED;
    if (offset > grant.length || __builtin_add_overflow(grant.address, offset, address))
        return STATUS_RANGE;
    *bytes = MIN(*bytes, grant.length - offset);
    return STATUS_OK;
}

/* The caller of @token (0: the current reply), whose reply lock is held from here to the end of the copy if the status is OK: however
 * its call ends, nothing is read from its buffers or written to them once it goes on. A copy waits for nothing and is short. */
static status_t grant_begin(struct thread *self, uint64_t token, uint32_t index, uint32_t access,
                            uint64_t offset, uint64_t *bytes, uint64_t *address,
                            struct thread **found) NO_THREAD_SAFETY
{
    struct thread *caller = *found = reply_find(self, token);
    if (caller == NULL)
        return token == 0 ? STATUS_NOT_FOUND : STATUS_GONE;
    reply_lock_acquire(&caller->reply);
    status_t status = reply_is_owed(self, caller, token)
                          ? grant_range(caller, index, access, offset, bytes, address)
                          : STATUS_GONE;
    if (status != STATUS_OK)
        reply_lock_release(&caller->reply);
    return status;
}

/* Bytes copied between two looks at the clock: keeps the longest path without interrupts short. */
#define COPY_CHUNK 16384ull

/* Between a grant and @user: @access is what the grant must allow. */
static status_t reply_copy(struct thread *self, uint64_t token, uint32_t grant, uint32_t access,
                           uint64_t offset, uint64_t user, uint64_t bytes, uint64_t *done)
    NO_THREAD_SAFETY
{
    struct thread *caller;
    uint64_t address = 0;
    size_t copied = 0;
    bytes = MIN(bytes, COPY_CHUNK);
    status_t status = grant_begin(self, token, grant, access, offset, &bytes, &address, &caller);
    if (status != STATUS_OK)
        return status;
    status = access == RIGHT_READ
                 ? aspace_copy(self->aspace, user, caller->aspace, address, bytes, &copied)
                 : aspace_copy(caller->aspace, address, self->aspace, user, bytes, &copied);
    reply_lock_release(&caller->reply);
    *done = copied;
    return copied != 0 && status != KERNEL_RESTART ? STATUS_OK : status;
}

status_t sys_endpoint_reply_read(struct thread *self, uint64_t token, uint32_t grant,
                                 uint64_t offset, struct user_out buffer, uint64_t *done)
{
    return reply_copy(self, token, grant, RIGHT_READ, offset, buffer.address, buffer.length, done);
}

status_t sys_endpoint_reply_write(struct thread *self, uint64_t token, uint32_t grant,
                                  uint64_t offset, struct user_in buffer, uint64_t *done)
{
    return reply_copy(self, token, grant, RIGHT_WRITE, offset, buffer.address, buffer.length, done);
}

COLD status_t reply_copy_memory(struct memory *memory, uint64_t memory_offset,
                                struct aspace *aspace, uint64_t address, uint64_t bytes, bool out,
                                uint64_t *done)
{
    bytes = MIN(bytes, COPY_CHUNK);
    if (!memory_has(memory, memory_offset, bytes))
        return STATUS_RANGE;
    while (*done < bytes) {
        uint64_t at = memory_offset + *done;
        uint64_t part = MIN(bytes - *done, PAGE_SIZE - at % PAGE_SIZE);
        paddr_t frame;
        size_t copied = 0;
        status_t status = memory_page(memory, NULL, at / PAGE_SIZE, !out, &frame);
        if (status == STATUS_OK) {
            char *page = (char *)phys_to_virt(frame) + at % PAGE_SIZE;
            status = out ? aspace_copy_out(aspace, NULL, address + *done, page, part, &copied)
                         : aspace_copy_in(aspace, NULL, page, address + *done, part, &copied);
        }
        *done += copied;
        if (status == KERNEL_RESTART)
            return status;
        if (status != STATUS_OK)
            return *done != 0 ? STATUS_OK : STATUS_FAULT; /* whatever keeps the page away */
    }
    return STATUS_OK;
}

static status_t reply_memory(struct thread *self, uint64_t token, uint32_t grant, uint64_t offset,
                             struct memory *memory, uint64_t memory_offset, uint64_t bytes,
                             bool out, uint64_t *done) NO_THREAD_SAFETY
{
    struct thread *caller;
    uint64_t address = 0;
    if (!memory_has(memory, memory_offset, bytes))
        return STATUS_RANGE;
    bytes = MIN(bytes, COPY_CHUNK);
    status_t status = grant_begin(self, token, grant, out ? RIGHT_WRITE : RIGHT_READ, offset,
                                  &bytes, &address, &caller);
    if (status != STATUS_OK)
        return status;
    status = reply_copy_memory(memory, memory_offset, caller->aspace, address, bytes, out, done);
    reply_lock_release(&caller->reply);
    return status;
}

status_t sys_endpoint_reply_write_memory(struct thread *self, uint64_t token, uint32_t grant,
                                         uint64_t offset, struct cap *memory,
                                         uint64_t memory_offset, uint64_t bytes, uint64_t *done)
{
    return reply_memory(self, token, grant, offset, memory_of(memory->object), memory_offset, bytes,
                        true, done);
}

status_t sys_endpoint_reply_read_memory(struct thread *self, uint64_t token, uint32_t grant,
                                        uint64_t offset, struct cap *memory, uint64_t memory_offset,
                                        uint64_t bytes, uint64_t *done)
{
    return reply_memory(self, token, grant, offset, memory_of(memory->object), memory_offset, bytes,
                        false, done);
}

/* ── Events, endings ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* A worker that waits with @queue in @lane, ours; or NULL. */
static struct thread *take_worker(struct lane *lane, const struct queue *queue)
{
    struct thread *found = NULL;
    endpoint_lock_acquire(&lane->lock);
    list_for_each (node, &lane->workers) {
        struct thread *worker = list_entry(node, struct thread, wait_link);
        if (worker->wait_queue == queue) {
            found = worker;
            list_remove(node);
            thread_wait_end(worker);
            break;
        }
    }
    endpoint_lock_release(&lane->lock);
    return found;
}

void endpoint_queue_event(struct endpoint *endpoint, struct queue *queue)
{
    /* Home first: who waits in a lane that is made after that looks at the queue afterwards. */
    struct thread *worker = NULL;
    struct lane *lane;
    for (uint32_t at = 0; worker == NULL && (lane = lane_next(endpoint, &at)) != NULL;)
        worker = take_worker(lane, queue);
    if (worker == NULL)
        return;
    if (!receive_event(worker, queue)) { /* another worker was quicker: wait again */
        arch_syscall_number_set(worker, SYS_ENDPOINT_RECEIVE);
        arch_syscall_restart(worker);
    }
    thread_wake(worker);
}

COLD void endpoint_notify(struct notice *notice)
{
    struct endpoint *endpoint = notice->endpoint;
    uint64_t badge = notice->kind == IPC_KIND_GONE ? IPC_BADGE_SESSION : notice->cookie;
    endpoint_lock_acquire(&endpoint->home.lock);
    bool wanted = !endpoint->dead && !badge_is_stale(badge, notice->epoch, &endpoint->home);
    struct thread *worker = wanted ? worker_find(endpoint) : NULL;
    if (wanted && worker == NULL) {
        __atomic_store_n(&endpoint->home.pending, 1, __ATOMIC_RELAXED);
        list_push_back(&endpoint->notices, &notice->link);
    }
    endpoint_lock_release(&endpoint->home.lock);
    if (worker != NULL) {
        deliver_notice(worker, notice);
        thread_wake(worker);
    } else if (!wanted) {
        notice_retire(notice);
    }
}

static bool waits_with(const struct thread *worker, const void *queue)
{
    return worker->wait_queue == queue;
}

static bool waits_with_cap(const struct thread *worker, const void *cap)
{
    return worker->wait_queue != NULL && worker->wait_data == ((const struct cap *)cap)->id;
}

/* Through a session, or (no capability) by what was bound in its epoch. */
static bool is_of_epoch(const struct thread *caller, const void *context)
{
    (void)context;
    return (caller->call_badge & IPC_BADGE_SESSION) != 0 || caller->call_cap_id == 0;
}

/* @cap is dead: who comes to the lock after us does not queue through it. Through one without the right to receive no worker has come. */
void endpoint_cancel_cap(struct endpoint *endpoint, struct cap *cap) NO_THREAD_SAFETY
{
    endpoint_lock_acquire(&endpoint->home.lock);
    bool queued = cap->callers.next != NULL;
    endpoint_lock_release(&endpoint->home.lock);
    if (unlikely((cap->rights & RIGHT_RECEIVE) != 0))
        workers_end(endpoint, waiter_came_through, cap, STATUS_BAD_HANDLE);
    if (unlikely(queued))
        callers_revoked(endpoint, cap);
}

void endpoint_queue_revoked(struct endpoint *endpoint, const struct cap *cap)
{
    workers_end(endpoint, waits_with_cap, cap, STATUS_BAD_HANDLE);
}

void endpoint_queue_ended(struct endpoint *endpoint, const struct queue *queue)
{
    workers_end(endpoint, waits_with, queue, STATUS_GONE);
}

/* An epoch ends, or (@dead) the last one: its callers are sent away, and nobody will be told what happened in it. */
static COLD void epoch_end(struct endpoint *endpoint, bool dead)
{
    struct list notices, *node;
    struct lane *lane;
    list_init(&notices);
    endpoint_lock_acquire(&endpoint->home.lock);
    __atomic_fetch_add(&endpoint->home.epoch, 1, __ATOMIC_ACQ_REL);
    if (dead)
        __atomic_store_n(&endpoint->dead, true, __ATOMIC_RELAXED);
    list_move_all(&notices, &endpoint->notices);
    endpoint_lock_release(&endpoint->home.lock);
    for (uint32_t at = 1; (lane = lane_next(endpoint, &at)) != NULL;) {
        endpoint_lock_acquire(&lane->lock);
        lane->epoch = __atomic_load_n(&endpoint->home.epoch, __ATOMIC_RELAXED);
        endpoint_lock_release(&lane->lock);
        sched_let_interrupts_in();
    }
    waiters_end(&queued_wait, endpoint, dead ? NULL : is_of_epoch, NULL,
                dead ? STATUS_PEER_DIED : STATUS_STALE);
    while ((node = list_take(&notices)) != NULL) {
        notice_retire(list_entry(node, struct notice, link));
        sched_let_interrupts_in();
    }
}

status_t sys_endpoint_new_epoch(struct thread *self, struct cap *cap)
{
    (void)self;
    epoch_end(endpoint_of(cap->object), false);
    return STATUS_OK;
}

void ipc_thread_died(struct thread *thread)
{
    cap_messages_drop_all(thread);
    abandon_current(thread);
    serve(thread, NULL);
}

COLD void ipc_process_died(struct process *process)
{
    for (;;) {
        futex_lock_acquire(&process->saved_lock);
        struct list *node = list_first(&process->saved);
        struct thread *caller = node == NULL ? NULL : list_entry(node, struct thread, call_link);
        uint64_t token = caller == NULL ? 0 : reply_token(caller);
        futex_lock_release(&process->saved_lock);
        if (caller == NULL)
            return;
        struct thread *raised = take_saved(caller, process, token, &raised_wait);
        caller = take_saved(caller, process, token, &answer_wait);
        if (raised != NULL)
            raised_abandoned(raised);
        else if (caller != NULL)
            thread_wake_status(caller, STATUS_PEER_DIED);
        sched_let_interrupts_in();
    }
}

/* ── The object ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static COLD void endpoint_destroy(struct object *object)
{
    struct endpoint *endpoint = endpoint_of(object);
    epoch_end(endpoint, true);
    workers_end(endpoint, NULL, NULL, STATUS_GONE);
    servers_leave(endpoint);
}

static COLD void endpoint_free(struct object *object)
{
    lanes_free(endpoint_of(object));
    object_release(object, sizeof(struct endpoint));
}

static const struct object_ops endpoint_ops = {.type = OBJECT_ENDPOINT,
                                               .destroy = endpoint_destroy,
                                               .free = endpoint_free};

status_t sys_endpoint_create(struct thread *self, struct cap *budget_cap, handle_t *handle)
    NO_THREAD_SAFETY
{
    struct endpoint *endpoint = object_allocate(budget_cap, sizeof(*endpoint), &endpoint_ops);
    if (endpoint == NULL)
        return STATUS_NO_MEMORY;
    list_init(&endpoint->callers);
    list_init(&endpoint->servers);
    list_init(&endpoint->home.workers);
    list_init(&endpoint->notices);
    endpoint->lane = &endpoint->home;
    return object_publish(self->process, &endpoint->object,
                          RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_CALL |
                              RIGHT_RECEIVE | RIGHT_MANAGE,
                          handle);
}
