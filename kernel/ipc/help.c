/* Helping: who waits for a worker lends its level and its time to one that is busy, and who works for somebody follows his level.
 *
 * Callers queue by level, equals in their order. The first in the queue is the helper of one of the threads that came to receive at the endpoint
 * last, a local one if there is one: that runs on the best of its own level, its caller's and the helper's (level.c), so it is soon done with
 * what it serves, or with whatever keeps it from receiving. Which one is helped stays until nobody is queued, or it serves elsewhere or ends.
 * Who calls another, or queues elsewhere, passes on what it is lent: level_follow() goes from each thread to who works for it,
 * through LENT_DEPTH servers. Where a caller rose after it was accepted and before it waited, the worker is looked at on its way to a CPU.
 * A worker's helper is stored under the lock of the endpoint that it serves, and goes with the place in that endpoint's queue, or before who took the
 * helper off leaves the kernel: so who finds one may look at it. The fast path does not look who helps: while anybody is
 * queued no worker of the endpoint answers by it (lane.pending). A worker that receives by it at another endpoint than it did before
 * is known to that one's callers only when it comes to receive there by the general path. */
#include "../cap/tree.h"
#include "arch_cpu.h"
#include "reply.h"
#include "sched.h"
#include "waiters.h"

/** So many callers are looked at from each end of the queue for a place: in the middle of a longer one who comes may be behind worse ones. */
#define PLACES_LOOKED_AT 64u
/** So many servers are looked at for a local one. */
#define SERVERS_LOOKED_AT 16u

static uint8_t level_at(const struct list *node)
{
    return thread_level(list_entry(node, const struct thread, wait_link));
}

/* Before whom somebody of @level queues. */
static struct list *place_for(struct endpoint *endpoint, uint8_t level) REQUIRES(endpoint_lock)
{
    struct list *callers = &endpoint->callers, *behind = callers, *first = callers->next;
    for (uint32_t i = 0; i < PLACES_LOOKED_AT; i++, behind = behind->prev, first = first->next) {
        if (behind->prev == callers || level_at(behind->prev) >= level)
            return behind;
        if (level_at(first) < level)
            return first;
    }
    return behind;
}

static bool is_here(const struct thread *thread)
{
    return __atomic_load_n(&thread->cpu, __ATOMIC_RELAXED) == arch_cpu_local()->id;
}

/* Whom @helper, the first of the callers, may help; NULL: nobody has come to receive yet, or will any more. */
static COLD struct thread *server_choose(struct endpoint *endpoint, const struct thread *helper)
    REQUIRES(endpoint_lock)
{
    struct thread *choice = NULL;
    uint32_t looked = 0;
    list_for_each (node, &endpoint->servers) {
        struct thread *server = list_entry(node, struct thread, serves_link);
        bool here = is_here(server);
        if (server != helper && (choice == NULL || here))
            choice = server;
        if ((choice == server && here) || ++looked == SERVERS_LOOKED_AT)
            break;
    }
    return choice;
}

/* True: the level of @worker is another now. When it answers it sees who helps it, or its level then is seen here. */
static bool helper_set(struct thread *worker, struct thread *helper) REQUIRES(endpoint_lock)
{
    __atomic_store_n(&worker->helper, helper, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint8_t before = thread_level(worker), level = helper == NULL ? 0 : thread_level(helper);
    if (level == before || (level < before && !level_is_lent(worker)))
        return false;
    level_settle(worker);
    return thread_level(worker) != before;
}

struct thread *callers_help(struct endpoint *endpoint)
{
    struct list *node = list_first(&endpoint->callers);
    struct thread *helper = node == NULL ? NULL : list_entry(node, struct thread, wait_link);
    struct thread *worker = endpoint->helped;
    if (unlikely(worker != NULL && worker == helper)) { /* it calls whom it serves with */
        (void)helper_set(worker, NULL);
        worker = NULL;
    }
    if (helper != NULL && (worker == NULL || (worker->helper == NULL && !is_here(worker))))
        endpoint->helped = worker = server_choose(endpoint, helper);
    return worker != NULL && helper_set(worker, helper) ? worker : NULL;
}

/* None has come back to be freed before we leave the kernel. */
COLD void caller_left(struct endpoint *endpoint, struct thread *caller)
{
    endpoint_lock_acquire(&endpoint->home.lock);
    list_remove(&caller->call_link);
    struct thread *worker = callers_help(endpoint);
    endpoint_lock_release(&endpoint->home.lock);
    if (worker != NULL)
        level_follow(worker);
}

/* Who is found is taken off first: if another CPU ends its wait meanwhile, it is not found again. */
COLD void callers_revoked(struct endpoint *endpoint, struct cap *cap)
{
    for (;;) {
        endpoint_lock_acquire(&endpoint->home.lock);
        struct list *node = list_take(&cap->callers);
        struct thread *caller = node == NULL ? NULL : list_entry(node, struct thread, call_link);
        uint64_t sequence = node == NULL ? 0 : caller->wait_sequence;
        endpoint_lock_release(&endpoint->home.lock);
        if (node == NULL)
            return;
        if (caller_cancel(caller, &queued_wait, sequence))
            thread_wake_status(caller, STATUS_BAD_HANDLE);
        sched_let_interrupts_in();
    }
}

/* Nobody queues through it any more, but who did may be being taken off at this moment: so under the lock, for which the endpoint has stayed. */
COLD void callers_leave(struct cap *cap)
{
    struct endpoint *endpoint = endpoint_of(cap->object);
    endpoint_lock_acquire(&endpoint->home.lock);
    list_remove(&cap->callers);
    endpoint_lock_release(&endpoint->home.lock);
    object_unref(&endpoint->object);
}

status_t caller_queue(struct thread *self, struct endpoint *endpoint, struct cap *cap,
                      const struct wait_class *wait_class)
{
    struct thread *worker = NULL;
    __atomic_store_n(&endpoint->home.pending, 1, __ATOMIC_RELAXED);
    list_insert_before(place_for(endpoint, thread_level(self)), &self->wait_link);
    if (likely(cap != NULL)) {
        if (unlikely(cap->callers.next == NULL)) {
            list_init(&cap->callers);
            object_ref(cap->object); /* until the node is freed */
        }
        list_push_back(&cap->callers, &self->call_link);
    }
    bool waits = thread_wait_begin(self, wait_class, endpoint, self->call_deadline_ns);
    if (!waits) {
        list_remove(&self->wait_link);
        list_remove(&self->call_link);
    } else if (endpoint->callers.next == &self->wait_link)
        worker = callers_help(endpoint);
    endpoint_lock_release(&endpoint->home.lock);
    if (!waits)
        return STATUS_INTERRUPTED;
    sched_forget_current();
    if (worker != NULL)
        level_follow(worker);
    return KERNEL_BLOCKED;
}

COLD bool caller_cancel(struct thread *thread, const struct wait_class *wait_class,
                        uint64_t sequence)
{
    if (!wait_cancel_listed(thread, wait_class, sequence))
        return false;
    cap_messages_drop_all(thread);
    caller_left(__atomic_load_n(&thread->wait_object, __ATOMIC_RELAXED), thread);
    return true;
}

/* Only @self and the end of the endpoint that it serves change what that is. */
COLD void serve(struct thread *self, struct endpoint *endpoint)
{
    struct endpoint *before = __atomic_load_n(&self->serves, __ATOMIC_RELAXED);
    struct thread *worker = NULL;
    if (before != NULL) {
        endpoint_lock_acquire(&before->home.lock);
        if (__atomic_load_n(&self->serves, __ATOMIC_RELAXED) == before) {
            list_remove(&self->serves_link);
            __atomic_store_n(&self->serves, NULL, __ATOMIC_RELAXED);
            if (before->helped == self) {
                before->helped = NULL;
                (void)helper_set(self, NULL);
                worker = callers_help(before);
            }
        }
        endpoint_lock_release(&before->home.lock);
    }
    if (worker != NULL)
        level_follow(worker);
    if (endpoint == NULL)
        return;
    endpoint_lock_acquire(&endpoint->home.lock);
    if (!endpoint->dead) {
        list_push_front(&endpoint->servers, &self->serves_link);
        __atomic_store_n(&self->serves, endpoint, __ATOMIC_RELAXED);
    }
    endpoint_lock_release(&endpoint->home.lock);
}

COLD void servers_leave(struct endpoint *endpoint)
{
    struct list *node;
    do {
        endpoint_lock_acquire(&endpoint->home.lock);
        endpoint->helped = NULL;
        node = list_take(&endpoint->servers);
        if (node != NULL)
            __atomic_store_n(&list_entry(node, struct thread, serves_link)->serves, NULL,
                             __ATOMIC_RELAXED);
        endpoint_lock_release(&endpoint->home.lock);
        sched_let_interrupts_in();
    } while (node != NULL);
}

static bool waits_still(const struct thread *thread, const struct wait_class *wait_class,
                        uint64_t sequence)
{
    return __atomic_load_n(&thread->wait_class, __ATOMIC_SEQ_CST) == wait_class &&
           __atomic_load_n(&thread->wait_sequence, __ATOMIC_ACQUIRE) == sequence;
}

/* Who works for @thread, if it waits for that, with the level that it has now. */
static COLD struct thread *who_works_for(struct thread *thread)
{
    struct thread *worker = NULL;
    const struct wait_class *wait_class = __atomic_load_n(&thread->wait_class, __ATOMIC_SEQ_CST);
    uint64_t sequence = __atomic_load_n(&thread->wait_sequence, __ATOMIC_ACQUIRE);
    if (wait_class == &answer_wait || wait_class == &raised_wait) {
        reply_lock_acquire(&thread->reply);
        if (waits_still(thread, wait_class, sequence))
            worker = thread->reply_worker;
        if (worker != NULL) /* as long as it is not answered; see take_current() */
            level_settle(worker);
        reply_lock_release(&thread->reply);
    } else if (wait_class == &queued_wait || wait_class == &raised_queued_wait) {
        struct endpoint *endpoint = __atomic_load_n(&thread->wait_object, __ATOMIC_ACQUIRE);
        if (!waits_still(thread, wait_class, sequence))
            return NULL; /* and what it waits on may be no endpoint */
        endpoint_lock_acquire(&endpoint->home.lock);
        if (waits_still(thread, wait_class, sequence)) {
            list_remove(&thread->wait_link);
            list_insert_before(place_for(endpoint, thread_level(thread)), &thread->wait_link);
            worker = callers_help(endpoint);
        }
        endpoint_lock_release(&endpoint->home.lock);
    }
    return worker;
}

COLD void level_follow(struct thread *thread)
{
    for (uint32_t depth = 0; thread != NULL && depth <= LENT_DEPTH; depth++) {
        sched_requeue_ready(thread);
        thread = who_works_for(thread);
    }
}
