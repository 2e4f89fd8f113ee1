/* The second thread: it looks after drivers that hang, and takes the orders that tools give to the service manager.
 *
 * A driver that hangs has died without knowing it. Every few seconds each one's endpoint is called with a label of no protocol, which any
 * server's loop answers at once (os/server.h); one that does not answer for as long as a device may take for a request is ended, and the
 * rest is as for any death (driver.c). So no client needs to tell a slow driver from a hanging one: its call ends when the driver
 * does. Calls wait, so they are made without the lock, and by a thread that nobody waits for. */
#include "devmgr.h"

#include <idl/svc.h>
#include <os/clock.h>
#include <os/log.h>
#include <os/start.h>
#include <os/syscall.h>
#include <string.h>
#include <veridian/syscalls.h>

#define LOOK_NS (2 * NS_PER_S)
#define ANSWER_NS (10 * NS_PER_S)
#define STACK_BYTES ((size_t)32 << 10)
/* Protocols begin at 1. */
#define LABEL_OF_NONE 0u

static status_t call(handle_t endpoint)
{
    struct ipc_regs regs = {.target = endpoint,
                            .info = ipc_info(LABEL_OF_NONE, 0, 0, 0),
                            .deadline = clock_deadline(ANSWER_NS)};
    return ipc_exchange(&regs, 0);
}

static void look_at(struct device *d)
{
    pthread_mutex_lock(&devmgr.lock);
    handle_t process = d->process, ping = d->ping;
    pthread_mutex_unlock(&devmgr.lock);
    if (process == HANDLE_NONE || ping == HANDLE_NONE || call(ping) != STATUS_TIMED_OUT)
        return;
    pthread_mutex_lock(&devmgr.lock);
    // A handle is never used twice: it is still the same life.
    if (d->process == process) {
        os_log("devmgr: %s does not answer: it is ended", d->manifest.name);
        d->hung = status_is_ok(sys_process_kill(process, STATUS_CODE_TIMED_OUT));
    }
    pthread_mutex_unlock(&devmgr.lock);
}

static void obey(const char *name, uint32_t order)
{
    pthread_mutex_lock(&devmgr.lock);
    for (uint32_t i = 0; i < devmgr.device_count; i++)
        if (devmgr.devices[i].has_driver && strcmp(devmgr.devices[i].manifest.name, name) == 0)
            driver_order(&devmgr.devices[i], order);
    pthread_mutex_unlock(&devmgr.lock);
}

static void *watch(void *unused)
{
    char name[SVC_NAME_BYTES + 1];
    uint64_t look_at_ns = clock_deadline(LOOK_NS);
    uint32_t order;
    for (;;) {
        status_t status = svc_await_order_until(os_cap("svc"), name, &order, look_at_ns);
        if (status_is_ok(status))
            obey(name, order);
        else if (status != STATUS_TIMED_OUT)
            clock_sleep(NS_PER_S / 10); // another service manager begins
        if (clock_now_ns() < look_at_ns)
            continue;
        for (uint32_t i = 0; i < devmgr.device_count; i++)
            look_at(&devmgr.devices[i]);
        drivers_let_go();
        look_at_ns = clock_deadline(LOOK_NS);
    }
    return unused;
}

status_t watch_begin(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    bool good = pthread_attr_init(&attributes) == 0 &&
                pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0 &&
                pthread_create(&thread, &attributes, watch, NULL) == 0;
    return good ? STATUS_OK : STATUS_NO_MEMORY;
}
