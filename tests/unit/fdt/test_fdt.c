/* boot_info from device trees that are written here, by libfdt's own writer, and from mutations of them. Each tree is a heap block of just
 * its size, so that reading beyond it is found. A panic of the reader ends the reading, as it would end the boot. */
#include <arch_pt.h>
#include <boot.h>
#include <check.h>
#include <libfdt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#define TREE_BYTES 8192u
#define RAM_BASE UINT64_C(0x80000000)

uint8_t *host_ram;
static jmp_buf panic_jump;

void panic(const char *format, ...)
{
    (void)format;
    longjmp(panic_jump, 1);
}

/* ── Trees ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** A tree being written. @archive: where /chosen puts it. */
struct writer {
    char bytes[TREE_BYTES];
    uint64_t archive, archive_end;
};

static void cells(void *tree, const char *name, unsigned count, ...)
{
    fdt32_t values[32];
    va_list list;

    va_start(list, count);
    for (unsigned i = 0; i < count; i++)
        values[i] = cpu_to_fdt32(va_arg(list, uint32_t));
    va_end(list);
    fdt_property(tree, name, values, (int)(count * sizeof(fdt32_t)));
}

static void write_cpus(void *tree)
{
    static const char *const names[] = {"cpu@0", "cpu@1", "cpu@2", "cpu@3"};

    fdt_begin_node(tree, "cpus");
    cells(tree, "#address-cells", 1, 1);
    cells(tree, "#size-cells", 1, 0);
    cells(tree, "timebase-frequency", 1, 10000000);
    for (unsigned i = 0; i < 4; i++) {
        fdt_begin_node(tree, names[i]);
        fdt_property_string(tree, "device_type", "cpu");
        fdt_property_string(tree, "status", i == 2 ? "disabled" : "okay");
        cells(tree, "reg", 1, i * 0x100);
        fdt_begin_node(tree, "interrupt-controller");
        cells(tree, "phandle", 1, i + 10);
        fdt_end_node(tree);
        fdt_end_node(tree);
    }
    fdt_begin_node(tree, "cpu-map");
    fdt_end_node(tree);
    fdt_end_node(tree);
}

/* One bus that maps, in it one that is transparent and one that is closed; a UART in each. */
static void write_buses(void *tree)
{
    static const char *const inner[] = {"transparent", "closed"};

    fdt_begin_node(tree, "soc");
    cells(tree, "#address-cells", 1, 1);
    cells(tree, "#size-cells", 1, 1);
    cells(tree, "ranges", 4, 0x1000, 2, 0x40000000, 0x10000);
    for (unsigned i = 0; i < 2; i++) {
        fdt_begin_node(tree, inner[i]);
        cells(tree, "#address-cells", 1, 1);
        cells(tree, "#size-cells", 1, 1);
        if (i == 0)
            fdt_property(tree, "ranges", "", 0);
        fdt_begin_node(tree, "uart");
        fdt_property(tree, "compatible", "acme,uart\0ns16550a", sizeof("acme,uart\0ns16550a"));
        cells(tree, "reg", 4, 0x2000, 0x100, 0x20000, 0x100);
        fdt_end_node(tree);
        fdt_end_node(tree);
    }
    fdt_end_node(tree);
}

static void write_memory(void *tree)
{
    fdt_begin_node(tree, "memory@80000000");
    fdt_property_string(tree, "device_type", "memory");
    cells(tree, "reg", 8, 0, 0x80000000, 0, 0x8000000, 1, 0x800, 0, 0x100000);
    fdt_end_node(tree);
    fdt_begin_node(tree, "reserved-memory");
    cells(tree, "#address-cells", 1, 2);
    cells(tree, "#size-cells", 1, 2);
    fdt_property(tree, "ranges", "", 0);
    fdt_begin_node(tree, "firmware@80000000");
    cells(tree, "reg", 4, 0, 0x80000000, 0, 0x7fff0);
    fdt_end_node(tree);
    fdt_end_node(tree);
}

static void write_chosen(struct writer *writer)
{
    fdt_begin_node(writer->bytes, "chosen");
    fdt_property_string(writer->bytes, "bootargs", "one two");
    fdt_property(writer->bytes, "rng-seed", "0123456789abcdefghijklmnopqrstuv", 32);
    fdt_property_u32(writer->bytes, "linux,initrd-start", (uint32_t)writer->archive);
    fdt_property_u64(writer->bytes, "linux,initrd-end", writer->archive_end);
    fdt_end_node(writer->bytes);
}

static void tree_write(struct writer *writer)
{
    void *tree = writer->bytes;

    fdt_create(tree, TREE_BYTES);
    fdt_add_reservemap_entry(tree, RAM_BASE + 0x100000, 0x1000);
    fdt_finish_reservemap(tree);
    fdt_begin_node(tree, "");
    cells(tree, "#address-cells", 1, 2);
    cells(tree, "#size-cells", 1, 2);
    write_chosen(writer);
    write_memory(tree);
    write_cpus(tree);
    write_buses(tree);
    fdt_end_node(tree);
    CHECK(fdt_finish(tree) == 0);
}

static struct writer standard = {.archive = 0x82000000, .archive_end = 0x82000123};

/* Reads a copy of @bytes of the tree; it stays for the questions, until the next. False: it panicked. The tree is where address 0 is. */
static bool tree_read(const void *tree, size_t bytes)
{
    free(host_ram);
    host_ram = aligned_alloc(8, bytes);
    memcpy(host_ram, tree, bytes);
    memset(&boot_info, 0, sizeof(boot_info));
    if (setjmp(panic_jump) != 0)
        return false;
    boot_fdt_read(0);
    return true;
}

static bool standard_read(void)
{
    tree_write(&standard);
    return tree_read(standard.bytes, (fdt_totalsize(standard.bytes) + 7) & ~7u);
}

/* ── What is read ────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool ram_is(uint32_t i, uint64_t base, uint64_t end)
{
    return boot_info.ram[i].base == base && boot_info.ram[i].bytes == end - base;
}

static void test_fdt_memory_less_what_is_reserved(void)
{
    CHECK(standard_read());
    CHECK(boot_info.ram_count == 4);
    CHECK(ram_is(0, RAM_BASE + 0x80000, RAM_BASE + 0x100000));
    CHECK(ram_is(1, RAM_BASE + 0x101000, 0x82000000));
    CHECK(ram_is(2, 0x82001000, RAM_BASE + 0x8000000));
    CHECK(ram_is(3, 0x100001000, 0x100100000)); /* whole pages only */
    CHECK(boot_info.reserved_count == 2 && boot_info.reserved[1].base == 0x82000000 &&
          boot_info.reserved[1].bytes == PAGE_SIZE);
}

/* Firmware that gives a memory map of its own may forget itself in it: the tree's word holds there too. */
static void test_fdt_reserves_in_a_firmware_memory_map(void)
{
    CHECK(standard_read());
    memset(&boot_info, 0, sizeof(boot_info));
    boot_ram_add(RAM_BASE, 0x82000000);
    if (setjmp(panic_jump) != 0) {
        CHECK(false);
        return;
    }
    boot_fdt_attach(0);
    CHECK(boot_info.ram_count == 2);
    CHECK(ram_is(0, RAM_BASE + 0x80000, RAM_BASE + 0x100000));
    CHECK(ram_is(1, RAM_BASE + 0x101000, 0x82000000));
}

static void test_fdt_chosen(void)
{
    CHECK(standard_read());
    CHECK(strcmp(boot_info.cmdline, "one two") == 0);
    CHECK(boot_info.archive == 0x82000000 && boot_info.archive_bytes == 0x123);
    CHECK(memcmp(boot_info.seed, "0123456789abcdefghijklmnopqrstuv", 32) == 0);
    int bytes;
    const char *seed =
        fdt_getprop(host_ram, fdt_path_offset(host_ram, "/chosen"), "rng-seed", &bytes);

    CHECK(bytes == 32 && seed[0] == 0 && memcmp(seed, seed + 1, 31) == 0);
}

static void test_fdt_archive_must_be_in_ram(void)
{
    struct writer writer = {.archive = 0x70000000, .archive_end = 0x70001000};

    tree_write(&writer);
    CHECK(!tree_read(writer.bytes, TREE_BYTES));
    writer.archive = 0x82000000;
    writer.archive_end = 0x81000000;
    tree_write(&writer);
    CHECK(!tree_read(writer.bytes, TREE_BYTES));
}

static void test_fdt_cpus_that_are_enabled(void)
{
    struct boot_fdt_node node, child;
    uint64_t id;

    CHECK(standard_read());
    for (unsigned round = 0; round < 2; round++) {
        CHECK(boot_fdt_cpu(0, &node, &id) && id == 0);
        CHECK(boot_fdt_cpu(1, &node, &id) && id == 0x100);
        CHECK(boot_fdt_cpu(2, &node, &id) && id == 0x300);
        CHECK(boot_fdt_child(&node, "interrupt-controller", &child) &&
              boot_fdt_u32(&child, "phandle", 0) == 13);
        CHECK(!boot_fdt_cpu(3, &node, &id) && !boot_fdt_cpu(4, &node, &id));
    }
    CHECK(boot_fdt_cpu(2, &node, &id) && boot_fdt_cpu(1, &node, &id) && id == 0x100);
}

static void test_fdt_registers_through_buses(void)
{
    struct boot_fdt_node node;
    uint64_t base, bytes;

    CHECK(standard_read());
    CHECK(boot_fdt_find("ns16550a", 0, &node));
    CHECK(boot_fdt_reg(&node, 0, &base, &bytes) && base == 0x240001000 && bytes == 0x100);
    CHECK(!boot_fdt_reg(&node, 1, &base, &bytes)); /* outside of what the bus maps */
    CHECK(!boot_fdt_reg(&node, 2, &base, &bytes));
    CHECK(boot_fdt_find("acme,uart", 1, &node) && !boot_fdt_reg(&node, 0, &base, &bytes));
    CHECK(!boot_fdt_find("ns16550a", 2, &node) && !boot_fdt_find("ns16550", 0, &node));
}

static void test_fdt_values(void)
{
    struct boot_fdt_node node;
    const char *text;
    uint32_t value;

    CHECK(standard_read());
    CHECK(boot_fdt_path("/cpus", &node));
    CHECK(boot_fdt_u32(&node, "timebase-frequency", 1) == 10000000);
    CHECK(boot_fdt_u32(&node, "nothing", 1) == 1);
    CHECK(!boot_fdt_cell(&node, "timebase-frequency", 1, &value));
    CHECK(!boot_fdt_cell(&node, "timebase-frequency", UINT32_MAX, &value));
    CHECK(!boot_fdt_string(&node, "timebase-frequency", &text) || text[0] == '\0');
    CHECK(!boot_fdt_path("/cpus/cpu@2", &node) && !boot_fdt_path("/no", &node));
}

/* ── Hostile trees ───────────────────────────────────────────────────────────────────────────────────────────────── */

static void ask_everything(void)
{
    struct boot_fdt_node node;
    const char *text;
    uint64_t base, bytes;
    uint32_t value;

    for (uint32_t i = 0; i < 8 && boot_fdt_cpu(i, &node, &base); i++)
        (void)boot_fdt_string(&node, "status", &text);
    for (uint32_t i = 0; i < 4 && boot_fdt_find("ns16550a", i, &node); i++) {
        for (uint32_t j = 0; j < 3; j++)
            (void)boot_fdt_reg(&node, j, &base, &bytes);
        (void)boot_fdt_cell(&node, "reg", 3, &value);
    }
}

static void test_fdt_truncations_are_refused(void)
{
    tree_write(&standard);
    size_t bytes = fdt_totalsize(standard.bytes);

    for (size_t count = sizeof(struct fdt_header); count < bytes; count++) {
        struct writer cut = standard;

        fdt_set_totalsize(cut.bytes, (uint32_t)count);
        CHECK(!tree_read(cut.bytes, (count + 7) & ~(size_t)7));
    }
}

/* Whatever is accepted is sorted, apart, and whole pages. */
static void check_ranges(void)
{
    for (uint32_t i = 0; i < boot_info.ram_count; i++) {
        const struct boot_range *range = &boot_info.ram[i];

        CHECK(is_page_aligned(range->base) && is_page_aligned(range->bytes) && range->bytes != 0);
        CHECK(range->base + range->bytes > range->base);
        CHECK(i == 0 || range[-1].base + range[-1].bytes <= range->base);
    }
}

static void test_fdt_survives_mutations(void)
{
    unsigned accepted = 0;

    tree_write(&standard);
    size_t bytes = (fdt_totalsize(standard.bytes) + 7) & ~7u;

    srand(3);
    for (unsigned round = 0; round < 60000; round++) {
        struct writer mutant = standard;

        for (unsigned i = 0; i < 1 + round % 4; i++) {
            size_t at = (size_t)rand() % bytes;

            if (at >= 4 && at < 8)
                continue; /* the size says how much there is: truncations are another test */
            mutant.bytes[at] = (char)(round % 2 == 0 ? rand() : mutant.bytes[at] ^ 1 << rand() % 8);
        }
        if (!tree_read(mutant.bytes, bytes))
            continue;
        accepted++;
        check_ranges();
        ask_everything();
    }
    CHECK(accepted > 1000);
}

/* ── Ranges ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool overlap_panics(uint64_t base, uint64_t end)
{
    if (setjmp(panic_jump) != 0)
        return true;
    boot_ram_add(base, end);
    return false;
}

static void test_ranges_at_the_ends(void)
{
    memset(&boot_info, 0, sizeof(boot_info));
    boot_ram_add(0, UINT64_MAX);
    CHECK(ram_is(0, 0, UINT64_MAX & ~(PAGE_SIZE - 1)));
    boot_ram_subtract(UINT64_MAX - 1, UINT64_MAX);
    boot_ram_subtract(0, 1);
    boot_ram_subtract(0x2000, 0x2000);
    CHECK(boot_info.ram_count == 1 && boot_info.ram[0].base == PAGE_SIZE);
    CHECK(overlap_panics(0x5000, 0x6000) && !overlap_panics(0x5001, 0x5fff));
    boot_ram_subtract(0, UINT64_MAX);
    CHECK(boot_info.ram_count == 0);
}

static void test_ranges_more_than_fit(void)
{
    memset(&boot_info, 0, sizeof(boot_info));
    boot_ram_add(0, UINT64_C(1) << 40);
    for (uint64_t i = 1; i < 2 * BOOT_RANGES_MAX; i++)
        boot_ram_subtract(i << 20, (i << 20) + 1);
    CHECK(boot_info.ram_count == BOOT_RANGES_MAX);
    check_ranges();
}

/* A page is RAM exactly if it was added and not taken out since. */
static void test_ranges_against_a_model(void)
{
    bool model[64] = {false};

    srand(4);
    memset(&boot_info, 0, sizeof(boot_info));
    for (unsigned round = 0; round < 4000; round++) {
        unsigned first = (unsigned)rand() % 64, end = first + (unsigned)rand() % (65 - first);
        bool add = rand() % 2 != 0;

        for (unsigned i = first; i < end; i++)
            add = add && !model[i];
        for (unsigned i = first; i < end; i++)
            model[i] = add;
        if (add)
            boot_ram_add(first * PAGE_SIZE, end * PAGE_SIZE);
        else
            boot_ram_subtract(first * PAGE_SIZE, end * PAGE_SIZE);
        check_ranges();
        for (unsigned i = 0; i < 64; i++) {
            bool is_ram = false;

            for (uint32_t j = 0; j < boot_info.ram_count; j++)
                is_ram |= i * PAGE_SIZE - boot_info.ram[j].base < boot_info.ram[j].bytes;
            CHECK(is_ram == model[i]);
        }
    }
}

int main(void)
{
    static const struct test tests[] = {
        TEST(test_fdt_memory_less_what_is_reserved),
        TEST(test_fdt_reserves_in_a_firmware_memory_map),
        TEST(test_fdt_chosen),
        TEST(test_fdt_archive_must_be_in_ram),
        TEST(test_fdt_cpus_that_are_enabled),
        TEST(test_fdt_registers_through_buses),
        TEST(test_fdt_values),
        TEST(test_fdt_truncations_are_refused),
        TEST(test_fdt_survives_mutations),
        TEST(test_ranges_at_the_ends),
        TEST(test_ranges_more_than_fit),
        TEST(test_ranges_against_a_model),
        {0},
    };
    int failed = run_tests(tests);

    free(host_ram);
    return failed;
}
