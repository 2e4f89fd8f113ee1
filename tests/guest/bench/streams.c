/* What goes one way to another process: messages of a channel, descriptors of a ring. Sender and receiver of each stand side by side here. */
#include "bench.h"

#include <idl/block.h>
#include <os/memory.h>
#include <os/process.h>
#include <os/start.h>
#include <ring/ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define REPEAT 1024u

static struct peer peer;

/* ── Channels ────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define MESSAGE_BYTES 64u

static handle_t channel;
static uint32_t outstanding;

/* So many as shall be outstanding at a time, which the receiver then takes one after the other. */
static void channel_send(uint32_t repeat)
{
    uint8_t message[MESSAGE_BYTES] = {1};
    uint64_t bits;
    for (uint32_t sent = 0; sent < repeat; sent += outstanding) {
        for (uint32_t i = 0; i < outstanding; i++)
            must(sys_channel_send(channel, message, sizeof(message), 0), "send");
        must(sys_notification_wait(peer.done, 1, DEADLINE_NEVER, &bits), "wait");
    }
}

void measure_channel(const char *name)
{
    handle_t far;
    const char *count = strrchr(name, '_') + 1;
    outstanding = (uint32_t)strtoul(count, NULL, 10);
    must(sys_channel_create(os_self.budget, outstanding, MESSAGE_BYTES, &channel, &far), "channel");
    const char *args[] = {"bench", "receiver", "0", count, NULL};
    const struct process_cap more = {.name = "channel", .handle = far, .mode = CAP_TRANSFER_MOVE};
    peer = start_peer(args, &more);
    must(sys_thread_set_priority(os_self.thread, PRIORITY_EVEN), "priority");
    measure(name, channel_send, REPEAT);
    must(sys_thread_set_priority(os_self.thread, PRIORITY_DEFAULT), "priority");
    end_process(peer.process);
    must(sys_cap_close(channel), "close");
}

_Noreturn void channel_receiver(uint32_t each)
{
    handle_t queue, end = os_cap("channel"), done = os_cap("done");
    must(sys_queue_create(os_self.budget, &queue), "queue");
    must(sys_channel_bind(end, queue, 0), "bind");
    must(sys_thread_set_priority(os_self.thread, PRIORITY_EVEN), "priority");
    must(sys_notification_signal(done, 1), "signal");
    for (uint32_t received = 0;;) {
        struct event event;
        uint8_t message[MESSAGE_BYTES];
        uint64_t bytes;
        uint32_t caps;
        status_t status;
        must(sys_queue_wait(queue, DEADLINE_NEVER, &event), "wait");
        while ((status = sys_channel_receive(end, message, sizeof(message), &bytes, &caps)) ==
               STATUS_OK)
            if (++received % each == 0)
                must(sys_notification_signal(done, 1), "signal");
        if (status != STATUS_BUSY)
            must(status, "receive");
    }
}

/* ── Rings ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define RING_BYTES BLOCK_COMPLETION_OFFSET
#define DRIVER_PRIORITY 28u

static struct ring ring;

static void ring_open(handle_t memory)
{
    void *address;
    must(memory_map(memory, 0, RING_BYTES, MAP_READ | MAP_WRITE, &address), "ring");
    if (!ring_init(&ring, address, RING_BYTES, BLOCK_RING_ENTRIES, sizeof(struct block_request)))
        must(STATUS_INVALID, "ring");
}

static void ring_doorbell(volatile struct shared *shared, handle_t bell)
{
    shared->doorbells++;
    must(sys_notification_signal(bell, 1), "signal");
}

static void publish(void)
{
    if (ring_publish(&ring))
        ring_doorbell(peer.shared, peer.bell);
}

static void wait_for_room(void)
{
    uint64_t bits;
    if (!ring_producer_sleep(&ring))
        must(sys_notification_wait(peer.done, 1, DEADLINE_NEVER, &bits), "wait");
    if (ring.broken)
        must(STATUS_CORRUPT, "ring");
}

/* There is always more to send: it is published when there is no room, or no more. */
static void ring_send(uint32_t repeat)
{
    struct block_request request = {.op = BLOCK_OP_READ};
    for (uint32_t i = 0; i < repeat; i++) {
        request.tag = i;
        while (!ring_put(&ring, &request)) {
            publish();
            wait_for_room();
        }
    }
    publish();
}

/* One at a time comes along, after the consumer has done with the one before. */
static void ring_send_one(uint32_t repeat)
{
    for (uint32_t i = 0; i < repeat; i++) {
        ring_send(1);
        if (ring_room(&ring) != BLOCK_RING_ENTRIES)
            must(STATUS_INVALID, "the consumer is faster");
    }
}

static void measure_ring(const char *name, void (*body)(uint32_t repeat))
{
    handle_t memory;
    char doorbells[40];
    const char *args[] = {"bench", "consumer", NULL};
    must(memory_create(RING_BYTES, MEMORY_COMMIT, &memory), "memory");
    const struct process_cap more = {.name = "ring", .handle = memory};
    ring_open(memory);
    peer = start_peer(args, &more);
    peer.shared->doorbells = 0;
    measure(name, body, REPEAT);
    snprintf(doorbells, sizeof(doorbells), "%s_doorbells", name);
    report(doorbells,
           (peer.shared->doorbells * 1000 + BENCH_ROUNDS * REPEAT / 2) / (BENCH_ROUNDS * REPEAT));
    end_process(peer.process);
    memory_unmap(ring.header, RING_BYTES);
    must(sys_cap_close(memory), "close");
}

void measure_ring_full(const char *name)
{
    measure_ring(name, ring_send);
}

void measure_ring_trickle(const char *name)
{
    measure_ring(name, ring_send_one);
}

/* As a driver does it: a queue for all events, better than its clients, and each place is given back before the request is looked at. */
_Noreturn void ring_consumer(void)
{
    handle_t queue, bell = os_cap("bell"), done = os_cap("done");
    volatile struct shared *shared = shared_page();
    struct block_request request;
    struct event event;
    ring_open(os_cap("ring"));
    must(sys_queue_create(os_self.budget, &queue), "queue");
    must(sys_notification_bind(bell, queue, 0), "bind");
    must(sys_thread_set_priority(os_self.thread, DRIVER_PRIORITY), "priority");
    must(sys_notification_signal(done, 1), "signal");
    for (;;) {
        do {
            while (ring_take(&ring, &request))
                if (ring_release(&ring))
                    ring_doorbell(shared, done);
        } while (ring_consumer_sleep(&ring) && !ring.broken);
        must(sys_queue_wait(queue, DEADLINE_NEVER, &event), "wait");
    }
}
