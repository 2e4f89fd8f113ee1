/* Children of services: drivers that devmgr starts and supervises. They are known here so that tools can list and kill them, and
 * because holding their Process capability keeps them alive: when their parent ends they are ended; their names stay, with what is asked
 * of them, for its next life. What else tools ask is an order, which the parent takes with a call that waits for one: it is never called from
 * here. init keeps the children too, each as "+" and its name, with its parent in place of the number of restarts, and that number and
 * the state in place of a time. */
#include "svcmgr.h"

#include <stdio.h>
#include <string.h>
#include <veridian/syscalls.h>

#define WAITERS_MAX 4u

/* Programs that wait for orders. */
static struct {
    uint64_t parent;
    uint64_t token;  /* 0: a free entry */
    uint64_t number; /* its cookie */
} waiters[WAITERS_MAX];

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
    return status_is_ok(status)
               ? keeper_keep_process(manager.keeper, key_of(adopted), copy,
                                     (uint32_t)adopted->parent,
                                     (uint64_t)adopted->state << 32 | adopted->restarts)
               : status;
}

static void fill(struct adopted *adopted, const char *name, handle_t process, uint64_t parent)
{
    *adopted = (struct adopted){.process = process, .parent = parent, .state = SVC_STATE_RUNNING};
    snprintf(adopted->name, sizeof(adopted->name), "%s", name);
}

void adopted_begin(void)
{
    char key[KEEPER_NAME_BYTES + 1];
    uint32_t next = 0, parent;
    uint64_t kept;
    size_t count = 0;
    handle_t process;
    while (count < ADOPTED_MAX && status_is_ok(keeper_list(manager.keeper, next, key, &next))) {
        if (key[0] == '+' &&
            status_is_ok(keeper_process(manager.keeper, key, &process, &parent, &kept))) {
            fill(&manager.adopted[count], key + 1, process, parent);
            manager.adopted[count].restarts = (uint32_t)kept;
            manager.adopted[count].state = (uint32_t)(kept >> 32);
            count++;
        }
    }
}

status_t adopted_add(const char *name, handle_t process, uint64_t parent, uint32_t restarts)
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
    // What was asked of the child before it died is still to be done.
    uint32_t order = adopted && adopted->parent == parent ? adopted->order : 0;
    if (adopted) {
        drop(adopted);
    } else {
        adopted = find_room();
    }
    if (!adopted) {
        return STATUS_NO_SPACE;
    }
    fill(adopted, name, process, parent);
    adopted->restarts = restarts;
    adopted->order = order;
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
    *info = (struct svc_info){.adopted = 1, .restarts = adopted->restarts};
    info->state = adopted->state == SVC_STATE_RUNNING ? SVC_STATE_DONE : adopted->state;
    _Static_assert(sizeof(info->name) == sizeof(adopted->name), "names of one size");
    memcpy(info->name, adopted->name, sizeof(info->name));
    if (status_is_ok(sys_process_info(adopted->process, &process))) {
        bool dead = process.state == PROCESS_STATE_DEAD || adopted->state != SVC_STATE_RUNNING;
        info->process_id = dead ? 0 : process.id;
        info->exit_status = process.exit_status;
        info->state = dead ? info->state : SVC_STATE_RUNNING;
    }
}

status_t adopted_report(const char *name, uint64_t parent, uint32_t state)
{
    struct adopted *adopted = adopted_find(name);
    if (!adopted || adopted->parent != parent) {
        return STATUS_NOT_FOUND;
    }
    adopted->state = state;
    return keep(adopted);
}

/* --- orders ------------------------------------------------------------------------------------------------ */

/** An order that @parent has not taken, if there is one. */
static struct adopted *ordered(uint64_t parent)
{
    for (size_t i = 0; i < ADOPTED_MAX; i++) {
        struct adopted *adopted = &manager.adopted[i];
        if (adopted->process != HANDLE_NONE && adopted->parent == parent && adopted->order != 0) {
            return adopted;
        }
    }
    return NULL;
}

void adopted_order(struct adopted *adopted, uint32_t order)
{
    adopted->order = order;
    for (size_t i = 0; i < WAITERS_MAX; i++) {
        if (waiters[i].token != 0 && waiters[i].parent == adopted->parent) {
            status_t status =
                svc_await_order_reply(waiters[i].token, STATUS_OK, adopted->name, order);
            waiters[i].token = 0;
            // It may have stopped waiting just now; then it takes the order when it asks again.
            adopted->order = status_is_ok(status) ? 0 : order;
            return;
        }
    }
}

status_t adopted_await(struct ipc_call *call, char *name, uint32_t *order)
{
    static uint64_t number;
    struct adopted *adopted = ordered(call->badge);
    size_t place = WAITERS_MAX;
    if (adopted) {
        strcpy(name, adopted->name);
        *order = adopted->order;
        adopted->order = 0;
        return STATUS_OK;
    }
    for (size_t i = 0; i < WAITERS_MAX; i++) {
        if (waiters[i].token == 0) {
            place = i;
        } else if (waiters[i].parent == call->badge) {
            return STATUS_BUSY;
        }
    }
    if (place == WAITERS_MAX) {
        return STATUS_BUSY;
    }
    status_t status = ipc_reply_save(call, ++number, &waiters[place].token);
    waiters[place].parent = call->badge;
    waiters[place].number = number;
    return status_is_ok(status) ? STATUS_PENDING : status;
}

void adopted_gone(void *instance, uint64_t number)
{
    (void)instance;
    for (size_t i = 0; i < WAITERS_MAX; i++) {
        waiters[i].token = waiters[i].number == number ? 0 : waiters[i].token;
    }
}

void adopted_end(uint64_t parent, uint32_t state)
{
    for (size_t i = 0; i < WAITERS_MAX; i++) {
        // Its threads may take a while to end: what is asked from now on is its next life's to hear.
        if (waiters[i].parent == parent) {
            waiters[i].token = 0;
        }
    }
    for (size_t i = 0; i < ADOPTED_MAX; i++) {
        struct adopted *adopted = &manager.adopted[i];
        if (adopted->process != HANDLE_NONE && adopted->parent == parent) {
            status_ignore(sys_process_kill(adopted->process, STATUS_CODE_PEER_DIED));
            adopted->state = state;
            status_ignore(keep(adopted));
        }
    }
}
