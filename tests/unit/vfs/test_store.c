/* Stores that were abandoned in the middle of a change, and stores full of nonsense: tmpfs_open() makes a usable file
 * system of each, with every file in it that was not being changed. */
#include "harness.h"

#include <string.h>

static struct vfs_call call;

/* A file system that is walked after its server's death. */
struct survivor {
    struct store store;
    struct tmpfs *tmpfs;
    struct vfs vfs;
};

static void survivor_open(struct survivor *survivor)
{
    CHECK_OK(tmpfs_open(&survivor->store.store, &survivor->tmpfs));
    vfs_init(&survivor->vfs, 64);
    CHECK_OK(vfs_mount(&survivor->vfs, "/", tmpfs_fs(survivor->tmpfs), "tmpfs", 1, false));
}

static void survivor_end(struct survivor *survivor)
{
    vfs_destroy(&survivor->vfs);
    tmpfs_close(survivor->tmpfs);
    store_end(&survivor->store);
}

/* Read everything; how many files and directories there are. */
static size_t walk_all(struct vfs *vfs, const char *path, int depth)
{
    struct vfs_file file;
    _Alignas(8) uint8_t buffer[2048];
    uint64_t cursor = 0;
    size_t count = 0;
    CHECK(depth < 40);
    CHECK_OK(vfs_open(vfs, &call, path, FILE_OPEN_READ, 0, &file));
    for (;;) {
        size_t used;
        CHECK_OK(vfs_readdir(vfs, &call, &file, cursor, buffer, sizeof buffer, &used, &cursor));
        if (used == 0) {
            break;
        }
        for (size_t at = 0; at < used; count++) {
            struct fs_entry entry;
            char child[5000];
            memcpy(&entry, buffer + at, sizeof entry);
            snprintf(child, sizeof child, "%s/%.*s", path[1] ? path : "", entry.name_bytes,
                     (const char *)buffer + at + sizeof entry);
            at += entry.record_bytes;
            struct file_status status;
            CHECK_OK(vfs_status(vfs, &call, child, FILE_PATH_NO_FOLLOW, &status));
            CHECK(status.attributes.type == entry.type && status.attributes.links > 0);
            if (entry.type == FS_TYPE_DIRECTORY) {
                count += walk_all(vfs, child, depth + 1);
            }
        }
    }
    vfs_close(vfs, &file);
    return count;
}

static void fill_block(uint8_t *block, size_t bytes, uint32_t number)
{
    for (size_t i = 0; i < bytes; i++) {
        block[i] = (uint8_t)(number * 31 + i * 7);
    }
}

static void check_block(struct vfs *vfs, const char *path, uint32_t number, size_t bytes)
{
    static uint8_t got[20000], expected[20000];
    struct vfs_file file;
    struct buffer_sink sink = sink_of(got, sizeof got);
    uint64_t done;
    CHECK_OK(vfs_open(vfs, &call, path, FILE_OPEN_READ, 0, &file));
    CHECK_OK(vfs_read(vfs, &call, &file, sizeof got, &sink.sink, &done));
    fill_block(expected, bytes, number);
    CHECK(done == bytes && memcmp(got, expected, bytes) == 0);
    vfs_close(vfs, &file);
}

static void put_block(struct vfs *vfs, const char *path, uint32_t number, size_t bytes)
{
    static uint8_t block[20000];
    struct vfs_file file;
    uint64_t done;
    fill_block(block, bytes, number);
    struct buffer_source source = source_of(block, bytes);
    CHECK_OK(vfs_open(vfs, &call, path, FILE_OPEN_WRITE | FILE_OPEN_CREATE | FILE_OPEN_TRUNCATE,
                      0644, &file));
    CHECK_OK(vfs_write(vfs, &call, &file, bytes, &source.source, &done));
    CHECK(done == bytes);
    vfs_close(vfs, &file);
}

#define STEADY 12

static struct random_state abandon_random = {77};
static unsigned abandoned;

/* The server dies here: look at what it leaves. */
static void abandon(struct store *store)
{
    if (random_below(&abandon_random, 12)) {
        return;
    }
    struct survivor survivor;
    struct vfs_call saved = call;
    char path[64];
    call = (struct vfs_call){0};
    store_copy(&survivor.store, store);
    survivor_open(&survivor);
    for (uint32_t i = 0; i < STEADY; i++) {
        snprintf(path, sizeof path, "/steady/%u", i);
        check_block(&survivor.vfs, path, i, 1000 * i);
    }
    walk_all(&survivor.vfs, "/", 0);
    put_block(&survivor.vfs, "/steady/new", 5, 5000);
    check_block(&survivor.vfs, "/steady/new", 5, 5000);
    /* What it made of the store is already in order. */
    struct fs_statistics before, after;
    CHECK_OK(vfs_statfs(&survivor.vfs, &call, "/", &before));
    vfs_destroy(&survivor.vfs);
    tmpfs_close(survivor.tmpfs);
    survivor_open(&survivor);
    CHECK_OK(vfs_statfs(&survivor.vfs, &call, "/", &after));
    CHECK(before.blocks_free == after.blocks_free && before.inodes_free == after.inodes_free);
    survivor_end(&survivor);
    abandoned++;
    call = saved;
}

static void test_store_abandoned_anywhere_is_usable(void)
{
    struct survivor world;
    struct random_state random = {5};
    char path[64], other[64];
    store_begin(&world.store, 256);
    survivor_open(&world);
    call = (struct vfs_call){0};
    CHECK_OK(vfs_mkdir(&world.vfs, &call, "/steady", 0755));
    for (uint32_t i = 0; i < STEADY; i++) {
        snprintf(path, sizeof path, "/steady/%u", i);
        put_block(&world.vfs, path, i, 1000 * i);
    }
    world.store.midway = abandon;
    for (int step = 0; step < 4000; step++) {
        snprintf(path, sizeof path, "/%c%u", 'a' + (int)random_below(&random, 3),
                 random_below(&random, 4));
        snprintf(other, sizeof other, "/%c%u/%u", 'a' + (int)random_below(&random, 3),
                 random_below(&random, 4), random_below(&random, 3));
        status_t status = STATUS_OK;
        switch (random_below(&random, 8)) {
        case 0:
            status = vfs_mkdir(&world.vfs, &call, random_below(&random, 2) ? path : other, 0755);
            break;
        case 1:
            status = vfs_rmdir(&world.vfs, &call, random_below(&random, 2) ? path : other);
            break;
        case 2:
            status = vfs_rename(&world.vfs, &call, path, other, 0);
            break;
        case 3:
            status = vfs_rename(&world.vfs, &call, other, path, 0);
            break;
        case 4:
            status = vfs_unlink(&world.vfs, &call, other);
            break;
        case 5:
            status = vfs_link(&world.vfs, &call, other, path);
            break;
        case 6:
            status = vfs_symlink(&world.vfs, &call, path, other);
            break;
        default: {
            struct vfs_file file;
            uint32_t flags = FILE_OPEN_WRITE | FILE_OPEN_CREATE | FILE_OPEN_TRUNCATE;
            status = vfs_open(&world.vfs, &call, other, flags, 0644, &file);
            if (status == STATUS_OK) {
                struct buffer_source source = source_of(path, 10);
                uint64_t done, end, at = random_next(&random) >> (10 + random_below(&random, 50));
                status =
                    vfs_write_at(&world.vfs, &call, &file, at, 10, &source.source, &done, &end);
                vfs_close(&world.vfs, &file);
            }
        }
        }
        CHECK(status != STATUS_CORRUPT && status != STATUS_GONE);
    }
    CHECK(abandoned > 100);
    world.store.midway = NULL;
    survivor_end(&world);
}

static void test_store_with_flipped_bits_is_usable(void)
{
    struct random_state random = {9};
    for (int round = 0; round < 300; round++) {
        struct survivor world;
        char path[64];
        store_begin(&world.store, 96);
        survivor_open(&world);
        call = (struct vfs_call){0};
        CHECK_OK(vfs_mkdir(&world.vfs, &call, "/d", 0755));
        for (uint32_t i = 0; i < 10; i++) {
            snprintf(path, sizeof path, "/d/f%u", i);
            put_block(&world.vfs, path, i, 1500 * i);
        }
        vfs_destroy(&world.vfs);
        tmpfs_close(world.tmpfs);
        for (uint32_t flips = 1 + random_below(&random, 30); flips; flips--) {
            uint32_t page = random_below(&random, 6);
            if (world.store.present[page]) {
                uint8_t *at =
                    world.store.store.base + page * TMPFS_PAGE_BYTES + random_below(&random, 1024);
                *at ^= (uint8_t)(1u << random_below(&random, 8));
            }
        }
        survivor_open(&world);
        walk_all(&world.vfs, "/", 0);
        put_block(&world.vfs, "/new", 3, 9000);
        check_block(&world.vfs, "/new", 3, 9000);
        survivor_end(&world);
    }
}

void run_store_tests(void)
{
    RUN(test_store_abandoned_anywhere_is_usable);
    RUN(test_store_with_flipped_bits_is_usable);
}
