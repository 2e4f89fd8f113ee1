/* Runs what a test has planted in the kernel in the place of system.nop, from four threads at once. */
#include "guest.h"

#define THREADS 4u
/* Enough for each thread to meet the others, however the host lets the CPUs run. */
#define CALLS 4000u

static void call_plant(struct worker *self)
{
    for (unsigned i = 0; i < CALLS; i++)
        OK(sys_system_nop());
    self->value = CALLS;
}

static void test_detect_plant_is_called(void)
{
    static struct worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        worker_start(&workers[i], call_plant, NULL);
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(worker_join(&workers[i]) && workers[i].value == CALLS);
}

static const struct test detect_tests[] = {TEST(test_detect_plant_is_called), {NULL, NULL}};
const struct test *const test_groups[] = {detect_tests, NULL};
