#include <os/clock.h>
#include <os/start.h>
#include <veridian/syscalls.h>

/** The clock page, once it is mapped; one that says nothing if there is none. */
static const struct clock_page *clock_page;

static const struct clock_page *page_map(void)
{
    static const struct clock_page ask;
    uint64_t address;
    const struct clock_page *before = NULL;
    if (os_self.clock == HANDLE_NONE) {
        return &ask;
    }
    if (!status_is_ok(sys_aspace_map(os_self.aspace, os_self.clock, 0, 0, PAGE_SIZE,
                                     MAP_READ | MAP_POPULATE | MAP_CLONE_SHARED, 0, &address))) {
        return &ask; // this time
    }
    const struct clock_page *page = (const struct clock_page *)address;
    if (__atomic_compare_exchange_n(&clock_page, &before, page, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        return page;
    }
    status_ignore(sys_aspace_unmap(os_self.aspace, address, PAGE_SIZE));
    return before;
}

uint64_t clock_now_ns(void)
{
    uint64_t now_ns = 0;
    const struct clock_page *page = __atomic_load_n(&clock_page, __ATOMIC_ACQUIRE);
    if (!page) {
        page = page_map();
    }
    if (!clock_page_now(page, &now_ns)) {
        status_ignore(sys_system_clock(&now_ns));
    }
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
