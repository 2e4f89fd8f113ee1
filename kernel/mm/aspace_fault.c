/* Page faults: from an address to a translation.
 *
 * The mapping says which page of which Memory, the Memory says which frame, and the entry is written under both locks. A page that
 * others share is installed without the right to write, so that the first write faults and copies. Memory that is one run of
 * physical addresses gets large entries where alignment allows.
 * Where a translation was taken away, another CPU may still use it by its TLB. Nobody waits for that in the kernel: while it may be so,
 * nothing is installed, and the thread executes its instruction again until every CPU has flushed; the kernel's own accesses go to the
 * frame meanwhile. For the frames of one Memory that is told for each Memory (memory_is_flushed: a shared frame was replaced by a
 * copy, a page was dropped). Where the architecture wants an entry broken before another is made (Arm ARM DDI 0487, D8.14.1: another
 * address or another size), all that was taken away in the address space counts, this CPU's own TLB too. */
#include "arch.h"
#include "arch_cpu.h"
#include "mapping.h"
#include "memory_internal.h"

/** Neighbours that are there already are installed with a page that faults: up to the end of this aligned window. */
#define AROUND_PAGES 16ull /* wide: its complement masks addresses */

/* May translations be added to @aspace, as far as its former ones matter? */
static inline bool is_settled(struct aspace *aspace)
{
    return !ARCH_PT_BREAK_BEFORE_MAKE || aspace_is_flushed(aspace);
}

/* Write @entry for @address, for one page or a large one. */
static inline void entry_install(struct aspace *aspace, pte_t *slot, uint64_t address, pte_t entry,
                                 unsigned level)
{
    const struct cpu *cpu = arch_cpu_local();
    pte_t old = pagetable_read(slot);
    if (arch_pte_is_present(old)) {
        DEBUG_ASSERT(arch_pte_address(old) == arch_pte_address(entry));
        pagetable_write(slot, arch_pte_mark_accessed(entry)); /* CPUs may keep the old one */
        if (cpu->aspace == aspace)
            arch_tlb_flush_page(address, old == entry); /* the same: the fault is spurious */
        return;
    }
    if (ARCH_PT_BREAK_BEFORE_MAKE && cpu->aspace == aspace && !aspace_is_current(aspace, cpu))
        arch_tlb_flush_page(address, false);
    pagetable_write(slot, entry);
    __atomic_fetch_add(&aspace->resident, arch_pt_span(level) >> PAGE_SHIFT, __ATOMIC_RELAXED);
}

/* The last-level slot for @address, as pagetable_slot(). The table is kept at hand: most that is needed is in the same one. */
static inline status_t slot_find(struct aspace *aspace, uint64_t address, pte_t **slot)
    REQUIRES(aspace_lock)
{
    uint64_t base = address & ~(arch_pt_span(1) - 1);
    unsigned index = arch_pt_index(address, 0);
    if (likely(base == aspace->table_address)) {
        *slot = &aspace->table[index];
        return STATUS_OK;
    }
    status_t status = pagetable_slot(aspace->root, aspace->object.budget, address, 0, slot);
    if (status_is_ok(status) && *slot != NULL) {
        aspace->table = *slot - index;
        aspace->table_address = base;
    }
    return status;
}

/* Install @page at @address as @mapping allows; memory_is_flushed(). */
static inline void page_install(struct mapping *mapping, pte_t *slot, uint64_t address,
                                const struct page *page) REQUIRES(memory_lock)
{
    uint32_t prot = mapping->prot;
    if (!page->writable)
        prot &= ~MAP_WRITE;
    if ((prot & MAP_EXECUTE) != 0 && !mapping->memory->device)
        arch_icache_sync(mapping->aspace, page->frame, PAGE_SIZE);
    entry_install(mapping->aspace, slot, address,
                  arch_pte_leaf(page->frame, prot, true, 0, mapping->memory->device), 0);
}

static inline uint64_t index_of(const struct mapping *mapping, uint64_t address)
{
    return mapping->offset_pages + ((address - mapping->start) >> PAGE_SHIFT);
}

/* Map @address by a large entry; false if it cannot be. */
static bool large_install(struct mapping *mapping, uint64_t address) REQUIRES(aspace_lock)
{
    struct aspace *aspace = mapping->aspace;
    struct memory *memory = mapping->memory;
    const unsigned level = ARCH_PT_LEAF_LEVEL_MAX;
    uint64_t span = arch_pt_span(level);
    uint64_t start = address & ~(span - 1);
    pte_t *slot;
    if (start < mapping->start || mapping_end(mapping) - start < span)
        return false;
    paddr_t frame = memory->base + (index_of(mapping, start) << PAGE_SHIFT);
    if ((frame & (span - 1)) != 0 ||
        !status_is_ok(pagetable_slot(aspace->root, aspace->object.budget, start, level, &slot)))
        return false;
    if (slot == NULL || arch_pte_is_present(pagetable_read(slot)))
        return false;
    memory_lock_acquire(memory->lock);
    entry_install(aspace, slot, start,
                  arch_pte_leaf(frame, mapping->prot, true, level, memory->device), level);
    memory_lock_release(memory->lock);
    return true;
}

/* The fault on a large entry is spurious: this CPU has kept that there was none. */
static void large_installed_already(const struct aspace *aspace, uint64_t address)
{
    if (arch_cpu_local()->aspace == aspace)
        arch_tlb_flush_page(address, true);
}

/* The present pages around @address, as far as the last-level table at hand and the mapping reach. */
static void around_install(struct mapping *mapping, uint64_t address, pte_t *slot)
    REQUIRES(aspace_lock, memory_lock)
{
    uint64_t start = MAX(address & ~((AROUND_PAGES << PAGE_SHIFT) - 1), mapping->start);
    uint64_t end = MIN((address | ((AROUND_PAGES << PAGE_SHIFT) - 1)) + 1, mapping_end(mapping));
    slot -= (address - start) >> PAGE_SHIFT;
    for (uint64_t at = start; at < end; at += PAGE_SIZE, slot++) {
        struct page page;
        if (!arch_pte_is_present(pagetable_read(slot)) &&
            memory_present(mapping->memory, index_of(mapping, at), &page))
            page_install(mapping, slot, at, &page);
    }
}

/* *@frame, unless NULL: of the page, or 0 if it is a device's. */
static status_t fault_in(struct mapping *mapping, struct thread *self, uint64_t address,
                         uint32_t access, paddr_t *frame) REQUIRES(aspace_lock)
{
    struct aspace *aspace = mapping->aspace;
    struct memory *memory = mapping->memory;
    uint64_t index = index_of(mapping, address);
    bool write = (access & MAP_WRITE) != 0, settled = is_settled(aspace);
    struct page page;
    pte_t *slot = NULL;
    if (frame != NULL)
        *frame = memory->device ? 0 : memory->base + (index << PAGE_SHIFT);
    if (settled && memory_is_linear(memory) && large_install(mapping, address))
        return STATUS_OK;
    if (settled) {
        status_t status = slot_find(aspace, address, &slot);
        if (!status_is_ok(status))
            return status;
        if (slot == NULL) {
            large_installed_already(aspace, address);
            return STATUS_OK;
        }
    }
    memory_lock_acquire(memory->lock);
    status_t status = memory_resolve(memory, self, index, write, &page);
    if (frame != NULL && status_is_ok(status) && !memory->device)
        *frame = page.frame;
    if (status_is_ok(status) && slot != NULL && memory_is_flushed(memory)) {
        if (!write) {
            pte_t old = pagetable_read(slot);
            /* It may have aged: what is read is not written yet. */
            page.writable &= !arch_pte_is_present(old) || (arch_pte_flags(old) & MAP_WRITE) != 0;
        }
        page_install(mapping, slot, address, &page);
        if (page.was_present && !write)
            around_install(mapping, address, slot);
    }
    memory_lock_release(memory->lock);
    return status;
}

status_t aspace_resolve(struct aspace *aspace, struct thread *self, uint64_t address,
                        uint32_t access, paddr_t *frame)
{
    address &= ~(PAGE_SIZE - 1);
    status_t status = STATUS_FAULT;
    aspace_lock_acquire(&aspace->lock);
    struct mapping *mapping = aspace_find(aspace, address);
    if (mapping != NULL && mapping->start <= address && (access & ~mapping->prot) == 0)
        status = fault_in(mapping, self, address, access, frame);
    aspace_lock_release(&aspace->lock);
    return status;
}

status_t aspace_fault(struct aspace *aspace, struct thread *self, uint64_t address, uint32_t access)
{
    return aspace_resolve(aspace, self, address, access, NULL);
}

void mapping_populate(struct mapping *mapping, uint64_t address, uint64_t pages)
{
    struct aspace *aspace = mapping->aspace;
    struct memory *memory = mapping->memory;
    uint64_t end = MIN(address + (pages << PAGE_SHIFT), mapping_end(mapping));
    if (mapping->prot == 0)
        return;
    for (; address < end && is_settled(aspace); address += PAGE_SIZE) {
        pte_t *slot;
        struct page page;
        if (memory_is_linear(memory) && large_install(mapping, address))
            continue;
        if (!status_is_ok(slot_find(aspace, address, &slot)))
            break;
        if (slot == NULL)
            continue;
        memory_lock_acquire(memory->lock);
        if (!arch_pte_is_present(pagetable_read(slot)) && memory_is_flushed(memory) &&
            memory_present(memory, index_of(mapping, address), &page))
            page_install(mapping, slot, address, &page);
        memory_lock_release(memory->lock);
    }
}
