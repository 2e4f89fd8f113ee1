/* What the files of lib/vfs share. Reference rules: functions that answer a dentry or inode by out-parameter or
 * return value give a reference, unless they say "borrowed". */
#pragma once

#include <vfs/vfs.h>

/* Linux's and ours: enough for any sane tree, and a bound for loops. */
#define WALK_LINKS_MAX FILE_SYMLINKS_MAX

struct vfs_inode {
    struct vfs_link hash_link;
    struct vfs_mount *mount;
    struct vfs_id id;
    size_t references;
    /* Open files among them: above 0 the file system holds the inode. */
    size_t opens;
    /* The file system was replaced under it. */
    bool dead;
    bool attributes_valid;
    /* Type, inode and generation are valid always. */
    struct fs_attributes attributes;
};

struct vfs_dentry {
    struct vfs_link hash_link;
    /* In vfs.idle while @references is 0. */
    struct vfs_link idle_link;
    struct vfs_mount *mount;
    /* NULL: the root of its mount. */
    struct vfs_dentry *parent;
    /* NULL: negative, or the root of a mount that nobody asked for yet, or a mount point. */
    struct vfs_inode *inode;
    /* What is mounted here, if anything. */
    struct vfs_mount *mounted;
    size_t references;
    uint32_t hash;
    uint32_t name_bytes;
    char name[];
};

/* inode.c */
/* The inode that @attributes describe, which become its cached ones. NULL: no memory. */
struct vfs_inode *inode_get(struct vfs *vfs, struct vfs_mount *mount,
                            const struct fs_attributes *attributes);
struct vfs_inode *inode_ref(struct vfs_inode *inode);
/* NULL is ignored. */
void inode_put(struct vfs *vfs, struct vfs_inode *inode);
/* Make inode->attributes those of now, asking the file system if they are not known. */
status_t inode_refresh(struct vfs_call *call, struct vfs_inode *inode);
/* The type and number agree, so the attributes are plausible for the cache. */
bool attributes_plausible(const struct fs_attributes *attributes);

/* dentry.c */
struct vfs_dentry *dentry_new(struct vfs *vfs, struct vfs_mount *mount, struct vfs_dentry *parent,
                              struct vfs_name name, struct vfs_inode *inode);
/* The cached dentry, with a reference, or NULL. */
struct vfs_dentry *dentry_find(struct vfs *vfs, struct vfs_dentry *parent, struct vfs_name name);
struct vfs_dentry *dentry_ref(struct vfs_dentry *dentry);
/* NULL is ignored. */
void dentry_put(struct vfs *vfs, struct vfs_dentry *dentry);
/* The mount point @dentry is in @parent from now on. */
void dentry_move(struct vfs *vfs, struct vfs_dentry *dentry, struct vfs_dentry *parent);
/* Nobody finds @dentry any more. */
void dentry_forget(struct vfs_dentry *dentry);
/* Forget the dentry of @name in @parent, if there is one. */
void dentry_forget_name(struct vfs *vfs, struct vfs_dentry *parent, struct vfs_name name);
/* The dentry of @name in the directory @parent, from the cache or the file system; perhaps a negative one. */
status_t dentry_lookup(struct vfs *vfs, struct vfs_call *call, struct vfs_dentry *parent,
                       struct vfs_name name, struct vfs_dentry **dentry);
/* The root of @mount with its inode. */
status_t dentry_root(struct vfs *vfs, struct vfs_call *call, struct vfs_mount *mount,
                     struct vfs_dentry **dentry);
struct vfs_name dentry_name(const struct vfs_dentry *dentry);
void dentry_trim(struct vfs *vfs, size_t keep);

/* path.c */
enum walk_mode {
    WALK_FOLLOW,
    WALK_NO_FOLLOW,
    /* The last component is a name to make or take away: never followed, may be missing. */
    WALK_NAME,
    /* As the first two, but the file itself may be missing. */
    WALK_FOLLOW_MISSING,
    WALK_NO_FOLLOW_MISSING,
};

/* Where a path led. */
struct walk {
    /* Referenced. Its inode is NULL if the file does not exist, or it is a mount point (WALK_NAME only). */
    struct vfs_dentry *dentry;
    /* The path ended in a name, not in "/", "." or "..". */
    bool named;
    /* It ended in a slash. */
    bool slash;
};

/* Resolve @path. On success walk->dentry is the caller's to put. */
status_t walk(struct vfs *vfs, struct vfs_call *call, const char *path, enum walk_mode mode,
              struct walk *result);

/* name.c */
/* Make @what under the negative dentry @name. */
status_t make_name(struct vfs *vfs, struct vfs_call *call, struct vfs_dentry *name,
                   const struct vfs_new *what, struct vfs_inode **inode);

static inline bool inode_is(const struct vfs_inode *inode, uint32_t type)
{
    return inode->attributes.type == type;
}

/* The attributes of @inode, or names in its mount, changed. */
static inline void inode_changed(struct vfs_inode *inode)
{
    inode->attributes_valid = false;
    inode->mount->changes++;
}

/* A change is allowed on @mount by @call. */
static inline bool change_allowed(const struct vfs_call *call, const struct vfs_mount *mount)
{
    return !call->read_only && !mount->read_only && mount->fs->ops->make;
}
