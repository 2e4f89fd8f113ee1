/* build: debug; says: PANIC on CPU [0-9]+: frame 0x[0-9a-f]+ is used again before CPU [0-9]+ has looked at its TLB$ */
#include "plant.h"

#include "../../../../kernel/mm/pagetable.h"
#include <mm/phys.h>

/* A page is taken out of a page table, and is another's at once. */
status_t __wrap_sys_system_nop(struct thread *self) NO_THREAD_SAFETY
{
    paddr_t frame;
    uint64_t removed = 0;
    (void)self;
    if (phys_alloc(0, &frame)) {
        pte_t entry = arch_pte_leaf(frame, MAP_READ, true, 0, false);
        (void)pagetable_unmap(&entry, 1, &removed);
        phys_free(frame, 0);
    }
    return STATUS_OK;
}
