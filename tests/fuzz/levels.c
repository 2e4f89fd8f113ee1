/* libFuzzer target of the scheduler, on the unit tests' machine of CPUs whose time goes from event to event: the input makes threads that compute and
 * wait, changes their priorities, affinities and allowances, and lets time pass. After each order all is as machine_check() says, and while nobody
 * is of the real-time band, nobody of the normal band waits for ever. Of what is lent by calls: any threads that work for and help each other. */
#include "target.h"

#include <cpu.h>
#include <level.h>
#include <machine.h>
#include <sched.h>

#define ACTORS_MAX 12u
#define CPUS_MAX 4u
#define PATIENCE_NS (3000 * MS)

static bool has_realtime;

static uint64_t affinity_of(uint8_t byte)
{
    uint64_t mask = byte & ((1u << cpu_count) - 1);
    return mask == 0 ? UINT64_MAX : mask;
}

static void make(const uint8_t *step)
{
    static const uint64_t compute_ns[] = {0, 1000, MS / 3, MS, 4900000, TURN_NS, 12 * MS, 70 * MS};
    static const uint64_t wait_ns[] = {1000, MS / 2, MS, 9 * MS, 50 * MS, 300 * MS, 1, 7777777};
    if (machine_actor_count() < ACTORS_MAX)
        machine_thread_on(step[1] % (PRIORITY_NORMAL_MAX + 1), compute_ns[step[2] % 8],
                          wait_ns[step[2] / 8 % 8], affinity_of(step[3]), step[3] / 16 % cpu_count);
}

static void limit(struct actor *actor, const uint8_t *step)
{
    uint64_t budget_ns = (1u + step[3] % 16) * 100000u;
    const struct allowance allowance = {.budget_ns = budget_ns,
                                        .period_ns = budget_ns * (1u + step[3] / 16),
                                        .turn_ns = step[2] >= 128 ? 1 + budget_ns / 3 : 0};
    machine_realtime(actor, (uint8_t)(PRIORITY_NORMAL_MAX + 1 + step[2] % 32), allowance);
    has_realtime = true;
}

static void check_patience(void)
{
    for (unsigned i = 0; i < machine_actor_count(); i++) {
        const struct actor *actor = machine_actor(i);
        if (!actor->runs && !actor->waits && actor->thread.base != PRIORITY_IDLE)
            HOLDS(machine_now_ns - actor->ready_ns < PATIENCE_NS);
    }
}

static void run(const uint8_t *step)
{
    unsigned count = machine_actor_count();
    struct actor *actor = count == 0 ? NULL : machine_actor(step[1] % count);
    if (actor == NULL || step[0] % 8 < 2) {
        make(step);
    } else if (step[0] % 8 == 2) {
        machine_priority(actor, step[2] % (PRIORITY_NORMAL_MAX + 1));
    } else if (step[0] % 8 == 3) {
        machine_affinity(actor, affinity_of(step[2]));
    } else if (step[0] % 8 == 4) {
        limit(actor, step);
    } else {
        machine_run(((step[1] * 256u + step[2]) * 1021u + 1) << step[3] % 4);
    }
    HOLDS(machine_check());
    if (!has_realtime)
        check_patience();
}

/* ── Levels that are lent ────────────────────────────────────────────────────────────────────────────────────────── */

#define LENDERS 24u

static struct thread threads[LENDERS];

/* Whose call or wait @thread works for: the better of the two, the caller if they are equal. */
static struct thread *lender_of(const struct thread *thread)
{
    struct thread *caller = thread->current_reply, *helper = thread->helper;
    if (caller == NULL || (helper != NULL && helper->effective > caller->effective))
        return helper;
    return caller;
}

/* The best of the @count that @thread works for, one for another, and itself. */
static uint8_t best_of(const struct thread *thread, unsigned count)
{
    uint8_t level = 0;
    for (; thread != NULL && count > 0; count--) {
        level = MAX(level, thread->priority);
        thread = lender_of(thread);
    }
    return level;
}

/* Each works for somebody of a lower number, so from the first on all are settled. */
static void lend(const uint8_t *data, size_t size)
{
    unsigned count = 0;
    memset(threads, 0, sizeof(threads));
    for (; count < LENDERS && size >= 3; count++, data += 3, size -= 3) {
        struct thread *thread = &threads[count];
        thread->priority = thread->effective = data[0] % 64;
        thread->turn.left_ns = TURN_NS;
        if (count > 0 && data[1] % 4 != 0)
            thread->current_reply = &threads[data[1] / 4 % count];
        if (count > 0 && data[2] % 4 == 0)
            thread->helper = &threads[data[2] / 4 % count];
        level_settle(thread);
        HOLDS(thread->effective == best_of(thread, LENT_DEPTH + 1));
        const struct thread *payer = level_payer(thread);
        HOLDS(payer >= threads && payer <= thread);
        /* It is on the time of whose level it has, unless that is farther than levels are lent through. */
        HOLDS(payer->priority == thread->effective || best_of(thread, LENDERS) > thread->effective);
        HOLDS((payer == thread) == (thread->effective == thread->priority));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] >= 192) {
        lend(data + 1, size - 1);
        return 0;
    }
    has_realtime = false;
    machine_start(1u + data[0] % CPUS_MAX);
    for (size_t at = 1; at + 4 <= size; at += 4)
        run(data + at);
    return 0;
}
