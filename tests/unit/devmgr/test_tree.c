/* Device trees: those that QEMU gives its virt machines, mutations of them, and host bridges that are written here. */
#include "tree.h"

#include "tests.h"

#include <devicetree/devicetree.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ── QEMU's machines ─────────────────────────────────────────────────────────────────────────────────────────────── */

/* The tree of the virt machine of @arch, packed, in a block of just its size; *@bytes long. */
static void *virt_tree(const char *arch, const char *machine, size_t *bytes)
{
    char path[] = "/tmp/devmgr-unit-XXXXXX", command[256];
    void *blob = malloc(DT_BYTES_MAX), *packed = NULL;
    int file = mkstemp(path);
    CHECK(file >= 0);
    snprintf(command, sizeof(command),
             "qemu-system-%s -M virt%s,dumpdtb=%s -smp 2 -display none >/dev/null 2>&1", arch,
             machine, path);
    /* It makes the file anew. */
    FILE *stream = system(command) == 0 ? fopen(path, "rb") : NULL;
    close(file);
    if (stream != NULL && fread(blob, 1, DT_BYTES_MAX, stream) > 0 && fdt_pack(blob) == 0) {
        *bytes = fdt_totalsize(blob);
        packed = aligned_alloc(8, (*bytes + 7) & ~(size_t)7);
        memcpy(packed, blob, *bytes);
    }
    if (stream != NULL)
        fclose(stream);
    remove(path);
    free(blob);
    CHECK(packed != NULL && dt_check(packed) == NULL);
    return packed;
}

static int find(const void *tree, const char *name)
{
    int node = -1;
    do
        node = tree_next(tree, node);
    while (node >= 0 && !tree_is(tree, node, name));
    return node;
}

static bool line_is(const struct irq_line *line, uint32_t number, uint32_t flags)
{
    return line->number == number && line->flags == flags;
}

void test_tree_of_aarch64(void)
{
    size_t bytes;
    struct irq_line line;
    struct pci_host host;
    uint32_t source;
    void *tree = virt_tree("aarch64", ",gic-version=3", &bytes);
    if (tree == NULL)
        return;
    int uart = tree_console(tree), pci = find(tree, "pci-host-ecam-generic");
    CHECK(uart >= 0 && tree_is(tree, uart, "arm,pl011") && uart == find(tree, "arm,pl011"));
    CHECK(tree_interrupt(tree, uart, 0, &line) && line_is(&line, 33, 1));
    CHECK(!tree_interrupt(tree, uart, 1, &line));
    CHECK(tree_clock_hz(tree, uart) == 24000000);
    CHECK(tree_pci_host(tree, pci, &host) && host.ecam == 0x4010000000 && host.first_bus == 0 &&
          host.last_bus == 255);
    CHECK(host.low.bus == 0x10000000 && host.low.cpu == 0x10000000 &&
          host.low.bytes == 0x2eff0000 && host.high.bytes == UINT64_C(1) << 39);
    CHECK(tree_pci_line(tree, pci, 0x08, 1, &line) && line_is(&line, 36, 1));
    CHECK(tree_pci_line(tree, pci, 0x10, 4, &line) && line_is(&line, 36, 1));
    CHECK(tree_pci_line(tree, pci, 0xff, 1, &line) && line_is(&line, 38, 1));
    CHECK(!tree_pci_line(tree, pci, 0x08, 5, &line));
    CHECK(tree_msi_source(tree, pci, 0x1234, &source) && source == 0x1234);
    free(tree);
}

void test_tree_of_riscv64(void)
{
    size_t bytes;
    struct irq_line line;
    struct pci_host host;
    uint32_t source;
    void *tree = virt_tree("riscv64", "", &bytes);
    if (tree == NULL)
        return;
    int uart = tree_console(tree), pci = find(tree, "pci-host-ecam-generic");
    CHECK(uart >= 0 && tree_is(tree, uart, "ns16550a"));
    CHECK(tree_interrupt(tree, uart, 0, &line) && line_is(&line, 10, 1));
    CHECK(tree_clock_hz(tree, uart) == 3686400);
    CHECK(tree_pci_host(tree, pci, &host) && host.ecam == 0x30000000);
    CHECK(host.low.bus == 0x40000000 && host.low.bytes == 0x40000000);
    CHECK(tree_pci_line(tree, pci, 0x00, 1, &line) && line_is(&line, 32, 1));
    CHECK(tree_pci_line(tree, pci, 0x08, 4, &line) && line_is(&line, 32, 1));
    CHECK(!tree_msi_source(tree, pci, 0x08, &source));
    free(tree);
    tree = virt_tree("riscv64", ",aia=aplic", &bytes);
    uart = tree == NULL ? -1 : tree_console(tree);
    CHECK(uart >= 0 && tree_interrupt(tree, uart, 0, &line) && line_is(&line, 10, 1));
    free(tree);
}

/* Everything that devmgr asks of a tree. */
static void ask(const void *tree)
{
    struct irq_line line;
    struct pci_host host;
    uint32_t source;
    uint64_t base, bytes;
    (void)tree_console(tree);
    for (int node = tree_next(tree, -1); node >= 0; node = tree_next(tree, node)) {
        for (uint32_t i = 0; i < DEVICE_WINDOWS; i++)
            if (dt_registers(tree, node, i, &base, &bytes))
                CHECK(base + bytes >= base);
        (void)tree_interrupt(tree, node, 0, &line);
        (void)tree_clock_hz(tree, node);
        if (tree_is(tree, node, "pci-host-ecam-generic") && tree_pci_host(tree, node, &host)) {
            CHECK(host.first_bus <= host.last_bus && host.ecam % PAGE_SIZE == 0);
            CHECK(host.low.bus + host.low.bytes <= UINT64_C(1) << 32);
            (void)tree_pci_line(tree, node, 0x08, 1, &line);
            (void)tree_msi_source(tree, node, 0x08, &source);
        }
    }
}

static void mutate(const char *arch, const char *machine, unsigned rounds)
{
    size_t bytes = 0;
    unsigned accepted = 0;
    uint8_t *tree = virt_tree(arch, machine, &bytes);
    uint8_t *mutant = aligned_alloc(8, (bytes + 7) & ~(size_t)7);
    srand(5);
    for (unsigned round = 0; tree != NULL && round < rounds; round++) {
        memcpy(mutant, tree, bytes);
        for (unsigned i = 0; i < 1 + round % 5; i++) {
            /* Not the size, which says how much there is; most go where the properties are. */
            size_t at = 8 + (size_t)rand() % (bytes - 8);
            mutant[at] = (uint8_t)(rand() % 2 == 0 ? rand() : mutant[at] ^ 1 << rand() % 8);
        }
        if (dt_check(mutant) != NULL)
            continue;
        accepted++;
        ask(mutant);
    }
    CHECK(accepted > rounds / 10);
    free(mutant);
    free(tree);
}

void test_tree_survives_mutations(void)
{
    mutate("aarch64", ",gic-version=3", 1500);
    mutate("riscv64", "", 1500);
}

/* ── Giving addresses ────────────────────────────────────────────────────────────────────────────────────────────── */

static const struct pci_host model = {
    .low = {.bus = 0x10000000, .cpu = 0x90000000, .bytes = 0x400000, .next = 0x10000000},
    .high = {.bus = 0x800000000, .cpu = 0x800000000, .bytes = 0x10000000, .next = 0x800000000},
};

/* A function in plain memory: each of its BARs reads back what was written, so it is of 16 bytes; those of @low differ in their kind bits. */
static uint8_t config[256];
static const struct pci_function function = {.config = config, .address = 0x0108};

static void bar_set(uint32_t i, uint32_t value)
{
    memcpy(config + 0x10 + 4 * i, &value, sizeof(value));
}

static void function_begin(void)
{
    memset(config, 0, sizeof(config));
    for (uint32_t i = 0; i < DEVICE_WINDOWS; i++)
        bar_set(i, 1); /* ports: nothing to give */
}

void test_host_gives_what_nobody_has(void)
{
    struct pci_host host = model;
    struct pci_bar bars[DEVICE_WINDOWS];
    function_begin();
    bar_set(0, 0x10000020);
    config[4] = 3;
    pci_size_bars(&function, bars);
    pci_note_bars(&host, bars);
    CHECK(host.low.next == 0x10000030 && config[4] == 3);
    bar_set(1, 0);
    pci_size_bars(&function, bars);
    CHECK(pci_assign(&host, &function, true, bars));
    CHECK(bars[0].base == 0x10000020 && bars[1].base == 0x10000030 && bars[1].bytes == 16);
    CHECK(pci_read32(&function, 0x14) == 0x10000030 && config[4] == 3);
    CHECK(pci_assign(&host, &function, true, bars) && bars[1].base == 0x10000030);
}

void test_host_gives_high_addresses_to_wide_bars_only(void)
{
    struct pci_host host = model;
    struct pci_bar bars[DEVICE_WINDOWS];
    host.low.next = host.low.bus + host.low.bytes;
    function_begin();
    bar_set(0, 0);
    pci_size_bars(&function, bars);
    CHECK(!pci_assign(&host, &function, true, bars) && bars[0].base == 0);
    bar_set(0, 4);
    bar_set(1, 0);
    pci_size_bars(&function, bars);
    CHECK(!pci_assign(&host, &function, false, bars) && bars[0].base == 0);
    CHECK(pci_assign(&host, &function, true, bars) && bars[0].base == 0x800000000);
    CHECK(pci_read32(&function, 0x14) == 8 && (pci_read32(&function, 0x10) & ~15u) == 0);
}

void test_host_translates(void)
{
    struct pci_host host = model, identity = {0};
    uint64_t cpu;
    CHECK(pci_host_to_cpu(&host, 0x10001000, 0x1000, &cpu) && cpu == 0x90001000);
    CHECK(pci_host_to_cpu(&host, 0x800000000, 0x10000000, &cpu) && cpu == 0x800000000);
    CHECK(!pci_host_to_cpu(&host, 0x103ff000, 0x2000, &cpu));
    CHECK(!pci_host_to_cpu(&host, 0x0fffffff, 1, &cpu));
    CHECK(!pci_host_to_cpu(&host, UINT64_MAX, 2, &cpu));
    CHECK(pci_host_to_cpu(&identity, 0x1234, 1, &cpu) && cpu == 0x1234);
}

void test_bridge_windows_are_whole_megabytes(void)
{
    struct pci_host host = model;
    struct pci_bridge bridge = {.secondary = 3, .subordinate = 5}, read;
    memset(config, 0, sizeof(config));
    config[0x0e] = 1;
    host.low.next += 16;
    bridge.base = pci_bridge_edge(&host);
    CHECK(bridge.base == 0x10100000);
    host.low.next += 16;
    bridge.end = pci_bridge_edge(&host);
    CHECK(bridge.end == 0x10200000);
    pci_bridge_write(&function, &bridge);
    pci_bridge_read(&function, &read);
    CHECK(read.secondary == 3 && read.subordinate == 5 && read.base == bridge.base &&
          read.end == bridge.end && config[0x18] == 1);
    host = model;
    pci_note_bridge(&host, &read);
    CHECK(host.low.next == 0x10200000 && host.next_bus == 6);
    bridge.end = bridge.base;
    pci_bridge_write(&function, &bridge);
    pci_bridge_read(&function, &read);
    CHECK(read.base >= read.end);
}
