/* Mounting: the super block (section "Super Block") is read, verified and turned into the geometry
 * that everything else relies on. Whatever is accepted here holds for the life of the mount: sizes
 * are powers of two in their ranges, and the number of blocks fits the device, so that block <<
 * block_shift never overflows.
 *
 * Features: an unknown incompatible feature is refused; unknown read-only compatible ones are of no
 * concern to a reader. A journal that needs recovery is reported and left alone: what it holds is
 * not seen.
 */
#include "internal.h"

#include <string.h>

#define INCOMPAT_SUPPORTED                                                                         \
    (INCOMPAT_FILETYPE | INCOMPAT_RECOVER | INCOMPAT_META_BG | INCOMPAT_EXTENTS | INCOMPAT_64BIT | \
     INCOMPAT_MMP | INCOMPAT_FLEX_BG | INCOMPAT_EA_INODE | INCOMPAT_CSUM_SEED |                    \
     INCOMPAT_LARGEDIR | INCOMPAT_INLINE_DATA)

/* Enough for the super block whatever sector the device has. */
#define HEAD_BYTES 4096u
#define BLOCK_SHIFT_MIN 10u
#define BLOCK_SHIFT_MAX 16u
#define FIRST_INODE_OLD 11u

void reader_message(const struct ext4_fs *fs, const char *text)
{
    if (fs->options.message != NULL)
        fs->options.message(fs->options.context, text);
}

void *reader_allocate(struct ext4_fs *fs, size_t bytes)
{
    return fs->options.allocate(fs->options.context, bytes);
}

void reader_release(struct ext4_fs *fs, void *memory)
{
    if (memory != NULL)
        fs->options.release(fs->options.context, memory);
}

bool medium_has_blocks(const struct ext4_fs *fs, uint64_t first, uint64_t count)
{
    return first != 0 && first >= fs->first_data_block && first < fs->blocks_count &&
           count <= fs->blocks_count - first;
}

status_t medium_read(struct ext4_fs *fs, uint64_t offset, void *buffer, size_t bytes)
{
    if (offset > fs->device.size_bytes || bytes > fs->device.size_bytes - offset)
        return STATUS_CORRUPT;
    return fs->device.read(fs->device.context, offset, buffer, bytes);
}

static status_t refuse(const struct ext4_fs *fs, const char *why)
{
    reader_message(fs, why);
    return STATUS_CORRUPT;
}

static status_t super_read(struct ext4_fs *fs)
{
    if (fs->device.size_bytes < HEAD_BYTES)
        return refuse(fs, "the device is too small for ext4");
    uint8_t *head = reader_allocate(fs, HEAD_BYTES);
    if (head == NULL)
        return STATUS_NO_MEMORY;
    status_t s = medium_read(fs, 0, head, HEAD_BYTES);
    if (s == STATUS_OK)
        memcpy(&fs->super, head + SUPER_OFFSET, sizeof(fs->super));
    reader_release(fs, head);
    return s;
}

static status_t refuse_features(const struct ext4_fs *fs, uint32_t unknown)
{
    char text[] = "unsupported incompatible features 0x00000000";
    char *digit = text + sizeof(text) - 2;
    for (; unknown != 0; unknown >>= 4)
        *digit-- = "0123456789abcdef"[unknown & 0xf];
    reader_message(fs, text);
    return STATUS_UNSUPPORTED;
}

/* Revision 0 had neither features nor inode sizes; those fields mean nothing there. */
static status_t super_features(struct ext4_fs *fs)
{
    const struct disk_super *super = &fs->super;
    if (le16(super->magic) != SUPER_MAGIC)
        return refuse(fs, "no ext4 file system (wrong magic number)");
    if (le32(super->rev_level) == 0)
        return STATUS_OK;
    fs->compat = le32(super->feature_compat);
    fs->incompat = le32(super->feature_incompat);
    fs->ro_compat = le32(super->feature_ro_compat);
    fs->metadata_csum = (fs->ro_compat & RO_COMPAT_METADATA_CSUM) != 0;
    fs->gdt_csum = !fs->metadata_csum && (fs->ro_compat & RO_COMPAT_GDT_CSUM) != 0;
    fs->hash_unsigned = (le32(super->flags) & SUPER_FLAG_UNSIGNED_HASH) != 0;
    uint32_t unknown = fs->incompat & ~INCOMPAT_SUPPORTED;
    return unknown == 0 ? STATUS_OK : refuse_features(fs, unknown);
}

static status_t super_checksum(struct ext4_fs *fs)
{
    const struct disk_super *super = &fs->super;
    if (!fs->metadata_csum)
        return STATUS_OK;
    if (super->checksum_type != SUPER_CHECKSUM_CRC32C)
        return refuse(fs, "unknown checksum algorithm");
    if (crc32c(fs, ~0u, super, offsetof(struct disk_super, checksum)) != le32(super->checksum))
        return refuse(fs, "the super block fails its checksum");
    if ((fs->incompat & INCOMPAT_CSUM_SEED) != 0)
        fs->csum_seed = le32(super->checksum_seed);
    else
        fs->csum_seed = crc32c(fs, ~0u, super->uuid, sizeof(super->uuid));
    return STATUS_OK;
}

static bool is_power_of_two(uint32_t v)
{
    return v != 0 && (v & (v - 1)) == 0;
}

static status_t super_sizes(struct ext4_fs *fs)
{
    const struct disk_super *super = &fs->super;
    bool dynamic = le32(super->rev_level) != 0;
    if (le32(super->log_block_size) > BLOCK_SHIFT_MAX - BLOCK_SHIFT_MIN)
        return refuse(fs, "the block size is not supported");
    fs->block_shift = BLOCK_SHIFT_MIN + le32(super->log_block_size);
    fs->block_bytes = 1u << fs->block_shift;
    fs->inode_bytes = dynamic ? le16(super->inode_size) : INODE_BYTES_OLD;
    fs->first_inode = dynamic ? le32(super->first_ino) : FIRST_INODE_OLD;
    if (!is_power_of_two(fs->inode_bytes) || fs->inode_bytes < INODE_BYTES_OLD ||
        fs->inode_bytes > fs->block_bytes)
        return refuse(fs, "the inode size makes no sense");
    if (fs->first_inode < FIRST_INODE_OLD)
        return refuse(fs, "the first inode makes no sense");
    fs->desc_bytes = GROUP_DESC_BYTES_OLD;
    if ((fs->incompat & INCOMPAT_64BIT) == 0)
        return STATUS_OK;
    fs->desc_bytes = le16(super->desc_size);
    if (!is_power_of_two(fs->desc_bytes) || fs->desc_bytes < GROUP_DESC_BYTES_MIN_64BIT ||
        fs->desc_bytes > GROUP_DESC_BYTES_MAX)
        return refuse(fs, "the size of group descriptors makes no sense");
    return STATUS_OK;
}

/* Bitmaps of one block bound the groups; with bigalloc a bit of the block bitmap is a cluster. */
static bool groups_are_sane(const struct ext4_fs *fs)
{
    uint32_t bits = fs->block_bytes * 8;
    uint32_t units = (fs->ro_compat & RO_COMPAT_BIGALLOC) != 0 ? le32(fs->super.clusters_per_group)
                                                               : fs->blocks_per_group;
    return fs->blocks_per_group != 0 && units != 0 && units <= bits && fs->inodes_per_group != 0 &&
           fs->inodes_per_group <= bits;
}

static status_t super_geometry(struct ext4_fs *fs)
{
    const struct disk_super *super = &fs->super;
    uint64_t high = (fs->incompat & INCOMPAT_64BIT) != 0 ? le32(super->blocks_count_hi) : 0;
    fs->blocks_count = le_pair(super->blocks_count_lo, high);
    fs->first_data_block = le32(super->first_data_block);
    fs->blocks_per_group = le32(super->blocks_per_group);
    fs->inodes_per_group = le32(super->inodes_per_group);
    fs->inodes_count = le32(super->inodes_count);
    if (fs->blocks_count > fs->device.size_bytes >> fs->block_shift)
        return refuse(fs, "the file system is larger than its device");
    if (fs->first_data_block > 1 || fs->blocks_count <= fs->first_data_block ||
        !groups_are_sane(fs))
        return refuse(fs, "the super block's geometry makes no sense");
    uint64_t groups = (fs->blocks_count - fs->first_data_block - 1) / fs->blocks_per_group + 1;
    if (groups > UINT32_MAX || fs->inodes_count > groups * fs->inodes_per_group ||
        fs->inodes_count < fs->first_inode)
        return refuse(fs, "the super block's geometry makes no sense");
    fs->groups_count = (uint32_t)groups;
    return STATUS_OK;
}

static status_t super_load(struct ext4_fs *fs)
{
    status_t s = super_read(fs);
    if (s == STATUS_OK)
        s = super_features(fs);
    if (s == STATUS_OK)
        s = super_checksum(fs);
    if (s == STATUS_OK)
        s = super_sizes(fs);
    if (s == STATUS_OK)
        s = super_geometry(fs);
    return s;
}

static void tell_state(const struct ext4_fs *fs)
{
    if ((fs->incompat & INCOMPAT_RECOVER) != 0)
        reader_message(
            fs, "the journal needs recovery and is not replayed: the last changes may be missing");
    if ((le16(fs->super.state) & STATE_ERRORS) != 0)
        reader_message(fs, "the file system is marked as having errors; run e2fsck");
}

status_t ext4_mount(const struct ext4_device *device, const struct ext4_options *options,
                    struct ext4_fs **out)
{
    struct ext4_fs *fs = options->allocate(options->context, sizeof(*fs));
    if (fs == NULL)
        return STATUS_NO_MEMORY;
    memset(fs, 0, sizeof(*fs));
    fs->device = *device;
    fs->options = *options;
    crc_init(fs->crc_table);
    status_t s = super_load(fs);
    if (s == STATUS_OK)
        s = cache_init(fs, options->cache_bytes);
    if (s != STATUS_OK) {
        reader_release(fs, fs);
        return s;
    }
    tell_state(fs);
    *out = fs;
    return STATUS_OK;
}

void ext4_unmount(struct ext4_fs *fs)
{
    cache_destroy(fs);
    reader_release(fs, fs);
}

void ext4_statfs(const struct ext4_fs *fs, struct ext4_statfs *out)
{
    const struct disk_super *super = &fs->super;
    bool wide = (fs->incompat & INCOMPAT_64BIT) != 0;
    uint64_t overhead = le32(super->overhead_blocks);
    uint64_t reserved =
        le_pair(super->r_blocks_count_lo, wide ? le32(super->r_blocks_count_hi) : 0);
    memset(out, 0, sizeof(*out));
    out->block_bytes = fs->block_bytes;
    out->blocks = overhead < fs->blocks_count ? fs->blocks_count - overhead : fs->blocks_count;
    out->blocks_free =
        le_pair(super->free_blocks_count_lo, wide ? le32(super->free_blocks_count_hi) : 0);
    if (out->blocks_free > out->blocks)
        out->blocks_free = out->blocks;
    out->blocks_available = out->blocks_free > reserved ? out->blocks_free - reserved : 0;
    out->inodes = fs->inodes_count;
    out->inodes_free = le32(super->free_inodes_count);
    if (out->inodes_free > out->inodes)
        out->inodes_free = out->inodes;
    memcpy(out->uuid, super->uuid, sizeof(out->uuid));
    memcpy(out->label, super->volume_name, sizeof(super->volume_name));
}
