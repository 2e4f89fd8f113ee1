/* ACPI tables and PCI configuration spaces in memory. What a table is mapped as is a copy of exactly the bytes that were asked for, so ASan
 * sees every read beyond. */
#include "acpi.h"
#include "pci.h"
#include "tests.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* --- firmware ----------------------------------------------------------------------------------------------- */

#define BASE 0x1000u
#define RSDP BASE
#define ROOT (BASE + 0x100u)
#define MCFG (BASE + 0x200u)
#define MADT (BASE + 0x300u)
#define COPIES_MAX 2048u

static uint8_t firmware[0x400];
static void *copies[COPIES_MAX];
static size_t copy_count;

static const void *map(void *context, uint64_t base, uint64_t bytes)
{
    (void)context;
    if (base < BASE || base - BASE > sizeof(firmware) || bytes > sizeof(firmware) - (base - BASE) ||
        copy_count == COPIES_MAX)
        return NULL;
    void *copy = malloc(bytes != 0 ? bytes : 1);
    memcpy(copy, firmware + (base - BASE), bytes);
    return copies[copy_count++] = copy;
}

static const struct acpi_reader reader = {.map = map};

static void copies_drop(void)
{
    while (copy_count > 0)
        free(copies[--copy_count]);
}

static uint8_t *at(uint32_t address)
{
    return firmware + (address - BASE);
}

static void put(uint32_t address, uint64_t value, size_t bytes)
{
    memcpy(at(address), &value, bytes);
}

static void fix_sum(uint32_t table, uint32_t bytes, uint32_t sum_at)
{
    uint8_t sum = 0;
    *at(table + sum_at) = 0;
    for (uint32_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + *at(table + i));
    *at(table + sum_at) = (uint8_t)-sum;
}

static void table(uint32_t address, const char *signature, uint32_t bytes)
{
    memcpy(at(address), signature, 4);
    put(address + 4, bytes, 4);
    fix_sum(address, bytes, 9);
}

static void fix_rsdp(void)
{
    fix_sum(RSDP, 20, 8);
    fix_sum(RSDP, 36, 32);
}

/* A good machine: XSDT with an MCFG (ECAM at 0xb0000000, buses 0 to 255) and a MADT (ISA interrupt 4 is line 20, level, low). */
static void machine(void)
{
    copies_drop();
    memset(firmware, 0, sizeof(firmware));
    memcpy(at(RSDP), "RSD PTR ", 8);
    *at(RSDP + 15) = 2;
    put(RSDP + 20, 36, 4);
    put(RSDP + 24, ROOT, 8);
    fix_rsdp();
    put(ROOT + 36, MADT, 8);
    put(ROOT + 44, MCFG, 8);
    table(ROOT, "XSDT", 52);
    put(MCFG + 44, 0xb0000000u, 8);
    *at(MCFG + 55) = 255;
    table(MCFG, "MCFG", 60);
    *at(MADT + 44) = 2;
    *at(MADT + 45) = 10;
    *at(MADT + 47) = 4;
    put(MADT + 48, 20, 4);
    put(MADT + 52, 0x0f, 2);
    table(MADT, "APIC", 54);
}

static status_t ecam_status(struct acpi_ecam *ecam)
{
    return acpi_find_ecam(&reader, RSDP, ecam);
}

static void test_acpi_finds_the_ecam(void)
{
    struct acpi_ecam ecam;
    machine();
    CHECK(ecam_status(&ecam) == STATUS_OK);
    CHECK(ecam.base == 0xb0000000u && ecam.segment == 0 && ecam.first_bus == 0 &&
          ecam.last_bus == 255);
}

static void test_acpi_uses_the_rsdt_of_old_firmware(void)
{
    struct acpi_ecam ecam;
    machine();
    *at(RSDP + 15) = 0;
    put(RSDP + 16, ROOT, 4);
    fix_sum(RSDP, 20, 8);
    put(ROOT + 36, MADT, 4);
    put(ROOT + 40, MCFG, 4);
    table(ROOT, "RSDT", 44);
    CHECK(ecam_status(&ecam) == STATUS_OK && ecam.base == 0xb0000000u);
}

static void test_acpi_routes_isa_interrupts(void)
{
    uint32_t line, flags;
    machine();
    acpi_isa_irq(&reader, RSDP, 4, &line, &flags);
    CHECK(line == 20 && flags == 3);
    acpi_isa_irq(&reader, RSDP, 3, &line, &flags);
    CHECK(line == 3 && flags == 0);
    acpi_isa_irq(&reader, 0, 4, &line, &flags);
    CHECK(line == 4 && flags == 0);
}

static void test_acpi_refuses_wrong_checksums(void)
{
    const uint32_t wrong[] = {RSDP + 9, ROOT + 20, MCFG + 20};
    struct acpi_ecam ecam;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        machine();
        *at(wrong[i]) ^= 1;
        CHECK(ecam_status(&ecam) == STATUS_NOT_FOUND);
    }
}

static void test_acpi_refuses_wrong_lengths(void)
{
    const uint32_t lengths[] = {0, 8, 35, 37, 0x401, 0x100000, 0x100001, 0xffffffff};
    struct acpi_ecam ecam;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        machine();
        put(MCFG + 4, lengths[i], 4);
        if (lengths[i] == 37)
            fix_sum(MCFG, 37, 9); /* a right sum, and no room for an entry */
        CHECK(ecam_status(&ecam) != STATUS_OK);
        machine();
        put(ROOT + 4, lengths[i], 4);
        if (lengths[i] == 37)
            fix_sum(ROOT, 37, 9);
        CHECK(ecam_status(&ecam) == STATUS_NOT_FOUND);
    }
}

static void test_acpi_refuses_impossible_ecams(void)
{
    struct acpi_ecam ecam;
    machine();
    put(MCFG + 44, 0xb0001000u, 8);
    fix_sum(MCFG, 60, 9);
    CHECK(ecam_status(&ecam) == STATUS_CORRUPT);
    machine();
    *at(MCFG + 54) = 8;
    *at(MCFG + 55) = 7;
    fix_sum(MCFG, 60, 9);
    CHECK(ecam_status(&ecam) == STATUS_CORRUPT);
}

static void test_acpi_madt_entries_do_not_lead_astray(void)
{
    for (uint32_t length = 0; length < 256; length++) {
        uint32_t line, flags;
        machine();
        *at(MADT + 45) = (uint8_t)length;
        fix_sum(MADT, 54, 9);
        acpi_isa_irq(&reader, RSDP, 4, &line, &flags);
        CHECK(line == (length == 10 ? 20u : 4u));
    }
}

/* Any byte may be anything, with sums that are right again: no read outside of what was mapped, an end in any case. */
static void test_acpi_survives_mutations(void)
{
    uint32_t random = 5;
    for (int i = 0; i < 20000; i++) {
        struct acpi_ecam ecam;
        uint32_t line, flags;
        machine();
        for (int k = 0; k < 3; k++) {
            random = random * 1664525 + 1013904223;
            firmware[(random >> 8) % sizeof(firmware)] = (uint8_t)(random >> 24);
        }
        fix_rsdp();
        fix_sum(ROOT, 52, 9);
        fix_sum(MCFG, 60, 9);
        fix_sum(MADT, 54, 9);
        if (ecam_status(&ecam) == STATUS_OK)
            CHECK(ecam.base % (1u << 20) == 0 && ecam.first_bus <= ecam.last_bus);
        acpi_isa_irq(&reader, RSDP, 4, &line, &flags);
        CHECK(flags <= 3);
    }
    copies_drop();
}

/* --- PCI ---------------------------------------------------------------------------------------------------- */

static _Alignas(4096) uint8_t config[256];
static const struct pci_function function = {.config = config};

static void set(uint32_t offset, uint64_t value, size_t bytes)
{
    memcpy(config + offset, &value, bytes);
}

/* virtio-like: MSI-X at 0x40 behind another capability at 0x50. */
static void device(void)
{
    memset(config, 0, sizeof(config));
    set(0x00, 0x10421af4, 4);
    set(0x06, 0x0010, 2);
    config[0x34] = 0x50;
    set(0x50, 0x4009, 2);
    set(0x40, 0x0011, 2);
    set(0x42, 3, 2);
    set(0x44, 0x2001, 4);
    set(0x48, 0x3001, 4);
}

static void test_pci_finds_capabilities(void)
{
    struct pci_msix msix;
    device();
    CHECK(pci_is_present(&function) && !pci_is_bridge(&function));
    CHECK(pci_find_capability(&function, 0x09) == 0x50 &&
          pci_find_capability(&function, 0x05) == 0);
    CHECK(pci_find_msix(&function, &msix) && msix.capability == 0x40 && msix.vectors == 4);
    CHECK(msix.bar == 1 && msix.table_offset == 0x2000 && msix.pba_bar == 1 &&
          msix.pba_offset == 0x3000);
    set(0x06, 0, 2);
    CHECK(pci_find_capability(&function, 0x09) == 0);
}

static void test_pci_capability_loops_end(void)
{
    device();
    config[0x41] = 0x50;
    CHECK(pci_find_capability(&function, 0x05) == 0);
    config[0x51] = 0x50;
    CHECK(pci_find_capability(&function, 0x05) == 0);
    config[0x34] = 0x04;
    CHECK(pci_find_capability(&function, 0x09) == 0);
    config[0x34] = 0xff;
    CHECK(pci_find_capability(&function, 0x05) == 0);
}

/* What is refused is not there for anybody: a BAR number beyond the last would be an index. */
static void test_pci_refused_msix_is_no_capability(void)
{
    struct pci_msix msix;
    for (uint32_t bar = DEVICE_WINDOWS; bar < 8; bar++) {
        device();
        set(0x44, 0x2000 | bar, 4);
        CHECK(!pci_find_msix(&function, &msix) && msix.capability == 0);
        device();
        set(0x48, 0x3000 | bar, 4);
        CHECK(!pci_find_msix(&function, &msix) && msix.capability == 0);
    }
    device();
    config[0x34] = 0xfc;
    config[0xfc] = PCI_CAP_MSIX;
    CHECK(!pci_find_msix(&function, &msix) && msix.capability == 0);
}

static void test_pci_hides_the_msix_table_from_drivers(void)
{
    const struct pci_bar bar = {.base = 0xfe000000, .bytes = 0x4000};
    struct pci_msix msix = {
        .capability = 0x40, .bar = 1, .table_offset = 0x2000, .pba_bar = 1, .pba_offset = 0x3000};
    CHECK(pci_driver_bytes(&bar, 0, &msix) == 0x4000);
    CHECK(pci_driver_bytes(&bar, 1, &msix) == 0x2000);
    msix.pba_offset = 0x1800;
    CHECK(pci_driver_bytes(&bar, 1, &msix) <= 0x1800);
    msix.pba_offset = 0x2fff0;
    msix.table_offset = 0;
    CHECK(pci_driver_bytes(&bar, 1, &msix) == 0);
}

static void test_pci_sizing_restores_the_bars(void)
{
    struct pci_bar bars[DEVICE_WINDOWS];
    uint8_t before[24];
    device();
    set(0x04, 0x0007, 2);
    set(0x10, 0xc001, 4);
    set(0x14, 0xfe000000, 4);
    set(0x18, 0x0000000c, 4);
    set(0x1c, 0x00000008, 4);
    set(0x24, 0xfe00000c, 4); /* a wide one with no place for its upper half */
    memcpy(before, config + 0x10, sizeof(before));
    pci_size_bars(&function, bars);
    CHECK(memcmp(before, config + 0x10, sizeof(before)) == 0);
    CHECK((config[0x04] & 7) == 3);
    CHECK(bars[0].ports && bars[0].base == 0xc000 && !bars[1].ports && bars[1].base == 0xfe000000);
    CHECK(bars[2].base == 0x800000000ull && bars[3].bytes == 0 && bars[5].base == 0xfe000000);
    /* A reset leaves the kinds and no addresses. */
    set(0x10, 0x1, 4);
    set(0x14, 0, 4);
    set(0x18, 0xc, 4);
    set(0x1c, 0, 4);
    set(0x24, 0xc, 4);
    pci_write_bars(&function, bars);
    struct pci_bar again[DEVICE_WINDOWS];
    pci_read_bars(&function, again);
    for (uint32_t i = 0; i < DEVICE_WINDOWS; i++)
        CHECK(bars[i].bytes == 0 ||
              (again[i].base == bars[i].base && again[i].ports == bars[i].ports));
}

static void test_pci_mastering_is_off_when_disabled(void)
{
    device();
    pci_enable(&function, true, false);
    CHECK((config[4] & 7) == 7 && (config[5] & 4) == 4);
    pci_enable(&function, false, false);
    CHECK((config[4] & 7) == 3);
    pci_enable(&function, true, false);
    pci_disable(&function);
    CHECK((config[4] & 7) == 0);
}

static void test_pci_survives_random_configurations(void)
{
    uint32_t random = 9;
    for (int i = 0; i < 20000; i++) {
        struct pci_bar bars[DEVICE_WINDOWS];
        struct pci_msix msix;
        for (size_t k = 0; k < sizeof(config); k++) {
            random = random * 1664525 + 1013904223;
            config[k] = (uint8_t)(random >> 24);
        }
        config[6] |= 0x10;
        if (i % 2 != 0) {
            config[0x34] = 0xc4;
            config[0xc4] = PCI_CAP_MSIX;
        }
        pci_size_bars(&function, bars);
        if (pci_find_msix(&function, &msix)) {
            CHECK(msix.bar < DEVICE_WINDOWS && msix.pba_bar < DEVICE_WINDOWS &&
                  msix.vectors <= 2048);
            CHECK(pci_driver_bytes(&bars[msix.bar], msix.bar, &msix) <= bars[msix.bar].bytes);
        } else {
            CHECK(msix.capability == 0);
        }
        (void)pci_reset(&function);
    }
}

int main(void)
{
    static const struct test tests[] = {
        TEST(test_acpi_finds_the_ecam),
        TEST(test_acpi_uses_the_rsdt_of_old_firmware),
        TEST(test_acpi_routes_isa_interrupts),
        TEST(test_acpi_refuses_wrong_checksums),
        TEST(test_acpi_refuses_wrong_lengths),
        TEST(test_acpi_refuses_impossible_ecams),
        TEST(test_acpi_madt_entries_do_not_lead_astray),
        TEST(test_acpi_survives_mutations),
        TEST(test_pci_finds_capabilities),
        TEST(test_pci_capability_loops_end),
        TEST(test_pci_refused_msix_is_no_capability),
        TEST(test_pci_hides_the_msix_table_from_drivers),
        TEST(test_pci_sizing_restores_the_bars),
        TEST(test_pci_mastering_is_off_when_disabled),
        TEST(test_pci_survives_random_configurations),
        TEST(test_tree_of_aarch64),
        TEST(test_tree_of_riscv64),
        TEST(test_tree_survives_mutations),
        TEST(test_host_gives_what_nobody_has),
        TEST(test_host_gives_high_addresses_to_wide_bars_only),
        TEST(test_host_translates),
        TEST(test_bridge_windows_are_whole_megabytes),
        {0},
    };
    return run_tests(tests);
}
