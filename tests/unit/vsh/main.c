#include <stdio.h>

#include "check.h"

static int failures;

void check_failed(const char *file, int line, const char *condition)
{
    failures++;
    printf("# %s:%d: %s\n", file, line, condition);
}

int main(void)
{
    const struct test *const groups[] = {tool_tests, parse_tests, expand_tests};
    int number = 0, failed = 0;
    for (unsigned g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
        for (const struct test *t = groups[g]; t->name; t++) {
            failures = 0;
            t->run();
            failed += failures != 0;
            printf("%s %d - %s\n", failures == 0 ? "ok" : "not ok", ++number, t->name);
        }
    }
    printf("1..%d\n", number);
    return failed != 0;
}
