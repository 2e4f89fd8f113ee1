/* The physical allocator.
 *
 * RAM is a few zones: runs of boot_info.ram with small holes between. A zone has one bitmap for each order, in which a set bit is a
 * free block; nothing is kept in free memory itself, so a stray write cannot corrupt the allocator, and freeing what is free already
 * is noticed. Splitting and joining work on bits alone: the buddy of block i is block i ^ 1.
 * In front, each CPU keeps some single frames, touched by that CPU only (interrupts are off), so that a page fault takes no lock.
 * Beside the bitmaps stands one struct frame for each page: references, and the budget that pays. A frame whose last reference goes
 * may still be in the TLB of another CPU; frame_put() therefore chains it on its CPU's list through the same structure - never
 * through the page, which user space could still write to - and a grace period later the whole list is freed. That needs no
 * memory, so it cannot fail. The owner pays until the frame is really free, so a budget bounds what it can have in flight.
 * A reference that is not the last leaves the same trace: until a grace period is over, who dropped it may still read the frame, so who
 * is left may not write to it. The place of the list's link keeps the number of that period, as many bits of it as there are. An old
 * number that seems to be a coming one costs a copy that was not needed, and no more.
 * A block that one large entry could map may be kept together (phys_keep): its frames are taken in order, by who asks for the very frame. They
 * are free, nobody pays for them, and as soon as anything else cannot be had they are given back: so there are few, and nobody waits for any.
 * Invariant: a frame is in exactly one of these states: a bit in a bitmap (refs 0), in a CPU's cache (refs 0), kept (refs 0), in use (refs > 0),
 * deferred (refs 0, owner pays), a hole (HOLE). */
#include "mm/phys.h"

#include "arch.h"
#include "arch_cpu.h"
#include "bitmap.h"
#include "budget.h"
#include "kasan.h"
#include "kstring.h"
#include "sched.h"

#include <arch_string.h>

#define ZONES_MAX 16u
/** RAM ranges nearer than this share a zone: the hole costs 16 bytes a page. */
#define ZONE_GAP_BYTES (16ull << 20)
#define CACHE_FRAMES 32u
#define CACHE_BATCH_ORDER 4u
#define CACHE_BATCH (1u << CACHE_BATCH_ORDER)
/** Frames freed in one go before looking whether something waits. */
#define DEFERRED_STEP 64u
/** Blocks that are kept together at a time. */
#define KEPT_MAX 8u

#define REFS_BITS 28u
#define REFS_MASK ((1ull << REFS_BITS) - 1)
#define PERIOD_MASK (UINT64_MAX >> REFS_BITS)
#define HOLE REFS_MASK

struct frame {
    /* Atomic: references. Above REFS_BITS: while deferred the next frame's number; while in use the grace period that must be over
     * before the frame is anybody's own, 0 if none. */
    uint64_t word;
    struct budget *owner; /* charged one page; holds a reference */
#ifdef CONFIG_DEBUG
    uint64_t
        unmapped; /* atomic: the number of the last of unmaps that was of it; 0: none since it was taken */
#endif
};

struct zone {
    uint64_t first; /* frame numbers: [first, first + pages) */
    uint64_t pages;
    uint64_t aligned; /* first rounded down to a block of the highest order: bit 0 of each bitmap */
    struct frame *frames;
    struct bitmap free[PHYS_ORDER_MAX + 1] GUARDED_BY(phys_lock);
};

/* What is left of a block that is kept: frame numbers [next, end). */
struct kept {
    uint64_t next, end;
};

/* What a CPU keeps for itself. Lives in a frame of its own. */
struct phys_cpu {
    uint32_t count;                /* atomic: others add them up */
    uint64_t frames[CACHE_FRAMES]; /* frame numbers */
    uint64_t deferred; /* list, by frame number; 0: empty (frame 0 is never given out) */
    uint64_t waiting;  /* list in its grace period */
    bool grace_running;
    struct rcu_head rcu;
};

static struct zone zones[ZONES_MAX];
static uint32_t zone_count;
static struct spinlock zones_lock;
static uint64_t total_pages;
static uint64_t table_pages;                       /* atomic */
static uint64_t buddy_pages GUARDED_BY(phys_lock); /* kept ones too */
static struct kept kept[KEPT_MAX] GUARDED_BY(phys_lock);
static uint32_t kept_oldest GUARDED_BY(phys_lock);
static struct phys_cpu *phys_cpus[CPU_MAX];

/* ── Frames ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static inline __attribute__((always_inline)) struct zone *zone_find(uint64_t number)
{
    for (struct zone *zone = &zones[zone_count]; zone-- > zones;)
        if (number - zone->first < zone->pages)
            return zone;
    return NULL;
}

static struct frame *frame_at(uint64_t number)
{
    struct zone *zone = zone_find(number);
    ASSERT(zone != NULL);
    return &zone->frames[number - zone->first];
}

static struct frame *frame_of(paddr_t address)
{
    return frame_at(address >> PAGE_SHIFT);
}

void frame_ref(paddr_t address)
{
    uint64_t old = __atomic_fetch_add(&frame_of(address)->word, 1, __ATOMIC_RELAXED) & REFS_MASK;
    /* Each reference but the first is held by 500 bytes of charged kernel memory: the limit is not reached with less than 128 GiB. */
    ASSERT(old != 0 && old < HOLE - 1);
}

bool frame_unref(paddr_t address)
{
    struct frame *frame = frame_of(address);
    uint64_t old = __atomic_fetch_sub(&frame->word, 1, __ATOMIC_ACQ_REL) & REFS_MASK;
    ASSERT(old != 0 && old != HOLE);
    if (old != 1)
        return false;
    __atomic_store_n(&frame->word, 1, __ATOMIC_RELAXED);
    return true;
}

/* Drop a reference by which the frame may still be read; true if it was the last: as frame_unref. A period that another CPU left in the
 * word is not later than the one that is read after it. */
static bool frame_unref_seen(struct frame *frame)
{
    uint64_t word = __atomic_load_n(&frame->word, __ATOMIC_ACQUIRE), left;
    do {
        ASSERT((word & REFS_MASK) != 0 && (word & REFS_MASK) != HOLE);
        if ((word & REFS_MASK) == 1)
            return true;
        uint64_t period = MAX(rcu_period_next() & PERIOD_MASK, 1u);
        left = period << REFS_BITS | ((word & REFS_MASK) - 1);
    } while (!__atomic_compare_exchange_n(&frame->word, &word, left, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    return false;
}

uint32_t frame_refs(paddr_t address)
{
    return (uint32_t)(__atomic_load_n(&frame_of(address)->word, __ATOMIC_ACQUIRE) & REFS_MASK);
}

bool frames_are_own(paddr_t base, uint64_t count)
{
    const struct frame *frame = frame_of(base);
    for (; count > 0; count--, frame++, base += PAGE_SIZE)
        if (__atomic_load_n(&frame->word, __ATOMIC_ACQUIRE) != 1 && !frame_is_own(base))
            return false;
    return true;
}

bool frame_is_own(paddr_t address)
{
    struct frame *frame = frame_of(address);
    uint64_t word = __atomic_load_n(&frame->word, __ATOMIC_ACQUIRE);
    if (likely(word == 1))
        return true;
    uint64_t since = (rcu_completed() - (word >> REFS_BITS)) & PERIOD_MASK;
    if ((word & REFS_MASK) != 1 || since > PERIOD_MASK / 2)
        return false;
    __atomic_store_n(&frame->word, 1, __ATOMIC_RELAXED);
    return true;
}

/* ── Buddy ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Free 2^order frames from @number on, joining buddies. */
static void block_give(struct zone *zone, uint64_t number, uint32_t order) REQUIRES(phys_lock)
{
    uint64_t block = (number - zone->aligned) >> order;
    ASSERT(!bitmap_test(&zone->free[order], block));
    buddy_pages += 1ull << order;
    while (order < PHYS_ORDER_MAX && (block ^ 1) < zone->free[order].bits &&
           bitmap_test(&zone->free[order], block ^ 1)) {
        bitmap_clear(&zone->free[order], block ^ 1);
        block >>= 1;
        order++;
    }
    bitmap_set(&zone->free[order], block);
}

/* Take the lowest block of @order in @zone that ends at or below frame @limit. */
static bool block_take(struct zone *zone, uint32_t order, uint64_t limit, uint64_t *number)
    REQUIRES(phys_lock)
{
    for (uint32_t o = order; o <= PHYS_ORDER_MAX; o++) {
        uint64_t block;
        if (!bitmap_first(&zone->free[o], &block) ||
            zone->aligned + (block << o) + (1ull << order) > limit)
            continue;
        bitmap_clear(&zone->free[o], block);
        while (o > order) {
            o--;
            block <<= 1;
            bitmap_set(&zone->free[o], block | 1);
        }
        buddy_pages -= 1ull << order;
        *number = zone->aligned + (block << order);
        return true;
    }
    return false;
}

/* High zones first: low memory is what some devices need. */
static bool zones_take_free(uint32_t order, uint64_t limit, uint64_t *number) REQUIRES(phys_lock)
{
    for (uint32_t i = zone_count; i-- > 0;)
        if (zones[i].first < limit && block_take(&zones[i], order, limit, number))
            return true;
    return false;
}

/* Make [number, end) free, in blocks as big as alignment allows. */
static void range_give(struct zone *zone, uint64_t number, uint64_t end) REQUIRES(phys_lock)
{
    while (number < end) {
        uint32_t order = (uint32_t)__builtin_ctzll(number | 1ull << PHYS_ORDER_MAX);
        while (number + (1ull << order) > end)
            order--;
        block_give(zone, number, order);
        number += 1ull << order;
    }
}

/* Give back what is left of the block that is kept longest; false: there is none. */
static COLD bool kept_drop(void) REQUIRES(phys_lock)
{
    for (uint32_t i = 0; i < KEPT_MAX; i++) {
        struct kept *block = &kept[kept_oldest++ % KEPT_MAX];
        uint64_t next = block->next;
        if (next == block->end)
            continue;
        block->next = block->end;
        buddy_pages -= block->end - next;
        range_give(zone_find(next), next, block->end);
        return true;
    }
    return false;
}

/* What is kept goes before anything fails, and before it becomes smaller. */
static bool zones_take(uint32_t order, uint64_t limit, uint64_t *number) REQUIRES(phys_lock)
{
    while (unlikely(!zones_take_free(order, limit, number)))
        if (!kept_drop())
            return false;
    return true;
}

/* ── No frame is used again while a TLB may have it ───────────────────────────────────────────────────────────────── */

#ifdef CONFIG_DEBUG
static uint64_t unmaps; /* atomic */

void frames_unmapped(paddr_t address, uint64_t pages)
{
    const uint64_t first = address >> PAGE_SHIFT;
    struct zone *zone = zone_find(first);
    if (zone == NULL)
        return;
    uint64_t number = __atomic_add_fetch(&unmaps, 1, __ATOMIC_SEQ_CST);
    for (uint64_t i = first - zone->first; pages > 0 && i < zone->pages; pages--, i++)
        __atomic_store_n(&zone->frames[i].unmapped, number, __ATOMIC_RELAXED);
}

/* A CPU without an address space uses no user's translations, and none that is older than this from the next one that it loads. */
void frames_unmaps_see(struct cpu *cpu)
{
    cpu->unmaps_seen = __atomic_load_n(&unmaps, __ATOMIC_SEQ_CST);
    if (cpu->aspace == NULL)
        frames_unmaps_pass(cpu);
}

void frames_unmaps_pass(struct cpu *cpu)
{
    __atomic_store_n(&cpu->unmaps_passed, cpu->unmaps_seen, __ATOMIC_SEQ_CST);
}

static void reuse_check(uint64_t first, uint64_t pages)
{
    for (struct frame *frame = frame_at(first), *end = frame + pages; frame < end; frame++) {
        uint64_t number = __atomic_exchange_n(&frame->unmapped, 0, __ATOMIC_RELAXED);
        for (uint32_t i = 0; number != 0 && i < cpu_count; i++) {
            const struct cpu *cpu = cpus[i];
            if (cpu_is_online(cpu) && __atomic_load_n(&cpu->aspace, __ATOMIC_SEQ_CST) != NULL &&
                __atomic_load_n(&cpu->unmaps_passed, __ATOMIC_SEQ_CST) < number)
                panic("frame 0x%llx is used again before CPU %u has looked at its TLB",
                      (unsigned long long)(first + pages - (uint64_t)(end - frame)), i);
        }
    }
}
#else
static inline void reuse_check(uint64_t first, uint64_t pages)
{
    (void)first;
    (void)pages;
}
#endif

/* @pages frames from @number on are taken. */
static struct frame *frame_begin(uint64_t number, uint64_t pages)
{
    struct frame *frame = frame_at(number);
    reuse_check(number, pages);
    ASSERT(__atomic_load_n(&frame->word, __ATOMIC_RELAXED) == 0 && frame->owner == NULL);
    __atomic_store_n(&frame->word, 1, __ATOMIC_RELAXED);
    return frame;
}

/* ── Per-CPU caches ───────────────────────────────────────────────────────────────────────────────────────────────── */

static struct phys_cpu *phys_cpu_local(void)
{
    struct cpu *cpu = arch_cpu_local();
    return likely(cpu != NULL) ? phys_cpus[cpu->id] : NULL;
}

/* This CPU's cache, made on first use; NULL if there is no memory for it. */
static struct phys_cpu *phys_cpu_make(void)
{
    _Static_assert(sizeof(struct phys_cpu) <= PAGE_SIZE, "lives in one frame");
    struct cpu *cpu = arch_cpu_local();
    uint64_t number;
    if (cpu == NULL)
        return NULL;
    phys_lock_acquire(&zones_lock);
    bool found = zones_take(0, UINT64_MAX, &number);
    phys_count_tables(found);
    phys_lock_release(&zones_lock);
    if (!found)
        return NULL;
    (void)frame_begin(number, 1);
    kasan_unpoison(phys_to_virt(number << PAGE_SHIFT), PAGE_SIZE);
    struct phys_cpu *cache = phys_to_virt(number << PAGE_SHIFT);
    memset(cache, 0, sizeof(*cache));
    __atomic_store_n(&phys_cpus[cpu->id], cache, __ATOMIC_RELEASE);
    return cache;
}

static inline void cache_count_set(struct phys_cpu *cache, uint32_t count)
{
    __atomic_store_n(&cache->count, count, __ATOMIC_RELAXED);
}

/* A whole block if there is one: it costs as much as a frame. The cache is empty. */
static void cache_refill(struct phys_cpu *cache)
{
    uint64_t number;
    uint32_t count = 0;
    phys_lock_acquire(&zones_lock);
    if (zones_take(CACHE_BATCH_ORDER, UINT64_MAX, &number))
        while (count < CACHE_BATCH)
            cache->frames[count++] = number++;
    while (count < CACHE_BATCH && zones_take(0, UINT64_MAX, &cache->frames[count]))
        count++;
    cache_count_set(cache, count);
    phys_lock_release(&zones_lock);
}

/* It is full. */
static void cache_spill(struct phys_cpu *cache)
{
    phys_lock_acquire(&zones_lock);
    for (uint32_t i = CACHE_BATCH; i < CACHE_FRAMES; i++)
        block_give(zone_find(cache->frames[i]), cache->frames[i], 0);
    cache_count_set(cache, CACHE_BATCH);
    phys_lock_release(&zones_lock);
}

/* In line: a page fault takes one. */
static inline __attribute__((always_inline)) bool frame_take(uint64_t *number)
{
    struct phys_cpu *cache = phys_cpu_local();
    if (unlikely(cache == NULL) && (cache = phys_cpu_make()) == NULL)
        return false;
    if (unlikely(cache->count == 0)) {
        cache_refill(cache);
        if (cache->count == 0)
            return false;
    }
    cache_count_set(cache, cache->count - 1);
    *number = cache->frames[cache->count];
    kasan_unpoison(phys_to_virt(*number << PAGE_SHIFT), PAGE_SIZE);
    return true;
}

/* @number's structure says free already. */
static void frame_give(uint64_t number)
{
    kasan_poison(phys_to_virt(number << PAGE_SHIFT), PAGE_SIZE, KASAN_FREE_FRAME);
    struct phys_cpu *cache = phys_cpu_local();
    if (unlikely(cache == NULL)) {
        phys_lock_acquire(&zones_lock);
        block_give(zone_find(number), number, 0);
        phys_lock_release(&zones_lock);
        return;
    }
    if (unlikely(cache->count == CACHE_FRAMES))
        cache_spill(cache);
    cache->frames[cache->count] = number;
    cache_count_set(cache, cache->count + 1);
}

bool phys_alloc(uint32_t order, paddr_t *frame)
{
    uint64_t number;
    if (order != 0)
        return phys_alloc_below(order, UINT64_MAX, frame);
    if (!frame_take(&number))
        return false;
    (void)frame_begin(number, 1);
    *frame = number << PAGE_SHIFT;
    return true;
}

bool phys_alloc_below(uint32_t order, paddr_t limit, paddr_t *frame)
{
    uint64_t number;
    if (order > PHYS_ORDER_MAX)
        return false;
    phys_lock_acquire(&zones_lock);
    bool found = zones_take(order, limit >> PAGE_SHIFT, &number);
    phys_lock_release(&zones_lock);
    if (!found)
        return false;
    (void)frame_begin(number, 1ull << order);
    *frame = number << PAGE_SHIFT;
    kasan_unpoison(phys_to_virt(*frame), PAGE_SIZE << order);
    return true;
}

COLD paddr_t phys_keep(void)
{
    const uint64_t pages = ARCH_PT_ENTRIES;
    uint64_t number = 0;
    phys_lock_acquire(&zones_lock);
    if (zones_take_free(ARCH_PT_INDEX_BITS, UINT64_MAX, &number)) {
        struct kept *block = kept;
        while (block->next != block->end)
            if (++block == &kept[KEPT_MAX] && kept_drop())
                block = kept;
        buddy_pages += pages;
        *block = (struct kept){number, number + pages};
    }
    phys_lock_release(&zones_lock);
    return number << PAGE_SHIFT;
}

/* Take frame @number, if it is the next of a block that is kept. */
static COLD bool kept_take(uint64_t number)
{
    bool found = false;
    phys_lock_acquire(&zones_lock);
    for (uint32_t i = 0; i < KEPT_MAX && !found; i++) {
        found = kept[i].next == number && kept[i].end != number;
        kept[i].next += found;
    }
    buddy_pages -= found;
    phys_lock_release(&zones_lock);
    if (found)
        kasan_unpoison(phys_to_virt(number << PAGE_SHIFT), PAGE_SIZE);
    return found;
}

static void frame_end(struct frame *frame)
{
    ASSERT(__atomic_load_n(&frame->word, __ATOMIC_RELAXED) == 1 && frame->owner == NULL);
    __atomic_store_n(&frame->word, 0, __ATOMIC_RELAXED);
}

void phys_free(paddr_t address, uint32_t order)
{
    uint64_t number = address >> PAGE_SHIFT;
    ASSERT(is_page_aligned(address) && order <= PHYS_ORDER_MAX &&
           (number & ((1ull << order) - 1)) == 0);
    frame_end(frame_at(number));
    if (order == 0) {
        frame_give(number);
        return;
    }
    kasan_poison(phys_to_virt(address), PAGE_SIZE << order, KASAN_FREE_FRAME);
    phys_lock_acquire(&zones_lock);
    block_give(zone_find(number), number, order);
    phys_lock_release(&zones_lock);
}

bool phys_alloc_range(uint64_t pages, paddr_t limit, paddr_t *base)
{
    uint32_t order = 0;
    uint64_t number;
    if (pages == 0 || pages > 1ull << PHYS_ORDER_MAX)
        return false;
    while (1ull << order < pages)
        order++;
    phys_lock_acquire(&zones_lock);
    bool found = zones_take(order, limit >> PAGE_SHIFT, &number);
    if (found)
        range_give(zone_find(number), number + pages, number + (1ull << order));
    phys_lock_release(&zones_lock);
    if (!found)
        return false;
    (void)frame_begin(number, pages);
    *base = number << PAGE_SHIFT;
    kasan_unpoison(phys_to_virt(*base), pages * PAGE_SIZE);
    return true;
}

void phys_free_range(paddr_t base, uint64_t pages)
{
    uint64_t number = base >> PAGE_SHIFT;
    frame_end(frame_at(number));
    kasan_poison(phys_to_virt(base), pages * PAGE_SIZE, KASAN_FREE_FRAME);
    phys_lock_acquire(&zones_lock);
    range_give(zone_find(number), number, number + pages);
    phys_lock_release(&zones_lock);
}

void frame_zero(paddr_t frame)
{
    kasan_check(phys_to_virt(frame), PAGE_SIZE, true);
    arch_zero_page(phys_to_virt(frame));
}

/* ── Charged frames ───────────────────────────────────────────────────────────────────────────────────────────────── */

status_t frame_create(struct budget *budget, paddr_t *frame)
{
    return frame_create_at(budget, 0, frame);
}

status_t frame_create_at(struct budget *budget, paddr_t wanted, paddr_t *frame)
{
    status_t status = budget_charge_pages(budget, 1);
    if (!status_is_ok(status))
        return status;
    uint64_t number;
    if (unlikely(wanted != 0) && kept_take(wanted >> PAGE_SHIFT)) {
        number = wanted >> PAGE_SHIFT;
    } else if (!frame_take(&number)) {
        budget_uncharge_pages(budget, 1);
        return STATUS_NO_MEMORY;
    }
    object_ref(&budget->object);
    frame_begin(number, 1)->owner = budget;
    *frame = number << PAGE_SHIFT;
    return STATUS_OK;
}

/* @owner (may be NULL) pays instead, and was charged; who paid before stops. */
static void frame_own(struct frame *frame, struct budget *owner)
{
    struct budget *old = __atomic_exchange_n(&frame->owner, owner, __ATOMIC_RELAXED);
    if (old == NULL)
        return;
    budget_uncharge_pages(old, 1);
    object_unref(&old->object);
}

void frame_set_owner(paddr_t address, struct budget *budget)
{
    object_ref(&budget->object);
    frame_own(frame_of(address), budget);
}

void frame_put_now(paddr_t address)
{
    if (!frame_unref(address))
        return;
    frame_own(frame_of(address), NULL);
    phys_free(address, 0);
}

static void deferred_run(struct rcu_head *head);

/* Nobody collects while a grace period runs: what comes meanwhile waits for the next. */
static void deferred_begin(struct phys_cpu *cache)
{
    cache->waiting = cache->deferred;
    cache->deferred = 0;
    cache->grace_running = true;
    rcu_call(&cache->rcu, deferred_run);
}

/* Callbacks run on the CPU that queued them, so this is that CPU's own structure. */
static void deferred_run(struct rcu_head *head)
{
    struct phys_cpu *cache = container_of(head, struct phys_cpu, rcu);
    for (uint32_t i = 0; cache->waiting != 0; i++) {
        if (i >= DEFERRED_STEP && sched_should_yield()) {
            rcu_call(head, deferred_run);
            return;
        }
        uint64_t number = cache->waiting;
        struct frame *frame = frame_at(number);
        cache->waiting = frame->word >> REFS_BITS;
        __atomic_store_n(&frame->word, 0, __ATOMIC_RELAXED);
        frame_own(frame, NULL);
        frame_give(number);
    }
    cache->grace_running = false;
    if (cache->deferred != 0)
        deferred_begin(cache);
}

/* Nobody holds the frame any more: it is freed after a grace period. */
static void frame_defer(paddr_t address)
{
    struct phys_cpu *cache = phys_cpu_local();
    /* A CPU may give back a frame before it ever took one. */
    if (unlikely(cache == NULL))
        cache = phys_cpu_make();
    ASSERT(cache != NULL);
    uint64_t number = address >> PAGE_SHIFT;
    __atomic_store_n(&frame_at(number)->word, cache->deferred << REFS_BITS, __ATOMIC_RELAXED);
    cache->deferred = number;
    if (!cache->grace_running)
        deferred_begin(cache);
}

void frame_put(paddr_t address)
{
    if (frame_unref_seen(frame_of(address)))
        frame_defer(address);
}

void frame_put_unseen(paddr_t address)
{
    if (frame_unref(address))
        frame_defer(address);
}

/* ── Start ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Bytes of bitmaps and frame structures for @zone. */
static INIT_TEXT uint64_t zone_table_bytes(const struct zone *zone)
{
    uint64_t span = zone->first + zone->pages - zone->aligned;
    uint64_t words = 0;
    for (uint32_t order = 0; order <= PHYS_ORDER_MAX; order++)
        words += bitmap_size_words((span >> order) + 1);
    uint64_t bytes = words * sizeof(uint64_t) + zone->pages * sizeof(struct frame);
    return (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

static INIT_TEXT void zone_tables_init(struct zone *zone, void *tables, uint64_t bytes)
    NO_THREAD_SAFETY
{
    uint64_t span = zone->first + zone->pages - zone->aligned;
    uint64_t *memory = tables;
    memset(tables, 0, bytes);
    for (uint32_t order = 0; order <= PHYS_ORDER_MAX; order++)
        memory = bitmap_init(&zone->free[order], (span >> order) + 1, memory);
    zone->frames = (struct frame *)(void *)memory;
    for (uint64_t i = 0; i < zone->pages; i++)
        zone->frames[i].word = HOLE;
}

/* Boot runs from there: as if it had been given out by phys_alloc_range(). */
static INIT_TEXT bool is_init_text(uint64_t number)
{
    return boot_info.init_text.bytes != 0 && number == boot_info.init_text.base >> PAGE_SHIFT;
}

/* [number, end) is RAM that was never given out. */
static INIT_TEXT void range_add(struct zone *zone, uint64_t number, uint64_t end)
{
    for (uint64_t i = number; i < end; i++)
        zone->frames[i - zone->first].word = 0;
    total_pages += end - number;
    if (is_init_text(number)) {
        zone->frames[number - zone->first].word = 1;
        return;
    }
    phys_lock_acquire(&zones_lock);
    range_give(zone, number, end);
    phys_lock_release(&zones_lock);
}

/* A zone over boot_info.ram[from, to). Its tables go to the end of the last range that holds them. */
static INIT_TEXT void zone_add(uint32_t from, uint32_t to)
{
    struct boot_range *ranges = boot_info.ram;
    struct zone *zone = &zones[zone_count];
    zone->first = ranges[from].base >> PAGE_SHIFT;
    zone->pages = ((ranges[to - 1].base + ranges[to - 1].bytes) >> PAGE_SHIFT) - zone->first;
    zone->aligned = zone->first & ~((1ull << PHYS_ORDER_MAX) - 1);
    uint64_t bytes = zone_table_bytes(zone);
    uint32_t host = to;
    while (host-- > from &&
           (ranges[host].bytes < bytes || is_init_text(ranges[host].base >> PAGE_SHIFT))) {
    }
    if (host + 1 == from) {
        klog("phys: no room for the tables of %u ranges: left out", to - from);
        return;
    }
    paddr_t tables = ranges[host].base + ranges[host].bytes - bytes;
    zone_tables_init(zone, phys_to_virt(tables), bytes);
    zone_count++;
    phys_count_tables((int64_t)(bytes >> PAGE_SHIFT));
    for (uint32_t i = from; i < to; i++) {
        uint64_t end = ranges[i].base + ranges[i].bytes - (i == host ? bytes : 0);
        /* Frame 0 stays out: 0 is no frame in lists and page tables. */
        range_add(zone, MAX(ranges[i].base >> PAGE_SHIFT, 1u), end >> PAGE_SHIFT);
    }
}

INIT_TEXT void phys_init(void)
{
    uint32_t from = 0;
    for (uint32_t i = 1; i <= boot_info.ram_count; i++) {
        const struct boot_range *before = &boot_info.ram[i - 1];
        if (i < boot_info.ram_count &&
            boot_info.ram[i].base - (before->base + before->bytes) <= ZONE_GAP_BYTES)
            continue;
        if (zone_count == ZONES_MAX) {
            klog("phys: more than %u zones of RAM: the rest is not used", ZONES_MAX);
            return;
        }
        zone_add(from, i);
        from = i;
    }
    if (total_pages == 0)
        panic("phys: the machine has no memory");
    uint64_t init_text = boot_info.init_text.base >> PAGE_SHIFT;
    if (zone_find(init_text) == NULL || frame_at(init_text)->word != 1)
        boot_info.init_text.bytes = 0;
}

/* ── Questions ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool ranges_touch(const struct boot_range *ranges, uint32_t count, paddr_t base, paddr_t end)
{
    for (uint32_t i = 0; i < count; i++)
        if (base < ranges[i].base + ranges[i].bytes && ranges[i].base < end)
            return true;
    return false;
}

bool phys_is_ram(paddr_t base, uint64_t bytes)
{
    return ranges_touch(boot_info.ram, boot_info.ram_count, base, base + bytes) ||
           ranges_touch(boot_info.reserved, boot_info.reserved_count, base, base + bytes);
}

static bool ranges_hold(const struct boot_range *ranges, uint32_t count, paddr_t base, paddr_t end)
{
    for (uint32_t i = 0; i < count; i++)
        if (base >= ranges[i].base && end <= ranges[i].base + ranges[i].bytes)
            return true;
    return false;
}

bool phys_is_all_ram(paddr_t base, uint64_t bytes)
{
    return ranges_hold(boot_info.ram, boot_info.ram_count, base, base + bytes) ||
           ranges_hold(boot_info.reserved, boot_info.reserved_count, base, base + bytes);
}

uint64_t phys_total_pages(void)
{
    return total_pages;
}

uint64_t phys_table_pages(void)
{
    return __atomic_load_n(&table_pages, __ATOMIC_RELAXED);
}

void phys_count_tables(int64_t pages)
{
    __atomic_fetch_add(&table_pages, (uint64_t)pages, __ATOMIC_RELAXED);
}

uint64_t phys_free_pages(void)
{
    phys_lock_acquire(&zones_lock);
    uint64_t pages = buddy_pages;
    phys_lock_release(&zones_lock);
    for (uint32_t i = 0; i < cpu_count; i++) {
        const struct phys_cpu *cache = __atomic_load_n(&phys_cpus[i], __ATOMIC_ACQUIRE);
        if (cache != NULL)
            pages += __atomic_load_n(&cache->count, __ATOMIC_RELAXED);
    }
    return pages;
}
