#include "tests.h"

#include <idl/power.h>
#include <idl/svc.h>
#include <os/archive.h>
#include <os/clock.h>
#include <os/log.h>
#include <os/start.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define GIVE_BACK_TRIES 3000
#define GIVE_BACK_NS (10 * NS_PER_MS)
/** malloc's own growth, caches of the kernel. */
#define SLACK_PAGES 16u
#define CHILD_PATIENCE_NS (120 * NS_PER_S)

const void *archive;
uint64_t archive_bytes;
static int failures;

static void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void print(const char *format, ...)
{
    char line[IOPORT_WRITE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    status_ignore(sys_ioport_write(os_cap("ioport.e9"), LOG_PORT, line, strlen(line)));
}

void say(const char *format, ...)
{
    char line[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    print("# %s\n", line);
}

void check_failed(const char *file, int line, const char *condition, int64_t value)
{
    failures++;
    say("%s:%d: %s (%lld)", file, line, condition, (long long)value);
}

void check_status(const char *file, int line, const char *what, status_t wanted, status_t status)
{
    if (status != wanted) {
        failures++;
        say("%s:%d: %s gave %s", file, line, what, status_name(status));
    }
}

status_t child_start(const char *const *args, const struct process_cap *caps, size_t cap_count,
                     handle_t *process)
{
    static const char *const env[] = {"COLOUR=red", NULL};
    struct process_start start = {
        .name = "child", .args = args, .env = env, .caps = caps, .cap_count = cap_count};
    status_t status =
        archive_image(os_cap("archive"), archive, archive_bytes, "child", &start.image);
    return status_is_ok(status) ? process_spawn(&start, process) : status;
}

int64_t child_end(handle_t process)
{
    int64_t exit_status = INT64_MIN;
    OK(process_wait(process, clock_deadline(CHILD_PATIENCE_NS), &exit_status));
    OK(sys_cap_close(process));
    return exit_status;
}

void usage(uint64_t *pages, uint64_t *kmem_bytes)
{
    struct budget_info info = {0};
    OK(sys_budget_info(os_cap("budget"), &info));
    *pages = info.pages_used;
    *kmem_bytes = info.kmem_used;
}

bool usage_returns(uint64_t pages, uint64_t kmem_bytes)
{
    uint64_t pages_now = 0, kmem_now = 0;
    for (int i = 0; i < GIVE_BACK_TRIES; i++) {
        usage(&pages_now, &kmem_now);
        if (pages_now <= pages + SLACK_PAGES && kmem_now <= kmem_bytes + SLACK_PAGES * PAGE_SIZE) {
            return true;
        }
        clock_sleep(GIVE_BACK_NS);
    }
    say("%lld pages, %lld bytes more than before", (long long)(pages_now - pages),
        (long long)(kmem_now - kmem_bytes));
    return false;
}

int main(int argc, char **argv)
{
    static const struct test *const groups[] = {libc_tests, process_tests, service_tests};
    int number = 0, failed = 0;
    CHECK(argc == 3 && strcmp(argv[0], "tests") == 0 && strcmp(argv[1], "one") == 0 &&
          strcmp(argv[2], "two words") == 0);
    CHECK(getenv("COLOUR") && strcmp(getenv("COLOUR"), "green") == 0);
    OK(archive_map(os_cap("archive"), &archive, &archive_bytes));
    for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
        for (const struct test *test = groups[g]; test->name; test++) {
            test->run();
            print("%sok %d - %s\n", failures ? "not " : "", ++number, test->name);
            failed += failures != 0;
            failures = 0;
        }
    }
    print("1..%d\n", number);
    status_ignore(power_off(os_cap("power"), failed != 0));
    return 1;
}
