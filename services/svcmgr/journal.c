/* Lines for the log. The service manager may not wait for a service that it must itself restart: lines are kept here and handed over
 * from the main loop, each with a short deadline, and a log service that misses it is asked no more until a new one was started. */
#include "svcmgr.h"

#include <idl/log.h>
#include <os/clock.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <veridian/syscalls.h>

#define LINES 32u
#define PATIENCE_NS (100 * NS_PER_MS)

static char lines[LINES][LOG_LINE_BYTES + 1];
static uint32_t first, count;
static handle_t connection;
static bool silent;

void journal(const char *format, ...)
{
    va_list arguments;
    if (count == LINES) {
        // The oldest line gives way.
        first = (first + 1) % LINES;
        count--;
    }
    va_start(arguments, format);
    vsnprintf(lines[(first + count) % LINES], sizeof(lines[0]), format, arguments);
    va_end(arguments);
    count++;
    journal_flush();
}

void journal_retry(void)
{
    silent = false;
}

/** True: there is a log service to ask. */
static bool is_connected(void)
{
    struct service *service = service_providing("log");
    uint32_t own;
    struct catalogue_entry entry;
    if (!service || service->state != SVC_STATE_RUNNING || silent) {
        return false;
    }
    if (connection != HANDLE_NONE) {
        return true;
    }
    return status_is_ok(catalogue_find(&manager.catalogue, "svcmgr", &entry, &own)) &&
           status_is_ok(launch_connect(service, catalogue_badge(own, 0), &connection));
}

void journal_flush(void)
{
    while (count > 0 && is_connected()) {
        status_t status = log_write_until(connection, lines[first], clock_deadline(PATIENCE_NS));
        if (!status_is_ok(status)) {
            silent = true;
            return;
        }
        first = (first + 1) % LINES;
        count--;
    }
}
