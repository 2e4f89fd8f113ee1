/* Page-table entries of AArch64 (kernel/arch/aarch64/include/arch_pt.h).
 * proves: AArch64: an entry names its frame and gives the access that it was made with, to whom; of what type of memory; tables and leaves are told apart; indices stay inside
 * bounds: any frame below 2^48, access, level and address
 * options: --unwind 2 --unsigned-overflow-check
 * arch: aarch64
 * fault: kernel/arch/aarch64/include/arch_pt.h :: s/PTE_USER \| PTE_NOT_GLOBAL \| PTE_KERNEL_NO_EXECUTE/PTE_USER | PTE_NOT_GLOBAL/ :: the kernel executes what is the user's
 * fault: kernel/arch/aarch64/include/arch_pt.h :: s/if \(!\(flags \& MAP_WRITE\)\)/if (false)/ :: all is writable
 * fault: kernel/arch/aarch64/include/arch_pt.h :: s/if \(level == 0\)$/if (true)/ :: a large leaf is taken for a table
 * fault: kernel/arch/aarch64/include/arch_pt.h :: s/pte \|= user \? PTE_USER_NO_EXECUTE : PTE_KERNEL_NO_EXECUTE;/pte |= PTE_KERNEL_NO_EXECUTE;/ :: all of the user's is executable
 */
#include <arch_pt.h>

/* Arm ARM D8.4: AP[1] lets the user in, AP[2] keeps writes out, UXN and PXN keep each from executing. */
static bool may_user(pte_t entry, uint32_t access)
{
    bool may = (entry & 1) != 0 && (entry >> 6 & 1) != 0;
    return access == MAP_WRITE ? may && (entry >> 7 & 1) == 0
                               : may && (access != MAP_EXECUTE || (entry >> 54 & 1) == 0);
}

static bool may_kernel_execute(pte_t entry)
{
    return (entry >> 53 & 1) == 0;
}

/* D8.5: the index into MAIR_EL1, of which boot.S makes 0 normal memory and 1 a device. */
static bool has_type(pte_t entry, bool device)
{
    return (entry >> 2 & 7) == (device ? 1 : 0);
}

#include "pte.h"

int main(void)
{
    prove_entries();
    return 0;
}
