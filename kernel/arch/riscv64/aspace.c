/* What an address space needs of the hart.
 *
 * Translations carry a number (ASID), and each hart keeps its own books of them: the number of an address space is a hash of its root,
 * and its slot says which generation's translations have that number here. Loading another one's flushes that number first.
 *
 * Fetch is not coherent with stores. Code that appears in an address space is announced by raising arch_code_generation; a hart that runs that
 * very address space is told by the firmware (SBI RFENCE), every other looks when it next loads one. */
#include <arch.h>
#include <arch_cpu.h>

#include "csr.h"
#include "layout.h"
#include "local.h"

static bool has_asids; /* numbers up to ASID_SLOTS; the kernel's own is 0 */
uint64_t arch_code_generation;

static uint64_t satp_mode(void)
{
    return arch_pt_levels == 3 ? SATP_SV39 : SATP_SV48;
}

/* Which bits of a number satp holds: found by trying (privileged specification, 4.1.11). */
INIT_TEXT void asids_find(void)
{
    csr_write("satp", hart_satp | SATP_ASID_MASK << SATP_ASID_SHIFT);
    has_asids = (csr_read("satp") >> SATP_ASID_SHIFT & SATP_ASID_MASK) >= ASID_SLOTS;
    csr_write("satp", hart_satp);
}

static void fetch_synchronise(struct arch_cpu *arch, uint64_t generation)
{
    arch->asids.fetch_generation = generation;
    __asm__ volatile("fence.i" : : : "memory");
}

/** Forget this hart's translations with number @asid, but for global ones. */
static void asid_flush(uint64_t asid)
{
    __asm__ volatile("sfence.vma zero, %0" : : "r"(asid) : "memory");
}

/* The tables of @root with the number that its slot has, whose translations of another generation are forgotten. */
static void asid_claim(struct arch_cpu *arch, uint64_t satp, paddr_t root, uint64_t generation)
{
    uint64_t slot = arch_root_slot(root) / sizeof(struct asid);
    uint64_t number = has_asids ? slot + 1 : 0;

    satp |= number << SATP_ASID_SHIFT;
    csr_write("satp", satp);
    asid_flush(number);
    if (has_asids)
        arch->asids.slots[slot] = (struct asid){generation, satp};
}

void arch_aspace_activate(paddr_t root, uint64_t generation)
{
    const struct cpu *cpu = arch_cpu_local();
    uint64_t satp = satp_mode() | root >> PAGE_SHIFT;

    if (generation == 0) {
        csr_write("satp", satp);
        return;
    }
    uint64_t code = __atomic_load_n(&arch_code_generation, __ATOMIC_ACQUIRE);

    if (arch_cpu_of(cpu)->asids.fetch_generation != code)
        fetch_synchronise(arch_cpu_of(cpu), code);
    uint64_t known = arch_root_find(cpu, root, arch_root_slot(root), generation);
    if (likely(known != 0))
        csr_write("satp", known);
    else
        asid_claim(arch_cpu_of(cpu), satp, root, generation);
}

/* A hart may keep that an entry was not valid, and no fence is due when it becomes so: whoever faults for it executes it then (privileged
 * specification, 4.2.1). One for an address is of leaves alone; where the new entry was a table's only one of its address space will do. */
void arch_tlb_flush_page(uint64_t address, bool tables)
{
    if (tables)
        asid_flush(csr_read("satp") >> SATP_ASID_SHIFT & SATP_ASID_MASK);
    else
        __asm__ volatile("sfence.vma %0" : : "r"(address) : "memory");
}

void arch_tlb_flush_all(void)
{
    __asm__ volatile("sfence.vma" : : : "memory");
}

/* ── Instruction fetch ────────────────────────────────────────────────────────────────────────────────────────────── */

/* Either the hart that loads the address space sees the new generation, or who raised it sees cpu->aspace (mm/aspace.c). */
void arch_icache_sync(const struct aspace *aspace, paddr_t base, uint64_t bytes)
{
    const struct cpu *self = arch_cpu_local();
    uint64_t generation = __atomic_add_fetch(&arch_code_generation, 1, __ATOMIC_SEQ_CST);

    (void)base;
    (void)bytes; /* fence.i knows no addresses */
    fetch_synchronise(arch_cpu_of(self), generation);
    for (uint32_t i = 0; aspace != NULL && i < cpu_count; i++) {
        if (cpus[i] != self && __atomic_load_n(&cpus[i]->aspace, __ATOMIC_SEQ_CST) == aspace)
            (void)sbi_call(SBI_RFENCE, SBI_RFENCE_FENCE_I, 1, cpus[i]->arch_id, 0);
    }
}
