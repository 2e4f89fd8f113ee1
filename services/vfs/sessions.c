/* Badges. Sessions (IPC_BADGE_SESSION) are ours, what else comes is the badge of a client. Below that bit ours have one that tells files from sessions, a generation of 30 bits and a slot of 32, so
 * that a badge whose CLOSED event is still on its way never names what came after it. */
#include "server.h"

#include <stdlib.h>

#define BADGE_FILE (UINT64_C(1) << 62)
#define GENERATION_MASK UINT32_C(0x3fffffff)

static uint64_t badge_make(uint64_t kind, uint32_t generation, uint32_t slot)
{
    return IPC_BADGE_SESSION | kind | (uint64_t)generation << 32 | slot;
}

static uint32_t badge_generation(uint64_t badge)
{
    return (uint32_t)(badge >> 32) & GENERATION_MASK;
}

bool badge_is_ours(uint64_t badge)
{
    return (badge & IPC_BADGE_SESSION) != 0;
}

status_t sessions_init(struct vfs_server *server)
{
    struct sessions *sessions = &server->sessions;
    const uint32_t *most = server->clients.most;
    /* Pages that nobody uses take no memory. */
    sessions->sessions = calloc(most[CLIENT_SESSIONS], sizeof *sessions->sessions);
    sessions->files = calloc(most[CLIENT_FILES], sizeof *sessions->files);
    return sessions->sessions && sessions->files ? STATUS_OK : STATUS_NO_MEMORY;
}

static uint32_t next_generation(struct sessions *sessions)
{
    sessions->generation = (sessions->generation + 1) & GENERATION_MASK;
    return sessions->generation;
}

status_t session_begin(struct vfs_server *server, uint64_t connect, bool read_only, uint64_t *badge)
{
    struct sessions *s = &server->sessions;
    struct client *client = client_find(&server->clients, connect);
    if (!client || !client_take(&server->clients, client, CLIENT_SESSIONS)) {
        return STATUS_NO_MEMORY;
    }
    while (s->sessions[s->session_hint].used) {
        s->session_hint++;
    }
    uint32_t slot = s->session_hint;
    s->sessions[slot] = (struct session){
        .used = true,
        .read_only = read_only,
        .generation = next_generation(s),
        .client = client,
    };
    *badge = badge_make(0, s->sessions[slot].generation, slot);
    return STATUS_OK;
}

struct session *session_find(struct vfs_server *server, uint64_t badge)
{
    struct sessions *s = &server->sessions;
    uint32_t slot = (uint32_t)badge;
    if (!badge_is_ours(badge) || (badge & BADGE_FILE) ||
        slot >= server->clients.most[CLIENT_SESSIONS] || !s->sessions[slot].used ||
        s->sessions[slot].generation != badge_generation(badge)) {
        return NULL;
    }
    return &s->sessions[slot];
}

static struct open_file *file_slot(struct sessions *s)
{
    while (s->files[s->file_hint].used) {
        s->file_hint++;
    }
    return &s->files[s->file_hint];
}

status_t file_begin(struct vfs_server *server, uint64_t session_badge, const struct vfs_file *file,
                    uint64_t *badge)
{
    struct sessions *s = &server->sessions;
    const struct session *session = session_find(server, session_badge);
    if (!session || !client_take(&server->clients, session->client, CLIENT_FILES)) {
        return STATUS_NO_MEMORY;
    }
    struct open_file *open = file_slot(s);
    *open = (struct open_file){
        .used = true,
        .read_only = session->read_only,
        .generation = next_generation(s),
        .client = session->client,
        .file = *file,
    };
    *badge = badge_make(BADGE_FILE, open->generation, (uint32_t)(open - s->files));
    return STATUS_OK;
}

static struct open_file *file_named(struct vfs_server *server, uint64_t badge)
{
    struct sessions *s = &server->sessions;
    uint32_t slot = (uint32_t)badge;
    if (!badge_is_ours(badge) || !(badge & BADGE_FILE) ||
        slot >= server->clients.most[CLIENT_FILES] || !s->files[slot].used ||
        s->files[slot].closed || s->files[slot].generation != badge_generation(badge)) {
        return NULL;
    }
    return &s->files[slot];
}

struct open_file *file_find(struct vfs_server *server, uint64_t badge)
{
    struct open_file *file = file_named(server, badge);
    if (file) {
        file->calls++;
    }
    return file;
}

struct client *badge_client(struct vfs_server *server, uint64_t badge)
{
    const struct session *session = session_find(server, badge);
    const struct open_file *file = file_named(server, badge);
    return session ? session->client : file ? file->client : NULL;
}

static void file_end(struct vfs_server *server, struct open_file *file)
{
    struct sessions *s = &server->sessions;
    client_give_back(&server->clients, file->client, CLIENT_FILES);
    vfs_close(&server->vfs, &file->file);
    file->used = false;
    uint32_t slot = (uint32_t)(file - s->files);
    if (slot < s->file_hint) {
        s->file_hint = slot;
    }
}

void file_done(struct vfs_server *server, struct open_file *file)
{
    if (--file->calls == 0 && file->closed) {
        file_end(server, file);
    }
}

void badge_closed(struct vfs_server *server, uint64_t badge)
{
    struct session *session = session_find(server, badge);
    if (session) {
        session->used = false;
        client_give_back(&server->clients, session->client, CLIENT_SESSIONS);
        uint32_t slot = (uint32_t)badge;
        if (slot < server->sessions.session_hint) {
            server->sessions.session_hint = slot;
        }
        return;
    }
    struct open_file *file = file_find(server, badge);
    if (file) {
        file->closed = true;
        file_done(server, file);
    }
}
