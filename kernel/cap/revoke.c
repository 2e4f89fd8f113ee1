/* Revocation: destroy every descendant of a capability.
 *
 * The object is marked as being revoked, so derivations wait. Then leaf after leaf of the subtree is taken out, in batches under the
 * tree's lock; after each batch, without the lock, what the nodes stood for is undone: slots freed, mappings and bindings severed, queued calls
 * cancelled, badges dropped. Between batches is a preemption point; the next batch goes on at the node where the last one ended, which is
 * held meanwhile. At the end the caller waits for a grace period, so that no CPU is still inside a call that looked a revoked capability
 * up. The work runs as a continuation of the calling thread: its progress is the shape of the tree itself. If the thread is killed
 * meanwhile it finishes the revocation first. */
#include "arch_accessors.h"
#include "budget.h"
#include "endpoint.h"
#include "handlers.h"
#include "sched.h"
#include "tree.h"
#include "waiters.h"

#define REVOKE_BATCH 32

/* Move up to REVOKE_BATCH descendants of @top, deepest first, from the tree to @removed, beginning below *@from, which is held; so is
 * what it becomes. True: none is left. */
static bool collect(struct object *object, struct cap *top, struct cap **from, struct list *removed)
    REQUIRES(tree_lock)
{
    struct cap *at = *from;
    at->held--;
    for (uint32_t count = 0; count < REVOKE_BATCH;) {
        struct list *child = list_first(&at->children);
        if (child != NULL) {
            at = list_entry(child, struct cap, sibling);
            continue;
        }
        if (at == top)
            break;
        struct cap *parent = at->parent;
        list_remove(&at->sibling);
        object->live -= at->kind != CAP_GHOST;
        at->parent = NULL;
        __atomic_store_n(&at->dead, true, __ATOMIC_SEQ_CST);
        if (at->kind == CAP_MESSAGE) {
            at->kind =
                CAP_REMOVED; /* its carrier frees it, and may do so long after the object's end */
            object_ref(object);
        } else {
            list_push_back(removed, &at->sibling);
        }
        count++;
        at = parent;
    }
    at->held++;
    *from = at;
    return at == top && list_is_empty(&top->children);
}

static void undo_slot(struct cap *cap) NO_THREAD_SAFETY
{
    cap_slot_release(cap->holder, cap);
    if (cap->type == OBJECT_ENDPOINT)
        endpoint_cancel_cap(endpoint_of(cap->object), cap);
    badge_drop(cap->closed, true);
    cap_node_retire(cap);
}

/* The nodes stay linked: nobody looks at the links of one that is out of its tree. */
static void undo(const struct list *removed) NO_THREAD_SAFETY
{
    list_for_each_safe (node, after, removed) {
        struct cap *cap = list_entry(node, struct cap, sibling);
        uint8_t kind = cap->kind;
        cap->kind = CAP_REMOVED;
        if (kind != CAP_LEAF && cap->object->ops->revoked != NULL)
            cap->object->ops->revoked(cap->object, cap);
        if (kind == CAP_LEAF)
            cap->sever(cap);
        else if (kind == CAP_SLOT)
            undo_slot(cap);
        else
            cap_node_retire(cap);
    }
}

/* Everything is revoked: let derivations go on; drop the hold on the node, which may have been closed meanwhile. */
static void revoke_finish(struct cap *top)
{
    struct object *object = top->object;
    struct thread *deriver;
    tree_lock_acquire(&object->lock);
    object->revoking = 0;
    while ((deriver = waiter_take(&object->derivers)) != NULL)
        thread_wake(deriver);
    top->held -= 2;
    bool retire = top->kind == CAP_GHOST && top->held == 0;
    if (retire)
        tree_prune(top);
    tree_lock_release(&object->lock);
    object_unref(object);
}

static void revoke_step(struct thread *self) NO_THREAD_SAFETY
{
    struct cap *top = self->continuation_data;
    struct object *object = top->object;
    bool finished;
    do {
        struct list removed;
        list_init(&removed);
        tree_lock_acquire(&object->lock);
        bool was_live = object->live != 0;
        finished = collect(object, top, &self->revoke_at, &removed);
        bool last = was_live && object->live == 0;
        tree_lock_release(&object->lock);
        undo(&removed);
        if (last)
            object_end(object);
    } while (!finished && !sched_should_yield());
    if (!finished) {
        sched_yield_current();
        return;
    }
    self->continuation = NULL;
    self->continuation_data = NULL;
    revoke_finish(top);
    arch_syscall_status_set(self, STATUS_OK);
    thread_wait_grace(self);
}

status_t sys_cap_revoke(struct thread *self, struct cap *source)
{
    struct object *object = source->object;
    tree_lock_acquire(&object->lock);
    if (object->revoking != 0)
        return tree_wait_revoked(self, object);
    if (source->kind != CAP_SLOT) {
        tree_lock_release(&object->lock);
        return STATUS_BAD_HANDLE;
    }
    object->revoking = 1;
    source->held += 2; /* as the top, and as where to go on */
    object_ref(object);
    tree_lock_release(&object->lock);
    self->continuation_data = source;
    self->revoke_at = source;
    self->continuation = revoke_step;
    return KERNEL_DONE;
}
