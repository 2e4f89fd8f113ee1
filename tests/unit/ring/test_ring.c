/* lib/ring with an honest peer on another thread, and with one that writes what it likes into the shared header. */

#include <check.h>
#include <pthread.h>
#include <ring/ring.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#define ENTRIES 8u

static _Alignas(64) uint8_t memory[4096];
static struct ring producer, consumer;

static void begin(uint32_t first)
{
    memset(memory, 0, sizeof(memory));
    CHECK(ring_init(&producer, memory, sizeof(memory), ENTRIES, sizeof(uint64_t)));
    CHECK(ring_init(&consumer, memory, sizeof(memory), ENTRIES, sizeof(uint64_t)));
    producer.mine = consumer.mine = first;
    producer.header->head = producer.header->tail = first;
}

static void test_ring_init_refuses_bad_sizes(void)
{
    struct ring ring;
    CHECK(!ring_init(&ring, memory, sizeof(memory), 0, 8));
    CHECK(!ring_init(&ring, memory, sizeof(memory), 3, 8));
    CHECK(!ring_init(&ring, memory, sizeof(memory), 131072, 8));
    CHECK(!ring_init(&ring, memory, sizeof(memory), 8, 0));
    CHECK(!ring_init(&ring, memory, sizeof(memory), 8, 8192));
    CHECK(!ring_init(&ring, memory, ring_bytes(8, 8) - 1, 8, 8));
    CHECK(ring_init(&ring, memory, ring_bytes(8, 8), 8, 8));
}

static void test_ring_tells_full_from_empty(void)
{
    uint64_t value = 7;
    begin(0);
    CHECK(!ring_take(&consumer, &value));
    for (uint64_t i = 0; i < ENTRIES; i++)
        CHECK(ring_room(&producer) == ENTRIES - i && ring_put(&producer, &i));
    CHECK(ring_room(&producer) == 0 && !ring_put(&producer, &value));
    CHECK(!ring_take(&consumer, &value)); /* not published yet */
    CHECK(!ring_publish(&producer));
    for (uint64_t i = 0; i < ENTRIES; i++)
        CHECK(ring_take(&consumer, &value) && value == i);
    CHECK(!ring_take(&consumer, &value));
    CHECK(ring_room(&producer) == 0); /* not given back yet */
    CHECK(!ring_release(&consumer) && ring_room(&producer) == ENTRIES);
    CHECK(!producer.broken && !consumer.broken);
}

static void test_ring_indices_wrap(void)
{
    begin(UINT32_MAX - 2);
    for (uint64_t i = 0, value = 0; i < 3 * ENTRIES; i++) {
        CHECK(ring_put(&producer, &i));
        ring_publish(&producer);
        CHECK(ring_take(&consumer, &value) && value == i);
        ring_release(&consumer);
    }
    CHECK(producer.mine < 100 && !producer.broken && !consumer.broken);
}

static void test_ring_doorbells_ring_for_who_sleeps(void)
{
    uint64_t value = 1;
    begin(0);
    CHECK(!ring_consumer_sleep(&consumer));
    CHECK(ring_put(&producer, &value) && ring_publish(&producer));
    CHECK(ring_consumer_sleep(&consumer)); /* something is there: awake */
    CHECK(ring_put(&producer, &value) && !ring_publish(&producer));
    CHECK(ring_producer_sleep(&producer)); /* room is there: awake */
    while (ring_put(&producer, &value))
        ring_publish(&producer);
    CHECK(!ring_producer_sleep(&producer));
    CHECK(ring_take(&consumer, &value) && ring_release(&consumer) && !ring_release(&consumer));
}

static void test_ring_disbelieves_impossible_indices(void)
{
    const uint32_t lies[] = {ENTRIES + 1, 0x80000000u, UINT32_MAX, 0xfffffff0u};
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        uint64_t value;
        begin(0);
        consumer.header->head = lies[i];
        CHECK(!ring_take(&consumer, &value) && consumer.broken);
        CHECK(ring_consumer_sleep(&consumer)); /* nobody waits at a broken ring */
        consumer.header->head = 1;
        CHECK(!ring_take(&consumer, &value)); /* for good */
        begin(0);
        producer.header->tail = 0u - lies[i]; /* as far behind */
        CHECK(ring_room(&producer) == 0 && producer.broken && !ring_put(&producer, &value));
        CHECK(ring_producer_sleep(&producer));
    }
}

/* Whatever stands in the header at any time: nothing outside the descriptors is touched (ASan), no call loops. */
static void test_ring_survives_random_headers(void)
{
    uint32_t random = 3;
    size_t bytes = ring_bytes(ENTRIES, sizeof(uint64_t));
    uint8_t *exact = aligned_alloc(64, (bytes + 63) / 64 * 64);
    for (int i = 0; i < 20000; i++) {
        struct ring ring;
        uint64_t value = 0;
        memset(exact, 0, bytes);
        CHECK(ring_init(&ring, exact, bytes, ENTRIES, sizeof(uint64_t)));
        for (int step = 0; step < 20; step++) {
            random = random * 1664525 + 1013904223;
            uint32_t *word =
                (uint32_t *)(void *)(exact + (random >> 30) % 2 * 64 + (random >> 29) % 2 * 4);
            *word = random >> 28 & 1 ? random : random % (2 * ENTRIES);
            (void)(random >> 27 & 1 ? ring_put(&ring, &value) : ring_take(&ring, &value));
            (void)(random >> 26 & 1 ? ring_publish(&ring) : ring_release(&ring));
        }
    }
    free(exact);
}

/* --- two threads; a doorbell is a word that is set and cleared ------------------------------------------------ */

#define MESSAGES 200000u

static int data_bell, room_bell;

static void bell_wait(int *bell)
{
    while (!__atomic_exchange_n(bell, 0, __ATOMIC_ACQ_REL))
        thrd_yield();
}

static void bell_ring(int *bell)
{
    __atomic_store_n(bell, 1, __ATOMIC_RELEASE);
}

static void *produce(void *argument)
{
    (void)argument;
    for (uint64_t i = 0; i < MESSAGES;) {
        if (ring_put(&producer, &i)) {
            i++;
            if (i % 3 != 0 && i != MESSAGES)
                continue;
        }
        if (ring_publish(&producer))
            bell_ring(&data_bell);
        if (ring_room(&producer) == 0 && !ring_producer_sleep(&producer))
            bell_wait(&room_bell);
    }
    return NULL;
}

/* A lost doorbell would hang here. */
static void test_ring_two_threads_lose_nothing(void)
{
    pthread_t thread;
    uint64_t expected = 0, value, wrong = 0;
    begin(UINT32_MAX - 1000);
    data_bell = room_bell = 0;
    CHECK(pthread_create(&thread, NULL, produce, NULL) == 0);
    while (expected < MESSAGES) {
        while (ring_take(&consumer, &value))
            wrong += value != expected++;
        if (ring_release(&consumer))
            bell_ring(&room_bell);
        if (expected < MESSAGES && !ring_consumer_sleep(&consumer))
            bell_wait(&data_bell);
    }
    pthread_join(thread, NULL);
    CHECK(wrong == 0 && !producer.broken && !consumer.broken);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(test_ring_init_refuses_bad_sizes),
        TEST(test_ring_tells_full_from_empty),
        TEST(test_ring_indices_wrap),
        TEST(test_ring_doorbells_ring_for_who_sleeps),
        TEST(test_ring_disbelieves_impossible_indices),
        TEST(test_ring_survives_random_headers),
        TEST(test_ring_two_threads_lose_nothing),
        {0},
    };
    return run_tests(tests);
}
