/* The service manager: starts every service of the catalogue with just the capabilities that its manifest names, and starts it again
 * when it dies. It owns the services' endpoints. init keeps what must outlive it (services/init). It calls nobody but init, and the log
 * service with a deadline, so no service can hold it up. */
#include "svcmgr.h"

#include <os/archive.h>
#include <os/server.h>
#include <os/start.h>
#include <veridian/syscalls.h>

static status_t prepare(void)
{
    uint64_t offset = 0, bytes = 0;
    manager.keeper = os_cap("keeper");
    manager.endpoint = os_cap("endpoint");
    manager.archive = os_cap("archive");
    status_t status = archive_map(manager.archive, &manager.archive_data, &manager.archive_bytes);
    if (status_is_ok(status)) {
        status =
            archive_find(manager.archive_data, manager.archive_bytes, "catalogue", &offset, &bytes);
    }
    if (status_is_ok(status)) {
        status = catalogue_open((const uint8_t *)manager.archive_data + offset, bytes,
                                &manager.catalogue);
    }
    if (status_is_ok(status)) {
        status = sys_queue_create(os_self.budget, &manager.queue);
    }
    return status_is_ok(status) ? sys_timer_create(os_self.budget, &manager.timer) : status;
}

int main(void)
{
    const struct server_ops ops = {.event = service_event, .gone = adopted_gone};
    const struct server_service service = {.protocol = &svc_protocol, .ops = &svc_ops};
    status_t status = prepare();
    if (!status_is_ok(status)) {
        return status_code(status);
    }
    services_begin();
    struct server server = {
        .endpoint = manager.endpoint,
        .queue = manager.queue,
        .ops = &ops,
        .services = &service,
        .service_count = 1,
    };
    return status_code(server_run(&server));
}
