/* Tables are written here field by field, at the offsets of UEFI 2.10, tables 5.5 and 5.6, and with checksums of our own (seal.c), so that the
 * reader is compared with the specification and not with itself. */
#include <check.h>
#include <gpt/gpt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "seal.h"

#define BLOCKS 256u
#define ENTRIES 128u

static uint8_t disk[BLOCKS * 4096];
static uint32_t block_bytes = 512;
static uint64_t unreadable = UINT64_MAX; /* an offset */

static status_t read_disk(void *context, uint64_t offset, void *buffer, size_t bytes)
{
    (void)context;
    uint64_t size = (uint64_t)BLOCKS * block_bytes;
    CHECK(offset <= size && bytes <= size - offset);
    if (offset <= unreadable && unreadable < offset + bytes)
        return STATUS_IO;
    memcpy(buffer, disk + offset, bytes);
    return STATUS_OK;
}

static uint8_t *block_at(uint64_t block)
{
    return disk + block * block_bytes;
}

static uint64_t entry_blocks(void)
{
    return ENTRIES * 128 / block_bytes;
}

static uint64_t backup_entries(void)
{
    return BLOCKS - 1 - entry_blocks();
}

static void seal_header(uint64_t own)
{
    gpt_seal_header(block_at(own), 92);
}

static void seal(uint64_t own, uint64_t entries)
{
    gpt_seal_entries(block_at(own), block_at(entries), (size_t)ENTRIES * 128);
    seal_header(own);
}

static void seal_both(void)
{
    seal(1, 2);
    seal(BLOCKS - 1, backup_entries());
}

static void write_header(uint64_t own, uint64_t other, uint64_t entries)
{
    uint8_t *header = block_at(own);
    memcpy(header, "EFI PART", 8);
    gpt_put(header + 8, 0x10000, 4);
    gpt_put(header + 12, 92, 4);
    gpt_put(header + 24, own, 8);
    gpt_put(header + 32, other, 8);
    gpt_put(header + 40, 2 + entry_blocks(), 8);
    gpt_put(header + 48, BLOCKS - 2 - entry_blocks(), 8);
    gpt_put(header + 72, entries, 8);
    gpt_put(header + 80, ENTRIES, 4);
    gpt_put(header + 84, 128, 4);
}

static void write_entry(unsigned index, const uint8_t *type, uint64_t first, uint64_t last)
{
    uint64_t tables[] = {2, backup_entries()};
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *entry = block_at(tables[i]) + (size_t)index * 128;
        memcpy(entry, type, 16);
        entry[16] = (uint8_t)(index + 1);
        gpt_put(entry + 32, first, 8);
        gpt_put(entry + 40, last, 8);
    }
}

/* A system partition, then two of ours. */
static void disk_new(uint32_t bytes)
{
    static const uint8_t other[16] = {1, 2, 3};
    block_bytes = bytes;
    unreadable = UINT64_MAX;
    memset(disk, 0, sizeof(disk));
    disk[446 + 4] = 0xee;
    disk[510] = 0x55;
    disk[511] = 0xaa;
    write_header(1, BLOCKS - 1, 2);
    write_header(BLOCKS - 1, 1, backup_entries());
    write_entry(0, other, 40, 49);
    write_entry(1, gpt_type_linux, 50, 99);
    write_entry(2, gpt_type_linux, 100, 120);
    seal_both();
}

static status_t find(struct gpt_partition *partition)
{
    struct gpt_disk gpt = {
        .read = read_disk,
        .size_bytes = (uint64_t)BLOCKS * block_bytes,
        .block_bytes = block_bytes,
    };
    *partition = (struct gpt_partition){0};
    return gpt_find(&gpt, gpt_type_linux, partition);
}

static bool finds(bool from_backup)
{
    struct gpt_partition p;
    return find(&p) == STATUS_OK && p.offset == UINT64_C(50) * block_bytes &&
           p.bytes == UINT64_C(50) * block_bytes && p.from_backup == from_backup;
}

static status_t answer(void)
{
    struct gpt_partition p;
    return find(&p);
}

/* ── Tests ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void test_gpt_finds_the_first_of_its_type(void)
{
    disk_new(512);
    CHECK(finds(false));
    disk_new(4096);
    CHECK(finds(false));
}

static void test_gpt_leaves_other_disks_alone(void)
{
    disk_new(512);
    disk[446 + 4] = 0x83; /* an MBR with a partition of its own */
    CHECK(answer() == STATUS_UNSUPPORTED);
    disk_new(512);
    disk[510] = 0; /* a file system from the first byte */
    CHECK(answer() == STATUS_UNSUPPORTED);
    disk_new(512);
    disk[446 + 4] = 0;
    disk[446 + 48 + 4] = 0xee; /* any of the four records */
    CHECK(finds(false));
}

static void test_gpt_without_such_a_partition(void)
{
    static const uint8_t other[16] = {9};
    disk_new(512);
    write_entry(1, other, 50, 99);
    write_entry(2, other, 100, 120);
    seal_both();
    CHECK(answer() == STATUS_NOT_FOUND);
}

static void test_gpt_uses_the_backup(void)
{
    disk_new(512);
    memset(block_at(1), 0, 512);
    CHECK(finds(true));
    disk_new(512);
    unreadable = 512;
    CHECK(finds(true));
    disk_new(512);
    unreadable = 3 * 512;
    CHECK(finds(true));
}

static void test_gpt_refuses_when_both_are_damaged(void)
{
    disk_new(512);
    block_at(1)[0] ^= 1;
    block_at(BLOCKS - 1)[0] ^= 1;
    CHECK(answer() == STATUS_CORRUPT);
    disk_new(512);
    block_at(2)[1]++;
    block_at(backup_entries())[1]++;
    CHECK(answer() == STATUS_CORRUPT);
}

/* Whatever byte of the first header or its array is changed, nothing wrong is ever found: the backup answers. */
static void test_gpt_notices_every_changed_byte(void)
{
    disk_new(512);
    for (size_t at = 512; at < 512 + 92; at++) {
        disk[at] ^= 0x40;
        CHECK(finds(true));
        disk[at] ^= 0x40;
    }
    for (size_t at = 1024; at < 1024 + ENTRIES * 128; at += 61) {
        disk[at] ^= 0x01;
        CHECK(finds(true));
        disk[at] ^= 0x01;
    }
    CHECK(finds(false));
}

/* Sealed with right checksums: what the fields say is wrong. */
static void test_gpt_refuses_fields_out_of_range(void)
{
    static const struct {
        unsigned offset, bytes;
        uint64_t value;
    } bad[] = {
        {8, 4, 0x20000},     /* revision */
        {12, 4, 91},         /* header bytes */
        {12, 4, 513},        /* */
        {24, 8, 2},          /* own block */
        {40, 8, BLOCKS},     /* first usable after the last */
        {48, 8, BLOCKS},     /* last usable outside */
        {48, 8, ~0ull},      /* */
        {72, 8, BLOCKS},     /* entries outside */
        {72, 8, ~0ull},      /* */
        {72, 8, BLOCKS - 2}, /* they leave the disk */
        {80, 4, ~0u},        /* their count */
        {80, 4, 8193},       /* */
        {84, 4, 0},          /* their bytes */
        {84, 4, 64},         /* */
        {84, 4, 192},        /* */
        {84, 4, 8192},       /* */
        {84, 4, ~0u},        /* */
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        disk_new(512);
        gpt_put(block_at(1) + bad[i].offset, bad[i].value, bad[i].bytes);
        seal_header(1);
        CHECK(finds(true));
    }
}

static void test_gpt_refuses_a_partition_outside(void)
{
    static const struct {
        uint64_t first, last;
    } bad[] = {{1, 99}, {50, BLOCKS - 1}, {50, ~0ull}, {99, 50}, {~0ull, ~0ull}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        disk_new(512);
        write_entry(1, gpt_type_linux, bad[i].first, bad[i].last);
        seal_both();
        CHECK(answer() == STATUS_CORRUPT);
    }
}

static void test_gpt_takes_longer_entries(void)
{
    disk_new(512);
    memset(block_at(2), 0, (size_t)ENTRIES * 128);
    gpt_put(block_at(1) + 80, 4, 4);
    gpt_put(block_at(1) + 84, 4096, 4);
    uint8_t *entry = block_at(2) + (size_t)3 * 4096;
    memcpy(entry, gpt_type_linux, 16);
    gpt_put(entry + 32, 60, 8);
    gpt_put(entry + 40, 60, 8);
    seal(1, 2); /* as many bytes as before */
    struct gpt_partition p;
    CHECK(find(&p) == STATUS_OK && p.offset == 60ull * 512 && p.bytes == 512 && !p.from_backup);
}

static void test_gpt_on_tiny_disks(void)
{
    struct gpt_partition p;
    disk_new(512);
    for (uint64_t bytes = 0; bytes < 4ull * 512; bytes += 100) {
        struct gpt_disk gpt = {.read = read_disk, .size_bytes = bytes, .block_bytes = 512};
        status_t status = gpt_find(&gpt, gpt_type_linux, &p);
        CHECK(status == (bytes < 512 ? STATUS_UNSUPPORTED : STATUS_CORRUPT));
    }
}

int main(void)
{
    static const struct test tests[] = {
        TEST(test_gpt_finds_the_first_of_its_type),
        TEST(test_gpt_leaves_other_disks_alone),
        TEST(test_gpt_without_such_a_partition),
        TEST(test_gpt_uses_the_backup),
        TEST(test_gpt_refuses_when_both_are_damaged),
        TEST(test_gpt_notices_every_changed_byte),
        TEST(test_gpt_refuses_fields_out_of_range),
        TEST(test_gpt_refuses_a_partition_outside),
        TEST(test_gpt_takes_longer_entries),
        TEST(test_gpt_on_tiny_disks),
        {0},
    };
    return run_tests(tests);
}
