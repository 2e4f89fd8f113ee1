/* A machine whose other CPUs write to the debug console without end, for tests/system/test_panic.py. It is to be stopped: they write '~', and the
 * first CPU waits for what makes the kernel panic, init's own end if the command line has the word init-ends, or else what the test outside sends.
 * With the word lines they write lines, while processes fault, which the kernel logs, and the machine ends: no line may have another within. */
#include "guest.h"

#define WORKERS 3
#define LINE "<~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~>\n"
#define FAULTS 50

static struct worker workers[WORKERS];

static void workers_begin(void (*run)(struct worker *self))
{
    for (unsigned i = 0; i < WORKERS; i++) {
        worker_start(&workers[i], run, NULL);
        OK(sys_thread_set_affinity(workers[i].thread, 0, UINT64_C(2) << i));
    }
    for (unsigned i = 0; i < WORKERS; i++)
        while (__atomic_load_n(&workers[i].value, __ATOMIC_RELAXED) < 1000)
            sleep_ms(1);
}

static void write_on(struct worker *self)
{
    for (;;) {
        status_ignore(sys_ioport_out(info->ioports, LOG_PORT, 1, '~'));
        __atomic_fetch_add(&self->value, 1, __ATOMIC_RELAXED);
    }
}

static void test_panic_is_waited_for(void)
{
    if (is_told("lines")) {
        skip("lines are written");
        return;
    }
    workers_begin(write_on);
    say("ready");
    if (is_told("init-ends"))
        status_ignore(sys_process_exit(0));
    sleep_ms(UINT64_C(1) << 40);
}

static void write_lines(struct worker *self)
{
    for (;;) {
        status_ignore(sys_ioport_write(info->ioports, LOG_PORT, LINE, sizeof(LINE) - 1));
        /* The log's lock is not fair: who writes without end would keep all others from it. */
        if (__atomic_add_fetch(&self->value, 1, __ATOMIC_RELAXED) % 100 == 0)
            sleep_ms(1);
    }
}

static void child_stumbles(void)
{
    __builtin_trap();
}

static void test_lines_are_written(void)
{
    if (!is_told("lines")) {
        skip("to be stopped");
        return;
    }
    workers_begin(write_lines);
    for (unsigned i = 0; i < FAULTS; i++) {
        struct child child;
        child_create(&child, 0, NULL);
        child_run(&child, &(struct child_start){0}, child_stumbles);
        if (child_end(&child) == INT64_MIN)
            machine_end(1);
    }
    machine_end(0);
}

static const struct test panic_tests[] = {TEST(test_lines_are_written),
                                          TEST(test_panic_is_waited_for),
                                          {NULL, NULL}};
const struct test *const test_groups[] = {panic_tests, NULL};
