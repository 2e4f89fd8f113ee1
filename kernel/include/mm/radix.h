#pragma once
/* The tree of pages of a Memory: persistent, with a reference count in every node.
 *
 * A clone takes a reference on the root, and that is all it costs. Who changes a page first makes the path to it his own: a node
 * with more than one reference is copied, its children get one more reference each. In the leaves stand frames, counted the same way.
 * So a lookup never depends on how many clones there were before. A node with one reference belongs to the one tree that reaches it
 * and is guarded by that Memory's lock; a node with more is not changed by anybody.
 * Nodes are charged, as kernel memory, to the budget of the Memory that made them, and keep that budget. */
#include "../kernel.h"

struct budget;

#define RADIX_BITS 6u
#define RADIX_FANOUT (1u << RADIX_BITS)
/** Levels that a tree of the greatest size needs. */
#define RADIX_LEVELS_MAX 6u
#define RADIX_PAGES_MAX (1ull << (RADIX_BITS * RADIX_LEVELS_MAX))

/** An entry of a leaf: 0 (no page), or the frame's address with these bits. */
#define PAGE_ENTRY_PRESENT 1ull
/** It may be written without anybody's knowing. Of pager-backed Memory: it was, since the pager knew it last. */
#define PAGE_ENTRY_DIRTY 2ull
/** The pager is writing down what the page was at memory_writeback_begin(). */
#define PAGE_ENTRY_WRITEBACK 4ull
/** The first write wants the pager's leave. */
#define PAGE_ENTRY_ASK 8ull
/** Above them, below PAGE_SHIFT: how often the page is pinned. */
#define PAGE_ENTRY_PIN 16ull
#define PAGE_ENTRY_PINS_MASK 0xff0ull

static inline paddr_t page_entry_frame(uint64_t entry)
{
    return entry & ~(PAGE_SIZE - 1);
}

struct radix_node {
    uint32_t refs;         /* atomic */
    uint16_t used;         /* entries that are not 0 */
    uint8_t level;         /* 0: entries are pages, else nodes of the level below */
    struct budget *budget; /* charged; reference */
    uint64_t entries[RADIX_FANOUT];
};

struct radix {
    struct radix_node *root;
    uint32_t levels; /* of the tree below root; 0: empty */
};

/** The entry at @index, 0 if there is none. *@exclusive: nobody shares a node on the path (the frame itself may be shared). */
uint64_t radix_lookup(const struct radix *tree, uint64_t index, bool *exclusive);
/** The first of the frames of the @count pages from @index on, if all are there and the frames are consecutive; else 0. @own: only if nobody shares
 *  any of them. */
paddr_t radix_run(const struct radix *tree, uint64_t index, uint64_t count, bool own);
/** The entry at @index to be changed: the path is made, and made exclusive. NO_MEMORY: the tree holds the same pages as before. If
 *  the caller leaves the entry 0 it calls radix_tidy(). */
MUST_CHECK status_t radix_slot(struct radix *tree, struct budget *budget, uint64_t index,
                               uint64_t **slot);
/** Put a page into the empty @slot that radix_slot gave for @index. A slot that is not empty may just be written. */
void radix_slot_fill(struct radix *tree, uint64_t index, uint64_t *slot, uint64_t entry);
/** Take the page at @index out; its path is exclusive (radix_slot). Empty nodes go. The caller drops the frame. */
void radix_slot_clear(struct radix *tree, uint64_t index);
/** Drop nodes on the path to @index that are empty. */
void radix_tidy(struct radix *tree, uint64_t index);
/** The least present index in [@from, @end); false if there is none. */
bool radix_next(const struct radix *tree, uint64_t from, uint64_t end, uint64_t *index);
/** @to (empty) becomes a clone of @from. */
void radix_clone(const struct radix *from, struct radix *to);
/** Give back up to about @pages pages and the nodes that are empty then. True when the tree is empty. The pages are in no
 *  page table, and nobody has found them here for a grace period. */
MUST_CHECK bool radix_destroy_step(struct radix *tree, uint32_t pages);
/** Nodes of the whole kernel (for tests and statistics). */
uint64_t radix_nodes(void);
