/* build: release; says: PANIC on CPU [0-9]+: branch target without a landing pad in the kernel */
#include "../../plant.h"

status_t __wrap_sys_system_nop(struct thread *self)
{
    (void)self;
    __asm__ volatile("adr x9, 1f\n\tbr x9\n1:" : : : "x9");
    return STATUS_OK;
}
