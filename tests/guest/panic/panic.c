/* A machine to be stopped: the other CPUs write '~' to the debug console without end, the first one waits for what makes the kernel panic. That
 * is init's own end, if the command line has the word init-ends, or else what the test outside sends (tests/system/test_panic.py). */
#include "guest.h"

#define WORKERS 3
#define PORT_DEBUG 0xe9

static void write_on(struct worker *self)
{
    for (;;) {
        status_ignore(sys_ioport_out(info->ioports, PORT_DEBUG, 1, '~'));
        __atomic_fetch_add(&self->value, 1, __ATOMIC_RELAXED);
    }
}

static void test_panic_is_waited_for(void)
{
    static struct worker workers[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++) {
        worker_start(&workers[i], write_on, NULL);
        OK(sys_thread_set_affinity(workers[i].thread, 0, UINT64_C(2) << i));
    }
    for (unsigned i = 0; i < WORKERS; i++)
        while (__atomic_load_n(&workers[i].value, __ATOMIC_RELAXED) < 1000)
            sleep_ms(1);
    say("ready");
    if (is_told("init-ends"))
        status_ignore(sys_process_exit(0));
    sleep_ms(UINT64_C(1) << 40);
}

static const struct test panic_tests[] = {TEST(test_panic_is_waited_for), {NULL, NULL}};
const struct test *const test_groups[] = {panic_tests, NULL};
