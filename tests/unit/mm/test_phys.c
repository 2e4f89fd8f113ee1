/* The physical allocator and the heap against a reference that knows every page. */
#include "environment.h"

#include <budget.h>
#include <kmem.h>
#include <mm/phys.h>
#include <stdlib.h>
#include <string.h>

#define PAGES (ENVIRONMENT_RAM_BYTES / PAGE_SIZE)
#define BLOCKS 600

struct block {
    paddr_t base;
    uint32_t order;
};

static uint8_t used[PAGES];

static bool model_take(paddr_t base, uint32_t order)
{
    uint64_t first = base / PAGE_SIZE;
    bool good = base % (PAGE_SIZE << order) == 0 && first + (1u << order) <= PAGES;
    for (uint64_t i = first; good && i < first + (1u << order); i++)
        good = !used[i]++ && phys_is_ram(i * PAGE_SIZE, PAGE_SIZE);
    return good;
}

static void model_give(paddr_t base, uint32_t order)
{
    memset(&used[base / PAGE_SIZE], 0, 1u << order);
}

static void test_phys_random_operations(void)
{
    static struct block blocks[BLOCKS];
    uint64_t before = phys_free_pages(), held = 0;
    uint32_t count = 0;
    for (unsigned round = 0; round < 60000; round++) {
        environment_cpu(random_u32() % 2);
        if (count == BLOCKS || (count > 0 && random_u32() % 2 == 0)) {
            uint32_t i = (uint32_t)random_below(count);
            struct block block = blocks[i];
            model_give(block.base, block.order);
            phys_free(block.base, block.order);
            held -= 1u << block.order;
            blocks[i] = blocks[--count];
        } else {
            struct block block = {.order = random_u32() % 3 == 0 ? random_u32() % 9 : 0};
            if (!phys_alloc(block.order, &block.base))
                continue;
            CHECK(model_take(block.base, block.order));
            CHECK(frame_refs(block.base) == 1);
            held += 1u << block.order;
            blocks[count++] = block;
        }
        CHECK(phys_free_pages() == before - held);
    }
    while (count > 0) {
        count--;
        model_give(blocks[count].base, blocks[count].order);
        phys_free(blocks[count].base, blocks[count].order);
    }
}

static void test_phys_joins_what_is_free(void)
{
    paddr_t big;
    static paddr_t all[PAGES];
    uint64_t count = 0;
    while (phys_alloc(0, &all[count]))
        count++;
    CHECK(phys_free_pages() < 64);
    while (count > 0)
        phys_free(all[--count], 0);
    bool joined = phys_alloc(11, &big);
    CHECK(joined);
    if (joined)
        phys_free(big, 11);
}

static void test_phys_notices_bad_frees(void)
{
    paddr_t frame;
    CHECK(phys_alloc(0, &frame));
    CHECK(PANICS(phys_free(frame + 1, 0)));
    CHECK(PANICS(phys_free(0x2000000, 0)));
    phys_free(frame, 0);
    CHECK(PANICS(phys_free(frame, 0)));
}

static void test_phys_ranges_and_limits(void)
{
    paddr_t base;
    CHECK(phys_alloc_range(37, 32u << 20, &base));
    CHECK(base + 37 * PAGE_SIZE <= 32u << 20);
    for (uint64_t i = 0; i < 37; i++)
        CHECK(model_take(base + i * PAGE_SIZE, 0));
    uint64_t before = phys_free_pages();
    phys_free_range(base, 37);
    CHECK(phys_free_pages() == before + 37);
    memset(used, 0, sizeof(used));
    CHECK(!phys_alloc_below(0, 0x1000, &base));
    CHECK(phys_is_ram(0x3000000, 1) && !phys_is_all_ram(0x2fff000, 0x2000) &&
          !phys_is_ram(0xa0000, 0x10000));
}

/* All that can be had is taken and given back: how much of it is init text? */
static uint64_t init_text_pages_taken(void)
{
    static paddr_t frames[PAGES];
    uint64_t count = 0, found = 0;
    for (; phys_alloc(0, &frames[count]); count++)
        found += frames[count] - boot_info.init_text.base < boot_info.init_text.bytes;
    while (count > 0)
        phys_free(frames[--count], 0);
    return found;
}

/* Boot runs from there: it is in use until boot is over. */
static void test_phys_init_text_is_in_use_until_given_back(void)
{
    const struct boot_range *init = &boot_info.init_text;
    uint64_t before = phys_free_pages();
    paddr_t base;
    CHECK(init->bytes == 2 * PAGE_SIZE && phys_is_all_ram(init->base, init->bytes));
    CHECK(frame_refs(init->base) == 1 && init_text_pages_taken() == 0);
    phys_free_range(init->base, 2);
    CHECK(phys_free_pages() == before + 2 && init_text_pages_taken() == 2);
    CHECK(phys_alloc_range(2, UINT64_MAX, &base)); /* as many as were free before */
}

static void test_phys_deferred_frames_wait(void)
{
    paddr_t frame;
    uint64_t before = phys_free_pages();
    CHECK_STATUS(frame_create(env.budget, &frame), STATUS_OK);
    CHECK(budget_pages_used() == 1);
    frame_ref(frame);
    frame_put(frame);
    CHECK(frame_refs(frame) == 1);
    frame_put(frame);
    CHECK(budget_pages_used() == 1 && phys_free_pages() == before - 1);
    environment_grace();
    CHECK(budget_pages_used() == 0 && phys_free_pages() == before);
    for (unsigned i = 0; i < 500; i++) {
        CHECK_STATUS(frame_create(env.budget, &frame), STATUS_OK);
        frame_put(frame);
    }
    env.yield_every = 3;
    environment_grace();
    CHECK(phys_free_pages() == before);
}

/* Who is left with a shared frame has it for his own when nobody can read it any more. */
static void test_phys_shared_frames_become_own_later(void)
{
    paddr_t frame;
    CHECK_STATUS(frame_create(env.budget, &frame), STATUS_OK);
    CHECK(frame_is_own(frame));
    for (unsigned i = 0; i < 3; i++)
        frame_ref(frame);
    environment_pass(3);
    frame_put(frame);
    environment_pass(1);
    frame_put(frame);
    frame_put_unseen(frame);
    CHECK(frame_refs(frame) == 1 && !frame_is_own(frame));
    environment_pass(1);
    CHECK(frame_is_own(frame));
    frame_ref(frame);
    CHECK(!frame_is_own(frame));
    frame_put_unseen(frame);
    CHECK(frame_is_own(frame));
    /* Numbers of periods come round: what seems to come is not own, what was own stays so. */
    frame_ref(frame);
    frame_put(frame);
    environment_pass((1ull << 35) + 5);
    CHECK(!frame_is_own(frame));
    environment_pass(1ull << 35);
    CHECK(frame_is_own(frame));
    environment_pass((1ull << 35) + 5);
    CHECK(frame_is_own(frame));
    frame_put(frame);
}

static void test_phys_charges_before_taking(void)
{
    paddr_t frame;
    budget_limits(1, 1000);
    CHECK_STATUS(frame_create(env.budget, &frame), STATUS_OK);
    paddr_t other;
    CHECK_STATUS(frame_create(env.budget, &other), STATUS_NO_MEMORY);
    frame_put_now(frame);
    CHECK(budget_pages_used() == 0);
}

#define KEPT (ARCH_PT_ENTRIES * PAGE_SIZE)

/* The frames of a block that is kept together go to who asks for the next of them, and to others when there are no more. */
static void test_phys_kept_blocks_are_taken_in_order(void)
{
    static paddr_t all[PAGES];
    uint64_t before = phys_free_pages(), count = 0;
    paddr_t block = phys_keep(), frame, bases[20];
    CHECK(block != 0 && block % KEPT == 0 && phys_free_pages() == before);
    for (; count < 40; count++) {
        CHECK_STATUS(frame_create_at(env.budget, block + count / 2 * PAGE_SIZE, &all[count]),
                     STATUS_OK);
        CHECK(model_take(all[count], 0) && frame_refs(all[count]) == 1);
        CHECK((all[count] == block + count / 2 * PAGE_SIZE) == (count % 2 == 0));
        CHECK(count % 2 == 0 || all[count] - block >= KEPT);
    }
    CHECK(phys_free_pages() == before - count && budget_pages_used() == count);
    /* Not the one behind the next, nor one of no block. */
    CHECK_STATUS(frame_create_at(env.budget, block + 21 * PAGE_SIZE, &frame), STATUS_OK);
    CHECK(frame - block >= KEPT);
    frame_put_now(frame);
    CHECK_STATUS(frame_create_at(env.budget, UINT64_MAX & ~(PAGE_SIZE - 1), &frame), STATUS_OK);
    frame_put_now(frame);
    /* With so many others the first is kept no more. */
    for (unsigned i = 0; i < 20; i++) {
        bases[i] = phys_keep();
        for (unsigned j = 0; j < i; j++)
            CHECK(i >= j + 8 || bases[i] != bases[j]);
    }
    CHECK(phys_free_pages() == before - count);
    CHECK_STATUS(frame_create_at(env.budget, bases[19], &frame), STATUS_OK);
    CHECK(frame == bases[19]);
    frame_put_now(frame);
    /* Nor the one behind the last. */
    for (uint64_t i = 1; i <= ARCH_PT_ENTRIES; i++) {
        CHECK_STATUS(frame_create_at(env.budget, bases[19] + i * PAGE_SIZE, &frame), STATUS_OK);
        CHECK((frame == bases[19] + i * PAGE_SIZE) == (i < ARCH_PT_ENTRIES));
        frame_put_now(frame);
    }
    /* All that is free can be had. */
    budget_limits(UINT32_MAX, UINT32_MAX);
    for (; phys_alloc(0, &frame); count++) {
        CHECK(model_take(frame, 0));
        all[count] = frame;
    }
    CHECK(phys_free_pages() < 64 && phys_keep() == 0 && count > before - 64);
    while (count > 40)
        phys_free(all[--count], 0);
    while (count > 0)
        frame_put_now(all[--count]);
    memset(used, 0, sizeof(used));
    CHECK(phys_free_pages() == before && budget_pages_used() == 0);
    CHECK(phys_alloc(11, &frame));
    phys_free(frame, 11);
}

static void test_kmem_random_operations(void)
{
    static struct {
        uint8_t *pointer;
        size_t bytes;
        uint8_t fill;
    } objects[BLOCKS];
    uint32_t count = 0;
    for (unsigned round = 0; round < 40000; round++) {
        uint32_t i = (uint32_t)random_below(count + 1);
        if (count == BLOCKS || (i < count && random_u32() % 2 == 0)) {
            for (size_t b = 0; b < objects[i].bytes; b += 61)
                CHECK(objects[i].pointer[b] == objects[i].fill);
            kmem_free(env.budget, objects[i].pointer, objects[i].bytes);
            objects[i] = objects[--count];
            continue;
        }
        size_t bytes = 1 + random_below(random_u32() % 16 == 0 ? 20000 : 2100);
        uint8_t *pointer = kmem_alloc(env.budget, bytes);
        if (pointer == NULL)
            continue;
        size_t zeros = 0;
        while (zeros < bytes && pointer[zeros] == 0)
            zeros++;
        CHECK(zeros == bytes);
        objects[count].pointer = pointer;
        objects[count].bytes = bytes;
        objects[count].fill = (uint8_t)(random_u32() | 1);
        memset(pointer, objects[count].fill, bytes);
        count++;
    }
    while (count > 0) {
        count--;
        kmem_free(env.budget, objects[count].pointer, objects[count].bytes);
    }
}

/* The panic leaves the lock of the class of 1,008 bytes taken; nothing that follows uses that class. */
static void test_kmem_notices_bad_frees(void)
{
    char *a = kmem_alloc(env.budget, 1600);
    char *b = kmem_alloc(env.budget, 1600);
    CHECK(PANICS(kmem_free(env.budget, a + 16, 1000)));
    kmem_free(env.budget, b, 1600);
    kmem_free(env.budget, a, 1600);
}

/* What a program makes and ends again and again has new frames, but not new addresses without end; and none that a CPU may have kept
 * (environment.c). */
static void test_blocks_use_addresses_again(void)
{
    static bool seen[(ARCH_HEAP_END - ARCH_HEAP_BASE) / PAGE_SIZE];
    unsigned addresses = 0;
    for (unsigned round = 0; round < 4000; round++) {
        char *blocks[4];
        for (unsigned i = 0; i < 4; i++) {
            blocks[i] = kmem_alloc(env.budget, 8552);
            CHECK(blocks[i] != NULL && blocks[i][0] == 0 && blocks[i][8551] == 0);
            memset(blocks[i], 1, 8552);
            bool *was_seen = &seen[((uintptr_t)blocks[i] - ARCH_HEAP_BASE) / PAGE_SIZE];
            addresses += !*was_seen;
            *was_seen = true;
        }
        for (unsigned i = 0; i < 4; i++)
            kmem_free(env.budget, blocks[i], 8552);
        if (round % 7 == 0)
            environment_grace();
    }
    /* At most: what others had before, in use, resting, and freed while a batch is flushed. */
    CHECK(addresses < 300 + 4 + 16 + 28);
}

/* In single frames: of free frames none of which are neighbours there are blocks as large as all of them. */
static void test_blocks_need_no_neighbours(void)
{
    static paddr_t frames[PAGES];
    uint32_t count = 0, free = 0, blocks = 0;
    static char *made[PAGES / 25];

    while (phys_alloc(0, &frames[count]))
        count++;
    for (uint32_t i = 0; i < count; i++)
        if (frames[i] / PAGE_SIZE % 2 == 0) {
            phys_free(frames[i], 0);
            free++;
        }
    while ((made[blocks] = kmem_alloc(env.budget, 98304)) != NULL)
        blocks++;
    CHECK(blocks == free / 24);
    while (blocks != 0)
        kmem_free(env.budget, made[--blocks], 98304);
    for (uint32_t i = 0; i < count; i++)
        if (frames[i] / PAGE_SIZE % 2 != 0)
            phys_free(frames[i], 0);
}

/* What cannot be had is not charged, and what was had of it is given back. */
static void test_blocks_out_of_memory(void)
{
    static paddr_t frames[PAGES];
    uint32_t count = 0;

    while (phys_alloc(0, &frames[count]))
        count++;
    for (unsigned spare = 0; spare < 3; spare++) {
        uint64_t free = phys_free_pages();
        CHECK(kmem_alloc(env.budget, 3 * PAGE_SIZE) == NULL);
        CHECK(phys_free_pages() == free);
        phys_free(frames[--count], 0);
    }
    while (count != 0)
        phys_free(frames[--count], 0);
    void *blocks[100]; /* slots that were cut before are there without a new table */
    env.no_tables = true;
    while ((blocks[count] = kmem_alloc(env.budget, 200 * PAGE_SIZE)) != NULL)
        CHECK(++count < 100);
    env.no_tables = false;
    blocks[count] = kmem_alloc(env.budget, 200 * PAGE_SIZE);
    CHECK(blocks[count] != NULL);
    for (unsigned i = 0; i <= count; i++)
        kmem_free(env.budget, blocks[i], 200 * PAGE_SIZE);
}

static void test_blocks_notice_bad_frees(void)
{
    char *block = kmem_alloc(env.budget, 10000), *other = kmem_alloc(env.budget, 10000);
    CHECK(PANICS(kmem_free(env.budget, block, 8000)));
    CHECK(PANICS(kmem_free(env.budget, block, 13000)));
    CHECK(PANICS(kmem_free(env.budget, block + PAGE_SIZE, 10000)));
    kmem_free(env.budget, block, 10000);
    CHECK(PANICS(kmem_free(env.budget, block, 10000)));
    kmem_free(env.budget, other, 10000);
}

const struct test phys_tests[] = {
    {"test_phys_random_operations", test_phys_random_operations},
    {"test_phys_joins_what_is_free", test_phys_joins_what_is_free},
    {"test_phys_notices_bad_frees", test_phys_notices_bad_frees},
    {"test_phys_ranges_and_limits", test_phys_ranges_and_limits},
    {"test_phys_init_text_is_in_use_until_given_back",
     test_phys_init_text_is_in_use_until_given_back},
    {"test_phys_deferred_frames_wait", test_phys_deferred_frames_wait},
    {"test_phys_shared_frames_become_own_later", test_phys_shared_frames_become_own_later},
    {"test_phys_charges_before_taking", test_phys_charges_before_taking},
    {"test_phys_kept_blocks_are_taken_in_order", test_phys_kept_blocks_are_taken_in_order},
    {"test_kmem_random_operations", test_kmem_random_operations},
    {"test_kmem_notices_bad_frees", test_kmem_notices_bad_frees},
    {"test_blocks_use_addresses_again", test_blocks_use_addresses_again},
    {"test_blocks_need_no_neighbours", test_blocks_need_no_neighbours},
    {"test_blocks_out_of_memory", test_blocks_out_of_memory},
    {"test_blocks_notice_bad_frees", test_blocks_notice_bad_frees},
    {NULL, NULL},
};
