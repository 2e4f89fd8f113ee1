/* Bad pointers and bad programs: each gets a specific status or ends alone. */
#include "guest.h"

#include <kstring.h>

static const uint64_t bad_addresses[] = {0,
                                         8,
                                         NOWHERE,
                                         KERNEL_ADDRESS,
                                         0xffff800000000000,
                                         UINT64_C(0x00007ffffffff000),
                                         UINT64_C(1) << 47,
                                         UINT64_C(0x8000000000000000),
                                         UINT64_MAX - 7,
                                         UINT64_MAX};
#define BAD_ADDRESSES (sizeof(bad_addresses) / sizeof(bad_addresses[0]))

/* Every call that writes a structure or bytes for us, or reads them. */
static void test_hostile_pointers(void)
{
    handle_t queue, notification, memory, space, ends[2];
    struct event event;
    uint64_t done;
    uint32_t caps;

    OK(sys_queue_create(info->budget, &queue));
    OK(sys_notification_create(info->budget, &notification));
    OK(sys_notification_bind(notification, queue, 1));
    OK(sys_memory_create(info->budget, PAGE_SIZE, 0, &memory));
    OK(sys_dmaspace_create(info->dma, info->budget, &space));
    OK(sys_channel_create(info->budget, 1, 64, &ends[0], &ends[1]));
    OK(sys_channel_send(ends[0], "message", 7, 0));
    for (unsigned i = 0; i < BAD_ADDRESSES; i++) {
        void *bad = (void *)bad_addresses[i];

        OK(sys_notification_signal(notification, 1));
        CHECK_STATUS(STATUS_FAULT, sys_queue_wait(queue, in_ms(PATIENCE_MS), bad));
        OK(sys_queue_wait(queue, in_ms(PATIENCE_MS), &event)); /* the event was not lost */
        CHECK_STATUS(STATUS_FAULT, sys_system_memory_stats(info->budget, bad));
        CHECK_STATUS(STATUS_FAULT, sys_system_random(bad, 64));
        CHECK_STATUS(STATUS_FAULT, sys_budget_info(info->budget, bad));
        CHECK_STATUS(STATUS_FAULT, sys_process_info(info->process, bad));
        CHECK_STATUS(STATUS_FAULT, sys_memory_read(memory, 0, bad, 64));
        CHECK_STATUS(STATUS_FAULT, sys_memory_write(memory, 0, bad, 64));
        CHECK_STATUS(STATUS_FAULT, sys_channel_send(ends[1], bad, 64, 0));
        CHECK_STATUS(STATUS_FAULT, sys_channel_receive(ends[1], bad, 64, &done, &caps));
        CHECK_STATUS(STATUS_FAULT, sys_dmaspace_map(space, memory, 0, PAGE_SIZE, bad, 8, &done));
        CHECK_STATUS(STATUS_FAULT, sys_aspace_query(info->aspace, 0, bad));
        CHECK(!status_is_ok(sys_aspace_read(info->aspace, bad_addresses[i], &event, 8, &done)) ||
              done == 0);
        CHECK(!status_is_ok(sys_aspace_write(info->aspace, bad_addresses[i], &event, 8, &done)) ||
              done == 0);
        CHECK(!status_is_ok(sys_aspace_load32(info->aspace, bad_addresses[i], &caps)));
        CHECK(!status_is_ok(sys_thread_futex_wait(bad_addresses[i], 0, 0)));
    }
    /* Lengths that wrap round. */
    CHECK_STATUS(STATUS_FAULT, sys_memory_write(memory, 0, (void *)(UINT64_MAX - 16), 64));
    CHECK(!status_is_ok(sys_memory_read(memory, 0, &event, UINT64_MAX)));
    CHECK(!status_is_ok(
              sys_aspace_write(info->aspace, (uint64_t)&event, &event, UINT64_MAX - 4096, &done)) ||
          done < UINT64_MAX / 2);
    OK(sys_channel_receive(ends[1], &event, sizeof(event), &done, &caps));
    CHECK(done == 7 && memcmp(&event, "message", 7) == 0);
    close_handle(ends[0]);
    close_handle(ends[1]);
    close_handle(space);
    close_handle(memory);
    close_handle(notification);
    close_handle(queue);
}

/* Our own code may not be written through the kernel either. */
static void test_hostile_write_to_code(void)
{
    uint64_t done = 0;

    CHECK_STATUS(STATUS_FAULT, sys_system_random((void *)(uint64_t)test_hostile_write_to_code, 16));
    CHECK(!status_is_ok(sys_aspace_write(info->aspace, (uint64_t)test_hostile_write_to_code, &done,
                                         8, &done)) ||
          done == 0);
}

static void test_hostile_numbers(void)
{
    uint64_t results[4];

    for (uint64_t number = 0; number < 2000; number += 7) {
        if (number >= SYS_LIMIT)
            CHECK_STATUS(STATUS_UNSUPPORTED, syscall_raw(number, NULL, 0, results));
    }
    CHECK_STATUS(STATUS_UNSUPPORTED, syscall_raw(UINT64_MAX, NULL, 0, results));
    CHECK_STATUS(STATUS_UNSUPPORTED, syscall_raw(UINT64_C(1) << 32, NULL, 0, results));
    /* A 32-bit argument with bits above it. */
    CHECK_STATUS(STATUS_INVALID,
                 syscall_raw(SYS_BUDGET_CREATE,
                             (const uint64_t[]){info->budget, 1, 1, UINT64_C(1) << 32}, 4,
                             results));
}

static void child_touches(void)
{
    *(volatile char *)child_start.values[0] = 1;
    child_exit(1);
}

static void child_reads(void)
{
    child_exit(*(volatile char *)child_start.values[0]);
}

static void child_jumps(void)
{
    ((void (*)(void))child_start.values[0])();
    child_exit(1);
}

static void child_privileged(void)
{
    forbidden_execute(child_start.values[0]);
    child_exit(100);
}

static int64_t run_child(void (*entry)(void), uint64_t value)
{
    struct child child;
    struct child_start start = {.values = {value}};

    child_create(&child, 0, NULL);
    child_run(&child, &start, entry);
    return child_end(&child);
}

static void test_hostile_accesses_end_the_process(void)
{
    for (unsigned i = 0; i < BAD_ADDRESSES; i++) {
        CHECK(run_child(child_touches, bad_addresses[i]) < 0);
        CHECK(run_child(child_reads, bad_addresses[i]) < 0);
        CHECK(run_child(child_jumps, bad_addresses[i]) < 0);
    }
    CHECK(run_child(child_touches, (uint64_t)child_touches) < 0); /* code is not writable */
    CHECK(run_child(child_jumps, (uint64_t)&child_start) < 0);    /* data is not executable */
    CHECK(run_child(child_reads, (uint64_t)child_reads) >= -128); /* code is readable */
}

static void test_hostile_instructions_end_the_process(void)
{
    for (uint64_t i = 0; i < forbidden_count; i++) {
        int64_t status = run_child(child_privileged, i);

        bool as_expected = forbidden_is(i) ? status < 0 : status == 100;

        if (!as_expected)
            say("instruction %llu: %lld", (unsigned long long)i, (long long)status);
        CHECK(as_expected);
    }
    CHECK(run_child(child_privileged, forbidden_count) == 100);
}

/* Fills its table with copies until its budget ends. */
static void child_hoards(void)
{
    handle_t copy;
    uint64_t count = 0;

    while (status_is_ok(sys_cap_copy(child_start.handles[0], RIGHT_COPY | RIGHT_CALL, &copy)))
        count++;
    child_exit((int64_t)count);
}

static void test_hostile_hoarder_hits_its_budget(void)
{
    struct child child;
    struct child_start start = {0};
    handle_t budget, notification;

    OK(sys_budget_create(info->budget, 600, 256 << 10, 20, &budget));
    OK(sys_notification_create(info->budget, &notification));
    child_create(&child, budget, NULL);
    start.handles[0] = child_give(&child, notification);
    child_run(&child, &start, child_hoards);
    int64_t count = child_end(&child);

    CHECK(count > 100 && count < 100000);
    OK(sys_notification_signal(notification, 1));
    close_handle(notification);
    close_handle(budget);
}

/* Many threads that never end; the process is killed with all of them. */
static void child_thread(void)
{
    for (;;)
        __atomic_fetch_add(&child_start.values[2], 1, __ATOMIC_RELAXED);
}

static void child_breeds(void)
{
    static unsigned char stack[4096] __attribute__((aligned(16)));
    handle_t thread;
    uint64_t count = 0;

    while (
        status_is_ok(sys_thread_create(child_start.handles[0], child_start.handles[1], &thread))) {
        count++;
        if (count < 20)
            status_ignore(
                sys_thread_start(thread, (uint64_t)child_thread, (uint64_t)stack + 4000, 0, 0));
    }
    __atomic_store_n(&child_start.values[1], count, __ATOMIC_SEQ_CST);
    for (;;)
        status_ignore(sys_thread_sleep(in_ms(1000)));
}

static void test_hostile_breeder_is_killed(void)
{
    struct child child;
    struct child_start start = {0};
    handle_t budget;
    uint32_t count = 0;

    OK(sys_budget_create(info->budget, 600, 256 << 10, 20, &budget));
    child_create(&child, budget, NULL);
    start.handles[0] = child_give(&child, child.process);
    start.handles[1] = child_give(&child, budget);
    child_run(&child, &start, child_breeds);
    CHECK(EVENTUALLY(
        status_is_ok(sys_aspace_load32(child.aspace, (uint64_t)&child_start.values[1], &count)) &&
        count != 0));
    CHECK(count > 20);
    OK(sys_process_kill(child.process, 1));
    CHECK(child_end(&child) == 1);
    close_handle(budget);
}

/* ── Without end, until the budget's ─────────────────────────────────────────────────────────────────────────────── */

/* Each takes one more of its kind; @made is where handles may go. */
static status_t take_process(handle_t *made)
{
    status_t status = sys_aspace_create(child_start.handles[0], made);
    return status_is_ok(status) ? sys_process_create(child_start.handles[0], *made, "more", 4, made)
                                : status;
}

static status_t take_thread(handle_t *made)
{
    return sys_thread_create(child_start.handles[1], child_start.handles[0], made);
}

static status_t take_pages(handle_t *made)
{
    return sys_memory_create(child_start.handles[0], 4 * PAGE_SIZE, MEMORY_COMMIT, made);
}

static status_t take_mapping(handle_t *made)
{
    return sys_aspace_map(child_start.handles[2], child_start.handles[3], 0, 0, PAGE_SIZE, MAP_READ,
                          0, made);
}

/* A channel full of messages, each with capabilities. */
static status_t take_messages(handle_t *made)
{
    struct ipc_buffer *buffer = child_start.buffer;
    handle_t other;
    status_t status = sys_channel_create(child_start.handles[0], 8, 64, made, &other);
    for (unsigned i = 0; i < IPC_CAPS_MAX; i++)
        buffer->caps[i] =
            (struct cap_out){child_start.handles[3], 0, RIGHT_READ, CAP_TRANSFER_DERIVE};
    while (status_is_ok(status))
        status = sys_channel_send(*made, "message", 7, IPC_CAPS_MAX);
    return status == STATUS_BUSY ? STATUS_OK : status;
}

static status_t take_timer(handle_t *made)
{
    status_t status = sys_timer_create(child_start.handles[0], made);
    return status_is_ok(status) ? sys_timer_set(*made, now_ns() + MS, MS) : status;
}

static status_t take_derivation(handle_t *made)
{
    return sys_cap_derive(child_start.handles[3], RIGHT_READ | RIGHT_COPY, 0, made);
}

static status_t take_budget(handle_t *made)
{
    return sys_budget_create(child_start.handles[0], 0, 256, 1, made);
}

static status_t (*const takers[])(handle_t *) = {take_process,    take_thread,   take_pages,
                                                 take_mapping,    take_messages, take_timer,
                                                 take_derivation, take_budget};
#define TAKERS (sizeof(takers) / sizeof(takers[0]))

/* The count of what it got, or the unexpected status; it goes on trying for a while. */
static void child_takes(void)
{
    handle_t made;
    int64_t count = 0;
    status_t status;
    while (status_is_ok(status = takers[child_start.values[0]](&made)))
        count++;
    for (unsigned i = 0; i < 100 && status == STATUS_NO_MEMORY; i++)
        status = takers[child_start.values[0]](&made);
    child_exit(status == STATUS_NO_MEMORY || status_is_ok(status) ? count : status_code(status));
}

static void test_hostile_takers_hit_their_budget(void)
{
    for (unsigned kind = 0; kind < TAKERS; kind++) {
        struct child child;
        struct child_start start = {.values = {kind}};
        handle_t budget, memory, own;

        OK(sys_budget_create(info->budget, 600, 256 << 10, 20, &budget));
        OK(sys_memory_create(info->budget, PAGE_SIZE, 0, &memory));
        child_create(&child, budget, NULL);
        start.handles[0] = child_give(&child, budget);
        start.handles[1] = child_give(&child, child.process);
        start.handles[2] = child_give(&child, child.aspace);
        start.handles[3] = child_give(&child, memory);
        child_run(&child, &start, child_takes);
        int64_t count = child_end(&child);

        if (count <= 10 || count > 100000)
            say("kind %u: %lld", kind, (long long)count);
        CHECK(count > 10 && count < 100000);
        OK(sys_memory_create(info->budget, PAGE_SIZE, MEMORY_COMMIT,
                             &own)); /* others have theirs */
        close_handle(own);
        close_handle(memory);
        close_handle(budget);
    }
}

/* Two thousand timers of the shortest period, whose events nobody takes: twenty million a second, if they went on. */
static void test_hostile_timers_take_no_time(void)
{
    enum { TIMERS = 2000 };
    static handle_t timers[TIMERS];
    handle_t queue = 0;
    uint32_t made = 0;
    OK(sys_queue_create(info->budget, &queue));
    while (made < TIMERS && status_is_ok(sys_timer_create(info->budget, &timers[made])))
        made++;
    CHECK(made == TIMERS);
    for (uint32_t i = 0; i < made; i++) {
        OK(sys_timer_bind(timers[i], queue, i));
        OK(sys_timer_set(timers[i], 0, 100000));
    }
    /* This thread goes on. */
    for (uint32_t i = 0; i < 20; i++)
        sleep_ms(1);
    struct event event;
    OK(sys_queue_wait(queue, DEADLINE_NEVER, &event));
    CHECK(event.kind == EVENT_TIMER && event.data >= 1);
    for (uint32_t i = 0; i < made; i++)
        close_handle(timers[i]);
    close_handle(queue);
}

extern const struct test hostile_tests[];
const struct test hostile_tests[] = {
    TEST(test_hostile_pointers),
    TEST(test_hostile_write_to_code),
    TEST(test_hostile_numbers),
    TEST(test_hostile_accesses_end_the_process),
    TEST(test_hostile_instructions_end_the_process),
    TEST(test_hostile_hoarder_hits_its_budget),
    TEST(test_hostile_breeder_is_killed),
    TEST(test_hostile_takers_hit_their_budget),
    TEST(test_hostile_timers_take_no_time),
    {0},
};
