/* Inodes: 32 to a page of the inode table, which is a tree of its own. Node 0 is never used. */
#include "internal.h"

#include <string.h>

static struct node *node_place(const struct tmpfs *tmpfs, uint64_t number)
{
    if (number == 0 || number / NODES_PER_PAGE >= tmpfs->super->table_pages) {
        return NULL;
    }
    uint32_t page = tree_get(tmpfs, tmpfs->super->table, number / NODES_PER_PAGE);
    return page ? (struct node *)(void *)page_at(tmpfs, page) + number % NODES_PER_PAGE : NULL;
}

struct node *node_at(const struct tmpfs *tmpfs, uint64_t number)
{
    struct node *node = node_place(tmpfs, number);
    return node && node->type ? node : NULL;
}

status_t node_find(const struct tmpfs *tmpfs, struct vfs_id id, struct node **node)
{
    *node = node_at(tmpfs, id.inode);
    return *node && (*node)->generation == id.generation ? STATUS_OK : STATUS_GONE;
}

status_t node_directory(const struct tmpfs *tmpfs, struct vfs_id id, struct node **node)
{
    status_t status = node_find(tmpfs, id, node);
    if (status_is_ok(status) && (*node)->type != FS_TYPE_DIRECTORY) {
        return STATUS_WRONG_TYPE;
    }
    /* A directory that was removed while open takes no new names. */
    return status_is_ok(status) && (*node)->links == 0 ? STATUS_GONE : status;
}

/* One more page of nodes. */
static bool table_grow(struct tmpfs *tmpfs)
{
    uint32_t pages = 0;
    if (tree_make(tmpfs, &tmpfs->super->table, tmpfs->super->table_pages, &pages) == 0) {
        return false;
    }
    store_slot(&tmpfs->super->table_pages, tmpfs->super->table_pages + 1);
    return true;
}

static uint32_t node_search(struct tmpfs *tmpfs)
{
    for (uint32_t n = tmpfs->node_hint; n < tmpfs->super->table_pages * NODES_PER_PAGE; n++) {
        struct node *node = node_place(tmpfs, n);
        if (node && node->type == 0) {
            tmpfs->node_hint = n + 1;
            return n;
        }
    }
    tmpfs->node_hint = tmpfs->super->table_pages * NODES_PER_PAGE;
    return 0;
}

status_t node_new(struct tmpfs *tmpfs, uint32_t type, uint32_t mode, uint32_t *number,
                  struct node **node)
{
    *number = node_search(tmpfs);
    if (*number == 0 && table_grow(tmpfs)) {
        if (tmpfs->node_hint == 0) {
            tmpfs->node_hint = NODE_ROOT;
        }
        *number = node_search(tmpfs);
    }
    if (*number == 0) {
        return STATUS_NO_SPACE;
    }
    *node = node_place(tmpfs, *number);
    int64_t now = tmpfs->store->now_ns(tmpfs->store);
    **node = (struct node){
        .mode = mode,
        .generation = tmpfs->super->generation++,
        .accessed_ns = now,
        .modified_ns = now,
        .changed_ns = now,
        .created_ns = now,
    };
    store_slot(&(*node)->type, type);
    tmpfs->nodes_used++;
    return STATUS_OK;
}

void node_free(struct tmpfs *tmpfs, uint32_t number, struct node *node)
{
    tree_cut(tmpfs, &node->tree, 0, &node->pages);
    store_slot(&node->type, 0);
    tmpfs->nodes_used--;
    if (number < tmpfs->node_hint) {
        tmpfs->node_hint = number;
    }
}

void node_drop(struct tmpfs *tmpfs, uint32_t number, struct node *node)
{
    if (node->links == 0 && node->holds == 0) {
        node_free(tmpfs, number, node);
    }
}

void node_attributes(uint32_t number, const struct node *node, struct fs_attributes *attributes)
{
    *attributes = (struct fs_attributes){
        .inode = number,
        .generation = node->generation,
        .bytes = node->bytes,
        .allocated_bytes = (uint64_t)node->pages * TMPFS_PAGE_BYTES,
        .accessed_ns = node->accessed_ns,
        .modified_ns = node->modified_ns,
        .changed_ns = node->changed_ns,
        .created_ns = node->created_ns,
        .type = node->type,
        .mode = node->mode,
        .links = node->links,
        .uid = node->uid,
        .gid = node->gid,
    };
}

void node_touch(const struct tmpfs *tmpfs, struct node *node)
{
    node->modified_ns = tmpfs->store->now_ns(tmpfs->store);
    node->changed_ns = node->modified_ns;
}
