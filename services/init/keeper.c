#include "keeper.h"

#include <string.h>
#include <veridian/syscalls.h>

#define ENTRIES 96u

struct entry {
    char name[KEEPER_NAME_BYTES];
    handle_t endpoint;
    handle_t process;
    uint32_t restarts;
    bool stopped;
    uint64_t started_ns;
};

static struct entry entries[ENTRIES];
static size_t entry_count;

static struct entry *entry_find(const char *name)
{
    for (size_t i = 0; i < entry_count; i++) {
        if (strcmp(entries[i].name, name) == 0) {
            return &entries[i];
        }
    }
    return NULL;
}

/** The entry @name, made if need be; NULL: there are too many. */
static struct entry *entry_make(const char *name)
{
    struct entry *entry = entry_find(name);
    if (!entry && entry_count < ENTRIES && strlen(name) < KEEPER_NAME_BYTES) {
        entry = &entries[entry_count++];
        strcpy(entry->name, name);
    }
    return entry;
}

static void replace(handle_t *kept, handle_t handle)
{
    if (*kept != HANDLE_NONE) {
        status_ignore(sys_cap_close(*kept));
    }
    *kept = handle;
}

/** A copy of @kept with all its rights, to be handed out. */
static status_t copy_of(handle_t kept, handle_t *copy)
{
    uint32_t type, rights = 0;
    uint64_t badge, id;
    if (kept == HANDLE_NONE) {
        return STATUS_NOT_FOUND;
    }
    status_t status = sys_cap_info(kept, &type, &rights, &badge, &id);
    return status_is_ok(status) ? sys_cap_copy(kept, rights, copy) : STATUS_NOT_FOUND;
}

static status_t op_keep_endpoint(void *instance, struct ipc_call *call, const char *name,
                                 handle_t endpoint)
{
    (void)instance;
    struct entry *entry = entry_make(name);
    if (!entry) {
        return STATUS_NO_SPACE;
    }
    replace(&entry->endpoint, ipc_cap_take(call, endpoint));
    return STATUS_OK;
}

static status_t op_keep_process(void *instance, struct ipc_call *call, const char *name,
                                handle_t process, uint32_t restarts, uint64_t started_ns)
{
    (void)instance;
    struct entry *entry = entry_make(name);
    if (!entry) {
        return STATUS_NO_SPACE;
    }
    replace(&entry->process, ipc_cap_take(call, process));
    entry->restarts = restarts;
    entry->started_ns = started_ns;
    entry->stopped = false;
    return STATUS_OK;
}

static status_t op_drop_process(void *instance, struct ipc_call *call, const char *name,
                                uint32_t stopped)
{
    (void)instance;
    (void)call;
    struct entry *entry = entry_make(name);
    if (!entry) {
        return STATUS_NOT_FOUND;
    }
    replace(&entry->process, HANDLE_NONE);
    entry->stopped = stopped != 0;
    return STATUS_OK;
}

static status_t op_endpoint(void *instance, struct ipc_call *call, const char *name,
                            handle_t *endpoint)
{
    (void)instance;
    (void)call;
    struct entry *entry = entry_find(name);
    return entry ? copy_of(entry->endpoint, endpoint) : STATUS_NOT_FOUND;
}

static status_t op_process(void *instance, struct ipc_call *call, const char *name,
                           handle_t *process, uint32_t *restarts, uint64_t *started_ns)
{
    (void)instance;
    (void)call;
    struct entry *entry = entry_find(name);
    if (!entry) {
        return STATUS_NOT_FOUND;
    }
    *restarts = entry->restarts;
    *started_ns = entry->started_ns;
    return copy_of(entry->process, process);
}

static status_t op_list(void *instance, struct ipc_call *call, uint32_t cursor, char *name,
                        uint32_t *next)
{
    (void)instance;
    (void)call;
    if (cursor >= entry_count) {
        return STATUS_NOT_FOUND;
    }
    strcpy(name, entries[cursor].name);
    *next = cursor + 1;
    return STATUS_OK;
}

static status_t op_stopped(void *instance, struct ipc_call *call, const char *name,
                           uint32_t *stopped)
{
    (void)instance;
    (void)call;
    struct entry *entry = entry_find(name);
    *stopped = entry && entry->stopped;
    return STATUS_OK;
}

const struct keeper_ops keeper_ops = {
    .keep_endpoint = op_keep_endpoint,
    .keep_process = op_keep_process,
    .drop_process = op_drop_process,
    .endpoint = op_endpoint,
    .process = op_process,
    .list = op_list,
    .stopped = op_stopped,
};
