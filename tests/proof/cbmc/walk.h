#pragma once
/* What proofs of kernel/mm/pagetable.c stand on: a root and a table for each level below, which may not be had. Included in place of the source, which
 * it includes. */
#include "kernel.h"

#include <mm/pt512.h>

static pte_t *table_by_address(paddr_t address);
#include "kernel/mm/pagetable.c"

#define ROOT 0x1000ull
#define USER_END (arch_pt_span(ARCH_PT_LEVELS - 1) * ARCH_PT_USER_ROOT_ENTRIES)
#define FRAME 0x40000ull

uint8_t *host_ram;
static struct budget budget;
/* Each an object of its own: a place in an array that is not known is dear. */
static pte_t root[ARCH_PT_ENTRIES], table_1[ARCH_PT_ENTRIES], table_2[ARCH_PT_ENTRIES],
    table_3[ARCH_PT_ENTRIES];
static uint32_t made, freed;

static pte_t *table_by_address(paddr_t address)
{
    if (address == ROOT)
        return root;
    if (address == ROOT + PAGE_SIZE)
        return table_1;
    if (address == ROOT + 2 * PAGE_SIZE)
        return table_2;
    PROVE(address == ROOT + 3 * PAGE_SIZE, "an entry above the leaves is a table");
    return table_3;
}

status_t frame_create(struct budget *payer, paddr_t *frame)
{
    PROVE(payer == &budget, "somebody pays");
    if (any_bool())
        return STATUS_NO_MEMORY;
    PROVE(made < 3, "one address needs no more than a table a level");
    made++;
    *frame = ROOT + made * PAGE_SIZE;
    return STATUS_OK;
}

void frames_unmapped(paddr_t frame, uint64_t pages)
{
    (void)frame;
    (void)pages;
}

void frame_zero(paddr_t frame)
{
    pte_t *table = table_by_address(frame);
    for (uint32_t i = 0; i < ARCH_PT_ENTRIES; i++)
        table[i] = 0;
}

void frame_put_now(paddr_t frame)
{
    PROVE(frame > ROOT && frame <= ROOT + made * PAGE_SIZE, "a table is freed");
    freed++;
}

void frame_put(paddr_t frame)
{
    frame_put_now(frame);
}

/* What was in a frame before it became a table. */
static void tables_dirty(void)
{
    for (uint32_t i = 0; i < ARCH_PT_ENTRIES; i++) {
        table_1[i] = any_u64();
        table_2[i] = any_u64();
        table_3[i] = any_u64();
    }
}

static uint64_t page(uint64_t address)
{
    return address & ~(PAGE_SIZE - 1);
}
