/* What a file system must offer to be mounted: a table of operations and an instance.
 *
 * A file system knows inodes, directories as name -> inode, and nothing of paths, mounts or open files. Names come as
 * pointer and length, checked (1 to FS_NAME_BYTES bytes without '/' and NUL, not "." or ".."). Attributes answered
 * always carry the inode's number and generation. The statuses are those of idl/fs.idl.
 *
 * An operation that would have to wait for another process asks @call first: vfs_may_wait(call, fs). If that says
 * no, it returns STATUS_PENDING and has done nothing; the vfs unwinds and whoever serves the request repeats it where
 * waiting is allowed. While it waits it may release the lock that guards the struct vfs: the vfs holds references on
 * all that it uses and looks again afterwards. */
#pragma once

#include <idl/fs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <veridian/abi.h>

struct vfs_fs;

/* One request: on whose behalf, and where it may wait. */
struct vfs_call {
    /* The only file system that may be waited for; NULL: none. */
    const struct vfs_fs *patient_with;
    /* Set when STATUS_PENDING is answered: the file system that has to be waited for. */
    struct vfs_fs *wanted;
    /* Changes answer DENIED. */
    bool read_only;
};

struct vfs_id {
    uint64_t inode;
    uint64_t generation;
};

/* Where data read goes: @at counts from the beginning of this read. */
struct vfs_sink {
    status_t (*put)(struct vfs_sink *sink, uint64_t at, const void *data, size_t bytes);
};

/* Where data to write comes from: @at counts from the beginning of this write. */
struct vfs_source {
    status_t (*get)(struct vfs_source *source, uint64_t at, void *data, size_t bytes);
};

/* A name in a directory. */
struct vfs_name {
    const char *text;
    size_t bytes;
};

/* A file to be made. @target: of a symbolic link. */
struct vfs_new {
    uint32_t type; /* enum fs_type: FILE, DIRECTORY or SYMLINK */
    uint32_t mode;
    struct vfs_name target;
};

/* NULL from make on: a file system that cannot be changed; the vfs answers DENIED itself. */
struct vfs_fs_ops {
    status_t (*root)(struct vfs_fs *fs, struct vfs_call *call, struct fs_attributes *attributes);
    status_t (*lookup)(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id directory,
                       struct vfs_name name, struct fs_attributes *attributes);
    status_t (*attributes)(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                           struct fs_attributes *attributes);
    /* The range lies within the file. *@done counts what reached @sink, also on failure. */
    status_t (*read)(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id, uint64_t offset,
                     uint64_t bytes, struct vfs_sink *sink, uint64_t *done);
    /* As fs.readdir: packed struct fs_entry and names into @buffer (8-aligned). */
    status_t (*readdir)(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id, uint64_t cursor,
                        void *buffer, size_t bytes, size_t *used, uint64_t *next);
    status_t (*readlink)(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id, char *buffer,
                         size_t bytes, size_t *length);
    status_t (*statfs)(struct vfs_fs *fs, struct vfs_call *call, struct fs_statistics *statistics);
    /* An inode is opened for the first time, or closed for the last: in between it outlives its last name. May be
     * NULL; never waits. */
    void (*hold)(struct vfs_fs *fs, struct vfs_id id);
    void (*release)(struct vfs_fs *fs, struct vfs_id id);

    status_t (*make)(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id directory,
                     struct vfs_name name, const struct vfs_new *what,
                     struct fs_attributes *attributes);
    status_t (*link)(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                     struct vfs_id directory, struct vfs_name name,
                     struct fs_attributes *attributes);
    status_t (*unlink)(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id directory,
                       struct vfs_name name);
    status_t (*rmdir)(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id directory,
                      struct vfs_name name);
    status_t (*rename)(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id old_directory,
                       struct vfs_name old_name, struct vfs_id new_directory,
                       struct vfs_name new_name, uint32_t flags);
    /* *@done counts what was written, also on failure. */
    status_t (*write)(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id, uint64_t offset,
                      uint64_t bytes, struct vfs_source *source, uint64_t *done);
    status_t (*truncate)(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                         uint64_t bytes);
    status_t (*setattr)(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                        const struct fs_changes *changes);
    status_t (*sync)(struct vfs_fs *fs, struct vfs_call *call);
};

/* An instance begins with this. */
struct vfs_fs {
    const struct vfs_fs_ops *ops;
};

/* Whether the request may wait for @fs; else it is noted that it wants to. */
static inline bool vfs_may_wait(struct vfs_call *call, struct vfs_fs *fs)
{
    if (call->patient_with == fs) {
        return true;
    }
    call->wanted = fs;
    return false;
}
