/* The lookup of handles (kernel/include/process.h) and the table's slots (kernel/cap/cap.c): any handle, any table.
 * proves: a handle finds the node in its own slot with its own tag, type and rights, or nothing; a slot is given to one node, once; free slots stay in one list
 * bounds: a table of 4 slots, of which at least one is free; any handle, any tag, any order of the free slots; one operation
 * options: --unwind 6
 * scaled: kernel/include/process.h :: s/CSPACE_LEAF_SLOTS 128u/CSPACE_LEAF_SLOTS 4u/; s/CSPACE_LEAVES 1024u/CSPACE_LEAVES 2u/ :: tables of 2 leaves of 4 slots
 * scaled: kernel/cap/cap.c :: s/index \* 0x9e3779b97f4a7c15ull/index/; s/^    key = \(key .+$//; s/^        tag = \(tag \^ .+$// :: the mixing of tags is left out: a tag is the secret, the slot and its uses
 * fault: kernel/include/process.h :: s/index \/ CSPACE_LEAF_SLOTS % CSPACE_LEAVES/index \/ CSPACE_LEAF_SLOTS/ :: an index behind the table
 * fault: kernel/include/process.h :: s/ \|\| __atomic_load_n\(\&cap->handle, __ATOMIC_RELAXED\) != handle// :: the tag is not compared
 * fault: kernel/include/process.h :: s/\(cap->rights \& rights\) != rights/(cap->rights \& rights) == 0/ :: any right in common is enough, and needed
 * fault: kernel/cap/cap.c :: s/else if \(cap_is_dead\(cap\)\)/else if (false)/ :: a dead node gets a slot
 * fault: kernel/cap/cap.c :: s/slot != NULL \&\& slot->cap == cap/slot != NULL/ :: a slot is given back by who does not hold it
 */
#include "caps.h"

static struct cap held_node, new_node, other_a, other_b;
static struct process *const process = &process_a;

#define SLOTS CSPACE_LEAF_SLOTS

/* Each slot is empty and once in the free list, or holds a node by its name. */
static bool is_right(void)
{
    uint32_t free = 0, used = 0, count = process->slot_count;
    uint32_t at = process->free_slot;
    for (uint32_t i = 0; i < SLOTS + 1 && at != SLOT_NONE; i++) {
        if (at >= count || (free >> at & 1) != 0 || slot_at(process, at)->cap != NULL)
            return false;
        free |= 1u << at;
        at = slot_at(process, at)->next_free;
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        const struct cap *cap = leaf_a[i].cap;
        used += cap != NULL;
        if (cap != NULL ? (uint32_t)cap->handle != i : (free >> i & 1) == 0)
            return false;
    }
    return at == SLOT_NONE && used == process->caps;
}

/* Any state of one leaf: each slot is free or holds held_node or another; new_node is in none. */
static void any_table(void)
{
    tables_make();
    process->secret = any_u64();
    process->free_slot = any_bool() ? SLOT_NONE : any_below(SLOTS);
    process->caps = any_below(SLOTS + 1);
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct cspace_slot *slot = &leaf_a[i];
        slot->uses = any_u32();
        slot->next_free = any_bool() ? SLOT_NONE : any_below(SLOTS);
        uint32_t who = any_below(4);
        slot->cap = who == 3 ? NULL : who == 2 ? &held_node : who == 1 ? &other_a : &other_b;
    }
    held_node.handle = any_u64();
    other_a.handle = any_u64();
    other_b.handle = any_u64();
    ASSUME(is_right());
}

static bool is_held(const struct cap *cap)
{
    bool held = false;
    for (uint32_t i = 0; i < SLOTS; i++)
        held |= leaf_a[i].cap == cap;
    return held;
}

static void look_up(void)
{
    handle_t handle = any_u64();
    uint32_t type = any_u32(), rights = any_u32();
    held_node.type = any_u32();
    held_node.rights = any_u32();
    if (any_bool())
        process->leaves[0] = NULL; /* a process that has no capability yet */
    status_t status = STATUS_OK;
    struct cap *cap = cap_find(process, handle, type, rights, &status);
    bool named = process->leaves[0] != NULL && is_held(&held_node) && held_node.handle == handle;
    bool fits =
        (type == OBJECT_NONE || held_node.type == type) && (held_node.rights & rights) == rights;
    PROVE((cap != NULL) == (status == STATUS_OK), "a capability or a reason");
    PROVE(cap != &held_node || (named && fits), "found by name, type and rights only");
    PROVE(!named || !fits || cap == &held_node, "and then surely");
}

static void take(void)
{
    handle_t handle;
    struct cap *cap = &new_node;
    status_t found = STATUS_OK;
    cap->dead = any_bool();
    uint64_t caps = process->caps;
    status_t status = cap_slot_take(process, cap, &handle);
    PROVE(is_right() || process->slot_count > SLOTS, "the table is whole");
    if (status != STATUS_OK) {
        PROVE(process->caps == caps && !is_held(cap), "nothing is changed");
        return;
    }
    PROVE(!cap->dead && !process->table_closed, "a live node, into an open table");
    PROVE(cap_find(process, handle, OBJECT_NONE, 0, &found) == cap, "it is found by its handle");
    PROVE(process->caps == caps + 1, "and counted");
}

static void release(void)
{
    status_t found = STATUS_OK;
    struct cap *cap = any_bool() ? &held_node : &new_node;
    bool held = is_held(cap);
    new_node.handle = any_u64();
    handle_t handle = cap->handle;
    bool released = cap_slot_release(process, cap);
    PROVE(released == held, "by who holds it");
    PROVE(is_right(), "the table is whole");
    PROVE(cap_find(process, handle, OBJECT_NONE, 0, &found) != cap, "not found any more");
}

int main(void)
{
    any_table();
    switch (any_below(3)) {
    case 0:
        look_up();
        break;
    case 1:
        take();
        break;
    default:
        release();
    }
    PROVE(proof_held == 0, "no lock is kept");
    return 0;
}
