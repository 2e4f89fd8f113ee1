/* The operations of struct vfs_fs_ops on a tmpfs. Each checks everything, then takes what it needs, then changes. */
#include "internal.h"

#include <string.h>

static struct tmpfs *tmpfs_of(struct vfs_fs *fs)
{
    return VFS_CONTAINER(fs, struct tmpfs, fs);
}

static bool name_valid(struct vfs_name name)
{
    bool dots = name.bytes <= 2 && memcmp(name.text, "..", name.bytes) == 0;
    return name.bytes > 0 && name.bytes <= FS_NAME_BYTES && !dots &&
           !memchr(name.text, '/', name.bytes) && !memchr(name.text, '\0', name.bytes);
}

/* The directory of @id, whose node is *@node, and the slot of @name in it. */
static status_t find_name(const struct tmpfs *tmpfs, struct vfs_id id, struct vfs_name name,
                          struct node **node, uint32_t *slot)
{
    status_t status = node_directory(tmpfs, id, node);
    if (!status_is_ok(status)) {
        return status;
    }
    return name_valid(name) ? directory_find(tmpfs, (uint32_t)id.inode, name, slot)
                            : STATUS_INVALID;
}

/* OK: @name may be made in the directory of @id. */
static status_t find_absent(const struct tmpfs *tmpfs, struct vfs_id id, struct vfs_name name,
                            struct node **node)
{
    uint32_t slot;
    status_t status = find_name(tmpfs, id, name, node, &slot);
    if (status_is_ok(status)) {
        return STATUS_EXISTS;
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static status_t op_root(struct vfs_fs *fs, struct vfs_call *call, struct fs_attributes *attributes)
{
    (void)call;
    node_attributes(NODE_ROOT, node_at(tmpfs_of(fs), NODE_ROOT), attributes);
    return STATUS_OK;
}

static status_t op_lookup(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id directory,
                          struct vfs_name name, struct fs_attributes *attributes)
{
    (void)call;
    struct tmpfs *tmpfs = tmpfs_of(fs);
    struct node *node;
    uint32_t slot;
    status_t status = find_name(tmpfs, directory, name, &node, &slot);
    if (status_is_ok(status)) {
        uint32_t number = record_at(tmpfs, node, slot)->node;
        node_attributes(number, node_at(tmpfs, number), attributes);
    }
    return status;
}

static status_t op_attributes(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                              struct fs_attributes *attributes)
{
    (void)call;
    struct node *node;
    status_t status = node_find(tmpfs_of(fs), id, &node);
    if (status_is_ok(status)) {
        node_attributes((uint32_t)id.inode, node, attributes);
    }
    return status;
}

static status_t op_read(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id, uint64_t offset,
                        uint64_t bytes, struct vfs_sink *sink, uint64_t *done)
{
    (void)call;
    struct node *node;
    *done = 0;
    status_t status = node_find(tmpfs_of(fs), id, &node);
    if (status_is_ok(status)) {
        status = node->type == FS_TYPE_FILE
                     ? data_read(tmpfs_of(fs), node, offset, bytes, sink, done)
                     : STATUS_WRONG_TYPE;
    }
    return status;
}

static status_t op_readdir(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                           uint64_t cursor, void *buffer, size_t bytes, size_t *used,
                           uint64_t *next)
{
    (void)call;
    struct node *node;
    status_t status = node_find(tmpfs_of(fs), id, &node);
    if (!status_is_ok(status)) {
        return status;
    }
    if (node->type != FS_TYPE_DIRECTORY) {
        return STATUS_WRONG_TYPE;
    }
    return directory_read(tmpfs_of(fs), node, cursor, buffer, bytes, used, next);
}

struct link_sink {
    struct vfs_sink sink;
    char *buffer;
};

static status_t link_put(struct vfs_sink *sink, uint64_t at, const void *data, size_t bytes)
{
    memcpy(VFS_CONTAINER(sink, struct link_sink, sink)->buffer + at, data, bytes);
    return STATUS_OK;
}

static status_t op_readlink(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                            char *buffer, size_t bytes, size_t *length)
{
    (void)call;
    struct node *node;
    status_t status = node_find(tmpfs_of(fs), id, &node);
    if (!status_is_ok(status)) {
        return status;
    }
    if (node->type != FS_TYPE_SYMLINK || node->bytes > bytes) {
        return node->type != FS_TYPE_SYMLINK ? STATUS_WRONG_TYPE : STATUS_RANGE;
    }
    struct link_sink to = {.sink.put = link_put, .buffer = buffer};
    uint64_t done;
    status = data_read(tmpfs_of(fs), node, 0, node->bytes, &to.sink, &done);
    *length = (size_t)done;
    return status;
}

static status_t op_statfs(struct vfs_fs *fs, struct vfs_call *call,
                          struct fs_statistics *statistics)
{
    (void)call;
    const struct tmpfs *tmpfs = tmpfs_of(fs);
    uint64_t free_nodes =
        (uint64_t)tmpfs->super->table_pages * NODES_PER_PAGE - 1 - tmpfs->nodes_used;
    free_nodes += (uint64_t)tmpfs->pages_free * NODES_PER_PAGE;
    *statistics = (struct fs_statistics){
        .block_bytes = TMPFS_PAGE_BYTES,
        .blocks = tmpfs->store->pages,
        .blocks_free = tmpfs->pages_free,
        .blocks_available = tmpfs->pages_free,
        .inodes = tmpfs->nodes_used + free_nodes,
        .inodes_free = free_nodes,
        .kind = "tmpfs",
    };
    return STATUS_OK;
}

static void op_hold(struct vfs_fs *fs, struct vfs_id id)
{
    struct node *node;
    if (status_is_ok(node_find(tmpfs_of(fs), id, &node))) {
        node->holds++;
    }
}

static void op_release(struct vfs_fs *fs, struct vfs_id id)
{
    struct node *node;
    if (status_is_ok(node_find(tmpfs_of(fs), id, &node)) && node->holds) {
        node->holds--;
        node_drop(tmpfs_of(fs), (uint32_t)id.inode, node);
    }
}

struct link_source {
    struct vfs_source source;
    const char *text;
};

static status_t link_get(struct vfs_source *source, uint64_t at, void *data, size_t bytes)
{
    memcpy(data, VFS_CONTAINER(source, struct link_source, source)->text + at, bytes);
    return STATUS_OK;
}

/* A new node, complete but for its name. */
static status_t make_node(struct tmpfs *tmpfs, uint32_t parent, const struct vfs_new *what,
                          uint32_t *number, struct node **node)
{
    status_t status = node_new(tmpfs, what->type, what->mode, number, node);
    if (!status_is_ok(status)) {
        return status;
    }
    (*node)->parent = parent;
    if (what->type == FS_TYPE_SYMLINK) {
        struct link_source from = {.source.get = link_get, .text = what->target.text};
        uint64_t done;
        status = data_write(tmpfs, *node, 0, what->target.bytes, &from.source, &done);
    }
    if (!status_is_ok(status)) {
        node_free(tmpfs, *number, *node);
    }
    return status;
}

static bool new_valid(const struct vfs_new *what)
{
    switch (what->type) {
    case FS_TYPE_FILE:
    case FS_TYPE_DIRECTORY:
        return true;
    case FS_TYPE_SYMLINK:
        return what->target.bytes > 0 && what->target.bytes <= FS_LINK_BYTES;
    default:
        return false;
    }
}

static status_t op_make(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id directory,
                        struct vfs_name name, const struct vfs_new *what,
                        struct fs_attributes *attributes)
{
    (void)call;
    struct tmpfs *tmpfs = tmpfs_of(fs);
    struct node *parent;
    struct node *node;
    uint32_t number;
    status_t status =
        new_valid(what) ? find_absent(tmpfs, directory, name, &parent) : STATUS_INVALID;
    if (!status_is_ok(status)) {
        return status;
    }
    status = make_node(tmpfs, (uint32_t)directory.inode, what, &number, &node);
    if (!status_is_ok(status)) {
        return status;
    }
    status = directory_add(tmpfs, (uint32_t)directory.inode, name, number, what->type);
    if (!status_is_ok(status)) {
        node_free(tmpfs, number, node);
        return status;
    }
    node->links = what->type == FS_TYPE_DIRECTORY ? 2 : 1;
    parent->links += what->type == FS_TYPE_DIRECTORY;
    node_attributes(number, node, attributes);
    return STATUS_OK;
}

static status_t op_link(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                        struct vfs_id directory, struct vfs_name name,
                        struct fs_attributes *attributes)
{
    (void)call;
    struct tmpfs *tmpfs = tmpfs_of(fs);
    struct node *node;
    struct node *parent;
    status_t status = node_find(tmpfs, id, &node);
    if (!status_is_ok(status)) {
        return status;
    }
    if (node->type == FS_TYPE_DIRECTORY) {
        return STATUS_WRONG_TYPE;
    }
    /* What lost its last name does not get another one. */
    status = node->links ? find_absent(tmpfs, directory, name, &parent) : STATUS_NOT_FOUND;
    if (status_is_ok(status)) {
        status =
            directory_add(tmpfs, (uint32_t)directory.inode, name, (uint32_t)id.inode, node->type);
    }
    if (status_is_ok(status)) {
        node->links++;
        node->changed_ns = tmpfs->store->now_ns(tmpfs->store);
        node_attributes((uint32_t)id.inode, node, attributes);
    }
    return status;
}

/* @number lost a name; a directory, its only one. */
static void drop_link(struct tmpfs *tmpfs, uint32_t number, struct node *node)
{
    if (node->type == FS_TYPE_DIRECTORY) {
        node->links = 0;
    } else {
        node->links--;
    }
    node->changed_ns = tmpfs->store->now_ns(tmpfs->store);
    node_drop(tmpfs, number, node);
}

static status_t op_unlink(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id directory,
                          struct vfs_name name)
{
    (void)call;
    struct tmpfs *tmpfs = tmpfs_of(fs);
    struct node *parent;
    uint32_t slot;
    status_t status = find_name(tmpfs, directory, name, &parent, &slot);
    if (!status_is_ok(status)) {
        return status;
    }
    uint32_t number = record_at(tmpfs, parent, slot)->node;
    struct node *node = node_at(tmpfs, number);
    if (node->type == FS_TYPE_DIRECTORY) {
        return STATUS_WRONG_TYPE;
    }
    directory_remove(tmpfs, (uint32_t)directory.inode, slot);
    drop_link(tmpfs, number, node);
    return STATUS_OK;
}

static status_t op_rmdir(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id directory,
                         struct vfs_name name)
{
    (void)call;
    struct tmpfs *tmpfs = tmpfs_of(fs);
    struct node *parent;
    uint32_t slot;
    status_t status = find_name(tmpfs, directory, name, &parent, &slot);
    if (!status_is_ok(status)) {
        return status;
    }
    uint32_t number = record_at(tmpfs, parent, slot)->node;
    struct node *node = node_at(tmpfs, number);
    if (node->type != FS_TYPE_DIRECTORY) {
        return STATUS_WRONG_TYPE;
    }
    if (node->entries) {
        return STATUS_EXISTS;
    }
    directory_remove(tmpfs, (uint32_t)directory.inode, slot);
    parent->links--;
    drop_link(tmpfs, number, node);
    return STATUS_OK;
}

/* Two ends of a rename. */
struct rename {
    struct node *old_parent;
    struct node *new_parent;
    uint32_t old_directory;
    uint32_t new_directory;
    uint32_t old_slot;
    uint32_t new_slot;
    uint32_t number;
    /* What is replaced, 0: nothing. */
    uint32_t replaced;
};

/* Whether the directory @number is @directory or above it. */
static bool is_above(const struct tmpfs *tmpfs, uint32_t number, uint32_t directory)
{
    /* Parents always lead to the root. */
    while (directory != number && directory != NODE_ROOT) {
        directory = node_at(tmpfs, directory)->parent;
    }
    return directory == number;
}

static status_t rename_check(const struct tmpfs *tmpfs, struct rename *names, uint32_t flags)
{
    const struct node *node = node_at(tmpfs, names->number);
    bool is_directory = node->type == FS_TYPE_DIRECTORY;
    if (is_directory && is_above(tmpfs, names->number, names->new_directory)) {
        return STATUS_INVALID;
    }
    if (names->replaced == 0) {
        return STATUS_OK;
    }
    const struct node *replaced = node_at(tmpfs, names->replaced);
    if (flags & FS_RENAME_NO_REPLACE) {
        return STATUS_EXISTS;
    }
    if ((replaced->type == FS_TYPE_DIRECTORY) != is_directory) {
        return STATUS_WRONG_TYPE;
    }
    return replaced->entries ? STATUS_EXISTS : STATUS_OK;
}

/* The new name is there: what follows from it. */
static void rename_finish(struct tmpfs *tmpfs, const struct rename *names)
{
    struct node *node = node_at(tmpfs, names->number);
    bool is_directory = node->type == FS_TYPE_DIRECTORY;
    node->changed_ns = tmpfs->store->now_ns(tmpfs->store);
    if (is_directory) {
        node->parent = names->new_directory;
        names->new_parent->links++;
    }
    directory_remove(tmpfs, names->old_directory, names->old_slot);
    if (is_directory) {
        names->old_parent->links--;
    }
    if (names->replaced) {
        names->new_parent->links -= is_directory;
        drop_link(tmpfs, names->replaced, node_at(tmpfs, names->replaced));
    }
}

static status_t op_rename(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id old_directory,
                          struct vfs_name old_name, struct vfs_id new_directory,
                          struct vfs_name new_name, uint32_t flags)
{
    (void)call;
    struct tmpfs *tmpfs = tmpfs_of(fs);
    struct rename names = {.old_directory = (uint32_t)old_directory.inode,
                           .new_directory = (uint32_t)new_directory.inode};
    status_t status = find_name(tmpfs, old_directory, old_name, &names.old_parent, &names.old_slot);
    if (!status_is_ok(status)) {
        return status;
    }
    names.number = record_at(tmpfs, names.old_parent, names.old_slot)->node;
    status = find_name(tmpfs, new_directory, new_name, &names.new_parent, &names.new_slot);
    if (status_is_ok(status)) {
        names.replaced = record_at(tmpfs, names.new_parent, names.new_slot)->node;
    } else if (status != STATUS_NOT_FOUND) {
        return status;
    }
    if (names.replaced == names.number) {
        return STATUS_OK;
    }
    status = rename_check(tmpfs, &names, flags);
    if (!status_is_ok(status)) {
        return status;
    }
    if (names.replaced) {
        directory_point(tmpfs, names.new_directory, names.new_slot, names.number);
    } else {
        status = directory_add(tmpfs, names.new_directory, new_name, names.number,
                               node_at(tmpfs, names.number)->type);
    }
    if (status_is_ok(status)) {
        rename_finish(tmpfs, &names);
    }
    return status;
}

/* The file of @id, for a change of its data up to @end. */
static status_t file_find(const struct tmpfs *tmpfs, struct vfs_id id, uint64_t end,
                          struct node **node)
{
    status_t status = node_find(tmpfs, id, node);
    if (!status_is_ok(status)) {
        return status;
    }
    if ((*node)->type != FS_TYPE_FILE) {
        return STATUS_WRONG_TYPE;
    }
    return end > FILE_BYTES_MAX ? STATUS_RANGE : STATUS_OK;
}

static status_t op_write(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                         uint64_t offset, uint64_t bytes, struct vfs_source *source, uint64_t *done)
{
    (void)call;
    struct tmpfs *tmpfs = tmpfs_of(fs);
    struct node *node;
    uint64_t end;
    *done = 0;
    if (__builtin_add_overflow(offset, bytes, &end)) {
        return STATUS_RANGE;
    }
    status_t status = file_find(tmpfs, id, end, &node);
    if (!status_is_ok(status)) {
        return status;
    }
    status = data_write(tmpfs, node, offset, bytes, source, done);
    if (*done) {
        node_touch(tmpfs, node);
    }
    return status;
}

static status_t op_truncate(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                            uint64_t bytes)
{
    (void)call;
    struct node *node;
    status_t status = file_find(tmpfs_of(fs), id, bytes, &node);
    if (status_is_ok(status)) {
        data_truncate(tmpfs_of(fs), node, bytes);
        node_touch(tmpfs_of(fs), node);
    }
    return status;
}

static status_t op_setattr(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                           const struct fs_changes *changes)
{
    (void)call;
    struct tmpfs *tmpfs = tmpfs_of(fs);
    struct node *node;
    status_t status = node_find(tmpfs, id, &node);
    if (!status_is_ok(status)) {
        return status;
    }
    if (changes->mask & FS_CHANGE_MODE) {
        node->mode = changes->mode & 07777;
    }
    if (changes->mask & FS_CHANGE_UID) {
        node->uid = changes->uid;
    }
    if (changes->mask & FS_CHANGE_GID) {
        node->gid = changes->gid;
    }
    if (changes->mask & FS_CHANGE_ACCESSED) {
        node->accessed_ns = changes->accessed_ns;
    }
    if (changes->mask & FS_CHANGE_MODIFIED) {
        node->modified_ns = changes->modified_ns;
    }
    node->changed_ns = tmpfs->store->now_ns(tmpfs->store);
    return STATUS_OK;
}

const struct vfs_fs_ops tmpfs_ops = {
    .root = op_root,
    .lookup = op_lookup,
    .attributes = op_attributes,
    .read = op_read,
    .readdir = op_readdir,
    .readlink = op_readlink,
    .statfs = op_statfs,
    .hold = op_hold,
    .release = op_release,
    .make = op_make,
    .link = op_link,
    .unlink = op_unlink,
    .rmdir = op_rmdir,
    .rename = op_rename,
    .write = op_write,
    .truncate = op_truncate,
    .setattr = op_setattr,
};
