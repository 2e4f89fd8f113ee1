/* Unmapping pages of one table (kernel/mm/pagetable.c): any entries, any run of them.
 * proves: the leaves of the run go, each counted, and no other; it is said whether a CPU may keep any; no access outside of the table
 * bounds: a table of 8 entries instead of 512, any of them there, any run
 * options: --unwind 10 --unsigned-overflow-check
 * scaled: kernel/include/mm/pt512.h :: s/ARCH_PT_INDEX_BITS 9u/ARCH_PT_INDEX_BITS 3u/ :: tables of 8 entries
 * fault: kernel/mm/pagetable.c :: s/for \(; pages > 0; pages--, slot\+\+\)/for (; pages + 1 > 0; pages--, slot++)/ :: one page more
 * fault: kernel/mm/pagetable.c :: s/^        \+\+\*removed;/        *removed = 1;/ :: pages are not counted
 * fault: kernel/mm/pagetable.c :: s/^        frames_unmapped\(arch_pte_address\(entry\), 1\);/        (void)entry;/ :: nobody is told
 * fault: kernel/mm/pagetable.c :: s/kept \|= arch_pte_is_accessed/kept = arch_pte_is_accessed/ :: only the last page is thought of
 * fault: kernel/mm/pagetable.c :: s/__atomic_exchange_n\(slot, 0, __ATOMIC_ACQ_REL\)/__atomic_load_n(slot, __ATOMIC_ACQUIRE)/ :: the leaves stay
 */
#include "kernel.h"

#include "kernel/mm/pagetable.c"

uint8_t *host_ram;
static pte_t table[ARCH_PT_ENTRIES], before[ARCH_PT_ENTRIES];
static uint64_t told;

void frames_unmapped(paddr_t frame, uint64_t pages)
{
    (void)frame;
    told += pages;
}

int main(void)
{
    uint32_t first = any_below(ARCH_PT_ENTRIES), pages = any_below(ARCH_PT_ENTRIES + 1), there = 0;
    uint64_t removed = 0;
    bool accessed = false;
    ASSUME(pages <= ARCH_PT_ENTRIES - first);
    for (uint32_t i = 0; i < ARCH_PT_ENTRIES; i++) {
        table[i] = before[i] = any_u64();
        if (i < first || i - first >= pages || !arch_pte_is_present(before[i]))
            continue;
        there++;
        accessed |= arch_pte_is_accessed(before[i]);
    }
    bool kept = pagetable_unmap(&table[first], pages, &removed);
    PROVE(removed == there && told == there, "each is counted, and told to who gives frames out");
    PROVE(kept == accessed, "and it is said whether a CPU may keep any");
    for (uint32_t i = 0; i < ARCH_PT_ENTRIES; i++) {
        bool goes = i >= first && i - first < pages;
        PROVE(goes ? !arch_pte_is_present(table[i]) : table[i] == before[i], "those and no other");
    }
    return 0;
}
