/* Copies between two address spaces (kernel/mm/aspace_copy.c), as messages' grants are copied: any addresses, tables that give or refuse any page at any time.
 * proves: between address spaces: bytes go in order, each from or to the frame that the tables gave for its page with that access, never past a page, a buffer or what was asked; what is told was copied; OK means all
 * bounds: up to 4,097 bytes (3 parts) at any two addresses; large leaves of 2 pages
 * options: --unwind 4 --unsigned-overflow-check
 * slow: half a minute
 * scaled: kernel/include/mm/pt512.h :: s/ARCH_PT_INDEX_BITS 9u/ARCH_PT_INDEX_BITS 1u/ :: a large leaf is 2 pages
 * fault: kernel/mm/aspace_copy.c :: s/from_address \+ copied, MAP_READ/from_address, MAP_READ/ :: the first page is read again and again
 * fault: kernel/mm/aspace_copy.c :: s/to_address \+ copied, MAP_WRITE/to_address + copied, MAP_READ/ :: the other side is asked for the wrong access
 * fault: kernel/mm/aspace_copy.c :: s/size_t part = MIN\(part_of\(to_address \+ copied, bytes - copied\),/size_t part = MAX(part_of(to_address + copied, bytes - copied),/ :: a part goes past the page of one side
 * fault: kernel/mm/aspace_copy.c :: s/bytes_copy\(\(char \*\)phys_to_virt\(target\) \+ \(\(to_address/bytes_copy((char *)phys_to_virt(target) + ((from_address/ :: one side's place in its page is taken for the other's
 * fault: kernel/mm/aspace_copy.c :: s/^        \*done = copied;/        *done = bytes;/ :: all is said to be copied after a fault in the middle
 */
#define BYTES_MAX 4097u
#include "copy.h"

int main(void)
{
    size_t done = 0;
    sides_make();
    near.writes = true;
    status_t status =
        aspace_copy(&near.aspace, near.address, &far.aspace, far.address, asked, &done);
    check_end(status, done);
    return 0;
}
