/* build: release; says: PANIC on CPU [0-9]+: (instruction abort|(instruction )?page fault) in the kernel at (0xffffffff[0-9a-f]{8}) \([a-z_]+\+0\), address \3$ */
#include <arch.h>
#include <mm/kernelmap.h>
#include <mm/pagetable.h>
#include <mm/phys.h>

#include "plant.h"

/* Boot is over: what ran at boot alone is not there by its own address; its memory is RAM like other, where nothing can be executed. */
status_t __wrap_sys_system_nop(struct thread *self)
{
    const struct boot_range *init = &boot_info.init_text;
    unsigned level;
    (void)self;
    if (init->bytes == 0 || init->bytes != (uint64_t)(init_text_end - text_end) ||
        !phys_is_all_ram(init->base, init->bytes))
        return STATUS_CORRUPT;
    for (const char *at = text_end; at < init_text_end; at += PAGE_SIZE) {
        volatile uint64_t *ram = phys_to_virt(init->base + (uint64_t)(at - text_end));
        pte_t entry = pagetable_lookup(kernelmap_root, (uint64_t)(uintptr_t)ram, &level);
        if (pagetable_lookup(kernelmap_root, (uint64_t)(uintptr_t)at, &level) != 0 || entry == 0)
            return STATUS_CORRUPT;
        __atomic_fetch_add(ram, 0, __ATOMIC_RELAXED); /* it may be somebody's by now */
    }
    ((void (*)(void))(uintptr_t)text_end)();
    return STATUS_OK;
}
