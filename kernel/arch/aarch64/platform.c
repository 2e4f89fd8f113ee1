/* What the kernel must know of the machine, from the device tree (bindings: Linux, Documentation/devicetree/bindings). */
#include <arch.h>
#include <boot.h>
#include <kstring.h>

#include "local.h"

/** The virtual timer's line, the same in every base system (Arm DEN 0094, 3.8.3). */
#define TIMER_INTID 27u
/** First cell of an interrupt: 0 for a line of a device. */
#define INTERRUPT_SHARED 0u

struct platform platform = {.timer_intid = TIMER_INTID};

static void psci_read(void)
{
    struct boot_fdt_node node;
    const char *method;

    if (!boot_fdt_find("arm,psci-1.0", 0, &node) && !boot_fdt_find("arm,psci-0.2", 0, &node))
        return;
    platform.has_psci = boot_fdt_string(&node, "method", &method);
    platform.psci_by_smc = platform.has_psci && memcmp(method, "smc", 4) == 0;
}

/* arm,gic-v3: the distributor, then the regions of redistributors (gic.c). */
static void gic_read(void)
{
    struct boot_fdt_node node;
    uint64_t bytes;

    if (!boot_fdt_find("arm,gic-v3", 0, &platform.gic) ||
        !boot_fdt_reg(&platform.gic, 0, &platform.gicd, &bytes))
        return;
    if (boot_fdt_find("arm,gic-v3-its", 0, &node) && !boot_fdt_reg(&node, 0, &platform.its, &bytes))
        platform.its = 0;
}

static void uart_read(void)
{
    struct boot_fdt_node node;
    uint64_t bytes;
    uint32_t kind, line;

    if (!boot_fdt_find("arm,pl011", 0, &node) || !boot_fdt_reg(&node, 0, &platform.uart, &bytes)) {
        platform.uart = 0;
        return;
    }
    if (boot_fdt_cell(&node, "interrupts", 0, &kind) && kind == INTERRUPT_SHARED &&
        boot_fdt_cell(&node, "interrupts", 1, &line))
        platform.uart_intid = SPI_FIRST + line;
}

INIT_TEXT void platform_read(void)
{
    psci_read();
    gic_read();
    uart_read();
}
