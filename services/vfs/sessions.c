/* Badges. Ours have the top bit; below it one that tells files from sessions, a generation of 30 bits and a slot of 32, so
 * that a badge whose CLOSED event is still on its way never names what came after it. */
#include "server.h"

#include <stdlib.h>

#define BADGE_OURS (UINT64_C(1) << 63)
#define BADGE_FILE (UINT64_C(1) << 62)
#define GENERATION_MASK UINT32_C(0x3fffffff)

static uint64_t badge_make(uint64_t kind, uint32_t generation, uint32_t slot)
{
    return BADGE_OURS | kind | (uint64_t)generation << 32 | slot;
}

static uint32_t badge_generation(uint64_t badge)
{
    return (uint32_t)(badge >> 32) & GENERATION_MASK;
}

bool badge_is_ours(uint64_t badge)
{
    return badge & BADGE_OURS;
}

status_t sessions_init(struct sessions *sessions)
{
    /* Pages that nobody uses take no memory. */
    sessions->sessions = calloc(SESSIONS_MAX, sizeof *sessions->sessions);
    sessions->files = calloc(sessions->files_max, sizeof *sessions->files);
    return sessions->sessions && sessions->files ? STATUS_OK : STATUS_NO_MEMORY;
}

static uint32_t next_generation(struct sessions *sessions)
{
    sessions->generation = (sessions->generation + 1) & GENERATION_MASK;
    return sessions->generation;
}

status_t session_begin(struct vfs_server *server, bool read_only, uint64_t *badge)
{
    struct sessions *s = &server->sessions;
    while (s->session_hint < SESSIONS_MAX && s->sessions[s->session_hint].used) {
        s->session_hint++;
    }
    if (s->session_hint == SESSIONS_MAX) {
        return STATUS_NO_MEMORY;
    }
    uint32_t slot = s->session_hint;
    s->sessions[slot] =
        (struct session){.used = true, .read_only = read_only, .generation = next_generation(s)};
    *badge = badge_make(0, s->sessions[slot].generation, slot);
    return STATUS_OK;
}

struct session *session_find(struct vfs_server *server, uint64_t badge)
{
    struct sessions *s = &server->sessions;
    uint32_t slot = (uint32_t)badge;
    if (!(badge & BADGE_OURS) || (badge & BADGE_FILE) || slot >= SESSIONS_MAX ||
        !s->sessions[slot].used || s->sessions[slot].generation != badge_generation(badge)) {
        return NULL;
    }
    return &s->sessions[slot];
}

static struct open_file *file_slot(struct sessions *s)
{
    while (s->file_hint < s->files_max && s->files[s->file_hint].used) {
        s->file_hint++;
    }
    return s->file_hint < s->files_max ? &s->files[s->file_hint] : NULL;
}

status_t file_begin(struct vfs_server *server, uint64_t session_badge, const struct vfs_file *file,
                    uint64_t *badge)
{
    struct sessions *s = &server->sessions;
    struct session *session = session_find(server, session_badge);
    if (!session || session->files == FILES_PER_SESSION ||
        session->files >= s->files_max / SESSION_SHARE) {
        return STATUS_NO_MEMORY;
    }
    struct open_file *open = file_slot(s);
    if (!open) {
        return STATUS_NO_MEMORY;
    }
    *open = (struct open_file){
        .used = true,
        .read_only = session->read_only,
        .generation = next_generation(s),
        .session = (uint32_t)session_badge,
        .session_generation = session->generation,
        .file = *file,
    };
    session->files++;
    *badge = badge_make(BADGE_FILE, open->generation, (uint32_t)(open - s->files));
    return STATUS_OK;
}

struct open_file *file_find(struct vfs_server *server, uint64_t badge)
{
    struct sessions *s = &server->sessions;
    uint32_t slot = (uint32_t)badge;
    if (!(badge & BADGE_OURS) || !(badge & BADGE_FILE) || slot >= s->files_max ||
        !s->files[slot].used || s->files[slot].closed ||
        s->files[slot].generation != badge_generation(badge)) {
        return NULL;
    }
    s->files[slot].calls++;
    return &s->files[slot];
}

static void file_end(struct vfs_server *server, struct open_file *file)
{
    struct sessions *s = &server->sessions;
    struct session *session = &s->sessions[file->session];
    if (session->used && session->generation == file->session_generation) {
        session->files--;
    }
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
