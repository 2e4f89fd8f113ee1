#include "machine.h"

#include <policy.h>
#include <sched.h>
#include <stdio.h>

static int failures;

static void check_failed(int line, const char *condition)
{
    failures++;
    printf("# test_sched.c:%d: %s\n", line, condition);
}

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__LINE__, #condition))

/* ── The policy alone ────────────────────────────────────────────────────────────────────────────────────────────── */

static void test_turn_who_computes_falls_and_who_waits_rises(void)
{
    struct turn turn = {.left_ns = TURN_NS};
    CHECK(turn_level(&turn, 16) == 16);
    for (unsigned i = 1; i <= TURN_LEVELS + 3; i++) {
        CHECK(!turn_charge(&turn, TURN_NS - 1));
        CHECK(turn_charge(&turn, 1));
        turn_begin(&turn, 0);
        CHECK(turn_level(&turn, 16) == 16 - MIN(i, TURN_LEVELS));
    }
    turn_waited(&turn, 3 * TURN_RECOVERY * TURN_NS);
    CHECK(turn_level(&turn, 16) == 16 - TURN_LEVELS + 3);
    turn_waited(&turn, UINT64_MAX / 2);
    CHECK(turn_level(&turn, 16) == 16);
}

static void test_turn_bands_do_not_mix(void)
{
    struct turn turn = {.used_ns = TURN_LEVELS * TURN_NS};
    CHECK(turn_level(&turn, PRIORITY_IDLE) == PRIORITY_IDLE);
    CHECK(turn_level(&turn, PRIORITY_IDLE + 1) == PRIORITY_IDLE + 1);
    CHECK(turn_level(&turn, TURN_LEVELS) == PRIORITY_IDLE + 1);
    CHECK(turn_level(&turn, PRIORITY_NORMAL_MAX) == PRIORITY_NORMAL_MAX - TURN_LEVELS);
    CHECK(turn_level(&turn, PRIORITY_NORMAL_MAX + 1) == PRIORITY_NORMAL_MAX + 1);
}

static void test_turn_too_much_is_taken_off_the_next(void)
{
    struct turn turn = {.left_ns = TURN_NS};
    CHECK(turn_charge(&turn, TURN_NS + 1000));
    turn_begin(&turn, 0);
    CHECK(turn.left_ns == TURN_NS - 1000);
    CHECK(turn_charge(&turn, 100 * (uint64_t)TURN_NS));
    turn_begin(&turn, 0);
    CHECK(turn.left_ns == TURN_NS / 2);
}

static void test_allowance_is_what_a_period_has(void)
{
    struct allowance allowance = {.budget_ns = 2 * MS, .period_ns = 10 * MS};
    CHECK(!allowance_charge(&allowance, MS, 51 * MS) && allowance.ends_ns == 60 * MS);
    CHECK(!allowance_charge(&allowance, MS - 1, 55 * MS));
    CHECK(allowance_charge(&allowance, 1, 59 * MS)); /* all of it */
    allowance_refill(&allowance);
    CHECK(allowance.left_ns == 2 * MS && allowance.ends_ns == 70 * MS);
    CHECK(allowance_charge(&allowance, 3 * MS, 65 * MS) && allowance.left_ns == -(int64_t)MS);
    allowance_refill(&allowance);
    CHECK(allowance.left_ns == MS &&
          allowance.ends_ns == 80 * MS);               /* what was too much is taken off */
    CHECK(!allowance_charge(&allowance, MS, 81 * MS)); /* from one period into the next */
    CHECK(allowance.left_ns == MS && allowance.ends_ns == 90 * MS);
}

/* ── The scheduler ───────────────────────────────────────────────────────────────────────────────────────────────── */

#define WINDOW (1000 * MS)

/* All of @count threads that compute get the same part of @cpus CPUs within five in a hundred, over a second. */
static void check_fair(uint32_t cpu_total, unsigned count)
{
    struct actor *hogs[16];
    machine_start(cpu_total);
    for (unsigned i = 0; i < count; i++)
        hogs[i] = machine_thread(16, 0, 0);
    machine_run(100 * MS);
    machine_clear();
    machine_run(WINDOW);
    CHECK(machine_check());
    uint64_t fair_ns = WINDOW * MIN(cpu_total, count) / count;
    for (unsigned i = 0; i < count; i++) {
        bool is_fair =
            hogs[i]->ran_ns * 100 >= fair_ns * 95 && hogs[i]->ran_ns * 100 <= fair_ns * 105;
        CHECK(is_fair);
        if (!is_fair)
            printf("# %u CPUs, %u threads: thread %u ran %ju of %ju ns\n", cpu_total, count, i,
                   (uintmax_t)hogs[i]->ran_ns, (uintmax_t)fair_ns);
    }
}

static void test_equals_get_equal_time_on_one_cpu(void)
{
    for (unsigned count = 1; count <= 7; count++)
        check_fair(1, count);
}

static void test_equals_get_equal_time_on_four_cpus(void)
{
    for (unsigned count = 1; count <= 12; count++)
        check_fair(4, count);
}

/* However many are before it: nobody waits longer than a second for a turn. */
static void check_no_starvation(uint32_t cpu_total)
{
    struct actor *low[4];
    machine_start(cpu_total);
    for (unsigned i = 0; i < 4 * cpu_total; i++)
        machine_thread(PRIORITY_NORMAL_MAX, 0, 0);
    for (unsigned i = 0; i < 4; i++)
        low[i] = machine_thread((uint8_t)(1 + i), 0, 0);
    machine_run(2 * WINDOW);
    machine_clear();
    machine_run(10 * WINDOW);
    CHECK(machine_check());
    for (unsigned i = 0; i < 4; i++) {
        CHECK(low[i]->ran_ns >= 8 * TURN_NS && low[i]->delay_ns < WINDOW);
        CHECK(low[i]->ran_ns < 10 * WINDOW / 16); /* and yet it is behind */
    }
}

static void test_nobody_starves(void)
{
    check_no_starvation(1);
    check_no_starvation(4);
}

/* Those who always wait before their turn is over keep their level, and still leave something. */
static void test_nobody_starves_behind_those_who_wait(void)
{
    machine_start(1);
    struct actor *low = machine_thread(2, 0, 0);
    for (unsigned i = 0; i < 8; i++)
        machine_thread(20, 4 * MS, MS);
    machine_run(WINDOW);
    machine_clear();
    machine_run(5 * WINDOW);
    CHECK(machine_check());
    CHECK(low->ran_ns >= 4 * TURN_NS && low->delay_ns < WINDOW);
}

static void check_interactive(uint32_t cpu_total)
{
    machine_start(cpu_total);
    for (unsigned i = 0; i < 4 * cpu_total; i++)
        machine_thread(16, 0, 0);
    struct actor *typist = machine_thread(16, MS, 50 * MS);
    machine_run(WINDOW);
    machine_clear();
    machine_run(WINDOW);
    CHECK(machine_check());
    CHECK(typist->delay_ns == 0); /* before all the others, at once */
    CHECK(typist->ran_ns >= WINDOW / 51 - MS);
}

static void test_who_waits_much_gets_ahead(void)
{
    check_interactive(1);
    check_interactive(4);
}

/* Waiting just before the end of each turn does not keep anybody in front. */
static void test_waits_do_not_pay(void)
{
    machine_start(1);
    struct actor *honest = machine_thread(16, 0, 0);
    struct actor *cheat = machine_thread(16, 4900000, 1000);
    machine_run(WINDOW);
    machine_clear();
    machine_run(WINDOW);
    CHECK(machine_check());
    CHECK(honest->ran_ns * 100 >= cheat->ran_ns * 90);
}

static void test_better_levels_go_first(void)
{
    machine_start(1);
    struct actor *low = machine_thread(6, 0, 0), *high = machine_thread(16, 0, 0);
    struct actor *idler = machine_thread(PRIORITY_IDLE, 0, 0);
    machine_run(WINDOW);
    machine_clear();
    machine_run(WINDOW);
    CHECK(machine_check());
    CHECK(high->ran_ns > 10 * low->ran_ns && low->ran_ns > 0 && idler->ran_ns == 0);
}

/* A CPU that idles or has one thread takes no interrupt; one where somebody waits takes one a turn. */
static void test_no_ticks_where_nobody_waits(void)
{
    machine_start(4);
    machine_thread(16, 0, 0);
    machine_thread(16, 0, 0);
    machine_run(10 * MS);
    machine_clear();
    machine_run(10 * WINDOW);
    for (unsigned i = 0; i < 4; i++)
        CHECK(machine_interrupts[i] == 0);
    machine_start(1);
    machine_thread(16, 0, 0);
    machine_thread(16, 0, 0);
    machine_run(10 * MS);
    machine_clear();
    machine_run(WINDOW);
    CHECK(machine_check());
    CHECK(machine_interrupts[0] <= WINDOW / TURN_NS + 1);
}

/* Who computes above all others keeps its CPU for itself: those behind it go elsewhere. */
static void test_nobody_waits_behind_real_time(void)
{
    struct actor *hogs[4];
    machine_start(4);
    machine_thread(40, 0, 0);
    for (unsigned i = 0; i < 4; i++)
        hogs[i] = machine_thread(16, 0, 0);
    machine_run(WINDOW);
    machine_clear();
    machine_run(WINDOW);
    CHECK(machine_check());
    for (unsigned i = 0; i < 4; i++)
        CHECK(hogs[i]->ran_ns > WINDOW / 2);
}

/* Eight CPUs, each with a thread that may run nowhere else and computes; on CPU 7 for 3 ms only. */
static void start_all_busy(void)
{
    machine_start(8);
    for (uint32_t i = 0; i < 7; i++)
        machine_thread_on(16, 0, 0, 1ull << i, i);
    machine_thread_on(16, 3 * MS, WINDOW, 1ull << 7, 7);
}

/* Whose CPU is busy is woken on the nearest to its waker that idles, whatever its number and wherever it ran. */
static void test_wakes_on_the_nearest_idle_cpu(void)
{
    machine_start(8);
    for (uint32_t i = 0; i < 8; i++)
        if (i != 1 && i != 5 && i != 7)
            machine_thread_on(16, 0, 0, 1ull << i, i);
    machine_waker = 6;
    struct actor *first = machine_thread_on(16, 0, 0, UINT64_MAX, 2);
    struct actor *second = machine_thread_on(16, 0, 0, UINT64_MAX, 2);
    struct actor *third = machine_thread_on(16, 0, 0, UINT64_MAX, 2);
    CHECK(cpus[7]->current == &first->thread);
    CHECK(cpus[5]->current == &second->thread);
    CHECK(cpus[1]->current == &third->thread);
}

/* Who idles takes from the nearest CPU where somebody waits who may run here. */
static void test_steals_from_the_nearest_cpu(void)
{
    start_all_busy();
    struct actor *far = machine_thread_on(16, 0, 0, UINT64_MAX, 0);
    struct actor *near = machine_thread_on(16, 0, 0, UINT64_MAX, 4);
    machine_run(4 * MS);
    CHECK(machine_check());
    CHECK(near->ran_ns > 0 && far->ran_ns == 0);
    CHECK(cpus[7]->current == &near->thread);
}

static void test_steals_from_far_if_the_near_may_not_come(void)
{
    start_all_busy();
    struct actor *far = machine_thread_on(16, 0, 0, UINT64_MAX, 0);
    struct actor *near = machine_thread_on(16, 0, 0, 1ull << 6, 6);
    machine_run(4 * MS);
    CHECK(far->ran_ns > 0 && near->ran_ns == 0);
    CHECK(cpus[7]->current == &far->thread);
}

/* Of each 10 ms a thread that always computes gets 2 before others, and no more while they want to run. */
static void test_real_time_budgets_hold(void)
{
    machine_start(1);
    struct actor *hog = machine_thread(16, 0, 0), *limited = machine_thread(16, 0, 0);
    machine_realtime(limited, 40, (struct allowance){.budget_ns = 2 * MS, .period_ns = 10 * MS});
    machine_run(WINDOW);
    machine_clear();
    machine_run(WINDOW);
    CHECK(machine_check());
    CHECK(limited->ran_ns == WINDOW / 5 && hog->ran_ns == WINDOW - WINDOW / 5);
    CHECK(limited->stretch_ns == 2 * MS && limited->delay_ns == 8 * MS);
}

/* Who waits before its budget is spent has it at once when it wakes, however many compute. */
static void test_real_time_goes_first(void)
{
    machine_start(1);
    for (unsigned i = 0; i < 4; i++)
        machine_thread(PRIORITY_NORMAL_MAX, 0, 0);
    struct actor *limited = machine_thread(16, MS, 9 * MS);
    machine_realtime(limited, 40, (struct allowance){.budget_ns = 2 * MS, .period_ns = 10 * MS});
    machine_run(WINDOW);
    machine_clear();
    machine_run(WINDOW);
    CHECK(machine_check());
    CHECK(limited->delay_ns == 0 && limited->ran_ns == WINDOW / 10);
}

/* Who dies while it is charged for its last call is refilled no more: nobody would stop that. */
static void test_nothing_is_kept_for_the_dead(void)
{
    machine_start(1);
    struct actor *limited = machine_thread(16, 0, 0);
    struct thread *thread = &limited->thread;
    machine_realtime(limited, 40, (struct allowance){.budget_ns = 2 * MS, .period_ns = 10 * MS});
    CHECK(level_turn_over(thread, thread, 3 * MS, machine_now_ns));
    CHECK(limited->realtime.spent && limited->realtime.refill.armed != 0);
    uint8_t state = thread->state;
    thread->state = THREAD_DEAD;
    level_end(&limited->realtime);
    CHECK(limited->realtime.refill.armed == 0);
    limited->realtime.spent = false;
    CHECK(level_turn_over(thread, thread, 20 * MS, machine_now_ns));
    CHECK(limited->realtime.spent && limited->realtime.refill.armed == 0);
    thread->state = state;
}

/* With a turn of their own equals share; without, the first keeps the CPU. */
static void test_real_time_round_robin_and_fifo(void)
{
    for (unsigned turn_ms = 0; turn_ms < 2; turn_ms++) {
        machine_start(1);
        struct actor *first = machine_thread(1, 0, 0), *second = machine_thread(1, 0, 0);
        struct allowance allowance = {.budget_ns = 100 * MS,
                                      .period_ns = 100 * MS,
                                      .turn_ns = turn_ms * MS};
        machine_realtime(second, 40, allowance);
        machine_realtime(first, 40, allowance);
        machine_run(10 * MS);
        machine_clear();
        machine_run(80 * MS);
        CHECK(machine_check());
        uint64_t less_ns = MIN(first->ran_ns, second->ran_ns);
        CHECK(less_ns == (turn_ms == 0 ? 0 : 40 * MS));
    }
}

/* ── Giving way at once ──────────────────────────────────────────────────────────────────────────────────────────── */

/* A thread runs, another of its level waits behind it, a better one has just been woken by it. */
static struct thread *way_low, *way_high;

static void way_set_up(void) NO_THREAD_SAFETY
{
    machine_start(2);
    way_high = &machine_thread(20, MS, 1000 * MS)->thread;
    machine_run(2 * MS);
    for (unsigned i = 0; i < 4; i++)
        machine_thread(10, 0, 0);
    machine_run(MS);
    host_cpu = cpus[0];
    way_low = cpus[0]->current;
    way_high->turn.used_ns = 0;
    thread_wait_end(way_high);
}

/* The general way is taken, and everything is as it was. */
static bool way_is_refused(void)
{
    uint32_t waiting = cpus[0]->queue.count;
    uint8_t state = way_high->state;
    return !sched_give_way(way_high) && cpus[0]->current == way_low &&
           cpus[0]->queue.count == waiting && way_high->state == state;
}

static void test_way_is_given_to_who_is_better(void) NO_THREAD_SAFETY
{
    way_set_up();
    CHECK(cpus[0]->turn.armed != 0);
    uint32_t waiting = cpus[0]->queue.count;
    uint64_t used_ns = way_low->cpu_time_ns;
    machine_now_ns += MS / 2;
    CHECK(sched_give_way(way_high));
    CHECK(cpus[0]->current == way_high && way_high->state == THREAD_RUNNING);
    CHECK(cpus[0]->queue.count == waiting + 1 && way_low->state == THREAD_READY);
    CHECK(cpus[0]->queue.threads[way_low->effective].next == &way_low->run_link);
    CHECK(way_low->cpu_time_ns > used_ns && cpus[0]->last_clock_ns == machine_now_ns);
}

/* Whose turn is over with it goes behind its equals. */
static void test_way_is_given_at_the_end_of_a_turn(void) NO_THREAD_SAFETY
{
    way_set_up();
    machine_now_ns += TURN_NS;
    CHECK(sched_give_way(way_high) && cpus[0]->current == way_high);
    CHECK(cpus[0]->queue.threads[way_low->effective].prev == &way_low->run_link);
}

static void test_way_is_not_given_to_who_ran_elsewhere(void)
{
    way_set_up();
    way_high->cpu = 1;
    CHECK(way_is_refused());
}

static void test_way_asks_for_affinity_once_it_has_changed(void)
{
    way_set_up();
    way_high->affinity[0] = 2;
    way_high->moved = true;
    CHECK(way_is_refused());
    way_set_up();
    way_high->affinity[0] = 1;
    way_high->moved = true;
    CHECK(sched_give_way(way_high) && !way_high->moved);
}

static void test_way_is_not_given_to_who_is_limited(void)
{
    way_set_up();
    way_high->limited = way_high->moved = true;
    CHECK(way_is_refused() && way_high->moved);
}

static void test_way_is_not_given_with_deadline_or_attention(void)
{
    way_set_up();
    way_high->timed = true;
    CHECK(way_is_refused());
    way_set_up();
    way_high->attention = ATTENTION_KILL;
    CHECK(way_is_refused());
}

static void test_way_is_not_given_below_the_own_level(void)
{
    way_set_up();
    way_high->priority = 19;
    CHECK(way_is_refused());
}

static void test_way_is_not_given_to_equals(void)
{
    way_set_up();
    way_low->effective = 20;
    CHECK(way_is_refused());
}

static void test_way_is_not_given_in_the_real_time_band(void)
{
    way_set_up();
    way_high->base = way_high->priority = way_high->effective = PRIORITY_NORMAL_MAX + 1;
    CHECK(way_is_refused());
}

static void test_way_is_not_given_past_others(void) NO_THREAD_SAFETY
{
    way_set_up();
    cpus[0]->queue.bitmap |= 1ull << 20;
    CHECK(way_is_refused());
}

static void test_way_is_not_given_with_work_to_do(void)
{
    way_set_up();
    cpus[0]->rcu_due = true;
    CHECK(way_is_refused());
}

static void test_way_is_not_given_without_the_turn_timer(void)
{
    way_set_up();
    ktimer_cancel(&cpus[0]->turn);
    CHECK(way_is_refused());
}

/* ── Grace periods ───────────────────────────────────────────────────────────────────────────────────────────────── */

static struct actor *grace_waiter;
static bool grace_called;

static void grace_over(struct rcu_head *head)
{
    (void)head;
    grace_called = true;
}

/* CPU 0 idles: the other CPU, the last one, ends the period, and gives it somebody who computes. */
static void grace_ends(void)
{
    machine_interrupt(1);
    CHECK(!grace_called);
    grace_waiter->compute_ns = 0;
    machine_wake(1, grace_waiter);
}

/* Once both CPUs have one thread each, nobody interrupts them any more. */
static void test_callbacks_do_not_wait_for_who_comes_to_an_idle_cpu(void)
{
    static struct rcu_head head;
    machine_start(2);
    (void)machine_thread_on(16, 0, 0, 1 << 1, 1);
    grace_waiter = machine_thread_on(16, MS, 1000 * MS, 1 << 0, 0);
    grace_called = false;
    host_cpu = cpus[0];
    rcu_call(&head, grace_over);
    rcu_expedite();
    machine_while_idle(grace_ends);
    machine_run(100 * MS);
    CHECK(cpus[0]->current == &grace_waiter->thread && grace_waiter->ran_ns >= 99 * MS);
    CHECK(grace_called);
}

#define TEST(function) {#function, function}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {TEST(test_turn_who_computes_falls_and_who_waits_rises),
                 TEST(test_turn_bands_do_not_mix),
                 TEST(test_turn_too_much_is_taken_off_the_next),
                 TEST(test_equals_get_equal_time_on_one_cpu),
                 TEST(test_equals_get_equal_time_on_four_cpus),
                 TEST(test_nobody_starves),
                 TEST(test_nobody_starves_behind_those_who_wait),
                 TEST(test_who_waits_much_gets_ahead),
                 TEST(test_waits_do_not_pay),
                 TEST(test_better_levels_go_first),
                 TEST(test_no_ticks_where_nobody_waits),
                 TEST(test_nobody_waits_behind_real_time),
                 TEST(test_wakes_on_the_nearest_idle_cpu),
                 TEST(test_steals_from_the_nearest_cpu),
                 TEST(test_steals_from_far_if_the_near_may_not_come),
                 TEST(test_allowance_is_what_a_period_has),
                 TEST(test_real_time_budgets_hold),
                 TEST(test_real_time_goes_first),
                 TEST(test_nothing_is_kept_for_the_dead),
                 TEST(test_real_time_round_robin_and_fifo),
                 TEST(test_way_is_given_to_who_is_better),
                 TEST(test_way_is_given_at_the_end_of_a_turn),
                 TEST(test_way_is_not_given_to_who_ran_elsewhere),
                 TEST(test_way_asks_for_affinity_once_it_has_changed),
                 TEST(test_way_is_not_given_to_who_is_limited),
                 TEST(test_way_is_not_given_with_deadline_or_attention),
                 TEST(test_way_is_not_given_below_the_own_level),
                 TEST(test_way_is_not_given_to_equals),
                 TEST(test_way_is_not_given_in_the_real_time_band),
                 TEST(test_way_is_not_given_past_others),
                 TEST(test_way_is_not_given_with_work_to_do),
                 TEST(test_way_is_not_given_without_the_turn_timer),
                 TEST(test_callbacks_do_not_wait_for_who_comes_to_an_idle_cpu)};
    const unsigned count = sizeof(tests) / sizeof(tests[0]);
    bool failed = false;
    for (unsigned i = 0; i < count; i++) {
        failures = 0;
        tests[i].run();
        printf("%s %u - %s\n", failures == 0 ? "ok" : "not ok", i + 1, tests[i].name);
        failed |= failures != 0;
    }
    printf("1..%u\n", count);
    return failed;
}
