/* The tree of pages of a Memory (kernel/mm/memory_radix.c): from the empty tree, one page put in at any index, looked for, taken out.
 * proves: a page is found at its index and nowhere else; failing for lack of memory changes nothing; a tree without pages has no nodes; node counts are right
 * bounds: nodes of 4 entries instead of 64, 3 levels instead of 6, any index; the heap fails at any call
 * options: --unwind 5
 * slow: a minute and a half
 * scaled: kernel/include/mm/radix.h :: s/RADIX_BITS 6u/RADIX_BITS 2u/; s/RADIX_LEVELS_MAX 6u/RADIX_LEVELS_MAX 3u/ :: nodes of 4 entries, 3 levels
 * scaled: kernel/mm/memory_radix.c :: s/return \(struct radix_node \*\)\(uintptr_t\)entry;/return node_by_number(entry);/ :: a number is made a pointer by comparing it with all nodes
 * fault: kernel/mm/memory_radix.c :: s/radix_tidy\(tree, index\);$/;/ :: nodes that became empty stay
 * fault: kernel/mm/memory_radix.c :: s/while \(!in_reach\(index, levels\)\)/while (false)/ :: the first root is too low
 * fault: kernel/mm/memory_radix.c :: s/node->used \+ \(child == NULL\)/node->used/ :: a child is not counted
 * fault: kernel/mm/memory_radix.c :: s/if \(!in_reach\(index, tree->levels\) \|\| tree->root == NULL\)$/if (tree->root == NULL)/ :: an index beyond the tree finds another page
 */
#include "kernel.h"

struct radix_node;
static struct radix_node *node_by_number(uint64_t entry);
#include "kernel/mm/memory_radix.c"

uint8_t *host_ram;
static struct budget budget;
/* Each an object of its own: a place in an array that is not known is dear. */
static struct radix_node node_0, node_1, node_2;
static bool used_0, used_1, used_2;

static struct radix_node *node_by_number(uint64_t entry)
{
    if (entry == (uint64_t)&node_0)
        return &node_0;
    if (entry == (uint64_t)&node_1)
        return &node_1;
    if (entry == (uint64_t)&node_2)
        return &node_2;
    PROVE(entry == 0, "an entry above the leaves is a node or nothing");
    return NULL;
}

static void *node_take(struct radix_node *node, bool *used)
{
    *used = true;
    *node = (struct radix_node){0};
    return node;
}

void *kmem_alloc(struct budget *payer, size_t bytes)
{
    PROVE(payer == &budget && bytes == sizeof(struct radix_node), "a node, paid for");
    if (any_bool())
        return NULL;
    if (!used_0)
        return node_take(&node_0, &used_0);
    if (!used_1)
        return node_take(&node_1, &used_1);
    PROVE(!used_2, "one page needs no more than a node a level");
    return node_take(&node_2, &used_2);
}

void kmem_free(struct budget *payer, void *pointer, size_t bytes)
{
    (void)payer;
    (void)bytes;
    bool *used = pointer == &node_0 ? &used_0 : pointer == &node_1 ? &used_1 : &used_2;
    PROVE(pointer == &node_0 || pointer == &node_1 || pointer == &node_2, "a node is freed");
    PROVE(*used, "once");
    *used = false;
}

void object_unref(struct object *object)
{
    object->refs--;
}

void frame_ref(paddr_t frame)
{
    (void)frame;
}

void frame_put_unseen(paddr_t frame)
{
    (void)frame;
}

int main(void)
{
    struct radix tree = {0};
    uint64_t *slot, index = any_u64(), other = any_u64();
    bool exclusive;
    ASSUME(index < RADIX_PAGES_MAX);
    budget.object.refs = 1;
    if (radix_slot(&tree, &budget, index, &slot) == STATUS_OK) {
        PROVE(*slot == 0, "an empty place");
        radix_slot_fill(&tree, index, slot, 0x5000 | PAGE_ENTRY_PRESENT);
        PROVE(radix_lookup(&tree, index, &exclusive) == (0x5000 | PAGE_ENTRY_PRESENT),
              "found where it was put");
        PROVE(exclusive, "nobody shares it");
        PROVE(other == index || radix_lookup(&tree, other, &exclusive) == 0, "and nowhere else");
        radix_slot_clear(&tree, index);
    }
    PROVE(tree.root == NULL && tree.levels == 0, "an empty tree has no nodes");
    PROVE(radix_nodes() == 0 && !used_0 && !used_1 && !used_2, "all are given back");
    PROVE(budget.object.refs == 1, "and their payer");
    return 0;
}
