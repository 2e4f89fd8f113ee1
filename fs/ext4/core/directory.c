/* Directories (section "Directory Entries"): a file of blocks, each a chain of entries that ends
 * with the block.
 *
 * A directory with an index hides its nodes in entries that look unused, so reading all blocks in
 * order finds every name in either kind; that is how a directory is listed, and the cursor is
 * simply a position in the file. Only a lookup uses the index (htree.c). With metadata checksums
 * each block ends in one, and which kind of block it is decides where that stands.
 */
#include "internal.h"

#include <string.h>

uint32_t entry_rec_len(const struct ext4_fs *fs, struct le16 rec_len)
{
    uint32_t length = le16(rec_len);
    if (fs->block_bytes < 65536)
        return length;
    if (length == 0 || length == 65535)
        return 65536;
    return (length & 65532u) | (length & 3u) << 16;
}

uint64_t directory_blocks(const struct ext4_inode *directory)
{
    return directory->size >> directory->fs->block_shift;
}

bool directory_is_indexed(const struct ext4_inode *directory)
{
    return (directory->fs->compat & COMPAT_DIR_INDEX) != 0 && (directory->flags & INODE_INDEX) != 0;
}

/* --- entries --- */

static bool name_is_sane(const char *name, size_t bytes)
{
    return bytes != 0 && memchr(name, 0, bytes) == NULL && memchr(name, '/', bytes) == NULL;
}

status_t entries_at(const struct entries *entries, size_t offset, struct ext4_entry *out,
                    size_t *next)
{
    const struct ext4_fs *fs = entries->fs;
    const struct disk_entry *entry = (const struct disk_entry *)(entries->bytes + offset);
    size_t left = entries->length - offset;
    if (left < ENTRY_BYTES_MIN)
        return STATUS_CORRUPT;
    size_t length = entry_rec_len(fs, entry->rec_len);
    if (length < ENTRY_BYTES_MIN || length % 4 != 0 || length > left ||
        sizeof(*entry) + entry->name_len > length)
        return STATUS_CORRUPT;
    *next = offset + length;
    *out = (struct ext4_entry){
        .inode = le32(entry->inode),
        .type = EXT4_TYPE_UNKNOWN,
        .name = (const char *)(entry + 1),
        .name_bytes = entry->name_len,
    };
    if ((fs->incompat & INCOMPAT_FILETYPE) != 0 && entry->file_type <= EXT4_TYPE_SYMLINK)
        out->type = (enum ext4_type)entry->file_type;
    if (out->inode == 0)
        return STATUS_OK;
    if (out->inode > fs->inodes_count || !name_is_sane(out->name, out->name_bytes))
        return STATUS_CORRUPT;
    return STATUS_OK;
}

status_t entries_find(const struct entries *entries, const char *name, size_t name_bytes,
                      struct ext4_entry *out)
{
    size_t next;
    for (size_t offset = 0; offset < entries->length; offset = next) {
        status_t s = entries_at(entries, offset, out, &next);
        if (s != STATUS_OK)
            return s;
        if (out->inode != 0 && out->name_bytes == name_bytes &&
            memcmp(out->name, name, name_bytes) == 0)
            return STATUS_OK;
    }
    return STATUS_NOT_FOUND;
}

/* --- blocks --- */

static bool leaf_checksum_is_good(const struct ext4_inode *directory, const uint8_t *block)
{
    const struct ext4_fs *fs = directory->fs;
    size_t covered = fs->block_bytes - sizeof(struct disk_entry_tail);
    const struct disk_entry_tail *tail = (const struct disk_entry_tail *)(block + covered);
    if (le32(tail->reserved_zero1) != 0 || le16(tail->rec_len) != sizeof(*tail) ||
        tail->reserved_zero2 != 0 || tail->reserved_ft != ENTRY_TAIL_TYPE)
        return false;
    return crc32c(fs, directory->csum_seed, block, covered) == le32(tail->checksum);
}

/* The checksum covers the entries in use, and stands behind the room for all of them. */
static bool index_checksum_is_good(const struct ext4_inode *directory, const uint8_t *block)
{
    const struct ext4_fs *fs = directory->fs;
    uint32_t entries, limit, count;
    if (htree_layout(directory, block, &entries, &limit, &count) != STATUS_OK)
        return false;
    const struct disk_dx_tail *tail =
        (const struct disk_dx_tail *)(block + entries +
                                      (size_t)limit * sizeof(struct disk_dx_entry));
    struct le32 zero = le32_make(0);
    uint32_t crc = crc32c(fs, directory->csum_seed, block,
                          entries + (size_t)count * sizeof(struct disk_dx_entry));
    crc = crc32c(fs, crc, &tail->reserved, sizeof(tail->reserved));
    crc = crc32c(fs, crc, &zero, sizeof(zero));
    return crc == le32(tail->checksum);
}

static bool block_is_good(const struct ext4_inode *directory, enum block_kind kind,
                          const uint8_t *block)
{
    if (!directory->fs->metadata_csum)
        return true;
    return kind == BLOCK_INDEX ? index_checksum_is_good(directory, block)
                               : leaf_checksum_is_good(directory, block);
}

static status_t buffer_verify(const struct ext4_inode *directory, enum block_kind kind,
                              struct buffer *buffer)
{
    if (buffer_is_verified(buffer, kind, directory->number))
        return STATUS_OK;
    if (!block_is_good(directory, kind, buffer->data))
        return STATUS_CORRUPT;
    buffer_set_verified(buffer, kind, directory->number);
    return STATUS_OK;
}

/* What block @index of the directory must be: the root of the index, a node (it looks like one
 * unused entry as long as the block), or a leaf. */
static enum block_kind kind_of_block(const struct ext4_inode *directory, uint64_t index,
                                     const uint8_t *block)
{
    const struct disk_entry *first = (const struct disk_entry *)block;
    if (!directory_is_indexed(directory))
        return BLOCK_LEAF;
    if (index == 0 || (le32(first->inode) == 0 &&
                       entry_rec_len(directory->fs, first->rec_len) == directory->fs->block_bytes))
        return BLOCK_INDEX;
    return BLOCK_LEAF;
}

static status_t block_get(struct ext4_inode *directory, uint64_t index, const enum block_kind *kind,
                          struct buffer **out)
{
    struct buffer *buffer;
    if (index >= directory_blocks(directory))
        return STATUS_CORRUPT;
    status_t s = map_get(directory, index, &buffer);
    if (s != STATUS_OK)
        return s;
    s = buffer_verify(directory,
                      kind != NULL ? *kind : kind_of_block(directory, index, buffer->data), buffer);
    if (s != STATUS_OK)
        cache_drop(directory->fs, buffer);
    *out = buffer;
    return s;
}

status_t directory_get(struct ext4_inode *directory, uint64_t index, enum block_kind kind,
                       struct buffer **out)
{
    return block_get(directory, index, &kind, out);
}

/* --- lookup --- */

static status_t linear_lookup(struct ext4_inode *directory, const char *name, size_t name_bytes,
                              struct ext4_entry *out)
{
    struct ext4_fs *fs = directory->fs;
    status_t s = STATUS_NOT_FOUND;
    for (uint64_t i = 0; s == STATUS_NOT_FOUND && i < directory_blocks(directory); i++) {
        struct buffer *buffer;
        s = block_get(directory, i, NULL, &buffer);
        if (s != STATUS_OK)
            return s;
        struct entries entries = {fs, buffer->data, fs->block_bytes};
        s = entries_find(&entries, name, name_bytes, out);
        cache_put(fs, buffer);
    }
    return s;
}

/* "." and ".." are not in the index: they stand in the first block, where the linear search meets
 * them at once. */
static bool name_is_dots(const char *name, size_t bytes)
{
    return bytes <= 2 && memcmp(name, "..", bytes) == 0;
}

status_t ext4_lookup(struct ext4_inode *directory, const char *name, size_t name_bytes,
                     uint32_t *number, enum ext4_type *type)
{
    struct ext4_entry entry;
    status_t s = STATUS_UNSUPPORTED;
    if (!inode_is(directory, MODE_DIRECTORY))
        return STATUS_WRONG_TYPE;
    if (name_bytes == 0)
        return STATUS_INVALID;
    if (name_bytes > EXT4_NAME_MAX)
        return STATUS_RANGE;
    if (inode_is_inline(directory))
        s = inline_lookup(directory, name, name_bytes, &entry);
    else if (directory_is_indexed(directory) && !name_is_dots(name, name_bytes))
        s = htree_lookup(directory, name, name_bytes, &entry);
    if (s == STATUS_UNSUPPORTED)
        s = linear_lookup(directory, name, name_bytes, &entry);
    if (s != STATUS_OK)
        return s;
    *number = entry.inode;
    *type = entry.type;
    return STATUS_OK;
}

/* --- listing --- */

/* One block's entries from the cursor on. The cursor may stand anywhere: entries are met from the
 * block's start. */
static status_t block_iterate(const struct entries *entries, uint64_t start, uint64_t *cursor,
                              bool (*emit)(void *context, const struct ext4_entry *entry),
                              void *context, bool *more)
{
    struct ext4_entry entry;
    size_t next;
    for (size_t offset = 0; offset < entries->length; offset = next) {
        status_t s = entries_at(entries, offset, &entry, &next);
        if (s != STATUS_OK)
            return s;
        if (start + offset < *cursor)
            continue;
        *cursor = start + offset;
        entry.next = start + next;
        if (entry.inode != 0 && !emit(context, &entry)) {
            *more = false;
            return STATUS_OK;
        }
    }
    *cursor = start + entries->length;
    return STATUS_OK;
}

status_t ext4_directory_iterate(struct ext4_inode *directory, uint64_t *cursor,
                                bool (*emit)(void *context, const struct ext4_entry *entry),
                                void *context)
{
    struct ext4_fs *fs = directory->fs;
    bool more = true;
    status_t s = STATUS_OK;
    if (!inode_is(directory, MODE_DIRECTORY))
        return STATUS_WRONG_TYPE;
    if (inode_is_inline(directory))
        return inline_iterate(directory, cursor, emit, context);
    while (s == STATUS_OK && more && *cursor < directory->size) {
        uint64_t index = *cursor >> fs->block_shift;
        struct buffer *buffer;
        s = block_get(directory, index, NULL, &buffer);
        if (s != STATUS_OK)
            return s;
        struct entries entries = {fs, buffer->data, fs->block_bytes};
        s = block_iterate(&entries, index << fs->block_shift, cursor, emit, context, &more);
        cache_put(fs, buffer);
    }
    return s;
}
