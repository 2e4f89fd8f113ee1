#include "guest.h"

extern const struct test cap_tests[], memory_tests[], pager_tests[], object_tests[], ipc_tests[],
    process_tests[], exception_tests[], debug_tests[], fastpath_tests[], lanes_tests[],
    shared_tests[], hostile_tests[], trace_tests[], large_tests[];
/* The architecture's own, if it has any: last, so that none is the end. */
extern const struct test arch_tests[] __attribute__((weak));

const struct test *const test_groups[] = {
    cap_tests,     memory_tests,   large_tests,   pager_tests,
    object_tests,  ipc_tests,      process_tests, exception_tests,
    debug_tests,   fastpath_tests, lanes_tests,   shared_tests,
    hostile_tests, trace_tests,    arch_tests,    NULL};
