#include "test.h"

int test_failures;
static int test_number, tests_failed;
static uint64_t random_state = 88172645463325252u;

uint64_t test_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

void test_run(const char *name, void (*run)(void))
{
    test_failures = 0;
    run();
    printf("%sok %d - %s\n", test_failures ? "not " : "", ++test_number, name);
    fflush(stdout);
    tests_failed += test_failures != 0;
}

int main(void)
{
    elf_tests();
    archive_tests();
    catalogue_tests();
    printf("1..%d\n", test_number);
    return tests_failed != 0;
}
