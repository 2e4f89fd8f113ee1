/* Derivation trees.
 *
 * One tree and one lock per object. A node is live (SLOT, MESSAGE, LEAF), a GHOST (its holder closed it, its children live on) or
 * REMOVED (out of the tree; whoever removed it frees it). The tree keeps one reference on the object; when the last live node
 * goes the object ends. Ghosts without children are retired at once, walking towards the root: at most CAP_DEPTH_MAX steps. */
#include "tree.h"

#include "arch.h"
#include "budget.h"
#include "endpoint.h"
#include "kmem.h"
#include "sched.h"
#include "waiters.h"

static uint64_t next_id = 1;

static uint64_t new_id(void)
{
    return __atomic_fetch_add(&next_id, 1, __ATOMIC_RELAXED);
}

void object_init(struct object *object, const struct object_ops *ops, struct budget *budget)
    NO_THREAD_SAFETY
{
    object->ops = ops;
    object->id = new_id();
    object->refs = 1;
    list_init(&object->tops);
    list_init(&object->derivers);
    object->budget = budget;
    if (budget != NULL)
        object_ref(&budget->object);
}

static void object_free_rcu(struct rcu_head *head)
{
    struct object *object = container_of(head, struct object, rcu);
    object->ops->free(object);
}

void object_unref(struct object *object)
{
    if (__atomic_sub_fetch(&object->refs, 1, __ATOMIC_ACQ_REL) == 0)
        rcu_call(&object->rcu, object_free_rcu);
}

void object_end(struct object *object)
{
    object->ops->destroy(object);
    object_unref(object);
}

struct cap *cap_node_create(struct budget *budget, struct object *object, uint32_t rights)
    NO_THREAD_SAFETY
{
    struct cap *cap = kmem_alloc(budget, sizeof(*cap));
    if (cap == NULL)
        return NULL;
    cap->object = object;
    cap->type = object->ops->type;
    cap->rights = rights;
    cap->budget = budget;
    cap->id = new_id();
    cap->kind = CAP_REMOVED;
    list_init(&cap->children);
    list_init(&cap->sibling);
    object_ref(&budget->object);
    return cap;
}

static void cap_free_rcu(struct rcu_head *head) NO_THREAD_SAFETY
{
    struct cap *cap = container_of(head, struct cap, rcu);
    struct budget *budget = cap->budget;
    if (unlikely(cap->callers.next != NULL))
        callers_leave(cap);
    kmem_free(budget, cap, sizeof(*cap));
    object_unref(&budget->object);
}

void cap_node_retire(struct cap *cap)
{
    rcu_call(&cap->rcu, cap_free_rcu);
}

void tree_insert(struct object *object, struct cap *parent, struct cap *cap)
{
    cap->parent = parent;
    cap->depth = parent == NULL ? 0 : (uint16_t)(parent->depth + 1);
    list_push_back(parent == NULL ? &object->tops : &parent->children, &cap->sibling);
    object->live++;
}

void tree_prune(struct cap *cap)
{
    while (cap != NULL && cap->kind == CAP_GHOST && cap->held == 0 &&
           list_is_empty(&cap->children)) {
        struct cap *parent = cap->parent;
        list_remove(&cap->sibling);
        cap->kind = CAP_REMOVED;
        cap_node_retire(cap);
        cap = parent;
    }
}

bool tree_remove(struct object *object, struct cap *cap)
{
    __atomic_store_n(&cap->dead, true, __ATOMIC_SEQ_CST);
    if (cap->held != 0 || !list_is_empty(&cap->children)) {
        cap->kind = CAP_GHOST;
    } else {
        struct cap *parent = cap->parent;
        list_remove(&cap->sibling);
        cap->kind = CAP_REMOVED;
        tree_prune(parent);
    }
    return --object->live == 0;
}

/* Waiting for a revocation to end. */

static const struct wait_class revoked_wait = {.name = "revocation",
                                               WAIT_CLASS_LOCK(object, lock, tree_lock)};

COLD status_t tree_wait_revoked(struct thread *self, struct object *object)
{
    uint64_t deadline_ns = self->derive_deadline_ns;
    status_t status = STATUS_TIMED_OUT;
    self->derive_deadline_ns = DEADLINE_NEVER;
    if (deadline_ns > arch_time_now_ns()) { /* else it has waited as long as it was to */
        thread_restart_on_wake(self);
        status = waiter_enqueue(self, &object->derivers, &revoked_wait, object, deadline_ns);
        if (status != KERNEL_BLOCKED)
            status = KERNEL_DONE;
    }
    tree_lock_release(&object->lock);
    return status;
}

/* Notices. */

static COLD void notice_free(struct rcu_head *head)
{
    struct notice *notice = container_of(head, struct notice, rcu);
    struct budget *budget = notice->budget;
    object_unref(&notice->endpoint->object);
    kmem_free(budget, notice, sizeof(*notice));
    object_unref(&budget->object);
}

void notice_retire(struct notice *notice)
{
    rcu_call(&notice->rcu, notice_free);
}

void badge_drop(struct notice *closed, bool had)
{
    if (closed == NULL || __atomic_sub_fetch(&closed->count, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (had)
        endpoint_notify(closed);
    else
        notice_retire(closed);
}
