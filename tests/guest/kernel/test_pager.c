/* Pagers: pages that come from a process, which may die; copies that meet pages which are not there. */
#include "guest.h"

#include <kstring.h>

struct paged {
    handle_t memory, queue;
    bool fail;
};

/* Supplies pages whose first word is their offset + 1. */
static void pager_run(struct worker *self)
{
    struct paged *paged = self->context;
    struct event event;
    uint64_t offset, bytes;
    uint32_t kind;

    while (status_is_ok(sys_queue_wait(paged->queue, in_ms(PATIENCE_MS), &event))) {
        if (event.kind != EVENT_PAGER)
            break; /* the test ends us by a notification */
        while (status_is_ok(sys_memory_pager_next(paged->memory, &offset, &bytes, &kind))) {
            handle_t source = memory_new(bytes / PAGE_SIZE, 0);

            for (uint64_t at = 0; at < bytes; at += PAGE_SIZE)
                word_to(source, at, offset + at + 1);
            if (paged->fail)
                OK(sys_memory_fail(paged->memory, offset, bytes, status_code(STATUS_IO)));
            else
                OK(sys_memory_supply(paged->memory, offset, source, 0, bytes, 0));
            close_handle(source);
            self->value++;
        }
    }
}

static void test_pager_supplies_pages(void)
{
    struct paged paged = {.memory = memory_new(16, MEMORY_PAGED)};
    struct worker pager;
    handle_t stop;
    uint64_t word;

    OK(sys_queue_create(info->budget, &paged.queue));
    OK(sys_notification_create(info->budget, &stop));
    OK(sys_notification_bind(stop, paged.queue, 1));
    OK(sys_memory_set_pager(paged.memory, paged.queue, 7));
    worker_start(&pager, pager_run, &paged);
    volatile uint64_t *words =
        (volatile uint64_t *)map_memory(paged.memory, 16, MAP_READ | MAP_WRITE);

    CHECK(words[512] == PAGE_SIZE + 1); /* by a fault */
    CHECK(word_of(paged.memory, 5 * PAGE_SIZE) ==
          5 * PAGE_SIZE + 1); /* by a system call that restarts */
    words[512] = 99;
    CHECK(word_of(paged.memory, PAGE_SIZE) == 99);
    OK(sys_memory_read(paged.memory, 0, &word, 8));
    CHECK(word == 1);
    /* A copy out to a page that is not there. */
    OK(sys_memory_write(paged.memory, 8, "x", 1));
    OK(sys_memory_read(paged.memory, 0, (void *)(uintptr_t)&words[8 * 512 + 1], 8));
    CHECK(words[8 * 512 + 1] == 1 && words[8 * 512] == 8 * PAGE_SIZE + 1);
    paged.fail = true;
    CHECK_STATUS(STATUS_IO, sys_memory_read(paged.memory, 10 * PAGE_SIZE, &word, 8));
    OK(sys_notification_signal(stop, 1));
    CHECK(worker_join(&pager) && pager.value >= 4);
    unmap((void *)(uintptr_t)words, 16 * PAGE_SIZE);
    close_handle(paged.memory);
    close_handle(paged.queue);
    close_handle(stop);
}

/* ── A file system that dies ─────────────────────────────────────────────────────────────────────────────────────── */

enum { FILE, QUEUE, DISK, BUDGET, READY };

static handle_t pager_handle(unsigned which)
{
    return child_start.handles[which];
}

static uint64_t page_words[PAGE_SIZE / 8];

/* In the pager: page @offset of the disk becomes that of the file. */
static bool page_read(uint64_t offset)
{
    handle_t source;
    bool done =
        status_is_ok(sys_memory_read(pager_handle(DISK), offset, page_words, PAGE_SIZE)) &&
        status_is_ok(sys_memory_create(pager_handle(BUDGET), PAGE_SIZE, 0, &source)) &&
        status_is_ok(sys_memory_write(source, 0, page_words, PAGE_SIZE)) &&
        status_is_ok(sys_memory_supply(pager_handle(FILE), offset, source, 0, PAGE_SIZE, 0));

    return done && status_is_ok(sys_cap_close(source));
}

static bool page_write(uint64_t offset)
{
    return status_is_ok(sys_memory_read(pager_handle(FILE), offset, page_words, PAGE_SIZE)) &&
           status_is_ok(sys_memory_write(pager_handle(DISK), offset, page_words, PAGE_SIZE));
}

static bool dirty_pages_write(void)
{
    uint64_t found, bytes = 0;
    status_t status;

    for (uint64_t offset = 0;
         status_is_ok(status = sys_memory_dirty_next(pager_handle(FILE), offset,
                                                     PAGE_DIRTY | PAGE_WRITEBACK, &found, &bytes));
         offset = found + bytes) {
        if (!status_is_ok(sys_memory_writeback_begin(pager_handle(FILE), found, bytes)))
            return false;
        for (uint64_t at = found; at < found + bytes; at += PAGE_SIZE)
            if (!page_write(at))
                return false;
        if (!status_is_ok(sys_memory_writeback_end(pager_handle(FILE), found, bytes)))
            return false;
    }
    return status == STATUS_NOT_FOUND;
}

/* Ends with 7 instead of serving request number values[0] (0: serves all), with 1 if something fails. What it finds dirty it writes first. */
static void pager_child(void)
{
    struct event event;
    uint64_t offset, bytes;
    uint32_t kind;

    if (!status_is_ok(sys_memory_set_pager(pager_handle(FILE), pager_handle(QUEUE), 1)) ||
        !dirty_pages_write() || !status_is_ok(sys_notification_signal(pager_handle(READY), 1)))
        child_exit(1);
    for (uint64_t count = 1;
         status_is_ok(sys_queue_wait(pager_handle(QUEUE), DEADLINE_NEVER, &event));) {
        while (status_is_ok(sys_memory_pager_next(pager_handle(FILE), &offset, &bytes, &kind))) {
            if (count++ == child_start.values[0])
                child_exit(7);
            if (!page_read(offset))
                child_exit(1);
        }
    }
    child_exit(1);
}

struct file {
    handle_t memory, queue, disk, ready;
    volatile uint64_t *words;
};

/* A file of 16 pages; the first word of each is its number plus 1. */
static void file_new(struct file *file)
{
    file->memory = memory_new(16, MEMORY_PAGED);
    file->disk = memory_new(16, 0);
    for (uint64_t i = 0; i < 16; i++)
        word_to(file->disk, i * PAGE_SIZE, i + 1);
    OK(sys_queue_create(info->budget, &file->queue));
    OK(sys_notification_create(info->budget, &file->ready));
    file->words = (volatile uint64_t *)map_memory(file->memory, 16, MAP_READ | MAP_WRITE);
}

static void file_drop(const struct file *file)
{
    unmap((void *)(uintptr_t)file->words, 16 * PAGE_SIZE);
    close_handle(file->memory);
    close_handle(file->disk);
    close_handle(file->queue);
    close_handle(file->ready);
}

static void pager_start(const struct file *file, struct child *child, uint64_t dies_at)
{
    struct child_start start = {.values = {dies_at}};
    uint64_t bits;

    child_create(child, 0, NULL);
    start.handles[FILE] = child_give(child, file->memory);
    start.handles[QUEUE] = child_give(child, file->queue);
    start.handles[DISK] = child_give(child, file->disk);
    start.handles[BUDGET] = child_give(child, info->budget);
    start.handles[READY] = child_give(child, file->ready);
    child_run(child, &start, pager_child);
    OK(sys_notification_wait(file->ready, 1, in_ms(PATIENCE_MS), &bits));
}

static void pager_kill(struct child *child)
{
    OK(sys_process_kill(child->process, 5));
    CHECK(child_end(child) == 5);
}

static void look_at_page_3(struct worker *self)
{
    const struct file *file = self->context;

    __atomic_store_n(&self->value, file->words[3 * 512], __ATOMIC_SEQ_CST);
}

/* Killed between fault and supply, and with pages that only the Memory has. */
static void test_pager_is_succeeded_by_another(void)
{
    struct file file;
    struct child first, second, third;
    struct worker looker;
    uint64_t found, bytes;

    file_new(&file);
    pager_start(&file, &first, 1);
    worker_start(&looker, look_at_page_3, &file);
    CHECK(child_end(&first) == 7);
    CHECK(__atomic_load_n(&looker.value, __ATOMIC_SEQ_CST) == 0);
    pager_start(&file, &second, 0);
    CHECK(worker_join(&looker) && looker.value == 4);
    file.words[3 * 512] = 40;
    word_to(file.memory, 5 * PAGE_SIZE, 60);
    file.words[7 * 512] = 80;
    OK(sys_memory_writeback_begin(file.memory, 3 * PAGE_SIZE, PAGE_SIZE));
    pager_kill(&second);
    CHECK(file.words[3 * 512] == 40 && word_of(file.memory, 5 * PAGE_SIZE) == 60);
    CHECK(word_of(file.disk, 3 * PAGE_SIZE) == 4 && word_of(file.disk, 5 * PAGE_SIZE) == 6);
    pager_start(&file, &third, 0);
    CHECK(word_of(file.disk, 3 * PAGE_SIZE) == 40 && word_of(file.disk, 5 * PAGE_SIZE) == 60 &&
          word_of(file.disk, 7 * PAGE_SIZE) == 80);
    CHECK_STATUS(STATUS_NOT_FOUND,
                 sys_memory_dirty_next(file.memory, 0, PAGE_DIRTY | PAGE_WRITEBACK, &found,
                                       &bytes));
    CHECK(file.words[9 * 512] == 10);
    pager_kill(&third);
    OK(sys_memory_detach(file.memory));
    CHECK_STATUS(STATUS_GONE, sys_memory_read(file.memory, 12 * PAGE_SIZE, &found, 8));
    CHECK(file.words[3 * 512] == 40);
    file_drop(&file);
}

/* A write to a page that is being written back makes it dirty again, by a mapping or a call; what was there first is what is written. */
static void test_pager_writes_back(void)
{
    struct file file;
    struct child pager;
    uint64_t found, bytes;

    file_new(&file);
    pager_start(&file, &pager, 0);
    file.words[0] = 50;
    file.words[512] = 51;
    OK(sys_memory_writeback_begin(file.memory, 0, 16 * PAGE_SIZE));
    CHECK_STATUS(STATUS_NOT_FOUND,
                 sys_memory_dirty_next(file.memory, 0, PAGE_DIRTY, &found, &bytes));
    file.words[0] = 52;
    OK(sys_memory_writeback_end(file.memory, 0, 16 * PAGE_SIZE));
    OK(sys_memory_dirty_next(file.memory, 0, PAGE_DIRTY, &found, &bytes));
    CHECK(found == 0 && bytes == PAGE_SIZE);
    OK(sys_memory_discard(file.memory, 0, 16 * PAGE_SIZE));
    CHECK(file.words[0] == 52 &&
          file.words[512] == 2); /* what was clean came from the disk again */
    OK(sys_memory_set_size(file.memory, 0));
    OK(sys_memory_set_size(file.memory, 16 * PAGE_SIZE));
    CHECK(file.words[0] == 1);
    pager_kill(&pager);
    file_drop(&file);
}

/* ── Copies on behalf of a blocked caller ────────────────────────────────────────────────────────────────────────── */

#define COPY_BYTES (4 * PAGE_SIZE)

struct reader {
    handle_t endpoint, file;
    uint64_t faults;
};

/* Answers a call with the file's first pages in grant 0; at a page that is not there it does not wait, but comes back. */
static void reader_serve(struct worker *self)
{
    struct reader *reader = self->context;
    struct ipc_regs regs = {.target = reader->endpoint, .deadline = DEADLINE_NEVER};
    uint64_t done = 0, part = 0;

    OK(ipc_raw_receive(&regs));
    for (uint64_t end = in_ms(PATIENCE_MS); done < COPY_BYTES && now_ns() < end;) {
        status_t status = sys_endpoint_reply_write_memory(0, 0, done, reader->file, done,
                                                          COPY_BYTES - done, &part);
        if (status_is_ok(status)) {
            done += part;
            continue;
        }
        CHECK_STATUS(STATUS_FAULT, status);
        reader->faults++;
        sleep_ms(1);
    }
    regs = (struct ipc_regs){.words = {done}};
    OK(ipc_raw_reply(&regs));
}

/* read() into a mapping of the same file: both ends miss pages, and nobody who could supply them waits. */
static void test_pager_read_into_a_mapping_of_the_file(void)
{
    struct file file;
    struct child pager;
    struct worker server;
    struct reader reader;

    file_new(&file);
    reader = (struct reader){.file = file.memory};
    OK(sys_endpoint_create(info->budget, &reader.endpoint));
    pager_start(&file, &pager, 0);
    worker_start(&server, reader_serve, &reader);
    my_buffer()->grants[0] =
        (struct grant){(uint64_t)file.words + 8 * PAGE_SIZE, COPY_BYTES, RIGHT_WRITE, 0};
    struct ipc_regs regs = {.target = reader.endpoint,
                            .info = message_info(1, 0, 0, 1),
                            .deadline = DEADLINE_NEVER};

    OK(ipc_raw_call(&regs));
    CHECK(regs.words[0] == COPY_BYTES && reader.faults >= 2);
    for (unsigned i = 0; i < 4; i++)
        CHECK(file.words[(8 + i) * 512] == i + 1);
    CHECK(worker_join(&server));
    close_handle(reader.endpoint);
    pager_kill(&pager);
    file_drop(&file);
}

/* Calls handles[0] with values[1] bytes at values[0] granted, until values[2]. */
static void child_calls_with_grant(void)
{
    child_start.buffer->grants[0] =
        (struct grant){child_start.values[0], child_start.values[1], RIGHT_READ | RIGHT_WRITE, 0};
    struct ipc_regs regs = {.target = child_start.handles[0],
                            .info = message_info(1, 0, 0, 1),
                            .deadline = child_start.values[2]};
    status_t status = ipc_raw_call(&regs);

    child_exit(status_is_ok(status) ? (int64_t)regs.words[0] : status_code(status));
}

static char copied[16 * PAGE_SIZE];

/* A copy from a caller of which a part is done. */
struct cut {
    struct child child;
    struct child_start start;
    handle_t endpoint, memory;
    uint64_t done, token;
};

static status_t cut_goes_on(struct cut *cut)
{
    return sys_endpoint_reply_read(cut->token, 0, cut->done, copied + cut->done, PAGE_SIZE,
                                   &cut->done);
}

/* False: the call's deadline passed too early. */
static bool cut_begin(struct cut *cut, uint64_t deadline_ns)
{
    *cut = (struct cut){.start = {.values = {0, sizeof(copied), deadline_ns}},
                        .memory = memory_new(16, 0)};
    OK(sys_endpoint_create(info->budget, &cut->endpoint));
    child_create(&cut->child, 0, NULL);
    cut->start.handles[0] = child_give(&cut->child, cut->endpoint);
    OK(sys_aspace_map(cut->child.aspace, cut->memory, 0, 0, sizeof(copied), MAP_READ | MAP_WRITE, 0,
                      &cut->start.values[0]));
    child_run(&cut->child, &cut->start, child_calls_with_grant);
    struct ipc_regs regs = {.target = cut->endpoint,
                            .deadline =
                                deadline_ns == DEADLINE_NEVER ? in_ms(PATIENCE_MS) : deadline_ns};

    return status_is_ok(ipc_raw_receive(&regs)) &&
           status_is_ok(sys_endpoint_reply_save(HANDLE_NONE, 0, &cut->token)) &&
           status_is_ok(
               sys_endpoint_reply_read(cut->token, 0, 0, copied, 3 * PAGE_SIZE, &cut->done)) &&
           cut->done == 3 * PAGE_SIZE;
}

static void cut_end(struct cut *cut, int64_t exit_status)
{
    CHECK(child_end(&cut->child) == exit_status);
    close_handle(cut->endpoint);
    close_handle(cut->memory);
}

static void test_caller_killed_in_the_middle_of_a_copy(void)
{
    struct cut cut;

    CHECK(cut_begin(&cut, DEADLINE_NEVER));
    OK(sys_process_kill(cut.child.process, 3));
    CHECK(EVENTUALLY(cut_goes_on(&cut) == STATUS_GONE));
    cut_end(&cut, 3);
}

static void test_caller_unmaps_in_the_middle_of_a_copy(void)
{
    struct cut cut;

    CHECK(cut_begin(&cut, DEADLINE_NEVER));
    OK(sys_aspace_unmap(cut.child.aspace, cut.start.values[0] + 4 * PAGE_SIZE, 12 * PAGE_SIZE));
    OK(sys_endpoint_reply_read(cut.token, 0, cut.done, copied, 3 * PAGE_SIZE, &cut.done));
    CHECK(cut.done == PAGE_SIZE);
    CHECK_STATUS(STATUS_FAULT, sys_endpoint_reply_write(cut.token, 0, 4 * PAGE_SIZE, copied,
                                                        PAGE_SIZE, &cut.done));
    struct ipc_regs regs = {.target = cut.token, .words = {3}};

    OK(ipc_raw_reply(&regs));
    cut_end(&cut, 3);
}

/* It is told so, and the copy finds it gone. A deadline that has passed before there is anything to cut is tried again with a later one. */
static void test_caller_times_out_in_the_middle_of_a_copy(void)
{
    struct cut cut;
    bool begun = false;

    for (uint64_t ms = 50; !begun && ms < PATIENCE_MS; ms *= 2) {
        begun = cut_begin(&cut, in_ms(ms));
        CHECK(!begun || EVENTUALLY(cut_goes_on(&cut) == STATUS_GONE));
        cut_end(&cut, status_code(STATUS_TIMED_OUT));
    }
    CHECK(begun);
}

extern const struct test pager_tests[];
const struct test pager_tests[] = {
    TEST(test_pager_supplies_pages),
    TEST(test_pager_is_succeeded_by_another),
    TEST(test_pager_writes_back),
    TEST(test_pager_read_into_a_mapping_of_the_file),
    TEST(test_caller_killed_in_the_middle_of_a_copy),
    TEST(test_caller_unmaps_in_the_middle_of_a_copy),
    TEST(test_caller_times_out_in_the_middle_of_a_copy),
    {0},
};
