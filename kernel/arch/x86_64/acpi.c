/* The two static ACPI tables that the kernel needs itself: MADT (CPUs, I/O APICs, how ISA lines are connected) and FADT (the reset
 * register). Everything else of ACPI is devmgr's.
 *
 * The tables are input: signatures, lengths and checksums are checked, and no entry is read beyond its table's end. Without usable tables
 * the machine has one CPU and no interrupt lines. Section numbers are ACPI 6.5's. */
#include <arch.h>
#include <kstring.h>

#include "layout.h"
#include "local.h"

#define TABLE_BYTES_MAX (1u << 20)
#define RSDP_BYTES_1 20u
#define RSDP_BYTES_2 36u

/* 5.2.5.3 */
struct __attribute__((packed)) rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t bytes;
    uint64_t xsdt;
    uint8_t extended_checksum;
    uint8_t reserved[3];
};
_Static_assert(sizeof(struct rsdp) == RSDP_BYTES_2, "RSDP");

/* 5.2.6 */
struct __attribute__((packed)) header {
    char signature[4];
    uint32_t bytes;
    uint8_t revision;
    uint8_t checksum;
    char oem[6];
    char oem_table[8];
    uint32_t oem_revision;
    uint32_t creator;
    uint32_t creator_revision;
};
_Static_assert(sizeof(struct header) == 36, "ACPI table header");

/* 5.2.12 */
#define MADT_APIC_BASE 36u
#define MADT_ENTRIES 44u
enum madt_type {
    MADT_APIC = 0,
    MADT_IOAPIC = 1,
    MADT_OVERRIDE = 2,
    MADT_APIC_ADDRESS = 5,
    MADT_X2APIC = 9
};
#define MADT_ENABLED 1u
#define MADT_ONLINE_CAPABLE 2u

/* 5.2.9: offsets in the FADT */
#define FADT_FLAGS 112u
#define FADT_RESET_REGISTER 116u
#define FADT_RESET_VALUE 128u
#define FADT_RESET_SUPPORTED (1u << 10)
#define ADDRESS_SPACE_PORT 1u

uint16_t acpi_reset_port;
uint8_t acpi_reset_value;
struct ioapic ioapics[IOAPIC_MAX];
uint32_t ioapic_count;
uint32_t acpi_apic_ids[CPU_MAX];
uint32_t acpi_cpu_count;
paddr_t acpi_apic_base;
struct line_override isa_overrides[ISA_LINES];

static INIT_TEXT uint64_t read_le(const uint8_t *from, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

static INIT_TEXT bool checksum_is_good(const uint8_t *table, size_t bytes)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + table[i]);
    return sum == 0;
}

/** Map the table at @base and check it. NULL if it is malformed. */
static INIT_TEXT const struct header *table_map(paddr_t base)
{
    const struct header *head = kernelmap_device(base, sizeof(struct header));

    if (head == NULL || head->bytes < sizeof(struct header) || head->bytes > TABLE_BYTES_MAX)
        return NULL;
    uint32_t bytes = head->bytes;
    const struct header *table = kernelmap_device(base, bytes);

    if (table == NULL || table->bytes != bytes ||
        !checksum_is_good((const uint8_t *)table, bytes)) {
        klog("acpi: table at %#llx is malformed", (unsigned long long)base);
        return NULL;
    }
    return table;
}

/* ── MADT ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static INIT_TEXT void cpu_found(uint32_t id, uint32_t flags)
{
    /* Online-capable ones may be plugged in later: they are not there now. */
    if ((flags & MADT_ENABLED) && acpi_cpu_count < CPU_MAX)
        acpi_apic_ids[acpi_cpu_count++] = id;
}

static void override_found(const uint8_t *entry)
{
    uint8_t source = entry[3];
    uint32_t flags = (uint32_t)read_le(entry + 8, 2);

    if (entry[2] != 0 || source >= ISA_LINES) /* bus 0 is ISA */
        return;
    /* Polarity 3 is active low, trigger 3 is level; "as the bus has it" is high and edge for ISA. */
    isa_overrides[source] = (struct line_override){.line = (uint32_t)read_le(entry + 4, 4),
                                                   .active_low = (flags & 3) == 3,
                                                   .level = (flags >> 2 & 3) == 3};
}

static void ioapic_found(const uint8_t *entry)
{
    if (ioapic_count == IOAPIC_MAX)
        return;
    ioapics[ioapic_count++] = (struct ioapic){.base = (paddr_t)read_le(entry + 4, 4),
                                              .first_line = (uint32_t)read_le(entry + 8, 4)};
}

static void madt_entry(const uint8_t *entry, uint8_t bytes)
{
    switch (entry[0]) {
    case MADT_APIC:
        if (bytes >= 8)
            cpu_found(entry[3], (uint32_t)read_le(entry + 4, 4));
        break;
    case MADT_X2APIC:
        if (bytes >= 16)
            cpu_found((uint32_t)read_le(entry + 4, 4), (uint32_t)read_le(entry + 8, 4));
        break;
    case MADT_IOAPIC:
        if (bytes >= 12)
            ioapic_found(entry);
        break;
    case MADT_OVERRIDE:
        if (bytes >= 10)
            override_found(entry);
        break;
    case MADT_APIC_ADDRESS:
        if (bytes >= 12)
            acpi_apic_base = read_le(entry + 4, 8);
        break;
    default:
        break;
    }
}

static void madt_read(const struct header *table)
{
    const uint8_t *bytes = (const uint8_t *)table;
    uint32_t at = MADT_ENTRIES;

    if (table->bytes < MADT_ENTRIES)
        return;
    acpi_apic_base = read_le(bytes + MADT_APIC_BASE, 4);
    while (table->bytes - at >= 2) {
        uint8_t length = bytes[at + 1];

        if (length < 2 || length > table->bytes - at) {
            klog("acpi: MADT entry at %u has a bad length", at);
            return;
        }
        madt_entry(bytes + at, length);
        at += length;
    }
}

/* ── FADT and the tables' table ───────────────────────────────────────────────────────────────────────────────────── */

static void fadt_read(const struct header *table)
{
    const uint8_t *bytes = (const uint8_t *)table;

    if (table->bytes <= FADT_RESET_VALUE ||
        !(read_le(bytes + FADT_FLAGS, 4) & FADT_RESET_SUPPORTED) ||
        bytes[FADT_RESET_REGISTER] != ADDRESS_SPACE_PORT)
        return;
    uint64_t port = read_le(bytes + FADT_RESET_REGISTER + 4, 8);

    if (port <= UINT16_MAX) {
        acpi_reset_port = (uint16_t)port;
        acpi_reset_value = bytes[FADT_RESET_VALUE];
    }
}

static void root_read(const struct header *root, unsigned entry_bytes)
{
    const uint8_t *bytes = (const uint8_t *)root;
    bool madt_seen = false;

    for (uint32_t at = sizeof(struct header); root->bytes - at >= entry_bytes; at += entry_bytes) {
        const struct header *head =
            kernelmap_device(read_le(bytes + at, entry_bytes), sizeof(struct header));
        bool madt = head != NULL && memcmp(head->signature, "APIC", 4) == 0;
        bool fadt = head != NULL && memcmp(head->signature, "FACP", 4) == 0;

        if (!(madt && !madt_seen) && !fadt)
            continue;
        const struct header *table = table_map(read_le(bytes + at, entry_bytes));

        if (table == NULL)
            continue;
        madt_seen |= madt;
        if (madt)
            madt_read(table);
        else
            fadt_read(table);
    }
}

INIT_TEXT void acpi_read(paddr_t base)
{
    for (uint32_t i = 0; i < ISA_LINES; i++)
        isa_overrides[i] = (struct line_override){.line = i};
    const struct rsdp *rsdp = base != 0 ? kernelmap_device(base, sizeof(struct rsdp)) : NULL;

    if (rsdp == NULL || memcmp(rsdp->signature, "RSD PTR ", 8) != 0 ||
        !checksum_is_good((const uint8_t *)rsdp, RSDP_BYTES_1)) {
        klog("acpi: no root pointer");
        return;
    }
    bool extended = rsdp->revision >= 2 && rsdp->xsdt != 0 &&
                    checksum_is_good((const uint8_t *)rsdp, RSDP_BYTES_2);
    const struct header *root = table_map(extended ? rsdp->xsdt : rsdp->rsdt);

    if (root != NULL)
        root_read(root, extended ? 8 : 4);
}
