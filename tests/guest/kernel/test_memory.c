/* Memory objects and address spaces. */
#include "guest.h"

#include <kstring.h>

static void test_memory_reads_and_writes(void)
{
    handle_t memory = memory_new(3, 0);
    char text[32] = {0};
    uint64_t bytes, present;

    CHECK(word_of(memory, 8) == 0);
    OK(sys_memory_write(memory, PAGE_SIZE - 4, "across pages", 12));
    OK(sys_memory_read(memory, PAGE_SIZE - 4, text, 12));
    CHECK(memcmp(text, "across pages", 12) == 0);
    CHECK_STATUS(STATUS_RANGE, sys_memory_read(memory, 3 * PAGE_SIZE - 4, text, 8));
    CHECK_STATUS(STATUS_RANGE, sys_memory_write(memory, UINT64_MAX - 2, text, 8));
    OK(sys_memory_size(memory, &bytes));
    CHECK(bytes == 3 * PAGE_SIZE);
    OK(sys_memory_query(memory, 0, 3 * PAGE_SIZE, &present));
    CHECK(present == 2 || present == 3);
    OK(sys_memory_discard(memory, 0, PAGE_SIZE));
    CHECK(word_of(memory, PAGE_SIZE - 8) == 0);
    CHECK_STATUS(STATUS_RANGE, sys_memory_discard(memory, 2 * PAGE_SIZE, 2 * PAGE_SIZE));
    CHECK_STATUS(STATUS_INVALID, sys_memory_create(info->budget, PAGE_SIZE, 1u << 20, &memory));
    handle_t weak = with_rights(memory, RIGHT_READ);

    CHECK_STATUS(STATUS_DENIED, sys_memory_write(weak, 0, text, 1));
    close_handle(weak);
    close_handle(memory);
}

static void test_memory_size_changes(void)
{
    handle_t memory = memory_new(4, 0);
    uint64_t bytes;

    word_to(memory, 3 * PAGE_SIZE, 77);
    OK(sys_memory_set_size(memory, 2 * PAGE_SIZE));
    OK(sys_memory_size(memory, &bytes));
    CHECK(bytes == 2 * PAGE_SIZE);
    OK(sys_memory_set_size(memory, 8 * PAGE_SIZE));
    CHECK(word_of(memory, 3 * PAGE_SIZE) == 0);
    close_handle(memory);
}

static void test_memory_clones_are_copies(void)
{
    handle_t first = memory_new(4, 0), second, third, part;

    word_to(first, 0, 1);
    word_to(first, PAGE_SIZE, 2);
    OK(sys_memory_clone(first, info->budget, 0, 4 * PAGE_SIZE, &second));
    OK(sys_memory_clone(second, info->budget, 0, 4 * PAGE_SIZE, &third));
    OK(sys_memory_clone(first, info->budget, PAGE_SIZE, PAGE_SIZE, &part));
    word_to(first, 0, 11);
    word_to(second, PAGE_SIZE, 22);
    word_to(third, 3 * PAGE_SIZE, 33);
    CHECK(word_of(first, 0) == 11 && word_of(second, 0) == 1 && word_of(third, 0) == 1);
    CHECK(word_of(first, PAGE_SIZE) == 2 && word_of(second, PAGE_SIZE) == 22 &&
          word_of(third, PAGE_SIZE) == 2);
    CHECK(word_of(first, 3 * PAGE_SIZE) == 0 && word_of(third, 3 * PAGE_SIZE) == 33);
    CHECK(word_of(part, 0) == 2);
    close_handle(first);
    CHECK(word_of(second, 0) == 1 && word_of(part, 0) == 2);
    CHECK_STATUS(STATUS_RANGE,
                 sys_memory_clone(second, info->budget, 3 * PAGE_SIZE, 2 * PAGE_SIZE, &first));
    close_handle(second);
    close_handle(third);
    close_handle(part);
}

/* A chain of clones, each written to, as a shell's forks make it. */
static void test_memory_clone_chain(void)
{
    handle_t at = memory_new(8, 0), next;

    for (uint64_t i = 0; i < 200; i++) {
        word_to(at, i % 8 * PAGE_SIZE, i);
        OK(sys_memory_clone(at, info->budget, 0, 8 * PAGE_SIZE, &next));
        close_handle(at);
        at = next;
    }
    for (uint64_t i = 192; i < 200; i++)
        CHECK(word_of(at, i % 8 * PAGE_SIZE) == i);
    close_handle(at);
}

/* What is mapped is shared until a clone is made, then copied page by page on writing, on both sides. */
static void test_memory_clone_of_mapped_pages(void)
{
    handle_t memory, clone;
    volatile uint64_t *words = map_new(4 * PAGE_SIZE, &memory);

    words[0] = 5;
    CHECK(word_of(memory, 0) == 5);
    OK(sys_memory_clone(memory, info->budget, 0, 4 * PAGE_SIZE, &clone));
    words[0] = 6;
    words[512] = 7;
    CHECK(word_of(memory, 0) == 6 && word_of(clone, 0) == 5 && word_of(clone, PAGE_SIZE) == 0);
    volatile uint64_t *cloned = (volatile uint64_t *)map_memory(clone, 4, MAP_READ | MAP_WRITE);

    CHECK(cloned[0] == 5);
    cloned[0] = 8;
    CHECK(words[0] == 6 && word_of(clone, 0) == 8);
    unmap((void *)(uintptr_t)cloned, 4 * PAGE_SIZE);
    unmap((void *)(uintptr_t)words, 4 * PAGE_SIZE);
    close_handle(clone);
    close_handle(memory);
}

/* A page that another CPU looks at or writes all the time. */
struct busy_page {
    handle_t memory;
    volatile uint64_t *words; /* where it is mapped, or NULL: system calls look and write */
    bool stop;
    uint64_t found; /* looks that showed a SECRET */
};

/* The worker's value counts its turns: wait for the first. */
static void busy_page_begin(struct busy_page *page, bool mapped, struct worker *worker,
                            void (*run)(struct worker *))
{
    page->memory = memory_new(1, 0);
    page->words =
        mapped ? (volatile uint64_t *)map_memory(page->memory, 1, MAP_READ | MAP_WRITE) : NULL;
    page->stop = false;
    page->found = 0;
    worker_start(worker, run, page);
    CHECK(EVENTUALLY(__atomic_load_n(&worker->value, __ATOMIC_RELAXED) != 0));
}

static void busy_page_end(struct busy_page *page, struct worker *worker)
{
    __atomic_store_n(&page->stop, true, __ATOMIC_RELAXED);
    CHECK(worker_join(worker));
    if (page->words != NULL)
        unmap((void *)(uintptr_t)page->words, PAGE_SIZE);
    close_handle(page->memory);
}

/* Write it, each time another number into all of its words. */
static void busy_page_write(struct worker *self)
{
    static uint64_t numbers[PAGE_SIZE / 8];
    struct busy_page *page = self->context;

    for (uint64_t turn = 1; !__atomic_load_n(&page->stop, __ATOMIC_RELAXED); turn++) {
        volatile uint64_t *words = page->words != NULL ? page->words : numbers;
        for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
            words[i] = turn;
        if (page->words == NULL)
            OK(sys_memory_write(page->memory, 0, numbers, PAGE_SIZE));
        __atomic_store_n(&self->value, turn, __ATOMIC_RELAXED);
    }
}

/* What a clone shows first it shows for ever, though the source is written while it is made. */
static bool clone_stays_as_it_is(handle_t memory)
{
    static uint8_t first[PAGE_SIZE], later[PAGE_SIZE];
    bool same = true;
    handle_t clone = 0;

    OK(sys_memory_clone(memory, info->budget, 0, PAGE_SIZE, &clone));
    OK(sys_memory_read(clone, 0, first, PAGE_SIZE));
    for (unsigned i = 0; i < 5; i++) {
        OK(sys_memory_read(clone, 0, later, PAGE_SIZE));
        same &= memcmp(first, later, PAGE_SIZE) == 0;
    }
    close_handle(clone);
    return same;
}

static void snapshots_take(bool mapped)
{
    struct busy_page page;
    struct worker writer;
    unsigned changed = 0;

    busy_page_begin(&page, mapped, &writer, busy_page_write);
    for (unsigned i = 0; i < 400; i++)
        changed += !clone_stays_as_it_is(page.memory);
    CHECK(changed == 0);
    busy_page_end(&page, &writer);
}

static void test_memory_clones_are_snapshots(void)
{
    snapshots_take(true);
    snapshots_take(false);
}

#define SECRET UINT64_C(0x5ec4e7)

static void busy_page_look(struct worker *self)
{
    static uint64_t seen[PAGE_SIZE / 8];
    struct busy_page *page = self->context;

    for (uint64_t turn = 1; !__atomic_load_n(&page->stop, __ATOMIC_RELAXED); turn++) {
        volatile uint64_t *words = page->words != NULL ? page->words : seen;
        bool found = false;
        if (page->words == NULL)
            OK(sys_memory_read(page->memory, 0, seen, PAGE_SIZE));
        for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
            found |= words[i] == SECRET;
        page->found += found;
        __atomic_store_n(&self->value, turn, __ATOMIC_RELAXED);
    }
}

/* Whose page was shared does not see what the other sharer writes to it when it is his alone. */
static void secrets_write(bool mapped)
{
    static uint64_t numbers[PAGE_SIZE / 8], secrets[PAGE_SIZE / 8];
    struct busy_page page;
    struct worker looker;

    for (unsigned i = 0; i < PAGE_SIZE / 8; i++) {
        numbers[i] = i + 1;
        secrets[i] = SECRET;
    }
    busy_page_begin(&page, mapped, &looker, busy_page_look);
    for (unsigned i = 0; i < 400; i++) {
        handle_t clone = 0;
        OK(sys_memory_write(page.memory, 0, numbers, PAGE_SIZE));
        OK(sys_memory_clone(page.memory, info->budget, 0, PAGE_SIZE, &clone));
        OK(sys_memory_discard(page.memory, 0, PAGE_SIZE));
        OK(sys_memory_write(clone, 0, secrets, PAGE_SIZE));
        CHECK(word_of(clone, PAGE_SIZE - 8) == SECRET);
        close_handle(clone);
    }
    busy_page_end(&page, &looker);
    CHECK(page.found == 0);
}

static void test_memory_dropped_pages_show_nothing(void)
{
    secrets_write(true);
    secrets_write(false);
}

/* Two private mappings of one file: both see what is written to it, none what the other writes. */
static void test_memory_overlays_are_private(void)
{
    handle_t file = memory_new(4, 0), one, two, copy;

    word_to(file, 0, 1);
    OK(sys_memory_overlay(file, info->budget, 0, 4 * PAGE_SIZE, &one));
    OK(sys_memory_overlay(file, info->budget, 0, 4 * PAGE_SIZE, &two));
    volatile uint64_t *first = (volatile uint64_t *)map_memory(one, 4, MAP_READ | MAP_WRITE);
    volatile uint64_t *second = (volatile uint64_t *)map_memory(two, 4, MAP_READ | MAP_WRITE);

    CHECK(first[0] == 1 && second[0] == 1 && first[512] == 0);
    word_to(file, 0, 2);
    word_to(file, PAGE_SIZE, 3);
    CHECK(first[0] == 2 && second[0] == 2 && first[512] == 3);
    first[0] = 4;
    word_to(file, 8, 5);
    CHECK(first[0] == 4 && first[1] == 0 && second[0] == 2 && second[1] == 5 &&
          word_of(file, 0) == 2);
    OK(sys_memory_clone(one, info->budget, 0, 4 * PAGE_SIZE, &copy));
    first[0] = 6;
    word_to(file, 2 * PAGE_SIZE, 7);
    CHECK(word_of(copy, 0) == 4 && word_of(copy, 2 * PAGE_SIZE) == 7 && first[1024] == 7);
    OK(sys_memory_discard(one, 0, PAGE_SIZE));
    CHECK(first[0] == 2);
    OK(sys_memory_set_size(file, PAGE_SIZE));
    CHECK_STATUS(STATUS_FAULT, sys_memory_write(file, 0, (const void *)(uintptr_t)&first[1024], 8));
    CHECK_STATUS(STATUS_INVALID,
                 sys_memory_overlay(one, info->budget, 0, PAGE_SIZE, &(handle_t){0}));
    close_handle(file);
    CHECK(second[0] == 2);
    unmap((void *)(uintptr_t)first, 4 * PAGE_SIZE);
    unmap((void *)(uintptr_t)second, 4 * PAGE_SIZE);
    close_handle(one);
    close_handle(two);
    close_handle(copy);
}

static void test_memory_contiguous_for_dma(void)
{
    handle_t memory = memory_new(5, MEMORY_CONTIGUOUS | MEMORY_LOW), space;
    uint64_t addresses[5], mapping;

    OK(sys_dmaspace_create(info->dma, info->budget, &space));
    OK(sys_dmaspace_map(space, memory, 0, 5 * PAGE_SIZE, addresses, sizeof(addresses), &mapping));
    for (unsigned i = 0; i < 5; i++)
        CHECK(addresses[i] == addresses[0] + i * PAGE_SIZE && addresses[i] < UINT64_C(1) << 32 &&
              addresses[i] % PAGE_SIZE == 0);
    CHECK_STATUS(STATUS_RANGE, sys_dmaspace_map(space, memory, PAGE_SIZE, 5 * PAGE_SIZE, addresses,
                                                sizeof(addresses), &mapping));
    CHECK_STATUS(STATUS_RANGE,
                 sys_dmaspace_map(space, memory, 0, 2 * PAGE_SIZE, addresses, 8, &mapping));
    CHECK_STATUS(STATUS_INVALID,
                 sys_dmaspace_map(space, memory, 1, PAGE_SIZE, addresses, 8, &mapping));
    CHECK_STATUS(STATUS_FAULT,
                 sys_dmaspace_map(space, memory, 0, PAGE_SIZE, (void *)8, 8, &mapping));
    OK(sys_dmaspace_unmap(space, mapping));
    CHECK_STATUS(STATUS_NOT_FOUND, sys_dmaspace_unmap(space, mapping));
    CHECK_STATUS(STATUS_NOT_FOUND, sys_dmaspace_unmap(space, 0));
    CHECK_STATUS(STATUS_UNSUPPORTED,
                 sys_dmaspace_map(info->dma, memory, 0, PAGE_SIZE, addresses, 8, &mapping));
    CHECK(!status_is_ok(sys_dmaspace_create(space, info->budget, &memory)));
    close_handle(space);
    close_handle(memory);
}

/* Pinned pages stay while the Memory is closed, until it is revoked or its holder says that the device is quiet. */
static void test_dmaspace_pins_and_severs(void)
{
    handle_t memory = memory_new(8, 0), space,
             derived = with_rights(memory, RIGHT_READ | RIGHT_WRITE);
    uint64_t addresses[8], again[8], first, second;

    OK(sys_dmaspace_create(info->dma, info->budget, &space));
    OK(sys_dmaspace_map(space, derived, 0, 8 * PAGE_SIZE, addresses, sizeof(addresses), &first));
    OK(sys_dmaspace_map(space, memory, 0, 8 * PAGE_SIZE, again, sizeof(again), &second));
    CHECK(memcmp(addresses, again, sizeof(again)) == 0 && first != second);
    OK(sys_cap_revoke(memory));
    CHECK_STATUS(STATUS_NOT_FOUND, sys_dmaspace_unmap(space, first));
    CHECK_STATUS(STATUS_NOT_FOUND, sys_dmaspace_unmap(space, second));
    OK(sys_dmaspace_map(space, memory, 0, 8 * PAGE_SIZE, again, sizeof(again), &second));
    OK(sys_dmaspace_map(space, memory, 0, PAGE_SIZE, again, sizeof(again), &first));
    close_handle(memory);
    OK(sys_dmaspace_unmap(space, 0));
    OK(sys_dmaspace_unmap(space, 0));
    CHECK_STATUS(STATUS_NOT_FOUND, sys_dmaspace_unmap(space, 0));
    close_handle(space);
}

static void child_maps_for_dma(void)
{
    uint64_t address, mapping;

    for (unsigned i = 0; i < 3; i++) {
        status_t status = sys_dmaspace_map(child_start.handles[0], child_start.handles[1], 0,
                                           PAGE_SIZE, &address, sizeof(address), &mapping);

        if (!status_is_ok(status))
            child_exit(status_code(status));
    }
    child_exit(0);
}

/* A driver dies, then who holds the master, and nobody has made the device quiet: the pages stay until the root's holder says so. */
static void test_dmaspace_end_lets_no_page_go(void)
{
    handle_t memory = memory_new(1, 0), space, other;
    struct child driver;
    struct child_start start = {0};
    uint64_t address, mapping;

    OK(sys_dmaspace_create(info->dma, info->budget, &space));
    OK(sys_dmaspace_create(info->dma, info->budget, &other));
    child_create(&driver, 0, NULL);
    start.handles[0] = child_give(&driver, space);
    start.handles[1] = child_give(&driver, memory);
    child_run(&driver, &start, child_maps_for_dma);
    CHECK(child_end(&driver) == 0);
    CHECK_STATUS(STATUS_BUSY, sys_memory_set_size(memory, 0));
    close_handle(space);
    CHECK_STATUS(STATUS_BUSY, sys_memory_set_size(memory, 0));
    /* Another space has nothing to do with it, nor does its own mapping go with the others'. */
    OK(sys_dmaspace_map(other, memory, 0, PAGE_SIZE, &address, sizeof(address), &mapping));
    for (unsigned i = 0; i < 3; i++)
        OK(sys_dmaspace_unmap(info->dma, 0));
    CHECK_STATUS(STATUS_NOT_FOUND, sys_dmaspace_unmap(info->dma, 0));
    CHECK_STATUS(STATUS_BUSY, sys_memory_set_size(memory, 0));
    OK(sys_dmaspace_unmap(other, mapping));
    OK(sys_memory_set_size(memory, 0));
    close_handle(other);
    close_handle(memory);
}

static void test_memory_physical_windows(void)
{
    handle_t slice;
    uint64_t address;

    /* A device; and RAM, which no slice may touch. */
    OK(sys_memory_slice(info->physical, info->budget, device_page, PAGE_SIZE, &slice));
    OK(sys_aspace_map(info->aspace, slice, 0, 0, PAGE_SIZE, MAP_READ | MAP_WRITE, 0, &address));
    unmap((void *)address, PAGE_SIZE);
    CHECK_STATUS(STATUS_RANGE, sys_memory_slice(slice, info->budget, 0, 2 * PAGE_SIZE, &slice));
    close_handle(slice);
    CHECK(
        !status_is_ok(sys_memory_slice(info->physical, info->budget, ram_page, PAGE_SIZE, &slice)));
    CHECK(!status_is_ok(
        sys_memory_slice(info->physical, info->budget, 0, UINT64_C(1) << 33, &slice)));
    CHECK_STATUS(STATUS_RANGE, sys_memory_slice(info->physical, info->budget,
                                                UINT64_MAX - PAGE_SIZE + 1, PAGE_SIZE, &slice));
    handle_t anonymous = memory_new(1, 0);

    CHECK_STATUS(STATUS_WRONG_TYPE,
                 sys_memory_slice(anonymous, info->budget, 0, PAGE_SIZE, &slice));
    close_handle(anonymous);
}

static void test_init_finds_its_world(void)
{
    struct log_ring ring = {0};
    struct boot_facts *facts = 0;
    uint64_t address;
    char magic[6];

    OK(sys_memory_read(info->archive, 0, magic, sizeof(magic)));
    CHECK(memcmp(magic, "070701", 6) == 0 && info->archive_bytes != 0);
    CHECK_STATUS(STATUS_DENIED, sys_memory_write(info->archive, 0, magic, sizeof(magic)));
    OK(sys_memory_read(info->log, 0, &ring, sizeof(ring)));
    CHECK(ring.head != 0 && ring.capacity > 1000);
    CHECK_STATUS(STATUS_DENIED, sys_memory_write(info->log, 0, &ring, sizeof(ring)));
    OK(sys_aspace_map(info->aspace, info->boot, 0, 0, PAGE_SIZE, MAP_READ, 0, &address));
    facts = (struct boot_facts *)address;
    CHECK(facts->cpus >= 1 && (facts->acpi_rsdp != 0 || facts->fdt != 0));
    unmap(facts, PAGE_SIZE);
}

/* ── Address spaces ──────────────────────────────────────────────────────────────────────────────────────────────── */

static void test_aspace_maps_and_unmaps(void)
{
    handle_t memory = memory_new(4, 0);
    uint64_t address = map_memory(memory, 4, MAP_READ | MAP_WRITE), other;
    volatile uint64_t *words = (volatile uint64_t *)address;
    struct mapping_info mapping;

    words[512] = 9;
    CHECK(word_of(memory, PAGE_SIZE) == 9);
    CHECK_STATUS(STATUS_EXISTS, sys_aspace_map(info->aspace, memory, address + PAGE_SIZE, 0,
                                               PAGE_SIZE, MAP_READ | MAP_FIXED, 0, &other));
    CHECK_STATUS(STATUS_RANGE, sys_aspace_map(info->aspace, memory, 0, PAGE_SIZE, 4 * PAGE_SIZE,
                                              MAP_READ, 0, &other));
    CHECK_STATUS(STATUS_INVALID,
                 sys_aspace_map(info->aspace, memory, 0, 1, PAGE_SIZE, MAP_READ, 0, &other));
    CHECK_STATUS(STATUS_INVALID,
                 sys_aspace_map(info->aspace, memory, 0, 0, 0, MAP_READ, 0, &other));
    CHECK_STATUS(STATUS_INVALID, sys_aspace_map(info->aspace, memory, 0xffff800000000000, 0,
                                                PAGE_SIZE, MAP_READ | MAP_FIXED, 0, &other));
    CHECK_STATUS(STATUS_INVALID, sys_aspace_map(info->aspace, memory, UINT64_MAX - PAGE_SIZE + 1, 0,
                                                PAGE_SIZE, MAP_READ | MAP_FIXED, 0, &other));
    OK(sys_aspace_query(info->aspace, address, &mapping));
    CHECK(mapping.start == address && mapping.length == 4 * PAGE_SIZE &&
          mapping.prot == (MAP_READ | MAP_WRITE));
    OK(sys_aspace_unmap(info->aspace, address + PAGE_SIZE, PAGE_SIZE));
    words[0] = 1;
    words[1024] = 2;
    OK(sys_aspace_query(info->aspace, address + PAGE_SIZE, &mapping));
    CHECK(mapping.start == address + 2 * PAGE_SIZE && mapping.offset == 2 * PAGE_SIZE);
    OK(sys_aspace_map(info->aspace, memory, address + PAGE_SIZE, 3 * PAGE_SIZE, PAGE_SIZE,
                      MAP_READ | MAP_WRITE | MAP_FIXED, 5, &other));
    words[512] = 10;
    CHECK(words[1536] == 10 && word_of(memory, PAGE_SIZE) == 9);
    OK(sys_aspace_unmap(info->aspace, address, 4 * PAGE_SIZE));
    close_handle(memory);
}

static void test_aspace_never_writable_and_executable(void)
{
    handle_t memory = memory_new(1, 0);
    handle_t readable = with_rights(memory, RIGHT_READ);
    uint64_t address;

    CHECK_STATUS(STATUS_DENIED, sys_aspace_map(info->aspace, memory, 0, 0, PAGE_SIZE,
                                               MAP_READ | MAP_WRITE | MAP_EXECUTE, 0, &address));
    CHECK_STATUS(STATUS_DENIED, sys_aspace_map(info->aspace, readable, 0, 0, PAGE_SIZE,
                                               MAP_READ | MAP_WRITE, 0, &address));
    CHECK_STATUS(STATUS_DENIED, sys_aspace_map(info->aspace, readable, 0, 0, PAGE_SIZE,
                                               MAP_READ | MAP_EXECUTE, 0, &address));
    OK(sys_aspace_map(info->aspace, readable, 0, 0, PAGE_SIZE, MAP_READ, 0, &address));
    CHECK_STATUS(STATUS_DENIED,
                 sys_aspace_protect(info->aspace, address, PAGE_SIZE, MAP_READ | MAP_WRITE));
    unmap((void *)address, PAGE_SIZE);
    OK(sys_aspace_map(info->aspace, memory, 0, 0, PAGE_SIZE, MAP_READ | MAP_WRITE, 0, &address));
    CHECK_STATUS(STATUS_DENIED, sys_aspace_protect(info->aspace, address, PAGE_SIZE,
                                                   MAP_READ | MAP_WRITE | MAP_EXECUTE));
    unmap((void *)address, PAGE_SIZE);
    close_handle(readable);
    close_handle(memory);
}

/* Code written through one mapping and run through another. */
static void test_aspace_executes_code(void)
{
    handle_t memory = memory_new(1, 0);
    uint64_t address;

    OK(sys_memory_write(memory, 0, code_returns_42,
                        (uint64_t)(code_returns_42_end - code_returns_42)));
    OK(sys_aspace_map(info->aspace, memory, 0, 0, PAGE_SIZE, MAP_READ | MAP_EXECUTE, 0, &address));
    CHECK(((int (*)(void))address)() == 42);
    unmap((void *)address, PAGE_SIZE);
    close_handle(memory);
}

static void test_aspace_of_another_process(void)
{
    handle_t aspace, memory = memory_new(2, 0);
    uint64_t address, done;
    uint32_t word;
    char text[16] = {0};

    OK(sys_aspace_create(info->budget, &aspace));
    OK(sys_aspace_map(aspace, memory, 0, 0, 2 * PAGE_SIZE, MAP_READ | MAP_WRITE, 0, &address));
    OK(sys_aspace_write(aspace, address + PAGE_SIZE - 3, "hello there", 11, &done));
    CHECK(done == 11);
    OK(sys_aspace_read(aspace, address + PAGE_SIZE - 3, text, 11, &done));
    CHECK(done == 11 && memcmp(text, "hello there", 11) == 0);
    OK(sys_aspace_cmpxchg32(aspace, address + 8, 0, 5, &word));
    CHECK(word == 0);
    OK(sys_aspace_cmpxchg32(aspace, address + 8, 0, 6, &word));
    CHECK(word == 5);
    OK(sys_aspace_load32(aspace, address + 8, &word));
    CHECK(word == 5 && word_of(memory, 8) == 5);
    CHECK_STATUS(STATUS_INVALID, sys_aspace_load32(aspace, address + 1, &word));
    CHECK_STATUS(STATUS_FAULT, sys_aspace_load32(aspace, address + 2 * PAGE_SIZE, &word));
    status_t status = sys_aspace_read(aspace, address + 2 * PAGE_SIZE - 4, text, 8, &done);

    CHECK(status == STATUS_FAULT || (status_is_ok(status) && done == 4));
    close_handle(memory);
    close_handle(aspace);
}

/* Mapped pages go when the capability through which they were mapped is revoked. */
static void test_aspace_mapping_is_revoked(void)
{
    handle_t memory = memory_new(1, 0);
    handle_t derived = with_rights(memory, RIGHT_READ | RIGHT_WRITE);
    uint64_t address = map_memory(derived, 1, MAP_READ | MAP_WRITE);
    struct mapping_info mapping;
    char byte;

    *(volatile char *)address = 1;
    OK(sys_cap_revoke(memory));
    CHECK_STATUS(STATUS_FAULT, sys_memory_read(memory, 0, (void *)address, 1));
    CHECK(!status_is_ok(sys_aspace_query(info->aspace, address, &mapping)) ||
          mapping.start != address);
    OK(sys_memory_read(memory, 0, &byte, 1));
    CHECK(byte == 1);
    close_handle(memory);
}

static void test_aspace_protect_changes_access(void)
{
    handle_t memory;
    char *page = map_new(4 * PAGE_SIZE, &memory);

    page[PAGE_SIZE] = 3;
    OK(sys_aspace_protect(info->aspace, (uint64_t)page + PAGE_SIZE, PAGE_SIZE, MAP_READ));
    CHECK_STATUS(STATUS_FAULT, sys_memory_read(memory, 0, page + PAGE_SIZE, 1));
    CHECK(page[PAGE_SIZE] == 3);
    page[0] = 1;
    page[2 * PAGE_SIZE] = 2;
    OK(sys_aspace_protect(info->aspace, (uint64_t)page, 4 * PAGE_SIZE, MAP_READ | MAP_WRITE));
    page[PAGE_SIZE] = 4;
    unmap(page, 4 * PAGE_SIZE);
    CHECK_STATUS(STATUS_NOT_FOUND,
                 sys_aspace_protect(info->aspace, (uint64_t)page, PAGE_SIZE, MAP_READ));
    close_handle(memory);
}

#define LARGE_PAGES 512u
#define LARGE_BYTES (LARGE_PAGES * PAGE_SIZE)

/* What is mapped of this program and is present, in pages. */
static uint64_t resident(void)
{
    struct process_info process = {0};

    OK(sys_process_info(info->process, &process));
    return process.resident_pages;
}

/* @pages contiguous ones are mapped, and one is touched: how many are present then. */
static uint64_t present_after_a_touch(uint64_t pages, volatile uint64_t **words, handle_t *memory)
{
    *memory = memory_new(pages, MEMORY_CONTIGUOUS);
    *words = (volatile uint64_t *)map_memory(*memory, pages, MAP_READ | MAP_WRITE);
    uint64_t before = resident();

    (*words)[(pages - 1) * PAGE_SIZE / 8] = pages;
    return resident() - before;
}

/* One touch makes all 2 MiB of a contiguous Memory present: they are one entry of the page table. When a part goes or changes, that entry
 * gives way to entries of pages. */
static void test_aspace_large_pages(void)
{
    volatile uint64_t *words;
    handle_t memory;
    uint64_t before = resident();

    CHECK(present_after_a_touch(LARGE_PAGES / 2, &words, &memory) == 1);
    unmap((void *)(uintptr_t)words, LARGE_BYTES / 2);
    close_handle(memory);
    CHECK(present_after_a_touch(2 * LARGE_PAGES, &words, &memory) == LARGE_PAGES);
    CHECK((uint64_t)words % LARGE_BYTES == 0);
    for (uint64_t i = 0; i < 2 * LARGE_PAGES; i++)
        words[i * PAGE_SIZE / 8] = i;
    CHECK(resident() - before == 2 * LARGE_PAGES);
    OK(sys_aspace_unmap(info->aspace, (uint64_t)words + 5 * PAGE_SIZE, PAGE_SIZE));
    OK(sys_aspace_protect(info->aspace, (uint64_t)words + (LARGE_PAGES + 7) * PAGE_SIZE, PAGE_SIZE,
                          MAP_READ));
    CHECK_STATUS(STATUS_FAULT,
                 sys_memory_read(memory, 0, (char *)(uintptr_t)words + 5 * PAGE_SIZE, 1));
    CHECK_STATUS(STATUS_FAULT,
                 sys_memory_read(memory, 0,
                                 (char *)(uintptr_t)words + (LARGE_PAGES + 7) * PAGE_SIZE, 1));
    for (uint64_t i = 0; i < 2 * LARGE_PAGES; i++)
        CHECK((i == 5 || words[i * PAGE_SIZE / 8] == i) && word_of(memory, i * PAGE_SIZE) == i);
    CHECK(resident() - before == 2 * LARGE_PAGES - 1);
    unmap((void *)(uintptr_t)words, 2 * LARGE_BYTES);
    CHECK(resident() == before);
    close_handle(memory);
}

static void test_aspace_big_mappings(void)
{
    handle_t memory;
    uint64_t bytes = 6u << 20;
    volatile uint64_t *words = map_new(bytes, &memory);

    for (uint64_t i = 0; i < bytes / PAGE_SIZE; i++)
        words[i * 512] = i;
    OK(sys_aspace_unmap(info->aspace, (uint64_t)words + (3u << 20), PAGE_SIZE));
    for (uint64_t i = 0; i < bytes / PAGE_SIZE; i++) {
        if (i != 768)
            CHECK(words[i * 512] == i);
    }
    unmap((void *)(uintptr_t)words, bytes);
    close_handle(memory);
}

static uint64_t forked_word = 1;

static void child_adds(void)
{
    forked_word += child_start.values[0];
    child_exit((int64_t)forked_word);
}

static bool process_is_dead(handle_t process, struct process_info *state)
{
    OK(sys_process_info(process, state));
    return state->state == PROCESS_STATE_DEAD;
}

/* A second process goes on from what the first one had in its memory. */
static void test_aspace_clone_forks_a_process(void)
{
    struct child child;
    struct child_start start = {.values = {4}};
    handle_t aspace, process, thread;
    struct process_info state = {0};
    uint32_t word = 0;

    child_create(&child, 0, NULL);
    child_run(&child, &start, child_adds);
    CHECK(EVENTUALLY(process_is_dead(child.process, &state)));
    OK(sys_aspace_clone(child.aspace, info->budget, &aspace));
    OK(sys_process_create(info->budget, aspace, "forked", 6, &process));
    OK(sys_thread_create(process, info->budget, &thread));
    OK(sys_thread_start(thread, (uint64_t)child_adds, child.stack_top, 0, 0));
    CHECK(EVENTUALLY(process_is_dead(process, &state)));
    CHECK(state.exit_status == 9);
    OK(sys_aspace_load32(child.aspace, (uint64_t)&forked_word, &word));
    CHECK(word == 5);
    CHECK(child_end(&child) == 5);
    close_handle(thread);
    close_handle(process);
    close_handle(aspace);
}

static void test_aspace_clone_needs_rights_and_room(void)
{
    handle_t aspace, clone, memory = memory_new(2, 0), thread;
    handle_t weak, small;
    uint64_t address;

    OK(sys_aspace_create(info->budget, &aspace));
    OK(sys_aspace_map(aspace, memory, 0, 0, 2 * PAGE_SIZE, MAP_READ | MAP_WRITE, 0, &address));
    weak = with_rights(aspace, RIGHT_READ | RIGHT_MANAGE);
    CHECK_STATUS(STATUS_DENIED, sys_aspace_clone(weak, info->budget, &clone));
    OK(sys_budget_create(info->budget, 0, 8192, 20, &small));
    CHECK_STATUS(STATUS_NO_MEMORY, sys_aspace_clone(aspace, small, &clone));
    OK(sys_thread_create(info->process, info->budget, &thread));
    OK(sys_thread_set_buffer(thread, memory, 0));
    CHECK_STATUS(STATUS_BUSY, sys_aspace_clone(aspace, info->budget, &clone));
    close_handle(thread);
    close_handle(weak);
    close_handle(small);
    close_handle(memory);
    close_handle(aspace);
}

static uint64_t kmem_used(void)
{
    struct memory_stats stats;

    OK(sys_system_memory_stats(info->budget, &stats));
    return stats.kmem_bytes;
}

/* Each a copy of the one before it, which goes: the last needs no more than the hundredth. */
static void test_aspace_clone_chain(void)
{
    enum { DEPTH = 10000, PAGES = 8 };
    handle_t at, next, memory = memory_new(PAGES, 0);
    uint64_t address, done, used = 0, word;

    OK(sys_aspace_create(info->budget, &at));
    OK(sys_aspace_map(at, memory, 0, 0, PAGES * PAGE_SIZE, MAP_READ | MAP_WRITE, 0, &address));
    for (uint64_t i = 0; i < DEPTH; i++) {
        OK(sys_aspace_write(at, address + i % PAGES * PAGE_SIZE, &i, sizeof(i), &done));
        OK(sys_aspace_clone(at, info->budget, &next));
        close_handle(at);
        at = next;
        if (i == 100)
            used = kmem_used();
    }
    for (uint64_t i = DEPTH - PAGES; i < DEPTH; i++) {
        OK(sys_aspace_read(at, address + i % PAGES * PAGE_SIZE, &word, sizeof(word), &done));
        CHECK(word == i);
    }
    CHECK(EVENTUALLY(kmem_used() < used + (64 << 10)));
    close_handle(at);
    close_handle(memory);
}

static void child_clones(void)
{
    handle_t clone;

    for (;;) {
        if (!status_is_ok(
                sys_aspace_clone(child_start.handles[0], child_start.handles[1], &clone)) ||
            !status_is_ok(sys_cap_close(clone)))
            child_exit(1);
    }
}

/* Who clones is killed somewhere in the middle; the leak check at the end of all tests sees what he leaves. */
static void test_aspace_clone_is_killed(void)
{
    handle_t aspace, memory = memory_new(300, 0);
    uint64_t address, done;

    OK(sys_aspace_create(info->budget, &aspace));
    for (unsigned i = 0; i < 5; i++) {
        OK(sys_aspace_map(aspace, memory, 0, i * 60 * PAGE_SIZE, 60 * PAGE_SIZE,
                          MAP_READ | MAP_WRITE, 0, &address));
        for (unsigned j = 0; j < 60; j++)
            OK(sys_aspace_write(aspace, address + j * PAGE_SIZE, &done, sizeof(done), &done));
    }
    for (unsigned i = 0; i < 20; i++) {
        struct child child;
        struct child_start start = {0};
        child_create(&child, 0, NULL);
        start.handles[0] = child_give(&child, aspace);
        start.handles[1] = child_give(&child, info->budget);
        child_run(&child, &start, child_clones);
        OK(sys_thread_sleep(now_ns() + MS + i * 77000));
        OK(sys_process_kill(child.process, 8));
        CHECK(child_end(&child) == 8);
    }
    close_handle(aspace);
    close_handle(memory);
}

/* ── What was used ─────────────────────────────────────────────────────────────────────────────────────────────────── */

#define AGED_PAGES 16u
#define AGED_ROUNDS 50u

struct use {
    uint64_t start, present, accessed, written;
};

/* Pages that one page table has, so that one call tells of them all. */
static volatile char *aged_new(handle_t *memory)
{
    uint64_t mapped = 0;

    *memory = memory_new(AGED_PAGES, MEMORY_COMMIT);
    OK(sys_aspace_map(info->aspace, *memory, NOWHERE, 0, AGED_PAGES * PAGE_SIZE,
                      MAP_READ | MAP_WRITE | MAP_FIXED, 0, &mapped));
    return (volatile char *)mapped;
}

static struct use use_of(const volatile char *pages)
{
    struct process_info process;
    struct use use = {0};

    OK(sys_process_info(info->process, &process));
    OK(sys_budget_process_pages(info->budget, process.id, (uint64_t)pages, &use.start, &use.present,
                                &use.accessed, &use.written));
    CHECK(use.start == (uint64_t)pages && use.present == (1u << AGED_PAGES) - 1);
    return use;
}

static void test_aspace_pages_are_told_by_their_use(void)
{
    handle_t memory;
    volatile char *pages = aged_new(&memory);
    uint64_t word = 7, done;

    for (unsigned i = 0; i < AGED_PAGES; i++)
        pages[i * PAGE_SIZE] = (char)i;
    struct use use = use_of(pages);
    CHECK(use.accessed == use.present && use.written == use.present);
    use = use_of(pages);
    CHECK(use.accessed == 0 && use.written == 0);
    CHECK(pages[3 * PAGE_SIZE] == 3);
    pages[5 * PAGE_SIZE] = 50;
    use = use_of(pages);
    CHECK(use.accessed == (1u << 3 | 1u << 5) && use.written == 1u << 5);
    /* What the kernel writes for somebody is written too. */
    OK(sys_aspace_write(info->aspace, (uint64_t)pages + 7 * PAGE_SIZE, &word, sizeof(word), &done));
    use = use_of(pages);
    CHECK((use.accessed & ~(1u << 7)) == 0 && use.written == 1u << 7);
    use = use_of(pages);
    CHECK(use.accessed == 0 && use.written == 0);
    for (unsigned i = 0; i < AGED_PAGES; i++)
        CHECK(pages[i * PAGE_SIZE] == (i == 5 ? 50 : i == 7 ? 7 : (char)i));
    unmap((void *)pages, AGED_PAGES * PAGE_SIZE);
    close_handle(memory);
}

struct writer {
    volatile char *page;
    uint64_t turns; /* atomic */
    bool stop;      /* atomic */
};

static void write_on(struct worker *self)
{
    struct writer *writer = self->context;

    while (!__atomic_load_n(&writer->stop, __ATOMIC_ACQUIRE)) {
        (*writer->page)++;
        __atomic_fetch_add(&writer->turns, 1, __ATOMIC_RELEASE);
    }
}

/* What another CPU keeps of an entry lets it write no more without that being told. */
static void test_aspace_use_is_told_of_all_cpus(void)
{
    handle_t memory;
    volatile char *pages = aged_new(&memory);
    struct writer writer = {.page = pages + 9 * PAGE_SIZE};
    struct worker worker = {0};
    unsigned missed = 0;

    for (unsigned i = 0; i < AGED_PAGES; i++)
        pages[i * PAGE_SIZE] = 1;
    worker_start(&worker, write_on, &writer);
    (void)use_of(pages);
    for (unsigned i = 0; i < AGED_ROUNDS; i++) {
        uint64_t turns = __atomic_load_n(&writer.turns, __ATOMIC_ACQUIRE);
        CHECK(EVENTUALLY(__atomic_load_n(&writer.turns, __ATOMIC_ACQUIRE) > turns + 1));
        struct use use = use_of(pages);
        if (use.accessed != 1u << 9 || use.written != 1u << 9)
            missed++;
    }
    CHECK(missed == 0);
    __atomic_store_n(&writer.stop, true, __ATOMIC_RELEASE);
    CHECK(worker_join(&worker));
    unmap((void *)pages, AGED_PAGES * PAGE_SIZE);
    close_handle(memory);
}

static void test_aspace_use_of_what_is_not_there(void)
{
    struct process_info process;
    struct use use = {0};
    handle_t no_rights = with_rights(info->budget, RIGHT_SPEND);
    uint64_t address = 0, seen = 0, pages = 0;

    OK(sys_process_info(info->process, &process));
    CHECK_STATUS(STATUS_DENIED,
                 sys_budget_process_pages(no_rights, process.id, 0, &use.start, &use.present,
                                          &use.accessed, &use.written));
    CHECK_STATUS(STATUS_NOT_FOUND,
                 sys_budget_process_pages(info->budget, UINT64_MAX, 0, &use.start, &use.present,
                                          &use.accessed, &use.written));
    CHECK_STATUS(STATUS_NOT_FOUND,
                 sys_budget_process_pages(info->budget, process.id, UINT64_MAX, &use.start,
                                          &use.present, &use.accessed, &use.written));
    /* Through the whole address space, always upwards; this stack is there. */
    while (sys_budget_process_pages(info->budget, process.id, address, &use.start, &use.present,
                                    &use.accessed, &use.written) == STATUS_OK) {
        CHECK(use.start >= address && ((use.accessed | use.written) & ~use.present) == 0);
        address = use.start;
        if ((address & PAGE_USE_LARGE) != 0) {
            pages += LARGE_PAGES;
            address = (address | (LARGE_BYTES - 1)) + 1;
            continue;
        }
        for (; use.present != 0; use.present >>= 1, address += PAGE_SIZE) {
            pages += use.present & 1;
            seen += (use.present & 1) != 0 && (uint64_t)&use - address < PAGE_SIZE;
        }
    }
    CHECK(seen == 1 && pages <= process.resident_pages + 4);
    close_handle(no_rights);
}

extern const struct test memory_tests[];
const struct test memory_tests[] = {
    TEST(test_init_finds_its_world),
    TEST(test_memory_reads_and_writes),
    TEST(test_memory_size_changes),
    TEST(test_memory_clones_are_copies),
    TEST(test_memory_clone_chain),
    TEST(test_memory_clone_of_mapped_pages),
    TEST(test_memory_clones_are_snapshots),
    TEST(test_memory_dropped_pages_show_nothing),
    TEST(test_memory_overlays_are_private),
    TEST(test_memory_contiguous_for_dma),
    TEST(test_dmaspace_pins_and_severs),
    TEST(test_dmaspace_end_lets_no_page_go),
    TEST(test_memory_physical_windows),
    TEST(test_aspace_maps_and_unmaps),
    TEST(test_aspace_never_writable_and_executable),
    TEST(test_aspace_executes_code),
    TEST(test_aspace_of_another_process),
    TEST(test_aspace_mapping_is_revoked),
    TEST(test_aspace_protect_changes_access),
    TEST(test_aspace_big_mappings),
    TEST(test_aspace_large_pages),
    TEST(test_aspace_clone_forks_a_process),
    TEST(test_aspace_clone_needs_rights_and_room),
    TEST(test_aspace_clone_chain),
    TEST(test_aspace_clone_is_killed),
    TEST(test_aspace_pages_are_told_by_their_use),
    TEST(test_aspace_use_is_told_of_all_cpus),
    TEST(test_aspace_use_of_what_is_not_there),
    {0},
};
