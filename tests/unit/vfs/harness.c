/* See harness.h. */
#include "harness.h"

#include <sanitizer/asan_interface.h>
#include <string.h>

static int tests_run;

void run_test(const char *name, void (*test)(void))
{
    test();
    printf("ok %d - %s\n", ++tests_run, name);
    fflush(stdout);
}

uint64_t random_next(struct random_state *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

uint32_t random_below(struct random_state *random, uint32_t bound)
{
    return (uint32_t)(random_next(random) % bound);
}

static struct store *store_of(struct tmpfs_store *store)
{
    return VFS_CONTAINER(store, struct store, store);
}

static void midway(struct store *store)
{
    if (store->midway) {
        store->midway(store);
    }
}

static bool store_commit(struct tmpfs_store *base, uint32_t page)
{
    struct store *store = store_of(base);
    CHECK(page < base->pages);
    midway(store);
    if (store->present[page]) {
        return true;
    }
    if (store->commits_left == 0) {
        return false;
    }
    store->commits_left--;
    store->present[page] = 1;
    uint8_t *at = base->base + (size_t)page * TMPFS_PAGE_BYTES;
    ASAN_UNPOISON_MEMORY_REGION(at, TMPFS_PAGE_BYTES);
    memset(at, 0, TMPFS_PAGE_BYTES);
    return true;
}

static void store_discard(struct tmpfs_store *base, uint32_t page, uint32_t count)
{
    struct store *store = store_of(base);
    CHECK(page <= base->pages && count <= base->pages - page);
    midway(store);
    memset(store->present + page, 0, count);
    ASAN_POISON_MEMORY_REGION(base->base + (size_t)page * TMPFS_PAGE_BYTES,
                              (size_t)count * TMPFS_PAGE_BYTES);
}

static int64_t store_now(struct tmpfs_store *base)
{
    struct store *store = store_of(base);
    midway(store);
    return store->now_ns += 1000;
}

void store_begin(struct store *store, uint32_t pages)
{
    *store = (struct store){.commits_left = -1};
    store->store = (struct tmpfs_store){
        .base = aligned_alloc(TMPFS_PAGE_BYTES, (size_t)pages * TMPFS_PAGE_BYTES),
        .pages = pages,
        .commit = store_commit,
        .discard = store_discard,
        .now_ns = store_now,
    };
    store->present = calloc(pages, 1);
    CHECK(store->store.base && store->present);
    ASAN_POISON_MEMORY_REGION(store->store.base, (size_t)pages * TMPFS_PAGE_BYTES);
}

void store_end(struct store *store)
{
    ASAN_UNPOISON_MEMORY_REGION(store->store.base, (size_t)store->store.pages * TMPFS_PAGE_BYTES);
    free(store->store.base);
    free(store->present);
}

void store_copy(struct store *to, const struct store *from)
{
    store_begin(to, from->store.pages);
    to->now_ns = from->now_ns;
    for (uint32_t page = 0; page < from->store.pages; page++) {
        if (from->present[page]) {
            size_t at = (size_t)page * TMPFS_PAGE_BYTES;
            CHECK(store_commit(&to->store, page));
            memcpy(to->store.base + at, from->store.base + at, TMPFS_PAGE_BYTES);
        }
    }
}

static status_t sink_put(struct vfs_sink *base, uint64_t at, const void *data, size_t bytes)
{
    struct buffer_sink *sink = VFS_CONTAINER(base, struct buffer_sink, sink);
    CHECK(at + bytes <= sink->bytes);
    if (at + bytes > sink->fault_at) {
        return STATUS_FAULT;
    }
    memcpy(sink->data + at, data, bytes);
    return STATUS_OK;
}

struct buffer_sink sink_of(void *data, size_t bytes)
{
    return (struct buffer_sink){.sink.put = sink_put,
                                .data = data,
                                .bytes = bytes,
                                .fault_at = SIZE_MAX};
}

static status_t source_get(struct vfs_source *base, uint64_t at, void *data, size_t bytes)
{
    struct buffer_source *source = VFS_CONTAINER(base, struct buffer_source, source);
    CHECK(at + bytes <= source->bytes);
    size_t good = at >= source->fault_at          ? 0
                  : source->fault_at - at < bytes ? source->fault_at - at
                                                  : bytes;
    memcpy(data, source->data + at, good);
    return good == bytes ? STATUS_OK : STATUS_FAULT;
}

struct buffer_source source_of(const void *data, size_t bytes)
{
    return (struct buffer_source){.source.get = source_get,
                                  .data = data,
                                  .bytes = bytes,
                                  .fault_at = SIZE_MAX};
}

/* True: the call goes through; else *status is the answer. */
static bool slow_enter(struct vfs_fs *fs, struct vfs_call *call, status_t *status)
{
    struct slow_fs *slow = VFS_CONTAINER(fs, struct slow_fs, fs);
    if (!vfs_may_wait(call, fs)) {
        *status = STATUS_PENDING;
        return false;
    }
    slow->calls++;
    if (slow->waiting) {
        slow->waiting(slow);
    }
    *status = slow->fault;
    return slow->fault == STATUS_OK;
}

#define SLOW(name, parameters, ...)                                          \
    static status_t slow_##name parameters                                   \
    {                                                                        \
        status_t status;                                                     \
        if (!slow_enter(fs, call, &status)) {                                \
            return status;                                                   \
        }                                                                    \
        struct vfs_fs *below = VFS_CONTAINER(fs, struct slow_fs, fs)->below; \
        return below->ops->name(below, call, __VA_ARGS__);                   \
    }

#define COMMON struct vfs_fs *fs, struct vfs_call *call

SLOW(root, (COMMON, struct fs_attributes *attributes), attributes)
SLOW(lookup,
     (COMMON, struct vfs_id directory, struct vfs_name name, struct fs_attributes *attributes),
     directory, name, attributes)
SLOW(attributes, (COMMON, struct vfs_id id, struct fs_attributes *attributes), id, attributes)
SLOW(read,
     (COMMON, struct vfs_id id, uint64_t offset, uint64_t bytes, struct vfs_sink *sink,
      uint64_t *done),
     id, offset, bytes, sink, done)
SLOW(readdir,
     (COMMON, struct vfs_id id, uint64_t cursor, void *buffer, size_t bytes, size_t *used,
      uint64_t *next),
     id, cursor, buffer, bytes, used, next)
SLOW(readlink, (COMMON, struct vfs_id id, char *buffer, size_t bytes, size_t *length), id, buffer,
     bytes, length)
SLOW(statfs, (COMMON, struct fs_statistics *statistics), statistics)
SLOW(make,
     (COMMON, struct vfs_id directory, struct vfs_name name, const struct vfs_new *what,
      struct fs_attributes *attributes),
     directory, name, what, attributes)
SLOW(link,
     (COMMON, struct vfs_id id, struct vfs_id directory, struct vfs_name name,
      struct fs_attributes *attributes),
     id, directory, name, attributes)
SLOW(unlink, (COMMON, struct vfs_id directory, struct vfs_name name), directory, name)
SLOW(rmdir, (COMMON, struct vfs_id directory, struct vfs_name name), directory, name)
SLOW(rename,
     (COMMON, struct vfs_id old_directory, struct vfs_name old_name, struct vfs_id new_directory,
      struct vfs_name new_name, uint32_t flags),
     old_directory, old_name, new_directory, new_name, flags)
SLOW(write,
     (COMMON, struct vfs_id id, uint64_t offset, uint64_t bytes, struct vfs_source *source,
      uint64_t *done),
     id, offset, bytes, source, done)
SLOW(truncate, (COMMON, struct vfs_id id, uint64_t bytes), id, bytes)
SLOW(setattr, (COMMON, struct vfs_id id, const struct fs_changes *changes), id, changes)

static void slow_hold(struct vfs_fs *fs, struct vfs_id id)
{
    struct vfs_fs *below = VFS_CONTAINER(fs, struct slow_fs, fs)->below;
    below->ops->hold(below, id);
}

static void slow_release(struct vfs_fs *fs, struct vfs_id id)
{
    struct vfs_fs *below = VFS_CONTAINER(fs, struct slow_fs, fs)->below;
    below->ops->release(below, id);
}

static const struct vfs_fs_ops slow_ops = {
    .root = slow_root,
    .lookup = slow_lookup,
    .attributes = slow_attributes,
    .read = slow_read,
    .readdir = slow_readdir,
    .readlink = slow_readlink,
    .statfs = slow_statfs,
    .hold = slow_hold,
    .release = slow_release,
    .make = slow_make,
    .link = slow_link,
    .unlink = slow_unlink,
    .rmdir = slow_rmdir,
    .rename = slow_rename,
    .write = slow_write,
    .truncate = slow_truncate,
    .setattr = slow_setattr,
};

void slow_begin(struct slow_fs *slow, struct vfs_fs *below)
{
    *slow = (struct slow_fs){.fs.ops = &slow_ops, .below = below, .fault = STATUS_OK};
}

int main(void)
{
    run_tmpfs_tests();
    run_path_tests();
    run_cache_tests();
    run_model_tests();
    run_store_tests();
    run_archive_tests();
    printf("1..%d\n", tests_run);
    return 0;
}
