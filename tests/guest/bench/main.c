/* The benchmark of section 9 of the architecture: what the kernel's operations cost, in instructions.
 *
 *   bench [name …]        the figures of those names, or all
 *   bench pairs CPUS CALLS   pairs of client and server, each pair on a CPU of its own (pairs.c)
 *   bench shared CPUS CALLS  the same with one server, that has a worker on each CPU and one endpoint (pairs.c)
 *   bench other CALLS        a server on another CPU (pairs.c)
 *   bench wall               nanoseconds of what others are counted of
 *   bench hostile            what makes the kernel's paths long (hostile.c)
 *
 * Run under QEMU's -icount shift=0, where the cycle counter advances by one for each executed instruction, so the difference of two readings is a
 * count and not a time. Each figure is the least of several rounds, divided by the repetitions; the instructions of the loop in user space
 * are part of it, as they are in the figures of others that it is compared with. Whoever is on the other side (peers.c) is a process of
 * its own in its own address space. All threads stay on CPU 0. Output: lines "BENCH name value", which tests/bench/run gathers.
 * Each round is a region of the counting plugin (tests/bench/count.c); "REPEAT name n" says how many repetitions are in one. */
#include "bench.h"

#include <os/archive.h>
#include <os/clock.h>
#include <os/file.h>
#include <os/ipc.h>
#include <os/memory.h>
#include <os/process.h>
#include <os/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define ROUNDS BENCH_ROUNDS
#define BIG_BYTES 65536u

static handle_t endpoint; /* of the server */
static uint8_t big[BIG_BYTES] __attribute__((aligned(4096)));
static void *large; /* GRANT_BYTES_MAX */

void measure(const char *name, void (*body)(uint32_t repeat), uint32_t repeat)
{
    uint64_t best = UINT64_MAX;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        bench_mark_begin();
        uint64_t start = cycles();
        body(repeat);
        uint64_t spent = cycles() - start;
        bench_mark_end();
        best = spent < best ? spent : best;
    }
    printf("REPEAT %s %u\n", name, repeat);
    report(name, best / repeat);
}

void report(const char *name, uint64_t value)
{
    printf("BENCH %s %llu\n", name, (unsigned long long)value);
}

void must(status_t status, const char *what)
{
    if (status == STATUS_OK)
        return;
    printf("bench: %s: %s\n", what, status_name(status));
    exit(1);
}

/* ── The operations ──────────────────────────────────────────────────────────────────────────────────────────────── */

static void null_syscall(uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat; i++)
        status_ignore(sys_system_nop());
}

static void clock_read(uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat; i++)
        (void)clock_now_ns();
}

static void call_0(uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat; i++)
        (void)bench_call_0(endpoint, OP_NOTHING);
}

/* The caller's state stays in the registers, and the server does not touch them. */
static void call_0_beside_fpu(uint32_t repeat)
{
    use_fpu();
    call_0(repeat);
}

/* Both use the registers, each time. */
static void call_0_fpu(uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat; i++) {
        use_fpu();
        (void)bench_call_0(endpoint, OP_FPU);
    }
}

static void call_until(uint64_t info, uint64_t deadline_ns, uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat; i++) {
        struct ipc_regs regs = {.target = endpoint,
                                .info = info,
                                .words = {1, 2, 3, 4, 5, 6},
                                .deadline = deadline_ns};
        must(ipc_raw_call(&regs), "call");
    }
}

static void call_with(uint64_t info, uint32_t repeat)
{
    call_until(info, DEADLINE_NEVER, repeat);
}

/* One that is far away: it is armed and taken back, and never comes. */
static void call_deadline(uint32_t repeat)
{
    call_until(ipc_info(OP_NOTHING, 0, 0, 0), clock_now_ns() + 1000 * NS_PER_S, repeat);
}

static void call_6(uint32_t repeat)
{
    call_with(ipc_info(OP_NOTHING, 0, 0, 0), repeat);
}

static handle_t travelling;

static void call_cap(uint32_t repeat)
{
    struct ipc_buffer *buffer = ipc_buffer();
    buffer->caps[0] = (struct cap_out){.handle = travelling,
                                       .rights = RIGHT_CALL | RIGHT_TRANSFER,
                                       .mode = CAP_TRANSFER_DERIVE};
    call_with(ipc_info(OP_CAP, 0, 1, 0), repeat);
}

static void call_grant(uint32_t bytes, uint32_t repeat)
{
    ipc_buffer()->grants[0] = ipc_grant_in(large, bytes);
    call_with(ipc_info(OP_READ, 0, 0, 1), repeat);
}

static void call_64b(uint32_t repeat)
{
    call_grant(64, repeat);
}

static void call_1k(uint32_t repeat)
{
    call_grant(1024, repeat);
}

static void call_4k(uint32_t repeat)
{
    call_grant(4096, repeat);
}

static void call_64k(uint32_t repeat)
{
    call_grant(65536, repeat);
}

static void call_1m(uint32_t repeat)
{
    call_grant(GRANT_BYTES_MAX, repeat);
}

static handle_t page_memory;

static void map_unmap(uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat; i++) {
        uint64_t address;
        must(sys_aspace_map(os_self.aspace, page_memory, 0, 0, PAGE_SIZE,
                            MAP_READ | MAP_WRITE | MAP_POPULATE, 0, &address),
             "map");
        must(sys_aspace_unmap(os_self.aspace, address, PAGE_SIZE), "unmap");
    }
}

static uint8_t *fresh;

static void page_fault(uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat; i++)
        *(volatile uint8_t *)(fresh + (uint64_t)i * PAGE_SIZE) = 1;
}

static void measure_faults(const char *name, uint32_t pages, uint32_t flags)
{
    uint64_t best = UINT64_MAX;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        handle_t memory;
        void *address;
        must(memory_map_new(pages * PAGE_SIZE, flags, &memory, &address), "memory");
        fresh = address;
        *(volatile uint8_t *)fresh = 1; /* the page tables */
        fresh += PAGE_SIZE;
        bench_mark_begin();
        uint64_t start = cycles();
        page_fault(pages - 1);
        uint64_t spent = (cycles() - start) / (pages - 1);
        bench_mark_end();
        best = spent < best ? spent : best;
        memory_unmap(address, pages * PAGE_SIZE);
        must(sys_cap_close(memory), "close");
    }
    printf("REPEAT %s %u\n", name, pages - 1);
    report(name, best);
}

static void measure_page_fault(const char *name)
{
    measure_faults(name, 256, 0);
}

/** Two large entries. */
#define LARGE_PAGES (2 * (uint32_t)(LARGE_PAGE_SIZE / PAGE_SIZE))

/* A page of as many as large entries come to map, the promotion included. */
static void measure_page_fault_large(const char *name)
{
    measure_faults(name, LARGE_PAGES, 0);
}

/* The first write to a page that is there already, and one entry maps with its neighbours. */
static void measure_page_touch(const char *name)
{
    measure_faults(name, LARGE_PAGES, MEMORY_COMMIT);
}

/* 64 MiB in as many mappings, each of a Memory of its own, all of it there and never cloned before: what a fork finds. */
#define CLONED_MAPPINGS 100u
#define CLONED_PAGES ((64u << 20) / PAGE_SIZE)

static handle_t populated_space(void)
{
    handle_t space, memory;
    uint64_t address, left = CLONED_PAGES;
    must(sys_aspace_create(os_self.budget, &space), "address space");
    for (uint64_t mappings = CLONED_MAPPINGS; mappings > 0; mappings--) {
        uint64_t bytes = left / mappings * PAGE_SIZE;
        left -= left / mappings;
        must(memory_create(bytes, MEMORY_COMMIT, &memory), "memory");
        must(sys_aspace_map(space, memory, 0, 0, bytes, MAP_READ | MAP_WRITE | MAP_POPULATE, 0,
                            &address),
             "map");
        must(sys_cap_close(memory), "close");
    }
    return space;
}

static void measure_clone(const char *name)
{
    uint64_t best = UINT64_MAX;
    for (uint32_t round = 0; round < 2; round++) {
        handle_t space = populated_space(), clone;
        bench_mark_begin();
        uint64_t start = cycles();
        must(sys_aspace_clone(space, os_self.budget, &clone), "clone");
        uint64_t spent = cycles() - start;
        bench_mark_end();
        best = spent < best ? spent : best;
        must(sys_cap_close(clone), "close");
        must(sys_cap_close(space), "close");
    }
    printf("REPEAT %s 1\n", name);
    report(name, best);
}

static void derive_delete(uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat; i++) {
        handle_t child;
        must(sys_cap_derive(travelling, RIGHT_CALL, 0, &child), "derive");
        must(sys_cap_close(child), "close");
    }
}

static uint64_t revoke_cost(uint32_t count)
{
    uint64_t best = UINT64_MAX;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        handle_t child;
        for (uint32_t i = 0; i < count; i++)
            must(sys_cap_derive(travelling, RIGHT_CALL, 0, &child), "derive");
        bench_mark_begin();
        uint64_t start = cycles();
        must(sys_cap_revoke(travelling), "revoke");
        uint64_t spent = cycles() - start;
        bench_mark_end();
        best = spent < best ? spent : best;
    }
    return best;
}

/* Per capability revoked: what n descendants cost more than one, so that the wait for the grace period is not counted. */
static void measure_revoke(const char *name)
{
    uint64_t one = revoke_cost(1), many = revoke_cost(1001);
    printf("REPEAT %s 1001\n", name);
    report(name, (many - one) / 1000);
}

/* ── Processes ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static const void *archive;
static uint64_t archive_bytes;

handle_t spawn(const char *const *args, const struct process_cap *caps, size_t count)
{
    struct process_start start = {.name = "bench", .args = args, .caps = caps, .cap_count = count};
    handle_t process;
    must(archive_image(os_cap("archive"), archive, archive_bytes, "bench", &start.image), "image");
    must(process_spawn(&start, &process), "spawn");
    return process;
}

static void create_exit(uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat; i++) {
        int64_t status;
        const char *args[] = {"bench", "exit", NULL};
        handle_t process = spawn(args, NULL, 0);
        must(process_wait(process, DEADLINE_NEVER, &status), "wait");
        must(sys_cap_close(process), "close");
    }
}

/* A server of its own, and in *@to the capability to call it. */
static handle_t start_server(uint32_t priority, handle_t *to)
{
    handle_t master;
    char text[12];
    snprintf(text, sizeof(text), "%u", priority);
    must(sys_endpoint_create(os_self.budget, &master), "endpoint");
    must(sys_cap_derive(master, RIGHT_CALL | RIGHT_COPY | RIGHT_TRANSFER, 0, to), "derive");
    const struct process_cap caps[] = {{.name = "endpoint", .handle = master}};
    const char *args[] = {"bench", "server", "0", text, NULL};
    return spawn(args, caps, 1);
}

/* ── Switching to another process ────────────────────────────────────────────────────────────────────────────────── */

struct peer start_peer(const char *const *args, const struct process_cap *more)
{
    struct peer peer;
    handle_t memory;
    void *address;
    uint64_t bits;
    must(sys_notification_create(os_self.budget, &peer.bell), "notification");
    must(sys_notification_create(os_self.budget, &peer.done), "notification");
    must(memory_map_new(PAGE_SIZE, 0, &memory, &address), "shared page");
    peer.shared = address;
    peer.shared->running = 1;
    struct process_cap caps[] = {{.name = "bell", .handle = peer.bell},
                                 {.name = "done", .handle = peer.done},
                                 {.name = "shared", .handle = memory},
                                 {0}};
    if (more != NULL)
        caps[3] = *more;
    peer.process = spawn(args, caps, more != NULL ? 4 : 3);
    must(sys_notification_wait(peer.done, 1, DEADLINE_NEVER, &bits), "wait");
    return peer;
}

void end_process(handle_t process)
{
    int64_t status;
    must(process_kill(process, 0), "kill");
    must(process_wait(process, DEADLINE_NEVER, &status), "wait");
    must(sys_cap_close(process), "close");
}

/* One way: from before the signal until the waiting thread of higher priority runs. The mean: some counters are coarser than that. */
static void measure_signal(const char *name)
{
    uint64_t spent = 0, bits;
    const uint32_t repeat = 50;
    const char *args[] = {"bench", "sleeper", NULL};
    struct peer peer = start_peer(args, NULL);
    bench_mark_begin();
    for (uint32_t i = 0; i < repeat; i++) {
        uint64_t start = cycles();
        must(sys_notification_signal(peer.bell, 1), "signal");
        spent += peer.shared->woken_at - start;
        must(sys_notification_wait(peer.done, 1, DEADLINE_NEVER, &bits), "wait");
    }
    bench_mark_end();
    printf("REPEAT %s %u\n", name, repeat);
    report(name, spent / repeat);
    end_process(peer.process);
}

/* Of ROUNDS of @repeat the peer has done half, but for who is interrupted. */
static void must_take_turns(uint64_t others, uint32_t repeat)
{
    uint64_t ours = (uint64_t)ROUNDS * repeat / 2;
    if (others > ours + ours / 20 || ours > others + ours / 20)
        must(STATUS_INVALID, "the two take turns");
}

/* Two threads that yield to each other: each yield is a switch. */
static void yields(uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat / 2; i++)
        must(sys_thread_yield(), "yield");
}

static void measure_switch(const char *name)
{
    const uint32_t repeat = 1000;
    const char *args[] = {"bench", "yielder", NULL};
    must(sys_thread_set_priority(os_self.thread, PRIORITY_EVEN), "priority");
    struct peer peer = start_peer(args, NULL);
    uint64_t before = peer.shared->calls;
    measure(name, yields, repeat);
    must_take_turns(peer.shared->calls - before, repeat);
    end_process(peer.process);
    must(sys_thread_set_priority(os_self.thread, PRIORITY_DEFAULT), "priority");
}

/* ── A busy server ───────────────────────────────────────────────────────────────────────────────────────────────── */

static handle_t busy_endpoint;

/* Of two callers each comes while the only worker serves the other, which yields meanwhile, and queues. */
static void call_yielding(uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat / 2; i++)
        (void)bench_call_0(busy_endpoint, OP_YIELD);
}

static void measure_busy(const char *name)
{
    const uint32_t repeat = 1000;
    const char *args[] = {"bench", "caller", NULL};
    handle_t server = start_server(PRIORITY_EVEN, &busy_endpoint);
    const struct process_cap more = {.name = "endpoint", .handle = busy_endpoint};
    must(sys_thread_set_priority(os_self.thread, PRIORITY_EVEN), "priority");
    struct peer peer = start_peer(args, &more);
    call_yielding(10);
    uint64_t before = peer.shared->calls;
    measure(name, call_yielding, repeat);
    must_take_turns(peer.shared->calls - before, repeat);
    end_process(peer.process);
    end_process(server);
    must(sys_cap_close(busy_endpoint), "close");
    must(sys_thread_set_priority(os_self.thread, PRIORITY_DEFAULT), "priority");
}

/* ── Foreign threads ─────────────────────────────────────────────────────────────────────────────────────────────── */

#define FOREIGN_CALLS_EACH 1000u

static uint64_t foreign_cost, foreign_stack[512] __attribute__((aligned(16)));

static void foreign_calls(void)
{
    uint64_t best = UINT64_MAX;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        bench_mark_begin();
        uint64_t start = cycles();
        for (uint32_t i = 0; i < FOREIGN_CALLS_EACH; i++)
            (void)bench_foreign_call(FOREIGN_NOTHING);
        uint64_t spent = cycles() - start;
        bench_mark_end();
        best = spent < best ? spent : best;
    }
    __atomic_store_n(&foreign_cost, best / FOREIGN_CALLS_EACH, __ATOMIC_RELEASE);
    for (;;)
        (void)bench_foreign_call(FOREIGN_END);
}

/* A thread of ours whose system calls go to a personality in a process of its own. */
static void measure_foreign(const char *name)
{
    handle_t master, thread, table;
    must(sys_endpoint_create(os_self.budget, &master), "endpoint");
    const struct process_cap caps[] = {{.name = "endpoint", .handle = master}};
    const char *args[] = {"bench", "personality", NULL};
    handle_t peer = spawn(args, caps, 1);
    must(memory_create(PAGE_SIZE, MEMORY_COMMIT, &table), "table");
    must(sys_thread_create(os_self.process, os_self.budget, &thread), "thread");
    must(sys_thread_set_affinity(thread, 0, 1), "affinity");
    must(sys_thread_set_foreign(thread, master, 0, table, table, 0), "foreign thread");
    /* Neither side has FPU state in the registers, to be kept from the other in each call, though the personality had when it began. */
    clock_sleep(10 * NS_PER_MS);
    use_fpu();
    must(sys_thread_start(thread, (uint64_t)foreign_calls, (uint64_t)&foreign_stack[511], 0, 0),
         "start");
    while (__atomic_load_n(&foreign_cost, __ATOMIC_ACQUIRE) == 0)
        clock_sleep(100 * NS_PER_MS);
    printf("REPEAT %s %u\n", name, FOREIGN_CALLS_EACH);
    report(name, foreign_cost);
    end_process(peer);
}

/* ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct file *file;

static void file_read_4k(uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat; i++) {
        size_t done;
        must(file_read_at(file, 0, big, 4096, &done), "read");
    }
}

static void measure_file(const char *name)
{
    size_t done;
    must(file_open("/tmp/bench", FILE_OPEN_READ | FILE_OPEN_WRITE | FILE_OPEN_CREATE, 0644, &file),
         "/tmp/bench");
    must(file_write_at(file, 0, big, 4096, &done), "/tmp/bench");
    measure(name, file_read_4k, 100);
}

/* ── Main ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Either a loop to be measured, or what measures and reports by itself. */
static const struct figure {
    const char *name;
    void (*body)(uint32_t repeat);
    uint32_t repeat;
    void (*whole)(const char *name);
} figures[] = {
    {"null_syscall", null_syscall, 1000, NULL},
    {"clock_read", clock_read, 1000, NULL},
    {"call_reply_0", call_0, 1000, NULL},
    {"call_reply_0_beside_fpu", call_0_beside_fpu, 1000, NULL},
    {"call_reply_6", call_6, 1000, NULL},
    {"call_reply_cap", call_cap, 200, NULL},
    {"call_reply_deadline", call_deadline, 1000, NULL},
    {"call_reply_busy", NULL, 0, measure_busy},
    {"call_reply_64b", call_64b, 200, NULL},
    {"call_reply_1k", call_1k, 200, NULL},
    {"call_reply_4k", call_4k, 200, NULL},
    {"call_reply_64k", call_64k, 50, NULL},
    {"call_reply_1m", call_1m, 5, NULL},
    /* The last of the calls: it leaves the server's state in the registers. */
    {"call_reply_0_fpu", call_0_fpu, 1000, NULL},
    {"foreign_call", NULL, 0, measure_foreign},
    {"signal_wake", NULL, 0, measure_signal},
    {"context_switch", NULL, 0, measure_switch},
    {"channel_1", NULL, 0, measure_channel},
    {"channel_16", NULL, 0, measure_channel},
    {"channel_256", NULL, 0, measure_channel},
    {"ring_full", NULL, 0, measure_ring_full},
    {"ring_trickle", NULL, 0, measure_ring_trickle},
    {"map_unmap", map_unmap, 200, NULL},
    {"page_fault", NULL, 0, measure_page_fault},
    {"page_fault_large", NULL, 0, measure_page_fault_large},
    {"page_touch", NULL, 0, measure_page_touch},
    {"aspace_clone", NULL, 0, measure_clone},
    {"cap_derive_delete", derive_delete, 200, NULL},
    {"cap_revoke", NULL, 0, measure_revoke},
    {"process_create_exit", create_exit, 5, NULL},
    {"file_read_4k", NULL, 0, measure_file},
};

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc == 1;
}

static void prepare(void)
{
    must(sys_thread_set_affinity(os_self.thread, 0, 1), "affinity");
    must(archive_map(os_cap("archive"), &archive, &archive_bytes), "archive");
    must(sys_thread_set_priority(os_self.thread, 16), "priority");
    must(sys_endpoint_create(os_self.budget, &travelling), "endpoint");
    must(memory_create(PAGE_SIZE, MEMORY_COMMIT, &page_memory), "memory");
    must(memory_map_new(GRANT_BYTES_MAX, MEMORY_COMMIT, NULL, &large), "memory");
    memset(big, 1, sizeof(big));
    memset(large, 1, GRANT_BYTES_MAX);
}

/* ── Wall times ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The same bodies with the clock of the wall, as a pair of which one is all entries and switches and the other all copying. */
static void wall(const char *name, void (*body)(uint32_t repeat), uint32_t repeat)
{
    uint64_t best = UINT64_MAX;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t start = clock_now_ns();
        body(repeat);
        uint64_t spent = clock_now_ns() - start;
        best = spent < best ? spent : best;
    }
    report(name, best / repeat);
}

static void walls(void)
{
    handle_t server = start_server(PRIORITY_DEFAULT, &endpoint);
    clock_sleep(NS_PER_MS);
    wall("call_reply_0_wall_ns", call_0, 10000);
    wall("call_reply_1m_wall_ns", call_1m, 20);
    end_process(server);
}

/* What else than figures of single operations the arguments ask for. */
static bool did_otherwise(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    bool shared = strcmp(what, "shared") == 0;
    if ((shared || strcmp(what, "pairs") == 0) && argc > 3) {
        measure_pairs((uint32_t)strtoul(argv[2], NULL, 10), (uint32_t)strtoul(argv[3], NULL, 10),
                      shared);
    } else if (strcmp(what, "other") == 0 && argc > 2) {
        measure_other_cpu((uint32_t)strtoul(argv[2], NULL, 10));
    } else if (strcmp(what, "wall") == 0) {
        walls();
    } else if (strcmp(what, "hostile") == 0) {
        handle_t server = start_server(PRIORITY_DEFAULT, &endpoint);
        hostile(call_1m);
        end_process(server);
        puts("bench hostile: done");
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    peer_main(argc, argv);
    prepare();
    if (did_otherwise(argc, argv))
        return 0;
    handle_t server = start_server(PRIORITY_DEFAULT, &endpoint);
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        const struct figure *figure = &figures[i];
        if (!is_wanted(figure->name, argc, argv))
            continue;
        clock_sleep(
            NS_PER_MS); /* leaves no FPU state in the registers, and lets grace periods end */
        if (figure->whole != NULL)
            figure->whole(figure->name);
        else
            measure(figure->name, figure->body, figure->repeat);
    }
    must(process_kill(server, 0), "kill");
    return 0;
}
