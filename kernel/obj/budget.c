/* Budgets: the quota tree.
 *
 * A budget owns its quota outright: creating a child moves quota from the parent's limit to the child's, so a charge looks at one
 * node only. Charges are atomic and take no lock. A limit is lowered by storing the new value and then looking at what is used; a
 * charge adds and then looks at the limit: of two that race, at least one sees the other and steps back.
 *
 * Moves between parent and child are rare and share one lock for the whole tree. A child's quota goes back when the last thing that is
 * charged to it is gone (everything charged holds a reference on its budget), not when its last capability is. */
#include <budget.h>
#include <cpu.h>
#include <handlers.h>
#include <obj_create.h>
#include <thread.h>

#define BUDGET_RIGHTS \
    (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_MANAGE | RIGHT_SPEND)

static struct spinlock tree_moves; /* budget_lock: all limits but the root's creation */

/* One kind of quota: what is used of what limit. */
static bool charge(uint64_t *used, const uint64_t *limit, uint64_t amount)
{
    uint64_t before = __atomic_load_n(used, __ATOMIC_RELAXED);
    uint64_t after;

    do {
        if (__builtin_add_overflow(before, amount, &after) ||
            after > __atomic_load_n(limit, __ATOMIC_RELAXED))
            return false;
    } while (!__atomic_compare_exchange_n(used, &before, after, true, __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED));
    if (likely(after <= __atomic_load_n(limit, __ATOMIC_SEQ_CST)))
        return true;
    __atomic_fetch_sub(used, amount, __ATOMIC_RELAXED);
    return false;
}

/* Lower @limit by @amount unless more than what would be left is used. */
static bool limit_take(uint64_t *limit, const uint64_t *used, uint64_t amount) REQUIRES(budget_lock)
{
    uint64_t before = *limit;

    if (amount > before)
        return false;
    __atomic_store_n(limit, before - amount, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(used, __ATOMIC_SEQ_CST) <= before - amount)
        return true;
    __atomic_store_n(limit, before, __ATOMIC_SEQ_CST);
    return false;
}

static void limit_give(uint64_t *limit, uint64_t amount) REQUIRES(budget_lock)
{
    __atomic_store_n(limit, *limit + amount, __ATOMIC_SEQ_CST);
}

status_t budget_charge_pages(struct budget *budget, uint64_t pages)
{
    return charge(&budget->pages_used, &budget->pages_limit, pages) ? STATUS_OK : STATUS_NO_MEMORY;
}

void budget_uncharge_pages(struct budget *budget, uint64_t pages)
{
    uint64_t before = __atomic_fetch_sub(&budget->pages_used, pages, __ATOMIC_RELAXED);

    DEBUG_ASSERT(before >= pages);
    (void)before;
}

status_t budget_charge_kmem(struct budget *budget, uint64_t bytes)
{
    return charge(&budget->kmem_used, &budget->kmem_limit, bytes) ? STATUS_OK : STATUS_NO_MEMORY;
}

void budget_uncharge_kmem(struct budget *budget, uint64_t bytes)
{
    uint64_t before = __atomic_fetch_sub(&budget->kmem_used, bytes, __ATOMIC_RELAXED);

    DEBUG_ASSERT(before >= bytes);
    (void)before;
}

bool budget_is_below(const struct budget *budget, const struct budget *ancestor)
{
    while (budget != NULL && budget != ancestor)
        budget = budget->parent;
    return budget != NULL;
}

/* ── The object ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void budget_destroy(struct object *object)
{
    (void)object; /* what is charged keeps the quota until it is gone */
}

static void budget_free(struct object *object)
{
    struct budget *budget = budget_of(object);
    struct budget *parent = budget->parent;

    ASSERT(parent != NULL); /* the root's first capability is never given back */
    DEBUG_ASSERT(budget->pages_used == 0 && budget->kmem_used == 0);
    budget_lock_acquire(&tree_moves);
    limit_give(&parent->pages_limit, budget->pages_limit);
    limit_give(&parent->kmem_limit, budget->kmem_limit);
    budget_lock_release(&tree_moves);
    object_release(object, sizeof(*budget));
}

static const struct object_ops budget_ops = {.type = OBJECT_BUDGET,
                                             .destroy = budget_destroy,
                                             .free = budget_free};

struct budget *budget_create_root(uint64_t pages, uint64_t kmem_bytes)
{
    static struct budget root;

    object_init(&root.object, &budget_ops, NULL);
    object_ref(&root.object); /* for the kernel: never freed */
    root.pages_limit = pages;
    root.kmem_limit = kmem_bytes;
    root.priority_ceiling = PRIORITIES - 1;
    return &root;
}

/* Move quota from @parent to the new @budget. */
static status_t quota_take(struct budget *parent, struct budget *budget, uint64_t pages,
                           uint64_t kmem_bytes)
{
    status_t status = STATUS_NO_MEMORY;

    budget_lock_acquire(&tree_moves);
    if (limit_take(&parent->pages_limit, &parent->pages_used, pages)) {
        if (limit_take(&parent->kmem_limit, &parent->kmem_used, kmem_bytes)) {
            budget->pages_limit = pages;
            budget->kmem_limit = kmem_bytes;
            status = STATUS_OK;
        } else {
            limit_give(&parent->pages_limit, pages);
        }
    }
    budget_lock_release(&tree_moves);
    return status;
}

status_t sys_budget_create(struct thread *self, struct cap *parent_cap, uint64_t pages,
                           uint64_t kmem_bytes, uint32_t priority_ceiling, handle_t *handle)
{
    struct budget *parent = budget_of(parent_cap->object);

    if (priority_ceiling > parent->priority_ceiling)
        return STATUS_INVALID;
    struct budget *budget = object_allocate(parent_cap, sizeof(*budget), &budget_ops);

    if (budget == NULL)
        return STATUS_NO_MEMORY;
    budget->parent = parent; /* the reference is the header's: object.budget */
    budget->priority_ceiling = priority_ceiling;
    status_t status = quota_take(parent, budget, pages, kmem_bytes);

    if (!status_is_ok(status)) {
        object_unref(&budget->object);
        return status;
    }
    return object_publish(self->process, &budget->object, BUDGET_RIGHTS, handle);
}

/* One kind of quota of @budget becomes @wanted. */
static status_t limit_set(uint64_t *limit, const uint64_t *used, uint64_t *parent_limit,
                          const uint64_t *parent_used, uint64_t wanted) REQUIRES(budget_lock)
{
    uint64_t now = *limit;

    if (wanted >= now) {
        if (!limit_take(parent_limit, parent_used, wanted - now))
            return STATUS_NO_MEMORY;
        limit_give(limit, wanted - now);
        return STATUS_OK;
    }
    if (!limit_take(limit, used, now - wanted))
        return STATUS_BUSY;
    limit_give(parent_limit, now - wanted);
    return STATUS_OK;
}

static status_t quota_set(struct budget *budget, uint64_t pages, uint64_t kmem_bytes)
    REQUIRES(budget_lock)
{
    struct budget *parent = budget->parent;
    uint64_t pages_before = budget->pages_limit;
    status_t status = limit_set(&budget->pages_limit, &budget->pages_used, &parent->pages_limit,
                                &parent->pages_used, pages);

    if (!status_is_ok(status))
        return status;
    status = limit_set(&budget->kmem_limit, &budget->kmem_used, &parent->kmem_limit,
                       &parent->kmem_used, kmem_bytes);
    if (status_is_ok(status) || pages == pages_before)
        return status;
    /* Undo the pages: taking back what was moved can fail only if a charge came in between; then the limits stay as they are,
     * which is a smaller change than what was asked for. */
    status_ignore(limit_set(&budget->pages_limit, &budget->pages_used, &parent->pages_limit,
                            &parent->pages_used, pages_before));
    return status;
}

status_t sys_budget_set(struct thread *self, struct cap *cap, uint64_t pages, uint64_t kmem_bytes)
{
    (void)self;
    struct budget *budget = budget_of(cap->object);

    if (budget->parent == NULL)
        return STATUS_DENIED;
    budget_lock_acquire(&tree_moves);
    status_t status = quota_set(budget, pages, kmem_bytes);

    budget_lock_release(&tree_moves);
    return status;
}

status_t sys_budget_info(struct thread *self, struct cap *cap, struct budget_info *info)
{
    (void)self;
    const struct budget *budget = budget_of(cap->object);

    *info = (struct budget_info){
        .id = budget->object.id,
        .pages_limit = __atomic_load_n(&budget->pages_limit, __ATOMIC_RELAXED),
        .pages_used = __atomic_load_n(&budget->pages_used, __ATOMIC_RELAXED),
        .kmem_limit = __atomic_load_n(&budget->kmem_limit, __ATOMIC_RELAXED),
        .kmem_used = __atomic_load_n(&budget->kmem_used, __ATOMIC_RELAXED),
        .priority_ceiling = budget->priority_ceiling,
    };
    return STATUS_OK;
}
