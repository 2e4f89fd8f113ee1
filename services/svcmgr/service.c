/* The services: what runs, what died and when it starts again.
 *
 * A service's endpoint is made once and outlives every process behind it: calls made while there is none wait. init keeps a copy of each
 * endpoint and process, which is how a new service manager finds them (services_begin). A death is the EXIT event of the process; its
 * cookie names the service and which of its processes. A new life begins with a new epoch of the endpoint, so that sessions of the old
 * one answer STALE. The delay before a start doubles with each death, until a process has run
 * for a while; a death that somebody asked for (svc kill) is not the service's fault. */
#include "svcmgr.h"

#include <os/clock.h>
#include <os/start.h>
#include <string.h>
#include <veridian/syscalls.h>

/** A process that ran for this long did start well: if it dies it is started again at once. */
#define GOOD_NS (500 * NS_PER_MS)
#define DELAY_FIRST_NS (5 * NS_PER_MS)
#define DELAY_LAST_NS (5 * NS_PER_S)
/** From this delay on each further death is worth a complaint. */
#define DELAY_BAD_NS (300 * NS_PER_MS)
#define COOKIE_TIMER UINT64_MAX

struct manager manager;

static struct service *find(const char *name, uint32_t kind)
{
    for (size_t i = 0; i < manager.service_count; i++) {
        if (manager.services[i].manifest.kind == kind &&
            strcmp(manager.services[i].manifest.name, name) == 0) {
            return &manager.services[i];
        }
    }
    return NULL;
}

struct service *service_find(const char *name)
{
    return find(name, CATALOGUE_SERVICE);
}

struct service *driver_find(const char *name)
{
    return find(name, CATALOGUE_DRIVER);
}

struct service *service_providing(const char *name)
{
    for (size_t i = 0; i < manager.service_count; i++) {
        if (manager.services[i].endpoint != HANDLE_NONE &&
            strcmp(manager.services[i].manifest.provides, name) == 0) {
            return &manager.services[i];
        }
    }
    return NULL;
}

static uint64_t cookie_of(const struct service *service)
{
    return (uint64_t)service->generation << 32 | (uint64_t)(service - manager.services);
}

/** @service runs as @process from now on. */
static status_t take_process(struct service *service, handle_t process)
{
    service->process = process;
    service->generation++;
    service->state = SVC_STATE_RUNNING;
    return sys_process_bind(process, manager.queue, cookie_of(service));
}

static void drop_process(struct service *service)
{
    if (service->process != HANDLE_NONE) {
        status_ignore(sys_cap_close(service->process));
        service->process = HANDLE_NONE;
    }
}

/** Have init keep a copy of the process of @service. */
static status_t keep_process(const struct service *service)
{
    handle_t copy;
    const uint32_t rights =
        RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT | RIGHT_MANAGE;
    status_t status = sys_cap_copy(service->process, rights, &copy);
    if (status_is_ok(status)) {
        status = keeper_keep_process(manager.keeper, service->manifest.name, copy,
                                     service->restarts, service->started_ns);
    }
    return status;
}

static status_t start_process(struct service *service)
{
    handle_t process;
    if (service->endpoint != HANDLE_NONE && service->generation != 0) {
        status_t status = sys_endpoint_new_epoch(service->endpoint);
        if (!status_is_ok(status)) {
            return status;
        }
    }
    status_t status = launch(service, &process);
    if (!status_is_ok(status)) {
        return status;
    }
    service->started_ns = clock_now_ns();
    status = take_process(service, process);
    return status_is_ok(status) ? keep_process(service) : status;
}

status_t service_start(struct service *service)
{
    if (service->state == SVC_STATE_RUNNING) {
        return STATUS_OK;
    }
    status_t status = start_process(service);
    if (!status_is_ok(status)) {
        journal("svcmgr: %s does not start: %s", service->manifest.name, status_name(status));
        if (service->process != HANDLE_NONE) {
            status_ignore(sys_process_kill(service->process, status_code(status)));
            drop_process(service);
        }
        service->state = SVC_STATE_FAILED;
        service->exit_status = status_code(status);
    } else if (strcmp(service->manifest.provides, "log") == 0) {
        journal_retry();
    }
    return status;
}

/** End its process. Its children are in @children until it is there again. */
static void end(struct service *service, uint32_t children)
{
    service->state = SVC_STATE_STOPPED;
    if (service->process != HANDLE_NONE) {
        status_ignore(sys_process_kill(service->process, STATUS_CODE_INTERRUPTED));
        drop_process(service);
        adopted_end(catalogue_badge(service->index, 0), children);
    }
    status_ignore(keeper_drop_process(manager.keeper, service->manifest.name, 1));
    journal("svcmgr: %s stopped", service->manifest.name);
}

void service_stop(struct service *service)
{
    end(service, SVC_STATE_STOPPED);
}

status_t service_restart(struct service *service)
{
    end(service, SVC_STATE_BACKOFF);
    service->delay_ns = 0;
    service->restarts++;
    return service_start(service);
}

/** The earliest start that is due becomes the timer's. */
static void set_timer(void)
{
    uint64_t next_ns = DEADLINE_NEVER;
    for (size_t i = 0; i < manager.service_count; i++) {
        const struct service *service = &manager.services[i];
        if (service->state == SVC_STATE_BACKOFF && service->start_at_ns < next_ns) {
            next_ns = service->start_at_ns;
        }
    }
    if (next_ns != DEADLINE_NEVER) {
        status_ignore(sys_timer_set(manager.timer, next_ns, 0));
    }
}

static void schedule_start(struct service *service)
{
    uint64_t now_ns = clock_now_ns();
    if (now_ns - service->started_ns > GOOD_NS || service->was_killed) {
        service->delay_ns = 0;
    }
    service->was_killed = false;
    service->state = SVC_STATE_BACKOFF;
    service->start_at_ns = now_ns + service->delay_ns;
    if (service->delay_ns >= DELAY_BAD_NS) {
        journal("svcmgr: %s keeps failing; next start in %llu ms", service->manifest.name,
                (unsigned long long)(service->delay_ns / NS_PER_MS));
    }
    uint64_t longer_ns = service->delay_ns == 0 ? DELAY_FIRST_NS : service->delay_ns * 2;
    service->delay_ns = longer_ns < DELAY_LAST_NS ? longer_ns : DELAY_LAST_NS;
}

static bool shall_restart(const struct service *service)
{
    return service->manifest.restart == RESTART_ALWAYS ||
           (service->manifest.restart == RESTART_FAILURE && service->exit_status != 0);
}

static void on_exit_of(struct service *service, int64_t exit_status)
{
    service->exit_status = exit_status;
    drop_process(service);
    adopted_end(catalogue_badge(service->index, 0),
                shall_restart(service) ? SVC_STATE_BACKOFF : SVC_STATE_STOPPED);
    if (!shall_restart(service)) {
        service->state = SVC_STATE_DONE;
        status_ignore(keeper_drop_process(manager.keeper, service->manifest.name, 1));
        journal("svcmgr: %s ended with status %lld", service->manifest.name,
                (long long)exit_status);
        return;
    }
    status_ignore(keeper_drop_process(manager.keeper, service->manifest.name, 0));
    journal("svcmgr: %s died (status %lld) and starts again", service->manifest.name,
            (long long)exit_status);
    schedule_start(service);
}

static void start_due(void)
{
    uint64_t now_ns = clock_now_ns();
    for (size_t i = 0; i < manager.service_count; i++) {
        struct service *service = &manager.services[i];
        if (service->state == SVC_STATE_BACKOFF && service->start_at_ns <= now_ns) {
            service->restarts++;
            if (!status_is_ok(service_start(service))) {
                schedule_start(service);
            }
        }
    }
}

void service_event(void *instance, uint64_t cookie, uint32_t kind, uint64_t data)
{
    (void)instance;
    uint64_t number = cookie & UINT32_MAX;
    if (kind == EVENT_EXIT && number < manager.service_count &&
        cookie == cookie_of(&manager.services[number]) &&
        manager.services[number].state == SVC_STATE_RUNNING) {
        on_exit_of(&manager.services[number], (int64_t)data);
    }
    start_due();
    set_timer();
    journal_flush();
}

/** The endpoint of @service: the one that init keeps, or a new one. */
static status_t find_endpoint(struct service *service)
{
    handle_t copy;
    const uint32_t rights = RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT |
                            RIGHT_CALL | RIGHT_RECEIVE | RIGHT_MANAGE;
    if (service->manifest.provides[0] == '\0') {
        return STATUS_OK;
    }
    // Drivers of which the machine has one share what they provide.
    struct service *other = service_providing(service->manifest.provides);
    if (other) {
        service->endpoint = other->endpoint;
        return STATUS_OK;
    }
    status_t status = keeper_endpoint(manager.keeper, service->manifest.name, &service->endpoint);
    if (status != STATUS_NOT_FOUND) {
        // Processes of an earlier service manager have used it: the next one needs a new epoch.
        service->generation = 1;
        return status;
    }
    status = sys_endpoint_create(os_cap("budget"), &service->endpoint);
    if (status_is_ok(status)) {
        status = sys_cap_copy(service->endpoint, rights, &copy);
    }
    return status_is_ok(status) ? keeper_keep_endpoint(manager.keeper, service->manifest.name, copy)
                                : status;
}

/** Go on with the process of @service that an earlier service manager started. True: there is one, or it was stopped on purpose. */
static bool find_process(struct service *service)
{
    handle_t process;
    uint32_t stopped = 0;
    status_t status = keeper_process(manager.keeper, service->manifest.name, &process,
                                     &service->restarts, &service->started_ns);
    if (status_is_ok(status)) {
        status = take_process(service, process);
        if (!status_is_ok(status)) {
            journal("svcmgr: %s cannot be watched: %s", service->manifest.name,
                    status_name(status));
        }
        return true;
    }
    status_ignore(keeper_stopped(manager.keeper, service->manifest.name, &stopped));
    return stopped != 0;
}

void services_begin(void)
{
    bool known[SERVICES_MAX];
    size_t found = 0, services = 0;
    adopted_begin();
    for (uint32_t i = 0; i < manager.catalogue.count && manager.service_count < SERVICES_MAX; i++) {
        struct service *service = &manager.services[manager.service_count];
        catalogue_at(&manager.catalogue, i, &service->manifest);
        service->index = i;
        if (service->manifest.kind != CATALOGUE_PROGRAM) {
            manager.service_count++;
        }
    }
    for (size_t i = 0; i < manager.service_count; i++) {
        status_t status = find_endpoint(&manager.services[i]);
        if (!status_is_ok(status)) {
            journal("svcmgr: %s has no endpoint: %s", manager.services[i].manifest.name,
                    status_name(status));
        }
    }
    for (size_t i = 0; i < manager.service_count; i++) {
        known[i] = manager.services[i].manifest.kind == CATALOGUE_DRIVER ||
                   find_process(&manager.services[i]);
        services += manager.services[i].manifest.kind == CATALOGUE_SERVICE;
        found += known[i] && manager.services[i].manifest.kind == CATALOGUE_SERVICE;
    }
    for (size_t i = 0; i < manager.service_count; i++) {
        struct service *service = &manager.services[i];
        if (!known[i] && !status_is_ok(service_start(service))) {
            schedule_start(service);
        }
    }
    status_ignore(sys_timer_bind(manager.timer, manager.queue, COOKIE_TIMER));
    set_timer();
    journal("svcmgr: %zu services, %zu of them taken over", services, found);
}
