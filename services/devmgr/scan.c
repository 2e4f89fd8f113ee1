/* What the machine consists of. Where there is a device tree: the nodes that a driver's manifest names, and the PCI host bridges. Elsewhere,
 * on a PC: its serial port, and the PCI host bridge that the ACPI tables name. */
#include "devmgr.h"

#include <devicetree/devicetree.h>
#include <os/archive.h>
#include <os/log.h>
#include <os/memory.h>
#include <os/start.h>
#include <stdio.h>
#include <string.h>
#include <veridian/syscalls.h>

#define COM1_PORT 0x3f8u
#define COM1_IRQ 4u
#define COM1_CLOCK_HZ 1843200u
#define COM1_SCRATCH (COM1_PORT + 7)

#define HOSTS_MAX 4u

static const void *acpi_map_table(void *context, uint64_t base, uint64_t bytes);

static const void *tree; /* NULL: the ACPI tables are asked */
static const struct acpi_reader acpi = {.map = acpi_map_table};
static uint64_t rsdp;

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

static bool finds_driver(const char *match, struct catalogue_entry *manifest)
{
    for (uint32_t i = 0; i < devmgr.catalogue.count; i++) {
        catalogue_at(&devmgr.catalogue, i, manifest);
        for (uint32_t m = 0; manifest->kind == CATALOGUE_DRIVER && m < manifest->match.count; m++)
            if (strcmp(catalogue_text(manifest->match, m), match) == 0)
                return true;
    }
    return false;
}

/* What drivers provide has one name, and so does a driver in the service manager's list: the first device has them. */
static bool driver_is_taken(const struct device *device)
{
    const struct catalogue_entry *wanted = &device->manifest;
    for (uint32_t i = 0; i < devmgr.device_count; i++) {
        const struct catalogue_entry *taken = &devmgr.devices[i].manifest;
        if (devmgr.devices[i].has_driver &&
            (strcmp(taken->name, wanted->name) == 0 ||
             (taken->provides[0] != '\0' && strcmp(taken->provides, wanted->provides) == 0)))
            return true;
    }
    return false;
}

void device_find_driver(struct device *device)
{
    device->has_driver =
        finds_driver(device->match, &device->manifest) ||
        (device->class_match[0] != '\0' && finds_driver(device->class_match, &device->manifest));
    if (device->has_driver && driver_is_taken(device)) {
        os_log("devmgr: %s at %x: what its driver %s provides, another device has", device->match,
               device->function.address, device->manifest.name);
        device->has_driver = false;
    }
}

void device_keep(const struct device *device)
{
    if (devmgr.device_count == DEVICES_MAX) {
        os_log("devmgr: too many devices, %s is left out", device->match);
        return;
    }
    devmgr.devices[devmgr.device_count++] = *device;
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

static void add_com1(void)
{
    struct device device = {.match = "platform:uart16550",
                            .bars[0] = {.base = COM1_PORT, .bytes = 8, .ports = true},
                            .has_line = true,
                            .info.clock_hz = COM1_CLOCK_HZ};
    if (!com1_is_present())
        return;
    acpi_isa_irq(&acpi, rsdp, COM1_IRQ, &device.line.number, &device.line.flags);
    device_find_driver(&device);
    device_keep(&device);
}

/* ── Device tree ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The first of the node's names (2.3.1: the most special comes first) that a driver has in its manifest. */
static bool name_device(int node, struct device *device)
{
    int bytes;
    const char *names = fdt_getprop(tree, node, "compatible", &bytes);
    for (int at = 0; names != NULL && at < bytes; at += (int)strlen(names + at) + 1) {
        if (memchr(names + at, '\0', (size_t)(bytes - at)) == NULL)
            return false;
        int length = snprintf(device->match, sizeof(device->match), "fdt:%s", names + at);
        if (length < (int)sizeof(device->match) && finds_driver(device->match, &device->manifest))
            return true;
    }
    return false;
}

static void add_node(int node)
{
    struct device device = {.is_pci = false};
    if (!name_device(node, &device))
        return;
    for (uint32_t i = 0; i < DEVICE_WINDOWS; i++)
        if (!dt_registers(tree, node, i, &device.bars[i].base, &device.bars[i].bytes))
            device.bars[i] = (struct pci_bar){0};
    device.has_line = tree_interrupt(tree, node, 0, &device.line);
    device.info.reg_shift = dt_u32(tree, node, "reg-shift", 0);
    device.info.reg_width = dt_u32(tree, node, "reg-io-width", 0);
    device.info.clock_hz = tree_clock_hz(tree, node);
    device_find_driver(&device);
    device_keep(&device);
}

/* The console comes first: of several serial ports the firmware knows which one is looked at. */
static void scan_tree(void)
{
    static struct pci_host hosts[HOSTS_MAX];
    uint32_t host_count = 0;
    int console = tree_console(tree);
    if (console >= 0 && dt_is_enabled(tree, console))
        add_node(console);
    for (int node = tree_next(tree, -1); node >= 0; node = tree_next(tree, node)) {
        if (node != console)
            add_node(node);
        if (tree_is(tree, node, "pci-host-ecam-generic") && host_count < HOSTS_MAX &&
            tree_pci_host(tree, node, &hosts[host_count]))
            scan_host(&hosts[host_count++]);
    }
}

/* ── ACPI ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void scan_acpi(void)
{
    static struct pci_host host;
    struct acpi_ecam ecam;
    add_com1();
    status_t status = acpi_find_ecam(&acpi, rsdp, &ecam);
    if (!status_is_ok(status)) {
        os_log("devmgr: no PCI: the MCFG table says %s", status_name(status));
        devmgr.unseen = true;
        return;
    }
    host = (struct pci_host){.ecam = ecam.base,
                             .first_bus = ecam.first_bus,
                             .last_bus = ecam.last_bus,
                             .node = -1};
    scan_host(&host);
}

/* Without an interpreter of AML the routing of lines is known only as the firmware has set it up for the PC's two 8259s: the interrupt line
 * register (PCI 3.0, 6.2.4), an ISA interrupt. */
static bool line_of_firmware(const struct pci_function *function, struct irq_line *line)
{
    uint8_t number = pci_read8(function, PCI_INTERRUPT_LINE);
    if (number == 0 || number > 15)
        return false;
    acpi_isa_irq(&acpi, rsdp, number, &line->number, &line->flags);
    return true;
}

/* ── Both ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool scan_line(const struct pci_host *host, const struct pci_function *function, uint32_t root,
               uint32_t root_pin, struct irq_line *line)
{
    return host->node < 0 ? line_of_firmware(function, line)
                          : tree_pci_line(tree, host->node, root, root_pin, line);
}

bool scan_msi_source(const struct pci_host *host, const struct pci_function *function,
                     uint32_t *source)
{
    *source = function->address;
    return host->node < 0 || tree_msi_source(tree, host->node, function->address, source);
}

/* The firmware's screen comes last: if a device behind it has a driver that shows the console too, that one has it. */
static void add_framebuffer(const struct framebuffer *framebuffer)
{
    struct device device = {.match = "platform:framebuffer",
                            .bars[0] = {.base = framebuffer->base, .bytes = framebuffer->bytes},
                            .info.screen = {.width = framebuffer->width,
                                            .height = framebuffer->height,
                                            .stride_bytes = framebuffer->stride_bytes,
                                            .format = framebuffer->format}};
    if (framebuffer->bytes == 0)
        return;
    device_find_driver(&device);
    device_keep(&device);
}

/* The device tree, or NULL: the machine has none, or a wrong one, which the kernel would not have booted with. */
static const void *open_tree(const struct boot_facts *facts)
{
    uint64_t offset = facts->fdt % PAGE_SIZE;
    void *mapped;
    if (os_cap("device-tree") == HANDLE_NONE || facts->fdt_bytes > DT_BYTES_MAX ||
        !status_is_ok(memory_map(os_cap("device-tree"), 0, page_round_up(offset + facts->fdt_bytes),
                                 MAP_READ, &mapped)))
        return NULL;
    const void *blob = (const char *)mapped + offset;
    return fdt_totalsize(blob) == facts->fdt_bytes && dt_check(blob) == NULL ? blob : NULL;
}

void scan_devices(void)
{
    const struct boot_facts *facts;
    void *mapped;
    if (!status_is_ok(memory_map(os_cap("boot"), 0, sizeof(*facts), MAP_READ, &mapped))) {
        os_log("devmgr: the facts of the boot cannot be read");
        devmgr.unseen = true;
        return;
    }
    facts = mapped;
    rsdp = facts->acpi_rsdp;
    tree = open_tree(facts);
    if (tree != NULL)
        scan_tree();
    else
        scan_acpi();
    add_framebuffer(&facts->framebuffer);
}
