/* Pager-backed Memory: its pages come from a process.
 *
 * A thread that needs an absent page queues itself on the Memory and posts the Memory's event; memory_pager_next() hands the distinct
 * pages that are wanted to the pager, one at a time, and moves who waits for them from `waiters` to `offered`. Supplied pages wake
 * them, and they execute their call or instruction again. A failure is left in the thread: when it asks for the same page next,
 * it gets the status instead of waiting. Pages, and who waits, belong to the Memory and survive the pager: memory_set_pager() makes
 * all that is wanted `waiters` again. The same way a thread waits for leave to write a page that was supplied as a hole.
 * Who copies on behalf of a blocked caller does not wait: what he lacks is asked for without a waiter, a few pages at a time.
 * Supplying moves frames. The two Memories' locks are of one class and never held together, so for a moment both refer to the
 * frame, counted; the source lets go last, hence a call that fails on the way has lost nothing. */
#include "budget.h"
#include "handlers.h"
#include "memory_internal.h"
#include "mm/phys.h"
#include "sched.h"
#include "waiters.h"

#define WAKE_BATCH 32u

/* The lock of such a Memory is its own: it is no overlay. */
static const struct wait_class pager_wait_class = {.name = "pager",
                                                   WAIT_CLASS_LOCK(memory, own_lock, memory_lock)};

/* What is wanted of which page, as it stands in thread.wait_data. */
static inline uint64_t request_key(uint64_t index, uint32_t kind)
{
    return index << 1 | (kind == PAGER_REQUEST_DIRTY);
}

static bool list_has_request(const struct list *threads, uint64_t key)
{
    list_for_each (node, threads) {
        if (list_entry(node, struct thread, wait_link)->wait_data == key)
            return true;
    }
    return false;
}

/* Requests that nobody waits for in memory.asked: 0 (none), or the key plus 1 above a bit that says whether the pager was told. */
static inline uint64_t asked_entry(uint64_t key)
{
    return (key + 1) << 1;
}

static uint64_t *asked_find(struct memory *memory, uint64_t entry) REQUIRES(memory_lock)
{
    for (unsigned i = 0; i < MEMORY_ASKED_MAX; i++)
        if ((memory->asked[i] & ~1ull) == entry)
            return &memory->asked[i];
    return NULL;
}

/* Ask for somebody who does not wait, unless too much is asked already: he comes back, or not. */
static void ask(struct memory *memory, uint64_t key) REQUIRES(memory_lock)
{
    uint64_t *unused = asked_find(memory, 0);
    if (unused == NULL || asked_find(memory, asked_entry(key)) != NULL ||
        list_has_request(&memory->offered, key) || list_has_request(&memory->waiters, key))
        return;
    *unused = asked_entry(key);
    event_post(&memory->pager, 1, EVENT_REPLACE);
}

/* Did the pager fail the page that @self comes back for? */
static bool failed_before(struct memory *memory, struct thread *self, uint64_t key,
                          status_t *status)
{
    int32_t code = self->pager_status;
    self->pager_status = 0;
    if (code == 0 || self->wait_object != memory || self->wait_data != key)
        return false;
    *status = status_from_code((uint32_t)code);
    return true;
}

status_t pager_wait(struct memory *memory, struct thread *self, uint64_t index, uint32_t kind)
{
    status_t status;
    uint64_t key = request_key(index, kind);
    if (memory->dead || memory->detached)
        return STATUS_GONE;
    if (self == NULL) {
        ask(memory, key);
        return STATUS_BUSY;
    }
    if (failed_before(memory, self, key, &status))
        return status;
    const uint64_t *asked = asked_find(memory, asked_entry(key));
    bool offered = list_has_request(&memory->offered, key) || (asked != NULL && (*asked & 1) != 0);
    bool wanted = offered || asked != NULL || list_has_request(&memory->waiters, key);
    self->wait_data = key;
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
    uint64_t from = request_key(first, PAGER_REQUEST_READ);
    uint64_t to = request_key(end, PAGER_REQUEST_READ);
    for (unsigned i = 0; i < MEMORY_ASKED_MAX; i++)
        if (memory->asked[i] >= asked_entry(from) && memory->asked[i] < asked_entry(to))
            memory->asked[i] = 0;
    return wake_list(&memory->offered, from, to, status, &limit) ||
           wake_list(&memory->waiters, from, to, status, &limit);
}

status_t pager_wake_all(struct memory *memory, uint64_t first, uint64_t end, status_t status)
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

void pager_end(struct memory *memory)
{
    bool more = true;
    while (more) {
        memory_lock_acquire(memory->lock);
        memory->dead = true;
        more = pager_wake(memory, 0, MEMORY_PAGES_MAX, STATUS_OK, WAKE_BATCH);
        memory_lock_release(memory->lock);
        sched_let_interrupts_in();
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
    list_move_all(&memory->waiters, &memory->offered);
    for (unsigned i = 0; i < MEMORY_ASKED_MAX; i++)
        memory->asked[i] &= ~1ull;
    if (status_is_ok(status)) {
        memory->detached = false;
        event_post(&memory->pager, 1, EVENT_REPLACE);
    }
    memory_lock_release(memory->lock);
    return status;
}

status_t sys_memory_detach(struct thread *self, struct cap *memory_cap)
{
    (void)self;
    struct memory *memory = memory_of(memory_cap->object);
    if (memory->kind != MEMORY_KIND_PAGER)
        return STATUS_WRONG_TYPE;
    memory_lock_acquire(memory->lock);
    event_source_unbind(&memory->pager);
    memory->detached = true;
    memory_lock_release(memory->lock);
    return pager_wake_all(memory, 0, MEMORY_PAGES_MAX, STATUS_OK);
}

/* The key of a request that the pager was not told yet. */
static bool request_find(struct memory *memory, uint64_t *key) REQUIRES(memory_lock)
{
    struct list *first = list_first(&memory->waiters);
    if (first != NULL) {
        *key = list_entry(first, struct thread, wait_link)->wait_data;
        return true;
    }
    for (unsigned i = 0; i < MEMORY_ASKED_MAX; i++) {
        if (memory->asked[i] != 0 && (memory->asked[i] & 1) == 0) {
            *key = (memory->asked[i] >> 1) - 1;
            return true;
        }
    }
    return false;
}

/* The pager is told of @key, for all who want it. */
static void request_offer(struct memory *memory, uint64_t key) REQUIRES(memory_lock)
{
    uint64_t *asked = asked_find(memory, asked_entry(key));
    if (asked != NULL)
        *asked |= 1;
    list_for_each_safe (node, after, &memory->waiters) {
        if (list_entry(node, struct thread, wait_link)->wait_data != key)
            continue;
        list_remove(node);
        list_push_back(&memory->offered, node);
    }
}

status_t sys_memory_pager_next(struct thread *self, struct cap *memory_cap, uint64_t *offset,
                               uint64_t *bytes, uint32_t *kind)
{
    (void)self;
    struct memory *memory = memory_of(memory_cap->object);
    uint64_t key;
    if (memory->kind != MEMORY_KIND_PAGER)
        return STATUS_WRONG_TYPE;
    memory_lock_acquire(memory->lock);
    bool found = request_find(memory, &key);
    if (found) {
        request_offer(memory, key);
        *offset = key >> 1 << PAGE_SHIFT;
        *bytes = PAGE_SIZE;
        *kind = (key & 1) != 0 ? PAGER_REQUEST_DIRTY : PAGER_REQUEST_READ;
    }
    memory_lock_release(memory->lock);
    return found ? STATUS_OK : STATUS_NOT_FOUND;
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
    (void)mappings_restrict(source, index, 1, PAGETABLE_REMOVE, false);
    uint64_t at = source->first + index;
    uint64_t entry = radix_lookup(&source->tree, at, &exclusive);
    if (page_entry_frame(entry) == frame && (entry & PAGE_ENTRY_PINS_MASK) == 0 &&
        status_is_ok(radix_slot(&source->tree, source->object.budget, at, &slot))) {
        radix_slot_clear(&source->tree, at);
        frame_put(frame);
    }
    memory_lock_release(source->lock);
}

/* Put @entry's frame, with our reference, in as page @index, charged to @memory. False in *@taken: somebody was faster. */
static status_t page_insert(struct memory *memory, uint64_t index, uint64_t entry, bool *taken)
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
    radix_slot_fill(&memory->tree, memory->first + index, slot, entry);
    frame_set_owner(page_entry_frame(entry), memory->object.budget);
    *taken = true;
    return STATUS_OK;
}

static status_t supply_page(struct memory *memory, uint64_t index, struct memory *source,
                            uint64_t source_index, uint64_t state)
{
    paddr_t frame;
    bool taken;
    if (!page_is_wanted(memory, index))
        return STATUS_OK;
    status_t status = source_page(source, source_index, &frame);
    if (!status_is_ok(status))
        return status;
    memory_lock_acquire(memory->lock);
    status = page_insert(memory, index, frame | state, &taken);
    memory_lock_release(memory->lock);
    if (taken)
        source_release(source, source_index, frame);
    else
        frame_put_unseen(frame);
    return status;
}

status_t sys_memory_supply(struct thread *self, struct cap *memory_cap, uint64_t offset,
                           struct cap *source_cap, uint64_t source_offset, uint64_t bytes,
                           uint32_t flags)
{
    struct memory *memory = memory_of(memory_cap->object);
    struct memory *source = memory_of(source_cap->object);
    if (memory->kind != MEMORY_KIND_PAGER || source->kind != MEMORY_KIND_ANONYMOUS)
        return STATUS_WRONG_TYPE;
    uint64_t state = PAGE_ENTRY_PRESENT | ((flags & SUPPLY_HOLE) != 0 ? PAGE_ENTRY_ASK : 0);
    status_t status = memory_range_check(memory, offset, bytes);
    if (status_is_ok(status))
        status = memory_range_check(source, source_offset, bytes);
    if (!status_is_ok(status))
        return status;
    uint64_t first = offset >> PAGE_SHIFT;
    uint64_t source_first = source_offset >> PAGE_SHIFT;
    uint64_t pages = bytes >> PAGE_SHIFT;
    for (uint64_t i = progress_begin(self, memory->object.id, offset, bytes); i < pages; i++) {
        status = supply_page(memory, first + i, source, source_first + i, state);
        if (!status_is_ok(status))
            return progress_end(self, status);
        self->progress = i + 1;
        if (i % 16 == 15 && sched_should_yield())
            return KERNEL_RESTART;
    }
    return progress_end(self, pager_wake_all(memory, first, first + pages, STATUS_OK));
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
    return pager_wake_all(memory, first, first + (bytes >> PAGE_SHIFT),
                          status_from_code((uint64_t)code));
}
