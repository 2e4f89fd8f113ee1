#pragma once
/* Address spaces: page tables and the mappings that explain them.
 *
 * TLB: each aspace has a generation, raised by everything that takes a translation away. A CPU compares it on the way out of the kernel
 * (and when switching) and flushes. CPUs that run user code of this aspace are sent an IPI, and nobody waits: frames taken out of page
 * tables are freed through rcu_call(), whose grace period implies that every CPU left the kernel, hence flushed. Only what is mapped
 * next waits: a call that gives out addresses begins again until all have flushed. */
#include "../arch.h"
#include "../cap.h"
#include "../cpu.h"
#include "arch_pt.h"
#include "memory.h"

/** NEW: not in the tree yet. LIVE: mapped. GONE: not any more. FREE: nor is anything left of it but its place (aspace.kept). */
enum mapping_state { MAPPING_NEW, MAPPING_LIVE, MAPPING_GONE, MAPPING_FREE };

/* A run of pages of one Memory. Unmapping or protecting a part splits it; the pieces share the capability leaf of the first, their
 * head, which stays (hollow, if need be) until the last piece is gone. */
struct mapping {
    struct cap
        leaf; /* head: in the Memory's derivation tree, if it has a sever(); all: leaf.pieces */
    struct aspace *aspace;
    struct memory *memory; /* reference */
    uint64_t start, pages; /* aspace_lock and memory_lock to write, either to read */
    uint64_t offset_pages; /* likewise: page of the Memory at start */
    uint8_t state;         /* enum mapping_state; aspace_lock */
    bool last;             /* out of the tree: whoever took it out sees to the head's end */
    uint8_t rank;          /* aspace_lock: see mapping_tree.c */
    uint8_t room,
        room_max;      /* aspace_lock: order of the free range before it, largest of its subtree */
    uint32_t prot;     /* MAP_READ|WRITE|EXECUTE now; both locks to write */
    uint32_t max_prot; /* what the capability allowed */
    uint32_t clone;    /* MAP_CLONE_ bits; aspace_lock */
    uint64_t cookie;
    /* aspace_lock: entries from here on may still allow more than prot; 0: none */
    uint64_t protect_cursor;
    struct mapping *head;              /* of its pieces; itself if it is the first */
    uint32_t pieces;                   /* head: LIVE ones; aspace_lock */
    struct mapping *parent, *child[2]; /* aspace_lock: aspace.mappings; left and right */
    struct list order;                 /* aspace_lock: mapping_tree.order */
    struct list memory_link;           /* memory_lock */
};

/** All mappings, balanced and by address (mm/mapping_tree.c). */
struct mapping_tree {
    struct mapping *root;
    struct list order;
};

struct aspace {
    struct object object;
    struct spinlock lock; /* aspace_lock */
    paddr_t root;         /* top page table */
    uint64_t root_slot;   /* where CPUs keep what they load for it: arch_root_find() */
    uint64_t generation;  /* atomic */
    struct mapping_tree mappings GUARDED_BY(aspace_lock);
    /* GONE or FREE: what was unmapped last, and keeps its place; NULL: none */
    struct mapping *kept GUARDED_BY(aspace_lock);
    uint32_t copies GUARDED_BY(aspace_lock);        /* that are being made of it: nothing is kept */
    struct mapping *recent GUARDED_BY(aspace_lock); /* what was looked for last, or NULL */
    /* the last-level table that was needed last: of these addresses */
    pte_t *table GUARDED_BY(aspace_lock);
    uint64_t table_address GUARDED_BY(aspace_lock);
    uint64_t flushed;  /* atomic: a generation that no other CPU was behind when looked at */
    uint64_t resident; /* atomic: pages in page tables */
    uint64_t map_base; /* where the search for free ranges begins: random */
    /* atomic: mappings that may still look at this structure, and 1 until teardown */
    uint32_t holds;
    /* While it is made as a copy (mm/aspace_clone.c), by the thread that makes it. */
    struct aspace *clone_source; /* reference */
    uint64_t clone_address;      /* copied up to here */
    struct memory *clone_memory; /* whose pages are write-protected in the source; reference */
    uint64_t clone_page, clone_page_end;
};

static inline struct aspace *aspace_of(struct object *object)
{
    return container_of(object, struct aspace, object);
}

MUST_CHECK status_t aspace_create(struct budget *budget, struct aspace **aspace);
/** Map without a capability (init's first mappings): as sys_aspace_map. */
MUST_CHECK status_t aspace_map_kernel(struct aspace *aspace, struct memory *memory,
                                      uint64_t address, uint64_t offset, uint64_t length,
                                      uint32_t flags, uint64_t *mapped);
/** Resolve a user fault of @self. OK: retry the instruction. KERNEL_BLOCKED: queued at the pager. KERNEL_DONE: attention is pending.
 *  FAULT, NO_MEMORY, IO …: it cannot be; RANGE: what is mapped there lies behind the end of its Memory. */
MUST_CHECK status_t aspace_fault(struct aspace *aspace, struct thread *self, uint64_t address,
                                 uint32_t access);
/** Pages from some address on, as bits: there, accessed, writable until now. */
#define PAGE_USE_PAGES 64u
struct page_use {
    uint64_t present, accessed, written;
};
/** Tell, in *@use, which is all zero, how the pages from the first on that is there at or above *@start, which moves there, were used since the last time,
 *  and forget it. With PAGE_USE_LARGE in *@start bit 0 is for all up to the next multiple of LARGE_PAGE_SIZE. Of one mapping, and bounded: without a page go on at *@start. NOT_FOUND: nothing is mapped above it. If there are
 *  bits of what was forgotten, the caller's call ends by memory_flush_end(). */
MUST_CHECK status_t aspace_age(struct aspace *aspace, uint64_t *start, struct page_use *use);
/** The end of a call that took translations away: it answers OK, with the results that were set, when nobody uses them any more, in user mode or in a call. */
MUST_CHECK status_t memory_flush_end(struct thread *self);
/** Kernel access to user memory, always by walking: the kernel never dereferences a user address. FAULT if unmapped or without the
 *  access; KERNEL_BLOCKED when @self was queued at a pager (pass it up); @self NULL: pager pages give BUSY. @done (may be NULL)
 *  tells the bytes copied. */
MUST_CHECK status_t aspace_copy_in(struct aspace *aspace, struct thread *self, void *to,
                                   uint64_t address, size_t bytes, size_t *done);
MUST_CHECK status_t aspace_copy_out(struct aspace *aspace, struct thread *self, uint64_t address,
                                    const void *from, size_t bytes, size_t *done);
/** Between two address spaces, anonymous and copy-on-write pages resolved in place, never waiting: stops with FAULT at what is not there. */
MUST_CHECK status_t aspace_copy(struct aspace *to, uint64_t to_address, struct aspace *from,
                                uint64_t from_address, size_t bytes, size_t *done);
/** The frame behind a user address with @access, resolved in place; for futex words and remote atomics. */
MUST_CHECK status_t aspace_frame(struct aspace *aspace, struct thread *self, uint64_t address,
                                 uint32_t access, paddr_t *frame);
/** On the way out: load @aspace on @cpu, this one, or flush it there if it is loaded (see mm/aspace.c). */
static inline void aspace_load(struct aspace *aspace, struct cpu *cpu)
{
    if (likely(cpu->aspace != aspace)) {
        /* What was flushed of the former one says nothing of this one, and its generations may be higher. */
        __atomic_store_n(&cpu->aspace_generation, 0, __ATOMIC_RELAXED);
        (void)__atomic_exchange_n(&cpu->aspace, aspace, __ATOMIC_SEQ_CST);
    }
    uint64_t generation = __atomic_load_n(&aspace->generation, __ATOMIC_SEQ_CST);
    arch_aspace_activate(aspace->root, generation);
    __atomic_store_n(&cpu->aspace_generation, generation, __ATOMIC_RELEASE);
}
/** Is @aspace loaded on @cpu, this one, with nothing to be flushed? */
static inline bool aspace_is_current(const struct aspace *aspace, const struct cpu *cpu)
{
    return cpu->aspace == aspace &&
           cpu->aspace_generation == __atomic_load_n(&aspace->generation, __ATOMIC_ACQUIRE);
}
/** @cpu goes idle and loads the kernel's page tables: it runs no address space any more (cpu->aspace = NULL). */
void aspace_deactivate(struct cpu *cpu);

/** Used by generated code: copies between @self's aspace and the kernel; KERNEL_BLOCKED (pass it up) when the pager must be asked first. */
MUST_CHECK status_t user_copy_in(struct thread *self, void *to, uint64_t address, size_t bytes);
MUST_CHECK status_t user_copy_out(struct thread *self, uint64_t address, const void *from,
                                  size_t bytes);
