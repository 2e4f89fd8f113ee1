/* Several calls of one program in flight: they are, each hears of its server's death, and who reads ahead reads on. */
#include "tests.h"

#include <os/async.h>
#include <veridian/syscall_numbers.h>
#include <veridian/syscalls.h>

#define BIG "/files/7/7"
#define BIG_NUMBER 7
#define BIG_BYTES 1500000u
#define CALLS 4u
#define CALL_BYTES 4096u

static unsigned reads_in_flight(void)
{
    struct process_info self;
    struct thread_info thread = {.id = 0};
    unsigned count = 0;
    CHECK_OK(sys_process_info(os_self.process, &self));
    while (status_is_ok(sys_budget_thread_next(os_cap("budget"), self.id, thread.id, &thread))) {
        count += thread.wait == THREAD_WAIT_SYSCALL && thread.syscall == SYS_ENDPOINT_CALL &&
                 thread.label == LABEL_FILES_READ;
    }
    return count;
}

static void wait_for_reads(unsigned count)
{
    while (reads_in_flight() != count) {
        clock_sleep(NS_PER_MS);
    }
}

/* BIG, opened without <os/file.h>, which would hide what happens. */
static handle_t open_big(handle_t *session)
{
    handle_t file = HANDLE_NONE;
    struct file_status status;
    while (!status_is_ok(files_connect(os_cap("vfs"), 0, session))) {
        clock_sleep(NS_PER_MS);
    }
    CHECK_OK(files_open(*session, BIG, FILE_OPEN_READ, 0, &file, &status));
    return file;
}

static void test_ahead_each_call_in_flight_hears_of_the_death(void)
{
    static struct files_read_async requests[CALLS];
    static uint8_t buffers[CALLS][CALL_BYTES];
    struct async_pool pool;
    handle_t session = HANDLE_NONE;
    CHECK_OK(svc_kill(os_cap("svc"), "vfs"));
    handle_t file = open_big(&session);
    CHECK_OK(svc_stop(os_cap("svc"), "ext4", 0));
    CHECK_OK(async_pool_create(&pool, CALLS, HANDLE_NONE, 0));
    for (unsigned i = 0; i < CALLS; i++) {
        requests[i] = (struct files_read_async){.server = file,
                                                .offset = i * UINT64_C(300000),
                                                .buffer = buffers[i],
                                                .buffer_bytes = CALL_BYTES};
        files_read_start(&pool, &requests[i]);
    }
    wait_for_reads(CALLS);
    CHECK(async_next(&pool) == NULL);
    CHECK_OK(svc_kill(os_cap("svc"), "vfs"));
    async_pool_close(&pool);
    for (unsigned i = 0; i < CALLS; i++) {
        /* The latter, if it was in the queue still: what was sent to the server before comes too late for the one after. */
        CHECK(requests[i].call.status == STATUS_PEER_DIED ||
              requests[i].call.status == STATUS_STALE);
        CHECK(async_next(&pool) != NULL);
    }
    CHECK_OK(svc_start(os_cap("svc"), "ext4"));
    status_ignore(sys_cap_close(file));
    status_ignore(sys_cap_close(session));
}

/* Read BIG ahead and compare; @between is called when @number parts are read. */
static void read_big(struct file *file, void (*between)(unsigned number))
{
    struct file_ahead *ahead;
    const uint8_t *data;
    size_t bytes, total = 0, wrong = 0;
    unsigned number = 0;
    CHECK_OK(file_ahead_begin(file, &ahead));
    do {
        CHECK_OK(file_ahead_next(ahead, &data, &bytes));
        for (size_t i = 0; i < bytes; i++, total++) {
            wrong += data[i] != byte_of(BIG_NUMBER, total);
        }
        between(++number);
    } while (bytes > 0);
    CHECK(total == BIG_BYTES && wrong == 0 && file_offset(file) == BIG_BYTES);
    file_ahead_end(ahead);
}

/* The first part comes from the cache, those behind it wait for the disk. */
static void kill_while_calls_wait(unsigned number)
{
    if (number == 1) {
        wait_for_reads(2);
        CHECK_OK(svc_kill(os_cap("svc"), "vfs"));
        CHECK_OK(svc_start(os_cap("svc"), "ext4"));
    }
}

static void test_ahead_reader_has_calls_in_flight_and_reads_on(void)
{
    static uint8_t first[FILE_AHEAD_BYTES];
    struct file *file;
    size_t done;
    CHECK_OK(svc_kill(os_cap("svc"), "vfs"));
    CHECK_OK(file_open(BIG, FILE_OPEN_READ, 0, &file));
    CHECK_OK(file_read_at(file, 0, first, sizeof first, &done));
    CHECK_OK(svc_stop(os_cap("svc"), "ext4", 0));
    read_big(file, kill_while_calls_wait);
    file_close(file);
}

static void kill_in_turn(unsigned number)
{
    if (number % 2 == 0) {
        CHECK_OK(svc_kill(os_cap("svc"), number % 4 == 0 ? "vfs" : "ext4"));
    }
}

static void test_ahead_reader_reads_on_while_servers_die(void)
{
    struct file *file;
    CHECK_OK(svc_kill(os_cap("svc"), "vfs"));
    CHECK_OK(file_open(BIG, FILE_OPEN_READ, 0, &file));
    read_big(file, kill_in_turn);
    file_close(file);
}

void run_ahead_tests(void)
{
    RUN(test_ahead_each_call_in_flight_hears_of_the_death);
    RUN(test_ahead_reader_has_calls_in_flight_and_reads_on);
    RUN(test_ahead_reader_reads_on_while_servers_die);
}
