/* Names of kernel functions, for backtraces.
 *
 * tools/ksyms makes the table from the symbols of a first link and the second link carries it (mk/kernel.mk). It is
 * read-only data, sorted by address; the lookup takes no lock and touches nothing else, so that a panic can use it. */
#pragma once

#include <stdint.h>

/** A function: its first address, and where its name begins in ksyms_names. */
struct ksym {
    uint64_t address;
    uint64_t name_offset;
};

extern const struct ksym ksyms_table[];
extern const uint64_t ksyms_count;
extern const char ksyms_names[];

/** The name of the function that @address is in, and in @offset how many bytes into it. Returns NULL, and 0 in @offset,
 * for an address below the first function. Callable in any state, panic included. */
const char *ksym_name(uint64_t address, uint64_t *offset);
