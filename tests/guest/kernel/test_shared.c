/* One Memory in more mappings than the kernel goes through at a time: it lets go of the Memory's lock in between, and whatever comes meanwhile,
 * no translation must be left of what was taken away. */
#include "guest.h"

#include <kstring.h>

#define HERE 60u  /* mappings in this address space */
#define THERE 60u /* and in one that no CPU loads: the kernel reads by its page tables */
#define PAGES 2u
#define STEP (4 * PAGE_SIZE)
#define TURNS 60u

static struct crowd {
    handle_t memory, space;
    uint64_t here, there; /* the first of each, each STEP behind the one before */
    bool stop;
} crowd;

static volatile uint64_t *word_here(uint64_t mapping, uint64_t page)
{
    return (volatile uint64_t *)(crowd.here + mapping * STEP + page * PAGE_SIZE);
}

static uint64_t word_there(uint64_t mapping, uint64_t page)
{
    uint64_t word = 0, done = 0;

    OK(sys_aspace_read(crowd.space, crowd.there + mapping * STEP + page * PAGE_SIZE, &word,
                       sizeof(word), &done));
    return word;
}

static uint64_t map_step(handle_t space, uint64_t address, handle_t memory)
{
    uint64_t at = 0;

    OK(sys_aspace_map(space, memory, address, 0, PAGES * PAGE_SIZE,
                      MAP_READ | MAP_WRITE | MAP_FIXED, 0, &at));
    return at;
}

static void crowd_make(handle_t memory)
{
    crowd = (struct crowd){.memory = memory, .here = UINT64_C(0x3000000000)};
    crowd.there = crowd.here;
    OK(sys_aspace_create(info->budget, &crowd.space));
    for (uint64_t i = 0; i < HERE; i++)
        map_step(info->aspace, crowd.here + i * STEP, memory);
    for (uint64_t i = 0; i < THERE; i++)
        map_step(crowd.space, crowd.there + i * STEP, memory);
}

static void crowd_drop(void)
{
    OK(sys_aspace_unmap(info->aspace, crowd.here, HERE * STEP));
    close_handle(crowd.space);
    close_handle(crowd.memory);
}

/* Does every mapping show @word in @page? Then there are translations for the next time. */
static bool all_show(uint64_t page, uint64_t word)
{
    unsigned others = 0;

    for (uint64_t i = 0; i < HERE; i++)
        others += *word_here(i, page) != word;
    for (uint64_t i = 0; i < THERE; i++)
        others += word_there(i, page) != word;
    if (others != 0)
        say("%u mappings do not show %llu", others, (unsigned long long)word);
    return others == 0;
}

static bool stopped(struct worker *self)
{
    __atomic_fetch_add(&self->value, 1, __ATOMIC_RELAXED);
    return __atomic_load_n(&crowd.stop, __ATOMIC_RELAXED);
}

/* Other CPUs install what they can get. */
static void touch_all(struct worker *self)
{
    for (uint64_t i = 0; !stopped(self); i++) {
        (void)*word_here(i % HERE, i % PAGES);
        (void)word_there(THERE / 2 + i * 7 % (THERE / 2), i % PAGES);
    }
}

/* And write, to the last words: two pages of one Memory, mapped everywhere. */
static void write_all(struct worker *self)
{
    for (uint64_t i = 0; !stopped(self); i++)
        word_here(i * 11 % HERE, i % PAGES)[PAGE_SIZE / 8 - 1] = i;
}

/* The list that is gone through changes: mappings come, are cut, and go, at its ends and in its middle. */
static void map_and_unmap(struct worker *self)
{
    for (uint64_t i = 0; !stopped(self); i++) {
        uint64_t address = crowd.here + (HERE + 1) * STEP;
        uint64_t middle = crowd.there + (i * 5 % (THERE / 2)) * STEP;

        map_step(info->aspace, address, crowd.memory);
        (void)*(volatile uint64_t *)address;
        OK(sys_aspace_unmap(info->aspace, address + PAGE_SIZE, PAGE_SIZE));
        OK(sys_aspace_unmap(info->aspace, address, PAGE_SIZE));
        OK(sys_aspace_unmap(crowd.space, middle + PAGE_SIZE, PAGE_SIZE));
        OK(sys_aspace_unmap(crowd.space, middle, PAGE_SIZE));
        map_step(crowd.space, middle, crowd.memory);
    }
}

#define WORKERS 3u
static struct worker workers[WORKERS];

static void workers_begin(void)
{
    static void (*const runs[WORKERS])(struct worker *) = {touch_all, write_all, map_and_unmap};

    for (unsigned i = 0; i < WORKERS; i++) {
        worker_start(&workers[i], runs[i], NULL);
        CHECK(EVENTUALLY(__atomic_load_n(&workers[i].value, __ATOMIC_RELAXED) != 0));
    }
}

static void workers_end(void)
{
    __atomic_store_n(&crowd.stop, true, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < WORKERS; i++)
        CHECK(worker_join(&workers[i]));
}

/* The word is the kernel's write to the new page. A mapping that is just made anew by a worker shows it as well; one that is away faults. */
static bool all_here_show(uint64_t page, uint64_t word)
{
    unsigned others = 0;

    for (uint64_t i = 0; i < HERE; i++)
        others += *word_here(i, page) != word;
    return others == 0;
}

static void test_shared_discard_leaves_no_translation(void)
{
    crowd_make(memory_new(PAGES, 0));
    for (uint64_t turn = 1; turn <= 20; turn++) {
        OK(sys_memory_discard(crowd.memory, 0, PAGES * PAGE_SIZE));
        CHECK(all_show(0, 0));
        word_to(crowd.memory, 0, turn);
        CHECK(all_show(0, turn));
    }
    crowd_drop();
}

static void test_shared_discard_beside_faults(void)
{
    unsigned wrong = 0;

    crowd_make(memory_new(PAGES, 0));
    workers_begin();
    for (uint64_t turn = 1; turn <= TURNS; turn++) {
        OK(sys_memory_discard(crowd.memory, 0, PAGES * PAGE_SIZE));
        word_to(crowd.memory, PAGE_SIZE, turn);
        wrong += !all_here_show(1, turn);
    }
    CHECK(wrong == 0);
    workers_end();
    CHECK(all_show(1, TURNS));
    crowd_drop();
}

/* A clone is a snapshot; who writes next, by whatever way, has its page copied out of all mappings. */
static void written_in_turn(uint64_t turn)
{
    uint64_t done = 0;

    switch (turn % 4) {
    case 0:
        *word_here(turn * 13 % HERE, 0) = turn;
        break;
    case 1:
        word_to(crowd.memory, 0, turn);
        break;
    case 2:
        OK(sys_aspace_write(info->aspace, (uint64_t)word_here(turn % HERE, 0), &turn, sizeof(turn),
                            &done));
        break;
    default: {
        uint32_t old = 0;
        OK(sys_aspace_cmpxchg32(info->aspace, (uint64_t)word_here(turn % HERE, 0),
                                (uint32_t)*word_here(0, 0), (uint32_t)turn, &old));
    }
    }
}

static void test_shared_clone_and_write(void)
{
    handle_t clone = 0;

    crowd_make(memory_new(PAGES, 0));
    word_to(crowd.memory, 0, 100);
    for (uint64_t turn = 101; turn <= 120; turn++) {
        CHECK(all_show(0, turn - 1));
        OK(sys_memory_clone(crowd.memory, info->budget, 0, PAGES * PAGE_SIZE, &clone));
        CHECK(all_show(0, turn - 1)); /* by translations of the frame that is shared now */
        written_in_turn(turn);
        CHECK(all_show(0, turn) && word_of(clone, 0) == turn - 1);
        close_handle(clone);
    }
    crowd_drop();
}

static void test_shared_clone_beside_faults(void)
{
    static uint64_t first[PAGE_SIZE / 8], later[PAGE_SIZE / 8];
    unsigned wrong = 0, changed = 0;

    crowd_make(memory_new(PAGES, 0));
    workers_begin();
    for (uint64_t turn = 100; turn < 100 + TURNS; turn++) {
        handle_t clone = 0;
        OK(sys_memory_clone(crowd.memory, info->budget, 0, PAGES * PAGE_SIZE, &clone));
        OK(sys_memory_read(clone, 0, first, PAGE_SIZE));
        written_in_turn(turn);
        wrong += !all_here_show(0, turn);
        OK(sys_memory_read(clone, 0, later, PAGE_SIZE));
        changed += memcmp(first, later, PAGE_SIZE) != 0;
        close_handle(clone);
    }
    CHECK(wrong == 0 && changed == 0);
    workers_end();
    CHECK(all_show(0, 99 + TURNS));
    crowd_drop();
}

/* Results in memory: what a call says is written, though the page for it has to be copied first. */
static void test_shared_results_are_written(void)
{
    struct process_info told;
    handle_t clone = 0;

    crowd_make(memory_new(PAGES, 0));
    for (uint64_t turn = 0; turn < 4; turn++) {
        word_to(crowd.memory, 0, 1);
        CHECK(all_show(0, 1));
        OK(sys_memory_clone(crowd.memory, info->budget, 0, PAGES * PAGE_SIZE, &clone));
        CHECK(all_show(0, 1));
        OK(sys_process_info(info->process, (struct process_info *)word_here(turn, 0)));
        OK(sys_process_info(info->process, &told));
        CHECK(((struct process_info *)word_here(HERE - 1, 0))->id == told.id && told.id != 0);
        CHECK(word_of(clone, 0) == 1);
        close_handle(clone);
    }
    crowd_drop();
}

/* A page that is being written down is clean: the next write, through whichever mapping, makes it dirty. */
static void test_shared_writeback_sees_each_write(void)
{
    handle_t source = memory_new(PAGES, 0);
    uint64_t found, bytes;

    crowd_make(memory_new(PAGES, MEMORY_PAGED));
    word_to(source, 0, 1);
    OK(sys_memory_supply(crowd.memory, 0, source, 0, PAGES * PAGE_SIZE, 0));
    for (uint64_t i = 0; i < HERE; i += 3) {
        for (uint64_t j = 0; j < HERE; j++)
            *word_here(j, 0) = i;
        OK(sys_memory_writeback_begin(crowd.memory, 0, PAGES * PAGE_SIZE));
        OK(sys_memory_writeback_end(crowd.memory, 0, PAGES * PAGE_SIZE));
        CHECK_STATUS(STATUS_NOT_FOUND,
                     sys_memory_dirty_next(crowd.memory, 0, PAGE_DIRTY, &found, &bytes));
        *word_here(i, 0) = i + 1;
        OK(sys_memory_dirty_next(crowd.memory, 0, PAGE_DIRTY, &found, &bytes));
        CHECK(found == 0 && bytes == PAGE_SIZE && all_show(0, i + 1));
    }
    crowd_drop();
    close_handle(source);
}

/* Many Memories over one, each mapped: what the parent loses is gone from all of them. */
static void test_shared_overlays_show_what_the_parent_has(void)
{
    static handle_t overlays[HERE];
    uint64_t base = UINT64_C(0x3000000000), word = 0, done;
    handle_t parent = memory_new(1, 0), space;

    OK(sys_aspace_create(info->budget, &space));
    for (uint64_t i = 0; i < HERE; i++) {
        uint64_t at;
        OK(sys_memory_overlay(parent, info->budget, 0, PAGE_SIZE, &overlays[i]));
        OK(sys_aspace_map(space, overlays[i], base + i * STEP, 0, PAGE_SIZE,
                          MAP_READ | MAP_WRITE | MAP_FIXED, 0, &at));
    }
    for (uint64_t turn = 1; turn < 5; turn++) {
        OK(sys_memory_discard(parent, 0, PAGE_SIZE));
        word_to(parent, 0, turn);
        for (uint64_t i = 0; i < HERE; i++) {
            OK(sys_aspace_read(space, base + i * STEP, &word, sizeof(word), &done));
            CHECK(word == turn);
        }
    }
    for (uint64_t i = 0; i < HERE; i++)
        close_handle(overlays[i]);
    close_handle(space);
    close_handle(parent);
}

static void child_discards_and_clones(void)
{
    handle_t memory = child_start.handles[0], clone;

    for (uint64_t turn = 0;; turn++) {
        if (!status_is_ok(
                sys_memory_clone(memory, child_start.handles[1], 0, PAGES * PAGE_SIZE, &clone)) ||
            !status_is_ok(sys_memory_write(memory, 0, &turn, sizeof(turn))) ||
            !status_is_ok(sys_memory_discard(memory, 0, PAGES * PAGE_SIZE)) ||
            !status_is_ok(sys_cap_close(clone)))
            child_exit(1);
    }
}

/* Who does it is killed somewhere in the middle: everybody else goes on as if he had not begun, or had done it. */
static void test_shared_killed_in_the_middle(void)
{
    crowd_make(memory_new(PAGES, 0));
    for (unsigned i = 0; i < 20; i++) {
        struct child child;
        struct child_start start = {0};
        child_create(&child, 0, NULL);
        start.handles[0] = child_give(&child, crowd.memory);
        start.handles[1] = child_give(&child, info->budget);
        child_run(&child, &start, child_discards_and_clones);
        OK(sys_thread_sleep(now_ns() + MS + i * 77000));
        OK(sys_process_kill(child.process, 8));
        for (uint64_t j = 0; j < HERE; j++)
            *word_here(j, 1) = i;
        CHECK(child_end(&child) == 8);
        word_to(crowd.memory, 0, i);
        CHECK(all_show(0, i));
    }
    crowd_drop();
}

/* ── Many who wait on one word ───────────────────────────────────────────────────────────────────────────────────── */

#define WAITERS 600u
#define WAITER_STACK 64u
#define DEADLINE_MS 400u

static uint64_t waiter_stacks[WAITERS][WAITER_STACK] __attribute__((aligned(16)));
static uint32_t waited_word, woken_count, late_count, ended_count;

/* Every third gives up about when the others are woken. */
static void wait_once(uint64_t deadline_ns)
{
    status_t status = sys_thread_futex_wait((uint64_t)&waited_word, 0, deadline_ns);

    __atomic_fetch_add(status_is_ok(status)         ? &woken_count
                       : status == STATUS_TIMED_OUT ? &late_count
                                                    : &ended_count,
                       1, __ATOMIC_SEQ_CST);
    for (;;)
        status_ignore(sys_thread_exit());
}

static void wake_some(struct worker *self)
{
    uint32_t woken = 0;

    OK(sys_thread_futex_wake((uint64_t)&waited_word, WAITERS / 3, &woken));
    self->value = woken;
}

static void test_shared_futex_wakes_all(void)
{
    struct worker waker;
    uint32_t woken = 0, more = 0;
    uint64_t deadline_ns;

    for (unsigned round = 0; round < 3; round++) {
        woken_count = late_count = ended_count = 0;
        deadline_ns = now_ns() + DEADLINE_MS * MS;
        for (uint64_t i = 0; i < WAITERS; i++) {
            handle_t thread;
            OK(sys_thread_create(info->process, info->budget, &thread));
            OK(sys_thread_start(thread, (uint64_t)wait_once,
                                (uint64_t)&waiter_stacks[i][WAITER_STACK - 1],
                                i % 3 == 0 ? deadline_ns + i * 1000 : in_ms(PATIENCE_MS), 0));
            close_handle(thread);
        }
        if (round != 0)
            OK(sys_thread_sleep(deadline_ns));
        else /* those without a deadline that is near */
            CHECK(EVENTUALLY(threads_in(SYS_THREAD_FUTEX_WAIT) + late_count == WAITERS));
        worker_start(&waker, wake_some, NULL);
        OK(sys_thread_futex_wake((uint64_t)&waited_word, UINT32_MAX, &woken));
        CHECK(worker_join(&waker));
        OK(sys_thread_futex_wake((uint64_t)&waited_word, UINT32_MAX, &more));
        CHECK(round != 0 || more == 0); /* all of them waited */
        for (uint64_t end = in_ms(PATIENCE_MS); now_ns() < end; sleep_ms(1)) {
            uint32_t late = 0;
            if (__atomic_load_n(&woken_count, __ATOMIC_SEQ_CST) +
                    __atomic_load_n(&late_count, __ATOMIC_SEQ_CST) + ended_count ==
                WAITERS)
                break;
            OK(sys_thread_futex_wake((uint64_t)&waited_word, UINT32_MAX,
                                     &late)); /* who came late */
            more += late;
        }
        say("%u woken at once, %u by another, %u later; %u gave up", woken, (unsigned)waker.value,
            more, late_count);
        CHECK(woken_count == woken + more + waker.value);
        CHECK(woken_count + late_count == WAITERS && ended_count == 0);
    }
}

extern const struct test shared_tests[];
const struct test shared_tests[] = {
    TEST(test_shared_discard_leaves_no_translation),
    TEST(test_shared_discard_beside_faults),
    TEST(test_shared_clone_and_write),
    TEST(test_shared_clone_beside_faults),
    TEST(test_shared_results_are_written),
    TEST(test_shared_writeback_sees_each_write),
    TEST(test_shared_overlays_show_what_the_parent_has),
    TEST(test_shared_killed_in_the_middle),
    TEST(test_shared_futex_wakes_all),
    {NULL, NULL},
};
