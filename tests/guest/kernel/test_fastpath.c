/* Calls between two processes on one CPU: the fast path, and for each thing that it wants (kernel/ipc/fastpath.c) a call that lacks it
 * and must end the same way. */
#include "guest.h"

enum {
    LABEL_PLAIN = 1,
    LABEL_DEADLINE,
    LABEL_EVENT,
    LABEL_CLOSED,
    LABEL_RING,
    LABEL_YIELD,
    LABEL_LEAVE
};
enum { HANDLE_ENDPOINT, HANDLE_QUEUE, HANDLE_BELL, HANDLE_RING };

#define CLOSED_BADGE 77u
#define SESSION_BADGE (IPC_BADGE_SESSION | 5)
#define EVENT_COOKIE 88u
#define FIRST_CPU 1u

/* ── The server ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What @label asks for before the answer: what is to be received first then, or who is to run first. */
static void make_ready(uint32_t label)
{
    handle_t child;

    if (label == LABEL_EVENT)
        OK(sys_notification_signal(child_start.handles[HANDLE_BELL], 1));
    if (label == LABEL_RING)
        OK(sys_notification_signal(child_start.handles[HANDLE_RING], 1));
    if (label == LABEL_CLOSED) {
        OK(sys_cap_derive(child_start.handles[HANDLE_ENDPOINT], RIGHT_CALL, CLOSED_BADGE, &child));
        OK(sys_cap_close(child));
    }
    for (unsigned i = 0; label == LABEL_YIELD && i < 5; i++)
        OK(sys_thread_yield());
}

/* Answers with its words' double, the badge, and how many events and notices came. */
static void answering(void)
{
    uint64_t events = 0, notices = 0;
    struct ipc_regs regs = {.target = child_start.handles[HANDLE_ENDPOINT],
                            .deadline = DEADLINE_NEVER,
                            .queue = child_start.handles[HANDLE_QUEUE]};
    status_t status = ipc_raw_receive(&regs);

    for (;;) {
        uint32_t kind = message_kind(regs.info), label = (uint32_t)regs.info;
        uint64_t badge = regs.target;

        bool interrupted = status == STATUS_INTERRUPTED; /* suspended before it waited */

        if (!interrupted &&
            (!status_is_ok(status) || (kind == IPC_KIND_CALL && label == LABEL_LEAVE)))
            child_exit(status_code(status));
        regs.target = child_start.handles[HANDLE_ENDPOINT];
        regs.queue = child_start.handles[HANDLE_QUEUE];
        regs.deadline = label == LABEL_DEADLINE ? in_ms(PATIENCE_MS) : DEADLINE_NEVER;
        if (interrupted || kind != IPC_KIND_CALL) {
            events += !interrupted && kind == IPC_KIND_EVENT && badge == EVENT_COOKIE;
            notices += !interrupted && kind == IPC_KIND_CLOSED && badge == CLOSED_BADGE;
            status = ipc_raw_receive(&regs);
            continue;
        }
        make_ready(label);
        regs.info = label;
        for (unsigned i = 0; i < 3; i++)
            regs.words[i] *= 2;
        regs.words[3] = badge;
        regs.words[4] = events;
        regs.words[5] = notices;
        status = ipc_raw_reply_receive(&regs);
    }
}

struct pair {
    struct child child;
    handle_t endpoint, queue, bell, ring;
};

static void pair_start(struct pair *pair)
{
    struct child_start start = {0};

    OK(sys_endpoint_create(info->budget, &pair->endpoint));
    OK(sys_queue_create(info->budget, &pair->queue));
    OK(sys_notification_create(info->budget, &pair->bell));
    OK(sys_notification_create(info->budget, &pair->ring));
    OK(sys_notification_bind(pair->bell, pair->queue, EVENT_COOKIE));
    child_create(&pair->child, 0, NULL);
    start.handles[HANDLE_ENDPOINT] = child_give(&pair->child, pair->endpoint);
    start.handles[HANDLE_QUEUE] = child_give(&pair->child, pair->queue);
    start.handles[HANDLE_BELL] = child_give(&pair->child, pair->bell);
    start.handles[HANDLE_RING] = child_give(&pair->child, pair->ring);
    OK(sys_thread_set_affinity(info->thread, 0, FIRST_CPU));
    OK(sys_thread_set_affinity(pair->child.thread, 0, FIRST_CPU));
    child_run(&pair->child, &start, answering);
}

static void pair_end(struct pair *pair)
{
    struct ipc_regs regs = {.target = pair->endpoint,
                            .info = LABEL_LEAVE,
                            .deadline = DEADLINE_NEVER};

    CHECK_STATUS(STATUS_PEER_DIED, ipc_raw_call(&regs));
    CHECK(child_end(&pair->child) == 0);
    OK(sys_thread_set_affinity(info->thread, 0, UINT64_MAX));
    close_handle(pair->endpoint);
    close_handle(pair->bell);
    close_handle(pair->ring);
    close_handle(pair->queue);
}

/* ── The client ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t counter;

/* A call with @message through @handle: its answer is checked, and given. */
static struct ipc_regs ask(handle_t handle, uint64_t message, uint64_t deadline_ns)
{
    uint64_t n = __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
    struct ipc_regs regs = {.target = handle,
                            .info = message,
                            .words = {n, n + 1, n + 2, 4, 5, 6},
                            .deadline = deadline_ns};

    OK(ipc_raw_call(&regs));
    CHECK((uint32_t)regs.info == (uint32_t)message && regs.target == 0);
    for (unsigned i = 0; i < 3; i++)
        CHECK(regs.words[i] == 2 * (n + i));
    return regs;
}

static struct ipc_regs ask_plainly(const struct pair *pair)
{
    return ask(pair->endpoint, LABEL_PLAIN, DEADLINE_NEVER);
}

static status_t try_call(handle_t handle, uint64_t deadline_ns)
{
    struct ipc_regs regs = {.target = handle, .info = LABEL_PLAIN, .deadline = deadline_ns};

    return ipc_raw_call(&regs);
}

static void test_fastpath_messages(void)
{
    struct pair pair;

    pair_start(&pair);
    for (unsigned i = 0; i < 100; i++)
        CHECK(ask_plainly(&pair).words[3] == 0);
    ask(pair.endpoint, LABEL_PLAIN, in_ms(PATIENCE_MS));
    ask(pair.endpoint, message_info(LABEL_PLAIN, 8, 0, 0), DEADLINE_NEVER);
    ask(pair.endpoint, LABEL_PLAIN | 1ull << IPC_INFO_NOWAIT_SHIFT, DEADLINE_NEVER);
    ask(pair.endpoint, LABEL_DEADLINE, DEADLINE_NEVER); /* the next call finds a deadline armed */
    ask_plainly(&pair);
    pair_end(&pair);
}

static void test_fastpath_capabilities(void)
{
    struct pair pair;
    handle_t badged, weak = 0;

    pair_start(&pair);
    OK(sys_cap_derive(pair.endpoint, RIGHT_CALL, SESSION_BADGE, &badged));
    CHECK(ask(badged, LABEL_PLAIN, DEADLINE_NEVER).words[3] == SESSION_BADGE);
    OK(sys_endpoint_new_epoch(pair.endpoint));
    CHECK_STATUS(STATUS_STALE, try_call(badged, DEADLINE_NEVER));
    ask_plainly(&pair);
    OK(sys_cap_close(badged));
    CHECK_STATUS(STATUS_BAD_HANDLE, try_call(badged, DEADLINE_NEVER));
    CHECK_STATUS(STATUS_BAD_HANDLE, try_call(0, DEADLINE_NEVER));
    CHECK_STATUS(STATUS_BAD_HANDLE, try_call(UINT64_MAX, DEADLINE_NEVER));
    CHECK_STATUS(STATUS_WRONG_TYPE, try_call(pair.queue, DEADLINE_NEVER));
    weak = with_rights(pair.endpoint, RIGHT_RECEIVE);
    CHECK_STATUS(STATUS_DENIED, try_call(weak, DEADLINE_NEVER));
    close_handle(weak);
    ask_plainly(&pair);
    pair_end(&pair);
}

/* What is to be received before the server waits again. */
static void test_fastpath_something_to_receive(void)
{
    struct pair pair;

    pair_start(&pair);
    for (uint64_t i = 1; i <= 20; i++) {
        ask(pair.endpoint, LABEL_EVENT, DEADLINE_NEVER);
        ask(pair.endpoint, LABEL_CLOSED, DEADLINE_NEVER);
        struct ipc_regs regs = ask_plainly(&pair);
        CHECK(regs.words[4] == i && regs.words[5] == i);
    }
    pair_end(&pair);
}

static void caller(struct worker *self)
{
    const struct pair *pair = self->context;

    OK(sys_thread_set_affinity(self->thread, 0, FIRST_CPU));
    for (unsigned i = 0; i < 200; i++)
        ask(pair->endpoint, i % 3 == 0 ? LABEL_YIELD : LABEL_PLAIN, DEADLINE_NEVER);
}

/* The server is busy, and has calls queued when it answers. */
static void test_fastpath_many_callers(void)
{
    struct pair pair;
    struct worker callers[3];

    pair_start(&pair);
    for (unsigned i = 0; i < 3; i++)
        worker_start(&callers[i], caller, &pair);
    for (unsigned i = 0; i < 3; i++)
        CHECK(worker_join(&callers[i]));
    ask_plainly(&pair);
    pair_end(&pair);
}

/* The server's affinity changes while it waits; it is suspended while it waits. */
static void test_fastpath_other_thread_changes(void)
{
    struct pair pair;

    pair_start(&pair);
    for (unsigned i = 0; i < 5; i++) {
        ask_plainly(&pair);
        if (status_is_ok(sys_thread_set_affinity(pair.child.thread, 0, 2)))
            ask_plainly(&pair);
        ask_plainly(&pair);
        OK(sys_thread_set_affinity(pair.child.thread, 0, FIRST_CPU));
        ask_plainly(&pair);
    }
    for (unsigned i = 0; i < 3; i++) {
        OK(sys_thread_suspend(pair.child.thread));
        CHECK_STATUS(STATUS_TIMED_OUT, try_call(pair.endpoint, in_ms(10)));
        OK(sys_thread_resume(pair.child.thread));
        ask_plainly(&pair);
    }
    pair_end(&pair);
}

static uint64_t rung;

static void ringed(struct worker *self)
{
    const struct pair *pair = self->context;
    uint64_t bits;

    OK(sys_thread_set_affinity(self->thread, 0, FIRST_CPU));
    OK(sys_thread_set_priority(self->thread, 20));
    for (unsigned i = 0; i < 10; i++) {
        OK(sys_notification_wait(pair->ring, 1, DEADLINE_NEVER, &bits));
        __atomic_fetch_add(&rung, 1, __ATOMIC_SEQ_CST);
    }
}

/* Somebody better than the caller became ready while a server that is better still worked. */
static void test_fastpath_better_thread_goes_first(void)
{
    struct pair pair;
    struct worker other;

    pair_start(&pair);
    rung = 0;
    worker_start(&other, ringed, &pair);
    CHECK(EVENTUALLY(threads_in(SYS_NOTIFICATION_WAIT) == 1));
    OK(sys_thread_set_priority(pair.child.thread, 25));
    for (uint64_t i = 1; i <= 10; i++) {
        ask(pair.endpoint, LABEL_RING, DEADLINE_NEVER);
        CHECK(__atomic_load_n(&rung, __ATOMIC_SEQ_CST) == i);
    }
    CHECK(worker_join(&other));
    pair_end(&pair);
}

static void interrupted(struct worker *self)
{
    const struct pair *pair = self->context;

    OK(sys_thread_set_affinity(self->thread, 0, UINT64_MAX));
    while (__atomic_load_n(&self->value, __ATOMIC_SEQ_CST) == 0) {
        status_t status = try_call(pair->endpoint, DEADLINE_NEVER);
        CHECK(status == STATUS_OK || status == STATUS_INTERRUPTED);
    }
}

/* Attention comes at every point of calls, to either side. */
static void test_fastpath_attention(void)
{
    struct pair pair;
    struct worker other;
    uint64_t its_call;

    pair_start(&pair);
    worker_start(&other, interrupted, &pair);
    for (unsigned i = 0; i < 300; i++) {
        OK(sys_thread_interrupt(other.thread, &its_call));
        OK(sys_thread_suspend(pair.child.thread));
        OK(sys_thread_resume(pair.child.thread));
        ask_plainly(&pair);
    }
    __atomic_store_n(&other.value, 1, __ATOMIC_SEQ_CST);
    CHECK(worker_join(&other));
    pair_end(&pair);
}

#define SERVER_FILL UINT64_C(0x5e5e5e5e5e5e5e5e)
#define CLIENT_FILL UINT64_C(0xc1c1c1c1c1c1c1c1)

/* A message call of who holds @mine in all registers; how many of them hold the complement of @not_theirs afterwards, which is in no register of
 * ours, or an address of the kernel's. It has none in the last page: what is there are small numbers below zero, of which this thread may have
 * had one in a register when it was saved before. */
static unsigned foreign_registers(uint64_t number, handle_t endpoint, uint64_t mine,
                                  uint64_t not_theirs)
{
    uint64_t unused[MESSAGE_UNUSED_MAX];
    unsigned found = 0;

    for (unsigned i = message_filled(number, endpoint, LABEL_PLAIN, mine, unused); i-- > 0;) {
        uint64_t not = ~unused[i];

        __asm__("" : "+r"(not));
        found += not == not_theirs || (unused[i] != mine && unused[i] < UINT64_MAX - PAGE_SIZE &&
                                       unused[i] >> 48 == 0xffff);
    }
    return found;
}

static void filled(void)
{
    handle_t endpoint = child_start.handles[HANDLE_ENDPOINT];

    if (foreign_registers(SYS_ENDPOINT_RECEIVE, endpoint, SERVER_FILL, ~CLIENT_FILL) != 0)
        child_exit(1);
    while (foreign_registers(SYS_ENDPOINT_REPLY_RECEIVE, endpoint, SERVER_FILL, ~CLIENT_FILL) == 0)
        ;
    child_exit(2);
}

/* Nothing of the other side or of the kernel is left in registers. */
static void test_fastpath_registers(void)
{
    struct child child;
    struct child_start start = {0};
    handle_t endpoint;

    OK(sys_endpoint_create(info->budget, &endpoint));
    child_create(&child, 0, NULL);
    start.handles[HANDLE_ENDPOINT] = child_give(&child, endpoint);
    OK(sys_thread_set_affinity(info->thread, 0, FIRST_CPU));
    OK(sys_thread_set_affinity(child.thread, 0, FIRST_CPU));
    child_run(&child, &start, filled);
    for (unsigned i = 0; i < 100; i++)
        CHECK(foreign_registers(SYS_ENDPOINT_CALL, endpoint, CLIENT_FILL, ~SERVER_FILL) == 0);
    OK(sys_process_kill(child.process, 3));
    CHECK(child_end(&child) == 3);
    OK(sys_thread_set_affinity(info->thread, 0, UINT64_MAX));
    close_handle(endpoint);
}

extern const struct test fastpath_tests[];
const struct test fastpath_tests[] = {
    TEST(test_fastpath_messages),
    TEST(test_fastpath_capabilities),
    TEST(test_fastpath_something_to_receive),
    TEST(test_fastpath_many_callers),
    TEST(test_fastpath_other_thread_changes),
    TEST(test_fastpath_better_thread_goes_first),
    TEST(test_fastpath_attention),
    TEST(test_fastpath_registers),
    {0},
};
