/* Page faults: from an address to a translation.
 *
 * The mapping says which page of which Memory, the Memory says which frame, and the entry is written under both locks. A page that
 * others share is installed without the right to write, so that the first write faults and copies.
 * A large entry maps 2 MiB that are one mapping's, if their frames are one run, aligned: of Memory that is one run of physical addresses, or of anonymous
 * Memory whose pages are all there and nobody else's (frame_wanted() sees that they are one run). Only page tables know of it: whatever takes a page
 * away, or write-protects it, does that to the large entry, and the next fault finds entries of pages, or a large one, again. So a table whose
 * pages have become such a run is dropped (mapping_clear), when its last ones are installed.
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
#define AROUND_BYTES (AROUND_PAGES << PAGE_SHIFT)
#define LARGE_LEVEL ARCH_PT_LEAF_LEVEL_MAX
#define LARGE_BYTES arch_pt_span(LARGE_LEVEL)

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

/* Is all that a large entry for @address would map @mapping's? */
static inline bool is_in_large(const struct mapping *mapping, uint64_t address)
{
    uint64_t start = address & ~(LARGE_BYTES - 1);
    return start >= mapping->start && mapping_end(mapping) - start >= LARGE_BYTES;
}

/* The frame of the large entry that could map @start, 0 if none can: all pages are there, one after the other, and nobody shares one that
 * may be written. */
static COLD paddr_t large_frame(const struct mapping *mapping, uint64_t start) REQUIRES(memory_lock)
{
    const struct memory *memory = mapping->memory;
    const uint64_t pages = LARGE_BYTES >> PAGE_SHIFT;
    uint64_t index = index_of(mapping, start);
    paddr_t frame = 0;
    if (!is_in_large(mapping, start))
        return 0;
    if (memory_is_linear(memory))
        frame = memory->base + (index << PAGE_SHIFT);
    else if (memory->kind == MEMORY_KIND_ANONYMOUS && (mapping->prot & MAP_EXECUTE) == 0 &&
             index + pages <= memory->pages)
        frame = radix_run(&memory->tree, memory->first + index, pages,
                          (mapping->prot & MAP_WRITE) != 0);
    return (frame & (LARGE_BYTES - 1)) == 0 ? frame : 0;
}

/* An access at @address, where no table of the last level is known: true if a large entry is there, or could be; *@frame is the one of @address.
 * Of one that does not allow @access, and cannot, nothing is left: *@frame is 0. */
static COLD bool large_fault(struct mapping *mapping, uint64_t address, uint32_t access,
                             paddr_t *frame) REQUIRES(aspace_lock)
{
    struct aspace *aspace = mapping->aspace;
    struct memory *memory = mapping->memory;
    const struct cpu *cpu = arch_cpu_local();
    uint64_t start = address & ~(LARGE_BYTES - 1);
    pte_t *slot;
    if (!status_is_ok(
            pagetable_slot(aspace->root, aspace->object.budget, start, LARGE_LEVEL, &slot)))
        return false;
    memory_lock_acquire(memory->lock);
    pte_t old = pagetable_read(slot), entry = old;
    bool is_present = arch_pte_is_present(old);
    bool is_large = !is_present || arch_pte_is_leaf(old, LARGE_LEVEL);
    paddr_t base = arch_pte_address(old);
    if (is_large && (!is_present || (access & ~arch_pte_flags(old)) != 0)) {
        base = large_frame(mapping, start);
        entry = arch_pte_leaf(base, mapping->prot, true, LARGE_LEVEL, memory->device);
        if (base == 0 && is_present)
            mapping_clear(mapping, address);
        is_large = is_present || base != 0;
    }
    /* This CPU itself may have kept others, of another size. */
    bool is_current = cpu->aspace != aspace || aspace_is_current(aspace, cpu);
    if (is_large && base != 0 && is_current && memory_is_flushed(memory))
        entry_install(aspace, slot, address, entry, LARGE_LEVEL);
    *frame = is_large && base != 0 ? base + (address - start) : 0;
    memory_lock_release(memory->lock);
    return is_large;
}

/* The table at hand: most that is needed is in the same one. */
static inline bool is_at_hand(const struct aspace *aspace, uint64_t address) REQUIRES(aspace_lock)
{
    return (address & ~(arch_pt_span(1) - 1)) == aspace->table_address;
}

/* Where it is not: the place of the entry of @address in a table of the last level, which is from now on. NULL: there is a large entry, as in
 * large_fault(). */
static status_t slot_find(struct mapping *mapping, uint64_t address, uint32_t access, pte_t **slot,
                          paddr_t *large) REQUIRES(aspace_lock)
{
    struct aspace *aspace = mapping->aspace;
    *slot = NULL;
    if (is_in_large(mapping, address) && large_fault(mapping, address, access, large))
        return STATUS_OK;
    status_t status = pagetable_slot(aspace->root, aspace->object.budget, address, 0, slot);
    if (!status_is_ok(status))
        return status;
    if (*slot == NULL) {
        (void)large_fault(mapping, address, access, large);
        return STATUS_OK;
    }
    aspace->table = *slot - arch_pt_index(address, 0);
    aspace->table_address = address & ~(arch_pt_span(1) - 1);
    return STATUS_OK;
}

/* Have the pages of the table that @slot is in become what one large entry maps, as large_frame() will find? A translation that allows writing is of
 * a page that nobody shares. */
static COLD bool is_run(const struct mapping *mapping, uint64_t address, const pte_t *slot)
    REQUIRES(memory_lock)
{
    const struct memory *memory = mapping->memory;
    const pte_t *table = slot - arch_pt_index(address, 0);
    paddr_t frame = arch_pte_address(pagetable_read(&table[ARCH_PT_ENTRIES - 1])) + PAGE_SIZE;
    if (!is_in_large(mapping, address) || (frame & (LARGE_BYTES - 1)) != 0 ||
        !(memory_is_linear(memory) ||
          (memory->kind == MEMORY_KIND_ANONYMOUS && (mapping->prot & MAP_EXECUTE) == 0)))
        return false;
    bool is_written = (mapping->prot & MAP_WRITE) != 0;
    for (unsigned i = ARCH_PT_ENTRIES; i-- > 0;) {
        pte_t entry = pagetable_read(&table[i]);
        frame -= PAGE_SIZE;
        if (!arch_pte_is_present(entry) || arch_pte_address(entry) != frame ||
            (is_written && arch_pte_write_protect(entry) == entry))
            return false;
    }
    return true;
}

/* The present pages around @address, as far as the last-level table at hand and the mapping reach. */
static void around_install(struct mapping *mapping, uint64_t address, pte_t *slot)
    REQUIRES(aspace_lock, memory_lock)
{
    uint64_t start = MAX(address & ~(AROUND_BYTES - 1), mapping->start);
    uint64_t end = MIN((address | (AROUND_BYTES - 1)) + 1, mapping_end(mapping));
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
    bool write = (access & MAP_WRITE) != 0;
    struct page page;
    pte_t *slot = NULL;
    if (is_settled(aspace) && likely(is_at_hand(aspace, address))) {
        slot = &aspace->table[arch_pt_index(address, 0)];
    } else if (is_settled(aspace)) {
        paddr_t large = 0;
        pte_t *found;
        status_t status = slot_find(mapping, address, access, &found, &large);
        if (!status_is_ok(status) || large != 0) {
            if (frame != NULL)
                *frame = memory->device ? 0 : large;
            return status;
        }
        slot = found;
    }
    memory_lock_acquire(memory->lock);
    status_t status = memory_resolve(memory, self, index, write, &page);
    if (frame != NULL && status_is_ok(status))
        *frame = memory->device ? 0 : page.frame;
    if (status_is_ok(status) && slot != NULL && memory_is_flushed(memory)) {
        if (!write) {
            pte_t old = pagetable_read(slot);
            /* It may have aged: what is read is not written yet. */
            page.writable &= !arch_pte_is_present(old) || (arch_pte_flags(old) & MAP_WRITE) != 0;
        }
        page_install(mapping, slot, address, &page);
        if (page.was_present && !write)
            around_install(mapping, address, slot);
        if (unlikely((~address & (LARGE_BYTES - AROUND_BYTES)) == 0) && /* the last window */
            unlikely(is_run(mapping, address, slot)))
            mapping_clear(mapping, address);
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

COLD void mapping_populate(struct mapping *mapping, uint64_t address, uint64_t pages)
{
    struct aspace *aspace = mapping->aspace;
    struct memory *memory = mapping->memory;
    uint64_t end = MIN(address + (pages << PAGE_SHIFT), mapping_end(mapping));
    if (mapping->prot == 0)
        return;
    for (; address < end && is_settled(aspace); address += PAGE_SIZE) {
        pte_t *slot;
        struct page page;
        paddr_t large;
        if (is_at_hand(aspace, address))
            slot = &aspace->table[arch_pt_index(address, 0)];
        else if (!status_is_ok(slot_find(mapping, address, 0, &slot, &large)))
            break;
        if (slot == NULL) {
            address |= LARGE_BYTES - PAGE_SIZE;
            continue;
        }
        memory_lock_acquire(memory->lock);
        if (!arch_pte_is_present(pagetable_read(slot)) && memory_is_flushed(memory) &&
            memory_present(memory, index_of(mapping, address), &page))
            page_install(mapping, slot, address, &page);
        memory_lock_release(memory->lock);
    }
}
