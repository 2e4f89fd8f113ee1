/* Large entries of page tables: anonymous Memory gets them by itself, and they give way, on all CPUs, to whatever is done to a part of what they map. */
#include "guest.h"

#define PAGES ((uint64_t)(LARGE_PAGE_SIZE / PAGE_SIZE))
#define WORDS (PAGE_SIZE / sizeof(uint64_t))
#define ROUNDS 3u
/** What is done to these pages, by the main thread; the writers have others. */
#define TOUCHED 5u
#define WRITERS 2u
static const uint64_t written[WRITERS] = {300, 511};

struct use {
    uint64_t start, present, accessed, written;
};

static struct use use_of(const volatile uint64_t *words)
{
    struct process_info process;
    struct use use = {0};

    OK(sys_process_info(info->process, &process));
    OK(sys_budget_process_pages(info->budget, process.id, (uint64_t)words, &use.start, &use.present,
                                &use.accessed, &use.written));
    return use;
}

static bool is_large(const volatile uint64_t *words)
{
    return use_of(words).start == ((uint64_t)words | PAGE_USE_LARGE);
}

static uint64_t pages_used(void)
{
    struct budget_info budget;

    OK(sys_budget_info(info->budget, &budget));
    return budget.pages_used;
}

static uint64_t pages_free(void)
{
    struct memory_stats stats;

    OK(sys_system_memory_stats(info->budget, &stats));
    return stats.free_pages;
}

static uint64_t pages_resident(void)
{
    struct process_info process;

    OK(sys_process_info(info->process, &process));
    return process.resident_pages;
}

/* Page i of them has the word i + 1, written upwards. */
static void fill(volatile uint64_t *words, uint64_t first, uint64_t end)
{
    for (uint64_t i = first; i < end; i++)
        words[i * WORDS] = i + 1;
}

static volatile uint64_t *large_new(uint64_t pages, handle_t *memory)
{
    *memory = memory_new(pages, 0);
    volatile uint64_t *words =
        (volatile uint64_t *)map_memory(*memory, pages, MAP_READ | MAP_WRITE);
    fill(words, 0, pages);
    return words;
}

static void large_drop(volatile uint64_t *words, uint64_t pages, handle_t memory)
{
    unmap((void *)(uintptr_t)words, pages * PAGE_SIZE);
    close_handle(memory);
}

/* No page is charged before it is written; when the last one is, the table that they had goes. */
static void test_large_pages_are_taken(void)
{
    uint64_t pages = 2 * PAGES + 10;
    handle_t memory = memory_new(pages, 0);
    uint64_t before = pages_used(), resident = pages_resident();
    volatile uint64_t *words = (volatile uint64_t *)map_memory(memory, pages, MAP_READ | MAP_WRITE);

    CHECK((uint64_t)words % LARGE_PAGE_SIZE == 0);
    fill(words, 0, 1);
    uint64_t tables = pages_used() - before - 1;
    CHECK(tables >= 1 && tables <= 3);
    fill(words, 1, PAGES - 1);
    CHECK(pages_used() == before + tables + PAGES - 1); /* the table is there still */
    fill(words, PAGES - 1, PAGES);
    CHECK(words[0] == 1 && is_large(words) && pages_resident() == resident + PAGES);
    CHECK(EVENTUALLY(pages_used() == before + tables - 1 + PAGES));
    fill(words, PAGES, pages);
    CHECK(words[PAGES * WORDS] == PAGES + 1 && is_large(words + PAGES * WORDS));
    CHECK(!is_large(words + 2 * PAGES * WORDS));
    for (uint64_t i = 0; i < pages; i++)
        CHECK(words[i * WORDS] == i + 1 && word_of(memory, i * PAGE_SIZE) == i + 1);
    large_drop(words, pages, memory);
    CHECK(EVENTUALLY(pages_used() == before));
}

/* What was there before it was mapped has one at the first touch. */
static void test_large_pages_of_what_is_committed(void)
{
    uint64_t resident = pages_resident();
    handle_t memory = memory_new(2 * PAGES, MEMORY_COMMIT);
    volatile uint64_t *words =
        (volatile uint64_t *)map_memory(memory, 2 * PAGES, MAP_READ | MAP_WRITE);
    volatile uint64_t *code = (volatile uint64_t *)map_memory(memory, PAGES, MAP_READ);

    words[7 * WORDS] = 7;
    CHECK(pages_resident() == resident + PAGES && code[7 * WORDS] == 7);
    CHECK(pages_resident() == resident + 2 * PAGES);
    /* Another access is had by the next fault. */
    OK(sys_aspace_protect(info->aspace, (uint64_t)code, PAGES * PAGE_SIZE, MAP_READ | MAP_WRITE));
    code[8 * WORDS] = 8;
    CHECK(words[8 * WORDS] == 8);
    OK(sys_aspace_protect(info->aspace, (uint64_t)code, PAGES * PAGE_SIZE, MAP_READ | MAP_EXECUTE));
    CHECK(code[8 * WORDS] == 8 && !is_large(code));
    unmap((void *)(uintptr_t)code, PAGES * PAGE_SIZE);
    large_drop(words, 2 * PAGES, memory);
    memory = memory_new(PAGES, MEMORY_CONTIGUOUS);
    words = (volatile uint64_t *)map_memory(memory, PAGES, MAP_READ);
    CHECK(words[0] == 0);
    OK(sys_aspace_protect(info->aspace, (uint64_t)words, PAGES * PAGE_SIZE, MAP_READ | MAP_WRITE));
    words[0] = 1;
    large_drop(words, PAGES, memory);
}

static void test_large_pages_are_told_by_their_use(void)
{
    handle_t memory;
    uint64_t word = 3, done;
    volatile uint64_t *words = large_new(PAGES, &memory);

    struct use use = use_of(words);
    CHECK(use.start == ((uint64_t)words | PAGE_USE_LARGE));
    CHECK(use.present == 1 && use.accessed == 1 && use.written == 1);
    use = use_of(words + 9 * WORDS);
    CHECK(use.start == ((uint64_t)(words + 9 * WORDS) | PAGE_USE_LARGE));
    CHECK(use.present == 1 && use.accessed == 0 && use.written == 0);
    CHECK(words[9 * WORDS] == 10);
    use = use_of(words);
    CHECK(use.accessed == 1 && use.written == 0);
    words[9 * WORDS] = 11;
    use = use_of(words);
    CHECK(use.accessed == 1 && use.written == 1);
    OK(sys_aspace_write(info->aspace, (uint64_t)(words + 2 * WORDS), &word, sizeof(word), &done));
    use = use_of(words);
    CHECK(use.present == 1 && use.written == 1);
    use = use_of(words);
    CHECK(use.present == 1 && use.accessed == 0 && use.written == 0);
    for (uint64_t i = 0; i < PAGES; i++)
        CHECK(words[i * WORDS] == (i == 2 ? 3 : i == 9 ? 11 : i + 1));
    large_drop(words, PAGES, memory);
}

/* ── Beside others who write ─────────────────────────────────────────────────────────────────────────────────────── */

struct writer {
    volatile uint64_t *word;
    uint64_t turns; /* atomic */
    bool stop;      /* atomic */
    bool wrong;     /* it has lost a word */
};

static void write_on(struct worker *self)
{
    struct writer *writer = self->context;
    uint64_t last = *writer->word;

    while (!__atomic_load_n(&writer->stop, __ATOMIC_ACQUIRE)) {
        writer->wrong |= *writer->word != last;
        *writer->word = ++last;
        __atomic_fetch_add(&writer->turns, 1, __ATOMIC_RELEASE);
    }
    writer->wrong |= *writer->word != last;
}

static struct writer writers[WRITERS];

static bool all_turn(void)
{
    bool turned = true;

    for (unsigned i = 0; i < WRITERS; i++) {
        uint64_t turns = __atomic_load_n(&writers[i].turns, __ATOMIC_ACQUIRE);
        turned &= EVENTUALLY(__atomic_load_n(&writers[i].turns, __ATOMIC_ACQUIRE) > turns + 2);
    }
    return turned;
}

static void unmap_one(volatile uint64_t *words, handle_t memory)
{
    uint64_t at = (uint64_t)(words + TOUCHED * WORDS);

    OK(sys_aspace_unmap(info->aspace, at, PAGE_SIZE));
    CHECK_STATUS(STATUS_FAULT, sys_memory_read(memory, 0, (void *)at, 1));
    OK(sys_aspace_map(info->aspace, memory, at, TOUCHED * PAGE_SIZE, PAGE_SIZE,
                      MAP_READ | MAP_WRITE | MAP_FIXED, 0, &at));
}

static void protect_one(volatile uint64_t *words, handle_t memory)
{
    uint64_t at = (uint64_t)(words + TOUCHED * WORDS);

    OK(sys_aspace_protect(info->aspace, at, PAGE_SIZE, MAP_READ));
    CHECK_STATUS(STATUS_FAULT, sys_memory_read(memory, 0, (void *)at, 1));
    CHECK(words[TOUCHED * WORDS] == TOUCHED + 1);
    OK(sys_aspace_protect(info->aspace, at, PAGE_SIZE, MAP_READ | MAP_WRITE));
}

static void discard_one(volatile uint64_t *words, handle_t memory)
{
    OK(sys_memory_discard(memory, TOUCHED * PAGE_SIZE, PAGE_SIZE));
    CHECK(words[TOUCHED * WORDS] == 0);
    words[TOUCHED * WORDS] = TOUCHED + 1;
}

/* What is written afterwards, by whatever CPU, is not seen in the clone, nor the other way. */
static void clone_all(volatile uint64_t *words, handle_t memory)
{
    handle_t clone;
    uint64_t word[WRITERS];

    OK(sys_memory_clone(memory, info->budget, 0, PAGES * PAGE_SIZE, &clone));
    words[TOUCHED * WORDS] = 1000;
    for (unsigned i = 0; i < WRITERS; i++)
        word[i] = word_of(clone, written[i] * PAGE_SIZE);
    word_to(clone, (TOUCHED + 1) * PAGE_SIZE, 2000);
    CHECK(all_turn());
    for (unsigned i = 0; i < WRITERS; i++)
        CHECK(word_of(clone, written[i] * PAGE_SIZE) == word[i]);
    for (uint64_t i = 0; i < PAGES; i++) {
        if (i != written[0] && i != written[1])
            CHECK(word_of(clone, i * PAGE_SIZE) == (i == TOUCHED + 1 ? 2000 : i + 1));
    }
    CHECK(words[TOUCHED * WORDS] == 1000 && words[(TOUCHED + 1) * WORDS] == TOUCHED + 2);
    words[TOUCHED * WORDS] = TOUCHED + 1;
    close_handle(clone);
}

static void age_all(volatile uint64_t *words, handle_t memory)
{
    (void)memory;
    (void)use_of(words);
    CHECK(all_turn());
    CHECK((use_of(words).written & 1) != 0);
}

/* As a thread's message buffer, in which the kernel writes. */
static void pin_one(volatile uint64_t *words, handle_t memory)
{
    handle_t thread, clone;

    (void)words;
    OK(sys_thread_create(info->process, info->budget, &thread));
    OK(sys_thread_set_buffer(thread, memory, TOUCHED * PAGE_SIZE));
    CHECK_STATUS(STATUS_BUSY, sys_memory_clone(memory, info->budget, 0, PAGES * PAGE_SIZE, &clone));
    CHECK_STATUS(STATUS_BUSY, sys_memory_discard(memory, TOUCHED * PAGE_SIZE, PAGE_SIZE));
    close_handle(thread);
}

static void cut_the_end(volatile uint64_t *words, handle_t memory)
{
    OK(sys_memory_set_size(memory, (PAGES + 1) * PAGE_SIZE));
    (void)words;
}

static void overlay_all(volatile uint64_t *words, handle_t memory)
{
    handle_t overlay;

    OK(sys_memory_overlay(memory, info->budget, 0, PAGES * PAGE_SIZE, &overlay));
    volatile uint64_t *shown =
        (volatile uint64_t *)map_memory(overlay, PAGES, MAP_READ | MAP_WRITE);
    for (uint64_t i = 0; i < PAGES; i++)
        if (i != written[0] && i != written[1])
            CHECK(shown[i * WORDS] == i + 1);
    shown[TOUCHED * WORDS] = 9;
    words[(TOUCHED + 1) * WORDS] = 99;
    CHECK(words[TOUCHED * WORDS] == TOUCHED + 1 && shown[(TOUCHED + 1) * WORDS] == 99);
    words[(TOUCHED + 1) * WORDS] = TOUCHED + 2;
    large_drop(shown, PAGES, overlay);
}

static void test_large_pages_give_way_beside_writers(void)
{
    static void (*const done[])(volatile uint64_t *,
                                handle_t) = {unmap_one, protect_one, discard_one, clone_all,
                                             age_all,   pin_one,     cut_the_end, overlay_all};
    uint64_t used = pages_used();

    for (unsigned round = 0; round < ROUNDS * sizeof(done) / sizeof(done[0]); round++) {
        struct worker workers[WRITERS] = {0};
        handle_t memory;
        volatile uint64_t *words = large_new(2 * PAGES, &memory);
        CHECK(is_large(words) && is_large(words + PAGES * WORDS));
        for (unsigned i = 0; i < WRITERS; i++) {
            writers[i] = (struct writer){.word = words + written[i] * WORDS};
            worker_start(&workers[i], write_on, &writers[i]);
        }
        CHECK(all_turn());
        for (unsigned i = 0; i < 4; i++) {
            done[round % (sizeof(done) / sizeof(done[0]))](words, memory);
            CHECK(all_turn());
        }
        for (uint64_t i = 0; i < PAGES; i++)
            CHECK(i == written[0] || i == written[1] || words[i * WORDS] == i + 1);
        for (unsigned i = 0; i < WRITERS; i++) {
            __atomic_store_n(&writers[i].stop, true, __ATOMIC_RELEASE);
            CHECK(worker_join(&workers[i]));
            CHECK(!writers[i].wrong);
            CHECK(word_of(memory, written[i] * PAGE_SIZE) == words[written[i] * WORDS]);
        }
        large_drop(words, 2 * PAGES, memory);
    }
    CHECK(EVENTUALLY(pages_used() == used));
}

static uint64_t pages_unused(void)
{
    struct budget_info budget = {0};

    OK(sys_budget_info(info->budget, &budget));
    return budget.pages_limit - budget.pages_used;
}

/* What is kept together for pages to come is free for all who find nothing else: all that the Budget allows can be had. */
static void test_large_pages_keep_nothing_from_others(void)
{
    enum { PIECES = 8, SPARE = 20 };
    handle_t memory = memory_new(PIECES * PAGES, 0), rest = 0;
    volatile uint64_t *words =
        (volatile uint64_t *)map_memory(memory, PIECES * PAGES, MAP_READ | MAP_WRITE);
    uint64_t before = pages_free();
    uint64_t pages;

    for (uint64_t i = 0; i < PIECES; i++)
        fill(words, i * PAGES, i * PAGES + 1);
    CHECK(before - pages_free() < 80);
    pages = pages_unused() - SPARE;
    CHECK(pages < pages_free());
    if (pages > pages_free() - PIECES * (PAGES - 1)) {
        OK(sys_memory_create(info->budget, pages * PAGE_SIZE, MEMORY_COMMIT, &rest));
        fill(words, 0, SPARE);
        for (uint64_t i = 0; i < SPARE; i++)
            CHECK(words[i * WORDS] == i + 1);
        close_handle(rest);
    } else {
        say("what is left to kernel memory is more than could be kept: not shown here");
    }
    large_drop(words, PIECES * PAGES, memory);
    CHECK(EVENTUALLY(pages_free() + 80 > before));
}

extern const struct test large_tests[];
const struct test large_tests[] = {
    TEST(test_large_pages_are_taken),
    TEST(test_large_pages_of_what_is_committed),
    TEST(test_large_pages_are_told_by_their_use),
    TEST(test_large_pages_give_way_beside_writers),
    TEST(test_large_pages_keep_nothing_from_others),
    {NULL, NULL},
};
