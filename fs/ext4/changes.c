/* The file system is read-only: every change is answered with the one status that says so. */
#include "server.h"

status_t deny_create(void *instance, struct ipc_call *call, uint64_t directory, uint64_t generation,
                     const char *name, uint32_t mode, struct fs_attributes *attributes,
                     uint64_t *transaction)
{
    (void)instance, (void)call, (void)directory, (void)generation;
    (void)name, (void)mode, (void)attributes, (void)transaction;
    return STATUS_DENIED;
}

status_t deny_symlink(void *instance, struct ipc_call *call, uint64_t directory,
                      uint64_t generation, const char *name, struct ipc_grant target,
                      struct fs_attributes *attributes, uint64_t *transaction)
{
    (void)instance, (void)call, (void)directory, (void)generation;
    (void)name, (void)target, (void)attributes, (void)transaction;
    return STATUS_DENIED;
}

status_t deny_link(void *instance, struct ipc_call *call, uint64_t inode, uint64_t inode_generation,
                   uint64_t directory, uint64_t generation, const char *name,
                   struct fs_attributes *attributes, uint64_t *transaction)
{
    (void)instance, (void)call, (void)inode, (void)inode_generation, (void)directory;
    (void)generation, (void)name, (void)attributes, (void)transaction;
    return STATUS_DENIED;
}

status_t deny_unlink(void *instance, struct ipc_call *call, uint64_t directory, uint64_t generation,
                     const char *name, uint64_t *transaction)
{
    (void)instance, (void)call, (void)directory, (void)generation, (void)name, (void)transaction;
    return STATUS_DENIED;
}

status_t deny_rename(void *instance, struct ipc_call *call, uint64_t old_directory,
                     uint64_t old_generation, const char *old_name, uint64_t new_directory,
                     uint64_t new_generation, const char *new_name, uint32_t flags,
                     uint64_t *transaction)
{
    (void)instance, (void)call, (void)old_directory, (void)old_generation, (void)old_name;
    (void)new_directory, (void)new_generation, (void)new_name, (void)flags, (void)transaction;
    return STATUS_DENIED;
}

status_t deny_write(void *instance, struct ipc_call *call, uint64_t inode, uint64_t generation,
                    uint64_t offset, struct ipc_grant buffer, uint64_t *done, uint64_t *transaction)
{
    (void)instance, (void)call, (void)inode, (void)generation;
    (void)offset, (void)buffer, (void)done, (void)transaction;
    return STATUS_DENIED;
}

status_t deny_truncate(void *instance, struct ipc_call *call, uint64_t inode, uint64_t generation,
                       uint64_t bytes, uint64_t *transaction)
{
    (void)instance, (void)call, (void)inode, (void)generation, (void)bytes, (void)transaction;
    return STATUS_DENIED;
}

status_t deny_setattr(void *instance, struct ipc_call *call, uint64_t inode, uint64_t generation,
                      const struct fs_changes *changes, struct fs_attributes *attributes,
                      uint64_t *transaction)
{
    (void)instance, (void)call, (void)inode, (void)generation;
    (void)changes, (void)attributes, (void)transaction;
    return STATUS_DENIED;
}
