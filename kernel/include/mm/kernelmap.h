#pragma once
/* The kernel's own page tables: built by the boot CPU, added to until it has brought the machine up, and then the same for good, but for the
 * heap's region. */
#include "../arch.h"
#include "../kasan.h"
#include "arch_pt.h"

/** The stacks of a CPU, from the bottom of its slot up, an unmapped page below each: the kernel's, then those for faults of the kernel. */
#define STACK_SLOT_BYTES 0x20000ull
#define KERNEL_STACK_PAGES (KASAN_IS_ON ? 8u : 4u) /* redzones */
#define FAULT_STACK_PAGES 2u

/* kernel.ld: text, text that runs at boot alone, read-only data, and what is written */
extern char image_start[], text_end[], init_text_end[], rodata_end[], image_end[];

/** Page tables with the kernel's part only: what an idle CPU has loaded. */
extern paddr_t kernelmap_root;

/** The image begins at @image: its parts are reserved, but its init text, which stays RAM (boot_info.init_text); kernel_bytes is what stays. */
void kernelmap_image(paddr_t image);
/** Build the tables, with leaves up to @level_max, of the image that begins at @image, and of RAM at @direct_map; boot_info is final. Frames
 *  for them are taken from RAM in @reach, which the boot tables map. Panics for want of them. To load the tables is the caller's. */
void kernelmap_build(paddr_t image, uint64_t direct_map, unsigned level_max,
                     const struct boot_range *reach);
/** The frames taken so far are reserved; from now on they come from the physical allocator. */
void kernelmap_reserve(void);
/** Map new, zeroed frames at the stacks of CPU @id. Returns the top of its kernel stack, 0 if memory ran out. */
uint64_t kernelmap_stacks(uint32_t id);
/** The top of stack @index of CPU @id: 0 is the kernel stack. */
uint64_t kernelmap_stack_top(uint32_t id, uint32_t index);
/** Are the 16 bytes at @address on a stack of this CPU, or on the boot stack? For who follows frame pointers. */
bool kernelmap_is_stack(uint64_t address);
/** Map @bytes of device memory, not cached. NULL: no memory, or no such addresses. */
void *kernelmap_device(paddr_t base, uint64_t bytes);
/** Boot is over and no other CPU runs yet: nobody reaches the init text by its own address any more, and it is ordinary RAM in the direct map. */
void kernelmap_drop_init(void);
/** Frames that these tables, and the stacks, have taken since. None goes back. */
uint64_t kernelmap_pages(void);
/** Copy the kernel's part into the new root table of an address space, where it is in there. */
void kernelmap_share(paddr_t root);

/** Tables for [@address, @address + @bytes) of the heap's region, which lies in one table of leaves. One at a time. False: no memory. */
bool kernelmap_prepare(uint64_t address, uint64_t bytes);
/** The entries for the pages from @address on, which has tables: leaves, or what whoever has a page keeps there, which has none of the bits
 *  below a page's. */
pte_t *kernelmap_entries(uint64_t address);
/** @count of them from @address on were stored: they are what this CPU's walker reads. No other CPU is told. */
void kernelmap_changed(uint64_t address, uint64_t count);
/** A load or store in the kernel found nothing at @address. True: it is there, so do it again (ARCH_PT_LATE_BIT). */
bool kernelmap_is_late(uint64_t address);
