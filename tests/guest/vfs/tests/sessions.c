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

#define FILES_TRIED 9000
#define SESSIONS_TRIED 2100

/* How many sessions @connect gives. */
static unsigned take_sessions(handle_t connect, handle_t *sessions)
{
    unsigned taken = 0;
    status_t status = STATUS_OK;
    while (taken < SESSIONS_TRIED && status_is_ok(status)) {
        status = files_connect(connect, 0, &sessions[taken]);
        taken += status_is_ok(status);
    }
    CHECK_STATUS(STATUS_NO_MEMORY, status);
    return taken;
}

/* How many files the first two of @sessions open, in turn. */
static unsigned take_files(const handle_t *sessions, handle_t *files)
{
    struct file_status info;
    unsigned taken = 0;
    status_t status = STATUS_OK;
    while (taken < FILES_TRIED && status_is_ok(status)) {
        status =
            files_open(sessions[taken % 2], "/boot/vfs", FILE_OPEN_READ, 0, &files[taken], &info);
        taken += status_is_ok(status);
    }
    CHECK_STATUS(STATUS_NO_MEMORY, status);
    return taken;
}

static void close_all(const handle_t *handles, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        CHECK_OK(sys_cap_close(handles[i]));
    }
}

static void test_sessions_nobody_takes_all(void)
{
    unsigned sessions_taken[2], files_taken[2];
    handle_t others[50];
    static handle_t files[2][FILES_TRIED], sessions[2][SESSIONS_TRIED];
    handle_t connect, session, file;
    struct file_status status;
    // Two of the shell's parts, say, that want all.
    for (unsigned hog = 0; hog < 2; hog++) {
        CHECK_OK(svc_connect(os_cap("svc"), "vfs", &connect));
        sessions_taken[hog] = take_sessions(connect, sessions[hog]);
        files_taken[hog] = take_files(sessions[hog], files[hog]);
        CHECK_OK(sys_cap_close(connect));
    }
    CHECK(files_taken[0] >= 200 && files_taken[1] * 3 >= files_taken[0]);
    CHECK(sessions_taken[0] >= 1000 && sessions_taken[1] * 3 >= sessions_taken[0]);
    // Others do not feel it.
    CHECK_OK(files_connect(os_cap("vfs"), 0, &session));
    for (unsigned i = 0; i < 50; i++) {
        CHECK_OK(files_open(session, "/boot/vfs", FILE_OPEN_READ, 0, &others[i], &status));
    }
    close_all(others, 50);
    for (unsigned hog = 0; hog < 2; hog++) {
        close_all(files[hog], files_taken[hog]);
        CHECK_OK(files_open(sessions[hog][0], "/boot/vfs", FILE_OPEN_READ, 0, &file, &status));
        CHECK_OK(sys_cap_close(file));
        close_all(sessions[hog], sessions_taken[hog]);
    }
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
    RUN(test_sessions_nobody_takes_all);
    RUN(test_sessions_come_and_go);
}
