/* What a hostile client may try with sessions and open files. */
#include "tests.h"

#include <idl/svc.h>
#include <string.h>
#include <veridian/syscalls.h>

static uint8_t buffer[4096];

static void test_sessions_calls_on_the_wrong_badge(void)
{
    handle_t session, file, other;
    struct file_status status;
    uint64_t done;
    CHECK_OK(files_connect(os_cap("vfs"), 0, &session));
    CHECK_STATUS(STATUS_INVALID, files_connect(os_cap("vfs"), 0x100, &other));
    CHECK_STATUS(STATUS_WRONG_TYPE, files_connect(session, 0, &other));
    CHECK_STATUS(STATUS_WRONG_TYPE,
                 files_open(os_cap("vfs"), "/tmp", FILE_OPEN_READ, 0, &file, &status));
    CHECK_STATUS(STATUS_WRONG_TYPE, files_read(session, 0, buffer, sizeof buffer, &done));
    CHECK_OK(files_open(session, "/boot/vfs", FILE_OPEN_READ, 0, &file, &status));
    CHECK_OK(files_read(file, 0, buffer, sizeof buffer, &done));
    CHECK(done == sizeof buffer && memcmp(buffer, "\177ELF", 4) == 0);
    CHECK_STATUS(STATUS_WRONG_TYPE, files_mkdir(file, "/tmp/x", 0));
    CHECK_STATUS(STATUS_WRONG_TYPE, files_readdir(file, 0, buffer, sizeof buffer, &done, &done));
    CHECK_STATUS(STATUS_DENIED, files_write(file, 0, buffer, sizeof buffer, &done, &done));
    /* The session has not the right to change. */
    CHECK_STATUS(STATUS_DENIED, files_mkdir(session, "/tmp/x", 0755));
    /* An open file outlives its session. */
    CHECK_OK(sys_cap_close(session));
    CHECK_OK(files_read(file, 4, buffer, 4, &done));
    CHECK_OK(sys_cap_close(file));
    CHECK_STATUS(STATUS_BAD_HANDLE, files_read(file, 0, buffer, 4, &done));
}

static void test_sessions_odd_arguments(void)
{
    handle_t session, file;
    struct file_status status;
    uint64_t done, next;
    CHECK_OK(files_connect(os_cap("vfs"), FILE_SESSION_WRITE, &session));
    CHECK_STATUS(STATUS_INVALID, files_open(session, "tmp", FILE_OPEN_READ, 0, &file, &status));
    CHECK_STATUS(STATUS_INVALID, files_open(session, "", FILE_OPEN_READ, 0, &file, &status));
    CHECK_STATUS(STATUS_INVALID, files_open(session, "/tmp", 0xffffffff, 0, &file, &status));
    CHECK_STATUS(STATUS_NOT_FOUND, files_reopen(session, 99, 1, 1, FILE_OPEN_READ, &file, &status));
    CHECK_STATUS(STATUS_GONE,
                 files_reopen(session, 3, 12345678, 1, FILE_OPEN_READ, &file, &status));
    CHECK_STATUS(STATUS_GONE,
                 files_reopen(session, 3, UINT64_MAX, UINT64_MAX, FILE_OPEN_READ, &file, &status));
    CHECK_OK(files_open(session, "/tmp", FILE_OPEN_READ, 0, &file, &status));
    CHECK_OK(files_readdir(file, 0, buffer, sizeof buffer, &done, &next));
    CHECK_OK(files_readdir(file, UINT64_MAX, buffer, sizeof buffer, &done, &next));
    CHECK(done == 0);
    CHECK_OK(files_readdir(file, INT64_MAX, buffer, sizeof buffer, &done, &next));
    CHECK_OK(sys_cap_close(file));
    uint32_t flags = FILE_OPEN_READ | FILE_OPEN_WRITE | FILE_OPEN_CREATE;
    CHECK_OK(files_open(session, "/tmp/f", flags, 0644, &file, &status));
    CHECK_STATUS(STATUS_RANGE,
                 files_write(file, UINT64_MAX - 5, buffer, sizeof buffer, &done, &next));
    CHECK_STATUS(STATUS_RANGE, files_truncate(file, UINT64_MAX));
    CHECK_OK(files_read(file, UINT64_MAX, buffer, sizeof buffer, &done));
    CHECK(done == 0);
    /* A buffer that is not there. */
    CHECK_STATUS(STATUS_FAULT, files_write(file, 0, (void *)0x1000, 4096, &done, &next));
    CHECK_OK(files_write(file, 0, buffer, 100, &done, &next));
    CHECK_STATUS(STATUS_FAULT, files_read(file, 0, (void *)0x1000, 4096, &done));
    CHECK_STATUS(STATUS_RANGE, files_read(file, 0, buffer, FILE_TRANSFER_BYTES + 1, &done));
    CHECK_OK(files_unlink(session, "/tmp/f"));
    CHECK_OK(sys_cap_close(file));
    CHECK_OK(sys_cap_close(session));
}

#define HOGS 20
#define TAKEN_MAX 20000
#define NEEDED 2

static handle_t taken[TAKEN_MAX];

/* A client of its own takes sessions, and with the first opens files, until it is told that it has enough: how many of both. */
static unsigned take_all(unsigned first, uint32_t part)
{
    handle_t connect;
    struct file_status info;
    unsigned at = first;
    status_t status = STATUS_OK;
    CHECK_OK(svc_connect(os_cap("svc"), "vfs", part, &connect));
    while (status_is_ok(status) && at < TAKEN_MAX) {
        status = files_connect(connect, 0, &taken[at]);
        at += status_is_ok(status);
    }
    CHECK_STATUS(STATUS_NO_MEMORY, status);
    status = at > first ? STATUS_OK : STATUS_NO_MEMORY;
    while (status_is_ok(status) && at < TAKEN_MAX) {
        status = files_open(taken[first], "/boot/vfs", FILE_OPEN_READ, 0, &taken[at], &info);
        at += status_is_ok(status);
    }
    CHECK_STATUS(STATUS_NO_MEMORY, status);
    CHECK_OK(sys_cap_close(connect));
    return at - first;
}

/* Greedy clients come one after the other; each still finds something, and so does who comes last and wants little. */
static void test_sessions_nobody_takes_all(void)
{
    unsigned count = 0, first = take_all(0, 1);
    handle_t connect, session, files[NEEDED];
    struct file_status status;
    count = first;
    for (unsigned hog = 1; hog < HOGS; hog++) {
        unsigned more = take_all(count, 1 + hog);
        CHECK(more >= 1 + NEEDED && more < first);
        count += more;
    }
    CHECK_OK(svc_connect(os_cap("svc"), "vfs", 1 + HOGS, &connect));
    CHECK_OK(files_connect(connect, 0, &session));
    for (unsigned i = 0; i < NEEDED; i++) {
        CHECK_OK(files_open(session, "/boot/vfs", FILE_OPEN_READ, 0, &files[i], &status));
    }
    for (unsigned i = 0; i < NEEDED; i++) {
        CHECK_OK(sys_cap_close(files[i]));
    }
    CHECK_OK(sys_cap_close(session));
    CHECK_OK(sys_cap_close(connect));
    for (unsigned i = 0; i < count; i++) {
        CHECK_OK(sys_cap_close(taken[i]));
    }
    CHECK(take_all(0, 1) == first);
    for (unsigned i = 0; i < first; i++) {
        CHECK_OK(sys_cap_close(taken[i]));
    }
}

static void test_sessions_come_and_go(void)
{
    handle_t session, file;
    struct file_status status;
    for (int i = 0; i < 5000; i++) {
        CHECK_OK(files_connect(os_cap("vfs"), 0, &session));
        CHECK_OK(files_open(session, "/boot/vfs", FILE_OPEN_READ, 0, &file, &status));
        CHECK_OK(sys_cap_close(session));
        CHECK_OK(sys_cap_close(file));
    }
}

void run_session_tests(void)
{
    RUN(test_sessions_calls_on_the_wrong_badge);
    RUN(test_sessions_odd_arguments);
    RUN(test_sessions_nobody_takes_all);
    RUN(test_sessions_come_and_go);
}
