/* Who may have how much memory, and of the CPUs in real time.
 *
 * A Budget owns its quota, so what one service has nobody else can take, however hungry. A manifest says what the service cannot do without
 * (memory_kib, kernel_kib) and its share of the rest, and of what threads may have of the CPUs by a real-time budget; that of init is for all
 * who have no budget of their own: init, the service manager, the drivers and the small services. Init's share of the rest is the files in memory, which the vfs service keeps. What no
 * share gives away stays with the system's Budget too. The budgets are made once and outlive their services: a new life has what its
 * predecessor had. */
#include "budgets.h"

#include <stdio.h>
#include <veridian/syscalls.h>

#define KIB 1024u
/** Kernel memory for a page of a Memory: a node of its tree has 64 entries, and is 576 bytes. Doubled for the nodes above. */
#define FILES_KERNEL_BYTES_PER_PAGE 18u
#define FILES_KERNEL_BYTES 4096u
#define FILES_PAGES_MIN 16u

static bool has_part(const struct catalogue_entry *entry)
{
    return entry->memory_kib != 0;
}

static bool is_init(const struct catalogue_entry *entry)
{
    return entry->kind != CATALOGUE_SERVICE;
}

status_t budgets_plan(const struct catalogue *catalogue, struct budgets *budgets)
{
    struct budget_info info;
    struct catalogue_entry entry;
    status_t status = sys_budget_info(os_self.budget, &info);
    if (!status_is_ok(status)) {
        return status;
    }
    budgets->free_kib = (info.pages_limit - info.pages_used) * (PAGE_SIZE / KIB);
    budgets->kernel_free_kib = (info.kmem_limit - info.kmem_used) / KIB;
    budgets->realtime_free = info.realtime_limit - info.realtime_used;
    for (uint32_t i = 0; i < catalogue->count; i++) {
        catalogue_at(catalogue, i, &entry);
        budgets->needed_kib += entry.memory_kib;
        budgets->kernel_needed_kib += entry.kernel_kib;
    }
    return budgets->free_kib >= budgets->needed_kib &&
                   budgets->kernel_free_kib >= budgets->kernel_needed_kib
               ? STATUS_OK
               : STATUS_NO_MEMORY;
}

/** @share of what is left when all have what they need. */
static uint64_t share_kib(uint64_t free_kib, uint64_t needed_kib, uint32_t share)
{
    return (free_kib - needed_kib) / CATALOGUE_SHARES * share;
}

/** The Budget that is known as @name, the next one of @budgets. */
static status_t make(struct budgets *budgets, const char *name, uint64_t pages,
                     uint64_t kernel_bytes, uint64_t realtime)
{
    handle_t budget;
    char *full = budgets->names[budgets->count];
    if (budgets->count == BUDGETS_MAX ||
        snprintf(full, OS_CAP_NAME_BYTES, "budget.%s", name) >= (int)OS_CAP_NAME_BYTES) {
        return STATUS_NO_SPACE;
    }
    status_t status = sys_budget_create(os_self.budget, pages, kernel_bytes, PRIORITY_MAX, &budget);
    if (!status_is_ok(status)) {
        return status;
    }
    budgets->handles[budgets->count++] = budget;
    return sys_budget_set(budget, pages, kernel_bytes, realtime);
}

static status_t make_for(struct budgets *budgets, const struct catalogue_entry *entry)
{
    uint64_t memory_kib =
        entry->memory_kib + share_kib(budgets->free_kib, budgets->needed_kib, entry->share);
    uint64_t kernel_kib = entry->kernel_kib + share_kib(budgets->kernel_free_kib,
                                                        budgets->kernel_needed_kib, entry->share);
    return make(budgets, entry->name, memory_kib * KIB / PAGE_SIZE, kernel_kib * KIB,
                budgets->realtime_free / CATALOGUE_SHARES * entry->share);
}

status_t budgets_make(const struct catalogue *catalogue, struct budgets *budgets)
{
    struct catalogue_entry entry;
    status_t status = STATUS_OK;
    for (uint32_t i = 0; status_is_ok(status) && i < catalogue->count; i++) {
        catalogue_at(catalogue, i, &entry);
        if (has_part(&entry) && !is_init(&entry)) {
            status = make_for(budgets, &entry);
        }
    }
    return status;
}

status_t budgets_make_files(const struct catalogue *catalogue, struct budgets *budgets,
                            handle_t *files)
{
    struct catalogue_entry self;
    uint32_t index;
    status_t status = catalogue_find(catalogue, "init", &self, &index);
    if (!status_is_ok(status)) {
        return status;
    }
    uint64_t pages =
        share_kib(budgets->free_kib, budgets->needed_kib, self.share) * KIB / PAGE_SIZE;
    pages = pages < FILES_PAGES_MIN ? FILES_PAGES_MIN : pages;
    status =
        make(budgets, "files", pages, FILES_KERNEL_BYTES + pages * FILES_KERNEL_BYTES_PER_PAGE, 0);
    return status_is_ok(status) ? sys_memory_create(budgets->handles[budgets->count - 1],
                                                    pages * PAGE_SIZE, 0, files)
                                : status;
}
