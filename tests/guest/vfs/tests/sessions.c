/* What a hostile client may try with sessions and open files. */
#include "tests.h"

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

static void test_sessions_open_files_have_a_bound(void)
{
    static handle_t files[1100];
    handle_t session, other, file;
    struct file_status status;
    unsigned opened = 0;
    status_t last = STATUS_OK;
    CHECK_OK(files_connect(os_cap("vfs"), 0, &session));
    CHECK_OK(files_connect(os_cap("vfs"), 0, &other));
    while (opened < 1100 && status_is_ok(last)) {
        last = files_open(session, "/boot/vfs", FILE_OPEN_READ, 0, &files[opened], &status);
        opened += status_is_ok(last);
    }
    CHECK_STATUS(STATUS_NO_MEMORY, last);
    CHECK(opened >= 128 && opened <= 1024);
    // Others do not feel it.
    CHECK_OK(files_open(other, "/boot/vfs", FILE_OPEN_READ, 0, &file, &status));
    CHECK_OK(sys_cap_close(file));
    CHECK_OK(sys_cap_close(other));
    for (unsigned i = 0; i < opened; i++) {
        CHECK_OK(sys_cap_close(files[i]));
    }
    CHECK_OK(files_open(session, "/boot/vfs", FILE_OPEN_READ, 0, &files[0], &status));
    CHECK_OK(sys_cap_close(files[0]));
    CHECK_OK(sys_cap_close(session));
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
    RUN(test_sessions_open_files_have_a_bound);
    RUN(test_sessions_come_and_go);
}
