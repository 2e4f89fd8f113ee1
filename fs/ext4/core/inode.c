/* Inodes (section "Index Nodes"): finding the record, verifying it, and decoding its fields. */
#include "internal.h"

#include <string.h>

#define TIME_EPOCH_MASK 3u
#define NANOSECONDS_MAX 999999999u

/* Is the field that ends at @end of the record within what extra_isize says is valid? */
static bool inode_has(const struct ext4_inode *inode, size_t end)
{
    return end <= INODE_BYTES_OLD + inode->extra_bytes;
}

#define INODE_HAS(inode, field) \
    inode_has(inode,            \
              offsetof(struct disk_inode, field) + sizeof(((struct disk_inode *)NULL)->field))

/* The checksum covers the whole record with the two halves of itself read as zero (section
 * "Checksums"). */
static bool inode_checksum_is_good(const struct ext4_inode *inode)
{
    const struct ext4_fs *fs = inode->fs;
    const uint8_t *record = inode_record(inode);
    const struct le16 zero = {{0, 0}};
    size_t lo = offsetof(struct disk_inode, checksum_lo);
    size_t hi = offsetof(struct disk_inode, checksum_hi);
    bool wide = INODE_HAS(inode, checksum_hi);
    uint32_t crc = crc32c(fs, inode->csum_seed, record, lo);
    crc = crc32c(fs, crc, &zero, sizeof(zero));
    size_t next = lo + sizeof(zero);
    if (wide) {
        crc = crc32c(fs, crc, record + next, hi - next);
        crc = crc32c(fs, crc, &zero, sizeof(zero));
        next = hi + sizeof(zero);
    }
    crc = crc32c(fs, crc, record + next, fs->inode_bytes - next);
    if ((uint16_t)crc != le16(inode->disk.checksum_lo))
        return false;
    return !wide || (uint16_t)(crc >> 16) == le16(inode->disk.checksum_hi);
}

static status_t inode_copy_record(struct ext4_fs *fs, uint32_t number, uint8_t *record)
{
    uint32_t index = number - 1;
    uint64_t table;
    struct buffer *buffer;
    status_t s = group_inode_table(fs, index / fs->inodes_per_group, &table);
    if (s != STATUS_OK)
        return s;
    uint64_t offset = (uint64_t)(index % fs->inodes_per_group) * fs->inode_bytes;
    s = cache_get(fs, table + (offset >> fs->block_shift), &buffer);
    if (s != STATUS_OK)
        return s;
    memcpy(record, buffer->data + (offset & (fs->block_bytes - 1)), fs->inode_bytes);
    cache_put(fs, buffer);
    return STATUS_OK;
}

static enum ext4_type type_of_mode(uint32_t mode)
{
    switch (mode & MODE_TYPE) {
    case MODE_REGULAR:
        return EXT4_TYPE_REGULAR;
    case MODE_DIRECTORY:
        return EXT4_TYPE_DIRECTORY;
    case MODE_CHARACTER:
        return EXT4_TYPE_CHARACTER;
    case MODE_BLOCK:
        return EXT4_TYPE_BLOCK;
    case MODE_FIFO:
        return EXT4_TYPE_FIFO;
    case MODE_SOCKET:
        return EXT4_TYPE_SOCKET;
    case MODE_SYMLINK:
        return EXT4_TYPE_SYMLINK;
    default:
        return EXT4_TYPE_UNKNOWN;
    }
}

/* A directory is made of whole blocks, and of no more than there are: that bounds every walk
 * through it. */
static bool directory_size_is_sane(const struct ext4_inode *inode)
{
    const struct ext4_fs *fs = inode->fs;
    if (inode_is_inline(inode))
        return inode->size <= fs->inode_bytes;
    return (inode->size & (fs->block_bytes - 1)) == 0 &&
           inode->size >> fs->block_shift <= fs->blocks_count;
}

static status_t inode_check(const struct ext4_inode *inode)
{
    const struct ext4_fs *fs = inode->fs;
    if (le16(inode->disk.links_count) == 0)
        return STATUS_NOT_FOUND;
    if (type_of_mode(inode->mode) == EXT4_TYPE_UNKNOWN || inode->size > INT64_MAX)
        return STATUS_CORRUPT;
    if (inode_is_inline(inode) && (fs->incompat & INCOMPAT_INLINE_DATA) == 0)
        return STATUS_CORRUPT;
    if (inode_is(inode, MODE_DIRECTORY) && !directory_size_is_sane(inode))
        return STATUS_CORRUPT;
    return STATUS_OK;
}

/* The upper half of the size was an access control list in directories of old, unless they may be
 * large. */
static uint64_t inode_size(const struct ext4_inode *inode)
{
    bool wide = !inode_is(inode, MODE_DIRECTORY) || (inode->fs->incompat & INCOMPAT_LARGEDIR) != 0;
    return le_pair(inode->disk.size_lo, wide ? le32(inode->disk.size_high) : 0);
}

static status_t inode_load(struct ext4_inode *inode)
{
    struct ext4_fs *fs = inode->fs;
    status_t s =
        inode_copy_record(fs, inode->number, (uint8_t *)inode + offsetof(struct ext4_inode, disk));
    if (s != STATUS_OK)
        return s;
    /* A record that was never used is all zeros, its checksum too. */
    if (le16(inode->disk.mode) == 0 && le16(inode->disk.links_count) == 0)
        return STATUS_NOT_FOUND;
    if (fs->inode_bytes > INODE_BYTES_OLD)
        inode->extra_bytes = le16(inode->disk.extra_isize);
    if (inode->extra_bytes > fs->inode_bytes - INODE_BYTES_OLD || inode->extra_bytes % 4 != 0)
        return STATUS_CORRUPT;
    struct le32 number = le32_make(inode->number);
    inode->csum_seed = crc32c(fs, fs->csum_seed, &number, sizeof(number));
    inode->csum_seed =
        crc32c(fs, inode->csum_seed, &inode->disk.generation, sizeof(inode->disk.generation));
    if (fs->metadata_csum && !inode_checksum_is_good(inode))
        return STATUS_CORRUPT;
    inode->flags = le32(inode->disk.flags);
    inode->mode = le16(inode->disk.mode);
    inode->size = inode_size(inode);
    return inode_check(inode);
}

status_t inode_open(struct ext4_fs *fs, uint32_t number, struct ext4_inode **out)
{
    if (number == 0 || number > fs->inodes_count)
        return STATUS_NOT_FOUND;
    struct ext4_inode *inode = reader_allocate(fs, sizeof(*inode) + fs->inode_bytes);
    if (inode == NULL)
        return STATUS_NO_MEMORY;
    memset(inode, 0, sizeof(*inode));
    inode->fs = fs;
    inode->number = number;
    status_t s = inode_load(inode);
    if (s != STATUS_OK) {
        reader_release(fs, inode);
        return s;
    }
    *out = inode;
    return STATUS_OK;
}

/* Inodes below the first ordinary one belong to the file system itself (section "Special inodes"),
 * and values of extended attributes are no files. */
status_t ext4_inode_open(struct ext4_fs *fs, uint32_t number, struct ext4_inode **out)
{
    if (number != EXT4_ROOT_INODE && number < fs->first_inode)
        return STATUS_NOT_FOUND;
    status_t s = inode_open(fs, number, out);
    if (s == STATUS_OK && ((*out)->flags & INODE_EA_INODE) != 0) {
        ext4_inode_close(*out);
        return STATUS_NOT_FOUND;
    }
    return s;
}

void ext4_inode_close(struct ext4_inode *inode)
{
    reader_release(inode->fs, inode);
}

/* Section "Inode Timestamps": two more bits of seconds, and nanoseconds, in the extra field. */
static struct ext4_time time_decode(struct le32 seconds, bool has_extra, struct le32 extra)
{
    struct ext4_time time = {.seconds = (int32_t)le32(seconds), .nanoseconds = 0};
    if (!has_extra)
        return time;
    time.seconds += (int64_t)(le32(extra) & TIME_EPOCH_MASK) << 32;
    time.nanoseconds = le32(extra) >> 2;
    if (time.nanoseconds > NANOSECONDS_MAX)
        time.nanoseconds = 0;
    return time;
}

static uint64_t blocks_512(const struct ext4_inode *inode)
{
    const struct ext4_fs *fs = inode->fs;
    if ((fs->ro_compat & RO_COMPAT_HUGE_FILE) == 0)
        return le32(inode->disk.blocks_lo);
    uint64_t blocks = le_pair(inode->disk.blocks_lo, le16(inode->disk.blocks_high));
    return (inode->flags & INODE_HUGE_FILE) != 0 ? blocks << (fs->block_shift - 9) : blocks;
}

/* Two spellings of a device number: 8+8 bits in the first word, or 12+20 in the second. */
static void device_decode(const struct ext4_inode *inode, struct ext4_stat *out)
{
    struct le32 word[2];
    memcpy(word, inode->disk.block, sizeof(word));
    uint32_t old = le32(word[0]);
    uint32_t new = le32(word[1]);
    out->device_major = old != 0 ? old >> 8 & 0xff : new >> 8 & 0xfff;
    out->device_minor = old != 0 ? old & 0xff : (new & 0xff) | (new >> 12 & 0xfff00);
}

void ext4_inode_stat(const struct ext4_inode *inode, struct ext4_stat *out)
{
    const struct disk_inode *disk = &inode->disk;
    memset(out, 0, sizeof(*out));
    out->inode = inode->number;
    out->generation = le32(disk->generation);
    out->mode = inode->mode;
    out->type = type_of_mode(inode->mode);
    out->links = le16(disk->links_count);
    out->uid = le16(disk->uid) | (uint32_t)le16(disk->uid_high) << 16;
    out->gid = le16(disk->gid) | (uint32_t)le16(disk->gid_high) << 16;
    out->flags = inode->flags;
    out->size_bytes = inode->size;
    out->blocks_512 = blocks_512(inode);
    out->accessed = time_decode(disk->atime, INODE_HAS(inode, atime_extra), disk->atime_extra);
    out->modified = time_decode(disk->mtime, INODE_HAS(inode, mtime_extra), disk->mtime_extra);
    out->changed = time_decode(disk->ctime, INODE_HAS(inode, ctime_extra), disk->ctime_extra);
    if (INODE_HAS(inode, crtime))
        out->created =
            time_decode(disk->crtime, INODE_HAS(inode, crtime_extra), disk->crtime_extra);
    if (INODE_HAS(inode, projid))
        out->project = le32(disk->projid);
    if (out->type == EXT4_TYPE_CHARACTER || out->type == EXT4_TYPE_BLOCK)
        device_decode(inode, out);
}
