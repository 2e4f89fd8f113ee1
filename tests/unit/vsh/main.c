#include "tests.h"

int main(void)
{
    const struct test *const groups[] = {tool_tests, parse_tests, expand_tests};

    return run_groups(groups, sizeof(groups) / sizeof(groups[0]));
}
