/* Inline data (section "Inline Data"): the first 60 bytes of a file are in i_block, the rest is the
 * value of the attribute "system.data" in the inode's record; the inode's checksum covers both.
 *
 * A directory has its parent's number in the first four bytes and entries in what is left of
 * i_block, and more entries, which never straddle the two, in the value. "." and ".." are not
 * stored; here they come first, at the cursors 0 and 1, and entry n bytes into the two areas is at
 * 2 + n.
 */
#include "internal.h"

#include <string.h>

#define PARENT_BYTES 4u
#define AREA_BYTES (INODE_BLOCK_BYTES - PARENT_BYTES)
#define CURSOR_DOT 0u
#define CURSOR_DOTDOT 1u
#define CURSOR_ENTRIES 2u

status_t inline_find(const struct ext4_inode *inode, struct inline_pieces *out)
{
    struct xattr_region region;
    struct xattr xattr;
    xattr_inode_region(inode, &region);
    size_t offset = region.first;
    for (;;) {
        status_t s = xattr_next(&region, &offset, &xattr);
        if (s != STATUS_OK)
            return STATUS_CORRUPT;
        if (xattr.index == XATTR_INDEX_SYSTEM && xattr.name_bytes == 4 &&
            memcmp(xattr.name, "data", 4) == 0)
            break;
    }
    if (xattr.value_inode != 0)
        return STATUS_CORRUPT;
    *out = (struct inline_pieces){.value = xattr.value, .value_bytes = xattr.value_bytes};
    return STATUS_OK;
}

/* The part of [@offset, @offset + @bytes) of the file that @piece, which begins at @start of it,
 * holds. */
static void copy_piece(uint64_t offset, uint8_t *out, size_t bytes, uint64_t start,
                       const uint8_t *piece, size_t length)
{
    uint64_t from = offset > start ? offset : start;
    uint64_t to = offset + bytes < start + length ? offset + bytes : start + length;
    if (from < to)
        memcpy(out + (from - offset), piece + (from - start), (size_t)(to - from));
}

/* A file that was extended by truncation is longer than its data; the rest is zeros. */
status_t inline_read(const struct ext4_inode *inode, uint64_t offset, void *buffer, size_t bytes)
{
    struct inline_pieces pieces;
    status_t s = inline_find(inode, &pieces);
    if (s != STATUS_OK)
        return s;
    memset(buffer, 0, bytes);
    copy_piece(offset, buffer, bytes, 0, inode->disk.block, INODE_BLOCK_BYTES);
    copy_piece(offset, buffer, bytes, INODE_BLOCK_BYTES, pieces.value, pieces.value_bytes);
    return STATUS_OK;
}

static status_t areas_find(const struct ext4_inode *directory, struct entries areas[2])
{
    struct inline_pieces pieces;
    status_t s = inline_find(directory, &pieces);
    if (s != STATUS_OK)
        return s;
    areas[0] = (struct entries){directory->fs, directory->disk.block + PARENT_BYTES, AREA_BYTES};
    areas[1] = (struct entries){directory->fs, pieces.value, pieces.value_bytes};
    return STATUS_OK;
}

static struct ext4_entry dot_entry(const struct ext4_inode *directory, size_t dots)
{
    struct le32 parent;
    memcpy(&parent, directory->disk.block, sizeof(parent));
    return (struct ext4_entry){
        .inode = dots == 1 ? directory->number : le32(parent),
        .type = EXT4_TYPE_DIRECTORY,
        .name = "..",
        .name_bytes = dots,
    };
}

status_t inline_lookup(const struct ext4_inode *directory, const char *name, size_t name_bytes,
                       struct ext4_entry *out)
{
    struct entries areas[2];
    if (name_bytes <= 2 && memcmp(name, "..", name_bytes) == 0) {
        *out = dot_entry(directory, name_bytes);
        return STATUS_OK;
    }
    status_t s = areas_find(directory, areas);
    if (s == STATUS_OK)
        s = entries_find(&areas[0], name, name_bytes, out);
    if (s == STATUS_NOT_FOUND)
        s = entries_find(&areas[1], name, name_bytes, out);
    return s;
}

/* The entries of one area that are at or behind the cursor. *@more is set to false if @emit has
 * refused one. */
static status_t area_iterate(const struct entries *area, uint64_t start, uint64_t *cursor,
                             bool (*emit)(void *context, const struct ext4_entry *entry),
                             void *context, bool *more)
{
    struct ext4_entry entry;
    size_t next;
    for (size_t offset = 0; offset < area->length; offset = next) {
        status_t s = entries_at(area, offset, &entry, &next);
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
        *cursor = start + next;
    }
    return STATUS_OK;
}

status_t inline_iterate(const struct ext4_inode *directory, uint64_t *cursor,
                        bool (*emit)(void *context, const struct ext4_entry *entry), void *context)
{
    struct entries areas[2];
    bool more = true;
    status_t s = areas_find(directory, areas);
    if (s != STATUS_OK)
        return s;
    for (; *cursor < CURSOR_ENTRIES; ++*cursor) {
        struct ext4_entry entry = dot_entry(directory, *cursor == CURSOR_DOT ? 1 : 2);
        entry.next = *cursor + 1;
        if (!emit(context, &entry))
            return STATUS_OK;
    }
    s = area_iterate(&areas[0], CURSOR_ENTRIES, cursor, emit, context, &more);
    if (s == STATUS_OK && more)
        s = area_iterate(&areas[1], CURSOR_ENTRIES + AREA_BYTES, cursor, emit, context, &more);
    return s;
}
