/* The stress test: children in processes and budgets of their own call each other, pass, revoke and move capabilities, map, clone and fault,
 * wait and wake, and move their threads from CPU to CPU, while this process kills them at random and starts new ones in their place.
 * Unlike the fuzzer's, each piece of work is one that must succeed, or fail with a status that a killed peer explains, and its result is
 * checked: answers belong to their questions, copies differ from what changed later, what was revoked is dead. In the end nothing is missing.
 * "seed=" on the kernel's command line chooses what is drawn; the log says it. */
#include "stress.h"

#define SEED 1u
#define SPREAD UINT64_C(0x2545f4914f6cdd1d)
#define BUDGET_PAGES 1024u
#define BUDGET_KMEM (768u << 10)
/* The sanitisers' builds are slower, and find what they look for in less. */
#ifdef CONFIG_DEBUG
#define TARGET 2000u
#else
#define TARGET 8000u
#endif
#define KILLS_MIN 40u
/** Guest time in which a child gets something done, whatever is killed around it. */
#define STUCK_NS (120000 * MS)

struct slot {
    struct child child;
    handle_t budget;
    uint64_t progress, since_ns;
};

static struct slot slots[CHILDREN];
static struct stress_board *board;
static handle_t board_memory, shared_memory, endpoint, channel_left, channel_right;
static uint64_t random_state, seed, births;

static uint64_t below(uint64_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % bound;
}

static void child_begin(uint32_t index)
{
    struct slot *slot = &slots[index];
    struct child_start start = {0};
    const handle_t given[] = {[HANDLE_ENDPOINT] = endpoint,
                              [HANDLE_LEFT] = channel_left,
                              [HANDLE_RIGHT] = channel_right,
                              [HANDLE_SHARED] = shared_memory};
    /* What the former child had comes back a little after its end. */
    CHECK(EVENTUALLY(sys_budget_create(info->budget, BUDGET_PAGES, BUDGET_KMEM, 20,
                                       &slot->budget) == STATUS_OK));
    child_create(&slot->child, slot->budget, &start);
    start.handles[HANDLE_BUDGET] = child_give(&slot->child, slot->budget);
    start.handles[HANDLE_PROCESS] = child_give(&slot->child, slot->child.process);
    start.handles[HANDLE_ASPACE] = child_give(&slot->child, slot->child.aspace);
    for (unsigned i = HANDLE_ENDPOINT; i <= HANDLE_SHARED; i++)
        start.handles[i] = child_give(&slot->child, given[i]);
    OK(sys_aspace_map(slot->child.aspace, board_memory, 0, 0, PAGE_SIZE, MAP_READ | MAP_WRITE, 0,
                      &start.values[VALUE_BOARD]));
    OK(sys_aspace_map(slot->child.aspace, shared_memory, 0, 0, SHARED_BYTES, MAP_READ | MAP_WRITE,
                      0, &start.values[VALUE_SHARED]));
    start.values[VALUE_SEED] = seed * ++births;
    start.values[VALUE_INDEX] = index;
    slot->progress = __atomic_load_n(&board->progress[index], __ATOMIC_RELAXED);
    slot->since_ns = now_ns();
    child_run(&slot->child, &start, stress_child);
}

static void child_finish(uint32_t index)
{
    status_ignore(sys_process_kill(slots[index].child.process, -1));
    CHECK(child_end(&slots[index].child) == -1); /* nothing else ended it: no fault */
    close_handle(slots[index].budget);
}

static bool is_stuck(uint32_t index)
{
    struct slot *slot = &slots[index];
    uint64_t progress = __atomic_load_n(&board->progress[index], __ATOMIC_RELAXED);
    if (progress != slot->progress) {
        slot->progress = progress;
        slot->since_ns = now_ns();
    }
    return now_ns() - slot->since_ns > STUCK_NS;
}

static uint64_t least_done(void)
{
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < WORKS; i++) {
        uint64_t done = __atomic_load_n(&board->done[i], __ATOMIC_RELAXED);
        least = done < least ? done : least;
    }
    return least;
}

static bool is_over(void)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < WORK_MOVE; i++)
        total += __atomic_load_n(&board->done[i], __ATOMIC_RELAXED);
    return total >= TARGET && least_done() >= TARGET / 50 && births >= CHILDREN + KILLS_MIN;
}

static void drain_channel(handle_t end)
{
    uint8_t data[64];
    uint64_t bytes;
    uint32_t caps;
    my_buffer()->accept = 0;
    while (status_is_ok(sys_channel_receive(end, data, sizeof(data), &bytes, &caps)))
        ;
}

static void test_stress_work_goes_on_while_peers_are_killed(void)
{
    bool stuck = false;
    uint64_t number = boot_number("seed=", SEED);
    say("seed %llu", (unsigned long long)number);
    random_state = seed = (2 * number - 1) * SPREAD; /* odd: never 0 */
    births = 0;
    board = map_new(PAGE_SIZE, &board_memory);
    OK(sys_endpoint_create(info->budget, &endpoint));
    OK(sys_memory_create(info->budget, SHARED_BYTES, MEMORY_COMMIT, &shared_memory));
    OK(sys_channel_create(info->budget, 16, 64, &channel_left, &channel_right));
    for (uint32_t i = 0; i < CHILDREN; i++)
        child_begin(i);
    while (!stuck && !is_over() && __atomic_load_n(&board->failures, __ATOMIC_RELAXED) == 0) {
        sleep_ms(2 + below(20));
        uint32_t victim = (uint32_t)below(CHILDREN);
        child_finish(victim);
        child_begin(victim);
        for (uint32_t i = 0; i < CHILDREN; i++)
            stuck = stuck || is_stuck(i);
    }
    CHECK(!stuck);
    for (uint32_t i = 0; i < CHILDREN; i++)
        child_finish(i);
    drain_channel(channel_left);
    drain_channel(channel_right);
    say("done: %llu calls, %llu grants, %llu caps, %llu memory, %llu trees, %llu channel, %llu waits, %llu gone, %llu moves; %llu children",
        (unsigned long long)board->done[WORK_CALL], (unsigned long long)board->done[WORK_GRANT],
        (unsigned long long)board->done[WORK_CAP], (unsigned long long)board->done[WORK_MEMORY],
        (unsigned long long)board->done[WORK_TREE], (unsigned long long)board->done[WORK_CHANNEL],
        (unsigned long long)board->done[WORK_WAIT], (unsigned long long)board->done[WORK_GONE],
        (unsigned long long)board->done[WORK_MOVE], (unsigned long long)births);
    if (board->failures != 0) {
        say("%u checks of the children failed, first line %u, detail %lld", board->failures,
            board->line, (long long)board->detail);
        check_failed(__FILE__, __LINE__, "a child's check");
    }
    close_handle(endpoint);
    close_handle(channel_left);
    close_handle(channel_right);
    close_handle(shared_memory);
    unmap(board, PAGE_SIZE);
    close_handle(board_memory);
}

static const struct test stress_tests[] = {
    TEST(test_stress_calls_are_broken_off_while_they_are_served),
    TEST(test_stress_work_goes_on_while_peers_are_killed),
    {NULL, NULL}};
const struct test *const test_groups[] = {stress_tests, NULL};
