/* Derivation trees over a hundred processes, revoked while others derive from them, send what they derived, and call through it. */
#include "limits.h"

#define DEPTH 1000u
#define WIDTH 100000u
#define DISTURBERS 3u
#define WAITERS 200u
#define RIGHTS (RIGHT_CALL | RIGHT_COPY | RIGHT_TRANSFER)

enum { BASE, SINK };

/* Processes that never run: tables. */
static struct {
    handle_t process, aspace;
} holders[PROCESSES];

static void holders_create(void)
{
    for (unsigned i = 0; i < PROCESSES; i++) {
        OK(sys_aspace_create(info->budget, &holders[i].aspace));
        OK(sys_process_create(info->budget, holders[i].aspace, "holder", 6, &holders[i].process));
    }
}

static void holders_drop(void)
{
    for (unsigned i = 0; i < PROCESSES; i++) {
        CHECK(caps_of(holders[i].process) == 0);
        close_handle(holders[i].process);
        close_handle(holders[i].aspace);
    }
}

/* @count children of @top. */
static void grow_wide(handle_t top, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        give(holders[i % PROCESSES].process, top, RIGHTS, CAP_TRANSFER_DERIVE);
}

/* A chain below @top, each link in another process than the one before; the last one is here. */
static handle_t grow_deep(handle_t top, unsigned count)
{
    handle_t last = with_rights(top, RIGHTS);

    for (unsigned i = 1; i < count; i++) {
        handle_t next = with_rights(last, RIGHTS);

        give(holders[i % PROCESSES].process, last, 0, CAP_TRANSFER_MOVE);
        last = next;
    }
    return last;
}

/* ── Others ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_dead(status_t status)
{
    return status == STATUS_BAD_HANDLE;
}

/* Until what all of it comes from is revoked: then ends with 0. */
static void disturb(void)
{
    handle_t base = child_start.handles[BASE], derived;

    for (;;) {
        status_t status = sys_cap_derive(base, RIGHTS, 0, &derived);

        if (!status_is_ok(status))
            child_exit(is_dead(status) ? 0 : 1);
        child_start.buffer->caps[0] = (struct cap_out){derived, 0, RIGHT_CALL, CAP_TRANSFER_DERIVE};
        struct ipc_regs regs = {.target = derived,
                                .info = message_info(1, 0, 1, 0),
                                .deadline = DEADLINE_NEVER};

        status = ipc_raw_call(&regs);
        if (!status_is_ok(status) && !is_dead(status))
            child_exit(2);
        child_start.buffer->caps[0] = (struct cap_out){derived, 0, RIGHT_CALL, CAP_TRANSFER_COPY};
        status = sys_channel_send(child_start.handles[SINK], "cap", 3, 1);
        if (!status_is_ok(status) && !is_dead(status) && status != STATUS_BUSY)
            child_exit(3);
        status_ignore(sys_cap_close(derived));
    }
}

struct disturbance {
    handle_t endpoint, left, right;
    struct worker server;
    struct child children[DISTURBERS];
    uint32_t calls; /* atomic */
};

/* Closes the capabilities that come with calls, until a call with label 0. */
static void serve(struct worker *self)
{
    struct disturbance *disturbance = self->context;
    struct ipc_regs regs = {.target = disturbance->endpoint, .deadline = DEADLINE_NEVER};

    self->buffer->accept = 1;
    OK(ipc_raw_receive(&regs));
    while ((uint32_t)regs.info != 0) {
        if (message_caps(regs.info) != 0 && self->buffer->received[0] != 0)
            status_ignore(sys_cap_close(self->buffer->received[0])); /* or it was revoked */
        __atomic_fetch_add(&disturbance->calls, 1, __ATOMIC_SEQ_CST);
        regs = (struct ipc_regs){.target = disturbance->endpoint, .deadline = DEADLINE_NEVER};
        OK(ipc_raw_reply_receive(&regs));
    }
    regs = (struct ipc_regs){0};
    OK(ipc_raw_reply(&regs));
}

static void disturbance_start(struct disturbance *disturbance, handle_t base)
{
    struct child_start start = {0};

    disturbance->calls = 0;
    OK(sys_channel_create(info->budget, 8, 16, &disturbance->left, &disturbance->right));
    worker_start(&disturbance->server, serve, disturbance);
    for (unsigned i = 0; i < DISTURBERS; i++) {
        struct child *child = &disturbance->children[i];

        child_create(child, 0, NULL);
        start.handles[BASE] = give(child->process, base, RIGHTS, CAP_TRANSFER_DERIVE);
        start.handles[SINK] = child_give(child, disturbance->left);
        child_run(child, &start, disturb);
    }
    CHECK(EVENTUALLY(__atomic_load_n(&disturbance->calls, __ATOMIC_SEQ_CST) >= 10));
}

/* All have ended by themselves: nothing of what they held worked any more. */
static void disturbance_end(struct disturbance *disturbance)
{
    struct ipc_regs regs = {.target = disturbance->endpoint, .deadline = in_ms(PATIENCE_MS)};

    for (unsigned i = 0; i < DISTURBERS; i++)
        CHECK(child_end(&disturbance->children[i]) == 0);
    uint32_t calls = __atomic_load_n(&disturbance->calls, __ATOMIC_SEQ_CST);

    OK(ipc_raw_call(&regs));
    CHECK(worker_join(&disturbance->server));
    CHECK(calls == disturbance->calls);
    close_handle(disturbance->left);
    close_handle(disturbance->right);
}

/* ── Revocations ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t revoke_cost(handle_t top)
{
    uint64_t begin = now_ns();

    OK(sys_cap_revoke(top));
    return now_ns() - begin;
}

static uint64_t wide_cost(handle_t top, unsigned count)
{
    grow_wide(top, count);
    return revoke_cost(top);
}

/* The same while others are busy below @top. */
static uint64_t wide_disturbed_cost(handle_t endpoint, handle_t top, unsigned count)
{
    static struct disturbance disturbance;

    disturbance.endpoint = endpoint;
    grow_wide(top, count);
    disturbance_start(&disturbance, top);
    uint64_t cost = revoke_cost(top);

    disturbance_end(&disturbance);
    return cost;
}

/* Ten times as many cost ten times as much, and a quarter at most beside it. */
static void check_linear(const char *what, uint64_t few, uint64_t many, unsigned count)
{
    say("revoking %u capabilities%s: %llu ns each, %llu of a tenth of them", count, what,
        (unsigned long long)(many / count), (unsigned long long)(few / (count / 10)));
    CHECK(!clock_counts() || many <= few * 10 + few * 10 / 4);
}

/* The same while others wait at the object, who came through another capability. */
static uint64_t wide_waited_cost(handle_t endpoint, handle_t top, unsigned count)
{
    struct child client;
    handle_t counter;
    uint64_t *calling = map_new(PAGE_SIZE, &counter);

    callers_model(&client, counter);
    callers_start(&client, info->budget, endpoint, WAITERS);
    CHECK(EVENTUALLY(__atomic_load_n(calling, __ATOMIC_SEQ_CST) == WAITERS));
    uint64_t cost = wide_cost(top, count);

    OK(sys_process_kill(client.process, 1));
    CHECK(child_end(&client) == 1);
    unmap(calling, PAGE_SIZE);
    close_handle(counter);
    return cost;
}

/* ── Callers that are queued through what is revoked ─────────────────────────────────────────────────────────────── */

#define QUEUED 1000u
#define CALLER_STACK_BYTES 1024u

struct queued {
    uint64_t calling, ended, otherwise; /* atomic */
};

/* Of the client, which is a copy of this process. */
static void queued_caller(handle_t endpoint)
{
    struct queued *queued = (struct queued *)child_start.values[0];
    struct ipc_regs regs = {.target = endpoint, .deadline = DEADLINE_NEVER};

    __atomic_fetch_add(&queued->calling, 1, __ATOMIC_SEQ_CST);
    status_t status = ipc_raw_call(&regs);

    __atomic_fetch_add(status == STATUS_BAD_HANDLE ? &queued->ended : &queued->otherwise, 1,
                       __ATOMIC_SEQ_CST);
    status_ignore(sys_thread_exit());
}

/* What it costs to revoke @count capabilities, if through each of them a thread is queued at @endpoint, and one through another capability
 * stays so. */
static uint64_t queued_cost(handle_t endpoint, unsigned count)
{
    handle_t top = with_rights(endpoint, RIGHTS | RIGHT_REVOKE), memory, thread;
    uint64_t bytes = PAGE_SIZE + (count + 1) * CALLER_STACK_BYTES;
    struct queued *queued = map_new((bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1), &memory);
    struct child client;

    callers_model(&client, memory);
    OK(sys_aspace_map(client.aspace, memory, 0, 0, (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1),
                      MAP_READ | MAP_WRITE, 0, &client.stack_top));
    for (unsigned i = 0; i <= count; i++) {
        handle_t there =
            give(client.process, i == count ? endpoint : top, RIGHT_CALL, CAP_TRANSFER_DERIVE);

        OK(sys_thread_create(client.process, info->budget, &thread));
        OK(sys_thread_set_priority(
            thread,
            2)); /* none runs while it is measured, on one CPU, however far this one has fallen */
        OK(sys_thread_start(thread, (uint64_t)queued_caller,
                            client.stack_top + PAGE_SIZE + (i + 1) * CALLER_STACK_BYTES - 8, there,
                            0));
        close_handle(thread);
    }
    CHECK(EVENTUALLY(__atomic_load_n(&queued->calling, __ATOMIC_SEQ_CST) == count + 1));
    sleep_ms(10); /* the last ones may not have come to wait */
    uint64_t cost = revoke_cost(top);

    CHECK(EVENTUALLY(__atomic_load_n(&queued->ended, __ATOMIC_SEQ_CST) == count));
    CHECK(queued->otherwise == 0);
    OK(sys_process_kill(client.process, 1));
    CHECK(child_end(&client) == 1);
    unmap(queued, (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1));
    close_handle(memory);
    close_handle(top);
    return cost;
}

static void test_limits_revoked_callers(void)
{
    handle_t endpoint;

    OK(sys_endpoint_create(info->budget, &endpoint));
    queued_cost(endpoint, QUEUED); /* what is allocated once is */
    uint64_t few = queued_cost(endpoint, QUEUED / 10), many = queued_cost(endpoint, QUEUED);

    check_linear(" with a caller each", few, many, QUEUED);
    close_handle(endpoint);
}

static void test_limits_wide_tree(void)
{
    unsigned count = WIDTH / scale();
    handle_t endpoint, top;

    OK(sys_endpoint_create(info->budget, &endpoint));
    top = with_rights(endpoint, RIGHTS | RIGHT_REVOKE);
    holders_create();
    wide_cost(top, count); /* tables are as big as they get */
    uint64_t few = wide_cost(top, count / 10), many = wide_cost(top, count);

    check_linear("", few, many, count);
    check_linear(" of an object with callers", few, wide_waited_cost(endpoint, top, count), count);
    few = wide_disturbed_cost(endpoint, top, count / 10);
    many = wide_disturbed_cost(endpoint, top, count);
    check_linear(" while others use them", few, many, count);
    close_handle(with_rights(top, RIGHT_CALL)); /* what is derived from now on works */
    holders_drop();
    close_handle(top);
    close_handle(endpoint);
}

static void test_limits_deep_tree(void)
{
    static struct disturbance disturbance;
    handle_t top, last;

    OK(sys_endpoint_create(info->budget, &disturbance.endpoint));
    top = with_rights(disturbance.endpoint, RIGHTS | RIGHT_REVOKE);
    holders_create();
    last = grow_deep(top, DEPTH / 10);
    uint64_t few = revoke_cost(top);

    CHECK_STATUS(STATUS_BAD_HANDLE, sys_cap_close(last));
    last = grow_deep(top, DEPTH);
    uint64_t many = revoke_cost(top);

    CHECK_STATUS(STATUS_BAD_HANDLE, sys_cap_close(last));
    check_linear(" in a chain", few, many, DEPTH);
    last = grow_deep(top, DEPTH);
    disturbance_start(&disturbance, last);
    OK(sys_cap_revoke(top));
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_cap_close(last));
    disturbance_end(&disturbance);
    holders_drop();
    close_handle(top);
    close_handle(disturbance.endpoint);
}

extern const struct test tree_tests[];
const struct test tree_tests[] = {
    TEST(test_limits_wide_tree),
    TEST(test_limits_revoked_callers),
    TEST(test_limits_deep_tree),
    {0},
};
