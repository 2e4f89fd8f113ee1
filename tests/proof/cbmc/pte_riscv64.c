/* Page-table entries of RISC-V (kernel/arch/riscv64/include/arch_pt.h).
 * proves: RISC-V: an entry names its frame and gives the access that it was made with, to whom; of what type of memory; tables and leaves are told apart; indices stay inside
 * bounds: any frame below 2^48, access, level and address, with Svpbmt or without
 * options: --unwind 2 --unsigned-overflow-check
 * arch: riscv64
 * fault: kernel/arch/riscv64/include/arch_pt.h :: s/if \(flags \& MAP_WRITE\)/if (true)/ :: all is writable
 * fault: kernel/arch/riscv64/include/arch_pt.h :: s/pte \|= user \? PTE_USER : PTE_GLOBAL;/pte |= PTE_USER;/ :: the kernel's pages are the user's
 * fault: kernel/arch/riscv64/include/arch_pt.h :: s/return table >> PAGE_SHIFT << PTE_PPN_SHIFT \| PTE_VALID;/return table >> PAGE_SHIFT << PTE_PPN_SHIFT | PTE_VALID | PTE_READ;/ :: a table is taken for a leaf
 * fault: kernel/arch/riscv64/include/arch_pt.h :: s/PTE_PPN_SHIFT 10u/PTE_PPN_SHIFT 9u/ :: a frame's number is put in the wrong place
 * fault: kernel/arch/riscv64/include/arch_pt.h :: s/PTE_IO \(2ull/PTE_IO (1ull/ :: writes to devices are merged (type NC)
 * fault: kernel/arch/riscv64/include/arch_pt.h :: s/^    if \(device\)$/    if (!user)/ :: the kernel's memory is of type IO, too
 */
#include <arch_pt.h>

unsigned arch_pt_levels = 4;
uint64_t arch_direct_map_base, arch_user_end;
uint64_t arch_pte_device_bits = PTE_DEVICE;
static bool svpbmt;

/* Privileged specification, 4.4.1: R, W, X, U; the kernel never executes what is the user's. */
static bool may_user(pte_t entry, uint32_t access)
{
    bool may = (entry & 1) != 0 && (entry >> 4 & 1) != 0;
    unsigned bit = access == MAP_READ ? 1 : access == MAP_WRITE ? 2 : 3;
    return may && (entry >> bit & 1) != 0;
}

static bool may_kernel_execute(pte_t entry)
{
    return (entry >> 3 & 1) != 0 && (entry >> 4 & 1) == 0;
}

/* Chapter 6: type 2 is IO, 0 that of the physical address. Without Svpbmt the bits are reserved, as is bit 63. */
static bool has_type(pte_t entry, bool device)
{
    return entry >> 61 == (device && svpbmt ? 2 : 0);
}

#include "pte.h"

int main(void)
{
    svpbmt = any_bool();
    if (svpbmt)
        arch_pte_device_bits |= PTE_IO;
    prove_entries();
    return 0;
}
