/* A writable file system in memory, to be mounted in a struct vfs.
 *
 * All that must outlive the process that serves it lies in one store of 4 KiB pages: a superblock (page 0), the inode
 * table, directories and data, linked by page numbers and never by pointers. In the system the store is a Memory that
 * somebody else holds a capability to as well, so that a restarted service goes on with the files of the one before; on
 * the host it is an array. What can be computed again (which pages are free, the index of names) is kept outside of it
 * and is rebuilt by tmpfs_open(), which trusts nothing that it reads there.
 *
 * Order of changes, so that a store abandoned between any two of them is usable: a page, inode or record is complete
 * before it is linked, and is unlinked before it is free. What is linked from nowhere is free.
 *
 * One thread at a time. Nothing here waits. */
#pragma once

#include <vfs/fs.h>

#define TMPFS_PAGE_BYTES 4096

struct tmpfs;

struct tmpfs_store {
    /* @pages pages of TMPFS_PAGE_BYTES each, 8 at least. */
    uint8_t *base;
    uint32_t pages;
    /* Make page @page usable: its content stays if it was, else it is zeros. False: no memory. */
    bool (*commit)(struct tmpfs_store *store, uint32_t page);
    /* @count pages are not used any more; when committed again they are zeros. */
    void (*discard)(struct tmpfs_store *store, uint32_t page, uint32_t count);
    /* The time since 1970 in nanoseconds. */
    int64_t (*now_ns)(struct tmpfs_store *store);
};

/* Open the file system in @store, or make an empty one if there is none. NO_MEMORY, INVALID (too few pages). */
status_t tmpfs_open(struct tmpfs_store *store, struct tmpfs **tmpfs);
/* Free what is outside of the store. */
void tmpfs_close(struct tmpfs *tmpfs);
/* To mount. */
struct vfs_fs *tmpfs_fs(struct tmpfs *tmpfs);
