#pragma once
/* Physical memory: a buddy allocator, bitmaps as the authority; and a reference count per frame of RAM. */
#include "kernel.h"

/** Build the allocator from boot_info. Called once, before the heap. */
void phys_init(void);
/** 2^order frames, not zeroed, with a reference count of 1 on the first. False: none left. */
__attribute__((warn_unused_result)) bool phys_alloc(uint32_t order, paddr_t *frame);
/** The same below @limit. */
__attribute__((warn_unused_result)) bool phys_alloc_below(uint32_t order, paddr_t limit, paddr_t *frame);
void phys_free(paddr_t frame, uint32_t order);
/** References to single frames (copy-on-write sharing, pins). */
void frame_ref(paddr_t frame);
/** Drop one; true if it was the last: the caller frees the frame (after a grace period if it was mapped). */
bool frame_unref(paddr_t frame);
uint32_t frame_refs(paddr_t frame);
/** Is this RAM that the allocator manages? */
bool phys_is_ram(paddr_t base, uint64_t bytes);
uint64_t phys_total_pages(void);
uint64_t phys_free_pages(void);
