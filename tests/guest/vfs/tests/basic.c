/* Reading the disk and the boot archive, changing /tmp, filling it. */
#include "tests.h"

#include <block/block.h>
#include <os/archive.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

uint8_t byte_of(unsigned number, size_t i)
{
    return (uint8_t)(number * 31 + i * 7 + (i >> 8) * 13);
}

/* The file at @path is that of @number with @bytes. */
static bool is_right(const char *path, unsigned number, size_t bytes)
{
    void *data;
    size_t got;
    status_t status = file_load(path, &data, &got);
    if (!status_is_ok(status)) {
        say("# %s: %s", path, status_name(status));
        return false;
    }
    bool right = got == bytes;
    for (size_t i = 0; right && i < bytes; i++) {
        right = ((uint8_t *)data)[i] == byte_of(number, i);
    }
    free(data);
    return right;
}

unsigned read_disk(void (*between)(unsigned number))
{
    void *list;
    size_t bytes;
    unsigned right = 0;
    if (!status_is_ok(file_load("/list", &list, &bytes))) {
        return 0;
    }
    char *rest = NULL;
    for (char *line = strtok_r(list, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *space = strchr(line, ' ');
        *space = '\0';
        unsigned number = (unsigned)strtoul(space + 1, &space, 10);
        if (between) {
            between(number);
        }
        right += is_right(line, number, strtoul(space, NULL, 10));
    }
    free(list);
    return right;
}

static void test_files_of_the_disk_are_right(void)
{
    CHECK(read_disk(NULL) == DISK_FILES);
}

static void test_files_cached_are_right(void)
{
    CHECK(read_disk(NULL) == DISK_FILES);
}

static void test_files_follow_links(void)
{
    struct file_status one, other;
    char target[64];
    CHECK(is_right("/link", 13, 13 * 977));
    CHECK_OK(file_readlink("/link", target, sizeof target));
    CHECK(strcmp(target, "files/3/../up/3/13") == 0);
    CHECK_OK(file_status("/link", 0, &one));
    CHECK_OK(file_status("/files/up/3/13", 0, &other));
    CHECK(one.attributes.inode == other.attributes.inode && one.mount == other.mount);
    CHECK_OK(file_status("/link", FILE_PATH_NO_FOLLOW, &one));
    CHECK(one.attributes.type == FS_TYPE_SYMLINK);
    CHECK_STATUS(STATUS_NOT_FOUND, file_status("/link/none", 0, &one) == STATUS_WRONG_TYPE
                                       ? STATUS_NOT_FOUND
                                       : STATUS_OK);
}

/* How many entries @path has, and whether @name is one of them. */
static unsigned count_entries(const char *path, const char *name, bool *seen)
{
    struct file *directory;
    struct file_entry entry;
    unsigned count = 0;
    *seen = false;
    CHECK_OK(file_open(path, FILE_OPEN_READ | FILE_OPEN_DIRECTORY, 0, &directory));
    status_t status;
    while (status_is_ok(status = file_readdir(directory, &entry))) {
        count++;
        *seen |= strcmp(entry.name, name) == 0;
    }
    CHECK_STATUS(STATUS_NOT_FOUND, status);
    file_close(directory);
    return count;
}

static void test_files_directories_show_disk_and_mounts(void)
{
    bool seen;
    CHECK(count_entries("/files/4", "14", &seen) == 30 && seen);
    /* boot, files, link, list, lost+found, tmp */
    CHECK(count_entries("/", "tmp", &seen) == 6 && seen);
    count_entries("/boot", "covered", &seen);
    CHECK(!seen);
    count_entries("/boot", "vfs", &seen);
    CHECK(seen);
}

static void test_files_boot_is_the_archive(void)
{
    const void *archive;
    void *data;
    uint64_t bytes, offset, file_bytes;
    size_t got;
    struct process_image image;
    CHECK_OK(archive_map(os_cap("archive"), &archive, &bytes));
    CHECK_OK(archive_find(archive, bytes, "ext4", &offset, &file_bytes));
    CHECK_OK(file_load("/boot/ext4", &data, &got));
    CHECK(got == file_bytes && memcmp(data, (const uint8_t *)archive + offset, got) == 0);
    free(data);
    CHECK_OK(file_image("/boot/ext4", HANDLE_NONE, &image));
    CHECK(image.offset == offset && image.bytes == file_bytes);
    CHECK_OK(sys_cap_close(image.memory));
    CHECK_OK(file_image("/files/7/7", HANDLE_NONE, &image));
    CHECK(image.offset == 0 && image.bytes == 1500000);
    CHECK_OK(sys_cap_close(image.memory));
    CHECK_STATUS(STATUS_DENIED, file_unlink("/boot/ext4"));
    CHECK_STATUS(STATUS_DENIED, file_mkdir("/files/new", 0755));
}

static void put_text(const char *path, uint32_t flags, const char *text)
{
    struct file *file;
    size_t done = 0;
    CHECK_OK(file_open(path, FILE_OPEN_WRITE | FILE_OPEN_CREATE | flags, 0644, &file));
    CHECK_OK(file_write(file, text, strlen(text), &done));
    CHECK(done == strlen(text));
    file_close(file);
}

static void check_text(const char *path, const char *text)
{
    void *data = NULL;
    size_t bytes = 0;
    CHECK_OK(file_load(path, &data, &bytes));
    CHECK(bytes == strlen(text) && data && memcmp(data, text, bytes) == 0);
    free(data);
}

static void test_files_tmp_can_be_changed(void)
{
    struct file_status status;
    put_text("/tmp/a", 0, "first");
    put_text("/tmp/a", FILE_OPEN_APPEND, " second");
    check_text("/tmp/a", "first second");
    put_text("/tmp/a", FILE_OPEN_TRUNCATE, "new");
    check_text("/tmp/a", "new");
    CHECK_OK(file_mkdir("/tmp/d", 0755));
    CHECK_STATUS(STATUS_EXISTS, file_mkdir("/tmp/d", 0755));
    CHECK_OK(file_rename("/tmp/a", "/tmp/d/b", 0));
    CHECK_OK(file_symlink("d/b", "/tmp/s"));
    CHECK_OK(file_link("/tmp/d/b", "/tmp/l"));
    check_text("/tmp/s", "new");
    CHECK_OK(file_status("/tmp/l", 0, &status));
    CHECK(status.attributes.links == 2);
    CHECK_STATUS(STATUS_EXISTS, file_rmdir("/tmp/d"));
    CHECK_STATUS(STATUS_UNSUPPORTED, file_rename("/tmp/l", "/files/x", 0));
    CHECK_OK(file_unlink("/tmp/s"));
    CHECK_OK(file_unlink("/tmp/l"));
    CHECK_OK(file_unlink("/tmp/d/b"));
    CHECK_OK(file_rmdir("/tmp/d"));
    CHECK_STATUS(STATUS_NOT_FOUND, file_status("/tmp/d", 0, &status));
}

static void test_files_current_directory(void)
{
    char path[64];
    CHECK_OK(file_mkdir("/tmp/x", 0755));
    CHECK_OK(file_set_current("/tmp/x"));
    put_text("y", 0, "here");
    check_text("/tmp/x/y", "here");
    check_text("../x/./y", "here");
    CHECK_OK(file_unlink("y"));
    CHECK_OK(file_set_current(".."));
    CHECK_OK(file_current(path, sizeof path));
    CHECK(strcmp(path, "/tmp") == 0);
    CHECK_OK(file_rmdir("x"));
    CHECK_STATUS(STATUS_NOT_FOUND, file_set_current("nowhere"));
    CHECK_OK(file_set_current("/"));
}

static void test_files_full_tmp_loses_nothing(void)
{
    static uint8_t block[256 << 10];
    struct file *file;
    struct fs_statistics before, after;
    size_t done;
    uint64_t total = 0;
    status_t status = STATUS_OK;
    put_text("/tmp/precious", 0, "kept");
    CHECK_OK(file_statfs("/tmp", &before));
    CHECK_OK(file_open("/tmp/big", FILE_OPEN_WRITE | FILE_OPEN_CREATE, 0644, &file));
    while (status_is_ok(status)) {
        status = file_write(file, block, sizeof block, &done);
        total += done;
    }
    CHECK_STATUS(STATUS_NO_SPACE, status);
    say("# %llu KiB fitted", (unsigned long long)(total >> 10));
    CHECK(total > 1 << 20);
    CHECK(file_offset(file) == total);
    file_close(file);
    check_text("/tmp/precious", "kept");
    CHECK_OK(file_unlink("/tmp/big"));
    CHECK_OK(file_statfs("/tmp", &after));
    CHECK(after.blocks_free + 2 >= before.blocks_free);
    CHECK_OK(file_unlink("/tmp/precious"));
}

static void test_files_mounts_are_listed(void)
{
    struct file_mount mount;
    CHECK_OK(file_mount_next(0, &mount));
    CHECK(strcmp(mount.path, "/") == 0 && strcmp(mount.statistics.kind, "ext4") == 0 &&
          mount.answers);
    CHECK_OK(file_mount_next(mount.mount, &mount));
    CHECK(strcmp(mount.path, "/boot") == 0);
    CHECK_OK(file_mount_next(mount.mount, &mount));
    CHECK(strcmp(mount.path, "/tmp") == 0);
    CHECK_STATUS(STATUS_NOT_FOUND, file_mount_next(mount.mount, &mount));
}

/* The driver sleeps on the ring of a new session, so the first request rings its bell and does not wait for the next event. */
static void test_block_hears_the_first_request(void)
{
    struct block_client client;
    uint8_t block[4096];
    CHECK_OK(block_client_init(&client, os_cap("block")));
    CHECK(__atomic_load_n(&client.submissions.header->consumer_sleeps, __ATOMIC_ACQUIRE) == 1);
    CHECK_OK(block_read(&client, 0, block, sizeof block));
    block_client_close(&client);
}

void run_basic_tests(void)
{
    RUN(test_block_hears_the_first_request);
    RUN(test_files_of_the_disk_are_right);
    RUN(test_files_cached_are_right);
    RUN(test_files_follow_links);
    RUN(test_files_directories_show_disk_and_mounts);
    RUN(test_files_boot_is_the_archive);
    RUN(test_files_tmp_can_be_changed);
    RUN(test_files_current_directory);
    RUN(test_files_full_tmp_loses_nothing);
    RUN(test_files_mounts_are_listed);
}
