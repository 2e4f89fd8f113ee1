/* Path resolution where a model would not look: loops, lengths, mounts over what exists and what does not. */
#include "harness.h"

#include <string.h>

struct world {
    struct store stores[3];
    struct tmpfs *tmpfs[3];
    struct slow_fs slow;
    struct vfs vfs;
};

static struct vfs_call call;

/* "/" is slow and has a directory "usr", and "tmp" with a file that the mount there covers; "/boot" exists only as a
 * mount point and is read-only. */
static void world_begin(struct world *world)
{
    *world = (struct world){0};
    call = (struct vfs_call){0};
    vfs_init(&world->vfs, 128);
    for (int i = 0; i < 3; i++) {
        store_begin(&world->stores[i], 128);
        CHECK_OK(tmpfs_open(&world->stores[i].store, &world->tmpfs[i]));
    }
    slow_begin(&world->slow, tmpfs_fs(world->tmpfs[0]));
    CHECK_OK(vfs_mount(&world->vfs, "/", &world->slow.fs, "disk", 1, false));
    CHECK_OK(DRIVE(vfs_mkdir(&world->vfs, &call, "/usr", 0755)));
    CHECK_OK(DRIVE(vfs_mkdir(&world->vfs, &call, "/tmp", 0755)));
    CHECK_OK(DRIVE(vfs_mkdir(&world->vfs, &call, "/tmp/covered", 0755)));
    CHECK_OK(vfs_mount(&world->vfs, "/tmp", tmpfs_fs(world->tmpfs[1]), "tmpfs", 3, false));
    CHECK_OK(vfs_mount(&world->vfs, "/boot", tmpfs_fs(world->tmpfs[2]), "archive", 2, true));
}

static void world_end(struct world *world)
{
    vfs_destroy(&world->vfs);
    CHECK(world->vfs.counts.dentries == 0 && world->vfs.counts.inodes == 0);
    for (int i = 0; i < 3; i++) {
        tmpfs_close(world->tmpfs[i]);
        store_end(&world->stores[i]);
    }
}

static status_t status_of(struct world *world, const char *path)
{
    struct file_status status;
    return DRIVE(vfs_status(&world->vfs, &call, path, 0, &status));
}

static uint64_t mount_of(struct world *world, const char *path)
{
    struct file_status status;
    CHECK_OK(DRIVE(vfs_status(&world->vfs, &call, path, 0, &status)));
    return status.mount;
}

static void test_path_mounts_cover_and_uncover(void)
{
    struct world world;
    world_begin(&world);
    CHECK(mount_of(&world, "/") == 1 && mount_of(&world, "/usr") == 1);
    CHECK(mount_of(&world, "/tmp") == 3 && mount_of(&world, "/boot/") == 2 &&
          mount_of(&world, "/boot/..") == 1);
    CHECK(mount_of(&world, "/tmp/../boot/../usr/../tmp/.") == 3);
    CHECK(mount_of(&world, "/../..") == 1);
    CHECK_STATUS(status_of(&world, "/tmp/covered"), STATUS_NOT_FOUND);
    CHECK_STATUS(vfs_mount(&world.vfs, "/tmp", &world.slow.fs, "x", 9, false), STATUS_EXISTS);
    CHECK_STATUS(vfs_mount(&world.vfs, "/", &world.slow.fs, "x", 9, false), STATUS_EXISTS);
    CHECK_STATUS(vfs_mount(&world.vfs, "/usr/x", &world.slow.fs, "x", 9, false), STATUS_NOT_FOUND);
    CHECK_STATUS(vfs_mount(&world.vfs, "/x", &world.slow.fs, "x", 3, false), STATUS_INVALID);
    CHECK(vfs_mount_next(&world.vfs, 1)->number == 2 && !vfs_mount_next(&world.vfs, 3));
    world_end(&world);
}

static void test_path_mount_points_need_no_file_system_above(void)
{
    struct world world;
    world_begin(&world);
    world.slow.fault = STATUS_PEER_DIED;
    CHECK_OK(vfs_mount_forget(&world.vfs, vfs_mount_find(&world.vfs, 1)));
    CHECK_OK(vfs_mkdir(&world.vfs, &call, "/tmp/x", 0755));
    CHECK(mount_of(&world, "/tmp/x") == 3);
    CHECK_STATUS(status_of(&world, "/usr"), STATUS_PEER_DIED);
    CHECK_STATUS(status_of(&world, "/"), STATUS_PEER_DIED);
    world.slow.fault = STATUS_OK;
    CHECK(mount_of(&world, "/usr") == 1);
    CHECK(mount_of(&world, "/usr/../tmp/x") == 3);
    world_end(&world);
}

static void test_path_mount_points_cannot_be_changed(void)
{
    struct world world;
    world_begin(&world);
    CHECK_STATUS(DRIVE(vfs_rmdir(&world.vfs, &call, "/tmp")), STATUS_BUSY);
    CHECK_STATUS(DRIVE(vfs_rename(&world.vfs, &call, "/tmp", "/usr/t", 0)), STATUS_BUSY);
    CHECK_STATUS(DRIVE(vfs_rename(&world.vfs, &call, "/usr", "/boot", 0)), STATUS_BUSY);
    CHECK_STATUS(DRIVE(vfs_mkdir(&world.vfs, &call, "/boot", 0)), STATUS_EXISTS);
    CHECK_STATUS(DRIVE(vfs_unlink(&world.vfs, &call, "/boot")), STATUS_WRONG_TYPE);
    CHECK_STATUS(DRIVE(vfs_rmdir(&world.vfs, &call, "/")), STATUS_BUSY);
    CHECK_STATUS(DRIVE(vfs_mkdir(&world.vfs, &call, "/", 0)), STATUS_EXISTS);
    world_end(&world);
}

static void test_path_read_only_means_denied(void)
{
    struct world world;
    struct vfs_file file;
    struct fs_changes changes = {.mask = FS_CHANGE_MODE};
    struct fs_statistics statistics;
    world_begin(&world);
    CHECK_STATUS(vfs_mkdir(&world.vfs, &call, "/boot/x", 0755), STATUS_DENIED);
    uint32_t create = FILE_OPEN_WRITE | FILE_OPEN_CREATE;
    CHECK_STATUS(vfs_open(&world.vfs, &call, "/boot/x", create, 0, &file), STATUS_DENIED);
    CHECK_STATUS(vfs_change(&world.vfs, &call, "/boot", 0, &changes), STATUS_DENIED);
    CHECK_OK(vfs_statfs(&world.vfs, &call, "/boot", &statistics));
    CHECK(statistics.properties & FS_PROPERTY_READ_ONLY);
    CHECK_OK(vfs_open(&world.vfs, &call, "/tmp/x", create, 0, &file));
    vfs_close(&world.vfs, &file);
    call.read_only = true;
    CHECK_STATUS(vfs_open(&world.vfs, &call, "/tmp/x", create, 0, &file), STATUS_DENIED);
    CHECK_STATUS(vfs_unlink(&world.vfs, &call, "/tmp/x"), STATUS_DENIED);
    CHECK_STATUS(vfs_rename(&world.vfs, &call, "/tmp/x", "/tmp/y", 0), STATUS_DENIED);
    CHECK_STATUS(vfs_link(&world.vfs, &call, "/tmp/x", "/tmp/y"), STATUS_DENIED);
    CHECK_STATUS(vfs_symlink(&world.vfs, &call, "x", "/tmp/y"), STATUS_DENIED);
    CHECK_OK(vfs_open(&world.vfs, &call, "/tmp/x", FILE_OPEN_READ, 0, &file));
    vfs_close(&world.vfs, &file);
    world_end(&world);
}

static void test_path_links_loop_and_grow_to_a_bound(void)
{
    struct world world;
    char path[64], target[64];
    world_begin(&world);
    CHECK_OK(vfs_symlink(&world.vfs, &call, "loop", "/tmp/loop"));
    CHECK_STATUS(status_of(&world, "/tmp/loop"), STATUS_RANGE);
    CHECK_STATUS(status_of(&world, "/tmp/loop/x"), STATUS_RANGE);
    CHECK_OK(vfs_symlink(&world.vfs, &call,
                         "grow/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "/tmp/grow"));
    CHECK_STATUS(status_of(&world, "/tmp/grow"), STATUS_RANGE);
    CHECK_OK(vfs_mkdir(&world.vfs, &call, "/tmp/l0", 0755));
    for (int i = 1; i <= 41; i++) {
        snprintf(path, sizeof path, "/tmp/l%d", i);
        snprintf(target, sizeof target, "l%d", i - 1);
        CHECK_OK(vfs_symlink(&world.vfs, &call, target, path));
    }
    CHECK_OK(status_of(&world, "/tmp/l40/"));
    CHECK_STATUS(status_of(&world, "/tmp/l41"), STATUS_RANGE);
    struct file_status status;
    CHECK_OK(vfs_status(&world.vfs, &call, "/tmp/l41", FILE_PATH_NO_FOLLOW, &status));
    CHECK_STATUS(vfs_symlink(&world.vfs, &call, "", "/tmp/empty"), STATUS_INVALID);
    world_end(&world);
}

static void test_path_links_cross_mounts(void)
{
    struct world world;
    world_begin(&world);
    CHECK_OK(vfs_symlink(&world.vfs, &call, "/usr", "/tmp/u"));
    CHECK_OK(DRIVE(vfs_symlink(&world.vfs, &call, "../tmp/u/../usr", "/usr/back")));
    CHECK(mount_of(&world, "/tmp/u") == 1);
    CHECK(mount_of(&world, "/tmp/u/../tmp") == 3);
    CHECK(mount_of(&world, "/usr/back/back/back/") == 1);
    CHECK_STATUS(DRIVE(vfs_link(&world.vfs, &call, "/tmp/u", "/usr/u")), STATUS_UNSUPPORTED);
    CHECK_STATUS(DRIVE(vfs_rename(&world.vfs, &call, "/tmp/u", "/usr/u", 0)), STATUS_UNSUPPORTED);
    world_end(&world);
}

static void test_path_malformed_paths_are_refused(void)
{
    struct world world;
    static char path[6000];
    world_begin(&world);
    CHECK_STATUS(status_of(&world, ""), STATUS_INVALID);
    CHECK_STATUS(status_of(&world, "usr"), STATUS_INVALID);
    memset(path, 'x', sizeof path - 1);
    path[0] = '/';
    CHECK_STATUS(status_of(&world, path), STATUS_INVALID);
    for (size_t i = 0; i + 2 < sizeof path; i += 2) {
        memcpy(path + i, "/.", 2);
    }
    path[sizeof path - 2] = 0;
    CHECK_OK(status_of(&world, path));
    struct vfs_file file;
    CHECK_STATUS(vfs_open(&world.vfs, &call, "/tmp", 0, 0, &file), STATUS_INVALID);
    CHECK_STATUS(vfs_open(&world.vfs, &call, "/tmp", FILE_OPEN_READ | FILE_OPEN_TRUNCATE, 0, &file),
                 STATUS_INVALID);
    CHECK_STATUS(vfs_open(&world.vfs, &call, "/tmp", UINT32_C(1) << 30 | FILE_OPEN_READ, 0, &file),
                 STATUS_INVALID);
    CHECK_STATUS(vfs_open(&world.vfs, &call, "/tmp", FILE_OPEN_WRITE, 0, &file), STATUS_WRONG_TYPE);
    world_end(&world);
}

static void test_path_readdir_shows_each_mount_point_once(void)
{
    struct world world;
    struct vfs_file file;
    _Alignas(8) uint8_t buffer[64];
    uint64_t cursor = 0;
    int tmp = 0, boot = 0, usr = 0, others = 0;
    world_begin(&world);
    CHECK_OK(DRIVE(vfs_open(&world.vfs, &call, "/", FILE_OPEN_READ, 0, &file)));
    for (;;) {
        size_t used;
        CHECK_OK(DRIVE(
            vfs_readdir(&world.vfs, &call, &file, cursor, buffer, sizeof buffer, &used, &cursor)));
        if (used == 0) {
            break;
        }
        for (size_t at = 0; at < used;) {
            struct fs_entry entry;
            memcpy(&entry, buffer + at, sizeof entry);
            const char *name = (const char *)buffer + at + sizeof entry;
            tmp += entry.name_bytes == 3 && memcmp(name, "tmp", 3) == 0;
            usr += entry.name_bytes == 3 && memcmp(name, "usr", 3) == 0;
            boot += entry.name_bytes == 4 && memcmp(name, "boot", 4) == 0;
            others++;
            at += entry.record_bytes;
        }
    }
    CHECK(tmp == 1 && boot == 1 && usr == 1 && others == 3);
    vfs_close(&world.vfs, &file);
    world_end(&world);
}

void run_path_tests(void)
{
    RUN(test_path_mounts_cover_and_uncover);
    RUN(test_path_mount_points_need_no_file_system_above);
    RUN(test_path_mount_points_cannot_be_changed);
    RUN(test_path_read_only_means_denied);
    RUN(test_path_links_loop_and_grow_to_a_bound);
    RUN(test_path_links_cross_mounts);
    RUN(test_path_malformed_paths_are_refused);
    RUN(test_path_readdir_shows_each_mount_point_once);
}
