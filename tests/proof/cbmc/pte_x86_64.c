/* Page-table entries of x86_64 (kernel/arch/x86_64/include/arch_pte.h).
 * proves: x86_64: an entry names its frame and gives the access that it was made with, to whom; of what type of memory; tables and leaves are told apart; indices stay inside
 * bounds: any frame below 2^48, access, level and address
 * options: --unwind 2 --unsigned-overflow-check
 * arch: x86_64
 * fault: kernel/arch/x86_64/include/arch_pte.h :: s/if \(!\(flags \& MAP_EXECUTE\)\)/if (false)/ :: all is executable
 * fault: kernel/arch/x86_64/include/arch_pte.h :: s/if \(level > 0\)/if (level > 1)/ :: a large leaf is taken for a table
 * fault: kernel/arch/x86_64/include/arch_pte.h :: s/0x000ffffffffff000ull/0x00000ffffffff000ull/ :: an address is cut
 * fault: kernel/include/mm/pt512.h :: s/\(ARCH_PT_ENTRIES - 1\)/ARCH_PT_ENTRIES/ :: an index behind the table
 */
#include <arch_pt.h>

/* Intel SDM vol. 3, 4.6: the user bit, the write bit, no execute-disable; SMEP keeps the kernel from the user's pages. */
static bool may_user(pte_t entry, uint32_t access)
{
    bool may = (entry & 5) == 5;
    return access == MAP_WRITE ? may && (entry & 2) != 0
                               : may && (access != MAP_EXECUTE || entry >> 63 == 0);
}

static bool may_kernel_execute(pte_t entry)
{
    return (entry & 4) == 0 && entry >> 63 == 0;
}

/* 4.9: by the PAT as it is after reset, entry 0 is write-back, 3 is uncacheable. */
static bool has_type(pte_t entry, bool device)
{
    return (entry >> 3 & 3) == (device ? 3 : 0);
}

#include "pte.h"

int main(void)
{
    prove_entries();
    return 0;
}
