#pragma once
/* The system's log, for a program that has the capability "log". */
#include <stdarg.h>

/** Add a line (printf's format, cut at LOG_LINE_BYTES) to the log. Waits a moment for a log service that is away, then gives up: no
 *  program ends or stops because nobody logs. Without the capability nothing happens. */
void os_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
void os_log_arguments(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));
