/* The device: VIRTIO 1.2, 5.2. Request i uses descriptor i of the ring, which points to a table of its own (indirect descriptors, 2.7.5.3):
 * header, data segments, status byte. */
#include "blk.h"

#include <os/clock.h>
#include <os/log.h>
#include <string.h>

/* 5.2.3 */
#define F_SIZE_MAX (UINT64_C(1) << 1)
#define F_SEG_MAX (UINT64_C(1) << 2)
#define F_RO (UINT64_C(1) << 5)
#define F_BLK_SIZE (UINT64_C(1) << 6)
#define F_FLUSH (UINT64_C(1) << 9)
/* 5.2.4: offsets in the device's configuration. */
enum { CONFIG_CAPACITY = 0, CONFIG_SEG_MAX = 12, CONFIG_BLK_SIZE = 20 };
/* 5.2.6 */
enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4 };
#define SECTOR 512u
#define REQUEST_DEADLINE_NS (10 * NS_PER_S)

/** What one request needs in DMA memory. */
struct header {
    uint32_t type, reserved;
    uint64_t sector;
    uint8_t status, pad[15];
    struct virtq_descriptor table[SEGMENTS_MAX + 2];
};

static struct header *header_of(const struct request *r)
{
    return (struct header *)blk.headers.address + (r - blk.requests);
}

static status_t read_config(void)
{
    const volatile uint8_t *config = blk.virtio.config;
    if (config == NULL || blk.virtio.config_bytes < 24)
        return STATUS_UNSUPPORTED;
    uint64_t sectors = mmio_read32(config + CONFIG_CAPACITY) |
                       (uint64_t)mmio_read32(config + CONFIG_CAPACITY + 4) << 32;
    uint32_t block =
        (blk.virtio.features & F_BLK_SIZE) != 0 ? mmio_read32(config + CONFIG_BLK_SIZE) : SECTOR;
    if (sectors > UINT64_MAX / SECTOR || block < SECTOR || block > PAGE_SIZE ||
        (block & (block - 1)) != 0)
        return STATUS_CORRUPT;
    blk.info = (struct block_info){
        .bytes = sectors * SECTOR / block * block,
        .block_bytes = block,
        .flags = ((blk.virtio.features & F_RO) != 0 ? BLOCK_DEVICE_READ_ONLY : 0) |
                 ((blk.virtio.features & F_FLUSH) != 0 ? BLOCK_DEVICE_FLUSH : 0),
        .preferred_bytes = BLOCK_REQUEST_BYTES,
    };
    blk.segments_max =
        (blk.virtio.features & F_SEG_MAX) != 0 ? mmio_read32(config + CONFIG_SEG_MAX) : 1;
    return blk.segments_max == 0 ? STATUS_CORRUPT : STATUS_OK;
}

status_t device_start(void)
{
    status_t status = driver_open(&blk.device);
    if (status == STATUS_OK)
        status = virtio_open(&blk.virtio, &blk.device,
                             VIRTIO_F_INDIRECT_DESC | F_SEG_MAX | F_RO | F_BLK_SIZE | F_FLUSH);
    if (status == STATUS_OK &&
        ((blk.virtio.features & VIRTIO_F_INDIRECT_DESC) == 0 || blk.device.info->irqs == 0))
        status = STATUS_UNSUPPORTED;
    if (status == STATUS_OK)
        status = read_config();
    if (status == STATUS_OK)
        status = virtio_queue_open(&blk.virtio, &blk.queue, 0, 0);
    if (status == STATUS_OK)
        status = driver_dma_allocate(&blk.device, REQUESTS * sizeof(struct header), &blk.headers);
    if (status == STATUS_OK)
        virtio_start(&blk.virtio);
    return status;
}

struct request *device_request(void)
{
    for (uint32_t i = 0; i < REQUESTS && i < blk.queue.size; i++)
        if (!blk.requests[i].busy)
            return &blk.requests[i];
    return NULL;
}

void device_submit(struct request *r, uint64_t offset, const struct segment *segments,
                   uint32_t count)
{
    static const uint32_t types[] = {
        [BLOCK_OP_READ] = TYPE_IN, [BLOCK_OP_WRITE] = TYPE_OUT, [BLOCK_OP_FLUSH] = TYPE_FLUSH};
    struct header *h = header_of(r);
    uint16_t index = (uint16_t)(r - blk.requests);
    uint64_t bus = blk.headers.bus + index * sizeof(struct header);
    h->type = types[r->op];
    h->reserved = 0;
    h->sector = offset / SECTOR;
    h->status = 0xff;
    h->table[0] =
        (struct virtq_descriptor){.address = bus, .bytes = 16, .flags = VIRTQ_NEXT, .next = 1};
    for (uint32_t i = 0; i < count; i++)
        h->table[i + 1] = (struct virtq_descriptor){
            .address = segments[i].bus,
            .bytes = segments[i].bytes,
            .flags = VIRTQ_NEXT | (r->op == BLOCK_OP_READ ? VIRTQ_DEVICE_WRITES : 0),
            .next = (uint16_t)(i + 2),
        };
    h->table[count + 1] =
        (struct virtq_descriptor){.address = bus + offsetof(struct header, status),
                                  .bytes = 1,
                                  .flags = VIRTQ_DEVICE_WRITES};
    blk.queue.descriptors[index] = (struct virtq_descriptor){
        .address = bus + offsetof(struct header, table),
        .bytes = (uint32_t)((count + 2) * sizeof(struct virtq_descriptor)),
        .flags = VIRTQ_INDIRECT,
    };
    r->busy = true;
    r->deadline_ns = clock_deadline(REQUEST_DEADLINE_NS);
    virtqueue_add(&blk.queue, index);
}

/* 5.2.6: status 0 OK, 1 I/O error, 2 unsupported. */
static status_t outcome(uint8_t status)
{
    return status == 0 ? STATUS_OK : status == 2 ? STATUS_UNSUPPORTED : STATUS_IO;
}

/* What the device may write of a request: what is read, and the status byte. */
static uint64_t writable_bytes(const struct request *r)
{
    return (r->op == BLOCK_OP_READ ? r->bytes : 0) + UINT64_C(1);
}

void device_poll(void)
{
    uint16_t head;
    uint32_t written;
    while (virtqueue_take(&blk.queue, &head, &written)) {
        struct request *r = &blk.requests[head % REQUESTS];
        if (head >= REQUESTS || !r->busy || written > writable_bytes(r)) {
            blk.queue.broken = true;
            return;
        }
        status_t status = outcome(header_of(r)->status);
        if (status == STATUS_OK && r->op == BLOCK_OP_READ && written < r->bytes)
            status = STATUS_IO;
        r->busy = false;
        if (r->session != NULL)
            session_complete(r->session, r->tag, status, status == STATUS_OK ? r->bytes : 0);
        r->session = NULL;
    }
}

bool device_is_stuck(uint64_t now_ns)
{
    if (blk.queue.broken || virtio_needs_reset(&blk.virtio))
        return true;
    for (uint32_t i = 0; i < REQUESTS; i++)
        if (blk.requests[i].busy && blk.requests[i].deadline_ns < now_ns)
            return true;
    return false;
}
