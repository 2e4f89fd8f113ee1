/* Linux programs on a personality of a few hundred lines. */
#include "personality.h"

#include <kstring.h>

extern const unsigned char program_calls[], program_signals[], program_processes[],
    program_threads[], program_files[];

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

static const struct test foreign_tests[] = {
    TEST(test_foreign_calls),   TEST(test_foreign_signals), TEST(test_foreign_processes),
    TEST(test_foreign_threads), TEST(test_foreign_files),   {0},
};

const struct test *const test_groups[] = {foreign_tests, NULL};
