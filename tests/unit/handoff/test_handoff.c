/* boot_info from blocks that are written here. A block is a heap block of just its size, so that reading beyond it is found; a panic of the
 * reader ends the reading, as it would end the boot. The reader of device trees has its own tests: here it only notes what it is given. */
#include <boot.h>
#include <check.h>
#include <handoff.h>
#include <mm/phys.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FDT_OFFSET 4096u
#define MAP_OFFSET 8192u
#define BLOCK_BYTES 12288u
#define ENTRY_BYTES 48u /* more than we know, as firmware has it */
#define MIB UINT64_C(0x100000)
#define WRITE_BACK 8u

uint8_t *host_ram;
static jmp_buf panic_jump;
static paddr_t attached;

void panic(const char *format, ...)
{
    (void)format;
    longjmp(panic_jump, 1);
}

void boot_fdt_attach(paddr_t fdt)
{
    attached = fdt;
}

static struct handoff *block_new(void)
{
    free(host_ram);
    host_ram = aligned_alloc(4096, BLOCK_BYTES);
    memset(host_ram, 0, BLOCK_BYTES);
    memset(&boot_info, 0, sizeof(boot_info));
    attached = 0;
    struct handoff *handoff = (void *)host_ram;

    *handoff = (struct handoff){
        .magic = HANDOFF_MAGIC,
        .version = HANDOFF_VERSION,
        .bytes = BLOCK_BYTES,
        .fdt_offset = FDT_OFFSET,
        .map_offset = MAP_OFFSET,
        .map_entry_bytes = ENTRY_BYTES,
        .archive = 16 * MIB,
        .archive_bytes = 5000,
        .acpi_rsdp = 0x7000,
        .framebuffer = {.base = 1, .bytes = 2, .width = 3, .height = 4},
        .cmdline = "one two",
    };
    memset(handoff->seed, 0x5a, sizeof(handoff->seed));
    return handoff;
}

static void map_add(struct handoff *handoff, uint32_t type, uint64_t base, uint64_t pages,
                    uint64_t attributes)
{
    struct handoff_memory *entry = (void *)(host_ram + handoff->map_offset + handoff->map_bytes);

    *entry = (struct handoff_memory){.type = type,
                                     .base = base,
                                     .pages = pages,
                                     .attributes = attributes};
    handoff->map_bytes += ENTRY_BYTES;
}

/** False: the reader panicked. */
static bool reads(void)
{
    if (setjmp(panic_jump) != 0)
        return false;
    boot_handoff_read(0);
    return true;
}

static bool ram_is(uint32_t i, uint64_t base, uint64_t end)
{
    return i < boot_info.ram_count && boot_info.ram[i].base == base &&
           boot_info.ram[i].base + boot_info.ram[i].bytes == end;
}

/* ── Tests ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void test_handoff_takes_what_the_firmware_leaves(void)
{
    struct handoff *handoff = block_new();

    /* Not in order, and every type of table 7.10. */
    map_add(handoff, 7, 64 * MIB, 256, WRITE_BACK);
    for (uint32_t type = 0; type < 16; type++)
        map_add(handoff, type, type * MIB, 256, WRITE_BACK);
    CHECK(reads());
    CHECK(boot_info.ram_count == 3);
    CHECK(ram_is(0, 1 * MIB, 5 * MIB)); /* loader and boot services: one range */
    CHECK(ram_is(1, 7 * MIB, 8 * MIB));
    CHECK(ram_is(2, 64 * MIB, 65 * MIB));
}

static void test_handoff_leaves_special_memory_alone(void)
{
    struct handoff *handoff = block_new();

    map_add(handoff, 7, 1 * MIB, 256, WRITE_BACK | 0x40000);
    map_add(handoff, 7, 2 * MIB, 256, 1); /* not cached: no RAM */
    map_add(handoff, 7, 3 * MIB, 256, WRITE_BACK | 0x8000000000000000);
    CHECK(reads());
    CHECK(boot_info.ram_count == 1 && ram_is(0, 3 * MIB, 4 * MIB));
}

static void test_handoff_joins_many_pieces(void)
{
    struct handoff *handoff = block_new();

    /* Every other piece first, so that more ranges than are kept exist meanwhile only if none is ever joined. */
    for (uint64_t i = 0; i < 80; i += 2)
        map_add(handoff, 7, i * MIB, 256, WRITE_BACK);
    for (uint64_t i = 1; i < 80; i += 2)
        map_add(handoff, 4, i * MIB, 256, WRITE_BACK);
    handoff->archive_bytes = 0;
    CHECK(reads());
    CHECK(boot_info.ram_count == 1 && ram_is(0, 0, 80 * MIB));
}

static void test_handoff_fills_boot_info(void)
{
    struct handoff *handoff = block_new();

    map_add(handoff, 1, 15 * MIB, 1024, WRITE_BACK);
    handoff->fdt_bytes = 100;
    CHECK(boot_handoff_is_at(0) && boot_handoff_bytes(0) == BLOCK_BYTES);
    CHECK(reads());
    CHECK(boot_info.archive == 16 * MIB && boot_info.archive_bytes == 5000);
    CHECK(ram_is(0, 15 * MIB, 16 * MIB) && ram_is(1, 16 * MIB + 8192, 19 * MIB));
    CHECK(boot_info.reserved_count == 1 && boot_info.reserved[0].bytes == 8192);
    CHECK(boot_info.acpi_rsdp == 0x7000 && boot_info.framebuffer.height == 4);
    CHECK(boot_info.seed[31] == 0x5a && strcmp(boot_info.cmdline, "one two") == 0);
    CHECK(attached == FDT_OFFSET);
}

static void test_handoff_ends_a_command_line_without_end(void)
{
    struct handoff *handoff = block_new();

    memset(handoff->cmdline, 'x', sizeof(handoff->cmdline));
    CHECK(reads());
    CHECK(strlen(boot_info.cmdline) == sizeof(boot_info.cmdline) - 1);
}

static void test_handoff_is_told_from_other_things(void)
{
    struct handoff *handoff = block_new();

    handoff->magic ^= 1;
    CHECK(!boot_handoff_is_at(0));
    handoff = block_new();
    handoff->version++;
    CHECK(!reads());
    handoff = block_new();
    handoff->bytes = 16;
    CHECK(!reads());
}

static void test_handoff_refuses_a_map_that_leaves_the_block(void)
{
    static const struct {
        uint32_t offset, bytes, entry_bytes;
    } bad[] = {
        {BLOCK_BYTES, ENTRY_BYTES, ENTRY_BYTES}, {BLOCK_BYTES + 8, 0, ENTRY_BYTES},
        {MAP_OFFSET, 4097, ENTRY_BYTES},         {UINT32_MAX - 7, 16, ENTRY_BYTES},
        {MAP_OFFSET, ENTRY_BYTES, 32},           {MAP_OFFSET, ENTRY_BYTES, 0},
        {MAP_OFFSET, ENTRY_BYTES, 44},           {MAP_OFFSET + 4, ENTRY_BYTES, ENTRY_BYTES},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct handoff *handoff = block_new();

        handoff->map_offset = bad[i].offset;
        handoff->map_bytes = bad[i].bytes;
        handoff->map_entry_bytes = bad[i].entry_bytes;
        CHECK(!reads());
    }
}

static void test_handoff_refuses_memory_without_end(void)
{
    static const struct {
        uint64_t base, pages;
    } bad[] = {{4096, UINT64_MAX}, {UINT64_MAX - 4095, 2}, {0, UINT64_C(1) << 52}};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct handoff *handoff = block_new();

        map_add(handoff, 7, bad[i].base, bad[i].pages, WRITE_BACK);
        CHECK(!reads());
    }
    struct handoff *handoff = block_new(); /* given twice */

    map_add(handoff, 7, 1 * MIB, 512, WRITE_BACK);
    map_add(handoff, 4, 2 * MIB, 512, WRITE_BACK);
    CHECK(!reads());
    handoff = block_new();
    handoff->archive = UINT64_MAX - 100;
    CHECK(!reads());
}

static void test_handoff_refuses_a_tree_that_leaves_the_block(void)
{
    struct handoff *handoff = block_new();

    handoff->fdt_bytes = BLOCK_BYTES - FDT_OFFSET + 1;
    CHECK(!reads());
    CHECK(attached == 0);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(test_handoff_takes_what_the_firmware_leaves),
        TEST(test_handoff_leaves_special_memory_alone),
        TEST(test_handoff_joins_many_pieces),
        TEST(test_handoff_fills_boot_info),
        TEST(test_handoff_ends_a_command_line_without_end),
        TEST(test_handoff_is_told_from_other_things),
        TEST(test_handoff_refuses_a_map_that_leaves_the_block),
        TEST(test_handoff_refuses_memory_without_end),
        TEST(test_handoff_refuses_a_tree_that_leaves_the_block),
        {0},
    };
    int failed = run_tests(tests);

    free(host_ram);
    return failed;
}
