#include <tool/budget.h>

#include <os/start.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

bool budget_process_next(uint64_t after, struct process_info *info)
{
    return status_is_ok(sys_budget_process_next(os_cap("budget"), after, info));
}

bool budget_thread_next(uint64_t process_id, uint64_t after, struct thread_info *info)
{
    return status_is_ok(sys_budget_thread_next(os_cap("budget"), process_id, after, info));
}

bool budget_process_find(const char *name_or_number, struct process_info *info)
{
    char *end;
    uint64_t number = strtoull(name_or_number, &end, 10);
    bool by_number = *name_or_number && *end == '\0';
    info->id = 0;
    while (budget_process_next(info->id, info)) {
        info->name[sizeof(info->name) - 1] = '\0';
        if (by_number ? info->id == number : strcmp(info->name, name_or_number) == 0) {
            return true;
        }
    }
    return false;
}

const char *budget_process_name(uint64_t id)
{
    static struct process_info info;
    if (id == 0 || !budget_process_next(id - 1, &info) || info.id != id) {
        return "gone";
    }
    info.name[sizeof(info.name) - 1] = '\0';
    return info.name;
}
