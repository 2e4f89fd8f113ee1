/* build: release; says: PANIC on CPU [0-9]+: .* in the kernel at 0x[0-9a-f]+ \(scribble\+(0x)?[0-9a-f]+\), address 0xffff[0-9a-f]{12} */
#include <arch.h>
#include <mm/kernelmap.h>
#include <mm/pagetable.h>
#include <mm/phys.h>

#include "plant.h"

static __attribute__((noinline)) void scribble(volatile uint32_t *at)
{
    *at = 0;
}

/* The memory that holds the kernel's instructions is not to be written at the direct map either. */
status_t __wrap_sys_system_nop(struct thread *self)
{
    uint64_t address = (uint64_t)(uintptr_t)__wrap_sys_system_nop;
    unsigned level;
    pte_t entry = pagetable_lookup(kernelmap_root, address, &level);
    (void)self;
    if (entry == 0)
        return STATUS_CORRUPT;
    scribble(phys_to_virt(arch_pte_address(entry) + (address & (arch_pt_span(level) - 1))));
    return STATUS_OK;
}
