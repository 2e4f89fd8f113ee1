/* Blocks of the kernel heap.
 *
 * The region is cut into slots of a power of two of pages, at least one more than the block has. The last page of a slot is never mapped, so
 * what runs over the end of a block faults, and what runs over its beginning too. Slots are cut once, from the bottom up, and stay: with
 * their page tables, a 250th of what was held at once, which no budget pays. A slot that is free is linked through the entry of its first page.
 *
 * Translations here are global, so that the flush on the way out of the kernel leaves them. A slot that was freed rests until there is a batch of
 * them; then blocks_generation is raised, and a grace period later every CPU has flushed all that it had (blocks_catch_up()), and the
 * batch is free. The frames need not wait for that: nobody in the kernel has the address any more, and user mode never had it. */
#include <mm/blocks.h>

#include <arch.h>
#include <kasan.h>
#include <kmem.h>
#include <mm/kernelmap.h>
#include <mm/phys.h>
#include <random.h>
#include <rcu.h>
#include <spinlock.h>

#define ORDER_MIN 2u /* of the pages of a slot */
#define ORDER_MAX 9u
#define BATCH 16u
#define SCATTER (2ull << 20)

_Static_assert(BLOCK_PAGES_MAX == (1u << ORDER_MAX) - 1, "a page behind it");
_Static_assert(KMEM_BYTES_MAX + KASAN_HEAP_GAP <= BLOCK_PAGES_MAX * PAGE_SIZE, "what is asked for");

struct slots {
    uint64_t first; /* 0: none */
    uint64_t last;
};

struct by_order {
    struct slots orders[ORDER_MAX + 1];
};

static struct spinlock lock;
static uint64_t uncut GUARDED_BY(kmem_lock) = ARCH_HEAP_BASE; /* no slot is here or above */
static struct by_order free_slots GUARDED_BY(kmem_lock);
static struct by_order resting GUARDED_BY(kmem_lock);
static uint32_t resting_count GUARDED_BY(kmem_lock);
static struct by_order flushing GUARDED_BY(kmem_lock); /* until the grace period is over */
static bool is_flushing GUARDED_BY(kmem_lock);
static struct rcu_head flush;
uint64_t blocks_generation;

INIT_TEXT void blocks_scatter(void)
{
    uint64_t random, room = (ARCH_HEAP_END - ARCH_HEAP_BASE) / 2 / SCATTER;

    random_bytes(&random, sizeof(random));
    kmem_lock_acquire(&lock);
    uncut += random % room * SCATTER;
    kmem_lock_release(&lock);
}

static uint32_t order_of(uint32_t pages)
{
    uint32_t order = ORDER_MIN;

    while (1u << order <= pages)
        order++;
    return order;
}

static void push(struct slots *slots, uint64_t slot) REQUIRES(kmem_lock)
{
    *kernelmap_entries(slot) = slots->first;
    if (slots->first == 0)
        slots->last = slot;
    slots->first = slot;
}

static uint64_t cut(uint32_t order) REQUIRES(kmem_lock)
{
    uint64_t bytes = PAGE_SIZE << order;
    uint64_t slot = (uncut + bytes - 1) & ~(bytes - 1);

    if (bytes > ARCH_HEAP_END - slot || !kernelmap_prepare(slot, bytes))
        return 0;
    uncut = slot + bytes;
    kasan_poison((const void *)(uintptr_t)slot, bytes, KASAN_FREE_HEAP);
    return slot;
}

static uint64_t slot_take(uint32_t order)
{
    struct slots *slots = &free_slots.orders[order];

    kmem_lock_acquire(&lock);
    uint64_t slot = slots->first;
    if (slot != 0) {
        pte_t *entry = kernelmap_entries(slot);

        slots->first = *entry;
        *entry = 0;
    } else {
        slot = cut(order);
    }
    kmem_lock_release(&lock);
    return slot;
}

void blocks_catch_up(struct cpu *cpu)
{
    uint64_t generation = __atomic_load_n(&blocks_generation, __ATOMIC_ACQUIRE);

    if (likely(cpu->blocks_generation == generation))
        return;
    cpu->blocks_generation = generation;
    arch_tlb_flush_all();
}

static void flushed(struct rcu_head *head);

static void flush_if_due(void) REQUIRES(kmem_lock)
{
    if (is_flushing || resting_count < BATCH)
        return;
    flushing = resting;
    resting = (struct by_order){0};
    resting_count = 0;
    is_flushing = true;
    __atomic_fetch_add(&blocks_generation, 1, __ATOMIC_SEQ_CST);
    rcu_call(&flush, flushed);
}

static void flushed(struct rcu_head *head)
{
    (void)head;
    kmem_lock_acquire(&lock);
    for (uint32_t order = ORDER_MIN; order <= ORDER_MAX; order++) {
        struct slots *batch = &flushing.orders[order], *slots = &free_slots.orders[order];

        if (batch->first == 0)
            continue;
        *kernelmap_entries(batch->last) = slots->first;
        slots->first = batch->first;
    }
    is_flushing = false;
    flush_if_due();
    kmem_lock_release(&lock);
}

static bool is_leaf(uint64_t entry)
{
    return !is_page_aligned(entry);
}

/* The first @pages of the slot are mapped. */
static void slot_free(uint64_t slot, uint32_t order, uint32_t pages)
{
    pte_t *entries = kernelmap_entries(slot);

    kasan_poison((const void *)(uintptr_t)slot, pages * PAGE_SIZE, KASAN_FREE_HEAP);
    for (uint32_t i = 0; i < pages; i++) {
        pte_t entry = entries[i];

        ASSERT(is_leaf(entry));
        __atomic_store_n(&entries[i], 0, __ATOMIC_RELAXED);
        phys_free(arch_pte_address(entry), 0);
    }
    kernelmap_changed(slot, pages);
    kmem_lock_acquire(&lock);
    push(&resting.orders[order], slot);
    resting_count++;
    flush_if_due();
    kmem_lock_release(&lock);
}

void *block_alloc(uint32_t pages)
{
    uint32_t order = order_of(pages);
    uint64_t slot = slot_take(order);
    pte_t *entries = slot != 0 ? kernelmap_entries(slot) : NULL;
    paddr_t frame;

    for (uint32_t i = 0; entries != NULL && i < pages; i++) {
        if (!phys_alloc(0, &frame)) {
            slot_free(slot, order, i);
            return NULL;
        }
        entries[i] = arch_pte_leaf(frame, MAP_READ | MAP_WRITE, false, 0, false);
    }
    if (entries != NULL)
        kernelmap_changed(slot, pages);
    return (void *)(uintptr_t)slot;
}

void block_free(void *block, uint32_t pages)
{
    uint64_t slot = (uint64_t)(uintptr_t)block;
    uint32_t order = order_of(pages);

    ASSERT(slot >= ARCH_HEAP_BASE && slot < ARCH_HEAP_END &&
           (slot & ((PAGE_SIZE << order) - 1)) == 0);
    const pte_t *entries = kernelmap_entries(slot);
    ASSERT(is_leaf(entries[pages - 1]) && entries[pages] == 0);
    slot_free(slot, order, pages);
}

#ifdef CONFIG_DEBUG
void block_make_late(const void *block, uint32_t pages)
{
    kernelmap_changed((uint64_t)(uintptr_t)block, pages);
    arch_tlb_flush_all();
}
#endif
