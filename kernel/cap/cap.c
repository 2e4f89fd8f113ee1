/* Capability tables and the operations on capabilities.
 *
 * A handle is a slot number (low half) and a tag (high half). The tag of a slot's next capability is drawn from the slot's use count and
 * the process's secret, so a guessed or stale handle does not match; the whole handle is kept in the node, and a lookup is
 * one load of the slot's node and one compare, without a lock. Slots are grouped in leaves allocated on demand; free slots form a
 * list under cspace_lock. Lock order: a table's lock comes before a tree's, so revocation unlinks nodes under the tree's lock first and
 * frees their slots afterwards (cap_slot_release looks whether the slot still holds the node).
 * A node enters the tree first and its slot last: what a lookup finds is complete, and its object lives. A node that was revoked between
 * the two is dead by then, and cap_slot_take() refuses it; one that finds the table full or closed leaves the tree again. */
#include "cap.h"

#include "budget.h"
#include "endpoint.h"
#include "handlers.h"
#include "kmem.h"
#include "tree.h"

#define SLOT_NONE UINT32_MAX
#define LEAF_BYTES (CSPACE_LEAF_SLOTS * sizeof(struct cspace_slot))

static inline struct cspace_slot *slot_at(struct process *process, uint32_t index)
{
    if (index >= CSPACE_LEAVES * CSPACE_LEAF_SLOTS)
        return NULL;
    struct cspace_slot *leaf =
        __atomic_load_n(&process->leaves[index / CSPACE_LEAF_SLOTS], __ATOMIC_ACQUIRE);
    return leaf == NULL ? NULL : &leaf[index % CSPACE_LEAF_SLOTS];
}

/* The tag of the next capability in @slot: a permutation of how often it was used, by a key of the slot's, so none comes twice in 2^32
 * uses. Both mix (the finalisers of SplitMix64 and of a 32-bit hash): tags need not resist cryptanalysis, only guessing without the
 * secret. */
static uint32_t next_tag(const struct process *process, struct cspace_slot *slot, uint32_t index)
{
    uint64_t key = process->secret + index * 0x9e3779b97f4a7c15ull;
    key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9ull;
    key ^= key >> 27;
    uint32_t tag;
    do {
        tag = (uint32_t)key + slot->uses++;
        tag = (tag ^ (tag >> 16)) * 0x7feb352du;
        tag = (tag ^ (tag >> 15)) * 0x846ca68bu;
        tag ^= (tag >> 16) ^ (uint32_t)(key >> 32);
    } while (tag == 0);
    return tag;
}

status_t cap_lookup(struct process *process, handle_t handle, uint32_t type, uint32_t rights,
                    struct cap **cap)
{
    status_t status = STATUS_OK;
    struct cap *found = cap_find(process, handle, type, rights, &status);
    if (likely(found != NULL))
        *cap = found;
    return status;
}

static status_t table_grow(struct process *process) REQUIRES(cspace_lock)
{
    uint32_t leaf_index = process->slot_count / CSPACE_LEAF_SLOTS;
    if (leaf_index >= CSPACE_LEAVES)
        return STATUS_NO_MEMORY;
    struct cspace_slot *leaf = kmem_alloc(process->object.budget, LEAF_BYTES);
    if (leaf == NULL)
        return STATUS_NO_MEMORY;
    uint32_t base = process->slot_count;
    for (uint32_t i = CSPACE_LEAF_SLOTS; i-- > 0;) {
        leaf[i].next_free = process->free_slot;
        process->free_slot = base + i;
    }
    process->slot_count += CSPACE_LEAF_SLOTS;
    __atomic_store_n(&process->leaves[leaf_index], leaf, __ATOMIC_RELEASE);
    return STATUS_OK;
}

void cap_table_init(struct process *process) NO_THREAD_SAFETY
{
    process->free_slot = SLOT_NONE;
}

status_t cap_slot_take(struct process *process, struct cap *cap, handle_t *handle)
{
    status_t status = STATUS_OK;
    cspace_lock_acquire(&process->cspace);
    if (process->table_closed)
        status = STATUS_GONE;
    else if (cap_is_dead(cap))
        status = STATUS_BAD_HANDLE;
    else if (process->free_slot == SLOT_NONE)
        status = table_grow(process);
    if (status == STATUS_OK) {
        uint32_t index = process->free_slot;
        struct cspace_slot *slot = slot_at(process, index);
        process->free_slot = slot->next_free;
        add_owned(&process->caps, 1);
        *handle = (uint64_t)next_tag(process, slot, index) << 32 | index;
        __atomic_store_n(&cap->handle, *handle, __ATOMIC_RELAXED);
        __atomic_store_n(&slot->cap, cap, __ATOMIC_RELEASE);
    }
    cspace_lock_release(&process->cspace);
    return status;
}

__attribute__((noinline)) bool cap_slot_release(struct process *process, struct cap *cap)
{
    cspace_lock_acquire(&process->cspace);
    uint32_t index = (uint32_t)__atomic_load_n(&cap->handle, __ATOMIC_RELAXED);
    struct cspace_slot *slot = slot_at(process, index);
    bool holds = slot != NULL && slot->cap == cap;
    if (holds) {
        __atomic_store_n(&slot->cap, NULL, __ATOMIC_RELEASE);
        slot->next_free = process->free_slot;
        process->free_slot = index;
        add_owned(&process->caps, -1);
    }
    cspace_lock_release(&process->cspace);
    return holds;
}

bool cap_tree_enter(struct thread *self, struct object *object, const struct cap *source,
                    status_t *status) NO_THREAD_SAFETY
{
    tree_lock_acquire(&object->lock);
    if (self != NULL && unlikely(object->revoking != 0)) {
        *status = tree_wait_revoked(self, object);
        return false;
    }
    if (source == NULL || likely(!cap_is_dead(source)))
        return true;
    tree_lock_release(&object->lock);
    *status = STATUS_BAD_HANDLE;
    return false;
}

/* Put @cap into the tree, for a slot of @holder or (NULL) for a message. */
static status_t tree_attach(struct thread *self, struct object *object, struct cap *source,
                            struct cap *cap, bool child, struct process *holder)
{
    status_t status = STATUS_OK;
    if (!cap_tree_enter(self, object, source, &status))
        return status;
    if (child && source->depth >= CAP_DEPTH_MAX) {
        status = STATUS_RANGE;
    } else {
        tree_insert(object, child ? source : (source != NULL ? source->parent : NULL), cap);
        cap->holder = holder;
        cap->kind = holder != NULL ? CAP_SLOT : CAP_MESSAGE;
    }
    tree_lock_release(&object->lock);
    return status;
}

/* The tree's part of closing: @cap has left its slot, or got none. In the second case nobody has had @badge, if it was to be the first of that: the server
 * is not told of the end of a badge that it may be about to make again. True: it was the last live node. */
static bool cap_leave(struct cap *cap, uint64_t badge)
{
    struct object *object = cap->object;
    tree_lock_acquire(&object->lock);
    /* A dead node was collected by a revocation, which frees it. */
    bool ours = !cap_is_dead(cap) && cap->kind == CAP_SLOT;
    bool last = ours && tree_remove(object, cap);
    bool retire = ours && cap->kind == CAP_REMOVED;
    tree_lock_release(&object->lock);
    if (ours)
        badge_drop(cap->closed, badge == 0);
    if (retire)
        cap_node_retire(cap);
    return last;
}

static void cap_end(struct cap *cap, uint64_t badge)
{
    struct object *object = cap->object;
    if (cap_leave(cap, badge))
        object_end(object);
}

COLD status_t cap_create(struct process *process, struct object *object, uint32_t rights,
                         handle_t *handle)
{
    struct cap *cap = cap_node_create(process->object.budget, object, rights);
    if (cap == NULL)
        return STATUS_NO_MEMORY;
    status_t status = tree_attach(NULL, object, NULL, cap, false, process);
    ASSERT(status == STATUS_OK);
    status = cap_slot_take(process, cap, handle);
    if (status != STATUS_OK)
        (void)cap_leave(cap, 0); /* even if it was the last: the object is the caller's */
    return status;
}

/* What nobody counts any more stays closed: the capability that led to it is dead, and no tree takes what is made from it. */
static void badge_join(struct cap *cap, struct notice *closed)
{
    if (closed != NULL && count_up_unless_zero(&closed->count))
        cap->closed = closed;
}

struct notice *notice_create(struct budget *budget, struct endpoint *endpoint, uint32_t kind,
                             uint64_t cookie)
{
    if (!object_try_ref(&endpoint->object))
        return NULL;
    struct notice *notice = kmem_alloc(budget, sizeof(*notice));
    if (notice == NULL) {
        object_unref(&endpoint->object);
        return NULL;
    }
    notice->endpoint = endpoint;
    notice->budget = budget;
    notice->cookie = cookie;
    notice->epoch = __atomic_load_n(&endpoint->home.epoch, __ATOMIC_ACQUIRE);
    notice->kind = kind;
    notice->count = 1;
    object_ref(&budget->object);
    return notice;
}

/* Rights and badge of what @source shall become: the checks that need no lock. */
static status_t derive_check(const struct cap *source, uint32_t mode, uint32_t rights,
                             uint64_t badge)
{
    if (mode != CAP_TRANSFER_COPY && mode != CAP_TRANSFER_DERIVE)
        return STATUS_INVALID;
    if ((source->rights & RIGHT_COPY) == 0 || (rights & ~source->rights) != 0)
        return STATUS_DENIED;
    if (badge != 0 && (source->rights & RIGHT_RECEIVE) == 0)
        return STATUS_DENIED;
    if (badge != 0 &&
        (mode != CAP_TRANSFER_DERIVE || source->badge != 0 || source->type != OBJECT_ENDPOINT))
        return STATUS_INVALID;
    return STATUS_OK;
}

/* A new node with what @source gives, in no tree yet; charged to @budget. */
static struct cap *derive_node(struct cap *source, struct budget *budget, uint32_t rights,
                               uint64_t badge)
{
    struct cap *cap = cap_node_create(budget, source->object, rights);
    if (cap == NULL)
        return NULL;
    cap->badge = source->badge;
    cap->epoch = source->epoch;
    cap->source_id = source->id;
    if (badge != 0) {
        cap->closed = notice_create(budget, endpoint_of(source->object), IPC_KIND_CLOSED, badge);
        if (cap->closed == NULL) {
            cap_node_retire(cap);
            return NULL;
        }
        cap->badge = badge;
        cap->epoch = cap->closed->epoch;
    } else {
        badge_join(cap, source->closed);
    }
    return cap;
}

/* What @source shall become as @out says, in the tree: for a slot of @holder or (NULL) for a message; charged to @budget. */
static status_t derive(struct thread *self, struct cap *source, const struct cap_out *out,
                       struct budget *budget, struct process *holder, struct cap **derived)
{
    status_t status = derive_check(source, out->mode, out->rights, out->badge);
    if (status != STATUS_OK)
        return status;
    struct cap *cap = derive_node(source, budget, out->rights, out->badge);
    if (cap == NULL)
        return STATUS_NO_MEMORY;
    status =
        tree_attach(self, source->object, source, cap, out->mode == CAP_TRANSFER_DERIVE, holder);
    if (status == STATUS_OK) {
        *derived = cap;
        return status;
    }
    badge_drop(cap->closed, out->badge == 0);
    cap_node_retire(cap);
    return status;
}

/* The node itself leaves its table, as a message. Its slot is taken away first, so a lookup finds it under one name or none, and of two that
 * move it one succeeds. */
static status_t move_out(struct process *from, struct cap *source)
{
    if (!cap_slot_release(from, source))
        return STATUS_BAD_HANDLE;
    tree_lock_acquire(&source->object->lock);
    bool live = source->kind == CAP_SLOT && !cap_is_dead(source);
    if (live) {
        source->kind = CAP_MESSAGE;
        source->holder = NULL;
    }
    tree_lock_release(&source->object->lock);
    return live ? STATUS_OK : STATUS_BAD_HANDLE; /* the revocation that took it frees it */
}

status_t cap_transfer(struct thread *self, struct cap *source, struct process *to, uint32_t mode,
                      uint32_t rights, uint64_t badge, handle_t *handle)
{
    struct cap *cap;
    if (mode == CAP_TRANSFER_MOVE) {
        status_t status = move_out(self->process, source);
        return status == STATUS_OK ? cap_from_message(source, to, handle) : status;
    }
    const struct cap_out out = {.mode = mode, .rights = rights, .badge = badge};
    status_t status = derive(self, source, &out, to->object.budget, to, &cap);
    if (status != STATUS_OK)
        return status;
    status = cap_slot_take(to, cap, handle);
    if (status != STATUS_OK)
        cap_end(cap, badge);
    return status;
}

void cap_close(struct process *process, struct cap *cap)
{
    if (cap_slot_release(process, cap))
        cap_end(cap, 0);
}

/* Messages. */

status_t cap_to_message(struct thread *self, const struct cap_out *out, struct cap **message)
{
    struct cap *source;
    status_t status = cap_lookup(self->process, out->handle, OBJECT_NONE, RIGHT_TRANSFER, &source);
    if (status != STATUS_OK)
        return status;
    if (out->mode != CAP_TRANSFER_MOVE)
        return derive(self, source, out, self->process->object.budget, NULL, message);
    status = move_out(self->process, source);
    if (status == STATUS_OK)
        *message = source;
    return status;
}

/* The receiver pays for what it keeps. */
static status_t node_recharge(struct cap *cap, struct budget *to)
{
    struct budget *from = cap->budget;
    if (from == to)
        return STATUS_OK;
    status_t status = budget_charge_kmem(to, kmem_charge(sizeof(*cap)));
    if (status != STATUS_OK)
        return status;
    budget_uncharge_kmem(from, kmem_charge(sizeof(*cap)));
    object_ref(&to->object);
    cap->budget = to;
    object_unref(&from->object);
    return STATUS_OK;
}

COLD status_t cap_from_message(struct cap *message, struct process *to, handle_t *handle)
{
    status_t status = node_recharge(message, to->object.budget);
    if (status != STATUS_OK) {
        cap_message_drop(message);
        return status;
    }
    struct object *object = message->object;
    tree_lock_acquire(&object->lock);
    bool live = message->kind == CAP_MESSAGE;
    if (live) {
        message->kind = CAP_SLOT; /* from here on a revocation frees it */
        message->holder = to;
    }
    tree_lock_release(&object->lock);
    if (!live) {
        cap_message_drop(message);
        return STATUS_GONE;
    }
    status = cap_slot_take(to, message, handle);
    if (status != STATUS_OK)
        cap_end(message, 0);
    return status == STATUS_BAD_HANDLE ? STATUS_GONE : status;
}

/* In one look under the lock: what a revocation has not taken by then is ours to take out. */
COLD void cap_message_drop(struct cap *message)
{
    struct object *object = message->object;
    tree_lock_acquire(&object->lock);
    bool revoked = message->kind == CAP_REMOVED;
    bool last = !revoked && tree_remove(object, message);
    bool retire = message->kind == CAP_REMOVED;
    tree_lock_release(&object->lock);
    badge_drop(message->closed, true);
    if (retire)
        cap_node_retire(message);
    if (last)
        object_end(object);
    if (revoked)
        object_unref(object); /* held for us since (revoke.c) */
}

/* Leaves. */

void cap_leaf_add(const struct cap *like, struct cap *parent, struct cap *leaf,
                  void (*sever)(struct cap *))
{
    leaf->object = like->object;
    leaf->sever = sever;
    leaf->id = like->id;
    leaf->dead = false;
    leaf->kind = CAP_LEAF;
    list_init(&leaf->children);
    tree_insert(leaf->object, parent, leaf);
}

status_t cap_leaf_insert(struct thread *self, struct cap *parent, struct cap *leaf,
                         void (*sever)(struct cap *))
{
    status_t status = STATUS_OK;
    if (cap_tree_enter(self, parent->object, parent, &status)) {
        cap_leaf_add(parent, parent, leaf, sever);
        tree_lock_release(&parent->object->lock);
    }
    return status;
}

/* While a revocation goes on, too: if it has not come to @leaf yet it comes to @copy after it. */
bool cap_leaf_copy(struct cap *leaf, struct cap *copy, void (*sever)(struct cap *))
{
    status_t status;
    bool live = cap_tree_enter(NULL, leaf->object, leaf, &status);
    if (live) {
        cap_leaf_add(leaf, leaf->parent, copy, sever);
        tree_lock_release(&leaf->object->lock);
    }
    return live;
}

COLD bool cap_leaf_remove(struct cap *leaf)
{
    struct object *object = leaf->object;
    tree_lock_acquire(&object->lock);
    bool ours = leaf->kind == CAP_LEAF && !cap_is_dead(leaf);
    bool last = ours && tree_remove(object, leaf);
    tree_lock_release(&object->lock);
    if (last)
        object_end(object);
    return ours;
}

bool cap_table_destroy_step(struct process *process, uint32_t *cursor, uint32_t count)
{
    /* Under the lock: who found the table open has filled its slot by now, and the walk meets it. */
    cspace_lock_acquire(&process->cspace);
    process->table_closed = true;
    cspace_lock_release(&process->cspace);
    for (uint32_t i = 0; i < count; i++) {
        struct cspace_slot *slot = slot_at(process, *cursor);
        if (slot == NULL)
            return true;
        struct cap *cap = __atomic_load_n(&slot->cap, __ATOMIC_ACQUIRE);
        if (cap != NULL)
            cap_close(process, cap);
        (*cursor)++;
    }
    return false;
}

void cap_table_free(struct process *process)
{
    for (uint32_t i = 0; i < CSPACE_LEAVES && process->leaves[i] != NULL; i++)
        kmem_free(process->object.budget, process->leaves[i], LEAF_BYTES);
}

/* System calls. */

status_t sys_cap_copy(struct thread *self, struct cap *source, uint32_t rights, handle_t *copy)
{
    return cap_transfer(self, source, self->process, CAP_TRANSFER_COPY, rights, 0, copy);
}

status_t sys_cap_derive(struct thread *self, struct cap *source, uint32_t rights, uint64_t badge,
                        handle_t *child)
{
    return cap_transfer(self, source, self->process, CAP_TRANSFER_DERIVE, rights, badge, child);
}

status_t sys_cap_close(struct thread *self, handle_t source)
{
    struct cap *cap;
    status_t status = cap_lookup(self->process, source, OBJECT_NONE, 0, &cap);
    if (status == STATUS_OK)
        cap_close(self->process, cap);
    return status;
}

status_t sys_cap_info(struct thread *self, handle_t source, uint32_t *type, uint32_t *rights,
                      uint64_t *badge, uint64_t *object_id)
{
    struct cap *cap;
    status_t status = cap_lookup(self->process, source, OBJECT_NONE, 0, &cap);
    if (status != STATUS_OK)
        return status;
    *type = cap->type;
    *rights = cap->rights;
    *badge = cap->badge;
    *object_id = cap->object->id;
    return STATUS_OK;
}

static void cap_describe(struct cap *cap, struct cap_entry *entry)
{
    struct object *object = cap->object;
    entry->handle = __atomic_load_n(&cap->handle, __ATOMIC_RELAXED);
    entry->object_id = object->id;
    entry->badge = cap->badge;
    entry->node_id = cap->id;
    entry->type = cap->type;
    entry->rights = cap->rights;
    entry->source_node_id = cap->source_id;
    tree_lock_acquire(&object->lock);
    struct cap *parent = cap->kind == CAP_SLOT ? cap->parent : NULL;
    if (parent != NULL)
        entry->parent_node_id = parent->id;
    tree_lock_release(&object->lock);
}

status_t sys_cap_list(struct thread *self, struct cap *budget, uint64_t process_id, uint64_t cursor,
                      struct cap_entry *entry, uint64_t *next)
{
    (void)self;
    struct process *process = process_next(process_id - 1, process_id, budget_of(budget->object));
    if (process == NULL)
        return STATUS_NOT_FOUND;
    for (uint32_t i = 0; i < 256 && cursor < CSPACE_LEAVES * CSPACE_LEAF_SLOTS; i++, cursor++) {
        struct cspace_slot *slot = slot_at(process, (uint32_t)cursor);
        if (slot == NULL)
            break;
        struct cap *cap = __atomic_load_n(&slot->cap, __ATOMIC_ACQUIRE);
        if (cap == NULL)
            continue;
        cap_describe(cap, entry);
        cursor++;
        break;
    }
    bool more = slot_at(process, (uint32_t)cursor) != NULL || entry->type != OBJECT_NONE;
    *next = cursor;
    status_t status = more ? STATUS_OK : STATUS_NOT_FOUND;
    object_unref(&process->object);
    return status;
}
