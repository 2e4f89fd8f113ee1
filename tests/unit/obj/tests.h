#pragma once
#include <check.h>

extern const struct test lib_tests[], boot_tests[], object_tests[], interrupt_tests[],
    timer_tests[];
