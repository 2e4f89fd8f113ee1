#pragma once
/* Tables of 512 entries of 8 bytes for pages of 4 KiB, and the direct map: for arch_pt.h of the architectures that have them so. */
#include "../kernel.h"

typedef uint64_t pte_t;

#define ARCH_PT_INDEX_BITS 9u
#define ARCH_PT_ENTRIES (1u << ARCH_PT_INDEX_BITS)
/** The highest level whose entries may be leaves for user mappings (2 MiB). */
#define ARCH_PT_LEAF_LEVEL_MAX 1u

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
