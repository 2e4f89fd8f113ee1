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

/** What pagetable_restrict does to the leaves it finds. */
enum pagetable_change {
    PAGETABLE_REMOVE,
    PAGETABLE_UNMAP, /* remove; what no CPU has used and so none keeps counts as not restricted */
    PAGETABLE_WRITE_PROTECT
};

/** The entry that translates @address, or 0; *@level: where it stands. */
pte_t pagetable_lookup(paddr_t root, uint64_t address, unsigned *level);
/** The slot of @level for @address, tables made on the way, each charged to @budget as a page. *@slot is NULL when a larger leaf is in
 *  the way. NO_MEMORY: what tables were made stay (they hold nothing). */
__attribute__((warn_unused_result)) status_t pagetable_slot(paddr_t root, struct budget *budget,
                                                            uint64_t address, unsigned level,
                                                            pte_t **slot) REQUIRES(aspace_lock);
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
/** The same in one @table of @level, to its end or to an entry that leads to another one; *@start may come to lie behind @end. */
bool pagetable_restrict_table(pte_t *table, unsigned level, uint64_t *start, uint64_t end,
                              enum pagetable_change change, uint32_t *effort, uint64_t *removed)
    REQUIRES(memory_lock);
/** [@start, @end) was unmapped, and nothing is mapped in [@low, @high) around it: free (after a grace period) the tables that
 *  something of the former is in and whose span lies in the latter. True if there were any: CPUs may keep entries that lead to them, which
 *  the caller sees to before this CPU leaves the kernel. */
__attribute__((warn_unused_result)) bool pagetable_prune(paddr_t root, uint64_t start, uint64_t end,
                                                         uint64_t low, uint64_t high)
    REQUIRES(aspace_lock);
/** Free about @effort tables at once; nobody has them loaded. True when only the root is left. */
__attribute__((warn_unused_result)) bool pagetable_destroy_step(paddr_t root, uint32_t effort);
/** A table: charged, zeroed. */
__attribute__((warn_unused_result)) status_t pagetable_create(struct budget *budget,
                                                              paddr_t *table);
/** Give back the root (at once). */
void pagetable_free(paddr_t table);
/** Pages in use as user page tables, in the whole system. */
uint64_t pagetable_pages(void);
