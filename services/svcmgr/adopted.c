/* Children of services: drivers that devmgr starts and supervises. They are known here so that tools can list and kill them, and
 * because holding their Process capability keeps them alive: when their parent ends they are ended. */
#include "svcmgr.h"

#include <string.h>
#include <veridian/syscalls.h>

static bool is_dead(const struct adopted *adopted)
{
    struct process_info info;
    return !status_is_ok(sys_process_info(adopted->process, &info)) ||
           info.state == PROCESS_STATE_DEAD;
}

static void drop(struct adopted *adopted)
{
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

status_t adopted_add(const char *name, handle_t process, uint64_t parent)
{
    struct adopted *adopted = adopted_find(name);
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
    strncpy(adopted->name, name, sizeof(adopted->name) - 1);
    adopted->process = process;
    adopted->parent = parent;
    return STATUS_OK;
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
