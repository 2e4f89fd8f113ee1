/* ps: the processes below the system's budget. */
#include <inttypes.h>
#include <stdio.h>
#include <tool/budget.h>

#define MS_NS UINT64_C(1000000)

static const char *state_name(uint32_t state)
{
    return state == PROCESS_STATE_RUNNING ? "run" : state == PROCESS_STATE_NEW ? "new" : "dead";
}

int main(void)
{
    struct process_info info = {.id = 0};
    printf("%6s %-5s %7s %7s %8s %10s  %s\n", "id", "state", "threads", "caps", "KiB", "cpu ms",
           "name");
    while (budget_process_next(info.id, &info)) {
        printf("%6" PRIu64 " %-5s %7u %7" PRIu64 " %8" PRIu64 " %10" PRIu64 "  %.31s\n", info.id,
               state_name(info.state), info.threads, info.caps,
               info.resident_pages * PAGE_SIZE / 1024, info.cpu_time_ns / MS_NS, info.name);
    }
    return 0;
}
