/* init: the process that the kernel starts, with every root capability.
 *
 * It divides the machine's memory once, by the manifests (budgets.c).
 * It starts the service manager and does almost nothing else, so that almost nothing can go wrong in it: it alone cannot be killed and
 * started anew. It owns the endpoint at which the service manager is called and keeps a copy of every Process and Endpoint capability
 * that the service manager hands it (keeper.c). When the service manager ends, another one is started with the same endpoint; it asks
 * for what is kept and goes on with the services that never stopped running. If it keeps ending at once, init waits longer each time.
 * init makes no call that another process must answer. */
#include <os/archive.h>
#include <os/catalogue.h>
#include <os/clock.h>
#include <os/memory.h>
#include <os/process.h>
#include <os/server.h>
#include <os/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#include "budgets.h"
#include "keeper.h"

#define COOKIE_EXIT 1u
#define COOKIE_TIMER 2u
/** A service manager that ran for this long is a good one. */
#define GOOD_NS (5 * NS_PER_S)
#define DELAY_FIRST_NS (20 * NS_PER_MS)
#define DELAY_LAST_NS (5 * NS_PER_S)
#define KIB 1024u
/** What takes no memory until it is written. */
#define JOURNAL_BYTES (132 * KIB)
#define CONNECT_RIGHTS (RIGHT_CALL | RIGHT_COPY | RIGHT_TRANSFER)

struct init {
    handle_t devices; /**< Memory: what devmgr notes of devices */
    handle_t tmpfs;   /**< Memory: what is in it outlives the service that keeps files there */
    handle_t journal; /**< the same for the log's last lines */
    handle_t archive;
    const void *archive_data;
    uint64_t archive_bytes;
    struct catalogue_entry manifest; /**< the service manager's */
    struct catalogue catalogue;
    struct budgets budgets;
    handle_t keeper;  /**< endpoint: calls of the service manager */
    handle_t manager; /**< endpoint: calls to the service manager */
    handle_t queue;
    handle_t timer;
    handle_t process; /**< the service manager; HANDLE_NONE: none runs */
    uint64_t started_ns;
    uint64_t delay_ns;
};

/** A line in the boot log. */
static void say(const char *text)
{
    status_ignore(sys_ioport_write(os_cap("ioports"), LOG_PORT, text, strlen(text)));
}

static _Noreturn void fail(const char *what, status_t status)
{
    char line[120];
    snprintf(line, sizeof(line), "init: %s: %s\n", what, status_name(status));
    say(line);
    exit((int)status_code(
        status)); /* the kernel says it, and stops: even where nobody listens at the port */
}

static void require(status_t status, const char *what)
{
    if (!status_is_ok(status)) {
        fail(what, status);
    }
}

static void read_archive(struct init *init)
{
    uint64_t offset = 0, bytes = 0;
    uint32_t index;
    init->archive = os_cap("archive");
    require(archive_map(init->archive, &init->archive_data, &init->archive_bytes), "boot archive");
    require(archive_find(init->archive_data, init->archive_bytes, "catalogue", &offset, &bytes),
            "catalogue");
    require(catalogue_open((const uint8_t *)init->archive_data + offset, bytes, &init->catalogue),
            "catalogue");
    require(catalogue_find(&init->catalogue, "svcmgr", &init->manifest, &index),
            "svcmgr in the catalogue");
}

/** With less than the manifests say nothing is started: services that come and go for want of memory tell nobody what is wrong. */
static _Noreturn void fail_for_memory(const struct budgets *budgets)
{
    char line[160];
    bool kernel = budgets->free_kib >= budgets->needed_kib;
    snprintf(line, sizeof(line),
             "init: not enough memory: %llu KiB are free, and %llu KiB are needed to start%s\n",
             (unsigned long long)(kernel ? budgets->kernel_free_kib : budgets->free_kib),
             (unsigned long long)(kernel ? budgets->kernel_needed_kib : budgets->needed_kib),
             kernel ? ", for kernel objects" : "");
    say(line);
    exit((int)status_code(STATUS_NO_MEMORY));
}

/** The services' budgets, a page of notes, and the files in memory, which take their budget page by page as they come. */
static void make_memories(struct init *init)
{
    status_t status = budgets_plan(&init->catalogue, &init->budgets);
    if (status == STATUS_NO_MEMORY) {
        fail_for_memory(&init->budgets);
    }
    require(status, "memory figures");
    require(budgets_make(&init->catalogue, &init->budgets), "budgets");
    require(memory_create(PAGE_SIZE, 0, &init->devices), "memory for notes");
    require(memory_create(JOURNAL_BYTES, 0, &init->journal), "memory for the log");
    require(budgets_make_files(&init->catalogue, &init->budgets, &init->tmpfs), "memory for files");
}

/** Add to the capabilities of the service manager. */
static void add(struct process_start *start, struct process_cap *caps, struct process_cap cap)
{
    if (cap.handle != HANDLE_NONE) {
        caps[start->cap_count++] = cap;
    }
}

static status_t start_manager(struct init *init)
{
    const struct process_cap given[] = {
        {.name = "keeper",
         .handle = init->keeper,
         .rights = CONNECT_RIGHTS,
         .mode = CAP_TRANSFER_DERIVE},
        {.name = "endpoint", .handle = init->manager},
        {.name = "physical", .handle = os_cap("physical")},
        {.name = "ioports", .handle = os_cap("ioports")},
        {.name = "interrupts", .handle = os_cap("interrupts")},
        {.name = "dma", .handle = os_cap("dma")},
        {.name = "trace", .handle = os_cap("trace")},
        {.name = "archive", .handle = init->archive},
        {.name = "boot", .handle = os_cap("boot")},
        {.name = "kernel-log", .handle = os_cap("kernel-log")},
        {.name = "budget", .handle = os_self.budget},
        {.name = "devices", .handle = init->devices},
        {.name = "tmpfs", .handle = init->tmpfs},
        {.name = "journal", .handle = init->journal},
        {.name = "device-tree", .handle = os_cap("device-tree")}, /* not every machine has one */
    };
    static struct process_cap caps[sizeof(given) / sizeof(given[0]) + BUDGETS_MAX];
    struct process_start start = {
        .name = "svcmgr",
        .caps = caps,
        .stack_bytes = (uint64_t)init->manifest.stack_kib * KIB,
        .priority = init->manifest.priority,
    };
    for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        add(&start, caps, given[i]);
    }
    for (size_t i = 0; i < init->budgets.count; i++) {
        add(&start, caps,
            (struct process_cap){.name = init->budgets.names[i],
                                 .handle = init->budgets.handles[i]});
    }
    // What its last life was to be told is not for this one.
    status_t status = sys_endpoint_new_epoch(init->manager);
    if (status_is_ok(status)) {
        status = archive_image(init->archive, init->archive_data, init->archive_bytes, "svcmgr",
                               &start.image);
    }
    if (status_is_ok(status)) {
        status = process_spawn(&start, &init->process);
    }
    if (!status_is_ok(status)) {
        return status;
    }
    init->started_ns = clock_now_ns();
    return sys_process_bind(init->process, init->queue, COOKIE_EXIT);
}

/** Start the service manager after a while. */
static void schedule(struct init *init)
{
    if (clock_now_ns() - init->started_ns > GOOD_NS) {
        init->delay_ns = DELAY_FIRST_NS;
    }
    require(sys_timer_set(init->timer, clock_deadline(init->delay_ns), 0), "timer");
    init->delay_ns = init->delay_ns * 2 < DELAY_LAST_NS ? init->delay_ns * 2 : DELAY_LAST_NS;
}

static void on_event(void *instance, uint64_t cookie, uint32_t kind, uint64_t data)
{
    struct init *init = instance;
    char line[120];
    (void)kind;
    if (cookie == COOKIE_EXIT) {
        snprintf(line, sizeof(line),
                 "init: the service manager ended with status %lld and starts again\n",
                 (long long)data);
        say(line);
        status_ignore(sys_cap_close(init->process));
        init->process = HANDLE_NONE;
        schedule(init);
    } else if (cookie == COOKIE_TIMER && init->process == HANDLE_NONE) {
        status_t status = start_manager(init);
        if (!status_is_ok(status)) {
            snprintf(line, sizeof(line), "init: the service manager does not start: %s\n",
                     status_name(status));
            say(line);
            schedule(init);
        }
    }
}

int main(void)
{
    static struct init init = {.delay_ns = DELAY_FIRST_NS};
    static const struct server_ops ops = {.event = on_event};
    read_archive(&init);
    make_memories(&init);
    require(sys_endpoint_create(os_self.budget, &init.keeper), "endpoint");
    require(sys_endpoint_create(os_self.budget, &init.manager), "endpoint");
    require(sys_queue_create(os_self.budget, &init.queue), "queue");
    require(sys_timer_create(os_self.budget, &init.timer), "timer");
    require(sys_timer_bind(init.timer, init.queue, COOKIE_TIMER), "timer");
    require(start_manager(&init), "service manager");

    const struct server_service service = {.protocol = &keeper_protocol, .ops = &keeper_ops};
    struct server server = {
        .endpoint = init.keeper,
        .queue = init.queue,
        .ops = &ops,
        .instance = &init,
        .services = &service,
        .service_count = 1,
    };
    fail("server loop", server_run(&server));
}
