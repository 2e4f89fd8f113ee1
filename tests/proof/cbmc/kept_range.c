/* What is taken while blocks are kept together (kernel/mm/phys.c): from any state of them, three pages of a block of four.
 * proves: what is left of a block that is kept is given back before anything fails, and only then; all pages stay free or kept but what is taken, and are counted
 * bounds: a zone of 8 pages, any of them free, up to 2 blocks of 2 pages kept, any part of each left; one operation
 * options: --unwind 9 --unwindset zones_take.0:4,kept_drop.0:3,kept_take.0:3,phys_keep.0:5,zone_find.0:3,phys_alloc_range.0:4,kept_pages.0:3
 * scaled: kernel/include/mm/phys.h :: s/PHYS_ORDER_MAX 18u/PHYS_ORDER_MAX 2u/ :: blocks of up to 4 pages
 * scaled: kernel/mm/phys.c :: s/ZONES_MAX 16u/ZONES_MAX 1u/; s/KEPT_MAX 8u/KEPT_MAX 2u/; s/ARCH_PT_ENTRIES/2u/; s/ARCH_PT_INDEX_BITS/1u/ :: one zone, two places for blocks that are kept, each of 2 pages
 * scaled: kernel/mm/phys.c :: s/^static bool zones_take_free\(/static bool of_bitmaps_take(/; s/^static void range_give\(/static void of_bitmaps_give(/ :: what is free is a set, of which any block that fits is taken
 * fault: kernel/mm/phys.c :: s/buddy_pages -= block->end - next;/;/ :: what is kept no more is counted twice
 * fault: kernel/mm/phys.c :: s/block->next = block->end;/;/ :: what is given back is kept all the same
 * fault: kernel/mm/phys.c :: s/range_give\(zone_find\(next\), next, block->end\)/range_give(zone_find(next), block->end - 2u, block->end)/ :: frames that were taken are given back with the rest of their block
 * fault: kernel/mm/phys.c :: s/if \(!kept_drop\(\)\)/if (true)/ :: it fails while a block is kept
 * fault: kernel/mm/phys.c :: s/while \(unlikely\(!zones_take_free/while (kept_drop() || unlikely(!zones_take_free/ :: what is kept is given up for what could be had without
 * fault: kernel/mm/phys.c :: s/range_give\(zone_find\(number\), number \+ pages,/range_give(zone_find(number), number,/ :: a range is taken and left free
 */
#include "kept.h"

/* @before was free, @kept_before kept. */
static void take_range(uint32_t before, uint32_t kept_before)
{
    const uint64_t pages = 3; /* of a block of 4 */
    bool right;
    paddr_t address, limit = (uint64_t)any_u8() << PAGE_SHIFT;
    bool had = has_block(before, 2, limit >> PAGE_SHIFT);
    bool taken = phys_alloc_range(pages, limit, &address);
    uint32_t now_kept = kept_pages(&right), after = free_set | now_kept;
    PROVE(right, "blocks are disjoint, inside and counted");
    PROVE((now_kept & ~kept_before) == 0, "no more is kept");
    PROVE(!had || now_kept == kept_before, "what is kept stays so if there is other memory");
    if (!taken) {
        PROVE(after == (before | kept_before) && now_kept == 0,
              "nothing is taken, nor kept any more");
        return;
    }
    uint64_t number = address >> PAGE_SHIFT;
    uint32_t mask = mask_of(number, pages);
    PROVE(((before | kept_before) & mask) == mask && after == ((before | kept_before) & ~mask),
          "it was free or kept, and is taken");
    PROVE(number + pages <= limit >> PAGE_SHIFT, "below the limit");
    PROVE(frames[number - zone->first].word == 1, "with one reference");
}

int main(void)
{
    uint32_t kept_before = state_make(), before = free_set;
    take_range(before, kept_before);
    PROVE(proof_held == 0, "no lock is kept");
    return 0;
}
