#pragma once
/* What of a Linux personality is AArch64's own. */
#include "personality.h"

/** The bytes of a system call's instruction; its result, and a handler's argument, among the registers. */
enum { CALL_BYTES = 4, GPR_RESULT = 0, GPR_ARGUMENT = 0, GPR_LINK = 30 };
/** Of the flags, for a single step; who met a debug register goes on by itself. */
#define STEP_FLAG (UINT64_C(1) << 21)
#define DEBUG_GOES_ON 0
/** Arguments of clone. */
enum { CLONE_TLS = 3, CLONE_CLEARED = 4 };

/** The handler that begins with @regs in @aspace returns to @restorer. */
static inline void frame_return_set(struct thread_regs *regs, handle_t aspace, uint64_t restorer)
{
    (void)aspace;
    regs->gpr[GPR_LINK] = restorer;
}
