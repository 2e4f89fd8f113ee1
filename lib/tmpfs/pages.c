/* Pages of the store: the bitmap of used ones, and the radix trees that make files of them. */
#include "internal.h"

bool page_used(const struct tmpfs *tmpfs, uint32_t page)
{
    return tmpfs->bitmap[page / 64] >> (page % 64) & 1;
}

void page_mark(struct tmpfs *tmpfs, uint32_t page)
{
    tmpfs->bitmap[page / 64] |= UINT64_C(1) << (page % 64);
    tmpfs->pages_free--;
}

/* The first free page at or after the hint, 0: none. */
static uint32_t page_search(struct tmpfs *tmpfs)
{
    uint32_t words = (tmpfs->store->pages + 63) / 64;
    for (uint32_t word = tmpfs->page_hint / 64; word < words; word++) {
        uint64_t free = ~tmpfs->bitmap[word];
        if (free) {
            uint32_t page = word * 64 + (uint32_t)__builtin_ctzll(free);
            tmpfs->page_hint = page;
            return page < tmpfs->store->pages ? page : 0;
        }
    }
    return 0;
}

uint32_t page_new(struct tmpfs *tmpfs)
{
    uint32_t page = tmpfs->pages_free ? page_search(tmpfs) : 0;
    if (page == 0 || !tmpfs->store->commit(tmpfs->store, page)) {
        return 0;
    }
    page_mark(tmpfs, page);
    return page;
}

void page_free(struct tmpfs *tmpfs, uint32_t page)
{
    tmpfs->store->discard(tmpfs->store, page, 1);
    tmpfs->bitmap[page / 64] &= ~(UINT64_C(1) << (page % 64));
    tmpfs->pages_free++;
    if (page < tmpfs->page_hint) {
        tmpfs->page_hint = page;
    }
}

/* How many pages a tree of @height has room for. */
static uint64_t tree_span(uint32_t height)
{
    return UINT64_C(1) << (10 * height);
}

uint32_t tree_get(const struct tmpfs *tmpfs, struct tree tree, uint64_t index)
{
    uint32_t height = tree_height(tree);
    uint32_t page = tree_root(tree);
    if (index >= tree_span(height)) {
        return 0;
    }
    for (; height > 0 && page; height--) {
        page = page_slots(tmpfs, page)[index / tree_span(height - 1) % PAGE_SLOTS];
    }
    return page;
}

/* Make @tree high enough for @index. */
static bool tree_grow(struct tmpfs *tmpfs, struct tree *tree, uint64_t index, uint32_t *pages)
{
    while (index >= tree_span(tree_height(*tree))) {
        uint64_t height = tree_height(*tree) + 1;
        if (tree->word == 0 || tree_root(*tree) == 0) {
            store_word(&tree->word, height << 32);
            continue;
        }
        uint32_t page = page_new(tmpfs);
        if (page == 0) {
            return false;
        }
        ++*pages;
        page_slots(tmpfs, page)[0] = tree_root(*tree);
        store_word(&tree->word, height << 32 | page);
    }
    return true;
}

uint32_t tree_make(struct tmpfs *tmpfs, struct tree *tree, uint64_t index, uint32_t *pages)
{
    if (!tree_grow(tmpfs, tree, index, pages)) {
        return 0;
    }
    uint32_t height = tree_height(*tree);
    uint32_t page = tree_root(*tree);
    if (page == 0) {
        page = page_new(tmpfs);
        if (page == 0) {
            return 0;
        }
        ++*pages;
        store_word(&tree->word, (uint64_t)height << 32 | page);
    }
    for (; height > 0; height--) {
        uint32_t *slot = &page_slots(tmpfs, page)[index / tree_span(height - 1) % PAGE_SLOTS];
        if (*slot == 0) {
            uint32_t child = page_new(tmpfs);
            if (child == 0) {
                return 0;
            }
            ++*pages;
            store_slot(slot, child);
        }
        page = *slot;
    }
    return page;
}

/* Free the pages at @first and beyond below @page, which has @height; @first is not 0: @page itself stays. */
static void cut_below(struct tmpfs *tmpfs, uint32_t page, uint32_t height, uint64_t first,
                      uint32_t *pages)
{
    uint64_t span = tree_span(height - 1);
    uint32_t *slots = page_slots(tmpfs, page);
    for (uint64_t i = first / span; i < PAGE_SLOTS; i++) {
        uint32_t child = slots[i];
        uint64_t inside = i == first / span ? first % span : 0;
        if (child == 0) {
            continue;
        }
        if (inside == 0) {
            store_slot(&slots[i], 0);
        }
        if (height > 1) {
            cut_below(tmpfs, child, height - 1, inside, pages);
        }
        if (inside == 0) {
            page_free(tmpfs, child);
            --*pages;
        }
    }
}

void tree_cut(struct tmpfs *tmpfs, struct tree *tree, uint64_t first, uint32_t *pages)
{
    struct tree old = *tree;
    uint32_t height = tree_height(old);
    if (first >= tree_span(height)) {
        return;
    }
    if (first == 0) {
        store_word(&tree->word, 0);
    }
    if (tree_root(old) == 0) {
        return;
    }
    if (height > 0) {
        cut_below(tmpfs, tree_root(old), height, first, pages);
    }
    if (first == 0) {
        page_free(tmpfs, tree_root(old));
        --*pages;
    }
}
