/* A file system that is another process: fs.idl over a session, with a cache of file pages in front, and the worker that
 * waits for it.
 *
 * A call that needs the process is put aside by the dispatcher and runs again on the worker, from its beginning; what it
 * found out meanwhile is in the caches. The session is the worker's alone. If the process dies or the session is stale,
 * the worker connects to the next life and asks again, for PATIENCE_NS in all; then the calls end with IO, and those
 * after them soon, until it is back. What comes back must be the same file
 * system (its UUID says so); if not, all that is cached of it is forgotten and what is open of it is GONE. */
#include "server.h"

#include <os/clock.h>
#include <os/log.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define PATIENCE_NS (30 * NS_PER_S)
/* For a file system that did not come back in that time, until it does: what it takes to mount, for it may just have been started. */
#define PATIENCE_LOST_NS (3 * NS_PER_S)
#define RETRY_NS (10 * NS_PER_MS)
/* Read at once when a page is missing. */
#define WINDOW_BYTES ((size_t)64 << 10)
#define WORKER_STACK_BYTES ((size_t)128 << 10)
/* How often a call may move from worker to worker before it is given up. */
#define HOPS_MAX 200

/* A call that was put aside. */
struct waiting {
    struct vfs_link link; /* the queue of its worker; alone: that is at it */
    struct vfs_link chain;
    uint64_t number;
    struct vfs_server *server;
    struct remote_fs *target;
    struct client *client;
    uint64_t token;
    uint64_t badge;
    uint64_t info;
    uint64_t words[IPC_WORDS];
    uint64_t grant_lengths[IPC_GRANTS_MAX];
    uint32_t hops;
    uint8_t data[];
};

struct remote_fs {
    struct vfs_fs fs;
    struct vfs_server *server;
    handle_t connect;
    uint64_t mount;
    struct vfs_link queue;
    pthread_cond_t queued;
    /* The worker's own. */
    handle_t session;
    bool known;
    /* It was waited for in vain. */
    bool lost;
    struct fs_statistics identity;
    uint8_t *window;
    struct ipc_call call;
    /* Where the call that runs wants to go next. */
    struct remote_fs *onward;
};

static _Thread_local struct remote_fs *current;

static struct remote_fs *remote_of(struct vfs_fs *fs)
{
    return VFS_CONTAINER(fs, struct remote_fs, fs);
}

struct vfs_fs *remote_current(void)
{
    return current ? &current->fs : NULL;
}

/* --- the session ------------------------------------------------------------------------------------------------ */

static bool is_away(status_t status)
{
    return status == STATUS_PEER_DIED || status == STATUS_STALE;
}

static void session_drop(struct remote_fs *remote)
{
    if (remote->session != HANDLE_NONE) {
        status_ignore(sys_cap_close(remote->session));
        remote->session = HANDLE_NONE;
    }
}

static bool is_same(const struct fs_statistics *a, const struct fs_statistics *b)
{
    return memcmp(a->uuid, b->uuid, sizeof a->uuid) == 0 &&
           memcmp(a->kind, b->kind, sizeof a->kind) == 0 && a->blocks == b->blocks &&
           a->block_bytes == b->block_bytes;
}

/* The process at the other end serves @identity. */
static status_t identify(struct remote_fs *remote, const struct fs_statistics *identity)
{
    struct vfs_server *server = remote->server;
    bool other = remote->known && !is_same(&remote->identity, identity);
    status_t status = STATUS_OK;
    if (other) {
        pthread_mutex_lock(&server->lock);
        vfs_pages_drop_owner(&server->cache.pages, remote);
        status = vfs_mount_forget(&server->vfs, vfs_mount_find(&server->vfs, remote->mount));
        pthread_mutex_unlock(&server->lock);
        os_log("vfs: mount %u has another file system now", (unsigned)remote->mount);
    }
    remote->identity = *identity;
    remote->known = true;
    return other && status_is_ok(status) ? STATUS_GONE : status;
}

/* Have a session. */
static status_t session_need(struct remote_fs *remote, uint64_t deadline_ns)
{
    struct fs_statistics identity;
    if (remote->session != HANDLE_NONE) {
        return STATUS_OK;
    }
    status_t status = fs_connect_until(remote->connect, 0, &remote->session, deadline_ns);
    if (!status_is_ok(status)) {
        remote->session = HANDLE_NONE;
        return status;
    }
    status = fs_statfs_until(remote->session, &identity, deadline_ns);
    if (status_is_ok(status)) {
        status = identify(remote, &identity);
    }
    if (!status_is_ok(status)) {
        session_drop(remote);
    }
    return status;
}

/* One request and its answer. */
struct exchange {
    status_t (*send)(const struct exchange *exchange, handle_t session, uint64_t deadline_ns);
    struct vfs_id id;
    uint64_t offset;
    const char *name;
    void *buffer;
    size_t bytes;
    uint64_t *done;
    uint64_t *next;
    struct fs_attributes *attributes;
    struct fs_statistics *statistics;
};

/* Ask until there is an answer; without the lock. */
static status_t ask(struct remote_fs *remote, const struct exchange *exchange)
{
    uint64_t deadline_ns = clock_deadline(remote->lost ? PATIENCE_LOST_NS : PATIENCE_NS);
    for (;;) {
        status_t status = session_need(remote, deadline_ns);
        if (status_is_ok(status)) {
            status = exchange->send(exchange, remote->session, deadline_ns);
        }
        if (is_away(status)) {
            session_drop(remote);
        }
        if (!is_away(status) || clock_now_ns() >= deadline_ns) {
            /* To our callers a file system that does not answer is a medium that fails. */
            remote->lost = status == STATUS_TIMED_OUT || is_away(status);
            return remote->lost ? STATUS_IO : status;
        }
        clock_sleep(RETRY_NS);
    }
}

/* The whole of a remote operation: not on the dispatcher, and without the lock. */
static status_t request(struct vfs_fs *fs, struct vfs_call *call, const struct exchange *exchange)
{
    struct remote_fs *remote = remote_of(fs);
    if (!vfs_may_wait(call, fs)) {
        return STATUS_PENDING;
    }
    pthread_mutex_unlock(&remote->server->lock);
    status_t status = ask(remote, exchange);
    pthread_mutex_lock(&remote->server->lock);
    return status;
}

/* --- the operations --------------------------------------------------------------------------------------------- */

static status_t send_root(const struct exchange *e, handle_t session, uint64_t deadline_ns)
{
    return fs_root_until(session, e->attributes, deadline_ns);
}

static status_t op_root(struct vfs_fs *fs, struct vfs_call *call, struct fs_attributes *attributes)
{
    struct exchange exchange = {.send = send_root, .attributes = attributes};
    return request(fs, call, &exchange);
}

static status_t send_lookup(const struct exchange *e, handle_t session, uint64_t deadline_ns)
{
    return fs_lookup_until(session, e->id.inode, e->id.generation, e->name, e->attributes,
                           deadline_ns);
}

static status_t op_lookup(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id directory,
                          struct vfs_name name, struct fs_attributes *attributes)
{
    char text[FS_NAME_BYTES + 1];
    memcpy(text, name.text, name.bytes);
    text[name.bytes] = '\0';
    struct exchange exchange = {.send = send_lookup,
                                .id = directory,
                                .name = text,
                                .attributes = attributes};
    return request(fs, call, &exchange);
}

static status_t send_attributes(const struct exchange *e, handle_t session, uint64_t deadline_ns)
{
    return fs_attributes_until(session, e->id.inode, e->id.generation, e->attributes, deadline_ns);
}

static status_t op_attributes(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                              struct fs_attributes *attributes)
{
    struct exchange exchange = {.send = send_attributes, .id = id, .attributes = attributes};
    return request(fs, call, &exchange);
}

static status_t send_readdir(const struct exchange *e, handle_t session, uint64_t deadline_ns)
{
    return fs_readdir_until(session, e->id.inode, e->id.generation, e->offset, e->buffer, e->bytes,
                            e->done, e->next, deadline_ns);
}

static status_t op_readdir(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                           uint64_t cursor, void *buffer, size_t bytes, size_t *used,
                           uint64_t *next)
{
    uint64_t done = 0;
    struct exchange exchange = {.send = send_readdir,
                                .id = id,
                                .offset = cursor,
                                .buffer = buffer,
                                .bytes = bytes,
                                .done = &done,
                                .next = next};
    status_t status = request(fs, call, &exchange);
    *used = (size_t)done;
    return status_is_ok(status) && done > bytes ? STATUS_CORRUPT : status;
}

static status_t send_readlink(const struct exchange *e, handle_t session, uint64_t deadline_ns)
{
    return fs_readlink_until(session, e->id.inode, e->id.generation, e->buffer, e->bytes, e->done,
                             deadline_ns);
}

static status_t op_readlink(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id,
                            char *buffer, size_t bytes, size_t *length)
{
    uint64_t done = 0;
    struct exchange exchange = {
        .send = send_readlink, .id = id, .buffer = buffer, .bytes = bytes, .done = &done};
    status_t status = request(fs, call, &exchange);
    *length = (size_t)done;
    return status_is_ok(status) && done > bytes ? STATUS_CORRUPT : status;
}

static status_t send_statfs(const struct exchange *e, handle_t session, uint64_t deadline_ns)
{
    return fs_statfs_until(session, e->statistics, deadline_ns);
}

static status_t op_statfs(struct vfs_fs *fs, struct vfs_call *call,
                          struct fs_statistics *statistics)
{
    struct exchange exchange = {.send = send_statfs, .statistics = statistics};
    return request(fs, call, &exchange);
}

static status_t send_read(const struct exchange *e, handle_t session, uint64_t deadline_ns)
{
    return fs_read_until(session, e->id.inode, e->id.generation, e->offset, e->buffer, e->bytes,
                         e->done, deadline_ns);
}

/* Put what the window holds of @key's file, from its page on, into the cache. */
static void window_keep(struct remote_fs *remote, struct vfs_page_key key, size_t bytes)
{
    struct page_cache *cache = &remote->server->cache;
    for (size_t at = 0; at < bytes; at += PAGE_SIZE, key.page++) {
        if (vfs_pages_find(&cache->pages, &key) != VFS_PAGES_NONE) {
            continue;
        }
        uint32_t frame = cache_take(cache, &key);
        if (frame == VFS_PAGES_NONE) {
            return;
        }
        size_t part = bytes - at < PAGE_SIZE ? bytes - at : PAGE_SIZE;
        memcpy(cache_frame(cache, frame), remote->window + at, part);
        memset(cache_frame(cache, frame) + part, 0, PAGE_SIZE - part);
    }
}

/* The frame of @key, read if it is not there. */
static status_t frame_need(struct remote_fs *remote, struct vfs_call *call,
                           const struct vfs_page_key *key, uint32_t *frame)
{
    struct page_cache *cache = &remote->server->cache;
    *frame = vfs_pages_find(&cache->pages, key);
    if (*frame != VFS_PAGES_NONE) {
        return STATUS_OK;
    }
    uint64_t done = 0;
    struct exchange exchange = {
        .send = send_read,
        .id = key->id,
        .offset = key->page * PAGE_SIZE,
        .buffer = remote->window,
        .bytes = WINDOW_BYTES,
        .done = &done,
    };
    status_t status = request(&remote->fs, call, &exchange);
    if (!status_is_ok(status)) {
        return status;
    }
    if (done == 0 || done > WINDOW_BYTES) {
        /* The attributes said that there is more. */
        return STATUS_CORRUPT;
    }
    window_keep(remote, *key, (size_t)done);
    *frame = vfs_pages_find(&cache->pages, key);
    return *frame != VFS_PAGES_NONE ? STATUS_OK : STATUS_NO_MEMORY;
}

static status_t op_read(struct vfs_fs *fs, struct vfs_call *call, struct vfs_id id, uint64_t offset,
                        uint64_t bytes, struct vfs_sink *sink, uint64_t *done)
{
    struct remote_fs *remote = remote_of(fs);
    *done = 0;
    while (*done < bytes) {
        uint64_t at = offset + *done;
        size_t in_page = (size_t)(at % PAGE_SIZE);
        size_t part = PAGE_SIZE - in_page;
        if (part > bytes - *done) {
            part = (size_t)(bytes - *done);
        }
        struct vfs_page_key key = {.owner = remote, .id = id, .page = at / PAGE_SIZE};
        uint32_t frame;
        status_t status = frame_need(remote, call, &key, &frame);
        if (status_is_ok(status)) {
            status =
                sink->put(sink, *done, cache_frame(&remote->server->cache, frame) + in_page, part);
        }
        if (!status_is_ok(status)) {
            return status;
        }
        *done += part;
    }
    return STATUS_OK;
}

static const struct vfs_fs_ops remote_ops = {
    .root = op_root,
    .lookup = op_lookup,
    .attributes = op_attributes,
    .read = op_read,
    .readdir = op_readdir,
    .readlink = op_readlink,
    .statfs = op_statfs,
};

/* --- waiting calls ---------------------------------------------------------------------------------------------- */

static void enqueue(struct remote_fs *remote, struct waiting *waiting)
{
    waiting->target = remote;
    vfs_link_add(&remote->queue, &waiting->link);
    pthread_cond_signal(&remote->queued);
}

static struct vfs_link *waiting_chain(struct vfs_server *server, uint64_t number)
{
    return &server->waiting[number % WAITING_CHAINS];
}

status_t remote_wait(struct vfs_server *server, struct ipc_call *call, struct vfs_fs *fs)
{
    struct remote_fs *remote = remote_of(fs);
    if (current) {
        current->onward = remote;
        return STATUS_PENDING;
    }
    size_t bytes = ipc_info_data(call->info);
    struct client *client = badge_client(server, call->badge);
    if (!client) {
        return STATUS_WRONG_TYPE; // closed meanwhile
    }
    if (!client_take(&server->clients, client, CLIENT_WAITING)) {
        return STATUS_NO_MEMORY;
    }
    struct waiting *waiting = calloc(1, sizeof *waiting + bytes);
    uint64_t number = ++server->waiting_number;
    status_t status = waiting ? ipc_reply_save(call, number, &waiting->token) : STATUS_NO_MEMORY;
    if (!status_is_ok(status)) {
        client_give_back(&server->clients, client, CLIENT_WAITING);
        free(waiting);
        return status;
    }
    waiting->server = server;
    waiting->number = number;
    vfs_link_add(waiting_chain(server, number), &waiting->chain);
    waiting->client = client;
    waiting->badge = call->badge;
    waiting->info = call->info;
    memcpy(waiting->words, call->words, sizeof waiting->words);
    memcpy(waiting->grant_lengths, call->grant_lengths, sizeof waiting->grant_lengths);
    memcpy(waiting->data, call->data, bytes);
    enqueue(remote, waiting);
    return STATUS_PENDING;
}

static void waiting_free(struct waiting *waiting)
{
    vfs_link_remove(&waiting->chain);
    client_give_back(&waiting->server->clients, waiting->client, CLIENT_WAITING);
    free(waiting);
}

void remote_gone(struct vfs_server *server, uint64_t number)
{
    struct vfs_link *chain = waiting_chain(server, number);
    for (struct vfs_link *link = chain->next; link != chain; link = link->next) {
        struct waiting *waiting = VFS_CONTAINER(link, struct waiting, chain);
        if (waiting->number != number) {
            continue;
        }
        if (!vfs_link_alone(&waiting->link)) {
            vfs_link_remove(&waiting->link);
            waiting_free(waiting);
        }
        return;
    }
}

static void call_restore(struct ipc_call *call, const struct waiting *waiting)
{
    *call =
        (struct ipc_call){.badge = waiting->badge, .info = waiting->info, .token = waiting->token};
    call->status = STATUS_UNSUPPORTED;
    memcpy(call->words, waiting->words, sizeof call->words);
    memcpy(call->grant_lengths, waiting->grant_lengths, sizeof call->grant_lengths);
    memcpy(call->data, waiting->data, ipc_info_data(waiting->info));
}

/* Run @waiting again, if its caller waits still; the handlers take the lock themselves. */
static void serve(struct remote_fs *remote, struct waiting *waiting)
{
    struct ipc_call *call = &remote->call;
    if (!ipc_reply_waits(waiting->token)) {
        pthread_mutex_lock(&remote->server->lock);
        waiting_free(waiting);
        return;
    }
    call_restore(call, waiting);
    remote->onward = NULL;
    files_protocol.dispatch(&calls_ops, remote->server, call);
    pthread_mutex_lock(&remote->server->lock);
    if (call->pending && ++waiting->hops < HOPS_MAX && remote->onward) {
        enqueue(remote->onward, waiting);
        return;
    }
    uint64_t token = waiting->token;
    waiting_free(waiting);
    pthread_mutex_unlock(&remote->server->lock);
    status_ignore(ipc_reply_send(token, call->pending ? STATUS_IO : call->status, &call->reply));
    pthread_mutex_lock(&remote->server->lock);
}

static void *worker(void *argument)
{
    struct remote_fs *remote = argument;
    current = remote;
    pthread_mutex_lock(&remote->server->lock);
    for (;;) {
        while (vfs_link_alone(&remote->queue)) {
            pthread_cond_wait(&remote->queued, &remote->server->lock);
        }
        struct waiting *waiting = VFS_CONTAINER(remote->queue.next, struct waiting, link);
        vfs_link_remove(&waiting->link);
        pthread_mutex_unlock(&remote->server->lock);
        serve(remote, waiting);
    }
    return NULL;
}

static status_t worker_start(struct remote_fs *remote)
{
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0 ||
        pthread_attr_setstacksize(&attributes, WORKER_STACK_BYTES) != 0 ||
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) != 0) {
        return STATUS_NO_MEMORY;
    }
    return pthread_create(&thread, &attributes, worker, remote) == 0 ? STATUS_OK : STATUS_NO_MEMORY;
}

status_t remote_open(struct vfs_server *server, handle_t connect, uint64_t mount,
                     struct vfs_fs **fs)
{
    struct remote_fs *remote = calloc(1, sizeof *remote);
    uint8_t *window = aligned_alloc(PAGE_SIZE, WINDOW_BYTES);
    if (!remote || !window) {
        free(remote);
        free(window);
        return STATUS_NO_MEMORY;
    }
    remote->fs.ops = &remote_ops;
    remote->server = server;
    remote->connect = connect;
    remote->mount = mount;
    remote->window = window;
    vfs_link_init(&remote->queue);
    pthread_cond_init(&remote->queued, NULL);
    status_t status = worker_start(remote);
    if (!status_is_ok(status)) {
        free(remote);
        free(window);
        return status;
    }
    *fs = &remote->fs;
    return STATUS_OK;
}
