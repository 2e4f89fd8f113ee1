#pragma once
/* A virtio disk whose registers, descriptors and rings are plain memory, for lib/virtio and drivers/block/virtio-blk without a system: the unit tests, and
 * tests/fuzz/used_ring.c. A register holds what was written last. What the driver asks of the system is here too. */
#include <blk.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where its structures lie in window 0, and their capabilities in configuration space (VIRTIO 1.2, 4.1.4). */
enum { DISK_COMMON = 0, DISK_NOTIFY = 64, DISK_CONFIG = 72, DISK_WINDOW_BYTES = 128 };
enum { DISK_COMMON_CAP = 0x40, DISK_NOTIFY_CAP = 0x50, DISK_CONFIG_CAP = 0x64 };

struct disk {
    struct device_info info;
    uint8_t *window; /* DISK_WINDOW_BYTES */
    uint64_t now_ns;
    /** How often the driver ended a request, and the last one. */
    unsigned completions;
    struct session *session;
    uint64_t tag;
    status_t status;
    uint32_t bytes;
    /** Each request's end, as it comes; NULL: none is called. */
    void (*completed)(uint64_t tag, status_t status, uint32_t bytes);
};

extern struct disk disk;

/** A disk of @entries queue entries that is switched on, before its driver is. */
void disk_create(uint16_t entries);
/** It is gone, with all that its driver had for it. */
void disk_destroy(void);
/** The driver's memory at bus address @bus if @bytes there are in one piece of it, else NULL. */
void *disk_memory(uint64_t bus, size_t bytes);
/** A request of @bytes (flush: 0) is given to the driver's device: its number. UINT16_MAX: there is no room. */
uint16_t disk_submit(uint32_t op, uint32_t bytes, uint64_t tag);
/** The device puts {@id, @written} next into the used ring. */
void disk_use(uint32_t id, uint32_t written);
/** Its status byte of request @id. */
uint8_t *disk_status(uint16_t id);
