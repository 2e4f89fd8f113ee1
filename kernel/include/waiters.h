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

/** @thread, still on its list, waits no more and is ours; its deadline is cancelled when it is woken. Under the lock. */
static inline void waiter_take_off(struct thread *thread)
{
    __atomic_store_n(&thread->wait_class, NULL, __ATOMIC_RELEASE);
}

/** The same, and it goes from its list to @found. */
static inline void waiter_move(struct thread *thread, struct list *found)
{
    waiter_take_off(thread);
    list_remove(&thread->wait_link);
    list_push_back(found, &thread->wait_link);
}

/** In the middle of a walk through a list, which may be long, under the one @lock (of @rank): let go of it for a moment, and interrupts in.
 *  What follows @next's place then: @next itself, or another node, or the list's head. A node that is nobody's stands there meanwhile, so
 *  others may put in and take out what is theirs, but not go through the list. With @next NULL there is no list. */
struct list *walk_pause(struct list *next, struct spinlock *lock, enum lock_rank rank);
/** Wake all of @found, which (unless it is NULL) were callers of @endpoint; @status is for those whose call does not start again. No lock held.
 *  Interrupts come in between. */
void waiters_wake(struct list *found, struct endpoint *endpoint, status_t status);
/** Wake those who wait on @object, by the list of @wait_class, and are @wanted (NULL: all). As waiters_wake(). */
void waiters_end(const struct wait_class *wait_class, void *object,
                 bool (*wanted)(const struct thread *, const void *), const void *context,
                 status_t status);
/** Did @thread come through the capability @cap? */
bool waiter_came_through(const struct thread *thread, const void *cap);
