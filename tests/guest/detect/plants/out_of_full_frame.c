/* build: kasan; says: KASAN: write of 1 bytes at 0x[0-9a-f]+, shadow 0xfc$ */
#include "neighbours.h"

/* What is larger than the size classes is a frame or a block of them; this one would fill its frame, and has another for the gap. */
status_t __wrap_sys_system_nop(struct thread *self)
{
    (void)self;
    return write_beyond(4096, 3 * 4096);
}
