/* virtio-blk: block devices of virtual machines (VIRTIO 1.2, 5.2).
 *
 * One thread waits for everything: interrupts of the device, doorbells of clients, calls. A device that does not answer in time, or breaks its
 * protocol, ends this process: devmgr resets it and starts the next, and the clients send again what was not completed. */
#include "blk.h"

#include <os/clock.h>
#include <os/log.h>
#include <os/start.h>
#include <stdlib.h>
#include <veridian/syscalls.h>

#define WATCH_NS (1 * NS_PER_S)

struct blk blk;

static void on_event(void *instance, uint64_t cookie, uint32_t kind, uint64_t data)
{
    (void)instance;
    (void)data;
    if (kind == EVENT_TIMER && device_is_stuck(clock_now_ns())) {
        os_log("virtio-blk: the device does not answer, or breaks its protocol; beginning anew");
        exit(EXIT_FAILURE);
    }
    if (kind == EVENT_INTERRUPT)
        virtio_quiet_line(&blk.virtio);
    device_poll();
    if (kind == EVENT_INTERRUPT) {
        driver_irq_ack(&blk.device, (uint32_t)cookie);
        device_poll();
    }
    sessions_pump();
}

static status_t watch(void)
{
    status_t status = sys_timer_create(os_self.budget, &blk.timer);
    if (status == STATUS_OK)
        status = sys_timer_bind(blk.timer, blk.device.queue, EVENT_COOKIE_TIMER);
    return status == STATUS_OK ? sys_timer_set(blk.timer, clock_deadline(WATCH_NS), WATCH_NS)
                               : status;
}

int main(void)
{
    blk.endpoint = os_cap("endpoint");
    status_t status = device_start();
    if (status == STATUS_OK)
        status = watch();
    if (status != STATUS_OK) {
        os_log("virtio-blk: the device cannot be started: %s", status_name(status));
        return EXIT_FAILURE;
    }
    os_log("virtio-blk: %llu MiB, blocks of %u bytes", (unsigned long long)(blk.info.bytes >> 20),
           blk.info.block_bytes);
    os_log("virtio-blk: interrupts by %s",
           blk.device.info->irq_kind == IRQ_LINE ? "line" : "message");
    const struct server_service service = {.protocol = &block_protocol, .ops = &session_ops};
    const struct server_ops ops = {.event = on_event, .closed = session_closed};
    struct server server = {.endpoint = blk.endpoint,
                            .queue = blk.device.queue,
                            .ops = &ops,
                            .services = &service,
                            .service_count = 1};
    return status_code(server_run(&server));
}
