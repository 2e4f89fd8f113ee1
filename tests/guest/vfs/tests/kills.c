/* Services die at seeded points while three threads read, with cold caches: all that is read is right, the victim's process is another one
 * afterwards, and in the end no more memory is in use than before.
 *
 * A round begins with the death of the vfs, so that nothing is cached, lets the readers come to a seeded file and a seeded moment in it,
 * and kills. The seed is a word of the kernel's command line, `seed=<number>`; it is printed. */
#include "tests.h"

#include <idl/svc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define READERS 3
#define ROUNDS 6
#define FILES_BEFORE 16
#define FILES_AFTER 40
#define DELAY_NS (3 * NS_PER_MS)
/** What a restarted service may have more than its predecessor: the heap is not always cut alike. */
#define SLACK_PAGES 64
#define SLACK_KMEM (16u << 10)

static atomic_uint files_begun;
static atomic_bool stop;
static atomic_uint passes, wrong_passes;
static uint64_t state;

static uint64_t random_below(uint64_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 16) % limit;
}

static void seed(void)
{
    static struct boot_facts facts;
    CHECK_OK(sys_memory_read(os_cap("boot"), 0, &facts, sizeof facts));
    facts.cmdline[sizeof facts.cmdline - 1] = '\0';
    const char *word = strstr(facts.cmdline, "seed=");
    uint64_t number = word ? strtoull(word + 5, NULL, 10) : 1;
    say("# seed %llu", (unsigned long long)number);
    state = 0x9e3779b97f4a7c15u ^ number;
}

/* --- the readers ------------------------------------------------------------------------------------------------ */

static void count_file(unsigned number)
{
    (void)number;
    atomic_fetch_add(&files_begun, 1);
}

static void *reader(void *argument)
{
    while (!atomic_load(&stop)) {
        atomic_fetch_add(&passes, 1);
        atomic_fetch_add(&wrong_passes, read_disk(count_file) != DISK_FILES);
    }
    return argument;
}

static void wait_for_files(unsigned count)
{
    unsigned begin = atomic_load(&files_begun);
    while (atomic_load(&files_begun) - begin < count) {
        clock_sleep(NS_PER_MS / 4);
    }
}

/* --- the victims ------------------------------------------------------------------------------------------------ */

static uint64_t process_of(const char *name)
{
    struct process_info info = {0};
    handle_t budget = os_cap("budget");
    while (status_is_ok(sys_budget_process_next(budget, info.id, &info))) {
        if (info.state == PROCESS_STATE_RUNNING && strcmp(info.name, name) == 0) {
            return info.id;
        }
    }
    return 0;
}

/* Kill @name, which runs; until another process has its place. */
static void kill_and_see(const char *name)
{
    uint64_t before, after;
    while ((before = process_of(name)) == 0) {
        clock_sleep(NS_PER_MS);
    }
    /* A service manager that is killed does not answer. */
    status_t status = svc_kill(os_cap("svc"), name);
    while (status == STATUS_PEER_DIED && strcmp(name, "svcmgr") != 0) {
        status = svc_kill(os_cap("svc"), name);
    }
    CHECK(status == STATUS_OK || (status == STATUS_PEER_DIED && strcmp(name, "svcmgr") == 0));
    while ((after = process_of(name)) == 0 || after == before) {
        clock_sleep(NS_PER_MS);
    }
}

static void kill_at_seeded_points(const char *name)
{
    pthread_t threads[READERS];
    atomic_store(&stop, false);
    atomic_store(&passes, 0);
    atomic_store(&wrong_passes, 0);
    for (int i = 0; i < READERS; i++) {
        CHECK(pthread_create(&threads[i], NULL, reader, NULL) == 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        kill_and_see("vfs");
        wait_for_files(1 + (unsigned)random_below(FILES_BEFORE));
        clock_sleep(random_below(DELAY_NS));
        kill_and_see(name);
        wait_for_files(FILES_AFTER);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    CHECK(atomic_load(&wrong_passes) == 0);
    say("# %u times all files", atomic_load(&passes));
}

static void test_kills_of_the_driver(void)
{
    kill_at_seeded_points("virtio-blk");
}

static void test_kills_of_ext4(void)
{
    kill_at_seeded_points("ext4");
}

static void test_kills_of_the_vfs(void)
{
    kill_at_seeded_points("vfs");
}

static void test_kills_of_devmgr(void)
{
    kill_at_seeded_points("devmgr");
}

static void test_kills_of_logd(void)
{
    kill_at_seeded_points("logd");
}

static void test_kills_of_the_service_manager(void)
{
    kill_at_seeded_points("svcmgr");
}

/* --- leaks ------------------------------------------------------------------------------------------------------ */

static const char *const everybody[] = {"virtio-blk", "ext4", "vfs", "devmgr", "logd", "svcmgr"};

/* All of them new, and the disk read by one. */
static struct memory_stats usage(void)
{
    struct memory_stats stats = {0};
    for (size_t i = 0; i < sizeof everybody / sizeof everybody[0]; i++) {
        kill_and_see(everybody[i]);
    }
    CHECK(read_disk(NULL) == DISK_FILES);
    CHECK_OK(sys_system_memory_stats(os_cap("budget"), &stats));
    return stats;
}

static void test_kills_leak_nothing(void)
{
    struct memory_stats before = usage();
    for (int round = 0; round < ROUNDS; round++) {
        kill_and_see(everybody[random_below(sizeof everybody / sizeof everybody[0])]);
        CHECK(read_disk(NULL) == DISK_FILES);
    }
    struct memory_stats after = usage();
    /* devmgr looks every two seconds for what drivers of an earlier one have left. What leaks never comes back. */
    for (int looks = 0; looks < 600 && after.free_pages + SLACK_PAGES < before.free_pages;
         looks++) {
        clock_sleep(NS_PER_S / 10);
        CHECK_OK(sys_system_memory_stats(os_cap("budget"), &after));
    }
    say("# free pages %llu, then %llu; kernel memory %llu, then %llu",
        (unsigned long long)before.free_pages, (unsigned long long)after.free_pages,
        (unsigned long long)before.kmem_bytes, (unsigned long long)after.kmem_bytes);
    CHECK(after.free_pages + SLACK_PAGES >= before.free_pages);
    CHECK(after.kmem_bytes <= before.kmem_bytes + SLACK_KMEM);
}

void run_kill_tests(void)
{
    seed();
    RUN(test_kills_of_the_driver);
    RUN(test_kills_of_ext4);
    RUN(test_kills_of_the_vfs);
    RUN(test_kills_of_devmgr);
    RUN(test_kills_of_logd);
    RUN(test_kills_of_the_service_manager);
    RUN(test_kills_leak_nothing);
}
