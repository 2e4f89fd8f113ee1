/* The loader's parts against a firmware of a few functions. Its symbols for what the image carries are buffers of this file, filled anew for
 * each test. What the firmware allocates is exactly that large, so that writing beyond it is found. */
#include "loader.h"

#include <arch.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_BYTES 48u
#define LINKED UINT64_C(0x0) /* physical: AArch64 counts from 0 */
#define VIRTUAL UINT64_C(0xffffffff80000000)
#define FILE_BYTES 0x2000u

extern uint8_t kernel_file[FILE_BYTES], archive_file[4096];

/* ── The image ───────────────────────────────────────────────────────────────────────────────────────────────────── */

_Alignas(4096) uint8_t kernel_file[FILE_BYTES];
_Alignas(4096) uint8_t archive_file[4096];
__asm__(".globl payload_kernel, payload_kernel_end, payload_archive, payload_archive_end\n"
        ".set payload_kernel, kernel_file\n.set payload_kernel_end, kernel_file + 0x2000\n"
        ".set payload_archive, archive_file\n.set payload_archive_end, archive_file + 4096\n");
const char payload_cmdline[HANDOFF_CMDLINE_BYTES] = "signed words";

struct elf {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct segment {
    uint32_t type, flags;
    uint64_t offset, address, physical, file_bytes, memory_bytes, align;
};

static struct elf *elf;
static struct segment *segments;

static void kernel_new(void)
{
    uint8_t *file = kernel_file;

    memset(file, 0, sizeof(kernel_file));
    elf = (void *)file;
    segments = (void *)(file + sizeof(*elf));
    *elf = (struct elf){.ident = "\x7f"
                                 "ELF\2\1\1",
                        .machine = LOADER_MACHINE,
                        .entry = VIRTUAL + 0x1004,
                        .phoff = sizeof(*elf),
                        .phentsize = sizeof(*segments),
                        .phnum = 2};
    segments[0] = (struct segment){1, 5, 0x1000, VIRTUAL, LINKED, 0x800, 0x1000, 0x1000};
    segments[1] =
        (struct segment){1, 6, 0x1800, VIRTUAL + 0x1000, LINKED + 0x1000, 0x800, 0x3000, 0x1000};
    memset(file + 0x1000, 'a', 0x800);
    memset(file + 0x1800, 'b', 0x800);
}

/* ── The firmware ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void *allocated[4];
static unsigned allocations;
static bool no_memory;
static unsigned map_entries, key_now, exits, exits_refused;
static char printed[512];
static const char *file_words;
static uint8_t secure;

static efi_status allocate_pages(uint32_t how, uint32_t type, uint64_t pages, uint64_t *address)
{
    (void)how;
    (void)type;
    if (no_memory)
        return EFI_ERROR_BIT | 9;
    allocated[allocations] = aligned_alloc(4096, pages * 4096);
    memset(allocated[allocations], 0xcc, pages * 4096);
    *address = (uint64_t)(uintptr_t)allocated[allocations++];
    return EFI_SUCCESS;
}

static efi_status get_memory_map(uint64_t *bytes, void *map, uint64_t *key, uint64_t *entry_bytes,
                                 uint32_t *version)
{
    uint64_t room = *bytes;

    *bytes = (uint64_t)map_entries * ENTRY_BYTES;
    *entry_bytes = ENTRY_BYTES;
    *version = 1;
    *key = ++key_now;
    if (room < *bytes)
        return EFI_BUFFER_TOO_SMALL;
    memset(map, 0x11, *bytes);
    return EFI_SUCCESS;
}

static efi_status exit_boot_services(efi_handle image, uint64_t key)
{
    (void)image;
    exits++;
    if (exits <= exits_refused) {
        map_entries++; /* something happened in between */
        return EFI_INVALID_PARAMETER;
    }
    return key == key_now ? EFI_SUCCESS : EFI_INVALID_PARAMETER;
}

static efi_status file_close(struct efi_file *self)
{
    (void)self;
    return EFI_SUCCESS;
}

static efi_status file_read(struct efi_file *self, uint64_t *bytes, void *buffer)
{
    uint64_t length = strlen(file_words);

    (void)self;
    *bytes = length < *bytes ? length : *bytes;
    memcpy(buffer, file_words, *bytes);
    return EFI_SUCCESS;
}

static efi_status file_open(struct efi_file *self, struct efi_file **file, const uint16_t *name,
                            uint64_t mode, uint64_t attributes)
{
    static struct efi_file words = {.close = file_close, .read = file_read};
    static const uint16_t path[] = u"\\EFI\\veridian\\cmdline";

    (void)self;
    (void)attributes;
    CHECK(mode == EFI_FILE_MODE_READ && memcmp(name, path, sizeof(path)) == 0);
    *file = &words;
    return file_words == NULL ? EFI_ERROR_BIT | 14 : EFI_SUCCESS;
}

static efi_status open_volume(struct efi_file_system *self, struct efi_file **root)
{
    static struct efi_file volume = {.open = file_open, .close = file_close};

    (void)self;
    *root = &volume;
    return EFI_SUCCESS;
}

static efi_status handle_protocol(efi_handle handle, const struct efi_guid *protocol,
                                  void **interface)
{
    static struct efi_file_system volume = {.open_volume = open_volume};

    (void)handle;
    (void)protocol;
    *interface = &volume;
    return EFI_SUCCESS;
}

static struct efi_graphics_mode_info mode_info = {.width = 800,
                                                  .height = 600,
                                                  .pixel_format = EFI_PIXEL_BGRX,
                                                  .pixels_per_row = 832};
static struct efi_graphics_mode mode = {.info = &mode_info,
                                        .framebuffer = 0x80000000,
                                        .framebuffer_bytes = 832 * 600 * 4};

static efi_status random_get(struct efi_random *self, const struct efi_guid *algorithm,
                             uint64_t bytes, void *value)
{
    (void)self;
    CHECK(algorithm == NULL);
    memset(value, 0x77, bytes);
    return EFI_SUCCESS;
}

static efi_status locate_protocol(const struct efi_guid *protocol, void *registration,
                                  void **interface)
{
    static struct efi_graphics graphics = {.mode = &mode};
    static struct efi_random random = {.get = random_get};

    (void)registration;
    *interface = protocol->a == 0x9042a9de ? (void *)&graphics : (void *)&random;
    return EFI_SUCCESS;
}

static efi_status get_variable(const uint16_t *name, const struct efi_guid *vendor,
                               uint32_t *attributes, uint64_t *bytes, void *data)
{
    (void)name;
    (void)vendor;
    (void)attributes;
    CHECK(*bytes == 1);
    memcpy(data, &secure, 1);
    return EFI_SUCCESS;
}

static efi_status output_string(struct efi_text_output *self, const uint16_t *text)
{
    size_t length = strlen(printed);

    (void)self;
    for (; *text != 0 && length + 1 < sizeof(printed); text++)
        printed[length++] = (char)*text;
    printed[length] = '\0';
    return EFI_SUCCESS;
}

static _Alignas(8) uint8_t fdt[64] = {0xd0, 0x0d, 0xfe, 0xed, 0, 0, 0, 64};
static struct efi_configuration_table tables[2];

static struct loader loader_new(void)
{
    static struct efi_boot_services boot = {.allocate_pages = allocate_pages,
                                            .get_memory_map = get_memory_map,
                                            .exit_boot_services = exit_boot_services,
                                            .handle_protocol = handle_protocol,
                                            .locate_protocol = locate_protocol};
    static struct efi_runtime_services runtime = {.get_variable = get_variable};
    static struct efi_text_output console = {.output_string = output_string};
    static struct efi_system_table system = {.console_out = &console,
                                             .runtime = &runtime,
                                             .boot = &boot,
                                             .tables = tables};
    static const struct efi_guid acpi = {0x8868e871,
                                         0xe4f1,
                                         0x11d3,
                                         {0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81}};
    static const struct efi_guid tree = {0xb1b621d5,
                                         0xf19c,
                                         0x41a5,
                                         {0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0}};

    while (allocations > 0)
        free(allocated[--allocations]);
    no_memory = false;
    map_entries = 5;
    exits = exits_refused = 0;
    file_words = NULL;
    secure = 0;
    printed[0] = '\0';
    fdt[3] = 0xed;
    tables[0] = (struct efi_configuration_table){acpi, (void *)0x7000};
    tables[1] = (struct efi_configuration_table){tree, fdt};
    system.table_count = 2;
    mode_info.pixel_format = EFI_PIXEL_BGRX;
    kernel_new();
    return (struct loader){.system = &system};
}

/* ── Tests ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void test_loader_loads_the_kernel(void)
{
    struct loader loader = loader_new();

    CHECK(kernel_load(&loader) == NULL);
    const uint8_t *image = (const uint8_t *)(uintptr_t)loader.kernel;

    CHECK(loader.kernel % LOADER_KERNEL_ALIGN == 0 && loader.kernel_bytes == 0x4000);
    CHECK(loader.entry == loader.kernel + 0x1004);
    CHECK(image[0] == 'a' && image[0x7ff] == 'a' && image[0x800] == 0 && image[0xfff] == 0);
    CHECK(image[0x1000] == 'b' && image[0x1800] == 0 && image[0x3fff] == 0);
}

static void test_loader_refuses_a_malformed_kernel(void)
{
    for (unsigned i = 0; i < 14; i++) {
        struct loader loader = loader_new();

        switch (i) {
        case 0:
            elf->ident[0] = 0;
            break;
        case 1:
            elf->machine = 62;
            break;
        case 2:
            elf->phentsize = 32;
            break;
        case 3:
            elf->phoff = 65;
            break;
        case 4:
            elf->phoff = FILE_BYTES;
            break;
        case 5:
            elf->phnum = 1000;
            break;
        case 6:
            segments[0].file_bytes = 0x1001;
            break;
        case 7:
            segments[1].offset = FILE_BYTES - 0x7f8;
            break;
        case 8:
            segments[1].offset = UINT64_MAX;
            break;
        case 9:
            segments[1].memory_bytes = UINT64_MAX;
            break;
        case 10:
            segments[1].physical = UINT64_MAX - 0x1000;
            break;
        case 11:
            elf->entry = VIRTUAL + 0x4000;
            break;
        case 12:
            elf->phnum = 0;
            break;
        default:
            segments[0].physical = 0x10;
            break;
        }
        CHECK(kernel_load(&loader) != NULL && allocations == 0);
    }
    struct loader loader = loader_new();

    no_memory = true;
    CHECK(kernel_load(&loader) != NULL);
}

static void test_loader_hands_over_what_the_firmware_knows(void)
{
    struct loader loader = loader_new();

    CHECK(handoff_make(&loader) == NULL);
    const struct handoff *h = loader.handoff;

    CHECK(h->magic == HANDOFF_MAGIC && h->version == HANDOFF_VERSION && h->acpi_rsdp == 0x7000);
    CHECK(h->fdt_bytes == 64 && h->fdt_offset % 4096 == 0);
    CHECK(memcmp((const uint8_t *)h + h->fdt_offset, fdt, 64) == 0);
    CHECK(h->framebuffer.base == 0x80000000 && h->framebuffer.stride_bytes == 832 * 4);
    CHECK(h->framebuffer.width == 800 && h->framebuffer.format == FRAMEBUFFER_FORMAT_BGRX);
    CHECK(h->seed_bytes == 32 && h->seed[31] == 0x77);
    CHECK(h->archive == (uint64_t)(uintptr_t)payload_archive && h->archive_bytes == 4096);
    CHECK(strcmp(h->cmdline, "signed words") == 0);
}

static void test_loader_does_without(void)
{
    struct loader loader = loader_new();

    fdt[3] = 0; /* no device tree */
    mode_info.pixel_format = 3;
    tables[0].vendor.a = 0;
    CHECK(handoff_make(&loader) == NULL);
    CHECK(loader.handoff->fdt_bytes == 0 && loader.handoff->framebuffer.bytes == 0);
    CHECK(loader.handoff->acpi_rsdp == 0);
    loader = loader_new();
    no_memory = true;
    CHECK(handoff_make(&loader) != NULL);
}

static void test_loader_asks_for_the_map_again(void)
{
    struct loader loader = loader_new();

    exits_refused = 3;
    CHECK(handoff_make(&loader) == NULL && handoff_finish(&loader));
    CHECK(exits == 4 && loader.handoff->map_bytes == 8 * ENTRY_BYTES);
    CHECK(loader.handoff->map_entry_bytes == ENTRY_BYTES);
    loader = loader_new();
    exits_refused = 1000;
    CHECK(handoff_make(&loader) == NULL && !handoff_finish(&loader));
    loader = loader_new();
    CHECK(handoff_make(&loader) == NULL);
    map_entries = 10000; /* more than there is room for */
    CHECK(!handoff_finish(&loader) && exits == 0);
}

static void test_loader_believes_the_file_unless_secure(void)
{
    struct loader loader = loader_new();
    char cmdline[HANDOFF_CMDLINE_BYTES];

    file_words = "more\twords\n";
    cmdline_read(&loader, cmdline, sizeof(cmdline));
    CHECK(strcmp(cmdline, "signed words more words ") == 0);
    secure = 1;
    cmdline_read(&loader, cmdline, sizeof(cmdline));
    CHECK(strcmp(cmdline, "signed words") == 0);
}

static void test_loader_bounds_the_command_line(void)
{
    static char many[3 * HANDOFF_CMDLINE_BYTES];
    struct loader loader = loader_new();
    char cmdline[HANDOFF_CMDLINE_BYTES];

    memset(many, 'x', sizeof(many) - 1);
    file_words = many;
    cmdline_read(&loader, cmdline, sizeof(cmdline));
    CHECK(strlen(cmdline) == sizeof(cmdline) - 1);
}

static void test_loader_prints_lines(void)
{
    struct loader loader = loader_new();
    static char line[200];

    memset(line, 'y', sizeof(line) - 2);
    line[sizeof(line) - 2] = '\n';
    console_print(&loader, line);
    CHECK(strlen(printed) == sizeof(line) && strcmp(printed + sizeof(line) - 3, "y\r\n") == 0);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(test_loader_loads_the_kernel),
        TEST(test_loader_refuses_a_malformed_kernel),
        TEST(test_loader_hands_over_what_the_firmware_knows),
        TEST(test_loader_does_without),
        TEST(test_loader_asks_for_the_map_again),
        TEST(test_loader_believes_the_file_unless_secure),
        TEST(test_loader_bounds_the_command_line),
        TEST(test_loader_prints_lines),
        {0},
    };
    int failed = run_tests(tests);

    while (allocations > 0)
        free(allocated[--allocations]);
    return failed;
}
