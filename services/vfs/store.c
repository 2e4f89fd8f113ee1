/* The Memory behind a tmpfs. If we were given one by the name "tmpfs" (init has the other copy), the files in it are still
 * there when we are started again; else it is our own. A page is committed before it is written, so a
 * full machine means NO_SPACE and never a fault. */
#include "server.h"

#include <os/clock.h>
#include <os/memory.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

struct memory_store {
    struct tmpfs_store store;
    handle_t memory;
};

static struct memory_store *store_of(struct tmpfs_store *store)
{
    return VFS_CONTAINER(store, struct memory_store, store);
}

static bool store_commit(struct tmpfs_store *store, uint32_t page)
{
    return status_is_ok(
        sys_memory_commit(store_of(store)->memory, (uint64_t)page * PAGE_SIZE, PAGE_SIZE));
}

static void store_discard(struct tmpfs_store *store, uint32_t page, uint32_t count)
{
    uint64_t offset = (uint64_t)page * PAGE_SIZE;
    uint64_t bytes = (uint64_t)count * PAGE_SIZE;
    uint64_t present;
    if (status_is_ok(sys_memory_discard(store_of(store)->memory, offset, bytes))) {
        return;
    }
    /* Kept for some reason: then at least zeros. */
    for (uint64_t at = offset; at < offset + bytes; at += PAGE_SIZE) {
        if (status_is_ok(sys_memory_query(store_of(store)->memory, at, PAGE_SIZE, &present)) &&
            present) {
            memset(store->base + at, 0, PAGE_SIZE);
        }
    }
}

static int64_t store_now(struct tmpfs_store *store)
{
    (void)store;
    return (int64_t)clock_now_ns();
}

static status_t store_memory(uint64_t *bytes, handle_t *memory)
{
    *memory = os_cap("tmpfs");
    if (*memory == HANDLE_NONE) {
        return memory_create(*bytes, 0, memory);
    }
    return sys_memory_size(*memory, bytes);
}

status_t store_open(uint64_t bytes, struct tmpfs_store **result)
{
    struct memory_store *store = calloc(1, sizeof *store);
    void *base = NULL;
    if (!store) {
        return STATUS_NO_MEMORY;
    }
    status_t status = store_memory(&bytes, &store->memory);
    if (status_is_ok(status)) {
        status = memory_map(store->memory, 0, bytes, MAP_READ | MAP_WRITE, &base);
    }
    if (!status_is_ok(status)) {
        free(store);
        return status;
    }
    store->store = (struct tmpfs_store){
        .base = base,
        .pages = (uint32_t)(bytes / PAGE_SIZE),
        .commit = store_commit,
        .discard = store_discard,
        .now_ns = store_now,
    };
    *result = &store->store;
    return STATUS_OK;
}
