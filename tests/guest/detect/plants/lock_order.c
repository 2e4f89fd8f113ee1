/* build: debug; says: PANIC on CPU [0-9]+: lock order: kmem_lock taken under log_lock */
#include <spinlock.h>

#include "plant.h"

static struct spinlock first, second;

/* The compiler would refuse it; it is for what the compiler cannot see. */
status_t __wrap_sys_system_nop(struct thread *self) NO_THREAD_SAFETY
{
    (void)self;
    log_lock_acquire(&first);
    kmem_lock_acquire(&second);
    kmem_lock_release(&second);
    log_lock_release(&first);
    return STATUS_OK;
}
