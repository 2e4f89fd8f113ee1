#pragma once
/* Page-table entries of the reference architecture: 4 levels of 512 entries of 8 bytes, laid out like x86_64's. Physical memory is
 * an array that the test supplies: frame 0 is host_ram[0]. */
#include "../../x86_64/include/arch_pte.h"

#define ARCH_PT_LEVELS 4u

/** Must every CPU have forgotten an entry before one with another address or size takes its place? */
#define ARCH_PT_BREAK_BEFORE_MAKE true

/** User addresses: [START, END). The last page below the hole stays out, so that no instruction ends at a non-canonical address
 *  (sysret to one would fault in the kernel, on the user's stack). */
#define ARCH_USER_START 0x0000000000010000ull
#define ARCH_USER_END 0x00007ffffffff000ull
/** Entries of a root table that belong to the address space: [0, this); the rest is the kernel's, see kernelmap_share. */
#define ARCH_PT_USER_ROOT_ENTRIES 256u

#define ARCH_PT_LATE_BIT 0

/** The heap's blocks: the test maps its RAM there. */
#define ARCH_HEAP_BASE 0x200000000000ull
#define ARCH_HEAP_END 0x200040000000ull

static inline void arch_pt_synchronise(void)
{
}

/** The test's RAM. */
extern uint8_t *host_ram;

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
