/* Starting a service: its manifest becomes a list of capabilities. */
#include "svcmgr.h"

#include <os/archive.h>
#include <os/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define CAPS_MAX 48u
#define ARGS_MAX 32u
#define KIB 1024u
#define CONNECT_RIGHTS (RIGHT_CALL | RIGHT_COPY | RIGHT_TRANSFER)
#define INSPECT_RIGHTS (RIGHT_INSPECT | RIGHT_COPY | RIGHT_TRANSFER)

/** What a service gets, in the making. What is made for it alone is moved; `names` holds the names that are composed. */
struct launch {
    const struct service *service;
    struct process_cap caps[CAPS_MAX];
    char names[CAPS_MAX][OS_CAP_NAME_BYTES];
    size_t count;
    handle_t budget;
    const char *args[ARGS_MAX + 2];
    const char *env[ARGS_MAX + 1];
};

static status_t add(struct launch *launch, const char *name, struct process_cap cap)
{
    if (launch->count == CAPS_MAX || strlen(name) >= OS_CAP_NAME_BYTES) {
        return STATUS_NO_SPACE;
    }
    strcpy(launch->names[launch->count], name);
    cap.name = launch->names[launch->count];
    launch->caps[launch->count++] = cap;
    return STATUS_OK;
}

status_t launch_connect(const struct service *service, uint64_t badge, handle_t *connect)
{
    return sys_cap_derive(service->endpoint, CONNECT_RIGHTS, badge, connect);
}

static status_t add_connect(struct launch *launch, const char *name, const char *provided)
{
    struct service *service = service_providing(provided);
    if (!service) {
        return STATUS_NOT_FOUND;
    }
    return add(launch, name,
               (struct process_cap){
                   .handle = service->endpoint,
                   .rights = CONNECT_RIGHTS,
                   .badge = catalogue_badge(launch->service->index, 0),
                   .mode = CAP_TRANSFER_DERIVE,
               });
}

static status_t add_connects(struct launch *launch, struct catalogue_list list)
{
    static const char *const streams[] = {"stdin", "stdout", "stderr"};
    status_t status = STATUS_OK;
    for (uint32_t i = 0; status_is_ok(status) && i < list.count; i++) {
        const char *provided = catalogue_text(list, i);
        status = add_connect(launch, provided, provided);
        for (size_t s = 0; strcmp(provided, "console") == 0 && status_is_ok(status) && s < 3; s++) {
            status = add_connect(launch, streams[s], provided);
        }
    }
    return status;
}

/** To look at: the parts of the system's Budget that init made. */
static status_t add_budgets(struct launch *launch)
{
    status_t status = STATUS_OK;
    handle_t handle;
    const char *name;
    for (size_t i = 0; status_is_ok(status) && (name = os_cap_at(i, &handle)) != NULL; i++) {
        if (strncmp(name, "budget.", strlen("budget.")) == 0) {
            status =
                add(launch, name, (struct process_cap){.handle = handle, .rights = INSPECT_RIGHTS});
        }
    }
    return status;
}

static status_t add_roots(struct launch *launch)
{
    struct catalogue_list list = launch->service->manifest.roots;
    status_t status = STATUS_OK;
    for (uint32_t i = 0; status_is_ok(status) && i < list.count; i++) {
        const char *name = catalogue_text(list, i);
        uint32_t rights = strcmp(name, "budget") == 0 ? INSPECT_RIGHTS : 0;
        handle_t root = strcmp(name, "quota") == 0 ? launch->budget : os_cap(name);
        if (strcmp(name, "budgets") == 0) {
            status = add_budgets(launch);
        }
        // Not every machine has every root: who asked finds that it is not there.
        if (root != HANDLE_NONE) {
            status = add(launch, name, (struct process_cap){.handle = root, .rights = rights});
        }
    }
    return status;
}

static status_t add_ports(struct launch *launch)
{
    struct catalogue_list list = launch->service->manifest.ioports;
    for (uint32_t i = 0; i + 1 < list.count; i += 2) {
        char name[OS_CAP_NAME_BYTES];
        handle_t slice;
        uint32_t first = catalogue_number(list, i);
        status_t status = sys_ioport_slice(os_cap("ioports"), os_self.budget, first,
                                           catalogue_number(list, i + 1), &slice);
        if (!status_is_ok(status)) {
            return status;
        }
        snprintf(name, sizeof(name), "ioport.%x", first);
        status =
            add(launch, name, (struct process_cap){.handle = slice, .mode = CAP_TRANSFER_MOVE});
        if (!status_is_ok(status)) {
            status_ignore(sys_cap_close(slice));
            return status;
        }
    }
    return STATUS_OK;
}

static status_t add_own(struct launch *launch)
{
    const struct service *service = launch->service;
    status_t status = STATUS_OK;
    if (service->endpoint != HANDLE_NONE) {
        status = add(launch, "endpoint",
                     (struct process_cap){
                         .handle = service->endpoint,
                         .rights = SERVER_RIGHTS,
                         .mode = CAP_TRANSFER_DERIVE,
                     });
    }
    if (status_is_ok(status) && service->manifest.svc != 0) {
        status = add(launch, "svc",
                     (struct process_cap){
                         .handle = manager.endpoint,
                         .rights = CONNECT_RIGHTS,
                         .badge = catalogue_badge(service->index, 0),
                         .mode = CAP_TRANSFER_DERIVE,
                     });
    }
    return status;
}

/** The budget that init made for it, if its manifest asks for one. */
static void find_budget(struct launch *launch)
{
    char name[OS_CAP_NAME_BYTES];
    snprintf(name, sizeof(name), "budget.%s", launch->service->manifest.name);
    launch->budget = os_cap(launch->service->manifest.memory_kib != 0 ? name : "budget");
}

static void make_texts(struct launch *launch)
{
    const struct catalogue_entry *manifest = &launch->service->manifest;
    launch->args[0] = manifest->name;
    for (uint32_t i = 0; i < manifest->args.count && i < ARGS_MAX; i++) {
        launch->args[i + 1] = catalogue_text(manifest->args, i);
    }
    for (uint32_t i = 0; i < manifest->env.count && i < ARGS_MAX; i++) {
        launch->env[i] = catalogue_text(manifest->env, i);
    }
}

static status_t prepare(struct launch *launch)
{
    find_budget(launch);
    status_t status = add_own(launch);
    if (status_is_ok(status)) {
        status = add_connects(launch, launch->service->manifest.needs);
    }
    if (status_is_ok(status)) {
        status = add_connects(launch, launch->service->manifest.wants);
    }
    if (status_is_ok(status)) {
        status = add_roots(launch);
    }
    return status_is_ok(status) ? add_ports(launch) : status;
}

static void close_moved(const struct launch *launch)
{
    for (size_t i = 0; i < launch->count; i++) {
        if (launch->caps[i].mode == CAP_TRANSFER_MOVE) {
            status_ignore(sys_cap_close(launch->caps[i].handle));
        }
    }
}

static status_t run(struct launch *launch, handle_t *process)
{
    const struct catalogue_entry *manifest = &launch->service->manifest;
    struct process_start start = {
        .name = manifest->name,
        .budget = launch->budget,
        .args = launch->args,
        .env = launch->env,
        .caps = launch->caps,
        .cap_count = launch->count,
        .stack_bytes = (uint64_t)manifest->stack_kib * KIB,
        .priority = manifest->priority,
    };
    make_texts(launch);
    status_t status = archive_image(manager.archive, manager.archive_data, manager.archive_bytes,
                                    manifest->name, &start.image);
    if (!status_is_ok(status)) {
        close_moved(launch);
        return status;
    }
    return process_spawn(&start, process);
}

status_t launch(const struct service *service, handle_t *process)
{
    struct launch *launch = calloc(1, sizeof(*launch));
    if (!launch) {
        return STATUS_NO_MEMORY;
    }
    launch->service = service;
    status_t status = prepare(launch);
    if (status_is_ok(status)) {
        status = run(launch, process);
    } else {
        close_moved(launch);
    }
    free(launch);
    return status;
}
