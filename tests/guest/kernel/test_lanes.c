/* Lanes: an endpoint whose workers wait on several CPUs. On a machine with one CPU they all wait in one lane. */
#include "guest.h"

#include <kstring.h>

enum { LABEL_WHO = 1, LABEL_HOLD, LABEL_TURN };
enum { CPUS_MAX = 8, KMEM = 64 << 10, EVENT_COOKIE = 4711, REALTIME_NS = 1000000000 };
#define NOWAIT (UINT64_C(1) << IPC_INFO_NOWAIT_SHIFT)

/* A server with a worker on each CPU. */
struct lanes {
    handle_t budget, endpoint, queue,
        bell; /* bit n of the bell: worker n goes on with the call that it holds */
    uint32_t cpus;
    uint64_t base;   /* of the budget, used without the endpoint */
    uint64_t held;   /* atomic: by whom calls are; bits */
    uint32_t turns;  /* atomic: given to callers */
    uint32_t events; /* atomic */
    uint64_t closed; /* atomic: the last badge that did */
    struct lane_worker {
        struct lanes *lanes;
        handle_t endpoint; /* what it receives through */
        uint32_t cpu;
        struct worker worker; /* its value is how receiving ended */
    } workers[CPUS_MAX];
};

static void pin(handle_t thread, uint32_t cpu)
{
    OK(sys_thread_set_affinity(thread, 0, UINT64_C(1) << cpu));
}

static void unpin(void)
{
    OK(sys_thread_set_affinity(info->thread, 0, UINT64_MAX));
}

static void answer(struct lane_worker *me, struct ipc_regs *regs)
{
    struct lanes *lanes = me->lanes;
    uint32_t label = (uint32_t)regs->info;
    uint64_t bits = UINT64_C(1) << me->cpu;
    if (label == LABEL_HOLD) {
        __atomic_fetch_or(&lanes->held, bits, __ATOMIC_SEQ_CST);
        OK(sys_notification_wait(lanes->bell, bits, DEADLINE_NEVER, &bits));
    }
    regs->words[0] = me->cpu;
    regs->words[1] =
        label == LABEL_TURN ? __atomic_add_fetch(&lanes->turns, 1, __ATOMIC_SEQ_CST) : 0;
    regs->info = 0;
}

static void lane_serve(struct worker *self)
{
    struct lane_worker *me = self->context;
    struct lanes *lanes = me->lanes;
    struct ipc_regs regs = {0};
    bool owes = false;
    status_t status;
    pin(self->thread, me->cpu);
    do {
        regs.target = me->endpoint;
        regs.deadline = DEADLINE_NEVER;
        regs.queue = lanes->queue;
        status = owes ? ipc_raw_reply_receive(&regs) : ipc_raw_receive(&regs);
        owes = false;
        if (status != STATUS_OK)
            break;
        switch (message_kind(regs.info)) {
        case IPC_KIND_EVENT:
            CHECK(regs.target == EVENT_COOKIE);
            __atomic_fetch_add(&lanes->events, 1, __ATOMIC_SEQ_CST);
            break;
        case IPC_KIND_CLOSED:
            __atomic_store_n(&lanes->closed, regs.target, __ATOMIC_SEQ_CST);
            break;
        default:
            answer(me, &regs);
            owes = true;
        }
    } while (true);
    self->value = (uint64_t)status_code(status);
}

static uint64_t kmem_of(handle_t budget)
{
    struct budget_info of = {0};
    OK(sys_budget_info(budget, &of));
    return of.kmem_used;
}

static uint32_t cpus_here(void)
{
    struct boot_facts facts;
    OK(sys_memory_read(info->boot, 0, &facts, sizeof(facts)));
    return facts.cpus < CPUS_MAX ? facts.cpus : CPUS_MAX;
}

/* Its endpoint is charged to a budget of its own, which has @kmem bytes left beside it. */
static void lanes_start(struct lanes *lanes, uint64_t kmem)
{
    memset(lanes, 0, sizeof(*lanes));
    lanes->cpus = cpus_here();
    OK(sys_budget_create(info->budget, 0, KMEM, 16, &lanes->budget));
    lanes->base = kmem_of(lanes->budget);
    OK(sys_endpoint_create(lanes->budget, &lanes->endpoint));
    OK(sys_budget_set(lanes->budget, 0, kmem_of(lanes->budget) + kmem, 0));
    OK(sys_queue_create(info->budget, &lanes->queue));
    OK(sys_notification_create(info->budget, &lanes->bell));
    for (uint32_t i = 0; i < lanes->cpus; i++) {
        lanes->workers[i].lanes = lanes;
        lanes->workers[i].cpu = i;
        lanes->workers[i].endpoint = with_rights(lanes->endpoint, RIGHT_RECEIVE);
        worker_start(&lanes->workers[i].worker, lane_serve, &lanes->workers[i]);
        CHECK(EVENTUALLY(threads_in(SYS_ENDPOINT_RECEIVE) == i + 1));
    }
}

/* All workers wait: one that has just answered may be on its way still, and would find its handle closed. */
static bool all_wait(const struct lanes *lanes)
{
    return threads_in(SYS_ENDPOINT_RECEIVE) + threads_in(SYS_ENDPOINT_REPLY_RECEIVE) == lanes->cpus;
}

/* How the wait of all its workers has ended. */
static void lanes_ended(struct lanes *lanes, status_t how)
{
    for (uint32_t i = 0; i < lanes->cpus; i++) {
        CHECK(worker_join(&lanes->workers[i].worker));
        CHECK_STATUS(how, status_from_code(lanes->workers[i].worker.value));
    }
}

/* All that the endpoint took comes back with it, which the queue keeps. */
static void lanes_close(struct lanes *lanes)
{
    close_handle(lanes->queue);
    CHECK(EVENTUALLY(kmem_of(lanes->budget) == lanes->base));
    close_handle(lanes->bell);
    close_handle(lanes->budget);
}

/* The endpoint ends, which all workers are told, wherever they wait. */
static void lanes_stop(struct lanes *lanes)
{
    CHECK(EVENTUALLY(all_wait(lanes)));
    for (uint32_t i = 0; i < lanes->cpus; i++)
        close_handle(lanes->workers[i].endpoint);
    close_handle(lanes->endpoint);
    lanes_ended(lanes, STATUS_GONE);
    lanes_close(lanes);
}

static status_t ask(handle_t target, uint64_t label, uint64_t deadline_ns, struct ipc_regs *regs)
{
    *regs = (struct ipc_regs){.target = target, .info = label, .deadline = deadline_ns};
    return ipc_raw_call(regs);
}

/* Who answers on each CPU is its worker, whatever happened on others. */
static void check_local(const struct lanes *lanes)
{
    struct ipc_regs regs;
    for (uint32_t i = 0; i < 3 * lanes->cpus; i++) {
        pin(info->thread, i % lanes->cpus);
        /* By the fast path and, with a deadline, by the general one. */
        OK(ask(lanes->endpoint, LABEL_WHO, i < lanes->cpus ? in_ms(PATIENCE_MS) : DEADLINE_NEVER,
               &regs));
        CHECK(regs.words[0] == i % lanes->cpus);
    }
    unpin();
}

static void test_lanes_local_worker_first(void)
{
    struct lanes lanes;
    lanes_start(&lanes, KMEM / 2);
    check_local(&lanes);
    /* A table, and a line for each CPU but the one whose worker waited alone; that one's has been made since. */
    if (lanes.cpus > 1)
        CHECK(kmem_of(lanes.budget) >= lanes.cpus * 64u);
    lanes_stop(&lanes);
}

/* A call that its worker holds until it is told. */
struct holder {
    struct lanes *lanes;
    uint32_t cpu, label, priority; /* 0: as it is */
    struct worker worker;          /* value: whom it had, or UINT64_MAX */
};

static void hold(struct worker *self)
{
    const struct holder *me = self->context;
    struct ipc_regs regs;
    pin(self->thread, me->cpu);
    if (me->priority != 0)
        OK(sys_thread_set_priority(self->thread, me->priority));
    self->value = ask(me->lanes->endpoint, me->label, DEADLINE_NEVER, &regs) == STATUS_OK
                      ? regs.words[me->label == LABEL_TURN ? 1 : 0]
                      : UINT64_MAX;
}

static void holder_start(struct holder *holder, struct lanes *lanes, uint32_t cpu, uint32_t label)
{
    *holder = (struct holder){.lanes = lanes, .cpu = cpu, .label = label};
    worker_start(&holder->worker, hold, holder);
}

static bool is_held(const struct lanes *lanes, uint64_t by)
{
    return (__atomic_load_n(&lanes->held, __ATOMIC_SEQ_CST) & by) == by;
}

/* With the local worker busy another one is found; only when all are, a call queues, and what is queued is served in its order by
 * whoever has time first. */
static void test_lanes_others_help(void)
{
    enum { QUEUED = 6 };
    struct lanes lanes;
    struct holder holders[CPUS_MAX], queued[QUEUED];
    struct ipc_regs regs;
    lanes_start(&lanes, KMEM / 2);
    check_local(&lanes);
    pin(info->thread, 0);
    for (uint32_t i = 0; i < lanes.cpus; i++) {
        /* All calls come from CPU 0, so all but one worker are found in other lanes. */
        OK(ask(lanes.endpoint, LABEL_WHO | NOWAIT, DEADLINE_NEVER, &regs));
        CHECK(i != 0 || regs.words[0] == 0);
        CHECK(i == 0 || !is_held(&lanes, UINT64_C(1) << regs.words[0]));
        holder_start(&holders[i], &lanes, 0, LABEL_HOLD);
        CHECK(EVENTUALLY(__builtin_popcountll(__atomic_load_n(&lanes.held, __ATOMIC_SEQ_CST)) ==
                         (int)i + 1));
    }
    CHECK_STATUS(STATUS_BUSY, ask(lanes.endpoint, LABEL_WHO | NOWAIT, DEADLINE_NEVER, &regs));
    CHECK_STATUS(STATUS_TIMED_OUT, ask(lanes.endpoint, LABEL_WHO, in_ms(5), &regs));
    for (uint32_t i = 0; i < QUEUED; i++) {
        holder_start(&queued[i], &lanes, i % lanes.cpus, LABEL_TURN);
        CHECK(EVENTUALLY(threads_in(SYS_ENDPOINT_CALL) == lanes.cpus + i + 1));
    }
    OK(sys_notification_signal(lanes.bell, UINT64_C(1) << (lanes.cpus - 1)));
    for (uint32_t i = 0; i < QUEUED; i++) {
        CHECK(worker_join(&queued[i].worker));
        CHECK(queued[i].worker.value == i + 1);
    }
    OK(sys_notification_signal(lanes.bell, UINT64_MAX));
    for (uint32_t i = 0; i < lanes.cpus; i++)
        CHECK(worker_join(&holders[i].worker) && holders[i].worker.value != UINT64_MAX);
    check_local(&lanes);
    lanes_stop(&lanes);
}

/* Has everybody who waits for a turn the level of his priority? Not who has used it up already, on a machine that was busy with others. */
static bool levels_are_priorities(void)
{
    struct process_info process = {0};
    struct thread_info thread = {0};
    bool are = true;
    OK(sys_process_info(info->process, &process));
    while (status_is_ok(sys_budget_thread_next(info->budget, process.id, thread.id, &thread)))
        if (thread.wait == THREAD_WAIT_SYSCALL && thread.syscall == SYS_ENDPOINT_CALL &&
            thread.label == LABEL_TURN)
            are &= thread.level == thread.priority;
    return are;
}

/* Those who queue are served by their levels, equals in their order, and one whose priority changes meanwhile has another place.
 * False: their levels were not those of their priorities. */
static bool best_callers_go_first(struct lanes *lanes)
{
    static const struct {
        uint32_t priority, later, turn;
    } callers[] = {{10, 0, 7}, {14, 0, 2}, {12, 0, 4}, {14, 0, 3},
                   {8, 15, 1}, {12, 0, 5}, {15, 11, 6}};
    enum { QUEUED = sizeof(callers) / sizeof(callers[0]) };
    struct holder holders[CPUS_MAX], queued[QUEUED];
    lanes->held = 0;
    lanes->turns = 0;
    for (uint32_t i = 0; i < lanes->cpus; i++) {
        holder_start(&holders[i], lanes, i, LABEL_HOLD);
        CHECK(EVENTUALLY(__builtin_popcountll(__atomic_load_n(&lanes->held, __ATOMIC_SEQ_CST)) ==
                         (int)i + 1));
    }
    for (uint32_t i = 0; i < QUEUED; i++) {
        queued[i] = (struct holder){.lanes = lanes,
                                    .cpu = i % lanes->cpus,
                                    .label = LABEL_TURN,
                                    .priority = callers[i].priority};
        worker_start(&queued[i].worker, hold, &queued[i]);
        CHECK(EVENTUALLY(threads_in(SYS_ENDPOINT_CALL) == lanes->cpus + i + 1));
    }
    for (uint32_t i = 0; i < QUEUED; i++)
        if (callers[i].later != 0)
            OK(sys_thread_set_priority(queued[i].worker.thread, callers[i].later));
    bool as_wanted = levels_are_priorities();
    OK(sys_notification_signal(lanes->bell, UINT64_C(1) << (lanes->cpus - 1)));
    for (uint32_t i = 0; i < QUEUED; i++) {
        CHECK(worker_join(&queued[i].worker));
        CHECK(!as_wanted || queued[i].worker.value == callers[i].turn);
    }
    OK(sys_notification_signal(lanes->bell, UINT64_MAX));
    for (uint32_t i = 0; i < lanes->cpus; i++)
        CHECK(worker_join(&holders[i].worker) && holders[i].worker.value != UINT64_MAX);
    return as_wanted;
}

static void test_lanes_best_callers_first(void)
{
    enum { ROUNDS = 100 };
    struct lanes lanes;
    uint32_t rounds = 1;
    uint64_t bits;
    lanes_start(&lanes, KMEM / 2);
    while (!best_callers_go_first(&lanes) && rounds < ROUNDS) {
        rounds++;
        status_ignore(sys_notification_poll(lanes.bell, UINT64_MAX, &bits)); /* nobody took it */
    }
    CHECK(rounds < ROUNDS);
    check_local(&lanes);
    lanes_stop(&lanes);
}

/* What is told a server, and what ends its waits, finds workers in all lanes: all but one are busy each time, another one. */
static void test_lanes_are_told(void)
{
    struct lanes lanes;
    struct holder holders[CPUS_MAX];
    struct ipc_regs regs;
    handle_t notification, badge, session;
    lanes_start(&lanes, KMEM / 2);
    check_local(&lanes);
    OK(sys_notification_create(info->budget, &notification));
    OK(sys_notification_bind(notification, lanes.queue, EVENT_COOKIE));
    for (uint32_t free = 0; free < lanes.cpus; free++) {
        lanes.held = 0;
        for (uint32_t i = 0; i < lanes.cpus; i++)
            if (i != free)
                holder_start(&holders[i], &lanes, i, LABEL_HOLD);
        CHECK(EVENTUALLY(__builtin_popcountll(__atomic_load_n(&lanes.held, __ATOMIC_SEQ_CST)) ==
                         (int)lanes.cpus - 1));
        OK(sys_notification_signal(notification, 1));
        CHECK(EVENTUALLY(__atomic_load_n(&lanes.events, __ATOMIC_SEQ_CST) == free + 1));
        OK(sys_cap_derive(lanes.endpoint, RIGHT_CALL, 100 + free, &badge));
        close_handle(badge);
        CHECK(EVENTUALLY(__atomic_load_n(&lanes.closed, __ATOMIC_SEQ_CST) == 100 + free));
        OK(sys_notification_signal(lanes.bell, UINT64_MAX));
        for (uint32_t i = 0; i < lanes.cpus; i++)
            if (i != free)
                CHECK(worker_join(&holders[i].worker) && holders[i].worker.value != UINT64_MAX);
        uint64_t bits;
        OK(sys_notification_poll(lanes.bell, UINT64_C(1) << free, &bits));
    }
    /* No lane takes a call of an epoch that is over. */
    OK(sys_cap_derive(lanes.endpoint, RIGHT_CALL, IPC_BADGE_SESSION | 1, &session));
    OK(ask(session, LABEL_WHO, DEADLINE_NEVER, &regs));
    OK(sys_endpoint_new_epoch(lanes.endpoint));
    for (uint32_t i = 0; i < lanes.cpus; i++) {
        pin(info->thread, i);
        CHECK_STATUS(STATUS_STALE, ask(session, LABEL_WHO, DEADLINE_NEVER, &regs));
        CHECK_STATUS(STATUS_STALE, ask(session, LABEL_WHO, in_ms(PATIENCE_MS), &regs));
    }
    close_handle(session);
    OK(sys_cap_derive(lanes.endpoint, RIGHT_CALL, IPC_BADGE_SESSION | 1, &session));
    for (uint32_t i = 0; i < lanes.cpus; i++) {
        pin(info->thread, i);
        OK(ask(session, LABEL_WHO, DEADLINE_NEVER, &regs));
        CHECK(regs.words[0] == i);
    }
    unpin();
    close_handle(session);
    close_handle(notification);
    lanes_stop(&lanes);
}

/* What they receive through is revoked, or the queue that they wait at ends. */
static void test_lanes_are_revoked(void)
{
    struct lanes lanes;
    lanes_start(&lanes, KMEM / 2);
    check_local(&lanes);
    CHECK(EVENTUALLY(all_wait(&lanes)));
    OK(sys_cap_revoke(lanes.endpoint));
    lanes_ended(&lanes, STATUS_BAD_HANDLE);
    close_handle(lanes.endpoint);
    lanes_close(&lanes);

    lanes_start(&lanes, KMEM / 2);
    check_local(&lanes);
    CHECK(EVENTUALLY(all_wait(&lanes)));
    close_handle(lanes.queue);
    lanes_ended(&lanes, STATUS_GONE);
    for (uint32_t i = 0; i < lanes.cpus; i++)
        close_handle(lanes.workers[i].endpoint);
    close_handle(lanes.endpoint);
    OK(sys_queue_create(info->budget, &lanes.queue));
    lanes_close(&lanes);
}

/* Without memory for lanes, or for some only, everybody waits at home, and is found there. */
static void test_lanes_without_memory(void)
{
    static const uint64_t left[] = {0, 16, 32, 64, 100, 160};
    struct ipc_regs regs;
    for (unsigned i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        struct lanes lanes;
        lanes_start(&lanes, left[i]);
        for (uint32_t call = 0; call < 4 * lanes.cpus; call++) {
            pin(info->thread, call % lanes.cpus);
            OK(ask(lanes.endpoint, LABEL_WHO, DEADLINE_NEVER, &regs));
            CHECK(regs.words[0] < lanes.cpus);
        }
        unpin();
        lanes_stop(&lanes);
    }
}

struct storm {
    struct lanes *lanes;
    uint32_t calls;
    uint64_t seed;
    struct worker worker;
};

static void storm_call(struct worker *self)
{
    const struct storm *me = self->context;
    uint64_t random = me->seed;
    struct ipc_regs regs;
    for (uint32_t i = 0; i < me->calls; i++) {
        random = random * UINT64_C(6364136223846793005) + 1;
        if (random >> 60 == 0)
            pin(self->thread, (uint32_t)(random >> 32) % me->lanes->cpus);
        status_t status =
            ask(me->lanes->endpoint, LABEL_WHO | ((random >> 59 & 1) != 0 ? NOWAIT : 0),
                (random >> 58 & 1) != 0 ? DEADLINE_NEVER : in_ms(PATIENCE_MS), &regs);
        if (status != STATUS_OK && status != STATUS_BUSY)
            return;
        if (random >> 61 == 1)
            status_ignore(sys_thread_yield());
        self->value++;
    }
}

/* More callers than workers, from everywhere: workers go to sleep and callers queue all the time, and nobody waits for what is there. */
static void test_lanes_nobody_is_forgotten(void)
{
    enum { CALLERS = 10, CALLS = 400 };
    struct lanes lanes;
    struct storm storms[CALLERS];
    lanes_start(&lanes, KMEM / 2);
    for (uint32_t i = 0; i < CALLERS; i++) {
        storms[i] = (struct storm){.lanes = &lanes, .calls = CALLS, .seed = i + 1};
        worker_start(&storms[i].worker, storm_call, &storms[i]);
    }
    for (uint32_t i = 0; i < CALLERS; i++)
        CHECK(worker_join(&storms[i].worker) && storms[i].worker.value == CALLS);
    lanes_stop(&lanes);
}

/* ── Threads whose floating-point registers are live on a CPU that others have ───────────────────────────────────── */

/* It has CPU 0 for itself, until it is told. */
struct hog {
    bool runs, told; /* atomic */
    struct worker worker;
};

static void hog_run(struct worker *self)
{
    struct hog *me = self->context;
    pin(self->thread, 0);
    OK(sys_thread_set_realtime(self->thread, 40, REALTIME_NS, REALTIME_NS, 0));
    __atomic_store_n(&me->runs, true, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&me->told, __ATOMIC_SEQ_CST))
        continue;
}

static void hog_start(struct hog *hog)
{
    *hog = (struct hog){0};
    worker_start(&hog->worker, hog_run, hog);
    CHECK(EVENTUALLY(__atomic_load_n(&hog->runs, __ATOMIC_SEQ_CST)));
}

static void hog_stop(struct hog *hog)
{
    __atomic_store_n(&hog->told, true, __ATOMIC_SEQ_CST);
    CHECK(worker_join(&hog->worker));
}

/* Two threads that use the registers on CPU 0, until the call of label 0. */
struct floats {
    handle_t to_server, to_holder, go;
    struct worker server, caller, holder;
};

static double third(double value)
{
    static const volatile double three = 3;
    return value / three;
}

static void float_serve(struct worker *self)
{
    const struct floats *me = self->context;
    struct ipc_regs regs = {.target = me->to_server, .deadline = DEADLINE_NEVER};
    pin(self->thread, 0);
    OK(ipc_raw_receive(&regs));
    while ((uint32_t)regs.info != 0) {
        regs.words[0] = (uint64_t)(third((double)regs.words[0]) * 6);
        regs.target = me->to_server;
        regs.info = 0;
        OK(ipc_raw_reply_receive(&regs));
    }
    self->value = 1;
}

/* Calls who answers late. */
static void float_call(struct worker *self)
{
    const struct floats *me = self->context;
    struct ipc_regs regs;
    pin(self->thread, 0);
    double value = third(9);
    OK(ask(me->to_holder, 1, DEADLINE_NEVER, &regs));
    self->value = (uint64_t)(value + third(6));
}

static void float_hold(struct worker *self)
{
    const struct floats *me = self->context;
    struct ipc_regs regs = {.target = me->to_holder, .deadline = DEADLINE_NEVER};
    uint64_t bits;
    pin(self->thread, 1);
    OK(ipc_raw_receive(&regs));
    OK(sys_notification_wait(me->go, 1, DEADLINE_NEVER, &bits));
    regs = (struct ipc_regs){0};
    OK(ipc_raw_reply(&regs));
}

/* Who waits in a call or for one may have its registers on a CPU still. It goes to another one when that is not to be had. */
static void test_lanes_registers_bind_nobody(void)
{
    struct floats floats = {0};
    struct hog hog;
    struct ipc_regs regs;
    if (cpus_here() == 1)
        return;
    OK(sys_endpoint_create(info->budget, &floats.to_server));
    OK(sys_endpoint_create(info->budget, &floats.to_holder));
    OK(sys_notification_create(info->budget, &floats.go));
    worker_start(&floats.server, float_serve, &floats);
    worker_start(&floats.holder, float_hold, &floats);
    CHECK(EVENTUALLY(threads_in(SYS_ENDPOINT_RECEIVE) == 2));
    pin(info->thread, 0);
    for (unsigned i = 0; i < 3; i++) {
        regs = (struct ipc_regs){.target = floats.to_server,
                                 .info = 1,
                                 .words = {21},
                                 .deadline = DEADLINE_NEVER};
        OK(ipc_raw_call(&regs));
        CHECK(regs.words[0] == 42);
    }
    pin(info->thread, 1);
    OK(sys_thread_set_affinity(floats.server.thread, 0, UINT64_MAX));
    hog_start(&hog);
    regs = (struct ipc_regs){.target = floats.to_server,
                             .info = 1,
                             .words = {12},
                             .deadline = in_ms(PATIENCE_MS)};
    OK(ipc_raw_call(&regs));
    CHECK(regs.words[0] == 24);
    hog_stop(&hog);

    worker_start(&floats.caller, float_call, &floats);
    CHECK(EVENTUALLY(threads_in(SYS_NOTIFICATION_WAIT) == 1));
    OK(sys_thread_set_affinity(floats.caller.thread, 0, UINT64_MAX));
    hog_start(&hog);
    OK(sys_notification_signal(floats.go, 1));
    CHECK(worker_join(&floats.caller) && floats.caller.value == 5);
    hog_stop(&hog);
    CHECK(worker_join(&floats.holder));
    CHECK_STATUS(STATUS_PEER_DIED, ask(floats.to_server, 0, DEADLINE_NEVER, &regs));
    CHECK(worker_join(&floats.server) && floats.server.value == 1);
    unpin();
    close_handle(floats.to_server);
    close_handle(floats.to_holder);
    close_handle(floats.go);
}

extern const struct test lanes_tests[];
const struct test lanes_tests[] = {
    TEST(test_lanes_local_worker_first),
    TEST(test_lanes_others_help),
    TEST(test_lanes_best_callers_first),
    TEST(test_lanes_are_told),
    TEST(test_lanes_are_revoked),
    TEST(test_lanes_without_memory),
    TEST(test_lanes_nobody_is_forgotten),
    TEST(test_lanes_registers_bind_nobody),
    {0},
};
