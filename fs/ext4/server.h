/* The ext4 server: idl/fs.idl over the reader in core/.
 *
 * One mounted file system, one worker. A session is nothing but a badge: each call names its
 * file by (inode, generation), so there is no state of a client that could be lost or leak, and
 * after a restart a client goes on with the numbers that it has. Inodes that were used last are
 * kept open, to be read and verified once and not at every call; that too is only a cache. All
 * changes answer DENIED. */
#pragma once

#include "core/ext4.h"

#include <idl/fs.h>
#include <os/ipc.h>

#define OPEN_INODES 128u
/* What is carried from the reader to a caller's buffer at once. */
#define TRANSFER_BYTES ((size_t)128 << 10)

struct ext4_server {
    status_t
        refusal; /* why the medium cannot be mounted: whoever connects hears it, and there is no session */
    struct ext4_fs *fs;
    handle_t endpoint;                      /* sessions are derived from it */
    uint64_t sessions;                      /* given so far */
    struct ext4_inode *inodes[OPEN_INODES]; /* by number modulo OPEN_INODES; null: none */
    uint8_t *transfer;                      /* TRANSFER_BYTES */
};

extern const struct fs_ops ext4_service_ops;

/* --- inodes.c --- */

/** Inode @number of this @generation, or GONE. It stays open until the next call of this
 *  function. */
MUST_CHECK status_t server_inode(struct ext4_server *server, uint64_t number, uint64_t generation,
                                 struct ext4_inode **out);
/** The same whatever its generation. */
MUST_CHECK status_t server_inode_any(struct ext4_server *server, uint64_t number,
                                     struct ext4_inode **out);
void server_inodes_close(struct ext4_server *server);

/* --- attributes.c --- */

void attributes_of(const struct ext4_inode *inode, struct fs_attributes *out);
uint32_t fs_type_of(enum ext4_type type);

/* --- readdir.c --- */

/** Pack entries from *@cursor on into @buffer; see fs.readdir. */
MUST_CHECK status_t readdir_pack(struct ext4_inode *directory, uint64_t *cursor, uint8_t *buffer,
                                 size_t capacity, size_t *used);

/* --- changes.c: they all answer DENIED --- */

status_t deny_create(void *instance, struct ipc_call *call, uint64_t directory, uint64_t generation,
                     const char *name, uint32_t mode, struct fs_attributes *attributes,
                     uint64_t *transaction);
status_t deny_symlink(void *instance, struct ipc_call *call, uint64_t directory,
                      uint64_t generation, const char *name, struct ipc_grant target,
                      struct fs_attributes *attributes, uint64_t *transaction);
status_t deny_link(void *instance, struct ipc_call *call, uint64_t inode, uint64_t inode_generation,
                   uint64_t directory, uint64_t generation, const char *name,
                   struct fs_attributes *attributes, uint64_t *transaction);
status_t deny_unlink(void *instance, struct ipc_call *call, uint64_t directory, uint64_t generation,
                     const char *name, uint64_t *transaction);
status_t deny_rename(void *instance, struct ipc_call *call, uint64_t old_directory,
                     uint64_t old_generation, const char *old_name, uint64_t new_directory,
                     uint64_t new_generation, const char *new_name, uint32_t flags,
                     uint64_t *transaction);
status_t deny_write(void *instance, struct ipc_call *call, uint64_t inode, uint64_t generation,
                    uint64_t offset, struct ipc_grant buffer, uint64_t *done,
                    uint64_t *transaction);
status_t deny_truncate(void *instance, struct ipc_call *call, uint64_t inode, uint64_t generation,
                       uint64_t bytes, uint64_t *transaction);
status_t deny_setattr(void *instance, struct ipc_call *call, uint64_t inode, uint64_t generation,
                      const struct fs_changes *changes, struct fs_attributes *attributes,
                      uint64_t *transaction);
