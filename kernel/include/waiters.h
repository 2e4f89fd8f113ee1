#pragma once
/* Lists of waiting threads that live in an object and are guarded by its lock: what queue, notification and futex share. */
#include "thread.h"

/** wait_class.cancel of such a list, under its lock: take @thread off if it still waits there with @sequence. */
static inline bool waiter_cancel(struct thread *thread, const struct wait_class *wait_class,
                                 const void *object, uint64_t sequence)
{
    if (thread->wait_class != wait_class || thread->wait_object != object ||
        thread->wait_sequence != sequence)
        return false;
    list_remove(&thread->wait_link);
    thread_wait_end(thread);
    return true;
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
    list_for_each_safe (node, after, waiters) {
        struct thread *thread = list_entry(node, struct thread, wait_link);

        list_remove(node);
        thread_wait_end(thread);
        thread_wake_status(thread, status);
    }
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
