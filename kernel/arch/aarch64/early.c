/* From the device tree, or the UEFI loader's handoff block, to kernel_main: what is where in physical memory, what the machine is made of,
 * then the kernel's own page tables and stack.
 *
 * Runs on the boot tables, which map the GiBs around the image and around what we are given at the direct map (boot.S). RAM is what the
 * tree or the block calls RAM, less the image, the boot archive, the device tree itself, and the frames taken here for page tables and
 * stacks; all these are listed in boot_info.reserved.
 * What goes wrong before the command line is read cannot be told. */
#include <arch.h>
#include <arch_cpu.h>
#include <boot.h>

#include "cpu_regs.h"
#include "layout.h"
#include "local.h"

#define NOP 0xd503201fu

/* Frames for tables are taken from the end of this range of boot_info.ram, as far as the boot tables map it. */
static struct boot_range pool;
static uint64_t pool_end;

NORETURN void early_main(paddr_t given);

/** Where the pool may lie: the GiB that the image begins in, and the next one. */
static struct boot_range window(void)
{
    return (struct boot_range){image_base & ~(BOOT_BLOCK_BYTES - 1), 2 * BOOT_BLOCK_BYTES};
}

static void pool_choose(void)
{
    struct boot_range reach = window();

    for (uint32_t i = 0; i < boot_info.ram_count; i++) {
        const struct boot_range *ram = &boot_info.ram[i];
        uint64_t base = MAX(ram->base, reach.base);
        uint64_t end = MIN(ram->base + ram->bytes, reach.base + reach.bytes);

        if (base < end && end - base > pool.bytes)
            pool = (struct boot_range){base, end - base};
    }
    pool_end = pool.base + pool.bytes;
}

paddr_t early_frame(void)
{
    if (pool_end == 0)
        pool_choose();
    if (pool.bytes <= PAGE_SIZE)
        panic("too little RAM for the page tables");
    pool.bytes -= PAGE_SIZE;
    paddr_t frame = pool.base + pool.bytes;

    uint64_t *words = arch_direct_map(frame);
    for (unsigned i = 0; i < ARCH_PT_ENTRIES; i++)
        words[i] = 0;
    return frame;
}

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

/** Is @word one of those on the command line? */
static bool command_line_has(const char *word)
{
    const char *at = boot_info.cmdline;

    while (*at != '\0') {
        size_t same = 0;

        while (word[same] != '\0' && at[same] == word[same])
            same++;
        if (word[same] == '\0' && (at[same] == ' ' || at[same] == '\0'))
            return true;
        while (*at != ' ' && *at != '\0')
            at++;
        while (*at == ' ')
            at++;
    }
    return false;
}

void early_main(paddr_t given)
{
    cpus[0] = &boot_cpu;
    cpu_count = 1;
    if (boot_handoff_is_at(given))
        boot_handoff_read(given);
    else
        boot_fdt_read(given);
    debug_by_semihosting = command_line_has("log=semihosting");
    boot_ram_subtract(DIRECT_MAP_BYTES_MAX, UINT64_MAX);
    boot_reserve(image_physical(image_start), image_physical(image_end));
    boot_info.kernel_bytes = (uint64_t)(image_end - image_start);
    pac_sites_patch();
    paging_build();
    platform_read();
    cpu_check();
    boot_cpu.kernel_stack = paging_map_stacks(0);
    boot_reserve(pool.base + pool.bytes, pool_end);
    cpu_setup(&boot_cpu, &boot_arch_cpu);
    boot_switch_stack(boot_cpu.kernel_stack, kernel_main);
}
