/* ps: the processes below the system's budget. -t: their threads: band, priority, the level that it has now, and what each waits in: the system call, with the request if that is a
 * call of a service. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <tool/budget.h>
#include <veridian/syscall_numbers.h>
#include <veridian/trace.h>

#define MS_NS UINT64_C(1000000)

static const char *state_name(uint32_t state)
{
    return state == PROCESS_STATE_RUNNING ? "run" : state == PROCESS_STATE_NEW ? "new" : "dead";
}

static void print_processes(void)
{
    struct process_info info = {.id = 0};
    printf("%6s %-5s %7s %7s %8s %10s  %s\n", "id", "state", "threads", "caps", "KiB", "cpu ms",
           "name");
    while (budget_process_next(info.id, &info)) {
        printf("%6" PRIu64 " %-5s %7u %7" PRIu64 " %8" PRIu64 " %10" PRIu64 "  %.31s\n", info.id,
               state_name(info.state), info.threads, info.caps,
               info.resident_pages * PAGE_SIZE / 1024, info.cpu_time_ns / MS_NS, info.name);
    }
}

static void print_wait(const struct thread_info *thread)
{
    const char *name = trace_syscall_name(thread->syscall);
    if (thread->wait != THREAD_WAIT_SYSCALL) {
        printf("%s", thread->wait == THREAD_WAIT_PAGE ? "page" : "-");
    } else if (name) {
        printf("%s", name);
    } else {
        printf("%u", thread->syscall);
    }
    if (thread->wait == THREAD_WAIT_SYSCALL && thread->syscall == SYS_ENDPOINT_CALL) {
        const char *request = trace_request_name(thread->label);
        if (request) {
            printf(" %s", request);
        } else {
            printf(" %#x", thread->label);
        }
    }
}

static const char *band_name(uint32_t priority)
{
    return priority == PRIORITY_IDLE ? "idle" : priority > PRIORITY_NORMAL_MAX ? "real" : "normal";
}

static void print_threads(const struct process_info *process)
{
    struct thread_info thread = {.id = 0};
    while (budget_thread_next(process->id, thread.id, &thread)) {
        printf("%6" PRIu64 " %7" PRIu64 " %3u %-6s %8u %5u %10" PRIu64 "  %-16.31s ", process->id,
               thread.id, thread.cpu, band_name(thread.priority), thread.priority, thread.level,
               thread.cpu_time_ns / MS_NS, process->name);
        print_wait(&thread);
        printf("\n");
    }
}

static void print_all_threads(void)
{
    struct process_info process = {.id = 0};
    printf("%6s %7s %3s %-6s %8s %5s %10s  %-16s %s\n", "id", "thread", "cpu", "band", "priority",
           "level", "cpu ms", "name", "waits in");
    while (budget_process_next(process.id, &process)) {
        print_threads(&process);
    }
}

int main(int argc, char **argv)
{
    bool threads = argc == 2 && strcmp(argv[1], "-t") == 0;
    if (argc > 1 && !threads) {
        fprintf(stderr, "usage: ps [-t]\n");
        return 2;
    }
    if (threads) {
        print_all_threads();
    } else {
        print_processes();
    }
    return 0;
}
