#pragma once
/* The direct map from ARCH_DIRECT_MAP_BASE on: arch_pt.h includes this behind its definition. */
#include "../kernel.h"
#include "arch_pt.h"

/** The direct-map pointer to @frame. */
static inline void *arch_direct_map(paddr_t frame)
{
    return (void *)(uintptr_t)(frame + ARCH_DIRECT_MAP_BASE);
}

/** The physical address behind a direct-map pointer. */
static inline paddr_t arch_direct_unmap(const void *pointer)
{
    return (paddr_t)(uintptr_t)pointer - ARCH_DIRECT_MAP_BASE;
}
