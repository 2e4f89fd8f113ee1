/* Lending: a client's level and time reach whoever works for it, so nobody of a level in between keeps it waiting. A server that works for a client of
 * the least level, a hog of the real-time band on the same CPU, which never falls, and a client above the hog: with nothing lent the server would not
 * run again. */
#include "../kernel/guest.h"

enum { DEPTH = 16, CHAIN_MAX = DEPTH + 1 }; /* through how many servers is lent; docs/ipc.md */
enum {
    LABEL_WORK,
    LABEL_LEAVE
}; /* LEAVE: who serves it works for it, and ends without an answer */
enum { LOW = 5, HOG = 33, HIGH = 40 };
/** What the last server of a chain computes for a call: about 8 ms where an instruction takes a nanosecond. */
#define WORK_LOOPS 4000000u
#define WORK_MS 30
/** Much longer than the work: so long a client waits that is not lent anything to. */
#define STARVED_MS 300

struct chain;

struct server {
    struct worker worker;
    struct chain *chain;
    uint32_t index;
    handle_t endpoint, receives; /* what it is called and what it receives through */
};

/** A chain of @length servers: each calls the next, the last one computes. */
struct chain {
    struct server servers[CHAIN_MAX];
    uint32_t length;
    bool tidies;        /* they compute between an answer and the next receive, too */
    uint32_t computing; /* atomic: calls that the last one has begun */
};

struct client {
    struct worker worker;
    handle_t target;
    uint32_t label;
    uint64_t deadline_ns, took_ns;
    status_t status;
    uint32_t done; /* atomic */
};

struct hog {
    struct worker worker;
    uint64_t turns; /* atomic: how often it looked */
    bool stop;      /* atomic */
};

static void compute(struct worker *self)
{
    struct hog *hog = self->context;
    while (!__atomic_load_n(&hog->stop, __ATOMIC_RELAXED))
        __atomic_fetch_add(&hog->turns, 1, __ATOMIC_RELAXED);
}

static void hog_start(struct hog *hog)
{
    hog->stop = false;
    hog->turns = 0;
    worker_start(&hog->worker, compute, hog);
    OK(sys_thread_set_priority(hog->worker.thread, HOG));
    sleep_ms(1);
    CHECK(__atomic_load_n(&hog->turns, __ATOMIC_RELAXED) != 0);
}

static void hog_end(struct hog *hog)
{
    __atomic_store_n(&hog->stop, true, __ATOMIC_RELAXED);
    CHECK(worker_join(&hog->worker));
}

static status_t ask(handle_t target, uint32_t label, uint64_t deadline_ns)
{
    struct ipc_regs regs = {.target = target, .info = label, .deadline = deadline_ns};
    return ipc_raw_call(&regs);
}

static void work(void)
{
    for (uint32_t i = 0; i < WORK_LOOPS; i++)
        __asm__ volatile("");
}

static void serve(struct worker *self)
{
    struct server *me = self->context;
    struct chain *chain = me->chain;
    struct ipc_regs regs = {.target = me->receives, .deadline = DEADLINE_NEVER};
    status_t status = ipc_raw_receive(&regs);
    while (status == STATUS_OK) {
        if (me->index + 1 < chain->length) {
            OK(ask(me[1].endpoint, LABEL_WORK, DEADLINE_NEVER));
        } else {
            __atomic_fetch_add(&chain->computing, 1, __ATOMIC_SEQ_CST);
            work();
        }
        if ((uint32_t)regs.info == LABEL_LEAVE)
            return;
        if (chain->tidies) {
            regs = (struct ipc_regs){0};
            OK(ipc_raw_reply(&regs));
            work();
        }
        regs = (struct ipc_regs){.target = me->receives, .deadline = DEADLINE_NEVER};
        status = chain->tidies ? ipc_raw_receive(&regs) : ipc_raw_reply_receive(&regs);
    }
    CHECK(status == STATUS_BAD_HANDLE); /* it was revoked */
}

static void chain_start(struct chain *chain, uint32_t length)
{
    *chain = (struct chain){.length = length};
    for (uint32_t i = 0; i < length; i++) {
        struct server *server = &chain->servers[i];
        server->chain = chain;
        server->index = i;
        OK(sys_endpoint_create(info->budget, &server->endpoint));
        server->receives = with_rights(server->endpoint, RIGHT_RECEIVE);
    }
    for (uint32_t i = 0; i < length; i++) {
        worker_start(&chain->servers[i].worker, serve, &chain->servers[i]);
        OK(sys_thread_set_priority(chain->servers[i].worker.thread, LOW));
    }
    CHECK(EVENTUALLY(threads_in(SYS_ENDPOINT_RECEIVE) == length));
}

static void chain_end(struct chain *chain)
{
    for (uint32_t i = 0; i < chain->length; i++)
        OK(sys_cap_revoke(chain->servers[i].endpoint));
    for (uint32_t i = 0; i < chain->length; i++) {
        CHECK(worker_join(&chain->servers[i].worker));
        close_handle(chain->servers[i].endpoint);
    }
}

static void call(struct worker *self)
{
    struct client *client = self->context;
    uint64_t began_ns = now_ns();
    client->status = ask(client->target, client->label, client->deadline_ns);
    client->took_ns = now_ns() - began_ns;
    __atomic_store_n(&client->done, 1, __ATOMIC_SEQ_CST);
}

/* The thread that tests is of the best level, so it is stopped only by its own waits. */
static void client_begin(struct client *client, handle_t target, uint32_t label, uint32_t priority,
                         uint64_t deadline_ns)
{
    *client = (struct client){.target = target, .label = label, .deadline_ns = deadline_ns};
    worker_start(&client->worker, call, client);
    OK(sys_thread_set_priority(client->worker.thread, priority));
}

static void client_start(struct client *client, handle_t target, uint32_t priority,
                         uint64_t deadline_ns)
{
    client_begin(client, target, LABEL_WORK, priority, deadline_ns);
}

static bool is_done(const struct client *client)
{
    return __atomic_load_n(&client->done, __ATOMIC_SEQ_CST) != 0;
}

static void client_end(struct client *client, status_t status)
{
    CHECK(worker_join(&client->worker));
    CHECK(client->status == status);
}

/* A chain works for a client of the least level, and a hog has the CPU. */
static void scene_begin(struct chain *chain, uint32_t length, struct client *low, struct hog *hog)
{
    OK(sys_thread_set_priority(info->thread, PRIORITY_MAX));
    chain_start(chain, length);
    client_start(low, chain->servers[0].endpoint, LOW, DEADLINE_NEVER);
    CHECK(EVENTUALLY(__atomic_load_n(&chain->computing, __ATOMIC_SEQ_CST) == 1));
    hog_start(hog);
    sleep_ms(WORK_MS);
    CHECK(!is_done(low));
}

static void scene_end(struct chain *chain, struct client *low, struct hog *hog)
{
    hog_end(hog);
    client_end(low, STATUS_OK);
    chain_end(chain);
    OK(sys_thread_set_priority(info->thread, PRIORITY_DEFAULT));
}

/* Whatever the worker does before it takes the next call. */
static void test_lending_queued_caller_is_not_kept_waiting(void)
{
    static const uint32_t lengths[] = {1, 2, 3, DEPTH, 1, 2};
    static struct chain chain;
    struct client low, high;
    struct hog hog;
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        scene_begin(&chain, lengths[i], &low, &hog);
        chain.tidies = i >= 4;
        client_start(&high, chain.servers[0].endpoint, HIGH, in_ms(STARVED_MS));
        client_end(&high, STATUS_OK);
        say("through %u servers: answered after %u us", (unsigned)lengths[i],
            (unsigned)(high.took_ns / 1000));
        /* What was left of the other's work, and its own. */
        CHECK(high.took_ns < 2 * WORK_MS * MS);
        CHECK(!is_done(&low)); /* it was answered first, and is behind the hog */
        scene_end(&chain, &low, &hog);
    }
}

/* Beyond, calls work, and nothing is lent. */
static void test_lending_ends_at_its_depth(void)
{
    static struct chain chain;
    struct client low, high;
    struct hog hog;
    scene_begin(&chain, DEPTH + 1, &low, &hog);
    client_start(&high, chain.servers[0].endpoint, HIGH, in_ms(STARVED_MS));
    client_end(&high, STATUS_TIMED_OUT);
    hog_end(&hog);
    client_end(&low, STATUS_OK);
    client_start(&high, chain.servers[0].endpoint, HIGH, DEADLINE_NEVER);
    client_end(&high, STATUS_OK);
    chain_end(&chain);
    OK(sys_thread_set_priority(info->thread, PRIORITY_DEFAULT));
}

/* Who gives up lends no more: the hog has the CPU again. */
static void test_lending_ends_with_the_wait(void)
{
    static struct chain chain;
    struct client low, high;
    struct hog hog;
    scene_begin(&chain, 3, &low, &hog);
    client_start(&high, chain.servers[0].endpoint, HIGH, in_ms(2));
    client_end(&high, STATUS_TIMED_OUT);
    uint64_t before = __atomic_load_n(&hog.turns, __ATOMIC_RELAXED);
    sleep_ms(1);
    CHECK(__atomic_load_n(&hog.turns, __ATOMIC_RELAXED) != before);
    sleep_ms(WORK_MS);
    CHECK(!is_done(&low));
    scene_end(&chain, &low, &hog);

    /* The same of one whose call is being served. */
    OK(sys_thread_set_priority(info->thread, PRIORITY_MAX));
    chain_start(&chain, 3);
    hog_start(&hog);
    client_start(&high, chain.servers[0].endpoint, HIGH, in_ms(2));
    client_end(&high, STATUS_TIMED_OUT);
    CHECK(high.took_ns < 3 * MS); /* not behind who worked for it, as its equal */
    CHECK(__atomic_load_n(&chain.computing, __ATOMIC_SEQ_CST) == 1);
    before = __atomic_load_n(&hog.turns, __ATOMIC_RELAXED);
    sleep_ms(1);
    CHECK(__atomic_load_n(&hog.turns, __ATOMIC_RELAXED) != before);
    hog_end(&hog);
    client_start(&high, chain.servers[0].endpoint, HIGH, DEADLINE_NEVER);
    client_end(&high, STATUS_OK);
    chain_end(&chain);
    OK(sys_thread_set_priority(info->thread, PRIORITY_DEFAULT));
}

/* A client's level changes during its call: who works for it follows, up and down. */
static void test_lending_follows_the_priority(void)
{
    static const uint32_t lengths[] = {1, 3, DEPTH};
    static struct chain chain;
    struct client low;
    struct hog hog;
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        scene_begin(&chain, lengths[i], &low, &hog);
        OK(sys_thread_set_priority(low.worker.thread, HIGH));
        sleep_ms(2);
        OK(sys_thread_set_priority(low.worker.thread, LOW));
        sleep_ms(WORK_MS);
        CHECK(!is_done(&low));
        OK(sys_thread_set_priority(low.worker.thread, HIGH));
        sleep_ms(WORK_MS);
        CHECK(is_done(&low));
        scene_end(&chain, &low, &hog);
    }
}

/* A client that has spent its allowance lends again when its next period begins: its call takes as many as its work does. */
static void test_lending_goes_on_with_the_period(void)
{
    static const uint32_t lengths[] = {1, 3, DEPTH};
    static struct chain chain;
    struct client low;
    struct hog hog;
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        scene_begin(&chain, lengths[i], &low, &hog);
        OK(sys_thread_set_realtime(low.worker.thread, HIGH, 2 * MS, 10 * MS, 0));
        sleep_ms(5);
        CHECK(!is_done(&low)); /* it has more to do than that */
        sleep_ms(STARVED_MS);
        CHECK(is_done(&low));
        scene_end(&chain, &low, &hog);
    }
}

/* Two servers, both busy, and the one that is helped ends without a look at the queue: the other is helped then. */
static void test_lending_helps_another_when_one_ends(void)
{
    static struct chain chain;
    struct client first, second, high;
    struct server other;
    struct hog hog;
    for (uint32_t leaves = 0; leaves < 2; leaves++) {
        OK(sys_thread_set_priority(info->thread, PRIORITY_MAX));
        chain_start(&chain, 1);
        other = chain.servers[0];
        worker_start(&other.worker, serve, &other);
        OK(sys_thread_set_priority(other.worker.thread, LOW));
        CHECK(EVENTUALLY(threads_in(SYS_ENDPOINT_RECEIVE) == 2));
        client_begin(&first, other.endpoint, leaves == 0 ? LABEL_LEAVE : LABEL_WORK, LOW,
                     DEADLINE_NEVER);
        CHECK(EVENTUALLY(__atomic_load_n(&chain.computing, __ATOMIC_SEQ_CST) == 1));
        client_begin(&second, other.endpoint, leaves == 1 ? LABEL_LEAVE : LABEL_WORK, LOW,
                     DEADLINE_NEVER);
        CHECK(EVENTUALLY(__atomic_load_n(&chain.computing, __ATOMIC_SEQ_CST) == 2));
        hog_start(&hog);
        client_start(&high, other.endpoint, HIGH, in_ms(STARVED_MS));
        client_end(&high, STATUS_OK);
        CHECK(high.took_ns < 2 * WORK_MS * MS);
        hog_end(&hog);
        client_end(&first, leaves == 0 ? STATUS_PEER_DIED : STATUS_OK);
        client_end(&second, leaves == 1 ? STATUS_PEER_DIED : STATUS_OK);
        OK(sys_cap_revoke(chain.servers[0].endpoint));
        CHECK(worker_join(&other.worker));
        chain_end(&chain);
        OK(sys_thread_set_priority(info->thread, PRIORITY_DEFAULT));
    }
}

extern const struct test lending_tests[];
const struct test lending_tests[] = {TEST(test_lending_queued_caller_is_not_kept_waiting),
                                     TEST(test_lending_ends_at_its_depth),
                                     TEST(test_lending_ends_with_the_wait),
                                     TEST(test_lending_follows_the_priority),
                                     TEST(test_lending_goes_on_with_the_period),
                                     TEST(test_lending_helps_another_when_one_ends),
                                     {0, 0}};
