#pragma once
/* Page-table entries of RV64 (privileged specification, 4.4 Sv39 and 4.5 Sv48): 3 or 4 levels of 512 entries of 8 bytes. Level 0
 * holds 4 KiB leaves, level 1 2 MiB, level 2 1 GiB. Whether level 2 or 3 is the root the machine decides, or the boot word `sv39`:
 * arch_pt_levels. The generic walker is mm/pagetable.c; nothing here touches memory.
 * A and D are set from the start: a machine may fault instead of setting them itself. What ages a page takes A away; then the machine sets it
 * (Svadu) or the fault does (Svade). D is nobody's: a page was written if it may be (pagetable_age). */
#include <mm/pt512.h>

/** What depends on the translation mode: early.c. */
extern unsigned arch_pt_levels;
extern uint64_t arch_direct_map_base;
extern uint64_t arch_user_end;
/** Bits of a leaf for device memory: ours, and Svpbmt's type IO where present. */
extern uint64_t arch_pte_device_bits;

#define ARCH_PT_LEVELS arch_pt_levels

/** Must every CPU have forgotten an entry before one with another address or size takes its place? */
#define ARCH_PT_BREAK_BEFORE_MAKE false

/** The bit of an entry for whose want a CPU may fault when it is there already; 0: none. A hart may keep it (privileged specification, 4.2.1). */
#define ARCH_PT_LATE_BIT PTE_VALID

/** User addresses: [START, END). The lower half without its last page. */
#define ARCH_USER_START 0x0000000000010000ull
#define ARCH_USER_END arch_user_end
/** Entries of a root table that belong to the address space: [0, this); the rest is the kernel's, see kernelmap_share. */
#define ARCH_PT_USER_ROOT_ENTRIES 256u
#define ARCH_PT_ROOT_IS_SHARED true

/** All RAM, mapped at this address. */
#define ARCH_DIRECT_MAP_BASE arch_direct_map_base
#include <mm/direct_map.h>

/** The heap's blocks (mm/blocks.c). Each GiB has an entry in the root of Sv39. */
#define ARCH_HEAP_BASE 0xffffffe800000000ull
#define ARCH_HEAP_END 0xffffffec00000000ull
/** Device memory, and the stacks of all CPUs: kernelmap. */
#define ARCH_DEVICE_BASE 0xffffffe000000000ull
#define ARCH_DEVICE_END 0xffffffe040000000ull
#define ARCH_STACKS_BASE 0xfffffff000000000ull
/** On which the overflow of a kernel stack is reported. */
#define ARCH_FAULT_STACKS 1u

#define PTE_VALID (1ull << 0)
#define PTE_READ (1ull << 1)
#define PTE_WRITE (1ull << 2)
#define PTE_EXECUTE (1ull << 3)
#define PTE_USER (1ull << 4)
#define PTE_GLOBAL (1ull << 5)
#define PTE_ACCESSED (1ull << 6)
#define PTE_DIRTY (1ull << 7)
#define PTE_DEVICE (1ull << 8) /* free for software */
#define PTE_IO (2ull << 61)    /* Svpbmt: non-cacheable, non-idempotent, strongly ordered */
#define PTE_PPN_MASK 0x003ffffffffffc00ull
#define PTE_PPN_SHIFT 10u

/** A leaf for @frame with MAP_READ, MAP_WRITE, MAP_EXECUTE of @flags (read is implied); its level is where it stands. */
static inline pte_t arch_pte_leaf(paddr_t frame, uint32_t flags, bool user, unsigned level,
                                  bool device)
{
    pte_t pte =
        frame >> PAGE_SHIFT << PTE_PPN_SHIFT | PTE_VALID | PTE_READ | PTE_ACCESSED | PTE_DIRTY;

    (void)level;
    if (flags & MAP_WRITE)
        pte |= PTE_WRITE;
    if (flags & MAP_EXECUTE)
        pte |= PTE_EXECUTE;
    pte |= user ? PTE_USER : PTE_GLOBAL;
    if (device)
        pte |= arch_pte_device_bits;
    return pte;
}

/** An entry that points to the next table. */
static inline pte_t arch_pte_table(paddr_t table, bool user)
{
    (void)user;
    return table >> PAGE_SHIFT << PTE_PPN_SHIFT | PTE_VALID;
}

static inline bool arch_pte_is_present(pte_t pte)
{
    return (pte & PTE_VALID) != 0;
}

/** Is the present entry @pte of @level a leaf? */
static inline bool arch_pte_is_leaf(pte_t pte, unsigned level)
{
    (void)level;
    return (pte & PTE_READ) != 0;
}

/** Frame or table that @pte names. */
static inline paddr_t arch_pte_address(pte_t pte)
{
    return (pte & PTE_PPN_MASK) >> PTE_PPN_SHIFT << PAGE_SHIFT;
}

/** MAP_READ, MAP_WRITE, MAP_EXECUTE of a present leaf. */
static inline uint32_t arch_pte_flags(pte_t pte)
{
    return MAP_READ | ((pte & PTE_WRITE) ? MAP_WRITE : 0u) |
           ((pte & PTE_EXECUTE) ? MAP_EXECUTE : 0u);
}

static inline bool arch_pte_is_device(pte_t pte)
{
    return (pte & PTE_DEVICE) != 0;
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

/** What was added to the kernel's tables is what this hart's walker reads from now on: it may have kept that there was nothing, and only
 *  the fence orders stores before its reads (privileged specification, 4.2.1). */
static inline void arch_pt_synchronise(void)
{
    __asm__ volatile("sfence.vma" : : : "memory");
}
