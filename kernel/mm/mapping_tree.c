/* The tree of mappings. Each node knows, of its subtree, the first byte, the end and the largest gap between two neighbours, so that
 * a free range is found on one path. Recursion is as deep as the tree is high: below 48 for as many mappings as 64 bits can hold. */
#include "kernel.h"
#include "mapping.h"

static uint32_t height_of(const struct mapping *node)
{
    return node == NULL ? 0 : node->height;
}

/* What @node knows of its subtree, from what its children know. */
static void update(struct mapping *node)
{
    const struct mapping *left = node->left;
    const struct mapping *right = node->right;
    uint64_t end = mapping_end(node);
    uint64_t gap = 0;
    node->height = MAX(height_of(left), height_of(right)) + 1;
    node->low = node->start;
    node->high = end;
    if (left != NULL) {
        node->low = left->low;
        gap = MAX(left->gap, node->start - left->high);
    }
    if (right != NULL) {
        node->high = right->high;
        gap = MAX(gap, MAX(right->gap, right->low - end));
    }
    node->gap = gap;
}

static struct mapping *rotate_right(struct mapping *node)
{
    struct mapping *top = node->left;
    node->left = top->right;
    top->right = node;
    update(node);
    update(top);
    return top;
}

static struct mapping *rotate_left(struct mapping *node)
{
    struct mapping *top = node->right;
    node->right = top->left;
    top->left = node;
    update(node);
    update(top);
    return top;
}

static struct mapping *balance(struct mapping *node)
{
    uint32_t left = height_of(node->left);
    uint32_t right = height_of(node->right);
    if (left > right + 1) {
        if (height_of(node->left->left) < height_of(node->left->right))
            node->left = rotate_left(node->left);
        return rotate_right(node);
    }
    if (right > left + 1) {
        if (height_of(node->right->right) < height_of(node->right->left))
            node->right = rotate_right(node->right);
        return rotate_left(node);
    }
    update(node);
    return node;
}

/* Balance @node after a change below it. *@settled: nothing that its parent knows of it has changed, so nothing above does. */
static struct mapping *rebalance(struct mapping *node, bool *settled)
{
    uint32_t height = node->height;
    uint64_t low = node->low, high = node->high, gap = node->gap;
    struct mapping *top = balance(node);
    *settled = top == node && node->height == height && node->low == low && node->high == high &&
               node->gap == gap;
    return top;
}

static struct mapping *insert_below(struct mapping *root, struct mapping *mapping, bool *settled)
{
    if (root == NULL)
        return mapping;
    if (mapping->start < root->start)
        root->left = insert_below(root->left, mapping, settled);
    else
        root->right = insert_below(root->right, mapping, settled);
    return *settled ? root : rebalance(root, settled);
}

struct mapping *mapping_insert(struct mapping *root, struct mapping *mapping)
{
    bool settled = false;
    mapping->left = NULL;
    mapping->right = NULL;
    update(mapping);
    return insert_below(root, mapping, &settled);
}

/* Take the first node of @root out into *@first. */
static struct mapping *remove_first(struct mapping *root, struct mapping **first)
{
    if (root->left == NULL) {
        *first = root;
        return root->right;
    }
    root->left = remove_first(root->left, first);
    return balance(root);
}

/* What stands in the place of @node when it is gone. */
static struct mapping *remove_node(const struct mapping *node)
{
    if (node->right == NULL)
        return node->left;
    struct mapping *next;
    struct mapping *right = remove_first(node->right, &next);
    next->left = node->left;
    next->right = right;
    return balance(next);
}

static struct mapping *remove_below(struct mapping *root, const struct mapping *mapping,
                                    bool *settled)
{
    ASSERT(root != NULL);
    if (root == mapping)
        return remove_node(mapping);
    if (mapping->start < root->start)
        root->left = remove_below(root->left, mapping, settled);
    else
        root->right = remove_below(root->right, mapping, settled);
    return *settled ? root : rebalance(root, settled);
}

struct mapping *mapping_remove(struct mapping *root, struct mapping *mapping)
{
    bool settled = false;
    return remove_below(root, mapping, &settled);
}

void mapping_resized(struct mapping *root, const struct mapping *mapping)
{
    if (root != mapping)
        mapping_resized(mapping->start < root->start ? root->left : root->right, mapping);
    update(root);
}

struct mapping *mapping_find(struct mapping *root, uint64_t address)
{
    struct mapping *found = NULL;
    while (root != NULL) {
        if (mapping_end(root) <= address) {
            root = root->right;
        } else {
            found = root;
            if (root->start <= address)
                break;
            root = root->left;
        }
    }
    return found;
}

struct mapping *mapping_before(struct mapping *root, uint64_t address)
{
    struct mapping *found = NULL;
    while (root != NULL) {
        if (root->start < address) {
            found = root;
            root = root->right;
        } else {
            root = root->left;
        }
    }
    return found;
}

/* In the free and used ranges of [@from, @to), which are those of @node and its surroundings. */
static uint64_t gap_in(const struct mapping *node, uint64_t from, uint64_t to, uint64_t base,
                       uint64_t bytes)
{
    uint64_t begin = MAX(from, base);
    if (to <= begin || to - begin < bytes)
        return 0;
    if (node == NULL)
        return begin;
    if (node->gap < bytes && node->low - from < bytes && to - node->high < bytes)
        return 0;
    uint64_t found = gap_in(node->left, from, node->start, base, bytes);
    return found != 0 ? found : gap_in(node->right, mapping_end(node), to, base, bytes);
}

uint64_t mapping_gap(const struct mapping *root, uint64_t base, uint64_t end, uint64_t bytes)
{
    return gap_in(root, 0, end, base, bytes);
}
