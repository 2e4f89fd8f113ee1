/* See pci_host.h. */
#include "pci_host.h"

#define BRIDGE_BUSES 0x18u /* primary, secondary, subordinate, latency timer */
#define BRIDGE_PORTS 0x1cu
#define BRIDGE_MEMORY 0x20u
#define BRIDGE_PREFETCHABLE 0x24u
#define BRIDGE_UNIT (UINT64_C(1) << 20)
/* Limits below bases: nothing passes. */
#define PORTS_CLOSED 0x00f0u
#define MEMORY_CLOSED 0x0000fff0u

static bool window_maps(const struct pci_window *w, uint64_t base, uint64_t bytes)
{
    return base >= w->bus && base - w->bus < w->bytes && bytes <= w->bytes - (base - w->bus);
}

bool pci_host_to_cpu(const struct pci_host *host, uint64_t base, uint64_t bytes, uint64_t *cpu)
{
    *cpu = base;
    if (host->low.bytes == 0 && host->high.bytes == 0)
        return true;
    const struct pci_window *w = window_maps(&host->low, base, bytes) ? &host->low : &host->high;
    *cpu = w->cpu + (base - w->bus);
    return window_maps(w, base, bytes);
}

static void note(struct pci_host *host, uint64_t base, uint64_t bytes)
{
    struct pci_window *w = window_maps(&host->low, base, bytes) ? &host->low : &host->high;
    if (window_maps(w, base, bytes) && base + bytes > w->next)
        w->next = base + bytes;
}

/* @bytes is a power of two, and what is given is aligned to it. */
static bool give(struct pci_window *w, uint64_t bytes, uint64_t *base)
{
    if (w->next > UINT64_MAX - bytes)
        return false;
    uint64_t first = (w->next + bytes - 1) & ~(bytes - 1);
    /* 0 would be no address. */
    if (first == 0)
        first = bytes;
    if (!window_maps(w, first, bytes))
        return false;
    w->next = first + bytes;
    *base = first;
    return true;
}

/* ── Bridges ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

void pci_bridge_read(const struct pci_function *f, struct pci_bridge *bridge)
{
    uint32_t buses = pci_read32(f, BRIDGE_BUSES), memory = pci_read32(f, BRIDGE_MEMORY);
    *bridge = (struct pci_bridge){.secondary = (uint8_t)(buses >> 8),
                                  .subordinate = (uint8_t)(buses >> 16),
                                  .base = (uint64_t)(memory & 0xfff0) << 16,
                                  .end = ((uint64_t)(memory >> 20) << 20) + BRIDGE_UNIT};
}

void pci_bridge_write(const struct pci_function *f, const struct pci_bridge *bridge)
{
    uint32_t memory = bridge->base >= bridge->end
                          ? MEMORY_CLOSED
                          : (uint32_t)(bridge->base >> 16 | ((bridge->end - 1) & 0xfff00000));
    pci_write32(f, BRIDGE_BUSES,
                (pci_read32(f, BRIDGE_BUSES) & 0xff000000) | f->address >> 8 |
                    (uint32_t)bridge->secondary << 8 | (uint32_t)bridge->subordinate << 16);
    pci_write16(f, BRIDGE_PORTS, PORTS_CLOSED);
    pci_write32(f, BRIDGE_PREFETCHABLE, MEMORY_CLOSED);
    pci_write32(f, BRIDGE_MEMORY, memory);
}

uint64_t pci_bridge_edge(struct pci_host *host)
{
    host->low.next = (host->low.next + BRIDGE_UNIT - 1) & ~(BRIDGE_UNIT - 1);
    return host->low.next;
}

/* ── Functions ───────────────────────────────────────────────────────────────────────────────────────────────────── */

void pci_note_bridge(struct pci_host *host, const struct pci_bridge *bridge)
{
    if (bridge->base < bridge->end)
        note(host, bridge->base, bridge->end - bridge->base);
    if (bridge->subordinate >= host->next_bus)
        host->next_bus = bridge->subordinate + 1u;
}

void pci_note_bars(struct pci_host *host, const struct pci_bar bars[DEVICE_WINDOWS])
{
    for (uint32_t i = 0; i < DEVICE_WINDOWS; i++)
        if (bars[i].bytes != 0 && !bars[i].ports && bars[i].base != 0)
            note(host, bars[i].base, bars[i].bytes);
}

static bool assign_bar(struct pci_host *host, bool wide, struct pci_bar *bar)
{
    return give(&host->low, bar->bytes, &bar->base) ||
           (wide && bar->wide && give(&host->high, bar->bytes, &bar->base));
}

bool pci_assign(struct pci_host *host, const struct pci_function *f, bool wide,
                struct pci_bar bars[DEVICE_WINDOWS])
{
    bool all = true;
    for (uint32_t i = 0; i < DEVICE_WINDOWS; i++) {
        struct pci_bar *bar = &bars[i];
        if (bar->bytes == 0 || bar->ports || bar->base != 0)
            continue;
        all &= assign_bar(host, wide, bar);
    }
    pci_write_bars(f, bars);
    return all;
}
