/* Opening a store: what is in it is walked from the root, believed only as far as it agrees with itself, and what is not
 * in it is computed. Page numbers out of range or met twice become holes; records that lead to free nodes, and second
 * names of a directory, are taken out; link counts are counted; nodes without a name and pages without an owner are
 * free. After a service died between two stores this undoes the half of a change that was there. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* Whether @page may be part of a tree; it is from now on. */
static bool claim(struct tmpfs *tmpfs, uint32_t page)
{
    if (page == 0 || page >= tmpfs->store->pages || page_used(tmpfs, page) ||
        !tmpfs->store->commit(tmpfs->store, page)) {
        return false;
    }
    page_mark(tmpfs, page);
    return true;
}

/* Claim all pages below @page. */
static void claim_below(struct tmpfs *tmpfs, uint32_t page, uint32_t height, uint32_t *pages)
{
    uint32_t *slots = page_slots(tmpfs, page);
    for (uint32_t i = 0; i < PAGE_SLOTS; i++) {
        if (slots[i] == 0) {
            continue;
        }
        if (!claim(tmpfs, slots[i])) {
            slots[i] = 0;
            continue;
        }
        ++*pages;
        if (height > 1) {
            claim_below(tmpfs, slots[i], height - 1, pages);
        }
    }
}

static void claim_tree(struct tmpfs *tmpfs, struct tree *tree, uint32_t *pages)
{
    *pages = 0;
    if (tree_height(*tree) > TREE_HEIGHT_MAX || !claim(tmpfs, tree_root(*tree))) {
        tree->word = 0;
        return;
    }
    *pages = 1;
    if (tree_height(*tree) > 0) {
        claim_below(tmpfs, tree_root(*tree), tree_height(*tree), pages);
    }
}

static uint32_t nodes_max(const struct tmpfs *tmpfs)
{
    return tmpfs->super->table_pages * NODES_PER_PAGE;
}

/* The table has a page for each that it counts. */
static void check_table(struct tmpfs *tmpfs)
{
    uint32_t pages;
    claim_tree(tmpfs, &tmpfs->super->table, &pages);
    uint32_t whole = 0;
    uint32_t stated = tmpfs->super->table_pages;
    while (whole < stated && whole < tmpfs->store->pages &&
           tree_get(tmpfs, tmpfs->super->table, whole)) {
        whole++;
    }
    tmpfs->super->table_pages = whole;
    tree_cut(tmpfs, &tmpfs->super->table, whole, &pages);
}

static bool node_plausible(const struct node *node)
{
    return (node->type == FS_TYPE_FILE || node->type == FS_TYPE_DIRECTORY ||
            node->type == FS_TYPE_SYMLINK) &&
           node->bytes <= FILE_BYTES_MAX && node->generation != 0;
}

/* The pages of a directory are a chain of records each; else the page becomes an empty one. */
static bool chain_valid(const uint8_t *page)
{
    for (size_t at = 0; at < TMPFS_PAGE_BYTES;) {
        const struct record *record = (const struct record *)(const void *)(page + at);
        size_t need = record->node ? record_need(record->name_bytes) : sizeof *record;
        if (record->bytes % RECORD_ALIGN || record->bytes < need ||
            record->bytes > TMPFS_PAGE_BYTES - at) {
            return false;
        }
        at += record->bytes;
    }
    return true;
}

static void check_directory_pages(struct tmpfs *tmpfs, struct node *node)
{
    uint64_t pages = 0;
    uint64_t stated = node->bytes / TMPFS_PAGE_BYTES;
    while (pages < stated && tree_get(tmpfs, node->tree, pages)) {
        uint8_t *page = page_at(tmpfs, tree_get(tmpfs, node->tree, pages));
        if (!chain_valid(page)) {
            memset(page, 0, TMPFS_PAGE_BYTES);
            *(struct record *)(void *)page = (struct record){.bytes = TMPFS_PAGE_BYTES};
        }
        pages++;
    }
    node->bytes = pages * TMPFS_PAGE_BYTES;
}

/* A node that is used: its pages are its own; nothing refers to it yet. */
static void check_node(struct tmpfs *tmpfs, uint32_t number)
{
    struct node *node = node_at(tmpfs, number);
    if (!node) {
        return;
    }
    if (!node_plausible(node)) {
        memset(node, 0, sizeof *node);
        return;
    }
    claim_tree(tmpfs, &node->tree, &node->pages);
    if (node->type == FS_TYPE_DIRECTORY) {
        check_directory_pages(tmpfs, node);
        tree_cut(tmpfs, &node->tree, node->bytes / TMPFS_PAGE_BYTES, &node->pages);
    } else {
        /* Zeros behind the end. */
        uint64_t bytes = node->bytes;
        node->bytes = FILE_BYTES_MAX;
        data_truncate(tmpfs, node, bytes);
    }
    node->links = 0;
    node->entries = 0;
    node->holds = 0;
    node->hint = 0;
    tmpfs->nodes_used++;
    if (node->generation >= tmpfs->super->generation) {
        tmpfs->super->generation = node->generation + 1;
    }
}

static bool record_name_valid(struct record *record)
{
    const char *name = record_name(record);
    size_t bytes = record->name_bytes;
    return bytes > 0 && !memchr(name, '/', bytes) && !memchr(name, '\0', bytes) &&
           !(bytes <= 2 && memcmp(name, "..", bytes) == 0);
}

/* Whether the entry stays; then its node is counted. A directory met for the first time is pushed on @stack. */
static status_t check_entry(struct tmpfs *tmpfs, uint32_t directory, struct record *record,
                            uint32_t slot, uint32_t *stack, size_t *depth)
{
    struct node *node = node_at(tmpfs, record->node);
    struct vfs_name name = {.text = record_name(record), .bytes = record->name_bytes};
    uint32_t other;
    bool keep = node && record_name_valid(record) && record->node != NODE_ROOT &&
                !(node->type == FS_TYPE_DIRECTORY && node->links) &&
                !status_is_ok(directory_find(tmpfs, directory, name, &other));
    if (!keep) {
        *record = (struct record){.bytes = record->bytes};
        return STATUS_OK;
    }
    if (!index_reserve(&tmpfs->index)) {
        return STATUS_NO_MEMORY;
    }
    index_add(&tmpfs->index, directory, index_hash(directory, name), slot);
    struct node *parent = node_at(tmpfs, directory);
    parent->entries++;
    record->type = (uint8_t)node->type;
    if (node->type != FS_TYPE_DIRECTORY) {
        node->links++;
        return STATUS_OK;
    }
    node->links = 2;
    node->parent = directory;
    parent->links++;
    stack[(*depth)++] = record->node;
    return STATUS_OK;
}

static status_t check_entries(struct tmpfs *tmpfs, uint32_t directory, uint32_t *stack,
                              size_t *depth)
{
    const struct node *node = node_at(tmpfs, directory);
    uint32_t pages = (uint32_t)(node->bytes / TMPFS_PAGE_BYTES);
    for (uint32_t i = 0; i < pages; i++) {
        uint8_t *page = page_at(tmpfs, tree_get(tmpfs, node->tree, i));
        for (size_t at = 0; at < TMPFS_PAGE_BYTES;) {
            struct record *record = (struct record *)(void *)(page + at);
            uint32_t slot = i * RECORDS_PER_PAGE + (uint32_t)(at / RECORD_ALIGN);
            at += record->bytes;
            status_t status = record->node
                                  ? check_entry(tmpfs, directory, record, slot, stack, depth)
                                  : STATUS_OK;
            if (!status_is_ok(status)) {
                return status;
            }
        }
    }
    return STATUS_OK;
}

/* Walk the tree of directories. A directory is pushed once, so @stack has room for all nodes. */
static status_t check_names(struct tmpfs *tmpfs)
{
    uint32_t *stack = calloc(nodes_max(tmpfs), sizeof *stack);
    if (!stack) {
        return STATUS_NO_MEMORY;
    }
    size_t depth = 0;
    stack[depth++] = NODE_ROOT;
    status_t status = STATUS_OK;
    while (depth && status_is_ok(status)) {
        uint32_t directory = stack[--depth];
        status = check_entries(tmpfs, directory, stack, &depth);
    }
    free(stack);
    return status;
}

/* What no name led to is free, in the store as well. */
static void free_rest(struct tmpfs *tmpfs)
{
    for (uint32_t n = 1; n < nodes_max(tmpfs); n++) {
        struct node *node = node_at(tmpfs, n);
        if (node && node->links == 0) {
            node_free(tmpfs, n, node);
        }
    }
    uint32_t first = 0;
    for (uint32_t page = 0; page < tmpfs->store->pages; page++) {
        if (page_used(tmpfs, page)) {
            if (page > first) {
                tmpfs->store->discard(tmpfs->store, first, page - first);
            }
            first = page + 1;
        }
    }
    if (first < tmpfs->store->pages) {
        tmpfs->store->discard(tmpfs->store, first, tmpfs->store->pages - first);
    }
}

status_t check_store(struct tmpfs *tmpfs)
{
    check_table(tmpfs);
    for (uint32_t n = 1; n < nodes_max(tmpfs); n++) {
        check_node(tmpfs, n);
    }
    struct node *root = node_at(tmpfs, NODE_ROOT);
    if (!root || root->type != FS_TYPE_DIRECTORY) {
        return STATUS_CORRUPT;
    }
    root->links = 2;
    root->parent = NODE_ROOT;
    status_t status = check_names(tmpfs);
    if (status_is_ok(status)) {
        free_rest(tmpfs);
    }
    return status;
}
