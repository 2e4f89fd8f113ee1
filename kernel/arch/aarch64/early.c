/* From the device tree, or the UEFI loader's handoff block, to kernel_main: what is where in physical memory, what the machine is made of,
 * then the kernel's own page tables and stack.
 *
 * Runs on the boot tables, which map the GiBs around the image and around what we are given at the direct map (boot.S). RAM is what the
 * tree or the block calls RAM, less the image, the boot archive, the device tree itself, and the frames taken here for page tables and
 * stacks; all these are listed in boot_info.reserved.
 * What goes wrong before the command line is read cannot be told.
 * Runs before shadow memory is mapped, so it is not instrumented (mk/kernel.mk). */
#include <arch.h>
#include <arch_cpu.h>
#include <boot.h>

#include "cpu_regs.h"
#include "layout.h"
#include "local.h"

#define NOP 0xd503201fu

NORETURN void early_main(paddr_t given);

/** On a CPU without pointer authentication, the instructions that only it has become nops; text is writable still. */
static void pac_sites_patch(void)
{
    if (cpu_has_pac())
        return;
    for (uint32_t *const *site = pac_sites_start; site < pac_sites_end; site++) {
        **site = NOP;
        cache_make_executable(*site, sizeof(**site));
    }
}

/** Build the kernel's tables and load them; boot_info is final. */
static void paging_build(void)
{
    struct boot_range reach = {image_base & ~(BOOT_BLOCK_BYTES - 1), 2 * BOOT_BLOCK_BYTES};

    kernelmap_build(image_base, ARCH_DIRECT_MAP_BASE, 2, &reach);
    boot_switch_root(kernelmap_root);
}

void early_main(paddr_t given)
{
    cpus[0] = &boot_cpu;
    cpu_count = 1;
    if (boot_handoff_is_at(given))
        boot_handoff_read(given);
    else
        boot_fdt_read(given);
    debug_by_semihosting = boot_word("log=semihosting");
    boot_ram_subtract(DIRECT_MAP_BYTES_MAX, UINT64_MAX);
    kernelmap_image(image_base);
    pac_sites_patch();
    paging_build();
    platform_read();
    cpu_check();
    boot_cpu.kernel_stack = kernelmap_stacks(0);
    kernelmap_reserve();
    cpu_setup(&boot_cpu, &boot_arch_cpu);
    boot_switch_stack(boot_cpu.kernel_stack, kernel_main);
}
