#pragma once
/* Mappings of an address space: a tree balanced by height, by start address, which also knows the gaps in it. */
#include "mm/aspace.h"

static inline uint64_t mapping_end(const struct mapping *mapping)
{
    return mapping->start + (mapping->pages << PAGE_SHIFT);
}

#define ASPACE_RIGHTS                                                                        \
    (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_READ | RIGHT_WRITE | \
     RIGHT_MANAGE)

/** The first mapping that ends above @address, or NULL. */
struct mapping *mapping_find(struct mapping *root, uint64_t address);
/** The last mapping that begins below @address, or NULL. */
struct mapping *mapping_before(struct mapping *root, uint64_t address);
/** Insert and remove; the new root. Nothing in the tree overlaps @mapping. */
__attribute__((warn_unused_result)) struct mapping *mapping_insert(struct mapping *root,
                                                                   struct mapping *mapping);
__attribute__((warn_unused_result)) struct mapping *mapping_remove(struct mapping *root,
                                                                   struct mapping *mapping);
/** @mapping changed its start or end without passing a neighbour. */
void mapping_resized(struct mapping *root, const struct mapping *mapping);
/** The lowest address from @base on with @bytes free below @end, or 0. */
uint64_t mapping_gap(const struct mapping *root, uint64_t base, uint64_t end, uint64_t bytes);

/** A mapping of @aspace with its own reference on @memory, in no tree. NULL: no memory, or the last capability of @memory is going. */
struct mapping *mapping_create(struct aspace *aspace, struct memory *memory);
/** Put the new @mapping into its address space, with @flags (map); *@start (may be NULL): where. If it cannot be it is freed:
 *  EXISTS, NO_MEMORY, BAD_HANDLE (revoked). No lock held. */
__attribute__((warn_unused_result)) status_t mapping_put(struct mapping *mapping, uint32_t flags,
                                                         uint64_t *start);
/** Free after a grace period what is in no tree. */
void mapping_free(struct mapping *mapping);
/** Begin to take @mapping, which is LIVE, away: remove up to about @effort translations from its start, and cut off what has none any
 *  more. True: it is out of the tree and of the Memory's list, the caller retires it after the unlock. */
__attribute__((warn_unused_result)) bool mapping_detach(struct mapping *mapping, uint32_t effort)
    REQUIRES(aspace_lock);
/** The same for an address space that no CPU has loaded nor will: the Memory forgets @mapping, the page tables are left as they are. */
void mapping_forget(struct mapping *mapping) REQUIRES(aspace_lock);
/** A detached mapping, no lock held: frees it after a grace period, and its head's capability leaf after the last piece. */
void mapping_retire(struct mapping *mapping);
/** cap_leaf's sever(): the capability was revoked. */
void mapping_sever(struct cap *leaf);
/** Drop a hold on @aspace; the last one frees the structure. */
void aspace_drop(struct aspace *aspace);
