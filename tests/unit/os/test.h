#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                             \
    do {                                                             \
        if (!(condition)) {                                          \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            test_failures++;                                         \
        }                                                            \
    } while (0)

extern int test_failures;
void test_run(const char *name, void (*run)(void));
#define RUN(function) test_run(#function, function)

/** A repeatable stream of numbers. */
uint64_t test_random(void);

void elf_tests(void);
void archive_tests(void);
void catalogue_tests(void);
