#pragma once
/* Locks where one thread plays all CPUs: nobody else holds one. Included by one source of a program. */
#include <spinlock.h>

void spinlock_wait(struct spinlock *lock)
{
    panic("a lock is held when it should be free: %p", (void *)lock);
}
