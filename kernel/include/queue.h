#pragma once
/* Queues: where events wait. Every source embeds one coalescing event_source, bound to at most one Queue. */
#include "object.h"

struct thread;
struct endpoint;

struct queue {
    struct object object;
    struct spinlock lock;                       /* queue_lock */
    struct list events GUARDED_BY(queue_lock);  /* event_source.link, oldest first */
    struct list waiters GUARDED_BY(queue_lock); /* threads in queue_wait */
    struct endpoint *endpoint; /* set (once) by the first receive that names both; reference */
    bool dead;
};

struct event_source {
    struct list link; /* queue_lock of @queue; on queue.events while pending */
    /* reference; NULL: not bound. Guarded by the owner's lock (source_lock …) */
    struct queue *queue;
    uint64_t cookie;
    uint32_t kind; /* enum event_kind */
    uint64_t data; /* queue_lock */
};

static inline struct queue *queue_of(struct object *object)
{
    return container_of(object, struct queue, object);
}

/** Has it events? Read without its lock. */
static inline bool queue_has_events(const struct queue *queue) NO_THREAD_SAFETY
{
    return __atomic_load_n(&queue->events.next, __ATOMIC_ACQUIRE) != &queue->events;
}

/** How @data joins what is pending: replaced, added, or or-ed. */
enum event_merge { EVENT_REPLACE, EVENT_ADD, EVENT_OR };

void event_source_init(struct event_source *source, uint32_t kind);
/** Bind; the owner's lock is held. BUSY if bound. Takes a reference on @queue. */
MUST_CHECK status_t event_source_bind(struct event_source *source, struct queue *queue,
                                      uint64_t cookie);
/** Unbind and drop a pending event; the owner's lock is held. Before the owner is freed. */
void event_source_unbind(struct event_source *source);
/** Post to the bound queue (nothing if unbound) and wake a waiter: in queue_wait, or a worker that receives with this queue. The
 *  owner's lock may be held, no lock from queue_lock on. */
void event_post(struct event_source *source, uint64_t data, enum event_merge merge);
/** @source is a timer's, and its event was just taken: it goes on. queue_lock is held: the timer is not freed before it is given back. */
void timer_event_taken(struct event_source *source);
/** Take the oldest event: true and filled in, or false. */
bool queue_take(struct queue *queue, struct event *event);
