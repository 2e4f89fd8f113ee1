#pragma once
/* Physical memory: a buddy allocator, bitmaps as the authority, per-CPU caches of single frames in front; and what each frame of RAM
 * carries: a reference count, and the budget that is charged for it. */
#include "../kernel.h"
#include "arch_pt.h"

struct budget;
struct cpu;

/** Orders 0 (4 KiB) to this one (1 GiB). */
#define PHYS_ORDER_MAX 18u

/** The direct map: all RAM is there. */
static inline void *phys_to_virt(paddr_t address)
{
    return arch_direct_map(address);
}

static inline paddr_t virt_to_phys(const void *pointer)
{
    return arch_direct_unmap(pointer);
}

void frame_zero(paddr_t frame);

/** Build the allocator from boot_info. Called once, before the heap. */
void phys_init(void);
/** 2^order frames, not zeroed, with a reference count of 1 on the first. False: none left. */
MUST_CHECK bool phys_alloc(uint32_t order, paddr_t *frame);
/** The same below @limit. */
MUST_CHECK bool phys_alloc_below(uint32_t order, paddr_t limit, paddr_t *frame);
/** Free at once what phys_alloc gave (one reference left, no owner). Nobody can reach it any more, through a TLB neither. */
void phys_free(paddr_t frame, uint32_t order);
/** @pages contiguous frames below @limit, not zeroed, without owner. False: none. */
MUST_CHECK bool phys_alloc_range(uint64_t pages, paddr_t limit, paddr_t *base);
/** Free at once what phys_alloc_range gave. */
void phys_free_range(paddr_t base, uint64_t pages);

/** A frame charged to @budget (one page), not zeroed, one reference. NO_MEMORY if the budget or the machine has none. */
MUST_CHECK status_t frame_create(struct budget *budget, paddr_t *frame);
/** The same; @wanted (not 0) if it is the next frame of a block that is kept together, else any. */
MUST_CHECK status_t frame_create_at(struct budget *budget, paddr_t wanted, paddr_t *frame);
/** Keep a block together that one large entry could map: its first frame; 0: there is none. The frames are free still, but taken by
 *  frame_create_at() alone, one after the other, until something else wants frames and finds none, or so many other blocks are kept. */
paddr_t phys_keep(void);
/** Drop a reference, after what could be reached by it was taken away. The last one frees the frame after a grace period, and then
 *  uncharges its owner; with another one the frame is nobody's own before a grace period is over. Any lock before phys_lock held. */
void frame_put(paddr_t frame);
/** The same for a reference by which nobody has reached the frame for a grace period: who holds the other one may write at once. */
void frame_put_unseen(paddr_t frame);
/** The same without a grace period, for frames that never were in a page table and that nobody else can look at. */
void frame_put_now(paddr_t frame);
/** References to single frames (copy-on-write sharing, page-table entries of a table, pins). */
void frame_ref(paddr_t frame);
/** Drop one; true if it was the last: the caller owns the frame (and its one remaining reference) and frees it. */
bool frame_unref(paddr_t frame);
uint32_t frame_refs(paddr_t frame);
/** Debug builds check that no frame is used again before every CPU could have flushed its TLB. A translation of the @pages frames from @frame on has
 *  been taken away, or allows less. (What is no RAM does not matter.) */
#ifdef CONFIG_DEBUG
void frames_unmapped(paddr_t frame, uint64_t pages);
/** @cpu, this one, is about to look whether it has to flush. */
void frames_unmaps_see(struct cpu *cpu);
/** It has looked since, and flushed. */
void frames_unmaps_pass(struct cpu *cpu);
#else
static inline void frames_unmapped(paddr_t frame, uint64_t pages)
{
    (void)frame;
    (void)pages;
}
static inline void frames_unmaps_see(struct cpu *cpu)
{
    (void)cpu;
}
static inline void frames_unmaps_pass(struct cpu *cpu)
{
    (void)cpu;
}
#endif
/** May it be written in place by who holds a reference that nobody else can add to: is it the only one, and was it for a grace period? */
bool frame_is_own(paddr_t frame);
/** The same of @count consecutive frames that are in use (each has a reference of the caller's). */
bool frames_are_own(paddr_t base, uint64_t count);

/** Does the range touch RAM: managed, or reserved for the kernel's image, the boot archive or the allocator's own tables? */
bool phys_is_ram(paddr_t base, uint64_t bytes);
/** Is all of the range RAM in that sense? Such frames are in the direct map. */
bool phys_is_all_ram(paddr_t base, uint64_t bytes);
/** Pass the frame, to which the caller holds a reference, to another payer: @budget was charged a page for it already. */
void frame_set_owner(paddr_t frame, struct budget *budget);
uint64_t phys_total_pages(void);
/** Free now; frames in a grace period are not. */
uint64_t phys_free_pages(void);
/** Pages that nobody pays for: the allocator's tables, and those that devices read. */
uint64_t phys_table_pages(void);
/** As many pages more, or less, that were allocated are such. */
void phys_count_tables(int64_t pages);
