#pragma once
/* Endpoints: the rendezvous of synchronous calls (ipc/endpoint.c). */
#include "queue.h"
#include "thread.h"

/** Where workers of one CPU wait, and all that a call which finds one there looks at. Its lock is taken as endpoint_lock, and, by who holds
 *  that of the endpoint, as lane_lock. */
struct lane {
    struct list workers GUARDED_BY(endpoint_lock); /* threads waiting in receive */
    struct spinlock lock;
    uint32_t
        epoch; /* the endpoint's, some time after that has changed; of home: atomic, that itself */
    /* A mark: calls or notices may be queued, so who comes to wait takes the endpoint's lock and looks at them first. Set under the lane's lock where
     * nobody waits (home's in any case), cleared under the endpoint's by the lane's CPU. */
    uint32_t pending; /* atomic */
};

struct endpoint {
    struct object object;
    bool dead;                                     /* atomic; endpoint_lock to write */
    struct list notices GUARDED_BY(endpoint_lock); /* to be received */
    /* The lane of all CPUs that have none of their own; its lock is the endpoint's. What calls need is one line. */
    __attribute__((aligned(64))) struct lane home;
    struct lane *lane; /* atomic: home while it is the only one; then NULL */
    struct lane *
        *lanes; /* atomic, as the entries: by CPU, NULL: none yet; home: there is none to be had */
    /* Threads whose call waits for a worker: the best level first. */
    struct list callers GUARDED_BY(endpoint_lock);
    struct list servers GUARDED_BY(endpoint_lock);   /* threads that came to receive here last */
    struct thread *helped GUARDED_BY(endpoint_lock); /* of them, by the first caller; or NULL */
};

static inline struct endpoint *endpoint_of(struct object *object)
{
    return container_of(object, struct endpoint, object);
}

/** Whether a capability with @badge, made in @epoch, is of a former life of the server of @lane. Only sessions end with it. */
static inline bool badge_is_stale(uint64_t badge, uint32_t epoch, const struct lane *lane)
{
    return (badge & IPC_BADGE_SESSION) != 0 && epoch != lane->epoch;
}

/** The lane of @cpu; NULL: it has none yet, home serves. Stays until the kernel is left. */
static inline struct lane *endpoint_lane(const struct endpoint *endpoint, const struct cpu *cpu)
{
    struct lane *lane = load_dependent(&endpoint->lane);
    if (unlikely(lane == NULL)) {
        struct lane **lanes = load_dependent(&endpoint->lanes);
        if (likely(
                lanes !=
                NULL)) /* the id as if it could change: who needs it not shall not load it before */
            lane = load_dependent(&lanes[__atomic_load_n(&cpu->id, __ATOMIC_RELAXED)]);
    }
    return lane;
}

/** Where the fast path (ipc/fastpath.c) gives up: system call @number by the general path, from its start. */
NORETURN void ipc_slowly(struct thread *self, uint64_t number);
/** Attention came to @self while it began to wait with @sequence: end that wait as it asks, and go on with the current thread. */
NORETURN void ipc_interrupted(struct thread *self, uint64_t sequence);

/** An event was posted to @queue, which @endpoint receives with: hand it to a waiting worker. No lock held from endpoint_lock on. */
void endpoint_queue_event(struct endpoint *endpoint, struct queue *queue);
/** Revocation: cancel the calls and receives that wait through @cap (already dead). */
void endpoint_cancel_cap(struct endpoint *endpoint, struct cap *cap);
/** @cap, through which calls have been queued, is about to be freed: those that are still queue on. No lock from endpoint_lock on held. */
void callers_leave(struct cap *cap);
/** The same for receives that named a queue by @cap; and when @queue, associated with @endpoint, has ended. */
void endpoint_queue_revoked(struct endpoint *endpoint, const struct cap *cap);
void endpoint_queue_ended(struct endpoint *endpoint, const struct queue *queue);
/** What @notice is for has come: tell who receives, or who will, unless that is none of its epoch. Locks before endpoint_lock may be held. */
void endpoint_notify(struct notice *notice);
/** @thread dies: its current reply gets PEER_DIED, its own call is withdrawn. */
void ipc_thread_died(struct thread *thread);
/** @process dies: every call it accepted gets PEER_DIED. */
void ipc_process_died(struct process *process);
