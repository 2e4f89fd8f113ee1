/* Queues, channels, notifications and budgets, one CPU, with every failure that the environment can make. */
#include "environment.h"
#include "tests.h"

#include <arch_accessors.h>
#include <queue.h>
#include <string.h>

static struct user_in in(const void *data, uint64_t length)
{
    return (struct user_in){(uint64_t)(uintptr_t)data, length};
}

static struct user_out out(void *data, uint64_t length)
{
    return (struct user_out){(uint64_t)(uintptr_t)data, length};
}

static int32_t woken_status(const struct thread *thread)
{
    return (int32_t)(uint32_t)thread->context.status;
}

/* ── Queues ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct event_source source_make(uint32_t kind)
{
    struct event_source source = {0};

    event_source_init(&source, kind);
    return source;
}

static handle_t queue_make(struct thread *self)
{
    handle_t handle = 0;

    CHECK(sys_queue_create(self, &env.budget_cap, &handle) == STATUS_OK);
    return handle;
}

static void test_queue_coalesces_events(void)
{
    environment_reset();
    struct thread *self = environment_thread();
    handle_t handle = queue_make(self);
    struct queue *queue = queue_of(environment_cap(handle)->object);
    struct event_source a = source_make(EVENT_INTERRUPT), b = source_make(EVENT_NOTIFICATION),
                        c = source_make(EVENT_EXIT);
    struct event event;

    CHECK(event_source_bind(&a, queue, 1) == STATUS_OK &&
          event_source_bind(&b, queue, 2) == STATUS_OK);
    CHECK(event_source_bind(&c, queue, 3) == STATUS_OK &&
          event_source_bind(&c, queue, 4) == STATUS_BUSY);
    event_post(&b, 1, EVENT_OR);
    event_post(&a, 2, EVENT_ADD);
    event_post(&b, 4, EVENT_OR);
    event_post(&a, 3, EVENT_ADD);
    event_post(&c, 8, EVENT_REPLACE);
    event_post(&c, 9, EVENT_REPLACE);
    CHECK(sys_queue_wait(self, environment_cap(handle), DEADLINE_NEVER, &event) == STATUS_OK);
    CHECK(event.cookie == 2 && event.kind == EVENT_NOTIFICATION && event.data == 5);
    CHECK(queue_take(queue, &event) && event.cookie == 1 && event.data == 5);
    CHECK(queue_take(queue, &event) && event.cookie == 3 && event.data == 9);
    CHECK(!queue_take(queue, &event));
    event_post(&a, 1, EVENT_ADD);
    CHECK(queue_take(queue, &event) && event.data == 1);
    event_post(&a, 1, EVENT_ADD);
    event_source_unbind(&a);
    CHECK(!queue_take(queue, &event));
    event_post(&a, 1, EVENT_ADD);
    event_source_unbind(&b);
    event_source_unbind(&c);
    environment_close(handle);
    CHECK(env.allocated == 0);
}

static void test_queue_wakes_waiters(void)
{
    environment_reset();
    struct thread *first = environment_thread(), *second = environment_thread();
    handle_t handle = queue_make(first);
    struct cap *cap = environment_cap(handle);
    struct event_source a = source_make(EVENT_INTERRUPT), b = source_make(EVENT_INTERRUPT);
    struct event event;

    CHECK(event_source_bind(&a, queue_of(cap->object), 1) == STATUS_OK);
    CHECK(event_source_bind(&b, queue_of(cap->object), 2) == STATUS_OK);
    CHECK(sys_queue_wait(first, cap, 0, &event) == STATUS_TIMED_OUT);
    CHECK(sys_queue_wait(first, cap, DEADLINE_NEVER, &event) == KERNEL_BLOCKED);
    CHECK(sys_queue_wait(second, cap, DEADLINE_NEVER, &event) == KERNEL_BLOCKED);
    event_post(&a, 1, EVENT_ADD);
    CHECK(env.wakes == 1 && first->context.pc == (uint64_t)0 - ARCH_SYSCALL_BYTES &&
          second->context.pc == 0);
    CHECK(sys_queue_wait(first, cap, DEADLINE_NEVER, &event) == STATUS_OK && event.cookie == 1);
    CHECK(!wait_cancel(second, second->wait_class, second->wait_sequence + 1));
    CHECK(wait_cancel(second, second->wait_class, second->wait_sequence));
    event_post(&a, 1, EVENT_ADD);
    CHECK(env.wakes == 1);
    event_source_unbind(&a);
    first->attention = 1;
    CHECK(sys_queue_wait(first, cap, DEADLINE_NEVER, &event) == STATUS_INTERRUPTED);
    CHECK(sys_queue_wait(second, cap, DEADLINE_NEVER, &event) == KERNEL_BLOCKED);
    cap->object->ops->revoked(cap->object, cap);
    CHECK(woken_status(second) == STATUS_BAD_HANDLE);
    CHECK(sys_queue_wait(second, cap, DEADLINE_NEVER, &event) == KERNEL_BLOCKED);
    environment_close(handle);
    CHECK(woken_status(second) == STATUS_GONE);
    event_post(&b, 1, EVENT_ADD);
    CHECK(env.allocated != 0); /* b still refers to it */
    event_source_unbind(&b);
    CHECK(env.allocated == 0);
}

static void test_queue_source_leaves_dead_queue(void)
{
    environment_reset();
    struct thread *self = environment_thread();
    handle_t first = queue_make(self), second = queue_make(self);
    struct queue *old = queue_of(environment_cap(first)->object),
                 *new = queue_of(environment_cap(second)->object);
    struct event_source a = source_make(EVENT_INTERRUPT);
    struct event event;

    CHECK(event_source_bind(&a, old, 1) == STATUS_OK);
    event_post(&a, 1, EVENT_ADD);
    environment_close(first);
    CHECK(event_source_bind(&a, new, 2) == STATUS_OK);
    event_post(&a, 7, EVENT_ADD);
    CHECK(queue_take(new, &event) && event.data == 7);
    event_source_unbind(&a);
    environment_close(second);
    CHECK(env.allocated == 0);
}

/* ── Channels ────────────────────────────────────────────────────────────────────────────────────────────────────── */

struct ends {
    handle_t left, right;
};

static struct ends channel_make(struct thread *self, uint32_t slots, uint32_t bytes)
{
    struct ends ends = {0};

    CHECK(sys_channel_create(self, &env.budget_cap, slots, bytes, &ends.left, &ends.right) ==
          STATUS_OK);
    return ends;
}

static status_t send(struct thread *self, handle_t end, const char *text)
{
    return sys_channel_send(self, environment_cap(end), in(text, strlen(text)), 0);
}

/* The next message is @text. */
static bool receives(struct thread *self, handle_t end, const char *text)
{
    char buffer[64];
    uint64_t bytes;
    uint32_t caps;
    status_t status =
        sys_channel_receive(self, environment_cap(end), out(buffer, sizeof(buffer)), &bytes, &caps);

    return status == STATUS_OK && bytes == strlen(text) && memcmp(buffer, text, bytes) == 0;
}

static status_t receive_status(struct thread *self, handle_t end, size_t room)
{
    char buffer[64];
    uint64_t bytes;
    uint32_t caps;

    return sys_channel_receive(self, environment_cap(end), out(buffer, room), &bytes, &caps);
}

static void test_channel_keeps_order_round_the_ring(void)
{
    environment_reset();
    struct thread *self = environment_thread();
    struct ends ends = channel_make(self, 3, 8);

    for (unsigned round = 0; round < 10; round++) {
        CHECK(send(self, ends.left, "one") == STATUS_OK);
        CHECK(send(self, ends.left, "two") == STATUS_OK);
        CHECK(receives(self, ends.right, "one"));
        CHECK(send(self, ends.left, "") == STATUS_OK);
        CHECK(send(self, ends.left, "four") == STATUS_OK);
        CHECK(send(self, ends.left, "five") == STATUS_BUSY);
        CHECK(send(self, ends.right, "back") == STATUS_OK);
        CHECK(receives(self, ends.right, "two") && receives(self, ends.right, "") &&
              receives(self, ends.right, "four"));
        CHECK(receive_status(self, ends.right, 8) == STATUS_BUSY);
        CHECK(receives(self, ends.left, "back"));
    }
    CHECK(send(self, ends.left, "nine char") == STATUS_RANGE);
    environment_close(ends.left);
    environment_close(ends.right);
    CHECK(env.allocated == 0);
}

static void test_channel_failed_copies_change_nothing(void)
{
    environment_reset();
    struct thread *self = environment_thread();
    struct ends ends = channel_make(self, 2, 8);

    env.user_faults = true;
    for (unsigned i = 0; i < 5; i++)
        CHECK(send(self, ends.left, "one") == STATUS_FAULT);
    env.user_faults = false;
    CHECK(receive_status(self, ends.right, 8) == STATUS_BUSY);
    CHECK(send(self, ends.left, "one") == STATUS_OK);
    env.user_faults = true;
    CHECK(send(self, ends.left, "two") == STATUS_FAULT);
    CHECK(receive_status(self, ends.right, 8) == STATUS_FAULT);
    env.user_faults = false;
    CHECK(receive_status(self, ends.right, 2) == STATUS_RANGE);
    CHECK(send(self, ends.left, "two") == STATUS_OK);
    CHECK(receives(self, ends.right, "one") && receives(self, ends.right, "two"));
    environment_close(ends.right);
    environment_close(ends.left);
    CHECK(env.allocated == 0);
}

static void test_channel_tells_that_the_peer_is_gone(void)
{
    environment_reset();
    struct thread *self = environment_thread();
    struct ends ends = channel_make(self, 2, 8);
    handle_t handle = queue_make(self);
    struct event event;

    CHECK(send(self, ends.left, "last") == STATUS_OK);
    CHECK(sys_channel_bind(self, environment_cap(ends.right), environment_cap(handle), 5) ==
          STATUS_OK);
    CHECK(sys_channel_bind(self, environment_cap(ends.right), environment_cap(handle), 5) ==
          STATUS_BUSY);
    environment_close(ends.left);
    CHECK(queue_take(queue_of(environment_cap(handle)->object), &event) && event.cookie == 5 &&
          event.data == 3);
    CHECK(send(self, ends.right, "x") == STATUS_PEER_DIED);
    CHECK(receives(self, ends.right, "last"));
    CHECK(receive_status(self, ends.right, 8) == STATUS_PEER_DIED);
    environment_close(ends.right);
    environment_close(handle);
    CHECK(env.allocated == 0);
}

static void test_channel_posts_an_event_a_message(void)
{
    environment_reset();
    struct thread *self = environment_thread();
    struct ends ends = channel_make(self, 4, 8);
    handle_t handle = queue_make(self);
    struct queue *queue = queue_of(environment_cap(handle)->object);
    struct event event;

    CHECK(sys_channel_bind(self, environment_cap(ends.right), environment_cap(handle), 1) ==
          STATUS_OK);
    CHECK(!queue_take(queue, &event));
    CHECK(send(self, ends.left, "a") == STATUS_OK && send(self, ends.left, "b") == STATUS_OK);
    CHECK(queue_take(queue, &event) && event.kind == EVENT_CHANNEL && event.data == 1);
    CHECK(!queue_take(queue, &event));
    environment_close(ends.right);
    environment_close(ends.left);
    environment_close(handle);
    CHECK(env.allocated == 0);
}

static void test_channel_carries_capabilities(void)
{
    environment_reset();
    struct thread *self = environment_thread();
    struct ends ends = channel_make(self, 2, 8);
    handle_t handle = queue_make(self);
    char buffer[8];
    uint64_t bytes;
    uint32_t caps;

    for (unsigned i = 0; i < 3; i++)
        self->buffer->caps[i] =
            (struct cap_out){.handle = handle,
                             .mode = i == 1 ? CAP_TRANSFER_MOVE : CAP_TRANSFER_COPY};
    CHECK(sys_channel_send(self, environment_cap(ends.left), in("m", 1), 3) == STATUS_OK &&
          env.messages == 3);
    self->buffer->accept = 2;
    CHECK(sys_channel_receive(self, environment_cap(ends.right), out(buffer, 8), &bytes, &caps) ==
          STATUS_OK);
    CHECK(caps == 2 && env.messages == 0 && self->buffer->received[0] == 77 &&
          self->buffer->received[2] == 0);
    CHECK(sys_channel_send(self, environment_cap(ends.left), in("m", 1), 5) == STATUS_RANGE);
    self->buffer->caps[1].handle = 63;
    CHECK(sys_channel_send(self, environment_cap(ends.left), in("m", 1), 3) == STATUS_BAD_HANDLE);
    self->buffer->caps[1].handle = ends.right;
    CHECK(sys_channel_send(self, environment_cap(ends.left), in("m", 1), 3) == STATUS_INVALID);
    self->buffer->caps[1].handle = handle;
    env.converts_left = 2;
    CHECK(sys_channel_send(self, environment_cap(ends.left), in("m", 1), 3) == STATUS_NO_MEMORY &&
          env.messages == 0);
    env.converts_left = 99;
    CHECK(receive_status(self, ends.right, 8) == STATUS_BUSY);
    CHECK(sys_channel_send(self, environment_cap(ends.left), in("m", 1), 2) == STATUS_OK &&
          env.messages == 2);
    environment_close(ends.right);
    CHECK(env.messages == 0);
    environment_close(ends.left);
    environment_close(handle);
    CHECK(env.allocated == 0);
}

static void test_channel_create_is_all_or_nothing(void)
{
    handle_t left, right;

    environment_reset();
    struct thread *self = environment_thread();

    CHECK(sys_channel_create(self, &env.budget_cap, 0, 8, &left, &right) == STATUS_INVALID);
    CHECK(sys_channel_create(self, &env.budget_cap, UINT32_MAX, UINT32_MAX, &left, &right) ==
          STATUS_INVALID);
    CHECK(sys_channel_create(self, &env.budget_cap, 1024, 1024, &left, &right) == STATUS_INVALID);
    for (unsigned creates = 0; creates < 2; creates++) {
        env.creates_left = creates;
        CHECK(sys_channel_create(self, &env.budget_cap, 2, 8, &left, &right) == STATUS_NO_MEMORY &&
              env.allocated == 0);
    }
    env.creates_left = 2;
    for (size_t limit = 0;; limit += 32) {
        env.limit = limit;
        if (sys_channel_create(self, &env.budget_cap, 2, 8, &left, &right) == STATUS_OK)
            break;
        CHECK(env.allocated == 0);
    }
    environment_close(left);
    environment_close(right);
    CHECK(env.allocated == 0);
}

/* ── Notifications ───────────────────────────────────────────────────────────────────────────────────────────────── */

static void test_notification_gives_bits_to_masks(void)
{
    environment_reset();
    struct thread *first = environment_thread(), *second = environment_thread();
    handle_t handle, queue_handle = queue_make(first);
    uint64_t bits;
    struct event event;

    CHECK(sys_notification_create(first, &env.budget_cap, &handle) == STATUS_OK);
    struct cap *cap = environment_cap(handle);

    CHECK(sys_notification_wait(first, cap, 0, DEADLINE_NEVER, &bits) == STATUS_INVALID);
    CHECK(sys_notification_wait(first, cap, 1, DEADLINE_NEVER, &bits) == KERNEL_BLOCKED);
    CHECK(sys_notification_wait(second, cap, 6, DEADLINE_NEVER, &bits) == KERNEL_BLOCKED);
    CHECK(sys_notification_signal(first, cap, 8 | 4) == STATUS_OK);
    CHECK(env.wakes == 1 && second->context.results[0] == 4 && woken_status(second) == STATUS_OK);
    CHECK(sys_notification_poll(second, cap, ~8ull, &bits) == STATUS_OK && bits == 0);
    CHECK(sys_notification_bind(second, cap, environment_cap(queue_handle), 9) == STATUS_OK);
    CHECK(queue_take(queue_of(environment_cap(queue_handle)->object), &event) && event.data == 8);
    CHECK(sys_notification_signal(first, cap, 3) == STATUS_OK);
    CHECK(first->context.results[0] == 1);
    CHECK(queue_take(queue_of(environment_cap(queue_handle)->object), &event) && event.data == 2);
    CHECK(sys_notification_wait(first, cap, 1, DEADLINE_NEVER, &bits) == KERNEL_BLOCKED);
    environment_close(handle);
    CHECK(woken_status(first) == STATUS_GONE);
    environment_close(queue_handle);
    CHECK(env.allocated == 0);
}

/* ── Budgets ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void test_budget_moves_quota(void)
{
    environment_reset();
    struct thread *self = environment_thread();
    struct budget *root = budget_of(env.budget_cap.object);
    handle_t handle, other;

    CHECK(sys_budget_create(self, &env.budget_cap, 1001, 10, 1, &handle) == STATUS_NO_MEMORY);
    CHECK(sys_budget_create(self, &env.budget_cap, 10, 1ull << 40, 1, &handle) == STATUS_NO_MEMORY);
    CHECK(sys_budget_create(self, &env.budget_cap, 10, 10, 64, &handle) == STATUS_INVALID);
    CHECK(root->quotas[QUOTA_PAGES].limit == 1000 && env.allocated == 0);
    CHECK(sys_budget_create(self, &env.budget_cap, 600, 4096, 20, &handle) == STATUS_OK);
    struct budget *child = budget_of(environment_cap(handle)->object);

    CHECK(root->quotas[QUOTA_PAGES].limit == 400 && budget_is_below(child, root) &&
          !budget_is_below(root, child));
    CHECK(sys_budget_create(self, environment_cap(handle), 1, 1, 21, &other) == STATUS_INVALID);
    CHECK(budget_charge_pages(child, 600) == STATUS_OK &&
          budget_charge_pages(child, 1) == STATUS_NO_MEMORY);
    CHECK(budget_charge_pages(child, UINT64_MAX) == STATUS_NO_MEMORY);
    CHECK(sys_budget_set(self, environment_cap(handle), 599, 4096, 0) == STATUS_BUSY);
    CHECK(sys_budget_set(self, environment_cap(handle), 1001, 4096, 0) == STATUS_NO_MEMORY);
    CHECK(sys_budget_set(self, environment_cap(handle), 700, 1ull << 40, 0) == STATUS_NO_MEMORY);
    CHECK(child->quotas[QUOTA_PAGES].limit == 600 && root->quotas[QUOTA_PAGES].limit == 400 &&
          child->quotas[QUOTA_KMEM].limit == 4096);
    CHECK(sys_budget_set(self, environment_cap(handle), 1000, 0, 0) == STATUS_OK &&
          root->quotas[QUOTA_PAGES].limit == 0);
    CHECK(budget_charge_kmem(child, 1) == STATUS_NO_MEMORY);
    budget_uncharge_pages(child, 600);
    CHECK(sys_budget_set(self, &env.budget_cap, 1, 1, 0) == STATUS_DENIED);
    environment_close(handle);
    CHECK(root->quotas[QUOTA_PAGES].limit == 1000 && root->quotas[QUOTA_KMEM].limit == 1 << 30 &&
          env.allocated == 0);
}

static void test_budget_real_time_is_moved_and_charged(void)
{
    environment_reset();
    struct thread *self = environment_thread();
    struct budget *root = budget_of(env.budget_cap.object);
    handle_t handle;

    CHECK(sys_budget_create(self, &env.budget_cap, 10, 4096, 20, &handle) == STATUS_OK);
    struct cap *cap = environment_cap(handle);
    struct budget *child = budget_of(cap->object);

    CHECK(budget_charge_realtime(child, 1) == STATUS_DENIED);
    CHECK(sys_budget_set(self, cap, 10, 4096, 1900001) == STATUS_NO_MEMORY);
    CHECK(sys_budget_set(self, cap, 10, 4096, 500000) == STATUS_OK &&
          root->quotas[QUOTA_REALTIME].limit == 1400000);
    CHECK(budget_charge_realtime(child, 300000) == STATUS_OK &&
          budget_charge_realtime(child, 200001) == STATUS_DENIED);
    /* Of several quotas all are changed, or none is. */
    CHECK(sys_budget_set(self, cap, 20, 8192, 299999) == STATUS_BUSY);
    CHECK(child->quotas[QUOTA_PAGES].limit == 10 && child->quotas[QUOTA_KMEM].limit == 4096 &&
          root->quotas[QUOTA_PAGES].limit == 990);
    CHECK(sys_budget_set(self, cap, 20, 8192, 300000) == STATUS_OK);
    budget_uncharge_realtime(child, 300000);
    environment_close(handle);
    CHECK(root->quotas[QUOTA_REALTIME].limit == 1900000 && env.allocated == 0);
}

const struct test object_tests[] = {
    TEST(test_queue_coalesces_events),
    TEST(test_queue_wakes_waiters),
    TEST(test_queue_source_leaves_dead_queue),
    TEST(test_channel_keeps_order_round_the_ring),
    TEST(test_channel_failed_copies_change_nothing),
    TEST(test_channel_tells_that_the_peer_is_gone),
    TEST(test_channel_posts_an_event_a_message),
    TEST(test_channel_carries_capabilities),
    TEST(test_channel_create_is_all_or_nothing),
    TEST(test_notification_gives_bits_to_masks),
    TEST(test_budget_moves_quota),
    TEST(test_budget_real_time_is_moved_and_charged),
    {0},
};
