/* build: kasan; says: KASAN: write of 1 bytes at 0x[0-9a-f]+, shadow 0xfc$ */
#include "neighbours.h"

/* So many bytes are a size class of the heap; struct endpoint is one such. */
status_t __wrap_sys_system_nop(struct thread *self)
{
    (void)self;
    return write_beyond(256, 64);
}
