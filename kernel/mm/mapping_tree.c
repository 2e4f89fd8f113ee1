/* The mappings of an address space: a balanced tree, and a list, both by address.
 *
 * The tree is balanced by ranks: a node's is higher than those of its children, and what comes new gets its place as in an AVL tree. What
 * goes leaves the ranks as they are (S. Sen, R. E. Tarjan, D. H. K. Kim, "Deletion without rebalancing in binary search trees", 2016: it
 * stays as high as the logarithm of all insertions that there ever were, here below 93), so what comes to the same place finds it made.
 * Each node knows the free range before it, and the largest one before any node of its subtree, by their order of magnitude only: so a
 * mapping that comes or goes, most often beside a range that is free for terabytes, changes what is known of few nodes, and a search
 * still follows one path. A new node's place needs no search: of the two neighbours one has no child on that side. */
#include "kernel.h"
#include "mapping.h"

enum { LEFT, RIGHT };

/** Ranges of this order and above are counted as one: there are less than GAP_TRIES. */
#define ORDER_MAX 42u
/** Ranges that may be too small a search looks at, before it goes on to those that are surely large enough. */
#define GAP_TRIES 128u

/* 0 for none, else from 1 + log2 of @bytes, which is whole pages. */
static inline uint8_t order_of(uint64_t bytes)
{
    if (bytes <= PAGE_SIZE)
        return bytes == 0 ? 0 : PAGE_SHIFT + 1;
    return bytes >= 1ull << (ORDER_MAX - 1) ? ORDER_MAX : (uint8_t)(64 - __builtin_clzll(bytes));
}

static inline int rank_of(const struct mapping *node)
{
    return node == NULL ? -1 : node->rank;
}

/* The largest range before a node of @node's subtree, as its children know it. */
static inline uint8_t room_below(const struct mapping *node)
{
    const struct mapping *left = node->child[LEFT], *right = node->child[RIGHT];
    uint8_t room = node->room;
    if (left != NULL)
        room = MAX(room, left->room_max);
    if (right != NULL)
        room = MAX(room, right->room_max);
    return room;
}

/* Something at or below @node (may be NULL) has changed: tell the nodes above, as far as it matters to them. */
static inline void room_settle(struct mapping *node)
{
    for (; node != NULL; node = node->parent) {
        uint8_t room = room_below(node);
        if (room == node->room_max)
            return;
        node->room_max = room;
    }
}

/* The free range before @mapping (may be NULL) has changed. */
void mapping_moved(const struct mapping_tree *tree, struct mapping *mapping)
{
    if (mapping == NULL)
        return;
    uint8_t room = order_of(mapping->start - mapping_room_begin(tree, mapping));
    if (room == mapping->room)
        return;
    mapping->room = room;
    room_settle(mapping);
}

/* @node (may be NULL) stands where @old stood. */
static inline void replace(struct mapping_tree *tree, const struct mapping *old,
                           struct mapping *node)
{
    struct mapping *parent = old->parent;
    if (parent == NULL)
        tree->root = node;
    else
        parent->child[parent->child[RIGHT] == old] = node;
    if (node != NULL)
        node->parent = parent;
}

static inline void child_set(struct mapping *node, unsigned side, struct mapping *child)
{
    node->child[side] = child;
    if (child != NULL)
        child->parent = node;
}

/* The child of @node on @side takes its place; it. */
static struct mapping *rotate(struct mapping_tree *tree, struct mapping *node, unsigned side)
{
    struct mapping *top = node->child[side];
    replace(tree, node, top);
    child_set(node, side, top->child[!side]);
    child_set(top, !side, node);
    top->room_max = node->room_max;
    node->room_max = room_below(node);
    node->rank--;
    return top;
}

/* @node is new, or its rank was raised: raise those above it, to one where a rotation makes up for it. */
static void balance(struct mapping_tree *tree, struct mapping *node)
{
    struct mapping *parent;
    for (; (parent = node->parent) != NULL && parent->rank == node->rank; node = parent) {
        unsigned side = parent->child[RIGHT] == node;
        if (parent->rank - rank_of(parent->child[!side]) > 1) {
            if (node->rank - rank_of(node->child[!side]) == 1)
                rotate(tree, node, !side)->rank++;
            (void)rotate(tree, parent, side);
            return;
        }
        parent->rank++;
    }
}

void mapping_insert(struct mapping_tree *tree, struct mapping *mapping, struct mapping *next)
{
    list_insert_before(next == NULL ? &tree->order : &next->order, &mapping->order);
    bool is_left = next != NULL && next->child[LEFT] == NULL;
    struct mapping *parent = is_left ? next : mapping_previous(tree, mapping);
    mapping->child[LEFT] = NULL;
    mapping->child[RIGHT] = NULL;
    mapping->parent = parent;
    mapping->room = order_of(mapping->start - mapping_room_begin(tree, mapping));
    mapping->room_max = mapping->room;
    mapping->rank = 0;
    if (parent == NULL)
        tree->root = mapping;
    else
        parent->child[is_left ? LEFT : RIGHT] = mapping;
    room_settle(parent);
    mapping_moved(tree, next);
    balance(tree, mapping);
}

void mapping_remove(struct mapping_tree *tree, struct mapping *mapping)
{
    struct mapping *next = mapping_next(tree, mapping), *changed = mapping->parent;
    list_remove(&mapping->order);
    if (mapping->child[LEFT] == NULL || mapping->child[RIGHT] == NULL) {
        replace(tree, mapping, mapping->child[mapping->child[LEFT] == NULL ? RIGHT : LEFT]);
    } else { /* the next one, in the right subtree and without a left child, takes its place */
        changed = next;
        if (next->parent != mapping) {
            changed = next->parent;
            replace(tree, next, next->child[RIGHT]);
            child_set(next, RIGHT, mapping->child[RIGHT]);
        }
        child_set(next, LEFT, mapping->child[LEFT]);
        replace(tree, mapping, next);
        next->rank = mapping->rank;
        next->room_max = mapping->room_max;
        next->room = mapping->room; /* as those above know it */
    }
    room_settle(changed);
    mapping_moved(tree, next);
}

struct mapping *mapping_find(const struct mapping_tree *tree, uint64_t address)
{
    struct mapping *found = NULL, *node = tree->root;
    while (node != NULL) {
        if (mapping_end(node) <= address) {
            node = node->child[RIGHT];
        } else {
            found = node;
            if (node->start <= address)
                break;
            node = node->child[LEFT];
        }
    }
    return found;
}

/* The first node of the tree below @node that has a range of @order before it; there is one. */
static const struct mapping *roomy_first(const struct mapping *node, uint8_t order)
{
    for (;;) {
        const struct mapping *left = node->child[LEFT];
        if (left != NULL && left->room_max >= order)
            node = left;
        else if (node->room >= order)
            return node;
        else
            node = node->child[RIGHT];
    }
}

/* The first such node behind @node, or NULL. */
static const struct mapping *roomy_next(const struct mapping *node, uint8_t order)
{
    const struct mapping *right = node->child[RIGHT];
    if (right != NULL && right->room_max >= order)
        return roomy_first(right, order);
    for (const struct mapping *parent; (parent = node->parent) != NULL; node = parent) {
        if (parent->child[RIGHT] == node)
            continue;
        if (parent->room >= order)
            return parent;
        if (parent->child[RIGHT] != NULL && parent->child[RIGHT]->room_max >= order)
            return roomy_first(parent->child[RIGHT], order);
    }
    return NULL;
}

uint64_t mapping_gap(const struct mapping_tree *tree, uint64_t base, uint64_t end, uint64_t bytes)
{
    uint8_t perhaps = order_of(bytes), surely = MIN((uint8_t)(perhaps + 1), ORDER_MAX);
    const struct mapping *node = mapping_find(tree, base);
    for (uint32_t tries = 0; node != NULL; tries++) {
        uint64_t from = MAX(base, mapping_room_begin(tree, node)), to = MIN(end, node->start);
        if (from < to && to - from >= bytes)
            return from;
        node = node->start >= end ? NULL : roomy_next(node, tries < GAP_TRIES ? perhaps : surely);
    }
    const struct mapping *last = mapping_previous(tree, NULL);
    uint64_t from = last == NULL ? base : MAX(base, mapping_end(last));
    return from < end && end - from >= bytes ? from : 0;
}
