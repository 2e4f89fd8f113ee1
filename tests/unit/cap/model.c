#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "budget.h"
#include "handlers.h"

struct model_node model[NODES];
int model_count, objects, destroyed, freed;
struct process processes[PROCESSES];
struct thread threads[PROCESSES];
static struct budget budget;
static struct object *object_at[OBJECTS];
static bool is_gone[OBJECTS];
static int revoking[PROCESSES]; /* the node that each thread revokes below; -1: none */
static int badges;
static int badge_closed[NODES + 1];
static bool badge_made[NODES + 1];
static bool agrees;
static int live_seen, ghosts_seen;
/* Which node has which number, of as many as a test makes. */
#define IDS 65536u
static int by_id[IDS];

/* ── Objects ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void object_gone(struct object *object)
{
    destroyed++;
    for (int i = 0; i < objects; i++)
        is_gone[i] |= object_at[i] == object;
}

static void object_freed(struct object *object)
{
    freed++;
    for (int i = 0; i < objects; i++)
        if (object_at[i] == object)
            object_at[i] = NULL;
    free(object);
}

static const struct object_ops ops = {.type = OBJECT_ENDPOINT,
                                      .destroy = object_gone,
                                      .free = object_freed};

static void badge_has_closed(uint64_t badge)
{
    if (badge < sizeof(badge_closed) / sizeof(badge_closed[0]))
        badge_closed[badge]++;
}

void set_up(void)
{
    memset(model, 0, (size_t)model_count * sizeof(model[0]));
    memset(processes, 0, sizeof(processes));
    memset(threads, 0, sizeof(threads));
    memset(is_gone, 0, sizeof(is_gone));
    memset(badge_closed, 0, sizeof(badge_closed));
    memset(badge_made, 0, sizeof(badge_made));
    model_count = objects = destroyed = freed = badges = 0;
    environment_badge_closed = badge_has_closed;
    budget.object.refs = 1;
    for (int i = 0; i < PROCESSES; i++) {
        processes[i].object.budget = &budget;
        processes[i].secret = 77u + (unsigned)i;
        cap_table_init(&processes[i]);
        threads[i].process = &processes[i];
        threads[i].derive_deadline_ns = DEADLINE_NEVER;
        revoking[i] = -1;
    }
}

/* ── The model ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* NODES: none. */
static int first_unused(void)
{
    int i = 0;
    while (i < model_count && model[i].used)
        i++;
    return i;
}

static bool is_full(void)
{
    return first_unused() == NODES;
}

static int model_add(struct model_node node)
{
    int i = first_unused();
    node.used = node.live = true;
    model[i] = node;
    if (node.place != AS_LEAF)
        by_id[node.id % IDS] = i;
    model_count = i < model_count ? model_count : i + 1;
    return i;
}

static bool is_below(int node, int ancestor)
{
    for (int i = model[node].parent; i >= 0; i = model[i].parent)
        if (i == ancestor)
            return true;
    return false;
}

static int live_at(enum model_place place, int start)
{
    for (int i = 0; i < model_count; i++) {
        int n = (start + i) % model_count;
        if (model[n].used && model[n].place == place && (model[n].live || model[n].carried))
            return n;
    }
    return -1;
}

int live_from(int start)
{
    return live_at(IN_TABLE, start);
}

static bool is_revoked_from(int object)
{
    for (int i = 0; i < PROCESSES; i++)
        if (revoking[i] >= 0 && model[revoking[i]].object == object)
            return true;
    return false;
}

/* Dead nodes that no live one, and no revocation, was made from are forgotten. */
static void model_forget(void)
{
    static bool needed[NODES];
    memset(needed, 0, (size_t)model_count * sizeof(needed[0]));
    for (int i = 0; i < PROCESSES; i++)
        if (revoking[i] >= 0)
            needed[revoking[i]] = true;
    for (int i = 0; i < model_count; i++)
        for (int n = model[i].used && (model[i].live || model[i].carried) ? i : -1;
             n >= 0 && !needed[n]; n = model[n].parent)
            needed[n] = true;
    for (int i = 0; i < PROCESSES; i++)
        for (int n = revoking[i] < 0 ? -1 : model[revoking[i]].parent; n >= 0 && !needed[n];
             n = model[n].parent)
            needed[n] = true;
    for (int i = 0; i < model_count; i++)
        model[i].used = model[i].used && needed[i];
    while (model_count > 0 && !model[model_count - 1].used)
        model_count--;
}

struct cap *find(int node)
{
    struct cap *cap = NULL;
    return cap_lookup(&processes[model[node].process], model[node].handle, OBJECT_NONE, 0, &cap) ==
                   STATUS_OK
               ? cap
               : NULL;
}

/* ── Operations ──────────────────────────────────────────────────────────────────────────────────────────────────── */

int create(int process)
{
    handle_t handle;
    if (objects == OBJECTS || is_full())
        return -1;
    struct object *object = calloc(1, sizeof(struct endpoint));
    if (object == NULL)
        abort();
    object_init(object, &ops, &budget);
    if (cap_create(&processes[process], object, RIGHT_ALL, &handle) != STATUS_OK) {
        free(object);
        return -1;
    }
    object_at[objects] = object;
    struct cap *cap = NULL;
    if (cap_lookup(&processes[process], handle, OBJECT_ENDPOINT, RIGHT_ALL, &cap) != STATUS_OK)
        abort();
    return model_add((struct model_node){.process = process,
                                         .parent = -1,
                                         .object = objects++,
                                         .handle = handle,
                                         .rights = RIGHT_ALL,
                                         .id = cap->id});
}

/* What the system call answers for copying or deriving @node. */
static status_t expected(int node, const struct cap_out *out)
{
    const struct model_node *source = &model[node];
    if ((source->rights & RIGHT_COPY) == 0 || (out->rights & ~source->rights) != 0)
        return STATUS_DENIED;
    if (out->badge != 0 && (source->rights & RIGHT_RECEIVE) == 0)
        return STATUS_DENIED;
    if (out->badge != 0 && (out->mode != CAP_TRANSFER_DERIVE || source->badge != 0))
        return STATUS_INVALID;
    return is_revoked_from(source->object) ? KERNEL_DONE : STATUS_OK;
}

/* The model's part of a copy or derivation that has succeeded. */
static void made(int node, const struct cap_out *out, struct model_node new)
{
    new.parent = out->mode == CAP_TRANSFER_DERIVE ? node : model[node].parent;
    new.object = model[node].object;
    new.badge = out->badge != 0 ? (int)out->badge : model[node].badge;
    new.rights = out->rights;
    badge_made[new.badge] = true;
    (void)model_add(new);
}

static bool give(int node, const struct cap_out *out, int to)
{
    handle_t handle = HANDLE_NONE;
    struct cap *cap = find(node), *made_cap = NULL;
    if (out->mode != CAP_TRANSFER_MOVE && is_full())
        return true;
    status_t want = out->mode == CAP_TRANSFER_MOVE ? STATUS_OK : expected(node, out);
    status_t status = cap_transfer(&threads[model[node].process], cap, &processes[to], out->mode,
                                   out->rights, out->badge, &handle);
    if (status != want || status != STATUS_OK)
        return status == want;
    if (cap_lookup(&processes[to], handle, OBJECT_ENDPOINT, 0, &made_cap) != STATUS_OK)
        return false;
    if (out->mode == CAP_TRANSFER_MOVE) {
        model[node].process = to;
        model[node].handle = handle;
        return made_cap == cap;
    }
    made(node, out, (struct model_node){.process = to, .handle = handle, .id = made_cap->id});
    return true;
}

/* A capability begins its way from a table. */
static bool post(int node, struct cap_out *out)
{
    struct cap *message = NULL;
    if (out->mode != CAP_TRANSFER_MOVE && is_full())
        return true;
    out->handle = model[node].handle;
    status_t want = (model[node].rights & RIGHT_TRANSFER) == 0 ? STATUS_DENIED
                    : out->mode == CAP_TRANSFER_MOVE           ? STATUS_OK
                                                               : expected(node, out);
    status_t status = cap_to_message(&threads[model[node].process], out, &message);
    if (status != want || status != STATUS_OK)
        return status == want;
    if (out->mode == CAP_TRANSFER_MOVE) {
        model[node].place = IN_MESSAGE;
        model[node].cap = message;
        return message->id == model[node].id;
    }
    made(node, out,
         (struct model_node){.place = IN_MESSAGE,
                             .process = model[node].process,
                             .id = message->id,
                             .cap = message});
    return true;
}

/* It arrives in the table of @to, or (to < 0) is dropped. */
static bool arrive(int node, int to)
{
    struct model_node *message = &model[node];
    bool was_live = message->live;
    message->carried = false;
    if (to < 0) {
        cap_message_drop(message->cap);
        model[node].live = false;
        return true;
    }
    status_t status = cap_from_message(message->cap, &processes[to], &message->handle);
    message->place = IN_TABLE;
    message->process = to;
    return status == (was_live ? STATUS_OK : STATUS_GONE);
}

static bool close_node(int node)
{
    cap_close(&processes[model[node].process], find(node));
    model[node].live = false;
    return true;
}

static void severed(struct cap *leaf)
{
    for (int i = 0; i < model_count; i++) {
        if (model[i].used && model[i].cap == leaf && model[i].place == AS_LEAF) {
            model[i].cap = NULL;
            model[i].live = false;
        }
    }
    free(leaf); /* nobody else looks at it here */
}

static bool leaf_make(int node)
{
    if (is_full())
        return true;
    struct cap *leaf = calloc(1, sizeof(*leaf));
    if (leaf == NULL)
        abort();
    status_t status = cap_leaf_insert(&threads[model[node].process], find(node), leaf, severed);
    if (status != STATUS_OK) {
        free(leaf);
        return status == KERNEL_DONE && is_revoked_from(model[node].object);
    }
    (void)model_add((struct model_node){.place = AS_LEAF,
                                        .parent = node,
                                        .object = model[node].object,
                                        .id = leaf->id,
                                        .cap = leaf});
    return leaf->id == model[node].id;
}

static bool leaf_end(int node)
{
    struct cap *leaf = model[node].cap;
    bool ours = cap_leaf_remove(leaf);
    model[node].cap = NULL;
    model[node].live = false;
    free(leaf);
    return ours;
}

static bool leaf_double(int node)
{
    if (is_full())
        return true;
    struct cap *copy = calloc(1, sizeof(*copy));
    if (copy == NULL)
        abort();
    if (!cap_leaf_copy(model[node].cap, copy, severed))
        return false;
    struct model_node beside = model[node];
    beside.cap = copy;
    (void)model_add(beside);
    return true;
}

static bool revoke_begin(int node)
{
    int process = model[node].process;
    struct thread *self = &threads[process];
    if (revoking[process] >= 0 || self->wait_class != NULL) /* it waits for a grace period */
        return true;
    bool waits = is_revoked_from(model[node].object);
    if (sys_cap_revoke(self, find(node)) != KERNEL_DONE || (self->continuation == NULL) != waits)
        return false;
    if (!waits)
        revoking[process] = node;
    return true;
}

/* Another step of the revocation of @process. Which of its descendants are dead before it has ended, the tree says; at the end all are. */
static bool revoke_go_on(int process)
{
    int top = revoking[process];
    struct thread *self = &threads[process];
    if (top < 0)
        return true;
    self->continuation(self);
    bool over = self->continuation == NULL;
    for (int i = 0; i < model_count; i++) {
        struct model_node *node = &model[i];
        if (!node->used || !node->live || !is_below(i, top))
            continue;
        if (!over && (node->place == IN_TABLE ? find(i) != NULL : !cap_is_dead(node->cap)))
            continue;
        if (node->place == AS_LEAF)
            return false; /* it should have been severed */
        node->carried = node->place == IN_MESSAGE;
        node->live = false;
    }
    if (over)
        revoking[process] = -1;
    return true;
}

bool revoke(int node)
{
    bool good = revoke_begin(node);
    int process = model[node].process;
    while (good && revoking[process] >= 0)
        good = revoke_go_on(process);
    environment_grace_period();
    return good;
}

void tear_down(void)
{
    for (int i = 0; i < PROCESSES; i++)
        while (revoking[i] >= 0)
            (void)revoke_go_on(i);
    for (int i = 0; i < model_count; i++) {
        if (!model[i].used || !(model[i].live || model[i].carried))
            continue;
        if (model[i].place == AS_LEAF)
            (void)leaf_end(i);
        else if (model[i].place == IN_MESSAGE)
            (void)arrive(i, -1);
    }
    for (int i = 0; i < PROCESSES; i++) {
        uint32_t cursor = 0;
        while (!cap_table_destroy_step(&processes[i], &cursor, 64))
            ;
        cap_table_free(&processes[i]);
    }
    environment_grace_period();
}

/* ── What is done, in shares of a hundred ────────────────────────────────────────────────────────────────────────── */

static struct cap_out choose_out(uint32_t (*choose)(uint32_t below), uint32_t mode)
{
    /* Few rights are left out, or nothing could be made of what was made. */
    uint32_t rights = RIGHT_ALL & ~(1u << choose(32)) & ~(1u << choose(32));
    bool badged = mode == CAP_TRANSFER_DERIVE && badges < NODES && choose(4) == 0;
    return (
        struct cap_out){.mode = mode, .rights = rights, .badge = badged ? (uint64_t)++badges : 0};
}

static bool step_in_table(uint32_t (*choose)(uint32_t below), uint32_t what, int node)
{
    static const uint32_t modes[] = {CAP_TRANSFER_DERIVE, CAP_TRANSFER_COPY, CAP_TRANSFER_MOVE};
    if (what >= 86)
        return revoke_begin(node);
    if (what >= 60)
        return close_node(node);
    if (what >= 54)
        return leaf_make(node);
    struct cap_out out = choose_out(choose, modes[what % 3]);
    if (choose(8) != 0) /* mostly no more than the source has */
        out.rights &= model[node].rights;
    return what < 42 ? give(node, &out, (int)choose(PROCESSES)) : post(node, &out);
}

bool model_step(uint32_t (*choose)(uint32_t below))
{
    uint32_t what = choose(128);
    int start = (int)choose(model_count == 0 ? 1 : (uint32_t)model_count), node = -1;
    if (what < 88)
        node = live_from(start);
    else if (what < 96)
        node = live_at(IN_MESSAGE, start);
    else if (what < 102)
        node = live_at(AS_LEAF, start);
    else if (what < 116)
        return revoke_go_on((int)choose(PROCESSES));
    else if (what >= 124)
        return model_leaks_nothing();
    if (node < 0) {
        (void)create((int)choose(PROCESSES));
        return true;
    }
    if (what < 88)
        return step_in_table(choose, what, node);
    if (what < 96)
        return arrive(node, what < 90 ? -1 : (int)choose(PROCESSES));
    return what < 100 ? leaf_end(node) : leaf_double(node);
}

/* ── Comparing ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Nothing of that is what a fuzzer looks for. */
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

static void note(int line, const char *condition)
{
    agrees = false;
    printf("# model.c:%d: %s\n", line, condition);
    fflush(stdout);
}

#define AGREE(condition) ((condition) ? (void)0 : note(__LINE__, #condition))

/* The live node of the model that @cap is; -1: none. A leaf has the number of what it was made through. */
static int node_of(const struct cap *cap) NO_THREAD_SAFETY
{
    if (cap->kind == CAP_LEAF) {
        for (int i = 0; i < model_count; i++)
            if (model[i].used && model[i].live && model[i].cap == cap)
                return model[i].place == AS_LEAF ? i : -1;
        return -1;
    }
    int i = by_id[cap->id % IDS];
    const struct model_node *node = &model[i];
    if (!node->used || !node->live || node->place == AS_LEAF || node->id != cap->id)
        return -1;
    bool there = node->place == IN_TABLE
                     ? cap->kind == CAP_SLOT && cap->holder == &processes[node->process]
                     : cap->kind == CAP_MESSAGE && node->cap == cap;
    return there ? i : -1;
}

/* Revocations that hold @cap: as their top, and as where they go on. */
static int holds(const struct cap *cap) NO_THREAD_SAFETY
{
    int count = 0;
    for (int i = 0; i < PROCESSES; i++)
        if (revoking[i] >= 0)
            count += (model[revoking[i]].id == cap->id && cap->kind != CAP_LEAF) +
                     (threads[i].revoke_at == cap);
    return count;
}

/* @cap with all that is below it. Its parent is @parent, by the model too: what was made from a node keeps that as its parent, dead or not. */
static void check_tree(struct cap *cap, struct cap *parent, int object) NO_THREAD_SAFETY
{
    bool ghost = cap->kind == CAP_GHOST;
    AGREE(cap->object == object_at[object] && cap->parent == parent);
    AGREE(cap->depth == (parent == NULL ? 0 : parent->depth + 1));
    AGREE(parent == NULL || parent->kind != CAP_LEAF);
    AGREE(cap->held == holds(cap));
    AGREE(cap_is_dead(cap) == ghost);
    if (ghost) {
        ghosts_seen++;
        AGREE(!list_is_empty(&cap->children) || cap->held != 0);
    } else {
        int node = node_of(cap), above = node < 0 ? -1 : model[node].parent;
        live_seen++;
        AGREE(node >= 0 && model[node].object == object);
        AGREE(node < 0 || (parent == NULL) == (above < 0));
        AGREE(above < 0 || parent == NULL || model[above].id == parent->id);
        AGREE(node < 0 || cap->kind == CAP_LEAF || cap->rights == model[node].rights);
        AGREE(node < 0 || cap->kind == CAP_LEAF || cap->badge == (uint64_t)model[node].badge);
    }
    list_for_each (child, &cap->children)
        check_tree(list_entry(child, struct cap, sibling), cap, object);
}

static void check_trees(void) NO_THREAD_SAFETY
{
    static int live[OBJECTS];
    memset(live, 0, sizeof(live));
    ghosts_seen = 0;
    for (int i = 0; i < model_count; i++)
        live[model[i].object] += model[i].used && model[i].live;
    for (int i = 0; i < objects && agrees; i++) {
        AGREE(is_gone[i] == (live[i] == 0));
        if (object_at[i] == NULL)
            continue; /* one that is gone may yet be held by a revocation */
        live_seen = 0;
        list_for_each (top, &object_at[i]->tops)
            check_tree(list_entry(top, struct cap, sibling), NULL, i);
        AGREE(live_seen == live[i] && object_at[i]->live == (uint32_t)live[i]);
        AGREE(object_at[i]->revoking == is_revoked_from(i));
    }
}

static void check_tables(void) NO_THREAD_SAFETY
{
    uint64_t counts[PROCESSES] = {0};
    for (int i = 0; i < model_count; i++) {
        if (!model[i].used || model[i].place != IN_TABLE)
            continue;
        struct cap *cap = find(i);
        AGREE(model[i].live == (cap != NULL));
        AGREE(cap == NULL || cap->id == model[i].id);
        counts[model[i].process] += model[i].live;
    }
    for (int i = 0; i < PROCESSES; i++) {
        struct process *process = &processes[i];
        uint64_t available = 0;
        for (uint32_t slot = process->free_slot; slot != UINT32_MAX; available++)
            slot = process->leaves[slot / CSPACE_LEAF_SLOTS][slot % CSPACE_LEAF_SLOTS].next_free;
        AGREE(process->caps == counts[i]);
        AGREE(available == process->slot_count - counts[i]);
    }
}

/* A badge has closed once, when the last capability that has it, in messages that nobody has taken too, was gone. */
static void check_badges(void)
{
    static bool open[NODES + 1];
    memset(open, 0, sizeof(open));
    for (int i = 0; i < model_count; i++)
        if (model[i].used && (model[i].live || model[i].carried) && model[i].place != AS_LEAF)
            open[model[i].badge] = true;
    for (int i = 1; i <= badges; i++)
        AGREE(badge_closed[i] == (badge_made[i] && !open[i]));
}

bool model_agrees(void)
{
    agrees = true;
    check_trees();
    check_tables();
    check_badges();
    return agrees;
}

bool model_leaks_nothing(void) NO_THREAD_SAFETY
{
    size_t bytes = 0;
    agrees = true;
    environment_grace_period();
    model_forget();
    check_trees();
    for (int i = 0; i < model_count; i++)
        if (model[i].used && (model[i].live || model[i].carried) && model[i].place != AS_LEAF)
            bytes += sizeof(struct cap);
    bytes += (size_t)ghosts_seen * sizeof(struct cap);
    for (int i = 0; i < PROCESSES; i++)
        bytes += processes[i].slot_count * sizeof(struct cspace_slot);
    for (int i = 1; i <= badges; i++)
        if (badge_made[i] && badge_closed[i] == 0)
            bytes += sizeof(struct notice);
    AGREE(environment_allocated == bytes);
    return agrees;
}

#pragma clang attribute pop
