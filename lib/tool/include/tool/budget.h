#pragma once
/* What the administrator's tools look at through the capability "budget" (right INSPECT). */
#include <stdbool.h>
#include <veridian/abi.h>

/** The process with the least number above @after; false: no more. */
bool budget_process_next(uint64_t after, struct process_info *info);
/** The thread of process @process_id with the least number above @after; false: no more. */
bool budget_thread_next(uint64_t process_id, uint64_t after, struct thread_info *info);
/** The process @name_or_number; false: there is none. */
bool budget_process_find(const char *name_or_number, struct process_info *info);
/** The name of process @id, "kernel or gone" if there is none; good until the next call. */
const char *budget_process_name(uint64_t id);
