#pragma once
/* Derivation trees: what cap.c, message.c and revoke.c share. */
#include "cap.h"
#include "process.h"
#include "thread.h"

struct endpoint;

struct badge_record {
    struct endpoint *endpoint; /* reference */
    struct budget *budget;     /* reference; charged for the record */
    uint64_t badge;
    uint32_t epoch;
    uint32_t count;          /* atomic: live capabilities with this badge */
    struct list closed_link; /* endpoint_lock: on endpoint.closed */
    struct rcu_head rcu;
};

/** A node for @object, charged to @budget, in no tree. NULL: no memory. */
struct cap *cap_node_create(struct budget *budget, struct object *object, uint32_t rights);
/** Free a node that is in no tree and no slot, after a grace period. */
void cap_node_retire(struct cap *cap);

/** Link @cap below @parent (NULL: a top). The tree is live and @parent in it. */
void tree_insert(struct object *object, struct cap *parent, struct cap *cap) REQUIRES(tree_lock);
/** Take @cap out: removed, or a ghost if it has children or is held. Returns true if this was the last live node: the caller
 *  calls object_destroy_unlocked() after the unlock. Childless ghost ancestors are retired. */
bool tree_remove(struct object *object, struct cap *cap) REQUIRES(tree_lock);
/** Retire ghosts that nothing needs any more, from @cap (may be NULL) towards the root. */
void tree_prune(struct cap *cap) REQUIRES(tree_lock);
/** The tree's last live node went: tell the type, drop the tree's reference. */
void object_end(struct object *object);
/** @object is being revoked: queue @self until that is over (its call restarts) and return KERNEL_BLOCKED, or KERNEL_DONE if it may
 *  not wait: the call restarts at once. */
MUST_CHECK status_t tree_wait_revoked(struct thread *self, struct object *object)
    RELEASE(tree_lock);

void badge_record_retire(struct badge_record *record);
void badge_record_drop(struct badge_record *record);
/** What a live node's end takes with it beside the tree: its badge. No lock from endpoint_lock on held. */
static inline void cap_badge_drop(struct cap *cap)
{
    if (cap->badge_record != NULL)
        badge_record_drop(cap->badge_record);
}
/** Free @cap's slot if it still holds it. True: this call did. */
bool cap_slot_release(struct process *process, struct cap *cap);
/** Put @cap, which is in the tree as CAP_SLOT, in a free slot. NO_MEMORY: table full or budget exhausted. GONE: the table is closed.
 *  BAD_HANDLE: @cap was revoked meanwhile. */
MUST_CHECK status_t cap_slot_take(struct process *process, struct cap *cap, handle_t *handle);
