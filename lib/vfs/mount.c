/* Mounts: the list of them, and the dentries that tie them together. See vfs/vfs.h. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void vfs_init(struct vfs *vfs, size_t dentries_max)
{
    *vfs = (struct vfs){.dentries_max = dentries_max < 64 ? 64 : dentries_max};
    vfs_link_init(&vfs->mounts);
    vfs_link_init(&vfs->idle);
    for (size_t i = 0; i < VFS_BUCKETS; i++) {
        vfs_link_init(&vfs->dentries[i]);
        vfs_link_init(&vfs->inodes[i]);
    }
}

void vfs_destroy(struct vfs *vfs)
{
    for (struct vfs_mount *mount = vfs_mount_next(vfs, 0); mount;
         mount = vfs_mount_next(vfs, mount->number)) {
        dentry_put(vfs, mount->covers);
        dentry_put(vfs, mount->root);
    }
    dentry_trim(vfs, 0);
    while (!vfs_link_alone(&vfs->mounts)) {
        struct vfs_mount *mount = VFS_CONTAINER(vfs->mounts.next, struct vfs_mount, link);
        vfs_link_remove(&mount->link);
        free(mount);
    }
    vfs->root = NULL;
}

struct vfs_mount *vfs_mount_next(struct vfs *vfs, uint64_t after)
{
    for (struct vfs_link *link = vfs->mounts.next; link != &vfs->mounts; link = link->next) {
        struct vfs_mount *mount = VFS_CONTAINER(link, struct vfs_mount, link);
        if (mount->number > after) {
            return mount;
        }
    }
    return NULL;
}

struct vfs_mount *vfs_mount_find(struct vfs *vfs, uint64_t number)
{
    struct vfs_mount *mount = number ? vfs_mount_next(vfs, number - 1) : NULL;
    return mount && mount->number == number ? mount : NULL;
}

/* The mount whose path is the first @bytes of @path. */
static struct vfs_mount *mount_at(struct vfs *vfs, const char *path, size_t bytes)
{
    if (bytes == 0) {
        return vfs->root;
    }
    for (struct vfs_mount *m = vfs_mount_next(vfs, 0); m; m = vfs_mount_next(vfs, m->number)) {
        if (strlen(m->path) == bytes && memcmp(m->path, path, bytes) == 0) {
            return m;
        }
    }
    return NULL;
}

/* The dentry that @path covers, new and with a reference; NULL and OK for the root of everything. */
static status_t mount_point(struct vfs *vfs, const char *path, struct vfs_dentry **covers)
{
    *covers = NULL;
    const char *slash = strrchr(path, '/');
    if (!slash) {
        return STATUS_INVALID;
    }
    struct vfs_name name = {.text = slash + 1, .bytes = strlen(slash + 1)};
    if (name.bytes == 0) {
        return slash != path ? STATUS_INVALID : vfs->root ? STATUS_EXISTS : STATUS_OK;
    }
    if (name.bytes > FS_NAME_BYTES || mount_at(vfs, path, strlen(path))) {
        return name.bytes > FS_NAME_BYTES ? STATUS_INVALID : STATUS_EXISTS;
    }
    struct vfs_mount *parent = mount_at(vfs, path, (size_t)(slash - path));
    if (!parent) {
        return STATUS_NOT_FOUND;
    }
    dentry_forget_name(vfs, parent->root, name);
    *covers = dentry_new(vfs, parent, parent->root, name, NULL);
    return *covers ? STATUS_OK : STATUS_NO_MEMORY;
}

static void mount_insert(struct vfs *vfs, struct vfs_mount *mount)
{
    struct vfs_mount *after = vfs_mount_next(vfs, mount->number);
    vfs_link_add(after ? &after->link : &vfs->mounts, &mount->link);
    if (mount->covers) {
        mount->covers->mounted = mount;
    } else {
        vfs->root = mount;
    }
}

status_t vfs_mount(struct vfs *vfs, const char *path, struct vfs_fs *fs, const char *source,
                   uint64_t number, bool read_only)
{
    if (number == 0 || strlen(path) >= VFS_MOUNT_PATH_BYTES || vfs_mount_find(vfs, number)) {
        return STATUS_INVALID;
    }
    struct vfs_mount *mount = calloc(1, sizeof *mount);
    if (!mount) {
        return STATUS_NO_MEMORY;
    }
    mount->fs = fs;
    mount->number = number;
    mount->read_only = read_only;
    snprintf(mount->path, sizeof mount->path, "%s", path);
    snprintf(mount->source, sizeof mount->source, "%s", source);
    struct vfs_name none = {.text = "", .bytes = 0};
    status_t status = mount_point(vfs, path, &mount->covers);
    if (status_is_ok(status)) {
        mount->root = dentry_new(vfs, mount, NULL, none, NULL);
        status = mount->root ? STATUS_OK : STATUS_NO_MEMORY;
    }
    if (!status_is_ok(status)) {
        if (mount->covers) {
            dentry_forget(mount->covers);
        }
        dentry_put(vfs, mount->covers);
        free(mount);
        return status;
    }
    mount_insert(vfs, mount);
    return STATUS_OK;
}

/* The mount points in @old's directory move to @fresh, the new root of the same mount. */
static void move_mount_points(struct vfs *vfs, const struct vfs_dentry *old,
                              struct vfs_dentry *fresh)
{
    for (struct vfs_mount *m = vfs_mount_next(vfs, 0); m; m = vfs_mount_next(vfs, m->number)) {
        if (m->covers && m->covers->parent == old) {
            dentry_move(vfs, m->covers, fresh);
        }
    }
}

/* Nobody finds a dentry or inode of @mount any more, but mount points. */
static void forget_all(struct vfs *vfs, const struct vfs_mount *mount)
{
    for (size_t i = 0; i < VFS_BUCKETS; i++) {
        struct vfs_link *next;
        for (struct vfs_link *link = vfs->dentries[i].next; link != &vfs->dentries[i];
             link = next) {
            next = link->next;
            struct vfs_dentry *dentry = VFS_CONTAINER(link, struct vfs_dentry, hash_link);
            if (dentry->mount == mount && !dentry->mounted) {
                dentry_forget(dentry);
            }
        }
        for (struct vfs_link *link = vfs->inodes[i].next; link != &vfs->inodes[i]; link = next) {
            next = link->next;
            struct vfs_inode *inode = VFS_CONTAINER(link, struct vfs_inode, hash_link);
            if (inode->mount == mount) {
                inode->dead = true;
                vfs_link_remove(&inode->hash_link);
            }
        }
    }
}

status_t vfs_mount_forget(struct vfs *vfs, struct vfs_mount *mount)
{
    struct vfs_name none = {.text = "", .bytes = 0};
    struct vfs_dentry *fresh = dentry_new(vfs, mount, NULL, none, NULL);
    if (!fresh) {
        return STATUS_NO_MEMORY;
    }
    mount->changes++;
    forget_all(vfs, mount);
    struct vfs_dentry *old = mount->root;
    move_mount_points(vfs, old, fresh);
    mount->root = fresh;
    dentry_put(vfs, old);
    return STATUS_OK;
}
