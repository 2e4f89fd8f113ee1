#pragma once
/* Memory objects: pages in a reference-counted persistent radix tree.
 *
 * Leaves and inner nodes carry reference counts; clone shares the root, a write unshares the path and then the frame. So a page's
 * lookup cost does not grow with the number of clones before it. Pages are charged once, to the budget of the Memory that took them. */
#include "../object.h"
#include "../queue.h"

struct aspace;
struct mapping;
struct thread;

enum memory_kind { MEMORY_KIND_ANONYMOUS, MEMORY_KIND_PHYSICAL, MEMORY_KIND_CONTIGUOUS, MEMORY_KIND_PAGER };

struct radix_node;

struct memory {
    struct object object;
    uint8_t kind;
    struct spinlock lock;                           /* memory_lock */
    uint64_t pages;                                 /* size; memory_lock to write */
    struct radix_node *root GUARDED_BY(memory_lock);
    uint32_t height GUARDED_BY(memory_lock);
    paddr_t base;                                   /* PHYSICAL, CONTIGUOUS: first byte */
    struct list mappings GUARDED_BY(memory_lock);   /* mapping.memory_link */
    struct list waiters GUARDED_BY(memory_lock);    /* PAGER: threads waiting for pages (wait_data = page index) */
    struct event_source pager;
    uint32_t pins;                                  /* atomic: DMA, message buffers: pages must not move or go */
};

static inline struct memory *memory_of(struct object *object)
{
    return container_of(object, struct memory, object);
}

__attribute__((warn_unused_result)) status_t memory_create(struct budget *budget, uint64_t bytes, uint32_t flags,
                                                           struct memory **memory);
/** A Memory over physical addresses that are not RAM (or, from the kernel itself, over reserved RAM). Not charged pages. */
__attribute__((warn_unused_result)) status_t memory_create_physical(struct budget *budget, paddr_t base, uint64_t bytes,
                                                                    struct memory **memory);
/** The frame of page @index for reading or writing: takes, zeroes, copies as needed. The frame stays valid until the kernel is left.
 *  RANGE beyond the size; NO_MEMORY; KERNEL_BLOCKED if the page must come from the pager and @self was queued for it
 *  (after thread_restart_on_wake(): pass it up unchanged and touch @self no more); with @self NULL: BUSY instead. */
__attribute__((warn_unused_result)) status_t memory_page(struct memory *memory, struct thread *self, uint64_t index, bool write,
                                                         paddr_t *frame);
/** Pin a page: resolves it for writing if @write and keeps it in place until memory_unpin. */
__attribute__((warn_unused_result)) status_t memory_pin(struct memory *memory, struct thread *self, uint64_t index, bool write,
                                                        paddr_t *frame);
void memory_unpin(struct memory *memory, uint64_t index);
/** Kernel-side copies; RANGE, NO_MEMORY, and KERNEL_BLOCKED (pass it up) when a pager had to be asked. */
__attribute__((warn_unused_result)) status_t memory_read(struct memory *memory, struct thread *self, uint64_t offset, void *to,
                                                         size_t bytes);
__attribute__((warn_unused_result)) status_t memory_write(struct memory *memory, struct thread *self, uint64_t offset,
                                                          const void *from, size_t bytes);
