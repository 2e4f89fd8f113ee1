/* The tests at the limits: see limits.h. */
#include "limits.h"

#include <kstring.h>
#include <stddef.h>

#define BIG_MACHINE_PAGES ((1800ull << 20) / PAGE_SIZE)

unsigned scale(void)
{
    struct memory_stats stats = {0};

    OK(sys_system_memory_stats(info->budget, &stats));
    return stats.total_pages >= BIG_MACHINE_PAGES ? 1 : 10;
}

bool clock_counts(void)
{
    return is_told("clock=instructions");
}

handle_t give(handle_t process, handle_t source, uint32_t rights, uint32_t mode)
{
    handle_t given = 0;

    OK(sys_process_give(process, source, rights, 0, mode, &given));
    return given;
}

uint64_t caps_of(handle_t process)
{
    struct process_info process_info = {0};

    OK(sys_process_info(process, &process_info));
    return process_info.caps;
}

extern const struct test call_tests[], tree_tests[], clone_tests[];
const struct test *const test_groups[] = {call_tests, tree_tests, clone_tests, NULL};
