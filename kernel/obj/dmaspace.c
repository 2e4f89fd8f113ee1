/* DMA spaces: what a device may reach. This is the backend for machines without an IOMMU: bus addresses are physical addresses, and all
 * that a mapping does is to keep its pages in place.
 *
 * A mapping pins its pages, so they neither move nor go while the device may write to them, and is a leaf below the Memory capability
 * through which it was made: revocation undoes it. The leaf also keeps the Memory alive. Whoever takes the leaf out of its tree
 * (unmap, or sever() for a revocation) releases the mapping, so that happens once.
 *
 * Unmapping says that the device is quiet: devmgr, which holds the space, resets the device first. The end of a space says nothing of the
 * kind: whoever held it may have died, in any order, with the device at work. So what an ended space had mapped stays pinned and is the
 * root's: the next devmgr unmaps it there, when it has made the devices quiet. */
#include <device.h>
#include <handlers.h>
#include <mm/aspace.h>
#include <mm/memory.h>
#include <obj_create.h>
#include <process.h>
#include <sched.h>
#include <thread.h>

#define DMASPACE_RIGHTS (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_MANAGE)
/* Pages of one mapping: bounds the time with interrupts off. */
#define MAPPING_PAGES_MAX 1024u
#define ADDRESSES_AT_ONCE 32u

struct dmaspace {
    struct object object;
    bool root; /* others are made from it; it maps nothing itself */
    bool dead GUARDED_BY(source_lock);
    struct list mappings GUARDED_BY(source_lock);
};

static struct spinlock spaces; /* source_lock: the mappings of all */
static struct list left GUARDED_BY(source_lock) = {&left, &left}; /* by spaces that ended */
static uint64_t last_id GUARDED_BY(source_lock);

struct dma_mapping {
    struct cap leaf;  /* below the Memory's capability */
    struct list link; /* source_lock */
    uint64_t id;
    struct dmaspace *space; /* reference */
    struct memory *memory;  /* reference */
    struct budget *budget;  /* reference; charged for this */
    uint64_t first, pages;  /* pages of the Memory; those pinned so far */
    struct rcu_head rcu;
};

static inline struct dmaspace *dmaspace_of(struct object *object)
{
    return container_of(object, struct dmaspace, object);
}

/* ── Mappings ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Holding @space and @memory, whose last capabilities may be going at this moment. @budget is the calling process's. */
static struct dma_mapping *mapping_create(struct dmaspace *space, struct memory *memory,
                                          struct budget *budget)
{
    bool has_space = object_try_ref(&space->object);
    bool has_memory = object_try_ref(&memory->object);
    struct dma_mapping *mapping =
        has_space && has_memory ? kmem_alloc(budget, sizeof(*mapping)) : NULL;

    if (mapping == NULL) {
        if (has_space)
            object_unref(&space->object);
        if (has_memory)
            object_unref(&memory->object);
        return NULL;
    }
    list_init(&mapping->link);
    mapping->space = space;
    mapping->memory = memory;
    mapping->budget = budget;
    object_ref(&budget->object);
    return mapping;
}

static void mapping_free(struct rcu_head *head)
{
    struct dma_mapping *mapping = container_of(head, struct dma_mapping, rcu);
    struct budget *budget = mapping->budget;

    object_unref(&mapping->space->object);
    object_unref(&mapping->memory->object);
    kmem_free(budget, mapping, sizeof(*mapping));
    object_unref(&budget->object);
}

static void pages_unpin(struct dma_mapping *mapping)
{
    while (mapping->pages != 0) {
        memory_unpin(mapping->memory, mapping->first + --mapping->pages);
        if (mapping->pages % ADDRESSES_AT_ONCE == 0)
            sched_let_interrupts_in();
    }
}

/* @mapping is in no tree (any more): let its pages go. */
static void mapping_release(struct dma_mapping *mapping)
{
    source_lock_acquire(&spaces);
    list_remove(&mapping->link);
    source_lock_release(&spaces);
    pages_unpin(mapping);
    rcu_call(&mapping->rcu, mapping_free);
}

static void mapping_sever(struct cap *leaf)
{
    mapping_release(container_of(leaf, struct dma_mapping, leaf));
}

static void mapping_end(struct dma_mapping *mapping)
{
    if (cap_leaf_remove(&mapping->leaf))
        mapping_release(mapping);
}

/* Pin the pages, telling the caller the address of each; what was pinned is in mapping->pages, also on failure. */
static status_t pages_pin(struct thread *self, struct dma_mapping *mapping, uint64_t count,
                          uint64_t user_address)
{
    uint64_t addresses[ADDRESSES_AT_ONCE];

    for (uint64_t done = 0; done < count;) {
        uint64_t part = MIN(count - done, ADDRESSES_AT_ONCE);

        for (uint64_t i = 0; i < part; i++) {
            status_t status =
                memory_pin(mapping->memory, self, mapping->first + done + i, &addresses[i]);

            if (!status_is_ok(status))
                return status;
            mapping->pages++;
        }
        status_t status = user_copy_out(self, user_address + done * sizeof(uint64_t), addresses,
                                        part * sizeof(uint64_t));

        if (!status_is_ok(status))
            return status;
        done += part;
        sched_let_interrupts_in();
    }
    return STATUS_OK;
}

static status_t range_check(const struct memory *memory, uint64_t offset, uint64_t bytes,
                            uint64_t room)
{
    uint64_t end;

    if (offset % PAGE_SIZE != 0 || bytes % PAGE_SIZE != 0 || bytes == 0)
        return STATUS_INVALID;
    if (__builtin_add_overflow(offset, bytes, &end) ||
        end / PAGE_SIZE > __atomic_load_n(&memory->pages, __ATOMIC_RELAXED))
        return STATUS_RANGE;
    if (bytes / PAGE_SIZE > MAPPING_PAGES_MAX || room < bytes / PAGE_SIZE * sizeof(uint64_t))
        return STATUS_RANGE;
    return STATUS_OK;
}

/* The pages are pinned: make the mapping findable, then revocable. */
static status_t mapping_commit(struct thread *self, struct dma_mapping *mapping,
                               struct cap *memory_cap, uint64_t *id)
{
    struct dmaspace *space = mapping->space;

    source_lock_acquire(&spaces);
    mapping->id = ++last_id;
    *id = mapping->id;
    source_lock_release(&spaces);
    status_t status = cap_leaf_insert(self, memory_cap, &mapping->leaf, mapping_sever);

    if (!status_is_ok(status))
        return status;
    source_lock_acquire(&spaces);
    /* Severed already: it is not to be found, and mapping_release() has done or does the rest. */
    if (!cap_is_dead(&mapping->leaf))
        list_push_back(space->dead ? &left : &space->mappings, &mapping->link);
    source_lock_release(&spaces);
    return STATUS_OK;
}

status_t sys_dmaspace_map(struct thread *self, struct cap *cap, struct cap *memory_cap,
                          uint64_t offset, uint64_t bytes, struct user_out addresses, uint64_t *id)
{
    struct memory *memory = memory_of(memory_cap->object);
    status_t status = dmaspace_of(cap->object)->root
                          ? STATUS_UNSUPPORTED
                          : range_check(memory, offset, bytes, addresses.length);

    if (!status_is_ok(status))
        return status;
    struct dma_mapping *mapping =
        mapping_create(dmaspace_of(cap->object), memory, self->process->object.budget);

    if (mapping == NULL)
        return STATUS_NO_MEMORY;
    mapping->first = offset / PAGE_SIZE;
    status = pages_pin(self, mapping, bytes / PAGE_SIZE, addresses.address);
    if (status_is_ok(status))
        status = mapping_commit(self, mapping, memory_cap, id);
    if (!status_is_ok(status))
        mapping_release(mapping);
    return status;
}

/* The mapping @id (0: any) of @space, taken off its list: nobody else finds it. */
static struct dma_mapping *mapping_take(struct dmaspace *space, uint64_t id)
{
    struct dma_mapping *found = NULL;

    source_lock_acquire(&spaces);
    list_for_each (node, space->root ? &left : &space->mappings) {
        struct dma_mapping *mapping = list_entry(node, struct dma_mapping, link);

        if (id == 0 || mapping->id == id) {
            found = mapping;
            list_remove(node);
            break;
        }
    }
    source_lock_release(&spaces);
    return found;
}

status_t sys_dmaspace_unmap(struct thread *self, struct cap *cap, uint64_t id)
{
    (void)self;
    struct dma_mapping *mapping = mapping_take(dmaspace_of(cap->object), id);

    if (mapping == NULL)
        return STATUS_NOT_FOUND;
    mapping_end(mapping);
    return STATUS_OK;
}

/* ── The object ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void dmaspace_destroy(struct object *object)
{
    struct dmaspace *space = dmaspace_of(object);

    source_lock_acquire(&spaces);
    space->dead = true;
    list_move_all(&left, &space->mappings);
    source_lock_release(&spaces);
}

static void dmaspace_free(struct object *object)
{
    object_release(object, sizeof(struct dmaspace));
}

static const struct object_ops dmaspace_ops = {.type = OBJECT_DMASPACE,
                                               .destroy = dmaspace_destroy,
                                               .free = dmaspace_free};

static void dmaspace_init(struct dmaspace *space) NO_THREAD_SAFETY
{
    list_init(&space->mappings);
}

/* Whoever maps has a space of its own, so that what it mapped can be told from what others did. */
status_t sys_dmaspace_create(struct thread *self, struct cap *root, struct cap *budget,
                             handle_t *handle)
{
    if (!dmaspace_of(root->object)->root)
        return STATUS_INVALID;
    struct dmaspace *space = object_allocate(budget, sizeof(*space), &dmaspace_ops);

    if (space == NULL)
        return STATUS_NO_MEMORY;
    dmaspace_init(space);
    return object_publish(self->process, &space->object, DMASPACE_RIGHTS, handle);
}

status_t dmaspace_create_root(struct process *process, struct budget *budget, handle_t *handle)
{
    struct dmaspace *root = kmem_alloc(budget, sizeof(*root));

    if (root == NULL)
        return STATUS_NO_MEMORY;
    object_init(&root->object, &dmaspace_ops, budget);
    dmaspace_init(root);
    root->root = true;
    return object_publish(process, &root->object, DMASPACE_RIGHTS, handle);
}
