/* The dentry cache: (parent dentry, name) -> inode or nothing, with LRU eviction of what nobody uses. See vfs/vfs.h. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static uint32_t name_hash(const struct vfs_dentry *parent, struct vfs_name name)
{
    uint64_t hash = (uint64_t)(uintptr_t)parent * 0x9e3779b97f4a7c15;
    for (size_t i = 0; i < name.bytes; i++) {
        hash = (hash ^ (unsigned char)name.text[i]) * 0x100000001b3;
    }
    return (uint32_t)(hash ^ (hash >> 32));
}

struct vfs_name dentry_name(const struct vfs_dentry *dentry)
{
    return (struct vfs_name){.text = dentry->name, .bytes = dentry->name_bytes};
}

struct vfs_dentry *dentry_ref(struct vfs_dentry *dentry)
{
    if (dentry->references++ == 0) {
        vfs_link_remove(&dentry->idle_link);
    }
    return dentry;
}

/* Free @dentry, which nobody refers to, and give back the parent; answers the parent if that freed it for eviction. */
static void dentry_free(struct vfs *vfs, struct vfs_dentry *dentry)
{
    struct vfs_dentry *parent = dentry->parent;
    vfs_link_remove(&dentry->idle_link);
    vfs_link_remove(&dentry->hash_link);
    inode_put(vfs, dentry->inode);
    free(dentry);
    vfs->counts.dentries--;
    /* Not freed here even if forgotten: recursion would be as deep as the path. It is the first to be evicted. */
    if (parent && --parent->references == 0) {
        vfs_link_add(vfs->idle.next, &parent->idle_link);
    }
}

void dentry_trim(struct vfs *vfs, size_t keep)
{
    while (vfs->counts.dentries > keep && !vfs_link_alone(&vfs->idle)) {
        dentry_free(vfs, VFS_CONTAINER(vfs->idle.next, struct vfs_dentry, idle_link));
    }
}

void dentry_put(struct vfs *vfs, struct vfs_dentry *dentry)
{
    if (!dentry || --dentry->references) {
        return;
    }
    bool forgotten = vfs_link_alone(&dentry->hash_link);
    vfs_link_add(forgotten ? vfs->idle.next : &vfs->idle, &dentry->idle_link);
    dentry_trim(vfs, vfs->dentries_max);
}

void dentry_forget(struct vfs_dentry *dentry)
{
    vfs_link_remove(&dentry->hash_link);
}

struct vfs_dentry *dentry_new(struct vfs *vfs, struct vfs_mount *mount, struct vfs_dentry *parent,
                              struct vfs_name name, struct vfs_inode *inode)
{
    struct vfs_dentry *dentry = malloc(sizeof *dentry + name.bytes + 1);
    if (!dentry) {
        return NULL;
    }
    *dentry =
        (struct vfs_dentry){.mount = mount, .references = 1, .name_bytes = (uint32_t)name.bytes};
    memcpy(dentry->name, name.text, name.bytes);
    dentry->name[name.bytes] = '\0';
    vfs_link_init(&dentry->idle_link);
    vfs_link_init(&dentry->hash_link);
    if (inode) {
        dentry->inode = inode_ref(inode);
    }
    vfs->counts.dentries++;
    if (parent) {
        dentry->parent = dentry_ref(parent);
        dentry->hash = name_hash(parent, name);
        vfs_link_add(&vfs->dentries[dentry->hash % VFS_BUCKETS], &dentry->hash_link);
        dentry_trim(vfs, vfs->dentries_max);
    }
    return dentry;
}

struct vfs_dentry *dentry_find(struct vfs *vfs, struct vfs_dentry *parent, struct vfs_name name)
{
    uint32_t hash = name_hash(parent, name);
    struct vfs_link *bucket = &vfs->dentries[hash % VFS_BUCKETS];
    for (struct vfs_link *link = bucket->next; link != bucket; link = link->next) {
        struct vfs_dentry *dentry = VFS_CONTAINER(link, struct vfs_dentry, hash_link);
        if (dentry->hash == hash && dentry->parent == parent && dentry->name_bytes == name.bytes &&
            memcmp(dentry->name, name.text, name.bytes) == 0) {
            return dentry_ref(dentry);
        }
    }
    return NULL;
}

void dentry_move(struct vfs *vfs, struct vfs_dentry *dentry, struct vfs_dentry *parent)
{
    struct vfs_dentry *old = dentry->parent;
    vfs_link_remove(&dentry->hash_link);
    dentry->parent = dentry_ref(parent);
    dentry->hash = name_hash(parent, dentry_name(dentry));
    vfs_link_add(&vfs->dentries[dentry->hash % VFS_BUCKETS], &dentry->hash_link);
    dentry_put(vfs, old);
}

void dentry_forget_name(struct vfs *vfs, struct vfs_dentry *parent, struct vfs_name name)
{
    struct vfs_dentry *dentry = dentry_find(vfs, parent, name);
    if (dentry && !dentry->mounted) {
        dentry_forget(dentry);
    }
    dentry_put(vfs, dentry);
}

/* Put what the file system answered into the cache, unless another thread was faster. */
static status_t dentry_add(struct vfs *vfs, struct vfs_dentry *parent, struct vfs_name name,
                           const struct fs_attributes *attributes, struct vfs_dentry **dentry)
{
    struct vfs_inode *inode = NULL;
    if (attributes) {
        if (!attributes_plausible(attributes)) {
            return STATUS_CORRUPT;
        }
        inode = inode_get(vfs, parent->mount, attributes);
        if (!inode) {
            return STATUS_NO_MEMORY;
        }
    }
    *dentry = dentry_find(vfs, parent, name);
    if (!*dentry) {
        *dentry = dentry_new(vfs, parent->mount, parent, name, inode);
    }
    inode_put(vfs, inode);
    return *dentry ? STATUS_OK : STATUS_NO_MEMORY;
}

status_t dentry_lookup(struct vfs *vfs, struct vfs_call *call, struct vfs_dentry *parent,
                       struct vfs_name name, struct vfs_dentry **dentry)
{
    *dentry = dentry_find(vfs, parent, name);
    if (*dentry) {
        vfs->counts.hits++;
        return STATUS_OK;
    }
    vfs->counts.misses++;
    struct vfs_mount *mount = parent->mount;
    struct fs_attributes attributes;
    status_t status;
    uint64_t changes;
    do {
        if (parent->inode->dead) {
            return STATUS_GONE;
        }
        changes = mount->changes;
        status = mount->fs->ops->lookup(mount->fs, call, parent->inode->id, name, &attributes);
    } while ((status_is_ok(status) || status == STATUS_NOT_FOUND) && mount->changes != changes);
    if (status == STATUS_NOT_FOUND) {
        return dentry_add(vfs, parent, name, NULL, dentry);
    }
    return status_is_ok(status) ? dentry_add(vfs, parent, name, &attributes, dentry) : status;
}

status_t dentry_root(struct vfs *vfs, struct vfs_call *call, struct vfs_mount *mount,
                     struct vfs_dentry **dentry)
{
    *dentry = dentry_ref(mount->root);
    if ((*dentry)->inode) {
        return STATUS_OK;
    }
    struct fs_attributes attributes;
    status_t status = mount->fs->ops->root(mount->fs, call, &attributes);
    if (status_is_ok(status) &&
        (!attributes_plausible(&attributes) || attributes.type != FS_TYPE_DIRECTORY)) {
        status = STATUS_CORRUPT;
    }
    if (status_is_ok(status) && !(*dentry)->inode) {
        (*dentry)->inode = inode_get(vfs, mount, &attributes);
        status = (*dentry)->inode ? STATUS_OK : STATUS_NO_MEMORY;
    }
    if (!status_is_ok(status)) {
        dentry_put(vfs, *dentry);
    }
    return status;
}
