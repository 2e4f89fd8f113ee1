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

static bool charge(struct quota *quota, uint64_t amount)
{
    uint64_t before = __atomic_load_n(&quota->used, __ATOMIC_RELAXED);
    uint64_t after;

    do {
        if (__builtin_add_overflow(before, amount, &after) ||
            after > __atomic_load_n(&quota->limit, __ATOMIC_RELAXED))
            return false;
    } while (!__atomic_compare_exchange_n(&quota->used, &before, after, true, __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED));
    if (likely(after <= __atomic_load_n(&quota->limit, __ATOMIC_SEQ_CST)))
        return true;
    __atomic_fetch_sub(&quota->used, amount, __ATOMIC_RELAXED);
    return false;
}

static void uncharge(struct quota *quota, uint64_t amount)
{
    uint64_t before = __atomic_fetch_sub(&quota->used, amount, __ATOMIC_RELAXED);

    DEBUG_ASSERT(before >= amount);
    (void)before;
}

/* Lower the limit by @amount unless more than what would be left is used. */
static bool limit_take(struct quota *quota, uint64_t amount) REQUIRES(budget_lock)
{
    uint64_t before = quota->limit;

    if (amount > before)
        return false;
    __atomic_store_n(&quota->limit, before - amount, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&quota->used, __ATOMIC_SEQ_CST) <= before - amount)
        return true;
    __atomic_store_n(&quota->limit, before, __ATOMIC_SEQ_CST);
    return false;
}

static void limit_give(struct quota *quota, uint64_t amount) REQUIRES(budget_lock)
{
    __atomic_store_n(&quota->limit, quota->limit + amount, __ATOMIC_SEQ_CST);
}

status_t budget_charge_pages(struct budget *budget, uint64_t pages)
{
    return charge(&budget->quotas[QUOTA_PAGES], pages) ? STATUS_OK : STATUS_NO_MEMORY;
}

void budget_uncharge_pages(struct budget *budget, uint64_t pages)
{
    uncharge(&budget->quotas[QUOTA_PAGES], pages);
}

status_t budget_charge_kmem(struct budget *budget, uint64_t bytes)
{
    return charge(&budget->quotas[QUOTA_KMEM], bytes) ? STATUS_OK : STATUS_NO_MEMORY;
}

void budget_uncharge_kmem(struct budget *budget, uint64_t bytes)
{
    uncharge(&budget->quotas[QUOTA_KMEM], bytes);
}

status_t budget_charge_realtime(struct budget *budget, uint64_t share)
{
    return charge(&budget->quotas[QUOTA_REALTIME], share) ? STATUS_OK : STATUS_DENIED;
}

void budget_uncharge_realtime(struct budget *budget, uint64_t share)
{
    uncharge(&budget->quotas[QUOTA_REALTIME], share);
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

static COLD void budget_free(struct object *object)
{
    struct budget *budget = budget_of(object);
    struct budget *parent = budget->parent;

    ASSERT(parent != NULL); /* the root's first capability is never given back */
    budget_lock_acquire(&tree_moves);
    for (unsigned i = 0; i < QUOTAS; i++) {
        DEBUG_ASSERT(budget->quotas[i].used == 0);
        limit_give(&parent->quotas[i], budget->quotas[i].limit);
    }
    budget_lock_release(&tree_moves);
    object_release(object, sizeof(*budget));
}

static const struct object_ops budget_ops = {.type = OBJECT_BUDGET,
                                             .destroy = budget_destroy,
                                             .free = budget_free};

struct budget *budget_create_root(uint64_t pages, uint64_t kmem_bytes, uint64_t realtime)
{
    static struct budget root;

    object_init(&root.object, &budget_ops, NULL);
    object_ref(&root.object); /* for the kernel: never freed */
    root.quotas[QUOTA_PAGES].limit = pages;
    root.quotas[QUOTA_KMEM].limit = kmem_bytes;
    root.quotas[QUOTA_REALTIME].limit = realtime;
    root.priority_ceiling = PRIORITIES - 1;
    return &root;
}

/* The limit of @quota becomes @wanted; the difference moves from or to the parent's. */
static COLD status_t limit_set(struct quota *quota, struct quota *parent, uint64_t wanted)
    REQUIRES(budget_lock)
{
    uint64_t now = quota->limit;

    if (wanted >= now) {
        if (!limit_take(parent, wanted - now))
            return STATUS_NO_MEMORY;
        limit_give(quota, wanted - now);
        return STATUS_OK;
    }
    if (!limit_take(quota, now - wanted))
        return STATUS_BUSY;
    limit_give(parent, now - wanted);
    return STATUS_OK;
}

/* All limits of @budget become @wanted, or none does. */
static COLD status_t limits_set(struct budget *budget, const uint64_t wanted[QUOTAS])
{
    struct quota *parents = budget->parent->quotas;
    uint64_t before[QUOTAS];
    status_t status = STATUS_OK;
    unsigned set = 0;

    budget_lock_acquire(&tree_moves);
    while (set < QUOTAS && status_is_ok(status)) {
        before[set] = budget->quotas[set].limit;
        status = limit_set(&budget->quotas[set], &parents[set], wanted[set]);
        set += status_is_ok(status);
    }
    /* Undone: taking back what was moved can fail only if a charge came in between; then that limit stays as it is, which is a smaller
     * change than what was asked for. */
    while (!status_is_ok(status) && set-- > 0)
        status_ignore(limit_set(&budget->quotas[set], &parents[set], before[set]));
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
    status_t status =
        limits_set(budget,
                   (const uint64_t[QUOTAS]){[QUOTA_PAGES] = pages, [QUOTA_KMEM] = kmem_bytes});

    if (!status_is_ok(status)) {
        object_unref(&budget->object);
        return status;
    }
    return object_publish(self->process, &budget->object, BUDGET_RIGHTS, handle);
}

status_t sys_budget_set(struct thread *self, struct cap *cap, uint64_t pages, uint64_t kmem_bytes,
                        uint64_t realtime)
{
    (void)self;
    struct budget *budget = budget_of(cap->object);

    if (budget->parent == NULL)
        return STATUS_DENIED;
    return limits_set(
        budget, (const uint64_t[QUOTAS]){
                    [QUOTA_PAGES] = pages, [QUOTA_KMEM] = kmem_bytes, [QUOTA_REALTIME] = realtime});
}

status_t sys_budget_info(struct thread *self, struct cap *cap, struct budget_info *info)
{
    (void)self;
    const struct budget *budget = budget_of(cap->object);

    const struct quota *quotas = budget->quotas;
    *info = (struct budget_info){
        .id = budget->object.id,
        .pages_limit = __atomic_load_n(&quotas[QUOTA_PAGES].limit, __ATOMIC_RELAXED),
        .pages_used = __atomic_load_n(&quotas[QUOTA_PAGES].used, __ATOMIC_RELAXED),
        .kmem_limit = __atomic_load_n(&quotas[QUOTA_KMEM].limit, __ATOMIC_RELAXED),
        .kmem_used = __atomic_load_n(&quotas[QUOTA_KMEM].used, __ATOMIC_RELAXED),
        .realtime_limit = __atomic_load_n(&quotas[QUOTA_REALTIME].limit, __ATOMIC_RELAXED),
        .realtime_used = __atomic_load_n(&quotas[QUOTA_REALTIME].used, __ATOMIC_RELAXED),
        .priority_ceiling = budget->priority_ceiling,
    };
    return STATUS_OK;
}
