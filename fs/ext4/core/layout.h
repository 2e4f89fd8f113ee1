/* The structures on the medium, as in "ext4 Data Structures and Algorithms".
 *
 * All integers are little-endian. They are declared as arrays of bytes, so that a structure may lie
 * anywhere in a block without being misaligned, and so that nobody uses one without le16(), le32()
 * or le64().
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

struct le16 {
    uint8_t byte[2];
};

struct le32 {
    uint8_t byte[4];
};

struct le64 {
    uint8_t byte[8];
};

static inline uint16_t le16(struct le16 v)
{
    return (uint16_t)(v.byte[0] | v.byte[1] << 8);
}

static inline uint32_t le32(struct le32 v)
{
    return (uint32_t)v.byte[0] | (uint32_t)v.byte[1] << 8 | (uint32_t)v.byte[2] << 16 |
           (uint32_t)v.byte[3] << 24;
}

static inline struct le32 le32_make(uint32_t v)
{
    return (struct le32){{(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)}};
}

static inline uint64_t le_pair(struct le32 low, uint64_t high)
{
    return le32(low) | high << 32;
}

/* --- section "Super Block" --- */

#define SUPER_OFFSET 1024u
#define SUPER_MAGIC 0xef53u
#define SUPER_CHECKSUM_CRC32C 1u

struct disk_super {
    struct le32 inodes_count;
    struct le32 blocks_count_lo;
    struct le32 r_blocks_count_lo;
    struct le32 free_blocks_count_lo;
    struct le32 free_inodes_count;
    struct le32 first_data_block;
    struct le32 log_block_size;
    struct le32 log_cluster_size;
    struct le32 blocks_per_group;
    struct le32 clusters_per_group;
    struct le32 inodes_per_group;
    struct le32 mtime;
    struct le32 wtime;
    struct le16 mnt_count;
    struct le16 max_mnt_count;
    struct le16 magic;
    struct le16 state;
    struct le16 errors;
    struct le16 minor_rev_level;
    struct le32 lastcheck;
    struct le32 checkinterval;
    struct le32 creator_os;
    struct le32 rev_level;
    struct le16 def_resuid;
    struct le16 def_resgid;
    struct le32 first_ino;
    struct le16 inode_size;
    struct le16 block_group_nr;
    struct le32 feature_compat;
    struct le32 feature_incompat;
    struct le32 feature_ro_compat;
    uint8_t uuid[16];
    char volume_name[16];
    char last_mounted[64];
    struct le32 algorithm_usage_bitmap;
    uint8_t prealloc_blocks;
    uint8_t prealloc_dir_blocks;
    struct le16 reserved_gdt_blocks;
    uint8_t journal_uuid[16];
    struct le32 journal_inum;
    struct le32 journal_dev;
    struct le32 last_orphan;
    struct le32 hash_seed[4];
    uint8_t def_hash_version;
    uint8_t jnl_backup_type;
    struct le16 desc_size;
    struct le32 default_mount_opts;
    struct le32 first_meta_bg;
    struct le32 mkfs_time;
    struct le32 jnl_blocks[17];
    struct le32 blocks_count_hi;
    struct le32 r_blocks_count_hi;
    struct le32 free_blocks_count_hi;
    struct le16 min_extra_isize;
    struct le16 want_extra_isize;
    struct le32 flags;
    struct le16 raid_stride;
    struct le16 mmp_interval;
    struct le64 mmp_block;
    struct le32 raid_stripe_width;
    uint8_t log_groups_per_flex;
    uint8_t checksum_type;
    struct le16 reserved_pad;
    struct le64 kbytes_written;
    uint8_t snapshot_and_errors[0x200 - 0x180];
    char mount_opts[64];
    struct le32 usr_quota_inum;
    struct le32 grp_quota_inum;
    struct le32 overhead_blocks;
    struct le32 backup_bgs[2];
    uint8_t encrypt_algos[4];
    uint8_t encrypt_pw_salt[16];
    struct le32 lpf_ino;
    struct le32 prj_quota_inum;
    struct le32 checksum_seed;
    uint8_t reserved[0x3fc - 0x274];
    struct le32 checksum;
};
static_assert(sizeof(struct disk_super) == 1024, "super block");
static_assert(offsetof(struct disk_super, uuid) == 0x68, "super block");
static_assert(offsetof(struct disk_super, hash_seed) == 0xec, "super block");
static_assert(offsetof(struct disk_super, blocks_count_hi) == 0x150, "super block");
static_assert(offsetof(struct disk_super, checksum_seed) == 0x270, "super block");

#define STATE_ERRORS 0x2u
#define SUPER_FLAG_UNSIGNED_HASH 0x2u

#define COMPAT_DIR_INDEX 0x20u
#define COMPAT_SPARSE_SUPER2 0x200u

#define INCOMPAT_FILETYPE 0x2u
#define INCOMPAT_RECOVER 0x4u
#define INCOMPAT_META_BG 0x10u
#define INCOMPAT_EXTENTS 0x40u
#define INCOMPAT_64BIT 0x80u
#define INCOMPAT_MMP 0x100u
#define INCOMPAT_FLEX_BG 0x200u
#define INCOMPAT_EA_INODE 0x400u
#define INCOMPAT_CSUM_SEED 0x2000u
#define INCOMPAT_LARGEDIR 0x4000u
#define INCOMPAT_INLINE_DATA 0x8000u

#define RO_COMPAT_SPARSE_SUPER 0x1u
#define RO_COMPAT_HUGE_FILE 0x8u
#define RO_COMPAT_GDT_CSUM 0x10u
#define RO_COMPAT_BIGALLOC 0x200u
#define RO_COMPAT_METADATA_CSUM 0x400u

/* --- section "Block Group Descriptors" --- */

#define GROUP_DESC_BYTES_OLD 32u
#define GROUP_DESC_BYTES_MIN_64BIT 64u
#define GROUP_DESC_BYTES_MAX 1024u

struct disk_group {
    struct le32 block_bitmap_lo;
    struct le32 inode_bitmap_lo;
    struct le32 inode_table_lo;
    struct le16 free_blocks_count_lo;
    struct le16 free_inodes_count_lo;
    struct le16 used_dirs_count_lo;
    struct le16 flags;
    struct le32 exclude_bitmap_lo;
    struct le16 block_bitmap_csum_lo;
    struct le16 inode_bitmap_csum_lo;
    struct le16 itable_unused_lo;
    struct le16 checksum;
    struct le32 block_bitmap_hi;
    struct le32 inode_bitmap_hi;
    struct le32 inode_table_hi;
    uint8_t counts_hi[0x40 - 0x2c];
};
static_assert(sizeof(struct disk_group) == 64, "group descriptor");
static_assert(offsetof(struct disk_group, checksum) == 0x1e, "group descriptor");

#define GROUP_INODE_UNINIT 0x1u

/* --- section "Index Nodes" --- */

#define INODE_BYTES_OLD 128u
#define INODE_BLOCK_BYTES 60u

struct disk_inode {
    struct le16 mode;
    struct le16 uid;
    struct le32 size_lo;
    struct le32 atime;
    struct le32 ctime;
    struct le32 mtime;
    struct le32 dtime;
    struct le16 gid;
    struct le16 links_count;
    struct le32 blocks_lo;
    struct le32 flags;
    struct le32 version;
    uint8_t block[INODE_BLOCK_BYTES];
    struct le32 generation;
    struct le32 file_acl_lo;
    struct le32 size_high;
    struct le32 obso_faddr;
    struct le16 blocks_high;
    struct le16 file_acl_high;
    struct le16 uid_high;
    struct le16 gid_high;
    struct le16 checksum_lo;
    struct le16 reserved;
    /* From here on only as far as extra_isize says. */
    struct le16 extra_isize;
    struct le16 checksum_hi;
    struct le32 ctime_extra;
    struct le32 mtime_extra;
    struct le32 atime_extra;
    struct le32 crtime;
    struct le32 crtime_extra;
    struct le32 version_hi;
    struct le32 projid;
};
static_assert(sizeof(struct disk_inode) == 160, "inode");
static_assert(offsetof(struct disk_inode, checksum_lo) == 0x7c, "inode");
static_assert(offsetof(struct disk_inode, extra_isize) == 0x80, "inode");

#define MODE_TYPE 0xf000u
#define MODE_FIFO 0x1000u
#define MODE_CHARACTER 0x2000u
#define MODE_DIRECTORY 0x4000u
#define MODE_BLOCK 0x6000u
#define MODE_REGULAR 0x8000u
#define MODE_SYMLINK 0xa000u
#define MODE_SOCKET 0xc000u

#define INODE_INDEX 0x1000u
#define INODE_HUGE_FILE 0x40000u
#define INODE_EXTENTS 0x80000u
#define INODE_EA_INODE 0x200000u
#define INODE_INLINE_DATA 0x10000000u

/* --- section "The Contents of inode.i_block" --- */

#define EXTENT_MAGIC 0xf30au
#define EXTENT_DEPTH_MAX 5u
#define EXTENT_INITIALISED_MAX 32768u

struct disk_extent_header {
    struct le16 magic;
    struct le16 entries;
    struct le16 max;
    struct le16 depth;
    struct le32 generation;
};

struct disk_extent_index {
    struct le32 block;
    struct le32 leaf_lo;
    struct le16 leaf_hi;
    struct le16 unused;
};

struct disk_extent {
    struct le32 block;
    struct le16 len;
    struct le16 start_hi;
    struct le32 start_lo;
};
static_assert(sizeof(struct disk_extent_header) == 12, "extent header");
static_assert(sizeof(struct disk_extent_index) == 12, "extent index");
static_assert(sizeof(struct disk_extent) == 12, "extent");

/* --- section "Directory Entries" --- */

struct disk_entry {
    struct le32 inode;
    struct le16 rec_len;
    uint8_t name_len;
    uint8_t file_type;
};

struct disk_entry_tail {
    struct le32 reserved_zero1;
    struct le16 rec_len;
    uint8_t reserved_zero2;
    uint8_t reserved_ft;
    struct le32 checksum;
};
static_assert(sizeof(struct disk_entry) == 8, "directory entry");
static_assert(sizeof(struct disk_entry_tail) == 12, "directory tail");

#define ENTRY_BYTES_MIN 12u
#define ENTRY_TAIL_TYPE 0xdeu

struct disk_dx_info {
    struct le32 reserved_zero;
    uint8_t hash_version;
    uint8_t info_length;
    uint8_t indirect_levels;
    uint8_t unused_flags;
};

/* The first one of a node holds, in place of the hash, its limit and count. */
struct disk_dx_entry {
    struct le32 hash;
    struct le32 block;
};

struct disk_dx_tail {
    struct le32 reserved;
    struct le32 checksum;
};
static_assert(sizeof(struct disk_dx_info) == 8, "htree root");
static_assert(sizeof(struct disk_dx_entry) == 8, "htree entry");

#define DX_ROOT_INFO_OFFSET 24u
#define DX_ROOT_ENTRIES_OFFSET 32u
#define DX_NODE_ENTRIES_OFFSET 8u
#define DX_BLOCK_MASK 0x0fffffffu

/* --- section "Extended Attributes" --- */

#define XATTR_MAGIC 0xea020000u

struct disk_xattr_header {
    struct le32 magic;
    struct le32 refcount;
    struct le32 blocks;
    struct le32 hash;
    struct le32 checksum;
    struct le32 reserved[3];
};

struct disk_xattr_entry {
    uint8_t name_len;
    uint8_t name_index;
    struct le16 value_offs;
    struct le32 value_inum;
    struct le32 value_size;
    struct le32 hash;
};
static_assert(sizeof(struct disk_xattr_header) == 32, "xattr header");
static_assert(sizeof(struct disk_xattr_entry) == 16, "xattr entry");
