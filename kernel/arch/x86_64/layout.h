#pragma once
/* The kernel's part of the address space (docs: architecture.md 3.5), and the tables of the boot. */
#include <arch_pt.h>
#include <mm/kernelmap.h>

#define KERNEL_OFFSET 0xffffffff80000000ull /* image: linked here plus its physical address */
#define KASAN_SHADOW_BASE 0xffffec0000000000ull
#define DIRECT_MAP_BYTES_MAX (KASAN_SHADOW_BASE - ARCH_DIRECT_MAP_BASE)

/** Where the other CPUs start: page 8, reserved. */
#define TRAMPOLINE_PAGE 0x8000ull

/* kernel.ld */
extern char trampoline_start[], trampoline_end[];

static inline paddr_t image_physical(const void *symbol)
{
    return (paddr_t)(uintptr_t)symbol - KERNEL_OFFSET;
}

/* boot.S */
/** What the boot tables map at the direct map. */
#define BOOT_MAP_END (4ull << 30)
extern uint64_t boot_pml4[ARCH_PT_ENTRIES], boot_pdpt[ARCH_PT_ENTRIES],
    boot_pd[4 * ARCH_PT_ENTRIES];
NORETURN void boot_switch_stack(uint64_t stack, void (*function)(void));

/** The boot CPU's data. */
extern struct cpu boot_cpu;
