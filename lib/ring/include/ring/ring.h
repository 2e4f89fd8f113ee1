#pragma once
/* Descriptor rings: single producer, single consumer, over shared memory.
 *
 * A ring is a header and @entries (a power of two) descriptors of one size. Indices are 32 bits, run freely and are compared by unsigned
 * difference, so full and empty differ. Each index has a cache line of its own. The peer is not trusted: its index is read once and believed
 * only within the ring's size, and a descriptor is copied out before it is looked at.
 *
 * Doorbells ring only when they must: the consumer, before it waits, announces that it sleeps (ring_consumer_sleep) and looks again; the producer,
 * having published, rings only if the consumer announced (ring_publish returns true). Sequentially consistent fences on both sides make
 * one of the two see the other (store buffering). The same holds the other way round for a producer that waits for room. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The shared header; descriptors follow it. */
struct ring_header {
    uint32_t head; /* produced; the producer writes */
    uint32_t producer_sleeps;
    uint8_t pad0[56];
    uint32_t tail; /* consumed; the consumer writes */
    uint32_t consumer_sleeps;
    uint8_t pad1[56];
};
_Static_assert(sizeof(struct ring_header) == 128, "two cache lines");

/** One side's private view. */
struct ring {
    struct ring_header *header;
    uint8_t *descriptors;
    uint32_t entries, entry_bytes;
    uint32_t mine; /* own index, not read back from shared memory */
    bool broken;   /* the peer's index made no sense */
};

/** Bytes of shared memory for @entries descriptors of @entry_bytes. */
static inline size_t ring_bytes(uint32_t entries, uint32_t entry_bytes)
{
    return sizeof(struct ring_header) + (size_t)entries * entry_bytes;
}

/** The view of a fresh ring (zeroed memory). @entries is a power of two up to 65536; false otherwise. */
bool ring_init(struct ring *ring, void *memory, size_t memory_bytes, uint32_t entries,
               uint32_t entry_bytes);

/** Producer: room for how many descriptors (0 when full or broken). */
uint32_t ring_room(struct ring *ring);
/** Producer: put a descriptor; false when full or broken. Visible to the consumer after ring_publish(). */
bool ring_put(struct ring *ring, const void *descriptor);
/** Producer: make all that was put visible. True: the consumer sleeps, ring its doorbell. */
bool ring_publish(struct ring *ring);
/** Producer, when full: announce the wait for room. True: there is room by now, do not wait. */
bool ring_producer_sleep(struct ring *ring);

/** Consumer: take a descriptor (a private copy); false when empty or broken. */
bool ring_take(struct ring *ring, void *descriptor);
/** Consumer: give the taken places back. True: the producer waits for room, ring its doorbell. */
bool ring_release(struct ring *ring);
/** Consumer, when empty: announce the wait. True: something came meanwhile, do not wait. */
bool ring_consumer_sleep(struct ring *ring);
