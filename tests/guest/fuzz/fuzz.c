/* The system-call fuzzer: children in processes and budgets of their own, more than there are CPUs, make random calls until a million are
 * made between them. They hit themselves often: who dies or stops making progress is replaced by the next, with the next seed. What is
 * tested: the kernel and this process live on, every status is one of the ABI, no call is left unreached, and in the end nothing is missing.
 * A few calls come first: the pages that this process touches then it keeps, so one run of the million tells whether anything is missing.
 * "seed=" and "calls=" on the kernel's command line choose: see README.md. */
#include "fuzz.h"

#include <fuzz/syscalls.h>

#define FEW UINT64_C(20000)
#define MILLION UINT64_C(1000000)
/** A busy machine's threads meet more seldom: calls that need that are made until they have succeeded, and so many times the target at most. */
#define LONGEST 4u
/** A child is replaced after so many calls of others without one of it: it waits for what never comes. Time says that only where all wait: on a
 * busy machine much of it goes by before who can run does. */
#define STUCK_CALLS 500u
#define ALL_STUCK_NS (10 * STUCK_NS)
#define SEED UINT64_C(20251126)
#define CALLS (sizeof(fuzz_syscalls) / sizeof(fuzz_syscalls[0]))

struct slot {
    struct child child;
    handle_t budget, process;
    uint64_t progress, since_calls, since_ns; /* its last call, of all calls and of the time */
};

static struct fuzz_counts *counts;
static handle_t counts_memory, shared_endpoint, shared_budget, shared_memory;
static struct slot slots[CHILDREN];
static uint64_t children, target, seed;
static uint64_t enough; /* the target, or more */

static void child_begin(uint32_t index)
{
    struct slot *slot = &slots[index];
    struct child_start start = {0};
    slot->budget = fuzz_budget();
    struct fuzz_things things = {.budget = slot->budget,
                                 .endpoint = shared_endpoint,
                                 .memory = shared_memory};
    things.ports = fuzz_ports();
    things.device = fuzz_device();
    fuzz_child_begin(&slot->child, &start, &things);
    close_handle(things.ports);
    close_handle(things.device);
    start.values[VALUE_COUNTS] = (uint64_t)counts;
    start.values[VALUE_SEED] = fuzz_mix(seed ^ fuzz_mix(++children));
    start.values[VALUE_INDEX] = index;
    slot->since_ns = now_ns();
    slot->since_calls = counts->total;
    slot->progress = counts->progress[index];
    child_run(&slot->child, &start, fuzz_child);
}

static void child_finish(uint32_t index)
{
    status_ignore(sys_process_kill(slots[index].child.process, -1));
    CHECK(child_end(&slots[index].child) != INT64_MIN);
    fuzz_end_all(slots[index].budget);
    close_handle(slots[index].budget);
    /* Notices of badges that are gone wait there for a server, and are charged to whoever made the badge: nobody serves it. */
    OK(sys_endpoint_new_epoch(shared_endpoint));
}

static bool is_dead(handle_t process)
{
    struct process_info about = {0};
    return !status_is_ok(sys_process_info(process, &about)) || about.state == PROCESS_STATE_DEAD;
}

/* True if the child must be replaced. */
static bool is_over(uint32_t index)
{
    struct slot *slot = &slots[index];
    uint64_t progress = __atomic_load_n(&counts->progress[index], __ATOMIC_RELAXED);
    uint64_t calls = __atomic_load_n(&counts->total, __ATOMIC_RELAXED);
    if (is_dead(slot->child.process))
        return true;
    if (progress != slot->progress) {
        slot->progress = progress;
        slot->since_calls = calls;
        slot->since_ns = now_ns();
    }
    return calls - slot->since_calls > STUCK_CALLS || now_ns() - slot->since_ns > ALL_STUCK_NS;
}

/* Calls that end the caller, and those that the machine has no device for, never answer OK. */
static bool may_succeed(uint16_t number)
{
    if (number == SYS_IOPORT_IN || number == SYS_IOPORT_OUT)
        return has_ports;
    if (number == SYS_INTERRUPT_CREATE_MSI)
        return has_messages();
    if (number == SYS_THREAD_SET_DEBUG || number == SYS_THREAD_GET_DEBUG)
        return debug_breakpoints != 0;
    /* The log is the test's to write to. */
    return number != SYS_IOPORT_WRITE && number != SYS_PROCESS_EXIT && number != SYS_THREAD_EXIT;
}

/* A million or more go on until each call was made, and answered OK. */
static bool is_reached(const struct fuzz_syscall *call)
{
    return target < MILLION || !may_succeed((uint16_t)call->number) ||
           (counts->calls[call->number] != 0 && counts->successes[call->number] != 0);
}

static bool are_all_reached(void)
{
    for (unsigned i = 0; i < CALLS; i++)
        if (!is_reached(&fuzz_syscalls[i]))
            return false;
    return true;
}

/* True until the children have made enough calls. They end themselves when they have. */
static bool goes_on(void)
{
    uint64_t total = __atomic_load_n(&counts->total, __ATOMIC_RELAXED);
    if (total + MILLION / 100 >= enough && enough < LONGEST * target && !are_all_reached())
        enough += MILLION / 10;
    __atomic_store_n(&counts->target, enough, __ATOMIC_RELAXED);
    return total < enough;
}

static void report(void)
{
    uint64_t successes = 0;
    for (unsigned i = 0; i < CALLS; i++) {
        const struct fuzz_syscall *call = &fuzz_syscalls[i];
        uint64_t calls = counts->calls[call->number], good = counts->successes[call->number];
        successes += good;
        if (!is_reached(call))
            check_failed(__FILE__, __LINE__, call->name);
        say("%s: %llu calls, %llu succeed, statuses %x", call->name, (unsigned long long)calls,
            (unsigned long long)good, counts->statuses[call->number]);
    }
    say("%llu calls, %llu%% succeed, %llu children, trace %016llx",
        (unsigned long long)counts->total, (unsigned long long)(100 * successes / counts->total),
        (unsigned long long)children, (unsigned long long)counts->trace);
    /* It gets past the first checks, and so does each call. */
    CHECK(target < MILLION || successes * 8 > counts->total);
}

static void fuzz(uint64_t calls)
{
    children = 0;
    target = calls;
    seed = boot_number("seed=", SEED);
    say("seed %llu, %llu calls", (unsigned long long)seed, (unsigned long long)target);
    OK(sys_thread_set_priority(info->thread, PRIORITY_MAX)); /* whatever they make of theirs */
    counts = map_new(COUNTS_BYTES, &counts_memory);
    counts->target = enough = target;
    fuzz_model_begin(counts, counts_memory);
    OK(sys_endpoint_create(info->budget, &shared_endpoint));
    /* Children may enlarge it: what it takes is bounded, and is not ours. */
    OK(sys_budget_create(info->budget, 64, 256 << 10, 20, &shared_budget));
    OK(sys_memory_create(shared_budget, 16 * PAGE_SIZE, 0, &shared_memory));
    for (uint32_t i = 0; i < CHILDREN; i++)
        child_begin(i);
    while (goes_on()) {
        sleep_ms(1);
        for (uint32_t i = 0; i < CHILDREN; i++) {
            if (is_over(i)) {
                child_finish(i);
                child_begin(i);
            }
        }
    }
    for (uint32_t i = 0; i < CHILDREN; i++)
        child_finish(i);
    fuzz_model_end();
    fuzz_check_statuses(counts);
    if (target > FEW)
        report();
    fuzz_end_all(shared_budget);
    close_handle(shared_endpoint);
    close_handle(shared_memory);
    close_handle(shared_budget);
    unmap(counts, COUNTS_BYTES);
    close_handle(counts_memory);
    fuzz_let_go();
    OK(sys_thread_set_priority(info->thread, PRIORITY_DEFAULT));
}

static void test_fuzz_a_few_calls_leave_the_kernel_whole(void)
{
    fuzz(FEW);
}

static void test_fuzz_many_calls_leave_the_kernel_whole(void)
{
    fuzz(boot_number("calls=", MILLION));
}

static const struct test fuzz_tests[] = {TEST(test_fuzz_a_few_calls_leave_the_kernel_whole),
                                         TEST(test_fuzz_many_calls_leave_the_kernel_whole),
                                         {NULL, NULL}};
const struct test *const test_groups[] = {fuzz_tests, NULL};
