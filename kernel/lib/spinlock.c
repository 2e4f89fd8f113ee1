/* The slow path of ticket locks: reading only, so that the holder's cache line is not fought over. */
#include <arch.h>
#include <spinlock.h>

void spinlock_wait(struct spinlock *lock, uint16_t ticket)
{
    while (__atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE) != ticket)
        arch_cpu_relax();
}
