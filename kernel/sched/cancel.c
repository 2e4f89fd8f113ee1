/* Taking a thread off what it waits on: see wait.c. */
#include "thread.h"

/* What is waited on is read together with the class, so it is that class's kind of thing, and stays until the kernel is left; it is
 * looked at again under its lock. */
bool wait_cancel_listed(struct thread *thread, const struct wait_class *wait_class,
                        uint64_t sequence) NO_THREAD_SAFETY
{
    char *object = __atomic_load_n(&thread->wait_object, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&thread->wait_class, __ATOMIC_SEQ_CST) != wait_class ||
        __atomic_load_n(&thread->wait_sequence, __ATOMIC_ACQUIRE) != sequence)
        return false;
    struct spinlock *lock = (void *)(object + wait_class->lock_offset);
    spinlock_take(lock, wait_class->lock_rank);
    bool waits = __atomic_load_n(&thread->wait_class, __ATOMIC_RELAXED) == wait_class &&
                 __atomic_load_n(&thread->wait_object, __ATOMIC_RELAXED) == object &&
                 __atomic_load_n(&thread->wait_sequence, __ATOMIC_RELAXED) == sequence;
    if (waits) {
        list_remove(&thread->wait_link);
        thread_wait_end(thread);
    }
    spinlock_give(lock, wait_class->lock_rank);
    return waits;
}

bool wait_cancel(struct thread *thread, const struct wait_class *wait_class, uint64_t sequence)
{
    return wait_class->cancel != NULL ? wait_class->cancel(thread, sequence)
                                      : wait_cancel_listed(thread, wait_class, sequence);
}
