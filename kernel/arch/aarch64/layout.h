#pragma once
/* The kernel's part of the address space: x86_64's map, translated by TTBR1. */
#include <arch_pt.h>

#define KERNEL_BASE \
    0xffffffff80000000ull /* image: linked here, wherever it is in memory; kernel.ld, boot.S */
#define DEVICE_BASE 0xfffffd0000000000ull /* arch_map_device */
#define DEVICE_END 0xfffffd8000000000ull
#define STACKS_BASE 0xfffffe0000000000ull
#define KASAN_SHADOW_BASE 0xffffec0000000000ull
#define DIRECT_MAP_BYTES_MAX (KASAN_SHADOW_BASE - ARCH_DIRECT_MAP_BASE)

/* The stacks of CPU n, from STACKS_BASE + n * STACK_SLOT_BYTES up; an unmapped page below each. */
#define STACK_SLOT_BYTES 0x20000ull
#ifdef CONFIG_KASAN
#define KERNEL_STACK_PAGES 8u /* redzones */
#else
#define KERNEL_STACK_PAGES 4u
#endif
#define FAULT_STACK_PAGES 2u

/* kernel.ld */
extern char image_start[], text_end[], rodata_end[], image_end[];

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

/* paging.c */
/** Build the kernel's tables and load them; RAM of boot_info is final. Frames come from early_frame until paging_use_allocator(). */
void paging_build(void);
/** From now on table frames come from the physical allocator. */
void paging_use_allocator(void);
/** Map new, zeroed frames at the stacks of CPU @id. Returns the top of its kernel stack, 0 if memory ran out. */
uint64_t paging_map_stacks(uint32_t id);
/** Top of the stack of CPU @id on which faults of the kernel are reported. */
uint64_t fault_stack_top(uint32_t id);

/* early.c */
/** A zeroed frame before the allocator stands, taken from boot_info.ram. */
paddr_t early_frame(void);
