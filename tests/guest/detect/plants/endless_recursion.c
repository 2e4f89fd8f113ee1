/* build: release; says: PANIC on CPU [0-9]+: .*(stack overflow|double fault) */
#include "plant.h"

static volatile uint64_t end = UINT64_MAX;

static uint64_t deeper(uint64_t depth)
{
    volatile uint64_t room[16];
    room[depth % 16] = depth;
    return (depth == end ? 0 : deeper(depth + 1)) + room[depth % 16];
}

status_t __wrap_sys_system_nop(struct thread *self)
{
    (void)self;
    return deeper(0) == 0 ? STATUS_OK : STATUS_CORRUPT;
}
