/* The kernel wants to know its hart, as from SBI. The firmware's own protocol says it (RISC-V UEFI Protocol Specification 1.0, 2); from one that
 * lacks it the kernel gets NO_HART, and looks into the device tree. */
#include "../../loader.h"

static const struct efi_guid riscv_boot_protocol = {
    0xccd15fec, 0x6f73, 0x4eec, {0x83, 0x95, 0x3e, 0x69, 0xe4, 0xb9, 0x40, 0xbf}};

struct riscv_boot {
    uint64_t revision;
    efi_status (*get_boot_hart)(struct riscv_boot *self, uint64_t *hart);
};

#define NO_HART UINT64_MAX

static uint64_t boot_hart = NO_HART;

const char *enter_prepare(const struct loader *loader)
{
    void *interface;

    if (loader->system->boot->locate_protocol(&riscv_boot_protocol, NULL, &interface) !=
        EFI_SUCCESS)
        return NULL;
    struct riscv_boot *boot = interface;

    return boot->get_boot_hart(boot, &boot_hart) == EFI_SUCCESS ? NULL : "the hart has no number";
}

void enter_kernel(const struct loader *loader)
{
    register uint64_t a0 __asm__("a0") = boot_hart;
    register const struct handoff *a1 __asm__("a1") = loader->handoff;

    __asm__ volatile("csrci sstatus, 2\n\t" /* SIE */
                     "fence.i\n\t"
                     "csrw satp, zero\n\t"
                     "sfence.vma\n\t"
                     "jr %0"
                     :
                     : "r"(loader->entry), "r"(a0), "r"(a1)
                     : "memory");
    __builtin_unreachable();
}
