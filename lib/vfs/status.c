/* Asking about, and changing, what a path leads to. See vfs/vfs.h. */
#include "internal.h"

#define CHANGES \
    (FS_CHANGE_MODE | FS_CHANGE_UID | FS_CHANGE_GID | FS_CHANGE_ACCESSED | FS_CHANGE_MODIFIED)

/* The inode that @path leads to, with a reference. */
static status_t walk_inode(struct vfs *vfs, struct vfs_call *call, const char *path, uint32_t flags,
                           struct vfs_inode **inode)
{
    if (flags & ~FILE_PATH_NO_FOLLOW) {
        return STATUS_INVALID;
    }
    struct walk where;
    status_t status =
        walk(vfs, call, path, flags & FILE_PATH_NO_FOLLOW ? WALK_NO_FOLLOW : WALK_FOLLOW, &where);
    if (status_is_ok(status)) {
        *inode = inode_ref(where.dentry->inode);
        dentry_put(vfs, where.dentry);
    }
    return status;
}

status_t vfs_status(struct vfs *vfs, struct vfs_call *call, const char *path, uint32_t flags,
                    struct file_status *result)
{
    struct vfs_inode *inode;
    status_t status = walk_inode(vfs, call, path, flags, &inode);
    if (!status_is_ok(status)) {
        return status;
    }
    status = inode_refresh(call, inode);
    *result = (struct file_status){.mount = inode->mount->number, .attributes = inode->attributes};
    inode_put(vfs, inode);
    return status;
}

status_t vfs_readlink(struct vfs *vfs, struct vfs_call *call, const char *path, char *buffer,
                      size_t bytes, size_t *length)
{
    struct vfs_inode *inode;
    status_t status = walk_inode(vfs, call, path, FILE_PATH_NO_FOLLOW, &inode);
    if (!status_is_ok(status)) {
        return status;
    }
    struct vfs_fs *fs = inode->mount->fs;
    if (!inode_is(inode, FS_TYPE_SYMLINK)) {
        status = STATUS_WRONG_TYPE;
    } else if (inode->dead) {
        status = STATUS_GONE;
    } else {
        status = fs->ops->readlink(fs, call, inode->id, buffer, bytes, length);
    }
    inode_put(vfs, inode);
    return status;
}

status_t vfs_change(struct vfs *vfs, struct vfs_call *call, const char *path, uint32_t flags,
                    const struct fs_changes *changes)
{
    if ((changes->mask & ~CHANGES) || changes->mode > 07777) {
        return STATUS_INVALID;
    }
    struct vfs_inode *inode;
    status_t status = walk_inode(vfs, call, path, flags, &inode);
    if (!status_is_ok(status)) {
        return status;
    }
    struct vfs_fs *fs = inode->mount->fs;
    if (!change_allowed(call, inode->mount)) {
        status = STATUS_DENIED;
    } else if (inode->dead) {
        status = STATUS_GONE;
    } else {
        status = fs->ops->setattr(fs, call, inode->id, changes);
        inode_changed(inode);
    }
    inode_put(vfs, inode);
    return status;
}

status_t vfs_statfs(struct vfs *vfs, struct vfs_call *call, const char *path,
                    struct fs_statistics *statistics)
{
    struct vfs_inode *inode;
    status_t status = walk_inode(vfs, call, path, 0, &inode);
    if (!status_is_ok(status)) {
        return status;
    }
    struct vfs_mount *mount = inode->mount;
    status = mount->fs->ops->statfs(mount->fs, call, statistics);
    if (mount->read_only || !mount->fs->ops->make) {
        statistics->properties |= FS_PROPERTY_READ_ONLY;
    }
    inode_put(vfs, inode);
    return status;
}
