/* The functions behind a host bridge, found twice: first to note what the firmware (or an earlier devmgr) has given out, then to give bus
 * numbers and addresses to what has none, and to keep the functions as devices. Where the firmware's tables name no memory for the host
 * bridge, everything is taken as it is. A function whose driver is not in the catalogue is left alone, with decoding as it was and bus
 * mastering off. */
#include "devmgr.h"

#include <os/log.h>
#include <os/memory.h>
#include <stdio.h>

#define ECAM_BUS_BYTES (1u << 20)
#define DEPTH_MAX 8u

/** A bus, as seen from the root bus. */
struct place {
    struct pci_host *host;
    bool noting;
    bool open; /* addresses may be given out here */
    uint32_t bus, depth;
    uint32_t root; /* the function on the root bus that leads here */
    uint32_t
        shift; /* how far pins have turned between there and here (PCI-to-PCI Bridge 1.2, 9.1) */
};

static void scan_bus(struct place place);

static volatile uint8_t *config_of(struct pci_host *host, uint32_t bus)
{
    uint64_t base = host->ecam + (uint64_t)(bus - host->first_bus) * ECAM_BUS_BYTES;
    if (host->buses[bus] == NULL)
        host->buses[bus] = physical_map(base, ECAM_BUS_BYTES, MAP_READ | MAP_WRITE);
    if (host->buses[bus] == NULL) {
        os_log("devmgr: configuration space of bus %u cannot be mapped", bus);
        devmgr.unseen = true;
    }
    return host->buses[bus];
}

static uint32_t slot_of(const struct pci_function *f)
{
    return f->address >> 3 & 31;
}

/* ── Bridges ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct place behind(const struct place *place, const struct pci_function *f)
{
    struct place next = *place;
    next.depth++;
    if (place->depth == 0)
        next.root = f->address;
    else
        next.shift += slot_of(f);
    return next;
}

/* A bridge without a bus: it gets one, and the memory that is given out behind it. */
static void open_bridge(struct place next, const struct pci_function *f)
{
    struct pci_host *host = next.host;
    struct pci_bridge bridge = {.secondary = (uint8_t)host->next_bus,
                                .subordinate = host->last_bus};
    if (host->next_bus > host->last_bus) {
        os_log("devmgr: no bus number is left for the bridge at %x", f->address);
        return;
    }
    next.bus = host->next_bus++;
    bridge.base = pci_bridge_edge(host);
    bridge.end = host->low.bus + host->low.bytes;
    pci_bridge_write(f, &bridge);
    pci_enable(f, true, false); /* what is behind it may be reached, and may reach memory */
    scan_bus(next);
    bridge.subordinate = (uint8_t)(host->next_bus - 1);
    bridge.end = pci_bridge_edge(host);
    pci_bridge_write(f, &bridge);
}

static void scan_bridge(const struct place *place, const struct pci_function *f)
{
    struct place next = behind(place, f);
    struct pci_bridge bridge;
    pci_bridge_read(f, &bridge);
    if (place->noting)
        pci_note_bridge(place->host, &bridge);
    if (next.depth >= DEPTH_MAX)
        return;
    if (bridge.secondary > place->bus && bridge.secondary <= place->host->last_bus) {
        next.bus = bridge.secondary;
        next.open = false; /* its memory has been shared out */
        scan_bus(next);
    } else if (!place->noting && place->open) {
        open_bridge(next, f);
    }
}

/* ── Functions ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void route(const struct place *place, struct device *device)
{
    const struct pci_function *f = &device->function;
    uint32_t pin = pci_pin(f), root = place->depth == 0 ? f->address : place->root;
    uint32_t shift = place->depth == 0 ? 0 : place->shift + slot_of(f);
    device->has_msi = scan_msi_source(place->host, f, &device->msi_source);
    device->has_line =
        pin != 0 && scan_line(place->host, f, root, (pin - 1 + shift) % 4 + 1, &device->line);
}

/* Sizing is not for nothing: only what has an address can be in the way. */
static void note_function(const struct place *place, const struct pci_function *f)
{
    struct pci_bar bars[DEVICE_WINDOWS];
    uint64_t bases = 0;
    pci_read_bars(f, bars);
    for (uint32_t i = 0; i < DEVICE_WINDOWS; i++)
        bases |= bars[i].ports ? 0 : bars[i].base;
    if (bases == 0 || place->host->low.bytes == 0)
        return;
    sizes_get(f, bars);
    pci_note_bars(place->host, bars);
}

static void find_registers(const struct place *place, struct device *device)
{
    sizes_get(&device->function, device->bars);
    if (!place->open)
        return;
    if (!pci_assign(place->host, &device->function, place->depth == 0, device->bars))
        os_log("devmgr: %s at %x: there is no room for its registers", device->match,
               device->function.address);
    sizes_keep(&device->function, device->bars);
}

static void add_function(const struct place *place, const struct pci_function *f)
{
    struct device device = {.is_pci = true, .host = place->host, .function = *f};
    snprintf(device.match, sizeof(device.match), "pci:%04x:%04x", pci_read16(f, 0),
             pci_read16(f, 2));
    snprintf(device.class_match, sizeof(device.class_match), "pci-class:%04x", pci_read16(f, 0x0a));
    device_find_driver(&device);
    if (device.has_driver)
        find_registers(place, &device);
    route(place, &device);
    device_keep(&device);
}

static void scan_function(const struct place *place, const struct pci_function *f)
{
    if (pci_is_bridge(f))
        scan_bridge(place, f);
    else if (place->noting)
        note_function(place, f);
    else
        add_function(place, f);
}

static void scan_bus(struct place place)
{
    volatile uint8_t *config = config_of(place.host, place.bus);
    for (uint32_t number = 0; config != NULL && number < 256; number++) {
        struct pci_function function = {.config = config + number * PCI_FUNCTION_BYTES,
                                        .address = place.bus << 8 | number};
        if (pci_is_present(&function))
            scan_function(&place, &function);
        if (number % 8 == 0 && (!pci_is_present(&function) || !pci_is_multifunction(&function)))
            number += 7;
    }
}

void scan_host(struct pci_host *host)
{
    struct place place = {.host = host, .bus = host->first_bus, .noting = true};
    host->next_bus = host->first_bus + 1u;
    scan_bus(place);
    place.noting = false;
    place.open = host->low.bytes != 0;
    scan_bus(place);
}
