#pragma once
/* The kernel's part of the address space (docs: architecture.md 3.5), and the tables of the boot. */
#include <arch_pt.h>

#define KERNEL_OFFSET 0xffffffff80000000ull /* image: linked here plus its physical address */
#define DEVICE_BASE 0xfffffd0000000000ull   /* arch_map_device */
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
#define IST_STACK_PAGES 2u
/** Interrupt stack table entries: NMI, machine check, double fault. */
#define IST_STACKS 3u

/** Where the other CPUs start: page 8, reserved. */
#define TRAMPOLINE_PAGE 0x8000ull

/* kernel.ld */
extern char image_start[], text_end[], rodata_end[], image_end[];
extern char trampoline_start[], trampoline_end[];

static inline paddr_t image_physical(const void *symbol)
{
    return (paddr_t)(uintptr_t)symbol - KERNEL_OFFSET;
}

/* boot.S */
extern uint64_t boot_pml4[ARCH_PT_ENTRIES], boot_pdpt[ARCH_PT_ENTRIES],
    boot_pd[4 * ARCH_PT_ENTRIES];
NORETURN void boot_switch_stack(uint64_t stack, void (*function)(void));

/** The boot CPU's data. */
extern struct cpu boot_cpu;

/* paging.c */
/** Build the kernel's tables and load them; RAM of boot_info is final. Frames come from early_frame until paging_finish(). */
void paging_build(void);
/** From now on table frames come from the physical allocator. */
void paging_use_allocator(void);
/** Map new, zeroed frames at the kernel stacks of CPU @id. Returns the top of its kernel stack, 0 if memory ran out. */
uint64_t paging_map_stacks(uint32_t id);
/** Top of IST stack @index of CPU @id. */
uint64_t ist_stack_top(uint32_t id, uint32_t index);

/* early.c */
/** A zeroed frame before the allocator stands, taken from boot_info.ram. */
paddr_t early_frame(void);
