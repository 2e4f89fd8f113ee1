/* The system-call fuzzer that coverage guides, in the kcov build on one CPU. Programs, each in a process and a budget of its own that begin the same
 * way each time, make a few calls (../fuzz/child.c says what a call's arguments are). One that reaches edges of the kernel that none has reached before
 * is run again, to see that it was no chance, loses the calls that it does not need for that, and joins the corpus; most new programs are old ones
 * of it, changed. What is kept is printed in the form of tests/fuzz/corpus/syscalls, which is what the next run begins with.
 * What is tested: the kernel and this process live on, every status is one of the ABI, and in the end nothing is missing.
 * On the kernel's command line: "seed=", "programs=" beside those of the corpus, "edges=" how many the corpus must reach, "blind" for programs that no
 * coverage chooses, "empty" for no corpus to begin with, "map" to print which edges were reached. */
#include "guided.h"

#include <kcov.h>
#include <kstring.h>

#define SEED UINT64_C(20251127)
#define PROGRAMS UINT64_C(300)
#define FEW 50u
#define CORPUS_MAX 2048u
#define CORPUS_BYTES ((CORPUS_MAX * sizeof(struct fuzz_program) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1))
/** Programs whose new edges are more are confirmed and shortened by the first of them. */
#define EDGES_MAX 64u
/** How often a program is run to find the same edges again. */
#define TRIALS 3u
/** How often what is new is changed soon: where one step was found the next one is near. */
#define NEW_TRIES 200u
#define LAST 32u

/* corpus.S: the programs that are kept. */
extern const char corpus_text[], corpus_text_end[];

static struct fuzz_counts *counts;
static handle_t counts_memory, port, exits;
static struct fuzz_things things;
static struct fuzz_program *corpus;
static uint32_t corpus_count;
static uint8_t tries[CORPUS_MAX]; /* how often each is still to be changed for being new */
static uint64_t executions, stuck, chances;
static const char *label; /* of what is kept */

/* ── Coverage ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void cover(enum kcov_command command, uint32_t operand)
{
    OK(sys_ioport_out(info->ioports, KCOV_PORT, 4,
                      (uint32_t)command << KCOV_COMMAND_SHIFT | operand));
}

static uint32_t cover_answer(enum kcov_command command, uint32_t operand)
{
    uint32_t value = 0;
    cover(command, operand);
    OK(sys_ioport_in(info->ioports, KCOV_PORT, 4, &value));
    return value;
}

/* ── One program ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void begin(struct child *child)
{
    struct child_start start = {0};
    fuzz_child_begin(child, &start, &things);
    start.handles[HANDLE_KCOV] = child_give(child, port);
    start.values[VALUE_COUNTS] = (uint64_t)counts;
    start.values[VALUE_SEED] = SEED;
    OK(sys_process_bind(child->process, exits, child->process));
    child_run(child, &start, fuzz_program_child);
}

/* Until the process is dead, or STUCK_NS are over. */
static void wait_for(handle_t process)
{
    uint64_t end = now_ns() + STUCK_NS;
    struct process_info about = {0};
    for (;;) {
        struct event event;
        status_t status = sys_queue_wait(exits, end, &event);
        OK(sys_process_info(process, &about));
        if (about.state == PROCESS_STATE_DEAD)
            return;
        if (status == STATUS_TIMED_OUT) {
            stuck++;
            return;
        }
    }
}

/* How many edges it reached that nothing had reached before. */
static uint32_t run(const struct fuzz_program *program)
{
    struct child child;
    counts->program = *program;
    executions++;
    things.budget = fuzz_budget();
    OK(sys_endpoint_create(things.budget, &things.endpoint));
    OK(sys_memory_create(things.budget, 16 * PAGE_SIZE, 0, &things.memory));
    begin(&child);
    wait_for(child.process);
    uint32_t fresh = cover_answer(KCOV_STOP, 0);
    OK(sys_process_kill(child.process, -1));
    fuzz_end_all(things.budget);
    close_handle(child.thread);
    close_handle(child.process);
    close_handle(child.aspace);
    close_handle(things.endpoint);
    close_handle(things.memory);
    close_handle(things.budget);
    return fresh;
}

/* ── The corpus ──────────────────────────────────────────────────────────────────────────────────────────────────── */

struct edges {
    uint32_t count;
    uint32_t at[EDGES_MAX];
};

static void edges_fresh(struct edges *edges, uint32_t fresh)
{
    edges->count = fresh < EDGES_MAX ? fresh : EDGES_MAX;
    for (uint32_t i = 0; i < edges->count; i++)
        edges->at[i] = cover_answer(KCOV_FRESH, i);
}

/* Does @program reach all of @edges? In @found those of them that it does, if it is not NULL. They all are seen afterwards. */
static bool reaches(const struct fuzz_program *program, const struct edges *edges,
                    struct edges *found)
{
    struct edges fresh;
    for (uint32_t i = 0; i < edges->count; i++)
        cover(KCOV_FORGET, edges->at[i]);
    edges_fresh(&fresh, run(program));
    for (uint32_t i = 0; i < edges->count; i++)
        cover(KCOV_SEE, edges->at[i]);
    uint32_t same = 0;
    for (uint32_t i = 0; i < edges->count; i++) {
        for (uint32_t k = 0; k < fresh.count; k++) {
            if (fresh.at[k] != edges->at[i])
                continue;
            if (found != NULL)
                found->at[found->count++] = edges->at[i];
            same++;
        }
    }
    return same == edges->count;
}

/* Leave out calls, and threads, that are not needed to reach @edges. */
static void shorten(struct fuzz_program *program, const struct edges *edges)
{
    for (uint32_t i = program->count; i-- > 0 && program->count > 1;) {
        struct fuzz_program shorter = *program;
        program_remove(&shorter, i);
        if (reaches(&shorter, edges, NULL))
            *program = shorter;
    }
    for (uint32_t i = 0; i < program->count; i++) {
        struct fuzz_program plainer = *program;
        plainer.records[i].thread = 0;
        if (program->records[i].thread != 0 && reaches(&plainer, edges, NULL))
            *program = plainer;
    }
}

static void keep(const struct fuzz_program *program, uint8_t its_tries)
{
    if (corpus_count == CORPUS_MAX)
        return;
    tries[corpus_count] = its_tries;
    corpus[corpus_count++] = *program;
}

/* @program has reached @fresh new edges: is it by its calls? Then it joins the corpus. */
static void consider(struct fuzz_program program, uint32_t fresh)
{
    struct edges edges, sure = {0};
    edges_fresh(&edges, fresh);
    for (uint32_t i = 0; i < TRIALS && sure.count == 0; i++)
        status_ignore(reaches(&program, &edges, &sure) ? STATUS_OK : STATUS_BUSY);
    if (sure.count == 0) {
        chances++;
        return;
    }
    shorten(&program, &sure);
    keep(&program, NEW_TRIES);
    program_print(label, &program);
    if (sure.count == 1 || program.count == 1)
        return;
    /* It took several steps at once, and the last may have been a false one: go on from the first too. */
    uint32_t calls = program.count;
    sure.count = 1;
    shorten(&program, &sure);
    if (program.count < calls)
        keep(&program, NEW_TRIES);
}

/* The programs of the corpus that reach what those before them do not; the others are of no use here. */
static void replay(void)
{
    struct fuzz_program program;
    uint32_t lines = 0;
    for (const char *at = corpus_text; at < corpus_text_end;) {
        at = program_parse(at, corpus_text_end, &program);
        lines++;
        if (program.count != 0 && run(&program) != 0) {
            keep(&program, 0);
            say("used: %u", lines);
        }
    }
}

/* Half of the choices fall on what came last: it has been tried least. */
static const struct fuzz_program *corpus_any(void)
{
    uint32_t range = choose(2) == 0 && corpus_count > LAST ? LAST : corpus_count;
    return &corpus[corpus_count - 1 - choose(range)];
}

/* Two thirds of the choices fall on the newest that is still to be tried. */
static const struct fuzz_program *corpus_next(void)
{
    for (uint32_t i = choose(3) != 0 ? corpus_count : 0; i-- > 0;) {
        if (tries[i] == 0)
            continue;
        tries[i]--;
        return &corpus[i];
    }
    return corpus_any();
}

static void explore(uint64_t programs, bool blind)
{
    struct fuzz_program program;
    for (uint64_t i = 0; i < programs; i++) {
        if (i % 5000 == 4999) /* a log that stands still is a machine that does */
            say("%llu executions, %u programs", (unsigned long long)executions, corpus_count);
        if (blind || corpus_count == 0 || choose(10) == 0) {
            program_invent(&program);
        } else {
            program = *corpus_next();
            program_mutate(&program, corpus_any());
        }
        uint32_t fresh = run(&program);
        if (fresh != 0 && !blind)
            consider(program, fresh);
    }
}

/* For tests/fuzz/coverage: which edges, and how many there were. */
static uint32_t edges_print(bool all)
{
    uint32_t edges = 0;
    for (uint32_t word = 0; word < KCOV_EDGES / 32; word++) {
        uint32_t bits = cover_answer(KCOV_WORD, word);
        edges += (uint32_t)__builtin_popcount(bits);
        if (all && bits != 0)
            say("seen: %x %x", word, bits);
    }
    return edges;
}

/* ── Tests ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void set_up(uint64_t seed)
{
    executions = stuck = chances = 0;
    corpus_count = 0;
    memset(tries, 0, sizeof(tries));
    choose_begin(seed);
    OK(sys_thread_set_priority(info->thread, PRIORITY_MAX)); /* whatever they make of theirs */
    counts = map_new(COUNTS_BYTES, &counts_memory);
    handle_t memory;
    corpus = map_new(CORPUS_BYTES, &memory);
    close_handle(memory);
    OK(sys_queue_create(info->budget, &exits));
    things.ports = fuzz_ports();
    OK(sys_ioport_slice(info->ioports, info->budget, KCOV_PORT, 4, &port));
    things.device = fuzz_device();
    fuzz_model_begin(counts, counts_memory);
}

static void tear_down(void)
{
    fuzz_model_end();
    fuzz_check_statuses(counts);
    CHECK(counts->total >= executions / 2); /* they do make their calls */
    close_handle(exits);
    close_handle(things.ports);
    close_handle(port);
    close_handle(things.device);
    unmap(corpus, CORPUS_BYTES);
    unmap(counts, COUNTS_BYTES);
    close_handle(counts_memory);
    fuzz_let_go();
    OK(sys_thread_set_priority(info->thread, PRIORITY_DEFAULT));
}

static void nothing_is_seen(void)
{
    for (uint32_t word = 0; word < KCOV_EDGES / 32; word++)
        for (uint32_t bits = cover_answer(KCOV_WORD, word); bits != 0; bits &= bits - 1)
            cover(KCOV_FORGET, word * 32 + (uint32_t)__builtin_ctz(bits));
}

/* The pages that this process touches then it keeps, so that one run of the many tells whether anything is missing. */
static void test_guided_a_few_programs_leave_the_kernel_whole(void)
{
    set_up(SEED);
    label = "few:";
    explore(FEW, false);
    tear_down();
}

static void test_guided_programs_leave_the_kernel_whole(void)
{
    uint64_t seed = boot_number("seed=", SEED);
    set_up(seed);
    label = "new:";
    nothing_is_seen();
    if (!is_told("empty"))
        replay();
    uint32_t before = edges_print(false);
    CHECK(before >= boot_number("edges=", 0)); /* the corpus is good for what it was kept for */
    explore(boot_number("programs=", PROGRAMS), is_told("blind"));
    say("seed %llu: %llu executions, %u programs kept, %u edges before, %u after, %llu by chance, %llu "
        "stuck",
        (unsigned long long)seed, (unsigned long long)executions, corpus_count, before,
        edges_print(is_told("map")), (unsigned long long)chances, (unsigned long long)stuck);
    tear_down();
}

static const struct test guided_tests[] = {TEST(test_guided_a_few_programs_leave_the_kernel_whole),
                                           TEST(test_guided_programs_leave_the_kernel_whole),
                                           {NULL, NULL}};
const struct test *const test_groups[] = {guided_tests, NULL};
