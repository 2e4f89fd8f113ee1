/* Clones of clones: a fault costs the last one of a long chain what it costs the first. */
#include "limits.h"

#define CHAIN 10000u
#define SAMPLE 64u
#define PAGES 64u

static handle_t chain[CHAIN + 1];
static uint64_t costs[CHAIN + 1];

/* What the link @depth has in @page: the depth of the last one up to it that wrote there. */
static uint64_t expected(unsigned depth, unsigned page)
{
    return depth < page ? 0 : depth - (depth - page) % PAGES;
}

/* What most of a sample cost: not what ended in the middle of a few, with thousands of pages of earlier links. */
static uint64_t median(const uint64_t *from)
{
    uint64_t sorted[SAMPLE];

    for (unsigned i = 0; i < SAMPLE; i++) {
        unsigned at = i;

        for (; at > 0 && sorted[at - 1] > from[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = from[i];
    }
    return sorted[SAMPLE / 2];
}

static void check_constant(const char *what, unsigned length)
{
    /* What is freed comes with a delay, so the first of all pay for nobody. */
    uint64_t first = median(costs + length / 10), last = median(costs + length + 1 - SAMPLE);

    say("%s: %llu ns at first, %llu at a depth of %u", what, (unsigned long long)first,
        (unsigned long long)last, length);
    CHECK(!clock_counts() || last <= first + first / 4);
}

/* The link after @source, with its own page: what the write fault costs. */
static uint64_t link_add(handle_t source, unsigned depth, handle_t *link)
{
    OK(sys_memory_clone(source, info->budget, 0, PAGES * PAGE_SIZE, link));
    volatile uint64_t *words = (volatile uint64_t *)map_memory(*link, PAGES, MAP_READ | MAP_WRITE);
    uint64_t begin = now_ns();

    words[depth % PAGES * (PAGE_SIZE / 8)] = depth;
    uint64_t cost = now_ns() - begin;

    unmap((void *)(uintptr_t)words, PAGES * PAGE_SIZE);
    return cost;
}

static void check_link(unsigned depth)
{
    for (unsigned page = 1; page < PAGES; page += 7)
        CHECK(word_of(chain[depth], page * PAGE_SIZE) == expected(depth, page));
}

/* All links live. */
static void test_limits_chain_of_clones(void)
{
    unsigned length = CHAIN / scale();

    chain[0] = memory_new(PAGES, 0);
    for (unsigned i = 1; i <= length; i++)
        costs[i] = link_add(chain[i - 1], i, &chain[i]);
    check_constant("a write fault in a clone of clones", length);
    check_link(0);
    check_link(1);
    check_link(length / 2);
    check_link(length);
    for (unsigned i = 0; i < length; i += 2)
        close_handle(chain[i]);
    check_link(length / 2 + 1);
    check_link(length - 1);
    for (unsigned i = 1; i < length; i += 2)
        close_handle(chain[i]);
    check_link(length);
    close_handle(chain[length]);
}

/* Each address space is cloned once and ends, as in a program that forks and exits. */
static void test_limits_chain_of_address_spaces(void)
{
    handle_t memory = memory_new(PAGES, 0), aspace, next;
    uint64_t at, done, word;
    unsigned length = CHAIN / scale();

    OK(sys_aspace_create(info->budget, &aspace));
    OK(sys_aspace_map(aspace, memory, 0, 0, PAGES * PAGE_SIZE, MAP_READ | MAP_WRITE, 0, &at));
    close_handle(memory);
    for (uint64_t i = 1; i <= length; i++) {
        OK(sys_aspace_clone(aspace, info->budget, &next));
        close_handle(aspace);
        aspace = next;
        uint64_t begin = now_ns();

        OK(sys_aspace_write(aspace, at + i % PAGES * PAGE_SIZE, &i, sizeof(i), &done));
        costs[i] = now_ns() - begin;
    }
    check_constant("a first write in a clone of an address space", length);
    for (unsigned page = 0; page < PAGES; page++) {
        OK(sys_aspace_read(aspace, at + page * PAGE_SIZE, &word, sizeof(word), &done));
        CHECK(word == expected(length, page));
    }
    close_handle(aspace);
}

extern const struct test clone_tests[];
const struct test clone_tests[] = {
    TEST(test_limits_chain_of_clones),
    TEST(test_limits_chain_of_address_spaces),
    {0},
};
