/* devmgr: the device manager.
 *
 * Builds the list of devices from the firmware's tables and PCI, starts for each the driver whose manifest matches, and takes care
 * of the device when the driver ends. It alone touches configuration space and MSI-X tables. If it dies itself the service manager ends its
 * drivers, and its next life finds the devices, resets them and begins anew; the drivers' endpoints live on with the service manager. */
#include "devmgr.h"

#include <os/archive.h>
#include <os/log.h>
#include <os/server.h>
#include <os/start.h>
#include <veridian/syscalls.h>

struct devmgr devmgr;

static status_t open_catalogue(void)
{
    uint64_t offset, bytes;
    status_t status = archive_map(devmgr.archive, &devmgr.archive_data, &devmgr.archive_bytes);
    if (status_is_ok(status))
        status =
            archive_find(devmgr.archive_data, devmgr.archive_bytes, "catalogue", &offset, &bytes);
    return status_is_ok(status) ? catalogue_open((const uint8_t *)devmgr.archive_data + offset,
                                                 bytes, &devmgr.catalogue)
                                : status;
}

int main(void)
{
    devmgr.physical = os_cap("physical");
    devmgr.interrupts = os_cap("interrupts");
    devmgr.dma = os_cap("dma");
    devmgr.ioports = os_cap("ioports");
    devmgr.archive = os_cap("archive");
    status_t status = open_catalogue();
    if (status_is_ok(status))
        status = sys_queue_create(os_self.budget, &devmgr.queue);
    if (status_is_ok(status))
        status = sys_timer_create(os_self.budget, &devmgr.timer);
    if (status_is_ok(status))
        status = sys_timer_bind(devmgr.timer, devmgr.queue, COOKIE_TIMER);
    if (!status_is_ok(status)) {
        os_log("devmgr: cannot begin: %s", status_name(status));
        return 1;
    }
    pthread_mutex_init(&devmgr.lock, NULL);
    scan_devices();
    drivers_begin();
    status = watch_begin();
    if (!status_is_ok(status))
        os_log("devmgr: nobody looks after drivers that hang: %s", status_name(status));
    const struct server_ops ops = {.event = driver_event};
    struct server server = {.endpoint = os_cap("endpoint"), .queue = devmgr.queue, .ops = &ops};
    return status_code(server_run(&server));
}
