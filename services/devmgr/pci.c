/* See pci.h. Offsets: PCI Local Bus 3.0, chapter 6. */
#include "pci.h"

#define COMMAND 0x04u
#define COMMAND_IO 0x0001u
#define COMMAND_MEMORY 0x0002u
#define COMMAND_MASTER 0x0004u
#define COMMAND_NO_INTX 0x0400u
#define STATUS 0x06u
#define STATUS_CAPABILITIES 0x0010u
#define HEADER_TYPE 0x0eu
#define BAR0 0x10u
#define CAPABILITIES 0x34u
#define INTERRUPT_PIN 0x3du
#define CAP_POWER 0x01u
#define CAP_EXPRESS 0x10u
#define CAPS_MAX 48u

uint8_t pci_read8(const struct pci_function *f, uint32_t offset)
{
    return f->config[offset];
}

uint16_t pci_read16(const struct pci_function *f, uint32_t offset)
{
    return *(volatile uint16_t *)(volatile void *)(f->config + (offset & ~1u));
}

uint32_t pci_read32(const struct pci_function *f, uint32_t offset)
{
    return *(volatile uint32_t *)(volatile void *)(f->config + (offset & ~3u));
}

void pci_write16(const struct pci_function *f, uint32_t offset, uint16_t value)
{
    *(volatile uint16_t *)(volatile void *)(f->config + (offset & ~1u)) = value;
}

void pci_write32(const struct pci_function *f, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(volatile void *)(f->config + (offset & ~3u)) = value;
}

bool pci_is_present(const struct pci_function *f)
{
    uint16_t vendor = pci_read16(f, 0);
    return vendor != 0xffff && vendor != 0;
}

bool pci_is_bridge(const struct pci_function *f)
{
    return (pci_read8(f, HEADER_TYPE) & 0x7f) == 1;
}

bool pci_is_multifunction(const struct pci_function *f)
{
    return (pci_read8(f, HEADER_TYPE) & 0x80) != 0;
}

uint32_t pci_pin(const struct pci_function *f)
{
    uint8_t pin = pci_read8(f, INTERRUPT_PIN);
    return pin <= 4 ? pin : 0;
}

/* What reads back after all ones were written; the register is restored. */
static uint32_t probe(const struct pci_function *f, uint32_t offset)
{
    uint32_t kept = pci_read32(f, offset);
    pci_write32(f, offset, 0xffffffff);
    uint32_t mask = pci_read32(f, offset);
    pci_write32(f, offset, kept);
    return mask;
}

static bool is_wide(uint32_t low, uint32_t number)
{
    return (low & 7) == 4 && number + 1 < DEVICE_WINDOWS;
}

void pci_read_bars(const struct pci_function *f, struct pci_bar bars[DEVICE_WINDOWS])
{
    for (uint32_t i = 0; i < DEVICE_WINDOWS; i++) {
        uint32_t offset = BAR0 + 4 * i, low = pci_read32(f, offset);
        bool ports = (low & 1) != 0;
        bars[i] = (struct pci_bar){.base = ports ? low & 0xfffcu : low & ~0xfu, .ports = ports};
        if (is_wide(low, i)) {
            bars[i].base |= (uint64_t)pci_read32(f, offset + 4) << 32;
            bars[i].wide = true;
            bars[++i] = (struct pci_bar){0};
        }
    }
}

void pci_size_bars(const struct pci_function *f, struct pci_bar bars[DEVICE_WINDOWS])
{
    uint16_t command = pci_read16(f, COMMAND);
    pci_read_bars(f, bars);
    pci_disable(f);
    for (uint32_t i = 0; i < DEVICE_WINDOWS; i++) {
        uint32_t offset = BAR0 + 4 * i, low = pci_read32(f, offset), mask = probe(f, offset);
        if (mask == 0) {
            bars[i] = (struct pci_bar){0};
        } else if (bars[i].ports) {
            bars[i].bytes = (uint16_t)(~(mask & 0xfffcu) + 1u);
        } else {
            bool wide = is_wide(low, i);
            uint64_t high = wide ? probe(f, offset + 4) : 0xffffffffu;
            bars[i].bytes = ~(high << 32 | (mask & ~0xfu)) + 1;
            i += wide;
        }
    }
    pci_write16(f, COMMAND, (uint16_t)(command & ~COMMAND_MASTER));
}

void pci_write_bars(const struct pci_function *f, const struct pci_bar bars[DEVICE_WINDOWS])
{
    for (uint32_t i = 0; i < DEVICE_WINDOWS; i++) {
        uint32_t offset = BAR0 + 4 * i, low = pci_read32(f, offset);
        uint32_t kind = bars[i].ports ? low & 3 : low & 0xf;
        bool wide = is_wide(low, i);
        if (bars[i].bytes != 0)
            pci_write32(f, offset, (uint32_t)bars[i].base | kind);
        if (bars[i].bytes != 0 && wide)
            pci_write32(f, offset + 4, (uint32_t)(bars[i].base >> 32));
        i += wide;
    }
}

uint32_t pci_find_capability(const struct pci_function *f, uint8_t id)
{
    if ((pci_read16(f, STATUS) & STATUS_CAPABILITIES) == 0)
        return 0;
    uint32_t at = pci_read8(f, CAPABILITIES) & 0xfcu;
    for (uint32_t steps = 0; at >= 0x40 && steps < CAPS_MAX; steps++) {
        if (pci_read8(f, at) == id)
            return at;
        at = pci_read8(f, at + 1) & 0xfcu;
    }
    return 0;
}

/* PCI 3.0, 6.8.2. */
bool pci_find_msix(const struct pci_function *f, struct pci_msix *msix)
{
    *msix = (struct pci_msix){.capability = pci_find_capability(f, PCI_CAP_MSIX)};
    if (msix->capability == 0 || msix->capability > 0xf4) {
        *msix = (struct pci_msix){0};
        return false;
    }
    uint32_t table = pci_read32(f, msix->capability + 4), pba = pci_read32(f, msix->capability + 8);
    msix->vectors = (pci_read16(f, msix->capability + 2) & 0x7ffu) + 1;
    msix->bar = table & 7;
    msix->table_offset = table & ~7u;
    msix->pba_bar = pba & 7;
    msix->pba_offset = pba & ~7u;
    if (msix->bar < DEVICE_WINDOWS && msix->pba_bar < DEVICE_WINDOWS)
        return true;
    *msix = (struct pci_msix){0};
    return false;
}

uint64_t pci_driver_bytes(const struct pci_bar *bar, uint32_t number, const struct pci_msix *msix)
{
    uint64_t bytes = bar->bytes;
    if (msix->capability != 0 && msix->bar == number && msix->table_offset < bytes)
        bytes = msix->table_offset & ~(PAGE_SIZE - 1);
    if (msix->capability != 0 && msix->pba_bar == number && msix->pba_offset < bytes)
        bytes = msix->pba_offset & ~(PAGE_SIZE - 1);
    return bytes;
}

void pci_enable(const struct pci_function *f, bool master, bool line)
{
    uint16_t command = pci_read16(f, COMMAND);
    command |= COMMAND_IO | COMMAND_MEMORY;
    command = (uint16_t)(master ? command | COMMAND_MASTER : command & ~COMMAND_MASTER);
    command = (uint16_t)(line ? command & ~COMMAND_NO_INTX : command | COMMAND_NO_INTX);
    pci_write16(f, COMMAND, command);
}

void pci_disable(const struct pci_function *f)
{
    uint16_t command = pci_read16(f, COMMAND);
    pci_write16(f, COMMAND, (uint16_t)(command & ~(COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER)));
}

bool pci_reset(const struct pci_function *f)
{
    uint32_t express = pci_find_capability(f, CAP_EXPRESS);
    if (express != 0 && express <= 0xf0 && (pci_read32(f, express + 4) & 1u << 28) != 0) {
        pci_write16(f, express + 8, (uint16_t)(pci_read16(f, express + 8) | 0x8000u));
        return true;
    }
    uint32_t power = pci_find_capability(f, CAP_POWER);
    if (power != 0 && power <= 0xf8 && (pci_read16(f, power + 4) & 0x0008u) == 0) {
        uint16_t state = (uint16_t)(pci_read16(f, power + 4) & ~3u);
        pci_write16(f, power + 4, (uint16_t)(state | 3u));
        pci_write16(f, power + 4, state);
        return true;
    }
    return false;
}
