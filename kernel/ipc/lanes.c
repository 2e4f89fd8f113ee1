/* Lanes: where workers wait.
 *
 * An endpoint has one lane, home, until a worker comes to wait while one of another CPU does. From then on each CPU where a worker comes to wait
 * has its own, made then, charged to the endpoint's Budget and freed with it; and a call that finds a worker in the lane of its CPU touches
 * nothing that another CPU writes. Else it takes the endpoint's lock, and the nearest worker that waits anywhere; only if there is none it
 * queues, in the one queue of the endpoint.
 *
 * That no worker goes to sleep meanwhile: who looks through the lanes, under the endpoint's lock, marks each where nobody waits, under that
 * lane's lock. A worker that finds its lane marked, under the lane's lock, gives that back, takes the endpoint's, and what is queued. If that is
 * nothing it clears the mark under that lock, and begins anew. So it waits only in an unmarked lane: who looked through the lanes before
 * found somebody elsewhere, or what he queued has been seen; who looks later finds it. Never more than two locks are held.
 * Others look through the lanes after they have stored what a worker looks at under its lane's lock: an event, a capability's death. Home
 * is the first they look at, and lanes are made under its lock, so who waits in one that they do not see does see what they stored. */
#include "reply.h"

#include "budget.h"
#include "kmem.h"
#include "sched.h"

#define LANE_BYTES ((size_t)CACHE_LINE)
_Static_assert(sizeof(struct lane) <= LANE_BYTES, "a line");

struct lane *lane_next(struct endpoint *endpoint, uint32_t *at)
{
    struct lane **lanes = load_dependent(&endpoint->lanes);
    if (*at == 0) {
        *at = 1;
        return &endpoint->home;
    }
    while (lanes != NULL && *at <= cpu_count) {
        struct lane *lane = load_dependent(&lanes[(*at)++ - 1]);
        if (lane != NULL && lane != &endpoint->home)
            return lane;
    }
    return NULL;
}

/* Whoever waits in @lane, not home; NULL: nobody, and it is marked, or it is of another epoch. */
static struct thread *lane_take(struct lane *lane, bool bound, uint32_t epoch) NO_THREAD_SAFETY
{
    struct thread *worker = NULL;
    if (__atomic_load_n(&lane->pending, __ATOMIC_RELAXED) != 0)
        return NULL;
    lane_lock_acquire(&lane->lock);
    if (!bound || lane->epoch == epoch) {
        worker = waiter_take(&lane->workers);
        __atomic_store_n(&lane->pending, worker == NULL, __ATOMIC_RELAXED);
    }
    lane_lock_release(&lane->lock);
    return worker;
}

struct thread *lane_take_here(const struct endpoint *endpoint, bool bound, uint32_t epoch)
{
    struct lane *lane = endpoint_lane(endpoint, arch_cpu_local());
    return lane == NULL || lane == &endpoint->home ? NULL : lane_take(lane, bound, epoch);
}

/* The nearest first: CPUs whose numbers share their upper bits. */
struct thread *lanes_take(const struct endpoint *endpoint)
{
    struct thread *worker = NULL;
    for (uint32_t i = 0; worker == NULL && i < 2 * cpu_count; i++) {
        uint32_t cpu = arch_cpu_local()->id ^ i;
        struct lane *lane = cpu < cpu_count ? endpoint->lanes[cpu] : NULL;
        if (lane != NULL && lane != &endpoint->home)
            worker = lane_take(lane, false, 0);
    }
    return worker;
}

struct thread *worker_find(struct endpoint *endpoint)
{
    struct thread *worker = waiter_take(&endpoint->home.workers);
    if (worker == NULL && endpoint->lanes != NULL)
        worker = lanes_take(endpoint);
    return worker;
}

void workers_end(struct endpoint *endpoint, bool (*wanted)(const struct thread *, const void *),
                 const void *context, status_t status)
{
    struct lane *lane;
    for (uint32_t at = 0; (lane = lane_next(endpoint, &at)) != NULL;) {
        waiters_end(&receive_wait, lane, wanted, context, status);
        sched_let_interrupts_in();
    }
}

/* Shall this CPU have a lane of its own? */
static bool is_wanted(const struct endpoint *endpoint) REQUIRES(endpoint_lock)
{
    const struct cpu *cpu = arch_cpu_local();
    const struct list *first = endpoint->home.workers.next;
    if (endpoint->lanes != NULL)
        return endpoint->lanes[cpu->id] == NULL;
    return first != &endpoint->home.workers &&
           __atomic_load_n(&list_entry(first, struct thread, wait_link)->cpu, __ATOMIC_RELAXED) !=
               cpu->id;
}

static void lane_make(struct endpoint *endpoint) REQUIRES(endpoint_lock)
{
    struct budget *budget = endpoint->object.budget;
    struct lane **lanes = endpoint->lanes, *lane;
    if (lanes == NULL) {
        lanes = kmem_alloc(budget, cpu_count * sizeof(*lanes));
        if (lanes == NULL)
            return;
        __atomic_store_n(&endpoint->lanes, lanes, __ATOMIC_RELEASE);
        __atomic_store_n(&endpoint->lane, NULL, __ATOMIC_RELAXED);
    }
    lane = kmem_alloc(budget, LANE_BYTES);
    if (lane != NULL) {
        list_init(&lane->workers);
        lane->epoch = endpoint->home.epoch;
        lane->pending = 1;
    } else {
        lane = &endpoint->home;
    }
    __atomic_store_n(&lanes[arch_cpu_local()->id], lane, __ATOMIC_RELEASE);
}

struct lane *lane_choose(struct endpoint *endpoint)
{
    endpoint_lock_acquire(&endpoint->home.lock);
    if (is_wanted(endpoint))
        lane_make(endpoint);
    endpoint_lock_release(&endpoint->home.lock);
    struct lane *lane = endpoint_lane(endpoint, arch_cpu_local());
    return lane == NULL ? &endpoint->home : lane;
}

void lanes_free(struct endpoint *endpoint)
{
    struct lane *lane;
    if (endpoint->lanes == NULL)
        return;
    for (uint32_t at = 1; (lane = lane_next(endpoint, &at)) != NULL;) {
        kmem_free(endpoint->object.budget, lane, LANE_BYTES);
        sched_let_interrupts_in();
    }
    kmem_free(endpoint->object.budget, endpoint->lanes, cpu_count * sizeof(struct lane *));
}
