/* The UEFI loader's block (handoff.h) becomes boot_info.
 *
 * The block was written by our own loader, but what is in it is the firmware's word: offsets are checked against the block, and the memory
 * map as any other. What may be used as RAM is said in UEFI 2.10, table 7.10: what the loader and the boot services had is free once they
 * are gone; runtime services, ACPI tables and the like are never touched.
 * Runs before shadow memory is mapped, so it is not instrumented (mk/kernel.mk). */
#include <boot.h>
#include <handoff.h>
#include <mm/phys.h>

/* UEFI 2.10, 7.2.1 */
enum memory_type {
    LOADER_CODE = 1,
    LOADER_DATA = 2,
    BOOT_SERVICES_CODE = 3,
    BOOT_SERVICES_DATA = 4,
    CONVENTIONAL = 7
};
/* 7.2.3 */
#define ATTRIBUTE_WRITE_BACK 0x8ull
#define ATTRIBUTE_SPECIFIC_PURPOSE 0x40000ull

static bool is_ram(const struct handoff_memory *entry)
{
    bool type = (entry->type >= LOADER_CODE && entry->type <= BOOT_SERVICES_DATA) ||
                entry->type == CONVENTIONAL;

    return type && (entry->attributes & ATTRIBUTE_WRITE_BACK) != 0 &&
           (entry->attributes & ATTRIBUTE_SPECIFIC_PURPOSE) == 0;
}

static bool is_inside(const struct handoff *handoff, uint32_t offset, uint32_t bytes)
{
    return offset <= handoff->bytes && bytes <= handoff->bytes - offset;
}

static void read_map(const struct handoff *handoff)
{
    const uint8_t *map = (const uint8_t *)handoff + handoff->map_offset;
    uint32_t step = handoff->map_entry_bytes;

    if (!is_inside(handoff, handoff->map_offset, handoff->map_bytes) ||
        step < sizeof(struct handoff_memory) || step % 8 != 0 || handoff->map_offset % 8 != 0)
        panic("handoff: the memory map is malformed");
    for (uint32_t at = 0; at + step <= handoff->map_bytes; at += step) {
        const struct handoff_memory *entry = (const void *)(map + at);
        uint64_t bytes, end;

        if (!is_ram(entry))
            continue;
        if (__builtin_mul_overflow(entry->pages, PAGE_SIZE, &bytes) ||
            __builtin_add_overflow(entry->base, bytes, &end))
            panic("handoff: RAM at %#llx has no end", (unsigned long long)entry->base);
        boot_ram_add(entry->base, end);
    }
}

bool boot_handoff_is_at(paddr_t base)
{
    const struct handoff *handoff = phys_to_virt(base);

    return base % PAGE_SIZE == 0 && handoff->magic == HANDOFF_MAGIC;
}

uint32_t boot_handoff_bytes(paddr_t base)
{
    return ((const struct handoff *)phys_to_virt(base))->bytes;
}

void boot_handoff_read(paddr_t base)
{
    const struct handoff *handoff = phys_to_virt(base);

    if (handoff->version != HANDOFF_VERSION || handoff->bytes < sizeof(*handoff))
        panic("handoff: version %u of %u bytes is not known", handoff->version, handoff->bytes);
    for (uint32_t i = 0; i < sizeof(boot_info.seed); i++)
        boot_info.seed[i] = handoff->seed[i];
    read_map(handoff);
    if (handoff->archive_bytes != 0) {
        if (handoff->archive > UINT64_MAX - handoff->archive_bytes)
            panic("handoff: the boot archive has no end");
        boot_info.archive = handoff->archive;
        boot_info.archive_bytes = handoff->archive_bytes;
        boot_reserve(handoff->archive, handoff->archive + handoff->archive_bytes);
    }
    if (!is_inside(handoff, handoff->fdt_offset, handoff->fdt_bytes))
        panic("handoff: the device tree is not in the block");
    if (handoff->fdt_bytes != 0)
        boot_fdt_attach(base + handoff->fdt_offset);
    boot_info.acpi_rsdp = handoff->acpi_rsdp;
    boot_info.framebuffer = handoff->framebuffer;
    for (size_t i = 0; i < sizeof(boot_info.cmdline) - 1 && handoff->cmdline[i] != '\0'; i++)
        boot_info.cmdline[i] = handoff->cmdline[i];
}
