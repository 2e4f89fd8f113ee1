#pragma once
/* TAP from unit tests: each test is a function, CHECK records a failure and goes on. */
#include <stdio.h>

/** Of the test that runs; one for all files of the program. */
extern int check_failures;
__attribute__((weak)) int check_failures;

static inline void check_failed(const char *file, int line, const char *condition)
{
    check_failures++;
    printf("# %s:%d: %s\n", file, line, condition);
}

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(function) {#function, function}

/** All tests of the program, in groups that end with an empty one. Returns main's status. */
static inline int run_groups(const struct test *const *groups, unsigned count)
{
    int number = 0, failed = 0;

    for (unsigned g = 0; g < count; g++) {
        for (const struct test *test = groups[g]; test->name != NULL; test++) {
            check_failures = 0;
            test->run();
            failed += check_failures != 0;
            printf("%s %d - %s\n", check_failures == 0 ? "ok" : "not ok", ++number, test->name);
        }
    }
    printf("1..%d\n", number);
    return failed != 0;
}

/** The same of one group. */
static inline int run_tests(const struct test *tests)
{
    return run_groups(&tests, 1);
}
