#pragma once
/* What the files of Memory and of address spaces share. */
#include "mm/aspace.h"
#include "mm/memory.h"
#include "pagetable.h"
#include "thread.h"

/** What a Memory's first capability may do. */
#define MEMORY_RIGHTS                                                                        \
    (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_READ | RIGHT_WRITE | \
     RIGHT_EXECUTE | RIGHT_MANAGE | RIGHT_PAGER)

/** Pages that are handled with interrupts off before somebody is asked whether to give way. */
#define PREEMPT_PAGES 64u

struct page {
    paddr_t frame;
    bool writable;    /* nobody shares it: a translation may allow writing */
    bool was_present; /* memory_resolve: nothing had to be taken or asked for */
    bool alone;       /* no translation leads to it */
};

extern const struct object_ops memory_ops;

/** Find page @index, taking, zeroing, copying as needed; statuses as memory_page(). */
MUST_CHECK status_t memory_resolve(struct memory *memory, struct thread *self, uint64_t index,
                                   bool write, struct page *page) REQUIRES(memory_lock);
/** Page @index if it is there already and nobody must be asked. */
bool memory_present(struct memory *memory, uint64_t index, struct page *page) REQUIRES(memory_lock);
/** The frame to read page @index from, as memory_page(); 0 for one that reads as zero and need not be taken for that. */
MUST_CHECK status_t memory_page_to_read(struct memory *memory, struct thread *self, uint64_t index,
                                        paddr_t *frame);
/** Is it one run of physical addresses? */
static inline bool memory_is_linear(const struct memory *memory)
{
    return memory->kind == MEMORY_KIND_PHYSICAL || memory->kind == MEMORY_KIND_CONTIGUOUS;
}
/** Make the new @clone show pages [@offset, …) of @source: as they are now, or (@overlay) as they come to be. RANGE, BUSY. Until the
 *  former's pages are write-protected in @source and flushed nobody may see them. */
MUST_CHECK status_t memory_clone_take(struct memory *clone, struct memory *source, uint64_t offset,
                                      uint64_t bytes, bool overlay) REQUIRES(memory_lock);
/** Write-protect those pages of [*@index, @end) of @source that stand in one leaf with the first that is there. False: there are none. */
bool memory_protect_next(struct memory *source, uint64_t *index, uint64_t end);
/** Does a copy of the address space map the same Memory? */
static inline bool mapping_is_shared(const struct mapping *mapping)
{
    return (mapping->clone & MAP_CLONE_SHARED) != 0 || memory_is_linear(mapping->memory);
}
/** @memory, which is new, becomes an overlay over @parent (no overlay itself) from page @first on. */
void memory_overlay(struct memory *memory, struct memory *parent, uint64_t first)
    REQUIRES(memory_lock);
/** May pages of @memory be installed: is nobody taking translations away, and has every CPU stopped using those that were? */
bool memory_flush_check(struct memory *memory) REQUIRES(memory_lock);
static inline bool memory_is_flushed(struct memory *memory) REQUIRES(memory_lock)
{
    return likely(!memory->flush_pending) || memory_flush_check(memory);
}
/** A zeroed Memory of @kind, charged to @budget. NULL: no memory. */
struct memory *memory_allocate(struct budget *budget, enum memory_kind kind, uint64_t pages);

/** Queue @self for page @index of a pager-backed Memory, to have it or to write it, and ask the pager; without @self only ask it.
 *  Statuses as memory_page(), never OK. */
MUST_CHECK status_t pager_wait(struct memory *memory, struct thread *self, uint64_t index,
                               uint32_t kind) REQUIRES(memory_lock);
/** Wake up to @limit threads that wait for pages of [@first, @end); with @status not OK, waiting for the page fails with it.
 *  True: there may be more. */
bool pager_wake(struct memory *memory, uint64_t first, uint64_t end, status_t status,
                uint32_t limit) REQUIRES(memory_lock);
/** pager_wake() for all of them; KERNEL_RESTART if there were too many for one go. */
MUST_CHECK status_t pager_wake_all(struct memory *memory, uint64_t first, uint64_t end,
                                   status_t status);
/** The last capability went: nobody will supply. */
void pager_end(struct memory *memory);

/** Continue @self with @then when nobody writes any more by what was write-protected, in user mode or in a call. */
void memory_flush(struct thread *self, void (*then)(struct thread *self));

/** Remove or write-protect the translations of pages [@index, @index + @count) of @memory in all address spaces. Where there are many mappings
 *  the lock is let go in between, with no other held, and interrupts are let in; when it returns there are none, but what was found before
 *  may have changed. With @at_once it is not let go: false if there are too many for that, and some may be left. Else the result says nothing. */
bool mappings_restrict(struct memory *memory, uint64_t index, uint64_t count,
                       enum pagetable_change change, bool at_once) REQUIRES(memory_lock);

/** Translations were taken away, of @page or (PAGES_ALL) more: CPUs that run @aspace flush before they next run user code; this one flushes
 *  one page at once, if it has flushed all others. */
void aspace_invalidate(struct aspace *aspace, uint64_t page);
#define PAGES_ALL UINT64_MAX
/** Does a CPU other than this one have @aspace loaded without having flushed since @generation? */
bool aspace_is_stale(const struct aspace *aspace, uint64_t generation);

/** Has every CPU stopped using what was taken away in @aspace? This one has when it leaves the kernel. */
static inline bool aspace_is_flushed(struct aspace *aspace)
{
    uint64_t generation = __atomic_load_n(&aspace->generation, __ATOMIC_ACQUIRE);
    if (likely(__atomic_load_n(&aspace->flushed, __ATOMIC_ACQUIRE) == generation))
        return true;
    if (aspace_is_stale(aspace, generation))
        return false;
    __atomic_store_n(&aspace->flushed, generation, __ATOMIC_RELEASE);
    return true;
}

/** Take away what maps the 2 MiB around @address, as far as they are @mapping's: one large entry; or those of a table, which goes with them if it is
 *  all @mapping's. What is there is found again by the next fault. */
void mapping_clear(struct mapping *mapping, uint64_t address) REQUIRES(aspace_lock, memory_lock);
/** Install translations for up to @pages pages of @mapping from @address on, as far as they are there, without waiting for anything. */
void mapping_populate(struct mapping *mapping, uint64_t address, uint64_t pages)
    REQUIRES(aspace_lock);
/** aspace_fault(); *@frame, unless NULL, is the page's, installed or not, for the kernel's own access; 0: a device's. */
MUST_CHECK status_t aspace_resolve(struct aspace *aspace, struct thread *self, uint64_t address,
                                   uint32_t access, paddr_t *frame);

/* A call that is cut at a preemption point, or by a wait, is executed again from its beginning: what it has done already it keeps in
 * its thread, under a key made of its arguments. It must store progress before anything that may queue the thread. */
static inline uint64_t progress_begin(struct thread *self, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t key = (((a * 0x9e3779b97f4a7c15ull) ^ b) * 0x9e3779b97f4a7c15ull ^ c) | 1;
    if (self->progress_key != key) {
        self->progress_key = key;
        self->progress = 0;
    }
    return self->progress;
}

/** The call ends with @status, unless it is to be executed again. */
MUST_CHECK static inline status_t progress_end(struct thread *self, status_t status)
{
    if (!status_is_internal(status))
        self->progress_key = 0;
    return status;
}

/** Check a byte range of a Memory: page-aligned, inside. INVALID, RANGE. */
MUST_CHECK status_t memory_range_check(const struct memory *memory, uint64_t offset,
                                       uint64_t bytes);
