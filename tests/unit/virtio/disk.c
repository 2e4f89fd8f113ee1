#include "disk.h"

#include <os/clock.h>
#include <stdlib.h>
#include <string.h>

#define PIECES 4u
/* Bus addresses are those of no process: nothing is looked up there by mistake. */
#define BUS_BASE UINT64_C(0x4000000000)
#define BUS_STEP UINT64_C(0x1000000)
/* VERSION_1, and by the same bits of the low half: INDIRECT_DESC, SEG_MAX, BLK_SIZE, FLUSH. */
#define FEATURES (1u | 1u << 28 | 1u << 2 | 1u << 6 | 1u << 9)
#define BLOCK 512u
#define BLOCKS 4096u

struct disk disk;
struct blk blk;
static struct {
    uint8_t *at;
    size_t bytes;
} pieces[PIECES];
static uint32_t piece_count;

/* ── What the driver asks of the system ──────────────────────────────────────────────────────────────────────────── */

status_t driver_open(struct driver_device *device)
{
    *device = (struct driver_device){.info = &disk.info, .windows = {disk.window}};
    return STATUS_OK;
}

status_t driver_dma_allocate(const struct driver_device *device, size_t bytes,
                             struct dma_buffer *buffer)
{
    (void)device;
    if (piece_count == PIECES)
        return STATUS_NO_MEMORY;
    size_t room = (bytes + 63) & ~(size_t)63;
    uint8_t *at = aligned_alloc(64, room);
    if (at == NULL)
        abort();
    memset(at, 0, room);
    pieces[piece_count].at = at;
    pieces[piece_count].bytes = bytes;
    *buffer = (struct dma_buffer){.address = at,
                                  .bus = BUS_BASE + piece_count * BUS_STEP,
                                  .bytes = bytes};
    piece_count++;
    return STATUS_OK;
}

uint64_t clock_deadline(uint64_t ns)
{
    return disk.now_ns + ns;
}

void clock_sleep(uint64_t ns)
{
    disk.now_ns += ns;
}

void session_complete(struct session *session, uint64_t tag, status_t status, uint32_t bytes)
{
    disk.completions++;
    disk.session = session;
    disk.tag = tag;
    disk.status = status;
    disk.bytes = bytes;
    if (disk.completed != NULL)
        disk.completed(tag, status, bytes);
}

/* ── The device ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/* A vendor capability at @at, before the one at @next. */
static void capability(uint32_t at, uint32_t next, uint32_t kind, uint32_t offset, uint32_t bytes)
{
    uint8_t *cap = &disk.info.config[at];
    cap[0] = 9;
    cap[1] = (uint8_t)next;
    cap[2] = 20;
    cap[3] = (uint8_t)kind;
    put(cap + 8, offset, 4);
    put(cap + 12, bytes, 4);
}

void disk_create(uint16_t entries)
{
    disk = (struct disk){.info = {.irqs = 1, .irq_kind = IRQ_MESSAGE}};
    blk = (struct blk){.endpoint = HANDLE_NONE};
    disk.window = aligned_alloc(64, DISK_WINDOW_BYTES);
    if (disk.window == NULL)
        abort();
    memset(disk.window, 0, DISK_WINDOW_BYTES);
    disk.info.windows[0] =
        (struct device_window){.bytes = DISK_WINDOW_BYTES, .kind = WINDOW_MEMORY};
    disk.info.config[0x34] = DISK_COMMON_CAP;
    capability(DISK_COMMON_CAP, DISK_NOTIFY_CAP, 1, DISK_COMMON, 56);
    capability(DISK_NOTIFY_CAP, DISK_CONFIG_CAP, 2, DISK_NOTIFY, 8);
    capability(DISK_CONFIG_CAP, 0, 4, DISK_CONFIG, 24);
    put(disk.window + DISK_COMMON + 4, FEATURES, 4);
    put(disk.window + DISK_COMMON + 24, entries, 2);
    put(disk.window + DISK_CONFIG, BLOCKS, 8);
    put(disk.window + DISK_CONFIG + 12, SEGMENTS_MAX, 4);
    put(disk.window + DISK_CONFIG + 20, BLOCK, 4);
}

void disk_destroy(void)
{
    while (piece_count > 0)
        free(pieces[--piece_count].at);
    free(disk.window);
    disk.window = NULL;
}

void *disk_memory(uint64_t bus, size_t bytes)
{
    uint64_t piece = (bus - BUS_BASE) / BUS_STEP, offset = (bus - BUS_BASE) % BUS_STEP;
    if (bus < BUS_BASE || piece >= piece_count || offset > pieces[piece].bytes ||
        bytes > pieces[piece].bytes - offset)
        return NULL;
    return pieces[piece].at + offset;
}

uint16_t disk_submit(uint32_t op, uint32_t bytes, uint64_t tag)
{
    struct segment segments[SEGMENTS_MAX];
    uint32_t count = 0;
    struct request *r = device_request();
    if (r == NULL)
        return UINT16_MAX;
    for (uint32_t done = 0; done < bytes && count < SEGMENTS_MAX; count++) {
        uint32_t part = bytes - done < PAGE_SIZE ? bytes - done : (uint32_t)PAGE_SIZE;
        segments[count] = (struct segment){.bus = done * 2u, .bytes = part};
        done += part;
    }
    *r = (struct request){.session = (struct session *)&disk, .tag = tag, .bytes = bytes, .op = op};
    device_submit(r, tag * BLOCK, segments, count);
    return (uint16_t)(r - blk.requests);
}

void disk_use(uint32_t id, uint32_t written)
{
    uint8_t *used = (uint8_t *)blk.queue.memory.address +
                    ((16u * blk.queue.size + 6 + 2u * blk.queue.size + 3) & ~3u);
    uint16_t index = (uint16_t)(used[2] | used[3] << 8);
    put(used + 4 + 8u * (index % blk.queue.size), id, 4);
    put(used + 8 + 8u * (index % blk.queue.size), written, 4);
    put(used + 2, (uint16_t)(index + 1), 2);
}

/* Of its chain, the last one (5.2.6). */
uint8_t *disk_status(uint16_t id)
{
    const struct virtq_descriptor *given = &blk.queue.descriptors[id];
    const struct virtq_descriptor *table = disk_memory(given->address, given->bytes);
    if (table == NULL || given->bytes < 2 * sizeof(*table))
        abort();
    uint8_t *status = disk_memory(table[given->bytes / sizeof(*table) - 1].address, 1);
    if (status == NULL)
        abort();
    return status;
}
