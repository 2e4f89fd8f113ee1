#pragma once
/* Page-table entries of AArch64: the 4 KiB granule, 48-bit addresses, 4 levels of 512 entries of 8 bytes (Arm ARM D8.3). Level 0 here is
 * the last one (the manual's level 3): it holds 4 KiB leaves, level 1 2 MiB, level 2 1 GiB, level 3 is the root. User addresses are
 * translated by one root (TTBR0), the kernel's by another (TTBR1). The generic walker is mm/pagetable.c; nothing here touches memory. */
#include <mm/pt512.h>

#define ARCH_PT_LEVELS 4u

/** Must every CPU have forgotten an entry before one with another address or size takes its place? */
#define ARCH_PT_BREAK_BEFORE_MAKE true

/** The bit of an entry for whose want a CPU may fault when it is there already; 0: none. No TLB keeps one, but without FEAT_ETS2 a CPU may have read it before it heard of the address (Arm ARM D8.2.6). */
#define ARCH_PT_LATE_BIT PTE_VALID

/** User addresses: [START, END). As on x86_64, half of what the hardware would allow. */
#define ARCH_USER_START 0x0000000000010000ull
#define ARCH_USER_END 0x00007ffffffff000ull
/** Entries of a root table that belong to the address space: [0, this). The kernel has a root of its own. */
#define ARCH_PT_USER_ROOT_ENTRIES 256u
#define ARCH_PT_ROOT_IS_SHARED false

/** All RAM, mapped at this address. */
#define ARCH_DIRECT_MAP_BASE 0xffff800000000000ull
#include <mm/direct_map.h>

/** The heap's blocks (mm/blocks.c). */
#define ARCH_HEAP_BASE 0xfffffc0000000000ull
#define ARCH_HEAP_END 0xfffffc8000000000ull
/** Device memory, and the stacks of all CPUs: kernelmap. */
#define ARCH_DEVICE_BASE 0xfffffd0000000000ull
#define ARCH_DEVICE_END 0xfffffd8000000000ull
#define ARCH_STACKS_BASE 0xfffffe0000000000ull
/** On which faults of the kernel are reported. */
#define ARCH_FAULT_STACKS 1u

#define PTE_VALID (1ull << 0)
#define PTE_TABLE (1ull << 1) /* a table, or at level 0 a page; a block where clear */
#define PTE_ATTRIBUTE_NORMAL (0ull << 2)
#define PTE_ATTRIBUTE_DEVICE (1ull << 2) /* indices into MAIR_EL1: cpu_regs.h */
#define PTE_USER (1ull << 6)             /* AP[1] */
#define PTE_READ_ONLY (1ull << 7)        /* AP[2] */
#define PTE_INNER_SHAREABLE (3ull << 8)
#define PTE_ACCESSED \
    (1ull << 10) /* set from the start, and by the fault after ageing: TCR_EL1.HA is 0 */
#define PTE_NOT_GLOBAL (1ull << 11)
#define PTE_GUARDED (1ull << 50) /* branch targets need landing pads (BTI) */
#define PTE_KERNEL_NO_EXECUTE (1ull << 53)
#define PTE_USER_NO_EXECUTE (1ull << 54)
#define PTE_ADDRESS_MASK 0x0000fffffffff000ull

/** A leaf at @level for @frame with MAP_READ, MAP_WRITE, MAP_EXECUTE of @flags (read is implied). @device: not cached. */
static inline pte_t arch_pte_leaf(paddr_t frame, uint32_t flags, bool user, unsigned level,
                                  bool device)
{
    pte_t pte = frame | PTE_VALID | PTE_ACCESSED | PTE_INNER_SHAREABLE;

    if (level == 0)
        pte |= PTE_TABLE;
    if (!(flags & MAP_WRITE))
        pte |= PTE_READ_ONLY;
    if (user)
        pte |= PTE_USER | PTE_NOT_GLOBAL | PTE_KERNEL_NO_EXECUTE;
    else
        pte |= PTE_USER_NO_EXECUTE;
    if (flags & MAP_EXECUTE)
        pte |= PTE_GUARDED;
    else
        pte |= user ? PTE_USER_NO_EXECUTE : PTE_KERNEL_NO_EXECUTE;
    if (device)
        pte |= PTE_ATTRIBUTE_DEVICE;
    return pte;
}

/** An entry that points to the next table; leaves alone restrict access. */
static inline pte_t arch_pte_table(paddr_t table, bool user)
{
    (void)user;
    return table | PTE_VALID | PTE_TABLE;
}

static inline bool arch_pte_is_present(pte_t pte)
{
    return (pte & PTE_VALID) != 0;
}

/** Is the present entry @pte of @level a leaf? */
static inline bool arch_pte_is_leaf(pte_t pte, unsigned level)
{
    return level == 0 || (pte & PTE_TABLE) == 0;
}

/** Frame or table that @pte names. */
static inline paddr_t arch_pte_address(pte_t pte)
{
    return pte & PTE_ADDRESS_MASK;
}

/** MAP_READ, MAP_WRITE, MAP_EXECUTE of a present leaf. */
static inline uint32_t arch_pte_flags(pte_t pte)
{
    pte_t no_execute = (pte & PTE_USER) ? PTE_USER_NO_EXECUTE : PTE_KERNEL_NO_EXECUTE;

    return MAP_READ | ((pte & PTE_READ_ONLY) ? 0u : MAP_WRITE) |
           ((pte & no_execute) ? 0u : MAP_EXECUTE);
}

static inline bool arch_pte_is_device(pte_t pte)
{
    return (pte & PTE_ATTRIBUTE_DEVICE) != 0;
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
    return pte | PTE_READ_ONLY;
}

/** The leaf @pte, not accessed yet and not writable. */
static inline pte_t arch_pte_age(pte_t pte)
{
    return arch_pte_write_protect(pte) & ~PTE_ACCESSED;
}

/** What was added to the kernel's tables is what this CPU's walker reads from now on (Arm ARM D8.2.6). */
static inline void arch_pt_synchronise(void)
{
    __asm__ volatile("dsb ishst\n\tisb" : : : "memory");
}
