/* The boot archive (cpio, "newc") as a read-only file system. The archive stays where it is: reading hands out pointers
 * into it. It is checked when it is opened; what is malformed ends it there. */
#pragma once

#include <vfs/fs.h>

struct archive_fs;

/* The archive of @bytes at @data, which must stay. CORRUPT: no archive, or no trailer; NO_MEMORY. */
status_t archive_fs_open(const void *data, uint64_t bytes, struct archive_fs **archive);
void archive_fs_close(struct archive_fs *archive);
struct vfs_fs *archive_fs_vfs(struct archive_fs *archive);
/* Where in the archive the file @id is. GONE; WRONG_TYPE: a directory. */
status_t archive_fs_range(const struct archive_fs *archive, struct vfs_id id, uint64_t *offset,
                          uint64_t *bytes);
