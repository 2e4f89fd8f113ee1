#pragma once
#include "thread.h"

static inline uint64_t arch_syscall_arg(const struct thread *thread, unsigned i)
{
    return thread->arguments[i];
}

static inline void arch_syscall_result_set(struct thread *thread, unsigned i, uint64_t value)
{
    thread->results[i] = value;
    thread->stores++;
}
