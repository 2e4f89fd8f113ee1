/* Whatever takes the kernel long can be killed wherever it looks whether it shall stop. Each operation here is made by a process of its own, with
 * a budget that must be empty afterwards: killed at the first preemption point, at the second, until it comes to its end, which it does
 * though it gave way at each of them. */
#include "guest.h"

#include <inject.h>
#include <kstring.h>

enum { BUDGET, ASPACE, PORTS, PROCESS };

#define PAGES UINT64_C(256)
#define BYTES (PAGES * PAGE_SIZE)
#define COPY_BYTES (24 * PAGE_SIZE)
#define PARTS 8u
#define OFTEN 100u /* mappings: more than are gone through at a time */
#define CAPS 200u
#define WAITERS 80u /* more than are woken at a time */
#define POINTS_MAX 100u
#define SURVIVED 1000
#define FAILED 1

/* ── In the process that is killed ───────────────────────────────────────────────────────────────────────────────── */

static handle_t held(unsigned which)
{
    return child_start.handles[which];
}

static void must(status_t status)
{
    if (!status_is_ok(status))
        child_exit(FAILED);
}

static handle_t memory, other, aspace;
static uint64_t *words; /* the first Memory, mapped */

static handle_t make(uint64_t bytes, uint32_t flags)
{
    handle_t made = 0;

    must(sys_memory_create(held(BUDGET), bytes, flags, &made));
    return made;
}

static uint64_t put(handle_t what, handle_t where, uint64_t address, uint64_t bytes, uint32_t flags)
{
    uint64_t at = 0;

    must(sys_aspace_map(where, what, address, 0, bytes, flags, 0, &at));
    return at;
}

static void make_nothing(void)
{
}

static void make_memory(void)
{
    memory = make(BYTES, 0);
}

static void make_committed(void)
{
    memory = make(BYTES, MEMORY_COMMIT);
}

/* Its words are their numbers. */
static void make_filled(void)
{
    make_committed();
    words = (uint64_t *)put(memory, held(ASPACE), 0, BYTES, MAP_READ | MAP_WRITE | MAP_POPULATE);
    for (uint64_t i = 0; i < BYTES / 8; i += 64)
        words[i] = i;
}

static void make_two(void)
{
    make_filled();
    other = make(BYTES, 0);
}

/* One Memory in many mappings. */
static void make_parts(void)
{
    make_filled();
    for (unsigned i = 1; i < PARTS; i++)
        put(memory, held(ASPACE), (uint64_t)words + i * BYTES, BYTES,
            MAP_READ | MAP_WRITE | MAP_FIXED | MAP_POPULATE);
}

static void make_aspace(void)
{
    make_filled();
    must(sys_aspace_create(held(BUDGET), &aspace));
    for (unsigned i = 0; i < PARTS; i++)
        put(memory, aspace, (uint64_t)words + i * BYTES, BYTES,
            MAP_READ | MAP_WRITE | MAP_FIXED | MAP_POPULATE);
}

/* A page in many mappings. */
static void make_often(void)
{
    memory = make(PAGE_SIZE, MEMORY_COMMIT);
    words = (uint64_t *)put(memory, held(ASPACE), UINT64_C(0x3000000000), PAGE_SIZE,
                            MAP_READ | MAP_WRITE | MAP_FIXED | MAP_POPULATE);
    for (unsigned i = 1; i < OFTEN; i++)
        put(memory, held(ASPACE), (uint64_t)words + i * PAGE_SIZE, PAGE_SIZE,
            MAP_READ | MAP_WRITE | MAP_FIXED | MAP_POPULATE);
    words[0] = 1;
}

static void make_paged(void)
{
    make_filled();
    other = make(BYTES, MEMORY_PAGED);
}

static void wait_for_page(uint64_t offset)
{
    uint64_t word;

    status_ignore(sys_memory_read(other, offset, &word, sizeof(word)));
    status_ignore(sys_thread_exit());
}

static bool all_wait(void)
{
    struct process_info process = {0};
    struct thread_info thread = {0};
    unsigned count = 0;

    must(sys_process_info(held(PROCESS), &process));
    while (status_is_ok(sys_budget_thread_next(held(BUDGET), process.id, thread.id, &thread)))
        count += thread.wait != THREAD_WAIT_NONE;
    return count == WAITERS;
}

/* Pages that many threads wait for. */
static void make_awaited(void)
{
    make_paged();
    uint64_t stacks = put(make(WAITERS * PAGE_SIZE, MEMORY_COMMIT), held(ASPACE), 0,
                          WAITERS * PAGE_SIZE, MAP_READ | MAP_WRITE);
    for (uint64_t i = 0; i < WAITERS; i++) {
        handle_t thread;

        must(sys_thread_create(held(PROCESS), held(BUDGET), &thread));
        must(sys_thread_start(thread, (uint64_t)wait_for_page, stacks + (i + 1) * PAGE_SIZE - 8,
                              i * PAGE_SIZE, 0));
    }
    while (!all_wait())
        must(sys_thread_yield());
}

static void make_holes(void)
{
    make_paged();
    must(sys_memory_supply(other, 0, memory, 0, BYTES, SUPPLY_HOLE));
}

static void make_clean(void)
{
    make_paged();
    must(sys_memory_supply(other, 0, memory, 0, BYTES, 0));
}

static void make_dirty(void)
{
    make_clean();
    for (uint64_t at = 0; at < BYTES; at += PAGE_SIZE)
        must(sys_memory_write(other, at, "x", 1));
}

static void make_writeback(void)
{
    make_dirty();
    must(sys_memory_writeback_begin(other, 0, BYTES));
}

static void make_caps(void)
{
    handle_t derived;

    make_memory();
    for (unsigned i = 0; i < CAPS; i++)
        must(sys_cap_derive(memory, RIGHT_READ | RIGHT_COPY, 0, &derived));
}

static status_t create_committed(void)
{
    return sys_memory_create(held(BUDGET), BYTES, MEMORY_COMMIT, &other);
}

static status_t create_contiguous(void)
{
    return sys_memory_create(held(BUDGET), BYTES, MEMORY_CONTIGUOUS, &other);
}

static status_t commit(void)
{
    return sys_memory_commit(memory, 0, BYTES);
}

static bool words_are_there(void)
{
    for (uint64_t i = 0; i < COPY_BYTES / 8; i += 64)
        if (words[i] != i)
            return false;
    return true;
}

static status_t write_and_read(void)
{
    must(sys_memory_write(other, 0, words, COPY_BYTES));
    memset(words, 0, COPY_BYTES);
    must(sys_memory_read(other, 0, words, COPY_BYTES));
    return words_are_there() ? STATUS_OK : STATUS_CORRUPT;
}

static status_t write_to_aspace(void)
{
    uint64_t done = 0;

    must(sys_aspace_write(aspace, (uint64_t)words + BYTES, words, COPY_BYTES, &done));
    return done == COPY_BYTES ? STATUS_OK : STATUS_CORRUPT;
}

static status_t discard(void)
{
    uint64_t present;

    must(sys_memory_discard(memory, 0, BYTES));
    must(sys_memory_query(memory, 0, BYTES, &present));
    return present == 0 ? STATUS_OK : STATUS_CORRUPT;
}

/* Do all mappings show @word? */
static bool all_show(uint64_t word)
{
    for (unsigned i = 0; i < OFTEN; i++)
        if (words[i * PAGE_SIZE / 8] != word)
            return false;
    return true;
}

static status_t discard_often(void)
{
    must(sys_memory_discard(memory, 0, PAGE_SIZE));
    return all_show(0) ? STATUS_OK : STATUS_CORRUPT;
}

/* Written through one mapping, by the kernel for itself, and by the kernel for this program. */
static status_t clone_often(void)
{
    uint64_t word = 2;

    for (unsigned i = 0; i < 3; i++) {
        must(sys_memory_clone(memory, held(BUDGET), 0, PAGE_SIZE, &other));
        if (!all_show(word - 1))
            return STATUS_CORRUPT;
        if (i == 0)
            *(volatile uint64_t *)&words[77 * PAGE_SIZE / 8] = word;
        else if (i == 1)
            must(sys_memory_write(memory, 0, &word, sizeof(word)));
        else
            must(sys_memory_read(memory, 8, &words[0], sizeof(word)));
        word = i == 2 ? 0 : word;
        if (!all_show(word))
            return STATUS_CORRUPT;
        word++;
    }
    return STATUS_OK;
}

static status_t shrink(void)
{
    return sys_memory_set_size(memory, 0);
}

static status_t clone(void)
{
    uint64_t word = 0;

    must(sys_memory_clone(memory, held(BUDGET), 0, BYTES, &other));
    words[64] = 0;
    must(sys_memory_read(other, 64 * 8, &word, 8));
    return word == 64 ? STATUS_OK : STATUS_CORRUPT;
}

static status_t query(void)
{
    uint64_t present;
    status_t status = sys_memory_query(memory, 0, BYTES, &present);

    return status_is_ok(status) && present != PAGES ? STATUS_CORRUPT : status;
}

static status_t map_populated(void)
{
    put(memory, held(ASPACE), 0, BYTES, MAP_READ | MAP_POPULATE);
    return STATUS_OK;
}

static status_t unmap_parts(void)
{
    return sys_aspace_unmap(held(ASPACE), (uint64_t)words, PARTS * BYTES);
}

static status_t protect_parts(void)
{
    return sys_aspace_protect(held(ASPACE), (uint64_t)words, PARTS * BYTES, MAP_READ);
}

static status_t clone_aspace(void)
{
    handle_t made;
    uint64_t word = 0, done;

    must(sys_aspace_clone(aspace, held(BUDGET), &made));
    must(sys_aspace_read(made, (uint64_t)words + BYTES + 64 * 8, &word, 8, &done));
    return word == 64 ? STATUS_OK : STATUS_CORRUPT;
}

static status_t supply(void)
{
    return sys_memory_supply(other, 0, memory, 0, BYTES, 0);
}

static status_t grant(void)
{
    return sys_memory_dirty_grant(other, 0, BYTES);
}

static status_t writeback_begin(void)
{
    return sys_memory_writeback_begin(other, 0, BYTES);
}

static status_t writeback_end(void)
{
    return sys_memory_writeback_end(other, 0, BYTES);
}

static status_t find_no_dirty(void)
{
    uint64_t found, bytes;
    status_t status = sys_memory_dirty_next(other, 0, PAGE_DIRTY, &found, &bytes);

    return status == STATUS_NOT_FOUND ? STATUS_OK : STATUS_CORRUPT;
}

static status_t shrink_paged(void)
{
    return sys_memory_set_size(other, 0);
}

static status_t fail(void)
{
    return sys_memory_fail(other, 0, BYTES, status_code(STATUS_IO));
}

static status_t detach(void)
{
    return sys_memory_detach(other);
}

static status_t revoke(void)
{
    return sys_cap_revoke(memory);
}

struct operation {
    const char *name;
    void (*prepare)(void);
    status_t (*run)(void);
};

static const struct operation operations[] = {
    {"memory.create, committed", make_nothing, create_committed},
    {"memory.create, contiguous", make_nothing, create_contiguous},
    {"memory.commit", make_memory, commit},
    {"memory.write and read", make_two, write_and_read},
    {"memory.discard and query", make_filled, discard},
    {"memory.set_size", make_filled, shrink},
    {"memory.clone", make_filled, clone},
    {"memory.discard, mapped often", make_often, discard_often},
    {"memory.clone and write, mapped often", make_often, clone_often},
    {"memory.query", make_filled, query},
    {"memory.supply", make_paged, supply},
    {"memory.supply, awaited", make_awaited, supply},
    {"memory.fail, awaited", make_awaited, fail},
    {"memory.detach, awaited", make_awaited, detach},
    {"memory.dirty_grant", make_holes, grant},
    {"memory.writeback_begin", make_dirty, writeback_begin},
    {"memory.writeback_end", make_writeback, writeback_end},
    {"memory.dirty_next", make_clean, find_no_dirty},
    {"memory.set_size, paged", make_dirty, shrink_paged},
    {"aspace.map, populated", make_committed, map_populated},
    {"aspace.unmap", make_parts, unmap_parts},
    {"aspace.protect", make_parts, protect_parts},
    {"aspace.write", make_aspace, write_to_aspace},
    {"aspace.clone", make_aspace, clone_aspace},
    {"cap.revoke", make_caps, revoke},
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* values: which operation, and the point to be killed at. */
static void victim(void)
{
    const struct operation *operation = &operations[child_start.values[0]];
    uint32_t points = 0;

    operation->prepare();
    must(sys_ioport_out(held(PORTS), INJECT_PORT, 4, (uint32_t)child_start.values[1]));
    status_t status = operation->run();

    must(sys_ioport_out(held(PORTS), INJECT_PORT, 4, 0));
    must(sys_ioport_in(held(PORTS), INJECT_PORT, 4, &points));
    must(status);
    child_exit(SURVIVED + points);
}

/* It ends with two hundred capabilities, and is killed while it does. */
static void leaving(void)
{
    make_caps();
    must(sys_ioport_out(held(PORTS), INJECT_PORT, 4, (uint32_t)child_start.values[1]));
    child_exit(SURVIVED);
}

/* ── Here ────────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool budget_is_empty(handle_t budget)
{
    struct budget_info used = {0};

    OK(sys_budget_info(budget, &used));
    return used.pages_used == 0 && used.kmem_used == 0;
}

/* The number of the first thread of @child; 0: it has none. */
static uint64_t first_thread(const struct child *child)
{
    struct process_info process = {0};
    struct thread_info thread = {0};

    OK(sys_process_info(child->process, &process));
    return status_is_ok(sys_budget_thread_next(child->budget, process.id, 0, &thread)) ? thread.id
                                                                                       : 0;
}

/* The exit status of one that runs @entry in a budget of its own: 0 if it was killed. */
static int64_t run_once(const struct child *model, void (*entry)(void), uint64_t operation,
                        uint64_t point)
{
    struct child child;
    struct child_start start = {.values = {operation, point}};
    handle_t budget;

    OK(sys_budget_create(info->budget, 3000, 2 << 20, 16, &budget));
    child_clone(&child, model, budget);
    start.handles[BUDGET] = child_give(&child, budget);
    start.handles[ASPACE] = child_give(&child, child.aspace);
    start.handles[PROCESS] = child_give(&child, child.process);
    start.handles[PORTS] = child_give(&child, info->ioports);
    uint64_t first = first_thread(&child);
    child_run(&child, &start, entry);
    /* The kill is its first thread's. Others, which wait for what that one was about, go after it. */
    CHECK(EVENTUALLY(first_thread(&child) != first));
    if (first_thread(&child) != 0)
        OK(sys_process_kill(child.process, 0));
    int64_t status = child_end(&child);

    CHECK(EVENTUALLY(budget_is_empty(budget)));
    close_handle(budget);
    return status;
}

static void kill_at_every_point(const struct child *model, uint64_t operation)
{
    int64_t status = 0;
    uint64_t point = 0;

    while (status == 0 && point < POINTS_MAX)
        status = run_once(model, victim, operation, ++point);
    say("%s: %llu points", operations[operation].name, (unsigned long long)(point - 1));
    /* A callback that looked whether to stop in one of the runs was counted with the thread's own points. */
    CHECK(point > 1 && status > SURVIVED && status < SURVIVED + (int64_t)point);
}

static struct child model;

static void model_create(void)
{
    child_create(&model, 0, NULL);
}

static void model_drop(void)
{
    OK(sys_process_kill(model.process, 0));
    CHECK(child_end(&model) == 0);
}

static void test_injection_kills_at_every_preemption_point(void)
{
    model_create();
    for (uint64_t i = 0; i < OPERATIONS; i++)
        kill_at_every_point(&model, i);
    model_drop();
}

static void test_injection_kills_who_is_ending(void)
{
    model_create();
    for (uint64_t point = 1; point < 20; point++)
        CHECK(run_once(&model, leaving, 0, point) == SURVIVED);
    model_drop();
}

static const struct test injection_tests[] = {
    TEST(test_injection_kills_at_every_preemption_point),
    TEST(test_injection_kills_who_is_ending),
    {NULL, NULL},
};
const struct test *const test_groups[] = {injection_tests, NULL};
