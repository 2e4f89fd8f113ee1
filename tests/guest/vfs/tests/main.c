/* Runs all tests, prints TAP, ends the machine. */
#include "tests.h"

#include <idl/power.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <veridian/syscalls.h>

static int tests;
static int failures;
static int failures_here;

void say(const char *format, ...)
{
    char line[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    strcat(line, "\n");
    status_ignore(sys_ioport_write(os_cap("ioport.e9"), LOG_PORT, line, strlen(line)));
}

void check_failed(const char *file, int line, const char *what, long long value)
{
    if (failures_here++ < 20) {
        say("# %s:%d: %s (%lld)", file, line, what, value);
    }
}

void run(const char *name, void (*test)(void))
{
    failures_here = 0;
    uint64_t start_ns = clock_now_ns();
    test();
    failures += failures_here > 0;
    say("%sok %d - %s", failures_here ? "not " : "", ++tests, name);
    say("# %llu ms", (unsigned long long)((clock_now_ns() - start_ns) / NS_PER_MS));
}

int main(void)
{
    run_basic_tests();
    run_session_tests();
    run_restart_tests();
    run_ahead_tests();
    run_kill_tests();
    say("1..%d", tests);
    status_ignore(power_off(os_cap("power"), failures ? 1 : 0));
    return 0;
}
