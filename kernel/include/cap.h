#pragma once
/* Capabilities: nodes of an object's derivation tree, and the tables that name them.
 *
 * A struct cap is a node. As SLOT it sits in a process's table; as GHOST its holder closed it but its children live; MESSAGE is
 * on its way; MAPPING and BINDING are leaves that stand for a mapping, an interrupt or a DMA mapping made through the parent, so
 * that revocation undoes them. A table slot is {tag, node}: lookup compares the tag and needs no lock; the node is freed after
 * a grace period. Anything that outlives its call takes the lock of the thing it enqueues on and checks cap_is_dead() there;
 * revoke marks the node dead first and then visits that thing under the same lock, so one of the two sees the other. */
#include "object.h"

struct process;
struct thread;

enum cap_kind { CAP_SLOT, CAP_GHOST, CAP_MESSAGE, CAP_LEAF, CAP_REMOVED };

/** Deepest derivation: bounds the walk towards the root when ghosts are pruned. Deeper: RANGE. */
#define CAP_DEPTH_MAX 1024

struct notice;

struct cap {
    /* the tree's reference while not a ghost; one of its own from a message's revocation on */
    struct object *object;
    uint64_t badge;
    /* atomic: its name in the holder's table: low half the slot, high half the tag */
    uint64_t handle;
    uint32_t type; /* enum object_type, copied here for the lookup */
    uint32_t rights;
    uint32_t epoch; /* endpoints: the epoch the badge was made in */
    uint16_t depth; /* in the tree, at most CAP_DEPTH_MAX */
    uint8_t kind GUARDED_BY(tree_lock);
    bool dead; /* atomic: closed or revoked; out of the tree unless it is a ghost */
    uint16_t held GUARDED_BY(tree_lock); /* a revocation works on this node: keep it as a ghost */
    uint64_t id;
    struct process *holder GUARDED_BY(tree_lock); /* CAP_SLOT only */
    struct budget *budget;                        /* charged for the node */
    /* of its badge: counts its live capabilities; the last one gone makes the endpoint deliver CLOSED(badge) */
    struct notice *closed;
    struct cap *parent GUARDED_BY(tree_lock);
    struct list children GUARDED_BY(tree_lock);
    struct list sibling GUARDED_BY(tree_lock);
    union {
        /** CAP_LEAF: undo what the leaf stands for. No lock held; called once, after the node left the tree. */
        void (*sever)(struct cap *leaf);
        uint64_t source_id; /* all others: the node that it was derived or copied from; 0: none */
    };
    struct rcu_head rcu;
    union {
        /** Endpoints: who is queued through it, by call_link; next is NULL before the first one, from whom on the node has a reference on its
         *  object. They may outlive it. */
        struct list callers GUARDED_BY(endpoint_lock);
        struct list
            pieces; /* a mapping's: the others of a head, or their link there; aspace_lock */
    };
};

static inline bool cap_is_dead(const struct cap *cap)
{
    return __atomic_load_n(&cap->dead, __ATOMIC_ACQUIRE);
}

/** Find @handle in @process: type (OBJECT_NONE: any) and all of @rights. BAD_HANDLE, WRONG_TYPE, DENIED. Valid until the kernel is left. */
MUST_CHECK status_t cap_lookup(struct process *process, handle_t handle, uint32_t type,
                               uint32_t rights, struct cap **cap);
/** A first capability (a top of the tree) for a new @object in the table of @process. On failure nothing is changed and the
 *  caller still owns the object. */
MUST_CHECK status_t cap_create(struct process *process, struct object *object, uint32_t rights,
                               handle_t *handle);
/** Insert a MAPPING/BINDING leaf below @parent. @leaf is embedded in the caller's structure and zeroed; @sever undoes it on
 *  revocation. BAD_HANDLE if @parent is dead; KERNEL_BLOCKED (self queued, its call restarts: pass it up) while the tree is being revoked. */
MUST_CHECK status_t cap_leaf_insert(struct thread *self, struct cap *parent, struct cap *leaf,
                                    void (*sever)(struct cap *leaf));
/** The same in two steps, for what enters other places between them. True: the tree of @object is locked, and @source (NULL: none) is in
 *  it. False: *@status as above. */
bool cap_tree_enter(struct thread *self, struct object *object, const struct cap *source,
                    status_t *status) TRY_ACQUIRE(true, tree_lock);
/** Below @parent, of @like's object. @leaf is zeroed, or was removed and no revocation has met it. */
void cap_leaf_add(const struct cap *like, struct cap *parent, struct cap *leaf,
                  void (*sever)(struct cap *leaf)) REQUIRES(tree_lock);
/** Put @copy, zeroed, beside @leaf in its tree. False: @leaf is in none any more. */
MUST_CHECK bool cap_leaf_copy(struct cap *leaf, struct cap *copy, void (*sever)(struct cap *leaf));
/** Remove a leaf from its tree unless revocation did already: then false, and sever() was or will be called. The leaf's memory
 *  must live until a grace period has passed. */
bool cap_leaf_remove(struct cap *leaf);
/** A capability in @process made from @source by mode CAP_TRANSFER_COPY/DERIVE/MOVE. MOVE closes @source. @from is the process
 *  that holds @source. Statuses as sys_cap_derive; KERNEL_BLOCKED while the tree is being revoked (the call will restart: pass it up). */
MUST_CHECK status_t cap_transfer(struct thread *self, struct cap *source, struct process *to,
                                 uint32_t mode, uint32_t rights, uint64_t badge, handle_t *handle);
/** Give the slot of @cap back. */
void cap_close(struct process *process, struct cap *cap);

/* Capabilities on their way: a MESSAGE node is in the tree (revocable) and in no table. */
/** Make a message node from @handle of @self's process as the sender's cap_out says. BAD_HANDLE, DENIED, INVALID, NO_MEMORY;
 *  KERNEL_BLOCKED: @self waits for a revocation, its call will restart (nothing was done). MOVE takes the slot at once. */
MUST_CHECK status_t cap_to_message(struct thread *self, const struct cap_out *out,
                                   struct cap **message);
/** Put @message (not NULL) into the table of @to; the node is used up either way. GONE: revoked on its way. NO_MEMORY. */
MUST_CHECK status_t cap_from_message(struct cap *message, struct process *to, handle_t *handle);
void cap_message_drop(struct cap *message);
/** The @count capabilities of a message, all or none, as cap_to_message(); what was moved by then is gone. @out is not the user's any more.
 *  TIMED_OUT: at @deadline_ns one was still being revoked; none was moved. */
MUST_CHECK status_t cap_messages_make(struct thread *self, const struct cap_out *out,
                                      uint32_t count, uint64_t deadline_ns, struct cap **messages);
/** Put @count of them (not NULL) where @to has announced room; the others are dropped. Returns for how many it had. */
uint32_t cap_messages_install(struct thread *to, struct cap *const *messages, uint32_t count);
/** Those of @count that are not NULL. */
void cap_messages_drop(struct cap *const *messages, uint32_t count);
/** Those that @from would have sent. */
void cap_messages_drop_all(struct thread *from);
/** Process teardown: close up to @count slots from *@cursor on. True when the table is empty and its memory returned. */
bool cap_table_destroy_step(struct process *process, uint32_t *cursor, uint32_t count);
