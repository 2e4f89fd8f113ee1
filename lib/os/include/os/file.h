/* Files, as native programs see them: a client of the vfs service (idl/files.idl).
 *
 * A struct file keeps what the service does not: the offset, the directory cursor, and the file's identity (mount,
 * inode, generation). When the service, or a file system below it, dies, the next call connects again, reopens the
 * file by that identity and is repeated, so a reader never notices. What is not repeated is a change whose answer
 * was lost: it ends with PEER_DIED, and the caller decides.
 *
 * Paths may be relative to the process's current directory, which lives here and not in the service. The session and
 * the current directory belong to the process and may be used from all threads; a struct file belongs to one
 * thread at a time. Statuses are those of idl/files.idl; every function that takes a path may answer RANGE (the
 * absolute path is longer than FILE_PATH_BYTES), and all may answer PEER_DIED if no vfs service comes back in time. */
#pragma once

#include <idl/files.h>
#include <idl/fs.h>
#include <os/process.h>
#include <stddef.h>
#include <stdint.h>
#include <veridian/abi.h>

struct file;

/* A directory entry; @name is NUL-terminated. */
struct file_entry {
    uint64_t inode;
    uint32_t type; /* enum fs_type */
    uint32_t name_bytes;
    char name[FS_NAME_BYTES + 1];
};

/* Open @path. @flags: FILE_OPEN_*; @mode: permission bits of a new file. The offset begins at 0.
 * On success *@file is the caller's to file_close(). */
status_t file_open(const char *path, uint32_t flags, uint32_t mode, struct file **file);
/* Close and free @file; NULL is ignored. */
void file_close(struct file *file);

/* Read up to @bytes at the offset and move it. *@done is less than @bytes at the end of the file only. */
status_t file_read(struct file *file, void *buffer, size_t bytes, size_t *done);
/* The same at @offset; the file's own offset stays. */
status_t file_read_at(struct file *file, uint64_t offset, void *buffer, size_t bytes, size_t *done);
/* Write @bytes at the offset (FILE_OPEN_APPEND: at the end) and move it. If not all was written the status says why,
 * and *@done how much was. */
status_t file_write(struct file *file, const void *buffer, size_t bytes, size_t *done);
status_t file_write_at(struct file *file, uint64_t offset, const void *buffer, size_t bytes,
                       size_t *done);
/* Reading a file in order, ahead of its reader: from the second part on several calls are in flight, and the file system works while
 * the caller does. Until file_ahead_end() the file is the reader's. */
#define FILE_AHEAD_BYTES ((size_t)65536)
struct file_ahead;
/* Begin at the file's offset. */
status_t file_ahead_begin(struct file *file, struct file_ahead **ahead);
/* The next *@bytes, at *@data until the next call; the offset moves behind them. Less than FILE_AHEAD_BYTES at the end of the file only;
 * 0: nothing more. */
status_t file_ahead_next(struct file_ahead *ahead, const uint8_t **data, size_t *bytes);
/* Waits for the calls that are in flight. NULL is ignored. */
void file_ahead_end(struct file_ahead *ahead);
uint64_t file_offset(const struct file *file);
/* Set the offset of a file; of a directory, 0 or what file_offset() gave goes back there. */
void file_seek(struct file *file, uint64_t offset);

/* The next entry of an open directory, without "." and "..". NOT_FOUND: no more. */
status_t file_readdir(struct file *file, struct file_entry *entry);

status_t file_attributes(struct file *file, struct file_status *status);
status_t file_truncate(struct file *file, uint64_t bytes);
/* Everything written to @file is on its medium. */
status_t file_sync(struct file *file);
/* The whole file at @path in memory from malloc(), with a NUL behind it that *@bytes does not count. */
status_t file_load(const char *path, void **data, size_t *bytes);

/* The file at @path as a program to be started; image->memory is the caller's to close. The bytes are those of now: a
 * change of the file does not reach them. A copy is charged to @budget; HANDLE_NONE: this process's own. */
status_t file_image(const char *path, handle_t budget, struct process_image *image);

/* @flags: FILE_PATH_NO_FOLLOW or 0. */
status_t file_status(const char *path, uint32_t flags, struct file_status *status);
status_t file_change(const char *path, uint32_t flags, const struct fs_changes *changes);
status_t file_mkdir(const char *path, uint32_t mode);
status_t file_unlink(const char *path);
status_t file_rmdir(const char *path);
/* @flags: FS_RENAME_NO_REPLACE or 0. */
status_t file_rename(const char *old_path, const char *new_path, uint32_t flags);
status_t file_symlink(const char *target, const char *path);
status_t file_link(const char *existing, const char *path);
/* The target of a symbolic link, NUL-terminated. RANGE: @bytes are too few. */
status_t file_readlink(const char *path, char *buffer, size_t bytes);
status_t file_statfs(const char *path, struct fs_statistics *statistics);
/* The mount with the least number above @after. NOT_FOUND: no more. */
status_t file_mount_next(uint64_t after, struct file_mount *mount);

/* Change the current directory; WRONG_TYPE if it is none. It begins as what the environment's PWD says, else "/". */
status_t file_set_current(const char *path);
/* The current directory as an absolute path, NUL-terminated. RANGE: @bytes are too few. */
status_t file_current(char *buffer, size_t bytes);
/* @path as an absolute path, NUL-terminated, with "." and empty components taken out. */
status_t file_absolute(const char *path, char *buffer, size_t bytes);
