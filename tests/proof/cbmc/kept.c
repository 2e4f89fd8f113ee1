/* Blocks that are kept together (kernel/mm/phys.c): from any state of them, one more is kept, or one frame taken. See kept_range.c; the caches of CPUs,
 * and which block is given up first, are not covered.
 * proves: a block that is kept was free, and its frames are taken in turn, each once; all pages stay free or kept but what is taken, and are counted
 * bounds: a zone of 8 pages, any of them free, up to 2 blocks of 2 pages kept, any part of each left; one operation
 * options: --unwind 9 --unwindset zones_take.0:4,kept_drop.0:3,kept_take.0:3,phys_keep.0:5,zone_find.0:3,phys_alloc_range.0:4,kept_pages.0:3,take_kept.0:3
 * scaled: kernel/include/mm/phys.h :: s/PHYS_ORDER_MAX 18u/PHYS_ORDER_MAX 2u/ :: blocks of up to 4 pages
 * scaled: kernel/mm/phys.c :: s/ZONES_MAX 16u/ZONES_MAX 1u/; s/KEPT_MAX 8u/KEPT_MAX 2u/; s/ARCH_PT_ENTRIES/2u/; s/ARCH_PT_INDEX_BITS/1u/ :: one zone, two places for blocks that are kept, each of 2 pages
 * scaled: kernel/mm/phys.c :: s/^static bool zones_take_free\(/static bool of_bitmaps_take(/; s/^static void range_give\(/static void of_bitmaps_give(/ :: what is free is a set, of which any block that fits is taken
 * fault: kernel/mm/phys.c :: s/buddy_pages \+= pages;/;/ :: what is kept is not counted
 * fault: kernel/mm/phys.c :: s/while \(block->next != block->end\)/while (false)/ :: a block that is kept is forgotten for another
 * fault: kernel/mm/phys.c :: s/kept\[KEPT_MAX\] \&\& kept_drop\(\)/kept[KEPT_MAX + 1u] \&\& kept_drop()/ :: a block is kept behind the places
 * fault: kernel/mm/phys.c :: s/ \&\& kept\[i\]\.end != number// :: a frame behind a block that is used up is taken
 * fault: kernel/mm/phys.c :: s/kept\[i\]\.next == number/number - kept[i].next < 2u/ :: a frame is taken out of its turn
 * fault: kernel/mm/phys.c :: s/buddy_pages -= found;/;/ :: a frame that is taken is counted on
 */
#include "kept.h"

static void keep(uint32_t before, uint32_t kept_before)
{
    bool right;
    uint64_t number = phys_keep() >> PAGE_SHIFT;
    uint32_t now_kept = kept_pages(&right);
    PROVE(right, "blocks are disjoint, inside and counted");
    PROVE((free_set | now_kept) == (before | kept_before), "all that was free is free or kept");
    if (number == 0) {
        PROVE(now_kept == kept_before && !has_block(before, 1, UINT64_MAX), "there is none");
        return;
    }
    uint32_t mask = mask_of(number, KEPT_PAGES);
    PROVE(number % KEPT_PAGES == 0, "aligned");
    PROVE((before & mask) == mask && (now_kept & mask) == mask, "it was free, and is kept");
    PROVE((now_kept & ~mask & ~kept_before) == 0, "and nothing else that was not");
}

static void take_kept(uint32_t before, uint32_t kept_before)
{
    bool right, is_next = false;
    uint64_t number = any_u64();
    for (uint32_t i = 0; i < KEPT_MAX; i++)
        is_next |= kept[i].next == number && kept[i].end != number;
    bool taken = kept_take(number);
    uint32_t now_kept = kept_pages(&right), mask = taken ? mask_of(number, 1) : 0;
    PROVE(right, "blocks are disjoint, inside and counted");
    PROVE(taken == is_next, "the next frame of a block that is kept, and no other");
    PROVE((kept_before & mask) == mask && now_kept == (kept_before & ~mask) && free_set == before,
          "it was kept, and is taken");
}

int main(void)
{
    uint32_t kept_before = state_make(), before = free_set;
    if (any_bool())
        keep(before, kept_before);
    else
        take_kept(before, kept_before);
    PROVE(proof_held == 0, "no lock is kept");
    return 0;
}
