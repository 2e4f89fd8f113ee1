/* The walk is breadth-first over a list of inode numbers, so damaged directories can make neither a
 * cycle nor depth. */
#include "walk.h"

#include <stdlib.h>
#include <string.h>

#define DATA_MAX ((uint64_t)256 << 10)
#define CHUNK ((size_t)24 << 10)

struct walk {
    struct ext4_fs *fs;
    struct walk_result *result;
    uint32_t *queue;
    uint32_t queued;
    uint32_t limit;
    uint8_t *buffer;
    struct ext4_inode *directory;
    uint32_t burst;
};

static void note(struct walk *walk, status_t s)
{
    if (s == STATUS_CORRUPT)
        walk->result->corrupt++;
}

static void enqueue(struct walk *walk, uint32_t number)
{
    for (uint32_t i = 0; i < walk->queued; i++)
        if (walk->queue[i] == number)
            return;
    if (walk->queued < walk->limit)
        walk->queue[walk->queued++] = number;
}

static bool visit_entry(void *context, const struct ext4_entry *entry)
{
    struct walk *walk = context;
    uint32_t number;
    enum ext4_type type;
    if (walk->burst-- == 0)
        return false;
    walk->result->entries++;
    note(walk, ext4_lookup(walk->directory, entry->name, entry->name_bytes, &number, &type));
    enqueue(walk, entry->inode);
    return true;
}

/* In bursts, so that the cursor is exercised; a refused first entry would be an endless loop. */
static void visit_directory(struct walk *walk)
{
    uint64_t cursor = 0;
    for (uint64_t before = UINT64_MAX; before != cursor;) {
        before = cursor;
        walk->burst = 50;
        status_t s = ext4_directory_iterate(walk->directory, &cursor, visit_entry, walk);
        note(walk, s);
        if (s != STATUS_OK)
            break;
    }
    cursor = 77;
    walk->burst = 3;
    note(walk, ext4_directory_iterate(walk->directory, &cursor, visit_entry, walk));
    uint32_t number;
    enum ext4_type type;
    note(walk, ext4_lookup(walk->directory, "no such name", 12, &number, &type));
}

static void visit_data(struct walk *walk, struct ext4_inode *file, uint64_t size)
{
    size_t done;
    for (uint64_t offset = 0; offset < size && offset < DATA_MAX; offset += CHUNK) {
        status_t s = ext4_read(file, offset, walk->buffer, CHUNK, &done);
        note(walk, s);
        walk->result->data_bytes += done;
    }
    note(walk, ext4_read(file, size / 2 + 1, walk->buffer, CHUNK, &done));
    note(walk, ext4_read(file, size > 1000 ? size - 1000 : 0, walk->buffer, CHUNK, &done));
}

static bool visit_attribute(void *context, const char *name, size_t value_bytes)
{
    struct walk *walk = context;
    size_t bytes;
    (void)value_bytes;
    note(walk, ext4_xattr_get(walk->directory, name, walk->buffer, CHUNK, &bytes));
    return true;
}

static void visit_inode(struct walk *walk, uint32_t number)
{
    struct ext4_stat stat;
    size_t bytes;
    status_t s = ext4_inode_open(walk->fs, number, &walk->directory);
    note(walk, s);
    if (s != STATUS_OK)
        return;
    walk->result->inodes++;
    ext4_inode_stat(walk->directory, &stat);
    if (stat.type == EXT4_TYPE_DIRECTORY)
        visit_directory(walk);
    else if (stat.type == EXT4_TYPE_REGULAR)
        visit_data(walk, walk->directory, stat.size_bytes);
    else if (stat.type == EXT4_TYPE_SYMLINK)
        note(walk, ext4_readlink(walk->directory, (char *)walk->buffer, CHUNK, &bytes));
    note(walk, ext4_xattr_iterate(walk->directory, visit_attribute, walk));
    ext4_inode_close(walk->directory);
}

void walk_image(struct ext4_fs *fs, uint32_t inodes_max, struct walk_result *result)
{
    struct walk walk = {.fs = fs, .result = result, .limit = inodes_max};
    walk.queue = malloc(inodes_max * sizeof(*walk.queue));
    walk.buffer = malloc(CHUNK);
    memset(result, 0, sizeof(*result));
    if (walk.queue != NULL && walk.buffer != NULL) {
        enqueue(&walk, EXT4_ROOT_INODE);
        for (uint32_t i = 0; i < walk.queued; i++)
            visit_inode(&walk, walk.queue[i]);
    }
    free(walk.queue);
    free(walk.buffer);
}
