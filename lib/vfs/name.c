/* Operations on names: making and taking away files, directories and links, renaming. See vfs/vfs.h.
 *
 * Each resolves its paths, checks what the vfs knows, asks the file system for one change, and then makes the cache
 * forget what is no longer so. After a failure the names are forgotten too: the cache may have been wrong. */
#include "internal.h"

#include <string.h>

/* The cache's view of @name, and of the directory that holds it, is no longer good. */
static void name_changed(struct vfs_dentry *name)
{
    if (!name->mounted) {
        dentry_forget(name);
    }
    if (name->inode) {
        inode_changed(name->inode);
    }
    if (name->parent->inode) {
        inode_changed(name->parent->inode);
    }
}

/* @name, which is no directory's end, may be changed at all. */
static status_t name_check(const struct vfs_call *call, const struct vfs_dentry *name)
{
    if (!change_allowed(call, name->mount)) {
        return STATUS_DENIED;
    }
    return !name->parent->inode || name->parent->inode->dead ? STATUS_GONE : STATUS_OK;
}

status_t make_name(struct vfs *vfs, struct vfs_call *call, struct vfs_dentry *name,
                   const struct vfs_new *what, struct vfs_inode **inode)
{
    status_t status = name_check(call, name);
    if (!status_is_ok(status)) {
        return status;
    }
    struct vfs_mount *mount = name->mount;
    struct fs_attributes attributes;
    status = mount->fs->ops->make(mount->fs, call, name->parent->inode->id, dentry_name(name), what,
                                  &attributes);
    if (status == STATUS_PENDING) {
        return status;
    }
    name_changed(name);
    if (!status_is_ok(status)) {
        return status;
    }
    if (!attributes_plausible(&attributes) || attributes.type != what->type) {
        return STATUS_CORRUPT;
    }
    *inode = inode_get(vfs, mount, &attributes);
    if (!*inode) {
        return STATUS_NO_MEMORY;
    }
    /* Without memory for it the next walk asks the file system. */
    dentry_put(vfs, dentry_new(vfs, mount, name->parent, dentry_name(name), *inode));
    return STATUS_OK;
}

/* Resolve @path, which must name something that is not there. */
static status_t walk_absent(struct vfs *vfs, struct vfs_call *call, const char *path,
                            struct walk *where)
{
    status_t status = walk(vfs, call, path, WALK_NAME, where);
    if (!status_is_ok(status)) {
        return status;
    }
    if (!where->named || where->dentry->inode || where->dentry->mounted) {
        dentry_put(vfs, where->dentry);
        return STATUS_EXISTS;
    }
    return STATUS_OK;
}

/* Resolve @path, which must name something that is there and is no mount point. */
static status_t walk_present(struct vfs *vfs, struct vfs_call *call, const char *path,
                             struct walk *where)
{
    status_t status = walk(vfs, call, path, WALK_NAME, where);
    if (!status_is_ok(status)) {
        return status;
    }
    if (!where->named || where->dentry->mounted) {
        status = STATUS_BUSY;
    } else if (!where->dentry->inode) {
        status = STATUS_NOT_FOUND;
    } else {
        return STATUS_OK;
    }
    dentry_put(vfs, where->dentry);
    return status;
}

static status_t make_at(struct vfs *vfs, struct vfs_call *call, const char *path,
                        const struct vfs_new *what)
{
    struct walk where;
    status_t status = walk_absent(vfs, call, path, &where);
    if (!status_is_ok(status)) {
        return status;
    }
    struct vfs_inode *inode = NULL;
    status = where.slash && what->type != FS_TYPE_DIRECTORY
                 ? STATUS_WRONG_TYPE
                 : make_name(vfs, call, where.dentry, what, &inode);
    inode_put(vfs, inode);
    dentry_put(vfs, where.dentry);
    return status;
}

status_t vfs_mkdir(struct vfs *vfs, struct vfs_call *call, const char *path, uint32_t mode)
{
    struct vfs_new what = {.type = FS_TYPE_DIRECTORY, .mode = mode & 07777};
    return make_at(vfs, call, path, &what);
}

status_t vfs_symlink(struct vfs *vfs, struct vfs_call *call, const char *target, const char *path)
{
    struct vfs_new what = {.type = FS_TYPE_SYMLINK, .mode = 0777};
    what.target = (struct vfs_name){.text = target, .bytes = strlen(target)};
    if (what.target.bytes == 0 || what.target.bytes > FS_LINK_BYTES) {
        return what.target.bytes ? STATUS_RANGE : STATUS_INVALID;
    }
    return make_at(vfs, call, path, &what);
}

static status_t link_at(struct vfs_call *call, struct vfs_inode *inode, const struct walk *where)
{
    struct vfs_dentry *name = where->dentry;
    if (inode_is(inode, FS_TYPE_DIRECTORY) || where->slash) {
        return STATUS_WRONG_TYPE;
    }
    if (inode->mount != name->mount) {
        return STATUS_UNSUPPORTED;
    }
    status_t status = name_check(call, name);
    if (!status_is_ok(status)) {
        return status;
    }
    struct vfs_fs *fs = inode->mount->fs;
    struct fs_attributes attributes;
    status =
        fs->ops->link(fs, call, inode->id, name->parent->inode->id, dentry_name(name), &attributes);
    if (status != STATUS_PENDING) {
        name_changed(name);
        inode_changed(inode);
    }
    return status;
}

status_t vfs_link(struct vfs *vfs, struct vfs_call *call, const char *existing, const char *path)
{
    struct walk from, to;
    status_t status = walk(vfs, call, existing, WALK_NO_FOLLOW, &from);
    if (!status_is_ok(status)) {
        return status;
    }
    status = walk_absent(vfs, call, path, &to);
    if (status_is_ok(status)) {
        status = link_at(call, from.dentry->inode, &to);
        dentry_put(vfs, to.dentry);
    }
    dentry_put(vfs, from.dentry);
    return status;
}

static status_t remove_at(struct vfs *vfs, struct vfs_call *call, const char *path, bool directory)
{
    struct walk where;
    status_t status = walk_present(vfs, call, path, &where);
    if (!status_is_ok(status)) {
        return status == STATUS_BUSY && !directory ? STATUS_WRONG_TYPE : status;
    }
    struct vfs_dentry *name = where.dentry;
    struct vfs_fs *fs = name->mount->fs;
    status = inode_is(name->inode, FS_TYPE_DIRECTORY) == directory ? name_check(call, name)
                                                                   : STATUS_WRONG_TYPE;
    if (status_is_ok(status)) {
        struct vfs_id parent = name->parent->inode->id;
        status = directory ? fs->ops->rmdir(fs, call, parent, dentry_name(name))
                           : fs->ops->unlink(fs, call, parent, dentry_name(name));
        if (status != STATUS_PENDING) {
            name_changed(name);
        }
    }
    dentry_put(vfs, name);
    return status;
}

status_t vfs_unlink(struct vfs *vfs, struct vfs_call *call, const char *path)
{
    return remove_at(vfs, call, path, false);
}

status_t vfs_rmdir(struct vfs *vfs, struct vfs_call *call, const char *path)
{
    return remove_at(vfs, call, path, true);
}

/* Whether @from may become @to, as far as the vfs can tell. */
static status_t rename_check(const struct vfs_call *call, const struct walk *from,
                             const struct walk *to, uint32_t flags)
{
    struct vfs_inode *old = from->dentry->inode;
    struct vfs_inode *replaced = to->dentry->inode;
    bool directory = inode_is(old, FS_TYPE_DIRECTORY);
    if (!to->named || to->dentry->mounted) {
        return STATUS_BUSY;
    }
    if (from->dentry->mount != to->dentry->mount) {
        return STATUS_UNSUPPORTED;
    }
    if (replaced && (flags & FS_RENAME_NO_REPLACE)) {
        return STATUS_EXISTS;
    }
    if ((replaced && inode_is(replaced, FS_TYPE_DIRECTORY) != directory) ||
        (to->slash && !directory)) {
        return STATUS_WRONG_TYPE;
    }
    status_t status = name_check(call, from->dentry);
    return status_is_ok(status) ? name_check(call, to->dentry) : status;
}

static status_t rename_at(struct vfs_call *call, const struct walk *from, const struct walk *to,
                          uint32_t flags)
{
    status_t status = rename_check(call, from, to, flags);
    if (!status_is_ok(status) || from->dentry->inode == to->dentry->inode) {
        return status;
    }
    struct vfs_fs *fs = from->dentry->mount->fs;
    status = fs->ops->rename(fs, call, from->dentry->parent->inode->id, dentry_name(from->dentry),
                             to->dentry->parent->inode->id, dentry_name(to->dentry), flags);
    if (status != STATUS_PENDING) {
        name_changed(from->dentry);
        name_changed(to->dentry);
    }
    return status;
}

status_t vfs_rename(struct vfs *vfs, struct vfs_call *call, const char *old_path,
                    const char *new_path, uint32_t flags)
{
    if (flags & ~FS_RENAME_NO_REPLACE) {
        return STATUS_INVALID;
    }
    struct walk from, to;
    status_t status = walk_present(vfs, call, old_path, &from);
    if (!status_is_ok(status)) {
        return status;
    }
    status = walk(vfs, call, new_path, WALK_NAME, &to);
    if (status_is_ok(status)) {
        status = rename_at(call, &from, &to, flags);
        dentry_put(vfs, to.dentry);
    }
    dentry_put(vfs, from.dentry);
    return status;
}
