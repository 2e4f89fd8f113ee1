#pragma once
/* The frame of the runtime's tests (main.c) and what they share. */
#include <os/process.h>
#include <stdbool.h>
#include <stdint.h>
#include <veridian/abi.h>

struct test {
    const char *name;
    void (*run)(void);
};
#define TEST(function) {#function, function}
extern const struct test libc_tests[], process_tests[], service_tests[];

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void check_failed(const char *file, int line, const char *condition, int64_t value);
#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition, 0))
#define OK(call) check_status(__FILE__, __LINE__, #call, STATUS_OK, call)
#define CHECK_STATUS(wanted, call) check_status(__FILE__, __LINE__, #call, wanted, call)
void check_status(const char *file, int line, const char *what, status_t wanted, status_t status);

/** The boot archive, mapped. */
extern const void *archive;
extern uint64_t archive_bytes;

/** Start the program "child" with @args and @caps. */
MUST_CHECK status_t child_start(const char *const *args, const struct process_cap *caps,
                                size_t cap_count, handle_t *process);
/** Its exit status, or INT64_MIN if it does not end. Closes @process. */
int64_t child_end(handle_t process);
/** Pages and bytes of kernel memory that the system's budget shows as used. */
void usage(uint64_t *pages, uint64_t *kmem_bytes);
/** The system's budget shows (nearly) no more used than that, after a while: what has ended is taken down in the background. */
bool usage_returns(uint64_t pages, uint64_t kmem_bytes);
