#pragma once
/* Memory objects: pages in a reference-counted persistent radix tree (mm/radix.h), or a run of physical addresses.
 *
 * A clone shares the root of the tree, a write unshares the path and then the frame: a page's lookup cost does not grow with the
 * number of clones before it. Each frame is charged to the budget of the Memory that took it, until it is free.
 * Translations: a page-table entry for a page of a Memory is made and changed only under that Memory's lock (made under the address
 * space's lock too), so whoever holds the Memory's lock may walk `mappings` and take translations away. Who finds many lets go of the lock now
 * and then; nothing is installed meanwhile (mappings_restrict).
 * An overlay shows the pages of the Memory below it, its parent, where it has none of its own; it gets its own by writing. Its
 * translations lead to frames of both, so both have one lock, the parent's. */
#include "../list.h"
#include "../object.h"
#include "../queue.h"
#include "radix.h"

struct aspace;
struct mapping;
struct thread;

enum memory_kind {
    MEMORY_KIND_ANONYMOUS,
    MEMORY_KIND_PHYSICAL,
    MEMORY_KIND_CONTIGUOUS,
    MEMORY_KIND_PAGER,
    MEMORY_KIND_OVERLAY
};

/** Requests without a waiting thread that a pager-backed Memory remembers. */
#define MEMORY_ASKED_MAX 4u

/** Sizes are up to this many pages (128 TiB). */
#define MEMORY_PAGES_MAX (1ull << 35)

struct memory {
    struct object object;
    uint8_t kind;          /* enum memory_kind */
    bool device;           /* PHYSICAL that is not RAM: not cached, not in the direct map */
    struct spinlock *lock; /* memory_lock: own_lock, or that of an overlay's parent */
    struct spinlock own_lock;
    uint64_t pages; /* size; atomic, memory_lock to write */
    struct radix tree GUARDED_BY(memory_lock);
    uint64_t first; /* page 0 is this index of the tree; other indices are not ours to show */
    paddr_t base;   /* PHYSICAL, CONTIGUOUS: first byte */
    /* index of the tree, and the frame that it would have if one large entry is to map it and its neighbours; 0: none */
    uint64_t run_next GUARDED_BY(memory_lock);
    paddr_t run_frame GUARDED_BY(memory_lock);
    struct list mappings GUARDED_BY(memory_lock); /* mapping.memory_link */
    /* nothing is installed: translations are being taken away, or another CPU may still use some that were */
    bool flush_pending GUARDED_BY(memory_lock);
    /* of whose lock it is: they are, of Memories with this lock, and the lock is let go in between */
    bool restricting GUARDED_BY(memory_lock);
    /* that other CPU: it has this loaded, and flushed before this generation; 0: none */
    const struct aspace *flush_aspace GUARDED_BY(memory_lock);
    uint64_t flush_generation GUARDED_BY(memory_lock);
    uint64_t flush_period GUARDED_BY(memory_lock); /* nor before this grace period is over */
    /* PAGER: threads waiting for pages (wait_data: request_key), not yet offered */
    struct list waiters GUARDED_BY(memory_lock);
    /* PAGER: those whose page memory_pager_next has told the pager */
    struct list offered GUARDED_BY(memory_lock);
    uint64_t asked[MEMORY_ASKED_MAX] GUARDED_BY(memory_lock); /* PAGER: see memory_pager.c */
    bool detached GUARDED_BY(memory_lock); /* PAGER: nobody supplies, until another pager is set */
    struct event_source pager;
    struct memory *parent; /* OVERLAY: whose pages are shown where there are none; reference */
    uint64_t parent_first; /* page 0 is this page of parent */
    /* those whose parent this is: their overlay_link */
    struct list overlays GUARDED_BY(memory_lock);
    struct list overlay_link;
    bool dead; /* memory_lock: the last capability is gone, no pager will come */
    /* sum over pages: DMA, message buffers: pages must not move or go */
    uint32_t pins GUARDED_BY(memory_lock);
    uint64_t job_cursor;       /* work in pieces by the thread that creates it: next page */
    struct memory *job_source; /* clone: whose translations are write-protected; reference */
};

static inline struct memory *memory_of(struct object *object)
{
    return container_of(object, struct memory, object);
}

/** Whose lock @memory has: itself, or its parent. */
static inline struct memory *memory_family(const struct memory *memory)
{
    return container_of(memory->lock, struct memory, own_lock);
}

static inline uint64_t memory_pages(const struct memory *memory)
{
    return __atomic_load_n(&memory->pages, __ATOMIC_RELAXED);
}

static inline bool memory_has(const struct memory *memory, uint64_t offset, uint64_t bytes)
{
    uint64_t size = memory_pages(memory) << PAGE_SHIFT;
    return offset <= size && bytes <= size - offset;
}

/** @flags: MEMORY_PAGED, or MEMORY_CONTIGUOUS with MEMORY_LOW, or none. Pages are zero, but those of
 *  MEMORY_CONTIGUOUS are the caller's to zero. INVALID, NO_MEMORY. */
MUST_CHECK status_t memory_create(struct budget *budget, uint64_t bytes, uint32_t flags,
                                  struct memory **memory);
/** A Memory over physical addresses that are not RAM (or, from the kernel itself, over reserved RAM). Not charged pages. */
MUST_CHECK status_t memory_create_physical(struct budget *budget, paddr_t base, uint64_t bytes,
                                           struct memory **memory);
/** The frame of page @index for reading or writing: takes, zeroes, copies as needed. The frame stays valid until the kernel is left.
 *  RANGE beyond the size; NO_MEMORY; INVALID for device memory; IO … if the pager failed it; KERNEL_BLOCKED if the page must come from
 *  the pager and @self was queued for it (after thread_restart_on_wake(): pass it up unchanged and touch @self no more), KERNEL_DONE
 *  if @self may not wait (likewise); with @self NULL: BUSY instead. */
MUST_CHECK status_t memory_page(struct memory *memory, struct thread *self, uint64_t index,
                                bool write, paddr_t *frame);
/** Pin a page: resolves it (for writing, so that it stays the page of this Memory) and keeps it in place until
 *  memory_unpin. Statuses as memory_page; BUSY: pinned too often. A Memory with pins can be neither cloned nor shrunk. The caller
 *  holds a reference on @memory. */
MUST_CHECK status_t memory_pin(struct memory *memory, struct thread *self, uint64_t index,
                               paddr_t *frame);
void memory_unpin(struct memory *memory, uint64_t index);
/** A pinned page that the kernel reads and writes itself. */
struct pinned_page {
    struct memory *memory; /* reference; NULL: none */
    uint64_t index;
    void *address;
};
/** Pin the page at @offset of @memory, with a reference. BAD_HANDLE: its last capability is going; else as memory_pin(). */
MUST_CHECK status_t pinned_page_take(struct thread *self, struct memory *memory, uint64_t offset,
                                     struct pinned_page *page);
/** Let it go, if there is one. */
void pinned_page_drop(struct pinned_page *page);
/** The kernel writes; RANGE, NO_MEMORY, and KERNEL_BLOCKED (pass it up) when a pager had to be asked. */
MUST_CHECK status_t memory_write(struct memory *memory, struct thread *self, uint64_t offset,
                                 const void *from, size_t bytes);
