/* Copying a whole address space: what fork() is.
 *
 * Mapping after mapping of the source gets its like in the copy: of the same Memory if it is shared, of a copy-on-write copy of its
 * pages if it is private (for a pager-backed Memory: an overlay), of zero pages, or none, as its flags say. The pages of copied Memory are write-protected
 * in the source on the way, and at the end one grace period makes all copies snapshots (see memory_calls.c). The work runs in pieces as a
 * continuation of the calling thread; the copy is nobody's until it gets its capability at the end, so a call that fails, or whose
 * thread is killed, drops it whole. Mappings made or removed meanwhile behind the cursor are not looked at again.
 * The Memories of private pages have no capability: they live as long as they are mapped. */
#include "arch_accessors.h"
#include "budget.h"
#include "handlers.h"
#include "mapping.h"
#include "memory_internal.h"
#include "obj_create.h"
#include "sched.h"

/* The Memory that stands in a copy for that of @mapping without its first @skip pages, with a reference. */
static status_t memory_for(const struct mapping *mapping, uint64_t skip, struct budget *budget,
                           struct memory **made) REQUIRES(memory_lock)
{
    struct memory *source = mapping->memory;
    uint64_t offset = mapping->offset_pages + skip;
    uint64_t pages =
        source->pages > offset ? MIN(source->pages - offset, mapping->pages - skip) : 0;
    *made = source;
    if (mapping_is_shared(mapping)) {
        object_ref(&source->object);
        return STATUS_OK;
    }
    *made = memory_allocate(budget, MEMORY_KIND_ANONYMOUS, pages);
    if (*made == NULL)
        return STATUS_NO_MEMORY;
    if ((mapping->clone & MAP_CLONE_ZERO) != 0 || pages == 0)
        return STATUS_OK;
    status_t status = memory_clone_take(*made, source, offset << PAGE_SHIFT, pages << PAGE_SHIFT,
                                        source->kind == MEMORY_KIND_PAGER);
    if (!status_is_ok(status))
        object_unref(&(*made)->object);
    return status;
}

/* What clone_next() found. */
struct clone_found {
    struct memory *memory; /* reference; NULL: nothing to be mapped in the copy */
    struct map_request request;
    /* of the source's mapping: whose leaf the copy's stands beside; NULL: none */
    struct mapping *head;
};

/* The like of @mapping without its first @skip pages for @clone. */
static status_t mapping_copy(struct aspace *clone, const struct mapping *mapping, uint64_t skip,
                             struct clone_found *found) REQUIRES(aspace_lock)
{
    memory_lock_acquire(mapping->memory->lock);
    status_t status = memory_for(mapping, skip, clone->object.budget, &found->memory);
    memory_lock_release(mapping->memory->lock);
    uint64_t offset = found->memory == mapping->memory ? mapping->offset_pages + skip : 0;
    found->request = (struct map_request){.address = mapping->start + (skip << PAGE_SHIFT),
                                          .offset = offset << PAGE_SHIFT,
                                          .length = (mapping->pages - skip) << PAGE_SHIFT,
                                          .flags = mapping->prot | mapping->clone | MAP_FIXED,
                                          .max_prot = mapping->max_prot,
                                          .cookie = mapping->cookie};
    return status;
}

/* Copy the next mapping of the source; NOT_FOUND: there is none. */
static status_t clone_next(struct aspace *clone, struct clone_found *found)
{
    struct aspace *source = clone->clone_source;
    status_t status = STATUS_OK;
    *found = (struct clone_found){0};
    aspace_lock_acquire(&source->lock);
    const struct mapping *mapping = mapping_find(&source->mappings, clone->clone_address);
    if (mapping == NULL) {
        status = STATUS_NOT_FOUND;
    } else if ((mapping->clone & MAP_CLONE_NONE) == 0) {
        /* It may have grown backwards since the one before was copied. */
        uint64_t skip = (MAX(clone->clone_address, mapping->start) - mapping->start) >> PAGE_SHIFT;
        status = mapping_copy(clone, mapping, skip, found);
        if (status_is_ok(status) && mapping_is_shared(mapping)) {
            found->head = mapping->head->leaf.sever != NULL ? mapping->head : NULL;
        } else if (status_is_ok(status)) {
            object_ref(&mapping->memory->object);
            clone->clone_memory = mapping->memory;
            clone->clone_page = mapping->offset_pages;
            clone->clone_page_end = mapping->offset_pages + mapping->pages;
        }
    }
    if (mapping != NULL)
        clone->clone_address = mapping_end(mapping);
    aspace_lock_release(&source->lock);
    return status;
}

/* One mapping, or one leaf of a copied Memory's pages. NOT_FOUND: that was all. */
static status_t clone_step(struct aspace *clone)
{
    struct clone_found found;
    if (clone->clone_memory != NULL) {
        if (!memory_protect_next(clone->clone_memory, &clone->clone_page, clone->clone_page_end)) {
            object_unref(&clone->clone_memory->object);
            clone->clone_memory = NULL;
        }
        return STATUS_OK;
    }
    status_t status = clone_next(clone, &found);
    if (!status_is_ok(status) || found.memory == NULL)
        return status;
    struct mapping *copy;
    aspace_lock_acquire(&clone->lock);
    status = mapping_make(clone, found.memory, &found.request, &copy);
    aspace_lock_release(&clone->lock);
    object_unref(&found.memory->object);
    if (status_is_ok(status) && found.head != NULL &&
        !cap_leaf_copy(&found.head->leaf, &copy->leaf, mapping_sever))
        mapping_sever(&copy->leaf); /* revoked, or unmapped: so it goes */
    return status;
}

/* From now on, or no more: a mapping of @source that is looked at outlives its unmapping. */
static void clone_count(struct aspace *source, uint32_t more)
{
    aspace_lock_acquire(&source->lock);
    kept_drop(source);
    source->copies += more;
    aspace_lock_release(&source->lock);
}

static void clone_end(struct thread *self, status_t status)
{
    struct aspace *clone = self->continuation_data;
    handle_t handle = 0;
    self->continuation = NULL;
    self->continuation_data = NULL;
    clone_count(clone->clone_source, -1u);
    object_unref(&clone->clone_source->object);
    if (clone->clone_memory != NULL)
        object_unref(&clone->clone_memory->object);
    clone->clone_memory = NULL;
    if (status_is_ok(status))
        status = object_publish(self->process, &clone->object, ASPACE_RIGHTS, &handle);
    else
        object_unref(&clone->object);
    arch_syscall_result_set(self, 0, handle);
    arch_syscall_status_set(self, status);
}

static void clone_flushed(struct thread *self)
{
    clone_end(self, STATUS_OK);
}

static void clone_run(struct thread *self)
{
    struct aspace *clone = self->continuation_data;
    status_t status = STATUS_OK;
    while (status_is_ok(status)) {
        if ((__atomic_load_n(&self->attention, __ATOMIC_RELAXED) & ATTENTION_KILL) != 0)
            status = STATUS_INTERRUPTED;
        else
            status = clone_step(clone);
        if (status_is_ok(status) && sched_should_yield()) {
            sched_yield_current();
            return;
        }
    }
    if (status == STATUS_NOT_FOUND)
        memory_flush(self, clone_flushed);
    else
        clone_end(self, status);
}

status_t sys_aspace_clone(struct thread *self, struct cap *aspace_cap, struct cap *budget_cap,
                          handle_t *handle)
{
    struct aspace *source = aspace_of(aspace_cap->object);
    struct budget *budget = budget_of(budget_cap->object);
    struct aspace *clone = NULL;
    (void)handle; /* clone_end */
    if (!object_try_ref(&source->object))
        return STATUS_BAD_HANDLE;
    status_t status = STATUS_NO_MEMORY;
    if (object_try_ref(&budget->object)) {
        status = aspace_create(budget, &clone);
        object_unref(&budget->object);
    }
    if (!status_is_ok(status)) {
        object_unref(&source->object);
        return status;
    }
    clone->clone_source = source;
    clone_count(source, 1);
    self->continuation_data = clone;
    self->continuation = clone_run;
    return KERNEL_DONE;
}
