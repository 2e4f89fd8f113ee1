/* See mm/radix.h. */
#include "mm/radix.h"

#include "budget.h"
#include "kmem.h"
#include "mm/phys.h"

static uint64_t node_count; /* atomic */

uint64_t radix_nodes(void)
{
    return __atomic_load_n(&node_count, __ATOMIC_RELAXED);
}

static inline uint32_t slot_of(uint64_t index, uint32_t level)
{
    return (uint32_t)(index >> (RADIX_BITS * level)) & (RADIX_FANOUT - 1);
}

/* Is @index inside a tree of @levels? */
static inline bool in_reach(uint64_t index, uint32_t levels)
{
    return index >> (RADIX_BITS * levels) == 0;
}

static inline struct radix_node *child_of(uint64_t entry)
{
    return (struct radix_node *)(uintptr_t)entry;
}

static inline uint32_t refs_of(const struct radix_node *node)
{
    return __atomic_load_n(&node->refs, __ATOMIC_ACQUIRE);
}

/* ── Nodes ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct radix_node *node_create(struct budget *budget, uint32_t level)
{
    struct radix_node *node = kmem_alloc(budget, sizeof(*node));
    if (node == NULL)
        return NULL;
    object_ref(&budget->object);
    node->budget = budget;
    node->refs = 1;
    node->level = (uint8_t)level;
    __atomic_fetch_add(&node_count, 1, __ATOMIC_RELAXED);
    return node;
}

/* The memory of a node whose entries are dealt with. */
static void node_free(struct radix_node *node)
{
    struct budget *budget = node->budget;
    __atomic_fetch_sub(&node_count, 1, __ATOMIC_RELAXED);
    kmem_free(budget, node, sizeof(*node));
    object_unref(&budget->object);
}

static void entry_ref(uint64_t entry, uint32_t level)
{
    if (level == 0)
        frame_ref(page_entry_frame(entry));
    else
        __atomic_fetch_add(&child_of(entry)->refs, 1, __ATOMIC_RELAXED);
}

/* Drop a reference that is not the last. */
static void entry_unref_shared(uint64_t entry, uint32_t level)
{
    if (level == 0)
        frame_put_unseen(page_entry_frame(entry));
    else
        __atomic_fetch_sub(&child_of(entry)->refs, 1, __ATOMIC_ACQ_REL);
}

/* A copy of the shared @node for us; our reference on @node goes. If we turn out to be its last user it goes too: its children
 * have another reference then, the copy's. */
static COLD struct radix_node *node_unshare(struct radix_node *node, struct budget *budget)
{
    struct radix_node *copy = node_create(budget, node->level);
    if (copy == NULL)
        return NULL;
    copy->used = node->used;
    for (uint32_t i = 0; i < RADIX_FANOUT; i++) {
        uint64_t entry = node->entries[i];
        copy->entries[i] = entry;
        if (entry != 0)
            entry_ref(entry, node->level);
    }
    if (__atomic_fetch_sub(&node->refs, 1, __ATOMIC_ACQ_REL) == 1) {
        for (uint32_t i = 0; i < RADIX_FANOUT; i++)
            if (node->entries[i] != 0)
                entry_unref_shared(node->entries[i], node->level);
        node_free(node);
    }
    return copy;
}

/* ── Looking ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The entries of the leaf that @index is in, or NULL. */
static inline const uint64_t *leaf_find(const struct radix *tree, uint64_t index, bool *exclusive)
{
    *exclusive = true;
    if (!in_reach(index, tree->levels) || tree->root == NULL)
        return NULL;
    const struct radix_node *node = tree->root;
    for (uint32_t level = tree->levels - 1; node != NULL; level--) {
        if (refs_of(node) != 1)
            *exclusive = false;
        if (level == 0)
            return node->entries;
        node = child_of(node->entries[slot_of(index, level)]);
    }
    return NULL;
}

uint64_t radix_lookup(const struct radix *tree, uint64_t index, bool *exclusive)
{
    const uint64_t *entries = leaf_find(tree, index, exclusive);
    return entries != NULL ? entries[slot_of(index, 0)] : 0;
}

paddr_t radix_run(const struct radix *tree, uint64_t index, uint64_t count, bool own)
{
    uint64_t end = index + count;
    bool exclusive;
    paddr_t frame = page_entry_frame(radix_lookup(tree, end - 1, &exclusive));
    if (frame == 0)
        return 0;
    for (frame += PAGE_SIZE; end > index;) {
        uint64_t first = MAX((end - 1) & ~(uint64_t)(RADIX_FANOUT - 1), index);
        const uint64_t *entries = leaf_find(tree, first, &exclusive);
        if (entries == NULL || (own && !exclusive))
            return 0;
        for (; end > first; end--) {
            frame -= PAGE_SIZE;
            if (page_entry_frame(entries[slot_of(end - 1, 0)]) != frame)
                return 0;
        }
    }
    return own && !frames_are_own(frame, count) ? 0 : frame;
}

COLD bool radix_next(const struct radix *tree, uint64_t from, uint64_t end, uint64_t *index)
{
    while (from < end && tree->root != NULL && in_reach(from, tree->levels)) {
        const struct radix_node *node = tree->root;
        uint32_t level = tree->levels - 1;
        uint64_t entry;
        while ((entry = node->entries[slot_of(from, level)]) != 0 && level > 0) {
            node = child_of(entry);
            level--;
        }
        if (entry != 0) {
            *index = from;
            return true;
        }
        /* Nothing in this slot: go on behind what it covers. */
        from = ((from >> (RADIX_BITS * level)) + 1) << (RADIX_BITS * level);
    }
    return false;
}

/* ── Changing ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Make the tree high enough for @index. */
static COLD status_t tree_grow(struct radix *tree, struct budget *budget, uint64_t index)
{
    if (tree->root == NULL) {
        uint32_t levels = 1;
        while (!in_reach(index, levels))
            levels++;
        struct radix_node *root = node_create(budget, levels - 1);
        if (root == NULL)
            return STATUS_NO_MEMORY;
        tree->root = root;
        tree->levels = levels;
    }
    while (!in_reach(index, tree->levels)) {
        struct radix_node *root = node_create(budget, tree->levels);
        if (root == NULL)
            return STATUS_NO_MEMORY;
        root->entries[0] = (uintptr_t)tree->root;
        root->used = 1;
        tree->root = root;
        tree->levels++;
    }
    return STATUS_OK;
}

status_t radix_slot(struct radix *tree, struct budget *budget, uint64_t index, uint64_t **slot)
{
    ASSERT(index < RADIX_PAGES_MAX);
    if (unlikely(tree->root == NULL || !in_reach(index, tree->levels))) {
        status_t status = tree_grow(tree, budget, index);
        if (!status_is_ok(status))
            return status;
    }
    if (refs_of(tree->root) != 1) {
        struct radix_node *copy = node_unshare(tree->root, budget);
        if (copy == NULL)
            return STATUS_NO_MEMORY;
        tree->root = copy;
    }
    struct radix_node *node = tree->root;
    for (uint32_t level = tree->levels - 1; level > 0; level--) {
        uint64_t *entry = &node->entries[slot_of(index, level)];
        struct radix_node *child = child_of(*entry);
        struct radix_node *own = child;
        if (child == NULL)
            own = node_create(budget, level - 1);
        else if (refs_of(child) != 1)
            own = node_unshare(child, budget);
        if (own == NULL) {
            radix_tidy(tree, index);
            return STATUS_NO_MEMORY;
        }
        node->used = (uint16_t)(node->used + (child == NULL));
        *entry = (uintptr_t)own;
        node = own;
    }
    *slot = &node->entries[slot_of(index, 0)];
    return STATUS_OK;
}

/* The leaf on the exclusive path to @index. */
static struct radix_node *leaf_of(const struct radix *tree, uint64_t index)
{
    struct radix_node *node = tree->root;
    for (uint32_t level = tree->levels - 1; level > 0; level--)
        node = child_of(node->entries[slot_of(index, level)]);
    return node;
}

void radix_slot_fill(struct radix *tree, uint64_t index, uint64_t *slot, uint64_t entry)
{
    struct radix_node *leaf = container_of(slot - slot_of(index, 0), struct radix_node, entries[0]);
    DEBUG_ASSERT(leaf == leaf_of(tree, index) && *slot == 0 && entry != 0);
    (void)tree;
    *slot = entry;
    leaf->used++;
}

COLD void radix_slot_clear(struct radix *tree, uint64_t index)
{
    struct radix_node *leaf = leaf_of(tree, index);
    uint64_t *slot = &leaf->entries[slot_of(index, 0)];
    ASSERT(*slot != 0 && leaf->used != 0);
    *slot = 0;
    if (--leaf->used == 0)
        radix_tidy(tree, index);
}

COLD void radix_tidy(struct radix *tree, uint64_t index)
{
    struct radix_node *path[RADIX_LEVELS_MAX];
    uint32_t depth = 0;
    if (tree->root == NULL || !in_reach(index, tree->levels))
        return;
    for (struct radix_node *node = tree->root; node != NULL && refs_of(node) == 1; depth++) {
        path[depth] = node;
        uint32_t level = tree->levels - 1 - depth;
        node = level == 0 ? NULL : child_of(node->entries[slot_of(index, level)]);
    }
    while (depth-- > 0 && path[depth]->used == 0) {
        node_free(path[depth]);
        if (depth == 0) {
            tree->root = NULL;
            tree->levels = 0;
            return;
        }
        path[depth - 1]->entries[slot_of(index, tree->levels - depth)] = 0;
        path[depth - 1]->used--;
    }
}

void radix_clone(const struct radix *from, struct radix *to)
{
    if (from->root != NULL)
        __atomic_fetch_add(&from->root->refs, 1, __ATOMIC_RELAXED);
    *to = *from;
}

/* ── The end ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Drop our reference unless it is the last: then it stays, and false. */
static bool node_drop_shared(struct radix_node *node)
{
    if (refs_of(node) == 1)
        return false;
    if (__atomic_fetch_sub(&node->refs, 1, __ATOMIC_ACQ_REL) != 1)
        return true;
    __atomic_store_n(&node->refs, 1, __ATOMIC_RELAXED);
    return false;
}

/* Drop all pages of an exclusive leaf. */
static uint32_t leaf_empty(struct radix_node *leaf)
{
    uint32_t pages = leaf->used;
    for (uint32_t i = 0; i < RADIX_FANOUT; i++)
        if (leaf->entries[i] != 0)
            frame_put_unseen(page_entry_frame(leaf->entries[i]));
    return pages;
}

/* Give back the first leaf or shared subtree, and nodes that are empty then; the number of pages. */
static uint32_t destroy_first(struct radix *tree)
{
    struct radix_node *parent = NULL;
    uint64_t *link = NULL;
    struct radix_node *node = tree->root;
    while (!node_drop_shared(node)) {
        uint32_t i = 0;
        while (i < RADIX_FANOUT && node->entries[i] == 0)
            i++;
        if (node->level == 0 || i == RADIX_FANOUT) {
            uint32_t pages = node->level == 0 ? leaf_empty(node) : 0;
            node_free(node);
            if (link == NULL)
                tree->root = NULL;
            else
                *link = 0;
            return pages;
        }
        parent = node;
        link = &parent->entries[i];
        node = child_of(*link);
    }
    if (link == NULL)
        tree->root = NULL;
    else
        *link = 0;
    return 0;
}

bool radix_destroy_step(struct radix *tree, uint32_t pages)
{
    uint32_t done = 0;
    while (tree->root != NULL && done < pages)
        done += destroy_first(tree) + 8; /* a node costs about as much as 8 pages */
    if (tree->root == NULL)
        tree->levels = 0;
    return tree->root == NULL;
}
