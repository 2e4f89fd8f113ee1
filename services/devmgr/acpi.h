#pragma once
/* ACPI static tables (ACPI 6.4, chapter 5): what devmgr needs of them. Every table is firmware's word: lengths are checked against what
 * was mapped, checksums must be right. No AML is interpreted. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <veridian/abi.h>

/** Gives @bytes of physical memory at @base for reading, or NULL. What it gave stays valid. */
typedef const void *(*acpi_map)(void *context, uint64_t base, uint64_t bytes);

struct acpi_reader {
    acpi_map map;
    void *context;
};

/** A stretch of configuration space (PCI Firmware 3.3, 4.1.2). */
struct acpi_ecam {
    uint64_t base;
    uint16_t segment;
    uint8_t first_bus, last_bus;
};

/** The first segment of the MCFG. NOT_FOUND; CORRUPT. */
MUST_CHECK status_t acpi_find_ecam(const struct acpi_reader *reader, uint64_t rsdp,
                                   struct acpi_ecam *ecam);

/** Where ISA interrupt @irq goes: the global line and the flags of sys_interrupt_create (ACPI 6.4, 5.2.12.5); the identity if the MADT says
 *  nothing of it. */
void acpi_isa_irq(const struct acpi_reader *reader, uint64_t rsdp, uint8_t irq, uint32_t *line,
                  uint32_t *flags);
