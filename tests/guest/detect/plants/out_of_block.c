/* build: release; says: PANIC on CPU [0-9]+: .* in the kernel at 0x[0-9a-f]+ \(poke\+(0x)?[0-9a-f]+\), address 0x[0-9a-f]+000$ */
#include <kmem.h>

#include "plant.h"

#define BLOCK_BYTES (3 * PAGE_SIZE)

static __attribute__((noinline)) void poke(volatile char *block, uint64_t offset)
{
    block[offset] = 1;
}

/* Behind a block of the heap is nothing. */
status_t __wrap_sys_system_nop(struct thread *self)
{
    char *block = kmem_alloc(NULL, BLOCK_BYTES);

    (void)self;
    if (block == NULL)
        return STATUS_NO_MEMORY;
    poke(block, BLOCK_BYTES - 1);
    poke(block, BLOCK_BYTES);
    kmem_free(NULL, block, BLOCK_BYTES);
    return STATUS_OK;
}
