/* Handles, rights, derivation, revocation; budgets. */
#include "guest.h"

static handle_t notification_new(void)
{
    handle_t handle = 0;

    OK(sys_notification_create(info->budget, &handle));
    return handle;
}

static void test_system_calls(void)
{
    uint64_t first, second;
    unsigned char a[32] = {0}, b[32] = {0};
    unsigned differ = 0;
    struct memory_stats stats;

    OK(sys_system_nop());
    OK(sys_system_clock(&first));
    OK(sys_system_clock(&second));
    CHECK(second >= first && first != 0);
    OK(sys_system_random(a, sizeof(a)));
    OK(sys_system_random(b, sizeof(b)));
    for (unsigned i = 0; i < sizeof(a); i++)
        differ += a[i] != b[i];
    CHECK(differ > 16);
    CHECK_STATUS(STATUS_RANGE, sys_system_random(a, 257));
    OK(sys_system_memory_stats(info->budget, &stats));
    CHECK(stats.total_pages > stats.free_pages && stats.free_pages != 0 && stats.kmem_bytes != 0 &&
          stats.image_pages != 0);
}

static void test_handle_bad_ones_are_refused(void)
{
    handle_t handle = notification_new();
    uint64_t bits;

    CHECK_STATUS(STATUS_BAD_HANDLE, sys_notification_signal(0, 1));
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_notification_signal(UINT64_MAX, 1));
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_notification_signal(handle ^ UINT64_C(1) << 40, 1));
    for (uint64_t guess = 0; guess < 2000; guess++)
        CHECK_STATUS(STATUS_BAD_HANDLE,
                     sys_notification_signal((guess * 0x9e3779b97f4a7c15 << 32) | (guess % 300),
                                             1));
    CHECK_STATUS(STATUS_WRONG_TYPE, sys_timer_cancel(handle));
    CHECK_STATUS(STATUS_WRONG_TYPE, sys_notification_signal(info->budget, 1));
    OK(sys_notification_signal(handle, 1));
    close_handle(handle);
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_cap_close(handle));
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_notification_poll(handle, 1, &bits));
    handle_t next = notification_new();

    CHECK(next != handle);
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_notification_poll(handle, 1, &bits));
    close_handle(next);
}

static uint64_t kmem_used(void)
{
    struct budget_info budget = {0};

    OK(sys_budget_info(info->budget, &budget));
    return budget.kmem_used;
}

/* Who never waits gets back what it closed, also after the timer that collects that found nothing. */
static void test_cap_what_is_closed_comes_back_without_a_pause(void)
{
    handle_t handle = notification_new(), copy;
    const unsigned many = 20000;

    for (unsigned burst = 1; burst <= 70; burst++) {
        for (unsigned i = 0; i < burst; i++) {
            OK(sys_cap_copy(handle, RIGHT_CALL, &copy));
            close_handle(copy);
        }
        for (uint64_t until = now_ns() + 2 * MS; now_ns() < until;)
            continue;
    }
    uint64_t before = kmem_used();

    for (unsigned i = 0; i < many; i++) {
        OK(sys_cap_copy(handle, RIGHT_CALL, &copy));
        close_handle(copy);
    }
    CHECK(kmem_used() < before + many * 8);
    close_handle(handle);
}

static void test_cap_rights_only_shrink(void)
{
    handle_t handle = notification_new(), weak, copy;
    uint32_t type, rights;
    uint64_t badge, id, id2, bits;

    weak = with_rights(handle, RIGHT_COPY | RIGHT_CALL);
    OK(sys_notification_signal(weak, 4));
    CHECK_STATUS(STATUS_DENIED, sys_notification_poll(weak, 4, &bits));
    CHECK_STATUS(STATUS_DENIED, sys_cap_revoke(weak));
    CHECK_STATUS(STATUS_DENIED, sys_cap_derive(weak, RIGHT_CALL | RIGHT_RECEIVE, 0, &copy));
    CHECK_STATUS(STATUS_DENIED, sys_cap_copy(weak, RIGHT_RECEIVE, &copy));
    OK(sys_cap_copy(weak, RIGHT_CALL, &copy));
    CHECK_STATUS(STATUS_DENIED, sys_cap_derive(copy, 0, 0, &weak));
    OK(sys_cap_info(copy, &type, &rights, &badge, &id));
    CHECK(type == OBJECT_NOTIFICATION && rights == RIGHT_CALL && badge == 0);
    OK(sys_cap_info(handle, &type, &rights, &badge, &id2));
    CHECK(id == id2);
    OK(sys_notification_poll(handle, 4, &bits));
    CHECK(bits == 4);
    close_handle(copy);
    close_handle(weak);
    close_handle(handle);
}

static void test_cap_badges_are_set_once(void)
{
    handle_t endpoint, badged, other;
    uint32_t type, rights;
    uint64_t badge, id;

    OK(sys_endpoint_create(info->budget, &endpoint));
    OK(sys_cap_derive(endpoint, RIGHT_CALL | RIGHT_COPY, 1234, &badged));
    OK(sys_cap_info(badged, &type, &rights, &badge, &id));
    CHECK(badge == 1234);
    CHECK_STATUS(STATUS_DENIED, sys_cap_derive(badged, RIGHT_CALL, 5, &other));
    OK(sys_cap_derive(endpoint, RIGHT_RECEIVE | RIGHT_COPY, 1235, &other));
    CHECK_STATUS(STATUS_INVALID, sys_cap_derive(other, RIGHT_RECEIVE, 5, &other));
    close_handle(other);
    OK(sys_cap_derive(badged, RIGHT_CALL, 0, &other));
    OK(sys_cap_info(other, &type, &rights, &badge, &id));
    CHECK(badge == 1234);
    close_handle(other);
    close_handle(badged);
    close_handle(endpoint);
}

/* Who may call, and no more, makes no badge: it would say that it is somebody else. */
static void test_cap_badges_are_made_by_who_serves(void)
{
    handle_t endpoint, connect, made = HANDLE_NONE;
    struct child child;

    OK(sys_endpoint_create(info->budget, &endpoint));
    connect = with_rights(endpoint, RIGHT_CALL | RIGHT_COPY | RIGHT_TRANSFER | RIGHT_MANAGE);
    CHECK_STATUS(STATUS_DENIED, sys_cap_derive(connect, RIGHT_CALL, 1, &made));
    CHECK_STATUS(STATUS_DENIED, sys_cap_derive(connect, RIGHT_CALL, IPC_BADGE_SESSION | 1, &made));
    child_create(&child, 0, NULL);
    CHECK_STATUS(STATUS_DENIED, sys_process_give(child.process, connect, RIGHT_CALL, 1,
                                                 CAP_TRANSFER_DERIVE, &made));
    CHECK(made == HANDLE_NONE);
    OK(sys_cap_derive(connect, RIGHT_CALL, 0, &made));
    OK(sys_process_kill(child.process, 9));
    CHECK(child_end(&child) == 9);
    close_handle(made);
    close_handle(connect);
    close_handle(endpoint);
}

/* Closing in the middle of a chain leaves what was made from it; revoking the top takes all of it. */
static void test_cap_revoke_takes_all_descendants(void)
{
    handle_t top = notification_new(), chain[20], sibling;
    uint64_t bits;

    OK(sys_cap_copy(top, RIGHT_COPY | RIGHT_CALL, &sibling));
    chain[0] = with_rights(top, RIGHT_COPY | RIGHT_CALL);
    for (unsigned i = 1; i < 20; i++)
        chain[i] = with_rights(chain[i - 1], RIGHT_COPY | RIGHT_CALL);
    for (unsigned i = 0; i < 19; i += 2)
        close_handle(chain[i]);
    for (unsigned i = 1; i < 20; i += 2)
        OK(sys_notification_signal(chain[i], 1));
    OK(sys_cap_revoke(top));
    for (unsigned i = 0; i < 20; i++)
        CHECK_STATUS(STATUS_BAD_HANDLE, sys_notification_signal(chain[i], 2));
    OK(sys_notification_signal(sibling, 8));
    OK(sys_notification_poll(top, UINT64_MAX, &bits));
    CHECK(bits == 9);
    close_handle(sibling);
    close_handle(top);
}

static void test_cap_revoke_of_many(void)
{
    handle_t top = notification_new(), last = 0;

    for (unsigned i = 0; i < 500; i++)
        last = with_rights(top, RIGHT_COPY | RIGHT_CALL);
    OK(sys_notification_signal(last, 1));
    OK(sys_cap_revoke(top));
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_notification_signal(last, 1));
    last = with_rights(top, RIGHT_CALL);
    OK(sys_notification_signal(last, 1));
    close_handle(last);
    close_handle(top);
}

static void test_cap_depth_is_bounded(void)
{
    handle_t top = notification_new(), at = top, next;
    status_t status = STATUS_OK;
    unsigned depth = 0;

    for (; depth < 3000; depth++) {
        status = sys_cap_derive(at, RIGHT_COPY | RIGHT_CALL, 0, &next);
        if (!status_is_ok(status))
            break;
        if (at != top)
            close_handle(at);
        at = next;
    }
    CHECK(status == STATUS_RANGE && depth > 100);
    OK(sys_notification_signal(at, 1));
    OK(sys_cap_revoke(top));
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_notification_signal(at, 1));
    close_handle(top);
}

static void wait_for_bit(struct worker *self)
{
    uint64_t bits;

    self->value = (uint64_t)status_code(
        sys_notification_wait(*(handle_t *)self->context, 1, DEADLINE_NEVER, &bits));
}

static void wait_in_queue(struct worker *self)
{
    struct event event;

    self->value =
        (uint64_t)status_code(sys_queue_wait(*(handle_t *)self->context, DEADLINE_NEVER, &event));
}

/* Who waits through a capability that is revoked, or on an object that ends, is told. */
static void test_cap_revoke_ends_waits(void)
{
    handle_t notification = notification_new(), queue;
    handle_t through = with_rights(notification, RIGHT_RECEIVE);
    struct worker worker;

    worker_start(&worker, wait_for_bit, &through);
    CHECK(EVENTUALLY(threads_in(SYS_NOTIFICATION_WAIT) == 1));
    OK(sys_cap_revoke(notification));
    CHECK(worker_join(&worker) && status_from_code(worker.value) == STATUS_BAD_HANDLE);
    worker_start(&worker, wait_for_bit, &notification);
    CHECK(EVENTUALLY(threads_in(SYS_NOTIFICATION_WAIT) == 1));
    close_handle(notification);
    CHECK(worker_join(&worker) && status_from_code(worker.value) == STATUS_GONE);
    OK(sys_queue_create(info->budget, &queue));
    through = with_rights(queue, RIGHT_RECEIVE);
    worker_start(&worker, wait_in_queue, &through);
    CHECK(EVENTUALLY(threads_in(SYS_QUEUE_WAIT) == 1));
    OK(sys_cap_revoke(queue));
    CHECK(worker_join(&worker) && status_from_code(worker.value) == STATUS_BAD_HANDLE);
    worker_start(&worker, wait_in_queue, &queue);
    CHECK(EVENTUALLY(threads_in(SYS_QUEUE_WAIT) == 1));
    close_handle(queue);
    CHECK(worker_join(&worker) && status_from_code(worker.value) == STATUS_GONE);
}

struct race {
    handle_t source;
    bool stop;
};

/* It ends when it is told and has succeeded, however late it came to run. */
static void derive_and_use(struct worker *self)
{
    struct race *race = self->context;

    while (!__atomic_load_n(&race->stop, __ATOMIC_ACQUIRE) || self->value == 0) {
        handle_t child;

        if (!status_is_ok(sys_cap_derive(race->source, RIGHT_COPY | RIGHT_CALL, 0, &child)))
            continue;
        if (status_is_ok(sys_notification_signal(child, 1)))
            self->value++;
        status_ignore(sys_cap_close(child));
    }
}

/* Derivation, use and closing on other CPUs while everything is revoked again and again. */
static void test_cap_revoke_races_with_derivation(void)
{
    struct race race = {notification_new(), false};
    struct worker workers[3];

    for (unsigned i = 0; i < 3; i++)
        worker_start(&workers[i], derive_and_use, &race);
    for (unsigned i = 0; i < 40; i++) {
        OK(sys_cap_revoke(race.source));
        status_ignore(sys_thread_yield());
    }
    __atomic_store_n(&race.stop, true, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < 3; i++)
        CHECK(worker_join(&workers[i]));
    close_handle(race.source);
}

/* The ways from table to table: in a channel's message, in a call's, and given to a process. */
struct transfers {
    handle_t source, left, right;
    handle_t arrived; /* the last one that came through; atomic */
    bool stop;
};

static handle_t through_channel(struct transfers *t, struct worker *self)
{
    char data[8];
    uint64_t bytes;
    uint32_t caps = 0;
    self->buffer->caps[0] =
        (struct cap_out){t->source, 0, RIGHT_CALL | RIGHT_COPY, CAP_TRANSFER_DERIVE};
    self->buffer->accept = 1;
    status_ignore(sys_channel_send(t->left, "cap", 3, 1));
    if (!status_is_ok(sys_channel_receive(t->right, data, sizeof(data), &bytes, &caps)) ||
        caps == 0)
        return 0;
    return self->buffer->received[0];
}

static handle_t through_process(struct transfers *t, struct worker *self)
{
    handle_t given = 0;
    (void)self;
    return status_is_ok(sys_process_give(info->process, t->source, RIGHT_CALL | RIGHT_COPY, 0,
                                         CAP_TRANSFER_DERIVE, &given))
               ? given
               : 0;
}

static void transfer_on(struct worker *self, handle_t (*way)(struct transfers *, struct worker *))
{
    struct transfers *t = self->context;
    while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE) || self->value == 0) {
        handle_t came = way(t, self);
        if (came == 0)
            continue;
        if (status_is_ok(sys_notification_signal(came, 1)))
            self->value++;
        handle_t before = __atomic_exchange_n(&t->arrived, came, __ATOMIC_ACQ_REL);
        if (before != 0)
            status_ignore(sys_cap_close(before));
    }
}

static void transfer_by_channel(struct worker *self)
{
    transfer_on(self, through_channel);
}

static void transfer_by_process(struct worker *self)
{
    transfer_on(self, through_process);
}

/* What arrived before a revocation is dead after it, whichever way it took and wherever it was meanwhile. */
static void test_cap_revoke_races_with_transfer(void)
{
    struct transfers t = {.source = notification_new()};
    struct worker workers[3];
    unsigned seen = 0;

    OK(sys_channel_create(info->budget, 4, 64, &t.left, &t.right));
    worker_start(&workers[0], transfer_by_channel, &t);
    worker_start(&workers[1], transfer_by_process, &t);
    worker_start(&workers[2], transfer_by_channel, &t);
    for (unsigned i = 0; i < 200 || seen == 0; i++) {
        handle_t arrived = __atomic_exchange_n(&t.arrived, 0, __ATOMIC_ACQ_REL);
        OK(sys_cap_revoke(t.source));
        if (arrived != 0) {
            seen++;
            CHECK_STATUS(STATUS_BAD_HANDLE, sys_notification_signal(arrived, 1));
        }
        status_ignore(sys_thread_yield());
    }
    __atomic_store_n(&t.stop, true, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < 3; i++)
        CHECK(worker_join(&workers[i]));
    OK(sys_cap_revoke(t.source));
    CHECK(t.arrived == 0 || sys_notification_signal(t.arrived, 1) == STATUS_BAD_HANDLE);
    close_handle(t.left);
    close_handle(t.right);
    close_handle(t.source);
}

/* What the list says of @handle, which this process holds. */
static struct cap_entry listed(handle_t handle)
{
    struct process_info process;
    struct cap_entry entry = {0};
    uint64_t cursor = 0;

    OK(sys_process_info(info->process, &process));
    while (entry.handle != handle &&
           status_is_ok(sys_cap_list(info->budget, process.id, cursor, &entry, &cursor)))
        ;
    CHECK(entry.handle == handle);
    return entry;
}

static bool came_from(handle_t handle, uint64_t source_node, uint64_t parent_node)
{
    struct cap_entry entry = listed(handle);
    return entry.source_node_id == source_node && entry.parent_node_id == parent_node;
}

/* Its source, from which it was copied or derived, be that there any more or not; and what it stands below. */
static void test_cap_list_tells_where_it_came_from(void)
{
    handle_t first = notification_new(), copy, second, child, childs_copy;
    uint32_t rights = listed(first).rights;

    OK(sys_cap_copy(first, rights, &copy));
    OK(sys_cap_copy(copy, rights, &second));
    OK(sys_cap_derive(copy, rights, 0, &child));
    OK(sys_cap_copy(child, rights, &childs_copy));
    uint64_t first_node = listed(first).node_id, copy_node = listed(copy).node_id,
             child_node = listed(child).node_id;

    CHECK(came_from(first, 0, 0));
    CHECK(came_from(copy, first_node, 0));
    CHECK(came_from(second, copy_node, 0));
    CHECK(came_from(child, copy_node, copy_node));
    CHECK(came_from(childs_copy, child_node, copy_node));
    close_handle(first);
    close_handle(copy);
    close_handle(child);
    CHECK(came_from(second, copy_node, 0));
    CHECK(came_from(childs_copy, child_node, copy_node));
    close_handle(childs_copy);
    close_handle(second);
}

static void test_cap_list_shows_what_is_held(void)
{
    handle_t handle = notification_new();
    struct process_info process;
    struct cap_entry entry;
    uint64_t cursor = 0, id;
    uint32_t type, rights;
    uint64_t badge;
    bool found = false;

    OK(sys_process_info(info->process, &process));
    OK(sys_cap_info(handle, &type, &rights, &badge, &id));
    while (status_is_ok(sys_cap_list(info->budget, process.id, cursor, &entry, &cursor))) {
        if (entry.handle == handle && entry.type == OBJECT_NOTIFICATION && entry.object_id == id)
            found = true;
    }
    CHECK(found);
    CHECK_STATUS(STATUS_NOT_FOUND, sys_cap_list(info->budget, UINT64_MAX, 0, &entry, &cursor));
    close_handle(handle);
}

/* ── Budgets ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void test_budget_moves_quota(void)
{
    struct budget_info before, during, child_info;
    handle_t child, grandchild;

    OK(sys_budget_info(info->budget, &before));
    CHECK_STATUS(STATUS_INVALID, sys_budget_create(info->budget, 1, 1, 64, &child));
    CHECK_STATUS(STATUS_NO_MEMORY, sys_budget_create(info->budget, UINT64_MAX, 1, 1, &child));
    CHECK_STATUS(STATUS_NO_MEMORY, sys_budget_create(info->budget, 1, UINT64_MAX, 1, &child));
    OK(sys_budget_create(info->budget, 100, 1 << 20, 10, &child));
    OK(sys_budget_info(info->budget, &during));
    OK(sys_budget_info(child, &child_info));
    CHECK(during.pages_limit == before.pages_limit - 100 && child_info.pages_limit == 100 &&
          child_info.priority_ceiling == 10);
    CHECK_STATUS(STATUS_NO_MEMORY, sys_budget_create(child, 101, 0, 1, &grandchild));
    OK(sys_budget_create(child, 60, 4096, 1, &grandchild));
    CHECK_STATUS(STATUS_BUSY, sys_budget_set(child, 50, 0, 0));
    CHECK_STATUS(STATUS_NO_MEMORY, sys_budget_set(grandchild, 101, 4096, 0));
    OK(sys_budget_set(grandchild, 100, 4096, 0));
    CHECK_STATUS(STATUS_DENIED, sys_budget_set(info->budget, 1, 1, 0));
    close_handle(child);
    close_handle(grandchild);
    CHECK(EVENTUALLY((status_is_ok(sys_budget_info(info->budget, &during)) &&
                      during.pages_limit == before.pages_limit &&
                      during.kmem_limit == before.kmem_limit)));
}

static uint64_t realtime_used(handle_t budget)
{
    struct budget_info about = {0};
    OK(sys_budget_info(budget, &about));
    return about.realtime_used;
}

/* Threads with a budget in each period are admitted as far as their Budget has been given of the CPUs, whatever its ceiling; it comes back
 * when they have another priority, and when they end. */
static void test_budget_admits_real_time(void)
{
    struct budget_info before, during;
    handle_t budget, first, second;
    OK(sys_budget_info(info->budget, &before));
    CHECK(before.realtime_limit > 0 && before.realtime_limit % (BUDGET_REALTIME_CPU / 20) == 0);
    OK(sys_budget_create(info->budget, 8, 64 << 10, 10, &budget));
    OK(sys_thread_create(info->process, budget, &first));
    OK(sys_thread_create(info->process, budget, &second));
    CHECK_STATUS(STATUS_DENIED, sys_thread_set_realtime(first, 40, 2 * MS, 10 * MS, 0));
    CHECK_STATUS(STATUS_NO_MEMORY, sys_budget_set(budget, 8, 64 << 10, before.realtime_limit + 1));
    OK(sys_budget_set(budget, 8, 64 << 10, 200000));
    OK(sys_budget_info(info->budget, &during));
    CHECK(during.realtime_limit == before.realtime_limit - 200000);
    CHECK_STATUS(STATUS_DENIED, sys_thread_set_realtime(first, 40, 2 * MS + 1, 10 * MS, 0));
    CHECK(realtime_used(budget) == 0);
    OK(sys_thread_set_realtime(first, 40, 2 * MS, 10 * MS, 0));
    CHECK(realtime_used(budget) == 200000);
    CHECK_STATUS(STATUS_DENIED, sys_thread_set_realtime(second, 33, 1, 10 * MS, 0));
    CHECK_STATUS(STATUS_BUSY, sys_budget_set(budget, 8, 64 << 10, 199999));
    CHECK_STATUS(STATUS_DENIED, sys_thread_set_realtime(first, 40, 3 * MS, 10 * MS, 0));
    CHECK(realtime_used(budget) == 200000); /* it has what it had */
    OK(sys_thread_set_realtime(first, PRIORITY_MAX, MS, 10 * MS, 0));
    OK(sys_thread_set_realtime(second, 40, MS, 10 * MS, 0));
    CHECK_STATUS(STATUS_DENIED, sys_thread_set_priority(first, 40));
    CHECK(realtime_used(budget) == 200000);
    OK(sys_thread_set_priority(first, 10));
    CHECK(realtime_used(budget) == 100000);
    close_handle(first);
    close_handle(second);
    CHECK(EVENTUALLY(realtime_used(budget) == 0));
    close_handle(budget);
    CHECK(EVENTUALLY((status_is_ok(sys_budget_info(info->budget, &during)) &&
                      during.realtime_limit == before.realtime_limit)));
}

static void sleep_until_told(struct worker *self)
{
    while (!__atomic_load_n((bool *)self->context, __ATOMIC_RELAXED))
        sleep_ms(1);
}

/* Who has ended holds nothing of the CPUs, though somebody has a capability to it still. */
static void test_budget_real_time_ends_with_its_thread(void)
{
    uint64_t before = realtime_used(info->budget);
    struct worker worker;
    handle_t kept;
    bool told = false;
    worker_start(&worker, sleep_until_told, &told);
    OK(sys_cap_copy(worker.thread, RIGHT_INSPECT, &kept));
    OK(sys_thread_set_realtime(worker.thread, 40, 2 * MS, 10 * MS, 0));
    CHECK(realtime_used(info->budget) == before + 200000);
    __atomic_store_n(&told, true, __ATOMIC_RELAXED);
    CHECK(worker_join(&worker));
    CHECK(EVENTUALLY(realtime_used(info->budget) == before));
    close_handle(kept);
}

static void test_budget_bounds_pages(void)
{
    handle_t child, memory, more;
    struct budget_info child_info;

    OK(sys_budget_create(info->budget, 16, 1 << 20, 10, &child));
    OK(sys_memory_create(child, 64 * PAGE_SIZE, 0, &memory));
    CHECK_STATUS(STATUS_NO_MEMORY, sys_memory_create(child, 17 * PAGE_SIZE, MEMORY_COMMIT, &more));
    /* What the failed creation had taken comes back after a grace period. */
    CHECK(EVENTUALLY(status_is_ok(sys_memory_commit(memory, 0, 10 * PAGE_SIZE))));
    CHECK_STATUS(STATUS_NO_MEMORY, sys_memory_commit(memory, 10 * PAGE_SIZE, 10 * PAGE_SIZE));
    OK(sys_budget_info(child, &child_info));
    CHECK(child_info.pages_used <= 16);
    OK(sys_memory_discard(memory, 0, 64 * PAGE_SIZE));
    CHECK(EVENTUALLY((status_is_ok(sys_memory_commit(memory, 20 * PAGE_SIZE, 8 * PAGE_SIZE)))));
    close_handle(memory);
    close_handle(child);
}

/* Every kind of object until there is no more; nothing else suffers, and all comes back. */
static void test_budget_bounds_kernel_memory(void)
{
    handle_t child, handle, other;
    handle_t made[512];
    unsigned count = 0;

    OK(sys_budget_create(info->budget, 64, 64 << 10, 10, &child));
    for (; count < 512; count++) {
        status_t status = STATUS_OK;

        switch (count % 5) {
        case 0:
            status = sys_queue_create(child, &made[count]);
            break;
        case 1:
            status = sys_notification_create(child, &made[count]);
            break;
        case 2:
            status = sys_timer_create(child, &made[count]);
            break;
        case 3:
            status = sys_endpoint_create(child, &made[count]);
            break;
        default:
            status = sys_memory_create(child, PAGE_SIZE, 0, &made[count]);
            break;
        }
        if (!status_is_ok(status)) {
            CHECK(status == STATUS_NO_MEMORY);
            break;
        }
    }
    CHECK(count > 20 && count < 512);
    CHECK_STATUS(STATUS_NO_MEMORY, sys_channel_create(child, 8, 4096, &handle, &other));
    OK(sys_notification_create(info->budget, &other));
    close_handle(other);
    while (count-- > 0)
        close_handle(made[count]);
    CHECK(EVENTUALLY(status_is_ok(sys_channel_create(child, 2, 4096, &handle, &other))));
    close_handle(handle);
    close_handle(other);
    close_handle(child);
}

extern const struct test cap_tests[];
const struct test cap_tests[] = {
    TEST(test_system_calls),
    TEST(test_handle_bad_ones_are_refused),
    TEST(test_cap_what_is_closed_comes_back_without_a_pause),
    TEST(test_cap_rights_only_shrink),
    TEST(test_cap_badges_are_set_once),
    TEST(test_cap_badges_are_made_by_who_serves),
    TEST(test_cap_revoke_takes_all_descendants),
    TEST(test_cap_revoke_of_many),
    TEST(test_cap_depth_is_bounded),
    TEST(test_cap_revoke_ends_waits),
    TEST(test_cap_revoke_races_with_derivation),
    TEST(test_cap_revoke_races_with_transfer),
    TEST(test_cap_list_shows_what_is_held),
    TEST(test_cap_list_tells_where_it_came_from),
    TEST(test_budget_moves_quota),
    TEST(test_budget_admits_real_time),
    TEST(test_budget_real_time_ends_with_its_thread),
    TEST(test_budget_bounds_pages),
    TEST(test_budget_bounds_kernel_memory),
    {0},
};
