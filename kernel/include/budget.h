#pragma once
/* Budgets: the quota tree. A budget owns its quota (moved from its parent when created), so charging touches one node. */
#include "object.h"

/** What a budget has of one kind. */
struct quota {
    uint64_t limit; /* atomic; changes under budget_lock */
    uint64_t used;  /* atomic */
};

/** Pages; bytes of kernel memory; millionths of a CPU that threads of the real-time band may have, all together (thread.set_realtime). */
enum { QUOTA_PAGES, QUOTA_KMEM, QUOTA_REALTIME, QUOTAS };

struct budget {
    struct object object;
    struct budget *parent; /* reference; NULL for the root */
    struct quota quotas[QUOTAS];
    uint32_t priority_ceiling; /* what a thread may have for as long as it likes */
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
MUST_CHECK status_t budget_charge_realtime(struct budget *budget, uint64_t share);
void budget_uncharge_realtime(struct budget *budget, uint64_t share);
/** The root budget, sized to the machine. */
struct budget *budget_create_root(uint64_t pages, uint64_t kmem_bytes, uint64_t realtime);
/** True if @budget is @ancestor or below it. */
bool budget_is_below(const struct budget *budget, const struct budget *ancestor);
