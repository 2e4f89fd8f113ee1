/* The inode cache: one struct vfs_inode for each (mount, inode, generation) that somebody refers to. It holds nothing by
 * itself; what bounds it is the bound on dentries and on open files. */
#include "internal.h"

#include <stdlib.h>

static struct vfs_link *inode_bucket(struct vfs *vfs, const struct vfs_mount *mount,
                                     struct vfs_id id)
{
    uint64_t hash = (id.inode ^ (id.generation << 32) ^ (mount->number << 56)) * 0x9e3779b97f4a7c15;
    return &vfs->inodes[(hash >> 40) % VFS_BUCKETS];
}

static struct vfs_inode *inode_find(struct vfs_link *bucket, const struct vfs_mount *mount,
                                    struct vfs_id id)
{
    for (struct vfs_link *link = bucket->next; link != bucket; link = link->next) {
        struct vfs_inode *inode = VFS_CONTAINER(link, struct vfs_inode, hash_link);
        if (inode->mount == mount && inode->id.inode == id.inode &&
            inode->id.generation == id.generation) {
            return inode;
        }
    }
    return NULL;
}

bool attributes_plausible(const struct fs_attributes *attributes)
{
    return attributes->type > FS_TYPE_UNKNOWN && attributes->type <= FS_TYPE_SOCKET &&
           attributes->bytes <= INT64_MAX;
}

struct vfs_inode *inode_get(struct vfs *vfs, struct vfs_mount *mount,
                            const struct fs_attributes *attributes)
{
    struct vfs_id id = {.inode = attributes->inode, .generation = attributes->generation};
    struct vfs_link *bucket = inode_bucket(vfs, mount, id);
    struct vfs_inode *inode = inode_find(bucket, mount, id);
    if (inode) {
        inode->references++;
    } else {
        inode = calloc(1, sizeof *inode);
        if (!inode) {
            return NULL;
        }
        inode->mount = mount;
        inode->id = id;
        inode->references = 1;
        vfs_link_add(bucket, &inode->hash_link);
        vfs->counts.inodes++;
    }
    inode->attributes = *attributes;
    inode->attributes_valid = true;
    return inode;
}

struct vfs_inode *inode_ref(struct vfs_inode *inode)
{
    inode->references++;
    return inode;
}

void inode_put(struct vfs *vfs, struct vfs_inode *inode)
{
    if (!inode || --inode->references) {
        return;
    }
    vfs_link_remove(&inode->hash_link);
    vfs->counts.inodes--;
    free(inode);
}

status_t inode_refresh(struct vfs_call *call, struct vfs_inode *inode)
{
    if (inode->dead) {
        return STATUS_GONE;
    }
    if (inode->attributes_valid) {
        return STATUS_OK;
    }
    uint64_t changes = inode->mount->changes;
    struct fs_attributes fresh;
    struct vfs_fs *fs = inode->mount->fs;
    status_t status = fs->ops->attributes(fs, call, inode->id, &fresh);
    if (!status_is_ok(status)) {
        return status;
    }
    if (!attributes_plausible(&fresh) || fresh.type != inode->attributes.type ||
        fresh.inode != inode->id.inode || fresh.generation != inode->id.generation) {
        return STATUS_CORRUPT;
    }
    inode->attributes = fresh;
    inode->attributes_valid = inode->mount->changes == changes;
    return STATUS_OK;
}
