#pragma once
/* What of a Linux personality is x86_64's own. */
#include "personality.h"

/** The bytes of a system call's instruction; its result, and a handler's argument, among the registers. */
enum { CALL_BYTES = 2, GPR_RESULT = 0, GPR_ARGUMENT = 7 };
/** Of the flags, for a single step; who met a debug register goes on by itself. */
#define STEP_FLAG UINT64_C(0x100)
#define DEBUG_GOES_ON 1
/** Arguments of clone. */
enum { CLONE_CLEARED = 3, CLONE_TLS = 4 };

/** The handler that begins with @regs in @aspace returns to @restorer. */
static inline void frame_return_set(struct thread_regs *regs, handle_t aspace, uint64_t restorer)
{
    uint64_t done;

    regs->sp -= 8;
    OK(sys_aspace_write(aspace, regs->sp, &restorer, 8, &done));
}
