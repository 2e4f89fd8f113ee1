/* build: release; says: PANIC on CPU [0-9]+: .*planted_is_false */
#include "plant.h"

static volatile bool planted_is_false;

status_t __wrap_sys_system_nop(struct thread *self)
{
    (void)self;
    ASSERT(planted_is_false);
    return STATUS_OK;
}
