/* build: release; says: PANIC on CPU [0-9]+: .* in the kernel at 0x[0-9a-f]+ \(scribble\+(0x)?[0-9a-f]+\), address 0xffffffff[0-9a-f]{8} */
#include "plant.h"

static __attribute__((noinline)) void scribble(volatile uint32_t *at)
{
    *at = *at;
}

/* The kernel's own instructions are there to be read, and nobody may write them. */
status_t __wrap_sys_system_nop(struct thread *self)
{
    (void)self;
    scribble((volatile uint32_t *)(uintptr_t)__wrap_sys_system_nop);
    return STATUS_OK;
}
