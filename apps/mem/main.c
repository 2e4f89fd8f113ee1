/* mem: where the memory is; mem -a PROCESS: what of its memory a process uses. */
#include <inttypes.h>
#include <os/clock.h>
#include <os/start.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tool/budget.h>
#include <tool/status.h>
#include <veridian/syscalls.h>

/** Before the name of who has it, in the name of a Budget's capability. */
#define PART "budget."
#define SECONDS_MAX 86400u

static uint64_t kib(uint64_t pages)
{
    return pages * PAGE_SIZE / 1024;
}

/** What is charged to @budget, and what may be. */
static void print_budget(const char *name, handle_t budget)
{
    struct budget_info info;
    if (status_is_ok(sys_budget_info(budget, &info))) {
        printf("  %-14s %10" PRIu64 " of %-10" PRIu64 " %10" PRIu64 " of %-10" PRIu64 " %6" PRIu64
               " of %" PRIu64 "\n",
               name, kib(info.pages_used), kib(info.pages_limit), info.kmem_used / 1024,
               info.kmem_limit / 1024, info.realtime_used / 1000, info.realtime_limit / 1000);
    }
}

/** The system's, for all who have none of their own, and the parts that were taken from it. */
static void print_budgets(void)
{
    handle_t handle;
    const char *name;
    printf(
        "budgets, KiB of pages and of kernel memory, and thousandths of a CPU in real time, used and allowed\n");
    print_budget("system", os_cap("budget"));
    for (size_t i = 0; (name = os_cap_at(i, &handle)) != NULL; i++) {
        if (strncmp(name, PART, strlen(PART)) == 0) {
            print_budget(name + strlen(PART), handle);
        }
    }
}

/** Pages of a process; large: present, in large entries of the page table. */
struct pages {
    uint64_t present, large, accessed, written;
};

/** What there is of process @id, and what was used since this was asked last. */
static struct pages count_pages(uint64_t id)
{
    struct pages pages = {0};
    uint64_t address = 0, present, accessed, written;
    while (status_is_ok(sys_budget_process_pages(os_cap("budget"), id, address, &address, &present,
                                                 &accessed, &written))) {
        uint64_t unit = 1;
        if ((address & PAGE_USE_LARGE) != 0) {
            uint64_t end = (address | (LARGE_PAGE_SIZE - 1)) + 1;
            unit = (end - address) / PAGE_SIZE + 1;
            pages.large += unit;
            address = end;
        }
        pages.present += unit * (uint64_t)__builtin_popcountll(present);
        pages.accessed += unit * (uint64_t)__builtin_popcountll(accessed);
        pages.written += unit * (uint64_t)__builtin_popcountll(written);
        for (; unit == 1 && present != 0; present >>= 1) {
            address += PAGE_SIZE;
        }
    }
    return pages;
}

/** What process @name uses within @seconds. */
static int print_used(const char *name, const char *seconds)
{
    struct process_info process;
    char *end;
    unsigned long count = strtoul(seconds, &end, 10);
    if (*seconds < '0' || *seconds > '9' || *end != '\0' || count > SECONDS_MAX) {
        fprintf(stderr, "mem: %s: not a number of seconds, %u at most\n", seconds, SECONDS_MAX);
        return 2;
    }
    if (!budget_process_find(name, &process)) {
        fprintf(stderr, "mem: %s: no such process\n", name);
        return 1;
    }
    (void)count_pages(process.id);
    clock_sleep(count * NS_PER_S);
    struct pages pages = count_pages(process.id);
    printf("KiB of %.31s (%" PRIu64 "), which can be taken away, and in %lu s\n", process.name,
           process.id, count);
    printf("  present        %10" PRIu64 "\n", kib(pages.present));
    printf("  in 2 MiB       %10" PRIu64 "\n", kib(pages.large));
    printf("  accessed       %10" PRIu64 "\n", kib(pages.accessed));
    printf("  written        %10" PRIu64 "\n", kib(pages.written));
    return 0;
}

int main(int argc, char **argv)
{
    bool used = argc > 1 && strcmp(argv[1], "-a") == 0;
    if (used ? argc < 3 || argc > 4 : argc > 1) {
        fprintf(stderr, "usage: mem [-a PROCESS [SECONDS]]\n");
        return 2;
    }
    if (used) {
        return print_used(argv[2], argc == 4 ? argv[3] : "1");
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
