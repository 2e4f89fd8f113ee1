/* What an address space needs of the CPU. The kernel's half has a root of its own (TTBR1), the same whatever address space is loaded (TTBR0).
 *
 * Address spaces have identifiers (ASIDs), so that loading another one flushes nothing. They are each CPU's own: it keeps a table of the
 * roots that it has loaded last and the generation that it knows of each, in sets of two. A root that is in the table with the same
 * generation is loaded as it is; another generation, or another root in its place, and what the CPU holds by that identifier is
 * flushed first. So nothing is ever broadcast, and a translation of an old generation is never used. */
#include <arch.h>
#include <arch_cpu.h>

#include "cpu_regs.h"
#include "layout.h"
#include "local.h"

static void asid_flush(uint64_t asid)
{
    dsb_store();
    __asm__ volatile("tlbi aside1, %0\n\tdsb nsh" : : "r"(asid) : "memory");
}

void asids_init(struct arch_cpu *arch)
{
    for (unsigned i = 0; i < ASID_COUNT; i++)
        arch->asids[i].ttbr = image_physical(empty_root);
    arch->none.ttbr = image_physical(empty_root);
}

/** A place in @set for @generation of @root: its own with an older one, or the one that is not loaded now. */
static uint64_t asid_claim(const struct cpu *cpu, paddr_t root, uint64_t generation)
{
    struct asid *set = &arch_cpu_of(cpu)->asids[arch_root_slot(root) / sizeof(*set)];
    struct asid *asid = &set[SYSREG_READ(ttbr0_el1) == set[0].ttbr];

    for (unsigned way = 0; way < ASID_WAYS; way++)
        if ((set[way].ttbr & PTE_ADDRESS_MASK) == root)
            asid = &set[way];
    uint64_t number = ASID_FIELD(asid - arch_cpu_of(cpu)->asids + 1);

    asid->ttbr = root | number;
    asid->generation = generation;
    asid_flush(number);
    return asid->ttbr;
}

void arch_aspace_activate(paddr_t root, uint64_t generation)
{
    const struct cpu *cpu = arch_cpu_local();
    if (unlikely(generation == 0)) {
        SYSREG_WRITE(ttbr0_el1, arch_cpu_of(cpu)->none.ttbr);
        isb(); /* the others are in force when the kernel is left */
        return;
    }
    uint64_t ttbr = arch_root_find(cpu, root, arch_root_slot(root), generation);
    SYSREG_WRITE(ttbr0_el1, ttbr != 0 ? ttbr : asid_claim(cpu, root, generation));
}

/* And of the tables on the way there; it keeps none that is not valid (Arm ARM D8.14). */
void arch_tlb_flush_page(uint64_t address, bool tables)
{
    (void)tables;
    uint64_t asid = SYSREG_READ(ttbr0_el1) & ASID_FIELD(0xff);

    dsb_store();
    __asm__ volatile("tlbi vae1, %0\n\tdsb nsh\n\tisb"
                     :
                     : "r"(asid | (address >> PAGE_SHIFT & ((1ull << 44) - 1)))
                     : "memory");
}

void arch_tlb_flush_all(void)
{
    dsb_store();
    __asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" : : : "memory");
}
