/* Random operations against the model of model.c, and what single ones do. At the end nothing is left allocated. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "budget.h"
#include "handlers.h"
#include "model.h"

#define STEPS 20000

static int failures, tests;

static void ok(bool condition, const char *name)
{
    tests++;
    failures += !condition;
    printf("%sok %d - %s\n", condition ? "" : "not ", tests, name);
}

static uint32_t by_chance(uint32_t below)
{
    return (uint32_t)rand() % below;
}

/* A node of a new object, in a table. */
static int create_anywhere(void)
{
    return create(rand() % PROCESSES);
}

static void test_cap_random_operations_match_model(unsigned seed)
{
    bool good = true;
    set_up();
    srand(seed);
    for (int step = 0; step < STEPS && good; step++) {
        good = model_step(by_chance);
        if (step % 256 == 0)
            good = good && model_agrees() && model_leaks_nothing();
    }
    good = good && model_agrees();
    tear_down();
    char name[80];
    snprintf(name, sizeof(name), "test_cap_random_operations_match_model (seed %u, %d objects)",
             seed, objects);
    ok(good && destroyed == objects && freed == objects && environment_allocated == 0, name);
}

static void test_cap_deep_chain_revokes(void) NO_THREAD_SAFETY
{
    set_up();
    int top = create_anywhere();
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
    int top = create_anywhere();
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

/* A derivation that has to wait for a revocation has made nothing, so no badge closes: the server would take it for the end of the one that the
 * call makes when it starts again. */
static void test_cap_badge_that_was_not_made_does_not_close(void)
{
    set_up();
    int top = create(0);
    const struct cap_out out = {.handle = model[top].handle,
                                .mode = CAP_TRANSFER_DERIVE,
                                .rights = RIGHT_ALL,
                                .badge = 42};
    struct cap *message = NULL, *badged = NULL;
    handle_t handle = 0;
    bool good = true;
    for (int i = 0; i < 3 && good; i++)
        good = cap_transfer(&threads[0], find(top), &processes[1], CAP_TRANSFER_DERIVE, 0, 0,
                            &handle) == STATUS_OK;
    good = good && sys_cap_revoke(&threads[0], find(top)) == KERNEL_DONE;
    environment_closed_badge = 0;
    bool waits = cap_transfer(&threads[1], find(top), &processes[2], CAP_TRANSFER_DERIVE, RIGHT_ALL,
                              42, &handle) == KERNEL_DONE &&
                 cap_to_message(&threads[0], &out, &message) == KERNEL_DONE;
    while (threads[0].continuation != NULL)
        threads[0].continuation(&threads[0]);
    environment_grace_period();
    ok(good && waits && environment_closed_badge == 0,
       "test_cap_badge_that_was_not_made_does_not_close");
    good = cap_transfer(&threads[1], find(top), &processes[2], CAP_TRANSFER_DERIVE, RIGHT_ALL, 42,
                        &handle) == STATUS_OK &&
           cap_lookup(&processes[2], handle, OBJECT_ENDPOINT, 0, &badged) == STATUS_OK;
    if (good)
        cap_close(&processes[2], badged);
    ok(good && environment_closed_badge == 42, "test_cap_badge_made_later_closes");
    tear_down();
    ok(environment_allocated == 0, "test_cap_badge_made_later_leaks_nothing");
}

/* Who looked a capability up before it was closed makes none from it, and its badge closes once. */
static void test_cap_closed_source_gives_nothing(void)
{
    set_up();
    int top = create_anywhere();
    handle_t badged = 0, copy = 0;
    struct cap *cap = NULL;
    bool good = cap_transfer(&threads[0], find(top), &processes[0], CAP_TRANSFER_DERIVE, 0xfff, 42,
                             &badged) == STATUS_OK &&
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
    int top = create_anywhere();
    size_t before = environment_allocated;
    environment_closed_badge = 0;
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
               processes[0].caps + processes[1].caps == caps && environment_closed_badge == 0 &&
               environment_allocated == before;
    }
    ok(good, "test_cap_no_memory_changes_nothing");
    tear_down();
}

static void test_cap_guessed_handles_are_refused(void)
{
    set_up();
    int top = create_anywhere();
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
    int top = create_anywhere(), from = model[top].process, to = (from + 1) % PROCESSES;
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
    int top = create_anywhere(), from = model[top].process, to = (from + 1) % PROCESSES;
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
    int top = create_anywhere(), from = model[top].process;
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
    int top = create_anywhere();
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
    test_cap_badge_that_was_not_made_does_not_close();
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
