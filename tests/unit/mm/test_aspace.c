/* Address spaces: mapping against a model of every page, faults, copies, revocation, what other CPUs may still see. */
#include "environment.h"

#include <arch_accessors.h>

#include "mm/mapping.h"
#include "mm/memory_internal.h"
#include "mm/pagetable.h"

#include <budget.h>
#include <handlers.h>
#include <mm/phys.h>
#include <string.h>

#define WINDOW_START 0x5fe00000ull
#define WINDOW 1300u
#define SPACES 2u
#define MEMORIES 3u
#define MEMORY_PAGES 600u
#define LARGE_PAGES 512u

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

static struct memory *make(uint64_t pages)
{
    struct memory *memory;
    CHECK_STATUS(memory_create(env.budget, pages * PAGE_SIZE, 0, &memory), STATUS_OK);
    return memory;
}

static status_t map_once(struct aspace *aspace, struct memory *memory, uint32_t rights,
                         uint64_t address, uint64_t offset, uint64_t length, uint32_t flags,
                         uint64_t *mapped)
{
    struct cap aspace_cap = cap_to(&aspace->object, RIGHT_ALL),
               memory_cap = cap_to(&memory->object, rights);
    return sys_aspace_map(self, &aspace_cap, &memory_cap, address, offset, length, flags, 42,
                          mapped);
}

/* CPU 1 leaves the kernel, and flushes. */
static void other_cpu_flushes(struct aspace *aspace)
{
    uint32_t id = arch_cpu_local()->id;
    environment_cpu(1);
    aspace_activate(aspace);
    environment_cpu(id);
}

/* The hardware uses the translation of @address, and may keep it. */
static void hardware_reads(struct aspace *aspace, uint64_t address, unsigned level) NO_THREAD_SAFETY
{
    pte_t *slot;
    CHECK_STATUS(pagetable_slot(aspace->root, env.budget, address, level, &slot), STATUS_OK);
    CHECK(arch_pte_is_present(*slot));
    *slot = arch_pte_mark_accessed(*slot);
}

/* As a thread does it: again while other CPUs have not flushed. */
static status_t map(struct aspace *aspace, struct memory *memory, uint32_t rights, uint64_t address,
                    uint64_t offset, uint64_t length, uint32_t flags, uint64_t *mapped)
{
    status_t status;
    while ((status = map_once(aspace, memory, rights, address, offset, length, flags, mapped)) ==
           KERNEL_RESTART) {
        CHECK(aspace_is_stale(aspace, aspace->generation));
        for (uint32_t i = 0; i < 2; i++) {
            uint32_t id = arch_cpu_local()->id;
            environment_cpu(i);
            if (cpus[i]->aspace == aspace)
                aspace_activate(aspace);
            environment_cpu(id);
        }
    }
    return status;
}

static status_t unmap(struct aspace *aspace, uint64_t address, uint64_t length)
{
    struct cap cap = cap_to(&aspace->object, RIGHT_ALL);
    status_t status;
    while ((status = sys_aspace_unmap(self, &cap, address, length)) == KERNEL_RESTART)
        environment_grace();
    return status;
}

static status_t protect(struct aspace *aspace, uint64_t address, uint64_t length, uint32_t flags)
{
    struct cap cap = cap_to(&aspace->object, RIGHT_ALL);
    status_t status;
    while ((status = sys_aspace_protect(self, &cap, address, length, flags)) == KERNEL_RESTART) {
        CHECK(arch_syscall_arg(self, 1) + arch_syscall_arg(self, 2) == address + length);
        length = arch_syscall_arg(self, 2);
        address = arch_syscall_arg(self, 1);
    }
    return status;
}

/* ── Against a model ──────────────────────────────────────────────────────────────────────────────────────────────── */

struct page_model {
    bool mapped;
    uint8_t memory;
    uint8_t prot, max_prot;
    uint32_t index;
};

static struct page_model model[SPACES][WINDOW];
static struct memory *memories[MEMORIES];
static uint64_t sizes[MEMORIES];
static uint32_t contents[MEMORIES][MEMORY_PAGES];
static struct aspace *spaces[SPACES];
static unsigned large_seen, large_written;

static bool range_is_free(unsigned s, unsigned first, unsigned pages)
{
    for (unsigned i = first; i < first + pages; i++)
        if (model[s][i].mapped)
            return false;
    return true;
}

static void random_map(unsigned s)
{
    unsigned m = random_u32() % MEMORIES, pages = 1 + random_u32() % 60,
             index = random_u32() % MEMORY_PAGES;
    unsigned first = random_u32() % (WINDOW - 60);
    uint32_t rights = RIGHT_READ | (random_u32() % 4 ? (uint32_t)RIGHT_WRITE : 0u) |
                      (random_u32() % 4 ? 0u : (uint32_t)RIGHT_EXECUTE);
    uint32_t prot = random_u32() % 8;
    uint32_t max_prot = rights >> 4 & 7;
    status_t expected = STATUS_OK;
    uint64_t mapped;
    if (index + pages > sizes[m])
        expected = STATUS_RANGE;
    else if ((prot & 6) == 6 || ((prot != 0 ? prot | 1 : 0) & ~max_prot) != 0)
        expected = STATUS_DENIED;
    else if (!range_is_free(s, first, pages))
        expected = STATUS_EXISTS;
    uint32_t flags = prot | MAP_FIXED | (random_u32() % 2 ? (uint32_t)MAP_POPULATE : 0u);
    CHECK_STATUS(map(spaces[s], memories[m], rights, WINDOW_START + first * PAGE_SIZE,
                     index * PAGE_SIZE, pages * PAGE_SIZE, flags, &mapped),
                 expected);
    for (unsigned i = 0; expected == STATUS_OK && i < pages; i++)
        model[s][first + i] =
            (struct page_model){true, (uint8_t)m, (uint8_t)prot, (uint8_t)max_prot, index + i};
}

static void random_unmap(unsigned s)
{
    unsigned first = random_u32() % (WINDOW - 60), pages = 1 + random_u32() % 60;
    CHECK_STATUS(unmap(spaces[s], WINDOW_START + first * PAGE_SIZE, pages * PAGE_SIZE), STATUS_OK);
    for (unsigned i = first; i < first + pages; i++)
        model[s][i].mapped = false;
}

static void random_protect(unsigned s)
{
    unsigned first = random_u32() % (WINDOW - 20), pages = 1 + random_u32() % 20;
    uint32_t prot = random_u32() % 8;
    status_t expected = STATUS_OK;
    for (unsigned i = first; i < first + pages && expected == STATUS_OK; i++) {
        if (!model[s][i].mapped)
            expected = STATUS_NOT_FOUND;
        else if ((prot & 6) == 6 ||
                 ((prot != 0 ? prot | 1 : 0) & ~(uint32_t)model[s][i].max_prot) != 0)
            expected = STATUS_DENIED;
    }
    CHECK_STATUS(protect(spaces[s], WINDOW_START + first * PAGE_SIZE, pages * PAGE_SIZE, prot),
                 expected);
    for (unsigned i = first; i < first + pages && expected == STATUS_OK; i++)
        model[s][i].prot = (uint8_t)prot;
}

static void random_access(unsigned s)
{
    unsigned i = random_u32() % WINDOW;
    const struct page_model *page = &model[s][i];
    uint64_t address = WINDOW_START + i * PAGE_SIZE;
    bool write = random_u32() % 2 != 0;
    uint32_t needed = write ? (uint32_t)MAP_WRITE : (uint32_t)MAP_READ, value = random_u32();
    bool good = page->mapped && page->index < sizes[page->memory] && (page->prot & needed) != 0;
    /* What is executable or writable can be read, once it is in the page table. */
    bool readable = page->mapped && page->index < sizes[page->memory] && page->prot != 0;
    struct thread thread = {.aspace = spaces[s]};
    if (random_u32() % 2 == 0) {
        environment_cpu(random_u32() % 2);
        aspace_activate(spaces[s]);
    }
    if (write) {
        CHECK_STATUS(user_copy_out(&thread, address, &value, 4), good ? STATUS_OK : STATUS_FAULT);
        if (good)
            contents[page->memory][page->index] = value;
    } else {
        status_t status = user_copy_in(&thread, &value, address, 4);
        CHECK(good ? status == STATUS_OK
                   : status == STATUS_FAULT || (readable && status == STATUS_OK));
        if (status == STATUS_OK)
            CHECK(value == contents[page->memory][page->index]);
    }
}

/* Tell what was used: nothing but that changes. */
static void random_age(unsigned s)
{
    uint64_t at = WINDOW_START + random_below(WINDOW) * PAGE_SIZE;
    struct page_use use = {0};
    while (status_is_ok(aspace_age(spaces[s], &at, &use)) && random_u32() % 16 != 0) {
        CHECK(((use.accessed | use.written) & ~use.present) == 0);
        if ((at & PAGE_USE_LARGE) != 0)
            at = (at | (LARGE_PAGE_SIZE - 1)) + 1;
        else if (use.present != 0)
            at += PAGE_USE_PAGES * PAGE_SIZE;
        use = (struct page_use){0};
    }
}

static void random_resize(void)
{
    unsigned m = random_u32() % MEMORIES;
    struct cap cap = cap_to(&memories[m]->object, RIGHT_ALL);
    unsigned first = random_u32() % MEMORY_PAGES, pages = 1 + random_u32() % 40;
    status_t status;
    if (random_u32() % 2 == 0) {
        while ((status = sys_memory_set_size(self, &cap, first * PAGE_SIZE)) == KERNEL_RESTART) {
        }
        CHECK_STATUS(status, STATUS_OK);
        for (unsigned i = first; i < MEMORY_PAGES; i++)
            contents[m][i] = 0;
        sizes[m] = first;
        return;
    }
    while ((status = sys_memory_discard(self, &cap, first * PAGE_SIZE, pages * PAGE_SIZE)) ==
           KERNEL_RESTART) {
    }
    CHECK_STATUS(status, first + pages > sizes[m] ? STATUS_RANGE : STATUS_OK);
    for (unsigned i = first; status == STATUS_OK && i < first + pages; i++)
        contents[m][i] = 0;
}

static void memory_unlink(unsigned m)
{
    leaves_sever(&memories[m]->object);
    for (unsigned s = 0; s < SPACES; s++)
        for (unsigned i = 0; i < WINDOW; i++)
            if (model[s][i].memory == m)
                model[s][i].mapped = false;
}

/* All pages of a large entry are written, upwards, of a new Memory or what there is. */
static void random_fill(unsigned s)
{
    unsigned m = random_u32() % MEMORIES, first = random_u32() % 2 * LARGE_PAGES;
    uint64_t at = WINDOW_START + first * PAGE_SIZE, mapped;
    struct thread thread = {.aspace = spaces[s]};
    unsigned level;
    if (random_u32() % 4 != 0) {
        memory_unlink(m);
        object_unref(&memories[m]->object);
        memories[m] = make(MEMORY_PAGES);
        memories[m]->object.id = m + 1;
        memset(contents[m], 0, sizeof(contents[m]));
        sizes[m] = MEMORY_PAGES;
    }
    if (sizes[m] < LARGE_PAGES)
        return;
    CHECK_STATUS(unmap(spaces[s], at, LARGE_PAGES * PAGE_SIZE), STATUS_OK);
    CHECK_STATUS(map(spaces[s], memories[m], RIGHT_READ | RIGHT_WRITE, at, 0,
                     LARGE_PAGES * PAGE_SIZE, MAP_READ | MAP_WRITE | MAP_FIXED, &mapped),
                 STATUS_OK);
    for (uint32_t i = 0; i < LARGE_PAGES; i++) {
        if (random_u32() % 16 == 0)
            aspace_activate(spaces[s]);
        CHECK_STATUS(user_copy_out(&thread, at + i * PAGE_SIZE, &i, 4), STATUS_OK);
        contents[m][i] = i;
        model[s][first + i] =
            (struct page_model){true, (uint8_t)m, MAP_READ | MAP_WRITE, MAP_READ | MAP_WRITE, i};
    }
    environment_grace();
    aspace_activate(spaces[s]);
    CHECK_STATUS(aspace_fault(spaces[s], self, at, MAP_WRITE), STATUS_OK);
    large_written += pagetable_lookup(spaces[s]->root, at, &level) != 0 && level == 1;
}

/* One Memory is revoked and replaced by a clone of another. */
static void random_clone(void)
{
    unsigned from = random_u32() % MEMORIES, to = random_u32() % MEMORIES;
    if (from == to || sizes[from] < 2)
        return;
    struct cap cap = cap_to(&memories[from]->object, RIGHT_ALL),
               budget = cap_to(&env.budget->object, RIGHT_ALL);
    uint64_t first = random_below(sizes[from] - 1),
             pages = 1 + random_below(sizes[from] - first - 1);
    handle_t handle;
    memory_unlink(to);
    object_unref(&memories[to]->object);
    CHECK_STATUS(continuation_run(self, sys_memory_clone(self, &cap, &budget, first * PAGE_SIZE,
                                                         pages * PAGE_SIZE, &handle)),
                 STATUS_OK);
    memories[to] = memory_of(env.published);
    sizes[to] = pages;
    for (unsigned i = 0; i < MEMORY_PAGES; i++)
        contents[to][i] = i < pages ? contents[from][first + i] : 0;
}

/* Every translation agrees with the model; no frame may be written that two Memories show. */
static void compare(void)
{
    for (unsigned s = 0; s < SPACES; s++) {
        uint64_t resident = 0;
        for (unsigned i = 0; i < WINDOW; i++) {
            const struct page_model *page = &model[s][i];
            unsigned level;
            pte_t pte = pagetable_lookup(spaces[s]->root, WINDOW_START + i * PAGE_SIZE, &level);
            if (pte == 0)
                continue;
            resident++;
            CHECK(page->mapped && page->index < sizes[page->memory]);
            CHECK((arch_pte_flags(pte) & ~(uint32_t)(page->prot | MAP_READ)) == 0);
            CHECK((arch_pte_flags(pte) & 6) != 6);
            paddr_t frame = arch_pte_address(pte) + i * PAGE_SIZE % arch_pt_span(level);
            CHECK(*(uint32_t *)phys_to_virt(frame) == contents[page->memory][page->index]);
            if ((arch_pte_flags(pte) & MAP_WRITE) != 0)
                CHECK(frame_refs(frame) == 1);
            large_seen += level;
        }
        CHECK(spaces[s]->resident == resident);
    }
}

static void compare_query(unsigned s)
{
    struct cap cap = cap_to(&spaces[s]->object, RIGHT_ALL);
    uint64_t address = 0;
    struct mapping_info info;
    unsigned pages = 0, expected = 0;
    while (status_is_ok(sys_aspace_query(self, &cap, address, &info))) {
        CHECK(info.start >= address && info.cookie == 42);
        for (uint64_t at = info.start; at < info.start + info.length; at += PAGE_SIZE, pages++) {
            const struct page_model *page = &model[s][(at - WINDOW_START) / PAGE_SIZE];
            CHECK(page->mapped && page->prot == info.prot &&
                  page->index == (info.offset + at - info.start) / PAGE_SIZE);
            CHECK(memories[page->memory]->object.id == info.memory_id);
        }
        address = info.start + info.length;
    }
    for (unsigned i = 0; i < WINDOW; i++)
        expected += model[s][i].mapped;
    CHECK(pages == expected);
}

static void test_aspace_random_operations(void)
{
    setup();
    memset(model, 0, sizeof(model));
    memset(contents, 0, sizeof(contents));
    for (unsigned s = 0; s < SPACES; s++)
        CHECK_STATUS(aspace_create(env.budget, &spaces[s]), STATUS_OK);
    for (unsigned m = 0; m < MEMORIES; m++) {
        memories[m] = make(MEMORY_PAGES);
        memories[m]->object.id = m + 1;
        sizes[m] = MEMORY_PAGES;
    }
    for (unsigned round = 0; round < 60000; round++) {
        unsigned s = random_u32() % SPACES;
        env.yield_every = random_u32() % 4;
        switch (random_u32() % 128) {
        case 0:
            random_resize();
            break;
        case 1:
            random_clone();
            for (unsigned m = 0; m < MEMORIES; m++)
                memories[m]->object.id = m + 1;
            break;
        case 2:
            if (random_u32() % 4 == 0)
                memory_unlink(random_u32() % MEMORIES);
            break;
        case 3 ... 8:
            random_unmap(s);
            break;
        case 9 ... 14:
            random_protect(s);
            break;
        case 15 ... 25:
            random_map(s);
            break;
        case 26:
            random_age(s);
            break;
        case 27:
            if (random_u32() % 4 == 0)
                random_fill(s);
            break;
        default:
            random_access(s);
        }
        if (round % 64 == 0)
            environment_grace();
        if (round % 512 == 0) {
            compare();
            compare_query(s);
        }
    }
    compare();
    CHECK(large_written > 10 && large_seen != 0);
    for (unsigned c = 0; c < 2; c++)
        cpus[c]->aspace = NULL;
    for (unsigned m = 0; m < MEMORIES; m++)
        object_unref(&memories[m]->object);
    for (unsigned s = 0; s < SPACES; s++)
        object_unref(&spaces[s]->object);
    teardown();
}

/* ── One at a time ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void test_aspace_map_checks_its_arguments(void)
{
    setup();
    struct memory *memory = make(10);
    uint64_t mapped;
    const uint32_t all = RIGHT_READ | RIGHT_WRITE | RIGHT_EXECUTE;
    const uint64_t page = PAGE_SIZE;
    CHECK_STATUS(map(space, memory, all, 0, 0, 0, MAP_READ, &mapped), STATUS_INVALID);
    CHECK_STATUS(map(space, memory, all, 0, 0, page, MAP_READ | MAP_ALL << 1, &mapped),
                 STATUS_INVALID);
    CHECK_STATUS(map(space, memory, all, 0, 1, page, MAP_READ, &mapped), STATUS_INVALID);
    CHECK_STATUS(map(space, memory, all, 0, 10 * page, page, MAP_READ, &mapped), STATUS_RANGE);
    CHECK_STATUS(map(space, memory, all, 0, page, UINT64_MAX & ~(page - 1), MAP_READ, &mapped),
                 STATUS_RANGE);
    CHECK_STATUS(map(space, memory, all, 0, 0, page, MAP_READ | MAP_WRITE | MAP_EXECUTE, &mapped),
                 STATUS_DENIED);
    CHECK_STATUS(map(space, memory, RIGHT_READ, 0, 0, page, MAP_READ | MAP_WRITE, &mapped),
                 STATUS_DENIED);
    CHECK_STATUS(map(space, memory, RIGHT_WRITE, 0, 0, page, MAP_WRITE, &mapped), STATUS_DENIED);
    CHECK_STATUS(map(space, memory, all, 0, 0, page, MAP_READ | MAP_FIXED, &mapped),
                 STATUS_INVALID);
    CHECK_STATUS(map(space, memory, all, ARCH_USER_END - page, 0, 2 * page, MAP_READ | MAP_FIXED,
                     &mapped),
                 STATUS_INVALID);
    CHECK_STATUS(map(space, memory, all, UINT64_MAX & ~(page - 1), 0, page, MAP_READ | MAP_FIXED,
                     &mapped),
                 STATUS_INVALID);
    env.revoking = true;
    CHECK_STATUS(map(space, memory, all, 0, 0, page, MAP_READ, &mapped), KERNEL_BLOCKED);
    env.revoking = false;
    struct cap cap = cap_to(&space->object, RIGHT_ALL);
    CHECK_STATUS(sys_aspace_unmap(self, &cap, 0x100000, UINT64_MAX & ~(page - 1)), STATUS_INVALID);
    CHECK_STATUS(sys_aspace_unmap(self, &cap, 0x100001, page), STATUS_INVALID);
    struct mapping_info info;
    CHECK_STATUS(sys_aspace_query(self, &cap, 0, &info), STATUS_NOT_FOUND);
    object_unref(&memory->object);
    teardown();
}

static void test_aspace_chosen_addresses_are_random_and_apart(void)
{
    setup();
    struct memory *memory = make(1000);
    uint64_t mapped[200], again;
    for (unsigned i = 0; i < 200; i++) {
        CHECK_STATUS(map(space, memory, RIGHT_READ, 0, 0, (1 + random_below(50)) * PAGE_SIZE,
                         MAP_READ, &mapped[i]),
                     STATUS_OK);
        CHECK(mapped[i] >= space->map_base);
    }
    struct cap cap = cap_to(&space->object, RIGHT_ALL);
    struct mapping_info info;
    uint64_t end = 0;
    for (uint64_t at = 0; status_is_ok(sys_aspace_query(self, &cap, at, &info)); at = end) {
        CHECK(end == 0 || info.start > end);
        end = info.start + info.length;
    }
    /* A freed range is found again. */
    CHECK_STATUS(unmap(space, mapped[77], PAGE_SIZE), STATUS_OK);
    CHECK_STATUS(map(space, memory, RIGHT_READ, 0, 0, PAGE_SIZE, MAP_READ, &again), STATUS_OK);
    CHECK(again <= mapped[199]);
    struct aspace *other;
    CHECK_STATUS(aspace_create(env.budget, &other), STATUS_OK);
    CHECK(other->map_base != space->map_base);
    object_unref(&other->object);
    object_unref(&memory->object);
    teardown();
}

/* A Memory of @pages, mapped at @at to be read and written. */
static struct memory *make_at(uint64_t at, uint64_t pages)
{
    struct memory *memory = make(pages);
    uint64_t mapped;
    CHECK_STATUS(map(space, memory, RIGHT_READ | RIGHT_WRITE, at, 0, pages * PAGE_SIZE,
                     MAP_READ | MAP_WRITE | MAP_FIXED, &mapped),
                 STATUS_OK);
    return memory;
}

/* What a CPU has not used it does not keep; but what leads to a page table (Intel SDM vol. 3, 4.10.3) after its translations have gone. */
static void test_aspace_tables_that_go_are_flushed(void)
{
    setup();
    const uint64_t at = 0x7000000000;
    uint64_t mapped;
    struct memory *memory = make_at(at, 2);
    CHECK_STATUS(aspace_fault(space, self, at, MAP_WRITE), STATUS_OK);
    CHECK_STATUS(aspace_fault(space, self, at + PAGE_SIZE, MAP_WRITE), STATUS_OK);
    hardware_reads(space, at + PAGE_SIZE, 0);
    other_cpu_flushes(space);
    uint64_t tables = pagetable_pages();
    CHECK_STATUS(unmap(space, at, PAGE_SIZE), STATUS_OK);
    CHECK(pagetable_pages() == tables && !aspace_is_stale(space, space->generation));
    CHECK_STATUS(protect(space, at + PAGE_SIZE, PAGE_SIZE, 0), STATUS_OK);
    CHECK(aspace_is_stale(space, space->generation));
    other_cpu_flushes(space);
    CHECK_STATUS(unmap(space, at + PAGE_SIZE, PAGE_SIZE), STATUS_OK);
    CHECK(pagetable_pages() < tables && aspace_is_stale(space, space->generation));
    /* What comes to the same place gets tables of its own. */
    CHECK_STATUS(map(space, memory, RIGHT_READ, at, 0, 2 * PAGE_SIZE, MAP_READ | MAP_FIXED,
                     &mapped),
                 STATUS_OK);
    CHECK_STATUS(aspace_fault(space, self, at + PAGE_SIZE, MAP_READ), STATUS_OK);
    unsigned level;
    CHECK(pagetable_lookup(space->root, at + PAGE_SIZE, &level) != 0);
    object_unref(&memory->object);
    teardown();
}

/* One page that goes is flushed at once on the CPU that takes it, which is not behind then, unless it was before; the others come to it. */
static void test_aspace_one_page_is_flushed_at_once(void)
{
    setup();
    const uint64_t at = 0x7000000000;
    struct memory *memory = make_at(at, 4);
    for (unsigned i = 0; i < 4; i++) {
        CHECK_STATUS(aspace_fault(space, self, at + i * PAGE_SIZE, MAP_WRITE), STATUS_OK);
        hardware_reads(space, at + i * PAGE_SIZE, 0);
    }
    aspace_activate(space);
    other_cpu_flushes(space);
    unsigned flushes = env.page_flushes;
    CHECK_STATUS(protect(space, at, PAGE_SIZE, 0), STATUS_OK);
    CHECK(env.page_flushes == flushes + 1 && aspace_is_current(space, cpus[0]) &&
          aspace_is_stale(space, space->generation));
    CHECK_STATUS(protect(space, at + PAGE_SIZE, 2 * PAGE_SIZE, 0), STATUS_OK);
    CHECK(env.page_flushes == flushes + 1 && !aspace_is_current(space, cpus[0]));
    CHECK_STATUS(protect(space, at + 3 * PAGE_SIZE, PAGE_SIZE, 0), STATUS_OK);
    CHECK(env.page_flushes == flushes + 1 && !aspace_is_current(space, cpus[0]));
    object_unref(&memory->object);
    teardown();
}

static void test_aspace_failures_change_nothing(void)
{
    setup();
    struct memory *memory = make(100);
    uint64_t mapped;
    const uint64_t at = WINDOW_START;
    CHECK_STATUS(map(space, memory, RIGHT_READ | RIGHT_WRITE, at, 0, 100 * PAGE_SIZE,
                     MAP_READ | MAP_WRITE | MAP_FIXED, &mapped),
                 STATUS_OK);
    uint32_t value = 1;
    CHECK_STATUS(user_copy_out(self, at + 50 * PAGE_SIZE, &value, 4), STATUS_OK);
    uint64_t used = env.budget->quotas[QUOTA_KMEM].used;
    for (unsigned i = 0; i < 2; i++) {
        budget_limits(UINT32_MAX, used + i * 300);
        CHECK_STATUS(unmap(space, at + 10 * PAGE_SIZE, 80 * PAGE_SIZE), STATUS_NO_MEMORY);
        CHECK_STATUS(protect(space, at + 10 * PAGE_SIZE, 80 * PAGE_SIZE, MAP_READ),
                     STATUS_NO_MEMORY);
        CHECK_STATUS(map(space, memory, RIGHT_READ, 0, 0, PAGE_SIZE, MAP_READ, &mapped),
                     STATUS_NO_MEMORY);
        CHECK_STATUS(user_copy_in(self, &value, at + 50 * PAGE_SIZE, 4), STATUS_OK);
        CHECK(value == 1);
    }
    /* A fault without memory is not served, and served when there is some. */
    budget_limits(budget_pages_used(), UINT32_MAX);
    CHECK_STATUS(aspace_fault(space, self, at, MAP_WRITE), STATUS_NO_MEMORY);
    budget_limits(UINT32_MAX, UINT32_MAX);
    CHECK_STATUS(aspace_fault(space, self, at, MAP_WRITE), STATUS_OK);
    object_unref(&memory->object);
    teardown();
}

static void test_aspace_revocation_takes_mappings_away(void)
{
    setup();
    struct memory *memory = make(50), *other = make(50);
    uint64_t mapped, kept;
    CHECK_STATUS(map(space, memory, RIGHT_READ | RIGHT_WRITE, 0, 0, 50 * PAGE_SIZE,
                     MAP_READ | MAP_WRITE, &mapped),
                 STATUS_OK);
    CHECK_STATUS(map(space, other, RIGHT_READ, 0, 0, 50 * PAGE_SIZE, MAP_READ, &kept), STATUS_OK);
    uint32_t value = 3;
    CHECK_STATUS(user_copy_out(self, mapped, &value, 4), STATUS_OK);
    CHECK_STATUS(unmap(space, mapped + 10 * PAGE_SIZE, 5 * PAGE_SIZE), STATUS_OK);
    CHECK_STATUS(protect(space, mapped + 20 * PAGE_SIZE, 5 * PAGE_SIZE, MAP_READ), STATUS_OK);
    environment_cpu(1);
    aspace_activate(space);
    environment_cpu(0);
    hardware_reads(space, mapped, 0);
    unsigned ipis = env.ipis;
    uint64_t generation = space->generation;
    leaves_sever(&memory->object);
    CHECK(env.ipis > ipis && space->generation > generation &&
          aspace_is_stale(space, space->generation));
    for (unsigned i = 0; i < 50; i++)
        CHECK_STATUS(user_copy_in(self, &value, mapped + i * PAGE_SIZE, 4), STATUS_FAULT);
    CHECK_STATUS(user_copy_in(self, &value, kept, 4), STATUS_OK);
    environment_cpu(1);
    aspace_activate(space);
    environment_cpu(0);
    CHECK(!aspace_is_stale(space, space->generation));
    object_unref(&memory->object);
    object_unref(&other->object);
    teardown();
}

/* What is unmapped last keeps its place: the next of its size finds it, nobody else finds anything, and nothing but the place is held. */
static void test_aspace_the_place_of_what_was_unmapped_is_kept(void)
{
    setup();
    struct memory *memory = make(4), *next = make(4);
    struct cap cap = cap_to(&space->object, RIGHT_ALL);
    struct mapping_info info;
    uint64_t at, mapped;
    uint32_t value = 5;
    CHECK_STATUS(map(space, memory, RIGHT_READ | RIGHT_WRITE, 0, 0, PAGE_SIZE, MAP_READ | MAP_WRITE,
                     &at),
                 STATUS_OK);
    CHECK_STATUS(user_copy_out(self, at, &value, 4), STATUS_OK);
    uint64_t used = env.budget->quotas[QUOTA_KMEM].used, pages = budget_pages_used();
    CHECK_STATUS(protect(space, at, PAGE_SIZE, MAP_READ), STATUS_OK);
    CHECK_STATUS(unmap(space, at, PAGE_SIZE), STATUS_OK);
    object_unref(&memory->object);
    environment_grace();
    CHECK(budget_pages_used() < pages && env.budget->quotas[QUOTA_KMEM].used < used);
    CHECK_STATUS(user_copy_in(self, &value, at, 4), STATUS_FAULT);
    used = env.budget->quotas[QUOTA_KMEM].used;
    CHECK_STATUS(map(space, next, RIGHT_READ | RIGHT_WRITE, 0, PAGE_SIZE, PAGE_SIZE,
                     MAP_READ | MAP_WRITE, &mapped),
                 STATUS_OK);
    CHECK(mapped == at && env.budget->quotas[QUOTA_KMEM].used == used);
    CHECK_STATUS(user_copy_in(self, &value, at, 4), STATUS_OK);
    CHECK(value == 0);
    CHECK_STATUS(user_copy_out(self, at, &value, 4), STATUS_OK);
    /* Who looks for what is mapped finds nothing, and what is larger has room there. */
    CHECK_STATUS(unmap(space, at, PAGE_SIZE), STATUS_OK);
    CHECK_STATUS(sys_aspace_query(self, &cap, at, &info), STATUS_NOT_FOUND);
    CHECK_STATUS(map(space, next, RIGHT_READ, 0, 0, PAGE_SIZE, MAP_READ, &at), STATUS_OK);
    CHECK_STATUS(unmap(space, at, PAGE_SIZE), STATUS_OK);
    CHECK_STATUS(protect(space, at, PAGE_SIZE, MAP_READ), STATUS_NOT_FOUND);
    CHECK_STATUS(map(space, next, RIGHT_READ, at, 0, PAGE_SIZE, MAP_READ | MAP_FIXED, &mapped),
                 STATUS_OK);
    CHECK_STATUS(unmap(space, at, PAGE_SIZE), STATUS_OK);
    CHECK_STATUS(map(space, next, RIGHT_READ, at - PAGE_SIZE, 0, 4 * PAGE_SIZE,
                     MAP_READ | MAP_FIXED, &mapped),
                 STATUS_OK);
    /* No page lies before it: only who asks for that place gets it. */
    CHECK_STATUS(map(space, next, RIGHT_READ, at + 3 * PAGE_SIZE, 0, PAGE_SIZE,
                     MAP_READ | MAP_FIXED, &mapped),
                 STATUS_OK);
    CHECK_STATUS(unmap(space, mapped, PAGE_SIZE), STATUS_OK);
    CHECK_STATUS(map(space, next, RIGHT_READ, 0, 0, PAGE_SIZE, MAP_READ, &mapped), STATUS_OK);
    CHECK(mapped != at + 3 * PAGE_SIZE);
    object_unref(&next->object);
    teardown();
}

/* Another CPU comes between what an unmapping does under the address space's lock, and the end of its leaf. */
static void test_aspace_a_place_is_not_taken_before_its_leaf_has_gone(void) NO_THREAD_SAFETY
{
    setup();
    struct memory *memory = make(4);
    uint64_t at, mapped;
    for (unsigned other = 0; other < 3; other++) {
        CHECK_STATUS(map(space, memory, RIGHT_READ, 0, 0, PAGE_SIZE, MAP_READ, &at), STATUS_OK);
        struct mapping *mapping = mapping_find(&space->mappings, at);
        CHECK(mapping_detach(mapping, 1));
        if (other == 1)
            leaves_sever(&memory->object);
        if (other == 2)
            CHECK_STATUS(map(space, memory, RIGHT_READ, at, 0, PAGE_SIZE, MAP_READ | MAP_FIXED,
                             &mapped),
                         STATUS_OK);
        CHECK(other == 0 || mapping_find(&space->mappings, at) != mapping);
        mapping_retire(mapping);
        environment_grace();
        CHECK((space->kept == mapping) == (other == 0));
    }
    CHECK_STATUS(unmap(space, at, PAGE_SIZE), STATUS_OK);
    object_unref(&memory->object);
    teardown();
}

/* A copy is not written to while another CPU may still read what it replaced. */
static void test_aspace_write_waits_for_stale_readers(void)
{
    setup();
    struct memory *memory = make(4);
    struct cap cap = cap_to(&memory->object, RIGHT_ALL),
               budget = cap_to(&env.budget->object, RIGHT_ALL);
    uint64_t mapped;
    handle_t handle;
    unsigned level;
    CHECK_STATUS(map(space, memory, RIGHT_READ | RIGHT_WRITE, 0, 0, 4 * PAGE_SIZE,
                     MAP_READ | MAP_WRITE, &mapped),
                 STATUS_OK);
    CHECK_STATUS(aspace_fault(space, self, mapped, MAP_WRITE), STATUS_OK);
    CHECK_STATUS(continuation_run(self,
                                  sys_memory_clone(self, &cap, &budget, 0, 4 * PAGE_SIZE, &handle)),
                 STATUS_OK);
    struct memory *copy = memory_of(env.published);
    CHECK((arch_pte_flags(pagetable_lookup(space->root, mapped, &level)) & MAP_WRITE) == 0);
    environment_cpu(1);
    aspace_activate(space);
    environment_cpu(0);
    CHECK_STATUS(aspace_fault(space, self, mapped, MAP_WRITE), STATUS_OK);
    CHECK(pagetable_lookup(space->root, mapped, &level) == 0);
    CHECK_STATUS(aspace_fault(space, self, mapped, MAP_READ), STATUS_OK);
    CHECK(pagetable_lookup(space->root, mapped, &level) == 0);
    uint32_t value = 7;
    CHECK_STATUS(user_copy_out(self, mapped, &value, 4), STATUS_OK);
    CHECK(pagetable_lookup(space->root, mapped, &level) == 0);
    value = 0;
    CHECK_STATUS(user_copy_in(self, &value, mapped, 4), STATUS_OK);
    CHECK(value == 7);
    other_cpu_flushes(space);
    CHECK_STATUS(aspace_fault(space, self, mapped, MAP_WRITE), STATUS_OK);
    CHECK((arch_pte_flags(pagetable_lookup(space->root, mapped, &level)) & MAP_WRITE) != 0);
    object_unref(&memory->object);
    object_unref(&copy->object);
    teardown();
}

/* Who is given an address must not reach, on another CPU, what was there before; nor may an entry be made while another CPU may have one
 * of another size (unmapping a part of a large one takes it away as a whole). */
static void test_aspace_new_translations_wait_for_former_ones(void)
{
    setup();
    struct memory *memory = make(4), *linear;
    uint64_t mapped, again, large;
    unsigned level;
    CHECK_STATUS(memory_create_physical(env.budget, 0xc0000000, 4u << 20, &linear), STATUS_OK);
    CHECK_STATUS(map(space, memory, RIGHT_READ, 0, 0, 4 * PAGE_SIZE, MAP_READ, &mapped), STATUS_OK);
    CHECK_STATUS(map(space, linear, RIGHT_READ, 0, 0, 4u << 20, MAP_READ | MAP_POPULATE, &large),
                 STATUS_OK);
    CHECK_STATUS(aspace_fault(space, self, mapped, MAP_READ), STATUS_OK);
    other_cpu_flushes(space);
    hardware_reads(space, mapped, 0);
    CHECK_STATUS(unmap(space, mapped, 4 * PAGE_SIZE), STATUS_OK);
    CHECK_STATUS(map_once(space, memory, RIGHT_READ, 0, 0, 4 * PAGE_SIZE, MAP_READ, &again),
                 KERNEL_RESTART);
    other_cpu_flushes(space);
    CHECK_STATUS(map_once(space, memory, RIGHT_READ, 0, 0, 4 * PAGE_SIZE, MAP_READ, &again),
                 STATUS_OK);
    CHECK(again == mapped);
    hardware_reads(space, large, 1);
    CHECK_STATUS(unmap(space, large, PAGE_SIZE), STATUS_OK);
    CHECK_STATUS(aspace_fault(space, self, large + PAGE_SIZE, MAP_READ), STATUS_OK);
    CHECK(pagetable_lookup(space->root, large + PAGE_SIZE, &level) == 0);
    unsigned flushes = env.page_flushes;
    other_cpu_flushes(space);
    CHECK_STATUS(aspace_fault(space, self, large + PAGE_SIZE, MAP_READ), STATUS_OK);
    CHECK(pagetable_lookup(space->root, large + PAGE_SIZE, &level) != 0 && level == 0);
    CHECK(env.page_flushes > flushes); /* this CPU has not left the kernel either */
    object_unref(&linear->object);
    object_unref(&memory->object);
    teardown();
}

static void test_aspace_large_pages_for_linear_memory(void)
{
    setup();
    struct memory *memory;
    uint64_t mapped;
    unsigned level;
    CHECK_STATUS(memory_create_physical(env.budget, 0xc0100000, 8u << 20, &memory), STATUS_OK);
    CHECK_STATUS(map(space, memory, RIGHT_READ | RIGHT_WRITE, 0, 0, 8u << 20,
                     MAP_READ | MAP_WRITE | MAP_POPULATE, &mapped),
                 STATUS_OK);
    CHECK(pagetable_lookup(space->root, mapped + (2u << 20), &level) != 0 && level == 1);
    CHECK(pagetable_lookup(space->root, mapped, &level) != 0 && level == 0);
    CHECK(space->resident == 2048);
    CHECK_STATUS(unmap(space, mapped + (2u << 20), PAGE_SIZE), STATUS_OK);
    CHECK(pagetable_lookup(space->root, mapped + (2u << 20) + PAGE_SIZE, &level) == 0);
    CHECK_STATUS(aspace_fault(space, self, mapped + (2u << 20) + PAGE_SIZE, MAP_WRITE), STATUS_OK);
    CHECK_STATUS(aspace_fault(space, self, mapped + (2u << 20), MAP_WRITE), STATUS_FAULT);
    object_unref(&memory->object);
    teardown();
}

/* Level of the entry that maps @at in @aspace, and what it allows: 16 and more for a large one; 0 for none. */
static unsigned entry_at(const struct aspace *aspace, uint64_t at)
{
    unsigned level;
    pte_t entry = pagetable_lookup(aspace->root, at, &level);
    return entry == 0 ? 0 : 16 * level + (unsigned)arch_pte_flags(entry);
}
#define LARGE_READ (16u + MAP_READ)
#define LARGE_WRITE (16u + MAP_READ + MAP_WRITE)

/* Write @value + i to page i of @pages from @at on, as user code does: faults, until no more. */
static void fill(struct aspace *aspace, uint64_t at, unsigned pages, uint32_t value)
{
    for (unsigned i = 0; i < pages; i++) {
        unsigned faults = 0;
        while ((entry_at(aspace, at + i * PAGE_SIZE) & MAP_WRITE) == 0 && faults++ < 4) {
            CHECK_STATUS(aspace_fault(aspace, self, at + i * PAGE_SIZE, MAP_WRITE), STATUS_OK);
            aspace_activate(aspace);
        }
        CHECK(faults < 4);
        uint32_t word = value + i;
        CHECK_STATUS(aspace_copy_out(aspace, self, at + i * PAGE_SIZE, &word, 4, NULL), STATUS_OK);
    }
}

static bool is_filled(struct aspace *aspace, uint64_t at, unsigned pages, uint32_t value)
{
    uint32_t word;
    for (unsigned i = 0; i < pages; i++)
        if (!status_is_ok(aspace_copy_in(aspace, self, &word, at + i * PAGE_SIZE, 4, NULL)) ||
            word != value + i)
            return false;
    return true;
}

/* Pages that are written upwards get a large entry, and no page is taken that was not written. */
static void test_aspace_large_pages_are_taken(void)
{
    setup();
    struct memory *memory = make(2 * LARGE_PAGES + 100);
    uint64_t at, before = pagetable_pages(), charged = budget_pages_used();
    CHECK_STATUS(map(space, memory, RIGHT_READ | RIGHT_WRITE, 0, 0, memory->pages << PAGE_SHIFT,
                     MAP_READ | MAP_WRITE, &at),
                 STATUS_OK);
    CHECK(at % LARGE_PAGE_SIZE == 0);
    fill(space, at, 1, 1);
    uint64_t tables = pagetable_pages() - before;
    CHECK(budget_pages_used() == charged + 1 + tables);
    fill(space, at, LARGE_PAGES - 1, 1);
    CHECK(entry_at(space, at) == (MAP_READ | MAP_WRITE) && pagetable_pages() == before + tables);
    CHECK(budget_pages_used() == charged + LARGE_PAGES - 1 + tables);
    fill(space, at, LARGE_PAGES, 1);
    CHECK(entry_at(space, at) == LARGE_WRITE &&
          entry_at(space, at + LARGE_PAGE_SIZE / 2) == LARGE_WRITE);
    environment_grace();
    CHECK(pagetable_pages() == before + tables - 1);
    CHECK(budget_pages_used() == charged + LARGE_PAGES + tables - 1);
    CHECK(space->resident == LARGE_PAGES && is_filled(space, at, LARGE_PAGES, 1));
    fill(space, at, (unsigned)memory->pages, 5);
    CHECK(entry_at(space, at + LARGE_PAGE_SIZE) == LARGE_WRITE);
    CHECK(entry_at(space, at + 2 * LARGE_PAGE_SIZE) == (MAP_READ | MAP_WRITE));
    CHECK(is_filled(space, at, (unsigned)memory->pages, 5) && space->resident == memory->pages);
    object_unref(&memory->object);
    teardown();
}

/* Pages that are no run, or not all of one mapping, keep their table. */
static void test_aspace_large_pages_are_runs(void)
{
    setup();
    const uint64_t at = WINDOW_START;
    for (unsigned what = 0; what < 2; what++) {
        struct memory *memory = make(LARGE_PAGES);
        uint64_t mapped;
        CHECK_STATUS(map(space, memory, RIGHT_READ | RIGHT_WRITE, at, 0, LARGE_PAGE_SIZE,
                         MAP_READ | MAP_WRITE | MAP_FIXED, &mapped),
                     STATUS_OK);
        if (what == 0) { /* one page is taken anew */
            struct cap cap = cap_to(&memory->object, RIGHT_ALL);
            fill(space, at, LARGE_PAGES - 1, 1);
            CHECK_STATUS(sys_memory_discard(self, &cap, 5 * PAGE_SIZE, PAGE_SIZE), STATUS_OK);
            aspace_activate(space);
        } else {
            CHECK_STATUS(protect(space, at, PAGE_SIZE, MAP_READ | MAP_WRITE), STATUS_OK);
        }
        fill(space, at, LARGE_PAGES, 1);
        for (uint64_t i = 0; i < LARGE_PAGES; i++)
            CHECK(entry_at(space, at + i * PAGE_SIZE) == (MAP_READ | MAP_WRITE));
        CHECK_STATUS(unmap(space, at, LARGE_PAGE_SIZE), STATUS_OK);
        object_unref(&memory->object);
        environment_grace();
        aspace_activate(space);
    }
    teardown();
}

/* What a large entry comes instead of, or gives way to, is forgotten by all CPUs first, this one too. */
static void test_aspace_large_pages_wait_for_cpus(void)
{
    setup();
    struct memory *memory = make(2 * LARGE_PAGES);
    struct aspace *other;
    struct cap cap = cap_to(&memory->object, RIGHT_ALL);
    const uint64_t at = WINDOW_START, last = at + (LARGE_PAGES - 1) * PAGE_SIZE;
    uint64_t mapped;
    CHECK_STATUS(map(space, memory, RIGHT_READ | RIGHT_WRITE, at, 0, 2 * LARGE_PAGE_SIZE,
                     MAP_READ | MAP_WRITE | MAP_FIXED, &mapped),
                 STATUS_OK);
    fill(space, at, LARGE_PAGES - 1, 1);
    other_cpu_flushes(space);
    CHECK_STATUS(aspace_fault(space, self, last, MAP_WRITE), STATUS_OK);
    CHECK(entry_at(space, at) == 0);
    CHECK_STATUS(aspace_fault(space, self, at, MAP_READ), STATUS_OK);
    aspace_activate(space);
    CHECK_STATUS(aspace_fault(space, self, at, MAP_READ), STATUS_OK);
    CHECK(entry_at(space, at) == 0); /* the other CPU has not flushed */
    CHECK_STATUS(aspace_create(env.budget, &other), STATUS_OK);
    CHECK_STATUS(map(other, memory, RIGHT_READ, at, 0, 2 * LARGE_PAGE_SIZE, MAP_READ | MAP_FIXED,
                     &mapped),
                 STATUS_OK);
    CHECK_STATUS(aspace_fault(other, self, at, MAP_READ), STATUS_OK);
    CHECK(entry_at(other, at) == 0);
    cpus[1]->aspace = NULL;
    CHECK_STATUS(aspace_fault(space, self, at, MAP_READ), STATUS_OK);
    CHECK(entry_at(space, at) == LARGE_WRITE);
    CHECK_STATUS(aspace_fault(other, self, at, MAP_READ), STATUS_OK);
    CHECK(entry_at(other, at) == LARGE_READ);
    /* The same, but this CPU is the last one. */
    fill(space, at + LARGE_PAGE_SIZE, LARGE_PAGES - 1, 1);
    CHECK_STATUS(aspace_fault(space, self, last + LARGE_PAGE_SIZE, MAP_WRITE), STATUS_OK);
    CHECK_STATUS(aspace_fault(space, self, last + LARGE_PAGE_SIZE, MAP_WRITE), STATUS_OK);
    CHECK(entry_at(space, last + LARGE_PAGE_SIZE) == 0);
    aspace_activate(space);
    CHECK_STATUS(aspace_fault(space, self, last + LARGE_PAGE_SIZE, MAP_WRITE), STATUS_OK);
    CHECK(entry_at(space, last + LARGE_PAGE_SIZE) == LARGE_WRITE);
    /* A page that was discarded is not there again while another CPU may use the large entry. */
    other_cpu_flushes(space);
    uint64_t index = 7;
    CHECK_STATUS(sys_memory_discard(self, &cap, index * PAGE_SIZE, PAGE_SIZE), STATUS_OK);
    CHECK(entry_at(space, at) == 0);
    aspace_activate(space);
    CHECK_STATUS(aspace_fault(space, self, at + index * PAGE_SIZE, MAP_WRITE), STATUS_OK);
    CHECK(entry_at(space, at + index * PAGE_SIZE) == 0);
    other_cpu_flushes(space);
    CHECK_STATUS(aspace_fault(space, self, at + index * PAGE_SIZE, MAP_WRITE), STATUS_OK);
    CHECK(entry_at(space, at + index * PAGE_SIZE) == (MAP_READ | MAP_WRITE));
    CHECK(space->resident == LARGE_PAGES + 1);
    object_unref(&other->object);
    object_unref(&memory->object);
    teardown();
}

/* What each thing that is done to a part leaves of a large entry. */
static void test_aspace_large_pages_give_way(void)
{
    setup();
    const uint64_t at = WINDOW_START;
    struct cap budget = cap_to(&env.budget->object, RIGHT_ALL);
    uint64_t mapped;
    for (unsigned what = 0; what < 7; what++) {
        struct memory *memory = make(LARGE_PAGES), *clone;
        struct cap cap = cap_to(&memory->object, RIGHT_ALL);
        struct page_use use = {0};
        uint64_t start = at + 9 * PAGE_SIZE;
        handle_t handle;
        uint32_t word = 0;
        CHECK_STATUS(map(space, memory, RIGHT_READ | RIGHT_WRITE, at, 0, LARGE_PAGE_SIZE,
                         MAP_READ | MAP_WRITE | MAP_FIXED, &mapped),
                     STATUS_OK);
        fill(space, at, LARGE_PAGES, 1);
        CHECK(entry_at(space, at) == LARGE_WRITE && space->resident == LARGE_PAGES);
        switch (what) {
        case 0:
            CHECK_STATUS(unmap(space, at + 5 * PAGE_SIZE, PAGE_SIZE), STATUS_OK);
            CHECK(entry_at(space, at) == 0 && space->resident == 0);
            fill(space, at + 6 * PAGE_SIZE, LARGE_PAGES - 6, 7);
            CHECK(entry_at(space, at + 6 * PAGE_SIZE) == (MAP_READ | MAP_WRITE));
            CHECK(is_filled(space, at, 5, 1) && entry_at(space, at + 5 * PAGE_SIZE) == 0);
            break;
        case 1: /* to more: the entry stays until more is wanted */
            CHECK_STATUS(protect(space, at, LARGE_PAGE_SIZE, MAP_READ), STATUS_OK);
            CHECK_STATUS(aspace_fault(space, self, at, MAP_READ), STATUS_OK);
            aspace_activate(space);
            CHECK_STATUS(aspace_fault(space, self, at, MAP_READ), STATUS_OK);
            CHECK(entry_at(space, at) == LARGE_READ);
            CHECK_STATUS(protect(space, at, PAGE_SIZE, MAP_READ | MAP_WRITE), STATUS_OK);
            fill(space, at, 1, 1);
            CHECK(entry_at(space, at) == (MAP_READ | MAP_WRITE));
            CHECK(entry_at(space, at + PAGE_SIZE) == 0);
            CHECK_STATUS(aspace_fault(space, self, at + 2 * PAGE_SIZE, MAP_WRITE), STATUS_FAULT);
            CHECK_STATUS(unmap(space, at, LARGE_PAGE_SIZE), STATUS_OK);
            aspace_activate(space);
            CHECK_STATUS(map(space, memory, RIGHT_READ | RIGHT_EXECUTE, at, 0, LARGE_PAGE_SIZE,
                             MAP_READ | MAP_FIXED, &mapped),
                         STATUS_OK);
            CHECK_STATUS(aspace_fault(space, self, at, MAP_READ), STATUS_OK);
            CHECK(entry_at(space, at) == LARGE_READ);
            CHECK_STATUS(protect(space, at, LARGE_PAGE_SIZE, MAP_READ | MAP_EXECUTE), STATUS_OK);
            for (unsigned i = 0; i < 2; i++) {
                CHECK_STATUS(aspace_fault(space, self, at, MAP_EXECUTE), STATUS_OK);
                aspace_activate(space);
            }
            CHECK(entry_at(space, at) == (MAP_READ | MAP_EXECUTE));
            break;
        case 2:
            CHECK_STATUS(sys_memory_discard(self, &cap, 3 * PAGE_SIZE, PAGE_SIZE), STATUS_OK);
            CHECK(entry_at(space, at) == 0);
            CHECK_STATUS(aspace_copy_in(space, self, &word, at + 3 * PAGE_SIZE, 4, NULL),
                         STATUS_OK);
            CHECK(word == 0);
            fill(space, at + 3 * PAGE_SIZE, 1, 4);
            break;
        case 3:
        case 4: /* of a clone that is gone nothing is left, but what was copied for it */
            CHECK_STATUS(continuation_run(self, sys_memory_clone(self, &cap, &budget, 0,
                                                                 LARGE_PAGE_SIZE, &handle)),
                         STATUS_OK);
            clone = memory_of(env.published);
            CHECK(entry_at(space, at) == LARGE_READ);
            if (what == 3) {
                fill(space, at + 4 * PAGE_SIZE, 1, 1000);
                CHECK(entry_at(space, at + 4 * PAGE_SIZE) == (MAP_READ | MAP_WRITE));
                CHECK_STATUS(aspace_fault(space, self, at + 5 * PAGE_SIZE, MAP_READ), STATUS_OK);
                CHECK(entry_at(space, at + 5 * PAGE_SIZE) == MAP_READ);
            }
            object_unref(&clone->object);
            environment_grace();
            fill(space, at + 4 * PAGE_SIZE, 1, 5);
            CHECK(entry_at(space, at + 4 * PAGE_SIZE) ==
                  (what == 3 ? MAP_READ | MAP_WRITE : LARGE_WRITE));
            break;
        case 5:
            CHECK_STATUS(aspace_age(space, &start, &use), STATUS_OK);
            CHECK(start == ((at + 9 * PAGE_SIZE) | PAGE_USE_LARGE) && use.present == 1 &&
                  use.written == 1);
            CHECK(entry_at(space, at) == LARGE_READ);
            CHECK_STATUS(aspace_fault(space, self, at, MAP_READ), STATUS_OK);
            CHECK(entry_at(space, at) == LARGE_READ);
            CHECK_STATUS(aspace_fault(space, self, at, MAP_WRITE), STATUS_OK);
            CHECK(entry_at(space, at) == LARGE_READ); /* this CPU has not flushed */
            aspace_activate(space);
            CHECK_STATUS(aspace_fault(space, self, at, MAP_WRITE), STATUS_OK);
            CHECK(entry_at(space, at) == LARGE_WRITE);
            break;
        default:
            for (unsigned i = 0; i < 2; i++) {
                CHECK_STATUS(sys_memory_set_size(self, &cap, LARGE_PAGE_SIZE - (1 - i) * PAGE_SIZE),
                             STATUS_OK);
                CHECK(entry_at(space, at) == 0);
                aspace_activate(space);
                CHECK_STATUS(aspace_fault(space, self, at, MAP_WRITE), STATUS_OK);
                CHECK(entry_at(space, at) == (MAP_READ | MAP_WRITE));
                CHECK_STATUS(protect(space, at, LARGE_PAGE_SIZE, 0), STATUS_OK);
                CHECK_STATUS(protect(space, at, LARGE_PAGE_SIZE, MAP_READ | MAP_WRITE), STATUS_OK);
            }
            fill(space, at + LARGE_PAGE_SIZE - PAGE_SIZE, 1, LARGE_PAGES);
        }
        CHECK(what == 0 || is_filled(space, at, LARGE_PAGES, 1));
        CHECK_STATUS(unmap(space, at, LARGE_PAGE_SIZE), STATUS_OK);
        CHECK(space->resident == 0);
        object_unref(&memory->object);
        environment_grace();
        aspace_activate(space);
    }
    teardown();
}

static void test_aspace_copies_between_spaces(void)
{
    setup();
    struct memory *memory = make(20), *other = make(20);
    struct aspace *second;
    struct thread *thread;
    uint64_t here, there;
    size_t done;
    uint64_t done64;
    CHECK_STATUS(aspace_create(env.budget, &second), STATUS_OK);
    thread = thread_make(second);
    CHECK_STATUS(map(space, memory, RIGHT_READ | RIGHT_WRITE, 0, 0, 10 * PAGE_SIZE,
                     MAP_READ | MAP_WRITE, &here),
                 STATUS_OK);
    CHECK_STATUS(map(second, other, RIGHT_READ | RIGHT_WRITE, 0, 0, 20 * PAGE_SIZE,
                     MAP_READ | MAP_WRITE, &there),
                 STATUS_OK);
    static uint8_t data[12 * 4096], back[12 * 4096];
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)random_u32();
    CHECK_STATUS(user_copy_out(thread, there + 100, data, sizeof(data)), STATUS_OK);
    CHECK_STATUS(aspace_copy(space, here + 33, second, there + 100, 9 * PAGE_SIZE, &done),
                 STATUS_OK);
    CHECK(done == 9 * PAGE_SIZE);
    CHECK_STATUS(user_copy_in(self, back, here + 33, 9 * PAGE_SIZE), STATUS_OK);
    CHECK(memcmp(data, back, 9 * PAGE_SIZE) == 0);
    CHECK_STATUS(aspace_copy(space, here + 33, second, there + 100, 12 * PAGE_SIZE, &done),
                 STATUS_FAULT);
    CHECK(done == 10 * PAGE_SIZE - 33);
    CHECK_STATUS(aspace_copy(space, UINT64_MAX - 10, second, there, 100, &done), STATUS_FAULT);
    CHECK(done == 0);
    struct cap cap = cap_to(&second->object, RIGHT_ALL);
    env.yield_every = 1;
    status_t status;
    while ((status = sys_aspace_read(self, &cap, there + 15 * PAGE_SIZE,
                                     (struct user_out){here, 8 * PAGE_SIZE}, &done64)) ==
           KERNEL_RESTART) {
    }
    CHECK_STATUS(status, STATUS_OK);
    CHECK(done64 == 5 * PAGE_SIZE);
    env.yield_every = 0;
    uint32_t old, value;
    CHECK_STATUS(sys_aspace_cmpxchg32(self, &cap, there + 1, 0, 1, &old), STATUS_INVALID);
    CHECK_STATUS(sys_aspace_cmpxchg32(self, &cap, there, 0, 9, &old), STATUS_OK);
    CHECK(old == 0);
    CHECK_STATUS(sys_aspace_cmpxchg32(self, &cap, there, 0, 10, &old), STATUS_OK);
    CHECK(old == 9);
    CHECK_STATUS(sys_aspace_load32(self, &cap, there, &value), STATUS_OK);
    CHECK(value == 9);
    object_unref(&memory->object);
    object_unref(&other->object);
    object_unref(&second->object);
    environment_grace();
    thread_free(thread);
    teardown();
}

/* ── The tree of mappings ─────────────────────────────────────────────────────────────────────────────────────────── */

/* Ranks, parents, order, and what nodes know of free ranges; how many nodes there are. */
static unsigned tree_check(const struct mapping_tree *tree, const struct mapping *node)
{
    if (node == NULL)
        return 0;
    uint8_t room = node->room;
    unsigned nodes = 1;
    for (unsigned side = 0; side < 2; side++) {
        const struct mapping *child = node->child[side];
        if (child == NULL)
            continue;
        CHECK(child->parent == node && child->rank < node->rank);
        CHECK((child->start < node->start) == (side == 0));
        room = MAX(room, child->room_max);
        nodes += tree_check(tree, child);
    }
    const struct mapping *before = mapping_previous(tree, node);
    uint64_t free = node->start - (before == NULL ? 0 : mapping_end(before));
    CHECK(free == 0 ? node->room == 0
                    : free >> (node->room - 1) == 1); /* none here is of the last order */
    CHECK(node->room_max == room);
    return nodes;
}

static void test_mapping_tree_random_operations(void)
{
    static struct mapping nodes[500];
    static bool busy[1000];
    struct mapping_tree tree = {0};
    unsigned count = 0;
    list_init(&tree.order);
    memset(busy, 0, sizeof(busy));
    memset(nodes, 0, sizeof(nodes));
    for (unsigned round = 0; round < 20000; round++) {
        struct mapping *node = &nodes[random_below(500)];
        if (node->pages != 0) {
            uint64_t at = node->start / PAGE_SIZE;
            if (node->pages > 1 && random_u32() % 4 == 0) {
                busy[at] = false;
                node->start += PAGE_SIZE;
                node->pages--;
                mapping_moved(&tree, node);
            } else {
                mapping_remove(&tree, node);
                count--;
                for (uint64_t i = 0; i < node->pages; i++)
                    busy[at + i] = false;
                node->pages = 0;
            }
        } else {
            uint64_t pages = 1 + random_below(4), base = 1 + random_below(900), best = 0;
            for (uint64_t at = base; best == 0 && at + pages <= 1000; at++) {
                best = at;
                for (uint64_t i = 0; i < pages; i++)
                    if (busy[at + i])
                        best = 0;
            }
            CHECK(mapping_gap(&tree, base * PAGE_SIZE, 1000 * PAGE_SIZE, pages * PAGE_SIZE) ==
                  best * PAGE_SIZE);
            if (best == 0)
                continue;
            node->start = best * PAGE_SIZE;
            node->pages = pages;
            for (uint64_t i = 0; i < pages; i++)
                busy[best + i] = true;
            mapping_insert(&tree, node, mapping_find(&tree, node->start));
            count++;
        }
        uint64_t probe = random_below(1000);
        const struct mapping *found = mapping_find(&tree, probe * PAGE_SIZE);
        uint64_t first = probe;
        while (first < 1000 && !busy[first])
            first++;
        CHECK((found == NULL) == (first == 1000));
        CHECK(found == NULL ||
              (found->start <= first * PAGE_SIZE && mapping_end(found) > first * PAGE_SIZE));
        if (round % 100 == 0)
            CHECK(tree_check(&tree, tree.root) == count);
    }
}

static unsigned depth_of(const struct mapping *node)
{
    return node == NULL ? 0 : 1 + MAX(depth_of(node->child[0]), depth_of(node->child[1]));
}

/* 4,095 mappings that come by address, the worst order, and half of them going: 1.44 times the logarithm, which no search leaves. Then more
 * ranges that are too small than a search looks at. */
static void test_mapping_tree_stays_low_and_finds_room_among_many(void)
{
    static struct mapping nodes[4095];
    struct mapping_tree tree = {0};
    list_init(&tree.order);
    memset(nodes, 0, sizeof(nodes));
    for (uint64_t i = 0; i < 4095; i++) {
        nodes[i].start = (1 + i * 4) * PAGE_SIZE;
        nodes[i].pages = 2;
        mapping_insert(&tree, &nodes[i], NULL);
    }
    CHECK(depth_of(tree.root) <= 17);
    for (uint64_t i = 0; i < 4095; i += 2)
        mapping_remove(&tree, &nodes[i]);
    CHECK(depth_of(tree.root) <= 17);
    CHECK(tree_check(&tree, tree.root) == 2047);
    /* All are of 6 pages: a search for 7 gives up looking at each, and takes what lies behind them all. */
    CHECK(mapping_gap(&tree, PAGE_SIZE, ARCH_USER_END, 6 * PAGE_SIZE) == 7 * PAGE_SIZE);
    CHECK(mapping_gap(&tree, PAGE_SIZE, ARCH_USER_END, 7 * PAGE_SIZE) == mapping_end(&nodes[4093]));
    /* But one of 16 pages is found, wherever it is. */
    mapping_remove(&tree, &nodes[3001]);
    CHECK(mapping_gap(&tree, PAGE_SIZE, ARCH_USER_END, 8 * PAGE_SIZE) == mapping_end(&nodes[2999]));
    CHECK(mapping_gap(&tree, PAGE_SIZE, mapping_end(&nodes[2999]) + 8 * PAGE_SIZE, 8 * PAGE_SIZE) ==
          mapping_end(&nodes[2999]));
    CHECK(mapping_gap(&tree, PAGE_SIZE, mapping_end(&nodes[2999]) + 7 * PAGE_SIZE, 8 * PAGE_SIZE) ==
          0);
}

/* ── Copies of address spaces ─────────────────────────────────────────────────────────────────────────────────────── */

static status_t clone_begin(struct aspace *source)
{
    struct cap budget = cap_to(&env.budget->object, RIGHT_SPEND),
               cap = cap_to(&source->object, RIGHT_ALL);
    handle_t handle;
    env.published = NULL;
    return sys_aspace_clone(self, &cap, &budget, &handle);
}

static struct aspace *clone_aspace(struct aspace *source)
{
    CHECK_STATUS(continuation_run(self, clone_begin(source)), STATUS_OK);
    return aspace_of(env.published);
}

static uint32_t word_in(struct aspace *aspace, uint64_t address)
{
    uint32_t word = 0xdeadbeef;
    CHECK_STATUS(aspace_copy_in(aspace, self, &word, address, 4, NULL), STATUS_OK);
    return word;
}

static void word_into(struct aspace *aspace, uint64_t address, uint32_t word)
{
    CHECK_STATUS(aspace_copy_out(aspace, self, address, &word, 4, NULL), STATUS_OK);
}

static uint64_t map_at(struct memory *memory, uint64_t address, uint64_t offset, uint64_t pages,
                       uint32_t flags)
{
    uint64_t mapped;
    CHECK_STATUS(map(space, memory, MEMORY_RIGHTS, address, offset, pages * PAGE_SIZE,
                     MAP_FIXED | MAP_READ | flags, &mapped),
                 STATUS_OK);
    return mapped;
}

static void test_aspace_clone_copies_as_flags_say(void)
{
    setup();
    const uint64_t at = WINDOW_START;
    struct memory *memory = make(40), *shared = make(2), *none = make(2), *zero = make(2);
    struct cap cap = cap_to(&space->object, RIGHT_ALL);
    struct mapping_info info;
    map_at(memory, at, 2 * PAGE_SIZE, 20, MAP_WRITE);
    CHECK_STATUS(protect(space, at + 5 * PAGE_SIZE, PAGE_SIZE, MAP_READ), STATUS_OK);
    map_at(shared, at + 30 * PAGE_SIZE, 0, 2, MAP_WRITE | MAP_CLONE_SHARED);
    map_at(none, at + 40 * PAGE_SIZE, 0, 2, MAP_WRITE | MAP_CLONE_NONE);
    map_at(zero, at + 50 * PAGE_SIZE, 0, 2, MAP_WRITE);
    CHECK_STATUS(protect(space, at + 51 * PAGE_SIZE, PAGE_SIZE,
                         MAP_READ | MAP_WRITE | MAP_CLONE_ZERO),
                 STATUS_OK);
    CHECK_STATUS(sys_aspace_query(self, &cap, at + 51 * PAGE_SIZE, &info), STATUS_OK);
    CHECK(info.prot == (MAP_READ | MAP_WRITE | MAP_CLONE_ZERO) && info.length == PAGE_SIZE);
    for (unsigned i = 0; i < 60; i++)
        if (i < 5 || (i > 5 && i < 20) || i == 30 || i == 40 || i == 50 || i == 51)
            word_into(space, at + i * PAGE_SIZE, i + 1);
    env.yield_every = 1;
    struct aspace *copy = clone_aspace(space);
    env.yield_every = 0;
    word_into(space, at, 100);
    word_into(copy, at + PAGE_SIZE, 101);
    word_into(space, at + 30 * PAGE_SIZE, 102);
    CHECK(word_in(copy, at) == 1 && word_in(space, at + PAGE_SIZE) == 2);
    CHECK(word_in(copy, at + 19 * PAGE_SIZE) == 20 && word_in(copy, at + 5 * PAGE_SIZE) == 0);
    CHECK(word_in(copy, at + 30 * PAGE_SIZE) == 102);
    CHECK(word_in(copy, at + 50 * PAGE_SIZE) == 51 && word_in(copy, at + 51 * PAGE_SIZE) == 0);
    uint32_t word = 0;
    CHECK_STATUS(aspace_copy_in(copy, self, &word, at + 40 * PAGE_SIZE, 4, NULL), STATUS_FAULT);
    CHECK_STATUS(aspace_copy_out(copy, self, at + 5 * PAGE_SIZE, &word, 4, NULL), STATUS_FAULT);
    struct cap copy_cap = cap_to(&copy->object, RIGHT_ALL);
    CHECK_STATUS(sys_aspace_query(self, &copy_cap, at + 51 * PAGE_SIZE, &info), STATUS_OK);
    CHECK(info.prot == (MAP_READ | MAP_WRITE | MAP_CLONE_ZERO) && info.cookie == 42);
    /* What is shared is revoked there too; what is private is not. */
    leaves_sever(&shared->object);
    leaves_sever(&memory->object);
    CHECK_STATUS(aspace_copy_in(copy, self, &word, at + 30 * PAGE_SIZE, 4, NULL), STATUS_FAULT);
    CHECK(word_in(copy, at) == 1);
    CHECK_STATUS(unmap(copy, at, 60 * PAGE_SIZE), STATUS_OK);
    object_unref(&copy->object);
    object_unref(&memory->object);
    object_unref(&shared->object);
    object_unref(&none->object);
    object_unref(&zero->object);
    teardown();
}

/* Files: private over what the file becomes, shared, and behind its end. */
static void test_aspace_clone_of_file_mappings(void)
{
    setup();
    const uint64_t at = WINDOW_START;
    struct memory *file, *source = make(4);
    CHECK_STATUS(memory_create(env.budget, 4 * PAGE_SIZE, MEMORY_PAGED, &file), STATUS_OK);
    struct cap file_cap = cap_to(&file->object, RIGHT_ALL),
               from = cap_to(&source->object, RIGHT_ALL);
    CHECK_STATUS(sys_memory_supply(self, &file_cap, 0, &from, 0, 4 * PAGE_SIZE, 0), STATUS_OK);
    map_at(file, at, 0, 4, MAP_WRITE);
    map_at(file, at + 10 * PAGE_SIZE, 0, 4, MAP_WRITE | MAP_CLONE_SHARED);
    struct aspace *copy = clone_aspace(space);
    word_into(space, at, 1);
    word_into(copy, at + 11 * PAGE_SIZE, 2);
    CHECK(word_in(copy, at) == 1 && word_in(copy, at + PAGE_SIZE) == 2 &&
          word_in(space, at + PAGE_SIZE) == 2);
    word_into(copy, at, 3);
    CHECK(word_in(copy, at) == 3 && word_in(space, at) == 1);
    struct aspace *second = clone_aspace(copy);
    word_into(copy, at, 4);
    CHECK(word_in(second, at) == 3);
    CHECK_STATUS(sys_memory_set_size(self, &file_cap, PAGE_SIZE), STATUS_OK);
    object_unref(&second->object);
    second = clone_aspace(space);
    CHECK(word_in(second, at) == 1);
    CHECK_STATUS(aspace_fault(second, self, at + PAGE_SIZE, MAP_READ), STATUS_RANGE);
    object_unref(&second->object);
    object_unref(&copy->object);
    object_unref(&file->object);
    object_unref(&source->object);
    teardown();
}

/* Killed at every preemption point, and out of memory at every allocation: nothing is left (environment_end() looks). */
static void test_aspace_clone_cut_anywhere_leaves_nothing(void)
{
    setup();
    struct memory *memory = make(MEMORY_PAGES), *shared = make(4);
    for (unsigned i = 0; i < 6; i++) {
        map_at(memory, WINDOW_START + i * 30 * PAGE_SIZE, i * 25 * PAGE_SIZE, 25, MAP_WRITE);
        for (unsigned j = 0; j < 25; j++)
            word_into(space, WINDOW_START + (i * 30 + j) * PAGE_SIZE, j);
    }
    map_at(shared, WINDOW_START + 200 * PAGE_SIZE, 0, 4, MAP_WRITE | MAP_CLONE_SHARED);
    environment_grace();
    uint64_t before = budget_pages_used();
    status_t status = STATUS_INTERRUPTED;
    env.yield_every = 1;
    unsigned steps = 0;
    for (; status == STATUS_INTERRUPTED; steps++) {
        CHECK_STATUS(clone_begin(space), KERNEL_DONE);
        for (unsigned i = 0; i < steps && self->continuation != NULL; i++) {
            if (thread_is_waiting(self))
                environment_grace();
            self->continuation(self);
        }
        self->attention = ATTENTION_KILL;
        status = continuation_run(self, KERNEL_DONE);
        self->attention = 0;
        if (status == STATUS_OK)
            object_unref(env.published);
        environment_grace();
        CHECK(budget_pages_used() == before);
    }
    CHECK_STATUS(status, STATUS_OK);
    CHECK(steps > 12);
    env.yield_every = 0;
    uint64_t kmem = 0;
    do {
        budget_limits(UINT32_MAX, kmem);
        status = continuation_run(self, clone_begin(space));
        CHECK(status == STATUS_OK || status == STATUS_NO_MEMORY);
        if (status == STATUS_OK)
            object_unref(env.published);
        environment_grace();
        CHECK(budget_pages_used() == before);
        kmem += 200;
    } while (status != STATUS_OK);
    CHECK(kmem > 2000);
    object_unref(&memory->object);
    object_unref(&shared->object);
    teardown();
}

/* The last of 10,000 copies, each of the one before it, is as far from its pages as the first, and has as many nodes. */
static void test_aspace_clone_chain_has_constant_cost(void) NO_THREAD_SAFETY
{
    setup();
    struct memory *memory = make(MEMORY_PAGES);
    map_at(memory, WINDOW_START, 0, MEMORY_PAGES, MAP_WRITE);
    for (unsigned i = 0; i < MEMORY_PAGES; i++)
        word_into(space, WINDOW_START + i * PAGE_SIZE, i);
    struct aspace *at = clone_aspace(space);
    uint64_t nodes = 0;
    for (unsigned i = 0; i < 10000; i++) {
        struct aspace *next = clone_aspace(at);
        word_into(next, WINDOW_START + i % MEMORY_PAGES * PAGE_SIZE, i);
        object_unref(&at->object);
        environment_grace();
        at = next;
        if (i == MEMORY_PAGES)
            nodes = radix_nodes();
    }
    CHECK(radix_nodes() == nodes);
    const struct memory *last = at->mappings.root->memory;
    CHECK(last->tree.levels == memory->tree.levels && last->parent == NULL);
    for (unsigned i = 10000 - MEMORY_PAGES; i < 10000; i++)
        CHECK(word_in(at, WINDOW_START + i % MEMORY_PAGES * PAGE_SIZE) == i);
    CHECK(word_in(space, WINDOW_START + 7 * PAGE_SIZE) == 7);
    object_unref(&at->object);
    object_unref(&memory->object);
    teardown();
}

const struct test aspace_tests[] = {
    {"test_mapping_tree_random_operations", test_mapping_tree_random_operations},
    {"test_mapping_tree_stays_low_and_finds_room_among_many",
     test_mapping_tree_stays_low_and_finds_room_among_many},
    {"test_aspace_map_checks_its_arguments", test_aspace_map_checks_its_arguments},
    {"test_aspace_chosen_addresses_are_random_and_apart",
     test_aspace_chosen_addresses_are_random_and_apart},
    {"test_aspace_tables_that_go_are_flushed", test_aspace_tables_that_go_are_flushed},
    {"test_aspace_one_page_is_flushed_at_once", test_aspace_one_page_is_flushed_at_once},
    {"test_aspace_failures_change_nothing", test_aspace_failures_change_nothing},
    {"test_aspace_revocation_takes_mappings_away", test_aspace_revocation_takes_mappings_away},
    {"test_aspace_the_place_of_what_was_unmapped_is_kept",
     test_aspace_the_place_of_what_was_unmapped_is_kept},
    {"test_aspace_a_place_is_not_taken_before_its_leaf_has_gone",
     test_aspace_a_place_is_not_taken_before_its_leaf_has_gone},
    {"test_aspace_new_translations_wait_for_former_ones",
     test_aspace_new_translations_wait_for_former_ones},
    {"test_aspace_write_waits_for_stale_readers", test_aspace_write_waits_for_stale_readers},
    {"test_aspace_large_pages_for_linear_memory", test_aspace_large_pages_for_linear_memory},
    {"test_aspace_large_pages_are_taken", test_aspace_large_pages_are_taken},
    {"test_aspace_large_pages_are_runs", test_aspace_large_pages_are_runs},
    {"test_aspace_large_pages_wait_for_cpus", test_aspace_large_pages_wait_for_cpus},
    {"test_aspace_large_pages_give_way", test_aspace_large_pages_give_way},
    {"test_aspace_copies_between_spaces", test_aspace_copies_between_spaces},
    {"test_aspace_random_operations", test_aspace_random_operations},
    {"test_aspace_clone_copies_as_flags_say", test_aspace_clone_copies_as_flags_say},
    {"test_aspace_clone_of_file_mappings", test_aspace_clone_of_file_mappings},
    {"test_aspace_clone_cut_anywhere_leaves_nothing",
     test_aspace_clone_cut_anywhere_leaves_nothing},
    {"test_aspace_clone_chain_has_constant_cost", test_aspace_clone_chain_has_constant_cost},
    {NULL, NULL},
};
