/* Block groups: where a group's descriptor is (sections "Layout" and "Meta Block Groups"), whether
 * it is sound (section "Block Group Descriptors"), and where its inode table lies. */
#include "internal.h"

static bool is_power_of(uint32_t base, uint32_t v)
{
    while (v > 1 && v % base == 0)
        v /= base;
    return v == 1;
}

/* Does @group begin with a copy of the super block? */
static bool group_has_super(const struct ext4_fs *fs, uint32_t group)
{
    if (group == 0)
        return true;
    if ((fs->compat & COMPAT_SPARSE_SUPER2) != 0)
        return group == le32(fs->super.backup_bgs[0]) || group == le32(fs->super.backup_bgs[1]);
    if ((fs->ro_compat & RO_COMPAT_SPARSE_SUPER) == 0)
        return true;
    return is_power_of(3, group) || is_power_of(5, group) || is_power_of(7, group);
}

/* The block that holds table block @index of the descriptors. */
static uint64_t descriptor_block(const struct ext4_fs *fs, uint32_t index)
{
    uint64_t super_block = SUPER_OFFSET >> fs->block_shift;
    if ((fs->incompat & INCOMPAT_META_BG) == 0 || index < le32(fs->super.first_meta_bg))
        return super_block + 1 + index;
    uint32_t group = index * (fs->block_bytes / fs->desc_bytes);
    uint64_t first = fs->first_data_block + (uint64_t)group * fs->blocks_per_group;
    if (group_has_super(fs, group))
        first++;
    if (group == 0 && super_block > fs->first_data_block)
        first++;
    return first;
}

static bool group_checksum_is_good(const struct ext4_fs *fs, uint32_t group,
                                   const struct disk_group *desc)
{
    const uint8_t *bytes = (const uint8_t *)desc;
    struct le32 number = le32_make(group);
    size_t head = offsetof(struct disk_group, checksum);
    size_t tail = head + sizeof(desc->checksum);
    if (fs->metadata_csum) {
        struct le16 zero = {{0, 0}};
        uint32_t crc = crc32c(fs, fs->csum_seed, &number, sizeof(number));
        crc = crc32c(fs, crc, bytes, head);
        crc = crc32c(fs, crc, &zero, sizeof(zero));
        crc = crc32c(fs, crc, bytes + tail, fs->desc_bytes - tail);
        return (uint16_t)crc == le16(desc->checksum);
    }
    if (!fs->gdt_csum)
        return true;
    uint16_t crc = crc16(UINT16_MAX, fs->super.uuid, sizeof(fs->super.uuid));
    crc = crc16(crc, &number, sizeof(number));
    crc = crc16(crc, bytes, head);
    crc = crc16(crc, bytes + tail, fs->desc_bytes - tail);
    return crc == le16(desc->checksum);
}

static status_t group_check(const struct ext4_fs *fs, uint32_t group, const struct disk_group *desc,
                            uint64_t *table)
{
    if (!group_checksum_is_good(fs, group, desc))
        return STATUS_CORRUPT;
    /* Lazily initialised groups hold no inode in use (section "Lazy Block Group Initialization").
     */
    if ((fs->metadata_csum || fs->gdt_csum) && (le16(desc->flags) & GROUP_INODE_UNINIT) != 0)
        return STATUS_NOT_FOUND;
    uint64_t high = fs->desc_bytes >= GROUP_DESC_BYTES_MIN_64BIT ? le32(desc->inode_table_hi) : 0;
    uint64_t bytes = (uint64_t)fs->inodes_per_group * fs->inode_bytes;
    *table = le_pair(desc->inode_table_lo, high);
    if (!medium_has_blocks(fs, *table, (bytes + fs->block_bytes - 1) >> fs->block_shift))
        return STATUS_CORRUPT;
    return STATUS_OK;
}

status_t group_inode_table(struct ext4_fs *fs, uint32_t group, uint64_t *block)
{
    uint32_t per_block = fs->block_bytes / fs->desc_bytes;
    struct buffer *buffer;
    if (group >= fs->groups_count)
        return STATUS_CORRUPT;
    status_t s = cache_get(fs, descriptor_block(fs, group / per_block), &buffer);
    if (s != STATUS_OK)
        return s;
    const uint8_t *desc = buffer->data + (size_t)(group % per_block) * fs->desc_bytes;
    s = group_check(fs, group, (const struct disk_group *)desc, block);
    cache_put(fs, buffer);
    return s;
}
