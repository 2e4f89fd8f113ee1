/* Reading file data and the targets of symbolic links. */
#include "internal.h"

#include <string.h>

/* Part of one block, through the cache; file data leaves it first. */
static status_t read_partial(struct ext4_fs *fs, uint64_t block, size_t skip, uint8_t *out,
                             size_t bytes)
{
    struct buffer *buffer;
    status_t s = cache_get(fs, block, &buffer);
    if (s != STATUS_OK)
        return s;
    memcpy(out, buffer->data + skip, bytes);
    cache_put_cold(fs, buffer);
    return STATUS_OK;
}

/* At most @bytes from @skip into the mapped @run: the rest of its first block, whole blocks, or the
 * head of a block. */
static status_t read_mapped(struct ext4_fs *fs, const struct run *run, size_t skip, uint8_t *out,
                            size_t bytes, size_t *done)
{
    size_t whole = bytes & ~(size_t)(fs->block_bytes - 1);
    if (skip == 0 && whole != 0) {
        *done = whole;
        return medium_read(fs, run->physical << fs->block_shift, out, whole);
    }
    size_t rest = fs->block_bytes - skip;
    *done = bytes < rest ? bytes : rest;
    return read_partial(fs, run->physical, skip, out, *done);
}

/* One step: at most what one run of the file holds. */
static status_t read_step(struct ext4_inode *file, uint64_t offset, uint8_t *out, size_t bytes,
                          size_t *done)
{
    struct ext4_fs *fs = file->fs;
    struct run run;
    status_t s = map_run(file, offset >> fs->block_shift, &run);
    if (s != STATUS_OK)
        return s;
    size_t skip = (size_t)(offset & (fs->block_bytes - 1));
    if (run.length < (bytes >> fs->block_shift) + 2) {
        size_t span = ((size_t)run.length << fs->block_shift) - skip;
        bytes = bytes < span ? bytes : span;
    }
    if (run.mapped)
        return read_mapped(fs, &run, skip, out, bytes, done);
    memset(out, 0, bytes);
    *done = bytes;
    return STATUS_OK;
}

status_t inode_read(struct ext4_inode *file, uint64_t offset, void *buffer, size_t bytes,
                    size_t *done)
{
    uint8_t *out = buffer;
    *done = 0;
    if (offset >= file->size)
        return STATUS_OK;
    if (bytes > file->size - offset)
        bytes = (size_t)(file->size - offset);
    if (inode_is_inline(file)) {
        status_t s = inline_read(file, offset, buffer, bytes);
        *done = s == STATUS_OK ? bytes : 0;
        return s;
    }
    while (*done < bytes) {
        size_t step;
        status_t s = read_step(file, offset + *done, out + *done, bytes - *done, &step);
        if (s != STATUS_OK)
            return s;
        *done += step;
    }
    return STATUS_OK;
}

status_t ext4_read(struct ext4_inode *file, uint64_t offset, void *buffer, size_t bytes,
                   size_t *done)
{
    *done = 0;
    return inode_is(file, MODE_REGULAR) ? inode_read(file, offset, buffer, bytes, done)
                                        : STATUS_WRONG_TYPE;
}

/* Section "Symbolic Links": a target below 60 bytes stands in i_block, unless that holds extents or
 * inline data. */
static bool link_is_fast(const struct ext4_inode *link)
{
    return link->size < INODE_BLOCK_BYTES &&
           (link->flags & (INODE_EXTENTS | INODE_INLINE_DATA)) == 0;
}

status_t ext4_readlink(struct ext4_inode *link, char *buffer, size_t capacity, size_t *bytes)
{
    *bytes = 0;
    if (!inode_is(link, MODE_SYMLINK))
        return STATUS_WRONG_TYPE;
    if (link->size == 0 || link->size > EXT4_SYMLINK_MAX)
        return STATUS_CORRUPT;
    if (link->size > capacity)
        return STATUS_RANGE;
    size_t length = (size_t)link->size;
    if (link_is_fast(link)) {
        memcpy(buffer, link->disk.block, length);
    } else {
        size_t done;
        status_t s = inode_read(link, 0, buffer, length, &done);
        if (s != STATUS_OK)
            return s;
    }
    if (memchr(buffer, 0, length) != NULL)
        return STATUS_CORRUPT;
    *bytes = length;
    return STATUS_OK;
}
