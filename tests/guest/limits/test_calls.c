/* Calls that nobody answers, and capabilities that nobody wants: whoever sends them pays, and dies alone. */
#include "limits.h"

#include <kstring.h>

/* ── Blocked calls ───────────────────────────────────────────────────────────────────────────────────────────────── */

#define CALLERS 1000u /* a process */
#define ACCEPTED 500u
#define NOTICE_BYTES 64u /* of kernel memory, for each of them */

/* All threads of a client share a stack, and this: they write the same there, and none comes back from its call. On the stack it would be
 * cleared by vector registers, and each thread would have a place for those. */
static struct ipc_regs blocked_call;

static void blocked_caller(handle_t endpoint)
{
    uint64_t *calling = (uint64_t *)child_start.values[0];

    blocked_call.target = endpoint;
    blocked_call.deadline = DEADLINE_NEVER;
    __atomic_fetch_add(calling, 1, __ATOMIC_SEQ_CST);
    status_ignore(ipc_raw_call(&blocked_call));
    child_exit(1);
}

static struct child clients[PROCESSES];

void callers_model(struct child *model, handle_t counter)
{
    struct child_start start = {0};
    uint64_t done;

    child_create(model, 0, NULL);
    OK(sys_aspace_map(model->aspace, counter, 0, 0, PAGE_SIZE,
                      MAP_READ | MAP_WRITE | MAP_CLONE_SHARED, 0, &start.values[0]));
    OK(sys_aspace_write(model->aspace, (uint64_t)&child_start, &start, sizeof(start), &done));
}

void callers_start(const struct child *client, handle_t budget, handle_t endpoint, unsigned threads)
{
    handle_t there = give(client->process, endpoint, RIGHT_CALL, CAP_TRANSFER_COPY), thread;

    for (unsigned i = 0; i < threads; i++) {
        OK(sys_thread_create(client->process, budget, &thread));
        OK(sys_thread_start(thread, (uint64_t)blocked_caller, client->stack_top, there, 0));
        close_handle(thread);
    }
}

static struct budget_info budget_of(handle_t budget)
{
    struct budget_info budget_info = {0};

    OK(sys_budget_info(budget, &budget_info));
    return budget_info;
}

/* The server is this process: what it and its endpoint are charged is as it was, to the byte. */
static bool server_is_at(struct budget_info baseline)
{
    struct budget_info now = budget_of(info->budget);

    return now.pages_used == baseline.pages_used && now.kmem_used == baseline.kmem_used;
}

/* What is still to be freed after a grace period has been: nothing changes for longer than a busy host lets a CPU wait. */
static struct budget_info settled(void)
{
    struct budget_info last = budget_of(info->budget);

    for (unsigned same = 0; same < 500; same++) {
        sleep_ms(2);
        if (!server_is_at(last)) {
            last = budget_of(info->budget);
            same = 0;
        }
    }
    return last;
}

static void accept_some(handle_t endpoint, uint64_t *tokens)
{
    for (unsigned i = 0; i < ACCEPTED; i++) {
        struct ipc_regs regs = {.target = endpoint, .deadline = in_ms(PATIENCE_MS)};

        OK(ipc_raw_receive(&regs));
        OK(sys_endpoint_reply_save(endpoint, i, &tokens[i]));
    }
}

/* Of each that was accepted the server is told once that its caller is gone. */
static void all_are_gone(handle_t endpoint, const uint64_t *tokens)
{
    static bool told[ACCEPTED];

    memset(told, 0, sizeof(told));
    for (unsigned i = 0; i < ACCEPTED; i++) {
        struct ipc_regs regs = {.target = endpoint, .deadline = in_ms(PATIENCE_MS)};

        OK(ipc_raw_receive(&regs));
        CHECK(message_kind(regs.info) == IPC_KIND_GONE && regs.target < ACCEPTED);
        CHECK(!told[regs.target % ACCEPTED]);
        told[regs.target % ACCEPTED] = true;
    }
    for (unsigned i = 0; i < ACCEPTED; i++) {
        struct ipc_regs regs = {.target = tokens[i]};

        CHECK_STATUS(STATUS_GONE, ipc_raw_reply(&regs));
    }
}

static void call_once(struct worker *self)
{
    struct ipc_regs regs = {.target = *(handle_t *)self->context, .deadline = DEADLINE_NEVER};

    OK(ipc_raw_call(&regs));
    self->value = regs.words[0];
}

static void endpoint_still_serves(handle_t endpoint)
{
    struct worker caller;
    struct ipc_regs regs = {.target = endpoint, .deadline = in_ms(PATIENCE_MS)};

    worker_start(&caller, call_once, &endpoint);
    OK(ipc_raw_receive(&regs));
    regs = (struct ipc_regs){.words = {7}};
    OK(ipc_raw_reply(&regs));
    CHECK(worker_join(&caller) && caller.value == 7);
}

static void test_limits_blocked_calls(void)
{
    unsigned threads = CALLERS / scale();
    struct budget_info whole = budget_of(info->budget), baseline;
    struct child model;
    handle_t endpoint, budget, counter;
    uint64_t *calling = map_new(PAGE_SIZE, &counter), begin = now_ns();
    static uint64_t tokens[ACCEPTED];

    *calling = 0; /* the page table that it needs is there from now on */
    OK(sys_endpoint_create(info->budget, &endpoint));
    callers_model(&model, counter);
    OK(sys_budget_create(info->budget, (whole.pages_limit - whole.pages_used) / 2,
                         (whole.kmem_limit - whole.kmem_used) * 3 / 4, 16, &budget));
    for (unsigned i = 0; i < PROCESSES; i++)
        child_clone(&clients[i], &model, budget);
    baseline = settled();
    for (unsigned i = 0; i < PROCESSES; i++)
        callers_start(&clients[i], budget, endpoint, threads);
    CHECK(EVENTUALLY(__atomic_load_n(calling, __ATOMIC_SEQ_CST) == PROCESSES * threads));
    accept_some(endpoint, tokens);
    struct budget_info held = baseline;

    held.kmem_used += ACCEPTED * NOTICE_BYTES;
    CHECK(EVENTUALLY(server_is_at(held)));
    uint64_t killed = now_ns();

    for (unsigned i = 0; i < PROCESSES; i++)
        OK(sys_process_kill(clients[i].process, 1));
    for (unsigned i = 0; i < PROCESSES; i++) {
        struct process_info process = {0};

        CHECK(EVENTUALLY((status_is_ok(sys_process_info(clients[i].process, &process)) &&
                          process.state == PROCESS_STATE_DEAD)));
    }
    CHECK(EVENTUALLY(server_is_at(held)));
    say("%u calls by %u processes: %llu ns each, and %llu for their end", PROCESSES * threads,
        PROCESSES, (unsigned long long)((killed - begin) / (PROCESSES * threads)),
        (unsigned long long)((now_ns() - killed) / (PROCESSES * threads)));
    all_are_gone(endpoint, tokens);
    CHECK(EVENTUALLY(server_is_at(baseline)));
    endpoint_still_serves(endpoint);
    for (unsigned i = 0; i < PROCESSES; i++)
        CHECK(child_end(&clients[i]) == 1);
    OK(sys_process_kill(model.process, 0));
    CHECK(child_end(&model) == 0);
    CHECK(EVENTUALLY(budget_of(budget).kmem_used == 0 && budget_of(budget).pages_used == 0));
    close_handle(budget);
    close_handle(endpoint);
    unmap(calling, PAGE_SIZE);
    close_handle(counter);
}

/* ── Capabilities that land nowhere ──────────────────────────────────────────────────────────────────────────────── */

enum { ENDPOINT, CHANNEL, BUDGET };

#define SPAM 500u
/* Less than a few hundred capabilities, or Notifications, would take: whatever stayed anywhere would end it. */
#define SPAMMER_KMEM (64u << 10)
#define SPAMMER_PAGES 512u

static void spam_fill(struct ipc_buffer *buffer, handle_t handle, uint32_t mode)
{
    for (unsigned i = 0; i < IPC_CAPS_MAX; i++)
        buffer->caps[i] = (struct cap_out){handle, 0, RIGHT_CALL, mode};
}

static status_t spam_call(uint32_t caps)
{
    struct ipc_regs regs = {.target = child_start.handles[ENDPOINT],
                            .info = message_info(1, 0, caps, 0),
                            .deadline = DEADLINE_NEVER};

    return ipc_raw_call(&regs);
}

/* Copies, and objects whose only capability is sent away. */
static bool spam_round(handle_t own)
{
    struct ipc_buffer *buffer = child_start.buffer;
    handle_t moved;

    spam_fill(buffer, own, CAP_TRANSFER_DERIVE);
    if (!status_is_ok(spam_call(IPC_CAPS_MAX)))
        return false;
    spam_fill(buffer, own, CAP_TRANSFER_COPY);
    status_t status = sys_channel_send(child_start.handles[CHANNEL], "spam", 4, IPC_CAPS_MAX);

    if (!status_is_ok(status) && status != STATUS_BUSY)
        return false;
    if (!status_is_ok(sys_notification_create(child_start.handles[BUDGET], &moved)))
        return false;
    buffer->caps[0] = (struct cap_out){moved, 0, 0, CAP_TRANSFER_MOVE};
    return status_is_ok(spam_call(1));
}

/* Ends with 3; then blocks in a call with capabilities for ever. */
static void spammer(void)
{
    handle_t own;

    if (!status_is_ok(sys_notification_create(child_start.handles[BUDGET], &own)))
        child_exit(1);
    for (unsigned i = 0; i < SPAM; i++)
        for (unsigned tries = 0; !spam_round(own); tries++) {
            if (tries == PATIENCE_MS)
                child_exit(2);
            status_ignore(
                sys_thread_sleep(now_ns() + MS)); /* what ended comes back a little later */
        }
    spam_fill(child_start.buffer, own, CAP_TRANSFER_DERIVE);
    status_ignore(spam_call(IPC_CAPS_MAX));
    child_exit(1);
}

/* Answers SPAM * 2 calls with as many capabilities of ours as fit, and none of these lands either. Announces slots in some calls. */
static void spam_serve(struct worker *self)
{
    handle_t endpoint = *(handle_t *)self->context, own;
    struct ipc_regs regs = {.target = endpoint, .deadline = DEADLINE_NEVER};

    OK(sys_notification_create(info->budget, &own));
    self->buffer->accept = 0;
    OK(ipc_raw_receive(&regs));
    for (unsigned i = 0; i < SPAM * 2; i++) {
        uint32_t came = message_caps(regs.info);

        CHECK(came <= self->buffer->accept);
        for (uint32_t cap = 0; cap < came; cap++)
            if (self->buffer->received[cap] != 0)
                close_handle(self->buffer->received[cap]);
        self->buffer->accept = i % 8 == 0 ? i % 5 : 0;
        spam_fill(self->buffer, own, CAP_TRANSFER_COPY);
        regs = (struct ipc_regs){.target = endpoint,
                                 .info = message_info(0, 0, IPC_CAPS_MAX, 0),
                                 .deadline = DEADLINE_NEVER};
        if (i + 1 < SPAM * 2) {
            OK(ipc_raw_reply_receive(&regs));
        } else {
            regs.target = 0;
            OK(ipc_raw_reply(&regs));
        }
    }
    close_handle(own);
}

static void test_limits_capabilities_nobody_announced(void)
{
    struct child child;
    struct child_start start = {0};
    struct worker server;
    handle_t endpoint, left, right, budget;
    uint64_t before = caps_of(info->process);
    char data[16];
    uint64_t bytes;
    uint32_t caps;

    OK(sys_endpoint_create(info->budget, &endpoint));
    OK(sys_channel_create(info->budget, 8, 16, &left, &right));
    OK(sys_budget_create(info->budget, SPAMMER_PAGES, SPAMMER_KMEM, 16, &budget));
    child_create(&child, budget, NULL);
    start.handles[ENDPOINT] = child_give(&child, endpoint);
    start.handles[CHANNEL] = child_give(&child, left);
    start.handles[BUDGET] = child_give(&child, budget);
    uint64_t held = caps_of(info->process);

    worker_start(&server, spam_serve, &endpoint);
    child_run(&child, &start, spammer);
    my_buffer()->accept = 0;
    while (__atomic_load_n(&server.done, __ATOMIC_SEQ_CST) == 0) {
        if (status_is_ok(sys_channel_receive(right, data, sizeof(data), &bytes, &caps)))
            CHECK(bytes == 4 && caps == 0);
        else
            sleep_ms(1);
    }
    CHECK(worker_join(&server));
    CHECK(EVENTUALLY(caps_of(info->process) == held));
    OK(sys_process_kill(child.process, 3));
    CHECK(child_end(&child) == 3);
    close_handle(left);
    close_handle(right);
    CHECK(EVENTUALLY(budget_of(budget).kmem_used == 0 && budget_of(budget).pages_used == 0));
    close_handle(budget);
    close_handle(endpoint);
    CHECK(caps_of(info->process) == before);
}

extern const struct test call_tests[];
const struct test call_tests[] = {
    TEST(test_limits_blocked_calls),
    TEST(test_limits_capabilities_nobody_announced),
    {0},
};
