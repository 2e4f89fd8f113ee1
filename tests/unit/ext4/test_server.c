/* The server's operations without a kernel: grants are ranges of this process. */
#include "harness.h"

#include <server.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define GENERATION 0u /* of all that mke2fs copies */
#define CALLER_BYTES ((size_t)6 << 20)

static uint8_t *caller; /* the granted buffer */
static size_t caller_present = CALLER_BYTES;

status_t ipc_grant_write(uint64_t token, struct ipc_grant grant, uint64_t offset,
                         const void *buffer, size_t bytes, size_t *done)
{
    *done = 0;
    if (token != IPC_CURRENT || offset > grant.length || bytes > grant.length - offset)
        return STATUS_RANGE;
    if (offset + bytes > caller_present)
        return STATUS_FAULT;
    memcpy(caller + offset, buffer, bytes);
    *done = bytes;
    return STATUS_OK;
}

static struct ipc_call session = {.badge = (uint64_t)1 << 63 | 7};
static const struct fs_ops *const ops = &ext4_service_ops;

static struct ipc_grant grant(size_t bytes)
{
    return (struct ipc_grant){.index = 0, .length = bytes};
}

/* List the root by buffers of @bytes, look up each name, and compare. */
static size_t list_root(struct ext4_server *server, size_t bytes)
{
    uint64_t cursor = 0, used = 0, last_next = 0;
    size_t entries = 0;
    for (;;) {
        status_t s = ops->readdir(server, &session, EXT4_ROOT_INODE, GENERATION, cursor,
                                  grant(bytes), &used, &cursor);
        if (s != STATUS_OK || used == 0)
            return s == STATUS_OK && cursor >= last_next ? entries : 0;
        for (size_t at = 0; at < used;) {
            struct fs_entry entry;
            struct fs_attributes attributes;
            char name[256] = {0};
            memcpy(&entry, caller + at, sizeof(entry));
            memcpy(name, caller + at + sizeof(entry), entry.name_bytes);
            if (entry.record_bytes % 8 != 0 || entry.record_bytes > used - at || name[0] == '.')
                return 0;
            s = ops->lookup(server, &session, EXT4_ROOT_INODE, GENERATION, name, &attributes);
            if (s != STATUS_OK || attributes.inode != entry.inode || attributes.type != entry.type)
                return 0;
            at += entry.record_bytes;
            last_next = entry.next;
            entries++;
        }
    }
}

static struct fs_attributes find(struct ext4_server *server, const char *name)
{
    struct fs_attributes attributes = {0};
    (void)!(ops->lookup(server, &session, EXT4_ROOT_INODE, GENERATION, name, &attributes) ==
            STATUS_OK);
    return attributes;
}

static void test_reading(struct ext4_server *server)
{
    char path[300];
    uint64_t done = 0;
    uint8_t *expected = malloc(CALLER_BYTES);
    struct fs_attributes file = find(server, "size-5000000");
    snprintf(path, sizeof(path), "%s/mixed/size-5000000", scratch());
    FILE *host = fopen(path, "r");
    size_t bytes = fread(expected, 1, CALLER_BYTES, host);
    fclose(host);
    status_t s =
        ops->read(server, &session, file.inode, file.generation, 0, grant(CALLER_BYTES), &done);
    check(s == STATUS_OK && done == bytes && memcmp(caller, expected, bytes) == 0 &&
              file.bytes == bytes && file.type == FS_TYPE_FILE && file.mode == 0644,
          "test_ext4_server_reads_a_file");
    s = ops->read(server, &session, file.inode, file.generation, 4999000, grant(5000), &done);
    check(s == STATUS_OK && done == 1000 && memcmp(caller, expected + 4999000, 1000) == 0,
          "test_ext4_server_reads_to_the_end");
    s = ops->read(server, &session, file.inode, file.generation, UINT64_MAX, grant(5000), &done);
    check(s == STATUS_OK && done == 0, "test_ext4_server_reads_nothing_beyond_the_end");
    caller_present = 300000;
    s = ops->read(server, &session, file.inode, file.generation, 0, grant(CALLER_BYTES), &done);
    check(s == STATUS_FAULT, "test_ext4_server_passes_faults_on");
    caller_present = CALLER_BYTES;
    struct fs_attributes link = find(server, "link-100");
    s = ops->readlink(server, &session, link.inode, link.generation, grant(4096), &done);
    check(s == STATUS_OK && done == 100 && link.type == FS_TYPE_SYMLINK,
          "test_ext4_server_reads_links");
    s = ops->readlink(server, &session, link.inode, link.generation, grant(99), &done);
    check(s == STATUS_RANGE, "test_ext4_server_checks_the_room_for_links");
    free(expected);
}

static void test_statuses(struct ext4_server *server)
{
    struct fs_attributes a;
    struct ipc_call stranger = {.badge = 7};
    struct fs_attributes file = find(server, "size-1");
    handle_t handle;
    uint64_t n, m;
    uint64_t root = EXT4_ROOT_INODE;
    check(ops->attributes(server, &session, file.inode, file.generation + 1, &a) == STATUS_GONE &&
              ops->attributes(server, &session, UINT64_MAX, 0, &a) == STATUS_GONE &&
              ops->attributes(server, &session, 0, 0, &a) == STATUS_GONE &&
              ops->attributes(server, &session, 1u << 31, 0, &a) == STATUS_GONE,
          "test_ext4_server_knows_what_is_gone");
    check(ops->root(server, &stranger, &a) == STATUS_DENIED &&
              ops->read(server, &stranger, file.inode, 0, 0, grant(10), &n) == STATUS_DENIED &&
              ops->connect(server, &session, 0, &handle) == STATUS_INVALID,
          "test_ext4_server_wants_a_session");
    check(ops->lookup(server, &session, root, 0, ".", &a) == STATUS_INVALID &&
              ops->lookup(server, &session, root, 0, "..", &a) == STATUS_INVALID &&
              ops->lookup(server, &session, root, 0, "", &a) == STATUS_INVALID &&
              ops->lookup(server, &session, root, 0, "a/b", &a) == STATUS_INVALID &&
              ops->lookup(server, &session, root, 0, "none", &a) == STATUS_NOT_FOUND &&
              ops->lookup(server, &session, file.inode, 0, "x", &a) == STATUS_WRONG_TYPE,
          "test_ext4_server_checks_names");
    check(ops->readdir(server, &session, root, 0, 0, grant(25), &n, &m) == STATUS_RANGE &&
              ops->readdir(server, &session, root, 0, 1ull << 63, grant(99), &n, &m) ==
                  STATUS_INVALID &&
              ops->readdir(server, &session, file.inode, 0, 0, grant(99), &n, &m) ==
                  STATUS_WRONG_TYPE &&
              ops->read(server, &session, root, 0, 0, grant(99), &n) == STATUS_WRONG_TYPE,
          "test_ext4_server_checks_types_and_room");
    check(ops->create(server, &session, root, 0, "new", 0644, &a, &n) == STATUS_DENIED &&
              ops->unlink(server, &session, root, 0, "size-1", &n) == STATUS_DENIED &&
              ops->write(server, &session, file.inode, 0, 0, grant(9), &n, &m) == STATUS_DENIED &&
              ops->rename(server, &session, root, 0, "a", root, 0, "b", 0, &n) == STATUS_DENIED &&
              ops->truncate(server, &session, file.inode, 0, 0, &n) == STATUS_DENIED,
          "test_ext4_server_denies_changes");
    check(ops->sync(server, &session, &n) == STATUS_OK && n == 0, "test_ext4_server_syncs");
}

/* --- windows --- */

struct device {
    uint8_t bytes[WINDOW_BYTES * 5 + 3 * 4096];
    unsigned int reads;
    bool fails;
    bool broken;
};

static status_t device_read(void *context, uint64_t offset, void *buffer, size_t bytes)
{
    struct device *device = context;
    device->reads++;
    device->broken = device->broken || offset % 4096 != 0 || bytes % 4096 != 0 ||
                     offset + bytes > sizeof(device->bytes);
    if (device->fails || device->broken)
        return STATUS_IO;
    memcpy(buffer, device->bytes + offset, bytes);
    return STATUS_OK;
}

static void test_windows(void)
{
    struct device *device = calloc(1, sizeof(*device));
    struct windows *windows = calloc(1, sizeof(*windows));
    uint8_t *got = malloc(sizeof(device->bytes));
    uint32_t random = 1;
    bool good = true;
    windows->context = device;
    windows->read = device_read;
    windows->size_bytes = sizeof(device->bytes);
    windows->block_bytes = 4096;
    windows_init(windows);
    for (size_t i = 0; i < sizeof(device->bytes); i++)
        device->bytes[i] = (uint8_t)(i * 7 ^ i >> 8);
    for (int i = 0; i < 2000; i++) {
        random = random * 1664525 + 1013904223;
        size_t offset = (random >> 8) % sizeof(device->bytes);
        size_t rest = sizeof(device->bytes) - offset;
        random = random * 1664525 + 1013904223;
        size_t bytes = (random >> 8) % (i % 4 == 0 ? rest + 1 : 5000);
        bytes = bytes < rest ? bytes : rest;
        good = good && windows_read(windows, offset, got, bytes) == STATUS_OK &&
               memcmp(got, device->bytes + offset, bytes) == 0;
    }
    check(good && !device->broken, "test_ext4_windows_give_the_right_bytes");
    device->reads = 0;
    for (size_t offset = 0; offset < sizeof(device->bytes); offset += 1024)
        good = good && windows_read(windows, offset, got, 1024) == STATUS_OK;
    check(good && device->reads == 0, "test_ext4_windows_keep_what_was_read");
    check(windows_read(windows, sizeof(device->bytes) - 10, got, 11) == STATUS_RANGE &&
              windows_read(windows, UINT64_MAX, got, 1) == STATUS_RANGE,
          "test_ext4_windows_end_with_the_device");
    windows_init(windows);
    device->fails = true;
    status_t failed = windows_read(windows, 100, got, 10);
    device->fails = false;
    check(failed == STATUS_IO && windows_read(windows, 100, got, 10) == STATUS_OK &&
              memcmp(got, device->bytes + 100, 10) == 0,
          "test_ext4_windows_read_again_after_a_failure");
    free(got);
    free(windows);
    free(device);
}

void test_server(void)
{
    struct ext4_server *server = calloc(1, sizeof(*server));
    run(false, "rm -f image && mke2fs -q -F -t ext4 -b 4096 -L label -d mixed image 200M");
    struct image *image = image_open("image");
    struct fs_statistics statistics;
    caller = malloc(CALLER_BYTES);
    server->transfer = malloc(TRANSFER_BYTES);
    if (image_mount(image, &server->fs) != STATUS_OK)
        give_up("cannot mount");
    size_t entries = list_root(server, 100000);
    check(entries > 50 && list_root(server, 300) == entries && list_root(server, 64) == entries,
          "test_ext4_server_lists_and_finds (%zu entries)", entries);
    check(ops->statfs(server, &session, &statistics) == STATUS_OK &&
              strcmp(statistics.kind, "ext4") == 0 && strcmp(statistics.label, "label") == 0 &&
              statistics.properties == FS_PROPERTY_READ_ONLY && statistics.block_bytes == 4096,
          "test_ext4_server_statistics");
    test_reading(server);
    test_statuses(server);
    server_inodes_close(server);
    ext4_unmount(server->fs);
    free(server->transfer);
    free(server);
    free(caller);
    image_close(image);
    test_windows();
}
