/* build: kcsan; says: KCSAN: data race .*__wrap_sys_system_nop */
#include "plant.h"

static uint64_t shared;

status_t __wrap_sys_system_nop(struct thread *self)
{
    (void)self;
    for (uint32_t i = 0; i < 200; i++) {
        shared++;
        __asm__ volatile("" ::: "memory"); /* each time anew */
    }
    return STATUS_OK;
}
