#pragma once
/* Reading a flattened device tree (Devicetree Specification 0.4) on top of libfdt: for the kernel and for devmgr.
 *
 * A tree that dt_check() accepts can be read without leaving it, however wrong what it says. What it says is checked where it is used: a
 * property may be missing, too short, or of addresses that do not fit. Nodes are libfdt's offsets. */
#include <libfdt.h>
#include <stdbool.h>
#include <stdint.h>

#define DT_BYTES_MAX (2u << 20)

/** What is wrong with the blob at @tree, of which all that its header says can be read, or NULL: every offset, length, nesting was looked at. */
const char *dt_check(const void *tree);

/** Neither the node nor what it says is to be used if not (2.3.4). */
bool dt_is_enabled(const void *tree, int node);
/** The (first) string of @property, or NULL. */
const char *dt_string(const void *tree, int node, const char *property);
bool dt_string_is(const void *tree, int node, const char *property, const char *wanted);

/** The 32-bit cells of a property that were not taken yet. */
struct dt_cells {
    const fdt32_t *at;
    int count;
};
/** False, and no cells: there is no such property. */
bool dt_cells(const void *tree, int node, const char *property, struct dt_cells *cells);
/** Take a number of @width cells: none (0), one or two. False: there are not so many. */
bool dt_take(struct dt_cells *cells, int width, uint64_t *value);
/** The first cell of @property, or @otherwise. */
uint32_t dt_u32(const void *tree, int node, const char *property, uint32_t otherwise);

/** Register block @index of @node as the CPUs see it: through the `ranges` of the buses above (2.3.6, 2.3.8). False: there is none, or it
 *  cannot be seen. Buses with an addressing of their own (more than two cells: PCI) are not looked through. */
bool dt_registers(const void *tree, int node, uint32_t index, uint64_t *base, uint64_t *bytes);
/** An address among the children of @bus becomes one of the CPUs'. */
bool dt_translate(const void *tree, int bus, uint64_t *address, uint64_t bytes);
