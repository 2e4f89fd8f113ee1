/* Opening and closing. See tmpfs/tmpfs.h. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* Nothing is used but the superblock. */
static void begin(struct tmpfs *tmpfs)
{
    memset(tmpfs->bitmap, 0, (tmpfs->store->pages + 63) / 64 * sizeof *tmpfs->bitmap);
    free(tmpfs->index.entries);
    tmpfs->index = (struct name_index){0};
    tmpfs->pages_free = tmpfs->store->pages;
    tmpfs->page_hint = 0;
    tmpfs->nodes_used = 0;
    tmpfs->node_hint = NODE_ROOT;
    page_mark(tmpfs, 0);
}

/* An empty file system. */
static status_t format(struct tmpfs *tmpfs)
{
    begin(tmpfs);
    tmpfs->store->discard(tmpfs->store, 0, tmpfs->store->pages);
    if (!tmpfs->store->commit(tmpfs->store, 0)) {
        return STATUS_NO_MEMORY;
    }
    *tmpfs->super = (struct super){.pages = tmpfs->store->pages, .generation = 1};
    uint32_t number;
    struct node *root;
    status_t status = node_new(tmpfs, FS_TYPE_DIRECTORY, 01777, &number, &root);
    if (!status_is_ok(status) || number != NODE_ROOT || !index_reserve(&tmpfs->index)) {
        return STATUS_NO_MEMORY;
    }
    root->links = 2;
    root->parent = NODE_ROOT;
    store_word(&tmpfs->super->magic, TMPFS_MAGIC);
    return STATUS_OK;
}

static status_t open_store(struct tmpfs *tmpfs)
{
    struct tmpfs_store *store = tmpfs->store;
    if (!store->commit(store, 0)) {
        return STATUS_NO_MEMORY;
    }
    if (tmpfs->super->magic != TMPFS_MAGIC || tmpfs->super->pages != store->pages) {
        return format(tmpfs);
    }
    begin(tmpfs);
    status_t status = index_reserve(&tmpfs->index) ? check_store(tmpfs) : STATUS_NO_MEMORY;
    return status == STATUS_CORRUPT ? format(tmpfs) : status;
}

status_t tmpfs_open(struct tmpfs_store *store, struct tmpfs **tmpfs)
{
    if (store->pages < 8) {
        return STATUS_INVALID;
    }
    struct tmpfs *new = calloc(1, sizeof *new);
    uint64_t *bitmap = calloc((store->pages + 63) / 64, sizeof *bitmap);
    if (!new || !bitmap) {
        free(new);
        free(bitmap);
        return STATUS_NO_MEMORY;
    }
    new->fs.ops = &tmpfs_ops;
    new->store = store;
    new->bitmap = bitmap;
    new->super = (struct super *)(void *)store->base;
    status_t status = open_store(new);
    if (!status_is_ok(status)) {
        tmpfs_close(new);
        return status;
    }
    *tmpfs = new;
    return STATUS_OK;
}

void tmpfs_close(struct tmpfs *tmpfs)
{
    free(tmpfs->index.entries);
    free(tmpfs->bitmap);
    free(tmpfs);
}

struct vfs_fs *tmpfs_fs(struct tmpfs *tmpfs)
{
    return &tmpfs->fs;
}
