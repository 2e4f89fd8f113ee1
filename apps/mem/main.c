/* mem: where the memory is. */
#include <inttypes.h>
#include <os/start.h>
#include <stdio.h>
#include <tool/budget.h>
#include <tool/status.h>
#include <veridian/syscalls.h>

static uint64_t kib(uint64_t pages)
{
    return pages * PAGE_SIZE / 1024;
}

static void print_limit(uint64_t value, uint64_t limit)
{
    printf(limit >= UINT64_MAX / PAGE_SIZE ? "%10" PRIu64 " of no limit"
                                           : "%10" PRIu64 " of %" PRIu64,
           value, limit);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        fprintf(stderr, "usage: mem\n");
        return 2;
    }
    struct memory_stats stats;
    struct budget_info budget;
    struct process_info process = {.id = 0};
    status_t status = sys_system_memory_stats(os_cap("budget"), &stats);
    if (status_is_ok(status)) {
        status = sys_budget_info(os_cap("budget"), &budget);
    }
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
    printf("system budget, KiB\n  pages          ");
    print_limit(kib(budget.pages_used), kib(budget.pages_limit));
    printf("\n  kernel memory  ");
    print_limit(budget.kmem_used / 1024, budget.kmem_limit / 1024);
    printf("\nprocesses, KiB mapped and present\n");
    while (budget_process_next(process.id, &process)) {
        printf("  %10" PRIu64 "  %.31s (%" PRIu64 ")\n", kib(process.resident_pages), process.name,
               process.id);
    }
    return 0;
}
