/* Address spaces: making, loading, flushing, ending.
 *
 * A CPU announces the address space it is about to load (cpu->aspace, with no generation flushed), then, after a full barrier, reads
 * its generation and loads it. Who takes a translation away changes the page table, raises the generation with a full barrier, and then looks at what the CPUs
 * have announced. So either the CPU loads the changed tables, or it is sent an IPI and flushes on its way out of the kernel.
 * The structure outlives the object for as long as a mapping may still look at it: `holds` counts them. The teardown runs after a
 * grace period, in pieces, when no CPU can have the tables loaded; it takes the mappings off their Memories and frees the tables. */
#include "mm/aspace.h"

#include "arch.h"
#include "arch_cpu.h"
#include "budget.h"
#include "handlers.h"
#include "kmem.h"
#include "mapping.h"
#include "memory_internal.h"
#include "mm/kernelmap.h"
#include "obj_create.h"
#include "random.h"
#include "sched.h"

/** Where ranges that the kernel chooses lie: from here plus a random number below that. */
#define MAP_BASE (ARCH_USER_END / 4)
#define MAP_RANDOM (ARCH_USER_END / 128)

/** Tables freed in one go before looking whether something waits. */
#define TEARDOWN_TABLES 16u

static uint64_t generations; /* atomic: given out so far, to all address spaces */

static void aspace_destroy(struct object *object)
{
    (void)object; /* threads go on running in it: it ends with the last reference */
}

void aspace_drop(struct aspace *aspace)
{
    if (__atomic_sub_fetch(&aspace->holds, 1, __ATOMIC_ACQ_REL) == 0)
        object_release(&aspace->object, sizeof(*aspace));
}

static void aspace_free(struct object *object);

static void aspace_free_again(struct rcu_head *head)
{
    aspace_free(container_of(head, struct object, rcu));
}

/* Take one mapping away. The page tables go as a whole later, so only the Memory must forget it. */
static bool teardown_mapping(struct aspace *aspace)
{
    aspace_lock_acquire(&aspace->lock);
    kept_drop(aspace);
    struct mapping *mapping = aspace->mappings.root;
    if (mapping != NULL)
        mapping_forget(mapping);
    aspace_lock_release(&aspace->lock);
    if (mapping != NULL)
        mapping_retire(mapping);
    return mapping != NULL;
}

static COLD void aspace_free(struct object *object)
{
    struct aspace *aspace = aspace_of(object);
    bool more;
    while ((more = teardown_mapping(aspace)) ||
           !pagetable_destroy_step(aspace->root, TEARDOWN_TABLES)) {
        if (sched_should_yield()) {
            rcu_call(&object->rcu, aspace_free_again);
            return;
        }
    }
    pagetable_free(aspace->root);
    aspace_drop(aspace);
}

static const struct object_ops aspace_ops = {.type = OBJECT_ASPACE,
                                             .destroy = aspace_destroy,
                                             .free = aspace_free};

static COLD struct aspace *aspace_allocate(struct budget *budget) NO_THREAD_SAFETY
{
    paddr_t root;
    uint64_t random;
    if (!status_is_ok(pagetable_create(budget, &root)))
        return NULL;
    struct aspace *aspace = kmem_alloc(budget, sizeof(*aspace));
    if (aspace == NULL) {
        pagetable_free(root);
        return NULL;
    }
    object_init(&aspace->object, &aspace_ops, budget);
    kernelmap_share(root);
    random_bytes(&random, sizeof(random));
    list_init(&aspace->mappings.order);
    aspace->table_address = TABLE_NONE;
    aspace->root = root;
    aspace->root_slot = arch_root_slot(root);
    aspace->generation = __atomic_add_fetch(&generations, 1, __ATOMIC_RELAXED);
    aspace->holds = 1;
    aspace->map_base = (MAP_BASE + random % MAP_RANDOM) & ~(PAGE_SIZE - 1);
    return aspace;
}

status_t aspace_create(struct budget *budget, struct aspace **aspace)
{
    *aspace = aspace_allocate(budget);
    return *aspace != NULL ? STATUS_OK : STATUS_NO_MEMORY;
}

status_t sys_aspace_create(struct thread *self, struct cap *budget_cap, handle_t *handle)
{
    struct budget *budget = budget_of(budget_cap->object);
    if (!object_try_ref(&budget->object))
        return STATUS_NO_MEMORY;
    struct aspace *aspace = aspace_allocate(budget);
    object_unref(&budget->object);
    if (aspace == NULL)
        return STATUS_NO_MEMORY;
    return object_publish(self->process, &aspace->object, ASPACE_RIGHTS, handle);
}

/* ── Translations ─────────────────────────────────────────────────────────────────────────────────────────────────── */

void aspace_deactivate(struct cpu *cpu)
{
    __atomic_store_n(&cpu->aspace, NULL, __ATOMIC_RELEASE);
}

void aspace_invalidate(struct aspace *aspace, uint64_t page)
{
    struct cpu *self = arch_cpu_local();
    uint64_t old = __atomic_load_n(&aspace->generation, __ATOMIC_RELAXED);
    uint64_t generation = __atomic_add_fetch(&generations, 1, __ATOMIC_SEQ_CST);
    /* One that is higher already was taken after ours, so after what we changed. */
    while (old < generation &&
           !__atomic_compare_exchange_n(&aspace->generation, &old, generation, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        continue;
    for (uint32_t i = 0; i < cpu_count; i++)
        if (cpus[i] != self && __atomic_load_n(&cpus[i]->aspace, __ATOMIC_SEQ_CST) == aspace)
            arch_ipi_send(i);
    if (self->aspace != aspace)
        return;
    if (page != PAGES_ALL && self->aspace_generation == old) {
        arch_tlb_flush_page(page, false);
        __atomic_store_n(&self->aspace_generation, generation, __ATOMIC_RELEASE);
    } else {
        self->changed = true;
    }
}

bool aspace_is_stale(const struct aspace *aspace, uint64_t generation)
{
    const struct cpu *self = arch_cpu_local();
    for (uint32_t i = 0; i < cpu_count; i++) {
        const struct cpu *cpu = cpus[i];
        if (cpu != self && __atomic_load_n(&cpu->aspace, __ATOMIC_SEQ_CST) == aspace &&
            __atomic_load_n(&cpu->aspace_generation, __ATOMIC_ACQUIRE) < generation)
            return true;
    }
    return false;
}
