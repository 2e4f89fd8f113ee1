#pragma once
/* The flattened device tree as devmgr reads it: devices on the platform, PCI host bridges and how their interrupts are routed. The tree was
 * checked whole (dt_check); what it says is the firmware's word, and false says that it says nothing, or nonsense. */
#include "pci_host.h"

#include <stdbool.h>
#include <stdint.h>

/** An interrupt line as sys_interrupt_create wants it. */
struct irq_line {
    uint32_t number, flags;
};

/** The next node after @node (-1: the first) that is enabled; negative: none. */
int tree_next(const void *tree, int node);
/** Is @node compatible with @name (2.3.1)? */
bool tree_is(const void *tree, int node, const char *name);
/** The node that /chosen names for the console (3.6), or negative. */
int tree_console(const void *tree);
/** Interrupt @index of @node (2.4.1.1), translated for the controllers that the kernel drives: GIC, PLIC, APLIC. */
bool tree_interrupt(const void *tree, int node, uint32_t index, struct irq_line *line);
/** The frequency of the clock that feeds @node: its own word, or its first clock's, if that one is fixed; 0: unknown. */
uint32_t tree_clock_hz(const void *tree, int node);

/** The host bridge @node, a pci-host-ecam-generic: configuration space, buses, memory windows. */
bool tree_pci_host(const void *tree, int node, struct pci_host *host);
/** Where pin @pin (1 to 4) of function @address on the root bus of host bridge @node goes: its interrupt-map (2.4.4). */
bool tree_pci_line(const void *tree, int node, uint32_t address, uint32_t pin,
                   struct irq_line *line);
/** As whom the interrupt controller knows function @address, any bus, when it writes a message: msi-map, or msi-parent. */
bool tree_msi_source(const void *tree, int node, uint32_t address, uint32_t *source);
