#pragma once
/* devmgr's parts: finding devices (scan.c for the platform, pci_scan.c behind host bridges; on top of acpi.c, tree.c, pci.c, pci_host.c),
 * their interrupts (irq.c), starting and supervising their drivers (driver.c), which are watched and ordered about by a second thread
 * (watch.c). */
#include "acpi.h"
#include "pci_host.h"
#include "tree.h"

#include <idl/device.h>
#include <os/catalogue.h>
#include <pthread.h>
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
    const struct pci_host *host;
    struct pci_function function;
    struct pci_bar bars[DEVICE_WINDOWS]; /* of platform devices too: where their registers are */
    struct pci_msix msix;
    bool has_line,
        has_msi; /* it can interrupt by its line; by messages, which come from @msi_source */
    struct irq_line line;
    uint32_t msi_source;

    /* The driver. */
    bool has_driver;
    struct catalogue_entry manifest;
    handle_t process; /* HANDLE_NONE: none runs */
    handle_t ping;    /* to call its endpoint, HANDLE_NONE: it has none */
    handle_t dma;     /* the master of its DmaSpace */
    handle_t irqs[IRQS_PER_DEVICE];
    uint32_t irq_count;
    struct device_info info;
    uint32_t restarts;
    uint32_t failures;                          /* short lives, one after another */
    uint64_t started_ns, delay_ns, start_at_ns; /* start_at_ns 0: not scheduled */
    bool hung;                                  /* it did not answer, and is being ended */
    bool stopped;                               /* on request: it does not start by itself */
    bool
        quarantined; /* given up, or its reset could not be verified: no driver touches it until somebody starts it */
};

struct devmgr {
    pthread_mutex_t lock; /* of all below, once the second thread runs */
    handle_t physical, interrupts, dma, ioports, archive, queue, timer;
    const void *archive_data;
    uint64_t archive_bytes;
    struct catalogue catalogue;
    struct device devices[DEVICES_MAX];
    uint32_t device_count;
    bool unseen; /* there are devices that could not be looked at */
    bool quiet;  /* every device was reset after the drivers before those of this devmgr */
};

extern struct devmgr devmgr;

/** Find the machine's devices and the driver of each. */
void scan_devices(void);
/** Give @device the first driver of the catalogue that matches, if any and if it is free. */
void device_find_driver(struct device *device);
/** Put it into the list. */
void device_keep(const struct device *device);
/** The functions behind a host bridge: give addresses to those that have none, and keep them. */
void scan_host(struct pci_host *host);
/** Where pin @pin of @function goes, for @host of the ACPI tables (@root, @root_pin: seen from the root bus). */
bool scan_line(const struct pci_host *host, const struct pci_function *function, uint32_t root,
               uint32_t root_pin, struct irq_line *line);
/** As whom the interrupt controller knows @function. */
bool scan_msi_source(const struct pci_host *host, const struct pci_function *function,
                     uint32_t *source);
/** Map @bytes of physical address space at @base; @prot MAP_*. NULL: refused. */
void *physical_map(uint64_t base, uint64_t bytes, uint32_t prot);

/** The BARs of @function with their sizes, which are asked for once in a boot (sizes.c). */
void sizes_get(const struct pci_function *function, struct pci_bar bars[DEVICE_WINDOWS]);
/** They have other addresses now. */
void sizes_keep(const struct pci_function *function, const struct pci_bar bars[DEVICE_WINDOWS]);
/** The physical address (or port) of register window @number. False: there is none that can be reached. */
bool device_window(const struct device *device, uint32_t number, uint64_t *base);
/** Make the interrupts of @device, whose configuration is that after a reset: info.irq_kind, irqs[0 … irq_count]. */
MUST_CHECK status_t device_make_irqs(struct device *device);
/** Start all drivers; then nothing of those before them is in flight, and what they had mapped is let go. */
void drivers_begin(void);
/** Let go what drivers before them had mapped. It is the root's as soon as the last reference on their DmaSpace is gone, and that may be
 *  after the devices were made quiet: to be called again from time to time. */
void drivers_let_go(void);
/** Reset the device and start its driver, or schedule another try. */
void driver_start(struct device *device);
/** Event of the queue: a driver ended (cookie: device index), or a start is due. */
void driver_event(void *instance, uint64_t cookie, uint32_t kind, uint64_t data);
/** What a tool asks of the driver: SVC_ORDER_*. Under the lock. */
void driver_order(struct device *device, uint32_t order);
/** Begin to look after drivers that hang and to take orders: on a thread of its own. */
MUST_CHECK status_t watch_begin(void);
/** The virtio way of resetting (VIRTIO 1.2, 4.1.4.3.1): status 0, until it reads 0. False: no such device, or it did not obey. */
bool virtio_reset(const struct device *device);
#define COOKIE_TIMER UINT64_MAX
