/* The service fuzzer: threads send messages to all services that a program can reach, in rounds. What is tested: after each round every
 * service answers, none has died, files read as they should, and once the caches are warm no memory is lost; each request succeeds
 * sometimes, so it got past the first checks, and no answer is malformed or has a status that its documentation does not name.
 *
 * What init keeps for the service manager is asked by nobody else: so the program can also be started by init in the service manager's
 * place, with its capabilities, and then sends to init alone. */
#include "fuzzer.h"

#include <idl/svc.h>
#include <os/clock.h>
#include <os/file.h>
#include <os/start.h>
#include <os/syscall.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define ROUNDS 3
#define REQUESTS 75000u
#define SEED UINT64_C(0x9e3779b97f4a7c15)
/** More than the console has places for. */
#define IMPATIENT_CALLS 200
/** What services may have more after the last round than after the one before: the log and the vfs's memory of names that are not there
 *  fill up, to their bounds. */
#define SLACK_PAGES 400
#define SLACK_KMEM (192u << 10)
#define SLACK_CAPS 16
/** So often, a tenth of a second apart. */
#define LOOKS 600u
/** Statuses that every request may be answered with: by the dispatcher, or by the kernel. */
#define ALWAYS                                                                             \
    (1u << -STATUS_CODE_OK | 1u << -STATUS_CODE_INVALID | 1u << -STATUS_CODE_UNSUPPORTED | \
     1u << -STATUS_CODE_TIMED_OUT | 1u << -STATUS_CODE_DENIED | 1u << -STATUS_CODE_NO_MEMORY)

static int tests, failures, failures_here;
static uint64_t seed = 1, requests_in_all = REQUESTS;

static const char *const everybody[] = {"svcmgr",     "logd", "power", "devmgr",
                                        "virtio-blk", "ext4", "vfs",   NULL};
static uint64_t ids[sizeof(everybody) / sizeof(everybody[0])];
/* What they hold now, and held a round before. */
static uint64_t caps[sizeof(everybody) / sizeof(everybody[0])],
    caps_before[sizeof(everybody) / sizeof(everybody[0])];

/* Started by init in the service manager's place. */
static bool is_manager(void)
{
    return os_cap("keeper") != HANDLE_NONE;
}

/* --- output ------------------------------------------------------------------------------------------------- */

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
    char line[300];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line) - 1, format, arguments);
    va_end(arguments);
    strcat(line, "\n");
    handle_t port = is_manager() ? os_cap("ioports") : os_cap("ioport.e9");
    status_ignore(sys_ioport_write(port, LOG_PORT, line, strlen(line)));
}

static void check(bool holds, const char *what, const char *about)
{
    if (!holds && failures_here++ < 40) {
        say("# %s: %s", what, about);
    }
}

static void run(const char *name, void (*test)(void))
{
    uint64_t start_ns = clock_now_ns();
    failures_here = 0;
    test();
    failures += failures_here > 0;
    say("%sok %d - %s", failures_here ? "not " : "", ++tests, name);
    say("# %llu ms", (unsigned long long)((clock_now_ns() - start_ns) / NS_PER_MS));
}

/* --- the services are well ---------------------------------------------------------------------------------- */

/* The running process @name; its id is 0: there is none. */
static struct process_info process_of(const char *name)
{
    struct process_info info = {0};
    while (status_is_ok(sys_budget_process_next(os_cap("budget"), info.id, &info))) {
        if (info.state == PROCESS_STATE_RUNNING && strcmp(info.name, name) == 0) {
            return info;
        }
    }
    return (struct process_info){0};
}

/* Byte i of file @number of the disk, see tests/guest/vfs/mkdisk. */
static uint8_t byte_of(unsigned number_, size_t i)
{
    return (uint8_t)(number_ * 31 + i * 7 + (i >> 8) * 13);
}

static bool reads_right(const char *path, unsigned number_)
{
    static uint8_t buffer[SCRATCH_BYTES];
    struct file *file;
    size_t done = 0, wrong = 0;
    if (!status_is_ok(file_open(path, FILE_OPEN_READ, 0, &file))) {
        return false;
    }
    bool read = status_is_ok(file_read(file, buffer, sizeof(buffer), &done)) && done != 0;
    for (size_t i = 0; i < done; i++) {
        wrong += buffer[i] != byte_of(number_, i);
    }
    file_close(file);
    return read && wrong == 0;
}

/* Answered as a request should be that no service knows. */
static bool refuses(const char *cap, uint32_t protocol)
{
    struct ipc_regs regs = {.target = os_cap(cap),
                            .info = ipc_info(protocol << 8 | 0xff, 0, 0, 0),
                            .deadline = DEADLINE_NEVER};
    return ipc_exchange(&regs, 0) == STATUS_UNSUPPORTED;
}

static void check_file_systems(void)
{
    struct fs_attributes root;
    handle_t session = HANDLE_NONE;
    check(status_is_ok(fs_connect(os_cap("ext4"), 0, &session)), "ext4", "connect");
    check(status_is_ok(fs_root(session, &root)), "ext4", "root");
    status_ignore(sys_cap_close(session));
    check(reads_right("/files/3/13", 13) && reads_right("/files/9/199", 199), "vfs", "files");
}

static void check_answers(void)
{
    struct block_info disk;
    struct stream_info stream;
    struct svc_info service;
    char line[512];
    uint64_t after, done;
    check(status_is_ok(block_identify(os_cap("block"), &disk)), "block", "identify");
    check(status_is_ok(bytestream_info(os_cap("console"), &stream)), "console", "info");
    check(status_is_ok(log_read(os_cap("log"), 0, line, sizeof(line), &after, &done)), "log",
          "read");
    check(status_is_ok(svc_status(os_cap("svc"), "vfs", &service)), "svcmgr", "status");
    check(refuses("power", PROTOCOL_POWER), "power", "unknown request");
    check(refuses("devmgr", PROTOCOL_SVC), "devmgr", "unknown request");
    check_file_systems();
}

static void check_nobody_died(void)
{
    for (size_t i = 0; everybody[i]; i++) {
        struct process_info process = process_of(everybody[i]);
        check(process.id != 0 && (ids[i] == 0 || process.id == ids[i]), everybody[i], "died");
        ids[i] = process.id;
        caps_before[i] = caps[i];
        caps[i] = process.caps;
    }
}

/* --- rounds ------------------------------------------------------------------------------------------------- */

static void remove_below(const char *directory)
{
    char path[FILE_PATH_BYTES + 1];
    struct file_entry entry;
    struct file *file;
    if (!status_is_ok(file_open(directory, FILE_OPEN_READ | FILE_OPEN_DIRECTORY, 0, &file))) {
        return;
    }
    while (status_is_ok(file_readdir(file, &entry))) {
        int bytes = snprintf(path, sizeof(path), "%s/%s", directory, entry.name);
        if (bytes > 0 && (size_t)bytes < sizeof(path) && file_unlink(path) == STATUS_WRONG_TYPE) {
            remove_below(path);
            status_ignore(file_rmdir(path));
        }
    }
    file_close(file);
}

static struct fuzzer fuzzers[THREADS];

/* What they learn in one round they know in the next. */
static void fuzzers_begin(void)
{
    static uint8_t scratch[THREADS][SCRATCH_BYTES];
    static struct gifts gifts;
    check(status_is_ok(gifts_make(&gifts)), "fuzzer", "no memory");
    for (uint32_t i = 0; i < THREADS; i++) {
        fuzzers[i] = (struct fuzzer){.state = SEED * (seed * THREADS + i + 1),
                                     .requests = requests_in_all / ROUNDS / THREADS,
                                     .gifts = &gifts,
                                     .fresh = "/tmp/aa",
                                     .scratch = scratch[i]};
        memset(fuzzers[i].likes, 0xff, sizeof(fuzzers[i].likes));
    }
}

static void run_fuzzers(void)
{
    pthread_t threads[THREADS];
    if (fuzzers[0].state == 0) {
        fuzzers_begin();
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        check(pthread_create(&threads[i], NULL, fuzz, &fuzzers[i]) == 0, "fuzzer", "no thread");
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static struct memory_stats last, now;

static void test_services_live_through_a_round(void)
{
    run_fuzzers();
    remove_below("/tmp");
    status_ignore(bytestream_set_mode(os_cap("console"), 0));
    status_ignore(svc_start(os_cap("svc"), "victim"));
    check_answers();
    check_nobody_died();
    last = now;
    check(status_is_ok(sys_system_memory_stats(os_cap("budget"), &now)), "memory", "statistics");
}

static void test_init_lives_through_a_round(void)
{
    char name[KEEPER_NAME_BYTES + 1];
    uint32_t next;
    run_fuzzers();
    check(status_is_ok(keeper_list(os_cap("keeper"), 0, name, &next)), "init", "list");
    last = now;
    check(status_is_ok(sys_system_memory_stats(os_cap("budget"), &now)), "memory", "statistics");
}

/* No more than the bounds say is gone since the round before. */
static bool pages_are_there(void)
{
    return now.free_pages + SLACK_PAGES >= last.free_pages;
}

static bool kernel_memory_is_there(void)
{
    return now.kmem_bytes <= last.kmem_bytes + SLACK_KMEM;
}

static bool capabilities_are_there(size_t i)
{
    return caps[i] <= caps_before[i] + SLACK_CAPS;
}

static bool all_is_there(void)
{
    bool all = pages_are_there() && kernel_memory_is_there();
    for (size_t i = 0; everybody[i]; i++) {
        all = all && capabilities_are_there(i);
    }
    return all;
}

static void look_again(void)
{
    for (size_t i = 0; everybody[i]; i++) {
        caps[i] = ids[i] != 0 ? process_of(everybody[i]).caps : 0;
    }
    check(status_is_ok(sys_system_memory_stats(os_cap("budget"), &now)), "memory", "statistics");
}

/* What the round has left behind takes its time to come back; what leaks never does. */
static void test_requests_leak_nothing(void)
{
    for (unsigned looks = 0; looks < LOOKS && !all_is_there(); looks++) {
        clock_sleep(NS_PER_S / 10);
        look_again();
    }
    say("# free pages %llu, then %llu; kernel memory %llu, then %llu",
        (unsigned long long)last.free_pages, (unsigned long long)now.free_pages,
        (unsigned long long)last.kmem_bytes, (unsigned long long)now.kmem_bytes);
    check(pages_are_there(), "memory", "pages are lost");
    check(kernel_memory_is_there(), "memory", "kernel memory is lost");
    for (size_t i = 0; everybody[i]; i++) {
        check(capabilities_are_there(i), everybody[i], "capabilities are lost");
    }
}

/* --- what was found once ------------------------------------------------------------------------------------- */

/* Calls whose callers gave up have no place in the console's tables for ever. */
static void test_impatient_callers_leave_room(void)
{
    status_t status = STATUS_TIMED_OUT;
    for (int i = 0; i < IMPATIENT_CALLS && status == STATUS_TIMED_OUT; i++) {
        struct ipc_regs regs = {.target = os_cap("console"),
                                .info = ipc_info(LABEL_BYTESTREAM_INTERRUPTED, 0, 0, 0),
                                .deadline = clock_deadline(NS_PER_MS / 4)};
        status = ipc_exchange(&regs, 0);
    }
    check(status == STATUS_TIMED_OUT, "console", status_name(status));
}

/* --- the report --------------------------------------------------------------------------------------------- */

/* What the services here never do: ext4 writes nothing yet, nobody types, nobody may serve a driver's endpoint that is none. */
static bool may_succeed(const struct request *r)
{
    return ipc_label_protocol(r->label) != PROTOCOL_POWER &&
           !(r->label >= LABEL_FS_CREATE && r->label <= LABEL_FS_SETATTR) &&
           r->label != LABEL_BYTESTREAM_READ && r->label != LABEL_BYTESTREAM_INTERRUPTED &&
           r->label != LABEL_SVC_SERVE;
}

/* Sessions and open files of the vfs speak one protocol, and each may be told that it is the wrong one. */
static uint32_t documented(const struct request *r)
{
    bool is_files = ipc_label_protocol(r->label) == PROTOCOL_FILES;
    return r->errors | ALWAYS | (is_files ? 1u << -STATUS_CODE_WRONG_TYPE : 0);
}

static void test_requests_succeed_and_are_answered_as_documented(void)
{
    for (uint32_t i = 0; i < REQUEST_COUNT; i++) {
        const struct request *r = &requests[i];
        const struct request_counts *c = &counts[i];
        if (protocol_connect(ipc_label_protocol(r->label)) == HANDLE_NONE) {
            continue;
        }
        say("# %s: %llu right, %llu succeed (%llu%%), statuses %x; %llu broken", r->name,
            (unsigned long long)c->right, (unsigned long long)c->successes,
            (unsigned long long)(c->right ? 100 * c->successes / c->right : 0), c->statuses,
            (unsigned long long)c->broken);
        check(!may_succeed(r) || c->successes != 0, r->name, "never succeeds");
        check((c->statuses & ~documented(r)) == 0, r->name, "undocumented status");
        check(c->right + c->broken != 0, r->name, "never sent");
    }
}

static void read_options(void)
{
    static struct boot_facts facts;
    check(status_is_ok(sys_memory_read(os_cap("boot"), 0, &facts, sizeof(facts))), "boot", "facts");
    facts.cmdline[sizeof(facts.cmdline) - 1] = '\0';
    const char *word = strstr(facts.cmdline, "seed=");
    seed = word ? strtoull(word + 5, NULL, 10) : seed;
    word = strstr(facts.cmdline, "requests=");
    requests_in_all = word ? strtoull(word + 9, NULL, 10) : requests_in_all;
    say("# seed %llu, %llu requests", (unsigned long long)seed,
        (unsigned long long)requests_in_all);
}

/* As the power service does it. */
static void end_machine(int status)
{
    say("\x1e"
        "EXIT %d",
        status);
    status_ignore(sys_ioport_out(os_cap("ioports"), 0xf4, 4, 0));
    for (;;) {
        clock_sleep(NS_PER_S);
    }
}

static void run_rounds(const char *name, void (*round)(void))
{
    for (int i = 0; i < ROUNDS; i++) {
        run(name, round);
    }
}

int main(void)
{
    read_options();
    if (is_manager()) {
        run_rounds("test_init_lives_through_a_round", test_init_lives_through_a_round);
    } else {
        run_rounds("test_services_live_through_a_round", test_services_live_through_a_round);
        run("test_impatient_callers_leave_room", test_impatient_callers_leave_room);
    }
    run("test_requests_leak_nothing", test_requests_leak_nothing);
    run("test_requests_succeed_and_are_answered_as_documented",
        test_requests_succeed_and_are_answered_as_documented);
    say("1..%d", tests);
    if (is_manager()) {
        end_machine(failures ? 1 : 0);
    }
    status_ignore(power_off(os_cap("power"), failures ? 1 : 0));
    return 0;
}
