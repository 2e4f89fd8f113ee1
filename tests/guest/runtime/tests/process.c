#include "tests.h"

#include <os/archive.h>
#include <os/clock.h>
#include <os/memory.h>
#include <os/start.h>
#include <os/stream.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define LIST(...)         \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

static int64_t run(const char *const *args)
{
    handle_t process;
    status_t status = child_start(args, NULL, 0, &process);
    CHECK_STATUS(STATUS_OK, status);
    return status_is_ok(status) ? child_end(process) : INT64_MIN;
}

static void test_process_exit_status_is_told(void)
{
    CHECK(run(LIST("child", "other")) == 7);
    CHECK(run(LIST("child", "abort")) == 134);
    CHECK(run(LIST("child", "fault")) == STATUS_CODE_FAULT);
}

static void test_process_gets_arguments_environment_and_capabilities(void)
{
    handle_t note, process;
    OK(sys_notification_create(os_self.budget, &note));
    const struct process_cap cap = {.name = "note", .handle = note, .mode = CAP_TRANSFER_MOVE};
    OK(child_start(LIST("child", "check", "two words", ""), &cap, 1, &process));
    int64_t status = child_end(process);
    CHECK(status == 42);
    say("check: %lld", (long long)status);
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_cap_close(note));
}

static void test_process_kill_ends_it(void)
{
    handle_t process;
    int64_t status;
    OK(child_start(LIST("child", "wait"), NULL, 0, &process));
    CHECK_STATUS(STATUS_TIMED_OUT, process_wait(process, clock_deadline(20 * NS_PER_MS), &status));
    OK(process_kill(process, -77));
    CHECK(child_end(process) == -77);
}

static void test_process_start_and_end_leak_nothing(void)
{
    uint64_t pages_before, kmem_before;
    CHECK(run(LIST("child", "other")) == 7);
    clock_sleep(500 * NS_PER_MS);
    usage(&pages_before, &kmem_before);
    for (int i = 0; i < 50; i++) {
        CHECK(run(LIST("child", "other")) == 7);
    }
    CHECK(usage_returns(pages_before, kmem_before));
}

/** A copy of the program "child" in a Memory of its own. */
static handle_t child_copy(uint64_t *bytes, uint8_t **address)
{
    uint64_t offset = 0;
    handle_t memory = HANDLE_NONE;
    void *mapped = NULL;
    OK(archive_find(archive, archive_bytes, "child", &offset, bytes));
    OK(memory_map_new(*bytes, 0, &memory, &mapped));
    memcpy(mapped, (const uint8_t *)archive + offset, *bytes);
    *address = mapped;
    return memory;
}

/** Mutations of an ELF file's first bytes: each is refused, or makes a process that runs or dies, and nothing else happens. */
static void test_process_malformed_programs_harm_nobody(void)
{
    uint64_t bytes = 0;
    uint8_t *copy = NULL;
    uint8_t head[1024];
    uint32_t seed = 12345;
    int started = 0, refused = 0;
    handle_t memory = child_copy(&bytes, &copy);
    memcpy(head, copy, sizeof(head));
    for (int round = 0; round < 300; round++) {
        handle_t process;
        memcpy(copy, head, sizeof(head));
        for (int flips = 0; flips < 3; flips++) {
            seed = seed * 1664525u + 1013904223u;
            copy[(seed >> 8) % 600] = (uint8_t)(seed >> 24);
        }
        struct process_start start = {.name = "mutant",
                                      .image = {memory, 0, bytes},
                                      .args = LIST("child", "other")};
        status_t status = process_spawn(&start, &process);
        if (status_is_ok(status)) {
            int64_t exit_status;
            started++;
            if (process_wait(process, clock_deadline(100 * NS_PER_MS), &exit_status) ==
                STATUS_TIMED_OUT) {
                OK(process_kill(process, -1));
            }
            OK(sys_cap_close(process));
        } else {
            refused++;
            CHECK(status == STATUS_CORRUPT || status == STATUS_UNSUPPORTED ||
                  status == STATUS_NO_MEMORY);
        }
    }
    say("%d started, %d refused", started, refused);
    memset(copy, 0, sizeof(head));
    struct process_start start = {.name = "zeros", .image = {memory, 0, bytes}};
    handle_t process;
    CHECK_STATUS(STATUS_CORRUPT, process_spawn(&start, &process));
    start.image.bytes = 10;
    CHECK_STATUS(STATUS_CORRUPT, process_spawn(&start, &process));
    start.image.bytes = bytes + (1 << 20);
    CHECK_STATUS(STATUS_INVALID, process_spawn(&start, &process));
    memory_unmap(copy, bytes);
    OK(sys_cap_close(memory));
    CHECK(run(LIST("child", "other")) == 7);
}

/** Start "child" with @input as stdin and @output as stdout, both moved. */
static handle_t start_between(const char *const *args, handle_t input, handle_t output)
{
    struct process_cap caps[2];
    size_t count = 0;
    handle_t process = HANDLE_NONE;
    if (input != HANDLE_NONE) {
        caps[count++] =
            (struct process_cap){.name = "stdin", .handle = input, .mode = CAP_TRANSFER_MOVE};
    }
    if (output != HANDLE_NONE) {
        caps[count++] =
            (struct process_cap){.name = "stdout", .handle = output, .mode = CAP_TRANSFER_MOVE};
    }
    OK(child_start(args, caps, count, &process));
    return process;
}

static void test_process_pipeline_carries_all_bytes(void)
{
    handle_t read1, write1, read2, write2;
    struct stream stream;
    static char buffer[4000];
    size_t done = 1, total = 0, lines = 0;
    OK(pipe_create(HANDLE_NONE, &read1, &write1));
    OK(pipe_create(HANDLE_NONE, &read2, &write2));
    handle_t first = start_between(LIST("child", "lines", "5000"), HANDLE_NONE, write1);
    handle_t second = start_between(LIST("child", "copy"), read1, write2);
    OK(stream_open(&stream, read2));
    while (done > 0) {
        OK(stream_read(&stream, buffer, sizeof(buffer), &done));
        total += done;
        for (size_t i = 0; i < done; i++) {
            lines += buffer[i] == '\n';
        }
    }
    CHECK(lines == 5000);
    say("%zu bytes", total);
    CHECK(child_end(first) == 0);
    CHECK(child_end(second) == 0);
    stream_close(&stream);
}

static void test_process_pipe_without_reader_stops_the_writer(void)
{
    handle_t read_end, write_end;
    struct stream stream;
    char byte;
    size_t done;
    OK(pipe_create(HANDLE_NONE, &read_end, &write_end));
    handle_t process = start_between(LIST("child", "lines", "100000000"), HANDLE_NONE, write_end);
    OK(stream_open(&stream, read_end));
    OK(stream_read(&stream, &byte, 1, &done));
    stream_close(&stream);
    CHECK(child_end(process) == 4);
}

const struct test process_tests[] = {
    TEST(test_process_exit_status_is_told),
    TEST(test_process_gets_arguments_environment_and_capabilities),
    TEST(test_process_kill_ends_it),
    TEST(test_process_start_and_end_leak_nothing),
    TEST(test_process_malformed_programs_harm_nobody),
    TEST(test_process_pipeline_carries_all_bytes),
    TEST(test_process_pipe_without_reader_stops_the_writer),
    {NULL, NULL},
};
