#include "guest.h"

extern const struct test cap_tests[], memory_tests[], object_tests[], ipc_tests[], process_tests[],
    hostile_tests[];

const struct test *const test_groups[] = {cap_tests,     memory_tests,  object_tests, ipc_tests,
                                          process_tests, hostile_tests, NULL};
