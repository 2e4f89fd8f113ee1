/* From the device tree, or the UEFI loader's handoff block, to kernel_main: what is where in physical memory, then the kernel's own page
 * tables and stack.
 *
 * Runs on the boot tables, which map the first 128 GiB at the direct map of the mode that boot.S could switch on. The firmware's tree is
 * read by kernel/boot/fdt.c. RAM is what the tree calls memory, less what it reserves (the firmware itself, above all), the image, the
 * boot archive, and the frames taken here for page tables and stacks; RAM that the direct map does not reach is not used.
 * The image is not relocated: it runs where it is linked.
 * Runs before shadow memory is mapped, so it is not instrumented (mk/kernel.mk). */
#include <arch.h>
#include <arch_cpu.h>
#include <boot.h>

#include "csr.h"
#include "layout.h"
#include "local.h"

/** From the UEFI loader: the firmware has no protocol that tells. */
#define NO_HART UINT64_MAX

/** What the compiler checks stack frames with; the target has no way to keep it elsewhere. */
extern uintptr_t __stack_chk_guard;
uintptr_t __stack_chk_guard;

unsigned arch_pt_levels;
uint64_t arch_direct_map_base;
uint64_t arch_user_end;
uint64_t arch_pte_device_bits = PTE_DEVICE;
uint64_t hart_satp;

/* ── Page tables: Sv39 or Sv48 ────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t direct_map_of(unsigned levels)
{
    return levels == 3 ? DIRECT_MAP_SV39 : DIRECT_MAP_SV48;
}

/** The page tables that are loaded have @levels: 3 (Sv39) or 4 (Sv48). */
static void paging_mode_set(unsigned levels)
{
    arch_pt_levels = levels;
    arch_direct_map_base = direct_map_of(levels);
    arch_user_end = levels == 3 ? USER_END_SV39 : USER_END_SV48;
}

/** The direct map reaches so far in that mode. */
static uint64_t direct_map_bytes(unsigned levels)
{
    return levels == 3 ? KASAN_SHADOW_SV39 - DIRECT_MAP_SV39 : KASAN_SHADOW_SV48 - DIRECT_MAP_SV48;
}

/** Build the kernel's tables, with @levels, and load them; boot_info is final. Pointers into the direct map move with the mode. */
static void paging_build(unsigned levels)
{
    arch_pt_levels =
        levels; /* the new tables', which are written through the boot tables' direct map */
    kernelmap_build(image_physical(image_start), direct_map_of(levels), 2,
                    &(struct boot_range){0, BOOT_MAP_END});
    hart_satp = (levels == 3 ? SATP_SV39 : SATP_SV48) | kernelmap_root >> PAGE_SHIFT;
    boot_switch_tables(hart_satp);
    paging_mode_set(levels);
}

/* ── All of it ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** What is in use for good must be in reach; RAM beyond is not used. */
static void reach_limit(uint64_t bytes)
{
    boot_ram_subtract(bytes, UINT64_MAX);
    for (uint32_t i = 0; i < boot_info.reserved_count; i++) {
        if (boot_info.reserved[i].base + boot_info.reserved[i].bytes > bytes)
            panic("boot archive or device tree beyond %llu GiB", (unsigned long long)bytes >> 30);
    }
}

static void stack_guard_init(void)
{
    for (unsigned i = 0; i < sizeof(__stack_chk_guard); i++)
        __stack_chk_guard = __stack_chk_guard << 8 | boot_info.seed[i];
    __stack_chk_guard ^= csr_read("time") * 0x9e3779b97f4a7c15ull;
}

/** The hart, where the loader did not learn it: UEFI's firmware has it in the device tree then (RISC-V UEFI Protocol Specification 1.0, 2).
 *  32 bits, or 64. */
static uint64_t hart_of_tree(void)
{
    struct boot_fdt_node chosen;
    uint32_t hart, low;

    if (!boot_fdt_path("/chosen", &chosen) || !boot_fdt_cell(&chosen, "boot-hartid", 0, &hart))
        panic("the firmware does not say which hart this is");
    return boot_fdt_cell(&chosen, "boot-hartid", 1, &low) ? (uint64_t)hart << 32 | low : hart;
}

void early_main(uint64_t hart, paddr_t given, unsigned levels)
{
    boot_cpu.self = &boot_cpu;
    cpus[0] = &boot_cpu;
    cpu_count = 1;
    paging_mode_set(levels);
    if (given >= BOOT_MAP_END)
        panic("device tree at %#llx: out of reach", (unsigned long long)given);
    if (boot_handoff_is_at(given))
        boot_handoff_read(given);
    else
        boot_fdt_read(given);
    boot_cpu.arch_id = (uint32_t)(hart != NO_HART ? hart : hart_of_tree());
    levels = boot_word("sv39") ? 3 : levels;
    kernelmap_image(image_physical(image_start));
    reach_limit(direct_map_bytes(levels));
    paging_build(levels);
    asids_find();
    debug_init();
    boot_cpu.kernel_stack = kernelmap_stacks(0);
    kernelmap_reserve();
    stack_guard_init();
    cpu_setup();
    boot_switch_stack(boot_cpu.kernel_stack, kernel_main);
}
