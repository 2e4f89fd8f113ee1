/* Block maps of files made by ext2 and ext3 (section "Direct/Indirect Block Addressing").
 *
 * Twelve blocks are named by the inode, then come one tree each of depth 1, 2 and 3, whose nodes
 * are whole blocks of 32-bit block numbers; 0 is a hole. Nothing in a map says that it is one, so
 * each number is checked against the file system only; the depth is given by the position, and that
 * ends every walk.
 */
#include "internal.h"

#define DIRECT_BLOCKS 12u
#define TREES 3u

/* The run at @table[@index]: as long as the numbers go on by one, or stay zero. */
static status_t table_run(const struct ext4_fs *fs, const struct le32 *table, uint64_t index,
                          uint64_t count, struct run *run)
{
    uint64_t physical = le32(table[index]);
    uint64_t step = physical != 0 ? 1 : 0;
    uint64_t length = 1;
    while (index + length < count && le32(table[index + length]) == physical + length * step)
        length++;
    run->length = length;
    run->physical = physical;
    run->mapped = physical != 0;
    return !run->mapped || medium_has_blocks(fs, physical, length) ? STATUS_OK : STATUS_CORRUPT;
}

/* Walk the tree of @depth under @block to the block at @index of it. */
static status_t tree_run(struct ext4_fs *fs, uint64_t block, uint32_t depth, uint64_t index,
                         struct run *run)
{
    uint32_t bits = fs->block_shift - 2;
    uint64_t per_block = (uint64_t)1 << bits;
    for (; block != 0; depth--) {
        struct buffer *buffer;
        status_t s = cache_get(fs, block, &buffer);
        if (s != STATUS_OK)
            return s;
        const struct le32 *table = (const struct le32 *)buffer->data;
        uint64_t here = index >> (bits * (depth - 1)) & (per_block - 1);
        if (depth == 1)
            s = table_run(fs, table, here, per_block, run);
        else
            block = le32(table[here]);
        cache_put(fs, buffer);
        if (depth == 1)
            return s;
    }
    /* A missing subtree is a hole to its end; @depth is what it would still have had. */
    uint64_t span = (uint64_t)1 << (bits * depth);
    run->length = span - (index & (span - 1));
    return STATUS_OK;
}

status_t blockmap_run(struct ext4_inode *inode, uint64_t logical, struct run *run)
{
    const struct ext4_fs *fs = inode->fs;
    const struct le32 *table = (const struct le32 *)inode->disk.block;
    uint64_t index = logical;
    *run = (struct run){.first = logical, .length = 0, .physical = 0, .mapped = false};
    if (index < DIRECT_BLOCKS)
        return table_run(fs, table, index, DIRECT_BLOCKS, run);
    index -= DIRECT_BLOCKS;
    for (uint32_t depth = 1; depth <= TREES; depth++) {
        uint64_t span = (uint64_t)1 << ((fs->block_shift - 2) * depth);
        if (index < span)
            return tree_run(inode->fs, le32(table[DIRECT_BLOCKS + depth - 1]), depth, index, run);
        index -= span;
    }
    return STATUS_CORRUPT;
}
