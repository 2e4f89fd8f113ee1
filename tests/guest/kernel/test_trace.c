/* Traces: what is told, in what order, to whom; what a slow, a hostile and a dead reader get. */
#include "guest.h"

#include <kstring.h>

/** Enough for the rings of all CPUs (ring_pages()). */
#define PAGES ring_pages()
#define KINDS_CALLS (TRACE_CALL | TRACE_RETURN)
#define LABEL 0x5a5u

struct tracer {
    handle_t memory, trace;
    struct trace_ring *rings;
    uint64_t bytes; /* of each ring */
    unsigned cpus;
};

static uint64_t ring_pages(void)
{
    struct boot_facts facts;

    OK(sys_memory_read(info->boot, 0, &facts, sizeof(facts)));
    return facts.cpus < 16 ? 32 : 2 * (uint64_t)facts.cpus;
}

static handle_t contiguous(uint64_t pages)
{
    return memory_new(pages, MEMORY_CONTIGUOUS);
}

static struct tracer tracer_start(uint32_t kinds, uint64_t period_ns)
{
    struct tracer t = {.memory = contiguous(PAGES)};

    t.rings = (struct trace_ring *)map_memory(t.memory, PAGES, MAP_READ | MAP_WRITE);
    CHECK_STATUS(STATUS_OK,
                 sys_trace_start(info->trace, info->budget, t.memory, kinds, period_ns, &t.trace));
    t.cpus = t.rings->cpus;
    t.bytes = PAGES * PAGE_SIZE / t.cpus / sizeof(struct trace_event) * sizeof(struct trace_event);
    CHECK(t.rings->events == t.bytes / sizeof(struct trace_event) - 1);
    return t;
}

static void tracer_end(struct tracer *t)
{
    if (t->trace != 0)
        close_handle(t->trace);
    unmap(t->rings, PAGES * PAGE_SIZE);
    close_handle(t->memory);
}

static struct trace_ring *ring_at(const struct tracer *t, unsigned cpu)
{
    return t->rings + cpu * (t->bytes / sizeof(*t->rings));
}

/* The next event of all CPUs in the order of time; NULL: none. */
static const struct trace_event *next_event(const struct tracer *t)
{
    struct trace_ring *first = NULL;
    const struct trace_event *event = NULL;

    for (unsigned i = 0; i < t->cpus; i++) {
        struct trace_ring *ring = ring_at(t, i);
        uint64_t tail = ring->tail, head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
        const struct trace_event *own =
            (const struct trace_event *)(ring + 1) + tail % ring->events;

        if (tail != head && (event == NULL || own->time_ns < event->time_ns)) {
            event = own;
            first = ring;
        }
    }
    if (first != NULL)
        __atomic_store_n(&first->tail, first->tail + 1, __ATOMIC_RELEASE);
    return event;
}

/* The next one of @kind and first word @word, or NULL. */
static const struct trace_event *find_event(const struct tracer *t, uint32_t kind, uint64_t word)
{
    const struct trace_event *event;

    while ((event = next_event(t)) != NULL && (event->kind != kind || event->words[0] != word))
        continue;
    return event;
}

static uint64_t lost(const struct tracer *t)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < t->cpus; i++)
        sum += __atomic_load_n(&ring_at(t, i)->lost, __ATOMIC_RELAXED);
    return sum;
}

static void test_trace_bad_input_is_refused(void)
{
    handle_t trace, small = contiguous(1), plain = memory_new(PAGES, 0), good = contiguous(PAGES);
    handle_t looks = with_rights(info->trace, RIGHT_INSPECT | RIGHT_COPY);
    handle_t reads = with_rights(good, RIGHT_READ);

    CHECK_STATUS(STATUS_DENIED, sys_trace_start(looks, info->budget, good, TRACE_CALL, 0, &trace));
    CHECK_STATUS(STATUS_DENIED,
                 sys_trace_start(info->trace, info->budget, reads, TRACE_CALL, 0, &trace));
    CHECK_STATUS(STATUS_WRONG_TYPE,
                 sys_trace_start(info->budget, info->budget, good, TRACE_CALL, 0, &trace));
    CHECK_STATUS(STATUS_WRONG_TYPE,
                 sys_trace_start(info->trace, info->budget, plain, TRACE_CALL, 0, &trace));
    CHECK_STATUS(STATUS_INVALID, sys_trace_start(info->trace, info->budget, good, 0, 0, &trace));
    CHECK_STATUS(STATUS_INVALID,
                 sys_trace_start(info->trace, info->budget, good, TRACE_ALL + 1, 0, &trace));
    CHECK_STATUS(STATUS_INVALID,
                 sys_trace_start(info->trace, info->budget, good, TRACE_SAMPLE, 0, &trace));
    CHECK_STATUS(STATUS_INVALID,
                 sys_trace_start(info->trace, info->budget, good, TRACE_CALL, MS, &trace));
    CHECK_STATUS(STATUS_INVALID,
                 sys_trace_start(info->trace, info->budget, good, TRACE_SAMPLE, 99999, &trace));
    CHECK_STATUS(STATUS_INVALID,
                 sys_trace_start(info->trace, info->budget, good, TRACE_SAMPLE, 1001 * MS, &trace));
    struct tracer t = tracer_start(TRACE_CALL, 0);

    /* One at a time, and none is made from another. */
    CHECK_STATUS(STATUS_BUSY,
                 sys_trace_start(info->trace, info->budget, good, TRACE_CALL, 0, &trace));
    CHECK_STATUS(STATUS_WRONG_TYPE,
                 sys_trace_start(t.trace, info->budget, good, TRACE_CALL, 0, &trace));
    if (t.cpus > 1)
        CHECK_STATUS(STATUS_RANGE,
                     sys_trace_start(info->trace, info->budget, small, TRACE_CALL, 0, &trace));
    tracer_end(&t);
    OK(sys_trace_start(info->trace, info->budget, good, TRACE_CALL, 0, &trace));
    close_handle(trace);
    close_handle(looks);
    close_handle(reads);
    close_handle(small);
    close_handle(plain);
    close_handle(good);
}

/* Quick ones and others, one after the other, each within its beginning and its end, with its status. */
static void test_trace_tells_of_system_calls(void)
{
    struct tracer t = tracer_start(KINDS_CALLS, 0);
    uint64_t time = 0;
    const struct trace_event *event;

    OK(sys_system_nop());
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_cap_close(0x1234567));
    sleep_ms(2);
    close_handle(t.trace);
    t.trace = 0;
    OK(sys_system_nop()); /* not told any more */

    static const uint64_t numbers[] = {SYS_SYSTEM_NOP, SYS_CAP_CLOSE};
    static const int statuses[] = {STATUS_OK, STATUS_BAD_HANDLE};

    for (unsigned i = 0; i < 2; i++) {
        event = find_event(&t, TRACE_CALL, numbers[i]);
        CHECK(event != NULL && event->time_ns >= time);
        if (event == NULL)
            break;
        uint64_t thread = event->thread;

        time = event->time_ns;
        CHECK(i == 0 || event->words[1] == 0x1234567);
        event = next_event(&t);
        CHECK(event != NULL && event->kind == TRACE_RETURN && event->thread == thread &&
              (int)event->words[0] == statuses[i]);
    }
    event = find_event(&t, TRACE_CALL, SYS_THREAD_SLEEP);
    CHECK(event != NULL);
    time = event == NULL ? 0 : event->time_ns;
    while ((event = next_event(&t)) != NULL && event->kind != TRACE_RETURN)
        continue;
    CHECK(event != NULL && event->time_ns >= time + 2 * MS); /* a call that waits is one */
    CHECK(find_event(&t, TRACE_CALL, SYS_SYSTEM_NOP) == NULL);
    CHECK(lost(&t) == 0);
    tracer_end(&t);
}

static void answer_one(struct worker *self)
{
    struct ipc_regs regs = {.target = *(handle_t *)self->context, .deadline = DEADLINE_NEVER};

    OK(ipc_raw_receive(&regs));
    CHECK((uint32_t)regs.info == LABEL);
    regs = (struct ipc_regs){.target = 0};
    OK(ipc_raw_reply(&regs));
}

/* Who serves whose call is in the end of the one's receive and the beginning of its reply; between both it runs. */
static void test_trace_tells_of_calls_and_replies(void)
{
    handle_t endpoint;
    struct worker server;
    struct ipc_regs regs = {.info = LABEL, .deadline = DEADLINE_NEVER};

    OK(sys_endpoint_create(info->budget, &endpoint));
    struct tracer t = tracer_start(KINDS_CALLS | TRACE_SWITCH | TRACE_END, 0);

    worker_start(&server, answer_one, &endpoint);
    CHECK(EVENTUALLY(threads_in(SYS_ENDPOINT_RECEIVE) == 1));
    regs.target = endpoint;
    OK(ipc_raw_call(&regs));
    CHECK(worker_join(&server));
    sleep_ms(2); /* so that its end is told */
    close_handle(t.trace);
    t.trace = 0;
    const struct trace_event *call = find_event(&t, TRACE_CALL, SYS_ENDPOINT_CALL);

    CHECK(call != NULL && call->words[1] == endpoint && (uint32_t)call->words[2] == LABEL &&
          call->words[3] == 0);
    if (call != NULL) {
        uint64_t client = call->thread, served = 0;
        bool ran = false, replied = false, ended = false, returned = false;
        const struct trace_event *event;

        while ((event = next_event(&t)) != NULL) {
            if (event->kind == TRACE_RETURN && event->words[3] == client &&
                (uint32_t)event->words[2] == LABEL)
                served = event->thread;
            ran |= event->kind == TRACE_SWITCH && event->thread != client && event->thread != 0 &&
                   served == 0;
            replied |= event->kind == TRACE_CALL && event->words[0] == SYS_ENDPOINT_REPLY &&
                       event->thread == served && event->words[3] == client;
            returned |= replied && event->kind == TRACE_RETURN && event->thread == client &&
                        event->words[0] == 0;
            ended |= replied && event->kind == TRACE_END && event->thread == served;
        }
        CHECK(served != 0 && ran && replied && returned && ended);
    }
    CHECK(lost(&t) == 0);
    tracer_end(&t);
    close_handle(endpoint);
}

/* Nothing that was not read is overwritten: what comes later is lost, and counted; once there is room it goes on. */
static void test_trace_slow_reader_is_told_what_is_lost(void)
{
    struct tracer t = tracer_start(KINDS_CALLS, 0);
    uint64_t most = t.rings->events * t.cpus;

    for (uint64_t i = 0; i < most; i++)
        OK(sys_system_nop());
    CHECK(EVENTUALLY(lost(&t) != 0));
    uint64_t before = lost(&t), number = 0, time[64] = {0};
    bool ordered = true;

    for (unsigned i = 0; i < t.cpus; i++)
        CHECK(ring_at(&t, i)->head <= t.rings->events);
    for (const struct trace_event *event; (event = next_event(&t)) != NULL && number < 2 * most;
         number++) {
        ordered &= event->time_ns >= time[event->cpu % 64];
        time[event->cpu % 64] = event->time_ns;
    }
    CHECK(ordered && number >= t.rings->events && before != 0);
    OK(sys_system_nop());
    CHECK(find_event(&t, TRACE_CALL, SYS_SYSTEM_NOP) != NULL);
    tracer_end(&t);
}

/* The tail is the reader's; whatever it says, the kernel writes within the ring and goes on. */
static void test_trace_hostile_tail(void)
{
    static const uint64_t tails[] = {UINT64_MAX, 1u << 20, UINT64_MAX / 2, 0};
    struct tracer t = tracer_start(KINDS_CALLS, 0);
    handle_t guard = memory_new(1, 0);

    for (unsigned i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        for (unsigned cpu = 0; cpu < t.cpus; cpu++) {
            ring_at(&t, cpu)->tail = tails[i];
            ring_at(&t, cpu)->events = tails[i];
            ring_at(&t, cpu)->head = tails[i];
        }
        for (unsigned n = 0; n < 300; n++)
            OK(sys_system_nop());
    }
    CHECK(lost(&t) != 0 && word_of(guard, 0) == 0);
    close_handle(guard);
    tracer_end(&t);
}

static void child_traces(void)
{
    handle_t trace;

    if (!status_is_ok(sys_trace_start(child_start.handles[0], child_start.handles[1],
                                      child_start.handles[2], TRACE_ALL, MS, &trace)))
        child_exit(2);
    for (;;)
        __atomic_add_fetch(&child_start.values[1], 1, __ATOMIC_SEQ_CST);
}

/* With who made it the trace ends, and all that it took is given back. */
static void test_trace_ends_with_its_maker(void)
{
    struct budget_info before, after;
    struct child child;
    struct child_start start = {0};
    handle_t budget, memory, trace, ours = contiguous(PAGES);
    uint32_t count = 0;

    OK(sys_budget_create(info->budget, 512, 1 << 20, 16, &budget));
    OK(sys_budget_info(budget, &before));
    child_create(&child, 0, NULL);
    OK(sys_memory_create(budget, PAGES * PAGE_SIZE, MEMORY_CONTIGUOUS, &memory));
    start.handles[0] = child_give(&child, info->trace);
    start.handles[1] = child_give(&child, budget);
    start.handles[2] = child_give(&child, memory);
    close_handle(memory);
    child_run(&child, &start, child_traces);
    CHECK(EVENTUALLY(
        status_is_ok(sys_aspace_load32(child.aspace, (uint64_t)&child_start.values[1], &count)) &&
        count != 0));
    CHECK_STATUS(STATUS_BUSY,
                 sys_trace_start(info->trace, info->budget, ours, TRACE_CALL, 0, &trace));
    OK(sys_budget_info(budget, &after));
    CHECK(after.pages_used >= before.pages_used + PAGES && after.kmem_used > before.kmem_used);
    OK(sys_process_kill(child.process, 5));
    CHECK(child_end(&child) == 5);
    CHECK(EVENTUALLY(status_is_ok(sys_budget_info(budget, &after)) &&
                     after.pages_used == before.pages_used && after.kmem_used == before.kmem_used));
    OK(sys_trace_start(info->trace, info->budget, ours, TRACE_CALL, 0, &trace));
    close_handle(trace);
    close_handle(ours);
    close_handle(budget);
}

static uint32_t spin_stop;

static __attribute__((noinline)) void spin(void)
{
    while (__atomic_load_n(&spin_stop, __ATOMIC_RELAXED) == 0)
        continue;
}

static void spinning(struct worker *self)
{
    (void)self;
    spin();
}

/* A thread that computes is seen where it computes; long work of the kernel too, with the kernel's stack. */
static void test_trace_samples(void)
{
    struct worker worker;
    bool in_user = false, in_kernel = false;
    uint64_t end = in_ms(PATIENCE_MS), present;

    __atomic_store_n(&spin_stop, 0, __ATOMIC_RELAXED);
    worker_start(&worker, spinning, NULL);
    struct tracer t = tracer_start(TRACE_SAMPLE, MS / 2);
    handle_t big = memory_new(4096, MEMORY_COMMIT);

    while (!(in_user && in_kernel) && now_ns() < end) {
        const struct trace_event *event = next_event(&t);

        OK(sys_memory_query(big, 0, 4096 * PAGE_SIZE, &present));
        if (event == NULL || event->kind != TRACE_SAMPLE)
            continue;
        struct trace_event head = *event;
        const struct trace_event *stack = next_event(&t);

        if (stack == NULL || stack->kind != TRACE_STACK || stack->cpu != head.cpu)
            continue;
        CHECK(head.words[2] >= 1 && head.words[1] >= 1);
        in_user |=
            head.words[0] == 0 && head.words[3] == 0 && stack->words[0] - (uint64_t)spin < 64;
        in_kernel |= head.words[0] != 0 && head.words[3] != 0 && stack->words[0] >> 63 != 0;
    }
    CHECK(in_user);
    CHECK(in_kernel);
    __atomic_store_n(&spin_stop, 1, __ATOMIC_RELAXED);
    CHECK(worker_join(&worker));
    close_handle(big);
    tracer_end(&t);
}

extern const struct test trace_tests[];
const struct test trace_tests[] = {TEST(test_trace_bad_input_is_refused),
                                   TEST(test_trace_tells_of_system_calls),
                                   TEST(test_trace_tells_of_calls_and_replies),
                                   TEST(test_trace_slow_reader_is_told_what_is_lost),
                                   TEST(test_trace_hostile_tail),
                                   TEST(test_trace_ends_with_its_maker),
                                   TEST(test_trace_samples),
                                   {0}};
