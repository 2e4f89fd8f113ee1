#include "tests.h"

#include <idl/log.h>
#include <idl/power.h>
#include <idl/svc.h>
#include <os/clock.h>
#include <os/log.h>
#include <os/start.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define KILLS 10
#define PATIENCE 12000
#define PAUSE_NS (10 * NS_PER_MS)

static handle_t svc(void)
{
    return os_cap("svc");
}

/** The service @name once it runs with another process than @not_this; process_id 0: it did not come. */
static struct svc_info wait_running(const char *name, uint64_t not_this)
{
    struct svc_info info = {0};
    for (int i = 0; i < PATIENCE; i++) {
        status_t status = svc_status(svc(), name, &info);
        if (status_is_ok(status) && info.state == SVC_STATE_RUNNING &&
            info.process_id != not_this) {
            return info;
        }
        clock_sleep(PAUSE_NS);
    }
    memset(&info, 0, sizeof(info));
    return info;
}

static void test_service_list_shows_what_runs(void)
{
    uint32_t next = 0, count = 0;
    struct svc_info info;
    bool seen = false;
    while (status_is_ok(svc_list(svc(), next, &info, &next))) {
        count++;
        seen |= strcmp(info.name, "tests") == 0 && info.state == SVC_STATE_RUNNING;
    }
    CHECK(seen && count == 3);
    CHECK_STATUS(STATUS_NOT_FOUND, svc_status(svc(), "nobody", &info));
    CHECK_STATUS(STATUS_NOT_FOUND, svc_kill(svc(), "nobody"));
}

/* How many lines of the log have @text in them. */
static unsigned log_count(const char *text)
{
    static char buffer[8192];
    unsigned count = 0;
    uint64_t position = 0, done = 1;
    while (done > 0) {
        status_t status =
            log_read(os_cap("log"), position, buffer, sizeof(buffer) - 1, &position, &done);
        if (!status_is_ok(status)) {
            return 0;
        }
        buffer[done] = '\0';
        for (const char *line = buffer; (line = strstr(line, text)) != NULL; line++) {
            count++;
        }
    }
    return count;
}

static bool log_has(const char *text)
{
    return log_count(text) > 0;
}

static void test_service_log_keeps_lines_of_programs_and_kernel(void)
{
    os_log("a line with a %s", "number");
    CHECK(log_has("tests: a line with a number"));
    CHECK(log_has("init starts"));
    CHECK(!log_has("a line that nobody wrote"));
}

static void test_service_killed_comes_back(void)
{
    for (int i = 0; i < KILLS; i++) {
        struct svc_info before = wait_running("logd", 0);
        OK(svc_kill(svc(), "logd"));
        struct svc_info after = wait_running("logd", before.process_id);
        CHECK(after.process_id != 0 && after.restarts == before.restarts + 1);
        // The connect capability has survived.
        OK(log_write(os_cap("log"), "after the restart"));
    }
    // So has what each of them was told, and the kernel's lines have not come twice.
    CHECK(log_count("tests: after the restart") == KILLS);
    CHECK(log_count("init starts") == 1);
}

static atomic_bool stop;
static atomic_long written, lost;

static void *write_lines(void *argument)
{
    while (!atomic_load(&stop)) {
        status_t status = log_write_until(os_cap("log"), "a line from a busy thread",
                                          clock_deadline(PATIENCE * PAUSE_NS));
        if (status != STATUS_PEER_DIED) {
            OK(status);
        }
        atomic_fetch_add(status_is_ok(status) ? &written : &lost, 1);
        clock_sleep(NS_PER_MS);
    }
    return argument;
}

static void test_service_killed_under_load_answers_or_is_reported_dead(void)
{
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++) {
        CHECK(pthread_create(&threads[i], NULL, write_lines, NULL) == 0);
    }
    for (int i = 0; i < KILLS; i++) {
        struct svc_info before = wait_running("logd", 0);
        OK(svc_kill(svc(), "logd"));
        CHECK(wait_running("logd", before.process_id).process_id != 0);
        clock_sleep(30 * NS_PER_MS);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < 3; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    say("%ld lines written, %ld lost", atomic_load(&written), atomic_load(&lost));
    CHECK(atomic_load(&written) > 0);
}

static void test_service_stop_start_restart(void)
{
    struct svc_info info;
    struct svc_info first = wait_running("logd", 0);
    // What the manifest needs is not stopped unasked, nor is the caller itself.
    CHECK_STATUS(STATUS_BUSY, svc_stop(svc(), "logd", 0));
    CHECK_STATUS(STATUS_BUSY, svc_stop(svc(), "tests", 0));
    CHECK_STATUS(STATUS_INVALID, svc_stop(svc(), "logd", SVC_END_FORCE << 1));
    OK(svc_status(svc(), "logd", &info));
    CHECK(info.process_id == first.process_id);
    OK(svc_stop(svc(), "logd", SVC_END_FORCE));
    OK(svc_status(svc(), "logd", &info));
    CHECK(info.state == SVC_STATE_STOPPED && info.process_id == 0);
    CHECK_STATUS(STATUS_TIMED_OUT,
                 log_write_until(os_cap("log"), "nobody there", clock_deadline(20 * NS_PER_MS)));
    OK(svc_start(svc(), "logd"));
    OK(log_write(os_cap("log"), "there again"));
    OK(svc_restart(svc(), "logd"));
    info = wait_running("logd", first.process_id);
    CHECK(info.process_id != 0);
    OK(log_write(os_cap("log"), "and again"));
}

/** svc calls that survive the death of the service manager. */
static void test_service_manager_killed_takes_over(void)
{
    struct svc_info info;
    for (int i = 0; i < KILLS; i++) {
        struct svc_info log_before = wait_running("logd", 0),
                        power_before = wait_running("power", 0);
        CHECK_STATUS(STATUS_PEER_DIED, svc_kill(svc(), "svcmgr"));
        struct svc_info log_after = wait_running("logd", 0), power_after = wait_running("power", 0);
        CHECK(log_after.process_id == log_before.process_id &&
              log_after.restarts == log_before.restarts);
        CHECK(power_after.process_id == power_before.process_id);
        OK(log_write(os_cap("log"), "the service manager was killed"));
    }
    // It supervises those that it did not start itself.
    struct svc_info before = wait_running("power", 0);
    OK(svc_kill(svc(), "power"));
    CHECK(wait_running("power", before.process_id).process_id != 0);
    OK(svc_status(svc(), "tests", &info));
    CHECK(info.state == SVC_STATE_RUNNING);
}

static void test_service_connect_gives_what_the_manifest_allows(void)
{
    handle_t connection;
    OK(svc_connect(svc(), "log", 0, &connection));
    OK(log_write(connection, "through the service manager"));
    OK(sys_cap_close(connection));
    CHECK_STATUS(STATUS_NOT_FOUND, svc_connect(svc(), "nothing", 0, &connection));
    CHECK_STATUS(STATUS_RANGE, svc_connect(svc(), "log", SVC_PART_MAX + 1, &connection));
}

static void test_service_adopted_child_is_listed_and_killed(void)
{
    static const char *const args[] = {"child", "wait", NULL};
    handle_t process;
    struct svc_info info;
    OK(child_start(args, NULL, 0, &process));
    OK(svc_adopt(svc(), "a-child", process, 3));
    OK(svc_status(svc(), "a-child", &info));
    CHECK(info.adopted == 1 && info.state == SVC_STATE_RUNNING && info.restarts == 3);
    CHECK_STATUS(STATUS_PEER_DIED, svc_kill(svc(), "svcmgr"));
    OK(svc_status(svc(), "a-child", &info));
    CHECK(info.adopted == 1 && info.state == SVC_STATE_RUNNING && info.restarts == 3);
    OK(svc_kill(svc(), "a-child"));
    CHECK(child_end(process) == STATUS_CODE_INTERRUPTED);
    CHECK_STATUS(STATUS_INVALID, svc_report(svc(), "a-child", SVC_STATE_QUARANTINED + 1));
    CHECK_STATUS(STATUS_NOT_FOUND, svc_report(svc(), "no-child", SVC_STATE_QUARANTINED));
    OK(svc_report(svc(), "a-child", SVC_STATE_QUARANTINED));
    CHECK_STATUS(STATUS_PEER_DIED, svc_kill(svc(), "svcmgr"));
    OK(svc_status(svc(), "a-child", &info));
    CHECK(info.state == SVC_STATE_QUARANTINED && info.process_id == 0);
}

/* Orders given before they are waited for, and after. */
static void *order_later(void *unused)
{
    clock_sleep(20 * NS_PER_MS);
    OK(svc_start(svc(), "a-child"));
    return unused;
}

static void test_service_adopted_child_is_stopped_by_its_parent(void)
{
    static const char *const args[] = {"child", "wait", NULL};
    char name[SVC_NAME_BYTES + 1];
    uint32_t order = 0;
    handle_t process;
    pthread_t thread;
    OK(child_start(args, NULL, 0, &process));
    OK(svc_adopt(svc(), "a-child", process, 0));
    /* Who gave up does not stand in its own way: BUSY. */
    for (unsigned i = 0; i < 6; i++) {
        CHECK_STATUS(STATUS_TIMED_OUT,
                     svc_await_order_until(svc(), name, &order, clock_deadline(10 * NS_PER_MS)));
    }
    OK(svc_stop(svc(), "a-child", 0));
    OK(svc_await_order(svc(), name, &order));
    CHECK(strcmp(name, "a-child") == 0 && order == SVC_ORDER_STOP);
    CHECK(pthread_create(&thread, NULL, order_later, NULL) == 0);
    OK(svc_await_order(svc(), name, &order));
    CHECK(strcmp(name, "a-child") == 0 && order == SVC_ORDER_START);
    CHECK(pthread_join(thread, NULL) == 0);
    OK(svc_restart(svc(), "a-child"));
    CHECK(child_end(process) == STATUS_CODE_INTERRUPTED);
    OK(svc_await_order(svc(), name, &order));
    CHECK(order == SVC_ORDER_START);
}

const struct test service_tests[] = {
    TEST(test_service_list_shows_what_runs),
    TEST(test_service_log_keeps_lines_of_programs_and_kernel),
    TEST(test_service_killed_comes_back),
    TEST(test_service_killed_under_load_answers_or_is_reported_dead),
    TEST(test_service_stop_start_restart),
    TEST(test_service_manager_killed_takes_over),
    TEST(test_service_connect_gives_what_the_manifest_allows),
    TEST(test_service_adopted_child_is_listed_and_killed),
    TEST(test_service_adopted_child_is_stopped_by_its_parent),
    {NULL, NULL},
};
