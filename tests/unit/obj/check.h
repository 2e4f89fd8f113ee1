#pragma once
/* TAP from unit tests: each test is a function, CHECK records a failure and goes on. */
#include <stdbool.h>

void check_failed(const char *file, int line, const char *condition);
#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(function) {#function, function}

extern const struct test lib_tests[], boot_tests[], object_tests[], interrupt_tests[],
    timer_tests[];
