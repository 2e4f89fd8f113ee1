/* The kernel heap.
 *
 * Small sizes come from slabs: blocks of frames, aligned to their size, that begin with a header and hold objects of one class. The
 * header's bitmap is the authority on what is in use; nothing is kept in free objects, and a pointer's slab is found by masking it.
 * So a double free, or a free with the wrong size, is noticed at once. Each class has a lock and a list of slabs with room; an empty
 * slab goes back to the physical allocator unless it is the last one with room. Sizes above the largest class are a frame, or a
 * block of them (mm/blocks.c). A caller is charged the size of the class, rounded up to 16 bytes: what it takes from others. Under KASAN the class, or the
 * block, is one that leaves a gap behind the object, and that is charged. */
#include "kmem.h"

#include "budget.h"
#include "kasan.h"
#include "kstring.h"
#include "list.h"
#include "mm/blocks.h"
#include "mm/phys.h"
#include "spinlock.h"

#include <arch_string.h>

#define SLAB_HEADER_BYTES 64u
#define SLAB_WORDS 2u

struct slab {
    struct list link; /* kmem_lock: on the class's partial list while it has room */
    uint32_t class_index;
    uint32_t used;
    uint64_t busy[SLAB_WORDS]; /* a bit an object */
};

_Static_assert(sizeof(struct slab) <= SLAB_HEADER_BYTES, "the header's room");

struct kmem_class {
    uint32_t bytes;
    uint32_t order;    /* of a slab */
    uint32_t capacity; /* objects in a slab */
    struct spinlock lock;
    struct list partial GUARDED_BY(kmem_lock);
    uint64_t used GUARDED_BY(kmem_lock); /* objects; atomic to read */
};

/* Objects fit SLAB_WORDS * 64 to a slab; sizes are chosen so that little of a slab is left over, and multiples of 64 for what is
 * aligned to cache lines: threads, capabilities, endpoints. */
static struct kmem_class classes[] = {
    {.bytes = 32, .order = 0},   {.bytes = 48, .order = 0},   {.bytes = 64, .order = 0},
    {.bytes = 96, .order = 0},   {.bytes = 128, .order = 0},  {.bytes = 192, .order = 0},
    {.bytes = 256, .order = 0},  {.bytes = 320, .order = 0},  {.bytes = 448, .order = 0},
    {.bytes = 576, .order = 0},  {.bytes = 768, .order = 0},  {.bytes = 960, .order = 0},
    {.bytes = 1344, .order = 0}, {.bytes = 1616, .order = 1}, {.bytes = 2032, .order = 1},
};

#define CLASS_COUNT ARRAY_SIZE(classes)
#define CLASS_BYTES_MAX (2032u - KASAN_HEAP_GAP) /* of an object */

static uint64_t pages_held;  /* atomic */
static uint64_t large_bytes; /* atomic: of blocks of frames */

/* By (bytes + 15) / 16: the class. Filled on first use. */
static uint8_t class_of_size[CLASS_BYTES_MAX / 16 + 1];
static bool ready;

static COLD void kmem_init(void) NO_THREAD_SAFETY
{
    uint32_t class = 0;
    for (uint32_t i = 0; i < ARRAY_SIZE(class_of_size); i++) {
        while (classes[class].bytes < i * 16 + KASAN_HEAP_GAP)
            class ++;
        class_of_size[i] = (uint8_t)class;
    }
    for (uint32_t i = 0; i < CLASS_COUNT; i++) {
        uint32_t room = (uint32_t)(PAGE_SIZE << classes[i].order) - SLAB_HEADER_BYTES;
        classes[i].capacity = MIN(room / classes[i].bytes, SLAB_WORDS * 64u);
        list_init(&classes[i].partial);
    }
    ready = true;
}

static inline struct kmem_class *class_for(size_t bytes)
{
    return &classes[class_of_size[(bytes + 15) / 16]];
}

static COLD struct slab *slab_create(struct kmem_class *class) REQUIRES(kmem_lock)
{
    paddr_t frame;
    if (!phys_alloc(class->order, &frame))
        return NULL;
    struct slab *slab = phys_to_virt(frame);
    memset(slab, 0, sizeof(*slab));
    slab->class_index = (uint32_t)(class - classes);
    kasan_poison((char *)slab + SLAB_HEADER_BYTES, (PAGE_SIZE << class->order) - SLAB_HEADER_BYTES,
                 KASAN_FREE_HEAP);
    list_push_front(&class->partial, &slab->link);
    __atomic_fetch_add(&pages_held, 1ull << class->order, __ATOMIC_RELAXED);
    return slab;
}

static COLD void slab_destroy(struct slab *slab) REQUIRES(kmem_lock)
{
    struct kmem_class *class = &classes[slab->class_index];
    list_remove(&slab->link);
    __atomic_fetch_sub(&pages_held, 1ull << class->order, __ATOMIC_RELAXED);
    phys_free(virt_to_phys(slab), class->order);
}

/* A free object of @slab, which has room. */
static inline void *slab_take(struct kmem_class *class, struct slab *slab) REQUIRES(kmem_lock)
{
    uint32_t word = ~slab->busy[0] != 0 ? 0 : 1;
    uint32_t bit = (uint32_t)__builtin_ctzll(~slab->busy[word]);
    slab->busy[word] |= 1ull << bit;
    add_owned(&class->used, 1);
    if (unlikely(++slab->used == class->capacity))
        list_remove(&slab->link);
    return (char *)slab + SLAB_HEADER_BYTES + (size_t)(word * 64 + bit) * class->bytes;
}

static inline void *small_alloc(struct kmem_class *class)
{
    void *pointer = NULL;
    kmem_lock_acquire(&class->lock);
    struct list *first = list_first(&class->partial);
    struct slab *slab =
        likely(first != NULL) ? list_entry(first, struct slab, link) : slab_create(class);
    if (likely(slab != NULL))
        pointer = slab_take(class, slab);
    kmem_lock_release(&class->lock);
    return pointer;
}

static inline void small_free(struct kmem_class *class, void *pointer)
{
    uintptr_t mask = ((uintptr_t)PAGE_SIZE << class->order) - 1;
    struct slab *slab = (void *)((uintptr_t)pointer & ~mask);
    uint32_t offset = (uint32_t)((uintptr_t)pointer & mask) - SLAB_HEADER_BYTES;
    uint32_t object = offset / class->bytes;
    kmem_lock_acquire(&class->lock);
    ASSERT(&classes[slab->class_index] == class && offset % class->bytes == 0 &&
           object < class->capacity);
    uint64_t bit = 1ull << (object % 64);
    kasan_poison(pointer, class->bytes, KASAN_FREE_HEAP);
    ASSERT((slab->busy[object / 64] & bit) != 0);
    slab->busy[object / 64] &= ~bit;
    add_owned(&class->used, -1);
    if (unlikely(slab->used-- == class->capacity))
        list_push_front(&class->partial, &slab->link);
    else if (slab->used == 0 && class->partial.next != class->partial.prev)
        slab_destroy(slab);
    kmem_lock_release(&class->lock);
}

static uint32_t large_pages(size_t bytes)
{
    return (uint32_t)((bytes + KASAN_HEAP_GAP + PAGE_SIZE - 1) / PAGE_SIZE);
}

static bool is_charged(struct budget *budget, size_t bytes)
{
    return budget == NULL || status_is_ok(budget_charge_kmem(budget, bytes));
}

static void uncharge(struct budget *budget, size_t bytes)
{
    if (budget != NULL)
        budget_uncharge_kmem(budget, bytes);
}

/* @bytes, zeroed, of the @charge bytes at @pointer. */
static inline void *clear(void *pointer, size_t charge, size_t bytes)
{
    kasan_unpoison(pointer, charge);
    arch_fill_words(pointer, 0, (bytes + 7) / 8); /* what is charged is whole words */
    kasan_poison(pointer, charge, KASAN_REDZONE);
    kasan_unpoison(pointer, bytes);
    return pointer;
}

static void *frames_alloc(uint32_t pages)
{
    paddr_t frame;

    if (pages > 1)
        return block_alloc(pages);
    return phys_alloc(0, &frame) ? phys_to_virt(frame) : NULL;
}

static COLD void *large_alloc(struct budget *budget, size_t bytes)
{
    uint32_t pages = large_pages(bytes);
    if (!is_charged(budget, pages * PAGE_SIZE))
        return NULL;
    void *pointer = frames_alloc(pages);
    if (pointer == NULL) {
        uncharge(budget, pages * PAGE_SIZE);
        return NULL;
    }
    __atomic_fetch_add(&pages_held, pages, __ATOMIC_RELAXED);
    __atomic_fetch_add(&large_bytes, pages * PAGE_SIZE, __ATOMIC_RELAXED);
    clear(pointer, pages * PAGE_SIZE, bytes);
    if (pages > 1)
        block_make_late(pointer, pages);
    return pointer;
}

static COLD void large_free(struct budget *budget, void *pointer, size_t bytes)
{
    uint32_t pages = large_pages(bytes);
    if (pages > 1)
        block_free(pointer, pages);
    else
        phys_free(virt_to_phys(pointer), 0);
    __atomic_fetch_sub(&pages_held, pages, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&large_bytes, pages * PAGE_SIZE, __ATOMIC_RELAXED);
    uncharge(budget, pages * PAGE_SIZE);
}

size_t kmem_charge(size_t bytes)
{
    return bytes <= CLASS_BYTES_MAX ? class_for(bytes)->bytes : large_pages(bytes) * PAGE_SIZE;
}

void *kmem_alloc(struct budget *budget, size_t bytes)
{
    if (unlikely(!ready))
        kmem_init();
    if (bytes == 0 || bytes > KMEM_BYTES_MAX)
        return NULL;
    if (unlikely(bytes > CLASS_BYTES_MAX))
        return large_alloc(budget, bytes);
    struct kmem_class *class = class_for(bytes);
    size_t charge = class->bytes;
    if (!is_charged(budget, charge))
        return NULL;
    void *pointer = small_alloc(class);
    if (likely(pointer != NULL))
        return clear(pointer, charge, bytes);
    uncharge(budget, charge);
    return NULL;
}

void kmem_free(struct budget *budget, void *pointer, size_t bytes)
{
    ASSERT(pointer != NULL && bytes != 0 && bytes <= KMEM_BYTES_MAX);
    if (unlikely(bytes > CLASS_BYTES_MAX)) {
        large_free(budget, pointer, bytes);
        return;
    }
    struct kmem_class *class = class_for(bytes);
    small_free(class, pointer);
    uncharge(budget, class->bytes);
}

uint64_t kmem_pages(void)
{
    return __atomic_load_n(&pages_held, __ATOMIC_RELAXED);
}

uint64_t kmem_bytes(void) NO_THREAD_SAFETY
{
    uint64_t bytes = __atomic_load_n(&large_bytes, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < CLASS_COUNT; i++)
        bytes += __atomic_load_n(&classes[i].used, __ATOMIC_RELAXED) * classes[i].bytes;
    return bytes;
}
