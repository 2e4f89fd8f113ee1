/* Pairs of client and server, each pair pinned to a CPU of its own: what a call costs must not rise with their number. Either each pair has
 * an endpoint of its own, or one server has a worker on each CPU, and one endpoint. */
#include "bench.h"

#include <os/clock.h>
#include <os/process.h>
#include <os/start.h>
#include <stdio.h>
#include <veridian/syscalls.h>

#define PAIRS_MAX 64u
#define ROUNDS 3u

static handle_t go, done;

static handle_t new_endpoint(void)
{
    handle_t master;
    must(sys_endpoint_create(os_self.budget, &master), "endpoint");
    return master;
}

/* A client on @cpu, of the server of @master. */
static void start_client(uint32_t cpu, uint32_t calls, handle_t master)
{
    char cpu_text[12], calls_text[12];
    handle_t endpoint;
    snprintf(cpu_text, sizeof(cpu_text), "%u", cpu);
    snprintf(calls_text, sizeof(calls_text), "%u", calls);
    must(sys_cap_derive(master, RIGHT_CALL | RIGHT_TRANSFER, 0, &endpoint), "derive");
    const struct process_cap caps[] = {{.name = "endpoint",
                                        .handle = endpoint,
                                        .mode = CAP_TRANSFER_MOVE},
                                       {.name = "go", .handle = go},
                                       {.name = "done", .handle = done}};
    const char *args[] = {"bench", "client", cpu_text, calls_text, NULL};
    spawn(args, caps, 3);
}

/* A server of @master: one worker on CPU @number, or as "workers" one on each of @number CPUs. */
static void start_server(const char *how, uint32_t number, handle_t master)
{
    char text[12];
    snprintf(text, sizeof(text), "%u", number);
    const struct process_cap caps[] = {{.name = "endpoint", .handle = master}};
    const char *args[] = {"bench", how, text, NULL};
    spawn(args, caps, 1);
}

/* The first @count pairs make their calls: nanoseconds. */
static uint64_t round_of(uint32_t count)
{
    uint64_t all = count == PAIRS_MAX ? ~0ull : (1ull << count) - 1, came = 0, bits = 0;
    uint64_t start = clock_now_ns();
    must(sys_notification_signal(go, all), "signal");
    while (came != all) {
        must(sys_notification_wait(done, all, DEADLINE_NEVER, &bits), "wait");
        came |= bits;
    }
    return clock_now_ns() - start;
}

void measure_pairs(uint32_t cpus, uint32_t calls, bool shared)
{
    handle_t master = new_endpoint();
    must(sys_notification_create(os_self.budget, &go), "notification");
    must(sys_notification_create(os_self.budget, &done), "notification");
    if (shared)
        start_server("workers", cpus, master);
    for (uint32_t cpu = 0; cpu < cpus && cpu < PAIRS_MAX; cpu++) {
        if (!shared)
            start_server("server", cpu, master = new_endpoint());
        start_client(cpu, calls, master);
    }
    round_of(cpus);
    for (uint32_t count = 1; count <= cpus; count *= 2) {
        char name[40];
        uint64_t best = UINT64_MAX;
        for (uint32_t i = 0; i < ROUNDS; i++) {
            bench_mark_begin();
            uint64_t spent = round_of(count);
            bench_mark_end();
            best = spent < best ? spent : best;
        }
        snprintf(name, sizeof(name), "ipc_%s_%u", shared ? "shared" : "pairs", count);
        printf("REPEAT %s %u\n", name, count * calls);
        report(name, best / calls);
    }
}

void measure_other_cpu(uint32_t calls)
{
    handle_t master, endpoint;
    must(sys_endpoint_create(os_self.budget, &master), "endpoint");
    must(sys_cap_derive(master, RIGHT_CALL | RIGHT_TRANSFER, 0, &endpoint), "derive");
    const struct process_cap caps[] = {{.name = "endpoint", .handle = master}};
    const char *args[] = {"bench", "server", "1", NULL};
    handle_t server = spawn(args, caps, 1);
    (void)bench_call_0(endpoint, OP_NOTHING); /* it has begun */
    uint64_t best = UINT64_MAX;
    for (uint32_t round = 0; round < BENCH_ROUNDS; round++) {
        bench_mark_begin();
        uint64_t start = clock_now_ns();
        for (uint32_t i = 0; i < calls; i++)
            (void)bench_call_0(endpoint, OP_NOTHING);
        uint64_t spent = clock_now_ns() - start;
        bench_mark_end();
        best = spent < best ? spent : best;
    }
    printf("REPEAT call_reply_other_cpu %u\n", calls);
    report("call_reply_other_cpu_wall_ns", best / calls);
    end_process(server);
}
