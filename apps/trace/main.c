/* trace: what the kernel does while a command runs, as a file that Chrome and Perfetto open. prof: where the time goes, as collapsed stacks that
 * tools/flamegraph makes a picture of. One program; docs/tracing.md. */
#define _GNU_SOURCE /* fopencookie */
#include <os/clock.h>
#include <os/file.h>
#include <os/memory.h>
#include <os/start.h>
#include <stdlib.h>
#include <string.h>
#include <tool/budget.h>
#include <tool/status.h>
#include <unistd.h>
#include <veridian/syscalls.h>

#include "model.h"

#define RINGS_BYTES (UINT64_C(4) << 20)
#define RINGS_BYTES_MIN (UINT64_C(64) << 10)
#define SAMPLE_NS UINT64_C(1000000)
#define POLL_NS UINT64_C(5000000)
#define STATUS_USAGE 2
#define STATUS_NOT_STARTABLE 126

static const struct {
    const char *name;
    uint32_t kinds;
} kinds_by_name[] = {
    {"switch", TRACE_SWITCH}, {"call", TRACE_CALL | TRACE_RETURN},
    {"fault", TRACE_FAULT},   {"interrupt", TRACE_INTERRUPT},
    {"wake", TRACE_WAKE},
};

struct options {
    bool is_prof;
    const char *output;
    uint32_t kinds;
    uint64_t seconds;
    char **command;
};

static struct model model;
static handle_t trace_handle;
static struct trace_ring *rings;
static uint64_t ring_slots;

static int usage(const struct options *options)
{
    fprintf(stderr,
            options->is_prof
                ? "usage: prof [-o file] [-t seconds] [command [argument …]]\n"
                : "usage: trace [-o file] [-k call,switch,fault,interrupt,wake] [-t seconds] "
                  "[command [argument …]]\n");
    return STATUS_USAGE;
}

static int complain(const char *what, status_t status)
{
    fprintf(stderr, "trace: %s: %s\n", what, status_words(status));
    return EXIT_FAILURE;
}

static bool parse_kinds(char *text, uint32_t *kinds)
{
    *kinds = 0;
    for (char *save = NULL, *word = strtok_r(text, ",", &save); word;
         word = strtok_r(NULL, ",", &save)) {
        size_t i = 0, count = sizeof(kinds_by_name) / sizeof(kinds_by_name[0]);
        while (i < count && strcmp(kinds_by_name[i].name, word) != 0) {
            i++;
        }
        if (i == count) {
            return false;
        }
        *kinds |= kinds_by_name[i].kinds;
    }
    return *kinds != 0;
}

static bool parse(int argc, char **argv, struct options *options)
{
    int c;
    char *end;
    while ((c = getopt(argc, argv, "+o:k:t:")) != -1) {
        switch (c) {
        case 'o':
            options->output = optarg;
            break;
        case 'k':
            if (options->is_prof || !parse_kinds(optarg, &options->kinds)) {
                return false;
            }
            break;
        case 't':
            options->seconds = strtoul(optarg, &end, 10);
            if (*end || end == optarg || options->seconds == 0 || options->seconds > 3600) {
                return false;
            }
            break;
        default:
            return false;
        }
    }
    options->command = argv + optind;
    return optind < argc || options->seconds != 0;
}

/* --- the kernel's side ------------------------------------------------------------------------------------- */

/** The biggest rings that there is contiguous memory for. */
static status_t begin(uint32_t kinds, uint64_t period_ns)
{
    handle_t ring_memory;
    status_t status = STATUS_NO_MEMORY;
    uint64_t bytes = 2 * RINGS_BYTES;
    while (status == STATUS_NO_MEMORY && bytes > RINGS_BYTES_MIN) {
        bytes /= 2;
        status = sys_memory_create(os_self.budget, bytes, MEMORY_CONTIGUOUS, &ring_memory);
    }
    if (status_is_ok(status)) {
        status = memory_map(ring_memory, 0, bytes, MAP_READ | MAP_WRITE, (void **)&rings);
    }
    if (status_is_ok(status)) {
        status = sys_trace_start(os_cap("trace"), os_self.budget, ring_memory, kinds, period_ns,
                                 &trace_handle);
    }
    if (status_is_ok(status)) {
        ring_slots = rings->events + 1;
    }
    return status;
}

static void drain(void)
{
    for (uint32_t cpu = 0; cpu < rings->cpus; cpu++) {
        struct trace_ring *ring = rings + cpu * ring_slots;
        const struct trace_event *events = (const struct trace_event *)(ring + 1);
        uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE), tail = ring->tail;
        for (; tail != head; tail++) {
            model_add(&model, &events[tail % (ring_slots - 1)]);
        }
        __atomic_store_n(&ring->tail, tail, __ATOMIC_RELEASE);
    }
}

static void end(void)
{
    status_ignore(sys_cap_close(trace_handle));
    drain();
    for (uint32_t cpu = 0; cpu < rings->cpus; cpu++) {
        model.lost += rings[cpu * ring_slots].lost;
    }
}

/** Who is there. */
static void learn(void)
{
    struct process_info process = {.id = 0};
    while (budget_process_next(process.id, &process)) {
        struct thread_info thread = {.id = 0};
        model_name(&model, process.id, process.name, process.start);
        while (budget_thread_next(process.id, thread.id, &thread)) {
            model_belongs(&model, thread.id, process.id);
        }
    }
}

/* --- the command ------------------------------------------------------------------------------------------- */

static char *find_program(const char *name)
{
    const char *path = strchr(name, '/') ? "" : getenv("PATH");
    struct file_status info;
    char *full = NULL;
    while (path) {
        size_t bytes = strcspn(path, ":");
        if (asprintf(&full, "%.*s%s%s", (int)bytes, path, bytes == 0 ? "" : "/", name) < 0) {
            return NULL;
        }
        if (status_is_ok(file_status(full, 0, &info))) {
            return full;
        }
        free(full);
        path = path[bytes] == ':' ? path + bytes + 1 : NULL;
    }
    return NULL;
}

/** What it prints goes nowhere if the trace goes to the standard output. */
static status_t start(const struct options *options, handle_t *process)
{
    static const char *const given[] = {"vfs", "stdin", "stderr", "stdout"};
    struct process_cap caps[sizeof(given) / sizeof(given[0])];
    char name[PROCESS_NAME_BYTES], *path = find_program(options->command[0]);
    const char *base = strrchr(options->command[0], '/');
    struct process_start how = {
        .name = name,
        .args = (const char *const *)options->command,
        .env = (const char *const *)environ,
        .caps = caps,
    };
    size_t count = sizeof(given) / sizeof(given[0]) - (strcmp(options->output, "-") == 0);
    if (!path) {
        return STATUS_NOT_FOUND;
    }
    for (size_t i = 0; i < count; i++) {
        if (os_cap(given[i]) != HANDLE_NONE) {
            caps[how.cap_count++] =
                (struct process_cap){.name = given[i], .handle = os_cap(given[i])};
        }
    }
    snprintf(name, sizeof(name), "%.31s", base ? base + 1 : options->command[0]);
    status_t status = file_image(path, HANDLE_NONE, &how.image);
    free(path);
    if (status_is_ok(status)) {
        status = process_spawn(&how, process);
        status_ignore(sys_cap_close(how.image.memory));
    }
    return status;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/** Read what comes until the command, if there is one, has ended or the time is over. */
static int64_t follow(const struct options *options, handle_t process)
{
    uint64_t last_ns =
        options->seconds == 0 ? DEADLINE_NEVER : clock_deadline(options->seconds * NS_PER_S);
    int64_t exit_status = 0;
    status_t status = STATUS_TIMED_OUT;
    while (status == STATUS_TIMED_OUT && clock_now_ns() < last_ns) {
        uint64_t next_ns = earlier(clock_deadline(POLL_NS), last_ns);
        if (process != HANDLE_NONE) {
            status = process_wait(process, next_ns, &exit_status);
        } else {
            status_ignore(sys_thread_sleep(next_ns));
        }
        drain();
    }
    return exit_status;
}

/* --- the output -------------------------------------------------------------------------------------------- */

static ssize_t write_file(void *cookie, const char *data, size_t bytes)
{
    size_t done = 0;
    return status_is_ok(file_write(cookie, data, bytes, &done)) ? (ssize_t)done : 0;
}

static int close_file(void *cookie)
{
    file_close(cookie);
    return 0;
}

static FILE *open_output(const char *path)
{
    const cookie_io_functions_t functions = {.write = write_file, .close = close_file};
    struct file *file;
    if (strcmp(path, "-") == 0) {
        return stdout;
    }
    status_t status =
        file_open(path, FILE_OPEN_WRITE | FILE_OPEN_CREATE | FILE_OPEN_TRUNCATE, 0644, &file);
    if (!status_is_ok(status)) {
        complain(path, status);
        return NULL;
    }
    return fopencookie(file, "w", functions);
}

static int write_output(const struct options *options)
{
    FILE *out = open_output(options->output);
    if (!out) {
        return EXIT_FAILURE;
    }
    bool good = options->is_prof ? stacks_write(&model, out) : json_write(&model, out);
    good &= fclose(out) == 0;
    if (!good) {
        return complain(options->output, STATUS_IO);
    }
    if (model.lost != 0) {
        fprintf(stderr, "%s: %llu events were lost\n", options->is_prof ? "prof" : "trace",
                (unsigned long long)model.lost);
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const char *base = strrchr(argv[0], '/');
    struct options options = {.kinds = TRACE_SWITCH | TRACE_CALL | TRACE_RETURN | TRACE_FAULT |
                                       TRACE_INTERRUPT | TRACE_WAKE};
    options.is_prof = strcmp(base ? base + 1 : argv[0], "prof") == 0;
    options.output = options.is_prof ? "prof.txt" : "trace.json";
    if (!parse(argc, argv, &options)) {
        return usage(&options);
    }
    uint32_t always = TRACE_PROCESS | TRACE_BEGIN | TRACE_END;
    handle_t process = HANDLE_NONE;
    model_init(&model);
    status_t status = begin(always | (options.is_prof ? TRACE_SAMPLE : options.kinds),
                            options.is_prof ? SAMPLE_NS : 0);
    if (!status_is_ok(status)) {
        return complain("the kernel", status);
    }
    learn();
    status = options.command[0] ? start(&options, &process) : STATUS_OK;
    if (!status_is_ok(status)) {
        complain(options.command[0], status);
        return STATUS_NOT_STARTABLE;
    }
    int64_t exit_status = follow(&options, process);
    end();
    model_finish(&model);
    int result = write_output(&options);
    return result != EXIT_SUCCESS ? result
           : exit_status < 0      ? 128 + (int)(-exit_status & 127)
                                  : (int)(exit_status & 255);
}
