/* Children of services: drivers that devmgr starts and supervises. They are known here so that tools can list and kill them, and
 * because holding their Process capability keeps them alive: when their parent ends they are ended. init keeps them too, each as "+" and
 * its name, with its parent in place of the number of restarts. */
#include "svcmgr.h"

#include <stdio.h>
#include <string.h>
#include <veridian/syscalls.h>

static bool is_dead(const struct adopted *adopted)
{
    struct process_info info;
    return !status_is_ok(sys_process_info(adopted->process, &info)) ||
           info.state == PROCESS_STATE_DEAD;
}

/* The name under which init keeps a child: that of no service. */
static const char *key_of(const struct adopted *adopted)
{
    static char key[1 + SVC_NAME_BYTES];
    snprintf(key, sizeof(key), "+%.*s", (int)(SVC_NAME_BYTES - 1), adopted->name);
    return key;
}

static void drop(struct adopted *adopted)
{
    status_ignore(keeper_drop_process(manager.keeper, key_of(adopted), 1));
    status_ignore(sys_cap_close(adopted->process));
    adopted->process = HANDLE_NONE;
}

struct adopted *adopted_find(const char *name)
{
    for (size_t i = 0; i < ADOPTED_MAX; i++) {
        if (manager.adopted[i].process != HANDLE_NONE &&
            strcmp(manager.adopted[i].name, name) == 0) {
            return &manager.adopted[i];
        }
    }
    return NULL;
}

/** A free entry; one of a child that has ended counts as free. */
static struct adopted *find_room(void)
{
    struct adopted *dead = NULL;
    for (size_t i = 0; i < ADOPTED_MAX; i++) {
        if (manager.adopted[i].process == HANDLE_NONE) {
            return &manager.adopted[i];
        }
        dead = is_dead(&manager.adopted[i]) ? &manager.adopted[i] : dead;
    }
    if (dead) {
        drop(dead);
    }
    return dead;
}

static status_t keep(const struct adopted *adopted)
{
    handle_t copy;
    status_t status =
        sys_cap_copy(adopted->process, RIGHT_INSPECT | RIGHT_MANAGE | RIGHT_COPY | RIGHT_TRANSFER,
                     &copy);
    return status_is_ok(status) ? keeper_keep_process(manager.keeper, key_of(adopted), copy,
                                                      (uint32_t)adopted->parent, 0)
                                : status;
}

static void fill(struct adopted *adopted, const char *name, handle_t process, uint64_t parent)
{
    snprintf(adopted->name, sizeof(adopted->name), "%s", name);
    adopted->process = process;
    adopted->parent = parent;
}

void adopted_begin(void)
{
    char key[KEEPER_NAME_BYTES + 1];
    uint32_t next = 0, parent;
    uint64_t started_ns;
    size_t count = 0;
    handle_t process;
    while (count < ADOPTED_MAX && status_is_ok(keeper_list(manager.keeper, next, key, &next))) {
        if (key[0] == '+' &&
            status_is_ok(keeper_process(manager.keeper, key, &process, &parent, &started_ns))) {
            fill(&manager.adopted[count++], key + 1, process, parent);
        }
    }
}

status_t adopted_add(const char *name, handle_t process, uint64_t parent)
{
    struct adopted *adopted = adopted_find(name);
    struct process_info info;
    if (strlen(name) > KEEPER_NAME_BYTES - 2) {
        return STATUS_RANGE;
    }
    if (!status_is_ok(sys_process_info(process, &info))) {
        return STATUS_INVALID;
    }
    if (adopted && adopted->parent != parent && !is_dead(adopted)) {
        return STATUS_EXISTS;
    }
    if (adopted) {
        drop(adopted);
    } else {
        adopted = find_room();
    }
    if (!adopted) {
        return STATUS_NO_SPACE;
    }
    fill(adopted, name, process, parent);
    status_t status = keep(adopted);
    if (!status_is_ok(status)) {
        // The caller still has its capability, and closes it.
        adopted->process = HANDLE_NONE;
    }
    return status;
}

struct adopted *adopted_at(size_t index)
{
    for (size_t i = 0; i < ADOPTED_MAX; i++) {
        if (manager.adopted[i].process != HANDLE_NONE && index-- == 0) {
            return &manager.adopted[i];
        }
    }
    return NULL;
}

void adopted_describe(const struct adopted *adopted, struct svc_info *info)
{
    struct process_info process;
    *info = (struct svc_info){.adopted = 1, .state = SVC_STATE_DONE};
    _Static_assert(sizeof(info->name) == sizeof(adopted->name), "names of one size");
    memcpy(info->name, adopted->name, sizeof(info->name));
    if (status_is_ok(sys_process_info(adopted->process, &process))) {
        info->process_id = process.id;
        info->exit_status = process.exit_status;
        info->state = process.state == PROCESS_STATE_DEAD ? SVC_STATE_DONE : SVC_STATE_RUNNING;
    }
}

void adopted_end(uint64_t parent)
{
    for (size_t i = 0; i < ADOPTED_MAX; i++) {
        if (manager.adopted[i].process != HANDLE_NONE && manager.adopted[i].parent == parent) {
            status_ignore(sys_process_kill(manager.adopted[i].process, STATUS_CODE_PEER_DIED));
            drop(&manager.adopted[i]);
        }
    }
}
