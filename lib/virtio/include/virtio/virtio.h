#pragma once
/* Virtio devices on PCI, modern interface only ("Virtual I/O Device (VIRTIO) Version 1.2", 4.1), with split virtqueues (2.7).
 *
 * The device is not trusted: what it writes into a used ring is checked against what was given to it. */
#include <driver/driver.h>

#define VIRTIO_F_VERSION_1 (UINT64_C(1) << 32)
#define VIRTIO_F_INDIRECT_DESC (UINT64_C(1) << 28)
#define VIRTQUEUE_SIZE_MAX 128u

struct virtio {
    struct driver_device *device;
    volatile uint8_t *common, *config; /* 4.1.4.3, 4.1.4.6 */
    volatile uint8_t *isr;             /* 4.1.4.5; there if the device interrupts by its line */
    uint64_t config_bytes;
    uint32_t notify_window, notify_multiplier;
    uint64_t notify_offset, notify_bytes;
    uint64_t features;
};

/** 2.7.5: a descriptor. */
struct virtq_descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags, next;
};
#define VIRTQ_NEXT 1u
#define VIRTQ_DEVICE_WRITES 2u
#define VIRTQ_INDIRECT 4u

struct virtqueue {
    struct virtio *virtio;
    struct dma_buffer memory;
    uint16_t size, index;
    struct virtq_descriptor *descriptors;
    volatile uint16_t *available, *used; /* flags, index, ring … */
    volatile uint16_t *notify;
    uint16_t next_available, last_used;
    bool in_use[VIRTQUEUE_SIZE_MAX]; /* given to the device */
    bool broken;
};

/** Find the structures, reset the device, agree on @wanted features (those it offers; VERSION_1 is required). UNSUPPORTED, CORRUPT. */
MUST_CHECK status_t virtio_open(struct virtio *virtio, struct driver_device *device,
                                uint64_t wanted);
/** Set up queue @index with interrupt @irq (an entry of the MSI-X table; where the device has its line all share it). NOT_FOUND: the device has no such queue. */
MUST_CHECK status_t virtio_queue_open(struct virtio *virtio, struct virtqueue *queue,
                                      uint16_t index, uint16_t irq);
/** DRIVER_OK: the device runs. */
void virtio_start(struct virtio *virtio);
/** An interrupt came: if by the device's line, have it let go of it (4.1.4.5: reading the status does). Before its queues are looked at and
 *  the interrupt is acknowledged. The line may be another device's just as well. */
void virtio_quiet_line(const struct virtio *virtio);
/** The device asked for a reset (2.1.1, DEVICE_NEEDS_RESET). */
bool virtio_needs_reset(const struct virtio *virtio);

/** Make head descriptor @head, which the caller has filled, available to the device. */
void virtqueue_add(struct virtqueue *queue, uint16_t head);
/** Tell the device about what was added, if it wants to know. */
void virtqueue_kick(struct virtqueue *queue);
/** The next head that the device has finished, and the bytes it wrote. False: none; or the queue is `broken`. */
bool virtqueue_take(struct virtqueue *queue, uint16_t *head, uint32_t *bytes);
