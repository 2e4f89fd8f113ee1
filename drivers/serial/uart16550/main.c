/* uart16550: the PC's serial port, and the console that speaks idl/bytestream.idl on it.
 *
 * One thread waits for everything: interrupts of the chip, calls, and a timer, which runs only while something waits: it looks at the chip
 * again (an interrupt may be lost) and at clients whose buffers were not in memory. No state here matters: readers and writers of
 * a driver that died ask the next one. */
#include "console.h"

#include <os/clock.h>
#include <os/log.h>
#include <os/start.h>
#include <stdlib.h>
#include <veridian/syscalls.h>

#define LOOK_NS (100 * NS_PER_MS)
#define RETRY_NS (2 * NS_PER_MS)

struct driver_device device;
static handle_t timer;

void console_watch(void)
{
    if (client_must_retry())
        status_ignore(sys_timer_set(timer, clock_deadline(RETRY_NS), 0));
    else if (!output_is_empty())
        status_ignore(sys_timer_set(timer, clock_deadline(LOOK_NS), 0));
}

static void on_event(void *instance, uint64_t cookie, uint32_t kind, uint64_t data)
{
    (void)instance;
    (void)data;
    bool present = kind == EVENT_INTERRUPT ? uart_interrupt((uint32_t)cookie) : uart_service();
    if (!present) {
        os_log("uart16550: the chip does not answer; beginning anew");
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
    return status_is_ok(status) ? uart_start() : status;
}

int main(void)
{
    client_start();
    status_t status = start();
    if (!status_is_ok(status)) {
        os_log("uart16550: the port cannot be started: %s", status_name(status));
        return EXIT_FAILURE;
    }
    os_log("uart16550: console at port 0x%llx", (unsigned long long)device.info->windows[0].base);
    (void)uart_service();
    const struct server_service service = {.protocol = &bytestream_protocol, .ops = &client_ops};
    const struct server_ops ops = {.event = on_event, .gone = client_gone};
    struct server server = {.endpoint = os_cap("endpoint"),
                            .queue = device.queue,
                            .ops = &ops,
                            .services = &service,
                            .service_count = 1};
    return status_code(server_run(&server));
}
