/* What ext4 says of a file in the protocol's words. */
#include "server.h"

#define NANOSECONDS INT64_C(1000000000)
#define PERMISSIONS 07777u

uint32_t fs_type_of(enum ext4_type type)
{
    switch (type) {
    case EXT4_TYPE_REGULAR:
        return FS_TYPE_FILE;
    case EXT4_TYPE_DIRECTORY:
        return FS_TYPE_DIRECTORY;
    case EXT4_TYPE_CHARACTER:
        return FS_TYPE_CHAR_DEVICE;
    case EXT4_TYPE_BLOCK:
        return FS_TYPE_BLOCK_DEVICE;
    case EXT4_TYPE_FIFO:
        return FS_TYPE_FIFO;
    case EXT4_TYPE_SOCKET:
        return FS_TYPE_SOCKET;
    case EXT4_TYPE_SYMLINK:
        return FS_TYPE_SYMLINK;
    case EXT4_TYPE_UNKNOWN:
    default:
        return FS_TYPE_UNKNOWN;
    }
}

/* ext4 reaches to the year 2446, nanoseconds in 64 bits to 2262: what is later is the latest. */
static int64_t nanoseconds_of(struct ext4_time time)
{
    int64_t ns;
    if (__builtin_mul_overflow(time.seconds, NANOSECONDS, &ns) ||
        __builtin_add_overflow(ns, (int64_t)time.nanoseconds, &ns))
        return INT64_MAX;
    return ns;
}

void attributes_of(const struct ext4_inode *inode, struct fs_attributes *out)
{
    struct ext4_stat stat;
    ext4_inode_stat(inode, &stat);
    *out = (struct fs_attributes){
        .inode = stat.inode,
        .generation = stat.generation,
        .bytes = stat.size_bytes,
        .allocated_bytes = stat.blocks_512 * 512,
        .accessed_ns = nanoseconds_of(stat.accessed),
        .modified_ns = nanoseconds_of(stat.modified),
        .changed_ns = nanoseconds_of(stat.changed),
        .created_ns = nanoseconds_of(stat.created),
        .type = fs_type_of(stat.type),
        .mode = stat.mode & PERMISSIONS,
        .links = stat.links,
        .uid = stat.uid,
        .gid = stat.gid,
        .device_major = stat.device_major,
        .device_minor = stat.device_minor,
    };
}
