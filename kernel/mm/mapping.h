#pragma once
/* Mappings of an address space, and the tree that they stand in. */
#include "mm/aspace.h"

static inline uint64_t mapping_end(const struct mapping *mapping)
{
    return mapping->start + (mapping->pages << PAGE_SHIFT);
}

/** aspace.table_address: no table is known. */
#define TABLE_NONE (1ull << 63)

#define ASPACE_RIGHTS                                                                        \
    (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_READ | RIGHT_WRITE | \
     RIGHT_MANAGE)

/** The mapping before @mapping, or the last one if that is NULL; NULL: there is none. */
static inline struct mapping *mapping_previous(const struct mapping_tree *tree,
                                               const struct mapping *mapping)
{
    struct list *before = mapping == NULL ? tree->order.prev : mapping->order.prev;
    return before == &tree->order ? NULL : list_entry(before, struct mapping, order);
}

/** The mapping behind @mapping, or NULL. */
static inline struct mapping *mapping_next(const struct mapping_tree *tree,
                                           const struct mapping *mapping)
{
    struct list *after = mapping->order.next;
    return after == &tree->order ? NULL : list_entry(after, struct mapping, order);
}

/** The free range before @mapping begins here. */
static inline uint64_t mapping_room_begin(const struct mapping_tree *tree,
                                          const struct mapping *mapping)
{
    const struct list *before = mapping->order.prev;
    return before == &tree->order ? 0 : mapping_end(list_entry(before, struct mapping, order));
}

/** The first mapping that ends above @address, or NULL. */
struct mapping *mapping_find(const struct mapping_tree *tree, uint64_t address);
/** The same in @aspace, which most often is asked for the mapping that it was asked for before. */
static inline struct mapping *aspace_find(struct aspace *aspace, uint64_t address)
    REQUIRES(aspace_lock)
{
    struct mapping *recent = aspace->recent;
    if (likely(recent != NULL && address >= recent->start && address < mapping_end(recent)))
        return recent;
    return aspace->recent = mapping_find(&aspace->mappings, address);
}
/** Insert before @next, which mapping_find() gives for its start (NULL: behind all others), and remove. Nothing in the tree overlaps it. */
void mapping_insert(struct mapping_tree *tree, struct mapping *mapping, struct mapping *next);
void mapping_remove(struct mapping_tree *tree, struct mapping *mapping);
/** @mapping (NULL: none) begins later than before, or its front was given to another one; no neighbour was passed. */
void mapping_moved(const struct mapping_tree *tree, struct mapping *mapping);
/** The lowest address from @base on with @bytes free below @end, or 0. Where very many ranges are smaller than @bytes, but by less than half,
 *  it may not be the lowest; and 0, if none has twice the bytes. */
uint64_t mapping_gap(const struct mapping_tree *tree, uint64_t base, uint64_t end, uint64_t bytes);

/** A mapping of @aspace with its own reference on @memory, in no tree. NULL: no memory. */
struct mapping *mapping_create(struct aspace *aspace, struct memory *memory);
/** What is mapped where: bytes, and flags of map. */
struct map_request {
    uint64_t address, offset, length;
    uint32_t flags;
    uint32_t max_prot;
    uint64_t cookie;
};
/** Map @memory, of which the caller has a reference or a capability that lives, as @request says, which has been checked. EXISTS, NO_MEMORY. */
MUST_CHECK status_t mapping_make(struct aspace *aspace, struct memory *memory,
                                 const struct map_request *request, struct mapping **made)
    REQUIRES(aspace_lock);
/** Nothing keeps its place in the tree any more: before the tree is looked at for what is mapped or free, which faults do not. */
void kept_drop(struct aspace *aspace) REQUIRES(aspace_lock);
/** Free after a grace period what is in no tree. */
void mapping_free(struct mapping *mapping);
/** Begin to take @mapping, which is LIVE, away: remove up to about @effort translations from its start, and cut off what has none any
 *  more. True: it is out of the tree and of the Memory's list, the caller retires it after the unlock. */
MUST_CHECK bool mapping_detach(struct mapping *mapping, uint32_t effort) REQUIRES(aspace_lock);
/** The same for an address space that no CPU has loaded nor will: the Memory forgets @mapping, the page tables are left as they are. */
void mapping_forget(struct mapping *mapping) REQUIRES(aspace_lock);
/** A detached mapping, no lock held: frees it after a grace period, and its head's capability leaf after the last piece. */
void mapping_retire(struct mapping *mapping);
/** cap_leaf's sever(): the capability was revoked. */
void mapping_sever(struct cap *leaf);
/** Drop a hold on @aspace; the last one frees the structure. */
void aspace_drop(struct aspace *aspace);
