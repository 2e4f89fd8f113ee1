#pragma once
/* Endpoints: the rendezvous of synchronous calls (ipc/endpoint.c). */
#include "queue.h"
#include "thread.h"

struct endpoint {
    struct object object;
    __attribute__((
        aligned(64))) struct spinlock lock;        /* endpoint_lock; what calls need is one line */
    uint32_t epoch;                                /* atomic */
    struct list callers GUARDED_BY(endpoint_lock); /* threads whose call waits for a worker */
    struct list workers GUARDED_BY(endpoint_lock); /* threads waiting in receive */
    struct list notices GUARDED_BY(endpoint_lock); /* to be received */
    bool dead GUARDED_BY(endpoint_lock);
};

static inline struct endpoint *endpoint_of(struct object *object)
{
    return container_of(object, struct endpoint, object);
}

/** Whether a capability with @badge, made in @epoch, is of a former life of @endpoint's server. Only sessions end with it. */
static inline bool badge_is_stale(uint64_t badge, uint32_t epoch, const struct endpoint *endpoint)
{
    return (badge & IPC_BADGE_SESSION) != 0 && epoch != endpoint->epoch;
}

/** Where the fast path (ipc/fastpath.c) gives up: system call @number by the general path, from its start. */
NORETURN void ipc_slowly(struct thread *self, uint64_t number);
/** Attention came to @self while it began to wait with @sequence: end that wait as it asks, and go on with the current thread. */
NORETURN void ipc_interrupted(struct thread *self, uint64_t sequence);

/** An event was posted to @queue, which @endpoint receives with: hand it to a waiting worker. No lock held from endpoint_lock on. */
void endpoint_queue_event(struct endpoint *endpoint, struct queue *queue);
/** Revocation: cancel the calls and receives that wait through @cap (already dead). */
void endpoint_cancel_cap(struct endpoint *endpoint, struct cap *cap);
/** The same for receives that named a queue by @cap; and when @queue, associated with @endpoint, has ended. */
void endpoint_queue_revoked(struct endpoint *endpoint, const struct cap *cap);
void endpoint_queue_ended(struct endpoint *endpoint, const struct queue *queue);
/** What @notice is for has come: tell who receives, or who will, unless that is none of its epoch. Locks before endpoint_lock may be held. */
void endpoint_notify(struct notice *notice);
/** @thread dies: its current reply gets PEER_DIED, its own call is withdrawn. */
void ipc_thread_died(struct thread *thread);
/** @process dies: every call it accepted gets PEER_DIED. */
void ipc_process_died(struct process *process);
