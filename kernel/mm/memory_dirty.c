/* Pager-backed Memory: which pages differ from what the pager has.
 *
 * A page is supplied clean and mapped without the right to write. The first write faults, or is a system call, and makes it dirty
 * (page_own); one that was supplied as a hole waits for the pager's leave before that. To write pages down the pager begins a
 * writeback: dirty pages become writeback pages, their translations are write-protected, and the call ends when nobody writes by an
 * earlier one any more. What is written from then on makes the page dirty again, beside being written back; what the pager reads
 * before is in the page. When the data is safe the pager ends the writeback, and pages that are not dirty again are clean.
 * The states are the Memory's: a pager that takes over finds, by memory_dirty_next(), what was dirty and what was being written. A
 * pinned page stays dirty, since a device writes without anybody's knowing. */
#include "handlers.h"
#include "memory_internal.h"
#include "sched.h"

_Static_assert(PAGE_DIRTY << 1 == PAGE_ENTRY_DIRTY && PAGE_WRITEBACK << 1 == PAGE_ENTRY_WRITEBACK,
               "dirty_next() shifts");

/* What a call does to the state of those pages of a range that have a bit of @having. */
struct page_change {
    uint64_t having, clear, set;
};

static const struct page_change grant = {PAGE_ENTRY_ASK, PAGE_ENTRY_ASK, 0};
static const struct page_change begin = {PAGE_ENTRY_DIRTY | PAGE_ENTRY_WRITEBACK, PAGE_ENTRY_DIRTY,
                                         PAGE_ENTRY_WRITEBACK};
static const struct page_change end = {PAGE_ENTRY_WRITEBACK, PAGE_ENTRY_WRITEBACK, 0};

/* Change the pages of [*@index, @last) that stand in one leaf with the first that is there; *@index moves on. */
static status_t change_leaf(struct memory *memory, uint64_t *index, uint64_t last,
                            const struct page_change *change) REQUIRES(memory_lock)
{
    uint64_t at;
    bool more = radix_next(&memory->tree, *index, last, &at);
    *index = more ? MIN(last, (at | (RADIX_FANOUT - 1)) + 1) : last;
    if (more && (change->clear & PAGE_ENTRY_DIRTY) != 0) {
        (void)mappings_restrict(memory, at, *index - at, PAGETABLE_WRITE_PROTECT, false);
        more = radix_next(&memory->tree, at, *index, &at);
    }
    for (; more; more = radix_next(&memory->tree, at + 1, *index, &at)) {
        uint64_t *slot;
        status_t status = radix_slot(&memory->tree, memory->object.budget, at, &slot);
        if (!status_is_ok(status))
            return status;
        bool pinned = (*slot & PAGE_ENTRY_PINS_MASK) != 0;
        if ((*slot & change->having) != 0)
            *slot = (*slot & ~(change->clear & ~(pinned ? PAGE_ENTRY_DIRTY : 0))) | change->set;
    }
    return STATUS_OK;
}

static status_t change_range(struct thread *self, struct memory *memory, uint64_t offset,
                             uint64_t bytes, const struct page_change *change)
{
    if (memory->kind != MEMORY_KIND_PAGER)
        return STATUS_WRONG_TYPE;
    status_t status = memory_range_check(memory, offset, bytes);
    if (!status_is_ok(status))
        return status;
    uint64_t last = (offset + bytes) >> PAGE_SHIFT;
    uint64_t done = progress_begin(self, memory->object.id, offset, bytes);
    uint64_t index = MAX(done, offset >> PAGE_SHIFT);
    while (index < last && status_is_ok(status)) {
        memory_lock_acquire(memory->lock);
        status = change_leaf(memory, &index, last, change);
        memory_lock_release(memory->lock);
        self->progress = index;
        if (status_is_ok(status) && index < last && sched_should_yield())
            return KERNEL_RESTART;
    }
    return progress_end(self, status);
}

status_t sys_memory_dirty_grant(struct thread *self, struct cap *memory_cap, uint64_t offset,
                                uint64_t bytes)
{
    struct memory *memory = memory_of(memory_cap->object);
    status_t status = change_range(self, memory, offset, bytes, &grant);
    if (status != STATUS_OK)
        return status;
    return pager_wake_all(memory, offset >> PAGE_SHIFT, (offset + bytes) >> PAGE_SHIFT, STATUS_OK);
}

status_t sys_memory_writeback_begin(struct thread *self, struct cap *memory_cap, uint64_t offset,
                                    uint64_t bytes)
{
    status_t status = change_range(self, memory_of(memory_cap->object), offset, bytes, &begin);
    return status != STATUS_OK ? status : memory_flush_end(self);
}

status_t sys_memory_writeback_end(struct thread *self, struct cap *memory_cap, uint64_t offset,
                                  uint64_t bytes)
{
    return change_range(self, memory_of(memory_cap->object), offset, bytes, &end);
}

/* Look at up to PREEMPT_PAGES pages from *@index on for a run of those with a bit of @having. It is from *@index on, this many pages; 0:
 * none up to *@index. */
static uint64_t run_find(struct memory *memory, uint64_t *index, uint64_t having)
    REQUIRES(memory_lock)
{
    uint64_t at, next = *index, count = 0;
    bool exclusive;
    for (unsigned i = 0; i < PREEMPT_PAGES; i++) {
        bool more = radix_next(&memory->tree, next, memory->pages, &at);
        bool has = more && (radix_lookup(&memory->tree, at, &exclusive) & having) != 0;
        if (count != 0 && (!has || at != next))
            break;
        if (has && count++ == 0)
            *index = at;
        next = more ? at + 1 : memory->pages;
    }
    if (count == 0)
        *index = next;
    return count;
}

status_t sys_memory_dirty_next(struct thread *self, struct cap *memory_cap, uint64_t offset,
                               uint32_t states, uint64_t *found, uint64_t *bytes)
{
    struct memory *memory = memory_of(memory_cap->object);
    if (memory->kind != MEMORY_KIND_PAGER)
        return STATUS_WRONG_TYPE;
    uint64_t done = progress_begin(self, memory->object.id, offset, states);
    uint64_t index = MAX(done, offset >> PAGE_SHIFT);
    uint64_t pages = 0;
    while (index < memory_pages(memory) && pages == 0) {
        memory_lock_acquire(memory->lock);
        pages = run_find(memory, &index, (uint64_t)states << 1);
        memory_lock_release(memory->lock);
        self->progress = index;
        if (pages == 0 && sched_should_yield())
            return KERNEL_RESTART;
    }
    *found = index << PAGE_SHIFT;
    *bytes = pages << PAGE_SHIFT;
    return progress_end(self, pages != 0 ? STATUS_OK : STATUS_NOT_FOUND);
}
