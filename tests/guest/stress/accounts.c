/* Callers whose calls are broken off while another CPU works for them, so that two CPUs charge one account: a thread on the caller's CPU interrupts it,
 * and it calls again at once. One caller is of the real-time band, with an allowance that is soon spent, and changed meanwhile. */
#include "stress.h"

enum { PAIRS = 2, LOOKS = 50 };
#ifdef CONFIG_DEBUG
#define CALLS 1500u
#else
#define CALLS 6000u
#endif
enum { INTERRUPTER = 3, CALLER = 5 };

struct pair {
    struct worker server, caller, interrupter;
    uint64_t cpu; /* of who calls; who serves is on the next */
    handle_t endpoint, receives;
    uint32_t served, broken_off; /* of the caller's calls; atomic */
    uint32_t done;               /* atomic */
};

static bool is_done(const struct pair *pair)
{
    return __atomic_load_n(&pair->done, __ATOMIC_ACQUIRE) != 0;
}

static void serve(struct worker *self)
{
    struct pair *pair = self->context;
    struct ipc_regs regs = {.target = pair->receives, .deadline = DEADLINE_NEVER};
    status_t status = ipc_raw_receive(&regs);
    while (status == STATUS_OK) {
        for (uint32_t i = 0; i < LOOKS; i++)
            OK(sys_thread_yield());
        regs = (struct ipc_regs){.target = pair->receives, .deadline = DEADLINE_NEVER};
        status = ipc_raw_reply_receive(&regs);
    }
    CHECK(status == STATUS_BAD_HANDLE); /* it was revoked */
}

static void call(struct worker *self)
{
    struct pair *pair = self->context;
    while (pair->served + pair->broken_off < CALLS || pair->served == 0 || pair->broken_off == 0) {
        struct ipc_regs regs = {.target = pair->endpoint, .deadline = DEADLINE_NEVER};
        status_t status = ipc_raw_call(&regs);
        CHECK(status == STATUS_OK || status == STATUS_INTERRUPTED);
        __atomic_fetch_add(status == STATUS_OK ? &pair->served : &pair->broken_off, 1,
                           __ATOMIC_RELAXED);
    }
    __atomic_store_n(&pair->done, 1, __ATOMIC_RELEASE);
}

static void interrupt(struct worker *self)
{
    struct pair *pair = self->context;
    uint64_t number;
    for (uint32_t i = 0; !is_done(pair); i++) {
        OK(sys_thread_interrupt(pair->caller.thread, &number));
        if (i % 16 == 0) /* so that some are served, however slow the host is */
            sleep_ms(__atomic_load_n(&pair->served, __ATOMIC_RELAXED) == 0 ? 2 + i / 16 : 2);
    }
}

static void place(const struct worker *worker, uint64_t cpu, uint32_t priority)
{
    OK(sys_thread_set_affinity(worker->thread, 0, UINT64_C(1) << cpu));
    OK(sys_thread_set_priority(worker->thread, priority));
}

static void pair_start(struct pair *pair, uint64_t cpu)
{
    *pair = (struct pair){.cpu = cpu};
    OK(sys_endpoint_create(info->budget, &pair->endpoint));
    pair->receives = with_rights(pair->endpoint, RIGHT_RECEIVE);
    worker_start(&pair->server, serve, pair);
    worker_start(&pair->caller, call, pair);
    worker_start(&pair->interrupter, interrupt, pair);
    place(&pair->server, cpu + 1, CALLER);
    place(&pair->caller, cpu, CALLER);
    place(&pair->interrupter, cpu, INTERRUPTER);
}

static void pair_end(struct pair *pair)
{
    CHECK(worker_join(&pair->interrupter)); /* first: it names the caller */
    CHECK(worker_join(&pair->caller));
    OK(sys_cap_revoke(pair->endpoint));
    CHECK(worker_join(&pair->server));
    close_handle(pair->endpoint);
    say("%u calls served, %u broken off", pair->served, pair->broken_off);
}

void test_stress_calls_are_broken_off_while_they_are_served(void)
{
    static struct pair pairs[PAIRS];
    for (uint32_t i = 0; i < PAIRS; i++)
        pair_start(&pairs[i], 2 * i);
    while (!is_done(&pairs[0]) || !is_done(&pairs[1])) {
        OK(sys_thread_set_realtime(pairs[0].caller.thread, PRIORITY_NORMAL_MAX + 1, 50000, MS,
                                   20000));
        sleep_ms(3);
        OK(sys_thread_set_priority(pairs[0].caller.thread, CALLER));
        sleep_ms(3);
    }
    for (uint32_t i = 0; i < PAIRS; i++)
        pair_end(&pairs[i]);
}
