/* One step of a revocation (kernel/cap/revoke.c), of one batch, from any place where the one before may have ended: it gives way, or is finished.
 * proves: a step takes out descendants only, each once, out of the tree, its slot and dead; what it holds stays; when it is finished none is left, nobody waits for it and the top is as it was
 * bounds: a top with up to 3 descendants on 2 levels, all of any one kind and a parent or none, one batch of 1 node from any place where the one before may have ended
 * options: --unwind 6 --unwindset tree_prune.0:3,undo.0:2
 * scaled: kernel/include/process.h :: s/CSPACE_LEAF_SLOTS 128u/CSPACE_LEAF_SLOTS 4u/; s/CSPACE_LEAVES 1024u/CSPACE_LEAVES 2u/ :: tables of 2 leaves of 4 slots
 * scaled: kernel/cap/revoke.c :: s/REVOKE_BATCH 32/REVOKE_BATCH 1/ :: batches of 1 node
 * scaled: kernel/cap/revoke.c :: s/self->continuation = revoke_step;/self->continuation = step;/ :: to the checker a function whose address is taken may be any that is called by a pointer
 * fault: kernel/cap/revoke.c :: s/object->live -= at->kind != CAP_GHOST;/object->live--;/ :: a ghost is counted as live
 * fault: kernel/cap/revoke.c :: s/^        __atomic_store_n\(\&at->dead, true, __ATOMIC_SEQ_CST\);/        ;/ :: what is taken out is not dead
 * fault: kernel/cap/revoke.c :: s/^            object_ref\(object\);/            ;/ :: a message revoked on its way has no object
 * fault: kernel/cap/revoke.c :: s/^    at->held\+\+;/    ;/ :: where to go on is not held
 * fault: kernel/cap/revoke.c :: s/^    top->held -= 2;/    top->held -= 1;/ :: the top is held for ever
 * fault: kernel/cap/revoke.c :: s/^    object->revoking = 0;/    ;/ :: derivations wait for ever
 * fault: kernel/cap/revoke.c :: s/^    cap_slot_release\(cap->holder, cap\);/    ;/ :: its slot is kept
 * fault: kernel/cap/revoke.c :: s/return at == top \&\& list_is_empty\(\&top->children\)/return at == top/ :: finished too soon
 */
#define PROOF_REVOKES
struct thread;
static void step(struct thread *thread);
#include "caps.h"

static struct cap top, above, child, low, other;
static struct thread deriver;
static bool has_above, has_child, has_low, has_other;
static uint32_t severed;

static void step(struct thread *thread)
{
    (void)thread;
}

static void sever(struct cap *leaf)
{
    PROVE(leaf->dead && proof_held == 0, "a leaf that is severed is out of its tree, no lock held");
    severed++;
}

/* Its place in the table is its own; who is in none says nothing of one. */
static void descendant_make(struct cap *cap, struct cap *parent, uint32_t depth, enum cap_kind kind,
                            uint32_t slot)
{
    node_make(cap, parent, kind, depth);
    cap->sever = sever;
    cap->holder = &process_b;
    cap->handle = 0x100000000ull | slot;
    leaf_b[slot].cap = kind == CAP_SLOT ? cap : NULL;
}

/* The top has been held since the revocation began, and may have been closed; the last step ended at the top or at its child. Shapes and kinds are apart, as
 * the checker follows pointers best that are known. */
enum shape { TOP = 0, CHILD = 1, LOW = 2, OTHER = 4, AT_CHILD = 8, ABOVE = 16 };

static void tree_make(uint32_t shape, enum cap_kind kind)
{
    uint32_t depth = any_below(CAP_DEPTH_MAX - 2);
    tables_make();
    object_make(1);
    endpoint.object.refs++;
    if ((shape & ABOVE) != 0)
        node_make(&above, NULL, CAP_SLOT, depth);
    node_make(&top, (shape & ABOVE) != 0 ? &above : NULL, any_bool() ? CAP_GHOST : CAP_SLOT, depth);
    top.held = 1;
    has_above = (shape & ABOVE) != 0;
    has_child = (shape & CHILD) != 0;
    has_low = (shape & LOW) != 0;
    has_other = (shape & OTHER) != 0;
    if (has_child)
        descendant_make(&child, &top, depth + 1, kind, 0);
    if (has_low)
        descendant_make(&low, &child, depth + 2, kind, 1);
    if (has_other)
        descendant_make(&other, &top, depth + 1, kind, 2);
    process_b.free_slot = CSPACE_LEAF_SLOTS - 1;
    self.process = &process_a;
    self.continuation_data = &top;
    self.continuation = step;
    self.revoke_at = (shape & AT_CHILD) != 0 ? &child : &top;
    self.revoke_at->held++;
    if ((shape & LOW) == 0)
        list_push_back(&endpoint.object.derivers, &deriver.wait_link);
}

/* Is it as it was, or gone as it should? Returns whether it is gone. */
static bool check_descendant(const struct cap *cap, uint8_t kind, const struct cap *parent)
{
    bool in_slot = false;
    for (uint32_t i = 0; i < CSPACE_LEAF_SLOTS; i++)
        in_slot |= leaf_b[i].cap == cap;
    if (cap->kind == kind) {
        PROVE(cap->parent == parent && cap->dead == (kind == CAP_GHOST), "in the tree as before");
        PROVE(in_slot == (kind == CAP_SLOT), "and in its slot");
        return false;
    }
    PROVE(cap->kind == CAP_REMOVED && cap->dead && cap->parent == NULL, "out of the tree");
    PROVE(!in_slot, "and of its slot");
    return true;
}

static void revoke(uint32_t shape, enum cap_kind kind)
{
    tree_make(shape, kind);
    uint8_t child_kind = child.kind, low_kind = low.kind, other_kind = other.kind;
    uint8_t top_kind = top.kind;
    uint32_t live = endpoint.object.live, refs = endpoint.object.refs;
    revoke_step(&self);
    bool finished = self.continuation == NULL;
    PROVE(proof_held == 0, "no lock is kept");
    bool child_gone = has_child && check_descendant(&child, child_kind, &top);
    bool low_gone = has_low && check_descendant(&low, low_kind, &child);
    bool other_gone = has_other && check_descendant(&other, other_kind, &top);
    PROVE(!child_gone || !has_low || low_gone, "children go first");
    uint32_t live_gone = (child_gone && child_kind != CAP_GHOST) +
                         (low_gone && low_kind != CAP_GHOST) +
                         (other_gone && other_kind != CAP_GHOST);
    uint32_t messages_gone = (child_gone && child_kind == CAP_MESSAGE) +
                             (low_gone && low_kind == CAP_MESSAGE) +
                             (other_gone && other_kind == CAP_MESSAGE);
    uint32_t leaves_gone = (child_gone && child_kind == CAP_LEAF) +
                           (low_gone && low_kind == CAP_LEAF) +
                           (other_gone && other_kind == CAP_LEAF);
    uint32_t gone = child_gone + low_gone + other_gone;
    PROVE(endpoint.object.live == live - live_gone, "live nodes are counted");
    PROVE(objects_destroyed == (live_gone != 0 && live == live_gone), "the object ends once");
    PROVE(severed == leaves_gone, "leaves are severed, once");
    PROVE(!has_above || (above.kind == CAP_SLOT && !above.dead && above.parent == NULL),
          "others are left alone");
    bool top_gone = finished && top_kind == CAP_GHOST;
    PROVE(top.kind == (top_gone ? CAP_REMOVED : top_kind), "the top stays, if it is no ghost");
    PROVE(endpoint.object.refs == refs + messages_gone - finished - objects_destroyed,
          "a message keeps its object");
    PROVE(retired == gone - messages_gone - leaves_gone + top_gone + (endpoint.object.refs == 0),
          "each is given back once");
    if (finished) {
        PROVE(gone == (uint32_t)has_child + has_low + has_other, "none is left");
        PROVE(list_is_empty(&top.children) && top.held == 0, "and the top is let go");
        PROVE(endpoint.object.revoking == 0 && list_is_empty(&endpoint.object.derivers),
              "nobody waits");
    } else {
        PROVE(endpoint.object.revoking == 1 && gone != 0, "it gets on");
        PROVE(self.revoke_at->held == 1u + (self.revoke_at == &top) && !top.dead == !top_kind,
              "where it goes on is held");
    }
}

static void revoke_any_shape(enum cap_kind kind)
{
    switch (any_below(4)) {
    case 0:
        revoke(CHILD, kind);
        break;
    case 1:
        revoke(CHILD | OTHER | ABOVE, kind);
        break;
    case 2:
        revoke(CHILD | LOW, kind);
        break;
    default:
        revoke(CHILD | LOW | OTHER | AT_CHILD, kind);
    }
}

int main(void)
{
    switch (any_below(5)) {
    case 0:
        revoke(TOP | ABOVE, CAP_SLOT);
        break;
    case 1:
        revoke_any_shape(CAP_SLOT);
        break;
    case 2:
        revoke_any_shape(CAP_GHOST);
        break;
    case 3:
        revoke_any_shape(CAP_MESSAGE);
        break;
    default:
        revoke_any_shape(CAP_LEAF);
    }
    return 0;
}
