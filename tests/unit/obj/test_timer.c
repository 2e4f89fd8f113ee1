/* Timers: what fires is delivered once, and a periodic timer goes on when its event has been taken. */
#include "environment.h"
#include "tests.h"

#include <ktimer.h>
#include <queue.h>

#define MS UINT64_C(1000000)

static handle_t timer, queue_handle;
static struct queue *queue;

static struct thread *set_up(void)
{
    environment_reset();
    struct thread *self = environment_thread();
    env.now_ns = 100 * MS;
    CHECK(sys_queue_create(self, &env.budget_cap, &queue_handle) == STATUS_OK);
    queue = queue_of(environment_cap(queue_handle)->object);
    CHECK(sys_timer_create(self, &env.budget_cap, &timer) == STATUS_OK);
    return self;
}

static void tear_down(void)
{
    environment_close(timer);
    environment_close(queue_handle);
    CHECK(env.allocated == 0);
}

/* The clock goes on to @now_ns; what is due then fires. True: something did. */
static bool advance_to(uint64_t now_ns)
{
    env.now_ns = now_ns;
    if (env.timer == NULL || !env.timer->armed || env.timer->deadline_ns > now_ns)
        return false;
    env.timer->armed = 0;
    env.timer->fire(env.timer, now_ns);
    return true;
}

/* How many deadlines the event says, 0: no event. */
static uint64_t taken(void)
{
    struct event event = {0};
    return queue_take(queue, &event) ? event.data : 0;
}

static void test_timer_fires_once(void)
{
    struct thread *self = set_up();
    CHECK(sys_timer_bind(self, environment_cap(timer), environment_cap(queue_handle), 7) ==
          STATUS_OK);
    CHECK(sys_timer_set(self, environment_cap(timer), 110 * MS, 0) == STATUS_OK);
    CHECK(!advance_to(109 * MS) && taken() == 0);
    CHECK(advance_to(110 * MS) && !env.timer->armed);
    CHECK(taken() == 1 && !env.timer->armed && taken() == 0);
    tear_down();
}

static void test_timer_goes_on_when_its_event_is_taken(void)
{
    struct thread *self = set_up();
    CHECK(sys_timer_bind(self, environment_cap(timer), environment_cap(queue_handle), 7) ==
          STATUS_OK);
    CHECK(sys_timer_set(self, environment_cap(timer), 110 * MS, 10 * MS) == STATUS_OK);
    CHECK(advance_to(111 * MS));
    CHECK(!env.timer->armed); /* nobody looked yet: no further interrupt */
    env.now_ns = 145 * MS;
    CHECK(taken() == 1 && env.timer->armed && env.timer->deadline_ns == 120 * MS);
    CHECK(advance_to(145 * MS) && taken() == 3); /* 120, 130, 140 */
    CHECK(env.timer->armed && env.timer->deadline_ns == 150 * MS);
    CHECK(advance_to(150 * MS) && taken() == 1 && env.timer->deadline_ns == 160 * MS);
    CHECK(sys_timer_cancel(self, environment_cap(timer)) == STATUS_OK && !env.timer->armed);
    tear_down();
}

static void test_timer_set_anew_forgets_what_waited(void)
{
    struct thread *self = set_up();
    CHECK(sys_timer_bind(self, environment_cap(timer), environment_cap(queue_handle), 7) ==
          STATUS_OK);
    CHECK(sys_timer_set(self, environment_cap(timer), 110 * MS, 10 * MS) == STATUS_OK);
    CHECK(advance_to(110 * MS));
    CHECK(sys_timer_set(self, environment_cap(timer), 200 * MS, 0) == STATUS_OK);
    CHECK(taken() == 1 && env.timer->armed && env.timer->deadline_ns == 200 * MS);
    CHECK(sys_timer_cancel(self, environment_cap(timer)) == STATUS_OK);
    CHECK(!advance_to(300 * MS) && taken() == 0);
    tear_down();
}

static void test_timer_fired_unbound_is_delivered_when_bound(void)
{
    struct thread *self = set_up();
    CHECK(sys_timer_set(self, environment_cap(timer), 110 * MS, 10 * MS) == STATUS_OK);
    CHECK(advance_to(125 * MS) && !env.timer->armed);
    CHECK(sys_timer_bind(self, environment_cap(timer), environment_cap(queue_handle), 7) ==
          STATUS_OK);
    CHECK(taken() == 2 && env.timer->armed && env.timer->deadline_ns == 130 * MS);
    CHECK(advance_to(131 * MS) && taken() == 1 && env.timer->deadline_ns == 140 * MS);
    tear_down();
}

/* The queue that held its event ends: bound to another one, it goes on. */
static void test_timer_outlives_its_queue(void)
{
    struct thread *self = set_up();
    CHECK(sys_timer_bind(self, environment_cap(timer), environment_cap(queue_handle), 7) ==
          STATUS_OK);
    CHECK(sys_timer_set(self, environment_cap(timer), 110 * MS, 10 * MS) == STATUS_OK);
    CHECK(advance_to(110 * MS));
    environment_close(queue_handle);
    CHECK(sys_queue_create(self, &env.budget_cap, &queue_handle) == STATUS_OK);
    queue = queue_of(environment_cap(queue_handle)->object);
    CHECK(sys_timer_bind(self, environment_cap(timer), environment_cap(queue_handle), 8) ==
          STATUS_OK);
    CHECK(taken() == 1 && env.timer->armed && env.timer->deadline_ns == 120 * MS);
    tear_down();
}

const struct test timer_tests[] = {{"test_timer_fires_once", test_timer_fires_once},
                                   {"test_timer_goes_on_when_its_event_is_taken",
                                    test_timer_goes_on_when_its_event_is_taken},
                                   {"test_timer_set_anew_forgets_what_waited",
                                    test_timer_set_anew_forgets_what_waited},
                                   {"test_timer_fired_unbound_is_delivered_when_bound",
                                    test_timer_fired_unbound_is_delivered_when_bound},
                                   {"test_timer_outlives_its_queue", test_timer_outlives_its_queue},
                                   {NULL, NULL}};
