#pragma once
/* What the architectures' boot paths share: the lists of RAM in boot_info, and the readers that fill it, of the flattened device tree and
 * of what the UEFI loader hands over.
 *
 * All runs on the boot CPU before kernel_main, without heap, log or locks; it panics, saying what is wrong, on what cannot be booted.
 * What is read through a node is the firmware's word: numbers are checked to be there, not to make sense. */
#include "arch.h"

/** [@base, @end) is RAM: its whole pages. Panics if it overlaps what is listed; what touches is one range, more ranges than fit are not
 *  used. */
void boot_ram_add(uint64_t base, uint64_t end);
/** No page that [@base, @end) touches is RAM that may be used. */
void boot_ram_subtract(uint64_t base, uint64_t end);
/** The pages that [@base, @end) touches are RAM and in use for good. */
void boot_reserve(uint64_t base, uint64_t end);

/** Is @word one of the command line's? */
bool boot_word(const char *word);

/** One more CPU, which the hardware calls @arch_id: its stacks, and @arch_bytes of the architecture's own, zeroed. NULL, which the log
 *  says: no memory for it, or there are CPU_MAX. */
struct cpu *boot_cpu_add(uint32_t arch_id, size_t arch_bytes);
/** The interrupt controllers know @cpu as @name. A second name for a CPU, or a second CPU for a name, is not taken. */
void boot_cpu_name(struct cpu *cpu, uint32_t name);
/** The CPU that they know as @name, NULL: none. It takes no more steps than a name has bits. */
struct cpu *boot_cpu_named(uint32_t name);

/** A node of the device tree. */
struct boot_fdt_node {
    int offset;
};

/** Read the device tree at @fdt, which is in the direct map: all of boot_info but acpi_rsdp and what kernelmap_image() says. What it reserves is taken
 *  out of boot_info.ram; itself and the boot archive are reserved. */
void boot_fdt_read(paddr_t fdt);
/** The same for a boot path that has memory, command line and archive from elsewhere: only fdt, fdt_bytes and what the tree adds to seed. What it
 *  reserves is taken out of boot_info.ram, which must be there: the firmware's own memory map need not know of what ran before it. */
void boot_fdt_attach(paddr_t fdt);

/** Is what the loader gave the block of handoff.h? Its first page must be in the direct map. */
MUST_CHECK bool boot_handoff_is_at(paddr_t base);
/** Its size as it says itself, for who has to map it. */
uint32_t boot_handoff_bytes(paddr_t base);
/** Read the block, which is in the direct map: all of boot_info but what kernelmap_image() says. The image and what the architecture needs are not
 *  reserved yet. */
void boot_handoff_read(paddr_t base);

/* After boot_fdt_read or boot_fdt_attach. False: there is none, or it is malformed. Nodes that are not enabled are not there. */

/** The node at @path, "/cpus" for one. */
MUST_CHECK bool boot_fdt_path(const char *path, struct boot_fdt_node *node);
/** The @index-th node, in the tree's order, that is @compatible. */
MUST_CHECK bool boot_fdt_find(const char *compatible, uint32_t index, struct boot_fdt_node *node);
/** The node called @name, or @name@address, in @parent. */
MUST_CHECK bool boot_fdt_child(const struct boot_fdt_node *parent, const char *name,
                               struct boot_fdt_node *node);
/** The @index-th CPU, and what the hardware calls it. One step each when asked for in order. */
MUST_CHECK bool boot_fdt_cpu(uint32_t index, struct boot_fdt_node *node, uint64_t *hardware_id);
/** The @index-th register block as the CPUs see it: through the ranges of the buses above. */
MUST_CHECK bool boot_fdt_reg(const struct boot_fdt_node *node, uint32_t index, paddr_t *base,
                             uint64_t *bytes);
/** The @index-th 32-bit cell of @property. */
MUST_CHECK bool boot_fdt_cell(const struct boot_fdt_node *node, const char *property,
                              uint32_t index, uint32_t *value);
/** The first cell of @property, or @otherwise. */
uint32_t boot_fdt_u32(const struct boot_fdt_node *node, const char *property, uint32_t otherwise);
/** The (first) string of @property. */
MUST_CHECK bool boot_fdt_string(const struct boot_fdt_node *node, const char *property,
                                const char **text);
