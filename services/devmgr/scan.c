/* What the machine consists of: PCI functions below every host bridge that the MCFG names, and the PC's serial port.
 *
 * The firmware has assigned BARs and bus numbers; they are taken as they are. A function whose driver is not in the catalogue is left alone
 * with decoding as the firmware left it and bus mastering off. */
#include "devmgr.h"

#include <os/archive.h>
#include <os/log.h>
#include <os/memory.h>
#include <os/start.h>
#include <stdio.h>
#include <string.h>
#include <veridian/syscalls.h>

#define ECAM_BUS_BYTES (1u << 20)
#define COM1_PORT 0x3f8u
#define COM1_IRQ 4u
#define COM1_CLOCK_HZ 1843200u
#define COM1_SCRATCH (COM1_PORT + 7)

void *physical_map(uint64_t base, uint64_t bytes, uint32_t prot)
{
    uint64_t first = page_round_down(base), end;
    handle_t slice;
    void *mapped;
    if (bytes == 0 || __builtin_add_overflow(base, bytes, &end) || end > UINT64_MAX - PAGE_SIZE)
        return NULL;
    uint64_t length = page_round_up(end) - first;
    if (!status_is_ok(sys_memory_slice(devmgr.physical, os_self.budget, first, length, &slice)))
        return NULL;
    status_t status = memory_map(slice, 0, length, prot, &mapped);
    status_ignore(sys_cap_close(slice));
    return status_is_ok(status) ? (char *)mapped + (base - first) : NULL;
}

/* Tables are few and small, and stay mapped while they are looked at: devmgr keeps them for its life. */
static const void *acpi_map_table(void *context, uint64_t base, uint64_t bytes)
{
    (void)context;
    return physical_map(base, bytes, MAP_READ);
}

static void find_driver(struct device *device)
{
    for (uint32_t i = 0; i < devmgr.catalogue.count && !device->has_driver; i++) {
        catalogue_at(&devmgr.catalogue, i, &device->manifest);
        for (uint32_t m = 0;
             device->manifest.kind == CATALOGUE_DRIVER && m < device->manifest.match.count; m++) {
            const char *match = catalogue_text(device->manifest.match, m);
            if (strcmp(match, device->match) == 0 || strcmp(match, device->class_match) == 0)
                device->has_driver = true;
        }
    }
}

/* What drivers provide has one name, and so does a driver in the service manager's list: the first device has them. */
static bool driver_is_taken(const struct device *device)
{
    const struct catalogue_entry *wanted = &device->manifest;
    for (uint32_t i = 0; i < devmgr.device_count; i++) {
        const struct catalogue_entry *taken = &devmgr.devices[i].manifest;
        if (devmgr.devices[i].has_driver &&
            (strcmp(taken->name, wanted->name) == 0 ||
             (wanted->provides[0] != '\0' && strcmp(taken->provides, wanted->provides) == 0)))
            return true;
    }
    return false;
}

static void add_device(struct device *device)
{
    find_driver(device);
    if (device->has_driver && driver_is_taken(device)) {
        os_log("devmgr: %s at %x: what its driver %s provides, another device has", device->match,
               device->function.address, device->manifest.name);
        device->has_driver = false;
    }
    if (devmgr.device_count == DEVICES_MAX) {
        os_log("devmgr: too many devices, %s is left out", device->match);
        return;
    }
    if (device->has_driver && device->is_pci)
        device_size_bars(device);
    devmgr.devices[devmgr.device_count++] = *device;
}

static void add_function(struct pci_function function)
{
    struct device device = {.is_pci = true, .function = function};
    snprintf(device.match, sizeof(device.match), "pci:%04x:%04x", pci_read16(&function, 0),
             pci_read16(&function, 2));
    snprintf(device.class_match, sizeof(device.class_match), "pci-class:%04x",
             pci_read16(&function, 0x0a));
    add_device(&device);
}

static void scan_bus(const struct acpi_ecam *ecam, uint8_t bus, uint32_t depth);

static void scan_function(const struct acpi_ecam *ecam, struct pci_function function,
                          uint32_t depth)
{
    if (!pci_is_bridge(&function)) {
        add_function(function);
        return;
    }
    uint8_t secondary = pci_secondary_bus(&function);
    if (secondary > (function.address >> 8) && secondary <= ecam->last_bus && depth < 8)
        scan_bus(ecam, secondary, depth + 1);
}

static void scan_bus(const struct acpi_ecam *ecam, uint8_t bus, uint32_t depth)
{
    uint64_t base = ecam->base + (uint64_t)(bus - ecam->first_bus) * ECAM_BUS_BYTES;
    volatile uint8_t *config = physical_map(base, ECAM_BUS_BYTES, MAP_READ | MAP_WRITE);
    if (config == NULL) {
        os_log("devmgr: configuration space of bus %u cannot be mapped", bus);
        return;
    }
    for (uint32_t number = 0; number < 256; number++) {
        struct pci_function function = {.config = config + number * PCI_FUNCTION_BYTES,
                                        .address = (uint32_t)bus << 8 | number};
        if (pci_is_present(&function))
            scan_function(ecam, function, depth);
        if (number % 8 == 0 && (!pci_is_present(&function) || !pci_is_multifunction(&function)))
            number += 7;
    }
}

/* A 16550 answers at its scratch register (PC16550D data sheet, 8.8). */
static bool com1_is_present(void)
{
    handle_t port;
    uint32_t value = 0;
    if (!status_is_ok(sys_ioport_slice(devmgr.ioports, os_self.budget, COM1_SCRATCH, 1, &port)))
        return false;
    bool present = status_is_ok(sys_ioport_out(port, COM1_SCRATCH, 1, 0x5a)) &&
                   status_is_ok(sys_ioport_in(port, COM1_SCRATCH, 1, &value)) && value == 0x5a;
    status_ignore(sys_cap_close(port));
    return present;
}

static void add_com1(const struct acpi_reader *reader, uint64_t rsdp)
{
    struct device device = {.match = "platform:uart16550",
                            .port_base = COM1_PORT,
                            .port_count = 8,
                            .clock_hz = COM1_CLOCK_HZ};
    if (!com1_is_present())
        return;
    acpi_isa_irq(reader, rsdp, COM1_IRQ, &device.line, &device.line_flags);
    add_device(&device);
}

void scan_devices(void)
{
    const struct acpi_reader reader = {.map = acpi_map_table};
    const struct boot_facts *facts;
    struct acpi_ecam ecam;
    void *mapped;
    if (!status_is_ok(memory_map(os_cap("boot"), 0, sizeof(*facts), MAP_READ, &mapped))) {
        os_log("devmgr: the facts of the boot cannot be read");
        return;
    }
    facts = mapped;
    add_com1(&reader, facts->acpi_rsdp);
    status_t status = acpi_find_ecam(&reader, facts->acpi_rsdp, &ecam);
    if (status_is_ok(status))
        scan_bus(&ecam, ecam.first_bus, 0);
    else
        os_log("devmgr: no PCI: the MCFG table says %s", status_name(status));
}
