/* The caches: what they save, what they may hold, and what happens while a file system is waited for. */
#include "harness.h"

#include <string.h>

struct world {
    struct store store;
    struct tmpfs *tmpfs;
    struct slow_fs slow;
    struct vfs vfs;
};

static struct vfs_call call;

static void world_begin(struct world *world, size_t dentries)
{
    *world = (struct world){0};
    call = (struct vfs_call){0};
    store_begin(&world->store, 512);
    CHECK_OK(tmpfs_open(&world->store.store, &world->tmpfs));
    slow_begin(&world->slow, tmpfs_fs(world->tmpfs));
    vfs_init(&world->vfs, dentries);
    CHECK_OK(vfs_mount(&world->vfs, "/", &world->slow.fs, "slow", 1, false));
}

static void world_end(struct world *world)
{
    vfs_destroy(&world->vfs);
    CHECK(world->vfs.counts.dentries == 0 && world->vfs.counts.inodes == 0);
    tmpfs_close(world->tmpfs);
    store_end(&world->store);
}

static void test_cache_warm_paths_cost_no_call(void)
{
    struct world world;
    struct file_status status;
    world_begin(&world, 128);
    CHECK_OK(DRIVE(vfs_mkdir(&world.vfs, &call, "/a", 0755)));
    CHECK_OK(DRIVE(vfs_mkdir(&world.vfs, &call, "/a/b", 0755)));
    CHECK_OK(DRIVE(vfs_status(&world.vfs, &call, "/a/b", 0, &status)));
    CHECK_STATUS(DRIVE(vfs_status(&world.vfs, &call, "/a/nothing", 0, &status)), STATUS_NOT_FOUND);
    uint64_t calls = world.slow.calls;
    call.patient_with = NULL;
    for (int i = 0; i < 10; i++) {
        CHECK_OK(vfs_status(&world.vfs, &call, "/a/./b/../b", 0, &status));
        CHECK_STATUS(vfs_status(&world.vfs, &call, "/a/nothing", 0, &status), STATUS_NOT_FOUND);
    }
    CHECK(world.slow.calls == calls);
    world_end(&world);
}

static void test_cache_holds_no_more_than_its_bound(void)
{
    struct world world;
    struct file_status status;
    char path[100];
    world_begin(&world, 64);
    for (int i = 0; i < 500; i++) {
        snprintf(path, sizeof path, "/d%d", i);
        CHECK_OK(DRIVE(vfs_mkdir(&world.vfs, &call, path, 0755)));
        snprintf(path, sizeof path, "/d%d/none/none", i);
        CHECK_STATUS(DRIVE(vfs_status(&world.vfs, &call, path, 0, &status)), STATUS_NOT_FOUND);
        CHECK(world.vfs.counts.dentries <= 66);
        CHECK(world.vfs.counts.inodes <= world.vfs.counts.dentries);
    }
    world_end(&world);
}

static void test_cache_keeps_what_is_used_most(void)
{
    struct world world;
    struct file_status status;
    char path[100];
    world_begin(&world, 64);
    CHECK_OK(DRIVE(vfs_mkdir(&world.vfs, &call, "/hot", 0755)));
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "/none%d", i);
        CHECK_STATUS(DRIVE(vfs_status(&world.vfs, &call, path, 0, &status)), STATUS_NOT_FOUND);
        call.patient_with = NULL;
        CHECK_OK(vfs_status(&world.vfs, &call, "/hot", 0, &status));
    }
    world_end(&world);
}

static void test_cache_depth_beyond_its_bound_works(void)
{
    struct world world;
    struct file_status status;
    char path[1000] = "";
    world_begin(&world, 64);
    for (int i = 0; i < 200; i++) {
        strcat(path, "/d");
        CHECK_OK(DRIVE(vfs_mkdir(&world.vfs, &call, path, 0755)));
    }
    call.patient_with = &world.slow.fs;
    CHECK_OK(vfs_status(&world.vfs, &call, path, 0, &status));
    CHECK(world.vfs.counts.dentries <= 66);
    world_end(&world);
}

/* Another thread's operations, while a call waits. */
static void make_x(struct slow_fs *slow)
{
    struct world *world = VFS_CONTAINER(slow, struct world, slow);
    struct vfs_call other = {.patient_with = &slow->fs};
    slow->waiting = NULL;
    CHECK_OK(vfs_mkdir(&world->vfs, &other, "/x", 0755));
}

static void remove_x(struct slow_fs *slow)
{
    struct world *world = VFS_CONTAINER(slow, struct world, slow);
    struct vfs_call other = {.patient_with = &slow->fs};
    slow->waiting = NULL;
    CHECK_OK(vfs_rmdir(&world->vfs, &other, "/x"));
}

static void trim_all(struct slow_fs *slow)
{
    struct world *world = VFS_CONTAINER(slow, struct world, slow);
    struct vfs_call other = {.patient_with = &slow->fs};
    struct file_status status;
    char path[32];
    slow->waiting = NULL;
    for (int i = 0; i < 100; i++) {
        snprintf(path, sizeof path, "/t%d", i);
        CHECK_STATUS(vfs_status(&world->vfs, &other, path, 0, &status), STATUS_NOT_FOUND);
    }
}

static void forget_all(struct slow_fs *slow)
{
    struct world *world = VFS_CONTAINER(slow, struct world, slow);
    slow->waiting = NULL;
    CHECK_OK(vfs_mount_forget(&world->vfs, vfs_mount_find(&world->vfs, 1)));
}

static void test_cache_survives_changes_while_waiting(void)
{
    struct world world;
    struct file_status status;
    world_begin(&world, 64);
    for (int round = 0; round < 3; round++) {
        /* The negative dentry of the last round would answer without waiting. */
        trim_all(&world.slow);
        world.slow.waiting = make_x;
        status_t got = DRIVE(vfs_status(&world.vfs, &call, "/x", 0, &status));
        CHECK(got == STATUS_OK || got == STATUS_NOT_FOUND);
        world.slow.waiting = NULL;
        CHECK_OK(DRIVE(vfs_status(&world.vfs, &call, "/x", 0, &status)));
        world.slow.waiting = trim_all;
        CHECK_OK(DRIVE(vfs_mkdir(&world.vfs, &call, "/x/y", 0)));
        world.slow.waiting = trim_all;
        CHECK_OK(DRIVE(vfs_rmdir(&world.vfs, &call, "/x/y")));
        world.slow.waiting = remove_x;
        got = DRIVE(vfs_mkdir(&world.vfs, &call, "/x/z", 0));
        CHECK(got == STATUS_GONE || got == STATUS_NOT_FOUND);
        world.slow.waiting = NULL;
        CHECK_STATUS(DRIVE(vfs_status(&world.vfs, &call, "/x", 0, &status)), STATUS_NOT_FOUND);
    }
    world_end(&world);
}

static void test_cache_forgotten_mount_starts_anew(void)
{
    struct world world;
    struct file_status status;
    struct vfs_file file;
    uint64_t done;
    world_begin(&world, 64);
    CHECK_OK(DRIVE(vfs_open(&world.vfs, &call, "/f",
                            FILE_OPEN_READ | FILE_OPEN_WRITE | FILE_OPEN_CREATE, 0, &file)));
    CHECK_OK(DRIVE(vfs_attributes(&world.vfs, &call, &file, &status)));
    struct vfs_id id = {status.attributes.inode, status.attributes.generation};
    world.slow.waiting = forget_all;
    status_t got = DRIVE(vfs_status(&world.vfs, &call, "/g", 0, &status));
    CHECK(got == STATUS_NOT_FOUND || got == STATUS_GONE);
    struct buffer_sink sink = sink_of(NULL, 0);
    CHECK_STATUS(DRIVE(vfs_read(&world.vfs, &call, &file, 1, &sink.sink, &done)), STATUS_GONE);
    CHECK_OK(DRIVE(vfs_status(&world.vfs, &call, "/f", 0, &status)));
    vfs_close(&world.vfs, &file);
    CHECK_OK(DRIVE(vfs_reopen(&world.vfs, &call, 1, id, FILE_OPEN_READ, &file)));
    CHECK_OK(DRIVE(vfs_read(&world.vfs, &call, &file, 1, &sink.sink, &done)));
    vfs_close(&world.vfs, &file);
    world_end(&world);
}

static void test_cache_faults_are_passed_on_and_not_kept(void)
{
    static const status_t faults[] = {STATUS_IO, STATUS_CORRUPT, STATUS_PEER_DIED, STATUS_GONE,
                                      STATUS_NO_MEMORY};
    struct world world;
    struct file_status status;
    world_begin(&world, 64);
    CHECK_OK(DRIVE(vfs_mkdir(&world.vfs, &call, "/d", 0755)));
    CHECK_OK(vfs_mount_forget(&world.vfs, vfs_mount_find(&world.vfs, 1)));
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        world.slow.fault = faults[i];
        CHECK_STATUS(DRIVE(vfs_status(&world.vfs, &call, "/d/e", 0, &status)), faults[i]);
        CHECK_STATUS(DRIVE(vfs_mkdir(&world.vfs, &call, "/d/e", 0)), faults[i]);
    }
    world.slow.fault = STATUS_OK;
    CHECK_STATUS(DRIVE(vfs_status(&world.vfs, &call, "/d/e", 0, &status)), STATUS_NOT_FOUND);
    world_end(&world);
}

void run_cache_tests(void)
{
    RUN(test_cache_warm_paths_cost_no_call);
    RUN(test_cache_holds_no_more_than_its_bound);
    RUN(test_cache_keeps_what_is_used_most);
    RUN(test_cache_depth_beyond_its_bound_works);
    RUN(test_cache_survives_changes_while_waiting);
    RUN(test_cache_forgotten_mount_starts_anew);
    RUN(test_cache_faults_are_passed_on_and_not_kept);
}
