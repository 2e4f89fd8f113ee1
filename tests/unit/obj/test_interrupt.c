/* Interrupts on lines that the test raises: who is told, and when a line is open. */
#include "environment.h"
#include "tests.h"

#include <arch.h>
#include <device.h>
#include <queue.h>
#include <rcu.h>

#include <string.h>

/* ── An interrupt controller ─────────────────────────────────────────────────────────────────────────────────────── */

#define VECTORS 4

static struct {
    void *cookie;
    bool attached, masked;
} vectors[VECTORS];

static status_t attach(void *cookie, uint32_t *vector)
{
    for (uint32_t i = 0; i < VECTORS; i++) {
        if (vectors[i].attached)
            continue;
        vectors[i].cookie = cookie;
        vectors[i].attached = vectors[i].masked = true;
        *vector = i;
        return STATUS_OK;
    }
    return STATUS_NO_MEMORY;
}

status_t arch_irq_attach(uint32_t line, uint32_t flags, void *cookie, uint32_t *vector)
{
    (void)flags;
    return line >= 100 ? STATUS_INVALID : attach(cookie, vector);
}

status_t arch_msi_attach(uint32_t device, void *cookie, uint32_t *vector, uint64_t *address,
                         uint32_t *data)
{
    (void)device;
    *address = 0x1000;
    *data = 1;
    return attach(cookie, vector);
}

void arch_irq_mask(uint32_t vector)
{
    CHECK(vectors[vector].attached && !vectors[vector].masked);
    vectors[vector].masked = true;
}

void arch_irq_unmask(uint32_t vector)
{
    CHECK(vectors[vector].attached && vectors[vector].masked);
    vectors[vector].masked = false;
}

void arch_irq_detach(uint32_t vector)
{
    CHECK(vectors[vector].attached && vectors[vector].masked);
    vectors[vector].attached = false;
}

/* The grace period is over at once. */
void rcu_call(struct rcu_head *head, void (*function)(struct rcu_head *head))
{
    function(head);
}

/* ── The test's view ─────────────────────────────────────────────────────────────────────────────────────────────── */

static struct cap *root;
static struct thread *self;

static void begin(void)
{
    handle_t handle;

    environment_reset();
    memset(vectors, 0, sizeof(vectors));
    self = environment_thread();
    CHECK(status_is_ok(interrupt_create_root(&env.process, env.process.object.budget, &handle)));
    root = environment_cap(handle);
}

/* Everything is closed; every vector must have been given back. */
static void end(void)
{
    for (handle_t handle = 1; handle <= ENVIRONMENT_CAPS; handle++) {
        if (environment_cap(handle)->object != NULL)
            environment_close(handle);
    }
    for (unsigned i = 0; i < VECTORS; i++)
        CHECK(!vectors[i].attached);
}

static handle_t interrupt_on(uint32_t line, uint32_t flags)
{
    handle_t handle = 0;

    CHECK(status_is_ok(sys_interrupt_create(self, root, &env.budget_cap, line, flags, &handle)));
    return handle;
}

static struct queue *bind(handle_t interrupt, uint64_t cookie)
{
    handle_t handle;

    CHECK(status_is_ok(sys_queue_create(self, &env.budget_cap, &handle)));
    CHECK(status_is_ok(
        sys_interrupt_bind(self, environment_cap(interrupt), environment_cap(handle), cookie)));
    return queue_of(environment_cap(handle)->object);
}

static void ack(handle_t interrupt)
{
    CHECK(status_is_ok(sys_interrupt_ack(self, environment_cap(interrupt))));
}

/* Raise vector 0 as the controller does: not while it is masked. */
static void raise_line(void)
{
    CHECK(!vectors[0].masked);
    trap_irq(vectors[0].cookie);
    CHECK(vectors[0].masked);
}

/* How many interrupts the event says, 0: no event. */
static uint64_t told(struct queue *queue)
{
    struct event event;

    return queue_take(queue, &event) ? event.data : 0;
}

static void test_interrupt_is_masked_until_acknowledged(void)
{
    begin();
    handle_t one = interrupt_on(5, 0);
    struct queue *queue = bind(one, 7);

    CHECK(vectors[0].masked);
    ack(one);
    raise_line();
    CHECK(told(queue) == 1 && told(queue) == 0);
    ack(one);
    ack(one); /* twice is once */
    raise_line();
    CHECK(told(queue) == 1);
    environment_close(one);
    CHECK(!vectors[0].attached);
    end();
}

static void test_interrupt_unbound_is_counted(void)
{
    begin();
    handle_t one = interrupt_on(5, 0);

    ack(one);
    raise_line();
    ack(one);
    raise_line();
    CHECK(told(bind(one, 1)) == 2);
    environment_close(one);
    end();
}

static void test_interrupt_edge_is_not_shared(void)
{
    handle_t handle;

    begin();
    handle_t one = interrupt_on(5, 0), two = interrupt_on(6, 1);

    CHECK(sys_interrupt_create(self, root, &env.budget_cap, 5, 0, &handle) == STATUS_BUSY);
    CHECK(sys_interrupt_create(self, root, &env.budget_cap, 6, 0, &handle) == STATUS_BUSY);
    CHECK(sys_interrupt_create(self, root, &env.budget_cap, 6, 3, &handle) == STATUS_BUSY);
    CHECK(sys_interrupt_create(self, root, &env.budget_cap, 100, 0, &handle) == STATUS_INVALID);
    environment_close(one);
    environment_close(two);
    environment_close(interrupt_on(6, 3));
    end();
}

static void test_interrupt_line_waits_for_all(void)
{
    begin();
    handle_t one = interrupt_on(5, 1), two = interrupt_on(5, 1);
    struct queue *first = bind(one, 1), *second = bind(two, 2);

    CHECK(!vectors[1].attached);
    ack(one);
    raise_line(); /* the second is not there yet: it neither hears nor holds up */
    CHECK(told(first) == 1 && told(second) == 0);
    ack(one);
    ack(two);
    raise_line();
    CHECK(told(first) == 1 && told(second) == 1);
    ack(two);
    CHECK(vectors[0].masked);
    ack(one);
    raise_line();
    ack(one);
    environment_close(two); /* it never answered, and does not matter any more */
    raise_line();
    environment_close(one);
    CHECK(!vectors[0].attached);
    end();
}

static void test_interrupt_revoked_is_silent(void)
{
    begin();
    handle_t one = interrupt_on(5, 1), two = interrupt_on(5, 1);
    struct queue *first = bind(one, 1), *second = bind(two, 2);
    struct cap *cap = environment_cap(two);

    ack(one);
    ack(two);
    raise_line();
    ack(one);
    cap->object->ops->revoked(cap->object, cap);
    raise_line();
    CHECK(told(first) == 2 && told(second) == 0);
    ack(two); /* bound anew, it takes part again */
    ack(one);
    second = bind(two, 3);
    raise_line();
    CHECK(told(second) == 1);
    environment_close(one);
    environment_close(two);
    end();
}

static void test_interrupt_messages_are_apart(void)
{
    handle_t one, two;
    uint64_t address;
    uint32_t data;

    begin();
    CHECK(status_is_ok(
        sys_interrupt_create_msi(self, root, &env.budget_cap, 0, &one, &address, &data)));
    CHECK(status_is_ok(
        sys_interrupt_create_msi(self, root, &env.budget_cap, 0, &two, &address, &data)));
    CHECK(vectors[0].attached && vectors[1].attached);
    ack(one);
    CHECK(!vectors[0].masked && vectors[1].masked);
    environment_close(one);
    environment_close(two);
    CHECK(!vectors[0].attached && !vectors[1].attached);
    end();
}

static void test_interrupt_create_gives_everything_back(void)
{
    handle_t handle;
    uint64_t address;
    uint32_t data;

    begin();
    environment_close(interrupt_on(5, 1)); /* what is allocated once is there now */
    size_t before = env.allocated;

    env.creates_left = 0;
    CHECK(sys_interrupt_create(self, root, &env.budget_cap, 5, 1, &handle) == STATUS_NO_MEMORY);
    CHECK(sys_interrupt_create_msi(self, root, &env.budget_cap, 0, &handle, &address, &data) ==
          STATUS_NO_MEMORY);
    env.creates_left = UINT32_MAX;
    env.limit = before;
    CHECK(sys_interrupt_create(self, root, &env.budget_cap, 5, 1, &handle) == STATUS_NO_MEMORY);
    env.limit = SIZE_MAX;
    CHECK(env.allocated == before && !vectors[0].attached);
    CHECK(sys_interrupt_ack(self, root) == STATUS_WRONG_TYPE);
    end();
}

const struct test interrupt_tests[] = {
    TEST(test_interrupt_is_masked_until_acknowledged),
    TEST(test_interrupt_unbound_is_counted),
    TEST(test_interrupt_edge_is_not_shared),
    TEST(test_interrupt_line_waits_for_all),
    TEST(test_interrupt_revoked_is_silent),
    TEST(test_interrupt_messages_are_apart),
    TEST(test_interrupt_create_gives_everything_back),
    {0},
};
