/* Reading ahead: the parts of a file that come next are asked for before they are needed, each by a call of its own, so the file system
 * and the disk work while the program does. See os/file.h.
 *
 * The parts stand in a ring and are taken in their order, whatever the order of the answers. A call that fails is made again by
 * file_read_at(), which knows what to do when a server has died, and whose answer counts: when that happens all calls that are in flight
 * end with PEER_DIED, and each part is read again when its turn comes. */
#include "file.h"

#include <os/async.h>
#include <os/start.h>
#include <stdlib.h>
#include <veridian/syscalls.h>

#define CALLS 3u
#define FINISHED_BIT UINT64_C(1)

struct part {
    struct files_read_async request;
    bool finished;
    uint8_t *buffer;
};

struct file_ahead {
    struct file *file;
    uint64_t next_offset; /* of the part that is asked for next */
    size_t next;          /* the part that is taken next */
    bool over;            /* the end of the file, or a failure, was met */
    bool started;         /* start() was called */
    bool in_flight;       /* calls are; else each part is read when it is needed */
    handle_t notification;
    struct async_pool pool;
    struct part parts[CALLS];
};

status_t file_ahead_begin(struct file *file, struct file_ahead **ahead)
{
    struct file_ahead *a = calloc(1, sizeof *a);
    if (!a) {
        return STATUS_NO_MEMORY;
    }
    a->file = file;
    a->next_offset = file->offset;
    a->parts[0].buffer = malloc(FILE_AHEAD_BYTES);
    if (!a->parts[0].buffer) {
        free(a);
        return STATUS_NO_MEMORY;
    }
    *ahead = a;
    return STATUS_OK;
}

/* --- calls in flight -------------------------------------------------------------------------------------- */

static void ask(struct file_ahead *a, size_t index)
{
    struct part *part = &a->parts[index];
    part->finished = false;
    part->request = (struct files_read_async){.call.cookie = index,
                                              .server = a->file->handle,
                                              .offset = a->next_offset,
                                              .buffer = part->buffer,
                                              .buffer_bytes = FILE_AHEAD_BYTES};
    a->next_offset += FILE_AHEAD_BYTES;
    files_read_start(&a->pool, &part->request);
}

/* Buffers, threads, and a call for each part but the first, which the caller has now. Without memory for that it goes on as it began. */
static void start(struct file_ahead *a)
{
    a->started = true;
    bool good = status_is_ok(sys_notification_create(os_self.budget, &a->notification));
    for (size_t i = 1; i < CALLS && good; i++) {
        a->parts[i].buffer = malloc(FILE_AHEAD_BYTES);
        good = a->parts[i].buffer != NULL;
    }
    a->in_flight =
        good && status_is_ok(async_pool_create(&a->pool, CALLS, a->notification, FINISHED_BIT));
    for (size_t i = 1; i < CALLS && a->in_flight; i++) {
        ask(a, i);
    }
    a->next = a->in_flight ? 1 : 0;
}

static void wait_for(struct file_ahead *a, const struct part *part)
{
    while (!part->finished) {
        uint64_t bits;
        const struct async_call *call = async_next(&a->pool);
        if (call) {
            a->parts[call->cookie].finished = true;
        } else {
            status_ignore(
                sys_notification_wait(a->notification, FINISHED_BIT, DEADLINE_NEVER, &bits));
        }
    }
}

static status_t take(struct file_ahead *a, const struct part *part, size_t *bytes)
{
    const struct files_read_async *request = &part->request;
    wait_for(a, part);
    *bytes = (size_t)request->done;
    return status_is_ok(request->call.status) && request->done <= FILE_AHEAD_BYTES
               ? STATUS_OK
               : file_read_at(a->file, request->offset, part->buffer, FILE_AHEAD_BYTES, bytes);
}

/* --- parts in their order --------------------------------------------------------------------------------- */

/* The part that was given out last is the caller's no more: its buffer is free for the part behind all others. */
static status_t next_part(struct file_ahead *a, const struct part **part, size_t *bytes)
{
    if (!a->in_flight) {
        *part = &a->parts[0];
        status_t status =
            file_read_at(a->file, a->next_offset, a->parts[0].buffer, FILE_AHEAD_BYTES, bytes);
        a->next_offset += FILE_AHEAD_BYTES;
        return status;
    }
    ask(a, (a->next + CALLS - 1) % CALLS);
    *part = &a->parts[a->next];
    a->next = (a->next + 1) % CALLS;
    return take(a, *part, bytes);
}

status_t file_ahead_next(struct file_ahead *a, const uint8_t **data, size_t *bytes)
{
    const struct part *part;
    *bytes = 0;
    if (a->over) {
        return STATUS_OK;
    }
    status_t status = next_part(a, &part, bytes);
    a->over = !status_is_ok(status) || *bytes < FILE_AHEAD_BYTES;
    if (status_is_ok(status)) {
        a->file->offset += *bytes;
        *data = part->buffer;
    }
    if (!a->started && !a->over) {
        start(a);
    }
    return status;
}

void file_ahead_end(struct file_ahead *a)
{
    if (!a) {
        return;
    }
    if (a->in_flight) {
        async_pool_close(&a->pool);
    }
    if (a->notification != HANDLE_NONE) {
        status_ignore(sys_cap_close(a->notification));
    }
    for (size_t i = 0; i < CALLS; i++) {
        free(a->parts[i].buffer);
    }
    free(a);
}
