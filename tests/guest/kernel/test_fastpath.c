/* Calls between two processes on one CPU: the fast path, and for each thing that it wants (kernel/ipc/fastpath.c) a call that lacks it
 * and must end the same way. */
#include "guest.h"

#include <kstring.h>

enum {
    LABEL_PLAIN = 1,
    LABEL_DEADLINE,
    LABEL_EVENT,
    LABEL_CLOSED,
    LABEL_RING,
    LABEL_YIELD,
    LABEL_HOLD,
    LABEL_TIMEOUT,
    LABEL_LEAVE
};
enum { HANDLE_ENDPOINT, HANDLE_QUEUE, HANDLE_BELL, HANDLE_RING };

#define CLOSED_BADGE 77u
#define SESSION_BADGE (IPC_BADGE_SESSION | 5)
#define EVENT_COOKIE 88u
#define FIRST_CPU 1u
#define SOON_MS 5u

/* ── The server ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What @label asks for before the answer: what is to be received first then, or who is to run first, or that it does not come yet. */
static void make_ready(uint32_t label)
{
    handle_t child;
    uint64_t bits;

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
    if (label == LABEL_HOLD)
        status_ignore(
            sys_notification_wait(child_start.handles[HANDLE_RING], 1, in_ms(PATIENCE_MS), &bits));
}

/* What @label asks for with the answer. */
static uint64_t deadline_of(uint32_t label)
{
    if (label == LABEL_TIMEOUT)
        return in_ms(SOON_MS);
    return label == LABEL_DEADLINE ? in_ms(PATIENCE_MS) : DEADLINE_NEVER;
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

        bool timed_out = status == STATUS_TIMED_OUT;
        bool nothing = timed_out || status == STATUS_INTERRUPTED; /* suspended before it waited */

        if (timed_out)
            OK(sys_notification_signal(child_start.handles[HANDLE_RING], 1));
        if (!nothing && (!status_is_ok(status) || (kind == IPC_KIND_CALL && label == LABEL_LEAVE)))
            child_exit(status_code(status));
        regs.target = child_start.handles[HANDLE_ENDPOINT];
        regs.queue = child_start.handles[HANDLE_QUEUE];
        regs.deadline = DEADLINE_NEVER;
        if (nothing || kind != IPC_KIND_CALL) {
            events += !nothing && kind == IPC_KIND_EVENT && badge == EVENT_COOKIE;
            notices += !nothing && kind == IPC_KIND_CLOSED && badge == CLOSED_BADGE;
            status = ipc_raw_receive(&regs);
            continue;
        }
        make_ready(label);
        regs.info = label;
        regs.deadline = deadline_of(label);
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

/* Each of the two sides is told in time. */
static void test_fastpath_deadlines(void)
{
    struct pair pair;
    struct ipc_regs held;
    uint64_t bits;

    pair_start(&pair);
    for (unsigned i = 0; i < 2; i++) {
        ask_plainly(&pair);
        ask_plainly(&pair);
        held = (struct ipc_regs){.target = pair.endpoint,
                                 .info = LABEL_HOLD,
                                 .deadline = in_ms(SOON_MS)};
        CHECK_STATUS(STATUS_TIMED_OUT, ipc_raw_call(&held));
        OK(sys_notification_signal(pair.ring, 1));
        ask_plainly(&pair);
        ask(pair.endpoint, LABEL_TIMEOUT, DEADLINE_NEVER);
        OK(sys_notification_wait(pair.ring, 1, in_ms(PATIENCE_MS), &bits));
    }
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

/* ── Answers of every kind ───────────────────────────────────────────────────────────────────────────────────────── */

#define CALLS_BEFORE 4u /* until both have been handed the CPU */
#define ANSWER_OF(kind, label) ((uint64_t)(kind) << IPC_INFO_KIND_SHIFT | (label))
#define FOREIGN_VALUE ANSWER_OF(IPC_KIND_FOREIGN, ANSWER_VALUE)
#define FAULTED ((int64_t)status_code(STATUS_FAULT))

/* @info is the answer of whom we received from; what comes next, until @deadline_ns. */
static status_t answer_with(struct ipc_regs *regs, uint64_t message, uint64_t deadline_ns)
{
    *regs = (struct ipc_regs){.target = child_start.handles[HANDLE_ENDPOINT],
                              .info = message,
                              .deadline = deadline_ns};
    return ipc_raw_reply_receive(regs);
}

/* Answers some calls as they want to be, and the next one as it is told. Ends with the status that it gets then, or the kind of what comes. */
static void answering_as_told(void)
{
    uint64_t message = child_start.values[0], patience_ms = child_start.values[1];
    struct ipc_regs regs = {.target = child_start.handles[HANDLE_ENDPOINT],
                            .deadline = DEADLINE_NEVER};
    status_t status = ipc_raw_receive(&regs);

    for (unsigned i = 0; status_is_ok(status) && i < CALLS_BEFORE; i++) {
        bool foreign = message_kind(regs.info) == IPC_KIND_FOREIGN;
        status = answer_with(&regs, foreign ? FOREIGN_VALUE : 0, DEADLINE_NEVER);
    }
    if (status_is_ok(status))
        status =
            answer_with(&regs, message, patience_ms == 0 ? DEADLINE_NEVER : in_ms(patience_ms));
    child_exit(status_is_ok(status) ? (int64_t)message_kind(regs.info) : status_code(status));
}

static void calling_then_faulting(void)
{
    for (unsigned i = 0; i < CALLS_BEFORE; i++) {
        if (!status_is_ok(try_call(child_start.handles[HANDLE_ENDPOINT], DEADLINE_NEVER)))
            child_exit(1);
    }
    *(volatile uint64_t *)NOWHERE = 1;
    child_exit(2);
}

/* A foreign thread: none of these numbers means to the kernel what it means to us. */
static void calling_from_abroad(void)
{
    for (unsigned i = 0; i <= CALLS_BEFORE; i++)
        status_ignore(sys_system_nop());
    for (;;)
        ;
}

struct told {
    struct child server, client;
    handle_t endpoint;
};

/* @message and @patience_ms go to the server; the client is yet to be run. */
static void told_start(struct told *told, uint64_t message, uint64_t patience_ms)
{
    struct child_start start = {.values = {message, patience_ms}};

    OK(sys_endpoint_create(info->budget, &told->endpoint));
    child_create(&told->server, 0, NULL);
    child_create(&told->client, 0, NULL);
    start.handles[HANDLE_ENDPOINT] = child_give(&told->server, told->endpoint);
    OK(sys_thread_set_affinity(told->server.thread, 0, FIRST_CPU));
    OK(sys_thread_set_affinity(told->client.thread, 0, FIRST_CPU));
    child_run(&told->server, &start, answering_as_told);
}

static void told_fault(struct told *told)
{
    struct child_start start = {0};

    start.handles[HANDLE_ENDPOINT] = child_give(&told->client, told->endpoint);
    OK(sys_process_set_exception(told->client.process, told->endpoint, 1));
    child_run(&told->client, &start, calling_then_faulting);
}

/* Whose exception is answered like a call has got none: it ends. The server goes on. */
static void test_fastpath_exception_gets_a_plain_answer(void)
{
    struct told told;

    told_start(&told, LABEL_PLAIN, 0);
    told_fault(&told);
    CHECK(child_end(&told.client) == FAULTED);
    CHECK_STATUS(STATUS_PEER_DIED, try_call(told.endpoint, in_ms(PATIENCE_MS)));
    CHECK(child_end(&told.server) == IPC_KIND_CALL);
    close_handle(told.endpoint);
}

/* Nor is there a value that it could go on with: the server is told, and ends, owing it the answer. */
static void test_fastpath_exception_gets_a_value(void)
{
    struct told told;

    told_start(&told, FOREIGN_VALUE, 0);
    told_fault(&told);
    CHECK(child_end(&told.server) == status_code(STATUS_INVALID));
    CHECK(child_end(&told.client) == FAULTED);
    close_handle(told.endpoint);
}

static void test_fastpath_foreign_deadline(void)
{
    struct told told;
    handle_t table = memory_new(1, MEMORY_COMMIT);

    told_start(&told, FOREIGN_VALUE, SOON_MS);
    OK(sys_thread_set_foreign(told.client.thread, told.endpoint, 1, table, table, 0));
    child_run(&told.client, &(struct child_start){0}, calling_from_abroad);
    CHECK(child_end(&told.server) == status_code(STATUS_TIMED_OUT));
    OK(sys_process_kill(told.client.process, 3));
    CHECK(child_end(&told.client) == 3);
    close_handle(told.endpoint);
    close_handle(table);
}

/* ── Capabilities that are revoked meanwhile ─────────────────────────────────────────────────────────────────────── */

/* A revocation must come between a server's look for its capabilities and its wait: often enough for that on a host with few CPUs, and not for long. */
#define REVOCATIONS 500u
#define REVOCATIONS_MS 3000u

/* In the page that the server has, too. */
struct meeting {
    handle_t endpoint, queue; /* in its table */
    uint64_t over;            /* how often it was told that one of them is revoked */
};

static struct meeting *meeting_of(struct ipc_buffer *buffer)
{
    return (struct meeting *)(void *)buffer->data;
}

static void serving_what_is_given(void)
{
    struct meeting *meeting = meeting_of(child_start.buffer);
    uint64_t bits;

    for (uint64_t round = 1;; round++) {
        OK(sys_notification_wait(child_start.handles[HANDLE_BELL], 1, DEADLINE_NEVER, &bits));
        const struct ipc_regs given = {.target = meeting->endpoint,
                                       .queue = meeting->queue,
                                       .deadline = DEADLINE_NEVER};
        struct ipc_regs regs = given;
        status_t status = ipc_raw_receive(&regs);
        while (status_is_ok(status)) {
            regs = given;
            status = ipc_raw_reply_receive(&regs);
        }
        if (status != STATUS_BAD_HANDLE)
            child_exit(status_code(status));
        __atomic_store_n(&meeting->over, round, __ATOMIC_RELEASE);
    }
}

struct revocations {
    struct child server;
    struct worker client;
    struct meeting *meeting;
    handle_t endpoint, queue, bell, ring;
    bool calling, ends; /* the client shall */
    uint64_t calls;
};

/* Calls as long as it is told to, so that who waits through what is revoked waits for good. A call may find no server any more. */
static void calling_while_told(struct worker *self)
{
    struct revocations *all = self->context;
    uint64_t bits;

    OK(sys_thread_set_affinity(self->thread, 0, FIRST_CPU));
    while (!__atomic_load_n(&all->ends, __ATOMIC_ACQUIRE)) {
        if (!__atomic_load_n(&all->calling, __ATOMIC_ACQUIRE)) {
            OK(sys_notification_wait(all->ring, 1, DEADLINE_NEVER, &bits));
            continue;
        }
        status_ignore(try_call(all->endpoint, DEADLINE_NEVER));
        __atomic_fetch_add(&all->calls, 1, __ATOMIC_RELEASE);
    }
}

static void revocations_begin(struct revocations *all)
{
    struct child_start start = {0};

    memset(all, 0, sizeof(*all));
    OK(sys_endpoint_create(info->budget, &all->endpoint));
    OK(sys_queue_create(info->budget, &all->queue));
    OK(sys_notification_create(info->budget, &all->bell));
    OK(sys_notification_create(info->budget, &all->ring));
    child_create(&all->server, 0, NULL);
    start.handles[HANDLE_BELL] = child_give(&all->server, all->bell);
    all->meeting = meeting_of(all->server.buffer_here);
    all->meeting->endpoint = child_give(&all->server, all->endpoint);
    all->meeting->queue = child_give(&all->server, all->queue);
    OK(sys_thread_set_affinity(all->server.thread, 0, FIRST_CPU));
    status_ignore(sys_thread_set_affinity(info->thread, 0, ~UINT64_C(1))); /* there may be none */
    child_run(&all->server, &start, serving_what_is_given);
    worker_start(&all->client, calling_while_told, all);
}

static void revocations_end(struct revocations *all)
{
    __atomic_store_n(&all->ends, true, __ATOMIC_RELEASE);
    OK(sys_notification_signal(all->ring, 1));
    OK(sys_process_kill(all->server.process, 3));
    CHECK(child_end(&all->server) == 3);
    close_handle(all->endpoint); /* a call may be queued */
    CHECK(worker_join(&all->client));
    OK(sys_thread_set_affinity(info->thread, 0, UINT64_MAX));
    close_handle(all->ring);
    close_handle(all->bell);
    close_handle(all->queue);
}

/* The server waits through a capability derived from @source until that is revoked: it is told, though nobody calls any more. */
static bool revoke_once(struct revocations *all, handle_t source, handle_t *given, uint64_t round)
{
    const uint64_t *over = &all->meeting->over;
    uint64_t before = __atomic_load_n(&all->calls, __ATOMIC_RELAXED), end = in_ms(PATIENCE_MS);
    handle_t derived;

    OK(sys_cap_derive(source, RIGHT_RECEIVE | RIGHT_COPY | RIGHT_TRANSFER, 0, &derived));
    *given = child_give(&all->server, derived);
    __atomic_store_n(&all->calling, true, __ATOMIC_RELEASE);
    OK(sys_notification_signal(all->bell, 1));
    OK(sys_notification_signal(all->ring, 1));
    while (__atomic_load_n(&all->calls, __ATOMIC_RELAXED) - before < 2 + round % 8 &&
           now_ns() < end)
        OK(sys_thread_yield());
    __atomic_store_n(&all->calling, false, __ATOMIC_RELEASE);
    OK(sys_cap_revoke(source));
    return __atomic_load_n(over, __ATOMIC_ACQUIRE) == round ||
           EVENTUALLY(__atomic_load_n(over, __ATOMIC_ACQUIRE) == round);
}

static void revoke_often(bool queue)
{
    struct revocations all;
    uint64_t enough = in_ms(REVOCATIONS_MS);
    bool told = true;

    revocations_begin(&all);
    for (uint64_t i = 1; told && i <= REVOCATIONS && now_ns() < enough; i++)
        told = revoke_once(&all, queue ? all.queue : all.endpoint,
                           queue ? &all.meeting->queue : &all.meeting->endpoint, i);
    CHECK(told);
    revocations_end(&all);
}

static void test_fastpath_endpoint_is_revoked(void)
{
    revoke_often(false);
}

static void test_fastpath_queue_is_revoked(void)
{
    revoke_often(true);
}

extern const struct test fastpath_tests[];
const struct test fastpath_tests[] = {
    TEST(test_fastpath_messages),
    TEST(test_fastpath_deadlines),
    TEST(test_fastpath_capabilities),
    TEST(test_fastpath_something_to_receive),
    TEST(test_fastpath_many_callers),
    TEST(test_fastpath_other_thread_changes),
    TEST(test_fastpath_better_thread_goes_first),
    TEST(test_fastpath_attention),
    TEST(test_fastpath_registers),
    TEST(test_fastpath_exception_gets_a_plain_answer),
    TEST(test_fastpath_exception_gets_a_value),
    TEST(test_fastpath_foreign_deadline),
    TEST(test_fastpath_endpoint_is_revoked),
    TEST(test_fastpath_queue_is_revoked),
    {0},
};
