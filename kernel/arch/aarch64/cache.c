/* Caches, where they are not coherent by themselves: instruction fetch, and CPUs that start with their caches off (Arm ARM D7.5). */
#include <arch.h>
#include <arch_pt.h>

#include "cpu_regs.h"
#include "local.h"

#define CTR_IDC (1u << 28) /* fetch sees stores without the data cache being cleaned */
#define CTR_DIC (1u << 29) /* and without the instruction cache being invalidated */

/** Bytes of the smallest line: of the data caches (@shift 16) or the instruction caches (0). */
static uint64_t line_bytes(uint64_t ctr, unsigned shift)
{
    return 4ull << id_field(ctr, shift);
}

void cache_make_executable(const void *start, uint64_t bytes)
{
    uint64_t ctr = SYSREG_READ(ctr_el0);
    uint64_t first = (uint64_t)(uintptr_t)start, end = first + bytes;
    uint64_t data_line = line_bytes(ctr, 16), fetch_line = line_bytes(ctr, 0);

    if ((ctr & CTR_IDC) == 0)
        for (uint64_t at = first & ~(data_line - 1); at < end; at += data_line)
            __asm__ volatile("dc cvau, %0" : : "r"(at) : "memory");
    dsb_inner();
    if ((ctr & CTR_DIC) == 0)
        for (uint64_t at = first & ~(fetch_line - 1); at < end; at += fetch_line)
            __asm__ volatile("ic ivau, %0" : : "r"(at) : "memory");
    dsb_inner();
    isb();
}

void cache_clean(const void *start, uint64_t bytes)
{
    uint64_t line = line_bytes(SYSREG_READ(ctr_el0), 16);
    uint64_t first = (uint64_t)(uintptr_t)start, end = first + bytes;

    for (uint64_t at = first & ~(line - 1); at < end; at += line)
        __asm__ volatile("dc cvac, %0" : : "r"(at) : "memory");
    dsb_system();
}

/* Caches are looked up by physical address, so the direct map serves for every alias, and every CPU hears of it. */
void arch_icache_sync(const struct aspace *aspace, paddr_t base, uint64_t bytes)
{
    (void)aspace;
    cache_make_executable(arch_direct_map(base), bytes);
}
