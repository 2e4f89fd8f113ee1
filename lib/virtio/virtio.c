/* See virtio.h. Numbers in comments are sections of VIRTIO 1.2. */
#include <arch_device.h>
#include <os/clock.h>
#include <string.h>
#include <virtio/virtio.h>

/* 4.1.4.3: offsets in the common configuration structure. */
enum {
    DEVICE_FEATURE_SELECT = 0,
    DEVICE_FEATURE = 4,
    DRIVER_FEATURE_SELECT = 8,
    DRIVER_FEATURE = 12,
    DEVICE_STATUS = 20,
    QUEUE_SELECT = 22,
    QUEUE_SIZE = 24,
    QUEUE_MSIX_VECTOR = 26,
    QUEUE_ENABLE = 28,
    QUEUE_NOTIFY_OFF = 30,
    QUEUE_DESC = 32,
    QUEUE_DRIVER = 40,
    QUEUE_DEVICE = 48,
    COMMON_BYTES = 56,
};
/* 2.1 */
enum {
    ACKNOWLEDGE = 1,
    DRIVER = 2,
    DRIVER_OK = 4,
    FEATURES_OK = 8,
    NEEDS_RESET = 64,
    FAILED = 128
};
/* 4.1.4: types of structures. */
enum { CFG_COMMON = 1, CFG_NOTIFY = 2, CFG_ISR = 3, CFG_DEVICE = 4 };
#define CAP_VENDOR 9u
#define USED_NO_NOTIFY 1u

static bool is_aligned(const volatile void *registers, uintptr_t bytes)
{
    return (uintptr_t)registers % bytes == 0;
}

/* A vendor capability (4.1.4): cfg_type at 3, bar at 4, offset at 8, length at 12. Common and device configuration are aligned to 4 bytes (4.1.4.3.1,
 * 4.1.4.6.1): accesses to registers that are not would be faults on some machines. */
static void take_structure(struct virtio *v, uint32_t at)
{
    const struct device_info *info = v->device->info;
    uint32_t bar = info->config[at + 4], offset = driver_config32(info, at + 8),
             length = driver_config32(info, at + 12);
    volatile uint8_t *mapped = driver_registers(v->device, bar, offset, length);
    if (mapped == NULL)
        return;
    switch (info->config[at + 3]) {
    case CFG_COMMON:
        if (length >= COMMON_BYTES && is_aligned(mapped, 4) && v->common == NULL)
            v->common = mapped;
        break;
    case CFG_NOTIFY:
        v->notify_window = bar;
        v->notify_offset = offset;
        v->notify_bytes = length;
        v->notify_multiplier = driver_config32(info, at + 16);
        break;
    case CFG_ISR:
        v->isr = length >= 1 ? mapped : v->isr;
        break;
    case CFG_DEVICE:
        if (is_aligned(mapped, 4)) {
            v->config = mapped;
            v->config_bytes = length;
        }
        break;
    default:
        break;
    }
}

static status_t find_structures(struct virtio *v)
{
    uint32_t at = 0;
    for (uint32_t steps = 0;
         steps < 16 && (at = driver_pci_capability(v->device->info, CAP_VENDOR, at)) != 0; steps++)
        if (at <= DEVICE_CONFIG_BYTES - 20)
            take_structure(v, at);
    bool has_isr = v->device->info->irq_kind == IRQ_MESSAGE || v->isr != NULL;
    return v->common != NULL && v->notify_bytes != 0 && has_isr ? STATUS_OK : STATUS_UNSUPPORTED;
}

static void status_add(struct virtio *v, uint8_t bits)
{
    mmio_write8(v->common + DEVICE_STATUS, mmio_read8(v->common + DEVICE_STATUS) | bits);
}

static uint64_t offered(struct virtio *v)
{
    mmio_write32(v->common + DEVICE_FEATURE_SELECT, 0);
    uint64_t low = mmio_read32(v->common + DEVICE_FEATURE);
    mmio_write32(v->common + DEVICE_FEATURE_SELECT, 1);
    return low | (uint64_t)mmio_read32(v->common + DEVICE_FEATURE) << 32;
}

/* 3.1.1: the order of initialisation. */
status_t virtio_open(struct virtio *v, struct driver_device *device, uint64_t wanted)
{
    *v = (struct virtio){.device = device};
    status_t status = find_structures(v);
    if (status != STATUS_OK)
        return status;
    mmio_write8(v->common + DEVICE_STATUS, 0);
    for (uint32_t tries = 0; mmio_read8(v->common + DEVICE_STATUS) != 0; tries++) {
        if (tries == 100)
            return STATUS_IO;
        clock_sleep(NS_PER_MS);
    }
    status_add(v, ACKNOWLEDGE);
    status_add(v, DRIVER);
    v->features = offered(v) & (wanted | VIRTIO_F_VERSION_1);
    mmio_write32(v->common + DRIVER_FEATURE_SELECT, 0);
    mmio_write32(v->common + DRIVER_FEATURE, (uint32_t)v->features);
    mmio_write32(v->common + DRIVER_FEATURE_SELECT, 1);
    mmio_write32(v->common + DRIVER_FEATURE, (uint32_t)(v->features >> 32));
    status_add(v, FEATURES_OK);
    if ((v->features & VIRTIO_F_VERSION_1) == 0 ||
        (mmio_read8(v->common + DEVICE_STATUS) & FEATURES_OK) == 0) {
        status_add(v, FAILED);
        return STATUS_UNSUPPORTED;
    }
    return STATUS_OK;
}

static void write_address(struct virtio *v, uint32_t offset, uint64_t address)
{
    mmio_write32(v->common + offset, (uint32_t)address);
    mmio_write32(v->common + offset + 4, (uint32_t)(address >> 32));
}

/* 4.1.5.1.2.2: false if the device could not map the vector. Its line needs none. */
static bool map_vector(struct virtio *v, uint16_t irq)
{
    if (v->device->info->irq_kind != IRQ_MESSAGE)
        return true;
    mmio_write16(v->common + QUEUE_MSIX_VECTOR, irq);
    return mmio_read16(v->common + QUEUE_MSIX_VECTOR) == irq;
}

/* The three parts in one contiguous buffer: descriptors (16 bytes each), available ring, used ring at the next multiple of 4 (2.7). */
status_t virtio_queue_open(struct virtio *v, struct virtqueue *q, uint16_t index, uint16_t irq)
{
    *q = (struct virtqueue){.virtio = v, .index = index};
    mmio_write16(v->common + QUEUE_SELECT, index);
    uint16_t size = mmio_read16(v->common + QUEUE_SIZE);
    if (size == 0)
        return STATUS_NOT_FOUND;
    q->size = size < VIRTQUEUE_SIZE_MAX ? size : VIRTQUEUE_SIZE_MAX;
    if ((q->size & (q->size - 1)) != 0)
        return STATUS_CORRUPT;
    size_t available_at = 16u * q->size, used_at = (available_at + 6 + 2u * q->size + 3) & ~3u;
    status_t status = driver_dma_allocate(v->device, used_at + 6 + 8u * q->size, &q->memory);
    if (status != STATUS_OK)
        return status;
    uint64_t notify_at = v->notify_offset +
                         (uint64_t)mmio_read16(v->common + QUEUE_NOTIFY_OFF) * v->notify_multiplier;
    q->notify = (volatile uint16_t *)driver_registers(v->device, v->notify_window, notify_at, 2);
    if (q->notify == NULL || !is_aligned(q->notify, 2))
        return STATUS_CORRUPT;
    q->descriptors = q->memory.address;
    q->available = (volatile uint16_t *)(void *)((uint8_t *)q->memory.address + available_at);
    q->used = (volatile uint16_t *)(void *)((uint8_t *)q->memory.address + used_at);
    mmio_write16(v->common + QUEUE_SIZE, q->size);
    if (!map_vector(v, irq))
        return STATUS_NO_MEMORY;
    write_address(v, QUEUE_DESC, q->memory.bus);
    write_address(v, QUEUE_DRIVER, q->memory.bus + available_at);
    write_address(v, QUEUE_DEVICE, q->memory.bus + used_at);
    mmio_write16(v->common + QUEUE_ENABLE, 1);
    return STATUS_OK;
}

void virtio_start(struct virtio *v)
{
    status_add(v, DRIVER_OK);
}

void virtio_quiet_line(const struct virtio *v)
{
    if (v->device->info->irq_kind == IRQ_LINE)
        (void)mmio_read8(v->isr);
}

bool virtio_needs_reset(const struct virtio *v)
{
    return (mmio_read8(v->common + DEVICE_STATUS) & NEEDS_RESET) != 0;
}

/* 2.7.13: the entry first, then, after a barrier, the index. */
void virtqueue_add(struct virtqueue *q, uint16_t head)
{
    q->in_use[head] = true;
    q->available[2 + (q->next_available & (q->size - 1))] = head;
    q->next_available++;
    __atomic_store_n(&q->available[1], q->next_available, __ATOMIC_RELEASE);
}

void virtqueue_kick(struct virtqueue *q)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if ((q->used[0] & USED_NO_NOTIFY) != 0)
        return;
    device_fence();
    *q->notify = q->index;
}

bool virtqueue_take(struct virtqueue *q, uint16_t *head, uint32_t *bytes)
{
    uint16_t used = __atomic_load_n(&q->used[1], __ATOMIC_ACQUIRE);
    if (q->broken || used == q->last_used)
        return false;
    const volatile uint32_t *entry = (const volatile uint32_t *)(const volatile void *)&q
                                         ->used[2 + 4 * (q->last_used & (q->size - 1))];
    uint32_t id = entry[0];
    *bytes = entry[1];
    if ((uint16_t)(used - q->last_used) > q->size || id >= q->size || !q->in_use[id]) {
        q->broken = true;
        return false;
    }
    q->last_used++;
    q->in_use[id] = false;
    *head = (uint16_t)id;
    return true;
}
