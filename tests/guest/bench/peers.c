/* The other ends of what is measured: bare loops, so that what is measured is the kernel. */
#include "bench.h"

#include <os/clock.h>
#include <os/ipc.h>
#include <os/memory.h>
#include <os/start.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

static void *copy; /* GRANT_BYTES_MAX, the server's */
static volatile double number = 1.0;

/* Out of line: the compiler must not load its constants into registers of the FPU before the server's loop, where they would be the
 * server's state beside every call. */
__attribute__((noinline)) void use_fpu(void)
{
    number = number * 0.5 + 1.0;
}

static void handle(struct ipc_regs *regs)
{
    uint64_t label = ipc_info_label(regs->info);
    if (label == OP_CAP) {
        status_ignore(sys_cap_close(ipc_buffer()->received[0]));
    } else if (label == OP_READ) {
        struct ipc_grant grant = {.index = 0, .length = ipc_buffer()->grant_lengths[0]};
        size_t done;
        status_ignore(ipc_grant_read(IPC_CURRENT, grant, 0, copy, grant.length, &done));
    } else if (label == OP_FPU) {
        use_fpu();
    } else if (label == OP_YIELD) {
        status_ignore(sys_thread_yield());
    }
}

/* What this thread's start left in the FPU is saved, and the registers are nobody's: that comes with a wait. A sleep would not do,
 * since on a busy host its deadline may have passed before the kernel looks. */
static void leave_fpu(void)
{
    handle_t bell;
    uint64_t bits;
    must(sys_notification_create(os_self.budget, &bell), "notification");
    if (sys_notification_wait(bell, 1, clock_now_ns() + NS_PER_MS, &bits) != STATUS_TIMED_OUT)
        must(STATUS_INVALID, "wait for nothing");
    must(sys_cap_close(bell), "close");
}

/* Serves until it is killed. */
static _Noreturn void server(uint32_t priority)
{
    handle_t endpoint = os_cap("endpoint");
    struct ipc_regs regs = {.target = endpoint, .deadline = DEADLINE_NEVER};
    ipc_buffer()->accept = 1;
    must(memory_map_new(GRANT_BYTES_MAX, MEMORY_COMMIT, NULL, &copy), "memory");
    memset(copy, 1, GRANT_BYTES_MAX);
    must(sys_thread_set_priority(os_self.thread, priority), "priority");
    leave_fpu();
    status_t status = ipc_raw_receive(&regs);
    while (status == STATUS_OK) {
        if (ipc_info_label(regs.info) != OP_NOTHING)
            handle(&regs);
        regs.target = endpoint;
        regs.info = 0;
        regs.deadline = DEADLINE_NEVER;
        regs.queue = 0;
        status = ipc_raw_reply_receive(&regs);
    }
    exit(1);
}

#define WORKERS_MAX 64u

static uint64_t worker_stacks[WORKERS_MAX][256] __attribute__((aligned(16)));

/* As the server's loop for calls without words; a thread of it has no message buffer. */
static void worker(uint64_t endpoint)
{
    struct ipc_regs regs = {.target = endpoint, .deadline = DEADLINE_NEVER};
    status_t status = ipc_raw_receive(&regs);
    while (status == STATUS_OK) {
        regs.target = endpoint;
        regs.info = 0;
        regs.deadline = DEADLINE_NEVER;
        regs.queue = 0;
        status = ipc_raw_reply_receive(&regs);
    }
    exit(1);
}

/* One server with a worker on each of @cpus CPUs, and one endpoint for all. Serves until it is killed. */
static _Noreturn void workers(uint32_t cpus)
{
    for (uint32_t cpu = 0; cpu < cpus && cpu < WORKERS_MAX; cpu++) {
        handle_t thread;
        must(sys_thread_create(os_self.process, os_self.budget, &thread), "thread");
        must(sys_thread_set_affinity(thread, 0, 1ull << cpu), "affinity");
        must(sys_thread_start(thread, (uint64_t)worker, (uint64_t)&worker_stacks[cpu][255],
                              os_cap("endpoint"), 0),
             "start");
        must(sys_cap_close(thread), "close");
    }
    for (;;)
        clock_sleep(NS_PER_S);
}

/* A personality: every call returns 0, but for one. */
static _Noreturn void personality(void)
{
    handle_t endpoint = os_cap("endpoint");
    struct ipc_regs regs = {.target = endpoint, .deadline = DEADLINE_NEVER};
    status_t status = ipc_raw_receive(&regs);
    while (status == STATUS_OK) {
        uint64_t answer = ipc_info_label(regs.info) == FOREIGN_END ? ANSWER_EXIT : ANSWER_VALUE;
        regs.target = endpoint;
        regs.info = answer | (uint64_t)IPC_KIND_FOREIGN << IPC_INFO_KIND_SHIFT;
        regs.words[0] = 0;
        regs.deadline = DEADLINE_NEVER;
        regs.queue = 0;
        status = ipc_raw_reply_receive(&regs);
    }
    exit(1);
}

/* Calls as often as the second argument says, each time that its bit of "go" is signalled. */
static _Noreturn void client(uint32_t cpu, uint32_t calls)
{
    handle_t endpoint = os_cap("endpoint"), go = os_cap("go"), done = os_cap("done");
    for (;;) {
        uint64_t bits;
        must(sys_notification_wait(go, 1ull << cpu, DEADLINE_NEVER, &bits), "wait");
        bench_turn_begin();
        for (uint32_t i = 0; i < calls; i++)
            (void)bench_call_0(endpoint, OP_NOTHING);
        bench_turn_end();
        must(sys_notification_signal(done, 1ull << cpu), "signal");
    }
}

volatile struct shared *shared_page(void)
{
    void *address;
    must(memory_map(os_cap("shared"), 0, PAGE_SIZE, MAP_READ | MAP_WRITE, &address), "shared page");
    return address;
}

/* Notes when it was woken. */
static _Noreturn void sleeper(void)
{
    handle_t bell = os_cap("bell"), done = os_cap("done");
    volatile struct shared *shared = shared_page();
    must(sys_thread_set_priority(os_self.thread, 20), "priority");
    must(sys_notification_signal(done, 1), "signal");
    for (;;) {
        uint64_t bits;
        must(sys_notification_wait(bell, 1, DEADLINE_NEVER, &bits), "wait");
        shared->woken_at = cycles();
        must(sys_notification_signal(done, 1), "signal");
    }
}

static _Noreturn void yielder(void)
{
    volatile struct shared *shared = shared_page();
    must(sys_thread_set_priority(os_self.thread, PRIORITY_EVEN), "priority");
    must(sys_notification_signal(os_cap("done"), 1), "signal");
    for (;;) {
        must(sys_thread_yield(), "yield");
        shared->calls++;
    }
}

/* Calls without end, and counts. */
static _Noreturn void caller(void)
{
    handle_t endpoint = os_cap("endpoint");
    volatile struct shared *shared = shared_page();
    must(sys_thread_set_priority(os_self.thread, PRIORITY_EVEN), "priority");
    must(sys_notification_signal(os_cap("done"), 1), "signal");
    for (;;) {
        (void)bench_call_0(endpoint, OP_YIELD);
        shared->calls++;
    }
}

static const char *const peers[] = {"exit",        "server", "client",   "sleeper",  "yielder",
                                    "personality", "caller", "receiver", "consumer", "crowd",
                                    "saver",       "crash",  "workers"};

static bool is_peer(const char *name)
{
    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
        if (strcmp(peers[i], name) == 0)
            return true;
    return false;
}

void peer_main(int argc, char **argv)
{
    if (argc < 2 || !is_peer(argv[1]))
        return;
    if (strcmp(argv[1], "workers") == 0 && argc > 2)
        workers((uint32_t)strtoul(argv[2], NULL, 10));
    uint32_t cpu = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0; /* 0 too if it is a word */
    must(sys_thread_set_affinity(os_self.thread, 0, 1ull << cpu), "affinity");
    if (strcmp(argv[1], "server") == 0)
        server(argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : PRIORITY_DEFAULT);
    if (strcmp(argv[1], "personality") == 0)
        personality();
    if (strcmp(argv[1], "client") == 0 && argc > 3)
        client(cpu, (uint32_t)strtoul(argv[3], NULL, 10));
    if (strcmp(argv[1], "caller") == 0)
        caller();
    if (strcmp(argv[1], "receiver") == 0 && argc > 3)
        channel_receiver((uint32_t)strtoul(argv[3], NULL, 10));
    if (strcmp(argv[1], "consumer") == 0)
        ring_consumer();
    if (strcmp(argv[1], "crowd") == 0 && argc > 2)
        hostile_crowd(argv[2]);
    if (strcmp(argv[1], "saver") == 0)
        hostile_saver();
    if (strcmp(argv[1], "crash") == 0)
        hostile_crash();
    if (strcmp(argv[1], "sleeper") == 0)
        sleeper();
    if (strcmp(argv[1], "yielder") == 0)
        yielder();
    exit(0);
}
