/* The block that the kernel gets (kernel/include/handoff.h): made while the firmware's services are there, finished when they are not. */
#include <arch.h>

#include "loader.h"

/* The map grows by what is allocated between measuring and reading it, the block itself first of all. */
#define MAP_SPARE_ENTRIES 32u
#define FDT_MAGIC 0xd00dfeedu
/** Linux: Documentation/arm64/booting.rst */
#define FDT_BYTES_MAX (2u << 20)
#define ROUNDS 8u

static const struct efi_guid acpi_2_table = {0x8868e871,
                                             0xe4f1,
                                             0x11d3,
                                             {0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81}};
static const struct efi_guid acpi_1_table = {0xeb9d2d30,
                                             0x2d88,
                                             0x11d3,
                                             {0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}};
static const struct efi_guid fdt_table = {0xb1b621d5,
                                          0xf19c,
                                          0x41a5,
                                          {0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0}};
static const struct efi_guid graphics_protocol = {0x9042a9de,
                                                  0x23dc,
                                                  0x4a38,
                                                  {0x96, 0xfb, 0x7a, 0xde, 0xd0, 0x80, 0x51, 0x6a}};
static const struct efi_guid random_protocol = {0x3152bca5,
                                                0xeade,
                                                0x433d,
                                                {0x86, 0x2e, 0xc0, 0x1c, 0xdc, 0x29, 0x1f, 0x44}};

/* 4.6.1: what the firmware has put there for the system that it starts. */
static const void *table_find(const struct efi_system_table *system, const struct efi_guid *vendor)
{
    for (uint64_t i = 0; i < system->table_count; i++)
        if (memcmp(&system->tables[i].vendor, vendor, sizeof(*vendor)) == 0)
            return system->tables[i].table;
    return NULL;
}

static uint32_t big_endian_32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/** Bytes of the device tree at @fdt: 0, if it is none. */
static uint32_t fdt_measure(const uint8_t *fdt)
{
    if (fdt == NULL || big_endian_32(fdt) != FDT_MAGIC)
        return 0;
    uint32_t bytes = big_endian_32(fdt + 4);

    return bytes <= FDT_BYTES_MAX ? bytes : 0;
}

/* 12.9: only what is plain memory with four bytes a pixel. */
static void framebuffer_find(const struct loader *loader, struct framebuffer *to)
{
    void *interface;

    if (loader->system->boot->locate_protocol(&graphics_protocol, NULL, &interface) != EFI_SUCCESS)
        return;
    const struct efi_graphics_mode *mode = ((const struct efi_graphics *)interface)->mode;

    if (mode == NULL || mode->info == NULL || mode->info->pixel_format > EFI_PIXEL_BGRX)
        return;
    *to = (struct framebuffer){
        .base = mode->framebuffer,
        .bytes = mode->framebuffer_bytes,
        .width = mode->info->width,
        .height = mode->info->height,
        .stride_bytes = mode->info->pixels_per_row * 4,
        .format = mode->info->pixel_format == EFI_PIXEL_RGBX ? FRAMEBUFFER_FORMAT_RGBX
                                                             : FRAMEBUFFER_FORMAT_BGRX,
    };
}

/* 37.5: no algorithm asked for is the firmware's default. */
static void seed_read(const struct loader *loader, struct handoff *handoff)
{
    void *interface;

    if (loader->system->boot->locate_protocol(&random_protocol, NULL, &interface) != EFI_SUCCESS)
        return;
    struct efi_random *random = interface;

    if (random->get(random, NULL, sizeof(handoff->seed), handoff->seed) == EFI_SUCCESS)
        handoff->seed_bytes = sizeof(handoff->seed);
}

static uint32_t page_up(uint64_t bytes)
{
    return (uint32_t)((bytes + EFI_PAGE_BYTES - 1) & ~(uint64_t)(EFI_PAGE_BYTES - 1));
}

const char *handoff_make(struct loader *loader)
{
    struct efi_boot_services *boot = loader->system->boot;
    const uint8_t *fdt = table_find(loader->system, &fdt_table);
    uint32_t fdt_bytes = fdt_measure(fdt), version;
    uint64_t map_bytes = 0, key, entry_bytes, address = LOADER_MEMORY_END - 1;

    if (boot->get_memory_map(&map_bytes, NULL, &key, &entry_bytes, &version) !=
            EFI_BUFFER_TOO_SMALL ||
        entry_bytes < sizeof(struct handoff_memory))
        return "the firmware has no memory map";
    uint32_t fdt_offset = page_up(sizeof(struct handoff));
    uint32_t map_offset = fdt_offset + page_up(fdt_bytes);
    uint32_t bytes = map_offset + page_up(map_bytes + MAP_SPARE_ENTRIES * entry_bytes);

    if (boot->allocate_pages(EFI_ALLOCATE_MAX_ADDRESS, EFI_LOADER_DATA, bytes / EFI_PAGE_BYTES,
                             &address) != EFI_SUCCESS)
        return "there is no memory for what the kernel must be told";
    struct handoff *handoff = (struct handoff *)address;

    memset(handoff, 0, bytes);
    handoff->magic = HANDOFF_MAGIC;
    handoff->version = HANDOFF_VERSION;
    handoff->bytes = bytes;
    handoff->fdt_offset = fdt_offset;
    handoff->fdt_bytes = fdt_bytes;
    memcpy((uint8_t *)handoff + fdt_offset, fdt, fdt_bytes);
    handoff->map_offset = map_offset;
    handoff->archive = (uint64_t)payload_archive;
    handoff->archive_bytes = (uint64_t)(payload_archive_end - payload_archive);
    const void *rsdp = table_find(loader->system, &acpi_2_table);

    if (rsdp == NULL)
        rsdp = table_find(loader->system, &acpi_1_table);
    handoff->acpi_rsdp = (uint64_t)rsdp;
    framebuffer_find(loader, &handoff->framebuffer);
    seed_read(loader, handoff);
    cmdline_read(loader, handoff->cmdline, sizeof(handoff->cmdline));
    loader->handoff = handoff;
    return NULL;
}

/* 7.4.6: the key is good only if nothing happened since the map was read, so both are tried again; after the first try only these two
 * services may be called. */
bool handoff_finish(struct loader *loader)
{
    struct efi_boot_services *boot = loader->system->boot;
    struct handoff *handoff = loader->handoff;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t bytes = handoff->bytes - handoff->map_offset, key, entry_bytes;
        uint32_t version;

        if (boot->get_memory_map(&bytes, (uint8_t *)handoff + handoff->map_offset, &key,
                                 &entry_bytes, &version) != EFI_SUCCESS)
            return false;
        handoff->map_bytes = (uint32_t)bytes;
        handoff->map_entry_bytes = (uint32_t)entry_bytes;
        if (boot->exit_boot_services(loader->image, key) == EFI_SUCCESS)
            return true;
    }
    return false;
}
