#pragma once
/* Spinlocks by class, without an order among those who wait: where CPUs are virtual and fewer host CPUs run them, a queue hands the
 * lock to CPUs that do not run, and everybody waits for the host's scheduler. Interrupts are off in the kernel, so a lock is never taken twice by one CPU through an
 * interrupt. Use the class functions (`endpoint_lock_acquire(&e->lock)`), never spinlock_* itself. */
#include "lock_order.h"

struct spinlock {
    uint32_t held; /* atomic: 1 while somebody has it */
#ifdef CONFIG_DEBUG
    uint32_t holder; /* atomic: the CPU that has it or had it last */
    uint32_t turns;  /* atomic: how often it was taken */
#endif
};

/** A CPU's wait for the one who has a lock to give it back. */
struct lock_wait {
    uint64_t spins, since_ns;
    uint32_t turns;
};

/** Debug builds: record and check the order of classes, record the holder, and panic if a lock is not given back. Implemented in
 *  debug/lockdep.c; no-ops in release. */
#ifdef CONFIG_DEBUG
void lockdep_acquire(const struct spinlock *lock, enum lock_rank rank);
void lockdep_acquired(struct spinlock *lock);
void lockdep_spin(const struct spinlock *lock, struct lock_wait *wait);
void lockdep_release(const struct spinlock *lock, enum lock_rank rank);
#else
static inline void lockdep_acquire(const struct spinlock *lock, enum lock_rank rank)
{
    (void)lock;
    (void)rank;
}
static inline void lockdep_acquired(struct spinlock *lock)
{
    (void)lock;
}
static inline void lockdep_spin(const struct spinlock *lock, struct lock_wait *wait)
{
    (void)lock;
    (void)wait;
}
static inline void lockdep_release(const struct spinlock *lock, enum lock_rank rank)
{
    (void)lock;
    (void)rank;
}
#endif

/** Out of line: wait until it is ours. */
void spinlock_wait(struct spinlock *lock);

static inline void spinlock_take(struct spinlock *lock, enum lock_rank rank)
{
    lockdep_acquire(lock, rank);
    if (unlikely(__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE) != 0))
        spinlock_wait(lock);
    lockdep_acquired(lock);
}

static inline bool spinlock_try(struct spinlock *lock, enum lock_rank rank)
{
    if (unlikely(__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE) != 0))
        return false;
    lockdep_acquire(lock, rank);
    return true;
}

static inline void spinlock_give(struct spinlock *lock, enum lock_rank rank)
{
    lockdep_release(lock, rank);
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

/** The same where a fence has been executed since the last access that the lock guards. */
static inline void spinlock_give_fenced(struct spinlock *lock, enum lock_rank rank)
{
    lockdep_release(lock, rank);
    __atomic_store_n(&lock->held, 0, __ATOMIC_RELAXED);
}

#define X(name)                                                                                 \
    static inline void name##_acquire(struct spinlock *l) ACQUIRE(name) NO_THREAD_SAFETY        \
    {                                                                                           \
        spinlock_take(l, LOCK_RANK_##name);                                                     \
    }                                                                                           \
    MUST_CHECK static inline bool name##_try(struct spinlock *l) TRY_ACQUIRE(true, name)        \
        NO_THREAD_SAFETY                                                                        \
    {                                                                                           \
        return spinlock_try(l, LOCK_RANK_##name);                                               \
    }                                                                                           \
    static inline void name##_release_fenced(struct spinlock *l) RELEASE(name) NO_THREAD_SAFETY \
    {                                                                                           \
        spinlock_give_fenced(l, LOCK_RANK_##name);                                              \
    }                                                                                           \
    static inline void name##_release(struct spinlock *l) RELEASE(name) NO_THREAD_SAFETY        \
    {                                                                                           \
        spinlock_give(l, LOCK_RANK_##name);                                                     \
    }
LOCK_CLASSES(X)
#undef X
