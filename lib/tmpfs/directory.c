/* Directories: pages of chained records. A record's head changes by one 8-byte store, after all that it will cover is in
 * place; a free record is one whose node is 0. Adjacent free records are joined when room is looked for. A slot is
 * the number of a record's place in units of 8 bytes; it is what cursors and the index of names hold. */
#include "internal.h"

#include <string.h>

static struct record *page_record(uint8_t *page, size_t at)
{
    return (struct record *)(void *)(page + at);
}

static void record_store(struct record *record, struct record value)
{
    uint64_t word;
    memcpy(&word, &value, sizeof word);
    store_word((uint64_t *)(void *)record, word);
}

struct record *record_at(const struct tmpfs *tmpfs, const struct node *directory, uint32_t slot)
{
    uint32_t page = tree_get(tmpfs, directory->tree, slot / RECORDS_PER_PAGE);
    return page
               ? page_record(page_at(tmpfs, page), (size_t)(slot % RECORDS_PER_PAGE) * RECORD_ALIGN)
               : NULL;
}

status_t directory_find(const struct tmpfs *tmpfs, uint32_t directory, struct vfs_name name,
                        uint32_t *slot)
{
    const struct node *node = node_at(tmpfs, directory);
    uint32_t hash = index_hash(directory, name);
    size_t position = index_begin(&tmpfs->index, hash);
    const struct index_entry *entry;
    while ((entry = index_next(&tmpfs->index, directory, hash, &position))) {
        struct record *record = record_at(tmpfs, node, entry->slot);
        if (record->name_bytes == name.bytes &&
            memcmp(record_name(record), name.text, name.bytes) == 0) {
            *slot = entry->slot;
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

/* Bytes of @record that its own name does not need. */
static size_t record_slack(const struct record *record)
{
    return record->node ? record->bytes - record_need(record->name_bytes) : record->bytes;
}

/* Where in @page a record of @need bytes can begin: a free record that is big enough, perhaps cut off another one just
 * now. TMPFS_PAGE_BYTES: nowhere. */
static size_t page_room(uint8_t *page, size_t need)
{
    for (size_t at = 0; at < TMPFS_PAGE_BYTES; at += page_record(page, at)->bytes) {
        struct record *record = page_record(page, at);
        while (!record->node && at + record->bytes < TMPFS_PAGE_BYTES &&
               !page_record(page, at + record->bytes)->node) {
            struct record joined = *record;
            joined.bytes = (uint16_t)(joined.bytes + page_record(page, at + record->bytes)->bytes);
            record_store(record, joined);
        }
        size_t slack = record_slack(record);
        if (slack < need) {
            continue;
        }
        if (!record->node) {
            return at;
        }
        struct record shrunk = *record;
        shrunk.bytes = (uint16_t)(shrunk.bytes - slack);
        size_t cut = at + shrunk.bytes;
        record_store(page_record(page, cut), (struct record){.bytes = (uint16_t)slack});
        record_store(record, shrunk);
        return cut;
    }
    return TMPFS_PAGE_BYTES;
}

/* The slot of a free record of at least @need bytes, in a new page if it must be. */
static status_t directory_room(struct tmpfs *tmpfs, struct node *directory, size_t need,
                               uint32_t *slot)
{
    uint32_t pages = (uint32_t)(directory->bytes / TMPFS_PAGE_BYTES);
    for (uint32_t i = directory->hint; i < pages; i++) {
        size_t at = page_room(page_at(tmpfs, tree_get(tmpfs, directory->tree, i)), need);
        if (at < TMPFS_PAGE_BYTES) {
            directory->hint = i;
            *slot = i * RECORDS_PER_PAGE + (uint32_t)(at / RECORD_ALIGN);
            return STATUS_OK;
        }
    }
    if (pages >= UINT32_MAX / RECORDS_PER_PAGE) {
        return STATUS_NO_SPACE;
    }
    uint32_t page = tree_make(tmpfs, &directory->tree, pages, &directory->pages);
    if (page == 0) {
        return STATUS_NO_SPACE;
    }
    record_store(page_record(page_at(tmpfs, page), 0), (struct record){.bytes = TMPFS_PAGE_BYTES});
    store_word(&directory->bytes, directory->bytes + TMPFS_PAGE_BYTES);
    directory->hint = pages;
    *slot = pages * RECORDS_PER_PAGE;
    return STATUS_OK;
}

status_t directory_add(struct tmpfs *tmpfs, uint32_t directory, struct vfs_name name,
                       uint32_t number, uint32_t type)
{
    struct node *node = node_at(tmpfs, directory);
    if (!index_reserve(&tmpfs->index)) {
        return STATUS_NO_SPACE;
    }
    uint32_t slot;
    size_t need = record_need(name.bytes);
    status_t status = directory_room(tmpfs, node, need, &slot);
    if (!status_is_ok(status)) {
        return status;
    }
    struct record *record = record_at(tmpfs, node, slot);
    struct record head = {.node = number,
                          .bytes = record->bytes,
                          .name_bytes = (uint8_t)name.bytes,
                          .type = (uint8_t)type};
    if (record->bytes - need >= sizeof(struct record)) {
        head.bytes = (uint16_t)need;
        struct record rest = {.bytes = (uint16_t)(record->bytes - need)};
        record_store((struct record *)(void *)((uint8_t *)record + need), rest);
    }
    memcpy(record_name(record), name.text, name.bytes);
    record_store(record, head);
    index_add(&tmpfs->index, directory, index_hash(directory, name), slot);
    node->entries++;
    node_touch(tmpfs, node);
    return STATUS_OK;
}

void directory_remove(struct tmpfs *tmpfs, uint32_t directory, uint32_t slot)
{
    struct node *node = node_at(tmpfs, directory);
    struct record *record = record_at(tmpfs, node, slot);
    struct vfs_name name = {.text = record_name(record), .bytes = record->name_bytes};
    index_remove(&tmpfs->index, directory, index_hash(directory, name), slot);
    record_store(record, (struct record){.bytes = record->bytes});
    if (slot / RECORDS_PER_PAGE < node->hint) {
        node->hint = slot / RECORDS_PER_PAGE;
    }
    node->entries--;
    node_touch(tmpfs, node);
}

void directory_point(struct tmpfs *tmpfs, uint32_t directory, uint32_t slot, uint32_t number)
{
    struct node *node = node_at(tmpfs, directory);
    struct record *record = record_at(tmpfs, node, slot);
    struct record head = *record;
    head.node = number;
    head.type = (uint8_t)node_at(tmpfs, number)->type;
    record_store(record, head);
    node_touch(tmpfs, node);
}

/* Append the entry of @record, if it fits. */
static bool put_entry(struct record *record, uint32_t slot, uint8_t *buffer, size_t room,
                      size_t *used)
{
    size_t bytes = (sizeof(struct fs_entry) + record->name_bytes + 7) / 8 * 8;
    if (bytes > room) {
        return false;
    }
    struct fs_entry entry = {
        .inode = record->node,
        .next = (uint64_t)slot + 1,
        .type = record->type,
        .record_bytes = (uint16_t)bytes,
        .name_bytes = record->name_bytes,
    };
    memset(buffer, 0, bytes);
    memcpy(buffer, &entry, sizeof entry);
    memcpy(buffer + sizeof entry, record_name(record), record->name_bytes);
    *used += bytes;
    return true;
}

status_t directory_read(const struct tmpfs *tmpfs, const struct node *directory, uint64_t cursor,
                        uint8_t *buffer, size_t bytes, size_t *used, uint64_t *next)
{
    uint64_t pages = directory->bytes / TMPFS_PAGE_BYTES;
    *used = 0;
    *next = cursor;
    for (uint64_t i = cursor / RECORDS_PER_PAGE; i < pages; i++) {
        uint8_t *page = page_at(tmpfs, tree_get(tmpfs, directory->tree, i));
        for (size_t at = 0; at < TMPFS_PAGE_BYTES; at += page_record(page, at)->bytes) {
            struct record *record = page_record(page, at);
            uint64_t slot = i * RECORDS_PER_PAGE + at / RECORD_ALIGN;
            /* A cursor may point into the middle of what was joined since. */
            if (slot < cursor || !record->node) {
                continue;
            }
            if (!put_entry(record, (uint32_t)slot, buffer + *used, bytes - *used, used)) {
                return *used ? STATUS_OK : STATUS_RANGE;
            }
            *next = slot + 1;
        }
    }
    return STATUS_OK;
}
