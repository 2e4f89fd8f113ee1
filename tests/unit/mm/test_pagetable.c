/* The page-table walker against an array of the pages of three far-apart windows. */
#include "environment.h"

#include "mm/pagetable.h"

#include <budget.h>
#include <mm/phys.h>
#include <string.h>

#define WINDOW 2048
static const uint64_t windows[] = {0x200000, 0x7fffffe00000 - WINDOW *PAGE_SIZE, 0x3fffff00000};

struct entry {
    paddr_t frame;
    uint32_t flags;
};

static struct entry model[3][WINDOW];

static void compare(paddr_t root)
{
    for (unsigned w = 0; w < 3; w++) {
        for (unsigned i = 0; i < WINDOW; i++) {
            unsigned level;
            pte_t pte = pagetable_lookup(root, windows[w] + i * PAGE_SIZE, &level);
            CHECK((pte != 0) == (model[w][i].frame != 0));
            if (pte == 0)
                continue;
            paddr_t inside =
                level == 0 ? 0 : (windows[w] + i * PAGE_SIZE) & (arch_pt_span(level) - 1);
            CHECK(arch_pte_address(pte) + inside == model[w][i].frame &&
                  arch_pte_flags(pte) == model[w][i].flags);
        }
    }
}

static void set(paddr_t root, unsigned w, unsigned i) NO_THREAD_SAFETY
{
    pte_t *slot;
    CHECK_STATUS(pagetable_slot(root, env.budget, windows[w] + i * PAGE_SIZE, 0, &slot), STATUS_OK);
    if (slot == NULL)
        return;
    uint32_t flags = MAP_READ | (random_u32() % 2 ? (uint32_t)MAP_WRITE : 0u);
    paddr_t frame = (1 + random_below(1u << 20)) * PAGE_SIZE;
    pagetable_write(slot, arch_pte_leaf(frame, flags, true, 0, false));
    model[w][i] = (struct entry){frame, flags};
}

static void set_large(paddr_t root, unsigned w, unsigned i) NO_THREAD_SAFETY
{
    uint64_t address = (windows[w] + i * PAGE_SIZE) & ~(arch_pt_span(1) - 1);
    pte_t *slot;
    if (address < windows[w] || address + arch_pt_span(1) > windows[w] + WINDOW * PAGE_SIZE)
        return;
    CHECK_STATUS(pagetable_slot(root, env.budget, address, 1, &slot), STATUS_OK);
    if (slot == NULL || arch_pte_is_present(*slot))
        return;
    paddr_t frame = arch_pt_span(1) * (1 + random_below(100));
    pagetable_write(slot, arch_pte_leaf(frame, MAP_READ | MAP_WRITE, true, 1, false));
    unsigned first = (unsigned)((address - windows[w]) / PAGE_SIZE);
    for (unsigned k = 0; k < 512; k++)
        model[w][first + k] = (struct entry){frame + k * PAGE_SIZE, MAP_READ | MAP_WRITE};
}

/* What a large leaf covers goes or changes as a whole. */
static void model_restrict(paddr_t root, unsigned w, unsigned from, unsigned to,
                           enum pagetable_change change) NO_THREAD_SAFETY
{
    unsigned first = from, end = to, level;
    if (pagetable_lookup(root, windows[w] + from * PAGE_SIZE, &level) != 0 && level == 1)
        first =
            (unsigned)((((windows[w] + from * PAGE_SIZE) & ~(arch_pt_span(1) - 1)) - windows[w]) /
                       PAGE_SIZE);
    if (pagetable_lookup(root, windows[w] + (to - 1) * PAGE_SIZE, &level) != 0 && level == 1)
        end = (unsigned)((((windows[w] + (to - 1) * PAGE_SIZE) | (arch_pt_span(1) - 1)) + 1 -
                          windows[w]) /
                         PAGE_SIZE);
    for (unsigned i = first; i < end; i++) {
        if (change == PAGETABLE_REMOVE)
            model[w][i] = (struct entry){0, 0};
        else
            model[w][i].flags &= ~MAP_WRITE;
    }
    uint64_t address = windows[w] + from * PAGE_SIZE, stop = windows[w] + to * PAGE_SIZE,
             removed = 0;
    uint32_t effort = 1 + (uint32_t)random_below(600);
    while (address < stop)
        (void)pagetable_restrict(root, &address, stop, change, effort, &removed);
}

static bool prune_at(paddr_t root, uint64_t start, uint64_t end, uint64_t low, uint64_t high)
    NO_THREAD_SAFETY
{
    return pagetable_prune(root, &(struct pagetable_prune){start, end, low, high});
}

static void prune(paddr_t root, unsigned w, unsigned from, unsigned to) NO_THREAD_SAFETY
{
    unsigned low = from, high = to;
    for (unsigned i = from; i < to; i++)
        if (model[w][i].frame != 0)
            return;
    while (low > 0 && model[w][low - 1].frame == 0)
        low--;
    while (high < WINDOW && model[w][high].frame == 0)
        high++;
    uint64_t tables = pagetable_pages();
    bool pruned = prune_at(root, windows[w] + from * PAGE_SIZE, windows[w] + to * PAGE_SIZE,
                           windows[w] + low * PAGE_SIZE, windows[w] + high * PAGE_SIZE);
    CHECK(pruned == (pagetable_pages() < tables));
}

static void test_pagetable_random_operations(void)
{
    paddr_t root;
    CHECK_STATUS(pagetable_create(env.budget, &root), STATUS_OK);
    memset(model, 0, sizeof(model));
    for (unsigned round = 0; round < 20000; round++) {
        unsigned w = (unsigned)random_below(3), i = (unsigned)random_below(WINDOW - 1);
        unsigned to = i + 1 + (unsigned)random_below(random_u32() % 4 == 0 ? 900 : 20);
        to = MIN(to, (unsigned)WINDOW);
        switch (random_u32() % 8) {
        case 0:
            model_restrict(root, w, i, to, PAGETABLE_REMOVE);
            prune(root, w, i, to);
            break;
        case 1:
            model_restrict(root, w, i, to, PAGETABLE_WRITE_PROTECT);
            break;
        case 2:
            set_large(root, w, i);
            break;
        default:
            set(root, w, i);
        }
        if (round % 500 == 0)
            compare(root);
    }
    compare(root);
    for (unsigned w = 0; w < 3; w++) {
        model_restrict(root, w, 0, WINDOW, PAGETABLE_REMOVE);
        prune(root, w, 0, WINDOW);
    }
    compare(root);
    environment_grace();
    while (!pagetable_destroy_step(root, 2)) {
    }
    pagetable_free(root);
    CHECK(pagetable_pages() == 0);
}

static void test_pagetable_tables_go_with_the_last_mapping(void) NO_THREAD_SAFETY
{
    paddr_t root;
    pte_t *slot;
    CHECK_STATUS(pagetable_create(env.budget, &root), STATUS_OK);
    CHECK_STATUS(pagetable_slot(root, env.budget, 0x40000000, 0, &slot), STATUS_OK);
    CHECK(pagetable_pages() == 4);
    CHECK(!prune_at(root, 0x40000000, 0x40001000, 0x40000000, 0x40001000));
    CHECK(pagetable_pages() == 4);
    CHECK(prune_at(root, 0x40000000, 0x40001000, 0x3ff00000, 0x40200000));
    CHECK(pagetable_pages() == 3);
    CHECK(prune_at(root, 0x40000000, 0x40001000, 0, ARCH_USER_END));
    CHECK(pagetable_pages() == 1);
    pagetable_free(root);
}

static void test_pagetable_fails_without_a_trace(void) NO_THREAD_SAFETY
{
    paddr_t root;
    pte_t *slot;
    unsigned level;
    CHECK_STATUS(pagetable_create(env.budget, &root), STATUS_OK);
    budget_limits(2, UINT32_MAX);
    CHECK_STATUS(pagetable_slot(root, env.budget, 0x40000000, 0, &slot), STATUS_NO_MEMORY);
    CHECK(pagetable_lookup(root, 0x40000000, &level) == 0);
    CHECK(pagetable_destroy_step(root, 100));
    pagetable_free(root);
}

const struct test pagetable_tests[] = {
    {"test_pagetable_random_operations", test_pagetable_random_operations},
    {"test_pagetable_tables_go_with_the_last_mapping",
     test_pagetable_tables_go_with_the_last_mapping},
    {"test_pagetable_fails_without_a_trace", test_pagetable_fails_without_a_trace},
    {NULL, NULL},
};
