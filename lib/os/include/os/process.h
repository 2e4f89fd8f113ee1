#pragma once
/* Starting programs and hearing of their end. */
#include <stddef.h>
#include <stdint.h>
#include <veridian/abi.h>

/** A capability for a new program. */
struct process_cap {
    const char *name; /**< shorter than OS_CAP_NAME_BYTES */
    handle_t handle;  /**< needs the right TRANSFER, and COPY unless it is moved */
    uint32_t rights;  /**< COPY, DERIVE: at most those of @handle; 0: all of them */
    uint32_t
        mode; /**< CAP_TRANSFER_*; what is moved is gone from here, whether the program starts or not */
    uint64_t badge; /**< DERIVE */
};

/** An ELF file: bytes [@offset, @offset + @bytes) of @memory. @offset is a multiple of a page. */
struct process_image {
    handle_t memory; /**< rights READ and EXECUTE */
    uint64_t offset;
    uint64_t bytes;
};

struct process_start {
    const char *name; /**< printable, shorter than PROCESS_NAME_BYTES */
    struct process_image image;
    handle_t budget; /**< what it is charged to; HANDLE_NONE: this process's own */
    handle_t
        thread_budget; /**< its first thread, for the priorities that it allows; HANDLE_NONE: the same */
    const char *const *args;        /**< NULL-terminated; NULL: the name alone */
    const char *const *env;         /**< NULL-terminated; NULL: none */
    const struct process_cap *caps; /**< beside the "self." ones, which it gets anyway */
    size_t cap_count;
    uint64_t stack_bytes; /**< of its first thread; 0: PROCESS_STACK_BYTES */
    uint32_t priority;    /**< of its first thread; 0: the kernel's choice */
    uint64_t budget_ns;   /**< of a real-time priority, in each */
    uint64_t period_ns;   /**< 0: it is not limited */
};

#define PROCESS_STACK_BYTES (UINT64_C(256) << 10)
/** Arguments and environment together, with a word for each. */
#define PROCESS_ARGUMENTS_MAX (UINT64_C(1) << 20)

/** Start a program. *@process is the only capability to it (rights COPY, TRANSFER, REVOKE, INSPECT, MANAGE): when the last one is
 *  closed the process ends. CORRUPT: the file is malformed. UNSUPPORTED: it is for another machine or not static. RANGE: a name is too
 *  long, or the arguments are too many. NO_MEMORY, and what cap_copy and cap_derive answer. */
MUST_CHECK status_t process_spawn(const struct process_start *start, handle_t *process);

/** Wait until @process has ended: *@exit_status is what it gave, or the kernel or its killer for it. TIMED_OUT. BUSY: somebody else is
 *  bound to its end. */
MUST_CHECK status_t process_wait(handle_t process, uint64_t deadline_ns, int64_t *exit_status);

/** End @process with @exit_status. */
MUST_CHECK status_t process_kill(handle_t process, int64_t exit_status);
