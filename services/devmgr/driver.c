/* Drivers: what each is given, how its end is handled.
 *
 * A driver gets the device's register windows without the pages of its MSI-X table, its interrupts, a DmaSpace whose master stays here, and
 * the endpoint of its name, which the service manager keeps over all lives. When it ends: bus mastering off, the device reset and the reset
 * verified, and only then the pages unmapped that the device could reach. A device that does not obey is quarantined: mastering stays
 * off, its pages stay pinned, and the log says so. What the drivers of an earlier devmgr had mapped is pinned still, whoever died first,
 * and is let go when every device was made quiet (drivers_let_go). Starts are delayed longer after each death, and a
 * driver that cannot keep alive is given up: its device is quarantined too, reset and with nothing pinned. `svc start` tries again. A death
 * that somebody asked for (svc kill) is not the driver's fault. */
#include "devmgr.h"

#include <idl/svc.h>
#include <os/archive.h>
#include <os/clock.h>
#include <os/log.h>
#include <os/memory.h>
#include <os/process.h>
#include <os/start.h>
#include <stdio.h>
#include <string.h>
#include <veridian/syscalls.h>

#define CAPS_MAX 40u
#define DELAY_FIRST_NS (5 * NS_PER_MS)
#define DELAY_LAST_NS (5 * NS_PER_S)
#define GOOD_NS (10 * NS_PER_S)
#define RESET_NS (100 * NS_PER_MS)
/* This many lives in a row, each shorter than that or ended because the driver hung, and it is given up. */
#define FAILURES_MAX 10u
#define SHORT_LIFE_NS (60 * NS_PER_S)

/* Capabilities for a driver in the making: all are moved. */
struct launch {
    struct process_cap caps[CAPS_MAX];
    char names[CAPS_MAX][OS_CAP_NAME_BYTES];
    size_t count;
};

#define UNNUMBERED UINT32_MAX

/* Add "@name.@number", or just @name. */
static status_t add(struct launch *l, handle_t handle, const char *name, uint32_t number)
{
    if (l->count == CAPS_MAX)
        return STATUS_NO_SPACE;
    if (number == UNNUMBERED)
        snprintf(l->names[l->count], sizeof(l->names[0]), "%s", name);
    else
        snprintf(l->names[l->count], sizeof(l->names[0]), "%s.%u", name, number);
    l->caps[l->count] = (struct process_cap){.name = l->names[l->count],
                                             .handle = handle,
                                             .mode = CAP_TRANSFER_MOVE};
    l->count++;
    return STATUS_OK;
}

static void launch_drop(struct launch *l)
{
    for (size_t i = 0; i < l->count; i++)
        status_ignore(sys_cap_close(l->caps[i].handle));
    l->count = 0;
}

/* ── What the driver gets ────────────────────────────────────────────────────────────────────────────────────────── */

bool device_window(const struct device *d, uint32_t number, uint64_t *base)
{
    const struct pci_bar *bar = &d->bars[number];
    *base = bar->base;
    return bar->bytes != 0 && bar->base != 0 &&
           (bar->ports || !d->is_pci || pci_host_to_cpu(d->host, bar->base, bar->bytes, base));
}

static status_t add_window(struct launch *l, struct device *d, uint32_t i)
{
    struct pci_bar *bar = &d->bars[i];
    struct device_window *window = &d->info.windows[i];
    uint64_t base;
    handle_t handle;
    status_t status;
    *window = (struct device_window){.kind = WINDOW_NONE};
    if (!device_window(d, i, &base))
        return STATUS_OK;
    if (bar->ports) {
        *window = (struct device_window){.kind = WINDOW_PORTS, .base = base, .bytes = bar->bytes};
        status = sys_ioport_slice(devmgr.ioports, os_self.budget, (uint32_t)base,
                                  (uint32_t)bar->bytes, &handle);
        /* A PCI device on a machine without ports has another way in, or is of no use. */
        if (d->is_pci && status == STATUS_UNSUPPORTED)
            return STATUS_OK;
    } else {
        uint64_t first = page_round_down(base), bytes = pci_driver_bytes(bar, i, &d->msix);
        if (bytes == 0)
            return STATUS_OK;
        *window = (struct device_window){.kind = WINDOW_MEMORY,
                                         .base = base,
                                         .bytes = bytes,
                                         .page_offset = (uint32_t)(base - first)};
        status = sys_memory_slice(devmgr.physical, os_self.budget, first,
                                  page_round_up(base + bytes) - first, &handle);
    }
    return status_is_ok(status) ? add(l, handle, "window", i) : status;
}

static status_t add_irqs(struct launch *l, struct device *d)
{
    status_t status = device_make_irqs(d);
    for (uint32_t i = 0; i < d->irq_count; i++) {
        status_t added = add(l, d->irqs[i], "irq", i);
        status = status_is_ok(status) ? added : status;
    }
    return status;
}

/* The master stays, to unmap what the driver has mapped. */
static status_t add_dma(struct launch *l, struct device *d)
{
    handle_t copy;
    status_t status = sys_dmaspace_create(devmgr.dma, os_self.budget, &d->dma);
    if (status_is_ok(status))
        status = sys_cap_derive(d->dma, RIGHT_MANAGE | RIGHT_TRANSFER, 0, &copy);
    return status_is_ok(status) ? add(l, copy, "dma", UNNUMBERED) : status;
}

static status_t add_description(struct launch *l, struct device *d)
{
    handle_t memory, readable;
    memcpy(d->info.match, d->match, sizeof(d->info.match));
    d->info.irqs = d->irq_count;
    d->info.address = d->function.address;
    if (d->is_pci) {
        d->info.vendor = pci_read16(&d->function, 0);
        d->info.device = pci_read16(&d->function, 2);
        d->info.class = pci_read32(&d->function, 8) >> 8;
        for (uint32_t i = 0; i < DEVICE_CONFIG_BYTES; i += 4) {
            uint32_t word = pci_read32(&d->function, i);
            memcpy(&d->info.config[i], &word, sizeof(word));
        }
    }
    status_t status = memory_create(sizeof(d->info), 0, &memory);
    if (!status_is_ok(status))
        return status;
    status = sys_memory_write(memory, 0, &d->info, sizeof(d->info));
    if (status_is_ok(status))
        status = sys_cap_copy(memory, RIGHT_READ | RIGHT_TRANSFER | RIGHT_COPY, &readable);
    status_ignore(sys_cap_close(memory));
    return status_is_ok(status) ? add(l, readable, "device", UNNUMBERED) : status;
}

static status_t add_connects(struct launch *l, struct catalogue_list list)
{
    status_t status = STATUS_OK;
    for (uint32_t i = 0; i < list.count && status_is_ok(status); i++) {
        handle_t connect;
        status = svc_connect(os_cap("svc"), catalogue_text(list, i), 0, &connect);
        if (status_is_ok(status))
            status = add(l, connect, catalogue_text(list, i), UNNUMBERED);
    }
    return status;
}

static status_t add_endpoint(struct launch *l, struct device *d)
{
    handle_t endpoint;
    if (d->manifest.provides[0] == '\0')
        return STATUS_OK;
    status_t status = svc_serve(os_cap("svc"), d->manifest.name, &endpoint);
    if (status_is_ok(status)) {
        status = add(l, endpoint, "endpoint", UNNUMBERED);
        status_t derived = sys_cap_derive(endpoint, RIGHT_CALL, 0, &d->ping);
        status = status_is_ok(status) ? derived : status;
    }
    return status;
}

static status_t prepare(struct launch *l, struct device *d)
{
    status_t status = STATUS_OK;
    if (d->is_pci) {
        pci_find_msix(&d->function, &d->msix);
        pci_enable(&d->function, false, false);
    }
    for (uint32_t i = 0; i < DEVICE_WINDOWS && status_is_ok(status); i++)
        status = add_window(l, d, i);
    if (status_is_ok(status))
        status = add_irqs(l, d);
    if (status_is_ok(status) && d->is_pci && d->manifest.dma)
        status = add_dma(l, d);
    if (status_is_ok(status))
        status = add_description(l, d);
    if (status_is_ok(status))
        status = add_connects(l, d->manifest.needs);
    if (status_is_ok(status))
        status = add_connects(l, d->manifest.wants);
    return status_is_ok(status) ? add_endpoint(l, d) : status;
}

/* ── Life and death ──────────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t index_of(const struct device *d)
{
    return (uint64_t)(d - devmgr.devices);
}

static status_t spawn(struct launch *l, struct device *d)
{
    struct process_start start = {
        .name = d->manifest.name,
        .caps = l->caps,
        .cap_count = l->count,
        .stack_bytes = (uint64_t)d->manifest.stack_kib * 1024,
        .priority = d->manifest.priority,
    };
    status_t status = archive_image(devmgr.archive, devmgr.archive_data, devmgr.archive_bytes,
                                    d->manifest.name, &start.image);
    if (!status_is_ok(status)) {
        launch_drop(l);
        return status;
    }
    if (d->is_pci)
        pci_enable(&d->function, d->manifest.dma,
                   d->irq_count != 0 && d->info.irq_kind == IRQ_LINE);
    return process_spawn(&start, &d->process);
}

/* The service manager shows it to tools and keeps it alive no longer than us. */
static status_t adopt(const struct device *d)
{
    handle_t copy;
    status_t status =
        sys_cap_copy(d->process, RIGHT_INSPECT | RIGHT_MANAGE | RIGHT_TRANSFER | RIGHT_COPY, &copy);
    if (!status_is_ok(status))
        return status;
    status = svc_adopt(os_cap("svc"), d->manifest.name, copy, d->restarts);
    status_ignore(sys_cap_close(copy));
    return status;
}

/* It has no process: have that shown. */
static void report(const struct device *d, uint32_t state)
{
    status_t status = svc_report(os_cap("svc"), d->manifest.name, state);
    if (!status_is_ok(status))
        os_log("devmgr: the service manager does not show what is with %s: %s", d->manifest.name,
               status_name(status));
}

/* True: the device is as after power-on, and reaches no memory. One whose driver does no DMA never masters the bus, so there is nothing that
 * a reset would have to stop; its registers are its driver's to set. */
static bool reset_device(struct device *d)
{
    if (!d->is_pci || !d->manifest.dma || virtio_reset(d))
        return true;
    if (!pci_reset(&d->function))
        return false;
    clock_sleep(RESET_NS);
    if (!pci_is_present(&d->function) || (pci_read16(&d->function, 4) & 4) != 0)
        return false;
    pci_write_bars(&d->function, d->bars);
    return true;
}

static void schedule(struct device *d)
{
    uint64_t now_ns = clock_now_ns();
    if (d->started_ns != 0 && now_ns - d->started_ns > GOOD_NS)
        d->delay_ns = 0;
    d->start_at_ns = now_ns + d->delay_ns;
    uint64_t longer_ns = d->delay_ns == 0 ? DELAY_FIRST_NS : d->delay_ns * 2;
    d->delay_ns = longer_ns < DELAY_LAST_NS ? longer_ns : DELAY_LAST_NS;
}

static void close_handle(handle_t *handle)
{
    if (*handle != HANDLE_NONE)
        status_ignore(sys_cap_close(*handle));
    *handle = HANDLE_NONE;
}

/* What can be reached through @space is out of reach: let it go. */
static uint32_t unmap_all(handle_t space)
{
    uint32_t count = 0;
    while (status_is_ok(sys_dmaspace_unmap(space, 0)))
        count++;
    return count;
}

/* After the driver's end, or before its first start: nothing of a former driver (or of the firmware) may be in flight. */
static void quiet(struct device *d)
{
    close_handle(&d->process);
    close_handle(&d->ping);
    if (d->is_pci)
        pci_enable(&d->function, false, false);
    if (!reset_device(d)) {
        d->quarantined = true;
        os_log("devmgr: %s at %x does not reset: quarantined, its pages stay pinned", d->match,
               d->function.address);
        return;
    }
    if (d->dma == HANDLE_NONE)
        return;
    status_ignore(sys_cap_revoke(d->dma));
    unmap_all(d->dma);
    close_handle(&d->dma);
}

static void set_timer(void)
{
    uint64_t next_ns = DEADLINE_NEVER;
    for (uint32_t i = 0; i < devmgr.device_count; i++)
        if (devmgr.devices[i].start_at_ns != 0 && devmgr.devices[i].start_at_ns < next_ns)
            next_ns = devmgr.devices[i].start_at_ns;
    if (next_ns != DEADLINE_NEVER)
        status_ignore(sys_timer_set(devmgr.timer, next_ns, 0));
}

void driver_start(struct device *d)
{
    static struct launch launch;
    d->start_at_ns = 0;
    quiet(d);
    if (d->quarantined) {
        report(d, SVC_STATE_QUARANTINED);
        return;
    }
    launch.count = 0;
    status_t status = prepare(&launch, d);
    if (!status_is_ok(status))
        launch_drop(&launch);
    else
        status = spawn(&launch, d);
    if (status_is_ok(status))
        status = sys_process_bind(d->process, devmgr.queue, index_of(d));
    d->restarts += d->started_ns != 0;
    d->started_ns = clock_now_ns();
    if (!status_is_ok(status)) {
        os_log("devmgr: %s for %s does not start: %s", d->manifest.name, d->match,
               status_name(status));
        schedule(d);
        set_timer();
        return;
    }
    status = adopt(d);
    if (!status_is_ok(status))
        os_log("devmgr: the service manager does not list %s: %s", d->manifest.name,
               status_name(status));
}

void drivers_begin(void)
{
    bool quiet_all = !devmgr.unseen;
    for (uint32_t i = 0; i < devmgr.device_count; i++) {
        if (devmgr.devices[i].has_driver)
            driver_start(&devmgr.devices[i]);
        quiet_all = quiet_all && !devmgr.devices[i].quarantined;
    }
    devmgr.quiet = quiet_all;
    drivers_let_go();
}

void drivers_let_go(void)
{
    uint32_t count = devmgr.quiet ? unmap_all(devmgr.dma) : 0;
    if (count != 0)
        os_log("devmgr: the devices are quiet: %u mappings of earlier drivers are let go", count);
}

/* It died with @status: true, if that was once too often. */
static bool is_given_up(struct device *d, int64_t status)
{
    bool asked = status == STATUS_CODE_INTERRUPTED && !d->hung;
    bool lived = clock_now_ns() - d->started_ns >= SHORT_LIFE_NS && !d->hung;
    if (!asked)
        d->failures = lived ? 0 : d->failures + 1;
    d->hung = false;
    return d->failures >= FAILURES_MAX;
}

static void on_exit_of(struct device *d, int64_t status)
{
    bool given_up = is_given_up(d, status);
    quiet(d);
    if (given_up && !d->quarantined)
        os_log("devmgr: %s died %u times in a row (status %lld): quarantined", d->manifest.name,
               d->failures, (long long)status);
    d->quarantined = d->quarantined || given_up;
    if (d->quarantined || d->stopped) {
        report(d, d->quarantined ? SVC_STATE_QUARANTINED : SVC_STATE_STOPPED);
        return;
    }
    os_log("devmgr: %s died (status %lld) and starts again", d->manifest.name, (long long)status);
    schedule(d);
    if (d->start_at_ns > clock_now_ns())
        report(d, SVC_STATE_BACKOFF);
}

static void start_anew(struct device *d)
{
    d->stopped = d->quarantined = false;
    d->failures = 0;
    d->delay_ns = 0;
    if (d->process == HANDLE_NONE)
        driver_start(d);
}

static void stop(struct device *d)
{
    d->stopped = true;
    d->start_at_ns = 0;
    if (d->process == HANDLE_NONE) {
        report(d, SVC_STATE_STOPPED);
        return;
    }
    status_t status = sys_process_kill(d->process, STATUS_CODE_INTERRUPTED);
    if (!status_is_ok(status))
        os_log("devmgr: %s cannot be stopped: %s", d->manifest.name, status_name(status));
}

void driver_order(struct device *d, uint32_t order)
{
    os_log("devmgr: %s shall %s", d->manifest.name, order == SVC_ORDER_STOP ? "stop" : "start");
    if (order == SVC_ORDER_STOP)
        stop(d);
    else
        start_anew(d);
}

void driver_event(void *instance, uint64_t cookie, uint32_t kind, uint64_t data)
{
    (void)instance;
    pthread_mutex_lock(&devmgr.lock);
    if (kind == EVENT_EXIT && cookie < devmgr.device_count)
        on_exit_of(&devmgr.devices[cookie], (int64_t)data);
    uint64_t now_ns = clock_now_ns();
    for (uint32_t i = 0; i < devmgr.device_count; i++)
        if (devmgr.devices[i].start_at_ns != 0 && devmgr.devices[i].start_at_ns <= now_ns)
            driver_start(&devmgr.devices[i]);
    set_timer();
    pthread_mutex_unlock(&devmgr.lock);
}

/* VIRTIO 1.2, 4.1.4: the common configuration structure is where the vendor capability of type 1 says. */
bool virtio_reset(const struct device *d)
{
    const struct pci_function *f = &d->function;
    if (pci_read16(f, 0) != 0x1af4)
        return false;
    uint32_t at = pci_read8(f, 0x34) & 0xfcu;
    for (uint32_t steps = 0; at >= 0x40 && steps < 48; steps++, at = pci_read8(f, at + 1) & 0xfcu) {
        if (pci_read8(f, at) != 9 || pci_read8(f, at + 3) != 1)
            continue;
        uint32_t bar = pci_read8(f, at + 4), offset = pci_read32(f, at + 8);
        uint64_t base;
        if (bar >= DEVICE_WINDOWS || d->bars[bar].ports || offset > d->bars[bar].bytes ||
            d->bars[bar].bytes - offset < 56 || !device_window(d, bar, &base))
            return false;
        pci_enable(f, false, false);
        volatile uint8_t *common = physical_map(base + offset, 56, MAP_READ | MAP_WRITE);
        if (common == NULL)
            return false;
        common[20] = 0; /* device_status */
        bool done = false;
        for (uint32_t tries = 0; tries < 100 && !done; tries++) {
            done = common[20] == 0;
            if (!done)
                clock_sleep(NS_PER_MS);
        }
        memory_unmap((void *)((uintptr_t)common & ~(uintptr_t)(PAGE_SIZE - 1)), PAGE_SIZE);
        return done;
    }
    return false;
}
