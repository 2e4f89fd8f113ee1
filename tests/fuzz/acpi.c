/* libFuzzer target of devmgr's reader of ACPI tables: physical memory is the input, from 0 on, and nothing else can be mapped. The checksums of
 * tables are made right where the input asks for it, in its first byte; else none would ever be read. */
#include "target.h"

#include <acpi.h>

struct memory {
    uint8_t *at;
    size_t bytes;
};

static const void *map(void *context, uint64_t base, uint64_t bytes)
{
    const struct memory *memory = context;
    return base <= memory->bytes && bytes <= memory->bytes - base ? memory->at + base : NULL;
}

/* Byte @sum_at of the table of @bytes at @start makes their sum 0. */
static void seal(struct memory *memory, size_t start, size_t bytes, size_t sum_at)
{
    uint8_t sum = 0;
    if (start > memory->bytes || bytes > memory->bytes - start || sum_at >= bytes)
        return;
    memory->at[start + sum_at] = 0;
    for (size_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + memory->at[start + i]);
    memory->at[start + sum_at] = (uint8_t)-sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memory memory = {.bytes = size};
    struct acpi_reader reader = {.map = map, .context = &memory};
    struct acpi_ecam ecam;
    uint32_t line, flags, length;
    if (size < 64)
        return 0;
    memory.at = malloc(size);
    HOLDS(memory.at != NULL);
    memcpy(memory.at, data, size);
    /* Tables begin at multiples of 64 from 64 on, the root pointer at 16. */
    for (size_t at = 64; at + 36 <= size && (data[0] & 1) != 0; at += 64) {
        memcpy(&length, memory.at + at + 4, sizeof(length));
        seal(&memory, at, length, 9);
    }
    if ((data[0] & 2) != 0) {
        seal(&memory, 16, 20, 8);
        seal(&memory, 16, 36, 32);
    }
    if (acpi_find_ecam(&reader, 16, &ecam) == STATUS_OK)
        HOLDS(ecam.last_bus >= ecam.first_bus);
    for (uint8_t irq = 0; irq < 16; irq++)
        acpi_isa_irq(&reader, 16, irq, &line, &flags);
    free(memory.at);
    return 0;
}
