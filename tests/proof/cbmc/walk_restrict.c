/* Restricting what is mapped (kernel/mm/pagetable.c): from tables with one leaf, a range of pages removed or write-protected.
 * proves: what is restricted allows no more and keeps its frame, a large leaf as a whole, the rest stays; what was removed is counted, and it is said whether anything changed
 * bounds: tables of 4 entries instead of 512, 4 levels, the root's lower half the user's; one leaf of either size at any address; a range of one page
 * options: --unwind 6 --unwindset pagetable_restrict.0:5,pagetable_restrict.1:3,pagetable_restrict.2:3
 * scaled: kernel/include/mm/pt512.h :: s/ARCH_PT_INDEX_BITS 9u/ARCH_PT_INDEX_BITS 2u/ :: tables of 4 entries
 * scaled: kernel/arch/host/include/arch_pt.h :: s/ARCH_PT_USER_ROOT_ENTRIES 256u/ARCH_PT_USER_ROOT_ENTRIES 2u/ :: 2 of the root's entries are the user's
 * scaled: kernel/mm/pagetable.c :: s/return phys_to_virt\(table\);/return table_by_address(table);/ :: an address is made a pointer by comparing it with all tables
 * fault: kernel/mm/pagetable.c :: s/arch_pte_write_protect\(entry\)/entry/ :: what is write-protected may be written
 * fault: kernel/mm/pagetable.c :: s/\*removed \+= arch_pt_span\(level\) >> PAGE_SHIFT;/*removed += 1;/ :: a large leaf counts as a page
 * fault: kernel/mm/pagetable.c :: s/if \(change == PAGETABLE_REMOVE\)/if (true)/ :: what is to be write-protected goes
 * fault: kernel/mm/pagetable.c :: s/arch_pte_write_protect\(entry\)/arch_pte_write_protect(entry ^ PAGE_SIZE)/ :: another frame takes its place
 */
#include "walk.h"

static void restrict_any(uint64_t address, unsigned level, pte_t entry, bool remove)
{
    unsigned found = 0;
    uint64_t start = page(any_u64()), end = page(any_u64()), removed = 0;
    uint64_t base = address & ~(arch_pt_span(level) - 1);
    ASSUME(start < end && end <= USER_END && end - start == PAGE_SIZE);
    bool touched = start < base + arch_pt_span(level) && base < end;
    bool changed =
        pagetable_restrict(ROOT, &start, end, remove ? PAGETABLE_REMOVE : PAGETABLE_WRITE_PROTECT,
                           UINT32_MAX, &removed);
    pte_t now = pagetable_lookup(ROOT, address, &found);
    PROVE(start == end, "it comes to the end");
    PROVE(touched || (now == entry && !changed && removed == 0), "what is not meant stays");
    PROVE(!touched || !remove || (now == 0 && removed == arch_pt_span(level) >> PAGE_SHIFT),
          "what is meant goes");
    PROVE(!touched || remove ||
              (arch_pte_flags(now) == (arch_pte_flags(entry) & ~MAP_WRITE) &&
               arch_pte_address(now) == arch_pte_address(entry) && found == level && removed == 0),
          "or is not written");
    PROVE(changed == (touched && (remove || (arch_pte_flags(entry) & MAP_WRITE) != 0)),
          "it says whether a translation was restricted");
}

static void walk_any(unsigned level)
{
    uint64_t address = page(any_u64());
    pte_t *slot = NULL;
    ASSUME(address < USER_END);
    pte_t entry = arch_pte_leaf(FRAME, any_below(8), true, level, any_bool());
    if (pagetable_slot(ROOT, &budget, address, level, &slot) != STATUS_OK)
        return;
    pagetable_write(slot, entry);
    restrict_any(address, level, entry, any_bool());
}

int main(void)
{
    if (any_bool())
        walk_any(0);
    else
        walk_any(1);
    return 0;
}
