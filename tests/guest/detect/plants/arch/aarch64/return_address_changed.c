/* build: release; says: PANIC on CPU [0-9]+: (pointer authentication failure in|instruction abort outside of) the kernel */
#include "../../plant.h"

/* Returns to the instruction after the next one: the signature is of another address. */
static __attribute__((noinline)) void go_astray(void)
{
    uint64_t *frame = __builtin_frame_address(0);
    *(volatile uint64_t *)&frame[1] += 4;
    __asm__ volatile("" : : : "x30");
}

status_t __wrap_sys_system_nop(struct thread *self)
{
    (void)self;
    go_astray();
    __asm__ volatile("nop\n\tnop");
    return STATUS_OK;
}
