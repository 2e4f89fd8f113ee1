/* Packing directory entries for fs.readdir. */
#include "server.h"

#include <string.h>

#define CURSOR_MAX ((uint64_t)INT64_MAX)

struct packing {
    uint8_t *buffer;
    size_t capacity;
    size_t used;
    bool refused; /* an entry did not fit */
};

static bool is_dots(const struct ext4_entry *entry)
{
    return entry->name_bytes <= 2 && memcmp(entry->name, "..", entry->name_bytes) == 0;
}

static bool pack(void *context, const struct ext4_entry *entry)
{
    struct packing *packing = context;
    if (is_dots(entry))
        return true;
    size_t bytes = (sizeof(struct fs_entry) + entry->name_bytes + 7) & ~(size_t)7;
    if (bytes > packing->capacity - packing->used) {
        packing->refused = true;
        return false;
    }
    struct fs_entry head = {
        .inode = entry->inode,
        .next = entry->next,
        .type = fs_type_of(entry->type),
        .record_bytes = (uint16_t)bytes,
        .name_bytes = (uint16_t)entry->name_bytes,
    };
    uint8_t *at = packing->buffer + packing->used;
    memset(at, 0, bytes);
    memcpy(at, &head, sizeof(head));
    memcpy(at + sizeof(head), entry->name, entry->name_bytes);
    packing->used += bytes;
    return true;
}

/* Damage behind some good entries is told at the next call, whose cursor stands before it. */
status_t readdir_pack(struct ext4_inode *directory, uint64_t *cursor, uint8_t *buffer,
                      size_t capacity, size_t *used)
{
    struct packing packing = {.buffer = buffer, .capacity = capacity};
    *used = 0;
    if (*cursor > CURSOR_MAX)
        return STATUS_INVALID;
    status_t s = ext4_directory_iterate(directory, cursor, pack, &packing);
    if (s != STATUS_OK && packing.used == 0)
        return s;
    *used = packing.used;
    return packing.refused && packing.used == 0 ? STATUS_RANGE : STATUS_OK;
}
