/* The vfs: mounts, path resolution, the dentry and inode caches, open files. A library without IPC.
 *
 * A struct vfs is one name space: a root file system and others mounted on names in it. Everything is reached by
 * absolute path or through a struct vfs_file. The caller serialises all calls by one lock of its own; file systems may
 * release it while they wait (see fs.h), so several threads may be inside.
 *
 * How it works. A dentry says that a name in a directory leads to an inode, or to nothing (a negative dentry). A dentry
 * never changes (but for a mount point's parent, when that is forgotten): whatever takes a name away takes the dentry out of the hash table, and a new lookup makes a new one.
 * Who uses a dentry holds a reference; those without wait on an LRU list and are the first to go when there are too
 * many. A dentry refers to its parent, so ".." is always at hand. An inode lives as long as a dentry or an open file
 * refers to it, and keeps its attributes until something changes them.
 * A mount point is a dentry that belongs to the vfs alone: the directory below need not exist, and is covered if it does.
 *
 * Invariants: every dentry's parent is alive; negative dentries have no children; (mount, id) names at most one inode. */
#pragma once

#include <idl/files.h>
#include <vfs/fs.h>
#include <vfs/list.h>

#define VFS_BUCKETS 1024
#define VFS_PATH_BYTES 4096
#define VFS_MOUNT_PATH_BYTES 256

struct vfs_dentry;
struct vfs_inode;

struct vfs_mount {
    /* In struct vfs.mounts, by number. */
    struct vfs_link link;
    struct vfs_fs *fs;
    /* The root directory; its inode is asked for when it is first needed. */
    struct vfs_dentry *root;
    /* The mount point in another mount; NULL: this is the root of everything. */
    struct vfs_dentry *covers;
    uint64_t number;
    /* Counts changes of names: a lookup that waited while one happened is repeated. */
    uint64_t changes;
    bool read_only;
    char path[VFS_MOUNT_PATH_BYTES];
    char source[64];
};

struct vfs_counts {
    uint64_t dentries;
    uint64_t inodes;
    uint64_t hits;
    uint64_t misses;
};

struct vfs {
    struct vfs_link mounts;
    struct vfs_mount *root;
    struct vfs_link dentries[VFS_BUCKETS];
    struct vfs_link inodes[VFS_BUCKETS];
    /* Dentries without references, the longest unused first. */
    struct vfs_link idle;
    size_t dentries_max;
    struct vfs_counts counts;
};

/* An open file. The vfs knows no descriptors: the caller keeps these where it likes, and closes each. */
struct vfs_file {
    struct vfs_inode *inode;
    uint32_t flags; /* FILE_OPEN_* */
    uint64_t offset;
};

/* @dentries_max bounds the cache (64 at least); those in use are not counted against it. */
void vfs_init(struct vfs *vfs, size_t dentries_max);
/* Free everything; no file may be open. The file systems are the caller's. */
void vfs_destroy(struct vfs *vfs);

/* Mount @fs at @path, the first mount at "/"; later ones directly below the root directory of an earlier one.
 * EXISTS: @path is a mount point already. NOT_FOUND: no mount holds @path's directory as its root. */
status_t vfs_mount(struct vfs *vfs, const char *path, struct vfs_fs *fs, const char *source,
                   uint64_t number, bool read_only);
/* The mount with the least number above @after, or NULL. */
struct vfs_mount *vfs_mount_next(struct vfs *vfs, uint64_t after);
struct vfs_mount *vfs_mount_find(struct vfs *vfs, uint64_t number);
/* Forget all that is cached of @mount: its file system is another one than before. Files that are open answer GONE.
 * NO_MEMORY: nothing was done. */
status_t vfs_mount_forget(struct vfs *vfs, struct vfs_mount *mount);

/* The operations on paths: statuses as in idl/files.idl, and PENDING (see fs.h). Paths are NUL-terminated. */
status_t vfs_open(struct vfs *vfs, struct vfs_call *call, const char *path, uint32_t flags,
                  uint32_t mode, struct vfs_file *file);
status_t vfs_status(struct vfs *vfs, struct vfs_call *call, const char *path, uint32_t flags,
                    struct file_status *status);
status_t vfs_readlink(struct vfs *vfs, struct vfs_call *call, const char *path, char *buffer,
                      size_t bytes, size_t *length);
status_t vfs_mkdir(struct vfs *vfs, struct vfs_call *call, const char *path, uint32_t mode);
status_t vfs_symlink(struct vfs *vfs, struct vfs_call *call, const char *target, const char *path);
status_t vfs_link(struct vfs *vfs, struct vfs_call *call, const char *existing, const char *path);
status_t vfs_unlink(struct vfs *vfs, struct vfs_call *call, const char *path);
status_t vfs_rmdir(struct vfs *vfs, struct vfs_call *call, const char *path);
status_t vfs_rename(struct vfs *vfs, struct vfs_call *call, const char *old_path,
                    const char *new_path, uint32_t flags);
status_t vfs_change(struct vfs *vfs, struct vfs_call *call, const char *path, uint32_t flags,
                    const struct fs_changes *changes);
status_t vfs_statfs(struct vfs *vfs, struct vfs_call *call, const char *path,
                    struct fs_statistics *statistics);

/* Open the file that has @id on mount @number. NOT_FOUND: no such mount. */
status_t vfs_reopen(struct vfs *vfs, struct vfs_call *call, uint64_t number, struct vfs_id id,
                    uint32_t flags, struct vfs_file *file);
/* Close an open file; its struct may be used again. Never waits. */
void vfs_close(struct vfs *vfs, struct vfs_file *file);

/* *@done counts what reached @sink: less than @bytes at the end of the file only, 0 on failure. */
status_t vfs_read_at(struct vfs *vfs, struct vfs_call *call, struct vfs_file *file, uint64_t offset,
                     uint64_t bytes, struct vfs_sink *sink, uint64_t *done);
/* As vfs_read_at(), from the file's offset, which moves. */
status_t vfs_read(struct vfs *vfs, struct vfs_call *call, struct vfs_file *file, uint64_t bytes,
                  struct vfs_sink *sink, uint64_t *done);
/* *@end is the offset behind what was written; FILE_OPEN_APPEND goes to the end of the file instead of @offset. */
status_t vfs_write_at(struct vfs *vfs, struct vfs_call *call, struct vfs_file *file,
                      uint64_t offset, uint64_t bytes, struct vfs_source *source, uint64_t *done,
                      uint64_t *end);
status_t vfs_write(struct vfs *vfs, struct vfs_call *call, struct vfs_file *file, uint64_t bytes,
                   struct vfs_source *source, uint64_t *done);
/* Entries from @cursor (0: the first) into the 8-aligned @buffer, mount points included. *@used 0: the end. */
status_t vfs_readdir(struct vfs *vfs, struct vfs_call *call, struct vfs_file *file, uint64_t cursor,
                     void *buffer, size_t bytes, size_t *used, uint64_t *next);
status_t vfs_attributes(struct vfs *vfs, struct vfs_call *call, struct vfs_file *file,
                        struct file_status *status);
status_t vfs_truncate(struct vfs *vfs, struct vfs_call *call, struct vfs_file *file,
                      uint64_t bytes);
status_t vfs_sync(struct vfs *vfs, struct vfs_call *call, struct vfs_file *file);
