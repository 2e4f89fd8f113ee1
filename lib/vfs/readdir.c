/* Reading directories: what the file system says, without the names that mount points cover, then the mount points.
 * A cursor below CURSOR_MOUNTS is the file system's; above it counts mounts. */
#include "internal.h"

#include <string.h>

#define CURSOR_MOUNTS (UINT64_C(1) << 63)

static bool is_mount_in(const struct vfs_mount *mount, const struct vfs_inode *directory)
{
    return mount->covers && mount->covers->parent->inode == directory;
}

static bool is_covered(struct vfs *vfs, const struct vfs_inode *directory, struct vfs_name name)
{
    for (struct vfs_mount *m = vfs_mount_next(vfs, 0); m; m = vfs_mount_next(vfs, m->number)) {
        if (is_mount_in(m, directory) && m->covers->name_bytes == name.bytes &&
            memcmp(m->covers->name, name.text, name.bytes) == 0) {
            return true;
        }
    }
    return false;
}

/* The entry at @at of @used bytes is whole, and its name is one. */
static bool entry_valid(const char *buffer, size_t at, size_t used)
{
    struct fs_entry entry;
    if (used - at < sizeof entry) {
        return false;
    }
    memcpy(&entry, buffer + at, sizeof entry);
    const char *name = buffer + at + sizeof entry;
    return entry.record_bytes % 8 == 0 && entry.record_bytes <= used - at && entry.name_bytes > 0 &&
           entry.name_bytes <= FS_NAME_BYTES &&
           sizeof entry + entry.name_bytes <= entry.record_bytes &&
           !memchr(name, '/', entry.name_bytes) && !memchr(name, '\0', entry.name_bytes) &&
           entry.next < CURSOR_MOUNTS;
}

/* Check the entries in @buffer and close the gaps that covered names leave. */
static status_t filter(struct vfs *vfs, const struct vfs_inode *directory, char *buffer,
                       size_t *used)
{
    size_t to = 0;
    for (size_t at = 0; at < *used;) {
        if (!entry_valid(buffer, at, *used)) {
            return STATUS_CORRUPT;
        }
        struct fs_entry entry;
        memcpy(&entry, buffer + at, sizeof entry);
        struct vfs_name name = {.text = buffer + at + sizeof entry, .bytes = entry.name_bytes};
        if (!is_covered(vfs, directory, name)) {
            memmove(buffer + to, buffer + at, entry.record_bytes);
            to += entry.record_bytes;
        }
        at += entry.record_bytes;
    }
    *used = to;
    return STATUS_OK;
}

static size_t put_mount(const struct vfs_mount *mount, char *buffer, size_t room)
{
    size_t record = (sizeof(struct fs_entry) + mount->covers->name_bytes + 7) / 8 * 8;
    if (record > room) {
        return 0;
    }
    struct fs_entry entry = {
        .inode = mount->root->inode ? mount->root->inode->id.inode : 0,
        .next = CURSOR_MOUNTS + mount->number,
        .type = FS_TYPE_DIRECTORY,
        .record_bytes = (uint16_t)record,
        .name_bytes = (uint16_t)mount->covers->name_bytes,
    };
    memset(buffer, 0, record);
    memcpy(buffer, &entry, sizeof entry);
    memcpy(buffer + sizeof entry, mount->covers->name, mount->covers->name_bytes);
    return record;
}

static status_t put_mounts(struct vfs *vfs, const struct vfs_inode *directory, uint64_t cursor,
                           char *buffer, size_t bytes, size_t *used, uint64_t *next)
{
    *used = 0;
    *next = cursor;
    for (struct vfs_mount *m = vfs_mount_next(vfs, cursor - CURSOR_MOUNTS); m;
         m = vfs_mount_next(vfs, m->number)) {
        if (!is_mount_in(m, directory)) {
            continue;
        }
        size_t record = put_mount(m, buffer + *used, bytes - *used);
        if (record == 0) {
            return *used ? STATUS_OK : STATUS_RANGE;
        }
        *used += record;
        *next = CURSOR_MOUNTS + m->number;
    }
    return STATUS_OK;
}

status_t vfs_readdir(struct vfs *vfs, struct vfs_call *call, struct vfs_file *file, uint64_t cursor,
                     void *buffer, size_t bytes, size_t *used, uint64_t *next)
{
    struct vfs_inode *inode = file->inode;
    struct vfs_fs *fs = inode->mount->fs;
    *used = 0;
    if (!inode_is(inode, FS_TYPE_DIRECTORY)) {
        return STATUS_WRONG_TYPE;
    }
    while (cursor < CURSOR_MOUNTS) {
        if (inode->dead) {
            return STATUS_GONE;
        }
        status_t status = fs->ops->readdir(fs, call, inode->id, cursor, buffer, bytes, used, next);
        if (!status_is_ok(status)) {
            return status;
        }
        if (*used == 0) {
            cursor = CURSOR_MOUNTS;
            break;
        }
        if (*used > bytes || *next >= CURSOR_MOUNTS || *next == cursor) {
            return STATUS_CORRUPT;
        }
        status = filter(vfs, inode, buffer, used);
        if (!status_is_ok(status) || *used) {
            return status;
        }
        cursor = *next;
    }
    return put_mounts(vfs, inode, cursor, buffer, bytes, used, next);
}
