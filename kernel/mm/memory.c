/* Memory objects: where a page comes from.
 *
 * memory_resolve() is the heart: under the Memory's lock it finds the frame of a page. Absent pages of anonymous Memory are taken and
 * zeroed; shared ones are copied before they are written (first the path in the tree, then the frame), and the translations of the
 * frame that was replaced are taken away in every address space; absent pages of a pager-backed Memory make the thread wait.
 * An overlay shows its parent's frame for reading, and copies it before it is written; what takes a page of the parent away takes
 * it from the overlays' mappings too. A parent is never an overlay, and a clone of an overlay has the same one: there are no chains.
 * Where so many address spaces show a frame to be copied that they cannot all be seen to under the locks that are held, the current thread
 * does it when it has let go of them (own_step), and executes again what it was about.
 * Invariants: a translation allows writing only if its frame is reached by one tree alone (the page is exclusive); what makes a page
 * shared - clone - write-protects its translations before anybody can see the sharer. */
#include "mm/memory.h"

#include "arch.h"
#include "arch_cpu.h"
#include "budget.h"
#include "kmem.h"
#include "kstring.h"
#include "memory_internal.h"
#include "mm/phys.h"
#include "obj_create.h"
#include "sched.h"

/* ── Objects ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

COLD struct memory *memory_allocate(struct budget *budget, enum memory_kind kind, uint64_t pages)
    NO_THREAD_SAFETY
{
    struct memory *memory = kmem_alloc(budget, sizeof(*memory));
    if (memory == NULL)
        return NULL;
    object_init(&memory->object, &memory_ops, budget);
    memory->kind = (uint8_t)kind;
    memory->pages = pages;
    memory->lock = &memory->own_lock;
    list_init(&memory->mappings);
    list_init(&memory->overlays);
    list_init(&memory->waiters);
    list_init(&memory->offered);
    event_source_init(&memory->pager, EVENT_PAGER);
    return memory;
}

static status_t contiguous_take(struct memory *memory, bool low)
{
    status_t status = budget_charge_pages(memory->object.budget, memory->pages);
    if (!status_is_ok(status))
        return status;
    if (phys_alloc_range(memory->pages, low ? 1ull << 32 : UINT64_MAX, &memory->base))
        return STATUS_OK;
    budget_uncharge_pages(memory->object.budget, memory->pages);
    return STATUS_NO_MEMORY;
}

COLD status_t memory_create(struct budget *budget, uint64_t bytes, uint32_t flags,
                            struct memory **created)
{
    const uint32_t contiguous = MEMORY_CONTIGUOUS | MEMORY_LOW;
    if (bytes == 0 || bytes > MEMORY_PAGES_MAX << PAGE_SHIFT ||
        (flags & ~(contiguous | MEMORY_PAGED)) != 0 || (flags & contiguous) == MEMORY_LOW ||
        (flags & contiguous && flags & MEMORY_PAGED))
        return STATUS_INVALID;
    uint64_t pages = (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
    enum memory_kind kind = (flags & MEMORY_PAGED) != 0 ? MEMORY_KIND_PAGER : MEMORY_KIND_ANONYMOUS;
    struct memory *memory = memory_allocate(budget, kind, pages);
    if (memory == NULL)
        return STATUS_NO_MEMORY;
    if ((flags & MEMORY_CONTIGUOUS) != 0) {
        status_t status = contiguous_take(memory, (flags & MEMORY_LOW) != 0);
        if (!status_is_ok(status)) {
            object_unref(&memory->object);
            return status;
        }
        memory->kind = MEMORY_KIND_CONTIGUOUS;
    }
    *created = memory;
    return STATUS_OK;
}

COLD status_t memory_create_physical(struct budget *budget, paddr_t base, uint64_t bytes,
                                     struct memory **created)
{
    uint64_t end;
    if (!is_page_aligned(base) || !is_page_aligned(bytes) || bytes == 0 ||
        __builtin_add_overflow(base, bytes, &end))
        return STATUS_INVALID;
    struct memory *memory = memory_allocate(budget, MEMORY_KIND_PHYSICAL, bytes >> PAGE_SHIFT);
    if (memory == NULL)
        return STATUS_NO_MEMORY;
    memory->base = base;
    memory->device = !phys_is_all_ram(base, bytes);
    *created = memory;
    return STATUS_OK;
}

/* The last capability is gone; what is mapped from inside the kernel, or pinned, keeps its pages until memory_free(). */
static COLD void memory_destroy(struct object *object)
{
    pager_end(memory_of(object));
}

static void memory_free(struct object *object);

static void memory_free_again(struct rcu_head *head)
{
    memory_free(container_of(head, struct object, rcu));
}

/* Runs from rcu_call(), in pieces: nobody reaches the object any more, so its header serves for the next piece. */
static COLD void memory_free(struct object *object) NO_THREAD_SAFETY
{
    struct memory *memory = memory_of(object);
    while (!radix_destroy_step(&memory->tree, PREEMPT_PAGES)) {
        if (sched_should_yield()) {
            rcu_call(&object->rcu, memory_free_again);
            return;
        }
    }
    if (memory->kind == MEMORY_KIND_CONTIGUOUS && memory->base != 0) {
        phys_free_range(memory->base, memory->pages);
        budget_uncharge_pages(object->budget, memory->pages);
    }
    event_source_unbind(&memory->pager);
    if (memory->parent != NULL) {
        memory_lock_acquire(memory->lock);
        list_remove(&memory->overlay_link);
        memory_lock_release(memory->lock);
        object_unref(&memory->parent->object);
    }
    object_release(object, sizeof(*memory));
}

const struct object_ops memory_ops = {.type = OBJECT_MEMORY,
                                      .destroy = memory_destroy,
                                      .free = memory_free};

/* ── Pages ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

void memory_overlay(struct memory *memory, struct memory *parent, uint64_t first)
{
    memory->kind = MEMORY_KIND_OVERLAY;
    memory->lock = parent->lock;
    object_ref(&parent->object);
    memory->parent = parent;
    memory->parent_first = first;
    memory->flush_pending = parent->flush_pending;
    list_push_front(&parent->overlays, &memory->overlay_link); /* as in mapping_make() */
}

COLD bool memory_flush_check(struct memory *memory)
{
    if (memory_family(memory)->restricting ||
        aspace_is_stale(memory->flush_aspace, memory->flush_generation) ||
        !rcu_is_over(memory->flush_period))
        return false;
    memory->flush_generation = 0;
    memory->flush_pending = false;
    return true;
}

static void own_step(struct thread *self);

/* The current thread makes page @index @memory's own before it goes on, which is to execute again what it is about. */
static COLD status_t own_later(struct memory *memory, uint64_t index)
{
    struct cpu *cpu = arch_cpu_local();
    struct thread *self = cpu->current;
    if (self->continuation == NULL && object_try_ref(&memory->object)) {
        self->continuation_data = memory;
        self->wait_data = index;
        self->continuation = own_step;
        cpu->changed = true;
    }
    return KERNEL_RESTART;
}

/* The frame that page @index should have, 0 for any: pages that are taken upwards from a multiple, in the tree, of what a large entry maps get
 * consecutive ones, as long as nobody else wants them. */
static COLD paddr_t frame_wanted(struct memory *memory, uint64_t index) REQUIRES(memory_lock)
{
    uint64_t at = memory->first + index;
    if (at % ARCH_PT_ENTRIES == 0)
        memory->run_frame = memory->pages - index < ARCH_PT_ENTRIES ? 0 : phys_keep();
    else if (at != memory->run_next)
        return 0;
    paddr_t wanted = memory->run_frame;
    memory->run_next = wanted != 0 ? at + 1 : 0;
    memory->run_frame = wanted + PAGE_SIZE;
    return wanted;
}

/* Make page @index this Memory's own, to be written: what is there, a copy of what is shown (page->frame; 0: nothing), or a zero page. */
static status_t page_own(struct memory *memory, struct thread *self, uint64_t index,
                         struct page *page) REQUIRES(memory_lock)
{
    struct budget *budget = memory->object.budget;
    uint64_t *slot;
    paddr_t frame;
    status_t status = radix_slot(&memory->tree, budget, memory->first + index, &slot);
    if (!status_is_ok(status))
        return status;
    if ((*slot & PAGE_ENTRY_ASK) != 0)
        return pager_wait(memory, self, index, PAGER_REQUEST_DIRTY);
    paddr_t old = page_entry_frame(*slot); /* 0: what is shown is the parent's, who keeps it */
    page->writable = true;
    if (old != 0) {
        page->frame = old;
        if (frame_is_own(old)) { /* the other sharers went meanwhile, and have forgotten it */
            *slot |= PAGE_ENTRY_DIRTY;
            return STATUS_OK;
        }
    }
    bool is_small = memory->pages < ARCH_PT_ENTRIES;
    status = frame_create_at(budget, likely(is_small) ? 0 : frame_wanted(memory, index), &frame);
    if (!status_is_ok(status)) {
        radix_tidy(&memory->tree, memory->first + index);
        return status;
    }
    if (page->frame == 0) {
        frame_zero(frame);
    } else if (unlikely(!page->alone &&
                        !mappings_restrict(memory, index, 1, PAGETABLE_REMOVE, true))) {
        frame_put_now(frame);
        radix_tidy(&memory->tree, memory->first + index);
        return own_later(memory, index);
    } else {
        user_memcpy(phys_to_virt(frame), phys_to_virt(page->frame), PAGE_SIZE);
    }
    if (old == 0) {
        radix_slot_fill(&memory->tree, memory->first + index, slot,
                        frame | PAGE_ENTRY_PRESENT | PAGE_ENTRY_DIRTY);
    } else {
        *slot = frame | PAGE_ENTRY_DIRTY | (*slot & (PAGE_SIZE - 1));
        frame_put(old);
    }
    page->frame = frame;
    return STATUS_OK;
}

bool memory_present(struct memory *memory, uint64_t index, struct page *page)
{
    bool exclusive;
    if (index >= memory->pages)
        return false;
    if (memory_is_linear(memory)) {
        page->frame = memory->base + (index << PAGE_SHIFT);
        page->writable = true;
        return true;
    }
    uint64_t entry = radix_lookup(&memory->tree, memory->first + index, &exclusive);
    if (entry == 0) {
        bool below = memory->parent != NULL &&
                     memory_present(memory->parent, memory->parent_first + index, page);
        page->writable = false;
        return below;
    }
    page->frame = page_entry_frame(entry);
    page->writable = (entry & PAGE_ENTRY_DIRTY) != 0 && exclusive && frame_is_own(page->frame);
    return true;
}

/* If it cannot be, who asked for it finds that out himself. */
static COLD void own_step(struct thread *self)
{
    struct memory *memory = self->continuation_data;
    uint64_t index = self->wait_data;
    struct page page = {.alone = true};
    self->continuation = NULL;
    memory_lock_acquire(memory->lock);
    (void)mappings_restrict(memory, index, 1, PAGETABLE_REMOVE, false);
    if (memory_present(memory, index, &page) && !page.writable)
        status_ignore(page_own(memory, NULL, index, &page));
    memory_lock_release(memory->lock);
    object_unref(&memory->object);
}

COLD status_t memory_resolve(struct memory *memory, struct thread *self, uint64_t index, bool write,
                             struct page *page)
{
    if (index >= memory->pages)
        return STATUS_RANGE;
    *page = (struct page){0};
    /* One way down finds the page, or its place. */
    if (write && memory->kind == MEMORY_KIND_ANONYMOUS && memory->parent == NULL)
        return page_own(memory, self, index, page);
    page->was_present = memory_present(memory, index, page);
    if (page->was_present)
        return page->writable || !write ? STATUS_OK : page_own(memory, self, index, page);
    if (memory->kind == MEMORY_KIND_PAGER)
        return pager_wait(memory, self, index, PAGER_REQUEST_READ);
    if (memory->parent == NULL)
        return page_own(memory, self, index, page);
    status_t status =
        memory_resolve(memory->parent, self, memory->parent_first + index, false, page);
    page->writable = false;
    return status_is_ok(status) && write ? page_own(memory, self, index, page) : status;
}

/* ── For the rest of the kernel ───────────────────────────────────────────────────────────────────────────────────── */

status_t memory_page(struct memory *memory, struct thread *self, uint64_t index, bool write,
                     paddr_t *frame)
{
    struct page page;
    if (memory->device)
        return STATUS_INVALID;
    memory_lock_acquire(memory->lock);
    status_t status = memory_resolve(memory, self, index, write, &page);
    memory_lock_release(memory->lock);
    if (status_is_ok(status))
        *frame = page.frame;
    return status;
}

status_t memory_page_to_read(struct memory *memory, struct thread *self, uint64_t index,
                             paddr_t *frame)
{
    struct page page;
    memory_lock_acquire(memory->lock);
    bool zero = memory->kind == MEMORY_KIND_ANONYMOUS && index < memory->pages &&
                !memory_present(memory, index, &page);
    memory_lock_release(memory->lock);
    *frame = 0;
    return zero ? STATUS_OK : memory_page(memory, self, index, false, frame);
}

/* Count a pin on the page that memory_resolve() has just made exclusive. */
static status_t page_pin(struct memory *memory, uint64_t index) REQUIRES(memory_lock)
{
    uint64_t *slot;
    if (!memory_is_linear(memory)) {
        status_t status =
            radix_slot(&memory->tree, memory->object.budget, memory->first + index, &slot);
        if (!status_is_ok(status))
            return status;
        if ((*slot & PAGE_ENTRY_PINS_MASK) == PAGE_ENTRY_PINS_MASK)
            return STATUS_BUSY;
        *slot += PAGE_ENTRY_PIN;
    }
    if (memory->pins == UINT32_MAX)
        return STATUS_BUSY;
    memory->pins++;
    return STATUS_OK;
}

COLD status_t memory_pin(struct memory *memory, struct thread *self, uint64_t index, paddr_t *frame)
{
    struct page page;
    if (memory->device)
        return STATUS_INVALID;
    memory_lock_acquire(memory->lock);
    status_t status = memory_resolve(memory, self, index, true, &page);
    if (status_is_ok(status))
        status = page_pin(memory, index);
    memory_lock_release(memory->lock);
    if (status_is_ok(status))
        *frame = page.frame;
    return status;
}

COLD void memory_unpin(struct memory *memory, uint64_t index)
{
    uint64_t *slot;
    memory_lock_acquire(memory->lock);
    ASSERT(memory->pins != 0);
    memory->pins--;
    if (!memory_is_linear(memory)) {
        /* The path is exclusive: a Memory with pins is not cloned. */
        status_t status =
            radix_slot(&memory->tree, memory->object.budget, memory->first + index, &slot);
        ASSERT(status_is_ok(status) && (*slot & PAGE_ENTRY_PINS_MASK) != 0);
        *slot -= PAGE_ENTRY_PIN;
    }
    memory_lock_release(memory->lock);
}

COLD status_t pinned_page_take(struct thread *self, struct memory *memory, uint64_t offset,
                               struct pinned_page *page)
{
    paddr_t frame;
    if (!object_try_ref(&memory->object))
        return STATUS_BAD_HANDLE;
    status_t status = memory_pin(memory, self, offset / PAGE_SIZE, &frame);
    if (status_is_ok(status))
        *page = (struct pinned_page){memory, offset / PAGE_SIZE, phys_to_virt(frame)};
    else
        object_unref(&memory->object);
    return status;
}

void pinned_page_drop(struct pinned_page *page)
{
    if (page->memory == NULL)
        return;
    memory_unpin(page->memory, page->index);
    object_unref(&page->memory->object);
    page->memory = NULL;
}

COLD status_t memory_write(struct memory *memory, struct thread *self, uint64_t offset,
                           const void *from, size_t bytes)
{
    if (!memory_has(memory, offset, bytes))
        return STATUS_RANGE;
    for (size_t done = 0; done < bytes;) {
        paddr_t frame;
        uint64_t at = offset + done;
        size_t part = MIN(bytes - done, (size_t)(PAGE_SIZE - at % PAGE_SIZE));
        status_t status = memory_page(memory, self, at >> PAGE_SHIFT, true, &frame);
        if (!status_is_ok(status))
            return status;
        user_memcpy((char *)phys_to_virt(frame) + at % PAGE_SIZE, (const char *)from + done, part);
        done += part;
    }
    return STATUS_OK;
}

status_t memory_range_check(const struct memory *memory, uint64_t offset, uint64_t bytes)
{
    if (!is_page_aligned(offset) || !is_page_aligned(bytes))
        return STATUS_INVALID;
    return memory_has(memory, offset, bytes) ? STATUS_OK : STATUS_RANGE;
}
