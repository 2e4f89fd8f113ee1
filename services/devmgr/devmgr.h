#pragma once
/* devmgr's parts: finding devices (scan.c on top of acpi.c and pci.c), starting and supervising their drivers (driver.c). */
#include "acpi.h"
#include "pci.h"

#include <idl/device.h>
#include <os/catalogue.h>
#include <stdbool.h>
#include <stdint.h>

#define DEVICES_MAX 64u
#define IRQS_PER_DEVICE 4u
/** Of the Memory "devices", which outlives us. */
#define DEVICES_KEPT_BYTES PAGE_SIZE

struct device {
    char match[DEVICE_MATCH_BYTES];       /* "pci:1af4:1042" */
    char class_match[DEVICE_MATCH_BYTES]; /* "pci-class:0100", or empty */
    bool is_pci;
    struct pci_function function;
    struct pci_bar bars[DEVICE_WINDOWS];
    struct pci_msix msix;
    /* Platform devices: ports and an interrupt line. */
    uint32_t port_base, port_count, line, line_flags, clock_hz;

    /* The driver. */
    bool has_driver;
    struct catalogue_entry manifest;
    handle_t process; /* HANDLE_NONE: none runs */
    handle_t dma;     /* the master: closing it unpins */
    handle_t irqs[IRQS_PER_DEVICE];
    uint32_t irq_count;
    struct device_info info;
    uint32_t restarts;
    uint64_t started_ns, delay_ns, start_at_ns; /* start_at_ns 0: not scheduled */
    bool quarantined; /* its reset could not be verified: no driver touches it again */
};

struct devmgr {
    handle_t physical, interrupts, dma, ioports, archive, queue, timer;
    const void *archive_data;
    uint64_t archive_bytes;
    struct catalogue catalogue;
    struct device devices[DEVICES_MAX];
    uint32_t device_count;
};

extern struct devmgr devmgr;

/** Find the machine's devices and the driver of each. */
void scan_devices(void);
/** Map @bytes of physical address space at @base; @prot MAP_*. NULL: refused. */
void *physical_map(uint64_t base, uint64_t bytes, uint32_t prot);

/** Fill in the BARs and their sizes (sizes.c). */
void device_size_bars(struct device *device);
/** Reset the device and start its driver, or schedule another try. */
void driver_start(struct device *device);
/** Event of the queue: a driver ended (cookie: device index), or a start is due. */
void driver_event(void *instance, uint64_t cookie, uint32_t kind, uint64_t data);
/** The virtio way of resetting (VIRTIO 1.2, 4.1.4.3.1): status 0, until it reads 0. False: no such device, or it did not obey. */
bool virtio_reset(const struct device *device);
#define COOKIE_TIMER UINT64_MAX
