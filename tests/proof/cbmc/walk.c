/* The walker of page tables (kernel/mm/pagetable.c): from empty tables, a leaf put in at any address, and looked for.
 * proves: a leaf translates its own addresses and no other; a table is made where one is needed, paid for, counted and empty at first; nothing small is put into what is large; no access outside of a table
 * bounds: tables of 4 entries instead of 512, 4 levels, the root's lower half the user's; one leaf of either size at any address; a table cannot be had at any call
 * options: --unwind 6
 * scaled: kernel/include/mm/pt512.h :: s/ARCH_PT_INDEX_BITS 9u/ARCH_PT_INDEX_BITS 2u/ :: tables of 4 entries
 * scaled: kernel/arch/host/include/arch_pt.h :: s/ARCH_PT_USER_ROOT_ENTRIES 256u/ARCH_PT_USER_ROOT_ENTRIES 2u/ :: 2 of the root's entries are the user's
 * scaled: kernel/mm/pagetable.c :: s/return phys_to_virt\(table\);/return table_by_address(table);/ :: an address is made a pointer by comparing it with all tables
 * fault: kernel/mm/pagetable.c :: s/^        if \(arch_pte_is_leaf\(entry, l\)\) \{/        if (l == 0) {/ :: a large leaf is taken for a table
 * fault: kernel/mm/pagetable.c :: s/^    \*slot = \&table_of\(table\)\[arch_pt_index\(address, level\)\];/    *slot = \&table_of(table)[arch_pt_index(address, 0)];/ :: a large leaf stands where a small one would
 * fault: kernel/mm/pagetable.c :: s/^    frame_zero\(\*table\);/    ;/ :: a new table has old entries
 * fault: kernel/mm/pagetable.c :: s/^            \*slot = NULL;/            ;/ :: a small leaf is put into a large one
 * fault: kernel/mm/pagetable.c :: s/^    __atomic_fetch_add\(\&table_count, 1, __ATOMIC_RELAXED\);/    ;/ :: tables are not counted
 * fault: kernel/mm/pagetable.c :: s/^            pagetable_write\(at, entry\);/            ;/ :: a table that was made is not found
 * fault: kernel/mm/pagetable.c :: s/if \(!arch_pte_is_present\(entry\)\)$/if (false)/ :: what is not there is followed
 */
#include "walk.h"

static void walk_any(unsigned level)
{
    unsigned found = 0;
    uint64_t address = page(any_u64()), other = any_u64();
    pte_t *slot = NULL;
    ASSUME(address < USER_END && other < USER_END);
    pte_t entry = arch_pte_leaf(FRAME, any_below(8), true, level, any_bool());
    if (pagetable_slot(ROOT, &budget, address, level, &slot) == STATUS_OK) {
        PROVE(slot != NULL && *slot == 0, "an empty place");
        PROVE(made == ARCH_PT_LEVELS - 1 - level, "tables for all levels above");
        pagetable_write(slot, entry);
        bool covered = address / arch_pt_span(level) == other / arch_pt_span(level);
        pte_t seen = pagetable_lookup(ROOT, other, &found);
        PROVE(seen == (covered ? entry : 0), "it translates its addresses and no other");
        PROVE(!covered || found == level, "where it stands");
        pte_t *again = root;
        PROVE(pagetable_slot(ROOT, &budget, address, 0, &again) == STATUS_OK &&
                  again == (level == 0 ? slot : NULL),
              "its place is found again, if no large leaf is in the way");
    }
    PROVE(pagetable_pages() == made && freed == 0, "tables are counted");
}

int main(void)
{
    tables_dirty();
    if (any_bool())
        walk_any(0);
    else
        walk_any(1);
    return 0;
}
