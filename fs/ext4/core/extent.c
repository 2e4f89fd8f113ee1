/* Extent trees (section "Extent Tree").
 *
 * The root is in the inode, further nodes are blocks with a checksum each. A walk goes down one
 * child per level, from the depth that the root states (at most 5) to 0, and each node must state
 * the depth that is left, so a cycle cannot hold it. A node is checked whole when it is first met
 * (its entries rise, do not overlap and point into the file system), and what lies between two
 * entries is a hole.
 */
#include "internal.h"

/* Logical block numbers have 32 bits; everything behind them is a hole. */
#define LOGICAL_END ((uint64_t)1 << 32)

/* A node in memory: the header is followed by entries of the same size. */
struct node {
    const struct disk_extent_header *header;
    uint32_t entries;
    uint32_t depth;
};

static const struct disk_extent_index *node_index(const struct node *node, uint32_t i)
{
    return (const struct disk_extent_index *)(node->header + 1) + i;
}

static const struct disk_extent *node_extent(const struct node *node, uint32_t i)
{
    return (const struct disk_extent *)(node->header + 1) + i;
}

static uint64_t index_child(const struct disk_extent_index *index)
{
    return le_pair(index->leaf_lo, le16(index->leaf_hi));
}

static uint64_t extent_start(const struct disk_extent *extent)
{
    return le_pair(extent->start_lo, le16(extent->start_hi));
}

/* A length above 32768 marks an extent that is allocated but reads as zeros. */
static bool extent_is_initialised(const struct disk_extent *extent)
{
    return le16(extent->len) <= EXTENT_INITIALISED_MAX;
}

static uint32_t extent_length(const struct disk_extent *extent)
{
    uint32_t length = le16(extent->len);
    return length <= EXTENT_INITIALISED_MAX ? length : length - EXTENT_INITIALISED_MAX;
}

static bool indexes_are_sane(const struct ext4_fs *fs, const struct node *node)
{
    for (uint32_t i = 0; i < node->entries; i++) {
        const struct disk_extent_index *index = node_index(node, i);
        if (i != 0 && le32(index->block) <= le32(node_index(node, i - 1)->block))
            return false;
        if (!medium_has_blocks(fs, index_child(index), 1))
            return false;
    }
    return node->entries != 0;
}

static bool extents_are_sane(const struct ext4_fs *fs, const struct node *node)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < node->entries; i++) {
        const struct disk_extent *extent = node_extent(node, i);
        uint32_t length = extent_length(extent);
        if (length == 0 || le32(extent->block) < end ||
            le32(extent->block) + (uint64_t)length > LOGICAL_END)
            return false;
        if (!medium_has_blocks(fs, extent_start(extent), length))
            return false;
        end = le32(extent->block) + (uint64_t)length;
    }
    return true;
}

/* Make a node of @bytes. With @check everything in it is verified but the checksum. */
static status_t node_make(const struct ext4_fs *fs, const uint8_t *bytes, size_t space,
                          uint32_t depth, bool check, struct node *out)
{
    const struct disk_extent_header *header = (const struct disk_extent_header *)bytes;
    *out = (struct node){.header = header, .entries = le16(header->entries), .depth = depth};
    if (!check)
        return STATUS_OK;
    if (le16(header->magic) != EXTENT_MAGIC || le16(header->depth) != depth ||
        out->entries > le16(header->max))
        return STATUS_CORRUPT;
    if (le16(header->max) > (space - sizeof(*header)) / sizeof(struct disk_extent))
        return STATUS_CORRUPT;
    bool sane = depth == 0 ? extents_are_sane(fs, out) : indexes_are_sane(fs, out);
    return sane ? STATUS_OK : STATUS_CORRUPT;
}

/* The checksum stands behind the last entry that there is room for. */
static bool node_checksum_is_good(const struct ext4_inode *inode, const struct node *node)
{
    const struct ext4_fs *fs = inode->fs;
    const uint8_t *bytes = (const uint8_t *)node->header;
    size_t tail =
        sizeof(struct disk_extent_header) + le16(node->header->max) * sizeof(struct disk_extent);
    if (!fs->metadata_csum)
        return true;
    if (tail + sizeof(struct le32) > fs->block_bytes)
        return false;
    return crc32c(fs, inode->csum_seed, bytes, tail) == le32(*(const struct le32 *)(bytes + tail));
}

static status_t node_get(struct ext4_inode *inode, uint64_t block, uint32_t depth,
                         struct buffer **out, struct node *node)
{
    struct ext4_fs *fs = inode->fs;
    struct buffer *buffer;
    status_t s = cache_get(fs, block, &buffer);
    if (s != STATUS_OK)
        return s;
    bool known = buffer_is_verified(buffer, BLOCK_EXTENTS + depth, inode->number);
    s = node_make(fs, buffer->data, fs->block_bytes, depth, !known, node);
    if (s == STATUS_OK && !known && !node_checksum_is_good(inode, node))
        s = STATUS_CORRUPT;
    if (s != STATUS_OK) {
        cache_drop(fs, buffer);
        return s;
    }
    buffer_set_verified(buffer, BLOCK_EXTENTS + depth, inode->number);
    *out = buffer;
    return STATUS_OK;
}

/* How many entries begin at or before @logical. Index entries and extents both begin with their
 * first block. */
static uint32_t node_count_until(const struct node *node, uint64_t logical)
{
    uint32_t low = 0;
    uint32_t high = node->entries;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (le32(node_index(node, middle)->block) <= logical)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The run at @logical in a leaf whose range ends at @end. */
static void leaf_run(const struct node *node, uint64_t logical, uint64_t end, struct run *run)
{
    uint32_t until = node_count_until(node, logical);
    if (until < node->entries && le32(node_extent(node, until)->block) < end)
        end = le32(node_extent(node, until)->block);
    *run = (struct run){.first = logical, .length = end - logical, .physical = 0, .mapped = false};
    if (until == 0)
        return;
    const struct disk_extent *extent = node_extent(node, until - 1);
    uint64_t skip = logical - le32(extent->block);
    uint64_t length = extent_length(extent);
    if (skip >= length)
        return;
    if (length - skip < run->length)
        run->length = length - skip;
    run->mapped = extent_is_initialised(extent);
    run->physical = run->mapped ? extent_start(extent) + skip : 0;
}

status_t extent_run(struct ext4_inode *inode, uint64_t logical, struct run *run)
{
    struct ext4_fs *fs = inode->fs;
    struct buffer *buffer = NULL;
    struct node node;
    uint64_t end = LOGICAL_END;
    *run = (struct run){.first = logical,
                        .length = INT64_MAX - logical,
                        .physical = 0,
                        .mapped = false};
    if (logical >= LOGICAL_END)
        return STATUS_OK;
    uint32_t depth = le16(((const struct disk_extent_header *)inode->disk.block)->depth);
    if (depth > EXTENT_DEPTH_MAX)
        return STATUS_CORRUPT;
    status_t s = node_make(fs, inode->disk.block, sizeof(inode->disk.block), depth, true, &node);
    while (s == STATUS_OK && depth > 0) {
        uint32_t until = node_count_until(&node, logical);
        if (until < node.entries && le32(node_index(&node, until)->block) < end)
            end = le32(node_index(&node, until)->block);
        if (until == 0)
            break;
        struct buffer *parent = buffer;
        buffer = NULL;
        s = node_get(inode, index_child(node_index(&node, until - 1)), --depth, &buffer, &node);
        if (parent != NULL)
            cache_put(fs, parent);
    }
    if (s == STATUS_OK && depth == 0)
        leaf_run(&node, logical, end, run);
    else if (s == STATUS_OK)
        run->length = end - logical;
    if (buffer != NULL)
        cache_put(fs, buffer);
    return s;
}
