/* Reading goes on to the right bytes while what serves it is killed; /tmp answers while the disk does not. */
#include "tests.h"

#include <idl/files.h>
#include <os/syscall.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <veridian/syscalls.h>

static const char *victim;
static unsigned kills;

static struct svc_info info_of(const char *name)
{
    struct svc_info info = {0};
    status_ignore(svc_status(os_cap("svc"), name, &info));
    return info;
}

static void kill_sometimes(unsigned number)
{
    if (number % 60 != 17) {
        return;
    }
    /* A service manager that is killed does not answer. */
    status_t status = svc_kill(os_cap("svc"), victim);
    CHECK(status == STATUS_OK || (status == STATUS_PEER_DIED && strcmp(victim, "svcmgr") == 0));
    kills++;
}

static void read_while_killing(const char *name)
{
    victim = name;
    kills = 0;
    uint32_t before = info_of(name).restarts;
    CHECK(read_disk(kill_sometimes) == DISK_FILES);
    CHECK(kills == 5);
    CHECK(info_of(name).restarts >= before + kills - 1);
}

/* The same for what is below the file system, and for what starts it all. */
static void read_cold_while_killing(const char *name)
{
    victim = name;
    kills = 0;
    CHECK_OK(svc_kill(os_cap("svc"), "vfs"));
    CHECK_OK(svc_kill(os_cap("svc"), "ext4"));
    CHECK(read_disk(kill_sometimes) == DISK_FILES);
    CHECK(kills == 5);
}

static void test_restart_driver_while_reading(void)
{
    uint64_t before = info_of("virtio-blk").process_id;
    read_cold_while_killing("virtio-blk");
    CHECK(info_of("virtio-blk").process_id != before);
}

static void test_restart_devmgr_while_reading(void)
{
    read_cold_while_killing("devmgr");
}

static void test_restart_svcmgr_while_reading(void)
{
    read_cold_while_killing("svcmgr");
}

static void test_restart_logd_while_reading(void)
{
    read_cold_while_killing("logd");
}

static void test_restart_vfs_while_reading(void)
{
    read_while_killing("vfs");
}

static void test_restart_ext4_while_reading(void)
{
    /* Nothing may come from the cache of pages. */
    CHECK_OK(svc_kill(os_cap("svc"), "vfs"));
    read_while_killing("ext4");
}

static void test_restart_keeps_open_files(void)
{
    struct file *file, *directory;
    struct file_entry entry;
    uint8_t one[5000], other[5000];
    size_t done, again;
    unsigned names = 0;
    CHECK_OK(file_open("/files/7/7", FILE_OPEN_READ, 0, &file));
    CHECK_OK(file_open("/files/1", FILE_OPEN_READ, 0, &directory));
    for (int i = 0; i < 8; i++) {
        CHECK_OK(file_read_at(file, (uint64_t)i * 123457, one, sizeof one, &done));
        CHECK_OK(file_readdir(directory, &entry));
        names++;
        CHECK_OK(svc_kill(os_cap("svc"), i % 2 ? "vfs" : "ext4"));
        CHECK_OK(file_read_at(file, (uint64_t)i * 123457, other, sizeof other, &again));
        CHECK(done == again && memcmp(one, other, done) == 0);
    }
    file_seek(directory, file_offset(directory));
    CHECK_OK(svc_kill(os_cap("svc"), "vfs"));
    while (status_is_ok(file_readdir(directory, &entry))) {
        names++;
    }
    CHECK(names == 30);
    file_close(file);
    file_close(directory);
}

static void test_restart_keeps_tmp(void)
{
    static const char text[] = "written before, read after";
    struct file *file;
    char got[64];
    size_t done;
    uint32_t flags = FILE_OPEN_READ | FILE_OPEN_WRITE | FILE_OPEN_CREATE;
    CHECK_OK(file_mkdir("/tmp/kept", 0755));
    CHECK_OK(file_open("/tmp/kept/file", flags, 0644, &file));
    for (size_t i = 0; i < sizeof text; i++) {
        if (i % 5 == 2) {
            CHECK_OK(svc_kill(os_cap("svc"), "vfs"));
        }
        CHECK_OK(file_write(file, text + i, 1, &done));
    }
    CHECK_OK(svc_kill(os_cap("svc"), "vfs"));
    CHECK_OK(file_read_at(file, 0, got, sizeof got, &done));
    CHECK(done == sizeof text && memcmp(got, text, done) == 0);
    file_close(file);
    CHECK_OK(file_unlink("/tmp/kept/file"));
    CHECK_OK(file_rmdir("/tmp/kept"));
}

static atomic_int reader_done;

static void *read_file(void *argument)
{
    struct file *file = argument;
    static uint8_t data[100000];
    size_t done = 0;
    CHECK_OK(file_read(file, data, sizeof data, &done));
    CHECK(done == sizeof data);
    atomic_store(&reader_done, 1);
    return NULL;
}

static void test_restart_tmp_answers_while_the_disk_does_not(void)
{
    struct file *file;
    pthread_t reader;
    struct file_status status;
    /* Nothing of the disk is cached but the way to the file. */
    CHECK_OK(svc_kill(os_cap("svc"), "vfs"));
    CHECK_OK(file_open("/files/7/7", FILE_OPEN_READ, 0, &file));
    CHECK_OK(svc_stop(os_cap("svc"), "ext4", 0));
    atomic_store(&reader_done, 0);
    CHECK(pthread_create(&reader, NULL, read_file, file) == 0);
    clock_sleep(50 * NS_PER_MS);
    for (int i = 0; i < 100; i++) {
        CHECK_OK(file_mkdir("/tmp/alive", 0755));
        CHECK_OK(file_rmdir("/tmp/alive"));
        CHECK_OK(file_status("/boot/vfs", 0, &status));
    }
    CHECK(!atomic_load(&reader_done));
    CHECK_OK(svc_start(os_cap("svc"), "ext4"));
    pthread_join(reader, NULL);
    CHECK(atomic_load(&reader_done));
    file_close(file);
}

/* More than one client may have waiting. */
#define GIVEN_UP 400

/* Ask for the attributes of a file of the disk, for 5 ms. */
static status_t ask_in_haste(handle_t session)
{
    struct ipc_writer writer = {ipc_buffer()->data, 0, false};
    ipc_write_string(&writer, "/files/7/7", FILE_PATH_BYTES);
    struct ipc_regs regs = {.target = session,
                            .info = ipc_info(LABEL_FILES_STATUS, writer.used, 0, 0),
                            .deadline = clock_deadline(5 * NS_PER_MS)};
    return ipc_exchange(&regs, 0);
}

/* Who gave up has nothing of his share of calls waiting for a disk that does not answer: vfs was told. */
static void test_restart_calls_given_up_are_forgotten(void)
{
    handle_t session;
    struct file_status status;
    unsigned given_up = 0;
    CHECK_OK(svc_kill(os_cap("svc"), "vfs")); /* nothing is cached */
    CHECK_OK(files_connect(os_cap("vfs"), 0, &session));
    CHECK_OK(svc_stop(os_cap("svc"), "ext4", 0));
    for (unsigned i = 0; i < GIVEN_UP; i++) {
        given_up += ask_in_haste(session) == STATUS_TIMED_OUT;
    }
    CHECK(given_up == GIVEN_UP);
    CHECK_OK(svc_start(os_cap("svc"), "ext4"));
    CHECK_OK(files_status(session, "/files/7/7", 0, &status));
    CHECK_OK(sys_cap_close(session));
}

void run_restart_tests(void)
{
    RUN(test_restart_vfs_while_reading);
    RUN(test_restart_ext4_while_reading);
    RUN(test_restart_driver_while_reading);
    RUN(test_restart_devmgr_while_reading);
    RUN(test_restart_svcmgr_while_reading);
    RUN(test_restart_logd_while_reading);
    RUN(test_restart_keeps_open_files);
    RUN(test_restart_keeps_tmp);
    RUN(test_restart_tmp_answers_while_the_disk_does_not);
    RUN(test_restart_calls_given_up_are_forgotten);
}
