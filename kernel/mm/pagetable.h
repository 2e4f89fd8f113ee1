#pragma once
/* The one walker of user page tables; entry formats come from arch_pt.h.
 *
 * Tables are added and taken away under aspace_lock, and exist only where a mapping is. Leaf entries inside a mapping change under
 * the lock of its Memory. Entries are written whole; who reads without a lock sees an old or a new entry, and tables and frames
 * stay readable until the kernel is left. */
#include "arch_pt.h"
#include "kernel.h"
#include "lock_order.h"

struct budget;
struct page_use;

/** What pagetable_restrict does to the leaves it finds. */
enum pagetable_change { PAGETABLE_REMOVE, PAGETABLE_WRITE_PROTECT };

/** The entry that translates @address, or 0; *@level: where it stands. */
pte_t pagetable_lookup(paddr_t root, uint64_t address, unsigned *level);
/** The same, of who asks seldom: the other is made a part of its only caller. */
pte_t pagetable_peek(paddr_t root, uint64_t address, unsigned *level);
/** The slot of @level for @address, tables made on the way, each charged to @budget as a page. *@slot is NULL when a larger leaf is in
 *  the way. NO_MEMORY: what tables were made stay (they hold nothing). */
MUST_CHECK status_t pagetable_slot(paddr_t root, struct budget *budget, uint64_t address,
                                   unsigned level, pte_t **slot) REQUIRES(aspace_lock);
static inline pte_t pagetable_read(const pte_t *slot)
{
    return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}
static inline void pagetable_write(pte_t *slot, pte_t entry)
{
    __atomic_store_n(slot, entry, __ATOMIC_RELEASE);
}
/** Remove or write-protect the leaves in [*@start, @end); a large leaf that reaches out of it goes as a whole. Looks at about @effort
 *  entries, then stops: *@start tells where to go on (@end: finished). *@removed grows by the pages removed; true if any
 *  translation was restricted. */
bool pagetable_restrict(paddr_t root, uint64_t *start, uint64_t end, enum pagetable_change change,
                        uint32_t effort, uint64_t *removed) REQUIRES(memory_lock);
/** Remove the leaves from @slot on of @pages pages, all in one last-level table. *@removed grows by their number; true if a CPU may have kept
 *  any (Intel SDM vol. 3, 4.10.2.3: none whose entry it has not marked as accessed). */
bool pagetable_unmap(pte_t *slot, uint64_t pages, uint64_t *removed) REQUIRES(memory_lock);

/** The first PAGE_USE_PAGES of [*@start, end), at most, from a page on that is there, which *@start becomes: what they were used for, added to *@use;
 *  they are no longer accessed nor writable. Looks at about @effort entries: without any page *@start tells where to go on (@end: there is
 *  none). The caller invalidates, before it unlocks, if there were any bits of these kinds. What a large leaf maps from *@start on, which gets
 *  PAGE_USE_LARGE, is told in bit 0. */
void pagetable_age(paddr_t root, uint64_t *start, uint64_t end, uint32_t effort,
                   struct page_use *use) REQUIRES(memory_lock);

/** What pagetable_prune() is told. */
struct pagetable_prune {
    uint64_t start, end; /* what was unmapped */
    uint64_t low, high;  /* nothing is mapped here */
};
bool pagetable_prune_tables(paddr_t root, const struct pagetable_prune *prune)
    REQUIRES(aspace_lock);
/** Free (after a grace period) the tables that something unmapped is in and in whose span nothing is mapped. True if there were any: CPUs
 *  may keep entries that lead to them, which the caller sees to before this CPU leaves the kernel. */
MUST_CHECK static inline bool pagetable_prune(paddr_t root, const struct pagetable_prune *prune)
    REQUIRES(aspace_lock)
{
    uint64_t mask = arch_pt_span(1) - 1;
    bool is_whole = MAX(prune->start & ~mask, (prune->low + mask) & ~mask) <
                    MIN((prune->end + mask) & ~mask, prune->high & ~mask);
    return unlikely(is_whole) && pagetable_prune_tables(root, prune);
}
/** Free at most @effort (not 0) tables at once, one at least if there is one, the fewer the more must be looked through; nobody has them loaded. True when only the root is left. */
MUST_CHECK bool pagetable_destroy_step(paddr_t root, uint32_t effort);
/** A table: charged, zeroed. */
MUST_CHECK status_t pagetable_create(struct budget *budget, paddr_t *table);
/** Give back the root (at once). */
void pagetable_free(paddr_t table);
/** Pages in use as user page tables, in the whole system. */
uint64_t pagetable_pages(void);
