/* See console.h. The timer looks at the chip again (an interrupt may be lost) and at clients whose buffers were not in memory. */
#include "internal.h"

#include <os/clock.h>
#include <os/log.h>
#include <os/start.h>
#include <stdlib.h>
#include <veridian/syscalls.h>

#define COOKIE_TIMER UINT64_MAX
#define LOOK_NS (100 * NS_PER_MS)
#define RETRY_NS (2 * NS_PER_MS)

const struct console_port *console_port;
static struct driver_device device;
static handle_t timer;

void console_watch(void)
{
    if (client_must_retry())
        status_ignore(sys_timer_set(timer, clock_deadline(RETRY_NS), 0));
    else if (!console_is_silent())
        status_ignore(sys_timer_set(timer, clock_deadline(LOOK_NS), 0));
}

bool console_service(void)
{
    bool present = console_port->service();
    console_watch();
    return present;
}

/* Before the interrupt is let through again, and after: an edge in between would be lost. */
static bool on_interrupt(uint32_t number)
{
    bool present = console_service();
    driver_irq_ack(&device, number);
    return present && console_service();
}

static void on_event(void *instance, uint64_t cookie, uint32_t kind, uint64_t data)
{
    (void)instance;
    (void)data;
    bool present = kind == EVENT_INTERRUPT ? on_interrupt((uint32_t)cookie) : console_service();
    if (!present) {
        os_log("%s: the chip does not answer; beginning anew", console_port->name);
        exit(EXIT_FAILURE);
    }
}

static status_t start(void)
{
    status_t status = driver_open(&device);
    if (status_is_ok(status))
        status = sys_timer_create(os_self.budget, &timer);
    if (status_is_ok(status))
        status = sys_timer_bind(timer, device.queue, COOKIE_TIMER);
    return status_is_ok(status) ? console_port->start(&device) : status;
}

int console_run(const struct console_port *port)
{
    console_port = port;
    client_start();
    status_t status = start();
    if (!status_is_ok(status)) {
        os_log("%s: the port cannot be started: %s", port->name, status_name(status));
        return EXIT_FAILURE;
    }
    os_log("%s: console at 0x%llx", port->name, (unsigned long long)device.info->windows[0].base);
    (void)console_service();
    const struct server_service service = {.protocol = &bytestream_protocol, .ops = &client_ops};
    const struct server_ops ops = {.event = on_event, .gone = client_gone};
    struct server server = {.endpoint = os_cap("endpoint"),
                            .queue = device.queue,
                            .ops = &ops,
                            .services = &service,
                            .service_count = 1};
    return status_code(server_run(&server));
}
