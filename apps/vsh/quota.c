/* Whose memory it is: what the shell starts is not charged to the shell.
 *
 * The login shell has a Budget ("quota"), and divides it: a part for itself, one for what runs in the foreground, one for each job in the
 * background. A program that is hungry finds the end of its part and nobody else's: the shell goes on, and who types finds room for the
 * next program. While there is no job the foreground has all but the shell's own; with the first one half of what is free there becomes
 * theirs, and after the last one it goes back. Jobs have equal parts of that; who uses more already keeps it, and the others share the rest.
 * So a part that is used up by one job is missed by other jobs only. The parts' ceiling is the normal band: real time is given by hand
 * (priority), a budget in each period out of what the shell may have of the CPUs, or without one by the shell's own ceiling.
 * A part also says what belongs to it: programs start programs, and those outlive who started them. All that is charged to a part
 * ends with its job, or with the command line in the foreground.
 * So with files and console: each part connects with capabilities of its own (a badge), by which those services count who has what.
 * The shell's own part pays for its threads, its variables, and what the kernel notes of its programs. It is not endless either, so whatever
 * commands could make grow asks first (quota_has_room), and jobs find its end before the command line does. A shell that another program
 * starts has no quota: all is its program's. */
#include "shell.h"

#include <idl/svc.h>
#include <os/catalogue.h>
#include <os/clock.h>
#include <os/start.h>
#include <string.h>
#include <veridian/syscalls.h>

/** The shell's own part: this much, and one part in so many of the machine. */
#define KEEP_PAGES 160u
#define KEEP_PAGES_SHARE 64u
#define KEEP_KERNEL_BYTES (192u << 10)
#define KEEP_KERNEL_SHARE 512u
/** Of that one quarter is not for what asks, and another not for jobs. */
#define FRONT_QUARTERS 1u
#define JOB_QUARTERS 2u
#define QUARTERS 4u

/** With less a job is not begun. */
#define JOB_PAGES 64u
#define JOB_KERNEL_BYTES (64u << 10)
/** How often, and how long after each other, it is looked whether all has ended; and whether its memory has come back. */
#define ENDS 1000u
#define END_NS NS_PER_MS
#define RETURNS 200u

/** How often memory is asked for, and after how long at least. */
#define TRIES 20u
#define TRY_NS (10 * NS_PER_MS)

static struct {
    pthread_mutex_t lock; /**< one division at a time */
    handle_t front;
    struct connects front_connects;
    struct job *jobs[JOBS_MAX]; /**< that have a part */
    size_t count;
    uint64_t keep_pages, keep_kernel_bytes;
} quota = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct budget_info look(handle_t budget)
{
    struct budget_info info = {0};
    status_ignore(sys_budget_info(budget, &info));
    return info;
}

/** What there is beyond @keep, and beyond what is used. */
static uint64_t spare(uint64_t limit, uint64_t used, uint64_t keep)
{
    uint64_t least = used > keep ? used : keep;
    return limit > least ? limit - least : 0;
}

/** Give @budget what the shell itself does not keep. */
static void grow(handle_t budget)
{
    struct budget_info own = look(os_cap("quota")), now = look(budget);
    uint64_t pages = spare(own.pages_limit, own.pages_used, quota.keep_pages);
    uint64_t bytes = spare(own.kmem_limit, own.kmem_used, quota.keep_kernel_bytes);
    if (pages != 0 || bytes != 0) {
        status_ignore(sys_budget_set(budget, now.pages_limit + pages, now.kmem_limit + bytes,
                                     now.realtime_limit));
    }
}

/** Take from @budget what it does not use, or half of that. BUSY: it used it just now, and keeps it. */
static void shrink(handle_t budget, bool half)
{
    struct budget_info now = look(budget);
    uint64_t pages = spare(now.pages_limit, now.pages_used, 0);
    uint64_t bytes = spare(now.kmem_limit, now.kmem_used, 0);
    if (pages != 0 || bytes != 0) {
        status_ignore(sys_budget_set(budget, now.pages_used + (half ? pages / 2 : 0),
                                     now.kmem_used + (half ? bytes / 2 : 0), now.realtime_limit));
    }
}

/** What each may have at least if they share @total, and those that use more than that keep it. */
static uint64_t level_of(uint64_t total, const uint64_t *used, size_t count)
{
    uint64_t level = total / count;
    for (size_t round = 0; round < count; round++) {
        uint64_t taken = 0, others = 0;
        for (size_t i = 0; i < count; i++) {
            taken += used[i] > level ? used[i] : 0;
            others += used[i] <= level;
        }
        level = others != 0 && total > taken ? (total - taken) / others : 0;
    }
    return level;
}

/** Divide what the jobs have and what the shell does not keep among them. */
static void share(void)
{
    uint64_t pages[JOBS_MAX], bytes[JOBS_MAX];
    const size_t count = quota.count;
    if (count == 0) {
        return;
    }
    struct budget_info own = look(os_cap("quota")), now;
    uint64_t all_pages = spare(own.pages_limit, own.pages_used, quota.keep_pages);
    uint64_t all_bytes = spare(own.kmem_limit, own.kmem_used, quota.keep_kernel_bytes);
    for (size_t i = 0; i < count; i++) {
        now = look(quota.jobs[i]->budget);
        pages[i] = now.pages_used;
        bytes[i] = now.kmem_used;
        all_pages += now.pages_limit;
        all_bytes += now.kmem_limit;
    }
    uint64_t page_level = level_of(all_pages, pages, count);
    uint64_t byte_level = level_of(all_bytes, bytes, count);
    // What is taken from some is there before it is given to others.
    for (size_t i = 0; i < 2 * count; i++) {
        bool give = i >= count;
        struct job *job = quota.jobs[i % count];
        now = look(job->budget);
        uint64_t want_pages = now.pages_used > page_level ? now.pages_used : page_level;
        uint64_t want_bytes = now.kmem_used > byte_level ? now.kmem_used : byte_level;
        status_ignore(sys_budget_set(
            job->budget, give || want_pages < now.pages_limit ? want_pages : now.pages_limit,
            give || want_bytes < now.kmem_limit ? want_bytes : now.kmem_limit, now.realtime_limit));
    }
}

/** Kill all that is charged to @budget or below it, but ourselves; false: there was nothing. */
static bool kill_all(handle_t budget)
{
    struct process_info self = {.id = 0}, info = {.id = 0};
    bool any = false;
    status_ignore(sys_process_info(os_self.process, &self));
    while (status_is_ok(sys_budget_process_next(budget, info.id, &info))) {
        if (info.id != self.id) {
            status_ignore(sys_budget_process_kill(budget, info.id, STATUS_INTERRUPT));
            any = true;
        }
    }
    return any;
}

/** The same, until all of it has ended: what is just being started is seen the next time. */
static void end_all(handle_t budget)
{
    for (unsigned i = 0; i < ENDS && kill_all(budget); i++) {
        clock_sleep(END_NS);
    }
}

/** One connect capability of @part, which goes on with the one that it has. False: the service manager, which may just be started
 * again, gives none; that nobody provides the service is no matter. */
static bool connect_one(const char *service, uint32_t part, handle_t *connect)
{
    status_t status = STATUS_OK;
    for (unsigned i = 0; i < TRIES && *connect == HANDLE_NONE; i++) {
        status = svc_connect(os_cap("svc"), service, part, connect);
        if (status_is_ok(status) || status == STATUS_NOT_FOUND) {
            return true;
        }
        clock_sleep(TRY_NS);
    }
    return *connect != HANDLE_NONE;
}

static bool connect(struct connects *connects, uint32_t part)
{
    return connect_one("vfs", part, &connects->vfs) &&
           connect_one("console", part, &connects->console);
}

static void disconnect(struct connects *connects)
{
    handle_t handles[] = {connects->vfs, connects->console};
    for (size_t i = 0; i < 2; i++) {
        if (handles[i] != HANDLE_NONE) {
            status_ignore(sys_cap_close(handles[i]));
        }
    }
    *connects = (struct connects){.vfs = HANDLE_NONE};
}

bool quota_begin(void)
{
    struct memory_stats machine;
    handle_t own = os_cap("quota");
    if (own == HANDLE_NONE) {
        return true;
    }
    if (!status_is_ok(sys_system_memory_stats(os_cap("budget"), &machine))) {
        return false;
    }
    end_all(own); // what an earlier shell has left
    quota.keep_pages = KEEP_PAGES + machine.total_pages / KEEP_PAGES_SHARE;
    quota.keep_kernel_bytes =
        KEEP_KERNEL_BYTES + machine.total_pages * PAGE_SIZE / KEEP_KERNEL_SHARE;
    return connect(&quota.front_connects, CATALOGUE_PART_FRONT) &&
           status_is_ok(sys_budget_create(own, 0, 0, PRIORITY_NORMAL_MAX, &quota.front));
}

/** While there are no jobs the foreground has all. */
static void grow_front(void)
{
    if (quota.front != HANDLE_NONE) {
        pthread_mutex_lock(&quota.lock);
        if (quota.count == 0) {
            grow(quota.front);
        }
        pthread_mutex_unlock(&quota.lock);
    }
}

handle_t quota_for(const struct shell *shell)
{
    if (shell->job) {
        return shell->job->budget;
    }
    grow_front();
    return quota.front;
}

handle_t quota_connect(const struct shell *shell, const char *service)
{
    const struct connects *connects = shell->job ? &shell->job->connects : &quota.front_connects;
    return strcmp(service, "vfs") == 0       ? connects->vfs
           : strcmp(service, "console") == 0 ? connects->console
                                             : HANDLE_NONE;
}

bool quota_is_console(handle_t handle)
{
    return handle != HANDLE_NONE && (handle == os_cap("stdin") || handle == os_cap("stdout") ||
                                     handle == os_cap("stderr") || handle == os_cap("console"));
}

bool quota_take_console(struct shell *shell)
{
    const handle_t console = quota_connect(shell, "console");
    for (size_t i = 0; i < 3 && console != HANDLE_NONE; i++) {
        handle_t copy;
        if (!quota_is_console(shell->ports[i]->stream.handle)) {
            continue;
        }
        status_t status = sys_cap_copy(console, RIGHT_CALL | RIGHT_COPY | RIGHT_TRANSFER, &copy);
        struct port *port = status_is_ok(status) ? port_new(copy) : NULL;
        if (!port) {
            return false;
        }
        port_release(shell->ports[i]);
        shell->ports[i] = port;
    }
    return true;
}

size_t quota_parts(struct process_cap *caps, size_t room)
{
    static char names[JOBS_MAX][OS_CAP_NAME_BYTES];
    size_t count = 0;
    if (quota.front != HANDLE_NONE && room > 0) {
        caps[count++] = (struct process_cap){.name = "budget.foreground", .handle = quota.front};
    }
    pthread_mutex_lock(&quota.lock);
    for (size_t i = 0; i < quota.count && count < room; i++) {
        snprintf(names[i], sizeof(names[i]), "budget.job-%u", quota.jobs[i]->number);
        caps[count++] = (struct process_cap){.name = names[i], .handle = quota.jobs[i]->budget};
    }
    pthread_mutex_unlock(&quota.lock);
    for (size_t i = 0; i < count; i++) {
        caps[i].rights = RIGHT_INSPECT | RIGHT_COPY | RIGHT_TRANSFER;
    }
    return count;
}

void quota_kill(const struct job *job)
{
    // A job that ends closes its part.
    pthread_mutex_lock(&quota.lock);
    handle_t budget = job ? job->budget : quota.front;
    if (budget != HANDLE_NONE) {
        kill_all(budget);
    }
    pthread_mutex_unlock(&quota.lock);
}

bool quota_admits(const struct shell *shell, status_t status, unsigned *tries)
{
    const struct turn *turn = &shell->turn;
    handle_t part = quota_for(shell);
    if (status != STATUS_DENIED || turn->period_ns == 0 || part == HANDLE_NONE ||
        ++*tries > TRIES) {
        return false;
    }
    uint64_t more = (turn->budget_ns * BUDGET_REALTIME_CPU + turn->period_ns - 1) / turn->period_ns;
    pthread_mutex_lock(&quota.lock);
    struct budget_info now = look(part);
    status = sys_budget_set(part, now.pages_limit, now.kmem_limit, now.realtime_used + more);
    pthread_mutex_unlock(&quota.lock);
    return status_is_ok(status);
}

void quota_front_end(void)
{
    if (quota.front != HANDLE_NONE) {
        end_all(quota.front);
        // Their pages come back a little later. What is not theirs alone may stay, and is not waited for longer than that takes.
        for (unsigned i = 0; i < RETURNS && look(quota.front).pages_used != 0; i++) {
            clock_sleep(END_NS);
        }
        // So does what they had of the CPUs.
        pthread_mutex_lock(&quota.lock);
        struct budget_info now = look(quota.front);
        status_ignore(
            sys_budget_set(quota.front, now.pages_limit, now.kmem_limit, now.realtime_used));
        pthread_mutex_unlock(&quota.lock);
    }
}

/** @job's part goes back to where it was taken from. */
static void take_back(struct job *job)
{
    for (size_t i = 0; i < quota.count; i++) {
        if (quota.jobs[i] == job) {
            quota.jobs[i] = quota.jobs[--quota.count];
            break;
        }
    }
    shrink(job->budget, false);
    status_ignore(sys_cap_close(job->budget));
    job->budget = HANDLE_NONE;
    share();
}

bool quota_job_begin(struct job *job)
{
    if (quota.front == HANDLE_NONE) {
        return true;
    }
    bool connected = connect(&job->connects, CATALOGUE_PART_FRONT + job->number);
    pthread_mutex_lock(&quota.lock);
    bool good =
        connected && quota.count < JOBS_MAX &&
        status_is_ok(sys_budget_create(os_cap("quota"), 0, 0, PRIORITY_NORMAL_MAX, &job->budget));
    if (good) {
        if (quota.count == 0) {
            grow(quota.front);
            shrink(quota.front, true);
        }
        quota.jobs[quota.count++] = job;
        share();
        struct budget_info info = look(job->budget);
        good = info.pages_limit >= JOB_PAGES && info.kmem_limit >= JOB_KERNEL_BYTES;
        if (!good) {
            take_back(job);
        }
    }
    pthread_mutex_unlock(&quota.lock);
    if (!good) {
        disconnect(&job->connects);
    }
    return good;
}

void quota_job_end(struct job *job)
{
    if (job->budget != HANDLE_NONE) {
        end_all(job->budget);
        pthread_mutex_lock(&quota.lock);
        take_back(job);
        pthread_mutex_unlock(&quota.lock);
        disconnect(&job->connects);
    }
}

/* Long enough for what ends to have been given back; then until every CPU, however seldom the host lets it run, has been where it does that: a
 * revocation waits for it (docs/capabilities.md), of whatever it is. */
static void await_memory(void)
{
    handle_t mark;
    clock_sleep(TRY_NS);
    if (status_is_ok(sys_notification_create(os_self.budget, &mark))) {
        status_ignore(sys_cap_revoke(mark));
        status_ignore(sys_cap_close(mark));
    }
}

bool quota_awaits(status_t status, unsigned *tries)
{
    if (status != STATUS_NO_MEMORY || ++*tries > TRIES) {
        return false;
    }
    await_memory();
    grow_front();
    return true;
}

bool quota_thread_create(pthread_t *thread, const pthread_attr_t *attributes,
                         void *(*routine)(void *), void *argument)
{
    unsigned tries = 0;
    int error;
    do {
        error = pthread_create(thread, attributes, routine, argument);
    } while (error != 0 && quota_awaits(STATUS_NO_MEMORY, &tries));
    return error == 0;
}

static bool has_room(const struct job *job, size_t bytes)
{
    struct budget_info own = look(os_cap("quota"));
    uint64_t pages = spare(own.pages_limit, own.pages_used, 0);
    uint64_t kernel_bytes = spare(own.kmem_limit, own.kmem_used, 0);
    uint64_t quarters = job ? JOB_QUARTERS : FRONT_QUARTERS;
    uint64_t keep_pages = quota.keep_pages * quarters / QUARTERS;
    return pages > keep_pages && (pages - keep_pages) * PAGE_SIZE >= bytes &&
           kernel_bytes > quota.keep_kernel_bytes * quarters / QUARTERS;
}

bool quota_has_room(const struct job *job, size_t bytes)
{
    unsigned tries = 0;
    if (quota.front == HANDLE_NONE) {
        return true;
    }
    while (!has_room(job, bytes)) {
        if (!quota_awaits(STATUS_NO_MEMORY, &tries)) {
            return false;
        }
    }
    return true;
}
