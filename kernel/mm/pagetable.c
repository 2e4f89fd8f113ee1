/* See pagetable.h. */
#include "pagetable.h"

#include "budget.h"
#include "kstring.h"
#include "mm/aspace.h"
#include "mm/phys.h"

static uint64_t table_count; /* atomic */

uint64_t pagetable_pages(void)
{
    return __atomic_load_n(&table_count, __ATOMIC_RELAXED);
}

static inline pte_t *table_of(paddr_t table)
{
    return phys_to_virt(table);
}

/* Entries of the root that are the user's. */
static inline unsigned entries_of(unsigned level)
{
    return level == ARCH_PT_LEVELS - 1 ? ARCH_PT_USER_ROOT_ENTRIES : ARCH_PT_ENTRIES;
}

status_t pagetable_create(struct budget *budget, paddr_t *table)
{
    status_t status = frame_create(budget, table);
    if (!status_is_ok(status))
        return status;
    frame_zero(*table);
    __atomic_fetch_add(&table_count, 1, __ATOMIC_RELAXED);
    return STATUS_OK;
}

void pagetable_free(paddr_t table)
{
    __atomic_fetch_sub(&table_count, 1, __ATOMIC_RELAXED);
    frame_put_now(table);
}

static inline __attribute__((always_inline)) pte_t walk(paddr_t root, uint64_t address,
                                                        unsigned *level)
{
    paddr_t table = root;
    for (unsigned l = ARCH_PT_LEVELS - 1;; l--) {
        pte_t entry = pagetable_read(&table_of(table)[arch_pt_index(address, l)]);
        if (!arch_pte_is_present(entry))
            return 0;
        if (arch_pte_is_leaf(entry, l)) {
            *level = l;
            return entry;
        }
        table = arch_pte_address(entry);
    }
}

pte_t pagetable_lookup(paddr_t root, uint64_t address, unsigned *level)
{
    return walk(root, address, level);
}

COLD pte_t pagetable_peek(paddr_t root, uint64_t address, unsigned *level)
{
    return walk(root, address, level);
}

status_t pagetable_slot(paddr_t root, struct budget *budget, uint64_t address, unsigned level,
                        pte_t **slot)
{
    paddr_t table = root;
    for (unsigned l = ARCH_PT_LEVELS - 1; l > level; l--) {
        pte_t *at = &table_of(table)[arch_pt_index(address, l)];
        pte_t entry = pagetable_read(at);
        if (!arch_pte_is_present(entry)) {
            paddr_t made;
            status_t status = pagetable_create(budget, &made);
            if (!status_is_ok(status))
                return status;
            entry = arch_pte_table(made, true);
            pagetable_write(at, entry);
        } else if (arch_pte_is_leaf(entry, l)) {
            *slot = NULL;
            return STATUS_OK;
        }
        table = arch_pte_address(entry);
    }
    *slot = &table_of(table)[arch_pt_index(address, level)];
    return STATUS_OK;
}

/* Restrict the leaf at @at; true if it allowed more before. */
static bool leaf_restrict(pte_t *at, pte_t entry, unsigned level, enum pagetable_change change,
                          uint64_t *removed)
{
    if (change == PAGETABLE_REMOVE) {
        pagetable_write(at, 0);
        frames_unmapped(arch_pte_address(entry), arch_pt_span(level) >> PAGE_SHIFT);
        *removed += arch_pt_span(level) >> PAGE_SHIFT;
        return true;
    }
    pte_t less = arch_pte_write_protect(entry);
    if (less == entry)
        return false;
    pagetable_write(at, less);
    frames_unmapped(arch_pte_address(entry), arch_pt_span(level) >> PAGE_SHIFT);
    return true;
}

bool pagetable_unmap(pte_t *slot, uint64_t pages, uint64_t *removed)
{
    bool kept = false;
    for (; pages > 0; pages--, slot++) {
        if (!arch_pte_is_present(pagetable_read(slot)))
            continue;
        /* The CPU marks an entry, if it does, before it keeps it, and only one that is there. */
        pte_t entry = __atomic_exchange_n(slot, 0, __ATOMIC_ACQ_REL);
        kept |= arch_pte_is_accessed(entry);
        frames_unmapped(arch_pte_address(entry), 1);
        ++*removed;
    }
    return kept;
}

bool pagetable_restrict(paddr_t root, uint64_t *start, uint64_t end, enum pagetable_change change,
                        uint32_t effort, uint64_t *removed)
{
    bool changed = false;
    uint64_t address = *start;
    while (address < end && effort > 0) {
        pte_t *table = table_of(root);
        unsigned level = ARCH_PT_LEVELS - 1;
        pte_t entry;
        /* Down to a leaf, a last-level table, or nothing. */
        while (arch_pte_is_present(entry = pagetable_read(&table[arch_pt_index(address, level)])) &&
               level > 0 && !arch_pte_is_leaf(entry, level)) {
            table = table_of(arch_pte_address(entry));
            level--;
        }
        /* Along this table to its end. */
        unsigned i = arch_pt_index(address, level);
        uint64_t span = arch_pt_span(level);
        address &= ~(span - 1);
        if (level == 0 && change == PAGETABLE_REMOVE && address < end) {
            uint64_t pages = MIN(MIN(ARCH_PT_ENTRIES - i, effort), (end - address) >> PAGE_SHIFT);
            uint64_t before = *removed;
            (void)pagetable_unmap(&table[i], pages, removed);
            changed |= *removed != before;
            address += pages << PAGE_SHIFT;
            effort -= (uint32_t)pages;
            continue;
        }
        for (; i < ARCH_PT_ENTRIES && address < end && effort > 0; i++, address += span, effort--) {
            entry = pagetable_read(&table[i]);
            if (!arch_pte_is_present(entry))
                continue;
            if (!arch_pte_is_leaf(entry, level))
                break;
            changed |= leaf_restrict(&table[i], entry, level, change, removed);
        }
    }
    *start = MIN(address, end);
    return changed;
}

static void leaves_age(pte_t *slot, uint64_t pages, struct page_use *use)
{
    for (uint64_t bit = 1; pages > 0; pages--, slot++, bit <<= 1) {
        pte_t entry = pagetable_read(slot);
        if (!arch_pte_is_present(entry))
            continue;
        /* The CPU may mark it meanwhile: that counts, if it comes before. */
        while (!__atomic_compare_exchange_n(slot, &entry, arch_pte_age(entry), false,
                                            __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            continue;
        use->present |= bit;
        if (arch_pte_is_accessed(entry))
            use->accessed |= bit;
        if ((arch_pte_flags(entry) & MAP_WRITE) != 0)
            use->written |= bit;
    }
}

void pagetable_age(paddr_t root, uint64_t *start, uint64_t end, uint32_t effort,
                   struct page_use *use)
{
    while (*start < end && effort-- > 0) {
        pte_t *slot = &table_of(root)[arch_pt_index(*start, ARCH_PT_LEVELS - 1)], entry;
        unsigned level = ARCH_PT_LEVELS - 1;
        while (arch_pte_is_present(entry = pagetable_read(slot)) &&
               !arch_pte_is_leaf(entry, level)) {
            level--;
            slot = &table_of(arch_pte_address(entry))[arch_pt_index(*start, level)];
        }
        if (arch_pte_is_present(entry)) {
            uint64_t pages = MIN((end - *start) >> PAGE_SHIFT,
                                 (uint64_t)(ARCH_PT_ENTRIES - arch_pt_index(*start, 0)));
            leaves_age(slot, level != 0 ? 1 : MIN(pages, PAGE_USE_PAGES), use);
            *start |= level != 0 ? PAGE_USE_LARGE : 0;
            return;
        }
        *start = MIN((*start | (arch_pt_span(level) - 1)) + 1, end);
    }
}

/* A table that other CPUs may still walk: freed after a grace period. Its bytes stay as they are meanwhile. */
static void table_retire(paddr_t table)
{
    __atomic_fetch_sub(&table_count, 1, __ATOMIC_RELAXED);
    frame_put(table);
}

/* Free the tables below @table (of @level, covering from @base) that something of [start, end) is in and that hold nothing; true if
 * there were any. */
static COLD bool prune_table(paddr_t table, unsigned level, uint64_t base,
                             const struct pagetable_prune *prune)
{
    bool pruned = false;
    uint64_t span = arch_pt_span(level);
    uint64_t from = base + (prune->start <= base ? 0 : (prune->start - base) & ~(span - 1));
    for (; from - base < span * entries_of(level) && from < prune->end; from += span) {
        pte_t *at = &table_of(table)[arch_pt_index(from, level)];
        pte_t entry = pagetable_read(at);
        if (!arch_pte_is_present(entry) || arch_pte_is_leaf(entry, level))
            continue;
        if (level > 1)
            pruned |= prune_table(arch_pte_address(entry), level - 1, from, prune);
        if (from >= prune->low && from + span <= prune->high) {
            pagetable_write(at, 0);
            frames_unmapped(arch_pte_address(entry), 1);
            table_retire(arch_pte_address(entry));
            pruned = true;
        }
    }
    return pruned;
}

bool pagetable_prune_tables(paddr_t root, const struct pagetable_prune *prune)
{
    return prune_table(root, ARCH_PT_LEVELS - 1, 0, prune);
}

/** How many tables are freed in the time that one is looked through. */
#define LOOK_EFFORT 3u

/* Free the tables below @table; true when all are gone. To look through a table is work too, but does not take the last of the effort. */
static COLD bool destroy_below(paddr_t table, unsigned level, uint32_t *effort)
{
    *effort -= MIN(*effort - 1, LOOK_EFFORT);
    for (unsigned i = 0; i < entries_of(level); i++) {
        pte_t *at = &table_of(table)[i];
        if (i % 4 == 0 && (at[0] | at[1] | at[2] | at[3]) == 0) {
            i += 3;
            continue;
        }
        if (!arch_pte_is_present(*at) || arch_pte_is_leaf(*at, level))
            continue;
        paddr_t child = arch_pte_address(*at);
        if (level > 1 && !destroy_below(child, level - 1, effort))
            return false;
        *at = 0;
        pagetable_free(child);
        if (--*effort == 0)
            return false;
    }
    return true;
}

bool pagetable_destroy_step(paddr_t root, uint32_t effort)
{
    return destroy_below(root, ARCH_PT_LEVELS - 1, &effort);
}
