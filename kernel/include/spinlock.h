#pragma once
/* Ticket spinlocks by class. Interrupts are off in the kernel, so a lock is never taken twice by one CPU through an
 * interrupt. Use the class functions (`endpoint_lock_acquire(&e->lock)`), never spinlock_* itself. */
#include "lock_order.h"

struct spinlock {
    uint16_t owner;
    uint16_t next;
};

/** Debug builds: record and check the order of classes. Implemented in debug/lockdep.c; no-ops in release. */
#ifdef CONFIG_DEBUG
void lockdep_acquire(const struct spinlock *lock, enum lock_rank rank);
void lockdep_release(const struct spinlock *lock, enum lock_rank rank);
#else
static inline void lockdep_acquire(const struct spinlock *lock, enum lock_rank rank)
{
    (void)lock;
    (void)rank;
}
static inline void lockdep_release(const struct spinlock *lock, enum lock_rank rank)
{
    (void)lock;
    (void)rank;
}
#endif

/** Out of line: wait for the ticket. */
void spinlock_wait(struct spinlock *lock, uint16_t ticket);

static inline void spinlock_take(struct spinlock *lock, enum lock_rank rank)
{
    lockdep_acquire(lock, rank);
    uint16_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);
    if (unlikely(__atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE) != ticket))
        spinlock_wait(lock, ticket);
}

static inline void spinlock_give(struct spinlock *lock, enum lock_rank rank)
{
    lockdep_release(lock, rank);
    __atomic_store_n(&lock->owner, (uint16_t)(lock->owner + 1), __ATOMIC_RELEASE);
}

#define X(name) \
    static inline void name##_acquire(struct spinlock *l) ACQUIRE(name) NO_THREAD_SAFETY \
    { \
        spinlock_take(l, LOCK_RANK_##name); \
    } \
    static inline void name##_release(struct spinlock *l) RELEASE(name) NO_THREAD_SAFETY \
    { \
        spinlock_give(l, LOCK_RANK_##name); \
    }
LOCK_CLASSES(X)
#undef X
