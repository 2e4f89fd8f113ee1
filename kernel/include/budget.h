#pragma once
/* Budgets: the quota tree. A budget owns its quota (moved from its parent when created), so charging touches one node. */
#include "object.h"

struct budget {
    struct object object;
    struct budget *parent;            /* reference; NULL for the root */
    struct spinlock lock;             /* budget_lock: limits */
    uint64_t pages_limit, pages_used; /* atomics; limit changes under budget_lock */
    uint64_t kmem_limit, kmem_used;
    uint32_t priority_ceiling;
};

static inline struct budget *budget_of(struct object *object)
{
    return container_of(object, struct budget, object);
}

/** Charge; NO_MEMORY changes nothing. Any lock may be held. */
MUST_CHECK status_t budget_charge_pages(struct budget *budget, uint64_t pages);
void budget_uncharge_pages(struct budget *budget, uint64_t pages);
MUST_CHECK status_t budget_charge_kmem(struct budget *budget, uint64_t bytes);
void budget_uncharge_kmem(struct budget *budget, uint64_t bytes);
/** The root budget, sized to the machine. */
struct budget *budget_create_root(uint64_t pages, uint64_t kmem_bytes);
/** True if @budget is @ancestor or below it. */
bool budget_is_below(const struct budget *budget, const struct budget *ancestor);
