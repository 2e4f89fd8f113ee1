#pragma once
/* Derivation trees: what cap.c, message.c and revoke.c share. */
#include "cap.h"
#include "process.h"
#include "thread.h"

struct endpoint;

/** What a server is told at its endpoint: that a badge has closed, or that the caller of a saved reply is gone. */
struct notice {
    struct endpoint *endpoint; /* reference */
    struct budget *budget;     /* reference; charged for the notice */
    uint64_t cookie;           /* CLOSED: the badge */
    uint32_t epoch;
    uint32_t kind;  /* IPC_KIND_CLOSED or IPC_KIND_GONE */
    uint32_t count; /* CLOSED; atomic: live capabilities with this badge */
    union {
        struct list link;    /* endpoint_lock: on endpoint.notices */
        struct rcu_head rcu; /* it is neither wanted nor on a list any more */
    };
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
/** @object is being revoked: queue @self until that is over, or its derive_deadline_ns (its call restarts), and return KERNEL_BLOCKED, or
 *  KERNEL_DONE if it may not wait: the call restarts at once. TIMED_OUT: that moment has come. */
MUST_CHECK status_t tree_wait_revoked(struct thread *self, struct object *object)
    RELEASE(tree_lock);

/** A notice for whoever receives from @endpoint in this epoch, charged to @budget. NULL: no memory, or the endpoint is ending. */
struct notice *notice_create(struct budget *budget, struct endpoint *endpoint, uint32_t kind,
                             uint64_t cookie);
/** Free it after a grace period. Any lock may be held. */
void notice_retire(struct notice *notice);
/** What a node's end takes with it beside the tree: its badge, @closed (NULL: none). It is told of the last one of a badge, unless nobody has @had it.
 *  No lock from endpoint_lock on held. */
void badge_drop(struct notice *closed, bool had);
/** Free @cap's slot if it still holds it. True: this call did. */
bool cap_slot_release(struct process *process, struct cap *cap);
/** Put @cap, which is in the tree as CAP_SLOT, in a free slot. NO_MEMORY: table full or budget exhausted. GONE: the table is closed.
 *  BAD_HANDLE: @cap was revoked meanwhile. */
MUST_CHECK status_t cap_slot_take(struct process *process, struct cap *cap, handle_t *handle);
