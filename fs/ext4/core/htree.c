/* Lookup through a directory's index (section "Hash Tree Directories").
 *
 * The tree's nodes are arrays of (hash, block of the directory), sorted by hash; a leaf holds the
 * names whose hashes lie between its entry's and the next. Names with one hash may spill into the
 * next leaf, whose entry then has the lowest bit of its hash set. The root states how many levels
 * of nodes there are, at most three, and a lookup reads at most as many leaves as the directory has
 * blocks, so a damaged index cannot keep it.
 */
#include "internal.h"

#include <string.h>

#define LEVELS_MAX 3u

/* Where a search stands in one node. */
struct level {
    struct buffer *buffer;
    const struct disk_dx_entry *entries;
    uint32_t count;
    uint32_t at;
};

struct path {
    struct ext4_inode *directory;
    uint32_t hash;
    uint32_t levels;
    struct level level[LEVELS_MAX];
};

static uint32_t entries_offset(const struct ext4_fs *fs, const uint8_t *block)
{
    const struct disk_entry *first = (const struct disk_entry *)block;
    if (entry_rec_len(fs, first->rec_len) == fs->block_bytes)
        return DX_NODE_ENTRIES_OFFSET;
    const struct disk_entry *second = (const struct disk_entry *)(block + ENTRY_BYTES_MIN);
    const struct disk_dx_info *info = (const struct disk_dx_info *)(block + DX_ROOT_INFO_OFFSET);
    if (entry_rec_len(fs, first->rec_len) != ENTRY_BYTES_MIN ||
        entry_rec_len(fs, second->rec_len) != fs->block_bytes - ENTRY_BYTES_MIN)
        return 0;
    if (le32(info->reserved_zero) != 0 || info->info_length != sizeof(*info))
        return 0;
    return DX_ROOT_ENTRIES_OFFSET;
}

status_t htree_layout(const struct ext4_inode *directory, const uint8_t *block, uint32_t *offset,
                      uint32_t *limit, uint32_t *count)
{
    const struct ext4_fs *fs = directory->fs;
    *offset = entries_offset(fs, block);
    if (*offset == 0)
        return STATUS_CORRUPT;
    const struct le16 *head = (const struct le16 *)(block + *offset);
    size_t space =
        fs->block_bytes - *offset - (fs->metadata_csum ? sizeof(struct disk_dx_tail) : 0);
    *limit = le16(head[0]);
    *count = le16(head[1]);
    if (*limit > space / sizeof(struct disk_dx_entry) || *count == 0 || *count > *limit)
        return STATUS_CORRUPT;
    return STATUS_OK;
}

/* The last entry whose hash is not above @hash; the first stands for everything below the second.
 */
static uint32_t level_search(const struct level *level, uint32_t hash)
{
    uint32_t low = 1;
    uint32_t high = level->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (le32(level->entries[middle].hash) <= hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

static uint64_t level_block(const struct level *level)
{
    return le32(level->entries[level->at].block) & DX_BLOCK_MASK;
}

/* Pin the node @block as level @depth of the path. */
static status_t level_enter(struct path *path, uint32_t depth, uint64_t block)
{
    struct level *level = &path->level[depth];
    struct ext4_fs *fs = path->directory->fs;
    uint32_t offset, limit;
    struct buffer *buffer;
    status_t s = directory_get(path->directory, block, BLOCK_INDEX, &buffer);
    if (s != STATUS_OK)
        return s;
    s = htree_layout(path->directory, buffer->data, &offset, &limit, &level->count);
    if (s == STATUS_OK && offset != (depth == 0 ? DX_ROOT_ENTRIES_OFFSET : DX_NODE_ENTRIES_OFFSET))
        s = STATUS_CORRUPT;
    if (s != STATUS_OK) {
        cache_put(fs, buffer);
        return s;
    }
    if (level->buffer != NULL)
        cache_put(fs, level->buffer);
    level->buffer = buffer;
    level->entries = (const struct disk_dx_entry *)(buffer->data + offset);
    level->at = level_search(level, path->hash);
    return STATUS_OK;
}

/* What the root says of the tree, and the name's hash by its rule. */
static status_t root_decode(struct path *path, const char *name, size_t name_bytes)
{
    const struct ext4_fs *fs = path->directory->fs;
    const struct disk_dx_info *info =
        (const struct disk_dx_info *)(path->level[0].buffer->data + DX_ROOT_INFO_OFFSET);
    uint32_t levels_max = (fs->incompat & INCOMPAT_LARGEDIR) != 0 ? LEVELS_MAX : LEVELS_MAX - 1;
    uint32_t version = info->hash_version;
    if ((info->unused_flags & 1) != 0)
        return STATUS_UNSUPPORTED;
    if (info->indirect_levels >= levels_max)
        return STATUS_CORRUPT;
    path->levels = info->indirect_levels + 1u;
    if (version <= HASH_TEA && fs->hash_unsigned)
        version += HASH_LEGACY_UNSIGNED;
    return hash_name(version, fs->super.hash_seed, name, name_bytes, &path->hash);
}

static status_t path_find(struct path *path, const char *name, size_t name_bytes)
{
    status_t s = level_enter(path, 0, 0);
    if (s == STATUS_OK)
        s = root_decode(path, name, name_bytes);
    if (s != STATUS_OK)
        return s;
    path->level[0].at = level_search(&path->level[0], path->hash);
    for (uint32_t depth = 1; s == STATUS_OK && depth < path->levels; depth++)
        s = level_enter(path, depth, level_block(&path->level[depth - 1]));
    return s;
}

/* Move on to the next leaf, if names with our hash go on there. NOT_FOUND: they do not. */
static status_t path_advance(struct path *path)
{
    uint32_t depth = path->levels - 1;
    while (path->level[depth].at + 1 >= path->level[depth].count) {
        if (depth == 0)
            return STATUS_NOT_FOUND;
        depth--;
    }
    struct level *level = &path->level[depth];
    level->at++;
    if ((le32(level->entries[level->at].hash) & ~1u) != path->hash)
        return STATUS_NOT_FOUND;
    status_t s = STATUS_OK;
    for (depth++; s == STATUS_OK && depth < path->levels; depth++) {
        s = level_enter(path, depth, level_block(&path->level[depth - 1]));
        path->level[depth].at = 0;
    }
    return s;
}

static status_t leaf_find(struct path *path, const char *name, size_t name_bytes,
                          struct ext4_entry *out)
{
    struct ext4_fs *fs = path->directory->fs;
    struct buffer *buffer;
    uint64_t block = level_block(&path->level[path->levels - 1]);
    status_t s = directory_get(path->directory, block, BLOCK_LEAF, &buffer);
    if (s != STATUS_OK)
        return s;
    struct entries entries = {fs, buffer->data, fs->block_bytes};
    s = entries_find(&entries, name, name_bytes, out);
    cache_put(fs, buffer);
    return s;
}

status_t htree_lookup(struct ext4_inode *directory, const char *name, size_t name_bytes,
                      struct ext4_entry *out)
{
    struct path path = {.directory = directory};
    status_t s = path_find(&path, name, name_bytes);
    uint64_t leaves = directory_blocks(directory);
    while (s == STATUS_OK) {
        s = leaf_find(&path, name, name_bytes, out);
        if (s != STATUS_NOT_FOUND)
            break;
        if (leaves-- == 0)
            s = STATUS_CORRUPT;
        else
            s = path_advance(&path);
    }
    for (uint32_t depth = 0; depth < LEVELS_MAX; depth++)
        if (path.level[depth].buffer != NULL)
            cache_put(directory->fs, path.level[depth].buffer);
    return s;
}
