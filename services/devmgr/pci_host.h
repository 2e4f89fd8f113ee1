#pragma once
/* A PCI host bridge: its configuration space, its windows into the CPUs' physical addresses, and what of them is given to whom where the
 * firmware has not done it.
 *
 * Addresses are given out in one direction, behind all that is in use already (which is noted first), so nothing ever overlaps. A bridge
 * gets the stretch that was given out while its bus was looked at. */
#include "pci.h"

#include <stdbool.h>
#include <stdint.h>

/** Memory that reaches the bus: bus address @bus is physical address @cpu. */
struct pci_window {
    uint64_t bus, cpu, bytes; /* 0: none */
    uint64_t next;            /* bus address of the first byte that nobody has */
};

struct pci_host {
    uint64_t ecam;
    uint8_t first_bus, last_bus;
    uint32_t next_bus; /* the first bus number that nobody has */
    int node;          /* in the device tree; -1: from the ACPI tables */
    struct pci_window low,
        high; /* below 4 GiB, and above. Neither: the firmware has assigned all, bus addresses are physical ones */
    volatile uint8_t *buses[256]; /* configuration spaces that are mapped */
};

/** What [@base, @base + @bytes) on the bus is for the CPUs. False: nothing that the host maps. */
bool pci_host_to_cpu(const struct pci_host *host, uint64_t base, uint64_t bytes, uint64_t *cpu);

/** A PCI-to-PCI bridge's bus numbers and memory window (PCI-to-PCI Bridge 1.2, 3.2.5). */
struct pci_bridge {
    uint8_t secondary, subordinate;
    uint64_t base, end; /* empty: base >= end */
};
void pci_bridge_read(const struct pci_function *f, struct pci_bridge *bridge);
/** Write it; the windows for ports and for prefetchable memory are closed. */
void pci_bridge_write(const struct pci_function *f, const struct pci_bridge *bridge);
/** Where the memory window of a bridge begins whose bus is looked at next, and, after that, where it ends. */
uint64_t pci_bridge_edge(struct pci_host *host);

/** What a bridge or a function has already is in use. Before anything is given out. */
void pci_note_bridge(struct pci_host *host, const struct pci_bridge *bridge);
void pci_note_bars(struct pci_host *host, const struct pci_bar bars[DEVICE_WINDOWS]);
/** Give addresses to the memory BARs of @f that have none; with @wide, to 64-bit BARs high ones if need be. False: one got none. */
bool pci_assign(struct pci_host *host, const struct pci_function *f, bool wide,
                struct pci_bar bars[DEVICE_WINDOWS]);
