#pragma once
/* Kernel objects: the common header.
 *
 * An object lives while any non-ghost node of its derivation tree does (capabilities in slots or messages, mappings,
 * bindings). When the last is gone object_destroy() calls the type's destroy(): wake waiters, drop what it holds. Internal
 * pointers from other objects are counted in @refs; when that falls to 0 the memory is freed after a grace period, so code
 * that found a pointer without a lock may look at it until it leaves the kernel. */
#include "list.h"
#include "rcu.h"
#include "spinlock.h"

struct budget;
struct cap;
struct object;

struct object_ops {
    uint32_t type; /* enum object_type */
    /** The last capability is gone. No lock held. May not fail; long work uses a preemptible continuation. */
    void (*destroy)(struct object *object);
    /** @cap, which is marked dead, was revoked: end what was begun through it (waits, bindings). No lock held. May be NULL. */
    void (*revoked)(struct object *object, const struct cap *cap);
    /** The last reference is gone and a grace period has passed: give the memory back. */
    void (*free)(struct object *object);
};

struct object {
    const struct object_ops *ops;
    uint64_t id;                             /* never reused */
    uint32_t refs;                           /* atomic: internal references, 1 for the tree */
    struct spinlock lock;                    /* tree_lock: guards the derivation tree */
    uint32_t live GUARDED_BY(tree_lock);     /* nodes that are not ghosts */
    uint32_t revoking GUARDED_BY(tree_lock); /* revocations in progress: derive waits */
    struct list tops GUARDED_BY(tree_lock);  /* nodes without a parent */
    /* threads waiting for the revocation to end (thread.wait_link) */
    struct list derivers GUARDED_BY(tree_lock);
    struct budget *budget; /* what the object is charged to; holds a reference */
    struct rcu_head rcu;
};

/** Initialise the header; takes a reference on @budget. refs = 1 (the tree's). */
void object_init(struct object *object, const struct object_ops *ops, struct budget *budget);
/** A further reference, by who holds one (or a lock that the last one's end takes). */
static inline void object_ref(struct object *object)
{
    uint32_t before = __atomic_fetch_add(&object->refs, 1, __ATOMIC_RELAXED);

    DEBUG_ASSERT(before != 0);
    (void)before;
}
/** Count one more user of what ends with its last one. False: it has gone. */
__attribute__((warn_unused_result)) bool count_up_unless_zero(uint32_t *count);
/** A reference on an object found without a lock or reference. False: its last one is gone, it is being freed. */
MUST_CHECK static inline bool object_try_ref(struct object *object)
{
    return count_up_unless_zero(&object->refs);
}
/** Drop a reference; the last one frees the object after a grace period. Any lock may be held. */
void object_unref(struct object *object);
