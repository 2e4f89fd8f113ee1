/* mem: where the memory is. */
#include <inttypes.h>
#include <os/start.h>
#include <stdio.h>
#include <string.h>
#include <tool/budget.h>
#include <tool/status.h>
#include <veridian/syscalls.h>

/** Before the name of who has it, in the name of a Budget's capability. */
#define PART "budget."

static uint64_t kib(uint64_t pages)
{
    return pages * PAGE_SIZE / 1024;
}

/** What is charged to @budget, and what may be. */
static void print_budget(const char *name, handle_t budget)
{
    struct budget_info info;
    if (status_is_ok(sys_budget_info(budget, &info))) {
        printf("  %-14s %10" PRIu64 " of %-10" PRIu64 " %10" PRIu64 " of %" PRIu64 "\n", name,
               kib(info.pages_used), kib(info.pages_limit), info.kmem_used / 1024,
               info.kmem_limit / 1024);
    }
}

/** The system's, for all who have none of their own, and the parts that were taken from it. */
static void print_budgets(void)
{
    handle_t handle;
    const char *name;
    printf("budgets, KiB of pages and of kernel memory, used and allowed\n");
    print_budget("system", os_cap("budget"));
    for (size_t i = 0; (name = os_cap_at(i, &handle)) != NULL; i++) {
        if (strncmp(name, PART, strlen(PART)) == 0) {
            print_budget(name + strlen(PART), handle);
        }
    }
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        fprintf(stderr, "usage: mem\n");
        return 2;
    }
    struct memory_stats stats;
    struct process_info process = {.id = 0};
    status_t status = sys_system_memory_stats(os_cap("budget"), &stats);
    if (!status_is_ok(status)) {
        fprintf(stderr, "mem: %s\n", status_words(status));
        return 1;
    }
    printf("KiB\n");
    printf("  total          %10" PRIu64 "\n", kib(stats.total_pages));
    printf("  free           %10" PRIu64 "\n", kib(stats.free_pages));
    printf("  in use         %10" PRIu64 "\n", kib(stats.total_pages - stats.free_pages));
    printf("  kernel pages   %10" PRIu64 "\n", kib(stats.kernel_pages));
    printf("  page tables    %10" PRIu64 "\n", kib(stats.page_table_pages));
    printf("  kernel objects %10" PRIu64 "\n", stats.kmem_bytes / 1024);
    printf("  image, archive %10" PRIu64 "\n", kib(stats.image_pages));
    print_budgets();
    printf("processes, KiB mapped and present\n");
    while (budget_process_next(process.id, &process)) {
        printf("  %10" PRIu64 "  %.31s (%" PRIu64 ")\n", kib(process.resident_pages), process.name,
               process.id);
    }
    return 0;
}
