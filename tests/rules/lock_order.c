/* gate: clang-kernel; says: must be acquired before */
#include <spinlock.h>

void rule(struct spinlock *process, struct spinlock *budget);

/* The order of classes is that of lock_order.h: a process before a budget. */
void rule(struct spinlock *process, struct spinlock *budget)
{
#ifdef OBEYED
    process_lock_acquire(process);
    budget_lock_acquire(budget);
    budget_lock_release(budget);
    process_lock_release(process);
#else
    budget_lock_acquire(budget);
    process_lock_acquire(process);
    process_lock_release(process);
    budget_lock_release(budget);
#endif
}
