/* caps: the capabilities of a process, and from where each one came: the capability that it was made from, and who holds that. */
#include <inttypes.h>
#include <os/start.h>
#include <stdio.h>
#include <string.h>
#include <tool/budget.h>
#include <tool/status.h>
#include <veridian/syscalls.h>

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
    if (entry->parent_node_id == 0) {
        printf("  root\n");
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
