/* caps: the capabilities of a process, and from where each one came: the capability that it was derived from, and who holds that. A copy
 * stands beside its source, and the kernel does not keep which of those there that was: the oldest of them is named. */
#include <inttypes.h>
#include <os/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tool/budget.h>
#include <tool/status.h>
#include <veridian/syscalls.h>

/** The oldest of the capabilities of an object that were not derived from another, and who holds it. */
struct top {
    uint64_t object, node, process;
};

static struct top *tops;
static size_t top_count;

static struct top *top_find(uint64_t object)
{
    for (size_t i = 0; i < top_count; i++) {
        if (tops[i].object == object) {
            return &tops[i];
        }
    }
    return NULL;
}

static bool top_note(const struct cap_entry *entry, uint64_t process)
{
    struct top *top = top_find(entry->object_id);
    if (top == NULL) {
        struct top *grown = realloc(tops, (top_count + 1) * sizeof(*tops));
        if (grown == NULL) {
            return false;
        }
        tops = grown;
        top = &tops[top_count++];
        *top = (struct top){.object = entry->object_id, .node = UINT64_MAX};
    }
    if (entry->node_id < top->node) {
        *top = (struct top){entry->object_id, entry->node_id, process};
    }
    return true;
}

/* Of every process. False without memory. */
static bool tops_read(void)
{
    struct process_info process = {.id = 0};
    bool good = true;
    while (good && budget_process_next(process.id, &process)) {
        uint64_t cursor = 0;
        struct cap_entry entry;
        while (good &&
               status_is_ok(sys_cap_list(os_cap("budget"), process.id, cursor, &entry, &cursor))) {
            good = entry.type == OBJECT_NONE || entry.parent_node_id != 0 ||
                   top_note(&entry, process.id);
        }
    }
    return good;
}

static void print_rights(uint32_t rights)
{
    static const char letters[] = "ctvirwxCRMSP";
    char text[sizeof(letters)];
    for (size_t i = 0; i < sizeof(letters) - 1; i++) {
        text[i] = rights & (1u << i) ? letters[i] : '-';
    }
    text[sizeof(letters) - 1] = '\0';
    printf(" %s", text);
}

static void print_origin(const struct cap_entry *entry)
{
    const struct top *top = top_find(entry->object_id);
    if (entry->parent_node_id == 0 && (top == NULL || top->node >= entry->node_id)) {
        printf("  the object\n");
    } else if (entry->parent_node_id == 0) {
        printf("  the object, copied: the oldest is #%" PRIu64 " of %s (%" PRIu64 ")\n", top->node,
               budget_process_name(top->process), top->process);
    } else if (entry->parent_process_id == 0) {
        printf("  #%" PRIu64 " of nobody any more\n", entry->parent_node_id);
    } else {
        printf("  #%" PRIu64 " of %s (%" PRIu64 ")\n", entry->parent_node_id,
               budget_process_name(entry->parent_process_id), entry->parent_process_id);
    }
}

static int print_caps(const struct process_info *process)
{
    uint64_t cursor = 0;
    struct cap_entry entry;
    status_t status;
    printf("%.31s (%" PRIu64 ")\n", process->name, process->id);
    printf("  %8s %-12s %8s %-12s %18s  %s\n", "node", "type", "object", "rights", "badge",
           "made from");
    while (status_is_ok(status =
                            sys_cap_list(os_cap("budget"), process->id, cursor, &entry, &cursor))) {
        if (entry.type != OBJECT_NONE) {
            printf("  %8" PRIu64 " %-12s %8" PRIu64, entry.node_id, object_type_name(entry.type),
                   entry.object_id);
            print_rights(entry.rights);
            printf(" %#18" PRIx64, entry.badge);
            print_origin(&entry);
        }
    }
    if (status != STATUS_NOT_FOUND) {
        fprintf(stderr, "caps: %s\n", status_words(status));
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct process_info info = {.id = 0};
    int result = 0;
    if (argc < 2) {
        fprintf(
            stderr,
            "usage: caps process … | -a\n"
            "rights: c copy, t transfer, v revoke, i inspect, r read, w write, x execute, C call, R receive, M manage, S spend, P pager\n");
        return 2;
    }
    if (!tops_read()) {
        fprintf(stderr, "caps: %s\n", status_words(STATUS_NO_MEMORY));
        return 1;
    }
    if (strcmp(argv[1], "-a") == 0) {
        while (budget_process_next(info.id, &info)) {
            result |= print_caps(&info);
        }
        return result;
    }
    for (int i = 1; i < argc; i++) {
        if (budget_process_find(argv[i], &info)) {
            result |= print_caps(&info);
        } else {
            fprintf(stderr, "caps: %s: no such process\n", argv[i]);
            result = 1;
        }
    }
    return result;
}
