/* What the files of the vfs service share.
 *
 * Threads: the dispatcher and one worker for each remote file system. All state but the workers' own is under
 * server->lock. A worker holds it while it runs and gives it up while it waits for its file system; then everything may
 * change but what it has references on (vfs/fs.h). The dispatcher never waits for anything but the lock. */
#pragma once

#include <idl/files.h>
#include <os/server.h>
#include <os/start.h>
#include <pthread.h>
#include <tmpfs/tmpfs.h>
#include <vfs/archive.h>
#include <vfs/pages.h>
#include <vfs/vfs.h>

#define MOUNT_ROOT 1
#define MOUNT_BOOT 2
#define MOUNT_TMP 3
#define SESSIONS_MAX 4096
#define SESSIONS_MIN 128
#define FILES_MAX 16384
#define FILES_MIN 256
/* Calls put aside, for all workers together. */
#define WAITING_MAX 4096
#define WAITING_MIN 128
#define WAITING_CHAINS 256
#define CLIENTS_MAX 64

/* --- clients.c: who has how much --- */

enum client_resource { CLIENT_SESSIONS, CLIENT_FILES, CLIENT_WAITING, CLIENT_RESOURCES };

/* All that connect with one badge. */
struct client {
    uint64_t badge;
    uint32_t used[CLIENT_RESOURCES];
};

struct clients {
    struct client clients[CLIENTS_MAX];
    /* What all together have beyond their own parts. */
    uint32_t more[CLIENT_RESOURCES];
    uint32_t most[CLIENT_RESOURCES];
};

/* --- sessions.c: what badges stand for --- */

struct session {
    bool used;
    bool read_only;
    uint32_t generation;
    struct client *client;
};

struct open_file {
    bool used;
    /* Its capability is gone; it ends with the last call that uses it. */
    bool closed;
    bool read_only;
    uint32_t generation;
    uint32_t calls;
    struct client *client;
    struct vfs_file file;
};

struct sessions {
    struct session *sessions;
    struct open_file *files;
    /* Slots before these are used. */
    uint32_t session_hint;
    uint32_t file_hint;
    uint32_t generation;
};

/* --- cache.c --- */

struct page_cache {
    struct vfs_pages pages;
    uint8_t *base;
    handle_t memory;
    /* Frames below this one have memory. */
    uint32_t committed;
};

struct vfs_server {
    pthread_mutex_t lock;
    struct vfs vfs;
    struct clients clients;
    struct sessions sessions;
    struct page_cache cache;
    /* Calls put aside (remote.c), in chains by their numbers, and how many there were. */
    struct vfs_link waiting[WAITING_CHAINS];
    uint64_t waiting_number;
    handle_t endpoint;
    handle_t archive_memory;
    struct archive_fs *archive;
    struct tmpfs *tmpfs;
};

/* The client that connects with @badge; NULL: there are too many. One that has taken nothing is soon another's. */
struct client *client_find(struct clients *clients, uint64_t badge);
/* One more of @what for @client; false: it has its share already. */
bool client_take(struct clients *clients, struct client *client, enum client_resource what);
void client_give_back(struct clients *clients, struct client *client, enum client_resource what);

status_t sessions_init(struct vfs_server *server);
/* A new session of the client that @connect is the badge of, and a new open file that takes over @file: *@badge stands for it.
 * NO_MEMORY: too many. */
status_t session_begin(struct vfs_server *server, uint64_t connect, bool read_only,
                       uint64_t *badge);
status_t file_begin(struct vfs_server *server, uint64_t session, const struct vfs_file *file,
                    uint64_t *badge);
/* The session, or open file, that @badge stands for; NULL: it stands for something else. A file stays until
 * file_done(). */
struct session *session_find(struct vfs_server *server, uint64_t badge);
struct open_file *file_find(struct vfs_server *server, uint64_t badge);
void file_done(struct vfs_server *server, struct open_file *file);
/* No capability has @badge any more. */
void badge_closed(struct vfs_server *server, uint64_t badge);
/* Whether we gave @badge out. */
bool badge_is_ours(uint64_t badge);
/* Whose @badge is; NULL: nobody's any more. */
struct client *badge_client(struct vfs_server *server, uint64_t badge);

/* --- cache.c --- */
/* A cache of at most @bytes. NO_MEMORY. */
status_t cache_init(struct page_cache *cache, uint64_t bytes);
/* What @frame holds. */
static inline uint8_t *cache_frame(const struct page_cache *cache, uint32_t frame)
{
    return cache->base + (size_t)frame * PAGE_SIZE;
}
/* A frame for @key, to be filled now; VFS_PAGES_NONE: no memory. */
uint32_t cache_take(struct page_cache *cache, const struct vfs_page_key *key);

/* --- store.c --- */
/* The store of the tmpfs; of @bytes if it must be our own. */
status_t store_open(uint64_t bytes, struct tmpfs_store **store);

/* --- remote.c --- */
struct remote_fs;
/* A file system at the connect capability @connect, and the thread that waits for it. */
status_t remote_open(struct vfs_server *server, handle_t connect, uint64_t mount,
                     struct vfs_fs **fs);
/* The file system whose worker runs this; NULL: the dispatcher. */
struct vfs_fs *remote_current(void);
/* @call has to wait for @fs: put it aside, or, on a worker, hand it on. PENDING; NO_MEMORY: too many are waiting. */
status_t remote_wait(struct vfs_server *server, struct ipc_call *call, struct vfs_fs *fs);
/* Nobody waits for the call put aside as @number any more: it is forgotten, or what a worker does for it comes to nothing. */
void remote_gone(struct vfs_server *server, uint64_t number);

/* --- calls.c --- */
extern const struct files_ops calls_ops;
