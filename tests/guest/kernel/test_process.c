/* Processes and threads. */
#include "guest.h"

#include <kstring.h>

static void child_returns_value(void)
{
    child_exit((int64_t)child_start.values[0]);
}

static void child_loops(void)
{
    for (;;)
        __atomic_fetch_add(&child_start.values[1], 1, __ATOMIC_RELAXED);
}

static void child_waits_for_ever(void)
{
    uint64_t bits;

    child_exit(
        status_code(sys_notification_wait(child_start.handles[0], 1, DEADLINE_NEVER, &bits)));
}

static int64_t run_child(void (*entry)(void), uint64_t value)
{
    struct child child;
    struct child_start start = {.values = {value}};

    child_create(&child, 0, NULL);
    child_run(&child, &start, entry);
    return child_end(&child);
}

static void test_process_exits_with_status(void)
{
    CHECK(run_child(child_returns_value, 42) == 42);
    CHECK(run_child(child_returns_value, (uint64_t)-7) == -7);
}

static void test_process_exit_event(void)
{
    struct child child;
    struct child_start start = {.values = {6}};
    struct event event;
    handle_t queue;

    OK(sys_queue_create(info->budget, &queue));
    child_create(&child, 0, NULL);
    OK(sys_process_bind(child.process, queue, 99));
    CHECK_STATUS(STATUS_BUSY, sys_process_bind(child.process, queue, 100));
    child_run(&child, &start, child_returns_value);
    OK(sys_queue_wait(queue, in_ms(PATIENCE_MS), &event));
    CHECK(event.kind == EVENT_EXIT && event.cookie == 99 && event.data == 6);
    CHECK(child_end(&child) == 6);
    close_handle(queue);
}

static void test_process_killed_while_it_runs(void)
{
    struct child child;
    struct child_start start = {0};
    struct process_info process;
    uint32_t before = 0, after = 0;

    child_create(&child, 0, NULL);
    OK(sys_process_info(child.process, &process));
    CHECK(process.state == PROCESS_STATE_NEW && memcmp(process.name, "child", 6) == 0 &&
          process.threads == 1);
    child_run(&child, &start, child_loops);
    CHECK(EVENTUALLY(
        status_is_ok(sys_aspace_load32(child.aspace, (uint64_t)&child_start.values[1], &before)) &&
        before != 0));
    OK(sys_process_info(child.process, &process));
    CHECK(process.state == PROCESS_STATE_RUNNING && process.resident_pages != 0);
    OK(sys_process_kill(child.process, 5));
    CHECK(child_end(&child) == 5);
    (void)after;
}

static void test_process_killed_while_it_waits(void)
{
    struct child child;
    struct child_start start = {0};
    handle_t notification;

    OK(sys_notification_create(info->budget, &notification));
    child_create(&child, 0, NULL);
    start.handles[0] = child_give(&child, notification);
    child_run(&child, &start, child_waits_for_ever);
    sleep_ms(10);
    OK(sys_process_kill(child.process, 4));
    CHECK(child_end(&child) == 4);
    OK(sys_notification_signal(notification, 1));
    close_handle(notification);
}

/* Its last capability is gone: the process ends. */
static void test_process_never_started(void)
{
    handle_t aspace, process, thread;

    OK(sys_aspace_create(info->budget, &aspace));
    OK(sys_process_create(info->budget, aspace, "idle", 4, &process));
    OK(sys_thread_create(process, info->budget, &thread));
    close_handle(thread);
    close_handle(process);
    close_handle(aspace);
    OK(sys_aspace_create(info->budget, &aspace));
    OK(sys_process_create(info->budget, aspace, "idle", 4, &process));
    OK(sys_process_kill(process, 0));
    CHECK(!status_is_ok(sys_thread_create(process, info->budget, &thread)));
    close_handle(process);
    close_handle(aspace);
}

static void test_process_many_in_a_row(void)
{
    for (unsigned i = 0; i < 20; i++)
        CHECK(run_child(child_returns_value, i) == i);
}

static void test_process_list_by_budget(void)
{
    struct process_info process, mine;
    unsigned found = 0;

    OK(sys_process_info(info->process, &mine));
    CHECK(memcmp(mine.name, "init", 5) == 0 && mine.threads >= 1);
    for (uint64_t after = 0; status_is_ok(sys_budget_process_next(info->budget, after, &process));
         after = process.id) {
        CHECK(process.id > after);
        found += process.id == mine.id;
    }
    CHECK(found == 1);
}

static bool waits_in(uint64_t process_id, uint32_t wait, uint32_t syscall)
{
    struct thread_info thread;
    OK(sys_budget_thread_next(info->budget, process_id, 0, &thread));
    return thread.wait == wait && (wait != THREAD_WAIT_SYSCALL || thread.syscall == syscall);
}

static void test_thread_says_what_it_waits_in(void)
{
    struct child child;
    struct child_start start = {0};
    struct process_info process;
    struct thread_info thread, next;
    handle_t notification;

    OK(sys_notification_create(info->budget, &notification));
    child_create(&child, 0, NULL);
    OK(sys_process_info(child.process, &process));
    start.handles[0] = child_give(&child, notification);
    child_run(&child, &start, child_waits_for_ever);
    CHECK(EVENTUALLY(waits_in(process.id, THREAD_WAIT_SYSCALL, SYS_NOTIFICATION_WAIT)));
    OK(sys_budget_thread_next(info->budget, process.id, 0, &thread));
    CHECK(thread.id != 0 && thread.label == 0);
    CHECK_STATUS(STATUS_NOT_FOUND,
                 sys_budget_thread_next(info->budget, process.id, thread.id, &next));
    CHECK_STATUS(STATUS_NOT_FOUND, sys_budget_thread_next(info->budget, UINT64_MAX, 0, &next));
    OK(sys_process_kill(child.process, 4));
    CHECK(child_end(&child) == 4);
    OK(sys_process_info(info->process, &process));
    CHECK(waits_in(process.id, THREAD_WAIT_NONE, 0));
    close_handle(notification);
}

/* A child whose budget has no pages left faults with NO_MEMORY; we go on. */
static void child_eats_memory(void)
{
    uint64_t address;

    if (!status_is_ok(sys_aspace_map(child_start.handles[0], child_start.handles[1], 0, 0,
                                     child_start.values[0], MAP_READ | MAP_WRITE, 0, &address)))
        child_exit(1);
    for (uint64_t at = 0; at < child_start.values[0]; at += PAGE_SIZE)
        *(volatile char *)(address + at) = 1;
    child_exit(2);
}

static void test_process_out_of_budget(void)
{
    struct child child;
    struct child_start start = {.values = {4u << 20}};
    handle_t budget, memory;

    OK(sys_budget_create(info->budget, 400, 512 << 10, 20, &budget));
    child_create(&child, budget, NULL);
    OK(sys_memory_create(budget, 4u << 20, 0, &memory));
    start.handles[0] = child_give(&child, child.aspace);
    start.handles[1] = child_give(&child, memory);
    child_run(&child, &start, child_eats_memory);
    int64_t status = child_end(&child);

    CHECK(status < 0);
    close_handle(memory);
    close_handle(budget);
}

/* ── Threads ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

struct spin {
    uint64_t count; /* atomic */
    bool stop;      /* atomic */
};

static void spin(struct worker *self)
{
    struct spin *state = self->context;

    while (!__atomic_load_n(&state->stop, __ATOMIC_ACQUIRE))
        __atomic_fetch_add(&state->count, 1, __ATOMIC_RELAXED);
}

static uint64_t spins(const struct spin *state)
{
    return __atomic_load_n(&state->count, __ATOMIC_RELAXED);
}

static void test_thread_suspend_and_registers(void)
{
    struct spin state = {0};
    struct worker worker;
    struct thread_regs regs;

    worker_start(&worker, spin, &state);
    CHECK(EVENTUALLY(spins(&state) != 0));
    CHECK_STATUS(STATUS_BUSY, sys_thread_get_regs(worker.thread, &regs));
    OK(sys_thread_suspend(worker.thread));
    CHECK(EVENTUALLY(status_is_ok(sys_thread_get_regs(worker.thread, &regs))));
    CHECK(regs.pc != 0 && regs.sp != 0);
    uint64_t frozen = spins(&state);

    sleep_ms(10);
    CHECK(spins(&state) == frozen);
    struct thread_regs bad = regs;

    bad.pc = KERNEL_ADDRESS;
    CHECK_STATUS(STATUS_INVALID, sys_thread_set_regs(worker.thread, &bad));
    bad = regs;
    bad.flags |= 3u << 12; /* I/O privilege level 3 */
    CHECK_STATUS(STATUS_INVALID, sys_thread_set_regs(worker.thread, &bad));
    OK(sys_thread_set_regs(worker.thread, &regs));
    OK(sys_thread_resume(worker.thread));
    CHECK(EVENTUALLY(spins(&state) != frozen));
    __atomic_store_n(&state.stop, true, __ATOMIC_RELEASE);
    CHECK(worker_join(&worker));
}

static void wait_long(struct worker *self)
{
    uint64_t bits;

    self->value = (uint64_t)status_code(
        sys_notification_wait(*(handle_t *)self->context, 1, in_ms(PATIENCE_MS), &bits));
}

static void test_thread_interrupt_ends_a_wait(void)
{
    handle_t notification;
    struct worker worker;
    uint64_t call;

    OK(sys_notification_create(info->budget, &notification));
    worker_start(&worker, wait_long, &notification);
    CHECK(EVENTUALLY(threads_in(SYS_NOTIFICATION_WAIT) == 1));
    OK(sys_thread_interrupt(worker.thread, &call));
    CHECK(call == FOREIGN_NO_CALL);
    CHECK(worker_join(&worker) && status_from_code(worker.value) == STATUS_INTERRUPTED);
    close_handle(notification);
}

static void test_thread_sleeps(void)
{
    uint64_t begin = now_ns();

    OK(sys_thread_sleep(begin + 7 * MS));
    CHECK(now_ns() >= begin + 7 * MS && now_ns() < begin + PATIENCE_MS * MS);
    OK(sys_thread_sleep(0));
    OK(sys_thread_yield());
}

/* A thread of this process with @priority has come to @cpu: until then it may run elsewhere, whatever its affinity says. */
static bool is_on_cpu(uint32_t priority, uint32_t cpu)
{
    struct process_info process = {0};
    struct thread_info thread = {0};

    OK(sys_process_info(info->process, &process));
    while (status_is_ok(sys_budget_thread_next(info->budget, process.id, thread.id, &thread)))
        if (thread.priority == priority)
            return thread.cpu == cpu;
    return false;
}

/* On one CPU the better priority runs first, and a worse one does not run before it waits. */
static void test_thread_priorities_hold(void)
{
    struct spin low = {0}, high = {0};
    struct worker workers[2];

    CHECK_STATUS(STATUS_RANGE, sys_thread_set_priority(info->thread, 64));
    CHECK_STATUS(STATUS_INVALID, sys_thread_set_affinity(info->thread, 0, 0));
    CHECK_STATUS(STATUS_RANGE, sys_thread_set_affinity(info->thread, 1000, 1));
    OK(sys_thread_set_affinity(info->thread, 0, 1));
    OK(sys_thread_set_priority(info->thread, 40));
    worker_start(&workers[0], spin, &low);
    OK(sys_thread_set_affinity(workers[0].thread, 0, 1));
    OK(sys_thread_set_priority(workers[0].thread, PRIORITY_IDLE));
    CHECK(EVENTUALLY(is_on_cpu(PRIORITY_IDLE, 0)));
    worker_start(&workers[1], spin, &high);
    OK(sys_thread_set_affinity(workers[1].thread, 0, 1));
    OK(sys_thread_set_priority(workers[1].thread, 20));
    CHECK(EVENTUALLY(is_on_cpu(20, 0)));
    uint64_t before = spins(&low), high_before = spins(&high);

    sleep_ms(20);
    CHECK(EVENTUALLY(spins(&high) != high_before));
    CHECK(spins(&low) == before);
    __atomic_store_n(&high.stop, true, __ATOMIC_RELEASE);
    CHECK(EVENTUALLY(spins(&low) != before));
    __atomic_store_n(&low.stop, true, __ATOMIC_RELEASE);
    CHECK(worker_join(&workers[0]) && worker_join(&workers[1]));
    OK(sys_thread_set_priority(info->thread, 16));
    OK(sys_thread_set_affinity(info->thread, 0, UINT64_MAX));
}

/* A worker that a ringer wakes in each round, and that computes until the round is over. */
struct woken {
    handle_t bell;
    uint32_t round, over; /* atomic: the one that has begun; that has ended */
    uint32_t runs;        /* atomic: the one in which the worker runs */
};

enum { WOKEN_ROUNDS = 1500, WOKEN_PRIORITY = 40 };

static void run_a_round(struct worker *self)
{
    struct woken *woken = self->context;
    uint32_t round = 0;
    uint64_t bits;
    while (round != WOKEN_ROUNDS) {
        OK(sys_notification_wait(woken->bell, 1, DEADLINE_NEVER, &bits));
        round = __atomic_load_n(&woken->round, __ATOMIC_ACQUIRE);
        __atomic_store_n(&woken->runs, round, __ATOMIC_RELEASE);
        while (__atomic_load_n(&woken->over, __ATOMIC_ACQUIRE) != round)
            continue;
    }
}

static void ring_each_round(struct worker *self)
{
    struct woken *woken = self->context;
    for (uint32_t round = 1; round <= WOKEN_ROUNDS; round++) {
        while (__atomic_load_n(&woken->round, __ATOMIC_ACQUIRE) != round)
            continue;
        OK(sys_notification_signal(woken->bell, 1));
    }
}

/* Who is woken while its affinity changes is where it may be in the end, though it computes and nothing disturbs it. */
static void test_thread_woken_as_its_affinity_changes(void)
{
    struct woken woken = {0};
    struct worker worker, ringer;
    if (sys_thread_set_affinity(info->thread, 0, 8) != STATUS_OK)
        return; /* it takes four CPUs */
    OK(sys_thread_set_affinity(info->thread, 0, 1));
    OK(sys_notification_create(info->budget, &woken.bell));
    worker_start(&worker, run_a_round, &woken);
    OK(sys_thread_set_priority(worker.thread, WOKEN_PRIORITY));
    worker_start(&ringer, ring_each_round, &woken);
    OK(sys_thread_set_affinity(ringer.thread, 0, 4));
    for (uint32_t round = 1; round <= WOKEN_ROUNDS; round++) {
        uint32_t cpu = round % 2 == 0 ? 1 : 3;
        CHECK(EVENTUALLY(threads_in(SYS_NOTIFICATION_WAIT) == 1));
        __atomic_store_n(&woken.round, round, __ATOMIC_RELEASE);
        for (uint32_t i = 0; i < round * 7 % 1024; i++)
            (void)__atomic_load_n(&woken.over, __ATOMIC_SEQ_CST);
        OK(sys_thread_set_affinity(worker.thread, 0, UINT64_C(1) << cpu));
        CHECK(EVENTUALLY(__atomic_load_n(&woken.runs, __ATOMIC_ACQUIRE) == round));
        if (!EVENTUALLY(is_on_cpu(WOKEN_PRIORITY, cpu))) {
            say("round %u", round);
            CHECK(false);
        }
        __atomic_store_n(&woken.over, round, __ATOMIC_RELEASE);
    }
    CHECK(worker_join(&worker) && worker_join(&ringer));
    close_handle(woken.bell);
    OK(sys_thread_set_affinity(info->thread, 0, UINT64_MAX));
}

/* Threads of equal priority share a CPU without giving way themselves. */
static void test_thread_slices_are_fair(void)
{
    struct spin states[3] = {{0}, {0}, {0}};
    struct worker workers[3];

    for (unsigned i = 0; i < 3; i++) {
        worker_start(&workers[i], spin, &states[i]);
        OK(sys_thread_set_affinity(workers[i].thread, 0, 1));
    }
    for (unsigned i = 0; i < 3; i++)
        while (spins(&states[i]) == 0)
            sleep_ms(1); /* for ever, if it never runs */
    for (unsigned i = 0; i < 3; i++)
        __atomic_store_n(&states[i].stop, true, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < 3; i++)
        CHECK(worker_join(&workers[i]));
}

/* More threads than CPUs, which compute, and one behind them all: everybody has turn after turn. */
static void test_thread_nobody_starves(void)
{
    struct boot_facts facts;
    struct spin states[10] = {{0}};
    struct worker workers[10];

    OK(sys_memory_read(info->boot, 0, &facts, sizeof(facts)));
    unsigned count = facts.cpus < 8 ? facts.cpus + 2 : 10;
    for (unsigned i = 0; i < count; i++)
        worker_start(&workers[i], spin, &states[i]);
    OK(sys_thread_set_priority(workers[0].thread, PRIORITY_IDLE + 1));
    for (unsigned turn = 0; turn < 3; turn++) {
        for (unsigned i = 0; i < count; i++) {
            uint64_t before = spins(&states[i]);
            CHECK(EVENTUALLY(spins(&states[i]) != before));
        }
    }
    for (unsigned i = 0; i < count; i++)
        __atomic_store_n(&states[i].stop, true, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < count; i++)
        CHECK(worker_join(&workers[i]));
}

struct register_user {
    unsigned set;
    uint64_t seed;
    uint64_t good; /* rounds in which all came back */
    unsigned char in[REGISTER_SET_BYTES_MAX], out[REGISTER_SET_BYTES_MAX];
};

#define REGISTER_ROUNDS 200u
#define REGISTER_THREADS 6u

static void registers_use(struct worker *self)
{
    struct register_user *user = self->context;
    size_t bytes = register_set_bytes(user->set);

    for (uint64_t round = 0; round < REGISTER_ROUNDS; round++) {
        for (size_t i = 0; i < bytes; i++)
            user->in[i] = (unsigned char)(user->seed + round * 7 + i * 13);
        register_set_pass(user->set, user->in, user->out, round % 4 == 0, round * 20);
        user->good += memcmp(user->in, user->out, bytes) == 0;
    }
}

/* In a process of its own: it ends there if the machine has no such registers. */
static void child_uses_registers(void)
{
    static unsigned char in[REGISTER_SET_BYTES_MAX], out[REGISTER_SET_BYTES_MAX];
    unsigned set = (unsigned)child_start.values[0];

    register_set_pass(set, in, out, false, 1);
    child_exit(memcmp(in, out, register_set_bytes(set)) == 0 ? 0 : 1);
}

static bool register_set_exists(unsigned set)
{
    struct child child;
    struct child_start start = {.values = {set}};

    child_create(&child, 0, NULL);
    child_run(&child, &start, child_uses_registers);
    int64_t status = child_end(&child);

    CHECK(status <= 0);
    return status == 0;
}

/* A third, as the calling thread rounds. */
static uint64_t third(void)
{
    static const volatile double one = 1, three = 3;
    volatile double quotient = one / three;
    double value = quotient;
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

#define THIRD UINT64_C(0x3fd5555555555555)
#define MODE_UP 1u

struct fp_user {
    unsigned mode;
    uint64_t initial, good;
};

static void fp_use(struct worker *self)
{
    struct fp_user *user = self->context;

    user->initial = fp_mode();
    fp_mode_set(fp_modes[user->mode]);
    for (uint64_t round = 0; round < REGISTER_ROUNDS; round++) {
        uint64_t value = third();

        if (round % 4 == 0)
            OK(sys_thread_yield());
        user->good += fp_mode() == fp_modes[user->mode] &&
                      value == (user->mode == MODE_UP ? THIRD + 1 : THIRD);
    }
}

static void child_looks_at_its_mode(void)
{
    child_exit(fp_mode() == fp_initial ? 0 : 1);
}

/* How a thread rounds, and what was noted of its results, is its own; each begins with what the ABI says, whatever others have set. */
static void test_thread_floating_point_mode_is_its_own(void)
{
    struct worker workers[REGISTER_THREADS];
    struct fp_user users[REGISTER_THREADS] = {0};
    struct child child;

    for (unsigned i = 0; i < REGISTER_THREADS; i++) {
        users[i].mode = i % FP_MODES;
        worker_start(&workers[i], fp_use, &users[i]);
    }
    child_create(&child, 0, NULL);
    child_run(&child, &(struct child_start){0}, child_looks_at_its_mode);
    CHECK(child_end(&child) == 0);
    for (unsigned i = 0; i < REGISTER_THREADS; i++) {
        CHECK(worker_join(&workers[i]));
        CHECK(users[i].initial == fp_initial);
        CHECK(users[i].good == REGISTER_ROUNDS);
    }
}

/* Each set belongs to its thread, across yields, preemption and migration, while others use other sets, or none. */
static void test_thread_registers_are_its_own(void)
{
    static struct register_user users[REGISTER_THREADS];
    struct worker workers[REGISTER_THREADS];

    for (unsigned set = 0; set < register_sets; set++) {
        if (!register_set_exists(set)) {
            say("no registers of set %u", set);
            CHECK(set != 0);
            continue;
        }
        CHECK(register_set_bytes(set) <= REGISTER_SET_BYTES_MAX);
        for (unsigned i = 0; i < REGISTER_THREADS; i++) {
            users[i] = (struct register_user){.set = i % 3 == 2 ? 0 : set, .seed = i * 31};
            worker_start(&workers[i], registers_use, &users[i]);
        }
        for (unsigned i = 0; i < REGISTER_THREADS; i++) {
            CHECK(worker_join(&workers[i]));
            CHECK(users[i].good == REGISTER_ROUNDS);
        }
    }
}

/* Says its number to whoever asks. */
static void child_answers(void)
{
    struct ipc_regs regs = {.target = child_start.handles[0], .deadline = DEADLINE_NEVER};
    status_t status = ipc_raw_receive(&regs);

    while (status_is_ok(status)) {
        regs = (struct ipc_regs){.target = child_start.handles[0],
                                 .words = {child_start.values[0]},
                                 .deadline = DEADLINE_NEVER};
        status = ipc_raw_reply_receive(&regs);
    }
    child_exit(1);
}

static void child_says(void)
{
    child_exit((int64_t)child_start.values[0]);
}

/* More address spaces than a CPU has identifiers for, all different at one address, beside one that lives on. */
static void test_aspace_identifiers_are_reused(void)
{
    struct child old, young;
    struct child_start start = {.values = {4711}};
    handle_t endpoint;

    OK(sys_endpoint_create(info->budget, &endpoint));
    child_create(&old, 0, NULL);
    start.handles[0] = child_give(&old, endpoint);
    child_run(&old, &start, child_answers);
    for (uint64_t i = 0; i < 150; i++) {
        struct ipc_regs regs = {.target = endpoint, .deadline = in_ms(PATIENCE_MS)};

        child_create(&young, 0, NULL);
        child_run(&young, &(struct child_start){.values = {i}}, child_says);
        OK(ipc_raw_call(&regs));
        CHECK(regs.words[0] == 4711);
        CHECK(child_end(&young) == (int64_t)i);
    }
    OK(sys_process_kill(old.process, 1));
    CHECK(child_end(&old) == 1);
    close_handle(endpoint);
}

static void test_thread_creation_is_checked(void)
{
    handle_t thread, memory;
    uint64_t offset = 0;

    OK(sys_thread_create(info->process, info->budget, &thread));
    OK(sys_memory_create(info->budget, PAGE_SIZE, 0, &memory));
    CHECK_STATUS(STATUS_INVALID, sys_thread_start(thread, KERNEL_ADDRESS, 0x10000, 0, 0));
    CHECK_STATUS(STATUS_INVALID, sys_thread_start(thread, 0x10000, UINT64_C(1) << 47, 0, 0));
    CHECK_STATUS(STATUS_INVALID, sys_thread_set_buffer(thread, memory, 1));
    CHECK_STATUS(STATUS_RANGE, sys_thread_set_buffer(thread, memory, PAGE_SIZE));
    OK(sys_thread_set_buffer(thread, memory, offset));
    CHECK_STATUS(STATUS_BUSY, sys_thread_set_buffer(thread, memory, offset));
    close_handle(thread);
    close_handle(memory);
    CHECK_STATUS(STATUS_BUSY, sys_thread_start(info->thread, 0x10000, 0x10000, 0, 0));
    CHECK_STATUS(STATUS_INVALID, sys_thread_set_tls(KERNEL_ADDRESS));
}

extern const struct test process_tests[];
const struct test process_tests[] = {
    TEST(test_process_exits_with_status),
    TEST(test_process_exit_event),
    TEST(test_process_killed_while_it_runs),
    TEST(test_process_killed_while_it_waits),
    TEST(test_process_never_started),
    TEST(test_process_many_in_a_row),
    TEST(test_process_list_by_budget),
    TEST(test_thread_says_what_it_waits_in),
    TEST(test_process_out_of_budget),
    TEST(test_thread_suspend_and_registers),
    TEST(test_thread_interrupt_ends_a_wait),
    TEST(test_thread_sleeps),
    TEST(test_thread_priorities_hold),
    TEST(test_thread_woken_as_its_affinity_changes),
    TEST(test_thread_slices_are_fair),
    TEST(test_thread_nobody_starves),
    TEST(test_thread_registers_are_its_own),
    TEST(test_thread_floating_point_mode_is_its_own),
    TEST(test_aspace_identifiers_are_reused),
    TEST(test_thread_creation_is_checked),
    {0},
};
