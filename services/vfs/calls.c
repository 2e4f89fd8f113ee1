/* The operations of idl/files.idl.
 *
 * Each finds out on whose behalf it is asked, takes the lock, and lets lib/vfs do it. If that answers PENDING the call is
 * put aside for the worker of the file system that has to be waited for (remote.c), and the same operation runs there
 * again with the same arguments. Nothing is left behind by a run that ends in PENDING. */
#include "server.h"

#include <string.h>
#include <veridian/syscalls.h>

#define SESSION_RIGHTS (RIGHT_CALL | RIGHT_COPY | RIGHT_TRANSFER)
#define READDIR_BYTES 8192

/* --- how every operation begins and ends ------------------------------------------------------------------------ */

struct context {
    struct vfs_server *server;
    struct ipc_call *ipc;
    struct vfs_call call;
    /* Of a call on an open file. */
    struct open_file *file;
};

static void begin(struct context *context, struct vfs_server *server, struct ipc_call *ipc)
{
    *context =
        (struct context){.server = server, .ipc = ipc, .call.patient_with = remote_current()};
    pthread_mutex_lock(&server->lock);
}

/* Begin a call on a session: WRONG_TYPE if the badge is something else's. Ended by end() in any case. */
static status_t begin_session(struct context *context, void *server, struct ipc_call *ipc)
{
    begin(context, server, ipc);
    const struct session *session = session_find(server, ipc->badge);
    if (!session) {
        return STATUS_WRONG_TYPE;
    }
    context->call.read_only = session->read_only;
    return STATUS_OK;
}

/* The same for a call on an open file. */
static status_t begin_file(struct context *context, void *server, struct ipc_call *ipc)
{
    begin(context, server, ipc);
    context->file = file_find(server, ipc->badge);
    if (!context->file) {
        return STATUS_WRONG_TYPE;
    }
    context->call.read_only = context->file->read_only;
    return STATUS_OK;
}

static status_t end(struct context *context, status_t status)
{
    if (context->file) {
        file_done(context->server, context->file);
    }
    if (status == STATUS_PENDING) {
        status = remote_wait(context->server, context->ipc, context->call.wanted);
    }
    pthread_mutex_unlock(&context->server->lock);
    return status;
}

/* --- granted buffers as sinks and sources ----------------------------------------------------------------------- */

struct grant_sink {
    struct vfs_sink sink;
    uint64_t token;
    struct ipc_grant grant;
};

static status_t grant_put(struct vfs_sink *base, uint64_t at, const void *data, size_t bytes)
{
    const struct grant_sink *sink = VFS_CONTAINER(base, struct grant_sink, sink);
    size_t done;
    return ipc_grant_write(sink->token, sink->grant, at, data, bytes, &done);
}

struct grant_source {
    struct vfs_source source;
    uint64_t token;
    struct ipc_grant grant;
};

static status_t grant_get(struct vfs_source *base, uint64_t at, void *data, size_t bytes)
{
    const struct grant_source *source = VFS_CONTAINER(base, struct grant_source, source);
    size_t done;
    return ipc_grant_read(source->token, source->grant, at, data, bytes, &done);
}

/* --- sessions and opening --------------------------------------------------------------------------------------- */

static status_t call_connect(void *instance, struct ipc_call *ipc, uint32_t flags,
                             handle_t *session)
{
    struct vfs_server *server = instance;
    uint64_t badge;
    if (badge_is_ours(ipc->badge)) {
        return STATUS_WRONG_TYPE;
    }
    pthread_mutex_lock(&server->lock);
    status_t status = session_begin(server, ipc->badge, !(flags & FILE_SESSION_WRITE), &badge);
    if (status_is_ok(status)) {
        status = sys_cap_derive(server->endpoint, SESSION_RIGHTS, badge, session);
        if (!status_is_ok(status)) {
            badge_closed(server, badge);
        }
    }
    pthread_mutex_unlock(&server->lock);
    return status;
}

/* @file is open: make it the caller's. */
static status_t give_file(struct context *context, struct vfs_file *file, handle_t *handle,
                          struct file_status *result)
{
    struct vfs_server *server = context->server;
    uint64_t badge;
    status_t status = vfs_attributes(&server->vfs, &context->call, file, result);
    if (status_is_ok(status)) {
        status = file_begin(server, context->ipc->badge, file, &badge);
    }
    if (!status_is_ok(status)) {
        vfs_close(&server->vfs, file);
        return status;
    }
    status = sys_cap_derive(server->endpoint, SESSION_RIGHTS, badge, handle);
    if (!status_is_ok(status)) {
        badge_closed(server, badge);
    }
    return status;
}

static status_t call_open(void *instance, struct ipc_call *ipc, const char *path, uint32_t flags,
                          uint32_t mode, handle_t *handle, struct file_status *result)
{
    struct context context;
    struct vfs_file file;
    status_t status = begin_session(&context, instance, ipc);
    if (status_is_ok(status)) {
        status = vfs_open(&context.server->vfs, &context.call, path, flags, mode, &file);
    }
    if (status_is_ok(status)) {
        status = give_file(&context, &file, handle, result);
    }
    return end(&context, status);
}

static status_t call_reopen(void *instance, struct ipc_call *ipc, uint64_t mount, uint64_t inode,
                            uint64_t generation, uint32_t flags, handle_t *handle,
                            struct file_status *result)
{
    struct context context;
    struct vfs_file file;
    struct vfs_id id = {.inode = inode, .generation = generation};
    status_t status = begin_session(&context, instance, ipc);
    if (status_is_ok(status)) {
        status = vfs_reopen(&context.server->vfs, &context.call, mount, id, flags, &file);
    }
    if (status_is_ok(status)) {
        status = give_file(&context, &file, handle, result);
    }
    return end(&context, status);
}

/* --- paths ------------------------------------------------------------------------------------------------------ */

static status_t call_status(void *instance, struct ipc_call *ipc, const char *path, uint32_t flags,
                            struct file_status *result)
{
    struct context context;
    status_t status = begin_session(&context, instance, ipc);
    if (status_is_ok(status)) {
        status = vfs_status(&context.server->vfs, &context.call, path, flags, result);
    }
    return end(&context, status);
}

static status_t call_readlink(void *instance, struct ipc_call *ipc, const char *path,
                              struct ipc_grant buffer, uint64_t *bytes)
{
    struct context context;
    char target[FS_LINK_BYTES];
    size_t length = 0;
    status_t status = begin_session(&context, instance, ipc);
    if (status_is_ok(status)) {
        size_t room = buffer.length < sizeof target ? (size_t)buffer.length : sizeof target;
        status = vfs_readlink(&context.server->vfs, &context.call, path, target, room, &length);
    }
    if (status_is_ok(status)) {
        size_t done;
        status = ipc_grant_write(ipc->token, buffer, 0, target, length, &done);
    }
    *bytes = length;
    return end(&context, status);
}

static status_t call_mkdir(void *instance, struct ipc_call *ipc, const char *path, uint32_t mode)
{
    struct context context;
    status_t status = begin_session(&context, instance, ipc);
    if (status_is_ok(status)) {
        status = vfs_mkdir(&context.server->vfs, &context.call, path, mode);
    }
    return end(&context, status);
}

static status_t call_symlink(void *instance, struct ipc_call *ipc, const char *target,
                             const char *path)
{
    struct context context;
    status_t status = begin_session(&context, instance, ipc);
    if (status_is_ok(status)) {
        status = vfs_symlink(&context.server->vfs, &context.call, target, path);
    }
    return end(&context, status);
}

static status_t call_link(void *instance, struct ipc_call *ipc, const char *existing,
                          const char *path)
{
    struct context context;
    status_t status = begin_session(&context, instance, ipc);
    if (status_is_ok(status)) {
        status = vfs_link(&context.server->vfs, &context.call, existing, path);
    }
    return end(&context, status);
}

static status_t call_unlink(void *instance, struct ipc_call *ipc, const char *path)
{
    struct context context;
    status_t status = begin_session(&context, instance, ipc);
    if (status_is_ok(status)) {
        status = vfs_unlink(&context.server->vfs, &context.call, path);
    }
    return end(&context, status);
}

static status_t call_rmdir(void *instance, struct ipc_call *ipc, const char *path)
{
    struct context context;
    status_t status = begin_session(&context, instance, ipc);
    if (status_is_ok(status)) {
        status = vfs_rmdir(&context.server->vfs, &context.call, path);
    }
    return end(&context, status);
}

static status_t call_rename(void *instance, struct ipc_call *ipc, const char *old_path,
                            const char *new_path, uint32_t flags)
{
    struct context context;
    status_t status = begin_session(&context, instance, ipc);
    if (status_is_ok(status)) {
        status = vfs_rename(&context.server->vfs, &context.call, old_path, new_path, flags);
    }
    return end(&context, status);
}

static status_t call_change(void *instance, struct ipc_call *ipc, const char *path, uint32_t flags,
                            const struct fs_changes *changes)
{
    struct context context;
    status_t status = begin_session(&context, instance, ipc);
    if (status_is_ok(status)) {
        status = vfs_change(&context.server->vfs, &context.call, path, flags, changes);
    }
    return end(&context, status);
}

/* --- file systems ----------------------------------------------------------------------------------------------- */

static status_t call_statfs(void *instance, struct ipc_call *ipc, const char *path,
                            struct fs_statistics *statistics)
{
    struct context context;
    status_t status = begin_session(&context, instance, ipc);
    if (status_is_ok(status)) {
        status = vfs_statfs(&context.server->vfs, &context.call, path, statistics);
    }
    return end(&context, status);
}

static status_t call_mount_next(void *instance, struct ipc_call *ipc, uint64_t after,
                                struct file_mount *result)
{
    struct context context;
    status_t status = begin_session(&context, instance, ipc);
    const struct vfs_mount *mount = vfs_mount_next(&context.server->vfs, after);
    if (!status_is_ok(status) || !mount) {
        return end(&context, mount ? status : STATUS_NOT_FOUND);
    }
    *result = (struct file_mount){.mount = mount->number};
    memcpy(result->path, mount->path, sizeof mount->path);
    memcpy(result->source, mount->source, sizeof mount->source);
    status = mount->fs->ops->statfs(mount->fs, &context.call, &result->statistics);
    result->answers = status_is_ok(status);
    if (mount->read_only || !mount->fs->ops->make) {
        result->statistics.properties |= FS_PROPERTY_READ_ONLY;
    }
    return end(&context, status == STATUS_PENDING ? status : STATUS_OK);
}

/* --- open files ------------------------------------------------------------------------------------------------- */

static status_t call_read(void *instance, struct ipc_call *ipc, uint64_t offset,
                          struct ipc_grant buffer, uint64_t *done)
{
    struct context context;
    struct grant_sink sink = {.sink.put = grant_put, .token = ipc->token, .grant = buffer};
    status_t status = begin_file(&context, instance, ipc);
    if (status_is_ok(status) && buffer.length > FILE_TRANSFER_BYTES) {
        status = STATUS_RANGE;
    }
    if (status_is_ok(status)) {
        status = vfs_read_at(&context.server->vfs, &context.call, &context.file->file, offset,
                             buffer.length, &sink.sink, done);
    }
    return end(&context, status);
}

static status_t call_write(void *instance, struct ipc_call *ipc, uint64_t offset,
                           struct ipc_grant buffer, uint64_t *done, uint64_t *end_offset)
{
    struct context context;
    struct grant_source source = {.source.get = grant_get, .token = ipc->token, .grant = buffer};
    status_t status = begin_file(&context, instance, ipc);
    if (status_is_ok(status) && buffer.length > FILE_TRANSFER_BYTES) {
        status = STATUS_RANGE;
    }
    if (status_is_ok(status)) {
        status = vfs_write_at(&context.server->vfs, &context.call, &context.file->file, offset,
                              buffer.length, &source.source, done, end_offset);
    }
    return end(&context, status);
}

static status_t call_readdir(void *instance, struct ipc_call *ipc, uint64_t cursor,
                             struct ipc_grant buffer, uint64_t *bytes, uint64_t *next)
{
    struct context context;
    _Alignas(8) uint8_t entries[READDIR_BYTES];
    size_t used = 0;
    status_t status = begin_file(&context, instance, ipc);
    if (status_is_ok(status)) {
        size_t room = buffer.length < sizeof entries ? (size_t)buffer.length : sizeof entries;
        status = vfs_readdir(&context.server->vfs, &context.call, &context.file->file, cursor,
                             entries, room, &used, next);
    }
    if (status_is_ok(status) && used) {
        size_t done;
        status = ipc_grant_write(ipc->token, buffer, 0, entries, used, &done);
    }
    *bytes = used;
    return end(&context, status);
}

static status_t call_attributes(void *instance, struct ipc_call *ipc, struct file_status *result)
{
    struct context context;
    status_t status = begin_file(&context, instance, ipc);
    if (status_is_ok(status)) {
        status = vfs_attributes(&context.server->vfs, &context.call, &context.file->file, result);
    }
    return end(&context, status);
}

static status_t call_truncate(void *instance, struct ipc_call *ipc, uint64_t bytes)
{
    struct context context;
    status_t status = begin_file(&context, instance, ipc);
    if (status_is_ok(status)) {
        status = vfs_truncate(&context.server->vfs, &context.call, &context.file->file, bytes);
    }
    return end(&context, status);
}

static status_t call_image(void *instance, struct ipc_call *ipc, handle_t *memory, uint64_t *offset,
                           uint64_t *bytes)
{
    struct context context;
    struct file_status file;
    status_t status = begin_file(&context, instance, ipc);
    struct vfs_server *server = context.server;
    if (status_is_ok(status)) {
        status = vfs_attributes(&server->vfs, &context.call, &context.file->file, &file);
    }
    if (status == STATUS_PENDING || (status_is_ok(status) && file.mount != MOUNT_BOOT)) {
        status = STATUS_UNSUPPORTED;
    }
    if (status_is_ok(status)) {
        struct vfs_id id = {.inode = file.attributes.inode,
                            .generation = file.attributes.generation};
        status = archive_fs_range(server->archive, id, offset, bytes);
    }
    if (status_is_ok(status) && *offset % PAGE_SIZE != 0) {
        status = STATUS_UNSUPPORTED;
    }
    if (status_is_ok(status)) {
        uint32_t rights = RIGHT_READ | RIGHT_EXECUTE | RIGHT_COPY | RIGHT_TRANSFER;
        status = sys_cap_derive(server->archive_memory, rights, 0, memory);
    }
    return end(&context, status);
}

static status_t call_sync(void *instance, struct ipc_call *ipc)
{
    struct context context;
    status_t status = begin_file(&context, instance, ipc);
    if (status_is_ok(status)) {
        status = vfs_sync(&context.server->vfs, &context.call, &context.file->file);
    }
    return end(&context, status);
}

const struct files_ops calls_ops = {
    .connect = call_connect,
    .open = call_open,
    .reopen = call_reopen,
    .status = call_status,
    .readlink = call_readlink,
    .mkdir = call_mkdir,
    .symlink = call_symlink,
    .link = call_link,
    .unlink = call_unlink,
    .rmdir = call_rmdir,
    .rename = call_rename,
    .change = call_change,
    .statfs = call_statfs,
    .mount_next = call_mount_next,
    .read = call_read,
    .write = call_write,
    .readdir = call_readdir,
    .attributes = call_attributes,
    .truncate = call_truncate,
    .image = call_image,
    .sync = call_sync,
};
