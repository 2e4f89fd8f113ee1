/* gate: clang-kernel; says: still held at the end of function */
#include <spinlock.h>

void rule(struct spinlock *lock);

void rule(struct spinlock *lock)
{
    queue_lock_acquire(lock);
#ifdef OBEYED
    queue_lock_release(lock);
#endif
}
