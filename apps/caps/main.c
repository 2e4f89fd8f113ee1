/* caps: the capabilities of a process, and from where each one came: the capability that it was derived or copied from, and who holds that. */
#include <inttypes.h>
#include <os/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tool/budget.h>
#include <tool/status.h>
#include <veridian/syscalls.h>

/** Who holds a capability. */
struct holding {
    uint64_t node, process;
};

static struct holding *holdings;
static size_t holding_count;

static int by_node(const void *a, const void *b)
{
    const struct holding *one = a, *other = b;
    return one->node < other->node ? -1 : one->node > other->node;
}

/** The process that holds @node; 0: nobody any more. */
static uint64_t holder_of(uint64_t node)
{
    const struct holding key = {.node = node};
    const struct holding *found =
        holding_count ? bsearch(&key, holdings, holding_count, sizeof(key), by_node) : NULL;
    return found ? found->process : 0;
}

static bool holding_note(uint64_t node, uint64_t process)
{
    if ((holding_count & (holding_count - 1)) == 0) {
        size_t room = holding_count ? 2 * holding_count : 1;
        struct holding *grown = reallocarray(holdings, room, sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        holdings = grown;
    }
    holdings[holding_count++] = (struct holding){node, process};
    return true;
}

/* Of every process. False without memory. */
static bool holdings_read(void)
{
    struct process_info process = {.id = 0};
    bool good = true;
    while (good && budget_process_next(process.id, &process)) {
        uint64_t cursor = 0;
        struct cap_entry entry;
        while (good &&
               status_is_ok(sys_cap_list(os_cap("budget"), process.id, cursor, &entry, &cursor))) {
            good = entry.type == OBJECT_NONE || holding_note(entry.node_id, process.id);
        }
    }
    if (holding_count > 0) {
        qsort(holdings, holding_count, sizeof(*holdings), by_node);
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
    uint64_t holder = holder_of(entry->source_node_id);
    if (entry->source_node_id == 0) {
        printf("  the object\n");
        return;
    }
    printf("  %s#%" PRIu64 " of ",
           entry->source_node_id == entry->parent_node_id ? "" : "a copy of ",
           entry->source_node_id);
    if (holder == 0) {
        printf("nobody any more\n");
    } else {
        printf("%s (%" PRIu64 ")\n", budget_process_name(holder), holder);
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
    if (!holdings_read()) {
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
