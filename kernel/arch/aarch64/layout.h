#pragma once
/* The kernel's part of the address space: x86_64's map, translated by TTBR1. */
#include <arch_pt.h>
#include <mm/kernelmap.h>

#define KERNEL_BASE \
    0xffffffff80000000ull /* image: linked here, wherever it is in memory; kernel.ld, boot.S */
#define KASAN_SHADOW_BASE 0xffffec0000000000ull
#define DIRECT_MAP_BYTES_MAX (KASAN_SHADOW_BASE - ARCH_DIRECT_MAP_BASE)

/* boot.S */
/** Where image_start is in memory. */
extern paddr_t image_base;
/** What the boot tables map at the direct map: the block of this size that the image begins in and the next one, and the same two for
 *  the device tree. */
#define BOOT_BLOCK_BYTES (1ull << 30)
/** A root that maps nothing: for user addresses while no address space is loaded. */
extern uint64_t empty_root[ARCH_PT_ENTRIES];
NORETURN void boot_switch_stack(uint64_t stack, void (*function)(void));
/** Translate the kernel's half by @root instead of the boot tables. */
void boot_switch_root(paddr_t root);
/** Where another CPU starts, with its struct cpu in x0 and translation off. */
void ap_start(void);

static inline paddr_t image_physical(const void *symbol)
{
    return (paddr_t)(uintptr_t)symbol - KERNEL_BASE + image_base;
}

/** The boot CPU's data. */
extern struct cpu boot_cpu;
