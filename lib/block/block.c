/* See block.h. A transfer is cut into pieces of BLOCK_PIECE_BYTES; a piece in flight has a slot of the data memory, so SLOTS pieces are in flight
 * at once. The table of slots is private: a completion is believed only for the request that its tag names, which is never used again. */
#include <block/block.h>
#include <os/clock.h>
#include <os/memory.h>
#include <os/start.h>
#include <string.h>
#include <veridian/syscalls.h>

#define SLOTS (BLOCK_DATA_BYTES / BLOCK_PIECE_BYTES)
#define RECONNECT_PAUSE_NS UINT64_C(20000000)

struct slot {
    uint64_t tag; /* 0: free */
    uint64_t piece;
};

/** A transfer under way. */
struct transfer {
    uint32_t op;
    uint64_t offset;
    const uint8_t *source; /* writes */
    uint8_t *target;       /* reads */
    uint64_t bytes;
    uint64_t pieces, next, done;
    uint32_t attempts;
    struct slot slots[SLOTS];
};

static uint64_t piece_bytes(const struct transfer *t, uint64_t piece)
{
    uint64_t at = piece * BLOCK_PIECE_BYTES;
    return t->bytes - at < BLOCK_PIECE_BYTES ? t->bytes - at : BLOCK_PIECE_BYTES;
}

/* ── Sessions ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void close_handle(handle_t *handle)
{
    if (*handle != 0)
        status_ignore(sys_cap_close(*handle));
    *handle = 0;
}

static void unmap(uint8_t **memory, uint64_t bytes)
{
    if (*memory != NULL)
        memory_unmap(*memory, bytes);
    *memory = NULL;
}

static void disconnect(struct block_client *c)
{
    close_handle(&c->session);
    close_handle(&c->doorbell);
    unmap(&c->ring_memory, BLOCK_RING_BYTES);
    unmap(&c->data_memory, BLOCK_DATA_BYTES);
    c->connected = false;
}

/* Map @memory, whose handle is not needed any more. */
static status_t map_memory(handle_t memory, uint64_t bytes, uint8_t **address)
{
    void *mapped;
    status_t status = memory_map(memory, 0, bytes, MAP_READ | MAP_WRITE, &mapped);
    status_ignore(sys_cap_close(memory));
    if (status == STATUS_OK)
        *address = mapped;
    return status;
}

/* The driver has been at its side of them before. */
static status_t join_rings(struct block_client *c)
{
    bool good = ring_init(&c->submissions, c->ring_memory, BLOCK_COMPLETION_OFFSET,
                          BLOCK_RING_ENTRIES, sizeof(struct block_request)) &&
                ring_init(&c->completions, c->ring_memory + BLOCK_COMPLETION_OFFSET,
                          BLOCK_RING_BYTES - BLOCK_COMPLETION_OFFSET, BLOCK_RING_ENTRIES,
                          sizeof(struct block_completion));
    return good ? STATUS_OK : STATUS_INVALID;
}

static status_t connect(struct block_client *c)
{
    handle_t rings, data;
    uint64_t old;
    disconnect(c);
    status_ignore(sys_notification_poll(c->notification, BLOCK_COMPLETION_BIT, &old));
    status_t status = block_open(c->connect, BLOCK_DATA_BYTES, c->notification, &c->session,
                                 &c->doorbell, &rings, &data, &c->info);
    if (status != STATUS_OK)
        return status;
    status_t ring_status = map_memory(rings, BLOCK_RING_BYTES, &c->ring_memory);
    status = map_memory(data, BLOCK_DATA_BYTES, &c->data_memory);
    if (ring_status == STATUS_OK && status == STATUS_OK)
        status = join_rings(c);
    c->connected = ring_status == STATUS_OK && status == STATUS_OK;
    return ring_status != STATUS_OK ? ring_status : status;
}

/* Transport failed: the server died, hung, or talks nonsense. Try new sessions; PEER_DIED from a connect means "again". */
static status_t reconnect(struct block_client *c, struct transfer *t)
{
    status_t status = STATUS_PEER_DIED;
    disconnect(c);
    while (t->attempts++ < BLOCK_RETRIES) {
        status = connect(c);
        if (status == STATUS_OK)
            return STATUS_OK;
        if (status != STATUS_PEER_DIED && status != STATUS_STALE && status != STATUS_BUSY)
            return status;
        clock_sleep(RECONNECT_PAUSE_NS);
    }
    return STATUS_IO;
}

status_t block_client_init(struct block_client *c, handle_t connect_cap)
{
    *c = (struct block_client){.connect = connect_cap};
    status_t status = sys_notification_create(os_self.budget, &c->notification);
    struct transfer none = {0};
    if (status == STATUS_OK)
        status = reconnect(c, &none);
    if (status != STATUS_OK)
        block_client_close(c);
    return status;
}

void block_client_close(struct block_client *c)
{
    disconnect(c);
    close_handle(&c->notification);
}

/* ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t next_tag;

static void send_piece(struct block_client *c, struct transfer *t, size_t slot)
{
    uint64_t piece = t->slots[slot].piece, bytes = piece_bytes(t, piece);
    uint8_t *data = c->data_memory + slot * BLOCK_PIECE_BYTES;
    if (t->source != NULL)
        memcpy(data, t->source + piece * BLOCK_PIECE_BYTES, bytes);
    struct block_request request = {
        .tag = t->slots[slot].tag = ++next_tag,
        .offset = t->offset + piece * BLOCK_PIECE_BYTES,
        .data_offset = slot * BLOCK_PIECE_BYTES,
        .bytes = (uint32_t)bytes,
        .op = t->op,
    };
    (void)ring_put(&c->submissions, &request); /* the ring has more places than there are slots */
}

static void publish(struct block_client *c)
{
    if (ring_publish(&c->submissions))
        status_ignore(sys_notification_signal(c->doorbell, 1));
}

static void fill_slots(struct block_client *c, struct transfer *t)
{
    for (size_t slot = 0; slot < SLOTS && t->next < t->pieces; slot++) {
        if (t->slots[slot].tag != 0)
            continue;
        t->slots[slot].piece = t->next++;
        send_piece(c, t, slot);
    }
    publish(c);
}

static void resend_all(struct block_client *c, struct transfer *t)
{
    for (size_t slot = 0; slot < SLOTS; slot++)
        if (t->slots[slot].tag != 0)
            send_piece(c, t, slot);
    publish(c);
}

/* One completion. CORRUPT: the driver breaks the protocol; other failures are the device's answer. */
static status_t complete(struct block_client *c, struct transfer *t,
                         const struct block_completion *completion)
{
    for (size_t slot = 0; slot < SLOTS; slot++) {
        struct slot *s = &t->slots[slot];
        if (s->tag == 0 || s->tag != completion->tag)
            continue;
        status_t status = status_from_code((uint64_t)(int64_t)completion->status);
        uint64_t bytes = piece_bytes(t, s->piece);
        if (status != STATUS_OK)
            return status == STATUS_CORRUPT ? STATUS_IO : status;
        if (completion->bytes != bytes)
            return STATUS_CORRUPT;
        if (t->target != NULL)
            memcpy(t->target + s->piece * BLOCK_PIECE_BYTES,
                   c->data_memory + slot * BLOCK_PIECE_BYTES, bytes);
        s->tag = 0;
        t->done++;
        return STATUS_OK;
    }
    return STATUS_CORRUPT;
}

static status_t take_completions(struct block_client *c, struct transfer *t)
{
    struct block_completion completion;
    status_t status = STATUS_OK;
    while (status == STATUS_OK && ring_take(&c->completions, &completion))
        status = complete(c, t, &completion);
    if (ring_release(&c->completions))
        status_ignore(sys_notification_signal(c->doorbell, 1));
    return c->completions.broken || c->submissions.broken ? STATUS_CORRUPT : status;
}

/* Wait for completions, watching that the session is alive: a driver that died makes identify answer STALE or PEER_DIED. */
static status_t await(struct block_client *c, uint64_t deadline_ns)
{
    if (ring_consumer_sleep(&c->completions))
        return STATUS_OK;
    uint64_t bits, now_ns = clock_now_ns();
    if (now_ns >= deadline_ns)
        return STATUS_TIMED_OUT;
    uint64_t look_ns = now_ns + UINT64_C(50000000);
    status_t status = sys_notification_wait(c->notification, BLOCK_COMPLETION_BIT,
                                            look_ns < deadline_ns ? look_ns : deadline_ns, &bits);
    if (status != STATUS_TIMED_OUT)
        return status == STATUS_INTERRUPTED ? STATUS_OK : status;
    struct block_info info;
    status = block_identify(c->session, &info);
    return status;
}

static status_t run_once(struct block_client *c, struct transfer *t)
{
    uint64_t deadline_ns = clock_now_ns() + BLOCK_TIMEOUT_NS;
    while (t->done < t->pieces) {
        uint64_t before = t->done;
        status_t status = take_completions(c, t);
        if (status != STATUS_OK)
            return status;
        if (t->done != before)
            deadline_ns = clock_now_ns() + BLOCK_TIMEOUT_NS;
        fill_slots(c, t);
        if (t->done < t->pieces && (status = await(c, deadline_ns)) != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* The driver's death and the protocol's breach end in a new session; the device's answers end the transfer. After either, requests that are
 * still in flight belong to a session that is over, so their completions cannot be mistaken for later ones: tags are unique. */
static status_t run(struct block_client *c, struct transfer *t)
{
    for (;;) {
        status_t status = c->connected ? run_once(c, t) : STATUS_PEER_DIED;
        if (status == STATUS_OK)
            return STATUS_OK;
        bool transport = status == STATUS_PEER_DIED || status == STATUS_STALE ||
                         status == STATUS_TIMED_OUT || status == STATUS_CORRUPT;
        if (!transport) {
            disconnect(c);
            return status;
        }
        status = reconnect(c, t);
        if (status != STATUS_OK)
            return status;
        resend_all(c, t);
    }
}

static status_t check_range(const struct block_client *c, uint64_t offset, size_t bytes)
{
    uint64_t end;
    if (c->info.block_bytes == 0 || offset % c->info.block_bytes != 0 ||
        bytes % c->info.block_bytes != 0)
        return STATUS_INVALID;
    return __builtin_add_overflow(offset, bytes, &end) || end > c->info.bytes ? STATUS_RANGE
                                                                              : STATUS_OK;
}

static status_t transfer(struct block_client *c, uint32_t op, uint64_t offset, const void *source,
                         void *target, size_t bytes)
{
    status_t status = check_range(c, offset, bytes);
    if (status != STATUS_OK || bytes == 0)
        return status;
    struct transfer t = {
        .op = op,
        .offset = offset,
        .source = source,
        .target = target,
        .bytes = bytes,
        .pieces = (bytes + BLOCK_PIECE_BYTES - 1) / BLOCK_PIECE_BYTES,
    };
    return run(c, &t);
}

status_t block_read(struct block_client *c, uint64_t offset, void *buffer, size_t bytes)
{
    return transfer(c, BLOCK_OP_READ, offset, NULL, buffer, bytes);
}

status_t block_write(struct block_client *c, uint64_t offset, const void *buffer, size_t bytes)
{
    return transfer(c, BLOCK_OP_WRITE, offset, buffer, NULL, bytes);
}

status_t block_flush(struct block_client *c)
{
    struct transfer t = {.op = BLOCK_OP_FLUSH, .pieces = 1};
    return run(c, &t);
}
