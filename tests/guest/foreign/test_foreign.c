/* Linux programs on a personality of a few hundred lines. */
#include "personality.h"

#include <kstring.h>

extern const unsigned char program_calls[], program_signals[], program_processes[],
    program_threads[], program_files[], program_clock[], program_watch[];

static void test_foreign_calls(void)
{
    CHECK(personality_run(program_calls, 'r') == 0);
    CHECK(memcmp(personality_output, "hello from Linux", 16) == 0);
    CHECK(personality_served_ns != 0);
}

static void test_foreign_signals(void)
{
    CHECK(personality_run(program_signals, 'r') == 0);
}

static void test_foreign_processes(void)
{
    CHECK(personality_run(program_processes, 'r') == 0);
}

static void test_foreign_threads(void)
{
    CHECK(personality_run(program_threads, 'r') == 0);
}

static void test_foreign_files(void)
{
    CHECK(personality_run(program_files, 'r') == 0);
}

/* 4000 times by the page and 201 by the call, which come here; where the page says nothing all of them do. */
static void test_foreign_clock(void)
{
    struct clock_page page;

    OK(sys_memory_read(info->clock, 0, &page, sizeof(page)));
    CHECK(personality_run(program_clock, 'r') == 0);
    CHECK(((page.flags & CLOCK_PAGE_COUNTER) != 0) == (personality_calls < 4000));
    CHECK(personality_calls > 200);
}

static void test_foreign_debug_registers(void)
{
    CHECK(personality_run(program_watch, 'r') == 0);
}

static const struct test foreign_tests[] = {
    TEST(test_foreign_calls),           TEST(test_foreign_signals),
    TEST(test_foreign_processes),       TEST(test_foreign_threads),
    TEST(test_foreign_files),           TEST(test_foreign_clock),
    TEST(test_foreign_debug_registers), {0},
};

const struct test *const test_groups[] = {foreign_tests, NULL};
