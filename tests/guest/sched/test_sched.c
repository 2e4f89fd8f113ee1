/* Properties of the scheduler. They are about time, so they run where time is counted in instructions (-icount) and no busy host changes it, on
 * one CPU: several wait for each other there. What they do together: tests/unit/sched, and tests/guest/kernel/test_process.c. */
#include "../kernel/guest.h"

#define HOGS_MAX 6u
/** Over so long equals get the same, and everybody has had a turn. */
#define WINDOW_MS 500

/* A thread that computes until told to stop. */
struct hog {
    struct worker worker;
    uint64_t ran_ns; /* when the window began, then in it */
    bool stop;       /* atomic */
};

static void compute(struct worker *self)
{
    struct hog *hog = self->context;
    while (!__atomic_load_n(&hog->stop, __ATOMIC_RELAXED))
        continue;
}

/** Start a hog of @priority on the CPUs in @cpus. */
static void hog_start(struct hog *hog, uint32_t priority, uint64_t cpus)
{
    hog->stop = false;
    worker_start(&hog->worker, compute, hog);
    OK(sys_thread_set_affinity(hog->worker.thread, 0, cpus));
    OK(sys_thread_set_priority(hog->worker.thread, priority));
}

static void hog_end(struct hog *hog)
{
    __atomic_store_n(&hog->stop, true, __ATOMIC_RELAXED);
    CHECK(worker_join(&hog->worker));
}

static struct thread_info info_of(handle_t thread)
{
    uint32_t type, rights;
    uint64_t badge, process, id;
    struct thread_info found = {0};
    OK(sys_cap_info(info->process, &type, &rights, &badge, &process));
    OK(sys_cap_info(thread, &type, &rights, &badge, &id));
    OK(sys_budget_thread_next(info->budget, process, id - 1, &found));
    CHECK(found.id == id);
    return found;
}

/** What each has run in a window that begins now. */
static void measure(struct hog *hogs, uint32_t count, uint64_t ms)
{
    for (uint32_t i = 0; i < count; i++)
        hogs[i].ran_ns = info_of(hogs[i].worker.thread).cpu_time_ns;
    sleep_ms(ms);
    for (uint32_t i = 0; i < count; i++)
        hogs[i].ran_ns = info_of(hogs[i].worker.thread).cpu_time_ns - hogs[i].ran_ns;
}

static void check_equal(uint32_t count, uint64_t cpus)
{
    struct hog hogs[HOGS_MAX];
    uint64_t sum_ns = 0;
    for (uint32_t i = 0; i < count; i++)
        hog_start(&hogs[i], PRIORITY_DEFAULT, cpus);
    sleep_ms(100);
    measure(hogs, count, WINDOW_MS);
    for (uint32_t i = 0; i < count; i++)
        sum_ns += hogs[i].ran_ns;
    for (uint32_t i = 0; i < count; i++) {
        say("%u of %u ran %u of %u us", (unsigned)i, (unsigned)count,
            (unsigned)(hogs[i].ran_ns / 1000), (unsigned)(sum_ns / count / 1000));
        CHECK(hogs[i].ran_ns * 100 >= sum_ns / count * 95 &&
              hogs[i].ran_ns * 100 <= sum_ns / count * 105);
        hog_end(&hogs[i]);
    }
}

static void test_equals_get_equal_time(void)
{
    check_equal(3, 1);
}

static void test_nobody_starves(void)
{
    struct hog hogs[4];
    for (uint32_t i = 0; i < 3; i++)
        hog_start(&hogs[i], PRIORITY_NORMAL_MAX - 1, 1);
    hog_start(&hogs[3], PRIORITY_IDLE + 1, 1);
    sleep_ms(200);
    measure(hogs, 4, WINDOW_MS);
    CHECK(hogs[3].ran_ns != 0 && hogs[3].ran_ns < hogs[0].ran_ns / 4);
    for (uint32_t i = 0; i < 4; i++)
        hog_end(&hogs[i]);
}

/* The idle band runs when nobody else wants to, and is not aged. */
static void test_bands_hold(void)
{
    struct hog hogs[2];
    OK(sys_thread_set_priority(info->thread, PRIORITY_NORMAL_MAX));
    hog_start(&hogs[0], PRIORITY_IDLE, 1);
    hog_start(&hogs[1], PRIORITY_IDLE + 1, 1);
    sleep_ms(10);
    measure(hogs, 2, 200);
    CHECK(hogs[0].ran_ns == 0 && hogs[1].ran_ns != 0);
    hog_end(&hogs[1]);
    measure(hogs, 1, 20);
    CHECK(hogs[0].ran_ns != 0);
    hog_end(&hogs[0]);
    OK(sys_thread_set_priority(info->thread, PRIORITY_DEFAULT));
}

/* One of those who compute and one who sleeps much have the same priority: it runs at once whenever it wakes. */
static void test_who_waits_much_gets_ahead(void)
{
    struct hog hogs[3];
    uint64_t worst_ns = 0;
    OK(sys_thread_set_affinity(info->thread, 0, 1));
    for (uint32_t i = 0; i < 3; i++)
        hog_start(&hogs[i], PRIORITY_DEFAULT, 1);
    sleep_ms(200);
    for (uint32_t i = 0; i < 20; i++) {
        uint64_t wakes_ns = in_ms(7);
        OK(sys_thread_sleep(wakes_ns));
        uint64_t late_ns = now_ns() - wakes_ns;
        worst_ns = late_ns > worst_ns ? late_ns : worst_ns;
    }
    say("woken after at most %u ns", (unsigned)worst_ns);
    CHECK(worst_ns < MS / 2);
    CHECK(info_of(hogs[0].worker.thread).level < info_of(info->thread).level);
    for (uint32_t i = 0; i < 3; i++)
        hog_end(&hogs[i]);
    OK(sys_thread_set_affinity(info->thread, 0, UINT64_MAX));
}

/* Who computes is behind who has just come, and who has a higher priority gets more. */
static void test_priorities_count(void)
{
    struct hog hogs[2];
    hog_start(&hogs[0], PRIORITY_DEFAULT, 1);
    hog_start(&hogs[1], PRIORITY_DEFAULT - 2, 1);
    sleep_ms(200);
    measure(hogs, 2, WINDOW_MS);
    CHECK(hogs[0].ran_ns > 2 * hogs[1].ran_ns && hogs[1].ran_ns != 0);
    hog_end(&hogs[0]);
    hog_end(&hogs[1]);
}

/* ── Real time ───────────────────────────────────────────────────────────────────────────────────────────────────── */

#define BUDGET_NS (2 * MS)
#define PERIOD_NS (10 * MS)
/** Two readings of the clock so far apart: others ran in between. */
#define GAP_NS (MS / 5)

/* The longest that it ran without a gap. */
struct limited {
    uint64_t longest_ns; /* atomic */
    bool stop;           /* atomic */
};

static void watch_clock(struct worker *self)
{
    struct limited *limited = self->context;
    uint64_t began = now_ns(), last = began;
    while (!__atomic_load_n(&limited->stop, __ATOMIC_RELAXED)) {
        uint64_t now = now_ns();
        if (now - last > GAP_NS)
            began = now;
        last = now;
        if (now - began > __atomic_load_n(&limited->longest_ns, __ATOMIC_RELAXED))
            __atomic_store_n(&limited->longest_ns, now - began, __ATOMIC_RELAXED);
    }
}

static void test_real_time_budgets_hold(void)
{
    struct limited limited = {0};
    struct worker worker;
    struct hog hog;
    handle_t thread = info->thread;
    CHECK_STATUS(STATUS_RANGE, sys_thread_set_realtime(thread, PRIORITY_NORMAL_MAX, 1, MS, 0));
    CHECK_STATUS(STATUS_RANGE, sys_thread_set_realtime(thread, PRIORITY_MAX + 1, 1, MS, 0));
    CHECK_STATUS(STATUS_RANGE, sys_thread_set_realtime(thread, 40, 0, MS, 0));
    CHECK_STATUS(STATUS_RANGE, sys_thread_set_realtime(thread, 40, MS + 1, MS, 0));
    OK(sys_thread_set_priority(thread, PRIORITY_MAX));
    hog_start(&hog, PRIORITY_DEFAULT, 1);
    worker_start(&worker, watch_clock, &limited);
    OK(sys_thread_set_realtime(worker.thread, 40, BUDGET_NS, PERIOD_NS, 0));
    sleep_ms(50);
    __atomic_store_n(&limited.longest_ns, 0, __ATOMIC_RELAXED);
    uint64_t before = info_of(worker.thread).cpu_time_ns;
    sleep_ms(WINDOW_MS);
    uint64_t ran = info_of(worker.thread).cpu_time_ns - before;
    uint64_t longest = __atomic_load_n(&limited.longest_ns, __ATOMIC_RELAXED);
    say("ran %u us of %u, at most %u ns too long", (unsigned)(ran / 1000),
        (unsigned)(WINDOW_MS * 1000 / 5),
        longest > BUDGET_NS ? (unsigned)(longest - BUDGET_NS) : 0);
    CHECK(longest > BUDGET_NS - MS / 10 && longest < BUDGET_NS + MS / 50);
    CHECK(ran >= WINDOW_MS * MS / 5 - BUDGET_NS - MS && ran <= WINDOW_MS * MS / 5 + BUDGET_NS);
    OK(sys_thread_set_priority(worker.thread, PRIORITY_DEFAULT));
    __atomic_store_n(&limited.stop, true, __ATOMIC_RELAXED);
    CHECK(worker_join(&worker));
    hog_end(&hog);
    OK(sys_thread_set_priority(thread, PRIORITY_DEFAULT));
}

/* ── Through calls ───────────────────────────────────────────────────────────────────────────────────────────────── */

/* Answers, and receives by the same call or, by its first value, by another. */
static void serve_calls(void)
{
    const struct ipc_regs wait = {.target = child_start.handles[0], .deadline = DEADLINE_NEVER};
    struct ipc_regs regs = wait;
    status_t status = ipc_raw_receive(&regs);
    while (status == STATUS_OK) {
        if (child_start.values[0] != 0) {
            regs = (struct ipc_regs){0};
            status_ignore(ipc_raw_reply(&regs));
            regs = wait;
            status = ipc_raw_receive(&regs);
        } else {
            regs = wait;
            status = ipc_raw_reply_receive(&regs);
        }
    }
    child_exit(1);
}

/* Computes, and calls the server after each piece of that. */
struct caller {
    struct worker worker;
    handle_t endpoint;
    uint64_t piece_ns;
    uint64_t computed_ns; /* atomic */
    bool stop;            /* atomic */
};

static void compute_and_call(struct worker *self)
{
    struct caller *caller = self->context;
    while (!__atomic_load_n(&caller->stop, __ATOMIC_RELAXED)) {
        uint64_t began = now_ns(), last = began;
        while (last - began < caller->piece_ns) {
            uint64_t now = now_ns();
            if (now - last < GAP_NS)
                __atomic_fetch_add(&caller->computed_ns, now - last, __ATOMIC_RELAXED);
            last = now;
        }
        struct ipc_regs regs = {.target = caller->endpoint, .deadline = DEADLINE_NEVER};
        OK(ipc_raw_call(&regs));
    }
}

/** What one who calls after each @piece_ns has computed in the window, and what it was charged for, beside a hog of the default priority. @limited: to
 *  the budget, else they are equals. @apart: the server answers by one call and receives by another. */
struct shares {
    uint64_t computed_ns, charged_ns, other_ns;
};

static struct shares shares_of_caller(uint64_t piece_ns, bool limited, bool apart)
{
    struct caller caller = {.piece_ns = piece_ns};
    struct child_start start = {.values = {apart}};
    struct child server;
    struct hog hog;
    struct shares shares;
    handle_t thread = info->thread;
    OK(sys_endpoint_create(info->budget, &caller.endpoint));
    child_create(&server, 0, NULL);
    start.handles[0] = child_give(&server, caller.endpoint);
    OK(sys_thread_set_affinity(server.thread, 0, 1));
    child_run(&server, &start, serve_calls);
    sleep_ms(10);
    OK(sys_thread_set_priority(thread, PRIORITY_MAX));
    hog_start(&hog, PRIORITY_DEFAULT, 1);
    worker_start(&caller.worker, compute_and_call, &caller);
    OK(sys_thread_set_affinity(caller.worker.thread, 0, 1));
    if (limited)
        OK(sys_thread_set_realtime(caller.worker.thread, 40, BUDGET_NS, PERIOD_NS, 0));
    sleep_ms(100);
    shares.computed_ns = __atomic_load_n(&caller.computed_ns, __ATOMIC_RELAXED);
    shares.charged_ns = info_of(caller.worker.thread).cpu_time_ns;
    shares.other_ns = info_of(hog.worker.thread).cpu_time_ns;
    sleep_ms(WINDOW_MS);
    shares.computed_ns =
        __atomic_load_n(&caller.computed_ns, __ATOMIC_RELAXED) - shares.computed_ns;
    shares.charged_ns = info_of(caller.worker.thread).cpu_time_ns - shares.charged_ns;
    shares.other_ns = info_of(hog.worker.thread).cpu_time_ns - shares.other_ns;
    say("pieces of %u us: computed %u us, was charged %u, the other %u",
        (unsigned)(piece_ns / 1000), (unsigned)(shares.computed_ns / 1000),
        (unsigned)(shares.charged_ns / 1000), (unsigned)(shares.other_ns / 1000));
    OK(sys_thread_set_priority(caller.worker.thread, PRIORITY_DEFAULT));
    __atomic_store_n(&caller.stop, true, __ATOMIC_RELAXED);
    CHECK(worker_join(&caller.worker));
    hog_end(&hog);
    OK(sys_thread_set_priority(thread, PRIORITY_DEFAULT));
    OK(sys_process_kill(server.process, 1));
    CHECK(child_end(&server) == 1);
    close_handle(caller.endpoint);
    return shares;
}

/* However often it calls: what it computes stays within its budget, and is charged to it; what is left is the others'. */
static void test_real_time_budgets_hold_through_calls(void)
{
    static const uint64_t pieces[] = {MS, MS / 10};
    for (unsigned i = 0; i < 4; i++) {
        struct shares shares = shares_of_caller(pieces[i % 2], true, i >= 2);
        CHECK(shares.computed_ns <= WINDOW_MS * MS / 5 + BUDGET_NS);
        CHECK(shares.computed_ns >= WINDOW_MS * MS / 5 * 3 / 4);
        CHECK(shares.charged_ns >= shares.computed_ns * 95 / 100);
        CHECK(shares.other_ns >= WINDOW_MS * MS * 3 / 4);
    }
}

/* Time in a server is its caller's: an equal that never calls gets as much. */
static void test_equals_get_equal_time_through_calls(void)
{
    static const uint64_t pieces[] = {MS, MS / 10};
    for (unsigned i = 0; i < 4; i++) {
        struct shares shares = shares_of_caller(pieces[i % 2], false, i >= 2);
        CHECK(shares.other_ns * 100 >= WINDOW_MS * MS / 2 * 95);
        CHECK(shares.other_ns * 100 <= WINDOW_MS * MS / 2 * 105);
    }
}

static const struct test sched_tests[] = {TEST(test_equals_get_equal_time),
                                          TEST(test_nobody_starves),
                                          TEST(test_bands_hold),
                                          TEST(test_who_waits_much_gets_ahead),
                                          TEST(test_priorities_count),
                                          TEST(test_real_time_budgets_hold),
                                          TEST(test_real_time_budgets_hold_through_calls),
                                          TEST(test_equals_get_equal_time_through_calls),
                                          {0, 0}};

extern const struct test lending_tests[];

const struct test *const test_groups[] = {sched_tests, lending_tests, 0};
