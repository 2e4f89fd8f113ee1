/* Address to function name, by binary search in the table that the second link carries. */
#include <ksyms.h>
#include <stddef.h>

const char *ksym_name(uint64_t address, uint64_t *offset)
{
    uint64_t low = 0;
    uint64_t high = ksyms_count;

    /* Invariant: every record below low starts at or before the address, every record from high on after it. */
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (ksyms_table[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0) {
        *offset = 0;
        return NULL;
    }
    *offset = address - ksyms_table[low - 1].address;
    return ksyms_names + ksyms_table[low - 1].name_offset;
}
