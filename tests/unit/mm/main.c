#include "environment.h"

#include <string.h>

static int failures;

void check_failed(const char *file, int line, const char *condition)
{
    failures++;
    if (failures < 20)
        printf("# %s:%d: %s\n", file, line, condition);
}

void check_status(const char *file, int line, const char *expression, status_t status,
                  status_t expected)
{
    if (status == expected)
        return;
    check_failed(file, line, expression);
    printf("#   is %d, expected %d\n", status_code(status), status_code(expected));
}

int main(int count, char **arguments)
{
    const struct test *const groups[] = {phys_tests, radix_tests, pagetable_tests, memory_tests,
                                         aspace_tests};
    int number = 0, failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    environment_init();
    for (unsigned g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
        for (const struct test *t = groups[g]; t->name != NULL; t++) {
            if (count > 1 && strstr(t->name, arguments[1]) == NULL)
                continue;
            failures = 0;
            environment_begin();
            t->run();
            environment_end();
            failed += failures != 0;
            printf("%s %d - %s\n", failures == 0 ? "ok" : "not ok", ++number, t->name);
        }
    }
    printf("1..%d\n", number);
    return failed != 0;
}
