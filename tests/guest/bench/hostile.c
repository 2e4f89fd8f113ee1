/* What a user makes long on purpose, for the longest path with interrupts off: many of everything that one call, one interrupt or one end
 * has to look at. The counting plugin looks for the path meanwhile (tests/bench/count.c), so nothing is measured here. */
#include "bench.h"

#include <os/clock.h>
#include <os/ipc.h>
#include <os/memory.h>
#include <os/process.h>
#include <os/start.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define CROWD 1000u
#define MANY 2000u
#define LARGE_BYTES (2u << 20)
#define LARGE_PAGES 4u
#define SLOTS 760u /* of the largest channel */

/* ── A crowd: many threads of one process, of which each waits for the same ──────────────────────────────────────── */

enum { WAIT_BELL, WAIT_CALL, WAIT_RECEIVE, WAIT_FUTEX, WAIT_QUEUE, WAIT_SLEEP, WAITS };
static const char *const waits[WAITS] = {"bell", "call", "receive", "futex", "queue", "sleep"};

static struct crowd {
    handle_t object;
    uint64_t deadline_ns;
    uint32_t *word; /* shared with who made the crowd: it shall go; how many have come */
} crowd;
static uint64_t crowd_stack[1024] __attribute__((aligned(16)));

/* All of them on one stack: they write the same there, and none comes back before its process ends. */
static void crowd_thread(uint64_t how)
{
    static struct ipc_regs regs;
    static struct event event;
    static uint64_t bits;
    regs.target = crowd.object;
    regs.deadline = DEADLINE_NEVER;
    __atomic_fetch_add(&crowd.word[1], 1, __ATOMIC_SEQ_CST);
    switch (how) {
    case WAIT_BELL:
        status_ignore(sys_notification_wait(crowd.object, 2, DEADLINE_NEVER, &bits));
        break;
    case WAIT_CALL:
        status_ignore(ipc_raw_call(&regs));
        break;
    case WAIT_RECEIVE:
        status_ignore(ipc_raw_receive(&regs));
        break;
    case WAIT_FUTEX:
        status_ignore(sys_thread_futex_wait((uint64_t)crowd.word, 0, DEADLINE_NEVER));
        break;
    case WAIT_QUEUE:
        status_ignore(sys_queue_wait(crowd.object, DEADLINE_NEVER, &event));
        break;
    default:
        status_ignore(sys_thread_sleep(crowd.deadline_ns));
    }
    status_ignore(sys_thread_exit());
}

_Noreturn void hostile_crowd(const char *how)
{
    uint64_t wait = 0;
    void *address;
    while (strcmp(waits[wait], how) != 0)
        wait++;
    if (wait != WAIT_FUTEX && wait != WAIT_SLEEP)
        crowd.object = os_cap("object");
    must(memory_map(os_cap("shared"), 0, PAGE_SIZE, MAP_READ | MAP_WRITE, &address), "shared page");
    crowd.word = address;
    crowd.deadline_ns = clock_now_ns() + 5 * NS_PER_S;
    for (uint32_t i = 0; i < CROWD; i++) {
        handle_t thread;
        must(sys_thread_create(os_self.process, os_self.budget, &thread), "thread");
        must(sys_thread_start(thread, (uint64_t)crowd_thread, (uint64_t)&crowd_stack[1023], wait,
                              0),
             "start");
        must(sys_cap_close(thread), "close");
    }
    while (__atomic_load_n(&crowd.word[0], __ATOMIC_RELAXED) == 0)
        clock_sleep(10 * NS_PER_MS);
    uint32_t woken;
    if (wait == WAIT_FUTEX)
        must(sys_thread_futex_wake((uint64_t)crowd.word, UINT32_MAX, &woken), "wake");
    else if (wait != WAIT_SLEEP)
        must(sys_cap_close(crowd.object), "close");
    for (;;)
        clock_sleep(NS_PER_S);
}

/* Take CROWD calls, and answer none. */
_Noreturn void hostile_saver(void)
{
    handle_t endpoint = os_cap("object");
    volatile struct shared *page = shared_page();
    must(sys_notification_signal(os_cap("done"), 1), "signal");
    for (;;) {
        struct ipc_regs regs = {.target = endpoint, .deadline = DEADLINE_NEVER};
        uint64_t token;
        must(ipc_raw_receive(&regs), "receive");
        must(sys_endpoint_reply_save(endpoint, 0, &token), "save");
        page->calls++;
    }
}

_Noreturn void hostile_crash(void)
{
    __builtin_trap();
}

static uint32_t *shared;

/* A crowd that waits with @object, all of it. */
static handle_t gather(uint32_t wait, handle_t object)
{
    handle_t memory;
    void *address;
    must(memory_map_new(PAGE_SIZE, 0, &memory, &address), "shared page");
    shared = address;
    const struct process_cap caps[] = {{.name = "shared", .handle = memory},
                                       {.name = "object", .handle = object}};
    const char *args[] = {"bench", "crowd", waits[wait], NULL};
    handle_t process = spawn(args, caps, object == HANDLE_NONE ? 1 : 2);
    while (__atomic_load_n(&shared[1], __ATOMIC_SEQ_CST) != CROWD)
        clock_sleep(NS_PER_MS);
    clock_sleep(20 * NS_PER_MS); /* the last has counted itself, and is about to wait */
    must(sys_cap_close(memory), "close");
    return process;
}

static void disperse(handle_t process)
{
    int64_t status;
    must(process_kill(process, 0), "kill");
    must(process_wait(process, DEADLINE_NEVER, &status), "wait");
    must(sys_cap_close(process), "close");
    memory_unmap(shared, PAGE_SIZE);
}

static handle_t make(uint32_t wait)
{
    handle_t object = HANDLE_NONE;
    if (wait == WAIT_BELL)
        must(sys_notification_create(os_self.budget, &object), "notification");
    else if (wait == WAIT_CALL || wait == WAIT_RECEIVE)
        must(sys_endpoint_create(os_self.budget, &object), "endpoint");
    else if (wait == WAIT_QUEUE)
        must(sys_queue_create(os_self.budget, &object), "queue");
    return object;
}

/* Those are looked at that are not meant, and the process dies with all of them. */
static void crowd_killed(uint32_t wait)
{
    handle_t object = make(wait), process = gather(wait, object);
    struct process_info info;
    must(sys_process_info(process, &info), "info");
    if (wait == WAIT_BELL)
        must(sys_notification_signal(object, 1), "signal");
    if (wait == WAIT_CALL)
        must(sys_endpoint_new_epoch(object), "epoch");
    disperse(process);
    if (object != HANDLE_NONE)
        must(sys_cap_close(object), "close");
}

/* The capability that they came through is revoked. */
static void crowd_revoked(uint32_t wait)
{
    handle_t object = make(wait), process = gather(wait, object);
    must(sys_cap_revoke(object), "revoke");
    disperse(process);
    must(sys_cap_close(object), "close");
}

/* What they wait for comes, or ends: the crowd closes the last capability to it. */
static void crowd_freed(uint32_t wait)
{
    handle_t object = make(wait), process = gather(wait, object);
    if (object != HANDLE_NONE)
        must(sys_cap_close(object), "close");
    __atomic_store_n(&shared[0], 1, __ATOMIC_RELAXED);
    clock_sleep(wait == WAIT_SLEEP ? 6 * NS_PER_S : 100 * NS_PER_MS);
    disperse(process);
}

/* The server has put all their calls aside, and is killed. */
static void crowd_abandoned(void)
{
    handle_t endpoint = make(WAIT_CALL);
    const struct process_cap object = {.name = "object", .handle = endpoint};
    const char *args[] = {"bench", "saver", NULL};
    struct peer saver = start_peer(args, &object);
    handle_t process = gather(WAIT_CALL, endpoint);
    while (saver.shared->calls != CROWD)
        clock_sleep(NS_PER_MS);
    end_process(saver.process);
    disperse(process);
    must(sys_cap_close(endpoint), "close");
}

static void crowds(void)
{
    for (uint32_t wait = 0; wait < WAITS; wait++) {
        crowd_killed(wait);
        crowd_freed(wait);
        if (wait != WAIT_FUTEX && wait != WAIT_SLEEP)
            crowd_revoked(wait);
    }
    crowd_abandoned();
}

/* ── Timers, events ──────────────────────────────────────────────────────────────────────────────────────────────── */

static void timers(void)
{
    static handle_t timer[MANY];
    handle_t queue;
    must(sys_queue_create(os_self.budget, &queue), "queue");
    uint64_t deadline_ns = clock_now_ns() + 2 * NS_PER_S;
    for (uint32_t i = 0; i < MANY; i++) {
        must(sys_timer_create(os_self.budget, &timer[i]), "timer");
        must(sys_timer_bind(timer[i], queue, i), "bind");
        must(sys_timer_set(timer[i], deadline_ns, 0), "set");
    }
    clock_sleep(3 * NS_PER_S);
    must(sys_cap_close(queue), "close"); /* with all events */
    for (uint32_t i = 0; i < MANY; i++)
        must(sys_cap_close(timer[i]), "close");
}

/* ── Memory ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* One page mapped @MANY times side by side, each a mapping of its own; then all of them at once. */
static void mappings(void)
{
    handle_t page, space = HANDLE_NONE, clone = HANDLE_NONE;
    uint64_t base = 1ull << 32, at;
    must(memory_create(PAGE_SIZE, MEMORY_COMMIT, &page), "memory");
    for (uint32_t round = 0; round < 2; round++) {
        must(sys_aspace_create(os_self.budget, &space), "address space");
        for (uint64_t i = 0; i < MANY; i++)
            must(sys_aspace_map(space, page, base + i * PAGE_SIZE, 0, PAGE_SIZE,
                                MAP_READ | MAP_WRITE | MAP_FIXED | MAP_POPULATE, 0, &at),
                 "map");
        must(sys_memory_clone(page, os_self.budget, 0, PAGE_SIZE, &clone), "copy");
        must(sys_memory_write(page, 0, &at, sizeof(at)), "write");
        must(sys_cap_close(clone), "close");
        must(sys_aspace_protect(space, base, MANY * PAGE_SIZE, MAP_READ), "protect");
        must(sys_aspace_protect(space, base, MANY * PAGE_SIZE, MAP_READ), "protect");
        must(sys_aspace_clone(space, os_self.budget, &clone), "clone");
        must(sys_cap_close(clone), "close");
        if (round == 0)
            must(sys_memory_discard(page, 0, PAGE_SIZE), "discard");
        else
            must(sys_aspace_unmap(space, base, MANY * PAGE_SIZE), "unmap");
        if (round == 0)
            must(sys_cap_revoke(page), "revoke");
        must(sys_cap_close(space), "close");
    }
    must(sys_cap_close(page), "close");
}

/* Large pages: zeroed, mapped, copied, taken away in pieces and as a whole. */
static void large_pages(void)
{
    for (uint32_t flags = 0; flags <= MEMORY_CONTIGUOUS; flags += MEMORY_CONTIGUOUS) {
        handle_t memory, clone = HANDLE_NONE;
        void *address;
        must(sys_memory_create(os_self.budget, LARGE_PAGES * LARGE_BYTES, MEMORY_COMMIT | flags,
                               &memory),
             "memory");
        must(memory_map(memory, 0, LARGE_PAGES * LARGE_BYTES, MAP_READ | MAP_WRITE | MAP_POPULATE,
                        &address),
             "map");
        memset(address, 1, LARGE_PAGES * LARGE_BYTES);
        if (flags == 0) {
            must(sys_memory_clone(memory, os_self.budget, 0, LARGE_PAGES * LARGE_BYTES, &clone),
                 "clone");
            memset(address, 2, LARGE_BYTES);
            must(sys_memory_discard(memory, 0, LARGE_BYTES), "discard");
            must(sys_cap_close(clone), "close");
        }
        must(sys_aspace_protect(os_self.aspace, (uint64_t)address, LARGE_PAGES * LARGE_BYTES,
                                MAP_READ),
             "protect");
        must(sys_cap_revoke(memory), "revoke");
        must(sys_cap_close(memory), "close");
    }
}

/* ── Messages, crashes ───────────────────────────────────────────────────────────────────────────────────────────── */

/* A channel full of messages with capabilities loses its reader; the largest channel, with the largest messages. */
static void channels(void)
{
    static uint8_t message[CHANNEL_MESSAGE_BYTES_MAX];
    handle_t left = HANDLE_NONE, right = HANDLE_NONE, bell;
    uint64_t bytes;
    uint32_t caps;
    must(sys_notification_create(os_self.budget, &bell), "notification");
    must(sys_channel_create(os_self.budget, SLOTS, 0, &left, &right), "channel");
    for (uint32_t i = 0; i < SLOTS; i++) {
        for (uint32_t at = 0; at < IPC_CAPS_MAX; at++)
            ipc_buffer()->caps[at] =
                (struct cap_out){.handle = bell, .rights = RIGHT_CALL, .mode = CAP_TRANSFER_DERIVE};
        must(sys_channel_send(left, message, 0, IPC_CAPS_MAX), "send");
    }
    must(sys_cap_close(right), "close");
    must(sys_cap_close(left), "close");
    must(sys_cap_close(bell), "close");
    must(sys_channel_create(os_self.budget, 1, sizeof(message), &left, &right), "channel");
    must(sys_channel_send(left, message, sizeof(message), 0), "send");
    must(sys_channel_receive(right, message, sizeof(message), &bytes, &caps), "receive");
    must(sys_cap_close(right), "close");
    must(sys_cap_close(left), "close");
}

static void crash(void)
{
    int64_t status;
    const char *args[] = {"bench", "crash", NULL};
    handle_t process = spawn(args, NULL, 0);
    must(process_wait(process, DEADLINE_NEVER, &status), "wait");
    must(sys_cap_close(process), "close");
}

void hostile(void (*grants)(uint32_t repeat))
{
    bench_mark_begin();
    crowds();
    timers();
    mappings();
    large_pages();
    channels();
    grants(5);
    crash();
    bench_mark_end();
}
