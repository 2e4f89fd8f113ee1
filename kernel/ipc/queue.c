/* Queues and the events in them.
 *
 * Every source of events embeds one event_source, which is bound to at most one Queue. A source that posts while its event is still
 * queued merges the new data into it, so posting never allocates and a queue holds at most one event a source. Who waits is either a
 * thread in queue_wait, or a server's worker that receives from an endpoint together with the queue.
 *
 * A thread in queue_wait is woken to execute its call again: the event stays in the queue until a running thread takes it, so none is
 * lost with a thread that is killed on its way. For the same reason whoever takes an event wakes the next waiter if more are there.
 *
 * Locks: the source's owner guards source->queue and cookie; queue_lock guards the event list and source->data. A queue whose last
 * capability is gone is dead: it takes no events, nobody asks for those that it has, and sources may be bound anew. */
#include <arch.h>
#include <arch_accessors.h>
#include <handlers.h>
#include <obj_create.h>
#include <queue.h>
#include <waiters.h>

#include "endpoint.h"

#define QUEUE_RIGHTS \
    (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_RECEIVE | RIGHT_MANAGE)

static const struct wait_class queue_wait_class = {.name = "queue",
                                                   WAIT_CLASS_LIST(queue, lock, queue_lock,
                                                                   waiters)};

/* It executes queue_wait again and finds what was posted. */
static void waiter_restart(struct thread *thread)
{
    arch_syscall_restart(thread);
    thread_wake(thread);
}

/* ── Sources ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

void event_source_init(struct event_source *source, uint32_t kind)
{
    list_init(&source->link);
    source->queue = NULL;
    source->kind = kind;
}

void event_source_unbind(struct event_source *source)
{
    struct queue *queue = source->queue;

    if (queue == NULL)
        return;
    queue_lock_acquire(&queue->lock);
    list_remove(&source->link);
    source->data = 0;
    queue_lock_release(&queue->lock);
    __atomic_store_n(&source->queue, NULL, __ATOMIC_RELEASE);
    object_unref(&queue->object);
}

/* A reference on @queue, which its tree gives up only after the queue was marked dead. */
static bool queue_ref_live(struct queue *queue)
{
    queue_lock_acquire(&queue->lock);
    bool live = !queue->dead;

    if (live)
        object_ref(&queue->object);
    queue_lock_release(&queue->lock);
    return live;
}

status_t event_source_bind(struct event_source *source, struct queue *queue, uint64_t cookie)
{
    if (source->queue != NULL) {
        if (!__atomic_load_n(&source->queue->dead, __ATOMIC_ACQUIRE))
            return STATUS_BUSY;
        event_source_unbind(source);
    }
    if (!queue_ref_live(queue))
        return STATUS_BAD_HANDLE;
    source->data = 0;
    source->cookie = cookie;
    __atomic_store_n(&source->queue, queue, __ATOMIC_RELEASE);
    return STATUS_OK;
}

static void event_merge(struct event_source *source, uint64_t data, enum event_merge merge)
{
    switch (merge) {
    case EVENT_REPLACE:
        source->data = data;
        break;
    case EVENT_ADD:
        source->data += data;
        break;
    case EVENT_OR:
        source->data |= data;
        break;
    }
}

void event_post(struct event_source *source, uint64_t data, enum event_merge merge)
{
    struct queue *queue = source->queue;

    if (queue == NULL)
        return;
    queue_lock_acquire(&queue->lock);
    if (queue->dead) {
        queue_lock_release(&queue->lock);
        return;
    }
    event_merge(source, data, merge);
    if (list_is_empty(&source->link))
        list_push_back(&queue->events, &source->link);
    struct thread *waiter = waiter_take(&queue->waiters);
    struct endpoint *endpoint = queue->endpoint;

    queue_lock_release(&queue->lock);
    if (waiter != NULL)
        waiter_restart(waiter);
    else if (endpoint != NULL)
        endpoint_queue_event(endpoint, queue);
}

/* ── Taking ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool take_locked(struct queue *queue, struct event *event) REQUIRES(queue_lock)
{
    struct list *node = list_take(&queue->events);

    if (node == NULL)
        return false;
    struct event_source *source = list_entry(node, struct event_source, link);

    *event = (struct event){.cookie = source->cookie, .kind = source->kind, .data = source->data};
    source->data = 0;
    if (source->kind == EVENT_TIMER)
        timer_event_taken(source);
    return true;
}

bool queue_take(struct queue *queue, struct event *event)
{
    queue_lock_acquire(&queue->lock);
    bool taken = take_locked(queue, event);
    struct thread *next =
        taken && !list_is_empty(&queue->events) ? waiter_take(&queue->waiters) : NULL;

    queue_lock_release(&queue->lock);
    if (next != NULL)
        waiter_restart(next);
    return taken;
}

status_t sys_queue_wait(struct thread *self, struct cap *cap, uint64_t deadline_ns,
                        struct event *event)
{
    struct queue *queue = queue_of(cap->object);

    if (queue_take(queue, event))
        return STATUS_OK;
    if (deadline_ns <= arch_time_now_ns())
        return STATUS_TIMED_OUT;
    queue_lock_acquire(&queue->lock);
    status_t status;

    self->call_cap_id = cap->id;
    if (queue->dead)
        status = STATUS_GONE;
    else if (cap_is_dead(cap))
        status = STATUS_BAD_HANDLE;
    else if (take_locked(queue, event))
        status = STATUS_OK;
    else
        status = waiter_enqueue(self, &queue->waiters, &queue_wait_class, queue, deadline_ns);
    queue_lock_release(&queue->lock);
    return status;
}

/* ── The object ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void queue_destroy(struct object *object)
{
    struct queue *queue = queue_of(object);

    queue_lock_acquire(&queue->lock);
    __atomic_store_n(&queue->dead, true, __ATOMIC_RELEASE);
    struct endpoint *endpoint = queue->endpoint;

    __atomic_store_n(&queue->endpoint, NULL, __ATOMIC_RELEASE);
    queue_lock_release(&queue->lock);
    waiters_end(&queue_wait_class, queue, NULL, NULL, STATUS_GONE);
    if (endpoint == NULL)
        return;
    endpoint_queue_ended(endpoint, queue);
    object_unref(&endpoint->object);
}

static void queue_revoked(struct object *object, const struct cap *cap)
{
    struct queue *queue = queue_of(object);

    waiters_end(&queue_wait_class, queue, waiter_came_through, cap, STATUS_BAD_HANDLE);
    /* Stays until we leave the kernel. */
    struct endpoint *endpoint = __atomic_load_n(&queue->endpoint, __ATOMIC_ACQUIRE);
    if (endpoint != NULL)
        endpoint_queue_revoked(endpoint, cap);
}

static void queue_free(struct object *object)
{
    object_release(object, sizeof(struct queue));
}

static const struct object_ops queue_ops = {.type = OBJECT_QUEUE,
                                            .destroy = queue_destroy,
                                            .revoked = queue_revoked,
                                            .free = queue_free};

static void queue_init(struct queue *queue) NO_THREAD_SAFETY
{
    list_init(&queue->events);
    list_init(&queue->waiters);
}

status_t sys_queue_create(struct thread *self, struct cap *budget, handle_t *handle)
{
    struct queue *queue = object_allocate(budget, sizeof(*queue), &queue_ops);

    if (queue == NULL)
        return STATUS_NO_MEMORY;
    queue_init(queue);
    return object_publish(self->process, &queue->object, QUEUE_RIGHTS, handle);
}
