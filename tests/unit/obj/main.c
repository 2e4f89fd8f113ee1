#include "tests.h"

int main(void)
{
    const struct test *const groups[] = {lib_tests, boot_tests, object_tests, interrupt_tests,
                                         timer_tests};

    return run_groups(groups, sizeof(groups) / sizeof(groups[0]));
}
