/* Ends the machine's run. Off: a record with the exit status goes to the log port for the launcher, then QEMU's isa-debug-exit device
 * ends the emulator. Reboot: a full reset by the reset control register of PC chipsets (Intel ICH9 datasheet, 13.7.5 RST_CNT). */
#include <idl/power.h>
#include <os/clock.h>
#include <os/log.h>
#include <os/server.h>
#include <os/start.h>
#include <stdio.h>
#include <veridian/syscalls.h>

#define EXIT_PORT 0xf4u
#define RESET_PORT 0xcf9u
/* RST_CNT: system reset, then the reset itself. */
#define RESET_SYSTEM 0x02u
#define RESET_NOW 0x06u
/** What a port needs to take effect. */
#define SETTLE_NS (100 * NS_PER_MS)

static status_t op_off(void *instance, struct ipc_call *call, uint32_t status)
{
    (void)instance;
    (void)call;
    char record[32];
    int bytes = snprintf(record, sizeof(record),
                         "\x1e"
                         "EXIT %u\n",
                         status);
    // As one: others still write to the log, and the launcher must know it.
    status_ignore(sys_ioport_write(os_cap("ioport.e9"), LOG_PORT, record, (size_t)bytes));
    status_ignore(sys_ioport_out(os_cap("ioport.f4"), EXIT_PORT, 4, 0));
    clock_sleep(SETTLE_NS);
    return STATUS_UNSUPPORTED;
}

static status_t op_reboot(void *instance, struct ipc_call *call)
{
    (void)instance;
    (void)call;
    os_log("reboot");
    status_ignore(sys_ioport_out(os_cap("ioport.cf9"), RESET_PORT, 1, RESET_SYSTEM));
    status_ignore(sys_ioport_out(os_cap("ioport.cf9"), RESET_PORT, 1, RESET_NOW));
    clock_sleep(SETTLE_NS);
    return STATUS_UNSUPPORTED;
}

int main(void)
{
    static const struct power_ops ops = {.off = op_off, .reboot = op_reboot};
    const struct server_service service = {.protocol = &power_protocol, .ops = &ops};
    struct server server = {.endpoint = os_cap("endpoint"),
                            .services = &service,
                            .service_count = 1};
    return status_code(server_run(&server));
}
