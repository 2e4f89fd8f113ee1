/* Path resolution: from an absolute path to a dentry.
 *
 * The walk stands on a dentry (referenced, a directory) and eats the path component by component. A symbolic link's
 * target is put before what is left of the path, in memory of the walk's own. ".." goes to the dentry's parent, so it
 * means the directory that the walk came through; from the root of a mount it goes on from the mount point, and the
 * root of everything is its own parent. Mount points are crossed downwards as soon as they are reached, except by a
 * walk that wants the last component as a name. The root directory of a mount is asked of its file system only when
 * something in it is looked up: a path through mount points alone needs no file system at all. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

struct walker {
    struct vfs *vfs;
    struct vfs_call *call;
    enum walk_mode mode;
    /* Where the walk stands. */
    struct vfs_dentry *at;
    const char *rest;
    /* Holds @rest once a symbolic link was met. */
    char *buffer;
    unsigned links;
    bool done;
    struct walk *result;
};

struct component {
    struct vfs_name name;
    bool last;
    bool slash;
};

/* Stand on @dentry, whose reference becomes the walker's. */
static void step(struct walker *walker, struct vfs_dentry *dentry)
{
    dentry_put(walker->vfs, walker->at);
    walker->at = dentry;
}

static void step_root(struct walker *walker)
{
    step(walker, dentry_ref(walker->vfs->root->root));
}

static void step_up(struct walker *walker)
{
    struct vfs_dentry *dentry = walker->at;
    while (!dentry->parent && dentry->mount->covers) {
        dentry = dentry->mount->covers;
    }
    if (dentry->parent) {
        step(walker, dentry_ref(dentry->parent));
    } else {
        step_root(walker);
    }
}

static bool is_dots(struct vfs_name name, size_t dots)
{
    return name.bytes == dots && memcmp(name.text, "..", dots) == 0;
}

/* Cut the next component off; @rest stands on a byte that is neither a slash nor the end. */
static struct component next_component(struct walker *walker)
{
    struct component part = {.name.text = walker->rest};
    part.name.bytes = strcspn(walker->rest, "/");
    walker->rest += part.name.bytes;
    part.slash = *walker->rest == '/';
    walker->rest += strspn(walker->rest, "/");
    part.last = *walker->rest == '\0';
    return part;
}

/* Make sure that the inode of the directory the walk stands on is known. */
static status_t need_inode(struct walker *walker)
{
    if (walker->at->inode) {
        return STATUS_OK;
    }
    struct vfs_dentry *root;
    status_t status = dentry_root(walker->vfs, walker->call, walker->at->mount, &root);
    if (status_is_ok(status)) {
        step(walker, root);
    }
    return status;
}

static void finish(struct walker *walker, struct vfs_dentry *dentry, const struct component *part)
{
    *walker->result = (struct walk){.dentry = dentry, .named = true, .slash = part->slash};
    walker->done = true;
}

/* Put the target of the link @inode before the rest of the path. */
static status_t expand_link(struct walker *walker, struct vfs_inode *inode, bool slash)
{
    if (++walker->links > WALK_LINKS_MAX) {
        return STATUS_RANGE;
    }
    if (inode->dead) {
        return STATUS_GONE;
    }
    size_t rest_bytes = strlen(walker->rest);
    char *buffer = malloc(FS_LINK_BYTES + rest_bytes + 2);
    if (!buffer) {
        return STATUS_NO_MEMORY;
    }
    size_t length = 0;
    struct vfs_fs *fs = inode->mount->fs;
    status_t status =
        fs->ops->readlink(fs, walker->call, inode->id, buffer, FS_LINK_BYTES, &length);
    if (status_is_ok(status) && (length > FS_LINK_BYTES || memchr(buffer, '\0', length))) {
        status = STATUS_CORRUPT;
    } else if (status_is_ok(status) && length == 0) {
        status = STATUS_NOT_FOUND;
    } else if (status_is_ok(status) && length + rest_bytes + 2 > VFS_PATH_BYTES) {
        status = STATUS_RANGE;
    }
    if (!status_is_ok(status)) {
        free(buffer);
        return status;
    }
    if (slash) {
        buffer[length++] = '/';
    }
    memcpy(buffer + length, walker->rest, rest_bytes + 1);
    free(walker->buffer);
    walker->buffer = buffer;
    walker->rest = buffer;
    if (buffer[0] == '/') {
        step_root(walker);
    }
    return STATUS_OK;
}

static bool is_followed(const struct walker *walker, const struct component *part)
{
    if (!part->last) {
        return true;
    }
    switch (walker->mode) {
    case WALK_FOLLOW:
    case WALK_FOLLOW_MISSING:
        return true;
    case WALK_NO_FOLLOW:
    case WALK_NO_FOLLOW_MISSING:
        return part->slash;
    case WALK_NAME:
        return false;
    }
    return false;
}

/* The name led to @dentry, whose reference goes to the walker or the result. */
static status_t enter(struct walker *walker, struct vfs_dentry *dentry,
                      const struct component *part)
{
    struct vfs_inode *inode = dentry->inode;
    status_t status = STATUS_OK;
    if (dentry->mounted && !(part->last && walker->mode == WALK_NAME)) {
        step(walker, dentry_ref(dentry->mounted->root));
    } else if (dentry->mounted) {
        finish(walker, dentry, part);
        return STATUS_OK;
    } else if (!inode) {
        if (part->last && walker->mode != WALK_FOLLOW && walker->mode != WALK_NO_FOLLOW) {
            finish(walker, dentry, part);
            return STATUS_OK;
        }
        status = STATUS_NOT_FOUND;
    } else if (inode_is(inode, FS_TYPE_SYMLINK) && is_followed(walker, part)) {
        status = expand_link(walker, inode, part->slash);
    } else if ((part->slash || !part->last) && !inode_is(inode, FS_TYPE_DIRECTORY)) {
        status = STATUS_WRONG_TYPE;
    } else if (part->last) {
        finish(walker, dentry, part);
        return STATUS_OK;
    } else {
        step(walker, dentry_ref(dentry));
    }
    dentry_put(walker->vfs, dentry);
    return status;
}

static status_t walk_component(struct walker *walker)
{
    struct component part = next_component(walker);
    if (part.name.bytes > FS_NAME_BYTES) {
        return STATUS_INVALID;
    }
    if (is_dots(part.name, 1)) {
        return STATUS_OK;
    }
    if (is_dots(part.name, 2)) {
        step_up(walker);
        return STATUS_OK;
    }
    struct vfs_dentry *dentry = dentry_find(walker->vfs, walker->at, part.name);
    if (dentry) {
        walker->vfs->counts.hits++;
        return enter(walker, dentry, &part);
    }
    status_t status = need_inode(walker);
    if (status_is_ok(status)) {
        status = dentry_lookup(walker->vfs, walker->call, walker->at, part.name, &dentry);
    }
    return status_is_ok(status) ? enter(walker, dentry, &part) : status;
}

/* Eat the path. */
static status_t walk_components(struct walker *walker)
{
    walker->rest += strspn(walker->rest, "/");
    while (*walker->rest) {
        status_t status = walk_component(walker);
        if (!status_is_ok(status) || walker->done) {
            return status;
        }
        /* A link's target may begin with slashes. */
        walker->rest += strspn(walker->rest, "/");
    }
    status_t status = need_inode(walker);
    if (status_is_ok(status)) {
        *walker->result = (struct walk){.dentry = dentry_ref(walker->at)};
    }
    return status;
}

status_t walk(struct vfs *vfs, struct vfs_call *call, const char *path, enum walk_mode mode,
              struct walk *result)
{
    if (path[0] != '/') {
        return STATUS_INVALID;
    }
    if (!vfs->root) {
        return STATUS_NOT_FOUND;
    }
    struct walker walker = {.vfs = vfs, .call = call, .mode = mode, .rest = path, .result = result};
    walker.at = dentry_ref(vfs->root->root);
    status_t status = walk_components(&walker);
    dentry_put(vfs, walker.at);
    free(walker.buffer);
    return status;
}
