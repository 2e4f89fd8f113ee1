/* Trees of pages: random operations on a family of clones, each compared with a plain array; deep chains of clones. */
#include "environment.h"

#include <budget.h>
#include <mm/phys.h>
#include <string.h>

#define TREES 6
#define SPAN 700
/* Where the pages lie, far apart, so that trees grow and shrink. */
static const uint64_t bases[] = {0, 1u << 12, (1ull << 30) + 5};

struct model {
    struct radix tree;
    paddr_t pages[3][SPAN];
};

static struct model models[TREES];

static void page_set(struct model *model, unsigned base, unsigned i)
{
    uint64_t *slot;
    paddr_t frame;
    uint64_t index = bases[base] + i;
    CHECK_STATUS(radix_slot(&model->tree, env.budget, index, &slot), STATUS_OK);
    CHECK_STATUS(frame_create(env.budget, &frame), STATUS_OK);
    if (*slot == 0) {
        radix_slot_fill(&model->tree, index, slot, frame | PAGE_ENTRY_PRESENT);
    } else {
        frame_put(page_entry_frame(*slot));
        *slot = frame | PAGE_ENTRY_PRESENT;
    }
    model->pages[base][i] = frame;
}

static void page_clear(struct model *model, unsigned base, unsigned i)
{
    uint64_t *slot;
    uint64_t index = bases[base] + i;
    CHECK_STATUS(radix_slot(&model->tree, env.budget, index, &slot), STATUS_OK);
    if (*slot == 0) {
        radix_tidy(&model->tree, index);
    } else {
        paddr_t frame = page_entry_frame(*slot);
        radix_slot_clear(&model->tree, index);
        frame_put(frame);
    }
    model->pages[base][i] = 0;
}

static void model_compare(const struct model *model)
{
    uint64_t next = 0, expected = 0;
    bool exclusive;
    for (unsigned base = 0; base < 3; base++) {
        for (unsigned i = 0; i < SPAN; i++) {
            uint64_t entry = radix_lookup(&model->tree, bases[base] + i, &exclusive);
            CHECK(page_entry_frame(entry) == model->pages[base][i]);
            if (model->pages[base][i] == 0)
                continue;
            expected = bases[base] + i;
            CHECK(radix_next(&model->tree, next, UINT64_MAX, &next) && next == expected);
            next++;
        }
    }
    CHECK(!radix_next(&model->tree, next, UINT64_MAX, &next));
}

static void model_destroy(struct model *model)
{
    while (!radix_destroy_step(&model->tree, 16)) {
    }
    memset(model, 0, sizeof(*model));
}

static void test_radix_random_clones(void)
{
    for (unsigned round = 0; round < 12000; round++) {
        struct model *model = &models[random_below(TREES)];
        unsigned base = (unsigned)random_below(3), i = (unsigned)random_below(SPAN);
        switch (random_u32() % 16) {
        case 0:
            if (random_u32() % 8 == 0)
                model_destroy(model);
            break;
        case 1: {
            struct model *other = &models[random_below(TREES)];
            if (other == model || random_u32() % 4 != 0)
                break;
            model_destroy(model);
            radix_clone(&other->tree, &model->tree);
            memcpy(model->pages, other->pages, sizeof(model->pages));
            break;
        }
        case 2:
        case 3:
        case 4:
        case 5:
            page_clear(model, base, i);
            break;
        default:
            page_set(model, base, i);
        }
        if (round % 1000 == 0)
            model_compare(model);
    }
    for (unsigned t = 0; t < TREES; t++)
        model_compare(&models[t]);
    for (unsigned t = 0; t < TREES; t++)
        model_destroy(&models[t]);
    environment_grace();
    CHECK(budget_pages_used() == 0);
}

/* Consecutive frames are a run where they stand one after the other, and somebody's own while nobody shares a node or a frame of them. */
static void test_radix_runs_are_found(void)
{
    static struct model one, two;
    paddr_t block = phys_keep(), frame;
    uint64_t *slot;
    memset(&one, 0, sizeof(one));
    memset(&two, 0, sizeof(two));
    CHECK(block != 0 && radix_run(&one.tree, 0, 1, false) == 0);
    for (uint64_t i = 0; i < 300; i++) {
        CHECK_STATUS(radix_slot(&one.tree, env.budget, 40 + i, &slot), STATUS_OK);
        CHECK_STATUS(frame_create_at(env.budget, block + i * PAGE_SIZE, &frame), STATUS_OK);
        radix_slot_fill(&one.tree, 40 + i, slot, frame | PAGE_ENTRY_PRESENT | PAGE_ENTRY_PIN);
    }
    CHECK(radix_run(&one.tree, 40, 300, true) == block);
    CHECK(radix_run(&one.tree, 41, 299, false) == block + PAGE_SIZE);
    CHECK(radix_run(&one.tree, 39, 300, false) == 0 && radix_run(&one.tree, 41, 300, false) == 0);
    CHECK(radix_run(&one.tree, 40, 5000, false) == 0 &&
          radix_run(&one.tree, 1ull << 30, 2, false) == 0);
    radix_clone(&one.tree, &two.tree);
    CHECK(radix_run(&one.tree, 40, 300, true) == 0 && radix_run(&two.tree, 40, 300, true) == 0);
    CHECK(radix_run(&one.tree, 40, 300, false) == block &&
          radix_run(&two.tree, 40, 300, false) == block);
    /* One leaf of its own, in which one frame is too. */
    CHECK_STATUS(radix_slot(&two.tree, env.budget, 130, &slot), STATUS_OK);
    CHECK(radix_run(&two.tree, 128, 64, true) == 0 && radix_run(&two.tree, 130, 1, true) == 0);
    frame_put(page_entry_frame(*slot));
    CHECK_STATUS(frame_create(env.budget, &frame), STATUS_OK);
    *slot = frame | PAGE_ENTRY_PRESENT;
    CHECK(radix_run(&two.tree, 130, 1, true) == frame && radix_run(&two.tree, 129, 2, false) == 0);
    CHECK(radix_run(&two.tree, 130, 2, false) == 0 &&
          radix_run(&two.tree, 131, 100, false) == block + 91 * PAGE_SIZE);
    model_destroy(&two);
    environment_grace();
    CHECK(radix_run(&one.tree, 40, 300, true) == block);
    model_destroy(&one);
    environment_grace();
    CHECK(budget_pages_used() == 0);
}

static void test_radix_failed_slot_changes_nothing(void)
{
    struct model *model = &models[0];
    uint64_t *slot;
    for (unsigned i = 0; i < 100; i += 3)
        page_set(model, i % 3, i);
    struct model *clone = &models[1];
    radix_clone(&model->tree, &clone->tree);
    memcpy(clone->pages, model->pages, sizeof(model->pages));
    for (uint64_t limit = 0; limit < 8 * 576; limit += 300) {
        budget_limits(UINT32_MAX, env.budget->quotas[QUOTA_KMEM].used + limit);
        for (unsigned i = 0; i < 4; i++) {
            uint64_t index = bases[i % 3] + random_below(1u << 20);
            if (status_is_ok(radix_slot(&clone->tree, env.budget, index, &slot)) && *slot == 0)
                radix_tidy(&clone->tree, index);
        }
        budget_limits(UINT32_MAX, UINT32_MAX);
        bool exclusive;
        for (unsigned b = 0; b < 3; b++)
            for (unsigned i = 0; i < SPAN; i++) {
                CHECK(page_entry_frame(radix_lookup(&model->tree, bases[b] + i, &exclusive)) ==
                      model->pages[b][i]);
                CHECK(page_entry_frame(radix_lookup(&clone->tree, bases[b] + i, &exclusive)) ==
                      clone->pages[b][i]);
            }
    }
    model_destroy(model);
    model_destroy(clone);
}

/* The 10,000th clone of a clone costs what the first does, in nodes and in frames. */
static void test_radix_deep_chain_costs_the_same(void)
{
    static struct radix chain[10001];
    uint64_t *slot;
    bool exclusive;
    memset(chain, 0, sizeof(chain));
    struct model *first = &models[0];
    for (unsigned i = 0; i < 64; i++)
        page_set(first, 2, i);
    chain[0] = first->tree;
    uint64_t nodes_each = 0, nodes_all = radix_nodes();
    for (unsigned i = 1; i <= 10000; i++) {
        uint64_t before = radix_nodes();
        radix_clone(&chain[i - 1], &chain[i]);
        CHECK(radix_nodes() == before);
        uint64_t entry = radix_lookup(&chain[i], bases[2] + i % 64, &exclusive);
        CHECK(entry != 0 && !exclusive);
        /* Each changes a page: its path alone is copied. */
        CHECK_STATUS(radix_slot(&chain[i], env.budget, bases[2] + i % 64, &slot), STATUS_OK);
        uint64_t nodes = radix_nodes() - before;
        nodes_each = i == 1 ? nodes : nodes_each;
        CHECK(nodes == nodes_each);
        /* Its parent ends: the chain is deep, but nothing is kept for it. */
        while (!radix_destroy_step(&chain[i - 1], 64)) {
        }
        CHECK(radix_nodes() == nodes_all);
    }
    while (!radix_destroy_step(&chain[10000], 64)) {
    }
    memset(first, 0, sizeof(*first));
}

/* Nobody remembers the pages of a tree that ended: what it shared is the other tree's own at once, what was replaced is not. */
static void test_radix_destroyed_trees_leave_pages_own(void)
{
    struct model *model = &models[0], *clone = &models[1];
    for (unsigned i = 0; i < 3; i++)
        page_set(model, 0, i);
    radix_clone(&model->tree, &clone->tree);
    page_set(clone, 0, 2);
    page_set(model, 0, 1);
    paddr_t shared = model->pages[0][0],
            replaced = page_entry_frame(radix_lookup(&clone->tree, 1, &(bool){false}));
    CHECK(frame_refs(shared) == 2 && !frame_is_own(shared));
    CHECK(frame_refs(replaced) == 1 && !frame_is_own(replaced));
    model_destroy(clone);
    CHECK(frame_refs(shared) == 1 && frame_is_own(shared));
    model_destroy(model);
}

const struct test radix_tests[] = {
    {"test_radix_random_clones", test_radix_random_clones},
    {"test_radix_runs_are_found", test_radix_runs_are_found},
    {"test_radix_failed_slot_changes_nothing", test_radix_failed_slot_changes_nothing},
    {"test_radix_destroyed_trees_leave_pages_own", test_radix_destroyed_trees_leave_pages_own},
    {"test_radix_deep_chain_costs_the_same", test_radix_deep_chain_costs_the_same},
    {NULL, NULL},
};
