/* The inodes that are kept open: one for each remainder of the number, the newer one wins. */
#include "server.h"

status_t server_inode_any(struct ext4_server *server, uint64_t number, struct ext4_inode **out)
{
    struct ext4_inode **slot = &server->inodes[number % OPEN_INODES];
    struct ext4_stat stat;
    if (*slot != NULL) {
        ext4_inode_stat(*slot, &stat);
        if (stat.inode == number) {
            *out = *slot;
            return STATUS_OK;
        }
    }
    if (number > UINT32_MAX)
        return STATUS_GONE;
    struct ext4_inode *inode;
    status_t s = ext4_inode_open(server->fs, (uint32_t)number, &inode);
    if (s != STATUS_OK)
        return s == STATUS_NOT_FOUND ? STATUS_GONE : s;
    if (*slot != NULL)
        ext4_inode_close(*slot);
    *slot = inode;
    *out = inode;
    return STATUS_OK;
}

status_t server_inode(struct ext4_server *server, uint64_t number, uint64_t generation,
                      struct ext4_inode **out)
{
    struct ext4_stat stat;
    status_t s = server_inode_any(server, number, out);
    if (s != STATUS_OK)
        return s;
    ext4_inode_stat(*out, &stat);
    return stat.generation == generation ? STATUS_OK : STATUS_GONE;
}

void server_inodes_close(struct ext4_server *server)
{
    for (size_t i = 0; i < OPEN_INODES; i++) {
        if (server->inodes[i] != NULL)
            ext4_inode_close(server->inodes[i]);
        server->inodes[i] = NULL;
    }
}
