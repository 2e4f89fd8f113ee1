/* The ext4 reader: what a file-system process (or a test, or a fuzzer) sees of it.
 *
 * A struct ext4_fs is one mounted file system over a block device that the caller supplies as a
 * function; a struct ext4_inode is an immutable copy of one inode. Everything is read-only, a
 * journal is never replayed. The library keeps no global state and takes no lock: calls on one
 * struct ext4_fs must not run at the same time.
 *
 * The device is not trusted. Every structure is checked against its checksum (where the file system
 * has them) and against the size of the file system before it is used; no loop and no depth is
 * governed by the image alone. What is wrong on the medium is STATUS_CORRUPT, and only the file
 * that it belongs to suffers.
 *
 * Specification: "ext4 Data Structures and Algorithms" in the Linux kernel's documentation
 * (filesystems/ext4), cited in the sources by its section names.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <veridian/abi.h>

#define EXT4_NAME_MAX 255u
#define EXT4_ROOT_INODE 2u
/** A whole attribute name: the longest prefix and 255 bytes. */
#define EXT4_XATTR_NAME_MAX 288u
/** The longest target of a symbolic link, in bytes without a terminator. */
#define EXT4_SYMLINK_MAX 4095u

/** The medium. read() fills the whole buffer or fails, and its status is passed on to the caller
 *  of the library. Offsets and lengths are multiples of 1024 bytes and, once mounted, of the
 *  block size of the file system; no read reaches beyond size_bytes. */
struct ext4_device {
    void *context;
    status_t (*read)(void *context, uint64_t offset, void *buffer, size_t bytes);
    uint64_t size_bytes;
};

/** How the library gets memory, 16-byte aligned, and where its messages go. */
struct ext4_options {
    void *context;
    /** Null when there is none: the operation then answers NO_MEMORY. */
    void *(*allocate)(void *context, size_t bytes);
    void (*release)(void *context, void *memory);
    /** What a person should know of this file system: one line, without its end. May be null. */
    void (*message)(void *context, const char *text);
    /** Memory for cached metadata blocks; at least 32 blocks are kept whatever this says. */
    size_t cache_bytes;
};

struct ext4_fs;
struct ext4_inode;

/** File type codes of directory entries (section "Directory Entries", table ftype). */
enum ext4_type {
    EXT4_TYPE_UNKNOWN = 0,
    EXT4_TYPE_REGULAR = 1,
    EXT4_TYPE_DIRECTORY = 2,
    EXT4_TYPE_CHARACTER = 3,
    EXT4_TYPE_BLOCK = 4,
    EXT4_TYPE_FIFO = 5,
    EXT4_TYPE_SOCKET = 6,
    EXT4_TYPE_SYMLINK = 7,
};

/** Seconds since 1970 (34 bits on disk, signed) and nanoseconds below 1,000,000,000. */
struct ext4_time {
    int64_t seconds;
    uint32_t nanoseconds;
};

struct ext4_stat {
    uint32_t inode;
    uint32_t generation;
    uint32_t mode; /* type and permission bits as on disk (table i_mode) */
    enum ext4_type type;
    uint32_t links; /* 1 for a directory with more subdirectories than can be counted */
    uint32_t uid;
    uint32_t gid;
    uint32_t project;
    uint32_t flags;        /* table i_flags */
    uint32_t device_major; /* of character and block devices, else 0 */
    uint32_t device_minor;
    uint64_t size_bytes;
    uint64_t blocks_512; /* allocated, in units of 512 bytes */
    struct ext4_time accessed;
    struct ext4_time modified;
    struct ext4_time changed;
    struct ext4_time created; /* 0 where the inode is too small to say */
};

struct ext4_statfs {
    uint32_t block_bytes;
    uint64_t blocks; /* without the file system's own overhead */
    uint64_t blocks_free;
    uint64_t blocks_available; /* free and not reserved */
    uint32_t inodes;
    uint32_t inodes_free;
    uint8_t uuid[16];
    char label[17];
};

/** One name in a directory. The name is not terminated and lives only during the callback that gets
 *  it. */
struct ext4_entry {
    uint32_t inode;
    enum ext4_type type; /* UNKNOWN where the file system does not record it */
    const char *name;
    size_t name_bytes;
    uint64_t next; /* the cursor behind this entry */
};

/** Mount what is on @device. Both structures are copied. CORRUPT: not ext4, or damaged;
 *  UNSUPPORTED: an incompatible feature that this reader does not know (a message names it);
 *  NO_MEMORY; or what the device answered. */
status_t ext4_mount(const struct ext4_device *device, const struct ext4_options *options,
                    struct ext4_fs **out);

/** Give everything back. All inodes of @fs are closed by then. */
void ext4_unmount(struct ext4_fs *fs);

void ext4_statfs(const struct ext4_fs *fs, struct ext4_statfs *out);

/** Read inode @number. NOT_FOUND: no such inode, or not in use; CORRUPT; NO_MEMORY; or what the
 *  device answered. */
status_t ext4_inode_open(struct ext4_fs *fs, uint32_t number, struct ext4_inode **out);
void ext4_inode_close(struct ext4_inode *inode);
void ext4_inode_stat(const struct ext4_inode *inode, struct ext4_stat *out);

/** Find @name in @directory, "." and ".." included. The type may be UNKNOWN. WRONG_TYPE: not a
 *  directory; INVALID: an empty name; RANGE: longer than EXT4_NAME_MAX; NOT_FOUND; CORRUPT;
 *  NO_MEMORY; or what the device answered. */
status_t ext4_lookup(struct ext4_inode *directory, const char *name, size_t name_bytes,
                     uint32_t *number, enum ext4_type *type);

/** Give entries to @emit, from *@cursor on, until it refuses one (by false) or none is left.
 *  *@cursor then stands at the entry that was refused, or at the end, from where nothing more is
 *  given. It begins at 0, stays valid for the life of the file system and may hold any value: one
 *  that is no entry's is moved up to the next entry. */
status_t ext4_directory_iterate(struct ext4_inode *directory, uint64_t *cursor,
                                bool (*emit)(void *context, const struct ext4_entry *entry),
                                void *context);

/** Read up to @bytes at @offset of a regular file, holes as zeros. *@done is what was read, also
 *  when the rest failed; it is less than @bytes only at the end of the file or after a failure.
 *  WRONG_TYPE; CORRUPT; NO_MEMORY; or the device's. Whole blocks go straight into @buffer in
 *  requests as long as the extents are. */
status_t ext4_read(struct ext4_inode *file, uint64_t offset, void *buffer, size_t bytes,
                   size_t *done);

/** The target of a symbolic link, without a terminator. RANGE: longer than @capacity; WRONG_TYPE;
 *  CORRUPT; … */
status_t ext4_readlink(struct ext4_inode *link, char *buffer, size_t capacity, size_t *bytes);

/** The value of the extended attribute @name ("user.x"; terminated). *@bytes is the value's size,
 *  also when RANGE says that it is above @capacity. Access control lists are given as they are on
 *  disk. NOT_FOUND; CORRUPT; NO_MEMORY; … */
status_t ext4_xattr_get(struct ext4_inode *inode, const char *name, void *buffer, size_t capacity,
                        size_t *bytes);

/** Give the terminated name and the value's size of each extended attribute to @emit until it
 *  answers false. */
status_t ext4_xattr_iterate(struct ext4_inode *inode,
                            bool (*emit)(void *context, const char *name, size_t value_bytes),
                            void *context);
