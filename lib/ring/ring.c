/* See ring.h. Orderings: descriptors are written before the head is stored with release, read after it is loaded with acquire; places are
 * given back (tail, release) after the copy. */
#include <ring/ring.h>
#include <string.h>

bool ring_init(struct ring *ring, void *memory, size_t memory_bytes, uint32_t entries,
               uint32_t entry_bytes)
{
    if (entries == 0 || entries > 65536 || (entries & (entries - 1)) != 0 || entry_bytes == 0 ||
        entry_bytes > 4096)
        return false;
    if (ring_bytes(entries, entry_bytes) > memory_bytes)
        return false;
    *ring = (struct ring){
        .header = memory,
        .descriptors = (uint8_t *)memory + sizeof(struct ring_header),
        .entries = entries,
        .entry_bytes = entry_bytes,
    };
    return true;
}

static uint8_t *descriptor_at(const struct ring *ring, uint32_t index)
{
    return ring->descriptors + (size_t)(index & (ring->entries - 1)) * ring->entry_bytes;
}

/* How far apart the indices are; a difference beyond the size breaks the ring for good. */
static uint32_t distance(struct ring *ring, uint32_t head, uint32_t tail)
{
    uint32_t between = head - tail;
    if (between > ring->entries)
        ring->broken = true;
    return ring->broken ? ring->entries : between;
}

uint32_t ring_room(struct ring *ring)
{
    uint32_t tail = __atomic_load_n(&ring->header->tail, __ATOMIC_ACQUIRE);
    return ring->entries - distance(ring, ring->mine, tail);
}

bool ring_put(struct ring *ring, const void *descriptor)
{
    if (ring_room(ring) == 0)
        return false;
    memcpy(descriptor_at(ring, ring->mine), descriptor, ring->entry_bytes);
    ring->mine++;
    return true;
}

bool ring_publish(struct ring *ring)
{
    __atomic_store_n(&ring->header->head, ring->mine, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&ring->header->consumer_sleeps, __ATOMIC_RELAXED) == 0)
        return false;
    __atomic_store_n(&ring->header->consumer_sleeps, 0, __ATOMIC_RELAXED);
    return true;
}

bool ring_producer_sleep(struct ring *ring)
{
    __atomic_store_n(&ring->header->producer_sleeps, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (ring_room(ring) == 0)
        return ring->broken;
    __atomic_store_n(&ring->header->producer_sleeps, 0, __ATOMIC_RELAXED);
    return true;
}

static bool is_empty(struct ring *ring)
{
    uint32_t head = __atomic_load_n(&ring->header->head, __ATOMIC_ACQUIRE);
    return distance(ring, head, ring->mine) == 0 || ring->broken;
}

bool ring_take(struct ring *ring, void *descriptor)
{
    if (is_empty(ring))
        return false;
    memcpy(descriptor, descriptor_at(ring, ring->mine), ring->entry_bytes);
    ring->mine++;
    return true;
}

bool ring_release(struct ring *ring)
{
    __atomic_store_n(&ring->header->tail, ring->mine, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&ring->header->producer_sleeps, __ATOMIC_RELAXED) == 0)
        return false;
    __atomic_store_n(&ring->header->producer_sleeps, 0, __ATOMIC_RELAXED);
    return true;
}

bool ring_consumer_sleep(struct ring *ring)
{
    __atomic_store_n(&ring->header->consumer_sleeps, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (is_empty(ring))
        return ring->broken;
    __atomic_store_n(&ring->header->consumer_sleeps, 0, __ATOMIC_RELAXED);
    return true;
}
