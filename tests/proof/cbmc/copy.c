/* The kernel's copies from and to users' memory (kernel/mm/aspace_copy.c): any address, tables that give or refuse any page at any time.
 * proves: to and from the kernel: bytes go in order, each from or to the frame that the tables gave for its page with that access, never past a page, a buffer or what was asked; what is told was copied; OK means all
 * bounds: up to 8,194 bytes (4 parts) at any address; large leaves of 2 pages
 * options: --unwind 6 --unsigned-overflow-check
 * scaled: kernel/include/mm/pt512.h :: s/ARCH_PT_INDEX_BITS 9u/ARCH_PT_INDEX_BITS 1u/ :: a large leaf is 2 pages
 * fault: kernel/mm/aspace_copy.c :: s/MIN\(left, PAGE_SIZE - .*\)\)\);/MIN(left, PAGE_SIZE);/ :: a part goes past its page
 * fault: kernel/mm/aspace_copy.c :: s/\(access \& ~arch_pte_flags\(entry\)\) != 0 \|\| // :: what may only be read is written
 * fault: kernel/mm/aspace_copy.c :: s/ \|\| arch_pte_is_device\(entry\)// :: a device's registers are taken for memory
 * fault: kernel/mm/aspace_copy.c :: s/address < ARCH_USER_START \|\| address >= ARCH_USER_END/address < ARCH_USER_START/ :: the kernel's own addresses are looked up
 * fault: kernel/mm/aspace_copy.c :: s/\(arch_pt_span\(level\) - 1\)/(arch_pt_span(1) - 1)/ :: a small leaf is taken for a large one
 * fault: kernel/mm/aspace_copy.c :: s/\(char \*\)to \+ copied, NULL/(char *)to, NULL/ :: all parts go to the buffer's beginning
 * fault: kernel/mm/aspace_copy.c :: s/^        \*done = copied;/        *done = bytes;/ :: all is said to be copied after a fault in the middle
 */
#define BYTES_MAX 8194u
#include "copy.h"

int main(void)
{
    size_t done = 0;
    status_t status;
    sides_make();
    near.is_kernel = true;
    near.writes = any_bool();
    far.writes = !near.writes;
    if (near.writes)
        status = aspace_copy_in(&far.aspace, &self, buffer, far.address, asked, &done);
    else
        status = aspace_copy_out(&far.aspace, &self, far.address, buffer, asked, &done);
    check_end(status, done);
    return 0;
}
