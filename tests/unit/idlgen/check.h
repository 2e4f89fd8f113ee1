#pragma once
/* TAP from a C program: CHECK inside tests, RUN for each test, then tap_end(). */
#include <stdio.h>

static int tap_count;
static int tap_failed;
static int tap_failed_before;

#define CHECK(condition)                                             \
    do {                                                             \
        if (!(condition)) {                                          \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            tap_failed++;                                            \
        }                                                            \
    } while (0)

#define RUN(test)                                                                                  \
    do {                                                                                           \
        tap_failed_before = tap_failed;                                                            \
        test();                                                                                    \
        tap_count++;                                                                               \
        printf("%sok %d - %s\n", tap_failed == tap_failed_before ? "" : "not ", tap_count, #test); \
    } while (0)

static inline int tap_end(void)
{
    printf("1..%d\n", tap_count);
    return tap_failed != 0;
}
