/* Random operations on capabilities of several objects in several processes, compared after each with a model that is plain arrays:
 * who was made from whom, who is alive. At the end nothing is left allocated. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "budget.h"
#include "endpoint.h"
#include "environment.h"
#include "handlers.h"

#define PROCESSES 4
#define NODES 4000
#define STEPS 20000

struct model_node {
    bool used, live, attached; /* attached: still in the tree, maybe as a ghost */
    int process, parent, object;
    handle_t handle;
    uint32_t rights;
};

static struct model_node model[NODES];
static struct process processes[PROCESSES];
static struct thread threads[PROCESSES];
static struct budget budget;
static int failures, tests, destroyed, freed;

static void ok(bool condition, const char *name)
{
    tests++;
    failures += !condition;
    printf("%sok %d - %s\n", condition ? "" : "not ", tests, name);
}

static void object_gone(struct object *object)
{
    (void)object;
    destroyed++;
}

static void object_freed(struct object *object)
{
    freed++;
    free(object);
}

static const struct object_ops ops = {.type = OBJECT_ENDPOINT,
                                      .destroy = object_gone,
                                      .free = object_freed};

static void set_up(void)
{
    memset(model, 0, sizeof(model));
    memset(processes, 0, sizeof(processes));
    destroyed = freed = 0;
    budget.object.refs = 1;
    for (int i = 0; i < PROCESSES; i++) {
        processes[i].object.budget = &budget;
        processes[i].secret = 77u + (unsigned)i;
        cap_table_init(&processes[i]);
        threads[i].process = &processes[i];
    }
}

static void tear_down(void)
{
    for (int i = 0; i < PROCESSES; i++) {
        uint32_t cursor = 0;
        while (!cap_table_destroy_step(&processes[i], &cursor, 64))
            ;
        cap_table_free(&processes[i]);
    }
    environment_grace_period();
}

static int model_add(int process, int parent, int object, handle_t handle, uint32_t rights)
{
    for (int i = 0; i < NODES; i++) {
        if (!model[i].used) {
            model[i] =
                (struct model_node){true, true, true, process, parent, object, handle, rights};
            return i;
        }
    }
    return -1;
}

static bool is_below(int node, int ancestor)
{
    for (int i = model[node].parent; i >= 0; i = model[i].parent)
        if (i == ancestor)
            return true;
    return false;
}

static int random_live(void)
{
    int start = rand() % NODES;
    for (int i = 0; i < NODES; i++) {
        int n = (start + i) % NODES;
        if (model[n].used && model[n].live)
            return n;
    }
    return -1;
}

static struct cap *find(int node)
{
    struct cap *cap = NULL;
    return cap_lookup(&processes[model[node].process], model[node].handle, OBJECT_NONE, 0, &cap) ==
                   STATUS_OK
               ? cap
               : NULL;
}

static bool revoke(int node)
{
    struct thread *self = &threads[model[node].process];
    if (sys_cap_revoke(self, find(node)) != KERNEL_DONE)
        return false;
    while (self->continuation != NULL)
        self->continuation(self);
    environment_grace_period();
    for (int i = 0; i < NODES; i++)
        if (model[i].used && model[i].live && is_below(i, node))
            model[i].live = false;
    return true;
}

static void create(int *objects)
{
    struct object *object = calloc(1, sizeof(struct endpoint));
    handle_t handle;
    int process = rand() % PROCESSES;
    object_init(object, &ops, &budget);
    if (cap_create(&processes[process], object, 0xfff, &handle) == STATUS_OK &&
        model_add(process, -1, *objects, handle, 0xfff) >= 0)
        (*objects)++;
}

static bool give(int node, uint32_t mode)
{
    int to = rand() % PROCESSES;
    handle_t handle;
    uint32_t rights = (uint32_t)rand() & 0xfff;
    struct cap *cap = find(node);
    status_t status =
        cap_transfer(&threads[model[node].process], cap, &processes[to], mode, rights, 0, &handle);
    bool allowed = mode == CAP_TRANSFER_MOVE ||
                   ((model[node].rights & RIGHT_COPY) != 0 && (rights & ~model[node].rights) == 0);
    if (!allowed)
        return status == STATUS_DENIED;
    if (status != STATUS_OK)
        return false;
    if (mode == CAP_TRANSFER_MOVE) {
        model[node].process = to;
        model[node].handle = handle;
        return true;
    }
    int parent = mode == CAP_TRANSFER_DERIVE ? node : model[node].parent;
    return model_add(to, parent, model[node].object, handle, rights) >= 0;
}

/* Every live node is found with its rights; every dead one's handle is refused everywhere. */
static bool agrees(void)
{
    for (int i = 0; i < NODES; i++) {
        if (!model[i].used)
            continue;
        struct cap *cap = find(i);
        if (model[i].live != (cap != NULL && cap->handle == model[i].handle))
            return false;
        if (cap != NULL && cap->rights != model[i].rights)
            return false;
    }
    return true;
}

static void test_cap_random_operations_match_model(unsigned seed)
{
    int objects = 0;
    bool good = true;
    set_up();
    srand(seed);
    for (int step = 0; step < STEPS && good; step++) {
        int node = random_live();
        int what = rand() % 100;
        if (node < 0 || what < 2)
            create(&objects);
        else if (what < 30)
            good = give(node, CAP_TRANSFER_DERIVE);
        else if (what < 50)
            good = give(node, CAP_TRANSFER_COPY);
        else if (what < 65)
            good = give(node, CAP_TRANSFER_MOVE);
        else if (what < 97)
            cap_close(&processes[model[node].process], find(node)), model[node].live = false;
        else
            good = revoke(node);
        if (step % 500 == 0) {
            good = good && agrees();
            environment_grace_period();
            for (int i = 0; i < NODES;
                 i++) { /* forget nodes that are dead and have no live descendants */
                bool needed = false;
                for (int j = 0; j < NODES && !needed; j++)
                    needed = model[j].used && model[j].live && (j == i || is_below(j, i));
                model[i].used = model[i].used && needed;
            }
        }
    }
    good = good && agrees();
    tear_down();
    char name[80];
    snprintf(name, sizeof(name), "test_cap_random_operations_match_model (seed %u, %d objects)",
             seed, objects);
    ok(good && destroyed == objects && freed == objects && environment_allocated == 0, name);
}

static void test_cap_deep_chain_revokes(void) NO_THREAD_SAFETY
{
    set_up();
    int objects = 0;
    while (objects == 0)
        create(&objects);
    int top = random_live();
    handle_t handle = model[top].handle;
    struct cap *cap = find(top);
    status_t status = STATUS_OK;
    int depth = 0;
    for (; depth < CAP_DEPTH_MAX + 5; depth++) {
        status = cap_transfer(&threads[0], cap, &processes[depth % PROCESSES], CAP_TRANSFER_DERIVE,
                              0xfff, 0, &handle);
        if (status != STATUS_OK ||
            cap_lookup(&processes[depth % PROCESSES], handle, OBJECT_NONE, 0, &cap) != STATUS_OK)
            break;
    }
    ok(depth == CAP_DEPTH_MAX && status == STATUS_RANGE, "test_cap_derivation_is_bounded_in_depth");
    bool revoked = revoke(top);
    uint64_t left = 0;
    for (int i = 0; i < PROCESSES; i++)
        left += processes[i].caps;
    ok(revoked && left == 1 && find(top) != NULL,
       "test_cap_revoke_takes_a_deep_chain_and_leaves_the_top");
    tear_down();
    ok(environment_allocated == 0, "test_cap_deep_chain_leaks_nothing");
}

static void test_cap_badge_closes_with_its_last_holder(void)
{
    set_up();
    int objects = 0;
    while (objects == 0)
        create(&objects);
    int top = random_live();
    handle_t badged = 0, copy = 0, again = 0;
    struct cap *cap = NULL, *other = NULL;
    bool good = cap_transfer(&threads[0], find(top), &processes[0], CAP_TRANSFER_DERIVE, 0xfff, 42,
                             &badged) == STATUS_OK &&
                cap_lookup(&processes[0], badged, OBJECT_ENDPOINT, 0, &cap) == STATUS_OK &&
                cap_transfer(&threads[0], cap, &processes[1], CAP_TRANSFER_COPY, RIGHT_CALL, 0,
                             &copy) == STATUS_OK;
    ok(good && cap_transfer(&threads[0], cap, &processes[1], CAP_TRANSFER_DERIVE, RIGHT_CALL, 43,
                            &again) == STATUS_INVALID,
       "test_cap_badge_is_set_once");
    environment_closed_badge = 0;
    cap_close(&processes[0], cap);
    bool early = environment_closed_badge != 0;
    good = cap_lookup(&processes[1], copy, OBJECT_ENDPOINT, 0, &other) == STATUS_OK &&
           other->badge == 42;
    cap_close(&processes[1], other);
    ok(good && !early && environment_closed_badge == 42,
       "test_cap_badge_closes_with_its_last_holder");
    tear_down();
    ok(environment_allocated == 0, "test_cap_badge_leaks_nothing");
}

/* Who looked a capability up before it was closed makes none from it, and its badge closes once. */
static void test_cap_closed_source_gives_nothing(void)
{
    set_up();
    int objects = 0;
    while (objects == 0)
        create(&objects);
    handle_t badged = 0, copy = 0;
    struct cap *cap = NULL;
    bool good = cap_transfer(&threads[0], find(random_live()), &processes[0], CAP_TRANSFER_DERIVE,
                             0xfff, 42, &badged) == STATUS_OK &&
                cap_lookup(&processes[0], badged, OBJECT_ENDPOINT, 0, &cap) == STATUS_OK;
    cap_close(&processes[0], cap);
    environment_closed_badge = 0;
    ok(good &&
           cap_transfer(&threads[0], cap, &processes[1], CAP_TRANSFER_COPY, RIGHT_CALL, 0, &copy) ==
               STATUS_BAD_HANDLE &&
           environment_closed_badge == 0,
       "test_cap_closed_source_gives_nothing");
    tear_down();
    ok(environment_allocated == 0, "test_cap_closed_source_leaks_nothing");
}

static void test_cap_no_memory_changes_nothing(void) NO_THREAD_SAFETY
{
    set_up();
    int objects = 0;
    while (objects == 0)
        create(&objects);
    int top = random_live();
    size_t before = environment_allocated;
    uint64_t caps = processes[0].caps + processes[1].caps, there = processes[3].caps;
    bool good = true;
    for (size_t room = 0; room < 6000 && good; room += 8) {
        handle_t handle;
        struct cap *cap;
        environment_limit = before + room;
        status_t status = cap_transfer(&threads[0], find(top), &processes[3], CAP_TRANSFER_DERIVE,
                                       0xfff, 9, &handle);
        environment_limit = SIZE_MAX;
        if (status == STATUS_OK) {
            good = cap_lookup(&processes[3], handle, OBJECT_NONE, 0, &cap) == STATUS_OK;
            cap_close(&processes[3], cap);
            environment_grace_period();
            break;
        }
        environment_grace_period();
        good = status == STATUS_NO_MEMORY && processes[3].caps == there &&
               processes[0].caps + processes[1].caps == caps && environment_allocated == before;
    }
    ok(good, "test_cap_no_memory_changes_nothing");
    tear_down();
}

static void test_cap_guessed_handles_are_refused(void)
{
    set_up();
    int objects = 0;
    while (objects == 0)
        create(&objects);
    int top = random_live();
    struct cap *cap;
    int hits = 0;
    for (int i = 0; i < 1000000; i++) {
        handle_t guess = (uint64_t)(uint32_t)rand() << 33 ^ (uint64_t)(uint32_t)rand() << 2 ^
                         (uint64_t)(rand() & 3);
        hits += guess != model[top].handle && cap_lookup(&processes[model[top].process], guess,
                                                         OBJECT_NONE, 0, &cap) == STATUS_OK;
    }
    ok(hits == 0, "test_cap_guessed_handles_are_refused");
    tear_down();
}

/* Two threads of a process looked the same capability up and both move it: the second one comes too late. */
static void test_cap_is_moved_once(void)
{
    set_up();
    int objects = 0;
    while (objects == 0)
        create(&objects);
    int top = random_live(), from = model[top].process, to = (from + 1) % PROCESSES;
    struct cap *cap = find(top), *moved = NULL;
    handle_t first = 0, second = 0;
    bool good = cap_transfer(&threads[from], cap, &processes[to], CAP_TRANSFER_MOVE, 0, 0,
                             &first) == STATUS_OK &&
                cap_transfer(&threads[from], cap, &processes[from], CAP_TRANSFER_MOVE, 0, 0,
                             &second) == STATUS_BAD_HANDLE;
    ok(good && cap_lookup(&processes[to], first, OBJECT_NONE, 0, &moved) == STATUS_OK &&
           moved == cap,
       "test_cap_is_moved_once");
    tear_down();
    ok(environment_allocated == 0, "test_cap_moved_leaks_nothing");
}

static void test_cap_closed_table_takes_none(void) NO_THREAD_SAFETY
{
    set_up();
    int objects = 0;
    while (objects == 0)
        create(&objects);
    int top = random_live(), from = model[top].process, to = (from + 1) % PROCESSES;
    struct cap *cap = find(top);
    uint32_t cursor = 0;
    while (!cap_table_destroy_step(&processes[to], &cursor, 64))
        ;
    uint32_t live = cap->object->live;
    handle_t handle = 0;
    bool good = true;
    for (uint32_t mode = CAP_TRANSFER_COPY; mode <= CAP_TRANSFER_DERIVE; mode += 2)
        good = good && cap_transfer(&threads[from], cap, &processes[to], mode, 0, 0, &handle) ==
                           STATUS_GONE;
    ok(good && cap->object->live == live, "test_cap_closed_table_takes_none");
    good = cap_transfer(&threads[from], cap, &processes[to], CAP_TRANSFER_MOVE, 0, 0, &handle) ==
           STATUS_GONE;
    ok(good && destroyed == 1, "test_cap_moved_to_a_closed_table_ends");
    tear_down();
    ok(environment_allocated == 0, "test_cap_closed_table_leaks_nothing");
}

/* A badged capability is revoked on its way: its receiver gets none, and the badge closes. */
static void test_cap_revoked_message_closes_its_badge(void)
{
    set_up();
    int objects = 0;
    while (objects == 0)
        create(&objects);
    int top = random_live(), from = model[top].process;
    struct cap_out out = {.handle = model[top].handle,
                          .mode = CAP_TRANSFER_DERIVE,
                          .rights = 0xfff,
                          .badge = 7};
    struct cap *message = NULL;
    handle_t handle = 0;
    bool good = (model[top].rights & RIGHT_TRANSFER) != 0 &&
                cap_to_message(&threads[from], &out, &message) == STATUS_OK && revoke(top);
    environment_closed_badge = 0;
    good = good && cap_from_message(message, &processes[from], &handle) == STATUS_GONE;
    ok(good && environment_closed_badge == 7, "test_cap_revoked_message_closes_its_badge");
    tear_down();
    ok(environment_allocated == 0, "test_cap_revoked_message_leaks_nothing");
}

static int by_handle(const void *left, const void *right)
{
    handle_t a = *(const handle_t *)left, b = *(const handle_t *)right;
    return (a > b) - (a < b);
}

/* However often a slot is used, a handle that was closed is not given out again. */
static void test_cap_stale_handles_stay_stale(void)
{
    enum { USES = 400000 };
    set_up();
    int objects = 0;
    while (objects == 0)
        create(&objects);
    int top = random_live();
    handle_t *handles = calloc(USES, sizeof(*handles));
    bool good = handles != NULL;
    for (int i = 0; i < USES && good; i++) {
        struct cap *cap;
        good = cap_transfer(&threads[0], find(top), &processes[3], CAP_TRANSFER_DERIVE, 0, 0,
                            &handles[i]) == STATUS_OK &&
               cap_lookup(&processes[3], handles[i], OBJECT_NONE, 0, &cap) == STATUS_OK &&
               (uint32_t)handles[i] == (uint32_t)handles[0];
        if (good)
            cap_close(&processes[3], cap);
        environment_grace_period();
    }
    if (good)
        qsort(handles, USES, sizeof(*handles), by_handle);
    for (int i = 1; i < USES && good; i++)
        good = handles[i] != handles[i - 1];
    ok(good, "test_cap_stale_handles_stay_stale");
    free(handles);
    tear_down();
}

int main(void)
{
    for (unsigned seed = 1; seed <= 4; seed++)
        test_cap_random_operations_match_model(seed);
    test_cap_deep_chain_revokes();
    test_cap_badge_closes_with_its_last_holder();
    test_cap_closed_source_gives_nothing();
    test_cap_is_moved_once();
    test_cap_closed_table_takes_none();
    test_cap_revoked_message_closes_its_badge();
    test_cap_no_memory_changes_nothing();
    test_cap_guessed_handles_are_refused();
    test_cap_stale_handles_stay_stale();
    printf("1..%d\n", tests);
    return failures != 0;
}
