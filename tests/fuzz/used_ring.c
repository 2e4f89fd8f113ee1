/* libFuzzer target of lib/virtio and the block driver's requests: a disk that lies, in its structures, its registers, its used ring and all other
 * memory that it can write. What the driver takes is compared with what this file reads in the same ring: each request that it gave ends once
 * at most, with what the device said of it; with the first entry that is none, or has no request, or too long a one, nothing counts any more. */
#include "target.h"

#include <disk.h>
#include <os/clock.h>

#define SECTOR 512u
#define TAKEN_MAX (2u * VIRTQUEUE_SIZE_MAX)

/* What the device has, by number; and of those the ends that are to come, in order. */
static struct {
    bool given;
    uint64_t tag;
    uint32_t op, bytes;
} requests[REQUESTS];
static struct {
    uint64_t tag;
    status_t status;
    uint32_t bytes;
} ends[TAKEN_MAX];
static unsigned ends_expected, ends_seen;
static uint16_t taken; /* entries of the used ring, so far */
static bool broken;

static void completed(uint64_t tag, status_t status, uint32_t bytes)
{
    HOLDS(disk.session == (struct session *)&disk);
    HOLDS(ends_seen < ends_expected);
    HOLDS(ends[ends_seen].tag == tag && ends[ends_seen].status == status &&
          ends[ends_seen].bytes == bytes);
    ends_seen++;
}

static uint32_t get(const uint8_t *at, unsigned bytes)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint32_t)at[i] << 8 * i;
    return value;
}

/* 2.7: descriptors, available ring, used ring, for @entries. */
static uint8_t *used_ring(uint32_t entries)
{
    return (uint8_t *)blk.queue.memory.address + ((16 * entries + 6 + 2 * entries + 3) & ~3u);
}

/* What the driver is to make of the used ring as it is. */
static void look_ahead(void)
{
    const uint8_t *used = used_ring(blk.queue.size);
    uint32_t index = get(used + 2, 2);
    ends_expected = ends_seen = 0;
    while (!broken && taken != index) {
        const uint8_t *entry = used + 4 + 8 * (taken % blk.queue.size);
        uint32_t id = get(entry, 4), written = get(entry + 4, 4);
        uint32_t ahead = (uint16_t)(index - taken);
        broken =
            ahead > blk.queue.size || id >= blk.queue.size || id >= REQUESTS || !requests[id].given;
        if (broken)
            break;
        uint32_t read = requests[id].op == BLOCK_OP_READ ? requests[id].bytes : 0;
        broken = written > UINT64_C(1) + read;
        if (broken)
            break;
        uint8_t said = *disk_status((uint16_t)id);
        bool good = said == 0 && written >= read;
        ends[ends_expected].tag = requests[id].tag;
        ends[ends_expected].status = good ? STATUS_OK : said == 2 ? STATUS_UNSUPPORTED : STATUS_IO;
        ends[ends_expected].bytes = good ? requests[id].bytes : 0;
        ends_expected++;
        requests[id].given = false;
        taken++;
    }
}

static void poll(void)
{
    look_ahead();
    device_poll();
    HOLDS(ends_seen == ends_expected);
    HOLDS(blk.queue.broken == broken);
    HOLDS(!broken || device_is_stuck(0));
}

/* The device reads what it was given: a table in the driver's memory, whose parts that may be written are as many as @op reads, and a byte. */
static void check_chain(uint16_t id, uint32_t op, uint32_t bytes)
{
    const struct virtq_descriptor *given = &blk.queue.descriptors[id];
    HOLDS(given->flags == VIRTQ_INDIRECT && given->bytes % sizeof(*given) == 0);
    uint32_t count = given->bytes / (uint32_t)sizeof(*given), total[2] = {0, 0};
    const struct virtq_descriptor *table = disk_memory(given->address, given->bytes);
    HOLDS(table != NULL && count >= 2);
    for (uint32_t i = 0; i < count; i++) {
        HOLDS((table[i].flags & ~(VIRTQ_NEXT | VIRTQ_DEVICE_WRITES)) == 0);
        HOLDS(((table[i].flags & VIRTQ_NEXT) != 0) == (i + 1 < count));
        HOLDS(i + 1 == count || table[i].next == i + 1);
        total[(table[i].flags & VIRTQ_DEVICE_WRITES) != 0] += table[i].bytes;
    }
    HOLDS(table[0].bytes == 16 && disk_memory(table[0].address, 16) != NULL);
    HOLDS(total[0] == 16 + (op == BLOCK_OP_WRITE ? bytes : 0));
    HOLDS(total[1] == 1 + (op == BLOCK_OP_READ ? bytes : 0));
}

static void submit(uint8_t what, uint8_t size, uint64_t tag)
{
    uint32_t op = what % 3, bytes = op == BLOCK_OP_FLUSH ? 0 : (1u + size) * SECTOR;
    bool room = false;
    for (uint32_t i = 0; i < REQUESTS && i < blk.queue.size; i++)
        room |= !requests[i].given;
    uint16_t id = disk_submit(op, bytes, tag);
    HOLDS((id != UINT16_MAX) == room);
    if (!room)
        return;
    HOLDS(id < REQUESTS && id < blk.queue.size && !requests[id].given);
    requests[id].given = true;
    requests[id].tag = tag;
    requests[id].op = op;
    requests[id].bytes = bytes;
    check_chain(id, op, bytes);
    virtqueue_kick(&blk.queue);
}

/* The request that is the @which-th of those that the device has is over. */
static void finish(uint8_t which, uint8_t said)
{
    uint16_t given[REQUESTS];
    uint32_t count = 0;
    for (uint16_t i = 0; i < REQUESTS; i++)
        if (requests[i].given)
            given[count++] = i;
    if (count == 0)
        return;
    uint16_t id = given[which % count];
    *disk_status(id) = said % 4;
    disk_use(id, 1 + (requests[id].op == BLOCK_OP_READ ? requests[id].bytes : 0));
}

static void overwrite(uint8_t *at, size_t bytes, const uint8_t *step)
{
    at[(step[1] * 256u + step[2]) % bytes] = step[3];
}

static void run(const uint8_t *step, uint64_t tag)
{
    switch (step[0] % 8) {
    case 0:
    case 1:
        submit(step[1], step[2], tag);
        break;
    case 2:
        finish(step[1], step[2]);
        break;
    case 3: /* an entry of its own making */
        disk_use(step[1], step[2] * SECTOR + step[3]);
        break;
    case 4: /* the index */
        used_ring(blk.queue.size)[2 + step[1] % 2] = step[3];
        break;
    case 5: /* any byte of the used ring; of the rest the driver believes none */
        overwrite(used_ring(blk.queue.size), 6 + 8u * blk.queue.size, step);
        break;
    case 6:
        overwrite(disk.window, DISK_WINDOW_BYTES, step);
        break;
    default:
        poll();
    }
}

/* The queue alone, whose heads nobody else counts. */
static void run_queue(const uint8_t *data, size_t size)
{
    static bool given[VIRTQUEUE_SIZE_MAX];
    struct virtqueue *queue = &blk.queue;
    uint16_t head;
    uint32_t bytes;
    memset(given, 0, sizeof(given));
    for (size_t at = 0; at + 4 <= size; at += 4) {
        const uint8_t *step = data + at, *used = used_ring(queue->size);
        switch (step[0] % 4) {
        case 0:
            head = step[1] % queue->size;
            if (!given[head])
                virtqueue_add(queue, head);
            given[head] = true;
            break;
        case 1:
            disk_use(step[1], step[2]);
            break;
        case 2:
            overwrite(used_ring(queue->size), 6 + 8u * queue->size, step);
            break;
        default:
            used += 4 + 8 * (taken % queue->size);
            uint16_t ahead = (uint16_t)(get(used_ring(queue->size) + 2, 2) - taken);
            uint32_t id = get(used, 4);
            broken |= ahead > queue->size || (ahead != 0 && (id >= queue->size || !given[id]));
            bool there = virtqueue_take(queue, &head, &bytes);
            HOLDS(there == (ahead != 0 && !broken) && queue->broken == broken);
            if (!there)
                break;
            HOLDS(head == id && bytes == get(used + 4, 4));
            given[head] = false;
            taken++;
        }
    }
}

static void run_disk(const uint8_t *data, size_t size)
{
    for (size_t at = 0; at + 4 <= size; at += 4)
        run(data + at, 1 + at / 4);
    poll();
}

static bool is_aligned(const volatile void *at, uintptr_t bytes)
{
    return (uintptr_t)at % bytes == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t at = 2, lies = data[1] % 8;
    memset(requests, 0, sizeof(requests));
    taken = 0;
    broken = false;
    disk_create((uint16_t)(1u << data[0] % 9));
    disk.completed = completed;
    for (; lies > 0 && at + 3 <= size; lies--, at += 3) { /* before the driver comes */
        if (data[at] % 2 == 0)
            disk.info.config[data[at + 1]] = data[at + 2];
        else
            disk.window[data[at + 1] % DISK_WINDOW_BYTES] = data[at + 2];
    }
    if (device_start() == STATUS_OK) {
        HOLDS(is_aligned(blk.virtio.common, 4) && is_aligned(blk.virtio.config, 4));
        HOLDS(is_aligned(blk.queue.notify, 2));
        (data[0] < 128 ? run_disk : run_queue)(data + at, size - at);
    }
    disk_destroy();
    return 0;
}
