/* build: kcsan; says: KCSAN: data race .*: atomic write .*__wrap_sys_system_nop.* and read .*__wrap_sys_system_nop */
#include "plant.h"

static uint64_t shared;

/* One side says what it does; the other one looks at it as if it were its own. */
status_t __wrap_sys_system_nop(struct thread *self)
{
    (void)self;
    for (uint32_t i = 0; i < 200; i++) {
        __atomic_fetch_add(&shared, 1, __ATOMIC_RELAXED);
        uint64_t seen = shared;

        __asm__ volatile("" : : "r"(seen) : "memory"); /* each time anew */
    }
    return STATUS_OK;
}
