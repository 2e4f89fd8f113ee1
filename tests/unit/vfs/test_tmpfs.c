/* tmpfs, through a vfs with nothing else in it: data, holes, names, a full store. */
#include "harness.h"

#include <string.h>

struct world {
    struct store store;
    struct tmpfs *tmpfs;
    struct vfs vfs;
};

static struct vfs_call call;

static void world_begin(struct world *world, uint32_t pages)
{
    store_begin(&world->store, pages);
    CHECK_OK(tmpfs_open(&world->store.store, &world->tmpfs));
    vfs_init(&world->vfs, 256);
    CHECK_OK(vfs_mount(&world->vfs, "/", tmpfs_fs(world->tmpfs), "tmpfs", 1, false));
    call = (struct vfs_call){0};
}

static void world_end(struct world *world)
{
    vfs_destroy(&world->vfs);
    CHECK(world->vfs.counts.dentries == 0 && world->vfs.counts.inodes == 0);
    tmpfs_close(world->tmpfs);
    store_end(&world->store);
}

static uint64_t pages_free(struct world *world)
{
    struct fs_statistics statistics;
    CHECK_OK(vfs_statfs(&world->vfs, &call, "/", &statistics));
    return statistics.blocks_free;
}

static void put_file(struct world *world, const char *path, const void *data, size_t bytes)
{
    struct vfs_file file;
    struct buffer_source source = source_of(data, bytes);
    uint64_t done;
    CHECK_OK(vfs_open(&world->vfs, &call, path,
                      FILE_OPEN_WRITE | FILE_OPEN_CREATE | FILE_OPEN_TRUNCATE, 0644, &file));
    CHECK_OK(vfs_write(&world->vfs, &call, &file, bytes, &source.source, &done));
    CHECK(done == bytes && file.offset == bytes);
    vfs_close(&world->vfs, &file);
}

static void check_file(struct world *world, const char *path, const void *data, size_t bytes)
{
    struct vfs_file file;
    uint8_t *got = malloc(bytes + 10);
    struct buffer_sink sink = sink_of(got, bytes + 10);
    uint64_t done;
    CHECK_OK(vfs_open(&world->vfs, &call, path, FILE_OPEN_READ, 0, &file));
    CHECK_OK(vfs_read(&world->vfs, &call, &file, bytes + 10, &sink.sink, &done));
    CHECK(done == bytes && memcmp(got, data, bytes) == 0);
    vfs_close(&world->vfs, &file);
    free(got);
}

static void test_tmpfs_reads_what_was_written(void)
{
    struct world world;
    world_begin(&world, 64);
    static uint8_t data[50000];
    struct random_state random = {1};
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)random_next(&random);
    }
    uint64_t before = pages_free(&world);
    put_file(&world, "/file", data, sizeof data);
    check_file(&world, "/file", data, sizeof data);
    put_file(&world, "/file", "short", 5);
    check_file(&world, "/file", "short", 5);
    CHECK_OK(vfs_unlink(&world.vfs, &call, "/file"));
    CHECK(pages_free(&world) + 1 >= before);
    world_end(&world);
}

static void test_tmpfs_sparse_files_take_no_room(void)
{
    struct world world;
    struct vfs_file file;
    struct file_status status;
    uint64_t done, end;
    world_begin(&world, 64);
    uint32_t flags = FILE_OPEN_READ | FILE_OPEN_WRITE | FILE_OPEN_CREATE;
    CHECK_OK(vfs_open(&world.vfs, &call, "/sparse", flags, 0600, &file));
    uint64_t far = (UINT64_C(1) << 62) + 4090;
    struct buffer_source source = source_of("0123456789", 10);
    CHECK_OK(vfs_write_at(&world.vfs, &call, &file, far, 10, &source.source, &done, &end));
    CHECK(done == 10 && end == far + 10);
    CHECK_OK(vfs_attributes(&world.vfs, &call, &file, &status));
    CHECK(status.attributes.bytes == far + 10 && status.attributes.allocated_bytes < 20 * 4096);
    uint8_t got[20];
    struct buffer_sink sink = sink_of(got, sizeof got);
    CHECK_OK(vfs_read_at(&world.vfs, &call, &file, far - 5, 20, &sink.sink, &done));
    CHECK(done == 15 && memcmp(got,
                               "\0\0\0\0\0"
                               "0123456789",
                               15) == 0);
    CHECK_OK(vfs_read_at(&world.vfs, &call, &file, 12345, 20, &sink.sink, &done));
    CHECK(done == 20 && got[0] == 0 && got[19] == 0);
    CHECK_STATUS(vfs_truncate(&world.vfs, &call, &file, UINT64_C(1) << 63), STATUS_RANGE);
    CHECK_STATUS(vfs_write_at(&world.vfs, &call, &file, INT64_MAX, 10, &source.source, &done, &end),
                 STATUS_RANGE);
    CHECK_STATUS(vfs_write_at(&world.vfs, &call, &file, UINT64_MAX, 10, &source.source, &done,
                              &end),
                 STATUS_RANGE);
    CHECK_OK(vfs_truncate(&world.vfs, &call, &file, 3));
    CHECK_OK(vfs_truncate(&world.vfs, &call, &file, far + 10));
    CHECK_OK(vfs_read_at(&world.vfs, &call, &file, far - 5, 20, &sink.sink, &done));
    CHECK(done == 15 && got[5] == 0);
    vfs_close(&world.vfs, &file);
    world_end(&world);
}

static void test_tmpfs_append_goes_to_the_end(void)
{
    struct world world;
    struct vfs_file file;
    uint64_t done, end;
    world_begin(&world, 64);
    put_file(&world, "/log", "one", 3);
    CHECK_OK(vfs_open(&world.vfs, &call, "/log", FILE_OPEN_WRITE | FILE_OPEN_APPEND, 0, &file));
    struct buffer_source source = source_of("two", 3);
    CHECK_OK(vfs_write_at(&world.vfs, &call, &file, 0, 3, &source.source, &done, &end));
    CHECK(end == 6);
    vfs_close(&world.vfs, &file);
    check_file(&world, "/log", "onetwo", 6);
    world_end(&world);
}

static void test_tmpfs_unlinked_file_lives_until_closed(void)
{
    struct world world;
    struct vfs_file file;
    struct file_status status;
    uint64_t done;
    world_begin(&world, 64);
    put_file(&world, "/doomed", "still here", 10);
    CHECK_OK(vfs_open(&world.vfs, &call, "/doomed", FILE_OPEN_READ, 0, &file));
    uint64_t before = pages_free(&world);
    CHECK_OK(vfs_unlink(&world.vfs, &call, "/doomed"));
    CHECK_STATUS(vfs_status(&world.vfs, &call, "/doomed", 0, &status), STATUS_NOT_FOUND);
    uint8_t got[16];
    struct buffer_sink sink = sink_of(got, sizeof got);
    CHECK_OK(vfs_read(&world.vfs, &call, &file, 16, &sink.sink, &done));
    CHECK(done == 10 && memcmp(got, "still here", 10) == 0);
    CHECK_OK(vfs_attributes(&world.vfs, &call, &file, &status));
    CHECK(status.attributes.links == 0);
    CHECK(pages_free(&world) == before);
    vfs_close(&world.vfs, &file);
    CHECK(pages_free(&world) == before + 1);
    struct vfs_id id = {status.attributes.inode, status.attributes.generation};
    CHECK_STATUS(vfs_reopen(&world.vfs, &call, 1, id, FILE_OPEN_READ, &file), STATUS_GONE);
    world_end(&world);
}

static void test_tmpfs_removed_directory_takes_no_names(void)
{
    struct world world;
    struct vfs_file file;
    world_begin(&world, 64);
    CHECK_OK(vfs_mkdir(&world.vfs, &call, "/d", 0755));
    CHECK_OK(vfs_open(&world.vfs, &call, "/d", FILE_OPEN_READ | FILE_OPEN_DIRECTORY, 0, &file));
    struct file_status status;
    CHECK_OK(vfs_attributes(&world.vfs, &call, &file, &status));
    CHECK_OK(vfs_rmdir(&world.vfs, &call, "/d"));
    struct vfs_fs *fs = tmpfs_fs(world.tmpfs);
    struct vfs_new what = {.type = FS_TYPE_FILE};
    struct vfs_name name = {"x", 1};
    struct fs_attributes attributes;
    struct vfs_id id = {status.attributes.inode, status.attributes.generation};
    CHECK_STATUS(fs->ops->make(fs, &call, id, name, &what, &attributes), STATUS_GONE);
    vfs_close(&world.vfs, &file);
    world_end(&world);
}

/* Fill the store through @path; how many bytes went in. */
static uint64_t fill(struct world *world, const char *path)
{
    static uint8_t block[10000];
    struct vfs_file file;
    uint64_t total = 0;
    memset(block, 0x5a, sizeof block);
    CHECK_OK(vfs_open(&world->vfs, &call, path, FILE_OPEN_WRITE | FILE_OPEN_CREATE, 0600, &file));
    for (;;) {
        struct buffer_source source = source_of(block, sizeof block);
        uint64_t done;
        status_t status = vfs_write(&world->vfs, &call, &file, sizeof block, &source.source, &done);
        total += done;
        if (status != STATUS_OK) {
            CHECK_STATUS(status, STATUS_NO_SPACE);
            CHECK(done == 0);
            break;
        }
    }
    vfs_close(&world->vfs, &file);
    return total;
}

static void test_tmpfs_full_store_loses_nothing(void)
{
    struct world world;
    struct file_status status;
    struct vfs_file file;
    world_begin(&world, 64);
    put_file(&world, "/precious", "kept", 4);
    uint64_t written = fill(&world, "/big");
    CHECK(written > 40 * 4096);
    CHECK(pages_free(&world) == 0);
    check_file(&world, "/precious", "kept", 4);
    CHECK_OK(vfs_status(&world.vfs, &call, "/big", 0, &status));
    CHECK(status.attributes.bytes == written);
    /* Nodes and names find no room in the end; then nothing half-made is left. */
    char path[32];
    int made = 0;
    status_t last = STATUS_OK;
    for (; made < 100000 && status_is_ok(last); made++) {
        snprintf(path, sizeof path, "/n%d", made);
        last = vfs_mkdir(&world.vfs, &call, path, 0755);
    }
    CHECK_STATUS(last, STATUS_NO_SPACE);
    CHECK_STATUS(vfs_status(&world.vfs, &call, path, 0, &status), STATUS_NOT_FOUND);
    CHECK_STATUS(vfs_symlink(&world.vfs, &call, "precious", "/link"), STATUS_NO_SPACE);
    /* What needs no room goes on. */
    CHECK_OK(vfs_rename(&world.vfs, &call, "/precious", "/n1x", 0));
    check_file(&world, "/n1x", "kept", 4);
    CHECK_OK(vfs_open(&world.vfs, &call, "/big", FILE_OPEN_WRITE, 0, &file));
    CHECK_OK(vfs_truncate(&world.vfs, &call, &file, written - 4096 * 3));
    vfs_close(&world.vfs, &file);
    CHECK_OK(vfs_symlink(&world.vfs, &call, "n1x", "/link"));
    check_file(&world, "/link", "kept", 4);
    CHECK_OK(vfs_unlink(&world.vfs, &call, "/big"));
    CHECK(fill(&world, "/again") > 40 * 4096 - 20 * 4096);
    check_file(&world, "/link", "kept", 4);
    world_end(&world);
}

static void test_tmpfs_without_memory_answers_no_space(void)
{
    struct world world;
    world_begin(&world, 64);
    put_file(&world, "/precious", "kept", 4);
    world.store.commits_left = 5;
    CHECK(fill(&world, "/big") <= 5 * 4096);
    world.store.commits_left = -1;
    CHECK(fill(&world, "/big") > 30 * 4096);
    check_file(&world, "/precious", "kept", 4);
    world_end(&world);
}

static void test_tmpfs_faulting_writer_shows_nothing_behind_the_end(void)
{
    struct world world;
    struct vfs_file file;
    uint64_t done, end;
    world_begin(&world, 64);
    uint32_t flags = FILE_OPEN_READ | FILE_OPEN_WRITE | FILE_OPEN_CREATE;
    CHECK_OK(vfs_open(&world.vfs, &call, "/f", flags, 0600, &file));
    struct buffer_source source = source_of("abcdefgh", 8);
    source.fault_at = 5;
    CHECK_STATUS(vfs_write_at(&world.vfs, &call, &file, 0, 8, &source.source, &done, &end),
                 STATUS_FAULT);
    CHECK_OK(vfs_truncate(&world.vfs, &call, &file, 8));
    uint8_t got[8];
    struct buffer_sink sink = sink_of(got, 8);
    CHECK_OK(vfs_read(&world.vfs, &call, &file, 8, &sink.sink, &done));
    CHECK(done == 8 && memcmp(got, "\0\0\0\0\0\0\0\0", 8) == 0);
    sink.fault_at = 4;
    CHECK_STATUS(vfs_read_at(&world.vfs, &call, &file, 0, 8, &sink.sink, &done), STATUS_FAULT);
    vfs_close(&world.vfs, &file);
    world_end(&world);
}

static void test_tmpfs_large_directory_lists_each_name_once(void)
{
    struct world world;
    struct vfs_file directory;
    enum { NAMES = 3000 };
    static uint8_t seen[NAMES];
    char path[64];
    world_begin(&world, 512);
    for (int i = 0; i < NAMES; i++) {
        snprintf(path, sizeof path, "/name-%d-%.*s", i, i % 40,
                 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        CHECK_OK(vfs_mkdir(&world.vfs, &call, path, 0755));
    }
    CHECK_OK(vfs_open(&world.vfs, &call, "/", FILE_OPEN_READ, 0, &directory));
    uint64_t cursor = 0;
    int found = 0;
    _Alignas(8) uint8_t buffer[700];
    for (;;) {
        size_t used;
        CHECK_OK(vfs_readdir(&world.vfs, &call, &directory, cursor, buffer, sizeof buffer, &used,
                             &cursor));
        if (used == 0) {
            break;
        }
        for (size_t at = 0; at < used;) {
            struct fs_entry entry;
            memcpy(&entry, buffer + at, sizeof entry);
            int number = atoi((const char *)buffer + at + sizeof entry + 5);
            CHECK(number >= 0 && number < NAMES && !seen[number] &&
                  entry.type == FS_TYPE_DIRECTORY);
            seen[number] = 1;
            found++;
            at += entry.record_bytes;
            if (number % 3 == 0) {
                /* Taken away behind the reader, who goes on undisturbed. */
                snprintf(path, sizeof path, "/name-%d-%.*s", number, number % 40,
                         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
                CHECK_OK(vfs_rmdir(&world.vfs, &call, path));
            }
        }
    }
    CHECK(found == NAMES);
    size_t used;
    CHECK_STATUS(vfs_readdir(&world.vfs, &call, &directory, 0, buffer, 24, &used, &cursor),
                 STATUS_RANGE);
    vfs_close(&world.vfs, &directory);
    world_end(&world);
}

static void test_tmpfs_changes_attributes(void)
{
    struct world world;
    struct file_status status;
    world_begin(&world, 64);
    put_file(&world, "/f", "x", 1);
    struct fs_changes changes = {.mask = FS_CHANGE_MODE | FS_CHANGE_UID | FS_CHANGE_GID |
                                         FS_CHANGE_ACCESSED | FS_CHANGE_MODIFIED,
                                 .mode = 04711,
                                 .uid = 7,
                                 .gid = 8,
                                 .accessed_ns = -5,
                                 .modified_ns = 99};
    CHECK_OK(vfs_change(&world.vfs, &call, "/f", 0, &changes));
    CHECK_OK(vfs_status(&world.vfs, &call, "/f", 0, &status));
    CHECK(status.attributes.mode == 04711 && status.attributes.uid == 7 &&
          status.attributes.gid == 8);
    CHECK(status.attributes.accessed_ns == -5 && status.attributes.modified_ns == 99);
    changes.mask = 1u << 20;
    CHECK_STATUS(vfs_change(&world.vfs, &call, "/f", 0, &changes), STATUS_INVALID);
    world_end(&world);
}

void run_tmpfs_tests(void)
{
    RUN(test_tmpfs_reads_what_was_written);
    RUN(test_tmpfs_sparse_files_take_no_room);
    RUN(test_tmpfs_append_goes_to_the_end);
    RUN(test_tmpfs_unlinked_file_lives_until_closed);
    RUN(test_tmpfs_removed_directory_takes_no_names);
    RUN(test_tmpfs_full_store_loses_nothing);
    RUN(test_tmpfs_without_memory_answers_no_space);
    RUN(test_tmpfs_faulting_writer_shows_nothing_behind_the_end);
    RUN(test_tmpfs_large_directory_lists_each_name_once);
    RUN(test_tmpfs_changes_attributes);
}
