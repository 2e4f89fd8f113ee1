#pragma once
/* Page tables of x86_64: 4 levels of 512 entries of 8 bytes (Intel SDM vol. 3, 4.5). Level 0 holds 4 KiB leaves, level 1
 * 2 MiB, level 2 1 GiB, level 3 is the root. The generic walker is mm/pagetable.c; nothing here touches memory. */
#include <arch_pte.h>

#define ARCH_PT_LEVELS 4u

/** Must every CPU have forgotten an entry before one with another address or size takes its place? */
#define ARCH_PT_BREAK_BEFORE_MAKE false

/** The bit of an entry for whose want a CPU may fault when it is there already; 0: none. A CPU keeps nothing of an entry that is not valid (SDM vol. 3, 4.10.2.3). */
#define ARCH_PT_LATE_BIT 0

/** User addresses: [START, END). The last page below the hole stays out, so that no instruction ends at a non-canonical address
 *  (sysret to one would fault in the kernel, on the user's stack). */
#define ARCH_USER_START 0x0000000000010000ull
#define ARCH_USER_END 0x00007ffffffff000ull
/** Entries of a root table that belong to the address space: [0, this); the rest is the kernel's, see kernelmap_share. */
#define ARCH_PT_USER_ROOT_ENTRIES 256u
#define ARCH_PT_ROOT_IS_SHARED true

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
/** For faults of the kernel: NMI, machine check, double fault, in the order of the interrupt stack table. */
#define ARCH_FAULT_STACKS 3u

/** What was added to the kernel's tables is what this CPU's walker reads from now on: it keeps nothing of what is not present (SDM
 *  vol. 3, 4.10.2.3), and sees stores in order. */
static inline void arch_pt_synchronise(void)
{
}
