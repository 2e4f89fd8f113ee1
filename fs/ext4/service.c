/* The operations of fs.idl that read. The caller's buffer is reached only through its grant, and
 * a fault there ends the call with FAULT: the page has then been asked for in the caller's name,
 * and its stub may call again. */
#include "server.h"

#include <string.h>
#include <veridian/syscalls.h>

#define SESSION_RIGHTS (RIGHT_CALL | RIGHT_COPY | RIGHT_TRANSFER)

/* Marks the badges of sessions; those that connect capabilities may have never reach it. */
#define SESSION_BADGE ((uint64_t)1 << 63)

static bool is_session(const struct ipc_call *call)
{
    return (call->badge & SESSION_BADGE) != 0;
}

/* Only a session may do more than connect. */
static status_t session_check(const struct ipc_call *call)
{
    return is_session(call) ? STATUS_OK : STATUS_DENIED;
}

static status_t service_connect(void *instance, struct ipc_call *call, uint32_t flags,
                                handle_t *session)
{
    struct ext4_server *server = instance;
    (void)flags;
    if (is_session(call))
        return STATUS_INVALID;
    if (server->refusal != STATUS_OK)
        return server->refusal;
    return sys_cap_derive(server->endpoint, SESSION_RIGHTS, SESSION_BADGE | ++server->sessions,
                          session);
}

static status_t service_root(void *instance, struct ipc_call *call,
                             struct fs_attributes *attributes)
{
    struct ext4_inode *inode;
    status_t s = session_check(call);
    if (s != STATUS_OK)
        return s;
    s = server_inode_any(instance, EXT4_ROOT_INODE, &inode);
    if (s != STATUS_OK)
        return s == STATUS_GONE ? STATUS_CORRUPT : s;
    attributes_of(inode, attributes);
    return STATUS_OK;
}

/* Names are components of a path; "." and ".." are the client's business. */
static bool name_is_sane(const char *name, size_t bytes)
{
    if (bytes == 0 || memchr(name, '/', bytes) != NULL)
        return false;
    return bytes > 2 || memcmp(name, "..", bytes) != 0;
}

static status_t service_lookup(void *instance, struct ipc_call *call, uint64_t directory,
                               uint64_t generation, const char *name,
                               struct fs_attributes *attributes)
{
    struct ext4_inode *inode;
    uint32_t number;
    enum ext4_type type;
    size_t bytes = strlen(name);
    status_t s = session_check(call);
    if (s == STATUS_OK)
        s = server_inode(instance, directory, generation, &inode);
    if (s == STATUS_OK)
        s = name_is_sane(name, bytes) ? ext4_lookup(inode, name, bytes, &number, &type)
                                      : STATUS_INVALID;
    if (s != STATUS_OK)
        return s;
    /* The name is there, so an inode that is not is the medium's fault. */
    s = server_inode_any(instance, number, &inode);
    if (s != STATUS_OK)
        return s == STATUS_GONE ? STATUS_CORRUPT : s;
    attributes_of(inode, attributes);
    return STATUS_OK;
}

static status_t service_attributes(void *instance, struct ipc_call *call, uint64_t number,
                                   uint64_t generation, struct fs_attributes *attributes)
{
    struct ext4_inode *inode;
    status_t s = session_check(call);
    if (s == STATUS_OK)
        s = server_inode(instance, number, generation, &inode);
    if (s == STATUS_OK)
        attributes_of(inode, attributes);
    return s;
}

/* @bytes of the transfer buffer to @offset of the caller's. */
static status_t give(const struct ext4_server *server, const struct ipc_call *call,
                     struct ipc_grant grant, uint64_t offset, size_t bytes)
{
    size_t done;
    if (bytes == 0)
        return STATUS_OK;
    return ipc_grant_write(call->token, grant, offset, server->transfer, bytes, &done);
}

static status_t service_read(void *instance, struct ipc_call *call, uint64_t number,
                             uint64_t generation, uint64_t offset, struct ipc_grant buffer,
                             uint64_t *done)
{
    struct ext4_server *server = instance;
    struct ext4_inode *inode;
    status_t s = session_check(call);
    if (s == STATUS_OK)
        s = server_inode(server, number, generation, &inode);
    *done = 0;
    while (s == STATUS_OK && *done < buffer.length) {
        uint64_t rest = buffer.length - *done;
        size_t want = rest < TRANSFER_BYTES ? (size_t)rest : TRANSFER_BYTES;
        size_t part;
        uint64_t from;
        /* Behind the end of all files there is nothing, but it is no mistake to look. */
        if (__builtin_add_overflow(offset, *done, &from))
            break;
        s = ext4_read(inode, from, server->transfer, want, &part);
        if (s == STATUS_OK)
            s = give(server, call, buffer, *done, part);
        *done += part;
        if (part < want)
            break;
    }
    return s;
}

static status_t service_readdir(void *instance, struct ipc_call *call, uint64_t directory,
                                uint64_t generation, uint64_t cursor, struct ipc_grant buffer,
                                uint64_t *bytes, uint64_t *next)
{
    struct ext4_server *server = instance;
    struct ext4_inode *inode;
    size_t used = 0;
    size_t capacity = buffer.length < TRANSFER_BYTES ? (size_t)buffer.length : TRANSFER_BYTES;
    status_t s = session_check(call);
    if (s == STATUS_OK)
        s = server_inode(server, directory, generation, &inode);
    if (s == STATUS_OK)
        s = readdir_pack(inode, &cursor, server->transfer, capacity, &used);
    if (s == STATUS_OK)
        s = give(server, call, buffer, 0, used);
    *bytes = used;
    *next = cursor;
    return s;
}

static status_t service_readlink(void *instance, struct ipc_call *call, uint64_t number,
                                 uint64_t generation, struct ipc_grant buffer, uint64_t *bytes)
{
    struct ext4_server *server = instance;
    struct ext4_inode *inode;
    size_t length = 0;
    size_t capacity = buffer.length < TRANSFER_BYTES ? (size_t)buffer.length : TRANSFER_BYTES;
    status_t s = session_check(call);
    if (s == STATUS_OK)
        s = server_inode(server, number, generation, &inode);
    if (s == STATUS_OK)
        s = ext4_readlink(inode, (char *)server->transfer, capacity, &length);
    if (s == STATUS_OK)
        s = give(server, call, buffer, 0, length);
    *bytes = length;
    return s;
}

static status_t service_statfs(void *instance, struct ipc_call *call,
                               struct fs_statistics *statistics)
{
    const struct ext4_server *server = instance;
    struct ext4_statfs statfs;
    status_t s = session_check(call);
    if (s != STATUS_OK)
        return s;
    ext4_statfs(server->fs, &statfs);
    *statistics = (struct fs_statistics){
        .block_bytes = statfs.block_bytes,
        .blocks = statfs.blocks,
        .blocks_free = statfs.blocks_free,
        .blocks_available = statfs.blocks_available,
        .inodes = statfs.inodes,
        .inodes_free = statfs.inodes_free,
        .properties = FS_PROPERTY_READ_ONLY,
        .kind = "ext4",
    };
    memcpy(statistics->uuid, statfs.uuid, sizeof(statistics->uuid));
    memcpy(statistics->label, statfs.label, sizeof(statfs.label));
    return STATUS_OK;
}

/* Nothing was changed, so everything is on the medium. */
static status_t service_sync(void *instance, struct ipc_call *call, uint64_t *transaction)
{
    (void)instance;
    *transaction = 0;
    return session_check(call);
}

const struct fs_ops ext4_service_ops = {
    .connect = service_connect,
    .root = service_root,
    .lookup = service_lookup,
    .attributes = service_attributes,
    .read = service_read,
    .readdir = service_readdir,
    .readlink = service_readlink,
    .statfs = service_statfs,
    .create = deny_create,
    .mkdir = deny_create,
    .symlink = deny_symlink,
    .link = deny_link,
    .unlink = deny_unlink,
    .rmdir = deny_unlink,
    .rename = deny_rename,
    .write = deny_write,
    .truncate = deny_truncate,
    .setattr = deny_setattr,
    .sync = service_sync,
};
