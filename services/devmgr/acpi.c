/* See acpi.h. */
#include "acpi.h"

#include <string.h>

#define HEADER_BYTES 36u
#define TABLE_BYTES_MAX (1u << 20)
#define TABLES_MAX 256u

/* Tables are byte streams without alignment. */
static uint16_t get16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static bool sums_to_zero(const uint8_t *data, size_t bytes)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + data[i]);
    return sum == 0;
}

/* The table at @base, whole and with a right checksum; NULL otherwise. */
static const uint8_t *table_at(const struct acpi_reader *r, uint64_t base, uint32_t *bytes)
{
    const uint8_t *header = base == 0 ? NULL : r->map(r->context, base, HEADER_BYTES);
    if (header == NULL)
        return NULL;
    *bytes = get32(header + 4);
    if (*bytes < HEADER_BYTES || *bytes > TABLE_BYTES_MAX)
        return NULL;
    const uint8_t *table = r->map(r->context, base, *bytes);
    return table != NULL && get32(table + 4) == *bytes && sums_to_zero(table, *bytes) ? table
                                                                                      : NULL;
}

/* RSDP (5.2.5.3): revision 2 has the XSDT, with 64-bit entries; revision 0 the RSDT with 32-bit ones. */
static const uint8_t *root_table(const struct acpi_reader *r, uint64_t rsdp, uint32_t *bytes,
                                 uint32_t *entry_bytes)
{
    const uint8_t *root = rsdp == 0 ? NULL : r->map(r->context, rsdp, 20);
    if (root == NULL || memcmp(root, "RSD PTR ", 8) != 0 || !sums_to_zero(root, 20))
        return NULL;
    if (root[15] >= 2) {
        root = r->map(r->context, rsdp, 36);
        if (root != NULL && sums_to_zero(root, 36) && get64(root + 24) != 0) {
            *entry_bytes = 8;
            return table_at(r, get64(root + 24), bytes);
        }
    }
    root = r->map(r->context, rsdp, 20);
    *entry_bytes = 4;
    return root == NULL ? NULL : table_at(r, get32(root + 16), bytes);
}

static const uint8_t *find_table(const struct acpi_reader *r, uint64_t rsdp, const char *signature,
                                 uint32_t *bytes)
{
    uint32_t root_bytes, entry_bytes;
    const uint8_t *root = root_table(r, rsdp, &root_bytes, &entry_bytes);
    if (root == NULL)
        return NULL;
    uint32_t count = (root_bytes - HEADER_BYTES) / entry_bytes;
    for (uint32_t i = 0; i < count && i < TABLES_MAX; i++) {
        const uint8_t *entry = root + HEADER_BYTES + i * entry_bytes;
        const uint8_t *table = table_at(r, entry_bytes == 8 ? get64(entry) : get32(entry), bytes);
        if (table != NULL && memcmp(table, signature, 4) == 0)
            return table;
    }
    return NULL;
}

status_t acpi_find_ecam(const struct acpi_reader *r, uint64_t rsdp, struct acpi_ecam *ecam)
{
    uint32_t bytes;
    const uint8_t *mcfg = find_table(r, rsdp, "MCFG", &bytes);
    if (mcfg == NULL)
        return STATUS_NOT_FOUND;
    if (bytes < HEADER_BYTES + 8 + 16)
        return STATUS_CORRUPT;
    const uint8_t *entry = mcfg + HEADER_BYTES + 8;
    *ecam = (struct acpi_ecam){.base = get64(entry),
                               .segment = get16(entry + 8),
                               .first_bus = entry[10],
                               .last_bus = entry[11]};
    bool good =
        ecam->base % (1u << 20) == 0 && ecam->base != 0 && ecam->first_bus <= ecam->last_bus;
    return good ? STATUS_OK : STATUS_CORRUPT;
}

/* MPS INTI flags (5.2.12.5): polarity in bits 0-1, trigger in bits 2-3; 0 means as the bus does: edge, active high. */
static uint32_t inti_flags(uint16_t flags)
{
    uint32_t level = (flags >> 2 & 3) == 3, low = (flags & 3) == 3;
    return level | low << 1;
}

void acpi_isa_irq(const struct acpi_reader *r, uint64_t rsdp, uint8_t irq, uint32_t *line,
                  uint32_t *flags)
{
    uint32_t bytes;
    const uint8_t *madt = find_table(r, rsdp, "APIC", &bytes);
    *line = irq;
    *flags = 0;
    if (madt == NULL)
        return;
    for (uint32_t at = HEADER_BYTES + 8;
         at + 2 <= bytes && madt[at + 1] >= 2 && madt[at + 1] <= bytes - at; at += madt[at + 1]) {
        if (madt[at] == 2 && madt[at + 1] >= 10 && madt[at + 3] == irq) {
            *line = get32(madt + at + 4);
            *flags = inti_flags(get16(madt + at + 8));
            return;
        }
    }
}
