/* What the driver takes of a disk, and what it refuses: a used ring that lies, structures that lie where none may. */
#include "disk.h"

#include <check.h>
#include <os/clock.h>

#define ENTRIES 8u
#define NO_LENGTH 0u

static bool start(void)
{
    disk_create(ENTRIES);
    return device_start() == STATUS_OK;
}

/* The driver has seen that the device breaks the rules: nothing that it says counts any more. */
static bool is_given_up(void)
{
    unsigned before = disk.completions;
    bool stuck = device_is_stuck(disk.now_ns);
    for (uint16_t id = 0; id < ENTRIES; id++) {
        disk_use(id, NO_LENGTH);
        device_poll();
    }
    return stuck && disk.completions == before;
}

static void test_virtio_requests_end_in_any_order(void)
{
    uint16_t ids[ENTRIES];
    CHECK(start());
    for (unsigned round = 0; round < 3; round++) {
        for (uint16_t i = 0; i < ENTRIES; i++)
            ids[i] = disk_submit(BLOCK_OP_WRITE, 512, i);
        CHECK(disk_submit(BLOCK_OP_WRITE, 512, 0) == UINT16_MAX);
        for (uint16_t i = ENTRIES; i-- > 0;) {
            *disk_status(ids[i]) = i == 3 ? 1 : i == 4 ? 2 : 0;
            disk_use(ids[i], 1);
            device_poll();
            CHECK(disk.tag == i && disk.completions == (round + 1) * ENTRIES - i);
            CHECK(disk.status == (i == 3 ? STATUS_IO : i == 4 ? STATUS_UNSUPPORTED : STATUS_OK));
            CHECK(disk.bytes == (disk.status == STATUS_OK ? 512u : 0));
        }
    }
    CHECK(!device_is_stuck(disk.now_ns));
    disk_destroy();
}

static void test_virtio_id_that_is_none_is_refused(void)
{
    static const uint32_t ids[] = {ENTRIES, 0xffff, 0x10000, UINT32_MAX};
    for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        CHECK(start());
        uint16_t id = disk_submit(BLOCK_OP_FLUSH, 0, 1);
        *disk_status(id) = 0;
        disk_use(ids[i], 1);
        device_poll();
        CHECK(disk.completions == 0 && is_given_up());
        disk_destroy();
    }
}

static void test_virtio_id_that_was_not_given_is_refused(void)
{
    CHECK(start());
    uint16_t id = disk_submit(BLOCK_OP_FLUSH, 0, 1);
    *disk_status(id) = 0;
    disk_use(id ^ 1u, 1);
    device_poll();
    CHECK(disk.completions == 0 && is_given_up());
    disk_destroy();
}

static void test_virtio_id_twice_is_refused(void)
{
    CHECK(start());
    uint16_t id = disk_submit(BLOCK_OP_FLUSH, 0, 1);
    *disk_status(id) = 0;
    disk_use(id, 1);
    disk_use(id, 1);
    device_poll();
    CHECK(disk.completions == 1 && is_given_up());
    disk_destroy();
}

static void test_virtio_index_too_far_is_refused(void)
{
    CHECK(start());
    uint16_t id = disk_submit(BLOCK_OP_FLUSH, 0, 1);
    *disk_status(id) = 0;
    for (unsigned i = 0; i <= ENTRIES; i++)
        disk_use(id, 1);
    device_poll();
    CHECK(disk.completions == 0 && is_given_up());
    disk_destroy();
}

/* A device that wrote less than was asked for has read nothing that counts. */
static void test_virtio_short_read_is_an_error(void)
{
    static const uint32_t lengths[] = {0, 1, 4095};
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        CHECK(start());
        uint16_t id = disk_submit(BLOCK_OP_READ, 4096, 1);
        *disk_status(id) = 0;
        disk_use(id, lengths[i]);
        device_poll();
        CHECK(disk.completions == 1 && disk.status == STATUS_IO && disk.bytes == 0);
        CHECK(!device_is_stuck(disk.now_ns));
        disk_destroy();
    }
}

/* More than the request had room for, its status byte too, was written somewhere else. */
static void test_virtio_length_beyond_the_request_is_refused(void)
{
    static const struct {
        uint32_t op, bytes, written;
        bool fits;
    } cases[] = {{BLOCK_OP_READ, 4096, 4097, true},      {BLOCK_OP_READ, 4096, 4098, false},
                 {BLOCK_OP_WRITE, 4096, 1, true},        {BLOCK_OP_WRITE, 4096, 2, false},
                 {BLOCK_OP_FLUSH, 0, 1, true},           {BLOCK_OP_FLUSH, 0, 2, false},
                 {BLOCK_OP_READ, 512, UINT32_MAX, false}};
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK(start());
        uint16_t id = disk_submit(cases[i].op, cases[i].bytes, 1);
        *disk_status(id) = 0;
        disk_use(id, cases[i].written);
        device_poll();
        CHECK(disk.completions == cases[i].fits);
        CHECK(cases[i].fits ? disk.status == STATUS_OK : is_given_up());
        disk_destroy();
    }
}

static void test_virtio_who_does_not_answer_is_stuck(void)
{
    CHECK(start());
    CHECK(disk_submit(BLOCK_OP_FLUSH, 0, 1) != UINT16_MAX);
    disk.now_ns += 10 * NS_PER_S;
    CHECK(!device_is_stuck(disk.now_ns) && device_is_stuck(disk.now_ns + 1));
    disk_destroy();
}

static status_t start_with(uint32_t cap, uint32_t field, uint8_t value)
{
    disk_create(ENTRIES);
    disk.info.config[cap + field] = value;
    status_t status = device_start();
    disk_destroy();
    return status;
}

/* 4.1.4.3.1, 4.1.4.4.1, 4.1.4.6.1: what is not aligned so is no structure; accesses to registers there would be faults. */
static void test_virtio_structures_that_are_not_aligned_are_refused(void)
{
    enum { OFFSET = 8 };
    for (uint8_t by = 1; by < 4; by++) {
        CHECK(start_with(DISK_COMMON_CAP, OFFSET, DISK_COMMON + by) == STATUS_UNSUPPORTED);
        CHECK(start_with(DISK_CONFIG_CAP, OFFSET, DISK_CONFIG + by) == STATUS_UNSUPPORTED);
    }
    CHECK(start_with(DISK_NOTIFY_CAP, OFFSET, DISK_NOTIFY) == STATUS_OK);
    CHECK(start_with(DISK_NOTIFY_CAP, OFFSET, DISK_NOTIFY + 1) == STATUS_CORRUPT);
    CHECK(start_with(DISK_NOTIFY_CAP, OFFSET, DISK_NOTIFY + 2) == STATUS_OK);
}

static void test_virtio_structures_beyond_the_window_are_refused(void)
{
    enum { BAR = 4, OFFSET = 8, LENGTH = 12 };
    CHECK(start_with(DISK_COMMON_CAP, BAR, 1) == STATUS_UNSUPPORTED);
    CHECK(start_with(DISK_COMMON_CAP, BAR, 255) == STATUS_UNSUPPORTED);
    CHECK(start_with(DISK_COMMON_CAP, OFFSET, DISK_WINDOW_BYTES - 52) == STATUS_UNSUPPORTED);
    CHECK(start_with(DISK_COMMON_CAP, OFFSET + 3, 255) == STATUS_UNSUPPORTED);
    CHECK(start_with(DISK_COMMON_CAP, LENGTH, 55) == STATUS_UNSUPPORTED);
    CHECK(start_with(DISK_CONFIG_CAP, LENGTH, 23) == STATUS_UNSUPPORTED);
    CHECK(start_with(DISK_NOTIFY_CAP, OFFSET, DISK_WINDOW_BYTES - 1) == STATUS_UNSUPPORTED);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(test_virtio_requests_end_in_any_order),
        TEST(test_virtio_id_that_is_none_is_refused),
        TEST(test_virtio_id_that_was_not_given_is_refused),
        TEST(test_virtio_id_twice_is_refused),
        TEST(test_virtio_index_too_far_is_refused),
        TEST(test_virtio_short_read_is_an_error),
        TEST(test_virtio_length_beyond_the_request_is_refused),
        TEST(test_virtio_who_does_not_answer_is_stuck),
        TEST(test_virtio_structures_that_are_not_aligned_are_refused),
        TEST(test_virtio_structures_beyond_the_window_are_refused),
        {NULL, NULL}};
    return run_tests(tests);
}
