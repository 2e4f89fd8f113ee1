#pragma once
/* The kernel's part of the address space, and the tables of the boot.
 *
 * The top 128 GiB are the same with Sv48 and Sv39: image, stacks, devices, and below them shadow memory. Only where the direct map
 * begins depends on the mode, and with it how much of it there is: 110 TiB, or 96 GiB. */
#include <arch_pt.h>
#include <mm/kernelmap.h>

#define KERNEL_OFFSET 0xffffffff00000000ull /* image: linked here plus its physical address */
#define DIRECT_MAP_SV48 0xffff800000000000ull
#define DIRECT_MAP_SV39 0xffffffc000000000ull
#define KASAN_SHADOW_SV48 0xffffefe000000000ull /* of the direct map's first byte */
#define KASAN_SHADOW_SV39 0xffffffd800000000ull
#define USER_END_SV48 0x00007ffffffff000ull
#define USER_END_SV39 0x0000003ffffff000ull

/** From the top of a kernel stack to that of the stack on which its overflow is reported: entry.S and boot.S know it as well. */
#define OVERFLOW_STACK_OFFSET ((1 + FAULT_STACK_PAGES) * PAGE_SIZE)

static inline paddr_t image_physical(const void *symbol)
{
    return (paddr_t)(uintptr_t)symbol - KERNEL_OFFSET;
}

/* boot.S */
/** What the boot tables map at the direct map, of either mode. */
#define BOOT_MAP_END (128ull << 30)
NORETURN void boot_switch_stack(uint64_t stack, void (*function)(void));
/** Load @satp, and go on under it at once: the image is where it was. */
void boot_switch_tables(uint64_t satp);
/** Where a hart starts, at its physical address, with its struct cpu as argument. */
void hart_start(void);
/** The CPU that is being started, for a hart that comes to boot_start after the first (boot.S). */
extern struct cpu *hart_starting;
/** The root that it loads then. */
extern uint64_t hart_satp;

/** The boot CPU's data. */
extern struct cpu boot_cpu;
