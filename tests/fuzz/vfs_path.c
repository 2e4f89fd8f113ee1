/* libFuzzer target of lib/vfs and tmpfs: the input is a program of operations on paths that it holds itself. Two mounts,
 * one of which must be waited for; a small store, so that it fills. A fault is what the sanitisers see, an answer that no
 * operation may give, or references left at the end.
 *
 * Build: clang -g -O1 -fsanitize=fuzzer,address,undefined with this file and all sources of lib/vfs and lib/tmpfs; -I for
 * their include folders, lib/os/include and the generated headers. Run: with -max_len=4096.
 */
#include <stdlib.h>
#include <string.h>
#include <tmpfs/tmpfs.h>
#include <vfs/vfs.h>

#define PAGES 64
#define FILES 4

struct input {
    const uint8_t *at;
    size_t left;
};

struct world {
    struct vfs vfs;
    struct tmpfs_store stores[2];
    struct tmpfs *tmpfs[2];
    struct vfs_file files[FILES];
};

static struct vfs_call call;

static bool store_commit(struct tmpfs_store *store, uint32_t page)
{
    return page < store->pages;
}

static void store_discard(struct tmpfs_store *store, uint32_t page, uint32_t count)
{
    memset(store->base + (size_t)page * TMPFS_PAGE_BYTES, 0, (size_t)count * TMPFS_PAGE_BYTES);
}

static int64_t store_now(struct tmpfs_store *store)
{
    (void)store;
    return 1;
}

static uint8_t take(struct input *input)
{
    if (input->left == 0) {
        return 0;
    }
    input->left--;
    return *input->at++;
}

/* A path: bytes up to 0; low ones stand for short names, so that different paths meet. */
static void take_path(struct input *input, char *path, size_t bytes)
{
    size_t used = 0;
    for (uint8_t byte = take(input); byte && used + 4 < bytes; byte = take(input)) {
        if (byte < 16) {
            path[used++] = '/';
            path[used++] = (char)('a' + byte % 4);
        } else {
            path[used++] = (char)byte;
        }
    }
    path[used] = '\0';
}

static status_t sink_put(struct vfs_sink *sink, uint64_t at, const void *data, size_t bytes)
{
    static volatile uint8_t sum;
    (void)sink;
    (void)at;
    for (size_t i = 0; i < bytes; i++) {
        sum ^= ((const uint8_t *)data)[i];
    }
    return STATUS_OK;
}

static status_t source_get(struct vfs_source *source, uint64_t at, void *data, size_t bytes)
{
    (void)source;
    memset(data, (int)at, bytes);
    return at > 9000 ? STATUS_FAULT : STATUS_OK;
}

static void on_file(struct world *world, struct input *input, struct vfs_file *file)
{
    struct vfs_sink sink = {.put = sink_put};
    struct vfs_source source = {.get = source_get};
    _Alignas(8) uint8_t entries[512];
    uint64_t offset = (uint64_t)take(input) << (take(input) % 64);
    uint64_t done, end;
    size_t used;
    status_t status = STATUS_OK;
    switch (take(input) % 5) {
    case 0:
        status = vfs_read_at(&world->vfs, &call, file, offset, 20000, &sink, &done);
        break;
    case 1:
        status = vfs_write_at(&world->vfs, &call, file, offset, (uint64_t)take(input) * 99, &source,
                              &done, &end);
        break;
    case 2:
        status = vfs_truncate(&world->vfs, &call, file, offset);
        break;
    case 3:
        status =
            vfs_readdir(&world->vfs, &call, file, offset, entries, sizeof entries, &used, &end);
        break;
    default:
        vfs_close(&world->vfs, file);
        return;
    }
    if (status == STATUS_CORRUPT || status == STATUS_PENDING) {
        abort();
    }
}

static void on_path(struct world *world, struct input *input, uint8_t what)
{
    char path[1600], other[1600];
    struct file_status info;
    struct fs_statistics statistics;
    size_t length;
    take_path(input, path, sizeof path);
    status_t status = STATUS_OK;
    switch (what % 9) {
    case 0:
        status = vfs_status(&world->vfs, &call, path, 0, &info);
        break;
    case 1:
        status = vfs_mkdir(&world->vfs, &call, path, 0755);
        break;
    case 2:
        status = vfs_unlink(&world->vfs, &call, path);
        break;
    case 3:
        status = vfs_rmdir(&world->vfs, &call, path);
        break;
    case 4:
        status = vfs_readlink(&world->vfs, &call, path, other, sizeof other, &length);
        break;
    case 5:
        status = vfs_statfs(&world->vfs, &call, path, &statistics);
        break;
    default:
        take_path(input, other, sizeof other);
        status = what % 9 == 6   ? vfs_rename(&world->vfs, &call, path, other, take(input) % 2)
                 : what % 9 == 7 ? vfs_symlink(&world->vfs, &call, other, path)
                                 : vfs_link(&world->vfs, &call, path, other);
    }
    if (status == STATUS_CORRUPT || status == STATUS_PENDING || status == STATUS_GONE) {
        abort();
    }
}

static void run(struct world *world, struct input *input)
{
    while (input->left) {
        uint8_t what = take(input);
        struct vfs_file *file = &world->files[what % FILES];
        if (what & 0x80) {
            on_path(world, input, what);
        } else if (file->inode) {
            on_file(world, input, file);
        } else {
            char path[1600];
            take_path(input, path, sizeof path);
            if (!status_is_ok(vfs_open(&world->vfs, &call, path, take(input), 0644, file))) {
                *file = (struct vfs_file){0};
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const places[2] = {"/", "/m"};
    static struct world world;
    struct input input = {.at = data, .left = size};
    world = (struct world){0};
    call = (struct vfs_call){0};
    vfs_init(&world.vfs, 64);
    for (unsigned i = 0; i < 2; i++) {
        world.stores[i] = (struct tmpfs_store){
            .base = aligned_alloc(TMPFS_PAGE_BYTES, PAGES * TMPFS_PAGE_BYTES),
            .pages = PAGES,
            .commit = store_commit,
            .discard = store_discard,
            .now_ns = store_now,
        };
        memset(world.stores[i].base, 0, PAGES * TMPFS_PAGE_BYTES);
        if (!status_is_ok(tmpfs_open(&world.stores[i], &world.tmpfs[i])) ||
            !status_is_ok(vfs_mount(&world.vfs, places[i], tmpfs_fs(world.tmpfs[i]), "tmpfs", i + 1,
                                    false))) {
            abort();
        }
    }
    run(&world, &input);
    for (unsigned i = 0; i < FILES; i++) {
        if (world.files[i].inode) {
            vfs_close(&world.vfs, &world.files[i]);
        }
    }
    vfs_destroy(&world.vfs);
    if (world.vfs.counts.dentries || world.vfs.counts.inodes) {
        abort();
    }
    for (unsigned i = 0; i < 2; i++) {
        tmpfs_close(world.tmpfs[i]);
        free(world.stores[i].base);
    }
    return 0;
}
