/* Calls of the firmware: PSCI (Arm DEN 0022), by hvc or smc as the device tree says. */
#include <arch.h>

#include "cpu_regs.h"
#include "local.h"

#define PSCI_CPU_ON 0xc4000003u
#define PSCI_SYSTEM_OFF 0x84000008u
#define PSCI_SYSTEM_RESET 0x84000009u
#define PSCI_SUCCESS 0
#define PSCI_ALREADY_ON (-4)

/** The status, or -1 where there is no firmware to call. SMCCC: x0 to x17 may change. */
static int32_t psci_call(uint32_t function, uint64_t a, uint64_t b, uint64_t c)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;

    if (!platform.has_psci)
        return -1;
    if (platform.psci_by_smc)
        __asm__ volatile("smc #0"
                         : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                         :
                         : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
                           "x15", "x16", "x17", "memory");
    else
        __asm__ volatile("hvc #0"
                         : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                         :
                         : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
                           "x15", "x16", "x17", "memory");
    return (int32_t)x0;
}

bool psci_cpu_on(uint64_t mpidr, paddr_t entry, uint64_t argument)
{
    int32_t status = psci_call(PSCI_CPU_ON, mpidr, entry, argument);

    return status == PSCI_SUCCESS || status == PSCI_ALREADY_ON;
}

void psci_reset(void)
{
    (void)psci_call(PSCI_SYSTEM_RESET, 0, 0, 0);
}

void psci_power_off(void)
{
    (void)psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
    for (;;)
        __asm__ volatile("wfi");
}
