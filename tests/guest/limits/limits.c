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
    static const char word[] = "clock=instructions";
    char line[256];

    OK(sys_memory_read(info->boot, offsetof(struct boot_facts, cmdline), line, sizeof(line)));
    for (unsigned i = 0; i + sizeof(word) <= sizeof(line); i++)
        if (strncmp(line + i, word, sizeof(word) - 1) == 0)
            return true;
    return false;
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
