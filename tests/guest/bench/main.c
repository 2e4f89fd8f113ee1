/* The benchmark of section 9 of the architecture: what the kernel's operations cost, in instructions.
 *
 * Run under QEMU's -icount shift=0, where the cycle counter advances by one for each executed instruction, so the difference of two readings is a
 * count and not a time. Each figure is the least of several rounds, divided by the repetitions, with the loop's own cost taken off. The
 * server is a process of its own in its own address space: the same program with the argument "server". All threads stay on CPU 0.
 * Output: lines "BENCH name value", which tools/bench gathers. */
#include "bench.h"

#include <os/archive.h>
#include <os/file.h>
#include <os/ipc.h>
#include <os/memory.h>
#include <os/process.h>
#include <os/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define ROUNDS 5u
#define BIG_BYTES 65536u

static handle_t endpoint; /* of the server */
static uint8_t big[BIG_BYTES] __attribute__((aligned(4096)));

/* The least cost of @repeat runs of @body, in instructions for each. */
static uint64_t measure(void (*body)(uint32_t repeat), uint32_t repeat)
{
    uint64_t best = UINT64_MAX;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t start = cycles();
        body(repeat);
        uint64_t spent = cycles() - start;
        best = spent < best ? spent : best;
    }
    return best / repeat;
}

static void report(const char *name, uint64_t value)
{
    printf("BENCH %s %llu\n", name, (unsigned long long)value);
}

static void must(status_t status, const char *what)
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

static void call_0(uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat; i++)
        (void)bench_call_0(endpoint, OP_NOTHING);
}

static void call_with(uint64_t info, uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat; i++) {
        struct ipc_regs regs = {.target = endpoint,
                                .info = info,
                                .words = {1, 2, 3, 4, 5, 6},
                                .deadline = DEADLINE_NEVER};
        must(ipc_raw_call(&regs), "call");
    }
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
    ipc_buffer()->grants[0] = ipc_grant_in(big, bytes);
    call_with(ipc_info(OP_READ, 0, 0, 1), repeat);
}

static void call_4k(uint32_t repeat)
{
    call_grant(4096, repeat);
}

static void call_64k(uint32_t repeat)
{
    call_grant(BIG_BYTES, repeat);
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

static uint64_t measure_page_fault(void)
{
    uint64_t best = UINT64_MAX;
    const uint32_t pages = 256;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        handle_t memory;
        void *address;
        must(memory_map_new(pages * PAGE_SIZE, 0, &memory, &address), "memory");
        fresh = address;
        *(volatile uint8_t *)fresh = 1; /* the page tables */
        fresh += PAGE_SIZE;
        uint64_t start = cycles();
        page_fault(pages - 1);
        uint64_t spent = (cycles() - start) / (pages - 1);
        best = spent < best ? spent : best;
        memory_unmap(address, pages * PAGE_SIZE);
        must(sys_cap_close(memory), "close");
    }
    return best;
}

static void derive_delete(uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat; i++) {
        handle_t child;
        must(sys_cap_derive(travelling, RIGHT_CALL, 0, &child), "derive");
        must(sys_cap_close(child), "close");
    }
}

/* Per capability revoked: what n descendants cost more than one, so that the wait for the grace period is not counted. */
static uint64_t measure_revoke(uint32_t count)
{
    uint64_t best = UINT64_MAX;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        handle_t child;
        for (uint32_t i = 0; i < count; i++)
            must(sys_cap_derive(travelling, RIGHT_CALL, 0, &child), "derive");
        uint64_t start = cycles();
        must(sys_cap_revoke(travelling), "revoke");
        uint64_t spent = cycles() - start;
        best = spent < best ? spent : best;
    }
    return best;
}

/* ── Threads ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static volatile uint64_t woken_at;
static handle_t bell, done_bell;

static void sleeper(void)
{
    for (;;) {
        uint64_t bits;
        must(sys_notification_wait(bell, 1, DEADLINE_NEVER, &bits), "wait");
        woken_at = cycles();
        must(sys_notification_signal(done_bell, 1), "signal");
    }
}

/* One way: from before the signal until the waiting thread of higher priority runs. */
static uint64_t measure_signal(void)
{
    uint64_t best = UINT64_MAX, bits;
    for (uint32_t i = 0; i < 50; i++) {
        uint64_t start = cycles();
        must(sys_notification_signal(bell, 1), "signal");
        must(sys_notification_wait(done_bell, 1, DEADLINE_NEVER, &bits), "wait");
        uint64_t spent = woken_at - start;
        best = spent < best ? spent : best;
    }
    return best;
}

static volatile bool yielding;

static void yielder(void)
{
    while (yielding)
        must(sys_thread_yield(), "yield");
    must(sys_thread_exit(), "exit");
}

/* Two threads that yield to each other: each yield is a switch. */
static void yields(uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat / 2; i++)
        must(sys_thread_yield(), "yield");
}

static handle_t thread_begin(void (*body)(void), uint32_t priority)
{
    handle_t thread, memory;
    void *stack;
    must(memory_map_new(65536, 0, &memory, &stack), "stack");
    must(sys_thread_create(os_self.process, os_self.budget, &thread), "thread");
    must(sys_thread_set_affinity(thread, 0, 1), "affinity");
    must(sys_thread_set_priority(thread, priority), "priority");
    must(sys_thread_start(thread, (uint64_t)(uintptr_t)body, (uint64_t)(uintptr_t)stack + 65536 - 8,
                          0, bench_tls()),
         "start");
    return thread;
}

/* ── Processes ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static const void *archive;
static uint64_t archive_bytes;

static handle_t spawn(const char *argument, const struct process_cap *caps, size_t count)
{
    const char *args[] = {"bench", argument, NULL};
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
        handle_t process = spawn("exit", NULL, 0);
        must(process_wait(process, DEADLINE_NEVER, &status), "wait");
        must(sys_cap_close(process), "close");
    }
}

static handle_t start_server(void)
{
    handle_t master;
    must(sys_endpoint_create(os_self.budget, &master), "endpoint");
    must(sys_cap_derive(master, RIGHT_CALL | RIGHT_TRANSFER, 0, &endpoint), "derive");
    const struct process_cap caps[] = {{.name = "endpoint", .handle = master}};
    return spawn("server", caps, 1);
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

static void measure_file(void)
{
    status_t status =
        file_open("/tmp/bench", FILE_OPEN_READ | FILE_OPEN_WRITE | FILE_OPEN_CREATE, 0644, &file);
    size_t done;
    if (status == STATUS_OK)
        status = file_write_at(file, 0, big, 4096, &done);
    if (status != STATUS_OK) {
        printf("bench: /tmp/bench: %s\n", status_name(status));
        return;
    }
    report("file_read_4k", measure(file_read_4k, 100));
}

/* ── Main ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void run_all(void)
{
    report("null_syscall", measure(null_syscall, 1000));
    report("call_reply_0", measure(call_0, 1000));
    report("call_reply_6", measure(call_6, 1000));
    must(sys_endpoint_create(os_self.budget, &travelling), "endpoint");
    report("call_reply_cap", measure(call_cap, 200));
    memset(big, 1, sizeof(big));
    report("call_reply_4k", measure(call_4k, 200));
    report("call_reply_64k", measure(call_64k, 50));
    handle_t memory;
    must(memory_create(PAGE_SIZE, MEMORY_COMMIT, &memory), "memory");
    page_memory = memory;
    report("map_unmap", measure(map_unmap, 200));
    report("page_fault", measure_page_fault());
    report("cap_derive_delete", measure(derive_delete, 200));
    uint64_t one = measure_revoke(1), many = measure_revoke(1001);
    report("cap_revoke", (many - one) / 1000);
    must(sys_notification_create(os_self.budget, &bell), "notification");
    must(sys_notification_create(os_self.budget, &done_bell), "notification");
    thread_begin(sleeper, 20);
    report("signal_wake", measure_signal());
    yielding = true;
    thread_begin(yielder, 16);
    report("context_switch", measure(yields, 1000));
    yielding = false;
    report("process_create_exit", measure(create_exit, 5));
    measure_file();
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "exit") == 0)
        return 0;
    must(sys_thread_set_affinity(os_self.thread, 0, 1), "affinity");
    if (argc > 1 && strcmp(argv[1], "server") == 0)
        server_main();
    must(archive_map(os_cap("archive"), &archive, &archive_bytes), "archive");
    must(sys_thread_set_priority(os_self.thread, 16), "priority");
    handle_t server = start_server();
    run_all();
    must(process_kill(server, 0), "kill");
    return 0;
}
