/* The pages of files that other processes keep: frames of one Memory, mapped here, found by lib/vfs's page cache. A frame
 * gets memory when it is first used; when there is none left, the cache stays as big as it is then. */
#include "server.h"

#include <os/memory.h>
#include <veridian/syscalls.h>

#define FRAMES_MIN 16

status_t cache_init(struct page_cache *cache, uint64_t bytes)
{
    uint32_t frames = bytes / PAGE_SIZE < FRAMES_MIN ? FRAMES_MIN : (uint32_t)(bytes / PAGE_SIZE);
    void *base = NULL;
    status_t status = memory_map_new((uint64_t)frames * PAGE_SIZE, 0, &cache->memory, &base);
    if (!status_is_ok(status)) {
        return status;
    }
    cache->base = base;
    return vfs_pages_init(&cache->pages, frames);
}

uint32_t cache_take(struct page_cache *cache, const struct vfs_page_key *key)
{
    uint32_t frame = vfs_pages_take(&cache->pages, key);
    if (frame < cache->committed) {
        return frame;
    }
    /* Frames are first taken in their order: the list begins with those never used. */
    status_t status = sys_memory_commit(cache->memory, (uint64_t)frame * PAGE_SIZE, PAGE_SIZE);
    if (status_is_ok(status)) {
        cache->committed = frame + 1;
        return frame;
    }
    vfs_pages_drop(&cache->pages, frame);
    if (cache->committed < FRAMES_MIN) {
        return VFS_PAGES_NONE;
    }
    vfs_pages_shrink(&cache->pages, cache->committed);
    return vfs_pages_take(&cache->pages, key);
}
