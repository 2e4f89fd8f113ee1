/* What the reader's source files share. See ext4.h for what the library is and promises. */
#pragma once

#include "ext4.h"
#include "layout.h"

/** What a cached block was last verified as; an extent node's depth is added to the last one. */
enum block_kind {
    BLOCK_RAW = 0,
    BLOCK_GROUPS,
    BLOCK_LEAF,
    BLOCK_INDEX,
    BLOCK_XATTR,
    BLOCK_EXTENTS,
};

/** One cached block. Verification is remembered with it: it was found good as @kind for inode
 *  @owner. */
struct buffer {
    _Alignas(16) uint64_t block;
    uint32_t pins;
    uint32_t owner;
    uint32_t kind;
    struct buffer *hash_next;
    struct buffer *older;
    struct buffer *newer;
    uint8_t *data; /* behind this structure */
};

/** Least recently used first out; pinned buffers stay. */
struct cache {
    struct buffer **buckets;
    uint32_t buckets_mask;
    uint32_t count;
    uint32_t limit;
    struct buffer ends; /* of the list by age: ends.newer is the oldest, ends.older the newest */
};

struct ext4_fs {
    struct ext4_device device;
    struct ext4_options options;

    uint32_t compat;
    uint32_t incompat;
    uint32_t ro_compat;
    bool metadata_csum;
    bool gdt_csum;
    bool hash_unsigned;
    uint32_t csum_seed;

    uint32_t block_shift;
    uint32_t block_bytes;
    uint64_t blocks_count;
    uint64_t first_data_block;
    uint32_t blocks_per_group;
    uint32_t groups_count;
    uint32_t inodes_count;
    uint32_t inodes_per_group;
    uint32_t inode_bytes;
    uint32_t desc_bytes;
    uint32_t first_inode;

    struct cache cache;
    uint32_t crc_table[8][256];
    struct disk_super super;
};

/** Consecutive blocks of a file: mapped to consecutive blocks of the medium from @physical on, or
 *  zeros. */
struct run {
    uint64_t first;
    uint64_t length;
    uint64_t physical;
    bool mapped;
};

struct ext4_inode {
    struct ext4_fs *fs;
    uint32_t number;
    uint32_t flags;
    uint32_t mode;
    uint32_t csum_seed;
    uint32_t extra_bytes; /* valid bytes of the fields behind the first 128 */
    uint64_t size;
    struct run last_run; /* the mapping found last; length 0: none */
    _Alignas(16) struct disk_inode disk;
    /* The rest of the record follows it in the same allocation. */
};

/* --- crc.c --- */

void crc_init(uint32_t table[8][256]);
/** CRC-32C without final inversion, as ext4 chains it. */
uint32_t crc32c(const struct ext4_fs *fs, uint32_t crc, const void *data, size_t bytes);
/** CRC-16 (polynomial 0x8005, reflected) of the uninit_bg feature. */
uint16_t crc16(uint16_t crc, const void *data, size_t bytes);

/* --- cache.c --- */

status_t cache_init(struct ext4_fs *fs, size_t bytes);
void cache_destroy(struct ext4_fs *fs);
/** Pin @block, reading it if need be. CORRUPT: outside the file system. */
status_t cache_get(struct ext4_fs *fs, uint64_t block, struct buffer **out);
void cache_put(struct ext4_fs *fs, struct buffer *buffer);
/** Unpin a buffer that will hardly be needed again: the next one to be reused. */
void cache_put_cold(struct ext4_fs *fs, struct buffer *buffer);

/** Unpin a buffer that failed its verification, and forget it: the next read may do better. */
void cache_drop(struct ext4_fs *fs, struct buffer *buffer);

static inline bool buffer_is_verified(const struct buffer *buffer, uint32_t kind, uint32_t owner)
{
    return buffer->kind == kind && buffer->owner == owner;
}

static inline void buffer_set_verified(struct buffer *buffer, uint32_t kind, uint32_t owner)
{
    buffer->kind = kind;
    buffer->owner = owner;
}

/* --- super.c --- */

void reader_message(const struct ext4_fs *fs, const char *text);
void *reader_allocate(struct ext4_fs *fs, size_t bytes);
void reader_release(struct ext4_fs *fs, void *memory);
/** Are @count blocks from @first inside the file system, and not its boot block? */
bool medium_has_blocks(const struct ext4_fs *fs, uint64_t first, uint64_t count);
/** The device's read, with the bounds checked once more. */
status_t medium_read(struct ext4_fs *fs, uint64_t offset, void *buffer, size_t bytes);

/* --- group.c --- */

/** Where the inode table of @group begins. */
status_t group_inode_table(struct ext4_fs *fs, uint32_t group, uint64_t *block);

/* --- inode.c --- */

status_t inode_open(struct ext4_fs *fs, uint32_t number, struct ext4_inode **out);

static inline bool inode_is(const struct ext4_inode *inode, uint32_t mode_type)
{
    return (inode->mode & MODE_TYPE) == mode_type;
}

static inline bool inode_is_inline(const struct ext4_inode *inode)
{
    return (inode->flags & INODE_INLINE_DATA) != 0;
}

/** The inode's whole record, fs->inode_bytes long. */
static inline const uint8_t *inode_record(const struct ext4_inode *inode)
{
    return (const uint8_t *)inode + offsetof(struct ext4_inode, disk);
}

/* --- map.c, extent.c, blockmap.c --- */

/** The run that holds block @logical of the file, cut so that it begins there. Its length is at
 *  least 1. */
status_t map_run(struct ext4_inode *inode, uint64_t logical, struct run *run);
status_t extent_run(struct ext4_inode *inode, uint64_t logical, struct run *run);
status_t blockmap_run(struct ext4_inode *inode, uint64_t logical, struct run *run);
/** Pin block @logical of a file whose blocks are metadata. A hole is CORRUPT. */
status_t map_get(struct ext4_inode *inode, uint64_t logical, struct buffer **out);

/* --- read.c --- */

/** ext4_read() for any kind of inode that has data. */
status_t inode_read(struct ext4_inode *file, uint64_t offset, void *buffer, size_t bytes,
                    size_t *done);

/* --- inline.c --- */

/** The two pieces that inline data lives in: i_block, and the value of "system.data". */
struct inline_pieces {
    const uint8_t *value;
    size_t value_bytes;
};

status_t inline_find(const struct ext4_inode *inode, struct inline_pieces *out);
status_t inline_read(const struct ext4_inode *inode, uint64_t offset, void *buffer, size_t bytes);
status_t inline_lookup(const struct ext4_inode *directory, const char *name, size_t name_bytes,
                       struct ext4_entry *out);
status_t inline_iterate(const struct ext4_inode *directory, uint64_t *cursor,
                        bool (*emit)(void *context, const struct ext4_entry *entry), void *context);

/* --- directory.c --- */

/** A run of directory entries in memory: a block, or a piece of inline data. */
struct entries {
    const struct ext4_fs *fs;
    const uint8_t *bytes;
    size_t length;
};

/** Decode the entry at @offset (below the length); *@next is where the one after it begins. inode
 *  0: unused. */
status_t entries_at(const struct entries *entries, size_t offset, struct ext4_entry *out,
                    size_t *next);
/** Find a name. NOT_FOUND, CORRUPT. */
status_t entries_find(const struct entries *entries, const char *name, size_t name_bytes,
                      struct ext4_entry *out);
/** Length of a record as the medium spells it: 64 KiB does not fit in 16 bits. */
uint32_t entry_rec_len(const struct ext4_fs *fs, struct le16 rec_len);
/** Pin a directory's block and verify it as BLOCK_LEAF or BLOCK_INDEX. */
status_t directory_get(struct ext4_inode *directory, uint64_t index, enum block_kind kind,
                       struct buffer **out);
uint64_t directory_blocks(const struct ext4_inode *directory);
bool directory_is_indexed(const struct ext4_inode *directory);

/* --- htree.c, hash.c --- */

/** Find a name through the index. UNSUPPORTED: a hash that is not known here; search all blocks
 *  instead. */
status_t htree_lookup(struct ext4_inode *directory, const char *name, size_t name_bytes,
                      struct ext4_entry *out);
/** The location and layout of the index entries of a block, or CORRUPT. Does not look at the
 *  checksum. */
status_t htree_layout(const struct ext4_inode *directory, const uint8_t *block,
                      uint32_t *entries_offset, uint32_t *limit, uint32_t *count);

enum hash_version {
    HASH_LEGACY = 0,
    HASH_HALF_MD4 = 1,
    HASH_TEA = 2,
    HASH_LEGACY_UNSIGNED = 3,
    HASH_HALF_MD4_UNSIGNED = 4,
    HASH_TEA_UNSIGNED = 5,
};

/** The major hash of a name, its lowest bit clear. A seed of zeros stands for the standard one.
 *  UNSUPPORTED. */
status_t hash_name(uint32_t version, const struct le32 seed[4], const char *name, size_t name_bytes,
                   uint32_t *hash);

/* --- xattr.c --- */

#define XATTR_INDEX_SYSTEM 7u

/** Attributes in memory: entries begin at @first, and values are at offsets from @bytes. */
struct xattr_region {
    const uint8_t *bytes;
    size_t length;
    size_t first;
};

struct xattr {
    uint8_t index;
    const char *name;
    size_t name_bytes;
    uint32_t value_inode;
    const uint8_t *value; /* unless value_inode */
    size_t value_bytes;
};

/** Decode the entry at *@offset and move it on. NOT_FOUND: there are no more. */
status_t xattr_next(const struct xattr_region *region, size_t *offset, struct xattr *out);
/** The attributes in the inode's own record; a length of 0 if there are none. */
void xattr_inode_region(const struct ext4_inode *inode, struct xattr_region *out);
