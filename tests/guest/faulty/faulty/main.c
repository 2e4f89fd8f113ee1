/* A driver for the traditional memory balloon (VIRTIO 1.2, 5.5), which gives no memory away. It looks how many pages the device wants,
 * and with some numbers it makes a mistake: with CRASHES it writes where nothing is, with HANGS it waits for what never comes. */
#include <os/clock.h>
#include <os/log.h>
#include <os/server.h>
#include <os/start.h>
#include <stdlib.h>
#include <veridian/syscalls.h>
#include <virtio/virtio.h>

#define LOOK_NS (50 * NS_PER_MS)
#define COOKIE_TIMER 0x1000u
/* 5.5.4: num_pages, of 4 KiB. */
#define CONFIG_PAGES 0
#define MIB 256u
#define CRASHES (16u * MIB)
#define HANGS (32u * MIB)

static struct driver_device device;
static struct virtio virtio;

static void look(void)
{
    uint32_t pages = mmio_read32(virtio.config + CONFIG_PAGES);
    if (pages == CRASHES)
        *(volatile uint32_t *)(uintptr_t)pages = pages;
    for (volatile uint32_t forever = pages; forever == HANGS;) {
    }
}

static void on_event(void *instance, uint64_t cookie, uint32_t kind, uint64_t data)
{
    (void)instance;
    (void)data;
    if (kind == EVENT_INTERRUPT) {
        virtio_quiet_line(&virtio);
        driver_irq_ack(&device, (uint32_t)cookie);
    }
    look();
}

int main(void)
{
    handle_t timer;
    status_t status = driver_open(&device);
    if (status == STATUS_OK)
        status = virtio_open(&virtio, &device, 0);
    if (status == STATUS_OK)
        status = virtio.config_bytes >= 8 ? STATUS_OK : STATUS_UNSUPPORTED;
    if (status == STATUS_OK)
        status = sys_timer_create(os_self.budget, &timer);
    if (status == STATUS_OK)
        status = sys_timer_bind(timer, device.queue, COOKIE_TIMER);
    if (status == STATUS_OK)
        status = sys_timer_set(timer, clock_deadline(LOOK_NS), LOOK_NS);
    if (status != STATUS_OK) {
        os_log("faulty: cannot begin: %s", status_name(status));
        return EXIT_FAILURE;
    }
    virtio_start(&virtio);
    os_log("faulty: serves");
    const struct server_ops ops = {.event = on_event};
    struct server server = {.endpoint = os_cap("endpoint"), .queue = device.queue, .ops = &ops};
    return status_code(server_run(&server));
}
