/* The kernel's tables are put in force, those that the other CPUs start with are made; and what an address space needs of the CPU. */
#include <arch.h>

#include "cpu_regs.h"
#include "layout.h"
#include "local.h"

/** Page tables that the other CPUs start with: the trampoline at its own address, and the kernel's half. */
static void build_start_root(void)
{
    const pte_t *kernel = arch_direct_map(kernelmap_root);
    uint64_t *pt = boot_pd + ARCH_PT_ENTRIES;

    for (unsigned i = 0; i < ARCH_PT_ENTRIES; i++) {
        boot_pml4[i] = i < ARCH_PT_USER_ROOT_ENTRIES ? 0 : kernel[i];
        boot_pdpt[i] = 0;
        boot_pd[i] = 0;
        pt[i] = 0;
    }
    boot_pml4[0] = arch_pte_table(image_physical(boot_pdpt), false);
    boot_pdpt[0] = arch_pte_table(image_physical(boot_pd), false);
    boot_pd[0] = arch_pte_table(image_physical(pt), false);
    pt[TRAMPOLINE_PAGE / PAGE_SIZE] =
        arch_pte_leaf(TRAMPOLINE_PAGE, MAP_READ | MAP_EXECUTE, false, 0, false) & ~PTE_GLOBAL;
}

void paging_build(void)
{
    unsigned level_max = (cpuid(0x80000001u, 0).edx & (1u << 26)) ? 2 : 1;

    kernelmap_build(image_physical(image_start), ARCH_DIRECT_MAP_BASE, level_max,
                    &(struct boot_range){0, BOOT_MAP_END});
    cr3_write(kernelmap_root);
    build_start_root();
}

void arch_aspace_activate(paddr_t root, uint64_t generation)
{
    (void)generation; /* no PCIDs: loading the root flushes what is not global */
    cr3_write(root);
}

/* And of the tables on the way there (SDM vol. 3, 4.10.4.1). */
void arch_tlb_flush_page(uint64_t address, bool tables)
{
    (void)tables;
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* Fetch is coherent with stores on this architecture, and the return to user mode serialises. */
void arch_icache_sync(const struct aspace *aspace, paddr_t base, uint64_t bytes)
{
    (void)aspace;
    (void)base;
    (void)bytes;
}
