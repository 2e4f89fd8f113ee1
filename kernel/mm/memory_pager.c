/* Pager-backed Memory: its pages come from a process.
 *
 * A thread that needs an absent page queues itself on the Memory and posts the Memory's event; memory_pager_next() hands the distinct
 * pages that are wanted to the pager, one at a time, and moves who waits for them from `waiters` to `offered`. Supplied pages wake
 * them, and they execute their call or instruction again. A failure is left in the thread: when it asks for the same page next,
 * it gets the status instead of waiting. Pages, and who waits, belong to the Memory and survive the pager: memory_set_pager() makes
 * all that is wanted `waiters` again.
 * Supplying moves frames. The two Memories' locks are of one class and never held together, so for a moment both refer to the
 * frame, counted; the source lets go last, hence a call that fails on the way has lost nothing. */
#include "budget.h"
#include "handlers.h"
#include "memory_internal.h"
#include "mm/phys.h"
#include "sched.h"
#include "waiters.h"

#define WAKE_BATCH 32u

static bool pager_cancel(struct thread *thread, uint64_t sequence);

static const struct wait_class pager_wait_class = {.name = "pager", .cancel = pager_cancel};

static bool pager_cancel(struct thread *thread, uint64_t sequence)
{
    struct memory *memory = thread_waits_on(thread, &pager_wait_class, sequence);
    if (memory == NULL)
        return false;
    memory_lock_acquire(memory->lock);
    bool waited = waiter_cancel(thread, &pager_wait_class, memory, sequence);
    memory_lock_release(memory->lock);
    return waited;
}

static bool list_has_page(const struct list *threads, uint64_t index)
{
    list_for_each (node, threads) {
        if (list_entry(node, struct thread, wait_link)->wait_data == index)
            return true;
    }
    return false;
}

/* Did the pager fail the page that @self comes back for? */
static bool failed_before(struct memory *memory, struct thread *self, uint64_t index,
                          status_t *status)
{
    int32_t code = self->pager_status;
    self->pager_status = 0;
    if (code == 0 || self->wait_object != memory || self->wait_data != index)
        return false;
    *status = status_from_code((uint32_t)code);
    return true;
}

status_t pager_wait(struct memory *memory, struct thread *self, uint64_t index)
{
    status_t status;
    if (self == NULL)
        return STATUS_BUSY;
    if (memory->dead)
        return STATUS_GONE;
    if (failed_before(memory, self, index, &status))
        return status;
    bool offered = list_has_page(&memory->offered, index);
    bool wanted = offered || list_has_page(&memory->waiters, index);
    self->wait_data = index;
    thread_restart_on_wake(self);
    status = waiter_enqueue(self, offered ? &memory->offered : &memory->waiters, &pager_wait_class,
                            memory, DEADLINE_NEVER);
    if (status != KERNEL_BLOCKED)
        return KERNEL_DONE; /* attention is pending; what was begun is executed again after it */
    if (!wanted)
        event_post(&memory->pager, 1, EVENT_REPLACE);
    return KERNEL_BLOCKED;
}

static bool wake_list(struct list *threads, uint64_t first, uint64_t end, status_t status,
                      uint32_t *limit)
{
    list_for_each_safe (node, after, threads) {
        struct thread *thread = list_entry(node, struct thread, wait_link);
        if (thread->wait_data < first || thread->wait_data >= end)
            continue;
        if (*limit == 0)
            return true;
        --*limit;
        list_remove(node);
        thread->pager_status = status_code(status);
        thread_wait_end(thread);
        thread_wake(thread);
    }
    return false;
}

bool pager_wake(struct memory *memory, uint64_t first, uint64_t end, status_t status,
                uint32_t limit)
{
    return wake_list(&memory->offered, first, end, status, &limit) ||
           wake_list(&memory->waiters, first, end, status, &limit);
}

void pager_end(struct memory *memory)
{
    bool more = true;
    while (more) {
        memory_lock_acquire(memory->lock);
        memory->dead = true;
        more = pager_wake(memory, 0, UINT64_MAX, STATUS_OK, WAKE_BATCH);
        memory_lock_release(memory->lock);
    }
}

/* ── System calls ─────────────────────────────────────────────────────────────────────────────────────────────────── */

status_t sys_memory_set_pager(struct thread *self, struct cap *memory_cap, struct cap *queue,
                              uint64_t cookie)
{
    (void)self;
    struct memory *memory = memory_of(memory_cap->object);
    if (memory->kind != MEMORY_KIND_PAGER)
        return STATUS_WRONG_TYPE;
    memory_lock_acquire(memory->lock);
    event_source_unbind(&memory->pager);
    status_t status = event_source_bind(&memory->pager, queue_of(queue->object), cookie);
    struct list *node;
    while ((node = list_first(&memory->offered)) != NULL) {
        list_remove(node);
        list_push_back(&memory->waiters, node);
    }
    if (status_is_ok(status) && !list_is_empty(&memory->waiters))
        event_post(&memory->pager, 1, EVENT_REPLACE);
    memory_lock_release(memory->lock);
    return status;
}

status_t sys_memory_pager_next(struct thread *self, struct cap *memory_cap, uint64_t *offset,
                               uint64_t *bytes, uint32_t *kind)
{
    (void)self;
    struct memory *memory = memory_of(memory_cap->object);
    if (memory->kind != MEMORY_KIND_PAGER)
        return STATUS_WRONG_TYPE;
    memory_lock_acquire(memory->lock);
    struct list *first = list_first(&memory->waiters);
    if (first != NULL) {
        uint64_t index = list_entry(first, struct thread, wait_link)->wait_data;
        list_for_each_safe (node, after, &memory->waiters) {
            if (list_entry(node, struct thread, wait_link)->wait_data != index)
                continue;
            list_remove(node);
            list_push_back(&memory->offered, node);
        }
        *offset = index << PAGE_SHIFT;
        *bytes = PAGE_SIZE;
        *kind = PAGER_REQUEST_READ;
    }
    memory_lock_release(memory->lock);
    return first != NULL ? STATUS_OK : STATUS_NOT_FOUND;
}

/* Is page @index of @memory absent and inside? */
static bool page_is_wanted(struct memory *memory, uint64_t index)
{
    struct page page;
    memory_lock_acquire(memory->lock);
    bool wanted = index < memory->pages && !memory_present(memory, index, &page);
    memory_lock_release(memory->lock);
    return wanted;
}

/* Page @index of @source, its own, with a reference for us; pins keep pages where they are: BUSY. */
static status_t source_page(struct memory *source, uint64_t index, paddr_t *frame)
{
    struct page page;
    memory_lock_acquire(source->lock);
    status_t status =
        source->pins != 0 ? STATUS_BUSY : memory_resolve(source, NULL, index, true, &page);
    if (status_is_ok(status)) {
        frame_ref(page.frame);
        *frame = page.frame;
    }
    memory_lock_release(source->lock);
    return status;
}

/* @source lets go of page @index if it is @frame still. */
static void source_release(struct memory *source, uint64_t index, paddr_t frame)
{
    bool exclusive;
    uint64_t *slot;
    memory_lock_acquire(source->lock);
    uint64_t at = source->first + index;
    uint64_t entry = radix_lookup(&source->tree, at, &exclusive);
    if (page_entry_frame(entry) == frame && (entry & PAGE_ENTRY_PINS_MASK) == 0 &&
        status_is_ok(radix_slot(&source->tree, source->object.budget, at, &slot))) {
        mappings_restrict(source, index, 1, PAGETABLE_REMOVE);
        radix_slot_clear(&source->tree, at);
        frame_put(frame);
    }
    memory_lock_release(source->lock);
}

/* Put @frame, with our reference, in as page @index, charged to @memory. False in *@taken: somebody was faster. */
static status_t page_insert(struct memory *memory, uint64_t index, paddr_t frame, bool *taken)
    REQUIRES(memory_lock)
{
    struct page page;
    uint64_t *slot;
    *taken = false;
    if (index >= memory->pages || memory_present(memory, index, &page))
        return STATUS_OK;
    status_t status = budget_charge_pages(memory->object.budget, 1);
    if (!status_is_ok(status))
        return status;
    status = radix_slot(&memory->tree, memory->object.budget, memory->first + index, &slot);
    if (!status_is_ok(status)) {
        budget_uncharge_pages(memory->object.budget, 1);
        return status;
    }
    radix_slot_fill(&memory->tree, memory->first + index, slot, frame | PAGE_ENTRY_PRESENT);
    frame_set_owner(frame, memory->object.budget);
    *taken = true;
    return STATUS_OK;
}

static status_t supply_page(struct memory *memory, uint64_t index, struct memory *source,
                            uint64_t source_index)
{
    paddr_t frame;
    bool taken;
    if (!page_is_wanted(memory, index))
        return STATUS_OK;
    status_t status = source_page(source, source_index, &frame);
    if (!status_is_ok(status))
        return status;
    memory_lock_acquire(memory->lock);
    status = page_insert(memory, index, frame, &taken);
    memory_lock_release(memory->lock);
    if (taken)
        source_release(source, source_index, frame);
    else
        frame_put_unseen(frame);
    return status;
}

/* Wake whoever waits for pages of [@first, @end); KERNEL_RESTART if there were too many for one go. */
static status_t wake_all(struct memory *memory, uint64_t first, uint64_t end, status_t status)
{
    bool more = true;
    while (more) {
        memory_lock_acquire(memory->lock);
        more = pager_wake(memory, first, end, status, WAKE_BATCH);
        memory_lock_release(memory->lock);
        if (more && sched_should_yield())
            return KERNEL_RESTART;
    }
    return STATUS_OK;
}

status_t sys_memory_supply(struct thread *self, struct cap *memory_cap, uint64_t offset,
                           struct cap *source_cap, uint64_t source_offset, uint64_t bytes)
{
    struct memory *memory = memory_of(memory_cap->object);
    struct memory *source = memory_of(source_cap->object);
    if (memory->kind != MEMORY_KIND_PAGER || source->kind != MEMORY_KIND_ANONYMOUS)
        return STATUS_WRONG_TYPE;
    status_t status = memory_range_check(memory, offset, bytes);
    if (status_is_ok(status))
        status = memory_range_check(source, source_offset, bytes);
    if (!status_is_ok(status))
        return status;
    uint64_t first = offset >> PAGE_SHIFT;
    uint64_t source_first = source_offset >> PAGE_SHIFT;
    uint64_t pages = bytes >> PAGE_SHIFT;
    for (uint64_t i = progress_begin(self, memory->object.id, offset, bytes); i < pages; i++) {
        status = supply_page(memory, first + i, source, source_first + i);
        if (!status_is_ok(status))
            return progress_end(self, status);
        self->progress = i + 1;
        if (i % 16 == 15 && sched_should_yield())
            return KERNEL_RESTART;
    }
    return progress_end(self, wake_all(memory, first, first + pages, STATUS_OK));
}

status_t sys_memory_fail(struct thread *self, struct cap *memory_cap, uint64_t offset,
                         uint64_t bytes, int64_t code)
{
    (void)self;
    struct memory *memory = memory_of(memory_cap->object);
    if (memory->kind != MEMORY_KIND_PAGER)
        return STATUS_WRONG_TYPE;
    if (code != STATUS_CODE_IO && code != STATUS_CODE_CORRUPT && code != STATUS_CODE_NO_SPACE)
        return STATUS_INVALID;
    status_t status = memory_range_check(memory, offset, bytes);
    if (!status_is_ok(status))
        return status;
    uint64_t first = offset >> PAGE_SHIFT;
    return wake_all(memory, first, first + (bytes >> PAGE_SHIFT), status_from_code((uint64_t)code));
}
