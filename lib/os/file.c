/* Files: the client of the vfs service. See os/file.h.
 *
 * One session for the process, made when first needed. A call whose server is gone is tried again, after a new connect
 * and, for an open file, a reopen, until PATIENCE_NS have passed. STALE means that the call was not carried out, so
 * it may always be repeated; after PEER_DIED only a call whose repetition does no harm is. */
#include "file.h"

#include <idl/files.h>
#include <os/clock.h>
#include <os/file.h>
#include <os/memory.h>
#include <os/start.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define PATIENCE_NS (120 * NS_PER_S)
#define RETRY_NS (10 * NS_PER_MS)
#define ENTRIES_BYTES 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static handle_t session;
static char current[FILE_PATH_BYTES + 1];

/* --- attempts --------------------------------------------------------------------------------------------- */

struct attempt {
    handle_t session;
    uint64_t deadline_ns; /* 0: there was no reason to look at the clock */
    bool started;
    bool repeatable; /* a call may be carried out twice */
};

static status_t session_get(handle_t *result)
{
    status_t status = STATUS_OK;
    handle_t vfs = os_cap("vfs");
    if (vfs == HANDLE_NONE) {
        return STATUS_DENIED;
    }
    pthread_mutex_lock(&lock);
    if (session == HANDLE_NONE) {
        status = files_connect(vfs, FILE_SESSION_WRITE, &session);
    }
    *result = session;
    pthread_mutex_unlock(&lock);
    return status;
}

/* @lost is of no use any more; false: it is not the session any more either. */
static bool session_drop(handle_t lost)
{
    pthread_mutex_lock(&lock);
    bool was_current = session == lost;
    if (was_current && lost != HANDLE_NONE) {
        status_ignore(sys_cap_close(session));
        session = HANDLE_NONE;
    }
    pthread_mutex_unlock(&lock);
    return was_current;
}

/* Whether what ended with @status can be tried again. */
static bool is_away(const struct attempt *attempt, status_t status)
{
    return status == STATUS_STALE || (status == STATUS_PEER_DIED && attempt->repeatable);
}

static bool wait_a_little(struct attempt *attempt)
{
    if (attempt->deadline_ns == 0) {
        attempt->deadline_ns = clock_deadline(PATIENCE_NS);
    } else if (clock_now_ns() >= attempt->deadline_ns) {
        return false;
    }
    clock_sleep(RETRY_NS);
    return true;
}

/* Have a session. */
static status_t attempt_connect(struct attempt *attempt)
{
    for (;;) {
        status_t status = session_get(&attempt->session);
        if ((status != STATUS_PEER_DIED && status != STATUS_STALE) || !wait_a_little(attempt)) {
            return status;
        }
    }
}

/* Whether to make a call on attempt->session: the first, or another one after what ended with *@status. */
static bool attempt_next(struct attempt *attempt, status_t *status)
{
    if (!attempt->started) {
        attempt->started = true;
        *status = attempt_connect(attempt);
        return status_is_ok(*status);
    }
    /* Another thread may have closed the handle between our getting and using it. */
    bool closed = *status == STATUS_BAD_HANDLE;
    if (!closed && !is_away(attempt, *status)) {
        return false;
    }
    bool was_current = session_drop(attempt->session);
    if ((closed && was_current) || !wait_a_little(attempt)) {
        return false;
    }
    *status = attempt_connect(attempt);
    return status_is_ok(*status);
}

/* Open @file again, by its identity. */
static status_t reopen(struct file *file)
{
    struct file_status identity;
    struct attempt again = {.repeatable = true};
    status_t status = STATUS_OK;
    while (attempt_next(&again, &status)) {
        status = files_reopen(again.session, file->mount, file->inode, file->generation,
                              file->flags, &file->handle, &identity);
    }
    if (!status_is_ok(status)) {
        file->handle = HANDLE_NONE;
    }
    return status;
}

/* The same as attempt_next() for calls on file->handle. */
static bool attempt_file(struct attempt *attempt, struct file *file, status_t *status)
{
    bool first = !attempt->started;
    attempt->started = true;
    if (!first && (!is_away(attempt, *status) || !wait_a_little(attempt))) {
        return false;
    }
    if (!first || file->handle == HANDLE_NONE) {
        if (file->handle != HANDLE_NONE) {
            status_ignore(sys_cap_close(file->handle));
            file->handle = HANDLE_NONE;
        }
        *status = reopen(file);
        return status_is_ok(*status);
    }
    return true;
}

/* --- paths ------------------------------------------------------------------------------------------------ */

/* Append @path to what @buffer holds, component by component; ".." goes up in the text if @climb. */
static status_t append(char *buffer, size_t bytes, const char *path, bool climb)
{
    size_t used = strlen(buffer);
    while (*path) {
        size_t skip = strspn(path, "/");
        size_t part = strcspn(path + skip, "/");
        const char *name = path + skip;
        path = name + part;
        if (part == 1 && name[0] == '.') {
            part = 0;
        }
        if (climb && part == 2 && memcmp(name, "..", 2) == 0) {
            while (used > 0 && buffer[--used] != '/') {
            }
            buffer[used] = '\0';
            continue;
        }
        bool slash =
            part > 0 || (*path == '\0' && !climb && (used == 0 || buffer[used - 1] != '/'));
        if (used + part + slash >= bytes) {
            return STATUS_RANGE;
        }
        if (slash) {
            buffer[used++] = '/';
        }
        memcpy(buffer + used, name, part);
        used += part;
        buffer[used] = '\0';
    }
    return STATUS_OK;
}

static status_t absolute(const char *path, char *buffer, size_t bytes, bool climb)
{
    if (bytes < 2) {
        return STATUS_RANGE;
    }
    if (path[0] == '\0') {
        return STATUS_INVALID;
    }
    buffer[0] = '\0';
    status_t status = path[0] == '/' ? STATUS_OK : file_current(buffer, bytes);
    if (strcmp(buffer, "/") == 0) {
        buffer[0] = '\0';
    }
    if (status_is_ok(status)) {
        status = append(buffer, bytes, path, climb);
    }
    if (buffer[0] == '\0') {
        strcpy(buffer, "/");
    }
    return status;
}

status_t file_absolute(const char *path, char *buffer, size_t bytes)
{
    return absolute(path, buffer, bytes, false);
}

status_t file_current(char *buffer, size_t bytes)
{
    pthread_mutex_lock(&lock);
    if (current[0] == '\0') {
        const char *pwd = getenv("PWD");
        strcpy(current, pwd && pwd[0] == '/' && strlen(pwd) < sizeof current ? pwd : "/");
    }
    bool fits = strlen(current) < bytes;
    if (fits) {
        strcpy(buffer, current);
    }
    pthread_mutex_unlock(&lock);
    return fits ? STATUS_OK : STATUS_RANGE;
}

status_t file_set_current(const char *path)
{
    char full[FILE_PATH_BYTES + 1];
    struct file_status info;
    status_t status = absolute(path, full, sizeof full, true);
    if (status_is_ok(status)) {
        status = file_status(full, 0, &info);
    }
    if (status_is_ok(status) && info.attributes.type != FS_TYPE_DIRECTORY) {
        status = STATUS_WRONG_TYPE;
    }
    if (status_is_ok(status)) {
        pthread_mutex_lock(&lock);
        strcpy(current, full);
        pthread_mutex_unlock(&lock);
    }
    return status;
}

/* --- open files ------------------------------------------------------------------------------------------- */

status_t file_open(const char *path, uint32_t flags, uint32_t mode, struct file **result)
{
    char full[FILE_PATH_BYTES + 1];
    struct file_status identity;
    struct file *file = calloc(1, sizeof *file);
    if (!file) {
        return STATUS_NO_MEMORY;
    }
    struct attempt attempt = {.repeatable = !(flags & FILE_OPEN_EXCLUSIVE)};
    status_t status = file_absolute(path, full, sizeof full);
    if (status_is_ok(status)) {
        while (attempt_next(&attempt, &status)) {
            status = files_open(attempt.session, full, flags, mode, &file->handle, &identity);
        }
    }
    if (!status_is_ok(status)) {
        free(file);
        return status;
    }
    file->flags = flags & (FILE_OPEN_READ | FILE_OPEN_WRITE | FILE_OPEN_APPEND);
    file->mount = identity.mount;
    file->inode = identity.attributes.inode;
    file->generation = identity.attributes.generation;
    file->type = identity.attributes.type;
    *result = file;
    return STATUS_OK;
}

void file_close(struct file *file)
{
    if (!file) {
        return;
    }
    if (file->handle != HANDLE_NONE) {
        status_ignore(sys_cap_close(file->handle));
    }
    free(file->entries);
    free(file);
}

static size_t transfer_bytes(size_t left)
{
    return left < FILE_TRANSFER_BYTES ? left : FILE_TRANSFER_BYTES;
}

status_t file_read_at(struct file *file, uint64_t offset, void *buffer, size_t bytes, size_t *done)
{
    *done = 0;
    while (*done < bytes) {
        size_t want = transfer_bytes(bytes - *done);
        uint64_t got = 0;
        struct attempt attempt = {.repeatable = true};
        status_t status = STATUS_OK;
        while (attempt_file(&attempt, file, &status)) {
            status =
                files_read(file->handle, offset + *done, (uint8_t *)buffer + *done, want, &got);
        }
        if (!status_is_ok(status)) {
            /* What came before the fault is good; the next call meets it again. */
            return *done ? STATUS_OK : status;
        }
        if (got > want) {
            return STATUS_CORRUPT;
        }
        *done += (size_t)got;
        if (got < want) {
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

status_t file_read(struct file *file, void *buffer, size_t bytes, size_t *done)
{
    status_t status = file_read_at(file, file->offset, buffer, bytes, done);
    file->offset += *done;
    return status;
}

/* As file_write_at(); *@end is the offset behind what was written. */
static status_t write_at(struct file *file, uint64_t offset, const void *buffer, size_t bytes,
                         size_t *done, uint64_t *end)
{
    *done = 0;
    *end = offset;
    while (*done < bytes) {
        size_t want = transfer_bytes(bytes - *done);
        uint64_t got = 0;
        struct attempt attempt = {.repeatable = !(file->flags & FILE_OPEN_APPEND)};
        status_t status = STATUS_OK;
        while (attempt_file(&attempt, file, &status)) {
            status = files_write(file->handle, offset + *done, (const uint8_t *)buffer + *done,
                                 want, &got, end);
        }
        if (!status_is_ok(status)) {
            return status;
        }
        if (got == 0 || got > want) {
            return STATUS_CORRUPT;
        }
        *done += (size_t)got;
    }
    return STATUS_OK;
}

status_t file_write_at(struct file *file, uint64_t offset, const void *buffer, size_t bytes,
                       size_t *done)
{
    uint64_t end;
    return write_at(file, offset, buffer, bytes, done, &end);
}

status_t file_write(struct file *file, const void *buffer, size_t bytes, size_t *done)
{
    uint64_t end;
    status_t status = write_at(file, file->offset, buffer, bytes, done, &end);
    if (*done) {
        file->offset = end;
    }
    return status;
}

uint64_t file_offset(const struct file *file)
{
    return file->offset;
}

void file_seek(struct file *file, uint64_t offset)
{
    file->offset = offset;
    file->entries_used = 0;
    file->entries_at = 0;
}

/* Read the next entries of a directory. NOT_FOUND: no more. */
static status_t entries_need(struct file *file)
{
    if (!file->entries) {
        file->entries = aligned_alloc(8, ENTRIES_BYTES);
        if (!file->entries) {
            return STATUS_NO_MEMORY;
        }
    }
    uint64_t used = 0;
    uint64_t next = 0;
    struct attempt attempt = {.repeatable = true};
    status_t status = STATUS_OK;
    while (attempt_file(&attempt, file, &status)) {
        status =
            files_readdir(file->handle, file->offset, file->entries, ENTRIES_BYTES, &used, &next);
    }
    if (!status_is_ok(status)) {
        return status;
    }
    if (used > ENTRIES_BYTES) {
        return STATUS_CORRUPT;
    }
    file->entries_used = (size_t)used;
    file->entries_at = 0;
    return used ? STATUS_OK : STATUS_NOT_FOUND;
}

status_t file_readdir(struct file *file, struct file_entry *entry)
{
    if (file->entries_at == file->entries_used) {
        status_t status = entries_need(file);
        if (!status_is_ok(status)) {
            return status;
        }
    }
    struct fs_entry head;
    size_t left = file->entries_used - file->entries_at;
    if (left < sizeof head) {
        return STATUS_CORRUPT;
    }
    memcpy(&head, file->entries + file->entries_at, sizeof head);
    if (head.record_bytes > left || head.name_bytes > FS_NAME_BYTES ||
        sizeof head + head.name_bytes > head.record_bytes) {
        return STATUS_CORRUPT;
    }
    *entry =
        (struct file_entry){.inode = head.inode, .type = head.type, .name_bytes = head.name_bytes};
    memcpy(entry->name, file->entries + file->entries_at + sizeof head, head.name_bytes);
    file->entries_at += head.record_bytes;
    file->offset = head.next;
    return STATUS_OK;
}

status_t file_attributes(struct file *file, struct file_status *info)
{
    struct attempt attempt = {.repeatable = true};
    status_t status = STATUS_OK;
    while (attempt_file(&attempt, file, &status)) {
        status = files_attributes(file->handle, info);
    }
    return status;
}

status_t file_truncate(struct file *file, uint64_t bytes)
{
    struct attempt attempt = {.repeatable = true};
    status_t status = STATUS_OK;
    while (attempt_file(&attempt, file, &status)) {
        status = files_truncate(file->handle, bytes);
    }
    return status;
}

status_t file_sync(struct file *file)
{
    struct attempt attempt = {.repeatable = true};
    status_t status = STATUS_OK;
    while (attempt_file(&attempt, file, &status)) {
        status = files_sync(file->handle);
    }
    return status;
}

/* --- whole files ------------------------------------------------------------------------------------------ */

/* All of @file, which has @bytes, into @buffer; less if it was cut meanwhile. */
static status_t read_all(struct file *file, void *buffer, size_t bytes, size_t *done)
{
    size_t part;
    status_t status = STATUS_OK;
    for (*done = 0; *done < bytes && status_is_ok(status); *done += part) {
        status = file_read(file, (uint8_t *)buffer + *done, bytes - *done, &part);
        if (status_is_ok(status) && part == 0) {
            break;
        }
    }
    return status;
}

static status_t open_whole(const char *path, struct file **file, size_t *bytes)
{
    struct file_status info;
    status_t status = file_open(path, FILE_OPEN_READ, 0, file);
    if (!status_is_ok(status)) {
        return status;
    }
    status = file_attributes(*file, &info);
    if (status_is_ok(status) && info.attributes.type != FS_TYPE_FILE) {
        status = STATUS_WRONG_TYPE;
    }
    if (!status_is_ok(status)) {
        file_close(*file);
        return status;
    }
    *bytes = info.attributes.bytes;
    return STATUS_OK;
}

status_t file_load(const char *path, void **data, size_t *bytes)
{
    struct file *file;
    size_t size = 0;
    status_t status = open_whole(path, &file, &size);
    if (!status_is_ok(status)) {
        return status;
    }
    uint8_t *buffer = size < SIZE_MAX ? malloc(size + 1) : NULL;
    status = buffer ? read_all(file, buffer, size, bytes) : STATUS_NO_MEMORY;
    file_close(file);
    if (!status_is_ok(status)) {
        free(buffer);
        return status;
    }
    buffer[*bytes] = '\0';
    *data = buffer;
    return STATUS_OK;
}

/* A Memory with a copy of @file. It has all its pages before they are written to: where @budget has too few that is a status, and no fault. */
static status_t image_copy(struct file *file, size_t size, handle_t budget,
                           struct process_image *image)
{
    void *address = NULL;
    size_t done = 0;
    if (size == 0) {
        return STATUS_CORRUPT;
    }
    status_t status = sys_memory_create(budget != HANDLE_NONE ? budget : os_self.budget, size,
                                        MEMORY_COMMIT, &image->memory);
    if (!status_is_ok(status)) {
        return status;
    }
    status = memory_map(image->memory, 0, size, MAP_READ | MAP_WRITE, &address);
    if (status_is_ok(status)) {
        status = read_all(file, address, size, &done);
        memory_unmap(address, size);
    }
    if (!status_is_ok(status)) {
        status_ignore(sys_cap_close(image->memory));
        return status;
    }
    image->offset = 0;
    image->bytes = done;
    return STATUS_OK;
}

status_t file_image(const char *path, handle_t budget, struct process_image *image)
{
    struct file *file;
    size_t size = 0;
    status_t status = open_whole(path, &file, &size);
    if (!status_is_ok(status)) {
        return status;
    }
    struct attempt attempt = {.repeatable = true};
    while (attempt_file(&attempt, file, &status)) {
        status = files_image(file->handle, &image->memory, &image->offset, &image->bytes);
    }
    if (status == STATUS_UNSUPPORTED) {
        status = image_copy(file, size, budget, image);
    }
    file_close(file);
    return status;
}

/* --- names ------------------------------------------------------------------------------------------------ */

/* Carry out @expression, a call on attempt.session with the absolute path `full` of `path`. */
#define ON_PATH(may_repeat, expression)                       \
    char full[FILE_PATH_BYTES + 1];                           \
    struct attempt attempt = {.repeatable = (may_repeat)};    \
    status_t status = file_absolute(path, full, sizeof full); \
    if (!status_is_ok(status)) {                              \
        return status;                                        \
    }                                                         \
    while (attempt_next(&attempt, &status)) {                 \
        status = (expression);                                \
    }                                                         \
    return status

status_t file_status(const char *path, uint32_t flags, struct file_status *info)
{
    ON_PATH(true, files_status(attempt.session, full, flags, info));
}

status_t file_change(const char *path, uint32_t flags, const struct fs_changes *changes)
{
    ON_PATH(true, files_change(attempt.session, full, flags, changes));
}

status_t file_mkdir(const char *path, uint32_t mode)
{
    ON_PATH(false, files_mkdir(attempt.session, full, mode));
}

status_t file_unlink(const char *path)
{
    ON_PATH(false, files_unlink(attempt.session, full));
}

status_t file_rmdir(const char *path)
{
    ON_PATH(false, files_rmdir(attempt.session, full));
}

status_t file_symlink(const char *target, const char *path)
{
    ON_PATH(false, files_symlink(attempt.session, target, full));
}

status_t file_statfs(const char *path, struct fs_statistics *statistics)
{
    ON_PATH(true, files_statfs(attempt.session, full, statistics));
}

/* The same with two paths: @from becomes `first`. */
#define ON_PATHS(from, expression)                                    \
    char first[FILE_PATH_BYTES + 1];                                  \
    status_t first_status = file_absolute(from, first, sizeof first); \
    if (!status_is_ok(first_status)) {                                \
        return first_status;                                          \
    }                                                                 \
    ON_PATH(false, expression)

status_t file_rename(const char *old_path, const char *path, uint32_t flags)
{
    ON_PATHS(old_path, files_rename(attempt.session, first, full, flags));
}

status_t file_link(const char *existing, const char *path)
{
    ON_PATHS(existing, files_link(attempt.session, first, full));
}

static status_t readlink_full(const char *path, char *buffer, size_t bytes, uint64_t *length)
{
    ON_PATH(true, files_readlink(attempt.session, full, buffer, bytes, length));
}

status_t file_readlink(const char *path, char *buffer, size_t bytes)
{
    uint64_t length = 0;
    if (bytes == 0) {
        return STATUS_RANGE;
    }
    status_t status = readlink_full(path, buffer, bytes - 1, &length);
    if (status_is_ok(status) && length >= bytes) {
        status = STATUS_CORRUPT;
    }
    if (status_is_ok(status)) {
        buffer[length] = '\0';
    }
    return status;
}

status_t file_mount_next(uint64_t after, struct file_mount *mount)
{
    struct attempt attempt = {.repeatable = true};
    status_t status = STATUS_OK;
    while (attempt_next(&attempt, &status)) {
        status = files_mount_next(attempt.session, after, mount);
    }
    return status;
}
