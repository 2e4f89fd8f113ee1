#pragma once
/* Page-table entries of the reference architecture: 4 levels of 512 entries of 8 bytes, laid out like x86_64's. Physical memory is
 * an array that the test supplies: frame 0 is host_ram[0]. */
#include <kernel.h>

typedef uint64_t pte_t;

#define ARCH_PT_LEVELS 4u
#define ARCH_PT_INDEX_BITS 9u
#define ARCH_PT_ENTRIES (1u << ARCH_PT_INDEX_BITS)
/** The highest level whose entries may be leaves for user mappings (2 MiB). */
#define ARCH_PT_LEAF_LEVEL_MAX 1u

/** Must every CPU have forgotten an entry before one with another address or size takes its place? */
#define ARCH_PT_BREAK_BEFORE_MAKE true

/** User addresses: [START, END). The last page below the hole stays out, so that no instruction ends at a non-canonical address
 *  (sysret to one would fault in the kernel, on the user's stack). */
#define ARCH_USER_START 0x0000000000010000ull
#define ARCH_USER_END 0x00007ffffffff000ull
/** Entries of a root table that belong to the address space: [0, this); the rest is the kernel's, see arch_aspace_root_init. */
#define ARCH_PT_USER_ROOT_ENTRIES 256u

/** The test's RAM. */
extern uint8_t *host_ram;

#define PTE_PRESENT (1ull << 0)
#define PTE_WRITE (1ull << 1)
#define PTE_USER (1ull << 2)
#define PTE_WRITE_THROUGH (1ull << 3)
#define PTE_CACHE_DISABLE (1ull << 4)
#define PTE_ACCESSED (1ull << 5)
#define PTE_DIRTY (1ull << 6)
#define PTE_LARGE (1ull << 7)
#define PTE_GLOBAL (1ull << 8)
#define PTE_NO_EXECUTE (1ull << 63)
#define PTE_ADDRESS_MASK 0x000ffffffffff000ull

/** The direct-map pointer to @frame. */
static inline void *arch_direct_map(paddr_t frame)
{
    return host_ram + frame;
}

/** The physical address behind a direct-map pointer. */
static inline paddr_t arch_direct_unmap(const void *pointer)
{
    return (paddr_t)((const uint8_t *)pointer - host_ram);
}

/** A leaf at @level for @frame with MAP_READ, MAP_WRITE, MAP_EXECUTE of @flags (read is implied). @device: not cached. */
static inline pte_t arch_pte_leaf(paddr_t frame, uint32_t flags, bool user, unsigned level,
                                  bool device)
{
    pte_t pte = frame | PTE_PRESENT;

    if (flags & MAP_WRITE)
        pte |= PTE_WRITE;
    if (!(flags & MAP_EXECUTE))
        pte |= PTE_NO_EXECUTE;
    if (user)
        pte |= PTE_USER;
    else
        pte |= PTE_GLOBAL;
    if (level > 0)
        pte |= PTE_LARGE;
    if (device)
        pte |= PTE_CACHE_DISABLE | PTE_WRITE_THROUGH;
    return pte;
}

/** An entry that points to the next table; leaves alone restrict access. */
static inline pte_t arch_pte_table(paddr_t table, bool user)
{
    return table | PTE_PRESENT | PTE_WRITE | (user ? PTE_USER : 0);
}

static inline bool arch_pte_is_present(pte_t pte)
{
    return (pte & PTE_PRESENT) != 0;
}

/** Is the present entry @pte of @level a leaf? */
static inline bool arch_pte_is_leaf(pte_t pte, unsigned level)
{
    return level == 0 || (pte & PTE_LARGE) != 0;
}

/** Frame or table that @pte names. */
static inline paddr_t arch_pte_address(pte_t pte)
{
    return pte & PTE_ADDRESS_MASK;
}

/** MAP_READ, MAP_WRITE, MAP_EXECUTE of a present leaf. */
static inline uint32_t arch_pte_flags(pte_t pte)
{
    return MAP_READ | ((pte & PTE_WRITE) ? MAP_WRITE : 0u) |
           ((pte & PTE_NO_EXECUTE) ? 0u : MAP_EXECUTE);
}

static inline bool arch_pte_is_device(pte_t pte)
{
    return (pte & PTE_CACHE_DISABLE) != 0;
}

static inline bool arch_pte_is_accessed(pte_t pte)
{
    return (pte & PTE_ACCESSED) != 0;
}

static inline bool arch_pte_is_dirty(pte_t pte)
{
    return (pte & PTE_DIRTY) != 0;
}

/** Index of @address in a table of @level. */
static inline unsigned arch_pt_index(uint64_t address, unsigned level)
{
    return (unsigned)(address >> (PAGE_SHIFT + ARCH_PT_INDEX_BITS * level)) & (ARCH_PT_ENTRIES - 1);
}

/** Bytes that an entry of @level covers. */
static inline uint64_t arch_pt_span(unsigned level)
{
    return 1ull << (PAGE_SHIFT + ARCH_PT_INDEX_BITS * level);
}
