/* Moving a capability from table to table (kernel/cap/cap.c), and dropping one on its way: whatever happened to it since it was looked up.
 * proves: what is moved is the same node at the same place of its tree, leaves its slot and gets one other, and its new holder pays; else it is in no slot, taken out of the tree once, and given back once
 * bounds: a tree of 3 nodes at any depth, tables of 4 slots, one move; the heap and the budget fail at any call
 * options: --unwind 6 --unwindset tree_prune.0:3
 * scaled: kernel/include/process.h :: s/CSPACE_LEAF_SLOTS 128u/CSPACE_LEAF_SLOTS 4u/; s/CSPACE_LEAVES 1024u/CSPACE_LEAVES 2u/ :: tables of 2 leaves of 4 slots
 * scaled: kernel/cap/cap.c :: s/index \* 0x9e3779b97f4a7c15ull/index/; s/^    key = \(key .+$//; s/^        tag = \(tag \^ .+$// :: the mixing of tags is left out: a tag is the secret, the slot and its uses
 * fault: kernel/cap/cap.c :: s/if \(!cap_slot_release\(from, source\)\)/if (cap_slot_release(from, source), false)/ :: who does not hold it any more moves it too
 * fault: kernel/cap/cap.c :: s/bool live = source->kind == CAP_SLOT \&\& !cap_is_dead\(source\);/bool live = true;/ :: what is dead is moved
 * fault: kernel/cap/cap.c :: s/^    budget_uncharge_kmem\(from, kmem_charge\(sizeof\(\*cap\)\)\);/    ;/ :: who gave it away pays on
 * fault: kernel/cap/cap.c :: s/^    object_unref\(\&from->object\);/    ;/ :: its former payer is held for ever
 * fault: kernel/cap/cap.c :: s/^        message->holder = to;/        ;/ :: it does not know its new holder
 * fault: kernel/cap/tree.c :: s/if \(cap->held != 0 \|\| !list_is_empty\(\&cap->children\)\)/if (cap->held != 0)/ :: what has children is taken out of the tree
 * fault: kernel/cap/tree.c :: s/return --object->live == 0;/return object->live == 0;/ :: what goes is counted on
 * fault: kernel/cap/tree.c :: s/^        tree_prune\(parent\);/        ;/ :: a ghost without children stays
 */
#include "caps.h"

static struct cap top, source, below;
static bool has_child, in_slot;

static uint32_t slots_with(const struct cspace_slot *leaf, const struct cap *cap)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < CSPACE_LEAF_SLOTS; i++)
        count += leaf[i].cap == cap;
    return count;
}

/* The source below a top, with or without a child; it may have been closed, which makes it a ghost or takes it out, or revoked. */
static void tree_make(void)
{
    uint32_t depth = any_below(CAP_DEPTH_MAX);
    tables_make();
    self.process = &process_a;
    object_make(any_below(2));
    node_make(&top, NULL, any_bool() ? CAP_GHOST : CAP_SLOT, depth);
    node_make(&source, &top, CAP_SLOT, depth + 1);
    has_child = any_bool();
    if (has_child)
        node_make(&below, &source, CAP_SLOT, depth + 2);
    in_slot = any_bool();
    if (in_slot)
        slot_fill(&process_a, &source);
    source.dead = any_bool();
}

int main(void)
{
    tree_make();
    uint32_t live = endpoint.object.live, rights = source.rights, payers = budget_a.object.refs;
    uint64_t badge = source.badge, caps = process_a.caps;
    handle_t handle;
    bool was_live = in_slot && !source.dead;
    status_t status =
        cap_transfer(&self, &source, &process_b, CAP_TRANSFER_MOVE, any_u32(), any_u64(), &handle);
    bool moved = status == STATUS_OK, dropped = was_live && !moved;
    PROVE(proof_held == 0, "no lock is kept");
    PROVE(was_live || status == STATUS_BAD_HANDLE, "what is not held or dead does not move");
    PROVE(slots_with(leaf_a, &source) == 0 && process_a.caps == caps - in_slot, "out of its slot");
    PROVE(slots_with(leaf_b, &source) == moved && process_b.caps == moved, "into one other");
    PROVE(endpoint.object.live == live - dropped, "live nodes are counted");
    PROVE(source.rights == rights && source.badge == badge, "nothing else of it changes");
    PROVE(objects_destroyed == (endpoint.object.live == 0 && dropped), "the last one is noticed");
    if (moved) {
        PROVE(leaf_b[(uint32_t)handle % CSPACE_LEAF_SLOTS].cap == &source &&
                  source.handle == handle,
              "in the slot that is told");
        PROVE(source.kind == CAP_SLOT && source.holder == &process_b && !source.dead, "live");
        PROVE(source.budget == &budget_b && budget_a.object.refs == payers - 1 &&
                  budget_b.object.refs == 2,
              "its holder pays");
        PROVE(budget_b.quotas[QUOTA_KMEM].used == sizeof(source) &&
                  budget_a.quotas[QUOTA_KMEM].used == 0 - sizeof(source),
              "once, and nobody else");
    }
    if (moved || !dropped)
        PROVE(source.parent == &top && top.children.next == &source.sibling, "where it was");
    if (dropped && has_child)
        PROVE(source.kind == CAP_GHOST && source.dead && retired == 0 && below.parent == &source,
              "its child lives on below its ghost");
    if (dropped && !has_child)
        PROVE(source.kind == CAP_REMOVED && list_is_empty(&top.children) &&
                  retired == 1u + (top.kind == CAP_REMOVED) + objects_destroyed,
              "it is taken out and given back, and its object if it was the last");
    PROVE(top.kind != CAP_GHOST || !list_is_empty(&top.children), "no ghost without children");
    PROVE(dropped || retired == 0, "else nothing is given back");
    return 0;
}
