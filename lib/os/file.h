#pragma once
/* An open file: what file.c and file_ahead.c share. */
#include <os/file.h>

struct file {
    handle_t handle; /* HANDLE_NONE: to be reopened */
    uint32_t flags;
    uint32_t type;
    uint64_t mount;
    uint64_t inode;
    uint64_t generation;
    uint64_t offset; /* of a directory: the cursor of the next entry */
    uint8_t *entries;
    size_t entries_used;
    size_t entries_at;
};
