/* The index of names: finds a record without reading its directory. Linear probing; a removal moves the entries behind
 * it up, so there are no tombstones. At most three quarters full. */
#include "internal.h"

#include <stdlib.h>

uint32_t index_hash(uint32_t directory, struct vfs_name name)
{
    uint64_t hash = (directory + UINT64_C(1)) * 0x9e3779b97f4a7c15;
    for (size_t i = 0; i < name.bytes; i++) {
        hash = (hash ^ (unsigned char)name.text[i]) * 0x100000001b3;
    }
    return (uint32_t)(hash ^ (hash >> 29));
}

static void put(struct name_index *index, struct index_entry entry)
{
    size_t at = index_begin(index, entry.hash);
    while (index->entries[at].directory) {
        at = (at + 1) & (index->capacity - 1);
    }
    index->entries[at] = entry;
}

bool index_reserve(struct name_index *index)
{
    if (index->used + 1 <= index->capacity / 4 * 3) {
        return true;
    }
    struct name_index bigger = {.capacity = index->capacity ? index->capacity * 2 : 256,
                                .used = index->used};
    bigger.entries = calloc(bigger.capacity, sizeof *bigger.entries);
    if (!bigger.entries) {
        return false;
    }
    for (size_t i = 0; i < index->capacity; i++) {
        if (index->entries[i].directory) {
            put(&bigger, index->entries[i]);
        }
    }
    free(index->entries);
    *index = bigger;
    return true;
}

void index_add(struct name_index *index, uint32_t directory, uint32_t hash, uint32_t slot)
{
    put(index, (struct index_entry){.directory = directory, .hash = hash, .slot = slot});
    index->used++;
}

size_t index_begin(const struct name_index *index, uint32_t hash)
{
    return hash & (index->capacity - 1);
}

const struct index_entry *index_next(const struct name_index *index, uint32_t directory,
                                     uint32_t hash, size_t *position)
{
    while (index->capacity && index->entries[*position].directory) {
        const struct index_entry *entry = &index->entries[*position];
        *position = (*position + 1) & (index->capacity - 1);
        if (entry->directory == directory && entry->hash == hash) {
            return entry;
        }
    }
    return NULL;
}

/* The entry at @hole is gone: move up what was put behind it because of it. */
static void close_hole(struct name_index *index, size_t hole)
{
    size_t mask = index->capacity - 1;
    for (size_t at = (hole + 1) & mask; index->entries[at].directory; at = (at + 1) & mask) {
        size_t home = index_begin(index, index->entries[at].hash);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            index->entries[hole] = index->entries[at];
            hole = at;
        }
    }
    index->entries[hole] = (struct index_entry){0};
}

void index_remove(struct name_index *index, uint32_t directory, uint32_t hash, uint32_t slot)
{
    size_t position = index_begin(index, hash);
    const struct index_entry *entry;
    while ((entry = index_next(index, directory, hash, &position))) {
        if (entry->slot == slot) {
            close_hole(index, (size_t)(entry - index->entries));
            index->used--;
            return;
        }
    }
}
