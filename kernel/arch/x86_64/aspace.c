/* What an address space needs of the CPU. */
#include <arch.h>

#include "cpu_regs.h"

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

/* Those that are global too (SDM vol. 3, 4.10.4.1). */
void arch_tlb_flush_all(void)
{
    uint64_t cr4 = cr4_read();

    cr4_write(cr4 & ~CR4_PGE);
    cr4_write(cr4);
}

/* Fetch is coherent with stores on this architecture, and the return to user mode serialises. */
void arch_icache_sync(const struct aspace *aspace, paddr_t base, uint64_t bytes)
{
    (void)aspace;
    (void)base;
    (void)bytes;
}
