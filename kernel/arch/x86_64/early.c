/* From the PVH start info, or the UEFI loader's handoff block, to kernel_main: what is where in physical memory, then the kernel's own page
 * tables and stack.
 *
 * Runs on the boot tables, which map the first 4 GiB at their own address and at the direct map's. The start info and all that it
 * points to (Xen: public/arch-x86/hvm/start_info.h) come from the loader: every address is checked to be in that range before it is
 * looked at. RAM is what the memory map calls RAM, less the image, the boot archive, page 0, the page that other CPUs start in, and the
 * frames taken here for page tables and stacks; all but page 0 are listed in boot_info.reserved.
 * The image is not relocated: it runs where it is linked.
 * Runs before shadow memory is mapped, so it is not instrumented (mk/kernel.mk). */
#include <arch.h>
#include <arch_cpu.h>
#include <boot.h>

#include "cpu_regs.h"
#include "layout.h"
#include "local.h"

#define START_INFO_MAGIC 0x336ec578u
#define MEMORY_TYPE_RAM 1u

struct start_info {
    uint32_t magic;
    uint32_t version; /* 1: with a memory map */
    uint32_t flags;
    uint32_t module_count;
    uint64_t modules;
    uint64_t cmdline;
    uint64_t rsdp;
    uint64_t memory_map;
    uint32_t memory_map_count;
    uint32_t reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "start info");

struct start_module {
    uint64_t base;
    uint64_t bytes;
    uint64_t cmdline;
    uint64_t reserved;
};
_Static_assert(sizeof(struct start_module) == 32, "start info module");

struct start_memory {
    uint64_t base;
    uint64_t bytes;
    uint32_t type;
    uint32_t reserved;
};
_Static_assert(sizeof(struct start_memory) == 24, "start info memory map");

NORETURN void early_main(paddr_t start);

/** What the loader put at @base, which the boot tables must cover. */
static const void *boot_pointer(paddr_t base, uint64_t bytes)
{
    if (base == 0 || base >= BOOT_MAP_END || bytes > BOOT_MAP_END - base)
        panic("start info: %#llx bytes at %#llx are out of reach", (unsigned long long)bytes,
              (unsigned long long)base);
    return arch_direct_map(base);
}

/* ── Start info ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void read_memory_map(const struct start_info *info)
{
    const struct start_memory *map =
        boot_pointer(info->memory_map,
                     (uint64_t)info->memory_map_count * sizeof(struct start_memory));

    for (int wanted_ram = 1; wanted_ram >= 0; wanted_ram--) {
        for (uint32_t i = 0; i < info->memory_map_count; i++) {
            uint64_t end;

            if ((map[i].type == MEMORY_TYPE_RAM) != wanted_ram)
                continue;
            if (__builtin_add_overflow(map[i].base, map[i].bytes, &end))
                end = UINT64_MAX;
            if (wanted_ram)
                boot_ram_add(map[i].base, end);
            else /* whatever else overlaps RAM wins */
                boot_ram_subtract(map[i].base, end);
        }
    }
}

static void read_cmdline(paddr_t cmdline)
{
    if (cmdline == 0)
        return;
    const char *text = boot_pointer(cmdline, sizeof(boot_info.cmdline));

    for (size_t i = 0; i < sizeof(boot_info.cmdline) - 1 && text[i] != '\0'; i++)
        boot_info.cmdline[i] = text[i];
}

static void read_start_info(paddr_t start)
{
    const struct start_info *info = boot_pointer(start, sizeof(*info));

    if (info->magic != START_INFO_MAGIC || info->version < 1 || info->memory_map_count == 0)
        panic("no PVH start info with a memory map");
    read_memory_map(info);
    if (info->module_count != 0) {
        const struct start_module *module = boot_pointer(info->modules, sizeof(*module));

        if (module->bytes != 0) {
            (void)boot_pointer(module->base, module->bytes);
            boot_info.archive = module->base;
            boot_info.archive_bytes = module->bytes;
            boot_reserve(module->base, module->base + module->bytes);
        }
    }
    boot_info.acpi_rsdp = info->rsdp;
    read_cmdline(info->cmdline);
}

static void read_handoff(paddr_t base)
{
    (void)boot_pointer(base, boot_handoff_bytes(base));
    boot_handoff_read(base);
}

static void read_boot(paddr_t start)
{
    (void)boot_pointer(start, sizeof(struct start_info));
    if (boot_handoff_is_at(start))
        read_handoff(start);
    else
        read_start_info(start);
    boot_ram_subtract(DIRECT_MAP_BYTES_MAX, UINT64_MAX);
    boot_ram_subtract(0, PAGE_SIZE);
    boot_reserve(TRAMPOLINE_PAGE, TRAMPOLINE_PAGE + PAGE_SIZE);
    kernelmap_image(image_physical(image_start));
}

/* ── Page tables ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/** Page tables that the other CPUs start with: the trampoline at its own address, and the kernel's half. */
static void build_start_root(void)
{
    const pte_t *kernel = arch_direct_map(kernelmap_root);
    uint64_t *pt = boot_pd + ARCH_PT_ENTRIES;

    for (unsigned i = 0; i < ARCH_PT_ENTRIES; i++) {
        boot_pml4[i] = i < ARCH_PT_USER_ROOT_ENTRIES ? 0 : kernel[i];
        boot_pdpt[i] = 0;
        boot_pd[i] = 0;
        pt[i] = 0;
    }
    boot_pml4[0] = arch_pte_table(image_physical(boot_pdpt), false);
    boot_pdpt[0] = arch_pte_table(image_physical(boot_pd), false);
    boot_pd[0] = arch_pte_table(image_physical(pt), false);
    pt[TRAMPOLINE_PAGE / PAGE_SIZE] =
        arch_pte_leaf(TRAMPOLINE_PAGE, MAP_READ | MAP_EXECUTE, false, 0, false) & ~PTE_GLOBAL;
}

/** Build the kernel's tables and load them; boot_info is final. */
static void paging_build(void)
{
    unsigned level_max = (cpuid(0x80000001u, 0).edx & (1u << 26)) ? 2 : 1;

    kernelmap_build(image_physical(image_start), ARCH_DIRECT_MAP_BASE, level_max,
                    &(struct boot_range){0, BOOT_MAP_END});
    cr3_write(kernelmap_root);
    build_start_root();
}

/* ── All of it ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** What the CPU's own generator gives, beside what the firmware's gave. */
static void seed_add(void)
{
    uint8_t more[sizeof(boot_info.seed)];

    if (arch_random(more, sizeof(more)) == 0)
        klog("no random instruction: seeds come from the clock");
    else
        for (size_t i = 0; i < sizeof(more); i++)
            boot_info.seed[i] ^= more[i];
}

void early_main(paddr_t start)
{
    boot_cpu.self = &boot_cpu;
    cpus[0] = &boot_cpu;
    cpu_count = 1;
    read_boot(start);
    paging_build();
    cpu_check();
    seed_add();
    boot_cpu.kernel_stack = kernelmap_stacks(0);
    kernelmap_reserve();
    cpu_setup(&boot_cpu, &boot_arch_cpu);
    boot_switch_stack(boot_cpu.kernel_stack, kernel_main);
}
