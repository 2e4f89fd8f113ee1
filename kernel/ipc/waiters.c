/* Going through lists as long as users like, and waking all who wait for the same. What is done for each under the lock is little; the rest
 * comes without it, and lets interrupts in. */
#include "waiters.h"

#include "arch_cpu.h"
#include "cap.h"
#include "inject.h"
#include "reply.h"
#include "sched.h"

COLD struct list *walk_pause(struct list *next, struct spinlock *lock, enum lock_rank rank)
    NO_THREAD_SAFETY
{
    struct list place;
    list_init(&place);
    if (next != NULL)
        list_insert_before(next, &place);
    (void)inject_here(arch_cpu_local()->current); /* a kill may come as well */
    spinlock_give(lock, rank);
    sched_let_interrupts_in();
    spinlock_take(lock, rank);
    if (next != NULL)
        next = place.next;
    list_remove(&place);
    return next;
}

/* Move those of @waiters who are @wanted to @found. */
static void take(struct list *waiters, struct list *found,
                 bool (*wanted)(const struct thread *, const void *), const void *context)
{
    list_for_each_safe (node, after, waiters) {
        struct thread *thread = list_entry(node, struct thread, wait_link);
        if (wanted == NULL)
            waiter_take_off(thread);
        else if (wanted(thread, context))
            waiter_move(thread, found);
    }
    if (wanted == NULL)
        list_move_all(found, waiters);
}

COLD void waiters_wake(struct list *found, struct endpoint *endpoint, status_t status)
{
    struct list *node;
    while ((node = list_take(found)) != NULL) {
        struct thread *thread = list_entry(node, struct thread, wait_link);
        thread_wait_end(thread);
        cap_messages_drop_all(thread);
        if (endpoint != NULL)
            caller_left(endpoint, thread);
        thread_wake_status(thread, status);
        sched_let_interrupts_in();
    }
}

COLD void waiters_end(const struct wait_class *wait_class, void *object,
                      bool (*wanted)(const struct thread *, const void *), const void *context,
                      status_t status) NO_THREAD_SAFETY
{
    struct spinlock *lock = (void *)((char *)object + wait_class->lock_offset);
    struct list found;
    list_init(&found);
    spinlock_take(lock, wait_class->lock_rank);
    take((void *)((char *)object + wait_class->list_offset), &found, wanted, context);
    spinlock_give(lock, wait_class->lock_rank);
    waiters_wake(&found, wait_class == &queued_wait ? object : NULL, status);
}

bool waiter_came_through(const struct thread *thread, const void *cap)
{
    return thread->call_cap_id == ((const struct cap *)cap)->id;
}
