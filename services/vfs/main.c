/* The vfs service: mounts, threads, and the dispatcher's loop. README.md says how the parts work together. */
#include "server.h"

#include <os/archive.h>
#include <os/log.h>
#include <stdlib.h>
#include <veridian/syscalls.h>

/* Our budget without any cache, and what there is if nobody says: */
#define OWN_BYTES (UINT64_C(512) << 10)
#define BUDGET_BYTES_DEFAULT (UINT64_C(8) << 20)
#define CACHE_BYTES_MAX (UINT64_C(64) << 20)
/* What is not for the cache of pages holds names, and what clients have and wait for: so many bytes for each that there may be. */
#define DENTRY_BYTES 1024
#define DENTRIES_MAX 8192
#define DENTRIES_MIN 512
#define FILE_BYTES 2048
#define WAITING_BYTES 8192
/* Kernel memory: half of ours is for the badges of sessions and files, and those that clients keep of former lives of ours. */
#define BADGE_BYTES 96
#define BADGE_LIVES 4
#define FILES_PER_SESSION 3
/* An eighth is for the notices of calls put aside. */
#define NOTICE_BYTES 64
/* Of a tmpfs whose memory is our own. */
#define TMPFS_BYTES_DEFAULT (UINT64_C(32) << 20)

static void event_closed(void *instance, uint64_t badge)
{
    struct vfs_server *server = instance;
    pthread_mutex_lock(&server->lock);
    badge_closed(server, badge);
    pthread_mutex_unlock(&server->lock);
}

static void event_gone(void *instance, uint64_t number)
{
    struct vfs_server *server = instance;
    pthread_mutex_lock(&server->lock);
    remote_gone(server, number);
    pthread_mutex_unlock(&server->lock);
}

static status_t mount_disk(struct vfs_server *server)
{
    struct vfs_fs *fs = NULL;
    handle_t connect = os_cap("ext4");
    if (connect == HANDLE_NONE) {
        return STATUS_NOT_FOUND;
    }
    status_t status = remote_open(server, connect, MOUNT_ROOT, &fs);
    return status_is_ok(status) ? vfs_mount(&server->vfs, "/", fs, "ext4", MOUNT_ROOT, true)
                                : status;
}

static status_t mount_archive(struct vfs_server *server)
{
    const void *data;
    uint64_t bytes;
    server->archive_memory = os_cap("archive");
    status_t status = archive_map(server->archive_memory, &data, &bytes);
    if (status_is_ok(status)) {
        status = archive_fs_open(data, bytes, &server->archive);
    }
    if (status_is_ok(status)) {
        struct vfs_fs *fs = archive_fs_vfs(server->archive);
        status = vfs_mount(&server->vfs, "/boot", fs, "archive", MOUNT_BOOT, true);
    }
    return status;
}

static status_t mount_tmpfs(struct vfs_server *server)
{
    struct tmpfs_store *store;
    status_t status = store_open(TMPFS_BYTES_DEFAULT, &store);
    if (status_is_ok(status)) {
        status = tmpfs_open(store, &server->tmpfs);
    }
    if (status_is_ok(status)) {
        status =
            vfs_mount(&server->vfs, "/tmp", tmpfs_fs(server->tmpfs), "tmpfs", MOUNT_TMP, false);
    }
    return status;
}

static void report(const char *what, status_t status)
{
    if (!status_is_ok(status)) {
        os_log("vfs: %s: %s", what, status_name(status));
    }
}

static uint64_t bound(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* What we may have is ours alone, so it has to do whatever clients want: three quarters are for the cache of pages, which stops growing in
 * time, and all that clients make us keep has a limit that the rest allows. */
static status_t make_tables(struct vfs_server *server)
{
    struct budget_info budget = {.pages_limit = BUDGET_BYTES_DEFAULT / PAGE_SIZE,
                                 .kmem_limit = BUDGET_BYTES_DEFAULT};
    if (os_cap("quota") != HANDLE_NONE) {
        status_t status = sys_budget_info(os_cap("quota"), &budget);
        if (!status_is_ok(status)) {
            return status;
        }
    }
    uint64_t bytes = budget.pages_limit * PAGE_SIZE;
    uint64_t cache_bytes = bytes > OWN_BYTES ? (bytes - OWN_BYTES) / 4 * 3 : 0;
    cache_bytes = bound(cache_bytes, 0, CACHE_BYTES_MAX);
    uint64_t rest = bytes - cache_bytes;
    vfs_init(&server->vfs, (size_t)bound(rest / DENTRY_BYTES, DENTRIES_MIN, DENTRIES_MAX));
    uint32_t *most = server->clients.most;
    uint64_t badges = budget.kmem_limit / 2 / (BADGE_BYTES * BADGE_LIVES);
    uint64_t files = badges / (FILES_PER_SESSION + 1) * FILES_PER_SESSION;
    most[CLIENT_SESSIONS] = (uint32_t)bound(badges - files, SESSIONS_MIN, SESSIONS_MAX);
    most[CLIENT_FILES] = (uint32_t)bound(rest / FILE_BYTES < files ? rest / FILE_BYTES : files,
                                         FILES_MIN, FILES_MAX);
    uint64_t notices = budget.kmem_limit / 8 / NOTICE_BYTES;
    most[CLIENT_WAITING] =
        (uint32_t)bound(rest / WAITING_BYTES < notices ? rest / WAITING_BYTES : notices,
                        WAITING_MIN, WAITING_MAX);
    status_t status = sessions_init(server);
    return status_is_ok(status) ? cache_init(&server->cache, cache_bytes) : status;
}

static status_t start(struct vfs_server *server)
{
    pthread_mutex_init(&server->lock, NULL);
    for (size_t i = 0; i < WAITING_CHAINS; i++) {
        vfs_link_init(&server->waiting[i]);
    }
    server->endpoint = os_cap("endpoint");
    status_t status = make_tables(server);
    if (!status_is_ok(status)) {
        return status;
    }
    status = mount_disk(server);
    if (!status_is_ok(status)) {
        return status;
    }
    report("/boot", mount_archive(server));
    report("/tmp", mount_tmpfs(server));
    return STATUS_OK;
}

int main(void)
{
    static const struct server_ops ops = {.closed = event_closed, .gone = event_gone};
    struct vfs_server *vfs = calloc(1, sizeof *vfs);
    if (!vfs) {
        return EXIT_FAILURE;
    }
    status_t status = start(vfs);
    if (!status_is_ok(status)) {
        report("cannot start", status);
        return EXIT_FAILURE;
    }
    struct server_service service = {.protocol = &files_protocol,
                                     .ops = &calls_ops,
                                     .instance = vfs};
    struct server server = {
        .endpoint = vfs->endpoint,
        .queue = HANDLE_NONE,
        .ops = &ops,
        .instance = vfs,
        .services = &service,
        .service_count = 1,
    };
    status = server_run(&server);
    report("the server ends", status);
    return EXIT_FAILURE;
}
