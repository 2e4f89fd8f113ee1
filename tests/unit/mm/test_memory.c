/* Memory objects by their system calls: contents, sizes, clones, contiguous and physical ones, pagers. */
#include "environment.h"

#include "mm/memory_internal.h"

#include <budget.h>
#include <handlers.h>
#include <mm/phys.h>
#include <string.h>

#define USER 0x10000000ull

static struct aspace *space;
static struct thread *self;

static void setup(void)
{
    CHECK_STATUS(aspace_create(env.budget, &space), STATUS_OK);
    self = thread_make(space);
    environment_cpu(0);
    aspace_activate(space);
}

static void teardown(void)
{
    for (unsigned c = 0; c < 2; c++)
        cpus[c]->aspace = NULL;
    object_unref(&space->object);
    environment_grace();
    thread_free(self);
}

static struct memory *make(uint64_t bytes, uint32_t flags)
{
    struct cap budget = cap_to(&env.budget->object, RIGHT_SPEND);
    handle_t handle;
    env.published = NULL;
    CHECK_STATUS(continuation_run(self, sys_memory_create(self, &budget, bytes, flags, &handle)),
                 STATUS_OK);
    return memory_of(env.published);
}

static struct memory *clone(struct memory *memory, uint64_t offset, uint64_t bytes)
{
    struct cap budget = cap_to(&env.budget->object, RIGHT_SPEND),
               source = cap_to(&memory->object, MEMORY_ALL);
    handle_t handle;
    env.published = NULL;
    CHECK_STATUS(continuation_run(self,
                                  sys_memory_clone(self, &source, &budget, offset, bytes, &handle)),
                 STATUS_OK);
    return memory_of(env.published);
}

static void put(struct memory *memory, uint64_t offset, uint32_t value)
{
    CHECK_STATUS(memory_write(memory, NULL, offset, &value, sizeof(value)), STATUS_OK);
}

/* As the kernel reads for others (aspace_copy.c): what is not there reads as zero, and is not taken for that. */
static status_t memory_read(struct memory *memory, uint64_t offset, void *to, size_t bytes)
{
    if (!memory_has(memory, offset, bytes))
        return STATUS_RANGE;
    for (size_t done = 0; done < bytes;) {
        paddr_t frame;
        uint64_t at = offset + done;
        size_t part = MIN(bytes - done, (size_t)(PAGE_SIZE - at % PAGE_SIZE));
        status_t status = memory_page_to_read(memory, NULL, at >> PAGE_SHIFT, &frame);
        if (!status_is_ok(status))
            return status;
        if (frame == 0)
            memset((char *)to + done, 0, part);
        else
            memcpy((char *)to + done, (char *)phys_to_virt(frame) + at % PAGE_SIZE, part);
        done += part;
    }
    return STATUS_OK;
}

static uint32_t get(struct memory *memory, uint64_t offset)
{
    uint32_t value = 0xdeadbeef;
    CHECK_STATUS(memory_read(memory, offset, &value, sizeof(value)), STATUS_OK);
    return value;
}

static void map_user(struct memory *memory, uint32_t prot)
{
    uint64_t mapped;
    CHECK_STATUS(aspace_map_kernel(space, memory, USER, 0, memory->pages * PAGE_SIZE,
                                   MAP_FIXED | prot, &mapped),
                 STATUS_OK);
}

static void drop(struct memory *memory)
{
    memory->object.ops->destroy(&memory->object);
    object_unref(&memory->object);
    environment_grace();
}

static void test_memory_create_checks_its_arguments(void)
{
    setup();
    struct cap budget = cap_to(&env.budget->object, RIGHT_SPEND);
    handle_t handle;
    static const struct {
        uint64_t bytes;
        uint32_t flags;
    } bad[] = {{0, 0},
               {UINT64_MAX, 0},
               {PAGE_SIZE, MEMORY_ALL + 1},
               {PAGE_SIZE, MEMORY_LOW},
               {PAGE_SIZE, MEMORY_PAGED | MEMORY_COMMIT},
               {PAGE_SIZE, MEMORY_PAGED | MEMORY_CONTIGUOUS}};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK_STATUS(sys_memory_create(self, &budget, bad[i].bytes, bad[i].flags, &handle),
                     STATUS_INVALID);
    struct memory *memory = make(5000, 0);
    struct cap cap = cap_to(&memory->object, MEMORY_ALL);
    uint64_t bytes, present;
    CHECK_STATUS(sys_memory_size(self, &cap, &bytes), STATUS_OK);
    CHECK(bytes == 8192);
    CHECK_STATUS(sys_memory_query(self, &cap, 0, 8192, &present), STATUS_OK);
    CHECK(present == 0);
    CHECK_STATUS(sys_memory_query(self, &cap, 4096, 8192, &present), STATUS_RANGE);
    CHECK_STATUS(sys_memory_query(self, &cap, UINT64_MAX & ~4095ull, 8192, &present), STATUS_RANGE);
    CHECK_STATUS(sys_memory_discard(self, &cap, 1, 4096), STATUS_INVALID);
    drop(memory);
    teardown();
}

static void test_memory_commit_is_charged_and_cut(void)
{
    setup();
    uint64_t before = budget_pages_used();
    env.yield_every = 2;
    struct memory *memory = make(300 * PAGE_SIZE, MEMORY_COMMIT);
    CHECK(budget_pages_used() == before + 300);
    struct memory *contiguous = make(100 * PAGE_SIZE, MEMORY_CONTIGUOUS | MEMORY_LOW);
    CHECK(get(contiguous, 99 * PAGE_SIZE) == 0 && budget_pages_used() == before + 400);
    drop(memory);
    drop(contiguous);
    CHECK(budget_pages_used() == before);
    budget_limits(before + 10, UINT32_MAX);
    struct cap budget = cap_to(&env.budget->object, RIGHT_SPEND);
    handle_t handle;
    CHECK_STATUS(continuation_run(self, sys_memory_create(self, &budget, 20 * PAGE_SIZE,
                                                          MEMORY_COMMIT, &handle)),
                 STATUS_NO_MEMORY);
    CHECK_STATUS(sys_memory_create(self, &budget, 20 * PAGE_SIZE, MEMORY_CONTIGUOUS, &handle),
                 STATUS_NO_MEMORY);
    teardown();
}

static void test_memory_reading_holes_takes_no_pages(void)
{
    setup();
    struct memory *memory = make(10 * PAGE_SIZE, 0);
    uint64_t before = budget_pages_used();
    CHECK(get(memory, 5 * PAGE_SIZE) == 0 && budget_pages_used() == before);
    put(memory, 5 * PAGE_SIZE, 7);
    CHECK(get(memory, 5 * PAGE_SIZE) == 7 && budget_pages_used() == before + 1);
    uint32_t word;
    CHECK_STATUS(memory_read(memory, 10 * PAGE_SIZE - 2, &word, 4), STATUS_RANGE);
    CHECK_STATUS(memory_write(memory, NULL, UINT64_MAX - 1, &word, 4), STATUS_RANGE);
    drop(memory);
    teardown();
}

static void test_memory_clones_see_no_later_writes(void)
{
    setup();
    struct memory *memory = make(200 * PAGE_SIZE, 0);
    for (unsigned i = 0; i < 200; i++)
        put(memory, i * PAGE_SIZE, i + 1);
    map_user(memory, MAP_READ | MAP_WRITE);
    uint32_t value = 1000;
    for (unsigned i = 0; i < 200; i++)
        CHECK_STATUS(user_copy_out(self, USER + i * PAGE_SIZE + 8, &value, 4), STATUS_OK);
    uint64_t before = budget_pages_used();
    struct memory *copy = clone(memory, 0, 200 * PAGE_SIZE);
    struct memory *part = clone(memory, 10 * PAGE_SIZE, 20 * PAGE_SIZE);
    CHECK(budget_pages_used() == before);
    value = 2000;
    for (unsigned i = 0; i < 200; i += 2)
        CHECK_STATUS(user_copy_out(self, USER + i * PAGE_SIZE, &value, 4), STATUS_OK);
    put(part, 3 * PAGE_SIZE, 3000);
    for (unsigned i = 0; i < 200; i++) {
        CHECK(get(copy, i * PAGE_SIZE) == i + 1 && get(copy, i * PAGE_SIZE + 8) == 1000);
        CHECK(get(memory, i * PAGE_SIZE) == (i % 2 == 0 ? 2000 : i + 1));
        if (i >= 10 && i < 30)
            CHECK(get(part, (i - 10) * PAGE_SIZE) == (i == 13 ? 3000 : i + 1));
    }
    /* The window's surroundings stay hidden, before and after it grows. */
    struct cap cap = cap_to(&part->object, MEMORY_ALL);
    CHECK_STATUS(memory_read(part, 20 * PAGE_SIZE, &value, 4), STATUS_RANGE);
    CHECK_STATUS(sys_memory_set_size(self, &cap, 40 * PAGE_SIZE), STATUS_OK);
    for (unsigned i = 20; i < 40; i++)
        CHECK(get(part, i * PAGE_SIZE) == 0);
    drop(memory);
    drop(copy);
    drop(part);
    teardown();
}

static void run_on_other_cpu(struct aspace *aspace)
{
    environment_cpu(1);
    if (aspace != NULL)
        aspace_activate(aspace);
    else
        aspace_deactivate(arch_cpu_local());
    environment_cpu(0);
}

static paddr_t frame_to(struct memory *memory, uint64_t index, bool write)
{
    paddr_t frame = 0;
    CHECK_STATUS(memory_page(memory, NULL, index, write, &frame), STATUS_OK);
    return frame;
}

/* A page that a sharer has dropped is not written in place while a CPU of his may read it still. */
static void test_memory_dropped_pages_are_written_later(void)
{
    setup();
    struct memory *memory = make(3 * PAGE_SIZE, 0);
    struct cap cap = cap_to(&memory->object, MEMORY_ALL);
    for (unsigned i = 0; i < 3; i++)
        put(memory, i * PAGE_SIZE, i + 1);
    map_user(memory, MAP_READ | MAP_WRITE);
    struct memory *copy = clone(memory, 0, 3 * PAGE_SIZE);
    run_on_other_cpu(space);
    paddr_t discarded = frame_to(copy, 0, false), replaced = frame_to(copy, 1, false),
            settled = frame_to(copy, 2, false);
    CHECK_STATUS(sys_memory_discard(self, &cap, 2 * PAGE_SIZE, PAGE_SIZE), STATUS_OK);
    environment_grace();
    CHECK(frame_to(copy, 2, true) == settled);
    CHECK_STATUS(sys_memory_discard(self, &cap, 0, PAGE_SIZE), STATUS_OK);
    put(memory, PAGE_SIZE, 20);
    put(copy, 0, 100);
    put(copy, PAGE_SIZE, 200);
    CHECK(*(uint32_t *)phys_to_virt(discarded) == 1 && *(uint32_t *)phys_to_virt(replaced) == 2);
    CHECK(get(copy, 0) == 100 && get(copy, PAGE_SIZE) == 200 && get(copy, 2 * PAGE_SIZE) == 3);
    CHECK(get(memory, 0) == 0 && get(memory, PAGE_SIZE) == 20);
    drop(memory);
    drop(copy);
    teardown();
}

/* Begin to clone @memory; what is published before a grace period is over. */
static struct object *clone_published_early(struct memory *memory)
{
    struct cap cap = cap_to(&memory->object, MEMORY_ALL),
               budget = cap_to(&env.budget->object, RIGHT_SPEND);
    handle_t handle;
    env.published = NULL;
    CHECK_STATUS(sys_memory_clone(self, &cap, &budget, 0, PAGE_SIZE, &handle), KERNEL_DONE);
    self->continuation(self);
    struct object *early = env.published;
    CHECK(thread_is_waiting(self) == (early == NULL));
    CHECK_STATUS(continuation_run(self, KERNEL_DONE), STATUS_OK);
    return early;
}

/* Nobody has a clone before every CPU has forgotten that it could write to the source, however it could. */
static void test_memory_clones_are_published_flushed(void)
{
    setup();
    struct memory *memory = make(PAGE_SIZE, 0);
    map_user(memory, MAP_READ | MAP_WRITE);
    put(memory, 0, 1);
    CHECK_STATUS(aspace_fault(space, self, USER, MAP_WRITE), STATUS_OK);
    CHECK(clone_published_early(memory) != NULL);
    drop(memory_of(env.published));
    CHECK_STATUS(aspace_fault(space, self, USER, MAP_WRITE), STATUS_OK);
    run_on_other_cpu(space);
    CHECK(clone_published_early(memory) == NULL && env.published != NULL);
    drop(memory_of(env.published));
    struct cap cap = cap_to(&space->object, RIGHT_ALL);
    CHECK_STATUS(aspace_fault(space, self, USER, MAP_WRITE), STATUS_OK);
    CHECK_STATUS(sys_aspace_unmap(self, &cap, USER, PAGE_SIZE), STATUS_OK);
    CHECK(clone_published_early(memory) == NULL && env.published != NULL);
    drop(memory_of(env.published));
    run_on_other_cpu(NULL);
    CHECK(clone_published_early(memory) != NULL);
    drop(memory_of(env.published));
    drop(memory);
    teardown();
}

static void test_memory_fork_chain_has_constant_cost(void)
{
    setup();
    struct memory *memory = make(64 * PAGE_SIZE, 0);
    put(memory, 0, 1);
    uint64_t nodes = 0;
    for (unsigned i = 0; i < 10000; i++) {
        struct memory *child = clone(memory, 0, 64 * PAGE_SIZE);
        drop(memory);
        memory = child;
        put(memory, 4, i);
        CHECK(get(memory, 0) == 1);
        if (i == 10)
            nodes = radix_nodes();
        CHECK(i <= 10 || radix_nodes() == nodes);
    }
    drop(memory);
    teardown();
}

static void test_memory_size_and_discard(void)
{
    setup();
    struct memory *memory = make(300 * PAGE_SIZE, 0);
    struct cap cap = cap_to(&memory->object, MEMORY_ALL);
    map_user(memory, MAP_READ | MAP_WRITE);
    uint64_t before = budget_pages_used();
    uint32_t value = 5;
    for (unsigned i = 0; i < 300; i++)
        CHECK_STATUS(user_copy_out(self, USER + i * PAGE_SIZE, &value, 4), STATUS_OK);
    uint64_t tables = budget_pages_used() - before - 300;
    env.yield_every = 1;
    status_t status;
    unsigned restarts = 0;
    while ((status = sys_memory_discard(self, &cap, 10 * PAGE_SIZE, 200 * PAGE_SIZE)) ==
           KERNEL_RESTART)
        restarts++;
    CHECK_STATUS(status, STATUS_OK);
    CHECK(restarts >= 3);
    env.yield_every = 0;
    environment_grace();
    CHECK(budget_pages_used() == before + tables + 100);
    CHECK_STATUS(user_copy_in(self, &value, USER + 20 * PAGE_SIZE, 4), STATUS_OK);
    CHECK(value == 0);
    CHECK_STATUS(sys_memory_set_size(self, &cap, 250 * PAGE_SIZE + 1), STATUS_OK);
    CHECK_STATUS(user_copy_in(self, &value, USER + 250 * PAGE_SIZE, 4), STATUS_OK);
    CHECK_STATUS(user_copy_in(self, &value, USER + 251 * PAGE_SIZE, 4), STATUS_FAULT);
    CHECK_STATUS(aspace_fault(space, self, USER + 299 * PAGE_SIZE, MAP_WRITE), STATUS_RANGE);
    CHECK_STATUS(sys_memory_set_size(self, &cap, 300 * PAGE_SIZE), STATUS_OK);
    CHECK_STATUS(user_copy_in(self, &value, USER + 299 * PAGE_SIZE, 4), STATUS_OK);
    CHECK(value == 0);
    CHECK_STATUS(sys_memory_set_size(self, &cap, UINT64_MAX), STATUS_INVALID);
    drop(memory);
    teardown();
}

static void test_memory_pins_hold_pages(void)
{
    setup();
    struct memory *memory = make(10 * PAGE_SIZE, 0);
    struct cap cap = cap_to(&memory->object, MEMORY_ALL),
               budget = cap_to(&env.budget->object, RIGHT_SPEND);
    paddr_t frame, again;
    handle_t handle;
    CHECK_STATUS(memory_pin(memory, self, 3, &frame), STATUS_OK);
    CHECK_STATUS(memory_pin(memory, self, 3, &again), STATUS_OK);
    CHECK(frame == again);
    CHECK_STATUS(sys_memory_discard(self, &cap, 0, 10 * PAGE_SIZE), STATUS_BUSY);
    CHECK_STATUS(sys_memory_set_size(self, &cap, PAGE_SIZE), STATUS_BUSY);
    CHECK_STATUS(sys_memory_clone(self, &cap, &budget, 0, PAGE_SIZE, &handle), STATUS_BUSY);
    put(memory, 3 * PAGE_SIZE, 9);
    CHECK(*(uint32_t *)phys_to_virt(frame) == 9);
    memory_unpin(memory, 3);
    memory_unpin(memory, 3);
    CHECK_STATUS(sys_memory_discard(self, &cap, 0, 10 * PAGE_SIZE), STATUS_OK);
    drop(memory);
    teardown();
}

static void test_memory_physical_hides_ram(void)
{
    setup();
    struct memory *all, *archive;
    struct cap budget = cap_to(&env.budget->object, RIGHT_SPEND);
    handle_t handle;
    uint64_t mapped;
    CHECK_STATUS(memory_create_physical(env.budget, 0, 1ull << 46, &all), STATUS_OK);
    CHECK_STATUS(memory_create_physical(env.budget, 0x3000000, 0x4000, &archive), STATUS_OK);
    struct cap cap = cap_to(&all->object, MEMORY_ALL);
    paddr_t frame;
    CHECK_STATUS(sys_memory_slice(self, &cap, &budget, 0x3000000, PAGE_SIZE, &handle),
                 STATUS_INVALID);
    CHECK_STATUS(sys_memory_slice(self, &cap, &budget, 0xff000, 0x2000, &handle), STATUS_INVALID);
    CHECK_STATUS(sys_memory_slice(self, &cap, &budget, 1ull << 46, PAGE_SIZE, &handle),
                 STATUS_RANGE);
    CHECK_STATUS(sys_memory_slice(self, &cap, &budget, 0xfee00000, PAGE_SIZE, &handle), STATUS_OK);
    struct memory *slice = memory_of(env.published);
    CHECK_STATUS(memory_page(slice, self, 0, false, &frame), STATUS_INVALID);
    CHECK_STATUS(aspace_map_kernel(space, all, USER, 0x200000, PAGE_SIZE, MAP_FIXED | MAP_READ,
                                   &mapped),
                 STATUS_DENIED);
    CHECK_STATUS(aspace_map_kernel(space, slice, USER, 0, PAGE_SIZE,
                                   MAP_FIXED | MAP_READ | MAP_WRITE, &mapped),
                 STATUS_OK);
    CHECK_STATUS(aspace_fault(space, self, USER, MAP_WRITE), STATUS_OK);
    uint32_t word = 0;
    CHECK_STATUS(user_copy_in(self, &word, USER, 4), STATUS_FAULT);
    *(uint32_t *)phys_to_virt(0x3001000) = 77;
    CHECK_STATUS(aspace_map_kernel(space, archive, USER + PAGE_SIZE, PAGE_SIZE, PAGE_SIZE,
                                   MAP_FIXED | MAP_READ, &mapped),
                 STATUS_OK);
    CHECK_STATUS(user_copy_in(self, &word, USER + PAGE_SIZE, 4), STATUS_OK);
    CHECK(word == 77 && get(archive, 0x1000) == 77);
    object_unref(&slice->object);
    object_unref(&all->object);
    object_unref(&archive->object);
    teardown();
}

/* ── Pagers ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct queue queue;

static void supply(struct memory *memory, uint64_t page, struct memory *source,
                   uint64_t source_page, uint64_t pages)
{
    struct cap cap = cap_to(&memory->object, MEMORY_ALL),
               from = cap_to(&source->object, MEMORY_ALL);
    status_t status;
    while ((status = sys_memory_supply(self, &cap, page * PAGE_SIZE, &from, source_page * PAGE_SIZE,
                                       pages * PAGE_SIZE, 0)) == KERNEL_RESTART) {
    }
    CHECK_STATUS(status, STATUS_OK);
}

static void test_pager_supplies_what_is_asked(void)
{
    setup();
    struct memory *memory = make(100 * PAGE_SIZE, MEMORY_PAGED), *source = make(100 * PAGE_SIZE, 0);
    struct cap cap = cap_to(&memory->object, MEMORY_ALL),
               queue_cap = cap_to(&queue.object, RIGHT_MANAGE);
    map_user(memory, MAP_READ | MAP_WRITE);
    struct thread *one = thread_make(space), *two = thread_make(space), *three = thread_make(space);
    uint64_t offset, bytes;
    uint32_t kind, word;
    CHECK_STATUS(aspace_fault(space, NULL, USER, MAP_READ), STATUS_BUSY);
    CHECK_STATUS(aspace_fault(space, one, USER, MAP_READ), KERNEL_BLOCKED);
    CHECK(thread_is_waiting(one) && env.events == 0);
    CHECK_STATUS(sys_memory_set_pager(self, &cap, &queue_cap, 5), STATUS_OK);
    CHECK(env.events == 1);
    CHECK_STATUS(user_copy_in(two, &word, USER + 8, 4), KERNEL_BLOCKED);
    CHECK_STATUS(user_copy_in(three, &word, USER + 7 * PAGE_SIZE, 4), KERNEL_BLOCKED);
    CHECK(env.events == 2 && two->context.pc == (uint64_t)0 - ARCH_SYSCALL_BYTES);
    CHECK_STATUS(sys_memory_pager_next(self, &cap, &offset, &bytes, &kind), STATUS_OK);
    CHECK(offset == 0 && bytes == PAGE_SIZE && kind == PAGER_REQUEST_READ);
    CHECK_STATUS(sys_memory_pager_next(self, &cap, &offset, &bytes, &kind), STATUS_OK);
    CHECK(offset == 7 * PAGE_SIZE);
    CHECK_STATUS(sys_memory_pager_next(self, &cap, &offset, &bytes, &kind), STATUS_NOT_FOUND);
    /* A new pager is asked again. */
    CHECK_STATUS(sys_memory_set_pager(self, &cap, &queue_cap, 6), STATUS_OK);
    CHECK_STATUS(sys_memory_pager_next(self, &cap, &offset, &bytes, &kind), STATUS_OK);
    put(source, 4 * PAGE_SIZE + 8, 123);
    uint64_t before = budget_pages_used();
    supply(memory, 0, source, 4, 2);
    environment_grace();
    CHECK(!thread_is_waiting(one) && !thread_is_waiting(two) && thread_is_waiting(three));
    CHECK(budget_pages_used() == before + 1 && get(source, 4 * PAGE_SIZE + 8) == 0);
    CHECK_STATUS(user_copy_in(two, &word, USER + 8, 4), STATUS_OK);
    CHECK(word == 123);
    /* What is there already stays, there and here. */
    put(source, 0, 5);
    supply(memory, 0, source, 0, 1);
    CHECK(get(source, 0) == 5 && get(memory, 8) == 123);
    CHECK_STATUS(sys_memory_fail(self, &cap, 0, 100 * PAGE_SIZE, STATUS_CODE_DENIED),
                 STATUS_INVALID);
    CHECK_STATUS(sys_memory_fail(self, &cap, 0, 100 * PAGE_SIZE, STATUS_CODE_IO), STATUS_OK);
    CHECK(!thread_is_waiting(three));
    CHECK_STATUS(user_copy_in(three, &word, USER + 7 * PAGE_SIZE, 4), STATUS_IO);
    CHECK_STATUS(user_copy_in(three, &word, USER + 7 * PAGE_SIZE, 4), KERNEL_BLOCKED);
    CHECK(wait_cancel(three, three->wait_class, three->wait_sequence));
    CHECK(!three->wait_class);
    one->attention = ATTENTION_KILL;
    CHECK_STATUS(aspace_fault(space, one, USER + 50 * PAGE_SIZE, MAP_READ), KERNEL_DONE);
    one->attention = 0;
    CHECK_STATUS(aspace_fault(space, one, USER + 50 * PAGE_SIZE, MAP_READ), KERNEL_BLOCKED);
    drop(memory);
    CHECK(!thread_is_waiting(one));
    drop(source);
    teardown();
    thread_free(one);
    thread_free(two);
    thread_free(three);
}

static void test_pager_supply_failing_loses_nothing(void)
{
    setup();
    struct memory *memory = make(100 * PAGE_SIZE, MEMORY_PAGED), *source = make(100 * PAGE_SIZE, 0);
    struct cap cap = cap_to(&memory->object, MEMORY_ALL),
               from = cap_to(&source->object, MEMORY_ALL);
    for (unsigned i = 0; i < 100; i++)
        put(source, i * PAGE_SIZE, i + 1);
    for (uint64_t pages = 0; pages < 110; pages += 7) {
        budget_limits(budget_pages_used() + 7, UINT32_MAX);
        env.yield_every = 3;
        status_t status;
        while ((status = sys_memory_supply(self, &cap, 0, &from, 0, 100 * PAGE_SIZE, 0)) ==
               KERNEL_RESTART) {
        }
        CHECK(status == STATUS_OK || status == STATUS_NO_MEMORY);
        environment_grace();
    }
    for (unsigned i = 0; i < 100; i++)
        CHECK(get(memory, i * PAGE_SIZE) == i + 1);
    drop(memory);
    drop(source);
    teardown();
}

static void expect_request(struct memory *memory, uint64_t page, uint32_t kind)
{
    struct cap cap = cap_to(&memory->object, MEMORY_ALL);
    uint64_t offset = 0, bytes = 0;
    uint32_t got = 0;
    CHECK_STATUS(sys_memory_pager_next(self, &cap, &offset, &bytes, &got),
                 kind == 0 ? STATUS_NOT_FOUND : STATUS_OK);
    CHECK(kind == 0 || (offset == page * PAGE_SIZE && bytes == PAGE_SIZE && got == kind));
}

/* The runs of pages that are in one of @states: as many as @pages says, ended by a 0, are there and no others. */
static void expect_states(struct memory *memory, uint32_t states, const char *pages)
{
    struct cap cap = cap_to(&memory->object, MEMORY_ALL);
    uint64_t offset = 0, found, bytes;
    char listed[64] = "";
    status_t status;
    while ((status = sys_memory_dirty_next(self, &cap, offset, states, &found, &bytes)) !=
           STATUS_NOT_FOUND) {
        if (status == KERNEL_RESTART)
            continue;
        CHECK_STATUS(status, STATUS_OK);
        snprintf(listed + strlen(listed), sizeof(listed) - strlen(listed), "%u+%u ",
                 (unsigned)(found / PAGE_SIZE), (unsigned)(bytes / PAGE_SIZE));
        offset = found + bytes;
    }
    CHECK(strcmp(listed, pages) == 0);
    if (strcmp(listed, pages) != 0)
        printf("# listed %s, wanted %s\n", listed, pages);
}

static void write_back(struct memory *memory, uint64_t page, uint64_t pages, bool begin)
{
    struct cap cap = cap_to(&memory->object, MEMORY_ALL);
    status_t status;
    do {
        status = begin ? sys_memory_writeback_begin(self, &cap, page * PAGE_SIZE, pages * PAGE_SIZE)
                       : sys_memory_writeback_end(self, &cap, page * PAGE_SIZE, pages * PAGE_SIZE);
    } while (status == KERNEL_RESTART);
    CHECK_STATUS(begin ? continuation_run(self, status) : status, STATUS_OK);
}

static bool user_may_write(uint64_t page)
{
    unsigned level;
    pte_t entry = pagetable_lookup(space->root, USER + page * PAGE_SIZE, &level);
    return entry != 0 && (arch_pte_flags(entry) & MAP_WRITE) != 0;
}

static struct memory *supplied(uint64_t pages)
{
    struct memory *memory = make(pages * PAGE_SIZE, MEMORY_PAGED),
                  *source = make(pages * PAGE_SIZE, 0);
    for (uint64_t i = 0; i < pages; i++)
        put(source, i * PAGE_SIZE, (uint32_t)i + 1);
    supply(memory, 0, source, 0, pages);
    drop(source);
    return memory;
}

static void test_pager_knows_what_is_dirty(void)
{
    setup();
    struct memory *memory = supplied(300);
    struct cap cap = cap_to(&memory->object, MEMORY_ALL);
    uint32_t word = 7;
    paddr_t frame;
    map_user(memory, MAP_READ | MAP_WRITE);
    expect_states(memory, PAGE_DIRTY | PAGE_WRITEBACK, "");
    for (unsigned i = 0; i < 300; i++)
        CHECK_STATUS(user_copy_in(self, &word, USER + i * PAGE_SIZE, 4), STATUS_OK);
    CHECK(!user_may_write(5));
    /* One fault a clean page, none more; its neighbours stay clean. */
    CHECK_STATUS(aspace_fault(space, self, USER + 5 * PAGE_SIZE, MAP_WRITE), STATUS_OK);
    CHECK(user_may_write(5) && !user_may_write(4) && !user_may_write(6));
    put(memory, 6 * PAGE_SIZE, 70);
    put(memory, 130 * PAGE_SIZE, 71);
    put(memory, 299 * PAGE_SIZE, 72);
    env.yield_every = 1;
    expect_states(memory, PAGE_DIRTY, "5+2 130+1 299+1 ");
    write_back(memory, 0, 200, true);
    CHECK(!user_may_write(5));
    expect_states(memory, PAGE_DIRTY, "299+1 ");
    expect_states(memory, PAGE_WRITEBACK, "5+2 130+1 ");
    /* Written meanwhile: dirty again when the writeback ends. */
    CHECK_STATUS(aspace_fault(space, self, USER + 5 * PAGE_SIZE, MAP_WRITE), STATUS_OK);
    write_back(memory, 0, 200, false);
    expect_states(memory, PAGE_DIRTY | PAGE_WRITEBACK, "5+1 299+1 ");
    CHECK(user_may_write(5));
    /* Clean pages can go and are asked for again; dirty ones stay. */
    status_t status;
    while ((status = sys_memory_discard(self, &cap, 0, 300 * PAGE_SIZE)) == KERNEL_RESTART) {
    }
    CHECK_STATUS(status, STATUS_OK);
    uint64_t present;
    while ((status = sys_memory_query(self, &cap, 0, 300 * PAGE_SIZE, &present)) ==
           KERNEL_RESTART) {
    }
    CHECK(status_is_ok(status) && present == 2 && get(memory, 299 * PAGE_SIZE) == 72);
    /* What is pinned never gets clean. */
    CHECK_STATUS(memory_pin(memory, self, 299, &frame), STATUS_OK);
    write_back(memory, 299, 1, true);
    write_back(memory, 299, 1, false);
    expect_states(memory, PAGE_DIRTY | PAGE_WRITEBACK, "5+1 299+1 ");
    memory_unpin(memory, 299);
    write_back(memory, 0, 300, true);
    write_back(memory, 0, 300, false);
    expect_states(memory, PAGE_DIRTY | PAGE_WRITEBACK, "");
    put(memory, 5 * PAGE_SIZE, 9);
    while ((status = sys_memory_set_size(self, &cap, 2 * PAGE_SIZE)) == KERNEL_RESTART) {
    }
    CHECK_STATUS(status, STATUS_OK);
    expect_states(memory, PAGE_DIRTY | PAGE_WRITEBACK, "");
    CHECK_STATUS(aspace_fault(space, self, USER + 5 * PAGE_SIZE, MAP_READ), STATUS_RANGE);
    CHECK_STATUS(user_copy_in(self, &word, USER + 5 * PAGE_SIZE, 4), STATUS_FAULT);
    env.yield_every = 0;
    struct memory *anonymous = make(PAGE_SIZE, 0);
    struct cap wrong = cap_to(&anonymous->object, MEMORY_ALL);
    CHECK_STATUS(sys_memory_writeback_begin(self, &wrong, 0, PAGE_SIZE), STATUS_WRONG_TYPE);
    CHECK_STATUS(sys_memory_writeback_end(self, &cap, 0, 3 * PAGE_SIZE), STATUS_RANGE);
    drop(anonymous);
    drop(memory);
    teardown();
}

/* A writeback begins when no other CPU writes by a translation that it has kept. */
static void test_pager_writeback_waits_for_other_cpus(void)
{
    setup();
    struct memory *memory = supplied(1);
    struct cap cap = cap_to(&memory->object, MEMORY_ALL);
    map_user(memory, MAP_READ | MAP_WRITE);
    CHECK_STATUS(aspace_fault(space, self, USER, MAP_WRITE), STATUS_OK);
    run_on_other_cpu(space);
    CHECK_STATUS(sys_memory_writeback_begin(self, &cap, 0, PAGE_SIZE), KERNEL_DONE);
    self->continuation(self);
    CHECK(thread_is_waiting(self));
    environment_grace();
    CHECK(!thread_is_waiting(self));
    CHECK_STATUS(continuation_run(self, KERNEL_DONE), STATUS_OK);
    run_on_other_cpu(NULL);
    drop(memory);
    teardown();
}

static void test_pager_gives_leave_to_fill_holes(void)
{
    setup();
    struct memory *memory = make(8 * PAGE_SIZE, MEMORY_PAGED), *source = make(8 * PAGE_SIZE, 0);
    struct cap cap = cap_to(&memory->object, MEMORY_ALL),
               from = cap_to(&source->object, MEMORY_ALL);
    struct thread *one = thread_make(space), *two = thread_make(space);
    uint32_t word = 1;
    map_user(memory, MAP_READ | MAP_WRITE);
    CHECK_STATUS(sys_memory_supply(self, &cap, 0, &from, 0, 8 * PAGE_SIZE, SUPPLY_HOLE), STATUS_OK);
    environment_grace();
    CHECK(get(memory, PAGE_SIZE) == 0);
    CHECK_STATUS(aspace_fault(space, one, USER, MAP_READ), STATUS_OK);
    CHECK_STATUS(aspace_fault(space, one, USER, MAP_WRITE), KERNEL_BLOCKED);
    CHECK_STATUS(user_copy_out(two, USER + PAGE_SIZE, &word, 4), KERNEL_BLOCKED);
    expect_request(memory, 0, PAGER_REQUEST_DIRTY);
    expect_request(memory, 1, PAGER_REQUEST_DIRTY);
    expect_request(memory, 0, 0);
    CHECK_STATUS(sys_memory_fail(self, &cap, 0, PAGE_SIZE, STATUS_CODE_NO_SPACE), STATUS_OK);
    CHECK_STATUS(aspace_fault(space, one, USER, MAP_WRITE), STATUS_NO_SPACE);
    CHECK_STATUS(aspace_fault(space, one, USER, MAP_WRITE), KERNEL_BLOCKED);
    env.yield_every = 1;
    status_t status;
    while ((status = sys_memory_dirty_grant(self, &cap, 0, 2 * PAGE_SIZE)) == KERNEL_RESTART) {
    }
    env.yield_every = 0;
    CHECK_STATUS(status, STATUS_OK);
    CHECK(!thread_is_waiting(one) && !thread_is_waiting(two));
    expect_states(memory, PAGE_DIRTY, "");
    CHECK_STATUS(aspace_fault(space, one, USER, MAP_WRITE), STATUS_OK);
    CHECK_STATUS(user_copy_out(two, USER + PAGE_SIZE, &word, 4), STATUS_OK);
    expect_states(memory, PAGE_DIRTY, "0+2 ");
    write_back(memory, 0, 8, true);
    write_back(memory, 0, 8, false);
    CHECK_STATUS(aspace_fault(space, one, USER, MAP_WRITE), STATUS_OK);
    CHECK_STATUS(aspace_fault(space, one, USER + 2 * PAGE_SIZE, MAP_WRITE), KERNEL_BLOCKED);
    drop(memory);
    CHECK(!thread_is_waiting(one));
    drop(source);
    thread_free(one);
    thread_free(two);
    teardown();
}

/* Requests and states are the Memory's: the next pager finds them. */
static void test_pager_is_succeeded(void)
{
    setup();
    struct memory *memory = supplied(8), *source = make(PAGE_SIZE, 0);
    struct cap cap = cap_to(&memory->object, MEMORY_ALL),
               queue_cap = cap_to(&queue.object, RIGHT_MANAGE);
    struct thread *one = thread_make(space);
    CHECK_STATUS(sys_memory_set_size(self, &cap, 16 * PAGE_SIZE), STATUS_OK);
    map_user(memory, MAP_READ | MAP_WRITE);
    CHECK_STATUS(sys_memory_set_pager(self, &cap, &queue_cap, 1), STATUS_OK);
    put(memory, 0, 5);
    put(memory, PAGE_SIZE, 6);
    write_back(memory, 1, 1, true);
    CHECK_STATUS(aspace_fault(space, one, USER + 9 * PAGE_SIZE, MAP_READ), KERNEL_BLOCKED);
    expect_request(memory, 9, PAGER_REQUEST_READ);
    expect_request(memory, 0, 0);
    unsigned events = env.events;
    CHECK_STATUS(sys_memory_set_pager(self, &cap, &queue_cap, 2), STATUS_OK);
    CHECK(env.events == events + 1);
    expect_request(memory, 9, PAGER_REQUEST_READ);
    expect_states(memory, PAGE_DIRTY | PAGE_WRITEBACK, "0+2 ");
    write_back(memory, 0, 8, true);
    write_back(memory, 0, 8, false);
    expect_states(memory, PAGE_DIRTY | PAGE_WRITEBACK, "");
    CHECK_STATUS(sys_memory_detach(self, &cap), STATUS_OK);
    CHECK(!thread_is_waiting(one));
    CHECK_STATUS(aspace_fault(space, one, USER + 9 * PAGE_SIZE, MAP_READ), STATUS_GONE);
    CHECK(get(memory, 0) == 5);
    put(memory, 0, 7);
    CHECK_STATUS(sys_memory_set_pager(self, &cap, &queue_cap, 3), STATUS_OK);
    expect_states(memory, PAGE_DIRTY, "0+1 ");
    CHECK_STATUS(aspace_fault(space, one, USER + 9 * PAGE_SIZE, MAP_READ), KERNEL_BLOCKED);
    supply(memory, 9, source, 0, 1);
    CHECK(!thread_is_waiting(one));
    drop(memory);
    drop(source);
    thread_free(one);
    teardown();
}

/* Copies on behalf of a blocked caller do not wait, and ask. */
static void test_pager_is_asked_for_who_does_not_wait(void)
{
    setup();
    struct memory *memory = make(20 * PAGE_SIZE, MEMORY_PAGED), *source = make(20 * PAGE_SIZE, 0);
    struct cap cap = cap_to(&memory->object, MEMORY_ALL),
               queue_cap = cap_to(&queue.object, RIGHT_MANAGE);
    struct thread *one = thread_make(space);
    size_t done;
    map_user(memory, MAP_READ | MAP_WRITE);
    CHECK_STATUS(sys_memory_set_pager(self, &cap, &queue_cap, 1), STATUS_OK);
    unsigned events = env.events;
    for (unsigned turn = 0; turn < 2; turn++)
        for (unsigned i = 0; i < 10; i++)
            CHECK_STATUS(aspace_copy(space, USER, space, USER + (10 + i) * PAGE_SIZE, 8, &done),
                         STATUS_FAULT);
    CHECK(env.events == events + MEMORY_ASKED_MAX);
    expect_request(memory, 10, PAGER_REQUEST_READ);
    CHECK_STATUS(aspace_fault(space, one, USER + 10 * PAGE_SIZE, MAP_READ), KERNEL_BLOCKED);
    for (unsigned i = 1; i < MEMORY_ASKED_MAX; i++)
        expect_request(memory, 10 + i, PAGER_REQUEST_READ);
    expect_request(memory, 0, 0);
    CHECK_STATUS(sys_memory_set_pager(self, &cap, &queue_cap, 2), STATUS_OK);
    expect_request(memory, 10, PAGER_REQUEST_READ);
    expect_request(memory, 11, PAGER_REQUEST_READ);
    supply(memory, 10, source, 10, 4);
    expect_request(memory, 0, 0);
    CHECK(!thread_is_waiting(one));
    CHECK_STATUS(aspace_copy(space, USER, space, USER + 10 * PAGE_SIZE, 8, &done), STATUS_FAULT);
    expect_request(memory, 0, PAGER_REQUEST_READ);
    supply(memory, 0, source, 0, 1);
    environment_grace();
    CHECK_STATUS(aspace_copy(space, USER, space, USER + 13 * PAGE_SIZE + 4092, 8, &done),
                 STATUS_FAULT);
    CHECK(done == 4);
    expect_request(memory, 14, PAGER_REQUEST_READ);
    CHECK_STATUS(sys_memory_detach(self, &cap), STATUS_OK);
    CHECK_STATUS(aspace_copy(space, USER, space, USER + 14 * PAGE_SIZE, 8, &done), STATUS_FAULT);
    drop(memory);
    drop(source);
    thread_free(one);
    teardown();
}

/* ── Overlays ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct memory *overlay(struct memory *memory, uint64_t offset, uint64_t bytes)
{
    struct cap budget = cap_to(&env.budget->object, RIGHT_SPEND),
               parent = cap_to(&memory->object, MEMORY_ALL);
    handle_t handle;
    env.published = NULL;
    CHECK_STATUS(sys_memory_overlay(self, &parent, &budget, offset, bytes, &handle), STATUS_OK);
    return memory_of(env.published);
}

static void test_overlays_show_what_is_below(void)
{
    setup();
    struct memory *memory = make(20 * PAGE_SIZE, 0);
    struct cap cap = cap_to(&memory->object, MEMORY_ALL),
               budget = cap_to(&env.budget->object, RIGHT_SPEND);
    handle_t handle;
    uint32_t word;
    for (unsigned i = 0; i < 10; i++)
        put(memory, i * PAGE_SIZE, i + 1);
    uint64_t before = budget_pages_used();
    struct memory *over = overlay(memory, 2 * PAGE_SIZE, 18 * PAGE_SIZE);
    map_user(over, MAP_READ | MAP_WRITE);
    for (unsigned i = 0; i < 8; i++) {
        CHECK_STATUS(user_copy_in(self, &word, USER + i * PAGE_SIZE, 4), STATUS_OK);
        CHECK(word == i + 3 && frame_to(over, i, false) == frame_to(memory, i + 2, false));
    }
    uint64_t tables = budget_pages_used() - before;
    /* What is written below is seen, what is written here is not seen below, nor overwritten from there. */
    put(memory, 2 * PAGE_SIZE, 30);
    word = 31;
    CHECK_STATUS(user_copy_out(self, USER + PAGE_SIZE, &word, 4), STATUS_OK);
    put(memory, 3 * PAGE_SIZE + 4, 32);
    CHECK(get(over, 0) == 30 && get(over, PAGE_SIZE) == 31 && get(over, PAGE_SIZE + 4) == 0);
    CHECK(get(memory, 3 * PAGE_SIZE) == 4 && budget_pages_used() == before + tables + 1);
    /* A frame that is replaced below, or goes there, leaves the mappings of what is above. */
    struct memory *copy = clone(memory, 0, 20 * PAGE_SIZE);
    put(memory, 4 * PAGE_SIZE, 50);
    CHECK_STATUS(user_copy_in(self, &word, USER + 2 * PAGE_SIZE, 4), STATUS_OK);
    CHECK(word == 50 && get(copy, 4 * PAGE_SIZE) == 5);
    CHECK_STATUS(sys_memory_discard(self, &cap, 5 * PAGE_SIZE, PAGE_SIZE), STATUS_OK);
    CHECK_STATUS(user_copy_in(self, &word, USER + 3 * PAGE_SIZE, 4), STATUS_OK);
    CHECK(word == 0);
    CHECK_STATUS(sys_memory_set_size(self, &cap, 8 * PAGE_SIZE), STATUS_OK);
    CHECK_STATUS(user_copy_in(self, &word, USER + 6 * PAGE_SIZE, 4), STATUS_FAULT);
    CHECK_STATUS(aspace_fault(space, self, USER + 6 * PAGE_SIZE, MAP_WRITE), STATUS_RANGE);
    /* Its own page dropped, the one below is seen again. */
    struct cap over_cap = cap_to(&over->object, MEMORY_ALL);
    CHECK_STATUS(sys_memory_discard(self, &over_cap, 0, 18 * PAGE_SIZE), STATUS_OK);
    CHECK_STATUS(user_copy_in(self, &word, USER + PAGE_SIZE, 4), STATUS_OK);
    CHECK(word == 4);
    CHECK_STATUS(sys_memory_overlay(self, &over_cap, &budget, 0, PAGE_SIZE, &handle),
                 STATUS_INVALID);
    CHECK_STATUS(sys_memory_overlay(self, &cap, &budget, 0, 9 * PAGE_SIZE, &handle), STATUS_RANGE);
    drop(memory);
    CHECK(get(over, 0) == 30);
    drop(over);
    drop(copy);
    teardown();
}

/* Its clone has its pages as they were, and the same Memory below. */
static void test_overlays_are_cloned(void)
{
    setup();
    struct memory *memory = make(4 * PAGE_SIZE, 0), *over = overlay(memory, 0, 4 * PAGE_SIZE);
    put(over, 0, 1);
    put(over, PAGE_SIZE, 2);
    struct memory *copy = clone(over, PAGE_SIZE, 3 * PAGE_SIZE);
    put(over, PAGE_SIZE, 3);
    CHECK(get(copy, 0) == 2);
    put(copy, 0, 4);
    put(memory, 2 * PAGE_SIZE, 5);
    CHECK(get(over, PAGE_SIZE) == 3 && get(over, 2 * PAGE_SIZE) == 5 && get(copy, PAGE_SIZE) == 5);
    drop(over);
    budget_limits(budget_pages_used(), UINT32_MAX);
    uint32_t word = 6;
    CHECK_STATUS(memory_write(copy, NULL, PAGE_SIZE, &word, 4), STATUS_NO_MEMORY);
    CHECK(get(copy, PAGE_SIZE) == 5 && get(copy, 0) == 4);
    drop(memory);
    drop(copy);
    teardown();
}

/* A page that replaces the one below is not written before other CPUs have forgotten that one. */
static void test_overlays_wait_for_other_cpus(void)
{
    setup();
    struct memory *memory = make(PAGE_SIZE, 0), *over = overlay(memory, 0, PAGE_SIZE);
    put(memory, 0, 1);
    map_user(over, MAP_READ | MAP_WRITE);
    CHECK_STATUS(aspace_fault(space, self, USER, MAP_READ), STATUS_OK);
    run_on_other_cpu(space);
    struct memory *copy = clone(memory, 0, PAGE_SIZE);
    put(memory, 0, 2); /* replaces the frame, takes it out of the overlay's mapping */
    unsigned level;
    CHECK_STATUS(aspace_fault(space, self, USER, MAP_WRITE), STATUS_OK);
    CHECK(pagetable_lookup(space->root, USER, &level) == 0);
    environment_grace();
    CHECK_STATUS(aspace_fault(space, self, USER, MAP_WRITE), STATUS_OK);
    pte_t entry = pagetable_lookup(space->root, USER, &level);
    CHECK((arch_pte_flags(entry) & MAP_WRITE) != 0 && get(over, 0) == 2);
    run_on_other_cpu(NULL);
    drop(copy);
    drop(over);
    drop(memory);
    teardown();
}

/* ── One Memory in many mappings ─────────────────────────────────────────────────────────────────────────────────── */

#define MANY 150u

static struct many {
    struct memory *memory;
    struct aspace *others; /* the same mappings, in an address space that nobody runs */
    struct thread *faulter;
    uint64_t pauses;
    unsigned installed; /* what faults could install meanwhile */
} many;

static uint64_t many_address(uint64_t i)
{
    return USER + i * 4 * PAGE_SIZE;
}

static void many_map(struct aspace *aspace, uint64_t i)
{
    uint64_t mapped;
    CHECK_STATUS(aspace_map_kernel(aspace, many.memory, many_address(i), 0, 2 * PAGE_SIZE,
                                   MAP_READ | MAP_WRITE | MAP_FIXED, &mapped),
                 STATUS_OK);
}

static bool many_unmap(struct aspace *aspace, uint64_t i)
{
    struct cap cap = cap_to(&aspace->object, RIGHT_WRITE);
    return status_is_ok(sys_aspace_unmap(self, &cap, many_address(i), 2 * PAGE_SIZE));
}

static bool allows(const struct aspace *aspace, uint64_t address, uint32_t access)
{
    unsigned level;
    pte_t entry = pagetable_lookup(aspace->root, address, &level);
    return entry != 0 && (access & ~arch_pte_flags(entry)) == 0;
}

static void many_fault(struct aspace *aspace, uint64_t address, uint32_t access)
{
    bool before = allows(aspace, address, access);
    struct thread *current = arch_cpu_local()->current;
    arch_cpu_local()->current = many.faulter;
    status_t status = aspace_fault(aspace, many.faulter, address, access);
    arch_cpu_local()->current = current;
    CHECK(status == STATUS_OK || status == KERNEL_RESTART || status == STATUS_FAULT);
    many.installed += !before && allows(aspace, address, access);
}

/* What other CPUs do while the lock is let go: take mappings away before and behind, cut them, make new ones, touch them. */
static void many_others(void)
{
    uint64_t n = ++many.pauses, i = n * 37 % MANY, j = n * 53 % MANY;
    struct cap cap = cap_to(&many.others->object, RIGHT_WRITE);
    if (many_unmap(many.others, i))
        many_map(many.others, i);
    status_ignore(sys_aspace_unmap(self, &cap, many_address(j) + n % 2 * PAGE_SIZE, PAGE_SIZE));
    many_map(space, MANY + n);
    for (uint64_t k = 0; k < MANY; k += 7) {
        many_fault(space, many_address(k), MAP_READ);
        many_fault(many.others, many_address(k) + PAGE_SIZE, MAP_WRITE);
    }
    many_fault(space, many_address(MANY + n), MAP_READ);
    many_fault(many.others, many_address(i), MAP_READ);
}

static unsigned many_that_allow(uint32_t access)
{
    unsigned count = 0;
    for (uint64_t i = 0; i < 2 * MANY; i++)
        for (uint64_t page = 0; page < 2; page++)
            count += allows(space, many_address(i) + page * PAGE_SIZE, access) +
                     allows(many.others, many_address(i) + page * PAGE_SIZE, access);
    return count;
}

/* All mappings have both pages. */
static void many_touch(uint32_t access)
{
    for (uint64_t i = 0; i < MANY; i++)
        for (uint64_t page = 0; page < 2; page++) {
            CHECK_STATUS(aspace_fault(space, self, many_address(i) + page * PAGE_SIZE, access),
                         STATUS_OK);
            status_ignore(
                aspace_fault(many.others, self, many_address(i) + page * PAGE_SIZE, access));
        }
}

static void many_begin(void)
{
    setup();
    many = (struct many){.memory = make(2 * PAGE_SIZE, 0)};
    CHECK_STATUS(aspace_create(env.budget, &many.others), STATUS_OK);
    many.faulter = thread_make(space);
    arch_cpu_local()->current = self;
    for (uint64_t i = 0; i < MANY; i++) {
        many_map(space, i);
        many_map(many.others, i);
    }
}

static void many_end(void)
{
    arch_cpu_local()->current = NULL;
    if (many.faulter->continuation != NULL)
        many.faulter->continuation(many.faulter);
    thread_free(many.faulter);
    object_unref(&many.others->object);
    drop(many.memory);
    teardown();
}

static void test_memory_many_mappings_lose_what_is_discarded(void)
{
    many_begin();
    struct cap cap = cap_to(&many.memory->object, MEMORY_ALL);
    many_touch(MAP_WRITE);
    env.paused = many_others;
    CHECK_STATUS(sys_memory_discard(self, &cap, 0, 2 * PAGE_SIZE), STATUS_OK);
    env.paused = NULL;
    CHECK(many.pauses > 10 && many.installed == 0 && many_that_allow(MAP_READ) == 0);
    many_touch(MAP_WRITE);
    CHECK(many_that_allow(MAP_WRITE) > 2 * MANY);
    many_end();
}

static void test_memory_many_mappings_write_no_clone(void)
{
    paddr_t frame;
    status_t status;
    many_begin();
    put(many.memory, 0, 1);
    many_touch(MAP_WRITE);
    env.paused = many_others;
    struct memory *copy = clone(many.memory, 0, 2 * PAGE_SIZE);
    env.paused = NULL;
    CHECK(many.pauses > 10 && many.installed == 0 && many_that_allow(MAP_WRITE) == 0);
    if (many.faulter->continuation != NULL) /* who wanted to write was told to come again */
        many.faulter->continuation(many.faulter);
    many_touch(MAP_READ);
    unsigned before = many_that_allow(MAP_READ);
    CHECK(before > 2 * MANY);
    /* The page is copied with no lock held: the first try takes a few translations away, and says so. */
    uint64_t pauses = many.pauses;
    env.paused = many_others;
    CHECK_STATUS(memory_page(many.memory, self, 0, true, &frame), KERNEL_RESTART);
    CHECK(many.pauses == pauses && self->continuation != NULL);
    self->continuation(self);
    CHECK(many.pauses > pauses + 10 && self->continuation == NULL);
    env.paused = NULL;
    for (uint64_t i = 0; i < 2 * MANY; i++)
        CHECK(!allows(space, many_address(i), MAP_READ) &&
              !allows(many.others, many_address(i), MAP_READ));
    status = memory_page(many.memory, self, 0, true, &frame);
    CHECK_STATUS(status, STATUS_OK);
    CHECK(frame_to(copy, 0, false) != frame && get(copy, 0) == 1 && get(many.memory, 0) == 1);
    drop(copy);
    many_end();
}

/* Two address spaces may be stale: nothing is installed before a grace period is over. */
static void test_memory_many_mappings_wait_for_other_cpus(void)
{
    many_begin();
    struct cap cap = cap_to(&many.memory->object, MEMORY_ALL);
    struct aspace *third;
    CHECK_STATUS(aspace_create(env.budget, &third), STATUS_OK);
    many_map(third, 0);
    CHECK_STATUS(aspace_fault(third, self, USER + PAGE_SIZE, MAP_WRITE), STATUS_OK);
    many_touch(MAP_WRITE);
    run_on_other_cpu(many.others);
    CHECK_STATUS(sys_memory_discard(self, &cap, 0, PAGE_SIZE), STATUS_OK);
    CHECK_STATUS(aspace_fault(space, self, USER, MAP_WRITE), STATUS_OK);
    CHECK(!allows(space, USER, MAP_READ));
    run_on_other_cpu(third); /* it has forgotten the others' */
    CHECK_STATUS(sys_memory_discard(self, &cap, PAGE_SIZE, PAGE_SIZE), STATUS_OK);
    CHECK_STATUS(aspace_fault(space, self, USER, MAP_WRITE), STATUS_OK);
    CHECK(!allows(space, USER, MAP_READ));
    environment_grace();
    CHECK_STATUS(aspace_fault(space, self, USER, MAP_WRITE), STATUS_OK);
    CHECK(allows(space, USER, MAP_WRITE));
    run_on_other_cpu(NULL);
    object_unref(&third->object);
    many_end();
}

static struct memory *overlays[MANY], *overlays_parent;
static unsigned overlays_made;

/* One is made, and maps what the parent has. */
static void overlay_more(void)
{
    uint64_t mapped, address = many_address(2 * MANY + ++overlays_made);
    struct memory *over = overlay(overlays_parent, 0, PAGE_SIZE);
    CHECK_STATUS(aspace_map_kernel(space, over, address, 0, PAGE_SIZE, MAP_READ | MAP_FIXED,
                                   &mapped),
                 STATUS_OK);
    CHECK_STATUS(aspace_fault(space, self, address, MAP_READ), STATUS_OK);
    CHECK(!allows(space, address, MAP_READ));
    drop(over);
    for (uint64_t i = 0; i < MANY; i++) {
        bool there = allows(space, many_address(i), MAP_READ);
        CHECK_STATUS(aspace_fault(space, self, many_address(i), MAP_READ), STATUS_OK);
        CHECK(there || !allows(space, many_address(i), MAP_READ));
    }
}

static void test_overlays_many_lose_what_the_parent_loses(void)
{
    setup();
    struct memory *parent = overlays_parent = make(PAGE_SIZE, 0);
    struct cap cap = cap_to(&parent->object, MEMORY_ALL);
    uint64_t mapped;
    put(parent, 0, 1);
    for (uint64_t i = 0; i < MANY; i++) {
        overlays[i] = overlay(parent, 0, PAGE_SIZE);
        CHECK_STATUS(aspace_map_kernel(space, overlays[i], many_address(i), 0, PAGE_SIZE,
                                       MAP_READ | MAP_FIXED, &mapped),
                     STATUS_OK);
        CHECK_STATUS(aspace_fault(space, self, many_address(i), MAP_READ), STATUS_OK);
        CHECK(allows(space, many_address(i), MAP_READ));
    }
    overlays_made = 0;
    env.paused = overlay_more;
    CHECK_STATUS(sys_memory_discard(self, &cap, 0, PAGE_SIZE), STATUS_OK);
    env.paused = NULL;
    CHECK(overlays_made > 5);
    for (uint64_t i = 0; i < 3 * MANY; i++)
        CHECK(!allows(space, many_address(i), MAP_READ));
    for (uint64_t i = 0; i < MANY; i++)
        drop(overlays[i]);
    drop(parent);
    teardown();
}

static void test_overlays_ask_the_pager(void)
{
    setup();
    struct memory *memory = make(100 * PAGE_SIZE, MEMORY_PAGED), *source = make(100 * PAGE_SIZE, 0);
    struct cap cap = cap_to(&memory->object, MEMORY_ALL),
               budget = cap_to(&env.budget->object, RIGHT_SPEND);
    uint64_t offset, bytes;
    uint32_t kind, word;
    handle_t handle;
    put(source, 20 * PAGE_SIZE, 21);
    CHECK_STATUS(sys_memory_clone(self, &cap, &budget, 0, PAGE_SIZE, &handle), STATUS_INVALID);
    struct memory *over = overlay(memory, 5 * PAGE_SIZE, 50 * PAGE_SIZE);
    map_user(over, MAP_READ | MAP_WRITE);
    struct thread *one = thread_make(space);
    CHECK_STATUS(aspace_fault(space, one, USER + 15 * PAGE_SIZE, MAP_WRITE), KERNEL_BLOCKED);
    CHECK_STATUS(sys_memory_pager_next(self, &cap, &offset, &bytes, &kind), STATUS_OK);
    CHECK(offset == 20 * PAGE_SIZE && kind == PAGER_REQUEST_READ);
    supply(memory, 20, source, 20, 1);
    CHECK(!thread_is_waiting(one));
    word = 22;
    CHECK_STATUS(user_copy_out(one, USER + 15 * PAGE_SIZE, &word, 4), STATUS_OK);
    CHECK(get(memory, 20 * PAGE_SIZE) == 21 && get(over, 15 * PAGE_SIZE) == 22);
    CHECK_STATUS(aspace_fault(space, one, USER + 16 * PAGE_SIZE, MAP_READ), KERNEL_BLOCKED);
    drop(memory);
    CHECK(!thread_is_waiting(one));
    CHECK_STATUS(aspace_fault(space, one, USER + 16 * PAGE_SIZE, MAP_READ), STATUS_GONE);
    thread_free(one);
    drop(over);
    drop(source);
    teardown();
}

const struct test memory_tests[] = {
    {"test_memory_create_checks_its_arguments", test_memory_create_checks_its_arguments},
    {"test_memory_commit_is_charged_and_cut", test_memory_commit_is_charged_and_cut},
    {"test_memory_reading_holes_takes_no_pages", test_memory_reading_holes_takes_no_pages},
    {"test_memory_clones_see_no_later_writes", test_memory_clones_see_no_later_writes},
    {"test_memory_dropped_pages_are_written_later", test_memory_dropped_pages_are_written_later},
    {"test_memory_clones_are_published_flushed", test_memory_clones_are_published_flushed},
    {"test_memory_fork_chain_has_constant_cost", test_memory_fork_chain_has_constant_cost},
    {"test_memory_size_and_discard", test_memory_size_and_discard},
    {"test_memory_pins_hold_pages", test_memory_pins_hold_pages},
    {"test_memory_physical_hides_ram", test_memory_physical_hides_ram},
    {"test_pager_supplies_what_is_asked", test_pager_supplies_what_is_asked},
    {"test_pager_supply_failing_loses_nothing", test_pager_supply_failing_loses_nothing},
    {"test_pager_knows_what_is_dirty", test_pager_knows_what_is_dirty},
    {"test_pager_writeback_waits_for_other_cpus", test_pager_writeback_waits_for_other_cpus},
    {"test_pager_gives_leave_to_fill_holes", test_pager_gives_leave_to_fill_holes},
    {"test_pager_is_succeeded", test_pager_is_succeeded},
    {"test_pager_is_asked_for_who_does_not_wait", test_pager_is_asked_for_who_does_not_wait},
    {"test_overlays_show_what_is_below", test_overlays_show_what_is_below},
    {"test_overlays_are_cloned", test_overlays_are_cloned},
    {"test_overlays_wait_for_other_cpus", test_overlays_wait_for_other_cpus},
    {"test_memory_many_mappings_lose_what_is_discarded",
     test_memory_many_mappings_lose_what_is_discarded},
    {"test_memory_many_mappings_write_no_clone", test_memory_many_mappings_write_no_clone},
    {"test_memory_many_mappings_wait_for_other_cpus",
     test_memory_many_mappings_wait_for_other_cpus},
    {"test_overlays_many_lose_what_the_parent_loses",
     test_overlays_many_lose_what_the_parent_loses},
    {"test_overlays_ask_the_pager", test_overlays_ask_the_pager},
    {NULL, NULL},
};
