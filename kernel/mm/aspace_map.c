/* Mapping, unmapping, protecting.
 *
 * A mapping is a leaf in the Memory's derivation tree: revoking the capability it was made through severs it. It is in three places:
 * that tree, the address space's tree, the Memory's list. It enters them at once, and leaves the list, its own tree and the derivation
 * tree one after the other, so its end can come from two sides - unmap, or sever - and whoever takes the leaf out of the derivation tree
 * frees it. What was unmapped last, if it was whole, keeps its place, with no access and no Memory, until something else is looked
 * for in the tree: the next mapping of its size, as most often comes, finds all made.
 * Nothing here needs memory but a split: unmapping or protecting the middle of a mapping makes pieces, allocated before anything is
 * changed. Translations go in batches; after each the call may be cut, and executed again it finds what is left. */
#include "arch.h"
#include "arch_accessors.h"
#include "arch_cpu.h"
#include "budget.h"
#include "handlers.h"
#include "kmem.h"
#include "mapping.h"
#include "memory_internal.h"
#include "mm/phys.h"
#include "sched.h"
#include "waiters.h"

#define PROT_MASK (MAP_READ | MAP_WRITE | MAP_EXECUTE)
#define CLONE_MASK (MAP_CLONE_SHARED | MAP_CLONE_NONE | MAP_CLONE_ZERO)
/** Page-table entries looked at with interrupts off before asking whether to give way. */
#define UNMAP_EFFORT 256u
/** What is done to the mappings of a Memory with interrupts off, counted in mappings that are looked at. One with pages to be changed is this much
 *  more, and half of what there are. */
#define STRETCH 512
#define MAPPING_EFFORT 24
#define AGE_EFFORT 256u
/** Pages that are mapped at once, as far as they are there. */
#define POPULATE_PAGES 32u
/** An unmapped page before each range that the kernel chooses. */
#define GUARD_BYTES PAGE_SIZE

/* ── Taking translations away ─────────────────────────────────────────────────────────────────────────────────────── */

/* Restrict the leaves of [*@start, @end) of @aspace, tell the CPUs; *@start moves on. */
static COLD bool range_restrict(struct aspace *aspace, uint64_t *start, uint64_t end,
                                enum pagetable_change change, uint32_t effort) REQUIRES(memory_lock)
{
    uint64_t removed = 0;
    bool changed = pagetable_restrict(aspace->root, start, end, change, effort, &removed);
    __atomic_fetch_sub(&aspace->resident, removed, __ATOMIC_RELAXED);
    if (changed)
        aspace_invalidate(aspace, PAGES_ALL);
    return changed;
}

/* Remove them, in the table at hand if they all are there. */
static void range_remove(struct aspace *aspace, uint64_t *start, uint64_t end, uint32_t effort)
    REQUIRES(aspace_lock, memory_lock)
{
    uint64_t base = aspace->table_address, removed = 0;
    if (unlikely(*start - base >= arch_pt_span(1) || end - base > arch_pt_span(1))) {
        (void)range_restrict(aspace, start, end, PAGETABLE_REMOVE, effort);
        return;
    }
    uint64_t pages = MIN((end - *start) >> PAGE_SHIFT, effort);
    bool kept = pagetable_unmap(&aspace->table[arch_pt_index(*start, 0)], pages, &removed);
    __atomic_fetch_sub(&aspace->resident, removed, __ATOMIC_RELAXED);
    if (kept)
        aspace_invalidate(aspace, pages == 1 ? *start : PAGES_ALL);
    *start += pages << PAGE_SHIFT;
}

/* A CPU may still use what was taken away in @aspace: before it has flushed nothing of @memory is installed. If that is so of two address
 * spaces at once, all CPUs are waited for. */
static void flush_note(struct memory *memory, const struct aspace *aspace) REQUIRES(memory_lock)
{
    memory->flush_pending = true;
    if (memory->flush_generation != 0 && memory->flush_aspace != aspace) {
        memory->flush_period = rcu_period_next();
        return;
    }
    memory->flush_aspace = aspace;
    memory->flush_generation = __atomic_load_n(&aspace->generation, __ATOMIC_RELAXED);
}

/* A walk through the mappings of a Memory, then those of its overlays: as many as users like, so the lock is let go now and then. Meanwhile
 *   - nobody else goes through mappings of Memories with this lock (`restricting`);
 *   - nobody installs pages of those that the walk has come to: their `flush_pending` is set, and is not cleared while `restricting` is;
 *   - what is new does not come behind the place where the walk goes on: mappings and overlays are put first in their lists, the upper part of
 *     a mapping that is cut next to the lower. A new overlay is as pending as its parent.
 * So there is no translation in front of that place, and behind it there are only those that have been there before: at the end there are none,
 * and still under the lock the caller does what they were in the way of. The place is kept by a node of the walk's own in the list, which is
 * there still: something else was in it, hence references to the Memory whose it is, and an object is freed, or leaves its parent, no
 * earlier than a grace period after the last of them, for which this CPU would have to leave the kernel.
 * The thread is neither preempted nor ended here, however long it takes: nothing is left half done, and who waits waits for one who runs. */
struct walk {
    struct memory *memory;
    enum pagetable_change change;
    bool at_once; /* it ends where it would let go of the lock */
    int32_t left; /* to be done before that */
};

/* Pages [@first, @end) of @mapping, counted from its start. */
static COLD void mapping_restrict(struct walk *walk, struct mapping *mapping, uint64_t first,
                                  uint64_t end) REQUIRES(memory_lock)
{
    struct aspace *aspace = mapping->aspace;
    uint64_t address = mapping->start + (first << PAGE_SHIFT);
    walk->left -= MAPPING_EFFORT + (int32_t)(end - first) / 2;
    if (!range_restrict(aspace, &address, mapping->start + (end << PAGE_SHIFT), walk->change,
                        UINT32_MAX) ||
        !aspace_is_stale(aspace, __atomic_load_n(&aspace->generation, __ATOMIC_RELAXED)))
        return;
    flush_note(mapping->memory, aspace);
    flush_note(walk->memory, aspace);
}

COLD void mapping_clear(struct mapping *mapping, uint64_t address)
{
    struct aspace *aspace = mapping->aspace;
    uint64_t start = MAX(address & ~(arch_pt_span(1) - 1), mapping->start), at = start;
    uint64_t end = MIN((address | (arch_pt_span(1) - 1)) + 1, mapping_end(mapping));
    struct pagetable_prune prune = {start, end, start, end};
    range_remove(aspace, &at, end, UINT32_MAX);
    if (pagetable_prune(aspace->root, &prune)) {
        aspace->table_address = TABLE_NONE;
        aspace_invalidate(aspace, PAGES_ALL);
    }
    if (aspace_is_stale(aspace, __atomic_load_n(&aspace->generation, __ATOMIC_RELAXED)))
        flush_note(mapping->memory, aspace);
}

/* In the mappings of @memory itself; or (@overlays) in those of its overlays. */
static COLD void list_restrict(struct walk *walk, struct memory *memory, bool overlays,
                               uint64_t index, uint64_t count) REQUIRES(memory_lock)
{
    const struct list *list = overlays ? &memory->overlays : &memory->mappings;
    for (struct list *node = list->next; node != list;) {
        if (unlikely(walk->left <= 0)) {
            if (walk->at_once)
                return;
            walk->left = STRETCH;
            walk->memory->flush_pending = true;
            memory_family(memory)->restricting = true;
            node = walk_pause(node, memory->lock, LOCK_RANK_memory_lock);
            continue;
        }
        struct memory *overlay = list_entry(node, struct memory, overlay_link);
        struct mapping *mapping = list_entry(node, struct mapping, memory_link);
        uint64_t at = overlays ? overlay->parent_first : mapping->offset_pages;
        uint64_t first = MAX(index, at);
        uint64_t end = MIN(index + count, at + (overlays ? overlay->pages : mapping->pages));
        if (overlays) {
            overlay->flush_pending = true; /* what shows no such page may grow */
            if (first < end)
                list_restrict(walk, overlay, false, first - at, end - first);
        } else if (first < end) {
            mapping_restrict(walk, mapping, first - at, end - at);
        }
        walk->left--;
        node = node->next;
    }
}

COLD bool mappings_restrict(struct memory *memory, uint64_t index, uint64_t count,
                            enum pagetable_change change, bool at_once)
{
    struct memory *family = memory_family(memory);
    struct walk walk = {memory, change, at_once, STRETCH};
    while (unlikely(family->restricting)) {
        if (at_once)
            return false;
        (void)walk_pause(NULL, memory->lock, LOCK_RANK_memory_lock);
    }
    list_restrict(&walk, memory, false, index, count);
    if (change == PAGETABLE_REMOVE) /* overlays do not write to what is not their own */
        list_restrict(&walk, memory, true, index, count);
    family->restricting = false;
    return walk.left > 0;
}

/* ── The end of a mapping ─────────────────────────────────────────────────────────────────────────────────────────── */

static void mapping_leave(struct aspace *aspace, struct mapping *mapping) REQUIRES(aspace_lock)
{
    struct mapping *head = mapping->head;
    mapping->state = MAPPING_GONE;
    mapping->last = --head->pieces == 0;
    if (mapping == head && mapping->last && aspace->copies == 0) {
        mapping->prot = 0;
        aspace->kept = mapping;
        return;
    }
    aspace->recent = NULL;
    mapping_remove(&aspace->mappings, mapping);
    if (mapping != head)
        list_remove(&mapping->leaf.pieces);
}

/* Nobody looks at @mapping any more. */
static void mapping_release(struct mapping *mapping)
{
    struct aspace *aspace = mapping->aspace;
    kmem_free(aspace->object.budget, mapping, sizeof(*mapping));
    aspace_drop(aspace);
}

COLD void kept_drop(struct aspace *aspace)
{
    struct mapping *kept = aspace->kept;
    if (likely(kept == NULL))
        return;
    aspace->kept = NULL;
    aspace->recent = NULL;
    mapping_remove(&aspace->mappings, kept);
    if (kept->state == MAPPING_FREE)
        mapping_release(kept);
}

/* Remove translations of @mapping from its start on; true if that were all, and its Memory has forgotten it. */
static bool translations_remove(struct mapping *mapping, uint32_t effort) REQUIRES(aspace_lock)
{
    struct aspace *aspace = mapping->aspace;
    struct memory *memory = mapping->memory;
    uint64_t start = mapping->start, end = mapping_end(mapping), address = start;
    memory_lock_acquire(memory->lock);
    range_remove(aspace, &address, end, effort);
    bool whole = address == end;
    if (whole) {
        list_remove(&mapping->memory_link);
    } else {
        uint64_t pages = (address - start) >> PAGE_SHIFT;
        mapping->start = address;
        mapping->offset_pages += pages;
        mapping->pages -= pages;
    }
    memory_lock_release(memory->lock);
    return whole;
}

bool mapping_detach(struct mapping *mapping, uint32_t effort)
{
    struct aspace *aspace = mapping->aspace;
    DEBUG_ASSERT(mapping->state == MAPPING_LIVE);
    const struct mapping *after = mapping_next(&aspace->mappings, mapping);
    struct pagetable_prune prune = {.start = mapping->start,
                                    .end = mapping_end(mapping),
                                    .low = mapping_room_begin(&aspace->mappings, mapping),
                                    .high = after != NULL ? after->start : ARCH_USER_END};
    bool whole = translations_remove(mapping, effort);
    if (whole) {
        mapping_leave(aspace, mapping);
    } else {
        mapping_moved(&aspace->mappings, mapping);
        prune.end = prune.high = mapping->start;
    }
    if (pagetable_prune(aspace->root, &prune)) {
        aspace->table_address = TABLE_NONE;
        aspace_invalidate(aspace, PAGES_ALL); /* before the tables' grace period begins */
    }
    return whole;
}

void mapping_forget(struct mapping *mapping)
{
    struct memory *memory = mapping->memory;
    memory_lock_acquire(memory->lock);
    list_remove(&mapping->memory_link);
    memory_lock_release(memory->lock);
    mapping_leave(mapping->aspace, mapping);
}

static COLD void mapping_free_rcu(struct rcu_head *head)
{
    struct mapping *mapping = container_of(head, struct mapping, leaf.rcu);
    object_unref(&mapping->memory->object);
    mapping_release(mapping);
}

void mapping_free(struct mapping *mapping)
{
    rcu_call(&mapping->leaf.rcu, mapping_free_rcu);
}

COLD void mapping_retire(struct mapping *mapping)
{
    struct mapping *head = mapping->head;
    struct aspace *aspace = head->aspace;
    struct memory *memory = head->memory;
    bool last = mapping->last;
    if (mapping != head)
        mapping_free(mapping);
    if (!last || (head->leaf.sever != NULL && !cap_leaf_remove(&head->leaf)))
        return;
    aspace_lock_acquire(&aspace->lock);
    bool kept = aspace->kept == head;
    if (kept)
        head->state =
            MAPPING_FREE; /* nothing but the tree that it keeps its place in leads to it */
    aspace_lock_release(&aspace->lock);
    if (kept)
        object_unref(&memory->object);
    else
        mapping_free(head);
}

COLD void mapping_sever(struct cap *leaf)
{
    struct mapping *head = container_of(leaf, struct mapping, leaf);
    struct aspace *aspace = head->aspace;
    bool more;
    do {
        aspace_lock_acquire(&aspace->lock);
        kept_drop(aspace);
        struct list *node = list_first(&head->leaf.pieces);
        struct mapping *piece = node != NULL ? list_entry(node, struct mapping, leaf.pieces) : head;
        more = piece->state == MAPPING_LIVE;
        bool whole = !more || mapping_detach(piece, UNMAP_EFFORT);
        aspace_lock_release(&aspace->lock);
        if (whole && piece != head)
            mapping_free(piece);
        sched_let_interrupts_in();
    } while (more);
    mapping_free(head);
}

/* ── Mapping ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool user_range_is_valid(uint64_t address, uint64_t length)
{
    uint64_t end;
    return is_page_aligned(address) && is_page_aligned(length) && length != 0 &&
           !__builtin_add_overflow(address, length, &end) && address >= ARCH_USER_START &&
           end <= ARCH_USER_END;
}

/* Can @prot be had at all, and within @max_prot? Hardware reads what it writes or executes. */
static status_t prot_check(uint32_t prot, uint32_t max_prot)
{
    uint32_t needed = prot == 0 ? 0 : prot | MAP_READ;
    return (prot & (MAP_WRITE | MAP_EXECUTE)) == (MAP_WRITE | MAP_EXECUTE) ||
                   (needed & ~max_prot) != 0
               ? STATUS_DENIED
               : STATUS_OK;
}

static status_t map_check(const struct memory *memory, const struct map_request *request)
{
    if ((request->flags & ~(uint32_t)MAP_ALL) != 0 || request->length == 0)
        return STATUS_INVALID;
    if ((request->flags & MAP_FIXED) != 0 &&
        !user_range_is_valid(request->address, request->length))
        return STATUS_INVALID;
    status_t status = memory_range_check(memory, request->offset, request->length);
    if (!status_is_ok(status))
        return status;
    /* The root of all device memory covers RAM too; that is nobody's to map. */
    if (memory->device && phys_is_ram(memory->base + request->offset, request->length))
        return STATUS_DENIED;
    return prot_check(request->flags & PROT_MASK, request->max_prot);
}

struct mapping *mapping_create(struct aspace *aspace, struct memory *memory)
{
    struct mapping *mapping = kmem_alloc(aspace->object.budget, sizeof(*mapping));
    if (mapping == NULL)
        return NULL;
    object_ref(&memory->object);
    __atomic_fetch_add(&aspace->holds, 1, __ATOMIC_RELAXED);
    mapping->aspace = aspace;
    mapping->memory = memory;
    mapping->head = mapping;
    list_init(&mapping->leaf.pieces);
    return mapping;
}

/* A free range for @mapping; if large entries may come to map it, one where they can. 0: none. *@next: what is behind it. */
static uint64_t address_choose(struct aspace *aspace, const struct mapping *mapping,
                               struct mapping **next) REQUIRES(aspace_lock)
{
    const struct memory *memory = mapping->memory;
    uint64_t bytes = mapping->pages << PAGE_SHIFT;
    uint64_t large = arch_pt_span(ARCH_PT_LEAF_LEVEL_MAX);
    bool align = bytes >= large;
    uint64_t room = bytes + GUARD_BYTES + (align ? large : 0);
    uint64_t gap = mapping_gap(&aspace->mappings, aspace->map_base, ARCH_USER_END, room);
    if (gap == 0)
        gap = mapping_gap(&aspace->mappings, ARCH_USER_START, ARCH_USER_END, room);
    if (gap == 0)
        return 0;
    *next = mapping_find(&aspace->mappings, gap);
    uint64_t address = gap + GUARD_BYTES;
    uint64_t index = memory->first + mapping->offset_pages;
    uint64_t wanted = (memory->base + (index << PAGE_SHIFT)) & (large - 1);
    return align ? address + ((wanted - address) & (large - 1)) : address;
}

/* Find a place for @mapping, with @flags, and put it there. */
static status_t mapping_place(struct aspace *aspace, struct mapping *mapping, uint32_t flags)
    REQUIRES(aspace_lock)
{
    struct mapping *next;
    if ((flags & MAP_FIXED) != 0) {
        next = mapping_find(&aspace->mappings, mapping->start);
        if (next != NULL && next->start < mapping_end(mapping))
            return STATUS_EXISTS;
    } else {
        mapping->start = address_choose(aspace, mapping, &next);
        if (mapping->start == 0)
            return STATUS_NO_MEMORY;
    }
    mapping_insert(&aspace->mappings, mapping, next);
    return STATUS_OK;
}

/* Has what keeps its place the one that @request wants? */
static bool kept_fits(const struct aspace *aspace, const struct map_request *request)
    REQUIRES(aspace_lock)
{
    const struct mapping *kept = aspace->kept;
    if (kept == NULL || kept->state != MAPPING_FREE ||
        kept->pages << PAGE_SHIFT != request->length || request->length >= arch_pt_span(1))
        return false;
    return (request->flags & MAP_FIXED) != 0 ? kept->start == request->address
                                             : kept->room != 0 && kept->start >= aspace->map_base;
}

status_t mapping_make(struct aspace *aspace, struct memory *memory,
                      const struct map_request *request, struct mapping **made)
{
    bool fits = kept_fits(aspace, request);
    struct mapping *mapping = aspace->kept;
    if (fits) {
        aspace->kept = NULL;
        object_ref(&memory->object);
    } else {
        kept_drop(aspace);
        mapping = mapping_create(aspace, memory);
        if (mapping == NULL)
            return STATUS_NO_MEMORY;
        mapping->start = request->address;
        mapping->pages = request->length >> PAGE_SHIFT;
    }
    mapping->memory = memory;
    mapping->offset_pages = request->offset >> PAGE_SHIFT;
    mapping->prot = request->flags & PROT_MASK;
    mapping->max_prot = request->max_prot;
    mapping->clone = request->flags & CLONE_MASK;
    mapping->cookie = request->cookie;
    mapping->leaf.sever = NULL;
    mapping->protect_cursor = 0;
    mapping->pieces = 1;
    status_t status = fits ? STATUS_OK : mapping_place(aspace, mapping, request->flags);
    if (!status_is_ok(status)) {
        mapping_free(mapping);
        return status;
    }
    mapping->state = MAPPING_LIVE;
    aspace->recent = mapping;
    memory_lock_acquire(memory->lock);
    list_push_front(&memory->mappings, &mapping->memory_link); /* see struct walk */
    memory_lock_release(memory->lock);
    *made = mapping;
    return STATUS_OK;
}

/* Go on installing what is there already, until somebody waits for this CPU: what is left comes by faults. */
static void populate(struct aspace *aspace, uint64_t address, uint64_t end)
{
    while (address < end && !sched_should_yield()) {
        aspace_lock_acquire(&aspace->lock);
        struct mapping *mapping = aspace_find(aspace, address);
        if (mapping != NULL && mapping->start <= address)
            mapping_populate(mapping, address, POPULATE_PAGES);
        aspace_lock_release(&aspace->lock);
        address += POPULATE_PAGES << PAGE_SHIFT;
    }
}

status_t sys_aspace_map(struct thread *self, struct cap *aspace_cap, struct cap *memory_cap,
                        uint64_t address, uint64_t offset, uint64_t length, uint32_t flags,
                        uint64_t cookie, uint64_t *mapped)
{
    struct aspace *aspace = aspace_of(aspace_cap->object);
    struct memory *memory = memory_of(memory_cap->object);
    struct map_request request = {address, offset, length, flags, 0, cookie};
    request.max_prot = ((memory_cap->rights & RIGHT_READ) != 0 ? MAP_READ : 0u) |
                       ((memory_cap->rights & RIGHT_WRITE) != 0 ? MAP_WRITE : 0u) |
                       ((memory_cap->rights & RIGHT_EXECUTE) != 0 ? MAP_EXECUTE : 0u);
    status_t status = map_check(memory, &request);
    if (!status_is_ok(status))
        return status;
    if (!aspace_is_flushed(aspace))
        return KERNEL_RESTART; /* who is told the address must not reach what was there before */
    if (!cap_tree_enter(self, &memory->object, memory_cap, &status))
        return status;
    struct mapping *mapping;
    aspace_lock_acquire(&aspace->lock);
    status = mapping_make(aspace, memory, &request, &mapping);
    if (status_is_ok(status)) {
        cap_leaf_add(memory_cap, memory_cap, &mapping->leaf, mapping_sever);
        *mapped = mapping->start;
    }
    tree_lock_release(&memory->object.lock);
    bool more = status_is_ok(status) && (flags & MAP_POPULATE) != 0;
    if (more)
        mapping_populate(mapping, mapping->start, POPULATE_PAGES);
    aspace_lock_release(&aspace->lock);
    if (more)
        populate(aspace, *mapped + (POPULATE_PAGES << PAGE_SHIFT), *mapped + length);
    return status;
}

status_t aspace_map_kernel(struct aspace *aspace, struct memory *memory, uint64_t address,
                           uint64_t offset, uint64_t length, uint32_t flags, uint64_t *mapped)
{
    struct map_request request = {address, offset, length, flags, PROT_MASK, 0};
    status_t status = map_check(memory, &request);
    if (!status_is_ok(status))
        return status;
    struct mapping *mapping;
    aspace_lock_acquire(&aspace->lock);
    status = mapping_make(aspace, memory, &request, &mapping);
    if (status_is_ok(status))
        *mapped = mapping->start;
    aspace_lock_release(&aspace->lock);
    return status;
}

/* ── Unmapping and protecting ─────────────────────────────────────────────────────────────────────────────────────── */

/* Cut @mapping at @address, which is inside: the upper part becomes a mapping of its own. */
static COLD status_t mapping_split(struct aspace *aspace, struct mapping *mapping, uint64_t address)
    REQUIRES(aspace_lock)
{
    struct memory *memory = mapping->memory;
    struct mapping *upper = mapping_create(aspace, memory);
    if (upper == NULL)
        return STATUS_NO_MEMORY;
    uint64_t lower_pages = (address - mapping->start) >> PAGE_SHIFT;
    upper->start = address;
    upper->pages = mapping->pages - lower_pages;
    upper->offset_pages = mapping->offset_pages + lower_pages;
    upper->prot = mapping->prot;
    upper->max_prot = mapping->max_prot;
    upper->clone = mapping->clone;
    upper->cookie = mapping->cookie;
    upper->head = mapping->head;
    upper->state = MAPPING_LIVE;
    if (mapping->protect_cursor != 0) {
        upper->protect_cursor = MAX(mapping->protect_cursor, address);
        if (mapping->protect_cursor >= address)
            mapping->protect_cursor = 0;
    }
    mapping->head->pieces++;
    list_push_back(&mapping->head->leaf.pieces, &upper->leaf.pieces);
    memory_lock_acquire(memory->lock);
    mapping->pages = lower_pages;
    list_push_front(&mapping->memory_link, &upper->memory_link); /* behind @mapping */
    memory_lock_release(memory->lock);
    mapping_insert(&aspace->mappings, upper, mapping_next(&aspace->mappings, mapping));
    return STATUS_OK;
}

/* Cut what reaches over @start or @end: what needs memory comes before what changes anything. */
static COLD status_t range_cut(struct aspace *aspace, uint64_t start, uint64_t end)
    REQUIRES(aspace_lock)
{
    status_t status = STATUS_OK;
    struct mapping *mapping = aspace_find(aspace, start);
    if (mapping != NULL && mapping->start < start)
        status = mapping_split(aspace, mapping, start);
    mapping = aspace_find(aspace, end - 1);
    if (status_is_ok(status) && mapping != NULL && mapping->start < end &&
        mapping_end(mapping) > end)
        status = mapping_split(aspace, mapping, end);
    return status;
}

/* What is done is not looked at again, not by the restarted call either: somebody may have mapped there meanwhile. */
static status_t range_restart(struct thread *self, uint64_t address, uint64_t end)
{
    arch_syscall_arg_set(self, 1, address);
    arch_syscall_arg_set(self, 2, end - address);
    return KERNEL_RESTART;
}

status_t sys_aspace_unmap(struct thread *self, struct cap *aspace_cap, uint64_t address,
                          uint64_t length)
{
    struct aspace *aspace = aspace_of(aspace_cap->object);
    if (!user_range_is_valid(address, length))
        return STATUS_INVALID;
    uint64_t end = address + length;
    for (;;) {
        bool detached = false;
        status_t status = STATUS_OK;
        aspace_lock_acquire(&aspace->lock);
        kept_drop(aspace);
        struct mapping *mapping = aspace_find(aspace, address);
        /* Nothing is cut where one whole mapping goes. */
        if (mapping != NULL && (mapping->start != address || mapping_end(mapping) != end)) {
            status = range_cut(aspace, address, end);
            mapping = status_is_ok(status) ? aspace_find(aspace, address) : NULL;
        }
        if (mapping != NULL && mapping->start >= end)
            mapping = NULL;
        if (mapping != NULL) {
            uint64_t mapping_last = mapping_end(mapping);
            detached = mapping_detach(mapping, UNMAP_EFFORT);
            address = detached ? mapping_last : mapping->start;
        }
        aspace_lock_release(&aspace->lock);
        if (detached)
            mapping_retire(mapping);
        if (mapping == NULL || address == end)
            return status;
        if (sched_should_yield())
            return range_restart(self, address, end);
    }
}

/* Give @mapping @prot. Translations that allow more go, from protect_cursor on; true when none is left. */
static bool mapping_protect(struct mapping *mapping, uint32_t prot) REQUIRES(aspace_lock)
{
    struct memory *memory = mapping->memory;
    bool finished = true;
    memory_lock_acquire(memory->lock);
    if ((mapping->prot & ~prot) != 0)
        mapping->protect_cursor = mapping->start;
    mapping->prot = prot;
    if (mapping->protect_cursor != 0) {
        uint64_t address = mapping->protect_cursor;
        range_remove(mapping->aspace, &address, mapping_end(mapping), UNMAP_EFFORT);
        finished = address >= mapping_end(mapping);
        mapping->protect_cursor = finished ? 0 : address;
    }
    memory_lock_release(memory->lock);
    return finished;
}

/* May what is mapped at *@address have @prot? Then *@address moves past it. */
static status_t protect_check(struct aspace *aspace, uint64_t *address, uint32_t prot)
    REQUIRES(aspace_lock)
{
    const struct mapping *mapping = aspace_find(aspace, *address);
    if (mapping == NULL || mapping->start > *address)
        return STATUS_NOT_FOUND;
    *address = mapping_end(mapping);
    return prot_check(prot, mapping->max_prot);
}

/* Go on with what is mapped at *@address, which moves past it once it is done. */
static status_t protect_next(struct aspace *aspace, uint64_t *address, uint64_t end, uint32_t flags)
    REQUIRES(aspace_lock)
{
    uint64_t after = *address;
    status_t status = range_cut(aspace, *address, end);
    if (status_is_ok(status))
        status = protect_check(aspace, &after, flags & PROT_MASK); /* others may have mapped here */
    if (!status_is_ok(status))
        return status;
    struct mapping *mapping = aspace_find(aspace, *address);
    mapping->clone = flags & CLONE_MASK;
    if (mapping_protect(mapping, flags & PROT_MASK))
        *address = after;
    return STATUS_OK;
}

/* All of the range is looked at before anything is changed. Executed again the call knows by its progress how far it has looked, and by
 * its arguments what is left to change. */
status_t sys_aspace_protect(struct thread *self, struct cap *aspace_cap, uint64_t address,
                            uint64_t length, uint32_t flags)
{
    struct aspace *aspace = aspace_of(aspace_cap->object);
    if (!user_range_is_valid(address, length) || (flags & ~(PROT_MASK | CLONE_MASK)) != 0)
        return STATUS_INVALID;
    uint64_t end = address + length;
    uint64_t seen = MAX(address, progress_begin(self, aspace->object.id, end, flags));
    for (;;) {
        aspace_lock_acquire(&aspace->lock);
        kept_drop(aspace);
        status_t status = seen < end ? protect_check(aspace, &seen, flags & PROT_MASK)
                                     : protect_next(aspace, &address, end, flags);
        aspace_lock_release(&aspace->lock);
        if (!status_is_ok(status) || address == end)
            return progress_end(self, status);
        self->progress = seen;
        if (sched_should_yield())
            return range_restart(self, address, end);
    }
}

status_t sys_aspace_query(struct thread *self, struct cap *aspace_cap, uint64_t address,
                          struct mapping_info *info)
{
    (void)self;
    struct aspace *aspace = aspace_of(aspace_cap->object);
    aspace_lock_acquire(&aspace->lock);
    kept_drop(aspace);
    const struct mapping *mapping = aspace_find(aspace, address);
    if (mapping != NULL)
        *info = (struct mapping_info){
            .start = mapping->start,
            .length = mapping->pages << PAGE_SHIFT,
            .offset = mapping->offset_pages << PAGE_SHIFT,
            .cookie = mapping->cookie,
            .memory_id = mapping->memory->object.id,
            .prot = mapping->prot | mapping->clone,
        };
    aspace_lock_release(&aspace->lock);
    return mapping != NULL ? STATUS_OK : STATUS_NOT_FOUND;
}

/* The flush is announced before the lock is left: who unmaps after that, and finds that no CPU has marked an entry, need not announce another one
 * (pagetable_unmap). Memory that nobody could take away does not age. */
status_t aspace_age(struct aspace *aspace, uint64_t *start, struct page_use *use)
{
    aspace_lock_acquire(&aspace->lock);
    kept_drop(aspace);
    const struct mapping *mapping = aspace_find(aspace, *start);
    if (mapping != NULL) {
        struct memory *memory = mapping->memory;
        uint64_t end = mapping_end(mapping);
        *start = memory_is_linear(memory) ? end : MAX(*start & ~(PAGE_SIZE - 1), mapping->start);
        memory_lock_acquire(memory->lock);
        pagetable_age(aspace->root, start, end, AGE_EFFORT, use);
        if ((use->accessed | use->written) != 0)
            aspace_invalidate(aspace, PAGES_ALL);
        memory_lock_release(memory->lock);
    }
    aspace_lock_release(&aspace->lock);
    return mapping != NULL ? STATUS_OK : STATUS_NOT_FOUND;
}
