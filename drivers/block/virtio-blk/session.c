/* Clients. Each has rings and data memory, which are ours: what a client made it could take away, and then a look at its ring would be the end
 * of the driver, and memory that the device writes to somebody else's. A submission is copied out of the ring once and checked whole before anything is done with it. The endings of requests go to the client's completion ring; a client that does not take
 * them has fewer places than requests in flight and is served no further until it does. */
#include "blk.h"

#include <os/ipc.h>
#include <os/memory.h>
#include <os/start.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define PIN_PAGES 64u

struct session {
    uint64_t badge;
    uint8_t *rings;
    struct ring submissions, completions;
    handle_t completion, doorbell;
    uint64_t mappings[BLOCK_DATA_BYTES / PAGE_SIZE / PIN_PAGES];
    uint32_t mapping_count, in_flight;
    uint64_t *pages, page_count; /* bus address of each page of the data memory */
    bool closed;
};

static uint64_t next_badge = 1;

static void session_free(struct session *s)
{
    for (uint32_t i = 0; i < s->mapping_count; i++)
        status_ignore(sys_dmaspace_unmap(blk.device.dma, s->mappings[i]));
    if (s->rings != NULL)
        memory_unmap(s->rings, BLOCK_RING_BYTES);
    if (s->completion != HANDLE_NONE)
        status_ignore(sys_cap_close(s->completion));
    if (s->doorbell != HANDLE_NONE)
        status_ignore(sys_cap_close(s->doorbell));
    free(s->pages);
    free(s);
}

/* Pin all of @data. */
static status_t map_data(struct session *s, handle_t data, uint64_t bytes)
{
    while (s->page_count < bytes / PAGE_SIZE) {
        uint64_t pages = bytes / PAGE_SIZE - s->page_count;
        pages = pages < PIN_PAGES ? pages : PIN_PAGES;
        status_t status =
            sys_dmaspace_map(blk.device.dma, data, s->page_count * PAGE_SIZE, pages * PAGE_SIZE,
                             s->pages + s->page_count, pages * sizeof(uint64_t),
                             &s->mappings[s->mapping_count]);
        if (status != STATUS_OK)
            return status;
        s->mapping_count++;
        s->page_count += pages;
    }
    return STATUS_OK;
}

/* What a client gets of the Memory @ours, which we need no handle of any more. */
static status_t give(handle_t ours, handle_t *client)
{
    status_t status = sys_cap_derive(ours, RIGHT_READ | RIGHT_WRITE | RIGHT_TRANSFER, 0, client);
    status_ignore(sys_cap_close(ours));
    return status;
}

static status_t make_data(struct session *s, uint64_t bytes, handle_t *client)
{
    handle_t data;
    s->pages = calloc((size_t)(bytes / PAGE_SIZE), sizeof(uint64_t));
    status_t status = s->pages != NULL ? memory_create(bytes, 0, &data) : STATUS_NO_MEMORY;
    if (status != STATUS_OK)
        return status;
    status = map_data(s, data, bytes);
    if (status == STATUS_OK)
        return give(data, client);
    status_ignore(sys_cap_close(data));
    return status;
}

static status_t make_rings(struct session *s, handle_t *client)
{
    handle_t rings;
    void *mapped;
    status_t status = memory_map_new(BLOCK_RING_BYTES, MEMORY_COMMIT, &rings, &mapped);
    if (status != STATUS_OK)
        return status;
    s->rings = mapped;
    status = give(rings, client);
    bool good = ring_init(&s->submissions, s->rings, BLOCK_COMPLETION_OFFSET, BLOCK_RING_ENTRIES,
                          sizeof(struct block_request)) &&
                ring_init(&s->completions, s->rings + BLOCK_COMPLETION_OFFSET,
                          BLOCK_RING_BYTES - BLOCK_COMPLETION_OFFSET, BLOCK_RING_ENTRIES,
                          sizeof(struct block_completion));
    return status == STATUS_OK && !good ? STATUS_INVALID : status;
}

static status_t make_doorbell(struct session *s, uint32_t slot)
{
    status_t status = sys_notification_create(os_self.budget, &s->doorbell);
    return status == STATUS_OK
               ? sys_notification_bind(s->doorbell, blk.device.queue, EVENT_COOKIE_SESSION + slot)
               : status;
}

static status_t op_open(void *instance, struct ipc_call *call, uint64_t data_bytes,
                        handle_t completion, handle_t *session, handle_t *doorbell, handle_t *rings,
                        handle_t *data, struct block_info *info)
{
    (void)instance;
    handle_t *const made[] = {session, doorbell, rings, data};
    uint32_t slot = 0;
    if (data_bytes == 0 || data_bytes > BLOCK_DATA_BYTES || data_bytes % PAGE_SIZE != 0)
        return STATUS_INVALID;
    while (slot < SESSIONS_MAX && blk.sessions[slot] != NULL)
        slot++;
    if (slot == SESSIONS_MAX)
        return STATUS_BUSY;
    struct session *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return STATUS_NO_MEMORY;
    s->badge = IPC_BADGE_SESSION | (next_badge++ * SESSIONS_MAX + slot);
    status_t status = make_rings(s, rings);
    if (status == STATUS_OK)
        status = make_data(s, data_bytes, data);
    if (status == STATUS_OK)
        status = make_doorbell(s, slot);
    if (status == STATUS_OK)
        status = sys_cap_derive(blk.endpoint, RIGHT_CALL | RIGHT_TRANSFER, s->badge, session);
    if (status == STATUS_OK)
        status = sys_cap_derive(s->doorbell, RIGHT_CALL | RIGHT_TRANSFER, 0, doorbell);
    if (status != STATUS_OK) {
        for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
            if (*made[i] != HANDLE_NONE)
                status_ignore(sys_cap_close(*made[i]));
        session_free(s);
        return status;
    }
    s->completion = ipc_cap_take(call, completion);
    *info = blk.info;
    blk.sessions[slot] = s;
    /* Who does not sleep on the ring is not told of the first request. */
    sessions_pump();
    return STATUS_OK;
}

static status_t op_identify(void *instance, struct ipc_call *call, struct block_info *info)
{
    (void)instance;
    (void)call;
    *info = blk.info;
    return STATUS_OK;
}

const struct block_ops session_ops = {.open = op_open, .identify = op_identify};

/* The memory of a session whose requests the device still has stays pinned until they are over. */
static void session_release(struct session *s)
{
    if (s->closed && s->in_flight == 0)
        session_free(s);
}

void session_closed(void *instance, uint64_t badge)
{
    (void)instance;
    struct session *s = blk.sessions[badge % SESSIONS_MAX];
    if (s == NULL || s->badge != badge)
        return;
    blk.sessions[badge % SESSIONS_MAX] = NULL;
    s->closed = true;
    session_release(s);
}

void session_complete(struct session *s, uint64_t tag, status_t status, uint32_t bytes)
{
    struct block_completion completion = {.tag = tag,
                                          .status = status_code(status),
                                          .bytes = bytes};
    s->in_flight--;
    if (s->closed) {
        session_release(s);
        return;
    }
    if (ring_put(&s->completions, &completion) && ring_publish(&s->completions))
        status_ignore(sys_notification_signal(s->completion, BLOCK_COMPLETION_BIT));
}

static void refuse(struct session *s, const struct block_request *q, status_t status)
{
    s->in_flight++;
    session_complete(s, q->tag, status, 0);
}

static status_t request_check(const struct session *s, const struct block_request *q)
{
    uint64_t end;
    if (q->op == BLOCK_OP_FLUSH)
        return (blk.info.flags & BLOCK_DEVICE_FLUSH) != 0 ? STATUS_OK : STATUS_UNSUPPORTED;
    if (q->op != BLOCK_OP_READ && q->op != BLOCK_OP_WRITE)
        return STATUS_INVALID;
    if (q->op == BLOCK_OP_WRITE && (blk.info.flags & BLOCK_DEVICE_READ_ONLY) != 0)
        return STATUS_DENIED;
    if (q->bytes == 0 || q->bytes > BLOCK_REQUEST_BYTES ||
        (q->bytes | q->offset | q->data_offset) % blk.info.block_bytes != 0)
        return STATUS_INVALID;
    if (__builtin_add_overflow(q->offset, q->bytes, &end) || end > blk.info.bytes)
        return STATUS_RANGE;
    if (__builtin_add_overflow(q->data_offset, q->bytes, &end) || end > s->page_count * PAGE_SIZE)
        return STATUS_RANGE;
    return STATUS_OK;
}

/* The client's range as bus addresses, neighbouring pages joined. 0: more segments than the device takes. */
static uint32_t make_segments(const struct session *s, const struct block_request *q,
                              struct segment *segments)
{
    uint32_t count = 0;
    for (uint64_t done = 0; done < q->bytes;) {
        uint64_t at = q->data_offset + done, left = PAGE_SIZE - at % PAGE_SIZE;
        uint64_t bytes = left < q->bytes - done ? left : q->bytes - done,
                 bus = s->pages[at / PAGE_SIZE] + at % PAGE_SIZE;
        if (count != 0 && segments[count - 1].bus + segments[count - 1].bytes == bus) {
            segments[count - 1].bytes += (uint32_t)bytes;
        } else {
            if (count == SEGMENTS_MAX || count == blk.segments_max)
                return 0;
            segments[count++] = (struct segment){.bus = bus, .bytes = (uint32_t)bytes};
        }
        done += bytes;
    }
    return count;
}

static void start(struct session *s, const struct block_request *q, struct request *r)
{
    struct segment segments[SEGMENTS_MAX];
    status_t status = request_check(s, q);
    bool flush = q->op == BLOCK_OP_FLUSH;
    uint32_t count = status == STATUS_OK && !flush ? make_segments(s, q, segments) : 0;
    if (status == STATUS_OK && count == 0 && !flush)
        status = STATUS_UNSUPPORTED;
    if (status != STATUS_OK) {
        refuse(s, q, status);
        return;
    }
    *r = (struct request){.session = s, .tag = q->tag, .bytes = flush ? 0 : q->bytes, .op = q->op};
    s->in_flight++;
    device_submit(r, flush ? 0 : q->offset, segments, count);
}

/* One submission of @s if there is one, room for its completion, and a free request. */
static bool pump_one(struct session *s)
{
    struct block_request q;
    struct request *r = device_request();
    if (r == NULL || s->submissions.broken || ring_room(&s->completions) <= s->in_flight ||
        !ring_take(&s->submissions, &q))
        return false;
    if (ring_release(&s->submissions))
        status_ignore(sys_notification_signal(s->completion, BLOCK_COMPLETION_BIT));
    start(s, &q, r);
    return true;
}

/* Sleep on the session's ring; true if something came meanwhile. */
static bool rest(struct session *s)
{
    return !s->submissions.broken && ring_room(&s->completions) > s->in_flight &&
           device_request() != NULL && ring_consumer_sleep(&s->submissions) &&
           !s->submissions.broken;
}

void sessions_pump(void)
{
    bool more;
    do {
        more = false;
        for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
            struct session *s = blk.sessions[(blk.next_session + i) % SESSIONS_MAX];
            more |= s != NULL && pump_one(s);
        }
        blk.next_session++;
        for (uint32_t i = 0; i < SESSIONS_MAX && !more; i++)
            more = blk.sessions[i] != NULL && rest(blk.sessions[i]);
    } while (more);
    virtqueue_kick(&blk.queue);
}
