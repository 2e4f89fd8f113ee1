/* build: debug; says: PANIC on CPU [0-9]+: log_lock at 0x[0-9a-f]+ is not given back by CPU 3 */
#include <spinlock.h>

#include "plant.h"

static struct spinlock stuck = {.held = 1, .holder = 3};

status_t __wrap_sys_system_nop(struct thread *self)
{
    (void)self;
    log_lock_acquire(&stuck);
    log_lock_release(&stuck);
    return STATUS_OK;
}
