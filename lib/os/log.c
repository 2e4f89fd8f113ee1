#include <os/log.h>

#include <idl/log.h>
#include <os/clock.h>
#include <os/start.h>
#include <stdio.h>

/* For a log service that lives, on a host that is busy; and for one that was waited for in vain, until it is back. */
#define PATIENCE_NS (2 * NS_PER_S)
#define PATIENCE_LOST_NS (200 * NS_PER_MS)

static bool lost; /* atomic */

void os_log_arguments(const char *format, va_list arguments)
{
    char line[LOG_LINE_BYTES + 1];
    handle_t log = os_cap("log");
    if (log == HANDLE_NONE) {
        return;
    }
    vsnprintf(line, sizeof(line), format, arguments);
    bool was_lost = __atomic_load_n(&lost, __ATOMIC_RELAXED);
    status_t status =
        log_write_until(log, line, clock_deadline(was_lost ? PATIENCE_LOST_NS : PATIENCE_NS));
    __atomic_store_n(&lost, status == STATUS_TIMED_OUT, __ATOMIC_RELAXED);
}

void os_log(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    os_log_arguments(format, arguments);
    va_end(arguments);
}
