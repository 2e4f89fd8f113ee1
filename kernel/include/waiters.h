#pragma once
/* Lists of waiting threads that live in an object and are guarded by its lock: what queue, notification, endpoint and others share. */
#include "thread.h"

/** The first waiter, ours now, or NULL. */
static inline struct thread *waiter_take(struct list *waiters)
{
    struct list *node = list_take(waiters);
    if (node == NULL)
        return NULL;
    struct thread *thread = list_entry(node, struct thread, wait_link);
    thread_wait_end(thread);
    return thread;
}

/** Queue @self on @waiters. KERNEL_BLOCKED: after the unlock it must not be touched. INTERRUPTED: it is on no list. */
MUST_CHECK static inline status_t waiter_enqueue(struct thread *self, struct list *waiters,
                                                 const struct wait_class *wait_class, void *object,
                                                 uint64_t deadline_ns)
{
    list_push_back(waiters, &self->wait_link);
    if (thread_wait_begin(self, wait_class, object, deadline_ns))
        return KERNEL_BLOCKED;
    list_remove(&self->wait_link);
    return STATUS_INTERRUPTED;
}

/** The object is gone: wake all with @status. */
static inline void waiters_end(struct list *waiters, status_t status)
{
    struct thread *thread;
    while ((thread = waiter_take(waiters)) != NULL)
        thread_wake_status(thread, status);
}

/** The capability with node @cap_id is revoked: wake who came through it (thread.call_cap_id). */
static inline void waiters_revoked(struct list *waiters, uint64_t cap_id)
{
    list_for_each_safe (node, after, waiters) {
        struct thread *thread = list_entry(node, struct thread, wait_link);

        if (thread->call_cap_id != cap_id)
            continue;
        list_remove(node);
        thread_wait_end(thread);
        thread_wake_status(thread, STATUS_BAD_HANDLE);
    }
}
