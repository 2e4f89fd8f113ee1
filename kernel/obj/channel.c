/* Channels: two ends, a bounded ring of messages towards each.
 *
 * Both rings with all their message bytes are one allocation, made and charged when the channel is created, so that sending never needs
 * memory but for capabilities. User memory is copied without the lock held: a sender reserves the slot at the ring's tail (FILLING),
 * copies, and publishes it (READY); a receiver marks the head (TAKING), copies, and frees it. A send that fails in between leaves its
 * slot CANCELLED, which the ring steps over. A call that has to wait for a pager gives its slot back and starts again.
 *
 * Capabilities travel as message nodes in the slot. What can fail is done first: copies and derivations before moves. An end that is
 * destroyed closes its ring: what waits there is dropped, and a sender that is just filling a slot drops its own.
 *
 * A bound end gets an event when a message becomes READY and when its peer goes; a receiver drains until BUSY. */
#include <handlers.h>
#include <kstring.h>
#include <mm/aspace.h>
#include <obj_create.h>
#include <queue.h>
#include <sched.h>
#include <thread.h>

#define CHANNEL_RIGHTS                                                                         \
    (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_CALL | RIGHT_RECEIVE | \
     RIGHT_MANAGE)
/** Of an ended ring, before interrupts are let in. */
#define SLOTS_AT_ONCE 8u
#define EVENT_READABLE 1u
#define EVENT_PEER_GONE 2u

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_READY, SLOT_TAKING, SLOT_CANCELLED };

struct slot {
    uint32_t state; /* enum slot_state; source_lock */
    uint32_t bytes; /* these by whoever fills or takes the slot */
    uint32_t cap_count;
    struct cap *caps[IPC_CAPS_MAX];
    unsigned char data[];
};

/** Messages towards one end. */
struct ring {
    uint32_t head, used; /* source_lock; slots in use are head, head + 1 … round the ring */
    bool closed;         /* source_lock; its reader is gone */
    unsigned char *slots;
};

struct channel;

/** What both ends share; freed with the second. */
struct core {
    struct spinlock lock; /* source_lock */
    uint32_t refs;        /* atomic */
    uint32_t slots, slot_bytes, message_bytes;
    size_t bytes;         /* of this allocation */
    struct ring rings[2]; /* towards end 0, end 1 */
    struct channel *ends[2] GUARDED_BY(source_lock);
    unsigned char memory[];
};

struct channel {
    struct object object;
    struct core *core;
    uint32_t side;
    struct event_source source; /* source_lock */
};

static inline struct channel *channel_of(struct object *object)
{
    return container_of(object, struct channel, object);
}

static inline struct slot *slot_absolute(const struct core *core, const struct ring *ring,
                                         uint32_t index)
{
    return (struct slot *)(void *)(ring->slots + (size_t)index * core->slot_bytes);
}

/** The slot @distance (at most the number of slots) behind the head. */
static inline struct slot *slot_at(const struct core *core, const struct ring *ring,
                                   uint32_t distance)
{
    return slot_absolute(core, ring, (ring->head + distance) % core->slots);
}

/* ── The ring ────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Step over slots that were given up, at both ends. */
static void ring_trim(const struct core *core, struct ring *ring) REQUIRES(source_lock)
{
    while (ring->used != 0 && slot_at(core, ring, ring->used - 1)->state == SLOT_CANCELLED)
        slot_at(core, ring, --ring->used)->state = SLOT_FREE;
    while (ring->used != 0 && slot_at(core, ring, 0)->state == SLOT_CANCELLED) {
        slot_at(core, ring, 0)->state = SLOT_FREE;
        ring->head = (ring->head + 1) % core->slots;
        ring->used--;
    }
}

static status_t ring_reserve(struct core *core, struct ring *ring, struct slot **slot)
    REQUIRES(source_lock)
{
    if (ring->closed)
        return STATUS_PEER_DIED;
    if (ring->used == core->slots)
        return STATUS_BUSY;
    *slot = slot_at(core, ring, ring->used++);
    (*slot)->state = SLOT_FILLING;
    (*slot)->cap_count = 0;
    return STATUS_OK;
}

/* The oldest message, to be copied out. @writer_gone: nobody will add another. */
static status_t ring_take(struct core *core, struct ring *ring, bool writer_gone, uint64_t room,
                          struct slot **slot) REQUIRES(source_lock)
{
    if (ring->used == 0)
        return writer_gone ? STATUS_PEER_DIED : STATUS_BUSY;
    *slot = slot_at(core, ring, 0);
    if ((*slot)->state != SLOT_READY)
        return STATUS_BUSY;
    if ((*slot)->bytes > room)
        return STATUS_RANGE;
    (*slot)->state = SLOT_TAKING;
    return STATUS_OK;
}

/* ── Sending ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The caller's announcement of @count capabilities, copied once; each names something that may be sent through @core. */
static status_t caps_check(struct thread *self, const struct core *core, uint32_t count,
                           struct cap_out outs[IPC_CAPS_MAX])
{
    if (count > IPC_CAPS_MAX)
        return STATUS_RANGE;
    if (count != 0 && self->buffer == NULL)
        return STATUS_INVALID;
    for (uint32_t i = 0; i < count; i++) {
        struct cap *cap;

        memcpy(&outs[i], &self->buffer->caps[i], sizeof(outs[i]));
        status_t status =
            cap_lookup(self->process, outs[i].handle, OBJECT_NONE, RIGHT_TRANSFER, &cap);

        if (!status_is_ok(status))
            return status;
        /* An end inside its own channel would keep it alive for ever. */
        if (cap->type == OBJECT_CHANNEL && channel_of(cap->object)->core == core)
            return STATUS_INVALID;
    }
    return STATUS_OK;
}

static status_t slot_fill(struct thread *self, struct slot *slot, struct user_in data,
                          const struct cap_out *outs, uint32_t count)
{
    slot->bytes = (uint32_t)data.length;
    status_t status =
        data.length == 0 ? STATUS_OK : user_copy_in(self, slot->data, data.address, data.length);

    if (status_is_ok(status))
        status = cap_messages_make(self, outs, count, DEADLINE_NEVER, slot->caps);
    if (status_is_ok(status))
        slot->cap_count = count;
    return status;
}

/* The message of @slot is there to be received, @new or once more; if its reader has gone meanwhile it went down with it. */
static void slot_publish(struct core *core, uint32_t side, struct slot *slot, bool new)
{
    struct cap *caps[IPC_CAPS_MAX];
    uint32_t count = 0;

    source_lock_acquire(&core->lock);
    if (core->rings[side].closed) {
        count = slot->cap_count;
        memcpy(caps, slot->caps, sizeof(caps));
        slot->state = SLOT_CANCELLED;
    } else {
        slot->state = SLOT_READY;
        if (new)
            event_post(&core->ends[side]->source, EVENT_READABLE, EVENT_OR);
    }
    source_lock_release(&core->lock);
    cap_messages_drop(caps, count);
}

status_t sys_channel_send(struct thread *self, struct cap *cap, struct user_in data, uint32_t caps)
{
    struct channel *channel = channel_of(cap->object);
    struct core *core = channel->core;
    uint32_t to = 1 - channel->side;
    struct ring *ring = &core->rings[to];
    struct cap_out outs[IPC_CAPS_MAX];
    struct slot *slot;

    if (data.length > core->message_bytes)
        return STATUS_RANGE;
    status_t status = caps_check(self, core, caps, outs);

    if (!status_is_ok(status))
        return status;
    source_lock_acquire(&core->lock);
    status = ring_reserve(core, ring, &slot);
    source_lock_release(&core->lock);
    if (!status_is_ok(status))
        return status;
    status = slot_fill(self, slot, data, outs, caps);
    if (status_is_ok(status)) {
        slot_publish(core, to, slot, true);
        return STATUS_OK;
    }
    source_lock_acquire(&core->lock);
    slot->state = SLOT_CANCELLED;
    ring_trim(core, ring);
    source_lock_release(&core->lock);
    return status;
}

/* ── Receiving ───────────────────────────────────────────────────────────────────────────────────────────────────── */

status_t sys_channel_receive(struct thread *self, struct cap *cap, struct user_out data,
                             uint64_t *bytes, uint32_t *cap_count)
{
    struct channel *channel = channel_of(cap->object);
    struct core *core = channel->core;
    struct ring *ring = &core->rings[channel->side];
    struct cap *caps[IPC_CAPS_MAX];
    struct slot *slot;

    source_lock_acquire(&core->lock);
    status_t status =
        ring_take(core, ring, core->rings[1 - channel->side].closed, data.length, &slot);
    source_lock_release(&core->lock);
    if (!status_is_ok(status))
        return status;
    status =
        slot->bytes == 0 ? STATUS_OK : user_copy_out(self, data.address, slot->data, slot->bytes);
    if (!status_is_ok(status)) {
        slot_publish(core, channel->side, slot, false);
        return status;
    }
    *bytes = slot->bytes;
    uint32_t count = slot->cap_count;

    memcpy(caps, slot->caps, sizeof(caps));
    source_lock_acquire(&core->lock);
    slot->state = SLOT_CANCELLED; /* used up: the head steps over it */
    ring_trim(core, ring);
    source_lock_release(&core->lock);
    *cap_count = cap_messages_install(self, caps, count);
    return STATUS_OK;
}

status_t sys_channel_bind(struct thread *self, struct cap *cap, struct cap *queue_cap,
                          uint64_t cookie)
{
    (void)self;
    struct channel *channel = channel_of(cap->object);
    struct core *core = channel->core;

    source_lock_acquire(&core->lock);
    status_t status =
        core->ends[channel->side] == NULL
            ? STATUS_BAD_HANDLE
            : event_source_bind(&channel->source, queue_of(queue_cap->object), cookie);

    if (status_is_ok(status)) {
        const struct ring *ring = &core->rings[channel->side];
        uint64_t now = (ring->used != 0 ? EVENT_READABLE : 0) |
                       (core->rings[1 - channel->side].closed ? EVENT_PEER_GONE : 0);

        if (now != 0)
            event_post(&channel->source, now, EVENT_OR);
    }
    source_lock_release(&core->lock);
    return status;
}

/* ── The object ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Take the capabilities of slot @index out if there is a message in it that nobody is copying. */
static uint32_t slot_reclaim(struct core *core, const struct ring *ring, uint32_t index,
                             struct cap *caps[IPC_CAPS_MAX])
{
    uint32_t count = 0;

    source_lock_acquire(&core->lock);
    struct slot *slot = slot_absolute(core, ring, index);

    if (slot->state == SLOT_READY) {
        slot->state = SLOT_CANCELLED;
        count = slot->cap_count;
        memcpy(caps, slot->caps, sizeof(slot->caps));
    }
    source_lock_release(&core->lock);
    return count;
}

static void channel_destroy(struct object *object)
{
    struct channel *channel = channel_of(object);
    struct core *core = channel->core;
    struct ring *ring = &core->rings[channel->side];

    source_lock_acquire(&core->lock);
    core->ends[channel->side] = NULL;
    ring->closed = true;
    event_source_unbind(&channel->source);
    if (core->ends[1 - channel->side] != NULL)
        event_post(&core->ends[1 - channel->side]->source, EVENT_PEER_GONE, EVENT_OR);
    source_lock_release(&core->lock);
    for (uint32_t i = 0; i < core->slots; i++) {
        struct cap *caps[IPC_CAPS_MAX];

        cap_messages_drop(caps, slot_reclaim(core, ring, i, caps));
        if (i % SLOTS_AT_ONCE == SLOTS_AT_ONCE - 1)
            sched_let_interrupts_in();
    }
}

static void channel_free(struct object *object)
{
    struct channel *channel = channel_of(object);
    struct core *core = channel->core;

    if (core != NULL && __atomic_sub_fetch(&core->refs, 1, __ATOMIC_ACQ_REL) == 0)
        kmem_free(object->budget, core, core->bytes);
    object_release(object, sizeof(struct channel));
}

static const struct object_ops channel_ops = {.type = OBJECT_CHANNEL,
                                              .destroy = channel_destroy,
                                              .free = channel_free};

/* Bytes of the shared part, or 0 if it would be too big. */
static size_t core_size(uint32_t slots, uint32_t message_bytes, uint32_t *slot_bytes)
{
    if (message_bytes > CHANNEL_MESSAGE_BYTES_MAX || slots > CHANNEL_BYTES_MAX)
        return 0;
    *slot_bytes = (uint32_t)((sizeof(struct slot) + message_bytes + 7) & ~(size_t)7);
    uint64_t total = sizeof(struct core) + 2ull * slots * *slot_bytes;

    return total > CHANNEL_BYTES_MAX ? 0 : (size_t)total;
}

static struct core *core_create(struct budget *budget, uint32_t slots, uint32_t message_bytes)
{
    uint32_t slot_bytes;
    size_t bytes = core_size(slots, message_bytes, &slot_bytes);
    struct core *core = kmem_alloc(budget, bytes);

    if (core == NULL)
        return NULL;
    core->slots = slots;
    core->slot_bytes = slot_bytes;
    core->message_bytes = message_bytes;
    core->bytes = bytes;
    core->rings[0].slots = core->memory;
    core->rings[1].slots = core->memory + (size_t)slots * slot_bytes;
    return core;
}

static struct channel *end_create(const struct cap *budget, struct core *core, uint32_t side)
    NO_THREAD_SAFETY
{
    struct channel *channel = object_allocate(budget, sizeof(*channel), &channel_ops);

    if (channel == NULL)
        return NULL;
    channel->core = core;
    channel->side = side;
    event_source_init(&channel->source, EVENT_CHANNEL);
    core->ends[side] = channel;
    core->refs++;
    return channel;
}

/* Two capabilities or none. */
static status_t ends_publish(struct process *process, struct channel *left, struct channel *right,
                             handle_t *left_handle, handle_t *right_handle)
{
    struct cap *cap;
    status_t status = object_publish(process, &left->object, CHANNEL_RIGHTS, left_handle);

    if (status_is_ok(status)) {
        status = cap_create(process, &right->object, CHANNEL_RIGHTS, right_handle);
        if (status_is_ok(status))
            return status;
        if (status_is_ok(cap_lookup(process, *left_handle, OBJECT_CHANNEL, 0, &cap)))
            cap_close(process, cap);
    }
    object_unref(&right->object); /* last: the left end tells it of its own end */
    return status;
}

status_t sys_channel_create(struct thread *self, struct cap *budget, uint32_t slots,
                            uint32_t message_bytes, handle_t *left, handle_t *right)
{
    uint32_t slot_bytes;

    if (slots == 0 || core_size(slots, message_bytes, &slot_bytes) == 0)
        return STATUS_INVALID;
    struct core *core = core_create(budget_of(budget->object), slots, message_bytes);

    if (core == NULL)
        return STATUS_NO_MEMORY;
    struct channel *ends[2] = {end_create(budget, core, 0), NULL};

    if (ends[0] == NULL) {
        kmem_free(budget_of(budget->object), core, core->bytes);
        return STATUS_NO_MEMORY;
    }
    ends[1] = end_create(budget, core, 1);
    if (ends[1] == NULL) {
        object_unref(&ends[0]->object);
        return STATUS_NO_MEMORY;
    }
    return ends_publish(self->process, ends[0], ends[1], left, right);
}
