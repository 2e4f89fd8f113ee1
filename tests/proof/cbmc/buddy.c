/* The physical allocator (kernel/mm/phys.c): from any state of a zone, one block taken or given back.
 * What is kept together has proofs of its own (kept.c, kept_range.c); ranges, and the caches of CPUs, are not covered.
 * proves: what is taken was free, aligned, of its size, below its limit, and is not free any more; nothing fails while there is such a block; what is given back is free; all others stay; free blocks are disjoint, joined, in the zone, and counted; giving back twice panics
 * bounds: a zone of up to 8 pages that begins anywhere in its first block, blocks of up to 4 pages, any of them free, no block kept together; one operation
 * options: --unwind 9 --unwindset bitmap_set.0:2,bitmap_clear.0:2,bitmap_first.0:2,block_give.0:4,block_take.0:5,block_take.1:5,range_give.0:8,range_give.1:8,zones_take_free.0:3,zones_take.0:2,kept_drop.0:2,zone_find.0:3,phys_alloc_range.0:5
 * scaled: kernel/include/mm/phys.h :: s/PHYS_ORDER_MAX 18u/PHYS_ORDER_MAX 2u/ :: blocks of up to 4 pages
 * scaled: kernel/mm/phys.c :: s/ZONES_MAX 16u/ZONES_MAX 1u/; s/KEPT_MAX 8u/KEPT_MAX 1u/ :: one zone, one place for a block that is kept
 * scaled: kernel/mm/bitmap.h :: s/ \/ 64/ >> 6/g; s/\/= 64/>>= 6/g; s/ % 64/ \& 63/g :: divisions by 64 are shifts, which the checker does not see by itself
 * fault: kernel/mm/phys.c :: s/bitmap_clear\(\&zone->free\[order\], block \^ 1\);/;/ :: a buddy that is joined stays free by itself
 * fault: kernel/mm/phys.c :: s/bitmap_set\(\&zone->free\[o\], block \| 1\);/bitmap_set(\&zone->free[o], block);/ :: the half that is taken is left free
 * fault: kernel/mm/phys.c :: s/while \(order < PHYS_ORDER_MAX \&\& /while (/ :: joining goes on above the highest order
 * fault: kernel/mm/phys.c :: s/zone->aligned \+ \(block << o\) \+ \(1ull << order\) > limit/zone->aligned + (block << o) > limit/ :: a block reaches beyond the limit
 * fault: kernel/mm/phys.c :: s/for \(uint32_t o = order; o <= PHYS_ORDER_MAX; o\+\+\)/for (uint32_t o = order; o < PHYS_ORDER_MAX; o++)/ :: the largest blocks are not seen
 * fault: kernel/mm/phys.c :: s/buddy_pages -= 1ull << order;/;/ :: what is taken is not counted
 * fault: kernel/mm/phys.c :: s/^    ASSERT\(__atomic_load_n\(\&frame->word, __ATOMIC_RELAXED\) == 1 \&\& frame->owner == NULL\);/    ;/ :: what is free is given back again
 */
#include "kernel.h"

#include "kernel/mm/phys.c"

#define PAGES_MAX 8u

static uint64_t words[PHYS_ORDER_MAX + 1];
static struct frame frames[PAGES_MAX];
static struct zone *const zone = &zones[0];

struct cpu *host_cpu;
uint8_t *host_ram;
struct boot_info boot_info;
uint32_t cpu_count;

/* Which pages are free, a bit each from zone->aligned on; whether blocks are as they should be. */
static uint32_t free_pages(bool *right)
{
    uint32_t pages = 0;
    uint64_t span = zone->first + zone->pages - zone->aligned, count = 0;
    *right = true;
    for (uint32_t order = 0; order <= PHYS_ORDER_MAX; order++) {
        uint64_t word = *zone->free[order].level[0];
        for (uint32_t block = 0; block < PAGES_MAX >> order; block++) {
            if ((word >> block & 1) == 0)
                continue;
            uint32_t mask = ((1u << (1u << order)) - 1) << (block << order);
            bool has_buddy = order < PHYS_ORDER_MAX && (word >> (block ^ 1) & 1) != 0;
            *right &= (pages & mask) == 0 && !has_buddy &&
                      zone->aligned + (block << order) >= zone->first &&
                      (block << order) + (1u << order) <= span;
            pages |= mask;
            count += 1u << order;
        }
        *right &= word >> (PAGES_MAX >> order) == 0;
    }
    *right &= count == buddy_pages;
    return pages;
}

/* Bits for the @pages from @number on. */
static uint32_t mask_of(uint64_t number, uint64_t pages)
{
    return ((1u << pages) - 1) << (number - zone->aligned);
}

static void zone_make(void)
{
    bool right;
    zone_count = 1;
    zone->aligned = PAGES_MAX;
    zone->first = zone->aligned + any_below(1u << PHYS_ORDER_MAX);
    zone->pages = 1 + any_below(PAGES_MAX);
    uint64_t span = zone->first + zone->pages - zone->aligned;
    ASSUME(span <= PAGES_MAX);
    zone->frames = frames;
    for (uint32_t order = 0; order <= PHYS_ORDER_MAX; order++) {
        struct bitmap *bitmap = &zone->free[order];
        bitmap->bits = (span >> order) + 1;
        bitmap->levels = 1;
        bitmap->level[0] = &words[order];
        words[order] = any_u64();
    }
    buddy_pages = any_below(PAGES_MAX + 1);
    (void)free_pages(&right);
    ASSUME(right);
}

/* Whether the @pages have an aligned block of 2^@order below @limit. */
static bool has_block(uint32_t pages, uint32_t order, uint64_t limit)
{
    bool has = false;
    for (uint32_t i = 0; i < PAGES_MAX; i += 1u << order) {
        uint32_t mask = ((1u << (1u << order)) - 1) << i;
        has |= (pages & mask) == mask && zone->aligned + i + (1u << order) <= limit;
    }
    return has;
}

static void take(uint32_t before, uint32_t order)
{
    paddr_t address, limit = any_u64();
    bool right;
    bool taken = phys_alloc_below(order, limit, &address);
    uint32_t after = free_pages(&right);
    PROVE(right, "blocks are disjoint, joined, inside and counted");
    if (!taken) {
        PROVE(after == before, "nothing is taken");
        PROVE(!has_block(before, order, limit >> PAGE_SHIFT), "there is no such block");
        return;
    }
    uint64_t number = address >> PAGE_SHIFT;
    uint32_t mask = mask_of(number, 1ull << order);
    PROVE(number % (1u << order) == 0, "aligned");
    PROVE(number + (1ull << order) <= limit >> PAGE_SHIFT, "below the limit");
    PROVE((before & mask) == mask && after == (before & ~mask), "it was free, and is taken");
    PROVE(frames[number - zone->first].word == 1, "with one reference");
}

/* What was taken: none of its pages is free. */
static uint64_t any_taken(uint32_t before, uint64_t pages)
{
    uint64_t number = zone->first + any_below(PAGES_MAX);
    ASSUME(number + pages <= zone->first + zone->pages);
    ASSUME((before & mask_of(number, pages)) == 0);
    frames[number - zone->first].word = 1;
    return number;
}

/* A free frame has no reference. */
static void give_twice(uint32_t before)
{
    uint64_t number = zone->first + any_below(PAGES_MAX);
    ASSUME(number < zone->first + zone->pages && (before & mask_of(number, 1)) != 0);
    frames[number - zone->first].word = 0;
    proof_panics = true;
    phys_free(number << PAGE_SHIFT, 0);
    PROVE(false, "giving back twice is noticed");
}

static void give(uint32_t before, uint32_t order)
{
    bool right;
    uint64_t number = any_taken(before, 1ull << order);
    ASSUME((number & ((1ull << order) - 1)) == 0);
    phys_free(number << PAGE_SHIFT, order);
    uint32_t after = free_pages(&right);
    PROVE(right, "blocks are disjoint, joined, inside and counted");
    PROVE(after == (before | mask_of(number, 1ull << order)), "it is free, and nothing else");
    PROVE(frames[number - zone->first].word == 0, "without a reference");
}

int main(void)
{
    bool right;
    zone_make();
    uint32_t before = free_pages(&right);
    switch (any_below(7)) {
    case 0:
        take(before, 0);
        break;
    case 1:
        take(before, 1);
        break;
    case 2:
        take(before, 2);
        break;
    case 3:
        give(before, 0);
        break;
    case 4:
        give(before, 1);
        break;
    case 5:
        give(before, 2);
        break;
    default:
        give_twice(before);
    }
    PROVE(proof_held == 0, "no lock is kept");
    return 0;
}
