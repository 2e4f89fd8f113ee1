/* The frame: the entry, output by ports, the loop over the tests with its leak check, threads and child processes.
 *
 * A child process gets copies of this program's segments at the same addresses (its program headers tell which), so that any function can run
 * there; handles are passed in child_start. */
#include "guest.h"

#include <format.h>
#include <kstring.h>
#include <stdarg.h>
#include <stddef.h>

#define PORT_EXIT 0xf4u
#define STACK_BYTES 16384u
#define STACKS 24u
#define CHILD_STACK_BYTES 65536u

const struct init_info *info;
struct child_start child_start;
static int failures;
static const char *skipped; /* why */
static unsigned char stacks[STACKS][STACK_BYTES] __attribute__((aligned(16)));
static uint32_t stack_uses[STACKS]; /* atomic: 1 while a worker has it */

/* ── Output ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void print(const char *format, ...)
{
    char line[256];
    va_list arguments;

    va_start(arguments, format);
    format_text_va(line, sizeof(line), format, arguments);
    va_end(arguments);
    status_ignore(sys_ioport_write(info->ioports, LOG_PORT, line, strlen(line)));
}

void say(const char *format, ...)
{
    char line[256];
    va_list arguments;

    va_start(arguments, format);
    format_text_va(line, sizeof(line), format, arguments);
    va_end(arguments);
    print("# %s\n", line);
}

void machine_end(unsigned status)
{
    print("\x1e"
          "EXIT %u\n",
          status);
    for (;;)
        status_ignore(sys_ioport_out(info->ioports, PORT_EXIT, 4, status));
}

void skip(const char *why)
{
    skipped = why;
}

void check_failed(const char *file, int line, const char *condition)
{
    failures++;
    say("%s:%d: %s", file, line, condition);
}

void check_status_failed(const char *file, int line, const char *what, status_t got)
{
    failures++;
    say("%s:%d: %s gave %s", file, line, what, status_name(got));
}

/* kernel.h of the kernel's own functions that we share declares it. */
__attribute__((noreturn)) void panic(const char *format, ...);
void panic(const char *format, ...)
{
    print("%s\n", format);
    for (;;)
        status_ignore(sys_ioport_out(info->ioports, PORT_EXIT, 4, 3));
}

const char *boot_word(const char *text)
{
    static char line[256];

    OK(sys_memory_read(info->boot, offsetof(struct boot_facts, cmdline), line, sizeof(line) - 1));
    for (const char *at = line; *at != '\0'; at++)
        if (strncmp(at, text, strlen(text)) == 0)
            return at + strlen(text);
    return NULL;
}

bool is_told(const char *word)
{
    return boot_word(word) != NULL;
}

uint64_t boot_number(const char *name, uint64_t otherwise)
{
    const char *digits = boot_word(name);
    uint64_t number = 0;

    if (digits == NULL)
        return otherwise;
    for (; *digits >= '0' && *digits <= '9'; digits++)
        number = number * 10 + (uint64_t)(*digits - '0');
    return number;
}

/* ── Time and memory ─────────────────────────────────────────────────────────────────────────────────────────────── */

uint64_t now_ns(void)
{
    uint64_t now = 0;

    status_ignore(sys_system_clock(&now));
    return now;
}

uint64_t in_ms(uint64_t ms)
{
    return now_ns() + ms * MS;
}

void sleep_ms(uint64_t ms)
{
    status_ignore(sys_thread_sleep(in_ms(ms)));
}

void close_handle(handle_t handle)
{
    OK(sys_cap_close(handle));
}

handle_t with_rights(handle_t source, uint32_t rights)
{
    handle_t child = 0;

    OK(sys_cap_derive(source, rights, 0, &child));
    return child;
}

void *map_new(uint64_t bytes, handle_t *memory)
{
    uint64_t address = 0;

    OK(sys_memory_create(info->budget, bytes, MEMORY_COMMIT, memory));
    OK(sys_aspace_map(info->aspace, *memory, 0, 0, bytes, MAP_READ | MAP_WRITE, 0, &address));
    return (void *)address;
}

handle_t memory_new(uint64_t pages, uint32_t flags)
{
    handle_t handle = 0;

    OK(sys_memory_create(info->budget, pages * PAGE_SIZE, flags, &handle));
    return handle;
}

uint64_t map_memory(handle_t memory, uint64_t pages, uint32_t flags)
{
    uint64_t address = 0;

    OK(sys_aspace_map(info->aspace, memory, 0, 0, pages * PAGE_SIZE, flags, 0, &address));
    return address;
}

uint64_t word_of(handle_t memory, uint64_t offset)
{
    uint64_t word = ~UINT64_C(0);

    OK(sys_memory_read(memory, offset, &word, sizeof(word)));
    return word;
}

void word_to(handle_t memory, uint64_t offset, uint64_t word)
{
    OK(sys_memory_write(memory, offset, &word, sizeof(word)));
}

void unmap(void *address, uint64_t bytes)
{
    OK(sys_aspace_unmap(info->aspace, (uint64_t)address, bytes));
}

struct ipc_buffer *my_buffer(void)
{
    return (struct ipc_buffer *)info->ipc_buffer;
}

/* ── Threads ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

__attribute__((noreturn)) static void worker_main(struct worker *worker)
{
    uint32_t woken;

    worker->run(worker);
    __atomic_store_n(&worker->done, 1, __ATOMIC_SEQ_CST);
    status_ignore(sys_thread_futex_wake((uint64_t)&worker->done, 1, &woken));
    for (;;)
        status_ignore(sys_thread_exit());
}

static uint32_t stack_take(void)
{
    static uint32_t next;

    for (;;) {
        uint32_t stack = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % STACKS;

        if (__atomic_exchange_n(&stack_uses[stack], 1, __ATOMIC_ACQUIRE) == 0)
            return stack;
    }
}

void worker_start(struct worker *worker, void (*run)(struct worker *), void *context)
{
    memset(worker, 0, sizeof(*worker));
    worker->run = run;
    worker->context = context;
    worker->stack = stack_take();
    worker->buffer = map_new(PAGE_SIZE, &worker->buffer_memory);
    OK(sys_thread_create(info->process, info->budget, &worker->thread));
    OK(sys_thread_set_buffer(worker->thread, worker->buffer_memory, 0));
    /* At a function's entry the stack is 8 off a multiple of 16, as after a call. */
    OK(sys_thread_start(worker->thread, (uint64_t)worker_main,
                        (uint64_t)&stacks[worker->stack][STACK_BYTES - 8], (uint64_t)worker, 0));
}

void worker_drop(struct worker *worker)
{
    close_handle(worker->thread);
    unmap(worker->buffer, PAGE_SIZE);
    close_handle(worker->buffer_memory);
    __atomic_store_n(&stack_uses[worker->stack], 0, __ATOMIC_RELEASE);
}

bool worker_join(struct worker *worker)
{
    uint64_t end = in_ms(PATIENCE_MS);

    while (__atomic_load_n(&worker->done, __ATOMIC_SEQ_CST) == 0 && now_ns() < end)
        status_ignore(sys_thread_futex_wait((uint64_t)&worker->done, 0, end));
    bool done = __atomic_load_n(&worker->done, __ATOMIC_SEQ_CST) != 0;

    if (!done)
        say("a worker does not end");
    worker_drop(worker);
    return done;
}

unsigned threads_in(uint32_t number)
{
    struct process_info process = {0};
    struct thread_info thread = {0};
    unsigned count = 0;

    OK(sys_process_info(info->process, &process));
    while (status_is_ok(sys_budget_thread_next(info->budget, process.id, thread.id, &thread)))
        count += thread.wait == THREAD_WAIT_SYSCALL && thread.syscall == number;
    return count;
}

/* ── Child processes ─────────────────────────────────────────────────────────────────────────────────────────────── */

struct file_header {
    unsigned char ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct program_header {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

/* By the linker: the first byte of the loaded file. */
extern const struct file_header __ehdr_start;

static void segment_copy(const struct child *child, const struct program_header *segment)
{
    uint64_t start = segment->vaddr & ~(PAGE_SIZE - 1);
    uint64_t bytes = (segment->vaddr + segment->memsz - start + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    uint32_t prot = MAP_READ | ((segment->flags & 2) != 0 ? MAP_WRITE : 0) |
                    ((segment->flags & 1) != 0 ? MAP_EXECUTE : 0);
    handle_t memory;
    uint64_t mapped;

    OK(sys_memory_create(child->budget, bytes, 0, &memory));
    OK(sys_memory_write(memory, segment->vaddr - start, (const void *)segment->vaddr,
                        segment->memsz));
    /* Memory made here carries no right to execute unless the kernel gives it to its maker. */
    OK(sys_aspace_map(child->aspace, memory, start, 0, bytes, prot | MAP_FIXED, 0, &mapped));
    close_handle(memory);
}

void child_create(struct child *child, handle_t budget, const struct child_start *start)
{
    const struct program_header *segments =
        (const void *)((const char *)&__ehdr_start + __ehdr_start.phoff);
    struct child_start kept = child_start;
    uint64_t mapped;

    memset(child, 0, sizeof(*child));
    child->budget = budget != 0 ? budget : info->budget;
    if (start != NULL)
        child_start = *start;
    OK(sys_aspace_create(child->budget, &child->aspace));
    OK(sys_process_create(child->budget, child->aspace, "child", 5, &child->process));
    OK(sys_thread_create(child->process, child->budget, &child->thread));
    for (unsigned i = 0; i < __ehdr_start.phnum; i++) {
        if (segments[i].type == 1)
            segment_copy(child, &segments[i]);
    }
    child_start = kept;
    OK(sys_memory_create(child->budget, CHILD_STACK_BYTES, 0, &child->stack_memory));
    OK(sys_aspace_map(child->aspace, child->stack_memory, 0, 0, CHILD_STACK_BYTES,
                      MAP_READ | MAP_WRITE, 0, &mapped));
    child->stack_top = mapped + CHILD_STACK_BYTES - 8;
    OK(sys_memory_create(child->budget, PAGE_SIZE, MEMORY_COMMIT, &child->buffer_memory));
    OK(sys_aspace_map(child->aspace, child->buffer_memory, 0, 0, PAGE_SIZE,
                      MAP_READ | MAP_WRITE | MAP_CLONE_SHARED, 0, &child->buffer));
    OK(sys_aspace_map(info->aspace, child->buffer_memory, 0, 0, PAGE_SIZE, MAP_READ | MAP_WRITE, 0,
                      &mapped));
    child->buffer_here = (struct ipc_buffer *)mapped;
    OK(sys_thread_set_buffer(child->thread, child->buffer_memory, 0));
}

handle_t child_give(const struct child *child, handle_t handle)
{
    uint32_t type, rights;
    uint64_t badge, id;
    handle_t given = 0;

    OK(sys_cap_info(handle, &type, &rights, &badge, &id));
    OK(sys_process_give(child->process, handle, rights, 0, CAP_TRANSFER_COPY, &given));
    return given;
}

void child_clone(struct child *child, const struct child *model, handle_t budget)
{
    memset(child, 0, sizeof(*child));
    child->budget = budget;
    child->stack_top = model->stack_top;
    OK(sys_aspace_clone(model->aspace, budget, &child->aspace));
    OK(sys_process_create(budget, child->aspace, "clone", 5, &child->process));
    OK(sys_thread_create(child->process, budget, &child->thread));
}

void child_run(struct child *child, const struct child_start *start, void (*entry)(void))
{
    struct child_start there = *start;
    uint64_t done = 0;

    there.buffer = (struct ipc_buffer *)child->buffer;
    OK(sys_aspace_write(child->aspace, (uint64_t)&child_start, &there, sizeof(there), &done));
    CHECK(done == sizeof(there));
    OK(sys_thread_start(child->thread, (uint64_t)entry, child->stack_top, 0, 0));
}

int64_t child_end(struct child *child)
{
    struct process_info process = {0};

    for (uint64_t end = in_ms(PATIENCE_MS); now_ns() < end && process.state != PROCESS_STATE_DEAD;
         sleep_ms(1))
        OK(sys_process_info(child->process, &process));
    OK(sys_process_kill(child->process, 0));
    close_handle(child->thread);
    close_handle(child->process);
    close_handle(child->aspace);
    if (child->buffer_here != NULL) {
        close_handle(child->stack_memory);
        unmap(child->buffer_here, PAGE_SIZE);
        close_handle(child->buffer_memory);
    }
    return process.state == PROCESS_STATE_DEAD ? process.exit_status : INT64_MIN;
}

void child_exit(int64_t status)
{
    for (;;)
        status_ignore(sys_process_exit(status));
}

/* ── The loop ────────────────────────────────────────────────────────────────────────────────────────────────────── */

struct usage {
    uint64_t pages, kmem; /* charged: kernel memory has all nodes */
    uint64_t frames;      /* of the machine that are neither free nor the heap's */
    uint64_t caps;        /* of this process */
};

/* What other CPUs give back, or take, between two of the kernel's looks would be missing, or there twice: look until nothing changes. */
static uint64_t frames_in_use(void)
{
    struct memory_stats before, after = {0};

    do {
        before = after;
        OK(sys_system_memory_stats(info->budget, &after));
    } while (before.free_pages != after.free_pages || before.kernel_pages != after.kernel_pages);
    return after.total_pages - after.free_pages - after.kernel_pages;
}

static struct usage usage_now(void)
{
    struct budget_info budget = {0};
    struct process_info process = {0};

    OK(sys_budget_info(info->budget, &budget));
    OK(sys_process_info(info->process, &process));
    return (struct usage){budget.pages_used, budget.kmem_used, frames_in_use(), process.caps};
}

/* What ended is given back after a grace period, so look @times times. */
static bool usage_returns_to(struct usage before, struct usage *after, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        *after = usage_now();
        if (after->pages <= before.pages && after->kmem <= before.kmem &&
            after->frames <= before.frames && after->caps <= before.caps)
            return true;
        sleep_ms(1 + i / 50);
    }
    return false;
}

/* The first run of a test may leave tables behind that the next one uses: only what grows again is a leak. */
static void test_run(const struct test *test)
{
    struct usage before, after;

    for (unsigned attempt = 0; attempt < 2 && failures == 0; attempt++) {
        before = usage_now();
        test->run();
        if (usage_returns_to(before, &after, attempt == 0 ? 150 : 1500))
            return;
    }
    if (failures == 0) {
        failures++;
        say("leak: %lld pages, %lld bytes of kernel memory, %lld frames, %lld capabilities",
            (long long)(after.pages - before.pages), (long long)(after.kmem - before.kmem),
            (long long)(after.frames - before.frames), (long long)(after.caps - before.caps));
    }
}

__attribute__((noreturn)) void start_c(const struct init_info *given);
void start_c(const struct init_info *given)
{
    int number = 0, failed = 0;

    info = given;
    memset(stacks, 1, sizeof(stacks)); /* its pages are taken now, not by some test */
    for (const struct test *const *group = test_groups; *group != NULL; group++) {
        for (const struct test *test = *group; test->name != NULL; test++) {
            failures = 0;
            skipped = NULL;
            test_run(test);
            failed += failures != 0;
            print("%s %d - %s%s%s\n", failures == 0 ? "ok" : "not ok", ++number, test->name,
                  skipped != NULL ? " # SKIP " : "", skipped != NULL ? skipped : "");
        }
    }
    print("1..%d\n", number);
    machine_end(failed != 0);
}
