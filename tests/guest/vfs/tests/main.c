/* Runs all tests, prints TAP, ends the machine. */
#include "tests.h"

#include <idl/power.h>
#include <stdarg.h>
#include <stdio.h>
#include <veridian/syscalls.h>

static int tests;
static int failures;
static int failures_here;

static void put(const char *text)
{
    for (; *text; text++) {
        status_ignore(sys_ioport_out(os_cap("ioport.e9"), 0xe9, 1, (uint8_t)*text));
    }
}

void say(const char *format, ...)
{
    char line[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    put(line);
    put("\n");
}

void check_failed(const char *file, int line, const char *what, long long value)
{
    if (failures_here++ < 20) {
        say("# %s:%d: %s (%lld)", file, line, what, value);
    }
}

/* The service manager has told the log of what it did, so that no line of it comes in the middle of ours. */
static void let_the_log_finish(void)
{
    struct svc_info info;
    status_ignore(svc_status(os_cap("svc"), "vfs", &info));
}

void run(const char *name, void (*test)(void))
{
    failures_here = 0;
    uint64_t start_ns = clock_now_ns();
    test();
    let_the_log_finish();
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
