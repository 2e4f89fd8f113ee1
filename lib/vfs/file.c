/* Open files: opening, by path or by identity, reading, writing, their attributes. See vfs/vfs.h. */
#include "internal.h"

#define OPEN_FLAGS                                                               \
    (FILE_OPEN_READ | FILE_OPEN_WRITE | FILE_OPEN_CREATE | FILE_OPEN_EXCLUSIVE | \
     FILE_OPEN_TRUNCATE | FILE_OPEN_APPEND | FILE_OPEN_DIRECTORY | FILE_OPEN_NO_FOLLOW)
/* How often an open that creates starts again because somebody else made or removed the file meanwhile. */
#define OPEN_RETRIES 4

static bool open_flags_valid(uint32_t flags)
{
    bool write = flags & FILE_OPEN_WRITE;
    return !(flags & ~OPEN_FLAGS) && (flags & (FILE_OPEN_READ | FILE_OPEN_WRITE)) &&
           (write || !(flags & (FILE_OPEN_TRUNCATE | FILE_OPEN_APPEND))) &&
           !((flags & FILE_OPEN_EXCLUSIVE) && !(flags & FILE_OPEN_CREATE)) &&
           !((flags & FILE_OPEN_CREATE) && (flags & FILE_OPEN_DIRECTORY));
}

static void file_begin(struct vfs_file *file, struct vfs_inode *inode, uint32_t flags)
{
    struct vfs_fs *fs = inode->mount->fs;
    if (inode->opens++ == 0 && fs->ops->hold) {
        fs->ops->hold(fs, inode->id);
    }
    *file = (struct vfs_file){.inode = inode_ref(inode), .flags = flags};
}

void vfs_close(struct vfs *vfs, struct vfs_file *file)
{
    struct vfs_inode *inode = file->inode;
    struct vfs_fs *fs = inode->mount->fs;
    if (--inode->opens == 0 && fs->ops->release && !inode->dead) {
        fs->ops->release(fs, inode->id);
    }
    inode_put(vfs, inode);
    *file = (struct vfs_file){0};
}

/* Whether @inode may be opened with @flags. */
static status_t open_check(const struct vfs_call *call, const struct vfs_inode *inode,
                           uint32_t flags)
{
    bool write = flags & FILE_OPEN_WRITE;
    if (inode->dead) {
        return STATUS_GONE;
    }
    if (inode_is(inode, FS_TYPE_DIRECTORY)) {
        return write || (flags & FILE_OPEN_CREATE) ? STATUS_WRONG_TYPE : STATUS_OK;
    }
    if (!inode_is(inode, FS_TYPE_FILE) || (flags & FILE_OPEN_DIRECTORY)) {
        return STATUS_WRONG_TYPE;
    }
    return write && !change_allowed(call, inode->mount) ? STATUS_DENIED : STATUS_OK;
}

static status_t inode_truncate(struct vfs_call *call, struct vfs_inode *inode, uint64_t bytes)
{
    struct vfs_fs *fs = inode->mount->fs;
    if (inode->dead) {
        return STATUS_GONE;
    }
    if (bytes > INT64_MAX) {
        return STATUS_RANGE;
    }
    status_t status = fs->ops->truncate(fs, call, inode->id, bytes);
    inode_changed(inode);
    return status;
}

static status_t open_existing(struct vfs_call *call, struct vfs_inode *inode, uint32_t flags,
                              struct vfs_file *file)
{
    if (flags & FILE_OPEN_EXCLUSIVE) {
        return STATUS_EXISTS;
    }
    status_t status = open_check(call, inode, flags);
    if (status_is_ok(status) && (flags & FILE_OPEN_TRUNCATE)) {
        status = inode_truncate(call, inode, 0);
    }
    if (status_is_ok(status)) {
        file_begin(file, inode, flags);
    }
    return status;
}

static status_t open_missing(struct vfs *vfs, struct vfs_call *call, const struct walk *where,
                             uint32_t flags, uint32_t mode, struct vfs_file *file)
{
    if (where->slash) {
        return STATUS_WRONG_TYPE;
    }
    struct vfs_new what = {.type = FS_TYPE_FILE, .mode = mode & 07777};
    struct vfs_inode *inode;
    status_t status = make_name(vfs, call, where->dentry, &what, &inode);
    if (status_is_ok(status)) {
        file_begin(file, inode, flags);
        inode_put(vfs, inode);
    }
    return status;
}

static enum walk_mode open_walk_mode(uint32_t flags)
{
    if (flags & FILE_OPEN_CREATE) {
        return flags & (FILE_OPEN_EXCLUSIVE | FILE_OPEN_NO_FOLLOW) ? WALK_NO_FOLLOW_MISSING
                                                                   : WALK_FOLLOW_MISSING;
    }
    return flags & FILE_OPEN_NO_FOLLOW ? WALK_NO_FOLLOW : WALK_FOLLOW;
}

status_t vfs_open(struct vfs *vfs, struct vfs_call *call, const char *path, uint32_t flags,
                  uint32_t mode, struct vfs_file *file)
{
    if (!open_flags_valid(flags)) {
        return STATUS_INVALID;
    }
    status_t status;
    for (int retries = 0; retries < OPEN_RETRIES; retries++) {
        struct walk where;
        status = walk(vfs, call, path, open_walk_mode(flags), &where);
        if (!status_is_ok(status)) {
            return status;
        }
        bool missing = !where.dentry->inode;
        status = missing ? open_missing(vfs, call, &where, flags, mode, file)
                         : open_existing(call, where.dentry->inode, flags, file);
        dentry_put(vfs, where.dentry);
        if (!missing || status != STATUS_EXISTS || (flags & FILE_OPEN_EXCLUSIVE)) {
            return status;
        }
    }
    return status;
}

status_t vfs_reopen(struct vfs *vfs, struct vfs_call *call, uint64_t number, struct vfs_id id,
                    uint32_t flags, struct vfs_file *file)
{
    flags &= FILE_OPEN_READ | FILE_OPEN_WRITE | FILE_OPEN_APPEND;
    if (!open_flags_valid(flags)) {
        return STATUS_INVALID;
    }
    struct vfs_mount *mount = vfs_mount_find(vfs, number);
    if (!mount) {
        return STATUS_NOT_FOUND;
    }
    struct fs_attributes attributes;
    status_t status = mount->fs->ops->attributes(mount->fs, call, id, &attributes);
    if (!status_is_ok(status)) {
        return status;
    }
    if (!attributes_plausible(&attributes) || attributes.inode != id.inode ||
        attributes.generation != id.generation) {
        return STATUS_CORRUPT;
    }
    struct vfs_inode *inode = inode_get(vfs, mount, &attributes);
    if (!inode) {
        return STATUS_NO_MEMORY;
    }
    status = open_existing(call, inode, flags, file);
    inode_put(vfs, inode);
    return status;
}

/* What every read begins with: the file is one, and how far it goes. */
static status_t read_check(struct vfs_call *call, struct vfs_file *file)
{
    if (!(file->flags & FILE_OPEN_READ)) {
        return STATUS_DENIED;
    }
    if (!inode_is(file->inode, FS_TYPE_FILE)) {
        return STATUS_WRONG_TYPE;
    }
    return inode_refresh(call, file->inode);
}

status_t vfs_read_at(struct vfs *vfs, struct vfs_call *call, struct vfs_file *file, uint64_t offset,
                     uint64_t bytes, struct vfs_sink *sink, uint64_t *done)
{
    (void)vfs;
    *done = 0;
    status_t status = read_check(call, file);
    uint64_t size = file->inode->attributes.bytes;
    if (!status_is_ok(status) || offset >= size || bytes == 0) {
        return status;
    }
    if (bytes > size - offset) {
        bytes = size - offset;
    }
    struct vfs_fs *fs = file->inode->mount->fs;
    status = fs->ops->read(fs, call, file->inode->id, offset, bytes, sink, done);
    if (!status_is_ok(status)) {
        *done = 0;
    }
    return status;
}

status_t vfs_read(struct vfs *vfs, struct vfs_call *call, struct vfs_file *file, uint64_t bytes,
                  struct vfs_sink *sink, uint64_t *done)
{
    status_t status = vfs_read_at(vfs, call, file, file->offset, bytes, sink, done);
    file->offset += *done;
    return status;
}

static status_t write_check(struct vfs_call *call, struct vfs_file *file, uint64_t *offset,
                            uint64_t bytes)
{
    if (!(file->flags & FILE_OPEN_WRITE) || !change_allowed(call, file->inode->mount)) {
        return STATUS_DENIED;
    }
    if (file->flags & FILE_OPEN_APPEND) {
        status_t status = inode_refresh(call, file->inode);
        if (!status_is_ok(status)) {
            return status;
        }
        *offset = file->inode->attributes.bytes;
    }
    uint64_t end;
    if (__builtin_add_overflow(*offset, bytes, &end) || end > INT64_MAX) {
        return STATUS_RANGE;
    }
    return file->inode->dead ? STATUS_GONE : STATUS_OK;
}

status_t vfs_write_at(struct vfs *vfs, struct vfs_call *call, struct vfs_file *file,
                      uint64_t offset, uint64_t bytes, struct vfs_source *source, uint64_t *done,
                      uint64_t *end)
{
    (void)vfs;
    *done = 0;
    *end = offset;
    status_t status = write_check(call, file, &offset, bytes);
    if (!status_is_ok(status)) {
        return status;
    }
    *end = offset;
    if (bytes == 0) {
        return STATUS_OK;
    }
    struct vfs_fs *fs = file->inode->mount->fs;
    status = fs->ops->write(fs, call, file->inode->id, offset, bytes, source, done);
    inode_changed(file->inode);
    *end = offset + *done;
    return *done && status != STATUS_PENDING ? STATUS_OK : status;
}

status_t vfs_write(struct vfs *vfs, struct vfs_call *call, struct vfs_file *file, uint64_t bytes,
                   struct vfs_source *source, uint64_t *done)
{
    uint64_t end;
    status_t status = vfs_write_at(vfs, call, file, file->offset, bytes, source, done, &end);
    if (status_is_ok(status)) {
        file->offset = end;
    }
    return status;
}

status_t vfs_attributes(struct vfs *vfs, struct vfs_call *call, struct vfs_file *file,
                        struct file_status *result)
{
    (void)vfs;
    status_t status = inode_refresh(call, file->inode);
    if (status_is_ok(status)) {
        *result = (struct file_status){.mount = file->inode->mount->number,
                                       .attributes = file->inode->attributes};
    }
    return status;
}

status_t vfs_truncate(struct vfs *vfs, struct vfs_call *call, struct vfs_file *file, uint64_t bytes)
{
    (void)vfs;
    if (!(file->flags & FILE_OPEN_WRITE) || !change_allowed(call, file->inode->mount)) {
        return STATUS_DENIED;
    }
    return inode_truncate(call, file->inode, bytes);
}

status_t vfs_sync(struct vfs *vfs, struct vfs_call *call, struct vfs_file *file)
{
    (void)vfs;
    struct vfs_fs *fs = file->inode->mount->fs;
    return fs->ops->sync ? fs->ops->sync(fs, call) : STATUS_OK;
}
