/* Copying and deriving capabilities (kernel/cap/cap.c, tree.c): any rights, badge and mode, from a capability anywhere in its tree, which may have died meanwhile.
 * proves: what is made has no right and no badge that its source could not give, stands in the tree where it should and in one slot; failing gives all back and changes nothing
 * bounds: a tree of 3 nodes at any depth, tables of 4 slots, one operation; the heap and the budget fail at any call
 * options: --unwind 6 --unwindset tree_prune.0:3,count_up_unless_zero.0:2
 * scaled: kernel/include/process.h :: s/CSPACE_LEAF_SLOTS 128u/CSPACE_LEAF_SLOTS 4u/; s/CSPACE_LEAVES 1024u/CSPACE_LEAVES 2u/ :: tables of 2 leaves of 4 slots
 * scaled: kernel/cap/cap.c :: s/index \* 0x9e3779b97f4a7c15ull/index/; s/^    key = \(key .+$//; s/^        tag = \(tag \^ .+$// :: the mixing of tags is left out: a tag is the secret, the slot and its uses
 * fault: kernel/cap/cap.c :: s/ \|\| \(rights \& ~source->rights\) != 0// :: more rights than the source has
 * fault: kernel/cap/cap.c :: s/\(source->rights \& RIGHT_COPY\) == 0 \|\| // :: what may not be copied is copied
 * fault: kernel/cap/cap.c :: s/badge != 0 \&\& \(source->rights \& RIGHT_RECEIVE\) == 0/false/ :: who does not serve makes badges
 * fault: kernel/cap/cap.c :: s/ \|\| source->badge != 0 \|\| / || / :: a badge is changed
 * fault: kernel/cap/cap.c :: s/if \(child \&\& source->depth >= CAP_DEPTH_MAX\)/if (false)/ :: a tree too deep
 * fault: kernel/cap/cap.c :: s/child \? source : \(source != NULL/!child ? source : (source != NULL/ :: a copy is a child
 * fault: kernel/cap/cap.c :: s/source == NULL \|\| likely\(!cap_is_dead\(source\)\)/true/ :: the dead have children
 * fault: kernel/cap/cap.c :: s/self != NULL \&\& unlikely\(object->revoking != 0\)/false/ :: a revocation is not waited for
 * fault: kernel/cap/cap.c :: s/^        cap_end\(cap, badge\);/        ;/ :: what finds no slot stays in the tree
 * fault: kernel/cap/cap.c :: s/cap->closed, badge == 0/cap->closed, true/ :: for want of a slot a badge closes that nobody had
 * fault: kernel/cap/cap.c :: s/cap->closed, out->badge == 0/cap->closed, true/ :: and so it does where the source is dead or a revocation goes on
 * fault: kernel/cap/tree.c :: s/^    object->live\+\+;/    ;/ :: a new node is not counted
 */
#include "caps.h"

static struct cap top, source;
static struct notice closed;

static bool has_node(const struct list *list, const struct cap *cap)
{
    bool has = false;
    list_for_each (node, list)
        has |= node == &cap->sibling;
    return has;
}

static uint32_t slots_with(const struct cap *cap)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < CSPACE_LEAF_SLOTS; i++)
        count += leaf_b[i].cap == cap;
    return count;
}

/* A top, and the source below it. */
static void tree_make(void)
{
    uint32_t depth = any_below(CAP_DEPTH_MAX);
    tables_make();
    self.process = &process_b;
    self.derive_deadline_ns = any_u64();
    object_make(any_below(2));
    node_make(&top, NULL, any_bool() ? CAP_GHOST : CAP_SLOT, depth);
    node_make(&source, &top, CAP_SLOT, depth + 1);
    source.dead = any_bool(); /* closed or revoked since it was looked up */
    if (any_bool()) {
        source.closed = &closed;
        closed.endpoint = &endpoint;
        closed.count = any_u32();
        ASSUME(closed.count < UINT32_MAX);
    }
    if (any_bool())
        source.badge = 0;
}

static void check_made(handle_t handle, uint32_t mode, uint32_t rights, uint64_t badge)
{
    uint32_t slot = (uint32_t)handle;
    const struct cap *parent = mode == CAP_TRANSFER_DERIVE ? &source : source.parent;
    PROVE(!source.dead && !endpoint.object.revoking, "from a live one, while nothing is revoked");
    PROVE((source.rights & RIGHT_COPY) != 0 && (rights & ~source.rights) == 0, "rights shrink");
    PROVE(new_cap.rights == rights && new_cap.object == &endpoint.object, "as asked");
    PROVE(slot < CSPACE_LEAF_SLOTS && leaf_b[slot].cap == &new_cap && new_cap.handle == handle,
          "in the slot that it is told");
    PROVE(slots_with(&new_cap) == 1, "and in no other");
    PROVE(new_cap.holder == &process_b && new_cap.kind == CAP_SLOT && !new_cap.dead,
          "live, and whose");
    PROVE(new_cap.budget == &budget_b, "who holds it pays");
    PROVE(new_cap.parent == parent && has_node(&parent->children, &new_cap), "below its parent");
    PROVE(new_cap.depth == parent->depth + 1 && new_cap.depth <= CAP_DEPTH_MAX, "one deeper");
    if (badge == 0) {
        PROVE(new_cap.badge == source.badge && new_cap.epoch == source.epoch, "the source's badge");
        return;
    }
    PROVE(source.badge == 0 && (source.rights & RIGHT_RECEIVE) != 0 && mode == CAP_TRANSFER_DERIVE,
          "a badge is set once, by who serves");
    PROVE(new_cap.badge == badge && new_cap.epoch == endpoint.home.epoch,
          "as asked, of this epoch");
    PROVE(new_cap.closed == &new_notice && new_notice.count == 1 && new_notice.cookie == badge,
          "and counted");
}

static void check_failed(uint32_t holders)
{
    PROVE(slots_with(&new_cap) == 0, "in no slot");
    PROVE(!has_node(&source.children, &new_cap) && !has_node(&top.children, &new_cap),
          "in no tree");
    PROVE(heap_bytes == (retired > 0) * sizeof(new_cap) + (retired > 1) * sizeof(new_notice),
          "all is given back");
    PROVE(badges_closed == 0, "no badge closes that nobody had");
    PROVE(closed.count == holders, "the badge's holders are those of before");
}

static void make(uint32_t mode)
{
    uint32_t rights = any_u32(), live = endpoint.object.live, holders = closed.count;
    uint64_t badge = mode == CAP_TRANSFER_DERIVE ? any_u64() : 0, caps = process_b.caps;
    handle_t handle;
    status_t status = mode == CAP_TRANSFER_DERIVE
                          ? sys_cap_derive(&self, &source, rights, badge, &handle)
                          : sys_cap_copy(&self, &source, rights, &handle);
    bool made = status == STATUS_OK;
    PROVE(proof_held == 0, "no lock is kept");
    PROVE(endpoint.object.live == live + made, "live nodes are counted");
    PROVE(process_b.caps == caps + made, "slots are counted");
    PROVE(objects_destroyed == 0, "the object goes on");
    if (!made) {
        check_failed(holders);
        return;
    }
    check_made(handle, mode, rights, badge);
    PROVE(retired == 0 && badges_closed == 0, "nothing is given back");
    PROVE(closed.count == holders + (badge == 0 && source.closed != NULL && holders != 0),
          "the badge's holders are counted");
}

int main(void)
{
    tree_make();
    if (any_bool())
        make(CAP_TRANSFER_COPY);
    else
        make(CAP_TRANSFER_DERIVE);
    return 0;
}
