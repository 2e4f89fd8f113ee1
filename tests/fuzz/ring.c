/* libFuzzer target of lib/ring: both ends at one ring whose shared memory the input overwrites in between, as a peer that lies does. Neither end
 * touches anything beyond the ring, takes more than it has places, or goes on once it has seen that an index makes no sense. */
#include "target.h"

#include <ring/ring.h>

#define ENTRY_BYTES 16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ring producer, consumer;
    uint8_t descriptor[ENTRY_BYTES] = {0};
    if (size < 1)
        return 0;
    uint32_t entries = 1u << data[0] % 6;
    size_t bytes = ring_bytes(entries, ENTRY_BYTES);
    uint8_t *memory = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
    HOLDS(memory != NULL);
    memset(memory, 0, (bytes + 63) & ~(size_t)63);
    HOLDS(ring_init(&producer, memory, bytes, entries, ENTRY_BYTES));
    HOLDS(ring_init(&consumer, memory, bytes, entries, ENTRY_BYTES));
    for (size_t i = 1; i + 3 <= size; i += 3) {
        uint32_t before = 0;
        bool broken = consumer.broken;
        switch (data[i] % 8) {
        case 0:
            HOLDS(ring_room(&producer) <= entries);
            break;
        case 1:
            (void)ring_put(&producer, descriptor);
            break;
        case 2:
            (void)ring_publish(&producer);
            break;
        case 3:
            while (before <= entries && ring_take(&consumer, descriptor))
                before++;
            HOLDS(before <= entries);
            HOLDS(!broken || before == 0);
            break;
        case 4:
            (void)ring_release(&consumer);
            break;
        case 5:
            (void)ring_producer_sleep(&producer);
            break;
        case 6:
            (void)ring_consumer_sleep(&consumer);
            break;
        default:
            memory[(data[i + 1] * 256u + data[i + 2]) % bytes] = data[i + 2];
        }
    }
    free(memory);
    return 0;
}
