#include <os/clock.h>

#include <veridian/syscalls.h>

uint64_t clock_now_ns(void)
{
    uint64_t now_ns = 0;
    status_ignore(sys_system_clock(&now_ns));
    return now_ns;
}

uint64_t clock_deadline(uint64_t ns)
{
    uint64_t deadline_ns;
    return __builtin_add_overflow(clock_now_ns(), ns, &deadline_ns) ? DEADLINE_NEVER : deadline_ns;
}

void clock_sleep(uint64_t ns)
{
    uint64_t deadline_ns = clock_deadline(ns);
    while (sys_thread_sleep(deadline_ns) == STATUS_INTERRUPTED) {
    }
}
