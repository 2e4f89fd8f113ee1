/* The boot archive as a file system, whole and damaged; the cache of pages against an array. */
#include "harness.h"

#include <string.h>
#include <vfs/archive.h>
#include <vfs/pages.h>

static struct vfs_call call;

struct image {
    uint8_t *data;
    size_t bytes;
};

static void put(struct image *image, const char *name, unsigned mode, const char *data)
{
    size_t bytes = strlen(data);
    size_t name_bytes = strlen(name) + 1;
    char header[111];
    snprintf(header, sizeof header, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
             1, mode, 0, 0, 1, 0, bytes, 0, 0, 0, 0, name_bytes, 0);
    image->data = realloc(image->data, image->bytes + 110 + name_bytes + bytes + 8);
    memcpy(image->data + image->bytes, header, 110);
    memcpy(image->data + image->bytes + 110, name, name_bytes);
    image->bytes += 110 + name_bytes;
    while (image->bytes % 4) {
        image->data[image->bytes++] = 0;
    }
    memcpy(image->data + image->bytes, data, bytes);
    image->bytes += bytes;
    while (image->bytes % 4) {
        image->data[image->bytes++] = 0;
    }
}

static struct image whole_image(void)
{
    struct image image = {0};
    put(&image, "bin", 0040555, "");
    put(&image, "bin/sh", 0100555, "the shell");
    put(&image, "bin/ash", 0120777, "sh");
    put(&image, "catalogue", 0100444, "all of it");
    put(&image, "TRAILER!!!", 0, "");
    return image;
}

static void check_text(struct vfs *vfs, const char *path, const char *text)
{
    struct vfs_file file;
    char got[64] = "";
    uint64_t done;
    struct buffer_sink sink = sink_of(got, sizeof got);
    CHECK_OK(vfs_open(vfs, &call, path, FILE_OPEN_READ, 0, &file));
    CHECK_OK(vfs_read(vfs, &call, &file, sizeof got, &sink.sink, &done));
    CHECK(done == strlen(text) && memcmp(got, text, done) == 0);
    vfs_close(vfs, &file);
}

static void test_archive_shows_its_files(void)
{
    struct image image = whole_image();
    struct archive_fs *archive;
    struct vfs vfs;
    struct vfs_file file;
    struct file_status status;
    _Alignas(8) uint8_t buffer[200];
    uint64_t next;
    size_t used;
    call = (struct vfs_call){0};
    CHECK_OK(archive_fs_open(image.data, image.bytes, &archive));
    vfs_init(&vfs, 64);
    CHECK_OK(vfs_mount(&vfs, "/", archive_fs_vfs(archive), "archive", 1, true));
    check_text(&vfs, "/bin/sh", "the shell");
    check_text(&vfs, "/bin/ash", "the shell");
    check_text(&vfs, "/catalogue", "all of it");
    CHECK_STATUS(vfs_status(&vfs, &call, "/bin/none", 0, &status), STATUS_NOT_FOUND);
    CHECK_STATUS(vfs_unlink(&vfs, &call, "/bin/sh"), STATUS_DENIED);
    CHECK_OK(vfs_open(&vfs, &call, "/", FILE_OPEN_READ, 0, &file));
    CHECK_OK(vfs_readdir(&vfs, &call, &file, 0, buffer, sizeof buffer, &used, &next));
    CHECK(used == 32 + 40);
    CHECK_OK(vfs_readdir(&vfs, &call, &file, next, buffer, sizeof buffer, &used, &next));
    CHECK(used == 0);
    vfs_close(&vfs, &file);
    vfs_destroy(&vfs);
    archive_fs_close(archive);
    free(image.data);
}

static void test_archive_damaged_is_refused_or_read(void)
{
    struct random_state random = {3};
    for (int round = 0; round < 3000; round++) {
        struct image image = whole_image();
        struct archive_fs *archive;
        for (uint32_t flips = 1 + random_below(&random, 4); flips; flips--) {
            image.data[random_below(&random, (uint32_t)image.bytes)] ^=
                (uint8_t)(1u << random_below(&random, 8));
        }
        /* In a block of its own, so that reading behind its end is seen. */
        size_t bytes =
            random_below(&random, 2) ? image.bytes : random_below(&random, (uint32_t)image.bytes);
        uint8_t *exact = malloc(bytes + 1);
        memcpy(exact + 1, image.data, bytes);
        status_t status = archive_fs_open(exact + 1, bytes, &archive);
        CHECK(status == STATUS_OK || status == STATUS_CORRUPT);
        if (status == STATUS_OK) {
            archive_fs_close(archive);
        }
        free(exact);
        free(image.data);
    }
    struct archive_fs *archive;
    CHECK_STATUS(archive_fs_open("", 0, &archive), STATUS_CORRUPT);
}

#define FRAMES 37

static void test_pages_find_what_was_put_and_evict_the_oldest(void)
{
    struct vfs_pages pages;
    struct random_state random = {11};
    struct vfs_page_key held[FRAMES] = {0};
    uint64_t used[FRAMES] = {0};
    uint64_t now = 1;
    char owners[2];
    CHECK_OK(vfs_pages_init(&pages, FRAMES));
    for (int step = 0; step < 20000; step++, now++) {
        struct vfs_page_key key = {
            .owner = &owners[random_below(&random, 2)],
            .id = {random_below(&random, 5), random_below(&random, 2)},
            .page = random_below(&random, 6),
        };
        uint32_t expected = VFS_PAGES_NONE;
        uint32_t oldest = 0;
        for (uint32_t i = 0; i < FRAMES; i++) {
            if (held[i].owner == key.owner && held[i].id.inode == key.id.inode &&
                held[i].id.generation == key.id.generation && held[i].page == key.page) {
                expected = i;
            }
            oldest = used[i] < used[oldest] ? i : oldest;
        }
        uint32_t found = vfs_pages_find(&pages, &key);
        CHECK(found == expected);
        if (found == VFS_PAGES_NONE) {
            found = vfs_pages_take(&pages, &key);
            CHECK(found < FRAMES && used[found] == used[oldest]);
            held[found] = key;
        }
        used[found] = now;
        if (random_below(&random, 100) == 0) {
            vfs_pages_drop(&pages, found);
            held[found].owner = NULL;
            used[found] = 0;
        }
        if (random_below(&random, 2000) == 0) {
            vfs_pages_drop_owner(&pages, &owners[0]);
            for (uint32_t i = 0; i < FRAMES; i++) {
                used[i] = held[i].owner == &owners[0] ? 0 : used[i];
                held[i].owner = held[i].owner == &owners[0] ? NULL : held[i].owner;
            }
        }
    }
    vfs_pages_shrink(&pages, 5);
    for (uint64_t i = 0; i < 50; i++) {
        struct vfs_page_key key = {.owner = &random, .page = i};
        CHECK(vfs_pages_take(&pages, &key) < 5);
    }
    vfs_pages_destroy(&pages);
}

void run_archive_tests(void)
{
    RUN(test_archive_shows_its_files);
    RUN(test_archive_damaged_is_refused_or_read);
    RUN(test_pages_find_what_was_put_and_evict_the_oldest);
}
