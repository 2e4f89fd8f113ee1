#pragma once
/* What helps to find out why the kernel stopped. */
#include "kernel.h"

/** Log the functions on the stack, innermost first, from @frame_pointer (0: from here). Reads only the kernel stack. */
void backtrace_print(uint64_t frame_pointer);

/** Called by a CPU that arch_stop_others() has stopped; it does nothing after that. */
void panic_cpu_stopped(void);

/** Called by compiled code when the guard of a stack frame was overwritten. */
NORETURN void __stack_chk_fail(void);
