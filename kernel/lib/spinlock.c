/* The slow path of spinlocks: reading only until the lock looks free, so that the holder's cache line is not fought over. */
#include <arch.h>
#include <spinlock.h>

void spinlock_wait(struct spinlock *lock)
{
    struct lock_wait wait = {0};

    do {
        while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED) != 0) {
            arch_cpu_relax();
            lockdep_spin(lock, &wait);
        }
    } while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE) != 0);
}
