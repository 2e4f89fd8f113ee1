#pragma once
/* Blocks of the kernel heap: what is larger than a frame. Their addresses are a region of their own (ARCH_HEAP_BASE), their memory is single
 * frames, and behind each is a page that is not mapped. */
#include "../cpu.h"

#define BLOCK_PAGES_MAX 511u

/** @pages frames, 2 to BLOCK_PAGES_MAX, not zeroed, one after another from the page-aligned address that it returns; NULL: no memory. Any
 *  lock before kmem_lock may be held. */
MUST_CHECK void *block_alloc(uint32_t pages);
/** Give back what block_alloc(@pages) gave: the frames at once, the addresses when every CPU has forgotten them. Another pointer, or one that
 *  was given back, stops the kernel. */
void block_free(void *block, uint32_t pages);
#ifdef CONFIG_DEBUG
/** What is touched first of each page of @block is so late (ARCH_PT_LATE_BIT), wherever that is. */
void block_make_late(const void *block, uint32_t pages);
#else
static inline void block_make_late(const void *block, uint32_t pages)
{
    (void)block;
    (void)pages;
}
#endif
/** Where the blocks that come are in the region is random from now on. Called once, by the boot CPU. */
void blocks_scatter(void);

/** Raised after addresses of the region were taken away: they may be used again when every CPU has caught up. Atomic. */
extern uint64_t blocks_generation;
/** @cpu, this one, keeps no translation that was taken away before blocks_generation was raised to what is seen here. */
void blocks_catch_up(struct cpu *cpu);
