#pragma once
/* Page-table entries of x86_64 (Intel SDM vol. 3, 4.5), and of the reference architecture. */
#include <mm/pt512.h>

#define PTE_PRESENT (1ull << 0)
#define PTE_WRITE (1ull << 1)
#define PTE_USER (1ull << 2)
#define PTE_WRITE_THROUGH (1ull << 3)
#define PTE_CACHE_DISABLE (1ull << 4)
#define PTE_ACCESSED (1ull << 5)
#define PTE_LARGE (1ull << 7)
#define PTE_GLOBAL (1ull << 8)
#define PTE_NO_EXECUTE (1ull << 63)
#define PTE_ADDRESS_MASK 0x000ffffffffff000ull

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

static inline pte_t arch_pte_mark_accessed(pte_t pte)
{
    return pte | PTE_ACCESSED;
}

/** The leaf @pte, not writable, else the same. */
static inline pte_t arch_pte_write_protect(pte_t pte)
{
    return pte & ~PTE_WRITE;
}

/** The leaf @pte, not accessed yet and not writable. */
static inline pte_t arch_pte_age(pte_t pte)
{
    return arch_pte_write_protect(pte) & ~PTE_ACCESSED;
}
