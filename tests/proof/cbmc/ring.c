/* One side of a descriptor ring whose peer writes anything into the shared header at any time.
 * proves: neither side leaves the ring's memory or trusts the peer's index; a broken ring stays broken; room and content are within its size
 * bounds: up to 8 entries of up to 8 bytes at any index; two operations of either side, each with any header
 * options: --unwind 10
 * fault: lib/ring/ring.c :: s/if \(between > ring->entries\)/if (false)/ :: the peer's index is believed
 * fault: lib/ring/ring.c :: s/index \& \(ring->entries - 1\)/index % (ring->entries + 1)/ :: a descriptor behind the last
 * fault: lib/ring/ring.c :: s/ring_bytes\(entries, entry_bytes\) > memory_bytes/entries * entry_bytes > memory_bytes/ :: the header's bytes are forgotten
 * fault: lib/ring/ring.c :: s/return ring->broken \? ring->entries : between/return between/ :: a broken ring goes on
 */
#include "proof.h"

#include <string.h>
#define memcpy(to, from, bytes) prove_copy(to, from, bytes)
#include "lib/ring/ring.c"

#define ENTRIES_MAX 8u
#define ENTRY_MAX 8u

static union {
    struct ring_header header;
    uint8_t bytes[sizeof(struct ring_header) + ENTRIES_MAX * ENTRY_MAX];
} shared;

static void peer_writes(void)
{
    shared.header.head = any_u32();
    shared.header.tail = any_u32();
    shared.header.producer_sleeps = any_u32();
    shared.header.consumer_sleeps = any_u32();
}

static void produce(struct ring *ring, const uint8_t *descriptor)
{
    uint32_t before = ring->mine;
    bool was_broken = ring->broken;
    uint32_t tail = shared.header.tail;
    bool put = ring_put(ring, descriptor);
    PROVE(ring->mine == before + put, "the index moves by what was put");
    PROVE(!put || (!was_broken && before - tail < ring->entries), "only into room");
    PROVE(put || ring->broken || before - tail == ring->entries, "refused for a reason");
    PROVE(ring->broken == (was_broken || before - tail > ring->entries),
          "broken by nonsense, and for good");
    PROVE(ring_room(ring) <= ring->entries, "room within the size");
    (void)ring_publish(ring);
    PROVE(shared.header.head == ring->mine, "published is what was put");
    bool had_broken = ring->broken;
    PROVE(ring_producer_sleep(ring) || (!had_broken && ring_room(ring) == 0),
          "sleeps only when full");
}

static void consume(struct ring *ring, uint8_t *descriptor)
{
    uint32_t before = ring->mine;
    bool was_broken = ring->broken;
    uint32_t head = shared.header.head;
    bool taken = ring_take(ring, descriptor);
    PROVE(ring->mine == before + taken, "the index moves by what was taken");
    PROVE(!taken || (!was_broken && head - before - 1 < ring->entries), "only what is there");
    PROVE(ring->broken == (was_broken || head - before > ring->entries),
          "broken by nonsense, and for good");
    (void)ring_release(ring);
    PROVE(shared.header.tail == ring->mine, "given back is what was taken");
    PROVE(ring_consumer_sleep(ring) || head == before + taken, "sleeps only when empty");
}

int main(void)
{
    struct ring ring;
    uint8_t descriptor[ENTRY_MAX];
    uint32_t entries = any_u32(), entry_bytes = any_u32();
    size_t bytes = any_below(sizeof(shared) + 1);
    if (!ring_init(&ring, &shared, bytes, entries, entry_bytes))
        return 0;
    PROVE((entries & (entries - 1)) == 0 && entries != 0, "a power of two");
    PROVE((uint64_t)entries * entry_bytes + sizeof(struct ring_header) <= bytes, "fits");
    ASSUME(entries <= ENTRIES_MAX && entry_bytes <= ENTRY_MAX);
    ring.mine = any_u32();
    bool producer = any_bool();
    for (int i = 0; i < 2; i++) {
        peer_writes();
        if (producer)
            produce(&ring, descriptor);
        else
            consume(&ring, descriptor);
    }
    return 0;
}
