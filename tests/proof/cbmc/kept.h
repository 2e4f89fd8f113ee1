#pragma once
/* Blocks that are kept together (kernel/mm/phys.c), for proofs: free pages are a set, as buddy.c proves it of bitmaps, and any of them are kept. */
#include "kernel.h"

struct zone;
static bool zones_take_free(uint32_t order, uint64_t limit, uint64_t *number);
static void range_give(struct zone *zone, uint64_t number, uint64_t end);

#include "kernel/mm/phys.c"

#define PAGES 8u
#define KEPT_PAGES 2u

static struct frame frames[PAGES];
static struct zone *const zone = &zones[0];
static uint32_t free_set;   /* a bit for each page from zone->first on */
static uint64_t free_count; /* how many of them, or any number: it is known by how it changes */

struct cpu *host_cpu;
uint8_t *host_ram;
struct boot_info boot_info;
uint32_t cpu_count;

/* Bits for the @pages, few, from @number on. */
static uint32_t mask_of(uint64_t number, uint64_t pages)
{
    return ((1u << pages) - 1) << (uint8_t)(number - zone->first);
}

/* Whether the set has an aligned block of 2^@order pages below @limit. */
static bool has_block(uint32_t set, uint32_t order, uint64_t limit)
{
    for (uint32_t i = 0; i < PAGES; i += 1u << order) {
        uint32_t mask = ((1u << (1u << order)) - 1) << i;
        if ((set & mask) == mask && zone->first + i + (1u << order) <= limit)
            return true;
    }
    return false;
}

/* As buddy.c proves: any such block, or there is none. */
static bool zones_take_free(uint32_t order, uint64_t limit, uint64_t *number)
{
    PROVE(proof_held == 1u << LOCK_RANK_phys_lock, "under the lock");
    if (!has_block(free_set, order, limit))
        return false;
    uint64_t block = zone->first + any_below(PAGES);
    ASSUME(block % (1u << order) == 0 && block + (1u << order) <= limit);
    uint32_t mask = mask_of(block, 1u << order);
    ASSUME((free_set & mask) == mask);
    free_set &= ~mask;
    free_count -= 1u << order;
    buddy_pages -= 1u << order;
    *number = block;
    return true;
}

static void range_give(struct zone *given, uint64_t number, uint64_t end)
{
    PROVE(proof_held == 1u << LOCK_RANK_phys_lock, "under the lock");
    PROVE(given == zone && number >= zone->first && end <= zone->first + PAGES && number <= end &&
              end - number <= KEPT_PAGES,
          "of the zone");
    PROVE((free_set & mask_of(number, end - number)) == 0, "what is given back was not free");
    free_set |= mask_of(number, end - number);
    free_count += end - number;
    buddy_pages += end - number;
}

/* Which pages are kept; whether these blocks, and the count, are as they should be. */
static uint32_t kept_pages(bool *right)
{
    uint32_t pages = 0;
    uint64_t count = free_count;
    *right = true;
    for (uint32_t i = 0; i < KEPT_MAX; i++) {
        uint64_t next = kept[i].next, end = kept[i].end;
        if (next == end)
            continue;
        if (end - next > KEPT_PAGES || end % KEPT_PAGES != 0 || next < zone->first ||
            end > zone->first + PAGES || (pages & mask_of(next, end - next)) != 0) {
            *right = false;
            continue;
        }
        pages |= mask_of(next, end - next);
        count += end - next;
    }
    *right &= (free_set & pages) == 0 && buddy_pages == count;
    return pages;
}

static uint32_t state_make(void)
{
    bool right;
    zone_count = 1;
    zone->first = zone->aligned = PAGES;
    zone->pages = PAGES;
    zone->frames = frames;
    free_set = any_u8();
    free_count = any_u8();
    for (uint32_t i = 0; i < KEPT_MAX; i++) {
        uint64_t end = zone->first + any_below(PAGES / KEPT_PAGES + 1) * KEPT_PAGES;
        kept[i] = (struct kept){end - any_below(KEPT_PAGES + 1), end};
    }
    kept_oldest = any_u32();
    buddy_pages = any_u16();
    uint32_t pages = kept_pages(&right);
    ASSUME(right);
    return pages;
}
