/* What others ask of the service manager. The badge of the caller is its place in the catalogue + 1, and its manifest says which calls
 * it may make. */
#include "svcmgr.h"

#include <string.h>
#include <veridian/syscalls.h>

static bool may(const struct ipc_call *call, uint32_t what)
{
    struct catalogue_entry entry;
    if (catalogue_client(call->badge) >= manager.catalogue.count) {
        return false;
    }
    catalogue_at(&manager.catalogue, catalogue_client(call->badge), &entry);
    return (entry.svc & what) != 0;
}

static void describe(const struct service *service, struct svc_info *info)
{
    struct process_info process;
    *info = (struct svc_info){
        .started_ns = service->started_ns,
        .exit_status = service->exit_status,
        .state = service->state,
        .restarts = service->restarts,
    };
    strncpy(info->name, service->manifest.name, sizeof(info->name) - 1);
    if (service->process != HANDLE_NONE &&
        status_is_ok(sys_process_info(service->process, &process))) {
        info->process_id = process.id;
    }
}

static status_t op_list(void *instance, struct ipc_call *call, uint32_t cursor,
                        struct svc_info *info, uint32_t *next)
{
    (void)instance;
    if (!may(call, SVC_MAY_LIST)) {
        return STATUS_DENIED;
    }
    *next = cursor + 1;
    while (cursor < manager.service_count &&
           manager.services[cursor].manifest.kind == CATALOGUE_DRIVER) {
        cursor++;
        *next = cursor + 1;
    }
    if (cursor < manager.service_count) {
        describe(&manager.services[cursor], info);
        return STATUS_OK;
    }
    const struct adopted *adopted = adopted_at(cursor - manager.service_count);
    if (!adopted) {
        return STATUS_NOT_FOUND;
    }
    adopted_describe(adopted, info);
    return STATUS_OK;
}

static status_t op_status(void *instance, struct ipc_call *call, const char *name,
                          struct svc_info *info)
{
    (void)instance;
    struct service *service = service_find(name);
    struct adopted *adopted = adopted_find(name);
    if (!may(call, SVC_MAY_LIST)) {
        return STATUS_DENIED;
    }
    if (service) {
        describe(service, info);
    } else if (adopted) {
        adopted_describe(adopted, info);
    } else {
        return STATUS_NOT_FOUND;
    }
    return STATUS_OK;
}

/** What @name is, if the caller may do @what with it: @service, or if that is NULL a child of another program. */
static status_t pick(const struct ipc_call *call, uint32_t what, const char *name,
                     struct service **service, struct adopted **adopted)
{
    if (!may(call, what)) {
        return STATUS_DENIED;
    }
    *service = service_find(name);
    *adopted = adopted_find(name);
    return *service || *adopted ? STATUS_OK : STATUS_NOT_FOUND;
}

static status_t op_start(void *instance, struct ipc_call *call, const char *name)
{
    (void)instance;
    struct service *service = NULL;
    struct adopted *adopted = NULL;
    status_t status = pick(call, SVC_MAY_START, name, &service, &adopted);
    if (status_is_ok(status) && service) {
        return service_start(service);
    }
    if (status_is_ok(status)) {
        adopted_order(adopted, SVC_ORDER_START);
    }
    return status;
}

static bool needs(const struct catalogue_entry *client, const char *provided)
{
    for (uint32_t i = 0; i < client->needs.count; i++) {
        if (strcmp(catalogue_text(client->needs, i), provided) == 0) {
            return true;
        }
    }
    return false;
}

static bool stands_on_child(const struct catalogue_entry *client, const struct adopted *adopted)
{
    const struct service *driver = driver_find(adopted->name);
    return driver && needs(client, driver->manifest.provides);
}

/** Would @client not be there, or not be of use, to start @service again? */
static bool stands_on(const struct catalogue_entry *client, const struct service *service)
{
    const struct adopted *adopted;
    for (size_t i = 0; (adopted = adopted_at(i)) != NULL; i++) {
        if (adopted->parent == catalogue_badge(service->index, 0) &&
            stands_on_child(client, adopted)) {
            return true;
        }
    }
    return strcmp(client->name, service->manifest.name) == 0 ||
           needs(client, service->manifest.provides);
}

static status_t op_stop(void *instance, struct ipc_call *call, const char *name, uint32_t flags)
{
    struct catalogue_entry client;
    (void)instance;
    struct service *service = NULL;
    struct adopted *adopted = NULL;
    status_t status = pick(call, SVC_MAY_STOP, name, &service, &adopted);
    if (!status_is_ok(status)) {
        return status;
    }
    catalogue_at(&manager.catalogue, catalogue_client(call->badge), &client);
    if ((flags & SVC_END_FORCE) == 0 &&
        (service ? stands_on(&client, service) : stands_on_child(&client, adopted))) {
        return STATUS_BUSY;
    }
    if (service) {
        service_stop(service);
    } else {
        adopted_order(adopted, SVC_ORDER_STOP);
    }
    return STATUS_OK;
}

static status_t op_restart(void *instance, struct ipc_call *call, const char *name)
{
    (void)instance;
    struct service *service = NULL;
    struct adopted *adopted = NULL;
    status_t status = pick(call, SVC_MAY_RESTART, name, &service, &adopted);
    if (status_is_ok(status) && service) {
        return service_restart(service);
    }
    if (status_is_ok(status)) {
        status_ignore(sys_process_kill(adopted->process, STATUS_CODE_INTERRUPTED));
        adopted_order(adopted, SVC_ORDER_START);
    }
    return status;
}

static status_t op_kill(void *instance, struct ipc_call *call, const char *name)
{
    (void)instance;
    struct service *service = NULL;
    struct adopted *adopted = NULL;
    status_t status = pick(call, SVC_MAY_KILL, name, &service, &adopted);
    if (!status_is_ok(status)) {
        // The service manager itself: init starts another.
        return status == STATUS_NOT_FOUND && strcmp(name, "svcmgr") == 0
                   ? sys_process_exit(STATUS_CODE_INTERRUPTED)
                   : status;
    }
    if (!service) {
        return sys_process_kill(adopted->process, STATUS_CODE_INTERRUPTED);
    }
    service->was_killed = service->process != HANDLE_NONE;
    return service->was_killed ? sys_process_kill(service->process, STATUS_CODE_INTERRUPTED)
                               : STATUS_OK;
}

static status_t op_connect(void *instance, struct ipc_call *call, const char *name, uint32_t part,
                           handle_t *connect)
{
    (void)instance;
    struct service *service = service_providing(name);
    if (!may(call, SVC_MAY_CONNECT)) {
        return STATUS_DENIED;
    }
    if (part > SVC_PART_MAX) {
        return STATUS_RANGE;
    }
    uint64_t badge = catalogue_badge(catalogue_client(call->badge), part);
    return service ? launch_connect(service, badge, connect) : STATUS_NOT_FOUND;
}

static status_t op_serve(void *instance, struct ipc_call *call, const char *name,
                         handle_t *endpoint)
{
    (void)instance;
    struct service *driver = driver_find(name);
    if (!may(call, SVC_MAY_ADOPT)) {
        return STATUS_DENIED;
    }
    if (!driver || driver->endpoint == HANDLE_NONE) {
        return STATUS_NOT_FOUND;
    }
    status_t status = sys_endpoint_new_epoch(driver->endpoint);
    return status_is_ok(status) ? sys_cap_derive(driver->endpoint, SERVER_RIGHTS, 0, endpoint)
                                : status;
}

static status_t op_adopt(void *instance, struct ipc_call *call, const char *name, handle_t process,
                         uint32_t restarts)
{
    (void)instance;
    if (!may(call, SVC_MAY_ADOPT)) {
        return STATUS_DENIED;
    }
    if (service_find(name)) {
        return STATUS_EXISTS;
    }
    status_t status = adopted_add(name, process, call->badge, restarts);
    if (status_is_ok(status)) {
        ipc_cap_take(call, process);
    }
    return status;
}

static status_t op_report(void *instance, struct ipc_call *call, const char *name, uint32_t state)
{
    (void)instance;
    if (!may(call, SVC_MAY_ADOPT)) {
        return STATUS_DENIED;
    }
    return state <= SVC_STATE_QUARANTINED ? adopted_report(name, call->badge, state)
                                          : STATUS_INVALID;
}

static status_t op_await_order(void *instance, struct ipc_call *call, char *name, uint32_t *order)
{
    (void)instance;
    return may(call, SVC_MAY_ADOPT) ? adopted_await(call, name, order) : STATUS_DENIED;
}

const struct svc_ops svc_ops = {
    .list = op_list,
    .status = op_status,
    .start = op_start,
    .stop = op_stop,
    .restart = op_restart,
    .kill = op_kill,
    .connect = op_connect,
    .serve = op_serve,
    .adopt = op_adopt,
    .report = op_report,
    .await_order = op_await_order,
};
