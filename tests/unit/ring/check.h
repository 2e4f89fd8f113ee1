#pragma once
/* TAP from unit tests: each test is a function, CHECK records a failure and goes on. */
#include <stdio.h>

static int check_failures;

#define CHECK(condition)                                             \
    do {                                                             \
        if (!(condition)) {                                          \
            check_failures++;                                        \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
        }                                                            \
    } while (0)

struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(function) {#function, function}

static inline int run_tests(const struct test *tests, int count)
{
    int failed = 0;
    for (int i = 0; i < count; i++) {
        check_failures = 0;
        tests[i].run();
        failed += check_failures != 0;
        printf("%s %d - %s\n", check_failures == 0 ? "ok" : "not ok", i + 1, tests[i].name);
    }
    printf("1..%d\n", count);
    return failed != 0;
}
