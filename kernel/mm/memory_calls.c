/* The system calls on Memory (those of pagers: memory_pager.c).
 *
 * Creating committed Memory and cloning may be long. The new object is worked on in pieces by a continuation of the calling thread
 * and gets its capability at the end, so a call that fails, or whose thread dies, leaves nothing. A clone shares the tree first; then
 * the source's translations are write-protected, page by page, and at last a grace period must be over, unless all other CPUs idle: then
 * every CPU has flushed, the one that was just unmapped from too, and none is inside a call that found a frame to write to. From then on
 * nothing that the source's owners write can reach a shared frame, and the clone gets its capability.
 * The other calls are executed again after a preemption point; what they have freed is gone, what they have copied is in the thread. */
#include "arch_accessors.h"
#include "budget.h"
#include "handlers.h"
#include "kstring.h"
#include "memory_internal.h"
#include "mm/phys.h"
#include "obj_create.h"
#include "sched.h"

/* A capability that is closed meanwhile takes its object with it: nothing may be built on either without a reference. */
static struct budget *budget_hold(const struct cap *cap)
{
    struct budget *budget = budget_of(cap->object);
    return object_try_ref(&budget->object) ? budget : NULL;
}

/* ── Work in pieces ───────────────────────────────────────────────────────────────────────────────────────────────── */

void memory_flush(struct thread *self, void (*then)(struct thread *self))
{
    if (rcu_others_idle()) {
        then(self);
        return;
    }
    self->continuation = then;
    thread_wait_grace(self);
}

static void flushed(struct thread *self)
{
    self->continuation = NULL;
    arch_syscall_status_set(self, STATUS_OK);
}

static void flush(struct thread *self)
{
    memory_flush(self, flushed);
}

status_t memory_flush_end(struct thread *self)
{
    self->continuation = flush;
    return KERNEL_DONE;
}

/* Zero one piece of contiguous Memory, or take pages. RESTART: there is more. */
static status_t commit_piece(struct memory *memory)
{
    for (uint32_t i = 0; i < PREEMPT_PAGES / 4 && memory->job_cursor < memory->pages; i++) {
        paddr_t frame;
        if (memory->kind == MEMORY_KIND_CONTIGUOUS) {
            frame_zero(memory->base + (memory->job_cursor << PAGE_SHIFT));
        } else {
            status_t status = memory_page(memory, NULL, memory->job_cursor, true, &frame);
            if (!status_is_ok(status))
                return status;
        }
        memory->job_cursor++;
    }
    return memory->job_cursor < memory->pages ? KERNEL_RESTART : STATUS_OK;
}

bool memory_protect_next(struct memory *source, uint64_t *index, uint64_t end)
{
    uint64_t found;
    memory_lock_acquire(source->lock);
    end += source->first;
    bool more = !list_is_empty(&source->mappings) &&
                radix_next(&source->tree, source->first + *index, end, &found);
    if (more) {
        uint64_t next = MIN((found | (RADIX_FANOUT - 1)) + 1, end);
        (void)mappings_restrict(source, found - source->first, next - found,
                                PAGETABLE_WRITE_PROTECT, false);
        *index = next - source->first;
    }
    memory_lock_release(source->lock);
    return more;
}

/* Write-protect the next leaf's pages of the source of a clone. */
static status_t protect_piece(struct memory *clone)
{
    struct memory *source = clone->job_source;
    return memory_protect_next(source, &clone->job_cursor, memory_pages(source)) ? KERNEL_RESTART
                                                                                 : STATUS_OK;
}

/* The work is done, or failed: the object gets its capability, or goes. */
static void job_end(struct thread *self, status_t status)
{
    struct memory *memory = self->continuation_data;
    handle_t handle = 0;
    self->continuation = NULL;
    self->continuation_data = NULL;
    if (memory->job_source != NULL)
        object_unref(&memory->job_source->object);
    memory->job_source = NULL;
    if (status_is_ok(status))
        status = object_publish(self->process, &memory->object, MEMORY_RIGHTS, &handle);
    else
        object_unref(&memory->object);
    arch_syscall_result_set(self, 0, handle);
    arch_syscall_status_set(self, status);
}

static void clone_flushed(struct thread *self)
{
    job_end(self, STATUS_OK);
}

static void job_step(struct thread *self)
{
    struct memory *memory = self->continuation_data;
    bool cloning = memory->job_source != NULL;
    status_t status;
    do {
        status = cloning ? protect_piece(memory) : commit_piece(memory);
    } while (status == KERNEL_RESTART && !sched_should_yield());
    if (status == KERNEL_RESTART) {
        sched_yield_current();
        return;
    }
    if (cloning)
        memory_flush(self, clone_flushed);
    else
        job_end(self, status);
}

static status_t job_begin(struct thread *self, struct memory *memory)
{
    self->continuation_data = memory;
    self->continuation = job_step;
    return KERNEL_DONE;
}

/* ── Making ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

status_t sys_memory_create(struct thread *self, struct cap *budget_cap, uint64_t bytes,
                           uint32_t flags, handle_t *handle)
{
    const uint32_t committed = MEMORY_COMMIT | MEMORY_CONTIGUOUS;
    struct memory *memory;
    if ((flags & (MEMORY_COMMIT | MEMORY_PAGED)) == (MEMORY_COMMIT | MEMORY_PAGED))
        return STATUS_INVALID;
    struct budget *budget = budget_hold(budget_cap);
    if (budget == NULL)
        return STATUS_NO_MEMORY;
    status_t status = memory_create(budget, bytes, flags & ~MEMORY_COMMIT, &memory);
    object_unref(&budget->object);
    if (!status_is_ok(status))
        return status;
    if ((flags & committed) != 0)
        return job_begin(self, memory);
    return object_publish(self->process, &memory->object, MEMORY_RIGHTS, handle);
}

status_t memory_clone_take(struct memory *clone, struct memory *source, uint64_t offset,
                           uint64_t bytes, bool overlay)
{
    uint64_t first = offset >> PAGE_SHIFT;
    status_t status = memory_range_check(source, offset, bytes);
    if (!status_is_ok(status))
        return status;
    if (overlay) {
        memory_overlay(clone, source, first);
        return STATUS_OK;
    }
    if (source->pins != 0)
        return STATUS_BUSY;
    radix_clone(&source->tree, &clone->tree);
    clone->first = source->first + first;
    if (source->parent != NULL)
        memory_overlay(clone, source->parent, source->parent_first + first);
    return STATUS_OK;
}

/* @source is held by the caller. */
static status_t clone_make(struct memory *source, struct cap *budget_cap, uint64_t offset,
                           uint64_t bytes, bool overlay, struct memory **made)
{
    struct budget *budget = budget_hold(budget_cap);
    if (budget == NULL)
        return STATUS_NO_MEMORY;
    struct memory *clone = memory_allocate(budget, MEMORY_KIND_ANONYMOUS, bytes >> PAGE_SHIFT);
    object_unref(&budget->object);
    if (clone == NULL)
        return STATUS_NO_MEMORY;
    memory_lock_acquire(source->lock);
    status_t status = memory_clone_take(clone, source, offset, bytes, overlay);
    memory_lock_release(source->lock);
    if (!status_is_ok(status))
        object_unref(&clone->object);
    *made = clone;
    return status;
}

status_t sys_memory_clone(struct thread *self, struct cap *memory_cap, struct cap *budget_cap,
                          uint64_t offset, uint64_t bytes, handle_t *handle)
{
    struct memory *source = memory_of(memory_cap->object);
    struct memory *clone;
    (void)handle; /* job_end */
    if (memory_is_linear(source) || source->kind == MEMORY_KIND_PAGER || bytes == 0)
        return STATUS_INVALID;
    if (!object_try_ref(&source->object))
        return STATUS_BAD_HANDLE;
    status_t status = clone_make(source, budget_cap, offset, bytes, false, &clone);
    if (!status_is_ok(status)) {
        object_unref(&source->object);
        return status;
    }
    clone->job_source = source;
    return job_begin(self, clone);
}

status_t sys_memory_overlay(struct thread *self, struct cap *memory_cap, struct cap *budget_cap,
                            uint64_t offset, uint64_t bytes, handle_t *handle)
{
    struct memory *parent = memory_of(memory_cap->object);
    struct memory *overlay;
    if (parent->device || parent->kind == MEMORY_KIND_OVERLAY || bytes == 0)
        return STATUS_INVALID;
    if (!object_try_ref(&parent->object))
        return STATUS_BAD_HANDLE;
    status_t status = clone_make(parent, budget_cap, offset, bytes, true, &overlay);
    object_unref(&parent->object);
    if (!status_is_ok(status))
        return status;
    return object_publish(self->process, &overlay->object, MEMORY_RIGHTS, handle);
}

status_t sys_memory_slice(struct thread *self, struct cap *memory_cap, struct cap *budget_cap,
                          uint64_t offset, uint64_t bytes, handle_t *handle)
{
    struct memory *whole = memory_of(memory_cap->object);
    struct memory *slice;
    if (whole->kind != MEMORY_KIND_PHYSICAL)
        return STATUS_WRONG_TYPE;
    if (bytes == 0)
        return STATUS_INVALID;
    status_t status = memory_range_check(whole, offset, bytes);
    if (!status_is_ok(status))
        return status;
    /* The root of all device memory covers RAM too. */
    if (whole->device && phys_is_ram(whole->base + offset, bytes))
        return STATUS_INVALID;
    struct budget *budget = budget_hold(budget_cap);
    if (budget == NULL)
        return STATUS_NO_MEMORY;
    status = memory_create_physical(budget, whole->base + offset, bytes, &slice);
    object_unref(&budget->object);
    if (!status_is_ok(status))
        return status;
    slice->device = whole->device;
    return object_publish(self->process, &slice->object, memory_cap->rights & MEMORY_RIGHTS,
                          handle);
}

/* ── Contents ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static status_t read_part(struct thread *self, struct memory *memory, uint64_t at, uint64_t user,
                          size_t bytes)
{
    static const uint8_t zeros[256];
    paddr_t frame;
    status_t status = memory_page_to_read(memory, self, at >> PAGE_SHIFT, &frame);
    if (!status_is_ok(status))
        return status;
    if (frame != 0)
        return aspace_copy_out(self->aspace, self, user,
                               (char *)phys_to_virt(frame) + at % PAGE_SIZE, bytes, NULL);
    for (size_t done = 0; done < bytes && status_is_ok(status); done += sizeof(zeros))
        status = aspace_copy_out(self->aspace, self, user + done, zeros,
                                 MIN(bytes - done, sizeof(zeros)), NULL);
    return status;
}

static status_t write_part(struct thread *self, struct memory *memory, uint64_t at, uint64_t user,
                           size_t bytes)
{
    paddr_t frame;
    status_t status = memory_page(memory, self, at >> PAGE_SHIFT, true, &frame);
    if (!status_is_ok(status))
        return status;
    return aspace_copy_in(self->aspace, self, (char *)phys_to_virt(frame) + at % PAGE_SIZE, user,
                          bytes, NULL);
}

/* Between user memory and @memory, restartable. */
static status_t copy_user(struct thread *self, struct memory *memory, uint64_t offset,
                          uint64_t user, uint64_t bytes, bool write)
{
    if (!memory_has(memory, offset, bytes))
        return STATUS_RANGE;
    if (memory->device)
        return STATUS_INVALID;
    uint64_t done = progress_begin(self, offset, user, bytes);
    status_t status = STATUS_OK;
    while (done < bytes) {
        uint64_t at = offset + done;
        size_t part = (size_t)MIN(bytes - done, PAGE_SIZE - at % PAGE_SIZE);
        status = write ? write_part(self, memory, at, user + done, part)
                       : read_part(self, memory, at, user + done, part);
        if (!status_is_ok(status))
            break;
        done += part;
        self->progress = done;
        if (done < bytes && sched_should_yield())
            return KERNEL_RESTART;
    }
    return progress_end(self, status);
}

status_t sys_memory_read(struct thread *self, struct cap *memory, uint64_t offset,
                         struct user_out buffer)
{
    return copy_user(self, memory_of(memory->object), offset, buffer.address, buffer.length, false);
}

status_t sys_memory_write(struct thread *self, struct cap *memory, uint64_t offset,
                          struct user_in buffer)
{
    return copy_user(self, memory_of(memory->object), offset, buffer.address, buffer.length, true);
}

status_t sys_memory_size(struct thread *self, struct cap *memory, uint64_t *bytes)
{
    (void)self;
    *bytes = memory_pages(memory_of(memory->object)) << PAGE_SHIFT;
    return STATUS_OK;
}

/* ── Pages ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

status_t sys_memory_commit(struct thread *self, struct cap *memory_cap, uint64_t offset,
                           uint64_t bytes)
{
    struct memory *memory = memory_of(memory_cap->object);
    status_t status = memory_range_check(memory, offset, bytes);
    if (!status_is_ok(status) || memory_is_linear(memory))
        return status;
    uint64_t pages = bytes >> PAGE_SHIFT;
    for (uint64_t i = progress_begin(self, memory->object.id, offset, bytes); i < pages; i++) {
        paddr_t frame;
        status = memory_page(memory, self, (offset >> PAGE_SHIFT) + i, true, &frame);
        if (!status_is_ok(status))
            break;
        self->progress = i + 1;
        if (i % 16 == 15 && sched_should_yield())
            return KERNEL_RESTART;
    }
    return progress_end(self, status);
}

/* Free those pages of [*@index, @end) without a bit of @keep that stand in half a leaf with the first that is there; *@index moves on.
 * OK: there are none left. */
static status_t discard_leaf(struct memory *memory, uint64_t *index, uint64_t end, uint64_t keep)
    REQUIRES(memory_lock)
{
    struct radix *tree = &memory->tree;
    uint64_t at, stop = memory->first + end;
    if (!radix_next(tree, memory->first + *index, stop, &at))
        return STATUS_OK;
    stop = MIN(stop, (at | (RADIX_FANOUT / 2 - 1)) + 1);
    (void)mappings_restrict(memory, at - memory->first, stop - at, PAGETABLE_REMOVE, false);
    for (; radix_next(tree, at, stop, &at); at++) {
        uint64_t *slot;
        status_t status = radix_slot(tree, memory->object.budget, at, &slot);
        if (!status_is_ok(status))
            return status;
        if ((*slot & PAGE_ENTRY_PINS_MASK) != 0)
            return STATUS_BUSY;
        if ((*slot & keep) != 0)
            continue;
        paddr_t frame = page_entry_frame(*slot);
        radix_slot_clear(tree, at);
        frame_put(frame);
    }
    *index = stop - memory->first;
    return KERNEL_RESTART;
}

/* Free the pages of [*@index, @end), wherever they end; RESTART to give way. */
static status_t discard(struct memory *memory, uint64_t *index, uint64_t end, uint64_t keep)
{
    status_t status;
    do {
        memory_lock_acquire(memory->lock);
        status = discard_leaf(memory, index, end, keep);
        memory_lock_release(memory->lock);
    } while (status == KERNEL_RESTART && !sched_should_yield());
    return status;
}

status_t sys_memory_discard(struct thread *self, struct cap *memory_cap, uint64_t offset,
                            uint64_t bytes)
{
    struct memory *memory = memory_of(memory_cap->object);
    status_t status = memory_range_check(memory, offset, bytes);
    if (status_is_ok(status) && memory_is_linear(memory))
        status = STATUS_INVALID;
    if (!status_is_ok(status))
        return status;
    uint64_t keep = memory->kind == MEMORY_KIND_PAGER ? PAGE_ENTRY_DIRTY | PAGE_ENTRY_WRITEBACK : 0;
    uint64_t done = progress_begin(self, memory->object.id, offset, bytes);
    uint64_t index = MAX(done, offset >> PAGE_SHIFT);
    status = discard(memory, &index, (offset + bytes) >> PAGE_SHIFT, keep);
    self->progress = index;
    return progress_end(self, status);
}

/* The first step: nobody reaches what lies behind min(old size, @pages) from now on. Pins forbid to shrink. */
static status_t size_cut(struct memory *memory, uint64_t pages)
{
    memory_lock_acquire(memory->lock);
    bool shrinks = pages < memory->pages;
    status_t status = shrinks && memory->pins != 0 ? STATUS_BUSY : STATUS_OK;
    if (shrinks && status_is_ok(status))
        __atomic_store_n(&memory->pages, pages, __ATOMIC_RELAXED);
    memory_lock_release(memory->lock);
    return status;
}

/* Behind the end of a clone may stand pages of its source, so growing clears what is there as shrinking does. */
status_t sys_memory_set_size(struct thread *self, struct cap *memory_cap, uint64_t bytes)
{
    (void)self;
    struct memory *memory = memory_of(memory_cap->object);
    uint64_t pages = (bytes >> PAGE_SHIFT) + (is_page_aligned(bytes) ? 0 : 1);
    if (memory_is_linear(memory) || pages > MEMORY_PAGES_MAX ||
        pages > RADIX_PAGES_MAX - memory->first)
        return STATUS_INVALID;
    status_t status = size_cut(memory, pages);
    uint64_t index = memory_pages(memory);
    if (status_is_ok(status))
        status = discard(memory, &index, RADIX_PAGES_MAX - memory->first, 0);
    if (!status_is_ok(status))
        return status;
    memory_lock_acquire(memory->lock);
    if (pages > memory->pages)
        __atomic_store_n(&memory->pages, pages, __ATOMIC_RELAXED);
    bool more = pager_wake(memory, pages, MEMORY_PAGES_MAX, STATUS_OK, PREEMPT_PAGES);
    memory_lock_release(memory->lock);
    return more ? KERNEL_RESTART : STATUS_OK;
}

/* Progress of a query: the next leaf above the number of pages counted. */
#define QUERY_COUNT_BITS 36u
#define QUERY_COUNT_MASK ((1ull << QUERY_COUNT_BITS) - 1)

status_t sys_memory_query(struct thread *self, struct cap *memory_cap, uint64_t offset,
                          uint64_t bytes, uint64_t *present)
{
    struct memory *memory = memory_of(memory_cap->object);
    status_t status = memory_range_check(memory, offset, bytes);
    if (!status_is_ok(status))
        return status;
    uint64_t first = memory->first + (offset >> PAGE_SHIFT);
    uint64_t end = first + (bytes >> PAGE_SHIFT);
    uint64_t progress = progress_begin(self, memory->object.id, offset, bytes);
    uint64_t count = progress & QUERY_COUNT_MASK;
    uint64_t at = MAX(first, (progress >> QUERY_COUNT_BITS) << RADIX_BITS);
    *present = bytes >> PAGE_SHIFT;
    if (memory_is_linear(memory))
        return progress_end(self, STATUS_OK);
    bool more = true;
    while (more) {
        memory_lock_acquire(memory->lock);
        more = radix_next(&memory->tree, at, end, &at);
        uint64_t stop = MIN(end, (at | (RADIX_FANOUT - 1)) + 1);
        for (; more && at < stop; at++) {
            bool exclusive;
            count += radix_lookup(&memory->tree, at, &exclusive) != 0;
        }
        memory_lock_release(memory->lock);
        if (more && at < end && sched_should_yield()) {
            self->progress = (at >> RADIX_BITS) << QUERY_COUNT_BITS | count;
            return KERNEL_RESTART;
        }
    }
    *present = count;
    return progress_end(self, STATUS_OK);
}
