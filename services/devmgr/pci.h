#pragma once
/* PCI by enhanced configuration access (PCI Express Base 5.0, 7.2.2). Configuration space belongs to devmgr alone. */
#include <idl/device.h>
#include <stdbool.h>
#include <stdint.h>
#include <veridian/abi.h>

#define PCI_FUNCTION_BYTES 4096u
#define PCI_CAP_MSIX 0x11u
#define PCI_INTERRUPT_LINE 0x3cu

struct pci_function {
    volatile uint8_t *config;
    uint32_t address; /* bus << 8 | device << 3 | function */
};

/** A base address register, sized. */
struct pci_bar {
    uint64_t base, bytes; /* 0: none */
    bool ports, wide;     /* wide: 64 bits, in two registers */
};

struct pci_msix {
    uint32_t capability; /* offset in configuration space; 0: none */
    uint32_t vectors, bar;
    uint64_t table_offset, pba_offset;
    uint32_t pba_bar;
};

uint8_t pci_read8(const struct pci_function *f, uint32_t offset);
uint16_t pci_read16(const struct pci_function *f, uint32_t offset);
uint32_t pci_read32(const struct pci_function *f, uint32_t offset);
void pci_write16(const struct pci_function *f, uint32_t offset, uint16_t value);
void pci_write32(const struct pci_function *f, uint32_t offset, uint32_t value);

bool pci_is_present(const struct pci_function *f);
bool pci_is_bridge(const struct pci_function *f);
/** Functions 1 to 7 of this device may exist. */
bool pci_is_multifunction(const struct pci_function *f);

/** Where the six BARs are; no sizes. A 64-bit BAR takes two places. */
void pci_read_bars(const struct pci_function *f, struct pci_bar bars[DEVICE_WINDOWS]);
/** The same with sizes: decoding is off meanwhile, bus mastering also afterwards. */
void pci_size_bars(const struct pci_function *f, struct pci_bar bars[DEVICE_WINDOWS]);
/** The first capability with @id (PCI 3.0, 6.7), or 0; the list is bounded. */
uint32_t pci_find_capability(const struct pci_function *f, uint8_t id);
/** Where the MSI-X table is; false, and @msix all 0: there is none, or it is described impossibly. */
bool pci_find_msix(const struct pci_function *f, struct pci_msix *msix);
/** Give the BARs the addresses in @bars again, after a reset. */
void pci_write_bars(const struct pci_function *f, const struct pci_bar bars[DEVICE_WINDOWS]);
/** Pages of @bar from its start that hold neither MSI-X table nor pending bits: what a driver may map. */
uint64_t pci_driver_bytes(const struct pci_bar *bar, uint32_t number, const struct pci_msix *msix);
/** Let the device decode its BARs and, if @master, reach memory and, if @line, use its interrupt line. */
void pci_enable(const struct pci_function *f, bool master, bool line);
/** The device's interrupt pin (PCI 3.0, 6.2.4): 1 to 4, or 0: it has none. */
uint32_t pci_pin(const struct pci_function *f);
/** Stop all of it. */
void pci_disable(const struct pci_function *f);
/** Function-level reset (PCI Express 5.0, 6.6.2) or a power cycle D3hot-D0 that resets (PCI PM 1.2, 5.4): true if one was started; the
 *  caller waits 100 ms. Configuration is lost. */
bool pci_reset(const struct pci_function *f);
