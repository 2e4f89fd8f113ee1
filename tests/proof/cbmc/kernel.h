#pragma once
/* What proofs of kernel sources stand on: one CPU, on which a panic is a failure, a lock is free when it is taken, and classes of locks are taken in
 * their order (kernel/include/lock_order.h). Included before the sources, as their first header. */
#include <kernel.h>
#include <spinlock.h>

#include "proof.h"

static uint32_t proof_held; /* a bit for each class of locks */
static bool proof_panics;   /* what was asked for must not go on */

void panic(const char *format, ...)
{
    (void)format;
    PROVE(proof_panics, "no panic");
    ASSUME(false);
}

void klog(const char *format, ...)
{
    (void)format;
}

void spinlock_wait(struct spinlock *lock)
{
    (void)lock;
    PROVE(false, "a lock is free when it is taken");
    ASSUME(false);
}

void lockdep_acquire(const struct spinlock *lock, enum lock_rank rank)
{
    (void)lock;
    PROVE(proof_held >> rank == 0, "locks are taken in order");
    proof_held |= 1u << rank;
}

void lockdep_acquired(struct spinlock *lock)
{
    (void)lock;
}

void lockdep_release(const struct spinlock *lock, enum lock_rank rank)
{
    (void)lock;
    PROVE((proof_held >> rank & 1) == 1, "what is given back is held");
    proof_held &= ~(1u << rank);
}
