/* gate: clang-kernel; says: acquiring .* that is already held */
#include <spinlock.h>

void rule(struct spinlock *one, struct spinlock *two);

/* Never two locks of one class. */
void rule(struct spinlock *one, struct spinlock *two)
{
    queue_lock_acquire(one);
#ifdef OBEYED
    queue_lock_release(one);
#endif
    queue_lock_acquire(two);
    queue_lock_release(two);
#ifndef OBEYED
    queue_lock_release(one);
#endif
}
