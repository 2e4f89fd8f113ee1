#include <os/log.h>

#include <idl/log.h>
#include <os/clock.h>
#include <os/start.h>
#include <stdio.h>

#define PATIENCE_NS (200 * NS_PER_MS)

void os_log_arguments(const char *format, va_list arguments)
{
    char line[LOG_LINE_BYTES + 1];
    handle_t log = os_cap("log");
    if (log == HANDLE_NONE) {
        return;
    }
    vsnprintf(line, sizeof(line), format, arguments);
    status_ignore(log_write_until(log, line, clock_deadline(PATIENCE_NS)));
}

void os_log(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    os_log_arguments(format, arguments);
    va_end(arguments);
}
