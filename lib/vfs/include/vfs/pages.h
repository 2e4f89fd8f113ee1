/* A cache of file pages: which frame holds which page of which file, and which frame is given up next.
 *
 * The frames themselves are the caller's, named by number; what they hold is found by (owner, inode, generation, page).
 * All frames are on one LRU list; one that holds nothing comes first. The caller serialises the calls. */
#pragma once

#include <vfs/fs.h>
#include <vfs/list.h>

#define VFS_PAGES_NONE UINT32_MAX

struct vfs_page_key {
    const void *owner;
    struct vfs_id id;
    uint64_t page;
};

struct vfs_page_frame;

struct vfs_pages {
    struct vfs_page_frame *frames;
    struct vfs_link *buckets;
    struct vfs_link order;
    uint32_t count;
    uint32_t bucket_mask;
};

/* A cache of @count frames, 1 at least. NO_MEMORY. */
status_t vfs_pages_init(struct vfs_pages *pages, uint32_t count);
void vfs_pages_destroy(struct vfs_pages *pages);
/* The frame that holds @key, now the one used last; VFS_PAGES_NONE. */
uint32_t vfs_pages_find(struct vfs_pages *pages, const struct vfs_page_key *key);
/* Give the frame that was not used longest to @key, which no frame holds: the caller fills it before it lets others in. */
uint32_t vfs_pages_take(struct vfs_pages *pages, const struct vfs_page_key *key);
/* The frame @frame holds nothing. */
void vfs_pages_drop(struct vfs_pages *pages, uint32_t frame);
/* Frames from @count on, 1 at least, hold nothing and are never given again. */
void vfs_pages_shrink(struct vfs_pages *pages, uint32_t count);
/* Nothing of @owner is held any more. */
void vfs_pages_drop_owner(struct vfs_pages *pages, const void *owner);
