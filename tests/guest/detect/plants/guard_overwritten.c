/* build: release; says: PANIC on CPU [0-9]+: stack overflow: the guard of a frame was overwritten$ */
#include "plant.h"

/* With the guard a multiple of 16 bytes: no gap is between them where arrays have that alignment. */
#define WORDS 9u

static __attribute__((noinline)) void fill(volatile uint64_t *at, unsigned words)
{
    for (unsigned i = 0; i < words; i++)
        at[i] = i;
}

/* One word too many: it is the guard, and what the frame saved behind it is whole, for the backtrace. */
static __attribute__((noinline)) uint64_t run_away(void)
{
    volatile uint64_t room[WORDS];
    fill(room, WORDS + 1);
    return room[WORDS - 1];
}

status_t __wrap_sys_system_nop(struct thread *self)
{
    (void)self;
    return run_away() == WORDS - 1 ? STATUS_OK : STATUS_CORRUPT;
}
